"""The record remembers which policies it worked under: an older one, or another root, never comes back unnoticed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.roots_fixtures import ENDS, ONE, YEAR, first, following, with_root
from tests.trust_fixtures import COLLECTOR, NOW, OFFICER, STRANGER, policy_bytes, signer
from verifier.errors import TrustError, UsageError
from verifier.model.policy_record import PolicyRecord, TrustFile
from verifier.procedures import policy_history
from verifier.procedures.collector import Collector
from verifier.procedures.heartbeat import heartbeat, heartbeat_if_quiet
from verifier.procedures.policy_history import in_force, placed, record_policy, since
from verifier.record.log import Log
from verifier.record.workspace import Workspace
from verifier.settings.secrets import secret_of
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.keys import Signer
from verifier.trust.policy import Policy, TrustedKey, policy_for_one
from verifier.trust.roots.trusted import Trusted, read_trust
from verifier.trust.statement import HEARTBEAT, POLICY, written
from verifier.trust.verify import claimed, verify

SECOND_COLLECTOR = signer(11)
OLD = read_trust((TrustFile("policy.json", policy_bytes(ONE).decode()),))
"""A policy of before there were roots."""
JOINED = replace(
    ONE,
    keys=(*ONE.keys, TrustedKey("crane-pc", SECOND_COLLECTOR.public)),
    roles=tuple(replace(role, members=(*role.members, "crane-pc")) if role.name == "collector" else role for role in ONE.roles),
)
"""A second machine has joined."""
NEXT, THIRD = following(first(), JOINED), following(following(first(), JOINED), ONE)
ROTATED = following(
    first(),
    with_root(ONE, ("A. Engineer", "O. Officer"), 1, TrustedKey("O. Officer", OFFICER.public)),
    expires=ENDS + YEAR,
)
"""Its root has changed as well."""
FOREIGN = first(policy_for_one("A. Engineer", STRANGER.public, STRANGER.public), STRANGER)
"""Somebody else's, under a root of their own that they wrote the same name into."""


def put(workspace: Workspace, trusted: Trusted) -> None:
    """Lay these files into `trust/`, and nothing else, as whoever has the disk can."""
    shutil.rmtree(workspace.trust, ignore_errors=True)
    workspace.trust.mkdir(parents=True)
    for file in trusted.files:
        (workspace.trust / file.name).write_text(file.text)


def at_work(workspace: Workspace, trusted: Trusted, by: Signer = COLLECTOR, now: datetime = NOW) -> Collector:
    put(workspace, trusted)
    return Collector(workspace, workspace.policy(), lambda found: secret_of(found, str), lambda: by, lambda: now)


def entry(trusted: Trusted, by: Signer, at: datetime = NOW) -> bytes:
    return seal(written(POLICY, PolicyRecord(at, trusted.files, "crane-verify 0", "")), PAYLOAD_TYPE, (by,))


def smuggled(workspace: Workspace, envelope: bytes) -> None:
    workspace.log.append(lambda _: envelope)


def recorded(workspace: Workspace) -> list[tuple[TrustFile, ...]]:
    return [claimed(envelope, POLICY).files for _, envelope in reversed([*workspace.index.entries("policy")])]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_a_policy_is_recorded_once_and_again_when_it_changed(workspace: Workspace) -> None:
    for trusted in (first(), first(), NEXT, NEXT):
        record_policy(at_work(workspace, trusted))
    assert recorded(workspace) == [first().files, NEXT.files]
    assert [each.trusted for each in placed(workspace, NEXT)] == [first(), NEXT]
    sealed = workspace.log.read(1)
    assert verify(sealed, POLICY, NEXT.policy, NOW).value.files == NEXT.files
    assert workspace.log.verify() == ()


@pytest.mark.parametrize("trusted", [OLD, first(), NEXT, ROTATED])
def test_what_the_record_works_under_is_in_force(workspace: Workspace, trusted: Trusted) -> None:
    collector = at_work(workspace, trusted)
    assert in_force(workspace) == trusted
    record_policy(collector)
    assert in_force(workspace) == trusted


@pytest.mark.parametrize(
    ("older", "newer"), [(OLD, OLD), (OLD, first()), (first(), NEXT), (first(), THIRD), (NEXT, THIRD), (first(), ROTATED)]
)
def test_a_newer_one_follows(workspace: Workspace, older: Trusted, newer: Trusted) -> None:
    record_policy(at_work(workspace, older))
    record_policy(at_work(workspace, newer))
    assert in_force(workspace) == newer
    assert recorded(workspace)[-1] == newer.files


