"""A changed crane is never called unchanged, and evidence is neither lost nor forged: the chain, attacked."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import sleep

import pytest

from tests import forked
from tests.terminal import Person, Typed, settled
from tests.trust_fixtures import COLLECTOR, ENGINEER, OFFICER, POLICY, SECOND_ENGINEER, STRANGER
from verifier.cli.check import code, nothing_due
from verifier.cli.report import page_of
from verifier.errors import TrustError, Unreachable, UsageError
from verifier.model.baseline import Baseline
from verifier.model.device import (
    Device,
    DeviceName,
    ImageAddress,
    ModbusSerialAddress,
    ModbusTcpAddress,
    RecordingAddress,
    Window,
)
from verifier.model.inventory import Inventory
from verifier.model.snapshot import Unread
from verifier.model.words import Criticality, Reason, Verdict
from verifier.procedures import reading
from verifier.procedures.approve import InForce, Waiting, approve, proposal
from verifier.procedures.check import check
from verifier.procedures.collector import Collector
from verifier.procedures.due import due
from verifier.procedures.enrol import Proposing, capture, propose
from verifier.procedures.fleet import Checked
from verifier.procedures.lost import Lost, lost
from verifier.record.workspace import Workspace
from verifier.report.signed import SignedReport
from verifier.transport.route import Route
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.policy import Quorum
from verifier.trust.quorum import Seat
from verifier.trust.signers.file import load_private_key, new_private_key
from verifier.trust.statement import BASELINE, REPORT, written
from verifier.trust.verify import claimed

CARD = """\
profile: test-card
title: A card of a test controller
version: 1
maturity: simulated
references: [tests/test_evidence.py]
gaps: [Stands for no product.]
items:
  - {name: firmware, kind: firmware, files: {paths: [/firmware]}}
"""
PROPOSING = Proposing("commissioning")


class Clock:
    """The wall clock of a machine, which anybody may set."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@dataclass(frozen=True)
class Port:
    """A workspace with two cards that can be read, and the machine that reads them."""

    folder: Path
    clock: Clock
    collector: Collector

    @property
    def workspace(self) -> Workspace:
        return self.collector.workspace

    def device(self, crane: str = "STS-01", every: timedelta | None = None) -> Device:
        return Device(DeviceName("terminal-2", crane, "card"), ImageAddress(str(self.folder / crane)), "test-card", every)

    def enrol(self, device: Device) -> InForce:
        propose(device, PROPOSING, self.collector)
        approve(device, proposal(device, self.collector), ENGINEER, self.collector)
        done = approve(device, proposal(device, self.collector), OFFICER, self.collector)
        assert isinstance(done, InForce)
        return done

    def check(self, device: Device) -> SignedReport:
        return check(device, self.collector)

    def wants(self, profile: str) -> None:
        (self.workspace.profiles / "test-card.yaml").write_text(profile)


@pytest.fixture
def port(tmp_path: Path) -> Port:
    for crane in ("STS-01", "STS-02"):
        (tmp_path / crane / "firmware").mkdir(parents=True)
        (tmp_path / crane / "firmware/boot.bin").write_text(f"firmware of {crane}")
    workspace = Workspace(tmp_path / "workspace")
    workspace.profiles.mkdir(parents=True)
    clock = Clock()
    port = Port(tmp_path, clock, Collector(workspace, POLICY, lambda _: "", lambda: COLLECTOR, clock))
    port.wants(CARD)
    return port


def test_the_port_works(port: Port) -> None:
    device = port.device()
    port.enrol(device)
    assert port.check(device).report.verdict is Verdict.MATCH
    (port.folder / "STS-01/firmware/boot.bin").write_text("another one")
    assert port.check(device).report.verdict is Verdict.DRIFT


# What is signed is what was shown


def another_device(baseline: Baseline) -> Baseline:
    return replace(baseline, snapshot=replace(baseline.snapshot, device=DeviceName("terminal-2", "STS-02", "card")))


def a_later_serial(baseline: Baseline) -> Baseline:
    return replace(baseline, serial=5, supersedes="ab" * 32)


def on_top_of_nothing(baseline: Baseline) -> Baseline:
    return replace(baseline, serial=1, supersedes="")


