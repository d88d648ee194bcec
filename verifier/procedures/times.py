"""When a statement was made: what it claims itself, and between which moments that others saw it must lie.

Its own time is a claim. It was there when somebody outside saw a checkpoint with it in it, and was not made before the sighting
that it names itself, by the digest of what was given for it, which nobody knew before. Where these do not fit together,
somebody's clock is wrong, or somebody is lying.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from verifier.errors import TrustError
from verifier.model.report import Report
from verifier.trust.log.sighting import Sighting
from verifier.trust.statement import REPORT, StatementKind
from verifier.trust.verify import Verified

TOLERANCE = timedelta(minutes=5)
"""How far two clocks may differ before their difference says something."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which two moments a statement was made. None: nobody outside can say."""

    not_before: Sighting | None
    """It names this sighting of the record."""
    not_after: Sighting | None
    """The first sighting of the record with it in it."""

    def __str__(self) -> str:
        if not self.not_before and not self.not_after:
            return "when it was made, only its own clock says: nobody outside has seen it"
        bounds = []
        if self.not_before:
            bounds.append(f"after {_text(self.not_before.at)}, since it names what {self.not_before.by} saw then")
        if self.not_after:
            bounds.append(f"before {_text(self.not_after.at)}, when {self.not_after.by} saw the record with it in it")
        return f"made {' and '.join(bounds)}"


def bounded(
    report: Report | None,
    at: datetime,
    sequence: int,
    sightings: Sequence[Sighting],
    root_at: Callable[[int], bytes],
    kept: Callable[[], frozenset[str]],
) -> tuple[Bounds, tuple[str, ...]]:
    """Between which moments an entry was made, which claims to be of `at`; and what cannot be true about that, in words.

    `root_at` gives the root of the record when it had so many entries, or raises `TrustError` where no checkpoint reaches; `kept`
    the digests of everything that those outside gave.
    """
    not_before, doubts = _named_sighting(report, sequence, sightings, root_at, kept) if report else (None, [])
    covering = (each for each in sightings if each.size > sequence)
    not_after = min(covering, key=lambda each: (each.at, each.size, each.by), default=None)
    bounds = Bounds(not_before, not_after)
    return bounds, (*doubts, *_out_of_bounds(at, bounds))


@dataclass(slots=True)
class Clocks:
    """The clock of each collector, as its statements show it one after the other."""

    last: dict[tuple[str, ...], tuple[int, datetime]] = field(default_factory=dict)

    def doubt(self, sequence: int, kind: StatementKind[Any], verified: Verified[Any]) -> str:
        """What cannot be true about the time of the next entry; empty: nothing. What people sign waits, and has no order."""
        if kind.signed_as != REPORT.word:
            return ""
        signers = tuple(signer.key_id for signer in verified.signers)
        at = kind.at(verified.value)
        before, self.last[signers] = self.last.get(signers), (sequence, at)
        if before is None or at >= before[1] - TOLERANCE:
            return ""
        return (
            f"claims {_text(at)}, and entry {before[0]} before it {_text(before[1])}:"
            " the clock of the collector was set back, or the entry is back-dated"
        )


def _named_sighting(
    report: Report,
    sequence: int,
    sightings: Sequence[Sighting],
    root_at: Callable[[int], bytes],
    kept: Callable[[], frozenset[str]],
) -> tuple[Sighting | None, list[str]]:
    """The sighting a report names, if it is one of this record's; and what is wrong with what it names."""
    named = report.witnessed
    if named is None:
        return None, []
    if named.size > sequence:
        return None, [f"names a checkpoint of {named.size} entries, and only {sequence} were before it"]
    try:
        root = root_at(named.size).hex()
    except TrustError:
        return None, []  # what is wrong with the tree is said of the tree
    if root != named.root:
        return None, [
            f"names a witnessed checkpoint of {named.size} entries that this record never had:"
            " it was made for another history, or this one was rewritten"
        ]
    if gone := [each for each in named.rests_on if each not in kept()]:
        return None, [
            f"names what {' and '.join(named.by)} gave for {named.size} entries, and {gone[0][:16]}... is not in log/witnessed:"
            " it was removed, or never was"
        ]
    # where several had to see it, the last of them may have seen a longer one
    known = (each for each in sightings if each.size >= named.size and each.sha256 in named.rests_on)
    return next((each for each in known if each.at == named.at), None), []


def _out_of_bounds(at: datetime, bounds: Bounds) -> list[str]:
    wrong = []
    if bounds.not_after and at > bounds.not_after.at + TOLERANCE:
        wrong.append(f"claims {_text(at)}, and {bounds.not_after.by} saw it on {_text(bounds.not_after.at)}: it is post-dated")
    if bounds.not_before and at < bounds.not_before.at - TOLERANCE:
        wrong.append(
            f"claims {_text(at)}, and names what {bounds.not_before.by} saw on {_text(bounds.not_before.at)}: it is back-dated"
        )
    return wrong


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
