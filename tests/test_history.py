"""Every entry judged at its place: by the policy of then, with what is known now, and its times against what others saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.bundle_fixtures import BEGIN, DAY, Port
from tests.card_port import founded
from tests.roots_fixtures import ONE, TWO, first, following, with_root
from tests.servers.tsa import authority
from tests.test_record_tree import flip
from tests.trust_fixtures import COLLECTOR, DEVICE, ENGINEER, NOW, OFFICER, OTHER_DEVICE, STRANGER, baseline, report, signer
from tests.witness_fixtures import CLASS, INSURER, Outside, cosigned_directly, stolen
from verifier.cli.main import run
from verifier.errors import TrustError
from verifier.model.policy_record import PolicyRecord
from verifier.model.report import WitnessedRef
from verifier.procedures.audit import Audit, audit_log
from verifier.procedures.history import History, examined, judged, policy_entries, read_history, roots
from verifier.record.log import Log
from verifier.record.workspace import Workspace
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.log.sighting import Sighting
from verifier.trust.policy import Policy, Role, TrustedKey
from verifier.trust.roots import Trusted
from verifier.trust.signers.file import FileSigner
from verifier.trust.statement import BASELINE, POLICY, REPORT, written

MINUTE = timedelta(minutes=1)
NEW_COLLECTOR = signer(30)


def recorded(log: Log, trusted: Trusted, at: datetime, by: FileSigner = COLLECTOR) -> int:
    """A policy as it comes into the record."""

    def make(previous: str) -> bytes:
        record = PolicyRecord(at, trusted.files, "crane-verify 0.1.0", previous)
        return seal(written(POLICY, record), PAYLOAD_TYPE, (by,))

    return log.append(make).sequence


def reported(log: Log, at: datetime, by: FileSigner = COLLECTOR) -> int:
    def make(previous: str) -> bytes:
        return seal(written(REPORT, replace(report(previous), started=at, ended=at)), PAYLOAD_TYPE, (by,))

    return log.append(make).sequence


def approved(log: Log, at: datetime, *by: FileSigner) -> int:
    value = replace(baseline(), proposed=at)
    return log.append(lambda _: seal(written(BASELINE, value), PAYLOAD_TYPE, by)).sequence


def past(log: Log, standing: Trusted) -> History:
    return read_history(log, standing, policy_entries(log, standing.policy.log_keys()))


def judge(log: Log, sequence: int, standing: Trusted) -> str:
    """Empty, or why the entry is refused."""
    try:
        judged(log.read(sequence), sequence, past(log, standing))
    except TrustError as error:
        return str(error)
    return ""


def audited(port: Port) -> Audit:
    return audit_log(port.workspace, port.trusted)


# Policies and places


def test_a_baseline_approved_under_a_smaller_quorum_still_verifies(tmp_path: Path) -> None:
    """Through the commands: one engineer was enough, and is not any more. What is in use must satisfy today's quorum."""
    port = founded(tmp_path / "port")
    port.succeeds("check", "STS-01/card")
    port.succeeds("trust", "key", str(tmp_path / "officer"), "--no-passphrase")
    port.succeeds("trust", "add", str(tmp_path / "officer.pub"), "--name", "O. Officer", "--role", "security-officer")
    port.succeeds("trust", "quorum", "baseline", "engineer=1", "security-officer=1")
    assert port.types("check", "STS-01/card").code == 5
    assert "none missing, none changed, every signature holds" in port.succeeds("log", "verify").out
    for number in ("2", "4"):
        assert port.succeeds("report", "verify", number).out.startswith("genuine")


def test_who_is_let_in_later_has_not_signed_before(tmp_path: Path) -> None:
    """But for the policy that comes into the record right after: people sign where no collector is that could record it."""
    log = Log(tmp_path)
    one = first(ONE)
    recorded(log, one, NOW)
    early = approved(log, NOW, STRANGER)
    two = following(one, with_root(ONE, ("A. Engineer",), 1))
    recorded(log, two, NOW)
    just_before = approved(log, NOW, STRANGER)
    three = following(two, with_member(ONE, TrustedKey("S. Stranger", STRANGER.public), "engineer"))
    recorded(log, three, NOW + DAY)
    assert "one more engineer" in judge(log, early, three)
    assert judge(log, just_before, three) == ""
    assert [past(log, three).policy_at(each)[0].version for each in (0, early, just_before, 4)] == [1, 1, 2, 3]


