"""Where a device comes from, as the inventory says: who sold it, who made it, which one it is, and from which country."""

from __future__ import annotations

from dataclasses import dataclass, fields

from verifier.model.device import Device

UNSAID = frozenset({"", "?", "-", "n/a", "unknown"})
"""What people write where they know nothing. It is no answer, and is counted as none."""


@dataclass(frozen=True, slots=True)
class Origin:
    """All stated in the inventory, which nobody signs. Empty: unknown."""

    supplier: str
    make: str
    model: str
    serial: str
    country: str
    """Country of origin."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is not known, in the words of `WORDS`."""
        return tuple(words for name, words in WORDS.items() if not getattr(self, name))


WORDS = {
    "supplier": "supplier",
    "country": "country of origin",
    "make": "make",
    "model": "model",
    "serial": "serial number",
}
"""What people call each, in the order in which it is told."""
SPELLINGS = {
    "country": ("country of origin", "country", "origin"),
    "serial": ("serial number", "serial"),
}
"""The names under which an inventory may give it."""
NOWHERE = Origin("", "", "", "", "")


def origin(device: Device) -> Origin:
    """What the inventory's facts say of a device."""
    said = {name.replace("_", " ").replace("-", " "): text for name, text in device.facts.items()}

    def fact(name: str) -> str:
        found = (said.get(spelling, "").strip() for spelling in SPELLINGS.get(name, (name,)))
        return next((text for text in found if text.casefold() not in UNSAID), "")

    return Origin(*(fact(each.name) for each in fields(Origin)))