@pytest.mark.parametrize(
    ("newer", "older", "words"),
    [
        (NEXT, first(), "the policy is rolled back: version 1, and it was 2 before"),
        (ROTATED, first(), "the root is rolled back: version 1, and it was 2 before"),
        (ROTATED, NEXT, "the root is rolled back: version 1, and it was 2 before"),
        (THIRD, NEXT, "the policy is rolled back: version 2, and it was 3 before"),
        (first(), FOREIGN, "the policy hangs on another first root"),
        (first(), OLD, "the policy is one that nobody signed, and version 1 of a signed one was in force before"),
        (NEXT, following(first(), ONE), "there are two different 2.targets.json, each properly signed"),
    ],
)
def test_an_older_or_another_one_is_refused_in_its_own_words(
    workspace: Workspace, newer: Trusted, older: Trusted, words: str
) -> None:
    record_policy(at_work(workspace, newer))
    collector = at_work(workspace, older, by=COLLECTOR if older is not FOREIGN else STRANGER)
    for refused in (lambda: in_force(workspace), lambda: record_policy(collector)):
        with pytest.raises(TrustError, match=words):
            refused()
    assert recorded(workspace) == [newer.files]


def test_an_older_one_recorded_anew_by_the_collector_itself_stays_refused(workspace: Workspace) -> None:
    """The whole machine is the attacker's, and its key: last year's policy, with a fresh entry that says so."""
    for trusted in (first(), NEXT):
        record_policy(at_work(workspace, trusted))
    put(workspace, first())
    smuggled(workspace, entry(first(), COLLECTOR))
    with pytest.raises(TrustError, match="rolled back: version 1, and it was 2 before"):
        in_force(workspace)


# Who can append, and cannot sign


@pytest.mark.parametrize(
    "forged",
    [
        entry(FOREIGN, STRANGER),
        entry(THIRD, STRANGER),
        entry(OLD, COLLECTOR),
        entry(replace(OLD, files=(TrustFile("policy.json", "{}"),)), COLLECTOR),
        entry(replace(THIRD, files=THIRD.files[:-1]), COLLECTOR),
        entry(replace(THIRD, files=(THIRD.files[0], TrustFile("9.targets.json", THIRD.files[-1].text))), COLLECTOR),
        entry(replace(THIRD, files=(TrustFile("99.targets.json", "{}"),)), COLLECTOR),
    ],
)
def test_an_entry_that_does_not_count_changes_nothing(workspace: Workspace, forged: bytes) -> None:
    collector = at_work(workspace, NEXT)
    record_policy(collector)
    smuggled(workspace, forged)
    assert in_force(workspace) == NEXT
    assert [each.trusted for each in placed(workspace, NEXT)] == [NEXT]
    record_policy(collector)
    assert workspace.log.length() == 2, "the one in force stands there already"


def test_whoever_can_append_begins_no_root_where_none_was_recorded_under_a_policy_of_before(workspace: Workspace) -> None:
    record_policy(at_work(workspace, OLD))
    for foreign in (FOREIGN, replace(OLD, files=(TrustFile("policy.json", policy_bytes(strangers()).decode()),))):
        smuggled(workspace, entry(foreign, STRANGER))
    assert [each.trusted for each in placed(workspace, OLD)] == [OLD]
    assert in_force(workspace) == OLD
    put(workspace, FOREIGN)
    assert in_force(workspace) == FOREIGN, "what nobody signed can be replaced by whoever writes to trust/"
    record_policy(at_work(workspace, first()))
    assert [each.trusted for each in placed(workspace, first())] == [OLD, first()]


def strangers() -> Policy:
    return policy_for_one("A. Engineer", STRANGER.public, STRANGER.public)


def test_a_second_machine_that_joined_records_what_it_works_under(workspace: Workspace) -> None:
    """Under a policy of before there were roots, whom that of today trusts with reports is believed."""
    record_policy(at_work(workspace, OLD))
    newer = read_trust((TrustFile("policy.json", policy_bytes(JOINED).decode()),))
    record_policy(at_work(workspace, newer, by=SECOND_COLLECTOR))
    assert [each.trusted for each in placed(workspace, newer)] == [OLD, newer]


