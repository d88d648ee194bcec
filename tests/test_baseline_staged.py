"""Two baselines valid at once for a stated time, and what ran out: an update needs no gap, and silence is never a match."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.approval_port import TWO, Port, port
from tests.trust_fixtures import DEVICE, ENGINEER, NOW, OFFICER, OTHER_DEVICE, POLICY, baseline, sealed_baseline, snapshot
from verifier.collect.connection import CONNECTION
from verifier.errors import TrustError, UsageError
from verifier.model.device import Device, ImageAddress
from verifier.model.snapshot import FactValue, ItemSnapshot, NotAsked, Reading, Snapshot
from verifier.model.words import Criticality, Evidence, Kind, Verdict
from verifier.procedures import enrol
from verifier.procedures.approved import _replaced
from verifier.procedures.check import check
from verifier.procedures.predecessor import Predecessor
from verifier.settings.inventory import load_inventory
from verifier.trust.baseline_rules import Accepted, overlapping
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.statement import BASELINE, written
from verifier.trust.verify import verify

__all__ = ["port"]

OLD, NEW, NEITHER = "speed = 180\nbrake = on\n", "speed = 240\nbrake = on\n", "speed = 999\n"


def staged(port: Port, *options: str) -> None:
    """Serial 1 is the old state, serial 2 the new one, both valid for a fortnight; the crane is still in the old state."""
    port.approve()
    port.changes(NEW)
    port.succeeds("baseline", "propose", "STS-01", "--reason", "update", "--staged-for", "14d", *options)
    shown = port.succeeds("baseline", "approve", "STS-01", "--yes")
    assert "until 2026-12-06 06:00 UTC baseline 1 is valid beside it" in shown.out
    port.changes(OLD)


def test_until_the_time_both_match_and_the_report_says_which(port: Port) -> None:
    staged(port)
    typed = port.types("check", "STS-01")
    assert typed.code == 0
    assert "compared with baseline 1, which is valid beside baseline 2 until 2026-12-06 06:00 UTC" in typed.out
    assert port.report().baseline.serial == 1

    port.changes(NEW)
    typed = port.types("check", "STS-01")
    assert typed.code == 0
    assert "compared with baseline 2; baseline 1 is valid beside it until 2026-12-06 06:00 UTC" in typed.out
    assert port.report().baseline.serial == 2


def test_after_the_time_only_the_new_one_counts(port: Port) -> None:
    staged(port)
    port.clock.passes(days=14)
    assert port.types("check", "STS-01").code == 0, "to the second"
    port.clock.passes(seconds=1)
    typed = port.types("check", "STS-01")
    assert typed.code == 3
    assert "valid beside" not in typed.out
    assert port.report().baseline.serial == 2


def test_what_is_neither_is_drift_against_the_nearer_one(port: Port) -> None:
    staged(port)
    port.changes(NEITHER)
    assert port.types("check", "STS-01").code == 3
    assert port.report().baseline.serial == 2
    # the old state but for one file more: nearer to the old one
    port.changes(OLD)
    (port.folder / "STS-01/firmware/extra.bin").write_text("implant")
    typed = port.types("check", "STS-01")
    assert typed.code == 3
    assert port.report().baseline.serial == 1
    assert "extra.bin" in typed.out
    assert "hoist.conf" not in typed.out


def test_half_one_and_half_the_other_is_drift(port: Port) -> None:
    firmware = port.folder / "STS-01/firmware/main.bin"
    port.approve()
    old = firmware.read_bytes()
    port.changes(NEW)
    firmware.write_bytes(b"2.11")
    port.approve("--staged-for", "14d")
    for text, data, code in ((OLD, old, 0), (NEW, b"2.11", 0), (OLD, b"2.11", 3), (NEW, old, 3)):
        port.changes(text)
        firmware.write_bytes(data)
        assert port.types("check", "STS-01").code == code, (text, data)


def test_an_unread_device_is_undetermined_and_no_drift_of_either(port: Port) -> None:
    staged(port)
    (port.folder / "STS-01").rename(port.folder / "elsewhere")
    assert port.types("check", "STS-01").code == 4


def test_an_older_one_that_ran_out_is_not_valid_beside_it(port: Port) -> None:
    port.approve("--valid-for", "7d")
    port.changes(NEW)
    port.approve("--staged-for", "14d")
    port.changes(OLD)
    assert port.types("check", "STS-01").code == 0
    port.clock.passes(days=8)
    typed = port.types("check", "STS-01")
    assert typed.code == 3
    assert "the baseline before it is not valid beside it: the baseline was approved until 2026-11-29 06:00 UTC" in typed.out


def test_an_older_one_that_the_record_lost_is_not_valid_beside_it(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    staged(port)
    monkeypatch.setattr("verifier.record.baselines.Baselines.entry", lambda *_: None)
    typed = port.types("check", "STS-01")
    assert typed.code == 3
    assert "is not valid beside it: the record holds no entry" in typed.out


def test_a_withdrawn_newest_one_is_refused_while_the_older_is_still_valid(port: Port) -> None:
    """Who takes an update back has the older state approved anew: what was valid beside it was so by its word."""
    staged(port)
    port.succeeds("baseline", "withdraw", "STS-01", "--reason", "the update is faulty", "--yes")
    typed = port.types("check", "STS-01")
    assert typed.code == 5
    assert "baseline 2 of terminal-2/STS-01/card was withdrawn" in typed.out


def test_an_older_one_that_was_withdrawn_before_the_new_one_was_approved_never_stands_beside_it(port: Port) -> None:
    port.approve()
    port.changes(NEW)
    port.succeeds("baseline", "propose", "STS-01", "--reason", "update", "--staged-for", "14d")
    port.succeeds("baseline", "withdraw", "STS-01", "--reason", "recalled", "--yes")
    port.succeeds("baseline", "approve", "STS-01", "--yes")
    assert port.types("check", "STS-01").code == 0
    port.changes(OLD)
    typed = port.types("check", "STS-01")
    assert typed.code == 3
    assert "is not valid beside it: baseline 1 of terminal-2/STS-01/card was withdrawn" in typed.out


def test_the_baseline_of_another_device_never_stands_beside_it(port: Port) -> None:
    """One whose line was never held against this record: it came from elsewhere, and names what is another device's here."""
    port.approve(device="STS-02/card")
    other = port.workspace.baselines.accepted(TWO)
    port.approve()
    assert other
    port.changes(NEW)
    value = replace(port.baseline(), serial=2, supersedes=other.sha256, staged_until=port.clock() + timedelta(days=14))
    envelope = seal(written(BASELINE, value), PAYLOAD_TYPE, (port.signer("approver.key"),))
    newest = verify(envelope, BASELINE, port.collector.policy, port.clock())
    with pytest.raises(TrustError, match="the baseline is of terminal-2/STS-02/card, not of terminal-2/STS-01/card"):
        _replaced(newest, port.collector)


