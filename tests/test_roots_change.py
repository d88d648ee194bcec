"""Changes of a policy: what each does, what it refuses and the way out, and that all of it is said in words."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.roots_fixtures import ENDS, ONE, TWO
from tests.signers import P256, PQ
from tests.test_roots_draft import policies
from tests.trust_fixtures import COLLECTOR, ENGINEER, NOW, OFFICER, POLICY, STRANGER
from verifier.errors import TrustError
from verifier.trust.authority import read_authority
from verifier.trust.keys import Algorithm
from verifier.trust.policy import CHANGE, CHECKPOINT, ROOT, Policy, Quorum, Role, TimeAuthority, TrustedKey
from verifier.trust.policy_change import (
    ended,
    held_by,
    revoked,
    rotated,
    signed_for_one,
    unmet,
    with_authority,
    with_key,
    with_quorum,
)
from verifier.trust.policy_words import changes
from verifier.trust.quorum import Seat

HOUR = timedelta(hours=1)
OFFICERS = TrustedKey("O. Officer", OFFICER.public)


def refused(why: str, change: Callable[[], Policy]) -> None:
    with pytest.raises(TrustError, match=why) as caught:
        change()
    assert caught.value.hint


# Keys and roles


def test_a_key_comes_with_a_role_and_again_with_another() -> None:
    once = with_key(ONE, OFFICERS, "technician")
    twice = with_key(once, OFFICERS, "security-officer")
    assert twice.roles_of("O. Officer") == {"technician", "security-officer"}
    assert held_by(twice, "O. Officer") == (OFFICERS,)
    assert with_key(twice, OFFICERS, "technician") == twice
    until = with_key(twice, replace(OFFICERS, not_after=NOW), "technician")
    assert held_by(until, "O. Officer") == (replace(OFFICERS, not_after=NOW),)
    refused("this key is O. Officer's already", lambda: with_key(twice, TrustedKey("B", OFFICER.public), "technician"))


def test_who_signs_notes_has_an_ed25519_key() -> None:
    refused("the key of a witness must be Ed25519", lambda: with_key(ONE, TrustedKey("W", P256.public), "witness"))
    refused("W signs reports, .* takes an Ed25519 key", lambda: with_key(ONE, TrustedKey("W", P256.public), "collector"))
    assert with_key(ONE, TrustedKey("W", STRANGER.public), "witness").roles_of("W") == {"witness"}
    refused("the key of a collector must be Ed25519", lambda: rotated(ONE, "collector", P256.public, NOW))
    refused("the key of a collector must be Ed25519", lambda: with_key(ONE, TrustedKey("collector", P256.public), "engineer"))
    beside = with_key(ONE, TrustedKey("collector", PQ.public), "collector")
    assert [key.public for key in held_by(beside, "collector")] == [COLLECTOR.public, PQ.public]


def test_rotating_ends_the_old_key_and_no_other() -> None:
    both = with_key(ONE, TrustedKey("A. Engineer", PQ.public), "engineer")
    after = rotated(both, "A. Engineer", P256.public, NOW + timedelta(microseconds=5))
    old, post_quantum, new = held_by(after, "A. Engineer")
    assert (old.public, old.not_after) == (ENGINEER.public, NOW)
    assert (post_quantum.public, post_quantum.not_after) == (PQ.public, None)
    assert (new.public, new.not_after) == (P256.public, None)
    assert ended(old, NOW)
    assert not ended(new, NOW)
    again = rotated(after, "A. Engineer", STRANGER.public, NOW + HOUR)
    assert held_by(again, "A. Engineer")[0] == old, "its end does not move"


def test_rotating_needs_one_old_key_and_a_new_one() -> None:
    refused("this key is A. Engineer's already", lambda: rotated(ONE, "A. Engineer", ENGINEER.public, NOW))
    refused("Nobody has no key that could be rotated", lambda: rotated(ONE, "Nobody", STRANGER.public, NOW))
    two = with_key(ONE, TrustedKey("A. Engineer", P256.public), "engineer")
    refused("A. Engineer has 2 keys", lambda: rotated(two, "A. Engineer", STRANGER.public, NOW))


def test_a_key_is_revoked_by_its_fingerprint_its_id_or_its_owner() -> None:
    many = with_key(with_key(ONE, OFFICERS, "engineer"), TrustedKey("O. Officer", P256.public), "engineer")
    for named in (OFFICER.public.fingerprint, OFFICER.key_id):
        assert [key.not_after for key in held_by(revoked(many, named, NOW), "O. Officer")] == [NOW, None]
    every = revoked(many, "O. Officer", NOW)
    assert [key.not_after for key in held_by(every, "O. Officer")] == [NOW, NOW]
    refused("knows no key and nobody called O. Oficer", lambda: revoked(many, "O. Oficer", NOW))
    refused("the key of O. Officer ended before", lambda: revoked(every, "O. Officer", NOW + HOUR))
    stolen = revoked(every, "O. Officer", NOW + HOUR, NOW - HOUR)
    assert {key.compromised_since for key in held_by(stolen, "O. Officer")} == {NOW - HOUR}
    refused("ended before", lambda: revoked(stolen, "O. Officer", NOW, NOW))
    assert {key.compromised_since for key in held_by(revoked(stolen, "O. Officer", NOW, NOW - 2 * HOUR), "O. Officer")} == {
        NOW - 2 * HOUR
    }, "it was stolen even earlier"


def test_what_would_leave_nobody_to_sign_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        TrustError, match=r"after this nobody could sign a baseline or a withdrawal or a finding or .*a change of the policy"
    ) as caught:
        revoked(ONE, "A. Engineer", NOW)
    assert "add the successor first" in caught.value.hint
    refused("nobody could sign a report", lambda: revoked(ONE, "collector", NOW, NOW - HOUR))
    post_quantum = with_key(ONE, TrustedKey("A. Engineer", PQ.public), "engineer")
    beside = with_quorum(post_quantum, Quorum("baseline", (Seat("engineer", 1),), (PQ.public.algorithm,)))
    refused("nobody could sign a baseline$", lambda: revoked(beside, PQ.public.fingerprint, NOW))
    two = with_key(ONE, OFFICERS, "engineer")
    assert unmet(revoked(with_key(two, OFFICERS, ROOT), "A. Engineer", NOW), NOW) == ()
    assert unmet(ONE, NOW) == ()


# Quorums, authorities, and the old policy


def test_a_quorum_takes_the_place_of_the_one_before() -> None:
    more = with_key(ONE, OFFICERS, "security-officer")
    needed = Quorum("baseline", (Seat("engineer", 1), Seat("security-officer", 1)))
    after = with_quorum(more, needed)
    assert after.quorums == (needed, *ONE.quorums[1:])
    refused("is no role", lambda: with_quorum(more, Quorum("baseline", (Seat("pilot", 1),))))
    refused("even with every signature", lambda: with_quorum(more, Quorum("baseline", (Seat("engineer", 2),))))


def test_root_alone_changes_the_policy_and_witnesses_alone_sign_checkpoints() -> None:
    refused(
        "a change of the policy is signed by role root alone", lambda: with_quorum(ONE, Quorum(CHANGE, (Seat("engineer", 1),)))
    )
    refused("with ordinary keys", lambda: with_quorum(ONE, Quorum(CHANGE, (Seat(ROOT, 1),), (Algorithm.ML_DSA_65,))))
    refused("a checkpoint is signed by role witness alone", lambda: with_quorum(ONE, Quorum(CHECKPOINT, (Seat("engineer", 1),))))
    watched = with_key(ONE, TrustedKey("W", STRANGER.public), "witness")
    assert with_quorum(watched, Quorum(CHECKPOINT, (Seat("witness", 1),))).seats(CHECKPOINT) == (Seat("witness", 1),)


def test_an_authority_of_the_same_name_is_replaced() -> None:
    one, other = TimeAuthority("TSA", ("AAAA",)), TimeAuthority("TSA", ("BBBB",))
    assert with_authority(with_authority(ONE, one), other).time_authorities == (other,)


def test_an_old_policy_gets_what_it_lacks_and_nothing_else() -> None:
    after = signed_for_one(POLICY, "A. Engineer")
    assert after.quorums == (
        *POLICY.quorums,
        Quorum("withdrawal", (Seat("engineer", 1), Seat("security-officer", 1))),
        Quorum(CHANGE, (Seat(ROOT, 1),)),
    )
    assert after.roles == (*POLICY.roles, Role(ROOT, ("A. Engineer",)))
    assert after.keys == POLICY.keys
    assert signed_for_one(after, "B. Engineer") == after
    assert signed_for_one(replace(POLICY, quorums=POLICY.quorums[1:]), "A. Engineer").quorums[1:] == after.quorums[3:]


# A chain of certificates


def authority(folder: Path, usage: str = "extendedKeyUsage = critical, timeStamping") -> Path:
    """A time authority's chain, its own certificate first."""
    script = f"""set -e
openssl req -x509 -newkey ed25519 -nodes -keyout ca.key -out ca.pem -days 30 -subj "/CN=Test CA" 2>/dev/null
openssl req -newkey ed25519 -nodes -keyout tsa.key -out tsa.csr -subj "/CN=Test TSA" 2>/dev/null
printf '%s\\n' '{usage}' >ext
openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -out tsa.pem 2>/dev/null
cat tsa.pem ca.pem >chain.pem
cat ca.pem tsa.pem >reversed.pem"""
    subprocess.run(["sh", "-c", script], cwd=folder, check=True)
    return folder / "chain.pem"


