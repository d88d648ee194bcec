"""How much of what should have been compared was: per item, and over all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from verifier.compare.items import pairs
from verifier.model.drift import Drift
from verifier.model.manifest import manifest_sha256
from verifier.model.report import Coverage, ItemResult
from verifier.model.snapshot import ItemSnapshot, Snapshot, Unread
from verifier.model.words import DriftKind, Evidence


def item_results(approved: Snapshot, found: Snapshot, drifts: Iterable[Drift]) -> tuple[ItemResult, ...]:
    """One line for each item of either side, in the baseline's order. `drifts` are what `compare` gave for the same two.

    Of each item: `expected` are the members the baseline holds and its mask does not name, and beside them what is unread now
    and unknown to the baseline, so that `expected - unread` were compared. Kind and criticality are the approved ones.

    Raises:
        ValueError: as `compare`.
    """
    drifted = Counter(drift.item for drift in drifts if drift.kind is not DriftKind.UNREAD)
    return tuple(
        ItemResult(
            name=item.name,
            kind=item.kind,
            criticality=item.criticality,
            expected=walked.compared + walked.unread,
            read=walked.read,
            unread=walked.unread,
            drifted=drifted[item.name],
            masked=walked.masked,
            weakest=_weakest(now),
            manifest_sha256=manifest_sha256(now),
        )
        for item, now, walked in pairs(approved, found)
    )


def coverage(items: Iterable[ItemResult]) -> Coverage:
    """Members compared, of all that should have been. Members under a mask are in neither number."""
    held = tuple(items)
    return Coverage(sum(item.expected - item.unread for item in held), sum(item.expected for item in held))


def _weakest(item: ItemSnapshot) -> Evidence:
    """The weakest evidence among what was read; `stated`, which proves nothing, where nothing was."""
    return min((r.evidence for r in item.readings if not isinstance(r.value, Unread)), default=Evidence.STATED)