def test_the_older_one_put_in_the_newest_ones_place_is_still_a_rollback(port: Port) -> None:
    port.approve()
    file = port.root / "baselines/terminal-2/STS-01/card.json"
    first = file.read_bytes()
    port.approve("--staged-for", "14d", reason="update")
    file.write_bytes(first)
    typed = port.types("check", "STS-01")
    assert typed.code == 5
    assert "has serial 1, and 2 was accepted before" in typed.out


def test_nothing_can_be_staged_where_there_is_nothing_to_stand_beside(port: Port) -> None:
    typed = port.types("baseline", "propose", "STS-01", "--reason", "x", "--staged-for", "14d")
    assert typed.code == 2
    assert "no baseline could be valid beside the new one: terminal-2/STS-01/card has none yet" in typed.err
    port.approve()
    port.succeeds("baseline", "withdraw", "STS-01", "--reason", "recalled", "--yes")
    typed = port.types("baseline", "propose", "STS-01", "--reason", "x", "--staged-for", "14d")
    assert typed.code == 2
    assert "was withdrawn by A. Engineer" in typed.err


def test_the_rule_of_the_overlap() -> None:
    one = replace(baseline(2, "ab" * 32), staged_until=NOW)
    assert not overlapping(baseline(2, "ab" * 32), NOW)
    assert overlapping(one, NOW)
    assert not overlapping(one, NOW + timedelta(seconds=1))
    assert not overlapping(replace(one, not_after=NOW - timedelta(seconds=1)), NOW), "what has run out keeps nothing beside it"


# What ran out


def test_against_a_baseline_that_ran_out_nothing_is_a_match_and_drift_is_drift(port: Port) -> None:
    port.approve("--valid-for", "30d")
    port.clock.passes(days=30)
    assert port.types("check", "STS-01").code == 0
    port.clock.passes(seconds=1)
    typed = port.types("check", "STS-01")
    assert typed.code == 4
    assert typed.out.startswith("COULD NOT TELL")
    assert "what was compared is as approved, and that is no match: the notes say why" in typed.out
    assert (
        "approved until 2026-12-22 06:00 UTC and has run out; until one is approved anew, nothing is called a match" in typed.out
    )
    port.changes(NEITHER)
    assert port.types("check", "STS-01").code == 3
    assert any("has run out" in note for note in port.report().notes)
    port.approve(reason="anew")
    assert port.types("check", "STS-01").code == 0


