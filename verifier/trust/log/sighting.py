"""Sightings: somebody outside saw a checkpoint of the log, and when. What they add up to, pure.

A cosignature says that its witness saw the checkpoint and that it follows on every one this witness signed before. A time stamp
says only that the checkpoint was there. Both say that every entry below it was there: a signature in it is at least that old.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from verifier.errors import TrustError
from verifier.trust.keys import Algorithm
from verifier.trust.log.checkpoint import Checkpoint, read_checkpoint, verified_checkpoint
from verifier.trust.log.cosignature import cosignatures
from verifier.trust.log.note import holds, read_note
from verifier.trust.log.timestamp import number, stamped
from verifier.trust.log.witness import witness_of
from verifier.trust.policy import CHECKPOINT, WITNESS, Policy, Quorum
from verifier.trust.quorum import seated

COSIGNATURE, TIME_STAMP = "cosignature", "time stamp"


@dataclass(frozen=True, slots=True)
class Sighting:
    size: int
    """Entries of the checkpoint that was seen."""
    root: bytes
    by: str
    """The witness's owner, or the time authority, as the policy calls them."""
    at: datetime
    how: str
    """`cosignature` or `time stamp`."""
    sha256: str = field(default="", compare=False)
    """Of what they gave: the cosignature's lines, or the response. Nobody knows it before they have given it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the history is witnessed, as the policy counts."""

    size: int
    """Entries; 0: not at all."""
    at: datetime | None
    """When the last of those needed had seen it; None: nobody has."""
    by: tuple[str, ...]
    root: bytes = b""
    """Of the tree at that size; empty for size 0."""
    rests_on: tuple[str, ...] = field(default=(), compare=False)
    """`Sighting.sha256` of each that was needed, in the order of `by`."""


NOWHERE = Reach(0, None, ())


@dataclass(frozen=True, slots=True)
class Stamp:
    number: str
    """Which authority's, on the word of the file's name (`timestamp.number`)."""
    response: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that somebody outside was asked to see, and what came back, on nobody's word."""

    size: int
    """On the word of the folder's name."""
    checkpoint: bytes
    """As the log signed it and as it was sent out."""
    cosignatures: tuple[bytes, ...] = ()
    """A line each."""
    stamps: tuple[Stamp, ...] = ()

    @property
    def place(self) -> str:
        return f"log/witnessed/{self.size:012}"

    @property
    def digests(self) -> tuple[str, ...]:
        """`Sighting.sha256` of all that came back, whoever gave it."""
        return tuple(map(digest, (*self.cosignatures, *(stamp.response for stamp in self.stamps))))


@dataclass(frozen=True, slots=True)
class Claim:
    """A sighting whose signature holds. Whether it counts may depend on what others saw."""

    sighting: Sighting
    number: str
    """Of the witness's key or the authority's certificate: 16 hex digits."""
    stolen: datetime | None = None
    """Since when others may sign with the witness's key; such a one writes whatever time he likes."""
    log_stolen: datetime | None = None
    """The same of the log's key, where no other signed the checkpoint."""


@dataclass(frozen=True, slots=True)
class Own:
    """A checkpoint that a key of this log signed."""

    checkpoint: Checkpoint
    stolen: datetime | None
    """Since when the key that signed it counts as stolen; None: one signed it that does not."""


def own(signed: bytes, origin: str, policy: Policy) -> Own:
    """A checkpoint as one of this log.

    Raises:
        TrustError: it is none.
    """
    keys = policy.log_keys(even_stolen=True)
    checkpoint = verified_checkpoint(signed, keys, origin)
    found = read_note(signed)
    authors = {key for key in keys if holds(found, checkpoint.origin, (key,))}
    stolen = [key.compromised_since for key in policy.keys if key.public in authors]
    return Own(checkpoint, None if None in stolen else max(filter(None, stolen)))


def own_kept(kept: Kept, origin: str, policy: Policy) -> Own:
    """What is kept, as a checkpoint of this log. Raises as `own`."""
    try:
        found = own(kept.checkpoint, origin, policy)
        if found.checkpoint.size != kept.size:
            raise TrustError(f"the checkpoint there covers {found.checkpoint.size} entries")
    except TrustError as error:
        raise TrustError(f"{kept.place}: {error}", "keep it, and find out who put it there") from error
    return found


def claims(kept: Kept, of: Own, policy: Policy) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """Who of the policy saw this checkpoint, and which word of theirs does not hold. Of strangers nothing is said.

    That the log grew out of the checkpoint, this cannot know.
    """
    found: list[Claim] = []
    wrong = []
    for line in kept.cosignatures:
        try:
            found += cosigned(kept.checkpoint, line, policy)
        except TrustError as error:
            wrong.append(f"{kept.place}: {error}")
    for stamp in kept.stamps:
        try:
            found += time_stamped(kept.checkpoint, stamp, policy)
        except TrustError as error:
            wrong.append(f"{kept.place}: {error}")
    return tuple(replace(claim, log_stolen=of.stolen) for claim in found), tuple(wrong)


