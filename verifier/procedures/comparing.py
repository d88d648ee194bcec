"""Comparing what was found with each baseline that is valid today, and saying which of them decides."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.compare.drifts import compare
from verifier.compare.textdiff import Texts
from verifier.model.baseline import Baseline
from verifier.model.drift import Drift
from verifier.model.snapshot import Snapshot
from verifier.model.words import DriftKind
from verifier.trust.verify import Verified


@dataclass(frozen=True, slots=True)
class Valid:
    """What a device may be like today."""

    newest: Verified[Baseline]
    older: Verified[Baseline] | None = None
    """The one it replaces, while it is valid beside it; None: the newest alone is."""
    alone: str = ""
    """Why the older one is not valid although its time has not passed, in words; empty: nothing to tell."""


@dataclass(frozen=True, slots=True)
class Compared:
    baseline: Verified[Baseline]
    """The one that decides."""
    drifts: tuple[Drift, ...]
    notes: tuple[str, ...] = ()
    """Which baseline it is, where two are valid."""


def compared(valid: Valid, found: Snapshot, texts: Texts) -> Compared:
    """Compare with the newest baseline, and where anything differs also with the one still valid beside it.

    The one without drift decides; else the one from which less is known to differ, then of which less is unread, then the newest.
    A device that is half one and half the other differs from both.
    """
    newest = valid.newest
    first = Compared(newest, compare(newest.value.snapshot, found, texts), (valid.alone,) if valid.alone else ())
    if valid.older is None:
        return first
    older, until = valid.older, f"until {newest.value.staged_until:%Y-%m-%d %H:%M} UTC"
    one, other = f"baseline {newest.value.serial}", f"baseline {older.value.serial}"
    first = Compared(newest, first.drifts, (f"compared with {one}; {other} is valid beside it {until}",))
    if not first.drifts:
        return first
    note = f"compared with {other}, which is valid beside {one} {until}"
    second = Compared(older, compare(older.value.snapshot, found, texts), (note,))
    return min(first, second, key=_weight)


def _weight(of: Compared) -> tuple[int, int]:
    unread = sum(drift.kind is DriftKind.UNREAD for drift in of.drifts)
    return len(of.drifts) - unread, unread
