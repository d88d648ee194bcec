"""Judging what is in the record: who was trusted when it was written, when that was, and whether its times can be true.

Every entry is judged by the policy in force at its place: the newest one recorded at or before it, else the first one recorded,
else the one in `trust/`. What any policy since then knows of stolen keys counts for all places. No clock is asked: when an entry
was there is on the word of witnesses and time authorities, and everything else is a claim.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVar

from verifier.errors import RecordError, TrustError
from verifier.model.report import Report
from verifier.procedures.times import Bounds, bounded
from verifier.procedures.witnessing import kept_digests, sightings
from verifier.record.log import Log
from verifier.trust.envelope import opened
from verifier.trust.keys import PublicKey
from verifier.trust.log import merkle
from verifier.trust.log.sighting import Sighting, known_by
from verifier.trust.log.tiles import WIDTH
from verifier.trust.policy import Policy, Role, TimeAuthority, TrustedKey
from verifier.trust.roots import Trusted, grew_from, read_trust
from verifier.trust.statement import POLICY, REPORT, StatementKind, kind_of
from verifier.trust.verify import Verified, claimed, verify

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placed:
    """A policy, and from which entry on it was in force."""

    sequence: int
    trusted: Trusted
    at: datetime
    """When its entry says that it came into force."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An entry of the record that those signed whom the policy named then."""

    sequence: int
    kind: StatementKind[Any]
    verified: Verified[Any]
    bounds: Bounds
    doubts: tuple[str, ...]
    """What cannot be true about when it was made, in words."""


@dataclass(frozen=True, slots=True)
class History:
    """What is needed to judge any entry of a record."""

    standing: Trusted
    """The policy in `trust/`."""
    placed: tuple[Placed, ...]
    """Every policy that was recorded, oldest first, each grown out of the one before."""
    everybody: Policy
    """All who were ever trusted, in one policy: for who signed or saw a checkpoint, which has no place in the record."""
    sightings: tuple[Sighting, ...]
    """Earliest first."""
    root_at: Callable[[int], bytes]
    """The root over the first so many entries. Raises `TrustError` where the tree does not reach that far."""
    kept: Callable[[], frozenset[str]]
    """The digests of all that those outside gave, whether it counts or not."""
    faults: tuple[str, ...]
    """Policies and sightings that do not hold, in words."""

    def policy_at(self, sequence: int) -> tuple[Policy, datetime | None]:
        """The policy by which an entry is judged, and when that came into force, where it was recorded before the entry."""
        place = bisect_right(self.placed, sequence, key=lambda each: each.sequence)
        if place:
            found = self.placed[place - 1]
            return _knowing(found.trusted.policy, self.everybody), found.at
        first = self.placed[0].trusted if self.placed else self.standing
        return _knowing(first.policy, self.everybody), None

    def policy_after(self, sequence: int) -> Policy:
        """The policy that came into force next after an entry; the one in `trust/` where none was recorded since."""
        place = bisect_right(self.placed, sequence, key=lambda each: each.sequence)
        after = self.placed[place].trusted if place < len(self.placed) else self.standing
        return _knowing(after.policy, self.everybody)


def read_history(log: Log, standing: Trusted, sequences: Iterable[int]) -> History:
    """The history of a record, from its entries that hold policies (`sequences`, in order) and from who saw its checkpoints.

    A policy that does not hold, or did not grow out of the one before, is a fault and judges nothing.

    Raises:
        RecordError: the disk refused.
    """
    placed: list[Placed] = []
    faults: list[str] = []
    for sequence in sequences:
        try:
            placed.append(counting(sequence, log.read(sequence), placed[-1].trusted if placed else None, standing))
        except (TrustError, RecordError) as error:
            faults.append(f"entry {sequence}: the policy in it does not hold: {error}")
    if placed:
        try:
            grew_from(standing, placed[-1].trusted)
        except TrustError as error:
            faults.append(str(error))
    everybody = _everybody([standing.policy, *(each.trusted.policy for each in reversed(placed))])
    seen, wrong = sightings(log, everybody)
    return History(
        standing,
        tuple(placed),
        everybody,
        tuple(sorted(seen, key=lambda each: (each.at, each.size, each.by))),
        roots(log, everybody.log_keys()),
        cache(lambda: kept_digests(log)),
        (*faults, *wrong),
    )


def counting(sequence: int, envelope: bytes, before: Trusted | None, standing: Trusted) -> Placed:
    """The policy in an entry, if it counts. Anybody who can write to the disk can add such an entry: its files must hold, must
    have grown out of those of the entry before which counts (`before`; None: none does), and it must be signed as reports are.

    Raises:
        TrustError: it does not count, and why.
    """
    record = claimed(envelope, POLICY)
    trusted = _read_trust(record.files)
    if before:
        grew_from(trusted, before)
    # A policy under a root that is known speaks for itself, as does the first of all. One that nobody signed, or that begins a
    # root, could be anybody's: then those must have signed the entry who were trusted before it, or are by the one in `trust/`.
    by_itself = trusted.fingerprint and (before is None or before.fingerprint)
    policies = [*([before.policy] if before else []), trusted.policy if by_itself else standing.policy]
    for policy in policies[:-1]:
        with contextlib.suppress(TrustError):
            verify(envelope, POLICY, policy, record.at, known_by=record.at)
            return Placed(sequence, trusted, record.at)
    verify(envelope, POLICY, policies[-1], record.at, known_by=record.at)
    return Placed(sequence, trusted, record.at)


