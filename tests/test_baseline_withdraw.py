"""An approval that was taken back stays taken back: whoever withdrew it, when and why is told, and nothing brings it back."""

from __future__ import annotations

import json
import re
import shutil
import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.approval_port import BEGINNING, ONE, TWO, Port, port
from verifier.errors import TrustError, UsageError
from verifier.model.withdrawal import Withdrawal
from verifier.model.words import Verdict
from verifier.procedures.approved import approved, withdrawals
from verifier.procedures.collector import Collector
from verifier.procedures.withdraw import Unfinished, Withdrawn, withdraw, withdrawing
from verifier.settings.inventory import load_inventory
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.signers.file import FileSigner
from verifier.trust.statement import BASELINE, REPORT, WITHDRAWAL, written

__all__ = ["port"]

REASON = "recalled by the vendor, notice 17"


def signed(port: Port, digest: str, *signers: FileSigner, serial: int = 1) -> bytes:
    value = Withdrawal(ONE, serial, digest, port.clock(), REASON)
    return seal(written(WITHDRAWAL, value), PAYLOAD_TYPE, signers)


def append(port: Port, envelope: bytes) -> None:
    """Put this into the record, as anybody can who can write to the disk."""
    port.workspace.log.append(lambda _: envelope)


def test_a_withdrawn_baseline_is_refused_with_who_when_and_why(port: Port) -> None:
    port.approve()
    assert port.types("check", "STS-01").code == 0
    port.clock.passes(hours=2)
    done = port.succeeds("baseline", "withdraw", "STS-01/card", "--reason", REASON, answers="y\n")
    assert "withdrawing baseline 1" in done.out
    assert re.search(r"withdrawn, entry \d of the record, signed by A. Engineer \(engineer\)", done.out)

    port.clock.passes(hours=1)
    typed = port.types("check", "STS-01")
    assert typed.code == 5
    words = "baseline 1 of terminal-2/STS-01/card was withdrawn by A. Engineer (engineer), 2026-11-22 08:00 UTC: recalled by the"
    assert words in typed.out
    assert "propose and approve a new one" in typed.out
    assert port.report().verdict is Verdict.UNTRUSTED
    assert words in port.types("baseline", "show", "STS-01/card").err


def test_the_same_content_can_be_approved_anew_and_the_old_file_stays_refused(port: Port) -> None:
    first = port.approve()
    file = port.root / "baselines/terminal-2/STS-01/card.json"
    old = file.read_bytes()
    port.succeeds("baseline", "withdraw", "STS-01/card", "--reason", REASON, "--yes")
    proposed = port.succeeds("baseline", "propose", "STS-01/card", "--reason", "looked at again")
    assert "proposed as serial 2" in proposed.out
    approved = port.succeeds("baseline", "approve", "STS-01/card", answers="y\n")
    assert "is not trusted (baseline 1 of terminal-2/STS-01/card was withdrawn by A. Engineer" in approved.out
    assert port.types("check", "STS-01/card").code == 0
    assert port.baseline().supersedes == first

    file.write_bytes(old)
    back = port.types("check", "STS-01/card")
    assert back.code == 5
    assert "was withdrawn by A. Engineer (engineer)" in back.out


def test_a_no_withdraws_nothing_and_a_reason_is_needed(port: Port) -> None:
    port.approve()
    assert port.types("baseline", "withdraw", "STS-01/card", "--reason", REASON, answers="n\n").code == 2
    wanting = port.types("baseline", "withdraw", "STS-01/card", "--yes")
    assert wanting.code == 2
    assert "a withdrawal needs a reason" in wanting.err
    assert port.types("check", "STS-01").code == 0


def test_what_is_withdrawn_or_was_never_approved_cannot_be_withdrawn(port: Port) -> None:
    none = port.types("baseline", "withdraw", "STS-01/card", "--reason", REASON, "--yes")
    assert none.code == 2
    assert "nothing to withdraw" in none.err
    port.approve()
    port.succeeds("baseline", "withdraw", "STS-01/card", "--reason", REASON, "--yes")
    again = port.types("baseline", "withdraw", "STS-01/card", "--reason", REASON, "--yes")
    assert again.code == 2
    assert "is withdrawn already, by A. Engineer (engineer), 2026-11-22 06:00 UTC" in again.err