def on_top_of_another(baseline: Baseline) -> Baseline:
    return replace(baseline, supersedes="ab" * 32)


@pytest.mark.parametrize("swapped", [another_device, a_later_serial])
def test_a_first_proposal_that_is_not_this_devices_next_is_never_shown_as_such(
    port: Port, swapped: Callable[[Baseline], Baseline]
) -> None:
    """An engineer who is shown STS-01 must not be made to sign STS-02, not even as the first of two."""
    device = port.device()
    lay_down(port, device, swapped)
    with pytest.raises(TrustError):
        proposal(device, port.collector)


@pytest.mark.parametrize("swapped", [another_device, a_later_serial, on_top_of_nothing, on_top_of_another])
def test_nor_a_later_one(port: Port, swapped: Callable[[Baseline], Baseline]) -> None:
    device = port.device()
    port.enrol(device)
    lay_down(port, device, swapped)
    with pytest.raises(TrustError):
        proposal(device, port.collector)


def lay_down(port: Port, device: Device, swapped: Callable[[Baseline], Baseline]) -> None:
    baseline = propose(device, PROPOSING, port.collector).baseline
    port.workspace.baselines.propose(device.name, seal(written(BASELINE, swapped(baseline)), PAYLOAD_TYPE, ()))


def test_a_proposal_swapped_after_it_was_shown_is_not_signed(port: Port) -> None:
    device = port.device()
    propose(device, PROPOSING, port.collector)
    seen = proposal(device, port.collector)
    (port.folder / "STS-01/firmware/boot.bin").write_text("implant")
    propose(device, PROPOSING, port.collector)
    with pytest.raises(UsageError, match="changed while you read it"):
        approve(device, seen, ENGINEER, port.collector)
    waiting = approve(device, proposal(device, port.collector), ENGINEER, port.collector)
    assert isinstance(waiting, Waiting)


def test_a_baseline_that_ran_out_of_trust_can_be_replaced_and_is_no_measure(port: Port) -> None:
    """When the quorum asks for more than those who signed, a new baseline must be possible, and is shown whole."""
    device = port.device()
    port.enrol(device)
    two_engineers = replace(POLICY, quorums=(Quorum("baseline", (Seat("engineer", 2),)), POLICY.quorums[1]))
    stricter = replace(port, collector=replace(port.collector, policy=two_engineers))
    assert stricter.check(device).report.verdict is Verdict.UNTRUSTED
    propose(device, PROPOSING, stricter.collector)
    seen = proposal(device, stricter.collector)
    assert seen.baseline.serial == 2
    assert seen.before.trusted is None
    assert "one more engineer" in seen.before.doubt
    approve(device, seen, ENGINEER, stricter.collector)
    assert isinstance(approve(device, proposal(device, stricter.collector), SECOND_ENGINEER, stricter.collector), InForce)
    assert stricter.check(device).report.verdict is Verdict.MATCH


def test_what_was_never_accepted_is_not_replaced_in_silence(port: Port) -> None:
    device = port.device()
    port.enrol(device)
    path = port.workspace.baselines.approved_path(device.name)
    path.write_bytes(path.read_bytes().replace(b"keyid", b"keyId"))
    with pytest.raises(TrustError):
        propose(device, PROPOSING, port.collector)


# A report that nobody could verify is no report


@pytest.mark.parametrize("who", [STRANGER, ENGINEER])
def test_a_machine_whose_reports_nobody_could_verify_does_not_begin(port: Port, who: object) -> None:
    device = port.device()
    port.enrol(device)
    entries = port.workspace.log.length()
    stranger = replace(port.collector, signer=lambda: who)  # type: ignore[arg-type,return-value]  # both are signers
    (port.folder / "STS-01").rename(port.folder / "away")  # it would be noticed as unreachable if it were asked
    with pytest.raises(UsageError, match="policy"):
        check(device, stranger)
    assert port.workspace.log.length() == entries


def test_a_report_names_its_signers_as_verifying_it_does(port: Port) -> None:
    device = port.device()
    port.enrol(device)
    assert port.check(device).signers == ("collector-1 (collector)",)


# Due


