"""`inventory`: who made what stands on each crane, and what nobody knows is said and counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import compare_values as make
from tests.card_port import Port, first_day, port
from verifier.model.device import Device, ImageAddress
from verifier.model.origin import UNSAID, WORDS, Origin, origin
from verifier.model.snapshot import FactValue, ItemSnapshot, Unread
from verifier.model.words import Evidence, Kind, Reason
from verifier.report.firmware import FirmwareVersion, firmware_version
from verifier.report.inventory import HEAD, Stock, stock_document, stock_rows, unknown_counts, unknown_lines

__all__ = ["first_day", "port"]
"""Fixtures that pytest finds here by their names."""
FIRMWARE = FirmwareVersion("3.10.8", Evidence.CLAIMED, "identity, MajorMinorRevision")


def test_each_crane_shows_its_devices_and_what_is_unknown_is_counted(port: Port) -> None:
    said = port.succeeds("inventory").out
    assert [line.split() for line in said.splitlines() if line.startswith(("terminal", "card", "spare"))] == [
        ["terminal-2/STS-01"],
        ["card", "Example", "Cranes", "=HYPERLINK(1)", "Example", "PLCs", "PLC-7", "4711", "3.10.8", "test-card"],
        ["spare", "Example", "Cranes", "=HYPERLINK(1)", "unknown", "unknown", "unknown", "unknown", "test-card"],
        ["terminal-2/STS-02"],
        ["card", "Example", "Cranes", "=HYPERLINK(1)", "unknown", "unknown", "unknown", "unknown", "test-card"],
    ]
    assert said.endswith(
        "2 of 3 devices: make unknown\n"
        "2 of 3 devices: model unknown\n"
        "2 of 3 devices: serial number unknown\n"
        "2 of 3 devices: firmware version unknown (2 without a baseline that can be trusted)\n"
        "what you know of a device is written under its `facts` in inventory.yaml: {supplier: ..., country of origin: ...}\n"
    )
    assert "2 of 3" not in port.succeeds("inventory", "STS-01").out


def test_programs_are_told_what_is_unknown_and_why(port: Port) -> None:
    found = port.succeeds("inventory", "--json").document
    assert found["unknown"] == {
        "supplier": 0,
        "country of origin": 0,
        "make": 2,
        "model": 2,
        "serial number": 2,
        "firmware version": 2,
    }
    card, spare, _ = found["devices"]
    assert card["firmware"] == {"version": "3.10.8", "evidence": "offline-media", "source": "firmware, /firmware/version"}
    assert (card["unknown"], card["firmware_unknown_because"]) == ([], "")
    assert (card["supplier"], card["serial_number"], card["country_of_origin"]) == ("Example Cranes", "4711", "=HYPERLINK(1)")
    assert spare["firmware"] is None
    assert spare["unknown"] == ["make", "model", "serial number", "firmware version"]
    assert "has no approved baseline" in spare["firmware_unknown_because"]


def test_a_changed_baseline_tells_no_firmware(port: Port) -> None:
    path = port.workspace / "baselines/terminal-2/STS-01/card.json"
    path.write_bytes(path.read_bytes().replace(b'"sig":"', b'"sig":"AAAA', 1))
    (card,) = port.succeeds("inventory", "STS-01/card", "--json").document["devices"]
    assert card["firmware"] is None
    assert card["firmware_unknown_because"]


def test_the_inventory_is_told_before_anybody_is_trusted(port: Port) -> None:
    for file in (port.workspace / "trust").rglob("*"):
        if file.is_file():
            file.unlink()
    typed = port.types("inventory", "STS-01/card")
    assert typed.code == 0
    assert "Example PLCs" in typed.out
    assert "1 of 1 devices: firmware version unknown" in typed.out
    assert "nobody is trusted" in typed.err


def test_an_inventory_without_a_device_is_told(port: Port) -> None:
    (port.workspace / "inventory.yaml").write_text("sites: {}\n")
    typed = port.types("inventory")
    assert (typed.code, typed.out) == (2, "")
    assert "holds no device" in typed.err


# Origin


def device(**facts: str) -> Device:
    return Device(make.DEVICE, ImageAddress("card"), "p", facts={name.replace("_", " "): text for name, text in facts.items()})


@pytest.mark.parametrize("spelling", ["country of origin", "country-of-origin", "country_of_origin", "country", "origin"])
def test_a_country_may_be_given_under_these_names(spelling: str) -> None:
    found = origin(Device(make.DEVICE, ImageAddress("card"), "p", facts={spelling: "DE", "serial-number": " 7 "}))
    assert (found.country, found.serial) == ("DE", "7")
    assert found.unknown == ("supplier", "make", "model")


@pytest.mark.parametrize("text", [*sorted(UNSAID), "Unknown", " ? ", "N/A"])
def test_what_stands_for_not_knowing_is_not_knowing(text: str) -> None:
    assert origin(device(make=text)).make == ""
    assert origin(device(country_of_origin=text, country="DE")).country == "DE"


# Firmware


def firmware(*items: ItemSnapshot) -> str:
    found = firmware_version(make.snapshot(*items))
    return found.version if found else ""


def test_the_firmware_version_is_taken_where_it_is_strongest() -> None:
    fact = FactValue("Linux 6.1", "6.1")
    packages = make.item(make.reading("busybox", FactValue("1.35", "1.35")), name="packages")
    system = make.item(
        make.reading("os-release/PRETTY_NAME", FactValue("Example OS 7")),
        make.reading("os-release/VERSION_ID", FactValue("7")),
        make.reading("os-release/NAME", fact),
        name="system",
    )
    image = make.item(make.reading("version", FactValue("MIL3 1.2")), name="image version")
    identity = make.item(make.reading("MajorMinorRevision", FactValue("V2.10", "V2.10")), name="identity", kind=Kind.HARDWARE)
    files = make.item(make.reading("/a", make.file()), make.reading("/version", make.file("v", version="3.10.8")))
    program = make.item(make.reading("/p", make.file("p", version="9")), make.reading("version", fact), kind=Kind.PROGRAM)
    assert firmware() == firmware(packages, program) == ""
    assert firmware(make.item(make.reading("version", Unread(Reason.DENIED)))) == ""
    assert firmware(packages, program, system) == "Example OS 7"
    assert firmware(packages, program, system, image) == "MIL3 1.2"
    assert firmware(packages, program, system, image, identity) == "V2.10"
    assert firmware(packages, program, system, image, identity, files) == "3.10.8"
    assert firmware_version(make.snapshot(files)) == FirmwareVersion("3.10.8", Evidence.CONTENT, "firmware, /version")


# Counting

texts = st.sampled_from(["", "x"])
stocks = st.builds(
    Stock,
    *(st.just(make.DEVICE), st.just("p"), st.builds(Origin, texts, texts, texts, texts, texts)),
    *(st.none() | st.just(FIRMWARE), st.just("why"), st.booleans()),
)


@given(st.lists(stocks, max_size=6))
def test_what_is_counted_is_what_is_shown_as_unknown(found: list[Stock]) -> None:
    shown = stock_rows(found)
    assert all(len(row) == len(HEAD) for row in shown)
    columns = {name: [row[HEAD.index(name)] for row in shown] for name in (*WORDS.values(), "firmware version")}
    assert unknown_counts(found) == {name: cells.count("unknown") for name, cells in columns.items()}
    assert stock_document(found)["unknown"] == unknown_counts(found)
    told = [line for line in unknown_lines(found) if line[0].isdigit()]
    assert len(told) == sum(count > 0 for count in unknown_counts(found).values())
    assert told or unknown_lines(found) == [f"of {len(found)} devices nothing of this is unknown"]


def test_a_baseline_without_a_version_is_no_missing_baseline() -> None:
    known = Origin("x", "x", "x", "x", "x")
    silent, untrusted = (Stock(make.DEVICE, "p", known, None, "why", trusted=trusted) for trusted in (True, False))
    assert unknown_lines([silent, silent, untrusted]) == [
        "3 of 3 devices: firmware version unknown (1 without a baseline that can be trusted, 2 whose baseline holds none)"
    ]