def test_a_policy_that_calls_the_collectors_key_stolen_can_still_be_recorded_by_another(workspace: Workspace) -> None:
    record_policy(at_work(workspace, first()))
    keys = tuple(replace(key, compromised_since=NOW) if key.public == COLLECTOR.public else key for key in JOINED.keys)
    replaced = replace(JOINED, keys=keys)
    newer = following(first(), replaced)
    with pytest.raises(UsageError, match="counts as stolen since"):
        record_policy(at_work(workspace, newer))
    record_policy(at_work(workspace, newer, by=SECOND_COLLECTOR))
    assert [each.trusted for each in placed(workspace, newer)] == [first(), newer]


def test_two_that_record_it_at_once_record_it_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = at_work(workspace, first())
    real = Log.append

    def append(log: Log, make: Callable[[str], bytes]) -> object:
        monkeypatch.undo()
        record_policy(collector)
        return real(log, make)

    monkeypatch.setattr(Log, "append", append)
    record_policy(collector)
    assert recorded(workspace) == [first().files]


def test_without_a_key_that_may_sign_reports_nothing_is_recorded(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="does not know the key"):
        record_policy(at_work(workspace, first(), by=STRANGER))
    assert workspace.log.length() == 0


def test_from_when_on_a_policy_was_in_force(workspace: Workspace) -> None:
    record_policy(at_work(workspace, first(), now=NOW))
    heartbeat(at_work(workspace, first()))
    record_policy(at_work(workspace, NEXT, now=NOW + timedelta(days=1)))
    policies = placed(workspace, NEXT)
    assert [since(sequence, policies) for sequence in range(4)] == [NOW, NOW, NOW + timedelta(days=1), NOW + timedelta(days=1)]
    assert since(0, policies[1:]) is None


def test_a_policy_recorded_again_with_an_earlier_time_moves_nothing_back(workspace: Workspace) -> None:
    """Whoever has the collector's key can do that; and then an ended key could have signed what stands behind it."""
    record_policy(at_work(workspace, NEXT, now=NOW + timedelta(days=1)))
    again = PolicyRecord(NOW - timedelta(days=300), NEXT.files, "crane-verify 0.1.0", "")
    workspace.log.append(lambda _: seal(written(POLICY, again), PAYLOAD_TYPE, (COLLECTOR,)))
    policies = placed(workspace, NEXT)
    assert [each.sequence for each in policies] == [0, 1]
    assert since(1, policies) == NOW + timedelta(days=1)


def test_older_policies_are_not_verified_again_at_every_command(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for trusted in (OLD, first(), NEXT, THIRD):
        record_policy(at_work(workspace, trusted))

    def never(*_: object) -> object:
        raise AssertionError("a look was enough")

    monkeypatch.setattr(policy_history, "placed", never)
    assert in_force(workspace) == THIRD


# Signs of life


def test_a_heartbeat_is_signed_and_stands_under_a_checkpoint(workspace: Workspace) -> None:
    collector = at_work(workspace, first())
    made = heartbeat(collector)
    assert made.sequence == 1, "after the policy"
    beat = verify(workspace.log.read(1), HEARTBEAT, first().policy, NOW).value
    assert (beat.at, beat.previous) == (NOW, hashlib.sha256(workspace.log.read(0)).hexdigest())
    assert workspace.log.covered([COLLECTOR.public]) == 2
    assert workspace.log.verify([COLLECTOR.public]) == ()


def test_a_heartbeat_comes_only_after_a_quiet_day(workspace: Workspace) -> None:
    assert heartbeat_if_quiet(at_work(workspace, first())) is None, "a record that has not begun is no silence"
    heartbeat(at_work(workspace, first()))
    day = timedelta(hours=24)
    assert heartbeat_if_quiet(at_work(workspace, first(), now=NOW + day)) is None
    beat = heartbeat_if_quiet(at_work(workspace, first(), now=NOW + day + timedelta(seconds=1)))
    assert beat is not None
    assert heartbeat_if_quiet(at_work(workspace, first(), now=NOW + day + timedelta(hours=1))) is None
    assert heartbeat_if_quiet(at_work(workspace, first(), now=NOW)) is not None, "the newest is dated in the future"


def test_a_heartbeat_needs_the_collectors_key(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="does not know the key"):
        heartbeat(at_work(workspace, first(), by=STRANGER))