EVERY = timedelta(days=7)


def is_due(port: Port, device: Device) -> bool:
    return due((device,), port.workspace, POLICY, port.clock.time) == (device,)


def test_a_checked_device_is_not_due_until_its_interval_has_passed(port: Port) -> None:
    device = port.device(every=EVERY)
    port.enrol(device)
    assert is_due(port, device)
    port.check(device)
    assert not is_due(port, device)
    port.clock.time += EVERY
    assert is_due(port, device)


def test_a_check_dated_in_the_future_does_not_put_off_the_next_one(port: Port) -> None:
    """A clock that was wrong for one night would else leave the crane unchecked for years, in silence."""
    device = port.device(every=EVERY)
    port.enrol(device)
    port.clock.time += timedelta(days=3650)
    port.check(device)
    port.clock.time -= timedelta(days=3650)
    assert is_due(port, device)


def test_a_report_that_nobody_trusted_signed_does_not_put_off_a_check(port: Port) -> None:
    device = port.device(every=EVERY)
    port.enrol(device)
    found = port.check(device).report
    port.clock.time += EVERY
    forged = replace(found, started=port.clock.time, ended=port.clock.time)
    for signers in ((), (STRANGER,)):
        envelope = seal(written(REPORT, forged), PAYLOAD_TYPE, signers)
        port.workspace.log.append(lambda _, envelope=envelope: envelope)  # type: ignore[misc]  # mypy infers no lambda with a default
    assert is_due(port, device)


def test_a_check_that_compared_nothing_was_none(port: Port) -> None:
    """Unreachable, crane working, outside its window: the device stays due, or a week would pass unread."""
    device = port.device(every=EVERY)
    port.enrol(device)
    (port.folder / "STS-01").rename(port.folder / "away")
    assert port.check(device).report.verdict is Verdict.UNDETERMINED
    assert is_due(port, device)
    (port.folder / "away").rename(port.folder / "STS-01")
    assert port.check(device).report.verdict is Verdict.MATCH
    assert not is_due(port, device)


# Nothing checked is no match


def test_a_run_in_which_nothing_is_due_says_why(port: Port) -> None:
    shut = Window(time(1), time(1))
    devices = (port.device(every=EVERY), port.device(), replace(port.device(every=EVERY), window=shut))
    assert nothing_due(devices, port.clock.time) == (
        "nothing is due, so nothing was checked: 1 checked within their interval, 1 without an interval (`every`), "
        "1 outside the hours in which they may be read"
    )


def test_an_approved_device_that_left_the_inventory_is_missed(port: Port) -> None:
    first, second = port.device("STS-01"), port.device("STS-02")
    port.enrol(first)
    port.enrol(second)
    whole, less = Inventory((first, second)), Inventory((first,))
    assert lost(whole, (), port.workspace) == ()
    expected = (Lost(second.name, baseline_in_place=True),)
    for words in ((), ("STS-02",), ("terminal-2",), ("terminal-2/STS-02",), ("STS-02/card",)):
        assert lost(less, words, port.workspace) == expected, words
    assert lost(less, ("STS-01",), port.workspace) == ()
    matched = Checked(first, port.check(first))
    assert code([matched], ()) == 0
    assert code([matched], expected) == 4
    assert code([], expected) == 4


def test_one_that_went_out_of_service_is_still_told_and_fails_no_check(port: Port) -> None:
    first, second = port.device("STS-01"), port.device("STS-02")
    port.enrol(first)
    port.enrol(second)
    port.workspace.baselines.approved_path(second.name).unlink()
    (gone,) = lost(Inventory((first,)), (), port.workspace)
    assert gone == Lost(second.name, baseline_in_place=False)
    assert code([Checked(first, port.check(first))], (gone,)) == 0


def inventory(*cranes: str) -> str:
    card = "{profile: test-card, every: 7d, image: {path: ../%s}}"
    lines = [f"      {crane}: {{devices: {{card: {card % crane}}}}}" for crane in cranes]
    return "\n".join(["sites:", "  terminal-2:", "    cranes:", *lines, ""])