def policy_entries(log: Log, keys: Iterable[PublicKey]) -> Iterator[int]:
    """Which entries hold policies: as the tree says of those it covers, and as they themselves say of the rest.

    Raises:
        RecordError: the disk refused.
    """
    covered, length = log.covered(tuple(keys)), log.length()
    for first in range(0, covered, WIDTH):
        try:
            leaves = log.tree.tiles.entries(first // WIDTH, min(WIDTH, covered - first))
        except TrustError:  # the findings about the tree speak of it
            covered = min(covered, first)
            break
        wanted = f"{POLICY.predicate_type} ".encode()
        yield from (first + place for place, leaf in enumerate(leaves) if leaf.startswith(wanted))
    for sequence in range(covered, length):
        try:
            if kind_of(opened(log.read(sequence)).payload) is POLICY:
                yield sequence
        except (TrustError, RecordError):
            continue  # whoever looks at the entries finds it


def judged(envelope: bytes, sequence: int, history: History) -> Verified[Any]:
    """A statement of any kind at its place in the record, if those signed it whom the policy named then.

    Raises:
        TrustError: it is not so.
    """
    kind = kind_of(opened(envelope).payload)
    return judged_as(kind, envelope, sequence, history, kind.at(claimed(envelope, kind)))


def judged_as(kind: StatementKind[T], envelope: bytes, sequence: int, history: History, at: datetime) -> Verified[T]:
    """As `judged`, where the kind and the time at which it says that it was made were read out of it already, as the index does.

    Raises:
        TrustError: as `judged`, or it is of another kind.
    """
    policy, since = history.policy_at(sequence)
    # nothing is dated back to before the policy that ended a key
    at, seen = max(at, since) if since else at, known_by(history.sightings, sequence)
    try:
        return verify(envelope, kind, policy, at, seen)
    except TrustError:
        # people sign where no collector is, which alone records a policy: it may come into the record after what they signed
        if kind.signed_as == REPORT.word:
            raise
        with contextlib.suppress(TrustError):
            return verify(envelope, kind, history.policy_after(sequence), at, seen)
        raise


def examined(envelope: bytes, sequence: int, history: History) -> Judged:
    """As `judged`, with when it was made and what cannot be true about that.

    Raises:
        TrustError: as `judged`.
    """
    verified = judged(envelope, sequence, history)
    kind = kind_of(opened(envelope).payload)
    report = verified.value if isinstance(verified.value, Report) else None
    bounds, doubts = bounded(report, kind.at(verified.value), sequence, history.sightings, history.root_at, history.kept)
    return Judged(sequence, kind, verified, bounds, doubts)


def roots(log: Log, keys: Iterable[PublicKey]) -> Callable[[int], bytes]:
    """The root of the log when it had so many entries.

    Raises:
        TrustError: when called, if no checkpoint covers so many, or the tiles cannot be read.
    """
    known = tuple(keys)

    @cache
    def reader() -> tuple[int, merkle.Reader]:
        size = log.covered(known)
        return size, log.tree.tiles.reader(size)

    @cache
    def root_at(size: int) -> bytes:
        covered, read = reader()
        if size > covered:
            raise TrustError(f"no checkpoint covers {size} entries", "sign one with `crane-verify log checkpoint --sign`")
        return merkle.root(size, read)

    return root_at


@cache
def _knowing(policy: Policy, everybody: Policy) -> Policy:
    """A policy of then, with what is known now of stolen keys."""
    known = {key.public: key.compromised_since for key in everybody.keys}
    keys = (replace(key, compromised_since=known.get(key.public, key.compromised_since)) for key in policy.keys)
    return replace(policy, keys=tuple(keys))


def _everybody(policies: Sequence[Policy]) -> Policy:
    """The newest policy, which is the first one given, with all whom older ones knew. A key that any of them calls stolen is."""
    newest = policies[0]
    keys: dict[PublicKey, TrustedKey] = {}
    members: dict[str, dict[str, None]] = {}
    authorities: dict[tuple[str, ...], TimeAuthority] = {}
    for policy in policies:
        for key in policy.keys:
            since = [each.compromised_since for each in (key, keys.get(key.public, key)) if each.compromised_since]
            keys[key.public] = replace(keys.get(key.public, key), compromised_since=min(since, default=None))
        for role in policy.roles:
            members.setdefault(role.name, {}).update(dict.fromkeys(role.members))
        for authority in policy.time_authorities:
            # one that went on to a new certificate keeps its name; its older stamps are by the older one
            name = authority.name if policy is newest else f"{authority.name} (of policy version {policy.version})"
            authorities.setdefault(authority.certificates, replace(authority, name=name))
    owners = {key.owner for key in keys.values()}
    roles = tuple(Role(name, tuple(owner for owner in found if owner in owners)) for name, found in members.items())
    try:
        return replace(newest, keys=tuple(keys.values()), roles=roles, time_authorities=tuple(authorities.values()))
    except TrustError:  # two spellings of one name: those of today count
        return newest


_read_trust = lru_cache(maxsize=256)(read_trust)
"""A policy is in the record, and in `trust/`; its signatures are verified once."""