def cosigned(checkpoint: bytes, lines: bytes, policy: Policy) -> tuple[Claim, ...]:
    """The witnesses of the policy who cosigned a checkpoint, in these lines below it, with keys that were valid then.

    Raises:
        TrustError: a line does not hold, or is none.
    """
    keys = {key.public: key for key in policy.holders(WITNESS) if key.public.algorithm is Algorithm.ED25519}
    seen = read_note(checkpoint + lines)
    found = read_checkpoint(seen)
    claims = []
    for each in cosignatures(seen, tuple(map(witness_of, keys))):
        key = keys[each.witness.public]
        if not key.refusal(each.at, known_by=each.at):
            sighting = Sighting(found.size, found.root, key.owner, each.at, COSIGNATURE, digest(lines))
            claims.append(Claim(sighting, key.public.key_id[:16], stolen=key.compromised_since))
    return tuple(claims)


def time_stamped(checkpoint: bytes, stamp: Stamp, policy: Policy) -> tuple[Claim, ...]:
    """What a time stamp over a signed checkpoint says, if its number is that of an authority of the policy.

    Raises:
        TrustError: the stamp does not hold.
    """
    found = read_checkpoint(read_note(checkpoint))
    authorities = [each for each in policy.time_authorities if number(each) == stamp.number]
    times = [(each.name, stamped(stamp.response, checkpoint, each)) for each in authorities]
    given = digest(stamp.response)
    return tuple(Claim(Sighting(found.size, found.root, name, at, TIME_STAMP, given), stamp.number) for name, at in times)


def digest(given: bytes) -> str:
    """What a report names a cosignature or a time stamp by: SHA-256 of the kept file, 64 hex digits."""
    return hashlib.sha256(given).hexdigest()


def counted(found: Iterable[Claim]) -> tuple[Sighting, ...]:
    """The sightings that count, the longest log first.

    What a stolen witness's key signed counts only as far as somebody else saw as much of the log before the theft, and from then
    on: the thief could have written any time. What the log's key signed counts only if it was seen before that key was stolen.
    """
    counting = Counting()
    by_size = sorted(found, key=lambda claim: -claim.sighting.size)
    return tuple(each for _, group in groupby(by_size, lambda claim: claim.sighting.size) for each in counting.add((*group,)))


@dataclass(slots=True)
class Counting:
    """Counts claims, checkpoint by checkpoint, the largest one first."""

    earliest: datetime | None = None
    """When somebody whose key was never stolen saw as much of the log."""

    def add(self, found: Sequence[Claim]) -> tuple[Sighting, ...]:
        """Those of the claims about one checkpoint that count."""
        times = [claim.sighting.at for claim in found if not claim.stolen]
        self.earliest = min([*times, *((self.earliest,) if self.earliest else ())], default=None)
        return tuple(each for claim in found for each in self._counts(claim))

    def _counts(self, claim: Claim) -> Iterator[Sighting]:
        sighting = claim.sighting
        if claim.stolen:
            if self.earliest is None or self.earliest >= claim.stolen:
                return
            sighting = replace(sighting, at=max(sighting.at, self.earliest))
        if claim.log_stolen is None or sighting.at < claim.log_stolen:
            yield sighting


def known_by(sightings: Iterable[Sighting], sequence: int) -> datetime | None:
    """When an entry was there at the latest, on somebody's word; None: nobody saw it."""
    return min((each.at for each in sightings if each.size > sequence), default=None)


def reached(sightings: Iterable[Sighting], policy: Policy) -> Reach:
    """How far those whom the policy asks for have seen the log; where it asks for nobody, how far anybody has.

    Time stamps fill no seat of a quorum: who stamps does not look at what was there before.
    """
    search = reaching(policy)
    by_size = sorted(sightings, key=lambda each: -each.size)
    groups = (search.add((*group,)) for _, group in groupby(by_size, lambda each: each.size))
    return next((found for found in groups if found.size), NOWHERE)


@dataclass(slots=True)
class Reaching:
    """Looks for the reach, checkpoint by checkpoint, the largest one first: who saw more saw what is below it as well."""

    quorum: Quorum | None
    policy: Policy
    seen: dict[str, Sighting] = field(default_factory=dict)
    """What each of them saw first."""

    def add(self, sightings: Sequence[Sighting]) -> Reach:
        """The reach, if those who saw one more checkpoint are enough now; else `NOWHERE`."""
        before = len(self.seen)
        for each in sightings:
            if self.quorum is None or each.how == COSIGNATURE:
                self.seen[each.by] = min(each, self.seen.get(each.by, each), key=lambda seen: seen.at)
        if len(self.seen) == before or not sightings[0].size or not self._enough(self.seen):
            return NOWHERE
        order = sorted(self.seen, key=lambda owner: (self.seen[owner].at, owner))
        first = next(order[:count] for count in range(1, len(order) + 1) if self._enough(order[:count]))
        by = self._enough(first)
        rests_on = tuple(self.seen[owner].sha256 for owner in by)
        return Reach(sightings[0].size, self.seen[first[-1]].at, by, sightings[0].root, rests_on)

    def _enough(self, owners: Iterable[str]) -> tuple[str, ...]:
        """Those who fill the seats; empty: not all are filled."""
        if self.quorum is None:
            return tuple(owners)[:1]
        seating = seated(self.quorum.seats, {owner: self.policy.roles_of(owner) for owner in owners})
        return () if seating.empty else tuple(sorted(owner for owner, _ in seating.filled))


def reaching(policy: Policy) -> Reaching:
    """A search that has seen nothing yet."""
    return Reaching(next((each for each in policy.quorums if each.statement == CHECKPOINT), None), policy)
