"""Changes of a policy: each takes one and gives the next, which can be followed and can be changed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from verifier.errors import TrustError
from verifier.trust.keys import Algorithm, PublicKey
from verifier.trust.policy import CHANGE, CHECKPOINT, ROOT, WITNESS, Policy, Quorum, Role, TimeAuthority, TrustedKey
from verifier.trust.policy_words import what_for
from verifier.trust.quorum import Seat, seated
from verifier.trust.statement import BASELINE, WITHDRAWAL

COLLECTOR = "collector"
ROLES = (ROOT, "engineer", "security-officer", "technician", "vendor", COLLECTOR, WITNESS)
"""The roles people are given. One with a slip of the pen in it would be a role that no quorum asks for."""
NOTES_ONLY = "checkpoints of the log know no other; make one with: ssh-keygen -t ed25519"
SUCCESSOR_FIRST = "add the successor first, with `crane-verify trust add` or `crane-verify trust rotate`"


def with_key(before: Policy, key: TrustedKey, role: str) -> Policy:
    """The policy with a key, one more if it is new, and its owner in a role.

    Raises:
        TrustError: it is another owner's, it cannot do what the role needs, or nobody should follow the policy.
    """
    owner = before.owner(key.public.key_id)
    if owner and owner != key.owner:
        raise TrustError(f"this key is {owner}'s already", "a key belongs to one person: ask for the .pub file of another one")
    members = {each.name: each.members for each in before.roles}
    there = members.get(role, ())
    members[role] = there if key.owner in there else (*there, key.owner)
    keys = tuple(_until(each, key.not_after) if each.public == key.public else each for each in before.keys)
    if not owner:
        keys = (*keys, key)
    after = replace(before, keys=keys, roles=tuple(Role(name, each) for name, each in members.items()))
    _signs_notes(after, key)
    return after


def with_authority(before: Policy, authority: TimeAuthority) -> Policy:
    """The policy with somebody whose time stamps are believed; one of the same name is replaced."""
    authorities = {each.name: each for each in before.time_authorities} | {authority.name: authority}
    return replace(before, time_authorities=tuple(authorities.values()))


def with_quorum(before: Policy, quorum: Quorum) -> Policy:
    """The policy with another quorum for one kind of statement.

    Raises:
        TrustError: the quorum names other roles than it may, or cannot be met.
    """
    only = {CHANGE: ROOT, CHECKPOINT: WITNESS}.get(quorum.statement)
    if only and (quorum.also or {seat.role for seat in quorum.seats} != {only}):
        raise TrustError(f"{what_for(quorum.statement)} is signed by role {only} alone, with ordinary keys", f"write: {only}=1")
    quorums = {each.statement: each for each in before.quorums} | {quorum.statement: quorum}
    return replace(before, quorums=tuple(quorums.values()))


def rotated(before: Policy, owner: str, new: PublicKey, at: datetime) -> Policy:
    """The policy with a new key for somebody, whose key of the same sort ends now.

    Raises:
        TrustError: there is not one such key, or the new one is somebody's already.
    """
    if taken := before.owner(new.key_id):
        raise TrustError(f"this key is {taken}'s already", "rotating takes a new key")
    beside = new.algorithm.only_beside_another
    old = [key for key in held_by(before, owner) if key.public.algorithm.only_beside_another == beside and not ended(key, at)]
    if len(old) != 1:
        count = "no key that could be rotated" if not old else f"{len(old)} keys"
        raise TrustError(f"{owner} has {count}", "`trust add` the new key, then `trust revoke` the fingerprint of the old one")
    key = TrustedKey(owner, new)
    after = replace(before, keys=(*(_ended(each, at) if each in old else each for each in before.keys), key))
    _signs_notes(after, key)
    return after


def revoked(before: Policy, named: str, at: datetime, compromised_since: datetime | None = None) -> Policy:
    """The policy in which a key, or all keys of somebody, ended; or count as stolen since then.

    Raises:
        TrustError: nothing is so named, it ended before, or a quorum could no longer be met.
    """
    meant = [key for key in before.keys if named in (key.public.fingerprint, key.public.key_id, key.owner)]
    if not meant:
        raise TrustError(f"the policy knows no key and nobody called {named}", "`crane-verify trust show` lists them")
    if compromised_since is None:
        todo = [key for key in meant if not ended(key, at)]
        keys = [_ended(key, at) if key in todo else key for key in before.keys]
    else:
        todo = [key for key in meant if key.compromised_since is None or key.compromised_since > compromised_since]
        keys = [replace(key, compromised_since=compromised_since) if key in todo else key for key in before.keys]
    if not todo:
        raise TrustError(f"the key of {named} ended before", "`crane-verify trust show` says when")
    after = replace(before, keys=tuple(keys))
    if cut := [each for each in unmet(after, at) if each not in unmet(before, at)]:
        raise TrustError(f"after this nobody could sign {' or '.join(map(what_for, cut))}", SUCCESSOR_FIRST)
    return after


def signed_for_one(before: Policy, name: str) -> Policy:
    """A policy of before there were roots, with what it lacks to be signed: who may change it, and who may withdraw."""
    stated = {quorum.statement: quorum.seats for quorum in before.quorums}
    roles, quorums = before.roles, before.quorums
    if ROOT not in {role.name for role in roles}:
        roles = (*roles, Role(ROOT, (name,)))
    if WITHDRAWAL.word not in stated and BASELINE.word in stated:
        quorums = (*quorums, Quorum(WITHDRAWAL.word, stated[BASELINE.word]))
    if CHANGE not in stated:
        quorums = (*quorums, Quorum(CHANGE, (Seat(ROOT, 1),)))
    return replace(before, roles=roles, quorums=quorums)


def held_by(policy: Policy, owner: str) -> tuple[TrustedKey, ...]:
    """The keys of one owner."""
    return tuple(key for key in policy.keys if key.owner == owner)


def ended(key: TrustedKey, at: datetime) -> bool:
    """Whether a key counts for nothing that is signed from now on."""
    return key.compromised_since is not None or (key.not_after is not None and key.not_after <= at)


def unmet(policy: Policy, at: datetime) -> tuple[str, ...]:
    """What nobody could sign from now on, for want of keys that have not ended."""
    alive = [key for key in policy.keys if not ended(key, at)]
    return tuple(quorum.statement for quorum in policy.quorums if _empty(quorum, policy, alive))


def _empty(quorum: Quorum, policy: Policy, alive: Sequence[TrustedKey]) -> bool:
    beside: dict[str, set[Algorithm]] = {}
    for key in alive:
        beside.setdefault(key.owner, set()).add(key.public.algorithm)
    able = {
        owner: policy.roles_of(owner)
        for owner, algorithms in beside.items()
        if set(quorum.also) <= algorithms and any(not each.only_beside_another for each in algorithms)
    }
    return bool(seated(quorum.seats, able).empty)


def _ended(key: TrustedKey, at: datetime) -> TrustedKey:
    return replace(key, not_after=at.replace(microsecond=0))


def _until(key: TrustedKey, not_after: datetime | None) -> TrustedKey:
    return replace(key, not_after=not_after) if not_after else key


def _signs_notes(policy: Policy, key: TrustedKey) -> None:
    """Who signs or cosigns checkpoints needs the one algorithm that their format knows."""
    for role in policy.roles_of(key.owner) & {COLLECTOR, WITNESS}:
        if key.public.algorithm is not Algorithm.ED25519 and not key.public.algorithm.only_beside_another:
            raise TrustError(f"the key of a {role} must be Ed25519, and this is {key.public.algorithm}", NOTES_ONLY)