class Quick(Person):
    """Somebody whose commands start without delay."""

    def types(self, *arguments: str, answers: str = "") -> Typed:
        assert not answers
        return forked.types(self, *arguments)


@pytest.fixture
def engineer(port: Port) -> Person:
    """The same two cards, in the hands of a person at a terminal."""
    desk = port.folder / "desk"
    desk.mkdir()
    person = settled(desk, inventory("STS-01", "STS-02"), **{"test-card": CARD})
    for crane in ("STS-01", "STS-02"):
        (port.folder / crane).rename(desk / crane)
    return Quick(person.workspace, person.keys)


def enrol(engineer: Person, *words: str) -> None:
    engineer.succeeds("baseline", "propose", *words, "--reason", "commissioning")
    engineer.succeeds("baseline", "approve", *words, "--yes")


def test_check_says_what_left_the_inventory(engineer: Person) -> None:
    enrol(engineer, "terminal-2")
    engineer.succeeds("check")
    assert "2 checked within their interval" in engineer.succeeds("check", "--due").out
    (engineer.workspace / "inventory.yaml").write_text(inventory("STS-01"))
    typed = engineer.types("check", "--due")
    assert typed.code == 4
    assert "NOT IN THE INVENTORY  terminal-2/STS-02/card" in typed.err
    assert engineer.types("check", "--json").document[1]["device"] == "terminal-2/STS-02/card"


# Where the answers came from


def played_back(port: Port, device: Device) -> Device:
    """The same device in the inventory, its answers taken down and played back."""
    nights: list[bytes] = []
    capture(device, port.collector, nights.append)
    kept = port.folder / "night.json"
    kept.write_bytes(nights[0])
    return replace(device, address=RecordingAddress(str(kept)))


def test_a_recording_in_the_devices_place_never_matches(port: Port) -> None:
    """Whoever may write in the inventory could else play a good night's answers back for ever."""
    device = port.device()
    port.enrol(device)
    played = played_back(port, device)
    report = port.check(played).report
    assert report.verdict is Verdict.DRIFT
    assert [(drift.item, drift.member) for drift in report.drifts] == [("connection", "recording")]
    assert report.drifts[0].criticality is Criticality.CRITICAL


def test_a_device_that_was_approved_from_a_recording_matches_it(port: Port) -> None:
    device = port.device()
    played = played_back(port, device)
    port.enrol(played)
    assert port.check(played).report.verdict is Verdict.MATCH


def test_a_report_says_where_it_asked(port: Port) -> None:
    device = port.device()
    port.enrol(device)
    assert f"asked: image {port.folder}/STS-01" in port.check(device).report.notes
    elsewhere = replace(device, address=ImageAddress(str(port.folder / "nowhere")))
    assert f"asked: image {port.folder}/nowhere" in port.check(elsewhere).report.notes


def test_what_is_never_read_stands_in_the_report(port: Port) -> None:
    port.wants(CARD.replace("[/firmware]", '[/firmware], exclude: ["**/*.bak"]'))
    device = port.device()
    port.enrol(device)
    (port.folder / "STS-01/firmware/implant.bak").write_text("never read")
    assert "firmware: the profile leaves out **/*.bak" in port.check(device).report.notes


def test_what_is_normalised_away_stands_in_the_report(port: Port) -> None:
    port.wants(CARD.replace("{paths: [/firmware]}", '{paths: [/firmware]}, text: {match: ["/**"], normalise: [line-ends]}'))
    device = port.device()
    (port.folder / "STS-01/firmware/boot.bin").write_bytes(b"one\ntwo\n")
    port.enrol(device)
    assert not [note for note in port.check(device).report.notes if "normalises" in note]
    (port.folder / "STS-01/firmware/boot.bin").write_bytes(b"one\r\ntwo\n")
    report = port.check(device).report
    assert report.verdict is Verdict.MATCH
    assert "firmware: 1 text changed only in what the profile normalises: /firmware/boot.bin" in report.notes


def test_a_path_that_never_held_anything_stands_in_the_report(port: Port) -> None:
    port.wants(CARD + "  - {name: program, kind: program, files: {paths: [/mistyped]}}\n")
    device = port.device()
    port.enrol(device)
    report = port.check(device).report
    assert report.verdict is Verdict.MATCH
    assert "nothing was there when approved, and nothing is there now: program" in report.notes


