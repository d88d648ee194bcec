"""JSON Schemas (draft 2020-12) of the files people write, for editors. The loader checks more than a schema can say."""

from __future__ import annotations

from typing import Any

from verifier.settings.inventory_file import InventoryShape
from verifier.settings.profile_file import ProfileShape

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"

_PARTS = (
    "LayerShape",
    "DeviceShape",
    "GroupShape",
    "CraneShape",
    "SiteShape",
    "SshShape",
    "ModbusShape",
    "SerialShape",
    "ImageShape",
    "RecordingShape",
    "TlsShape",
    "TimeoutsShape",
    "CredentialShape",
)
"""Parts of an inventory that may be completed from elsewhere: nothing in them is required, and null takes a default away."""

_PLACEHOLDER = {"type": "string", "pattern": r"\{[a-z][a-z0-9_]*\}"}


def inventory_schema() -> Schema:
    """The schema of inventory.yaml."""
    schema = InventoryShape.model_json_schema()
    for name in _PARTS:
        part = schema["$defs"][name]
        part.pop("required", None)
        part["properties"] = {key: _fillable(value) for key, value in part["properties"].items()}
    return _titled(schema, "inventory.yaml of crane-verify")


def profile_schema() -> Schema:
    """The schema of a profile file."""
    return _titled(ProfileShape.model_json_schema(), "A device profile of crane-verify")


def _fillable(value: Schema) -> Schema:
    """A value, or a text with a placeholder in its place, or null."""
    kept: Schema = {key: held for key, held in value.items() if key in ("title", "description", "default")}
    inner: Schema = {key: held for key, held in value.items() if key not in kept}
    choices: list[Schema] = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    choices = [_with_fillable_entries(choice) for choice in choices]
    if {"type": "null"} not in choices:
        choices.append({"type": "null"})
    return {**kept, "anyOf": [*choices, _PLACEHOLDER]}


def _with_fillable_entries(value: Schema) -> Schema:
    if value.get("type") != "array":
        return value
    return {**value, "items": {"anyOf": [value["items"], _PLACEHOLDER]}}


def _titled(schema: Schema, title: str) -> Schema:
    return {"$schema": DRAFT, **schema, "title": title}
