"""Findings through the commands, on cards that change: ages and states, signed steps, what a wrong hand adds, and accepting."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from tests.approval_port import ONE, TWO, Port, port
from tests.terminal import Typed
from verifier.errors import RecordError, TrustError, UsageError
from verifier.model.finding import Finding, FindingStep, Said, State
from verifier.model.report import Report
from verifier.procedures.accept import accept, accepting
from verifier.procedures.audit import past
from verifier.procedures.findings import findings, named
from verifier.procedures.history import History
from verifier.procedures.steps import may_be_taken
from verifier.settings.inventory import load_inventory
from verifier.trust.envelope import PAYLOAD_TYPE, opened, seal
from verifier.trust.signers.file import FileSigner
from verifier.trust.statement import BASELINE, FINDING, REPORT, written
from verifier.trust.verify import claimed

__all__ = ["port"]

CHANGED = "speed = 240\nbrake = on\n"
APPROVED = "speed = 180\nbrake = on\n"
TICKET = ("--reason", "brake pads changed", "--ticket", "T-4711")


def history(port: Port) -> History:
    return past(port.workspace, port.workspace.trusted())


def derived(port: Port, resolved: bool = False) -> tuple[Finding, ...]:
    return findings(port.workspace, history(port), None, resolved)


def the_one(port: Port, resolved: bool = False) -> Finding:
    (found,) = derived(port, resolved)
    return found


def drifting(port: Port, nights: int = 2) -> Finding:
    """An approved card whose settings somebody changed, seen for so many nights."""
    port.approve()
    port.changes(CHANGED)
    for _ in range(nights):
        port.clock.passes(days=1)
        assert port.types("check", "STS-01").code == 3
    return the_one(port)


def append(port: Port, envelope: bytes) -> None:
    """Put this into the record, as anybody can who can write to the disk."""
    port.workspace.log.append(lambda _: envelope)


def step_on(found: Finding, port: Port, *signers: FileSigner, state: State = State.ACCEPTED) -> bytes:
    value = FindingStep(found.device, found.item, found.member, found.digest, found.seen, state, "because", port.clock(), "T-1")
    return seal(written(FINDING, value), PAYLOAD_TYPE, signers)


def entries(port: Port, kind: str) -> list[bytes]:
    """Oldest first."""
    return [envelope for _, envelope in port.workspace.index.entries(kind)][::-1]


def member(text: str, port: Port, name: str = "settings/hoist.conf") -> None:
    (port.folder / "STS-01" / name).write_text(text)


# Seen night after night


def test_a_drift_of_many_nights_is_one_finding_whose_age_the_check_tells(port: Port) -> None:
    port.approve()
    assert port.types("check", "STS-01").code == 0
    port.changes(CHANGED)
    first = port.types("check", "STS-01")
    assert re.search(r"^ +[0-9a-f]{8}  new; open$", first.out, re.MULTILINE)
    port.clock.passes(days=12)
    again = port.types("check", "STS-01")
    assert again.code == 3
    assert f"{the_one(port).name}  since 12 days; open" in again.out
    assert port.succeeds("finding", "list").out.count("settings: /settings/hoist.conf") == 1


def test_seen_matching_again_it_is_resolved_and_the_next_drift_is_new(port: Port) -> None:
    drifting(port)
    port.changes(APPROVED)
    port.clock.passes(days=1)
    assert port.types("check", "STS-01").code == 0
    assert derived(port) == ()
    assert "no finding is open" in port.succeeds("finding", "list").out
    assert the_one(port, resolved=True).resolved == port.clock()
    assert "resolved 0 minutes ago" in port.succeeds("finding", "list", "--all").out
    port.changes(CHANGED)
    port.clock.passes(days=1)
    assert "new; open" in port.types("check", "STS-01").out
    # the report of then is told apart from the drift of today
    assert "was resolved, and came back 0 minutes ago" in port.succeeds("report", "show", "2").out


def test_a_nightly_mail_tells_what_is_new_and_how_much_is_not(port: Port) -> None:
    drifting(port, nights=3)
    assert port.succeeds("finding", "list", "--new", "24h").out == "no finding is new; 1 finding began before that\n"
    member("new\n", port, "settings/new.conf")
    port.clock.passes(days=1)
    port.types("check", "STS-01")
    typed = port.succeeds("finding", "list", "--new", "24h")
    assert "unexpected /settings/new.conf" in typed.out
    assert "hoist.conf" not in typed.out
    assert typed.out.endswith("and 1 finding that began before that\n")
    assert [each["member"] for each in port.succeeds("finding", "list", "--new", "24h", "--json").document] == [
        "/settings/new.conf"
    ]


def test_a_device_that_is_off_resolves_nothing_and_is_no_finding(port: Port) -> None:
    before = drifting(port)
    (port.folder / "STS-01").rename(port.folder / "away")
    port.clock.passes(days=1)
    assert port.types("check", "STS-01").code == 4
    assert the_one(port) == before
    assert all(each is None for each in port.types("check", "STS-01", "--json").document[0]["findings"])


def test_findings_are_derived_alike_twice_and_in_whatever_order_the_devices_are_named(port: Port) -> None:
    drifting(port)
    port.approve(device="STS-02/card")
    port.changes("speed = 999\n", crane="STS-02")
    port.types("check")
    found = derived(port)
    assert {each.device for each in found} == {ONE, TWO}
    assert derived(port) == found
    port.workspace.index.forget()
    assert derived(port) == found
    for names in permutations((ONE, TWO, ONE)):
        assert findings(port.workspace, history(port), names) == found
    assert findings(port.workspace, history(port), ()) == ()


def test_json_has_the_finding_of_each_drift(port: Port) -> None:
    found = drifting(port)
    port.succeeds("finding", "accept", found.name, *TICKET, "--yes")
    (checked,) = port.types("check", "STS-01", "--json").document
    (of_drift,) = checked["findings"]
    assert (of_drift["id"], of_drift["state"], of_drift["ticket"], of_drift["by"]) == (
        found.id,
        "accepted",
        "T-4711",
        ["A. Engineer"],
    )
    (listed,) = port.succeeds("finding", "list", "--json").document
    assert listed == of_drift == port.succeeds("finding", "show", found.name, "--json").document
    assert port.succeeds("report", "show", "STS-01", "--json").document["findings"] == [listed]
    (sealed,) = entries(port, "finding")
    proposed = port.workspace.baselines.proposed(ONE)
    assert proposed
    assert claimed(sealed, FINDING).proposal == hashlib.sha256(opened(proposed).payload).hexdigest()


# Steps


def test_each_step_is_shown_then_signed_and_stands_beside_the_drift(port: Port) -> None:
    found = drifting(port)
    asked = port.succeeds("finding", "investigate", found.name, "--reason", "asked the vendor", answers="y\n")
    assert asked.out.index("content e00e777b4781 -> d40d50b0a045") < asked.out.index("Sign that it is being investigated?")
    assert the_one(port).state is State.INVESTIGATING
    assert f"{found.name}  since 1 day; investigating, A. Engineer" in port.succeeds("report", "show", "STS-01").out
    port.clock.passes(days=1)
    rejected = port.succeeds("finding", "reject", found.name, "--reason", "nobody ordered it", "--ticket", "T-9", "--yes")
    assert "put it back as the approved baseline has it" in rejected.out
    assert port.types("check", "STS-01").code == 3
    shown = port.succeeds("finding", "show", found.name[:3]).out
    assert "rejected, T-9, A. Engineer" in shown
    assert "investigating, A. Engineer: asked the vendor" in shown
    assert "next: put it back as the approved baseline has it; then crane-verify check" in shown
    assert port.succeeds("log", "verify").code == 0


def test_who_changed_it_is_a_claim_or_not_known(port: Port) -> None:
    found = drifting(port)
    assert "changed by: nobody says; a reading shows what differs" in port.succeeds("finding", "show", found.name).out
    who = ("--changed-by", "ACME service, V. Endor")
    asked = port.succeeds("finding", "investigate", found.name, "--reason", "asked", *who, answers="y\n")
    assert asked.out.index("changed by, as you say: ACME") < asked.out.index("Sign that")
    shown = port.succeeds("finding", "show", found.name)
    assert "changed by: ACME service, V. Endor, as A. Engineer says: a claim, which no reading proves" in shown.out
    document = port.succeeds("finding", "show", found.name, "--json").document
    assert document["attribution"] == {"kind": "claimed", "who": "ACME service, V. Endor", "by": ["A. Engineer"]}
    # nobody has said it of what it became
    port.changes("speed = 999\n")
    port.types("check", "STS-01")
    assert port.succeeds("finding", "show", found.name, "--json").document["attribution"]["kind"] == "none"
    port.succeeds("finding", "accept", found.name, *TICKET, *who, "--yes")
    assert the_one(port).attributed


def test_a_no_signs_nothing(port: Port) -> None:
    found = drifting(port)
    for words in (("investigate", found.name, "--reason", "x"), ("accept", found.name, *TICKET)):
        typed = port.types("finding", *words, answers="n\n")
        assert typed.code == 2
        assert "not signed" in typed.err
    assert entries(port, "finding") == []
    assert port.workspace.baselines.proposed(ONE) is None


def test_a_drift_that_changes_after_a_step_is_open_again_at_the_same_age(port: Port) -> None:
    found = drifting(port)
    port.succeeds("finding", "investigate", found.name, "--reason", "asked", "--yes")
    port.changes("speed = 300\n")
    port.clock.passes(days=1)
    typed = port.types("check", "STS-01")
    assert f"{found.name}  since 2 days; open again: it is another drift now" in typed.out


def test_a_reason_and_a_ticket_are_needed(port: Port) -> None:
    found = drifting(port)
    assert "Missing option '--ticket'".lower() in port.types("finding", "reject", found.name, "--reason", "x").err.lower()
    empty = port.types("finding", "investigate", found.name, "--reason", " ", "--yes")
    assert empty.code == 2
    assert "--reason is empty" in empty.err
    assert "--ticket is empty" in port.types("finding", "accept", found.name, "--reason", "x", "--ticket", " ", "--yes").err
    assert entries(port, "finding") == []
    assert port.workspace.baselines.proposed(ONE) is None


def test_an_id_that_is_none_or_that_is_two_is_told(port: Port) -> None:
    port.approve()
    for number in range(40):
        member("x", port, f"settings/extra-{number}.conf")
    port.types("check", "STS-01")
    for step in ("investigate", "accept", "reject"):
        unsaid = port.types(
            "finding", step, "zz", "--reason", " ", *(("--ticket", "T-1") if step != "investigate" else ()), "--yes"
        )
        assert (unsaid.code, "--reason is empty" in unsaid.err) == (2, True)
    assert "--ticket is empty" in port.types("finding", "reject", "zz", "--reason", "x", "--ticket", "", "--yes").err
    none = port.types("finding", "show", "zz")
    assert none.code == 2
    assert "no finding 'zz' is known here" in none.err
    assert port.types("finding", "investigate", "", "--reason", "x", "--yes").code == 2
    two = next(digit for digit in "0123456789abcdef" if sum(each.id.startswith(digit) for each in derived(port)) > 1)
    several = port.types("finding", "investigate", two, "--reason", "x", "--yes")
    assert several.code == 2
    assert f"{two} stands for" in several.err
    assert entries(port, "finding") == []


def test_a_resolved_finding_is_shown_and_no_step_is_taken_on_it(port: Port) -> None:
    found = drifting(port)
    port.changes(APPROVED)
    port.types("check", "STS-01")
    assert "resolved 0 minutes ago" in port.succeeds("finding", "show", found.name).out
    typed = port.types("finding", "investigate", found.name, "--reason", "x", "--yes")
    assert typed.code == 2
    assert "or it is resolved" in typed.err


# Who may


def test_a_policy_of_before_says_how_to_let_somebody(port: Port) -> None:
    drifting(port)
    collector = port.collector
    silent = replace(collector.policy, quorums=tuple(q for q in collector.policy.quorums if q.statement != "finding"))
    with pytest.raises(TrustError, match="does not say who may sign a finding") as caught:
        may_be_taken(replace(collector, policy=silent))
    assert caught.value.hint == "say who may: crane-verify trust quorum finding engineer=1"


def test_a_stranger_takes_no_step_and_one_of_two_neither(port: Port) -> None:
    found = drifting(port)
    stranger = port.types("finding", "accept", found.name, *TICKET, "--yes", "--key", port.key("stranger"))
    assert stranger.code == 2
    assert "the policy does not know this key" in stranger.err
    port.two_people("finding")
    alone = port.types("finding", "accept", found.name, *TICKET, "--yes")
    assert alone.code == 5
    assert "the finding needs one more security-officer" in alone.err
    assert "hint: a step carries one signature" in alone.err
    assert entries(port, "finding") == []
    assert port.workspace.baselines.proposed(ONE) is None


# What a wrong hand adds to the record


def test_a_step_that_is_not_signed_as_it_must_be_does_not_count(port: Port) -> None:
    found = drifting(port)
    for bad in ((), (port.signer("stranger"),), (port.signer("collector.key"),)):
        append(port, step_on(found, port, *bad))
    assert the_one(port) == found
    assert "; open\n" in port.succeeds("report", "show", "STS-01").out
    verified = port.types("log", "verify")
    assert verified.code == 5
    assert verified.err.count("the finding needs one more engineer") == 3
    # and none of them hides a genuine one
    append(port, step_on(found, port, port.signer("approver.key")))
    append(port, step_on(found, port))
    assert the_one(port).state is State.ACCEPTED


def test_a_consent_of_an_earlier_life_does_not_come_back(port: Port) -> None:
    found = drifting(port)
    append(port, step_on(found, port, port.signer("approver.key")))
    port.changes(APPROVED)
    port.types("check", "STS-01")
    port.changes(CHANGED)
    port.clock.passes(days=30)
    port.types("check", "STS-01")
    append(port, entries(port, "finding")[0])
    again = the_one(port)
    assert (again.digest, again.state, again.times) == (found.digest, State.OPEN, 1)


def test_a_consent_that_was_overtaken_does_not_come_back(port: Port) -> None:
    found = drifting(port)
    signer = port.signer("approver.key")
    append(port, step_on(found, port, signer, state=State.ACCEPTED))
    append(port, step_on(found, port, signer, state=State.REJECTED))
    append(port, entries(port, "finding")[0])
    assert the_one(port).state is State.REJECTED


def test_a_match_of_last_month_that_is_put_in_again_resolves_nothing(port: Port) -> None:
    port.approve()
    assert port.types("check", "STS-01").code == 0
    match = entries(port, "report")[0]
    before = port.workspace.log.read(1)
    port.changes(CHANGED)
    port.clock.passes(days=1)
    port.types("check", "STS-01")
    found = the_one(port)
    append(port, match)
    assert the_one(port) == found
    # also not behind a copy of the entry that it names
    append(port, before)
    append(port, match)
    assert claimed(match, REPORT).previous in {entry.sha256 for entry in port.workspace.log.entries()}
    assert the_one(port) == found


@pytest.mark.parametrize("key", ["", "stranger", "approver.key"])
def test_a_report_that_no_collector_signed_neither_opens_nor_resolves(port: Port, key: str) -> None:
    found = drifting(port)
    newest = claimed(entries(port, "report")[-1], REPORT)

    def append_report(value: Report) -> None:
        signers = (port.signer(key),) if key else ()
        port.workspace.log.append(
            lambda previous: seal(written(REPORT, replace(value, previous=previous)), PAYLOAD_TYPE, signers)
        )

    append_report(replace(newest, drifts=()))
    assert the_one(port) == found
    append_report(replace(newest, drifts=(replace(newest.drifts[0], member="/settings/other"),)))
    assert the_one(port) == found


def test_how_old_a_drift_is_never_keeps_a_report_from_being_read(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    drifting(port)

    def lost(*_: object) -> None:
        raise RecordError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr("verifier.cli.lives.findings", lost)
        typed = port.types("check", "STS-01")
    assert typed.code == 3
    assert "content e00e777b4781 -> d40d50b0a045" in typed.out
    assert "how old this drift is cannot be told: the disk is gone" in typed.err


def test_a_record_that_cannot_be_read_is_told(port: Port) -> None:
    drifting(port)
    port.workspace.log.append(lambda _: b"{}")
    typed = port.types("finding", "list")
    assert typed.code == 5
    assert "cannot be read" in typed.err


# Accepting


def approve(port: Port) -> None:
    """By the engineer, and where it takes two by the officer as well."""
    done = port.succeeds("baseline", "approve", "STS-01/card", "--yes")
    if "in force" not in done.out:
        done = port.succeeds("baseline", "approve", "STS-01/card", "--yes", "--key", port.key("officer"))
    assert "in force" in done.out


def three_drifts(port: Port) -> dict[str, Finding]:
    """One member changed, one gone, one new; by kind."""
    member("old\n", port, "settings/old.conf")
    port.succeeds("baseline", "propose", "STS-01/card", "--reason", "commissioning")
    approve(port)
    port.changes(CHANGED)
    (port.folder / "STS-01/settings/old.conf").unlink()
    member("new\n", port, "settings/new.conf")
    assert port.types("check", "STS-01").code == 3
    found = {str(each.kind): each for each in derived(port)}
    assert sorted(found) == ["changed", "missing", "unexpected"]
    return found


def test_exactly_the_accepted_members_are_proposed_and_the_rest_stays_drift(port: Port) -> None:
    found = three_drifts(port)
    before = port.baseline()
    chosen = [found[kind].name for kind in ("missing", "unexpected")]
    typed = port.succeeds("finding", "accept", *chosen, *TICKET, answers="y\n")
    assert typed.out.index("missing /settings/old.conf") < typed.out.index("reason: brake pads changed; ticket: T-4711")
    assert "hoist.conf" not in typed.out
    assert "proposed as serial 2, and drift until that is approved" in typed.out
    assert {each.name: each.state for each in derived(port)} == {
        found["changed"].name: State.OPEN,
        **dict.fromkeys(chosen, State.ACCEPTED),
    }
    # accepted is drift until the baseline says otherwise
    assert port.types("check", "STS-01").code == 3

    approved = port.succeeds("baseline", "approve", "STS-01/card", answers="y\ny\n")
    assert "hoist.conf" not in approved.out
    after = port.baseline()
    assert after.serial == 2
    assert after.reason == "accepted: brake pads changed, T-4711"
    was, now = ({r.member: r for i in each.snapshot.items for r in i.readings} for each in (before, after))
    assert was.keys() ^ now.keys() == {"/settings/old.conf", "/settings/new.conf"}
    assert all(now[each] == was[each] for each in was.keys() & now.keys())
    assert "/settings/new.conf" in after.snapshot.notes[-1]

    assert port.types("check", "STS-01").code == 3
    assert [each.name for each in derived(port)] == [found["changed"].name]
    port.changes(APPROVED)
    assert port.types("check", "STS-01").code == 0


def test_a_mask_and_everything_else_of_the_old_baseline_stays(port: Port) -> None:
    found = drifting(port)
    before = port.baseline()
    port.succeeds("finding", "accept", found.name, *TICKET, "--yes")
    waiting = port.workspace.baselines.proposed(ONE)
    assert waiting
    after = claimed(waiting, BASELINE)
    assert replace(after.snapshot, items=(), notes=()) == replace(before.snapshot, items=(), notes=())
    assert [replace(each, readings=()) for each in after.snapshot.items] == [
        replace(each, readings=()) for each in before.snapshot.items
    ]
    assert (after.not_after, after.staged_until, after.supersedes) == (
        before.not_after,
        None,
        port.workspace.index.highest(ONE).sha256,  # type: ignore[union-attr]  # it was approved
    )


def refused(port: Port, found: Finding, code: int = 2) -> Typed:
    typed = port.types("finding", "accept", found.name, *TICKET, "--yes")
    assert typed.code == code, typed
    assert entries(port, "finding") == []
    assert port.workspace.baselines.proposed(ONE) is None
    return typed


def test_what_changed_since_it_was_seen_is_nobodys_to_accept(port: Port) -> None:
    found = drifting(port)
    port.changes("speed = 999\n")
    assert "is not the drift any more that was seen in report" in refused(port, found).err
    port.changes(APPROVED)
    assert "does not show any more: it is as approved" in refused(port, found).err
    (port.folder / "STS-01").rename(port.folder / "away")
    assert "could not be read" in refused(port, found, 4).err


def test_what_another_profile_reads_takes_a_whole_baseline(port: Port) -> None:
    found = drifting(port)
    file = port.root / "profiles/test-card.yaml"
    file.write_text(file.read_text().replace("version: 1", "version: 2"))
    typed = refused(port, found)
    assert "read by another profile than the approved one" in typed.err
    assert "crane-verify baseline propose" in typed.err


def test_no_baseline_that_was_taken_back_is_built_on(port: Port) -> None:
    found = drifting(port)
    port.succeeds("baseline", "withdraw", "STS-01/card", "--reason", "recalled", "--yes")
    assert "was withdrawn by" in refused(port, found, 5).err


def test_who_accepts_one_after_the_other_loses_none_and_old_signatures_are_told(port: Port) -> None:
    port.two_people("baseline")
    found = three_drifts(port)
    port.succeeds("finding", "accept", found["missing"].name, *TICKET, "--yes")
    port.succeeds("baseline", "approve", "STS-01/card", "--yes")
    second = port.succeeds("finding", "accept", found["unexpected"].name, *TICKET, "--yes")
    assert f"with what was accepted before and waits: {found['missing'].name}" in second.out
    assert "it replaces a proposal that A. Engineer (engineer) had signed; they must sign again" in second.out
    approve(port)
    port.types("check", "STS-01")
    assert [each.name for each in derived(port)] == [found["changed"].name]


def test_a_proposal_of_something_else_is_not_thrown_away(port: Port) -> None:
    found = three_drifts(port)
    port.succeeds("baseline", "propose", "STS-01/card", "--reason", "all of it")
    waiting = port.workspace.baselines.proposed(ONE)
    typed = port.types("finding", "accept", found["missing"].name, *TICKET, "--yes")
    assert typed.code == 2
    assert "waits that changes what is not accepted here: settings: /settings/" in typed.err
    assert "baseline diff terminal-2/STS-01/card" in typed.err
    assert str(port.workspace.baselines.proposed_path(ONE)) in typed.err
    assert port.workspace.baselines.proposed(ONE) == waiting
    # one that an approval has overtaken is nobody's work any more
    assert waiting
    port.succeeds("baseline", "approve", "STS-01/card", "--yes")
    port.changes("speed = 260\n")
    port.types("check", "STS-01")
    port.workspace.baselines.propose(ONE, waiting)
    assert "proposed as serial 3" in port.succeeds("finding", "accept", the_one(port).name, *TICKET, "--yes").out


def test_killed_before_the_step_was_recorded_the_same_command_goes_on(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    found = drifting(port)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("verifier.procedures.accept.recorded_step", killed)
        assert port.types("finding", "accept", found.name, *TICKET, "--yes").code == 1
    assert port.workspace.baselines.proposed(ONE)
    assert the_one(port).state is State.OPEN
    port.clock.passes(minutes=1)
    port.succeeds("finding", "accept", found.name, *TICKET, "--yes")
    assert the_one(port).state is State.ACCEPTED
    port.succeeds("baseline", "approve", "STS-01/card", "--yes")
    assert port.types("check", "STS-01").code == 0


def test_what_was_approved_or_proposed_while_somebody_looked_is_told(port: Port) -> None:
    found = drifting(port)
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    seen = accepting(device, (found,), derived(port), Said("why", "T-1"), port.collector)
    assert accept(seen, port.signer("approver.key"), port.collector)
    with pytest.raises(UsageError, match="or its proposal changed while you looked"):
        accept(seen, port.signer("approver.key"), port.collector)
    port.succeeds("baseline", "approve", "STS-01/card", "--yes")
    with pytest.raises(UsageError, match="or its proposal changed while you looked"):
        accept(seen, port.signer("approver.key"), port.collector)


def test_ids_of_two_devices_are_accepted_in_one_go(port: Port) -> None:
    drifting(port, nights=1)
    port.approve(device="STS-02/card")
    port.changes("speed = 999\n", crane="STS-02")
    port.types("check")
    both = named([each.name for each in derived(port)] * 2, port.workspace, history(port))
    assert len(both) == 2
    typed = port.succeeds("finding", "accept", *(each.name for each in both), *TICKET, "--yes")
    assert typed.out.count("next: crane-verify baseline approve") == 2
    assert {each.state for each in derived(port)} == {State.ACCEPTED}


def test_the_auditors_bundle_has_the_steps(port: Port) -> None:
    found = drifting(port)
    port.succeeds("finding", "reject", found.name, "--reason", "no", "--ticket", "T-9", "--yes")
    assert port.types("check", "STS-01").code == 3
    port.succeeds("log", "bundle", str(port.folder / "evidence"))
    shown = port.types("report", "verify", str(port.folder / "evidence"), "--json")
    assert shown.code == 0, shown.err
    assert "finding" in json.dumps(shown.document)
    assert "rejected: settings: /settings/hoist.conf" in port.succeeds("report", "verify", str(port.folder / "evidence")).out