def test_a_check_that_compared_only_who_the_device_is_is_no_match(port: Port) -> None:
    """With a mask over all that is read, the line's own facts would be all that agrees."""
    port.wants(CARD.replace("{paths: [/firmware]}", '{paths: [/firmware]}, volatile: ["/**"]'))
    device = port.device()
    played = played_back(port, device)
    port.enrol(played)
    report = port.check(played).report
    assert report.drifts == ()
    assert report.coverage.compared == 1
    assert report.verdict is Verdict.UNDETERMINED


def test_a_baseline_this_record_never_saw_approved_is_told(port: Port) -> None:
    """A record that was emptied, with an old baseline put in place, must not look like an ordinary night."""
    device = port.device()
    port.enrol(device)
    assert not [note for note in port.check(device).report.notes if "elsewhere" in note]
    shutil.rmtree(port.workspace.root / "log")
    (port.workspace.root / "index.sqlite").unlink()
    assert [note for note in port.check(device).report.notes if note.startswith("baseline 1 came from elsewhere")]


def test_a_path_that_is_a_link_says_that_nothing_behind_it_was_read(port: Port) -> None:
    """`/opt/plc -> /opt/plc-3.1`: a check of the link alone would else look like one of the program."""
    device = port.device()
    crane = port.folder / "STS-01"
    (crane / "firmware").rename(crane / "firmware-3.1")
    (crane / "firmware").symlink_to("firmware-3.1")
    port.enrol(device)
    told = "firmware: /firmware is a link to firmware-3.1; what is behind it is read only where the profile names it"
    assert told in claimed(port.workspace.baselines.approved_path(device.name).read_bytes(), BASELINE).snapshot.notes
    assert told in port.check(device).report.notes


# One line, several devices


def on(address: ModbusSerialAddress | ModbusTcpAddress, crane: str, device: str) -> Device:
    return Device(DeviceName("terminal-2", crane, device), address, "test-card")