def with_member(policy: Policy, key: TrustedKey, role: str) -> Policy:
    roles = tuple(replace(each, members=(*each.members, key.owner)) if each.name == role else each for each in policy.roles)
    return replace(policy, keys=(*policy.keys, key), roles=roles)


def rotated(policy: Policy) -> Policy:
    """The collector has a new key, and the old one is not in the policy any more."""
    keys = tuple(replace(key, public=NEW_COLLECTOR.public) if key.owner == "collector" else key for key in policy.keys)
    return replace(policy, keys=keys)


def test_what_was_signed_with_a_key_that_is_gone_since_still_verifies(tmp_path: Path) -> None:
    log = Log(tmp_path)
    old = first(ONE)
    recorded(log, old, NOW)
    before = reported(log, NOW)
    new = following(old, rotated(ONE))
    recorded(log, new, NOW + DAY, NEW_COLLECTOR)
    after, late = reported(log, NOW + DAY, NEW_COLLECTOR), reported(log, NOW, COLLECTOR)
    assert [judge(log, sequence, new) for sequence in (before, after)] == ["", ""]
    # with the old key, after it ended, under an old date
    assert "one more collector" in judge(log, late, new)
    # a checkpoint may still be one of the old key
    log.sign(COLLECTOR)
    assert {COLLECTOR.public, NEW_COLLECTOR.public} <= set(past(log, new).everybody.log_keys())


def test_nothing_is_dated_back_to_before_the_policy_that_ended_a_key(tmp_path: Path) -> None:
    """The key's own end decides as well as its absence."""
    log = Log(tmp_path)
    old = first(ONE)
    recorded(log, old, NOW)
    keys = tuple(replace(key, not_after=NOW + DAY / 2) if key.owner == "collector" else key for key in ONE.keys)
    new = following(old, with_member(replace(ONE, keys=keys), TrustedKey("collector-2", NEW_COLLECTOR.public), "collector"))
    recorded(log, new, NOW + DAY, NEW_COLLECTOR)
    late = reported(log, NOW, COLLECTOR)
    assert "was valid until" in judge(log, late, new)


def test_without_a_recorded_policy_the_one_in_trust_judges(tmp_path: Path) -> None:
    log = Log(tmp_path)
    sequence = reported(log, NOW)
    assert judge(log, sequence, first(ONE)) == ""
    assert past(log, first(ONE)).policy_at(0) == (first(ONE).policy, None)
    # what came before the first recorded policy is judged by that
    old = first(ONE)
    recorded(log, old, NOW + DAY)
    assert past(log, following(old, rotated(ONE))).policy_at(0) == (old.policy, None)


def test_policies_that_do_not_hold_are_faults_and_judge_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path)
    one = first(ONE)
    two = following(one, with_member(ONE, TrustedKey("S. Stranger", STRANGER.public), "engineer"))
    recorded(log, one, NOW)
    recorded(log, two, NOW)
    recorded(log, one, NOW)  # rolled back
    other = first(TWO, ENGINEER, OFFICER)
    recorded(log, other, NOW)  # another root
    found = past(log, two)
    assert [each.sequence for each in found.placed] == [0, 1]
    assert len(found.faults) == 2
    assert "entry 2: the policy in it does not hold: the policy is rolled back" in found.faults[0]
    assert "another first root" in found.faults[1]
    # the one in trust/ must have grown out of them, too
    assert any(fault.startswith("the policy is rolled back") for fault in past(log, one).faults)


def test_an_entry_that_is_gone_is_a_fault(tmp_path: Path) -> None:
    log = Log(tmp_path)
    recorded(log, first(ONE), NOW)
    assert read_history(log, first(ONE), [0, 7]).faults[0].startswith("entry 7: the policy in it does not hold")


