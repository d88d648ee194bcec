"""The published JSON Schemas: valid themselves, true of every file we ship, and of use to an editor."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from verifier.settings.example import example_inventory
from verifier.settings.node import Plain, plain
from verifier.settings.profiles import builtin_names
from verifier.settings.schema import inventory_schema, profile_schema
from verifier.settings.yaml import parse

INVENTORY = inventory_schema()
PROFILE = profile_schema()


def faults(schema: dict[str, Any], text: str) -> list[str]:
    value: Plain = plain(parse(text, "file.yaml"))
    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


@pytest.mark.parametrize("schema", [INVENTORY, PROFILE])
def test_a_schema_is_a_schema_and_says_which_draft(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]


@pytest.mark.parametrize("name", builtin_names())
def test_every_built_in_profile_fits_its_schema(name: str) -> None:
    assert faults(PROFILE, (files("verifier.profiles") / f"{name}.yaml").read_text()) == []


def test_the_example_inventory_fits_its_schema() -> None:
    assert faults(INVENTORY, example_inventory()) == []


def test_keys_are_explained_to_whoever_writes_them() -> None:
    assert "Protocol address" in str(PROFILE["$defs"]["ParameterShape"]["properties"]["address"]["description"])
    assert "Without a pin" in str(INVENTORY["$defs"]["SshShape"]["properties"]["host_keys"]["description"])


ITEM = "profile: p\ntitle: t\nversion: 1\nmaturity: documented\nitems:\n  - {name: x, kind: network, "


@pytest.mark.parametrize(
    "text",
    [
        ITEM.replace("documented", "tested") + "facts: routes}",
        ITEM + "facts: route}",
        ITEM + "facts: routes, server_id: true}",
        ITEM + "}",
        ITEM + "fakts: routes}",
        ITEM + "registers: {table: holding, first: 70000, count: 1}}",
        ITEM + "files: {paths: [etc]}}",
        "title: t",
    ],
)
def test_a_wrong_profile_does_not_fit(text: str) -> None:
    assert faults(PROFILE, text)
    assert faults(PROFILE, ITEM + "facts: routes}") == []


DEVICE = "sites: {t: {cranes: {c: {devices: {d: {profile: p, ssh: {host: h, user: u, PLACE}}}}}}}"


@pytest.mark.parametrize(
    ("inside", "fits"),
    [
        ("port: 22", True),
        ('port: "{port}"', True),
        ("port: null", True),
        ('host_keys: ["{key}"]', True),
        ("jump: {host: h}", True),
        ("port: twenty", False),
        ("prot: 22", False),
        ("port: 70000", False),
        ("host_keys: key", False),
        ("credentials: [{pasword: prompt}]", False),
        ("credentials: [{password: hunter2}]", False),
    ],
)
def test_an_inventory_may_hold_placeholders_and_nulls_but_no_wrong_keys(inside: str, fits: bool) -> None:
    assert (faults(INVENTORY, DEVICE.replace("PLACE", inside)) == []) is fits