def test_an_authority_is_read_from_its_chain(tmp_path: Path) -> None:
    found = read_authority("TSA", authority(tmp_path).read_bytes())
    assert found.name == "TSA"
    assert len(found.certificates) == 2
    command = ["openssl", "x509", "-in", str(tmp_path / "tsa.pem"), "-outform", "DER"]
    der = subprocess.run(command, capture_output=True, check=True).stdout
    assert base64.b64decode(found.certificates[0]) == der


OTHER_USES = ["extendedKeyUsage = serverAuth", "basicConstraints = CA:FALSE", "extendedKeyUsage = timeStamping,serverAuth"]


@pytest.mark.parametrize("usage", OTHER_USES)
def test_a_certificate_for_something_else_makes_no_authority(usage: str, tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="not one for time stamps"):
        read_authority("TSA", authority(tmp_path, usage).read_bytes())


def test_what_is_no_chain_makes_no_authority(tmp_path: Path) -> None:
    authority(tmp_path)
    with pytest.raises(TrustError, match="holds no chain"):
        read_authority("TSA", b"no certificate")
    with pytest.raises(TrustError, match="not in the order"):
        read_authority("TSA", (tmp_path / "reversed.pem").read_bytes())


# In words


def test_what_changes_is_said() -> None:
    stolen = replace(OFFICERS, compromised_since=NOW, not_before=NOW - HOUR, not_after=NOW + HOUR)
    before = replace(TWO, expires=ENDS, time_authorities=(TimeAuthority("TSA", ("AAAA",)),))
    after = replace(
        before,
        keys=tuple(stolen if key == OFFICERS else key for key in before.keys),
        roles=(*(role for role in before.roles if role.name != "engineer"), Role("engineer", ("B. Engineer",))),
        quorums=(*before.quorums[:-1], Quorum(CHANGE, (Seat(ROOT, 1),))),
        expires=ENDS + HOUR,
        time_authorities=(),
    )
    assert changes(before, after) == (
        f"O. Officer has the ed25519 key {OFFICER.public.fingerprint}, from 2026-11-22 05:00 UTC, until 2026-11-22 07:00 UTC, "
        f"stolen since 2026-11-22 06:00 UTC; before: O. Officer has the ed25519 key {OFFICER.public.fingerprint}",
        "no longer: A. Engineer is engineer",
        "B. Engineer is engineer",
        "a change of the policy needs 1 root; before: a change of the policy needs 2 root",
        "no longer: the time of TSA is believed: certificate 709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c",
        "it is valid until 2027-11-22 07:00 UTC; before: it is valid until 2027-11-22 06:00 UTC",
    )
    assert changes(before, before) == ()
    assert len(changes(None, ONE)) == len(ONE.keys) + len(ONE.roles) + len(ONE.quorums)


def meaning(policy: Policy) -> object:
    """All but the order in which things stand, and roles that nobody holds."""
    return (
        frozenset(policy.keys),
        frozenset((owner, role.name) for role in policy.roles for owner in role.members),
        frozenset(policy.quorums),
        frozenset(policy.time_authorities),
    )


def to_minutes(policy: Policy) -> Policy:
    """Words give times to the minute."""
    keys = []
    for key in policy.keys:
        times = (at and at.replace(second=0, microsecond=0) for at in (key.not_before, key.not_after, key.compromised_since))
        keys.append(TrustedKey(key.owner, key.public, *times))
    return replace(policy, keys=tuple(keys))


@given(policies().map(to_minutes), policies().map(to_minutes))
@settings(max_examples=40, deadline=None)
def test_whoever_reads_the_words_misses_nothing(before: Policy, after: Policy) -> None:
    assert (changes(before, after) == ()) == (meaning(before) == meaning(after))
    assert changes(before, before) == ()