def test_policies_are_found_in_the_tree_and_after_it(tmp_path: Path) -> None:
    log, keys = Log(tmp_path), (COLLECTOR.public,)
    reported(log, NOW)
    recorded(log, first(ONE), NOW)
    log.sign(COLLECTOR)
    recorded(log, following(first(ONE), rotated(ONE)), NOW)
    log.append(lambda _: b"junk")
    assert [*policy_entries(log, keys)] == [1, 2]
    assert [*policy_entries(log, ())] == [1, 2]
    flip(tmp_path / "tile/entries/000.p/2", 3)
    assert [*policy_entries(log, keys)] == [1, 2]


# Stolen keys


def test_a_stolen_key_counts_for_what_was_seen_before_the_theft(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN)
    port.is_seen(BEGIN + DAY)
    port.reports(BEGIN + MINUTE)
    standing = Trusted(stolen(port.policy, COLLECTOR, BEGIN + 2 * DAY), "", 0, ())
    log = port.workspace.log
    assert judge(log, 0, standing) == ""
    assert "counts as stolen" in judge(log, 1, standing)


def test_what_any_policy_knew_of_a_theft_is_not_forgotten(tmp_path: Path) -> None:
    """Version 2 says that the key was stolen, version 3 does not name it any more."""
    log = Log(tmp_path)
    one = first(ONE)
    recorded(log, one, NOW)
    sequence = reported(log, NOW)
    added = with_member(ONE, TrustedKey("collector-2", NEW_COLLECTOR.public), "collector")
    two = following(one, stolen(added, COLLECTOR, NOW - DAY))
    recorded(log, two, NOW + DAY, NEW_COLLECTOR)
    three = following(two, rotated(ONE))
    assert "counts as stolen" in judge(log, sequence, two)
    assert "counts as stolen" in judge(log, sequence, three)


# Those outside


def test_a_witness_who_left_the_policy_is_still_believed_for_then(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN)
    port.is_seen(BEGIN + DAY)
    log = port.workspace.log
    with_witness = first(
        with_member(replace(ONE, roles=(*ONE.roles, Role("witness", ()))), TrustedKey("Class Society", CLASS.public), "witness")
    )
    recorded(log, with_witness, BEGIN, COLLECTOR)
    without = following(with_witness, ONE)
    assert [each.by for each in past(log, without).sightings] == ["Class Society"]


def test_an_authority_that_went_on_to_a_new_certificate(tmp_path: Path) -> None:
    old, new = authority(tmp_path / "old"), authority(tmp_path / "new")
    port = Port(tmp_path / "workspace", old)
    port.reports(BEGIN)
    port.is_stamped()
    log = port.workspace.log
    before = first(replace(ONE, time_authorities=(old.pinned,)))
    recorded(log, before, NOW)
    after = following(before, replace(ONE, time_authorities=(new.pinned,)))
    (seen,) = past(log, after).sightings
    assert (seen.by, seen.size) == ("Example TSA (of policy version 1)", 1)


def test_two_spellings_of_one_name_leave_those_of_today(tmp_path: Path) -> None:
    log = Log(tmp_path)
    old = first(replace(with_member(ONE, TrustedKey("O. Officer", OFFICER.public), "engineer")))
    recorded(log, old, NOW)
    new = following(old, with_member(ONE, TrustedKey("o.  officer", STRANGER.public), "engineer"))
    assert past(log, new).everybody == new.policy
    assert past(log, new).policy_at(0)[0] == old.policy


def test_a_report_lies_between_what_it_names_and_who_saw_it_first(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN)
    port.is_seen(BEGIN + DAY)
    port.reports(BEGIN + 2 * DAY)
    log = port.workspace.log
    port.signs()
    Outside(tmp_path / "insurer", INSURER).looks(log, BEGIN + 5 * DAY)
    Outside(tmp_path / "class-society", CLASS).looks(log, BEGIN + 3 * DAY)
    found = examined(log.read(1), 1, past(log, port.trusted))
    assert found.bounds.not_before == Sighting(
        1, roots(log, port.policy.log_keys())(1), "Class Society", BEGIN + DAY, "cosignature"
    )
    assert found.bounds.not_after
    assert (found.bounds.not_after.by, found.bounds.not_after.at) == ("Class Society", BEGIN + 3 * DAY)
    assert found.doubts == ()
    assert str(found.bounds) == (
        "made after 2026-10-24 06:00 UTC, since it names what Class Society saw then"
        " and before 2026-10-26 06:00 UTC, when Class Society saw the record with it in it"
    )
    assert str(examined(log.read(0), 0, past(log, port.trusted)).bounds) == (
        "made before 2026-10-24 06:00 UTC, when Class Society saw the record with it in it"
    )