def test_one_that_came_from_elsewhere_can_be_withdrawn(port: Port) -> None:
    """A workspace that was given a baseline's file, and whose own record never accepted it."""
    port.approve()
    shutil.rmtree(port.root / "log")
    port.workspace.index.forget()
    (port.root / ".remembered-checkpoint").unlink(missing_ok=True)
    assert port.types("check", "STS-01").code == 0
    assert "withdrawing baseline 1" in port.succeeds("baseline", "withdraw", "STS-01", "--reason", REASON, "--yes").out
    assert port.types("check", "STS-01").code == 5


def written_otherwise(envelope: bytes) -> bytes:
    """The same signatures over the same content in other bytes, which takes no key: the hints whose they are left away."""
    outer = json.loads(envelope)
    outer["signatures"] = [{"sig": each["sig"]} for each in outer["signatures"]]
    return json.dumps(outer, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_same_baseline_written_otherwise_stays_withdrawn_and_another_follows_on_it(port: Port, elsewhere: bool) -> None:
    port.approve()
    file = port.root / "baselines/terminal-2/STS-01/card.json"
    there = file.read_bytes()
    if elsewhere:
        shutil.rmtree(port.root / "log")
        port.workspace.index.forget()
        (port.root / ".remembered-checkpoint").unlink(missing_ok=True)
    port.succeeds("baseline", "withdraw", "STS-01", "--reason", REASON, "--yes")
    file.write_bytes(written_otherwise(there))
    typed = port.types("check", "STS-01")
    assert typed.code == 5
    assert "is not the one accepted as serial 1: same serial, other content" in typed.out
    file.write_bytes(there)
    assert port.types("check", "STS-01").code == 5
    port.approve(reason="looked at again")
    assert port.types("check", "STS-01").code == 0
    assert port.baseline().serial == 2
    assert "every signature holds" in port.succeeds("log", "verify").out


def test_another_one_from_elsewhere_in_its_place_is_not_withdrawn_with_it(port: Port) -> None:
    port.approve()
    file = port.root / "baselines/terminal-2/STS-01/card.json"
    there = file.read_bytes()
    shutil.rmtree(port.root / "log")
    port.workspace.index.forget()
    (port.root / ".remembered-checkpoint").unlink(missing_ok=True)
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    seen = withdrawing(device, REASON, port.collector)
    for other in (written_otherwise(there), None):
        if other is None:
            file.unlink()
        else:
            file.write_bytes(other)
        with pytest.raises(UsageError, match="another baseline of terminal-2/STS-01/card lies there by now"):
            withdraw(device, seen, port.signer("approver.key"), port.collector)
    assert not port.workspace.log.length()


def test_a_stranger_withdraws_nothing(port: Port) -> None:
    port.approve()
    typed = port.types("baseline", "withdraw", "STS-01/card", "--reason", REASON, "--yes", "--key", port.key("stranger"))
    assert typed.code == 2
    assert "the policy does not know this key" in typed.err
    assert port.types("check", "STS-01").code == 0


def test_a_key_that_ended_is_told_so_before_it_signs_for_nothing(port: Port) -> None:
    port.approve()
    port.succeeds("trust", "add", f"{port.key('stranger')}.pub", "--name", "B. Engineer", "--role", "engineer")
    port.succeeds("trust", "revoke", "B. Engineer")
    port.clock.passes(minutes=1)
    port.succeeds("baseline", "propose", "STS-01/card", "--reason", REASON)
    asked = (("baseline", "approve", "STS-01/card"), ("baseline", "withdraw", "STS-01/card", "--reason", REASON))
    for words in asked:
        typed = port.types(*words, "--yes", "--key", port.key("stranger"))
        assert typed.code == 2
        assert "so your signature would not count" in typed.err
    assert "signed by nobody" in port.types("baseline", "show", "STS-01/card", "--proposed").out


def test_after_a_theft_nobody_is_sent_for_a_copy_of_the_record(port: Port) -> None:
    port.succeeds("trust", "add", f"{port.key('stranger')}.pub", "--name", "B. Engineer", "--role", "engineer")
    port.succeeds("baseline", "propose", "STS-01/card", "--reason", REASON)
    port.succeeds("baseline", "approve", "STS-01/card", "--yes", "--key", port.key("stranger"))
    port.succeeds("trust", "revoke", "B. Engineer", "--compromised-since", port.clock().strftime("%Y-%m-%dT%H:%M:%S"))
    typed = port.types("log", "verify")
    assert typed.code == 4
    assert "counts as stolen" in typed.err
    assert "no copy mends it" in typed.err
    (entry,) = (file for file in (port.root / "log/entries").rglob("*.json") if file.stem.endswith("0"))
    entry.write_bytes(b"{}")
    damaged = port.types("log", "verify")
    assert damaged.code == 5
    assert "restore from a copy" in damaged.err


def test_where_nobody_is_there_to_answer_it_says_so(port: Port) -> None:
    port.approve()
    typed = port.types("baseline", "withdraw", "STS-01/card", "--reason", REASON, answers="")
    assert typed.code == 2
    assert "nobody is at the terminal to answer" in typed.err
    assert "--yes" in typed.err


def test_where_the_policy_does_not_say_who_may_withdraw_the_hint_says_how_to_say_it(port: Port) -> None:
    port.approve()
    collector = port.collector
    silent = replace(collector.policy, quorums=tuple(q for q in collector.policy.quorums if q.statement != "withdrawal"))
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    with pytest.raises(TrustError, match="does not say who may sign a withdrawal") as caught:
        withdrawing(device, REASON, replace(collector, policy=silent))
    assert caught.value.hint == "say who may: crane-verify trust quorum withdrawal engineer=1"


# Two people


def test_a_quorum_of_two_withdraws_only_when_both_have_signed(port: Port) -> None:
    port.approve()
    port.two_people("withdrawal")
    first = port.succeeds("baseline", "withdraw", "STS-01/card", "--reason", REASON, "--yes")
    assert "signed; still needed: security-officer; until then the baseline stays in force" in first.out
    assert port.types("check", "STS-01").code == 0
    other = port.types("baseline", "withdraw", "STS-01/card", "--reason", "another", "--yes", "--key", port.key("officer"))
    assert other.code == 2
    assert f"waits already, for another reason: {REASON}" in other.err
    second = port.succeeds("baseline", "withdraw", "STS-01/card", "--yes", "--key", port.key("officer"))
    assert f"reason: {REASON}" in second.out
    assert "signed by A. Engineer (engineer), O. Officer (security-officer)" in second.out
    assert not port.workspace.baselines.withdrawals.path(ONE).exists()
    assert port.types("check", "STS-01").code == 5


def test_two_who_withdraw_in_the_same_second_both_count(port: Port) -> None:
    port.approve()
    port.two_people("withdrawal")
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    collector = port.collector
    seen = withdrawing(device, REASON, collector)
    outcomes: list[object] = []
    people = [
        threading.Thread(target=lambda name=name: outcomes.append(withdraw(device, seen, port.signer(name), collector)))
        for name in ("approver.key", "officer")
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(type(each).__name__ for each in outcomes) == [Unfinished.__name__, Withdrawn.__name__]
    assert port.types("check", "STS-01").code == 5


def test_a_withdrawal_that_was_killed_before_the_record_had_it_is_finished_by_the_next(port: Port) -> None:
    digest = port.approve()
    port.workspace.baselines.withdrawals.lay_down(ONE, signed(port, digest, port.signer("approver.key")))
    assert port.types("check", "STS-01").code == 0
    assert "withdrawn, entry" in port.succeeds("baseline", "withdraw", "STS-01/card", "--yes").out
    assert port.types("check", "STS-01").code == 5


def test_one_that_waits_for_an_older_baseline_is_not_signed_for_the_newest(port: Port) -> None:
    digest = port.approve()
    port.workspace.baselines.withdrawals.lay_down(ONE, signed(port, digest))
    port.approve(reason="update")
    typed = port.types("baseline", "withdraw", "STS-01/card", "--yes")
    assert typed.code == 2
    assert "a withdrawal needs a reason" in typed.err


def test_another_one_laid_down_meanwhile_is_not_signed(port: Port) -> None:
    digest = port.approve()
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    seen = withdrawing(device, REASON, port.collector)
    port.clock.passes(seconds=1)
    port.workspace.baselines.withdrawals.lay_down(ONE, signed(port, digest))
    with pytest.raises(UsageError, match="another withdrawal of terminal-2/STS-01/card waits by now"):
        withdraw(device, seen, port.signer("approver.key"), port.collector)


# What does not count


def test_a_withdrawal_that_is_not_signed_as_it_must_be_does_not_count(port: Port) -> None:
    digest = port.approve()
    genuine = signed(port, digest, port.signer("approver.key"))
    for bad in (
        signed(port, digest),
        signed(port, digest, port.signer("stranger")),
        signed(port, digest, port.signer("collector.key")),
    ):
        append(port, bad)
        assert port.types("check", "STS-01").code == 0
    verified = port.types("log", "verify")
    assert verified.code == 5
    assert verified.err.count("the withdrawal needs one more engineer") == 3
    # and hides no genuine one, before or after it
    append(port, genuine)
    append(port, signed(port, digest))
    assert port.types("check", "STS-01").code == 5


def test_a_withdrawal_of_another_devices_baseline_does_not_count(port: Port) -> None:
    port.approve(device="STS-02/card")
    digest = port.approve()
    value = Withdrawal(TWO, 1, digest, port.clock(), REASON)
    port.workspace.log.append(lambda _: seal(written(WITHDRAWAL, value), PAYLOAD_TYPE, (port.signer("approver.key"),)))
    assert port.types("check", "STS-01").code == 0
    assert port.types("check", "STS-02").code == 0


def test_a_withdrawal_stands_when_its_key_is_stolen_later_and_is_void_when_dated_after(port: Port) -> None:
    """Taking trust away is the safe side: whoever revokes a stolen key must not bring recalled baselines back by it."""
    digest = port.approve()
    port.succeeds("baseline", "withdraw", "STS-01/card", "--reason", REASON, "--yes")
    port.clock.passes(days=1)
    collector = port.collector
    stolen = tuple(replace(key, compromised_since=port.clock()) for key in collector.policy.keys if key.owner == "A. Engineer")
    others = tuple(key for key in collector.policy.keys if key.owner != "A. Engineer")
    after = replace(collector, policy=replace(collector.policy, keys=(*stolen, *others)))
    (found,) = withdrawals(ONE, after)
    assert found.value.baseline == digest
    port.clock.passes(days=1)
    append(port, signed(port, digest, port.signer("approver.key")))
    assert len(list(withdrawals(ONE, after))) == 1


def test_a_withdrawal_stands_when_its_signer_has_left(port: Port) -> None:
    port.two_people()
    port.succeeds("trust", "quorum", "withdrawal", "security-officer=1")
    port.approve()
    assert port.types("check", "STS-01").code == 0
    port.succeeds("baseline", "withdraw", "STS-01", "--reason", REASON, "--yes", "--key", port.key("officer"))
    port.succeeds("trust", "quorum", "withdrawal", "engineer=1")
    port.clock.passes(days=1)
    collector = port.collector
    left = replace(
        collector.policy,
        keys=tuple(key for key in collector.policy.keys if key.owner != "O. Officer"),
        roles=tuple(role for role in collector.policy.roles if role.name != "security-officer"),
    )
    assert len(list(withdrawals(ONE, replace(collector, policy=left)))) == 1


# A key that came to its planned end


def ended(port: Port, when: datetime) -> Collector:
    """This port, under a policy in which the engineer's key has a planned end."""
    collector = port.collector
    keys = tuple(replace(key, not_after=when) if key.owner == "A. Engineer" else key for key in collector.policy.keys)
    return replace(collector, policy=replace(collector.policy, keys=keys))


def test_a_planned_end_of_a_key_voids_nothing_that_was_accepted_before(port: Port) -> None:
    port.approve()
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    port.clock.passes(days=10)
    after = ended(port, port.clock() - timedelta(days=5))
    assert approved(device, after).value.serial == 1
    with pytest.raises(TrustError, match="was valid until 2026-11-21"):
        approved(device, ended(port, BEGINNING - timedelta(days=1)))


def test_nobody_dates_back_past_the_policy_that_stands_before_it_in_the_record(port: Port) -> None:
    """The insider has the ended key and the disk: the policy recorded before his entry says when it came there at the soonest."""
    port.clock.passes(days=8)
    port.types("check", "STS-01")
    port.clock.time = BEGINNING
    port.approve()
    port.clock.passes(days=10)
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    with pytest.raises(TrustError, match="was valid until 2026-11-27"):
        approved(device, ended(port, BEGINNING + timedelta(days=5)))


@pytest.mark.parametrize("strangers", [0, 1])
def test_nobody_dates_back_past_the_report_that_stands_before_it_in_the_record(port: Port, strangers: int) -> None:
    """The key of somebody from outside had its end from the first day on. He still has it, and can write to the disk."""
    port.approve()
    port.succeeds(
        *("trust", "add", f"{port.key('stranger')}.pub", "--name", "C. Contractor", "--role", "engineer"),
        *("--valid-until", "2026-11-25"),
    )
    port.succeeds("check", "STS-01")
    port.clock.passes(days=10)
    port.succeeds("check", "STS-01")
    reported = port.report()
    newest, first = port.workspace.baselines.accepted(ONE), port.baseline()
    assert newest
    for _ in range(strangers):  # a report that counts for nothing stands between them
        forged = replace(reported, ended=BEGINNING, previous="")
        append(port, seal(written(REPORT, forged), PAYLOAD_TYPE, (port.signer("stranger"),)))
    port.clock.passes(hours=1)
    changed = replace(first, serial=2, supersedes=newest.sha256, proposed=BEGINNING + timedelta(hours=2), reason="quietly")
    back_dated = seal(written(BASELINE, changed), PAYLOAD_TYPE, (port.signer("stranger"),))
    append(port, back_dated)
    (port.root / "baselines/terminal-2/STS-01/card.json").write_bytes(back_dated)
    typed = port.types("check", "STS-01")
    assert typed.code == 5
    assert "the key of C. Contractor was valid until 2026-11-25 00:00 UTC" in typed.out
    audited = port.types("log", "verify")
    assert audited.code == 5
    words = "of 2026-12-02 06:00 UTC, when the key of C. Contractor had ended, on 2026-11-25 00:00 UTC: it is back-dated"
    assert words in audited.err


def test_what_was_accepted_before_the_end_of_a_key_stays_good_in_an_audit(port: Port) -> None:
    port.succeeds(
        *("trust", "add", f"{port.key('stranger')}.pub", "--name", "C. Contractor", "--role", "engineer"),
        *("--valid-until", "2026-11-25"),
    )
    port.approve()
    port.clock.passes(days=1)
    port.types("check", "STS-01")
    port.changes("speed = 240\n")
    port.succeeds("baseline", "propose", "STS-01/card", "--reason", "update")
    port.succeeds("baseline", "approve", "STS-01/card", "--yes", "--key", port.key("stranger"))
    port.clock.passes(days=20)
    assert port.types("check", "STS-01").code == 0
    assert "every signature holds" in port.succeeds("log", "verify").out


def test_a_stolen_key_voids_what_it_signed_before_as_well(port: Port) -> None:
    port.approve()
    port.clock.passes(days=1)
    collector = port.collector
    keys = tuple(replace(key, compromised_since=port.clock()) for key in collector.policy.keys)
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    with pytest.raises(TrustError, match="counts as stolen since"):
        approved(device, replace(collector, policy=replace(collector.policy, keys=keys)))


def test_what_never_came_into_the_record_is_judged_by_today(port: Port) -> None:
    port.approve()
    file = port.root / "baselines/terminal-2/STS-01/card.json"
    kept = file.read_bytes()
    shutil.rmtree(port.root / "log")
    port.workspace.index.forget()
    file.write_bytes(kept)
    port.clock.passes(days=10)
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    with pytest.raises(TrustError, match="was valid until 2026-11-27"):
        approved(device, ended(port, BEGINNING + timedelta(days=5)))


# The one before


def test_the_older_one_of_two_that_are_valid_can_be_withdrawn_alone(port: Port) -> None:
    port.approve()
    alone = port.types("baseline", "withdraw", "STS-01/card", "--older", "--reason", REASON, "--yes")
    assert alone.code == 2
    assert "baseline 1 of terminal-2/STS-01/card replaces none" in alone.err
    port.changes("speed = 240\n")
    port.approve("--staged-for", "14d", reason="update")
    port.changes("speed = 180\nbrake = on\n")
    assert port.types("check", "STS-01").code == 0
    port.succeeds("baseline", "withdraw", "STS-01/card", "--older", "--reason", REASON, "--yes")
    typed = port.types("check", "STS-01")
    assert typed.code == 3
    assert "the baseline before it is not valid beside it: baseline 1 of terminal-2/STS-01/card was withdrawn by" in typed.out
    assert port.report().baseline.serial == 2
