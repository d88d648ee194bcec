"""Visits from their opening to their approval, through the commands: what is said, refused, kept and never lost."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.approval_port import ONE, TWO, Port, port
from tests.visit_port import NEW, WHO, installs, killed, opens, package, recorded, refused
from verifier.cli import desk, visiting
from verifier.errors import TrustError
from verifier.model.visit import Outcome
from verifier.procedures.audit import past
from verifier.procedures.visit import Order, close_visit, closing, open_visit, opening
from verifier.procedures.visits import open_visits
from verifier.settings.inventory import load_inventory
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.statement import VISIT_CLOSED, VISIT_OPENED, written

__all__ = ["port"]


@pytest.fixture
def begun(port: Port) -> Port:
    """A visit to one crane is open: V-2026-0001."""
    port.approve()
    port.succeeds(*opens("--package", str(package(port))))
    return port


def opened_again(port: Port, folder: Path) -> None:
    """The workspace as it was kept in this folder."""
    shutil.rmtree(port.root)
    shutil.copytree(folder, port.root, symlinks=True)
    port.comes_back()


def outcomes_of(port: Port) -> dict[str, Outcome]:
    closed = recorded(port)[-1].closed
    assert closed
    return {each.drift.member: each.outcome for each in closed.value.differences}


def test_a_visit_as_ordered_becomes_the_next_baseline(begun: Port) -> None:
    port = begun
    installs(port)
    port.clock.passes(hours=2)
    assert port.types("check", "STS-01").code == 3
    closed = port.succeeds("visit", "close", "V-2026-0001", "--yes")
    assert "1 matched" in closed.out
    assert "not countersigned by the vendor" in closed.out
    assert port.types("check", "STS-01").code == 3
    approved = port.succeeds("visit", "approve", "V-2026-0001", "--all-matched", "--reason", "as ordered", "--yes")
    assert "serial 2 is in force" in approved.out
    assert port.succeeds("check", "STS-01").code == 0
    assert "1 accepted, 0 refused: as ordered" in port.succeeds("visit", "show", "1").out
    assert "approved 1 of 1: 1 matched" in port.succeeds("visit", "list").out
    assert "WO-17" in port.baseline().reason
    (visit,) = recorded(port)
    assert visit.closed
    assert visit.approved
    assert [each.id for each in visit.closed.value.differences] == list(visit.approved.value.accepted)


def test_exactly_the_accepted_members_become_the_baseline(begun: Port) -> None:
    port = begun
    before = port.baseline().snapshot
    installs(port)
    (port.folder / "STS-01/firmware/more.bin").write_bytes(b"nobody said so")
    port.changes("speed = 240\n")
    port.succeeds("visit", "close", "1", "--yes")
    assert outcomes_of(port) == {
        "/firmware/main.bin": Outcome.MATCHED,
        "/firmware/more.bin": Outcome.UNDECLARED,
        "/settings/hoist.conf": Outcome.UNDECLARED,
    }
    (wanted,) = (
        each
        for each in json.loads(port.succeeds("visit", "show", "1", "--json").out)["closed"]["differences"]
        if each["drift"]["member"] == "/settings/hoist.conf"
    )
    port.succeeds("visit", "approve", "1", "--all-matched", "--accept", wanted["id"][:8], "--reason", "agreed", "--yes")
    after = port.baseline().snapshot
    changed = {
        reading.member
        for old, new in zip(before.items, after.items, strict=True)
        for reading in set(old.readings) ^ set(new.readings)
    }
    assert changed == {"/firmware/main.bin", "/settings/hoist.conf"}
    typed = port.types("check", "STS-01")
    assert typed.code == 3
    assert "/firmware/more.bin" in typed.out
    assert "hoist.conf" not in typed.out


def test_a_wrong_file_is_declared_but_different_and_nothing_done_is_absent(port: Port) -> None:
    for crane in ("STS-01", "STS-02"):
        port.approve(device=f"{crane}/card")
    port.succeeds("visit", "open", "STS-01", "STS-02", *WHO, "--package", str(package(port)), "--yes")
    installs(port, content=b"firmware 3.1")
    out = port.succeeds("visit", "close", "2", "--yes").out
    assert "1 different, 1 absent" in out
    assert outcomes_of(port) == {"/firmware/main.bin": Outcome.DIFFERENT}
    (visit,) = recorded(port)
    assert visit.closed
    assert [each.expectation.device for each in visit.closed.value.absent] == [TWO]
    assert "as before" in visit.closed.value.absent[0].why
    # what is different can be accepted by a person, but not as matched
    port.succeeds("visit", "approve", "2", "--none", "--reason", "put it back", "--yes")
    assert port.baseline().serial == 1


def test_expectations_as_they_are_typed(port: Port) -> None:
    port.approve()
    said = ("--expect", "STS-01/card#settings#/settings/*", "--expect", "STS-01#firmware#/firmware/old.bin=gone")
    port.succeeds(*opens(*said))
    (visit,) = recorded(port)
    assert [str(each) for each in visit.opened.value.expected] == [
        f"{ONE}#settings#/settings/*",
        f"{ONE}#firmware#/firmware/old.bin=gone",
    ]
    for text in ("settings", "STS-01#settings", "STS-01##x", "STS-01#settings#=x", "STS-01#settings#/x="):
        assert "is no expectation" in refused(port, *opens("--expect", text))
    assert "the visit is not to" in refused(port, *opens("--expect", "STS-02#settings#*"))
    assert "the visit is not to" in refused(port, *opens("--package", str(package(port)), "--package-for", "STS-02"))


def test_what_was_there_before_is_not_by_the_visit(port: Port) -> None:
    port.approve()
    port.changes("speed = 999\n")
    port.succeeds(*opens())
    assert "nothing is expected to change" in port.succeeds("visit", "show", "1").out
    out = port.succeeds("visit", "close", "1", "--yes").out
    assert "nothing changed" in out
    assert "NOT BY THIS VISIT (1)" in out


def test_a_device_that_is_off_is_part_of_the_record(begun: Port) -> None:
    port = begun
    card = port.folder / "STS-01"
    card.rename(port.folder / "away")
    typed = port.succeeds("visit", "close", "1", "--yes")
    assert "could not be read" in typed.err
    assert "NOT READ AFTER" in typed.out
    assert "1 absent, 1 device not reached" in typed.out
    assert outcomes_of(port) == {}
    assert "2 differences" not in refused(port, "visit", "approve", "1", "--accept", "ab", "--reason", "x", "--yes")
    # off before: nothing of it is said to have changed, or not to
    port.clock.passes(hours=1)
    typed = port.succeeds(*opens())
    assert "NOT READ BEFORE" in typed.out
    (port.folder / "away").rename(card)
    assert "nothing changed" in port.succeeds("visit", "close", recorded(port)[-1].name, "--yes").out


def test_a_device_that_left_the_inventory_keeps_no_visit_open(begun: Port) -> None:
    port = begun
    inventory = port.root / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("STS-01:", "STS-09:"))
    assert "not in the inventory any more" in port.succeeds("visit", "close", "1", "--yes").out


def test_a_visit_that_is_forgotten_is_overdue(begun: Port) -> None:
    port = begun
    port.clock.passes(hours=7)
    assert "open since" in port.succeeds("visit", "list", "STS-01").out
    port.clock.passes(hours=3)
    assert "OVERDUE by 2 hours" in port.succeeds("visit", "list").out
    assert json.loads(port.succeeds("visit", "list", "--json").out)[0]["overdue"] is True
    assert "no visit is recorded" in port.succeeds("visit", "list", "STS-02").out
    history = past(port.workspace, port.workspace.trusted())
    assert [each.name for each in open_visits(port.workspace, history, (ONE,))] == ["V-2026-0001"]
    assert open_visits(port.workspace, history, (TWO,)) == ()
    port.succeeds("visit", "close", "1", "--yes")
    assert open_visits(port.workspace, past(port.workspace, port.workspace.trusted())) == ()


def test_a_check_and_the_status_say_that_a_visit_is_open(begun: Port) -> None:
    port = begun
    installs(port)
    told = {
        "check": "visit V-2026-0001 is open since 2026-11-22 06:00 UTC: Drives Ltd, WO-17\n",
        "status": "visit V-2026-0001 of Drives Ltd is open since ",
    }
    for command, words in told.items():
        typed = port.types(command, "STS-01")
        assert typed.code == 3
        assert typed.out.count(words) == typed.out.count("V-2026-0001") == 1
        assert "V-2026" not in port.types(command, "STS-02").out
    port.clock.passes(hours=10)
    assert "OVERDUE by 2 hours: crane-verify visit close V-2026-0001" in port.types("check", "STS-01").out
    document = json.loads(port.types("check", "STS-01", "--json").out)
    assert document[-1]["visit_open"] == "V-2026-0001"
    assert document[-1]["overdue"] is True
    (shown,) = json.loads(port.types("status", "--json").out)["open_visits"]
    assert (shown["visit"], shown["overdue"]) == ("V-2026-0001", True)
    port.succeeds("visit", "close", "1", "--yes")
    assert "is open" not in port.types("status").out


def test_a_check_stands_where_nobody_can_tell_of_visits(begun: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TrustError("the log has lost its end", "restore it")

    monkeypatch.setattr(visiting, "open_visits", broken)
    typed = begun.succeeds("check", "STS-01")
    assert "whether a visit is open cannot be told" in typed.err


def test_only_one_visit_to_a_device_is_open_at_a_time(begun: Port) -> None:
    assert "is open since" in refused(begun, *opens())
    assert "close it first" in refused(begun, "visit", "approve", "1", "--none", "--reason", "x", "--yes")
    begun.succeeds(*opens(crane="STS-02"))
    assert "no visit is called" in refused(begun, "visit", "show", "V-2025-0001")


def test_closing_and_approving_twice(begun: Port) -> None:
    port = begun
    installs(port)
    port.succeeds("visit", "close", "1", "--yes")
    assert "was closed" in refused(port, "visit", "close", "1", "--yes")
    port.succeeds("visit", "approve", "1", "--all-matched", "--reason", "as ordered", "--yes")
    assert "was approved" in refused(port, "visit", "approve", "1", "--none", "--reason", "no", "--yes")


def test_two_machines_close_one_visit_at_the_same_time(begun: Port) -> None:
    """Both have read the devices and are about to sign; so with two that open one."""
    port = begun
    inventory = load_inventory(port.workspace.inventory)
    one, other = (closing("1", (), inventory, port.collector, lambda *_: None) for _ in range(2))
    close_visit(one, port.signer("approver.key"), (), port.collector)
    with pytest.raises(Exception, match="was closed"):
        close_visit(other, port.signer("approver.key"), (), port.collector)
    order = recorded(port)[0].opened.value
    wanted = Order(order.vendor, order.people, order.work_order, order.why, (), (), order.overdue_at - order.at)
    devices = inventory.select(("STS-01",))
    first, second = (opening(devices, wanted, port.collector, lambda *_: None) for _ in range(2))
    open_visit(first, port.signer("approver.key"), port.collector)
    with pytest.raises(Exception, match="is open since"):
        open_visit(second, port.signer("approver.key"), port.collector)
    assert len(recorded(port)) == 2


def test_what_is_brought_back_or_wrongly_signed_counts_for_nothing(begun: Port) -> None:
    port, log = begun, begun.workspace.log
    opening_ = log.read(1)
    port.succeeds("visit", "close", "1", "--yes")
    log.append(lambda _: opening_)  # somebody who can write to the disk opens it again
    (visit,) = recorded(port)
    assert visit.closed
    again = visit.opened.value
    log.append(lambda _: seal(written(VISIT_OPENED, again), PAYLOAD_TYPE, (port.signer("stranger"),)))
    closed = visit.closed.value
    log.append(lambda _: seal(written(VISIT_CLOSED, closed), PAYLOAD_TYPE, (port.signer("stranger"),)))
    assert "2 undeclared" not in port.succeeds("visit", "list").out
    assert len(port.succeeds("visit", "list").out.splitlines()) == 2
    assert "entry 4: the visit-opened needs one more engineer" in port.types("log", "verify").err


# A baseline that changes underneath


def test_a_baseline_approved_during_a_visit_stops_its_closing_until_somebody_says_so(begun: Port) -> None:
    port = begun
    port.changes("speed = 240\n")
    port.approve(reason="in a hurry")
    said = refused(port, "visit", "close", "1", "--yes")
    assert "has baseline 2" in said
    assert "--new-baseline" in said
    port.succeeds("visit", "close", "1", "--new-baseline", "--yes")
    (visit,) = recorded(port)
    assert visit.closed
    assert [each.serial for each in visit.closed.value.baselines] == [2]


def test_a_baseline_approved_after_the_closing_stops_its_approval(begun: Port) -> None:
    port = begun
    installs(port)
    port.changes("speed = 240\n")
    port.succeeds("visit", "close", "1", "--yes")
    port.approve(reason="in a hurry")
    assert "is not the one any more" in refused(port, "visit", "approve", "1", "--all-matched", "--reason", "x", "--yes")
    port.succeeds("visit", "approve", "1", "--none", "--reason", "approved by hand", "--yes")


def test_a_proposal_that_waits_is_not_thrown_away(begun: Port) -> None:
    port = begun
    installs(port)
    port.succeeds("visit", "close", "1", "--yes")
    port.changes("speed = 240\n")
    port.succeeds("baseline", "propose", "STS-01", "--reason", "in a hurry")
    assert "another proposal" in refused(port, "visit", "approve", "1", "--all-matched", "--reason", "x", "--yes")


def test_what_to_accept_must_be_clear(begun: Port) -> None:
    port = begun
    installs(port)
    port.succeeds("visit", "close", "1", "--yes")
    for options in ((), ("--none", "--all-matched")):
        assert "not clear" in refused(port, "visit", "approve", "1", *options, "--reason", "x", "--yes")
    assert "no difference of this visit" in refused(port, "visit", "approve", "1", "--accept", "zz", "--reason", "x", "--yes")
    assert "no reason" in refused(port, "visit", "approve", "1", "--none", "--reason", " ", "--yes")
    typed = port.types("visit", "approve", "1", "--all-matched", "--reason", "x", answers="n\n")
    assert typed.code == 2
    assert "not signed" in typed.err
    assert recorded(port)[0].approved is None
    assert port.workspace.baselines.proposed(ONE) is None


# Who signs


def test_two_people_approve_the_next_baseline(port: Port) -> None:
    port.two_people("baseline")
    port.succeeds("baseline", "propose", "STS-01", "--reason", "commissioning")
    port.succeeds("baseline", "approve", "STS-01", "--yes")
    port.succeeds("baseline", "approve", "STS-01", "--yes", "--key", port.key("officer"))
    port.succeeds(*opens("--package", str(package(port))))
    installs(port)
    port.succeeds("visit", "close", recorded(port)[0].name, "--yes")
    name = recorded(port)[0].name
    out = port.succeeds("visit", "approve", name, "--all-matched", "--reason", "as ordered", "--yes").out
    assert "still needed: one more security-officer" in out
    assert "in force" in port.succeeds("baseline", "approve", "STS-01", "--yes", "--key", port.key("officer")).out
    assert port.succeeds("check", "STS-01").code == 0


def test_who_fills_no_seat_for_baselines_leaves_them_waiting(begun: Port) -> None:
    port = begun
    installs(port)
    port.succeeds("visit", "close", "1", "--yes")
    port.succeeds("trust", "add", port.key("officer.pub"), "--name", "O. Officer", "--role", "security-officer")
    port.succeeds("trust", "quorum", "visit-approval", "security-officer=1")
    assert "needs one more security-officer" in refused(port, "visit", "approve", "1", "--none", "--reason", "x", "--yes")
    assert port.workspace.baselines.proposed(ONE) is None
    approve = ("visit", "approve", "1", "--all-matched", "--reason", "x", "--yes", "--key", port.key("officer"))
    assert "proposed, and waits" in port.succeeds(*approve).out
    assert "in force" in port.succeeds("baseline", "approve", "STS-01", "--yes").out


def test_the_vendor_countersigns(begun: Port) -> None:
    port = begun
    close = ("visit", "close", "1", "--yes", "--countersign", port.key("officer"))
    assert "does not know this key" in refused(port, *close)
    port.succeeds("trust", "add", port.key("officer.pub"), "--name", "V. Fitter", "--role", "vendor")
    out = port.succeeds(*close).out
    assert "V. Fitter (vendor)" in out
    assert "not countersigned" not in out
    shown = json.loads(port.succeeds("visit", "show", "1", "--json").out)
    assert shown["closed"]["countersigned_by"] == ["V. Fitter (vendor)"]


def test_a_vendor_alone_closes_nothing(begun: Port) -> None:
    begun.succeeds("trust", "add", begun.key("officer.pub"), "--name", "V. Fitter", "--role", "vendor")
    said = refused(begun, "visit", "close", "1", "--yes", "--key", begun.key("officer"))
    assert "needs one more engineer" in said
    assert recorded(begun)[0].is_open


@pytest.mark.parametrize(
    ("quorum", "command"), [("visit", opens()), ("visit-approval", ("visit", "approve", "1", "--none", "--reason", "x"))]
)
def test_a_policy_of_before_says_what_to_type(
    begun: Port, quorum: str, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = begun.workspace.policy()
    silent = replace(policy, quorums=tuple(each for each in policy.quorums if each.statement != quorum))
    monkeypatch.setattr(desk, "policy", lambda _: silent)
    assert f"crane-verify trust quorum {quorum} " in refused(begun, *command)


# The checklist


def test_the_checklist_is_in_the_signed_record(begun: Port) -> None:
    port = begun
    (port.folder / "door.jpg").write_bytes(b"a photo")
    path = port.folder / "checklist.yaml"
    path.write_text('checks:\n  - {question: "Seals whole?", answer: "no", note: "left door", photos: [door.jpg]}\n')
    out = port.succeeds("visit", "close", "1", "--yes", "--checklist", str(path)).out
    assert "checked after: Seals whole? no (left door); photos " in out
    closed = recorded(port)[0].closed
    assert closed
    assert len(closed.value.checklist[0].photos[0]) == 64


# Killed


def kept(port: Port) -> Path:
    """The workspace as it is now, kept aside."""
    folder = port.folder / "kept"
    shutil.copytree(port.root, folder, symlinks=True)
    return folder


def test_opening_goes_on_after_a_kill_at_any_point(port: Port) -> None:
    port.approve()
    folder, gone_on, refusals = kept(port), 0, 0
    for _ in killed(port, *opens()):
        typed = port.types(*opens())
        gone_on += "gone on with" in typed.err
        refusals += typed.code == 2 and "is open since" in typed.err
        assert typed.code == 0 or "is open since" in typed.err
        assert [each.is_open for each in recorded(port)] == [True]
        opened_again(port, folder)
    assert gone_on
    assert refusals


def test_closing_goes_on_after_a_kill_at_any_point(begun: Port) -> None:
    port = begun
    installs(port)
    folder, gone_on, refusals = kept(port), 0, 0
    for _ in killed(port, "visit", "close", "1", "--yes"):
        typed = port.types("visit", "close", "1", "--yes")
        gone_on += "gone on with" in typed.err
        refusals += typed.code == 2
        assert typed.code == 0 or "was closed" in typed.err
        assert outcomes_of(port) == {"/firmware/main.bin": Outcome.MATCHED}
        opened_again(port, folder)
    assert gone_on
    assert refusals


def test_approving_goes_on_after_a_kill_at_any_point(begun: Port) -> None:
    port = begun
    installs(port)
    port.succeeds("visit", "close", "1", "--yes")
    approve = ("visit", "approve", "1", "--all-matched", "--reason", "as ordered", "--yes")
    folder = kept(port)
    for _ in killed(port, *approve):
        typed = port.types(*approve)
        assert typed.code == 0 or "was approved" in typed.err, typed
        assert recorded(port)[0].approved
        if port.baseline().serial == 1:
            port.succeeds("baseline", "approve", "STS-01", "--yes")
        assert port.baseline().serial == 2
        assert port.succeeds("check", "STS-01").code == 0
        opened_again(port, folder)


def test_what_was_read_before_another_visit_is_not_gone_on_with(port: Port) -> None:
    """A run that was killed after its entry was written leaves its draft."""
    port.approve()
    first = kept(port)
    for _ in killed(port, *opens()):
        if recorded(port) and list((port.root / "drafts/visits").glob("open-*/*.json")):
            break
        opened_again(port, first)
    installs(port)
    port.clock.passes(minutes=5)
    port.succeeds("visit", "close", "1", "--yes")
    port.clock.passes(minutes=5)
    typed = port.succeeds(*opens())
    assert "gone on with" not in typed.err
    assert (
        "nothing changed"
        in port.succeeds("visit", "close", str(len(recorded(port)) + 1 and recorded(port)[-1].name), "--yes").out
    )


def test_what_was_read_long_ago_is_read_again(port: Port) -> None:
    port.approve()
    assert port.types(*opens()[:-1], answers="n\n").code == 2
    assert recorded(port) == ()
    port.clock.passes(hours=5)
    installs(port)
    assert "gone on with" not in port.succeeds(*opens()).err
    assert "nothing changed" in port.succeeds("visit", "close", "1", "--yes").out


# For others


def test_log_verify_and_the_auditors_bundle_hold_visits(begun: Port) -> None:
    port = begun
    installs(port)
    port.succeeds("visit", "close", "1", "--yes")
    port.succeeds("visit", "approve", "1", "--all-matched", "--reason", "as ordered", "--yes")
    port.approve(device="STS-02/card")
    port.succeeds("check", "STS-01")
    port.succeeds("check", "STS-02")
    for words, count in (("STS-01", 1), ("STS-02", 0)):
        folder = port.folder / f"bundle-{words}"
        out = port.succeeds("log", "bundle", str(folder), words).out
        assert out.count("visit-opened") == count
        assert out.count("visit-approved") == count
        assert "visit-closed" in port.succeeds("report", "verify", str(folder)).out
    port.clock.passes(days=2)
    port.succeeds("check", "STS-01")
    out = port.succeeds("log", "bundle", str(port.folder / "bundle-of-tomorrow"), "--since", "2026-11-23").out
    assert "visit" not in out


def test_what_a_visit_installed_is_kept_for_a_restore_kit(port: Port) -> None:
    profile = port.root / "profiles/test-card.yaml"
    plain = "files: {paths: [/firmware]}}"
    assert plain in profile.read_text()
    profile.write_text(profile.read_text().replace(plain, f"{plain[:-1]}, golden: {{match: [/firmware/**]}}}}"))
    port.approve()
    port.succeeds(*opens("--package", str(package(port))))
    installs(port)
    assert port.workspace.blobs.find(hashlib.sha256(NEW).hexdigest()) is None
    port.succeeds("visit", "close", "1", "--yes")
    assert port.workspace.blobs.find(hashlib.sha256(NEW).hexdigest()) == NEW