def test_what_a_report_names_counts_only_if_somebody_really_saw_it(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN)
    port.is_seen(BEGIN + DAY)
    root = roots(port.workspace.log, port.policy.log_keys())(1).hex()
    port.reports(BEGIN + DAY, witnessed=WitnessedRef(1, root, BEGIN, ("Class Society",)))
    port.signs()
    found = examined(port.workspace.log.read(1), 1, past(port.workspace.log, port.trusted))
    assert (found.bounds.not_before, found.doubts) == (None, ())
    assert str(found.bounds) == "when it was made, only its own clock says: nobody outside has seen it"


# Times that cannot be true


def findings(port: Port) -> str:
    return "\n".join(audited(port).findings)


def test_a_report_of_another_history_shows_the_fork(tmp_path: Path) -> None:
    """Made on a branch that somebody outside was shown, and brought over to this one."""
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN)
    port.reports(BEGIN + DAY, witnessed=WitnessedRef(1, "ab" * 32, BEGIN, ("Class Society",)))
    port.signs()
    assert "entry 1: names a witnessed checkpoint of 1 entries that this record never had" in findings(port)


def test_a_report_cannot_name_more_than_was_before_it(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN, witnessed=WitnessedRef(5, "ab" * 32, BEGIN, ("Class Society",)))
    port.signs()
    assert "entry 0: names a checkpoint of 5 entries, and only 0 were before it" in findings(port)


def test_what_no_checkpoint_reaches_is_not_held_against_a_report(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN)
    port.reports(BEGIN, witnessed=WitnessedRef(1, "ab" * 32, BEGIN, ("Class Society",)))
    assert findings(port) == ""


@pytest.mark.parametrize(("late", "words"), [(6 * MINUTE, "Class Society saw it on"), (4 * MINUTE, "")])
def test_a_report_that_was_seen_before_it_says_it_was_made(tmp_path: Path, late: timedelta, words: str) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN + late)
    port.is_seen(BEGIN)
    assert words in findings(port)
    assert ("post-dated" in findings(port)) == bool(words)


@pytest.mark.parametrize(("early", "words"), [(6 * MINUTE, "names what Class Society saw on"), (4 * MINUTE, "")])
def test_a_report_that_names_what_came_after_it(tmp_path: Path, early: timedelta, words: str) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN - DAY)
    port.is_seen(BEGIN)
    port.reports(BEGIN - early)
    assert words in findings(port)
    assert ("back-dated" in findings(port)) == bool(words)


@pytest.mark.parametrize(("back", "expected"), [(6 * MINUTE, True), (4 * MINUTE, False)])
def test_a_clock_that_was_set_back(tmp_path: Path, back: timedelta, expected: bool) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN)
    port.beats(BEGIN - back)
    assert ("entry 1: claims" in findings(port)) == expected
    assert ("the clock of the collector was set back" in findings(port)) == expected
    port.beats(BEGIN - back)  # only the entry where it happened is named
    assert findings(port).count("set back") == expected


def test_people_sign_days_before_their_statement_comes_into_the_record(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN)
    port.approves(at=BEGIN - 9 * DAY)
    assert findings(port) == ""