@pytest.mark.parametrize(
    "addresses",
    [
        [ModbusSerialAddress("/dev/ttyS0", unit) for unit in (1, 2, 3)],
        [ModbusTcpAddress("Gateway", unit=1), ModbusTcpAddress("gateway", unit=2), ModbusTcpAddress("gateway", unit=3)],
    ],
    ids=["serial line", "gateway"],
)
def test_devices_on_one_line_are_asked_one_after_the_other(
    port: Port, addresses: list[ModbusSerialAddress], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Side by side, one would find the line taken and be undetermined every night, or destroy the other's questions."""
    busy = threading.Lock()

    def connect(*_: object) -> Route:
        assert busy.acquire(blocking=False), "two at once on one line"
        sleep(0.05)
        busy.release()
        raise Unreachable("nobody is there")

    monkeypatch.setattr(reading, "connect", connect)
    devices = [on(address, "STS-01", f"drive-{number}") for number, address in enumerate(addresses)]
    with ThreadPoolExecutor(3) as pool:
        snapshots = list(pool.map(lambda device: capture(device, port.collector), devices))
    assert [snapshot.items[0].readings[0].value for snapshot in snapshots] == [Unread(Reason.UNREACHABLE, "nobody is there")] * 3


# At the terminal


def test_a_digest_pins_the_proposal_between_reading_and_signing(engineer: Person) -> None:
    """`approve --yes` is typed after `baseline diff` was read, and the proposal may have been replaced in between."""
    enrol(engineer, "STS-01")
    boot = engineer.workspace.parent / "STS-01/firmware/boot.bin"
    boot.write_text("the update that was agreed")
    engineer.succeeds("baseline", "propose", "STS-01", "--reason", "update")
    read = engineer.succeeds("baseline", "diff", "STS-01/card").out
    (digest,) = re.findall(r"--sha256 ([0-9a-f]{64})", read)
    boot.write_text("an implant beside it")
    engineer.succeeds("baseline", "propose", "STS-01", "--reason", "update")
    typed = engineer.types("baseline", "approve", "STS-01", "--yes", "--sha256", digest)
    assert typed.code == 2
    assert "is another one" in typed.err
    boot.write_text("the update that was agreed")
    engineer.succeeds("baseline", "propose", "STS-01", "--reason", "update")
    (digest,) = re.findall(r"--sha256 ([0-9a-f]{64})", engineer.succeeds("baseline", "diff", "STS-01/card").out)
    signed = engineer.succeeds("baseline", "approve", "STS-01", "--yes", "--sha256", digest).out
    assert "critical  /firmware/boot.bin" in signed  # also who does not want to be asked is shown what is signed
    assert engineer.types("baseline", "approve", "terminal-2", "--yes", "--sha256", digest).code == 2


def test_signatures_that_a_new_proposal_takes_away_are_told(engineer: Person) -> None:
    (engineer.keys / "officer.key").write_bytes(new_private_key(None))
    key = load_private_key((engineer.keys / "officer.key").read_bytes(), str)
    (engineer.keys / "officer.pub").write_text(key.public.openssh)
    engineer.succeeds("trust", "add", str(engineer.keys / "officer.pub"), "--name", "O. Officer", "--role", "security-officer")
    engineer.succeeds("trust", "quorum", "baseline", "engineer=1", "security-officer=1")
    engineer.succeeds("baseline", "propose", "STS-01", "--reason", "commissioning")
    engineer.succeeds("baseline", "approve", "STS-01", "--yes")
    again = engineer.succeeds("baseline", "propose", "STS-01", "--reason", "commissioning")
    assert "replaces a proposal that A. Engineer (engineer) had signed" in again.err


def test_a_signer_sees_what_will_not_be_compared(engineer: Person) -> None:
    masked = CARD.replace("{paths: [/firmware]}", '{paths: [/firmware]}, volatile: ["/firmware/**"]')
    (engineer.workspace / "profiles/test-card.yaml").write_text(masked)
    shown = engineer.succeeds("baseline", "propose", "STS-01", "--reason", "commissioning", "--valid-for", "365d").out
    assert "not compared in firmware: /firmware/**" in shown
    assert "valid until" in shown


def test_a_list_of_reports_tells_what_nobody_signed(engineer: Person) -> None:
    enrol(engineer, "STS-01")
    engineer.succeeds("check", "STS-01")
    genuine = Workspace(engineer.workspace).log
    report = claimed(genuine.read(2), REPORT)
    forged = seal(written(REPORT, report), PAYLOAD_TYPE, (STRANGER,))
    genuine.append(lambda _: forged)
    listed = engineer.succeeds("report", "list", "--json").document
    assert [(each["number"], each["verdict"]) for each in listed] == [(3, "not genuine"), (2, "match")]
    assert engineer.types("report", "show", "3").code == 5
    assert engineer.types("log", "verify").code == 5


def test_a_match_older_than_its_interval_is_stale(engineer: Person) -> None:
    enrol(engineer, "terminal-2")
    engineer.succeeds("check")
    fast = engineer.workspace / "inventory.yaml"
    fast.write_text(fast.read_text().replace("every: 7d", "every: 1ms", 1))
    listed = engineer.succeeds("report", "list", "--json").document
    assert sorted((each["device"], each["verdict"]) for each in listed) == [
        ("terminal-2/STS-01/card", "match, stale"),
        ("terminal-2/STS-02/card", "match"),
    ]
    page = engineer.workspace / "site.html"
    engineer.succeeds("report", "export", "terminal-2", "-o", str(page))
    assert '<header class="verdict undetermined">' in page.read_text()
    assert "1 match, stale" in page.read_text()


def test_a_file_called_like_a_number_does_not_stand_in_for_the_record(engineer: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(engineer, "STS-01")
    engineer.succeeds("check", "STS-01")
    monkeypatch.chdir(engineer.workspace)
    Path("2").write_bytes(Workspace(engineer.workspace).log.read(0))
    assert engineer.succeeds("report", "verify", "2").out.startswith("genuine: terminal-2/STS-01/card, match")


def test_no_two_devices_have_one_page() -> None:
    pages = {page_of(DeviceName("t", crane, device)) for crane, device in (("a-b", "c"), ("a", "b-c"))}
    assert len(pages) == 2
