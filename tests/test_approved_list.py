"""The approved list: every device in it, with what signed baselines hold or the reason why there is nothing."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import compare_values as make
from tests.card_port import INVENTORY, WITHOUT_BASELINE, Port, first_day, port
from tests.terminal import Typed
from verifier.model.approved_list import ApprovedDevice, ApprovedList, Component, NotApproved, Standing
from verifier.model.codec import from_json, parse
from verifier.model.device import DeviceName
from verifier.model.manifest import manifest_sha256
from verifier.model.origin import Origin
from verifier.model.snapshot import Disagreement, FactValue, NotAsked, NumberValue, Unread
from verifier.model.words import Evidence, FileType, Kind, Reason
from verifier.procedures.approved_list import approved_list
from verifier.procedures.collector import Collector, utc_now
from verifier.record.workspace import Workspace
from verifier.report.approved_list import ABOUT, HEAD, csv_list, json_list, rows
from verifier.report.components import components, whole_items
from verifier.report.cyclonedx import cyclonedx_list
from verifier.report.spreadsheet import FORMULA
from verifier.settings.inventory import load_inventory


def exported(port: Port, *arguments: str, name: str = "list.csv") -> tuple[Typed, str]:
    output = port.folder / name
    typed = port.types("baseline", "export", *arguments, "--approved-list", "--output", str(output))
    return typed, output.read_text() if output.exists() else ""


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


__all__ = ["first_day", "port"]
"""Fixtures that pytest finds here by their names."""
OFFICIAL = JsonStrictValidator(SchemaVersion.V1_6)


def valid(text: str) -> Any:
    """The bill of materials, if the official schema accepts it."""
    error = OFFICIAL.validate_str(text)
    assert error is None, error
    return json.loads(text)


# As it is typed


def test_the_list_has_a_line_for_each_component_with_the_baseline_behind_it(port: Port) -> None:
    typed, text = exported(port, "STS-01/card")
    assert typed.code == 0, typed
    found = lines(text)
    assert [each["name"] for each in found] == [
        *("/firmware/main.bin", "/firmware/version", "/settings/counter", "/settings/hoist.conf")
    ], "accounts are no hardware, firmware or software, and folders are no component"
    firmware = found[1]
    assert firmware["version"] == "3.10.8"
    assert (firmware["kind"], firmware["evidence"], firmware["standing"]) == ("firmware", "offline-media", "approved")
    assert firmware["sha256"] == hashlib.sha256(b"FIRMWARE=3.10.8\n").hexdigest()
    assert (firmware["supplier"], firmware["make"], firmware["model"]) == ("Example Cranes", "Example PLCs", "PLC-7")
    assert firmware["serial_number"] == "4711"
    assert firmware["country_of_origin"] == "'=HYPERLINK(1)", "no formula reaches a spreadsheet"
    assert found[2]["standing"] == "approved, not compared", "a masked file binds nobody"
    shown = port.succeeds("baseline", "show", "STS-01/card").out
    for each in found:
        assert f"sha256 {each['baseline_sha256']}" in shown
        assert (each["baseline_serial"], each["approved_by"]) == ("1", "A. Engineer (engineer)")


def test_a_device_without_a_baseline_stands_in_every_form_with_the_reason(port: Port) -> None:
    typed, text = exported(port)
    assert typed.code == 5, "what is not approved is not trusted"
    for device in WITHOUT_BASELINE:
        assert f"NOT APPROVED  {device}: {device} has no approved baseline" in typed.err
    bare = [each for each in lines(text) if each["standing"] == "no approved baseline"]
    assert ["/".join((each["site"], each["crane"], each["device"])) for each in bare] == [*WITHOUT_BASELINE]
    assert all("has no approved baseline; propose one with" in each["note"] for each in bare)

    _, text = exported(port, name="list.json")
    whole = json.loads(text)
    assert whole["about"] == ABOUT
    assert [each["is"] for each in whole["devices"]] == ["approved-device", "not-approved", "not-approved"]

    _, text = exported(port, name="list.cdx.json")
    bom = valid(text)
    assert [each["name"] for each in bom["components"]] == ["terminal-2/STS-01/card", *WITHOUT_BASELINE]
    assert bom["compositions"][0] == {"aggregate": "incomplete", "assemblies": [*WITHOUT_BASELINE]}
    assert {"name": "crane-verify:standing", "value": "no approved baseline"} in bom["components"][1]["properties"]


@pytest.mark.parametrize("name", ["list.csv", "list.json", "list.cdx.json"])
def test_the_same_state_gives_the_same_bytes(port: Port, name: str) -> None:
    assert exported(port, name=name)[1] == exported(port, name=name)[1]


def test_a_baseline_whose_signature_does_not_hold_approves_nothing(port: Port) -> None:
    path = port.workspace / "baselines/terminal-2/STS-01/card.json"
    path.write_bytes(path.read_bytes().replace(b'"sig":"', b'"sig":"AAAA', 1))
    typed, text = exported(port, "STS-01/card")
    assert typed.code == 5
    (only,) = lines(text)
    assert (only["standing"], only["name"], only["baseline_sha256"]) == ("no approved baseline", "", "")


def test_a_baseline_that_has_run_out_is_not_called_approved(port: Port) -> None:
    port.approves("STS-01/card", "--valid-for", "2s")
    time.sleep(2.1)
    typed, text = exported(port, "STS-01/card")
    assert typed.code == 4
    assert "and has run out" in typed.err
    assert {each["standing"] for each in lines(text)} == {"approval has run out"}
    _, text = exported(port, "STS-01/card", name="list.cdx.json")
    assert valid(text)["compositions"][0]["aggregate"] == "incomplete"


def test_while_an_update_is_under_way_both_baselines_are_listed(port: Port) -> None:
    (port.folder / "card/firmware/main.bin").write_bytes(b"new")
    port.approves("STS-01/card", "--staged-for", "1d")
    typed, text = exported(port, "STS-01/card")
    assert typed.code == 0
    assert {each["baseline_serial"] for each in lines(text) if each["name"] == "/firmware/main.bin"} == {"1", "2"}
    assert any("valid beside baseline 2 until" in each["note"] for each in lines(text) if each["baseline_serial"] == "1")
    _, text = exported(port, "STS-01/card", name="list.cdx.json")
    assert [each["bom-ref"][-2:] for each in valid(text)["components"]] == ["@2", "@1"]


def test_a_device_that_left_the_inventory_is_told_until_and_after_its_baseline_is_taken_away(port: Port) -> None:
    port.approves("STS-01/spare")
    port.approves("STS-02/card")
    inventory = port.workspace / "inventory.yaml"
    inventory.write_text("".join(line for line in INVENTORY.splitlines(keepends=True) if "../spare" not in line))
    typed, text = exported(port)
    assert typed.code == 4, "we cannot tell what such a device holds"
    (gone,) = (each for each in lines(text) if each["device"] == "spare")
    assert gone["note"].startswith("has an approved baseline and is not in the inventory")
    (port.workspace / "baselines/terminal-2/STS-01/spare.json").unlink()
    typed, text = exported(port)
    assert typed.code == 0, "it went out of service"
    (gone,) = (each for each in lines(text) if each["device"] == "spare")
    assert gone["note"].startswith("was approved once")


def test_the_short_form_names_the_digests_that_were_signed(port: Port) -> None:
    _, text = exported(port, "STS-01/card", "--items", "--marking", "SENSITIVE: share with nobody")
    found = lines(text)
    assert [(each["item"], each["what"], each["version"]) for each in found] == [
        ("firmware", "3 members", "3.10.8"),
        ("settings", "3 members", ""),
    ]
    assert {each["marking"] for each in found} == {"SENSITIVE: share with nobody"}
    envelope = port.folder / "card.dsse.json"
    port.succeeds("baseline", "export", "STS-01/card", "--output", str(envelope))
    statement = json.loads(base64.b64decode(json.loads(envelope.read_bytes())["payload"]))
    signed = {each["name"].partition("#")[2]: each["digest"]["sha256"] for each in statement["subject"]}
    assert {each["item"]: each["readings_sha256"] for each in found} == {name: signed[name] for name in ("firmware", "settings")}


@pytest.mark.parametrize(
    "arguments",
    [("STS-01",), ("STS-01/card", "--format", "csv"), ("STS-01/card", "--items"), (), ("STS-01/card", "--marking", "x")],
    ids=" ".join,
)
def test_an_envelope_is_one_devices_and_has_no_form(port: Port, arguments: tuple[str, ...]) -> None:
    output = port.folder / "x"
    typed = port.types("baseline", "export", *arguments, "--output", str(output))
    assert typed.code == 2, typed
    assert "hint: " in typed.err
    assert not output.exists()


def test_the_form_is_the_option_else_what_the_file_is_called_else_csv(port: Port) -> None:
    for name, option, begins in (
        ("a.json", (), '{\n  "about"'),
        ("a.csv", (), "site,crane"),
        ("a.cdx.json", (), '{\n  "$schema"'),
        ("a.txt", (), "site,crane"),
        ("a.csv", ("--format", "cyclonedx"), '{\n  "$schema"'),
    ):
        assert exported(port, "STS-01/card", *option, name=name)[1].startswith(begins), (name, option)


def test_nothing_listed_is_no_approved_list(port: Port) -> None:
    (port.workspace / "inventory.yaml").write_text("sites: {}\n")
    typed, text = exported(port)
    assert (typed.code, text) == (2, "")


# What a component is


def test_each_kind_of_value_says_how_it_stands() -> None:
    held = make.item(
        make.reading("/a", make.file("a", normal_sha256=make.sha("n"))),
        make.reading("/link", make.file("", type=FileType.SYMLINK, sha256="", target="/a")),
        make.reading("/moves", make.file("b")),
        make.reading("/no", Unread(Reason.DENIED, "EACCES")),
        make.reading("/timed", Unread(Reason.TIMED_OUT)),
        make.reading("/tree", make.file("", type=FileType.DIRECTORY, sha256="")),
        make.reading("/two", Disagreement("sftp", "1", "shell", "2")),
        make.reading("checksum", NumberValue((1,), "1"), Evidence.CLAIMED),
        make.reading("eth", FactValue("e1000 v2", "v2"), Evidence.CLAIMED),
        volatile=("/moves",),
    )
    found = {each.name: each for each in components(make.snapshot(held, not_asked=(NotAsked("sockets", "it is off"),)))}
    assert list(found) == ["/a", "/link", "/moves", "/no", "/timed", "/two", "checksum", "eth", "sockets"]
    assert [each.standing.value for each in found.values()] == [
        *(
            "approved",
            "approved",
            "approved, not compared",
            "not read",
            "not read",
            "two answers",
            "approved",
            "approved",
            "not asked",
        )
    ]
    assert (found["/a"].sha256, found["/a"].normalised_sha256) == (make.sha("a"), make.sha("n"))
    assert found["/no"].what == "permission denied: EACCES"
    assert found["/timed"].what == "timed out"
    assert found["/no"].evidence is None
    assert found["eth"].version == "v2"
    assert found["sockets"].kind is None


@pytest.mark.parametrize("kind", Kind)
def test_only_hardware_firmware_programs_and_configuration_are_listed(kind: Kind) -> None:
    of = make.snapshot(make.item(make.reading("/a", make.file()), kind=kind))
    wanted = kind in (Kind.HARDWARE, Kind.FIRMWARE, Kind.PROGRAM, Kind.CONFIGURATION)
    assert len(components(of)) == len(whole_items(of)) == wanted


def test_a_whole_item_says_what_of_it_was_not_read_and_has_a_version_only_where_few_have_one() -> None:
    some = make.item(make.reading("/a", make.file()), make.reading("/b", Unread(Reason.DENIED)), name="some")
    none = make.item(make.reading("/b", Unread(Reason.DENIED)), name="none")
    masked = make.item(make.reading("/a", make.file()), name="masked", volatile=("/a",))
    packages = make.item(*(make.reading(f"p{n}", FactValue(f"{n}", f"{n}")) for n in range(4)), name="packages")
    found = {each.item: each for each in whole_items(make.snapshot(some, none, masked, packages))}
    assert found["some"].what == "1 member, 1 other not read"
    assert found["some"].readings_sha256 == manifest_sha256(some)
    assert (found["none"].standing, found["none"].evidence) == (Standing.NOT_READ, None)
    assert found["masked"].standing is Standing.NOT_COMPARED
    assert found["packages"].version == ""


# Laws of the views

words = st.text(max_size=12) | st.sampled_from(
    ["", "=1+1", "@x", "-2", "\tx", "a,b", 'a"b', "a\r\nb", "\x1b[2J", "\u202e", "'=x"]
)
names = st.sampled_from(["terminal-2", "STS-01", "hoist-drive", "a b"])
digest = st.sampled_from(["", make.sha("a"), "ab" * 32])
component = st.builds(
    Component,
    *(words, st.none() | st.sampled_from(Kind), words, words, words, digest, digest, digest),
    *(st.none() | st.sampled_from(Evidence), st.sampled_from(Standing)),
)
devices = st.builds(DeviceName, names, names, names)
origins = st.builds(Origin, words, words, words, words, words)
moments = st.integers(0, 4_000_000_000_000_000).map(lambda us: make.WHEN + timedelta(microseconds=us - 10**15))
approved_devices = st.builds(
    ApprovedDevice,
    *(devices, origins, words, st.integers(1, 9), digest, st.lists(words, max_size=2).map(tuple), moments),
    *(st.none() | moments, st.booleans(), st.lists(words, max_size=2).map(tuple)),
    st.lists(component, max_size=3, unique_by=lambda each: (each.item, each.name)).map(tuple),
)
not_approved = st.builds(NotApproved, devices, origins, words, words, words, st.booleans())
lists = st.builds(
    ApprovedList,
    st.lists(names, max_size=2).map(tuple),
    words,
    st.lists(approved_devices | not_approved, max_size=3, unique_by=lambda each: each.device).map(tuple),
)
slow = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50, deadline=None)


@slow
@given(lists)
def test_json_is_read_back_as_the_list_it_shows(of: ApprovedList) -> None:
    found = parse(json_list(of).encode())
    assert found.pop("about") == ABOUT
    assert from_json(ApprovedList, found) == of


@slow
@given(lists)
def test_csv_holds_every_line_and_no_formula(of: ApprovedList) -> None:
    head, *found = csv.reader(io.StringIO(csv_list(of), newline=""))
    assert tuple(head) == HEAD
    wanted = [*rows(of)]
    assert len(found) == len(wanted) == sum(max(1, len(getattr(each, "components", ()))) for each in of.devices)
    for line, cells in zip(found, wanted, strict=True):
        assert len(line) == len(cells) == len(HEAD)
        for shown, text in zip(line, cells, strict=True):
            assert not shown.startswith(FORMULA)
            if text.isprintable():
                assert shown == (f"'{text}" if text.startswith(FORMULA) else text)


@slow
@given(lists)
def test_every_list_is_valid_cyclonedx_with_references_of_its_own(of: ApprovedList) -> None:
    bom = valid(cyclonedx_list(of))
    refs = re.findall(r'"bom-ref": "([^"]*)"', cyclonedx_list(of))
    assert (
        len(refs)
        == len(set(refs))
        == 1 + len(bom["components"]) + sum(len(each.get("components", ())) for each in bom["components"])
    )
    assert sorted(ref for each in bom["compositions"] for ref in each["assemblies"]) == sorted(
        each["bom-ref"] for each in bom["components"]
    ), "of each device it is said how whole it is, once"


@slow
@given(lists, words)
def test_the_serial_number_is_that_of_the_content(of: ApprovedList, marking: str) -> None:
    before, after = (json.loads(cyclonedx_list(each))["serialNumber"] for each in (of, replace(of, marking=marking)))
    assert (before == after) == (of.marking == marking)


def test_a_version_longer_than_the_schema_allows_is_a_property() -> None:
    long = Component("i", Kind.FIRMWARE, "m", "9" * 1025, "", "", "", "", Evidence.CLAIMED, Standing.APPROVED)
    device = ApprovedDevice(
        *(DeviceName("s", "c", "d"), Origin("", "", "", "", ""), "p", 1, "ab" * 32, ("A",), make.WHEN, None, False, (), (long,))
    )
    (component,) = valid(cyclonedx_list(ApprovedList((), "", (device,))))["components"][0]["components"]
    assert "version" not in component
    assert {"name": "crane-verify:version", "value": "9" * 1025} in component["properties"]


# What a reader must know of a baseline that counts


def notes(port: Port, **clock: datetime) -> tuple[str, ...]:
    """The notes of STS-01/card, and at which time where one is named."""
    space = Workspace(port.workspace)
    now = clock.get("at") or utc_now()
    collector = Collector(space, space.policy(), lambda secret: secret.name, now=lambda: now)
    (only,) = approved_list(load_inventory(space.inventory), ("STS-01/card",), collector).devices
    assert isinstance(only, ApprovedDevice), only
    assert only.run_out == any(each.standing is Standing.RUN_OUT for each in only.components)
    return only.notes


def test_a_policy_that_has_run_out_approves_nothing(port: Port) -> None:
    until = Workspace(port.workspace).policy().expires
    assert until
    assert notes(port, at=until) == ()
    (told,) = notes(port, at=until + timedelta(seconds=1))
    assert told == f"the policy was signed until {until:%Y-%m-%d %H:%M} UTC and has run out"


def test_a_sister_cranes_baseline_says_what_was_read(port: Port) -> None:
    port.approves("STS-01/card", "--read-from", "STS-02/card")
    assert notes(port) == ("read from terminal-2/STS-02/card in its place",)


def test_another_profile_than_the_approved_one_is_told(port: Port) -> None:
    path = port.workspace / "inventory.yaml"
    path.write_text(path.read_text().replace("profile: test-card, facts", "profile: offline-image, facts"))
    assert notes(port) == ("approved as test-card, and the inventory now says offline-image",)


def test_a_baseline_from_another_record_is_told(port: Port) -> None:
    (port.workspace / "log").rename(port.folder / "elsewhere")
    for left in port.workspace.glob("index.sqlite*"):
        left.unlink()
    (port.workspace / ".remembered-checkpoint").unlink(missing_ok=True)
    (told,) = notes(port)
    assert told.startswith("it came from elsewhere, never approved in this record")


def test_a_baseline_that_may_not_stand_beside_its_successor_is_told_and_not_listed(port: Port) -> None:
    port.approves("STS-01/card", "--valid-for", "1d")
    port.approves("STS-01/card", "--staged-for", "7d")
    (told,) = notes(port, at=utc_now() + timedelta(days=2))
    assert told.startswith("the baseline before it is not valid beside it: the baseline was approved until")