def test_two_collectors_have_two_clocks(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    both = with_member(ONE, TrustedKey("collector-2", NEW_COLLECTOR.public), "collector")
    trusted = first(both)
    reported(log, NOW)
    reported(log, NOW - DAY, NEW_COLLECTOR)
    reported(log, NOW)
    assert audit_log(Workspace(tmp_path), trusted).findings == ()


# What reports rest on


def test_reports_are_held_against_the_baselines_before_them(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    one = port.approves(at=BEGIN)
    port.reports(BEGIN, one, OTHER_DEVICE)
    port.withdraws(one, DEVICE, BEGIN + DAY)
    port.reports(BEGIN + DAY + MINUTE, one)  # it was under way
    port.reports(BEGIN + 2 * DAY, one)
    port.reports(BEGIN + 2 * DAY, "ab" * 32)
    audit = audited(port)
    assert audit.findings == (
        f"entry 1: is of {OTHER_DEVICE}, and was compared with the baseline of {DEVICE} in entry 0",
        "entry 4: was compared with a baseline that had been withdrawn in entry 2",
    )
    assert audit.elsewhere == 1


def test_silences_are_told_and_are_no_findings(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN)
    port.approves(at=BEGIN + 20 * DAY)  # people do not speak for the collector
    port.beats(BEGIN + 9 * DAY)
    port.reports(BEGIN + 17 * DAY)
    audit = audited(port)
    assert audit.findings == ()
    assert [str(each) for each in audit.silences] == ["9 days of silence after entry 0, from 2026-10-23 to 2026-11-01"]


def test_withdrawals_policies_and_heartbeats_are_verified_too(tmp_path: Path) -> None:
    port = Port(tmp_path / "workspace")
    digest = port.approves(at=BEGIN)
    port.withdraws(digest, at=BEGIN)
    port.beats(BEGIN)
    assert audited(port).findings == ()
    keys = tuple(key for key in port.policy.keys if key.public != COLLECTOR.public)
    other = replace(port.policy, keys=(*keys, TrustedKey("collector-1", NEW_COLLECTOR.public)))
    found = audit_log(port.workspace, Trusted(other, "", 0, ())).findings
    assert any(each.startswith("entry 2: the heartbeat needs one more collector") for each in found)


# How far others have seen it, in the commands


def test_log_verify_says_how_far_the_record_is_witnessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = Port(tmp_path / "workspace")
    (port.root / "inventory.yaml").write_text("")
    for week in range(6):
        port.reports(BEGIN + 9 * week * DAY, "ab" * 32)
    assert run(("-w", str(port.root), "log", "verify")) == 0
    words = capsys.readouterr().out
    assert "nobody outside has witnessed the history yet" in words
    assert "only a checkpoint kept elsewhere can show" in words
    assert words.count("days of silence") == 3
    assert "2 more before them; --json lists them" in words
    assert "6 reports name a baseline that is not in the record before them" in words
    port.is_seen(BEGIN + 60 * DAY)
    assert run(("-w", str(port.root), "log", "verify")) == 0
    assert "history witnessed up to entry 5 on 2026-12-22 by Class Society" in capsys.readouterr().out
    cosigned = next((port.root / "log/witnessed").rglob("*.cosignature"))
    cosigned.write_bytes(cosigned.read_bytes().replace(b"AA", b"AB", 1))
    assert run(("-w", str(port.root), "log", "verify")) == 5


def test_report_verify_says_what_is_known_about_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = Port(tmp_path / "workspace")
    (port.root / "inventory.yaml").write_text("")
    port.reports(BEGIN)
    port.is_seen(BEGIN + DAY)
    port.reports(BEGIN + 2 * DAY)
    port.reports(BEGIN - DAY)

    def verified(number: int, *more: str) -> tuple[int, str]:
        code = run(("-w", str(port.root), "report", "verify", str(number), *more))
        return code, "".join(capsys.readouterr())

    assert "made before 2026-10-24 06:00 UTC, when Class Society saw" in verified(0)[1]
    assert "made after 2026-10-24 06:00 UTC, since it names" in verified(1)[1]
    assert '"not_after": null' in verified(1, "--json")[1]
    code, words = verified(2)
    assert code == 5
    assert "the signatures of entry 2 hold, and it claims 2026-10-22 06:00 UTC, and names what Class Society saw" in words
    code, words = verified(0, "--root", "ab" * 32)
    assert (code, "--root is for a bundle" in words) == (2, True)
    # a checkpoint of another history that somebody put there
    cosigned_directly(port.workspace.log, INSURER, BEGIN)
    (port.root / "log/witnessed/000000000001/checkpoint").write_bytes(b"junk")
    code, words = verified(1)
    assert (code, "the record around it does not hold" in words) == (0, True)