def test_under_a_policy_that_ran_out_nothing_is_a_match_and_drift_is_drift(port: Port) -> None:
    port.approve()
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    collector = port.collector
    expiring = replace(collector, policy=replace(collector.policy, expires=port.clock.time))
    assert check(device, expiring).report.verdict is Verdict.MATCH
    port.clock.passes(seconds=1)
    found = check(device, expiring).report
    assert found.verdict is Verdict.UNDETERMINED
    assert found.notes[0].startswith("the policy was signed until 2026-11-22 06:00 UTC and has run out; until it is signed anew")
    port.changes(NEITHER)
    assert check(device, expiring).report.verdict is Verdict.DRIFT


# Where a proposal comes from


def test_a_proposal_says_which_machine_read_it(port: Port) -> None:
    shown = port.succeeds("baseline", "propose", "STS-01", "--reason", "commissioning").out
    assert "\nread by " in shown
    assert " with crane-verify 0.1.0\n" in shown
    assert "NOT READ FROM THIS DEVICE" not in shown
    port.succeeds("baseline", "approve", "STS-01", "--yes")
    assert "\nread by " in port.succeeds("baseline", "show", "STS-01").out
    provenance = port.baseline().provenance
    assert provenance
    assert provenance.read_from == ""


def test_a_sister_crane_is_read_in_its_place_and_everybody_is_told(port: Port) -> None:
    port.approve()
    port.changes(NEW, "STS-02")
    options = ("--read-from", "STS-02/card", "--staged-for", "14d")
    shown = port.succeeds("baseline", "propose", "STS-01", "--reason", "update, as on STS-02", *options).out
    assert "NOT READ FROM THIS DEVICE: terminal-2/STS-02/card was read in its place" in shown
    signing = port.succeeds("baseline", "approve", "STS-01", answers="y\n").out
    assert "NOT READ FROM THIS DEVICE: terminal-2/STS-02/card was read in its place" in signing
    assert "+speed = 240" in signing
    assert "NOT READ FROM THIS DEVICE" in port.succeeds("baseline", "show", "STS-01").out
    found = port.baseline()
    assert str(found.snapshot.device) == "terminal-2/STS-01/card"
    # the crane is updated days later: no gap, and no drift before or after
    assert port.types("check", "STS-01").code == 0
    port.changes(NEW)
    assert port.types("check", "STS-01").code == 0
    assert port.report().baseline.serial == 2


def test_a_device_of_another_profile_is_not_read_in_its_place(port: Port) -> None:
    typed = port.types("baseline", "propose", "STS-01", "--reason", "x", "--read-from", "panel")
    assert typed.code == 2
    assert "terminal-2/bench/panel is read with profile other-card, and terminal-2/STS-01/card with test-card" in typed.err


def test_the_device_itself_is_no_other_device(port: Port) -> None:
    port.succeeds("baseline", "propose", "STS-01", "--reason", "x", "--read-from", "STS-01/card")
    assert "NOT READ FROM" not in port.succeeds("baseline", "show", "STS-01", "--proposed").out


def test_who_answers_on_the_line_is_each_devices_own() -> None:
    """The bench unit's host key is none of the crane's: it stays what was approved for the crane, or is approved by nobody."""

    def answering(of: Snapshot, key: str) -> Snapshot:
        line = ItemSnapshot(
            CONNECTION, Kind.NETWORK, Criticality.CRITICAL, (Reading("host-key", FactValue(key), Evidence.CONTENT),)
        )
        return replace(of, items=(line, *of.items))

    device = Device(DEVICE, ImageAddress("x"), "abb-acs880")
    bench = answering(snapshot(OTHER_DEVICE), "ssh-ed25519 SHA256:bench")
    own = replace(baseline(), snapshot=answering(snapshot(), "ssh-ed25519 SHA256:own"))
    verified = verify(sealed_baseline(ENGINEER, OFFICER, value=own), BASELINE, POLICY, NOW)

    with_own = enrol._in_place_of(bench, device, Predecessor(Accepted(1, verified.sha256), verified))
    assert with_own.device == DEVICE
    assert with_own.items == own.snapshot.items
    first = enrol._in_place_of(bench, device, Predecessor(None, None))
    assert [item.name for item in first.items] == ["firmware", "limits"]
    assert first.not_asked[-1] == NotAsked(CONNECTION, f"read from {OTHER_DEVICE} in its place")
    plain = enrol._in_place_of(snapshot(OTHER_DEVICE), device, Predecessor(None, None))
    assert plain == snapshot()


def test_without_a_trusted_baseline_the_doubt_is_told() -> None:
    device = Device(DEVICE, ImageAddress("x"), "abb-acs880")
    with pytest.raises(UsageError, match="no baseline could be valid beside the new one: a key ran out"):
        enrol._can_be_staged(device, enrol.Proposing("x", staged_for=timedelta(days=1)), Predecessor(None, None, "a key ran out"))
