"""How far the history is witnessed: what those outside saw of this log, held against the log as it is today."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from verifier.errors import RecordError, TrustError
from verifier.model.report import WitnessedRef
from verifier.record.files import read_whole
from verifier.record.log import Log
from verifier.record.witnessed import Witnessed
from verifier.trust.log.checkpoint import Checkpoint
from verifier.trust.log.merkle import Reader, consistency_proof
from verifier.trust.log.sighting import NOWHERE, Claim, Counting, Reach, Sighting, claims, counted, own_kept, reaching
from verifier.trust.log.witness import follows
from verifier.trust.policy import WITNESS, Policy


@dataclass(frozen=True, slots=True)
class Watched:
    """How far the history of a record is witnessed."""

    entries: int
    """Of the record, with those that no checkpoint covers yet."""
    reach: Reach
    wrong: tuple[str, ...]
    """What speaks against the record, in words."""

    def __str__(self) -> str:
        left = self.entries - self.reach.size
        if self.reach.at is None:
            return f"nobody outside has witnessed the history yet: any of its {left} entries could still vanish" if left else ""
        since = (
            f"{left} {'entry' if left == 1 else 'entries'} since then could still vanish" if left else "nothing came since then"
        )
        day, by = f"{self.reach.at:%Y-%m-%d}", " and ".join(self.reach.by)
        return f"history witnessed up to entry {self.reach.size - 1} on {day} by {by}; {since}"


def is_watched(policy: Policy) -> bool:
    """Whether the policy knows anybody outside who could have seen the log."""
    return bool(policy.holders(WITNESS) or policy.time_authorities)


def kept_in(log: Log) -> Witnessed:
    """What a log keeps of those outside."""
    return Witnessed(log.folder / "witnessed")


def sightings(log: Log, policy: Policy) -> tuple[tuple[Sighting, ...], tuple[str, ...]]:
    """Everything that somebody of the policy saw of this log, and what is wrong, in words.

    Only what the log as it is today grew out of counts as seen.

    Raises:
        RecordError: the disk refused.
    """
    found: list[Claim] = []
    wrong: list[str] = []
    for seen, why in _each(log, policy):
        found += seen
        wrong += why
    return counted(found), tuple(wrong)


def reach(log: Log, policy: Policy) -> Reach:
    """How far those whom the policy asks for have seen this log. Raises as `sightings`."""
    return watched(log, policy).reach


def watched(log: Log, policy: Policy) -> Watched:
    """How far the log is witnessed, read from its newest end: older checkpoints are looked at only until the policy is met.

    Raises:
        RecordError: the disk refused.
    """
    counting, search, met = Counting(), reaching(policy), NOWHERE
    wrong: list[str] = []
    for seen, why in _each(log, policy) if is_watched(policy) else ():
        wrong += why
        counts = counting.add(seen)
        met = search.add(counts) if counts else NOWHERE
        if met.size:
            break
    return Watched(log.length(), met, tuple(wrong))


def newest_witnessed(log: Log, policy: Policy) -> WitnessedRef | None:
    """For a report about to be signed: it was signed after this. None: nobody has seen anything, or that cannot be read."""
    try:
        found = reach(log, policy)
    except (RecordError, TrustError):
        return None
    return WitnessedRef(found.size, found.root.hex(), found.at, found.by, found.rests_on) if found.at else None


def kept_digests(log: Log) -> frozenset[str]:
    """SHA-256 of every cosignature and time stamp that is kept, on nobody's word: what reports name them by.

    Raises:
        RecordError: the disk refused.
    """
    return frozenset(digest for kept in kept_in(log).kept() for digest in kept.digests)


def _each(log: Log, policy: Policy) -> Iterator[tuple[tuple[Claim, ...], tuple[str, ...]]]:
    """What was seen of each checkpoint that is kept, the largest first."""
    grown_out_of: Callable[[Checkpoint], str] | None = None
    origin = origin_of(log)
    for kept in kept_in(log).kept():
        try:
            mine = own_kept(kept, origin, policy)
        except TrustError as error:
            yield (), (str(error),)
            continue
        seen, wrong = claims(kept, mine, policy)
        grown_out_of = grown_out_of or against_today(log, policy)
        why = grown_out_of(mine.checkpoint)
        yield ((), (*wrong, f"{kept.place}: {why}")) if why else (seen, wrong)


def against_today(log: Log, policy: Policy) -> Callable[[Checkpoint], str]:
    """Whether the log as it is today grew out of a checkpoint: why not, in words; empty: it did.

    Shown by a consistency proof to today's checkpoint, so that tiles which were tampered with show nothing. Where a power cut
    took tiles, the bundles of entries show it as well.
    """
    try:
        today = log.tree.checkpoint(policy.log_keys(even_stolen=True))
    except TrustError as error:
        broken = str(error)
        return lambda _: broken
    if today is None:
        return lambda _: "it was shown to somebody outside, and the log has no checkpoint any more"
    read = log.tree.tiles.reader(today.size)
    roots = cache(lambda: log.tree.roots(today.size, kept_in(log).sizes()))

    def why_not(old: Checkpoint) -> str:
        if old.size > today.size:
            return f"it was shown to somebody outside, and the log covers {today.size} entries only: it has lost its end"
        if _proven(old, today, read):
            return ""
        try:
            made = roots()
        except TrustError as error:
            return f"whether the log grew out of it cannot be seen: {error}"
        if made.get(old.size) == old.root and made[today.size] == today.root:
            return ""
        return f"the first {old.size} entries are not those that were shown to somebody outside: the history was rewritten"

    return why_not


def _proven(old: Checkpoint, today: Checkpoint, read: Reader) -> bool:
    try:
        return follows(old, today, consistency_proof(old.size, today.size, read))
    except TrustError:
        return False


def origin_of(log: Log) -> str:
    """The log's name; of a log that has lost it, any name will do, and the tree's findings say so."""
    return (read_whole(log.folder / "origin") or b"").decode(errors="replace").removesuffix("\n")
