"""The inventory that `crane-verify init` writes: every kind of device once, with comments."""

from __future__ import annotations

from importlib.resources import files


def example_inventory() -> str:
    """The text of an inventory.yaml that loads as it stands."""
    return (files("verifier.settings") / "inventory.example.yaml").read_text(encoding="utf-8")
