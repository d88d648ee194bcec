"""Enrolling a device: one or several captures become a proposal, which people then read and sign."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import timedelta

from verifier.compare.drifts import compare
from verifier.errors import UsageError
from verifier.model.baseline import Baseline, Moved
from verifier.model.device import Device
from verifier.model.snapshot import Snapshot, Unread
from verifier.model.words import DriftKind
from verifier.procedures.collector import Collector
from verifier.procedures.predecessor import predecessor
from verifier.procedures.reading import Record, read
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.statement import BASELINE, written


@dataclass(frozen=True, slots=True)
class Proposing:
    """How a baseline is to be proposed."""

    reason: str
    captures: int = 1
    spacing: timedelta = timedelta(0)
    valid_for: timedelta | None = None


def capture(device: Device, collector: Collector, record: Record | None = None) -> Snapshot:
    """What a device holds now. Nothing is signed, compared or added to the record; `record` takes all its answers."""
    return read(device, collector.profile(device), collector, record)


def propose(device: Device, proposing: Proposing, collector: Collector) -> Baseline:
    """Read a device, once or several times, and lay the proposal down to be signed.

    Raises:
        UsageError: nothing at all could be read; there is nothing to approve.
    """
    snapshots = [capture(device, collector)]
    for _ in range(1, proposing.captures):
        time.sleep(proposing.spacing.total_seconds())
        snapshots.append(capture(device, collector))
    last = snapshots[-1]
    if not any(readings_of(last)):
        raise UsageError(f"{device.name}: nothing could be read, so there is nothing to approve", first_reason(last))
    before = predecessor(device, collector).accepted
    now = collector.now()
    baseline = Baseline(
        snapshot=last,
        serial=before.serial + 1 if before else 1,
        supersedes=before.sha256 if before else "",
        proposed=now,
        not_after=now + proposing.valid_for if proposing.valid_for else None,
        reason=proposing.reason,
        captures=len(snapshots),
        moved=moved(snapshots),
    )
    collector.workspace.baselines.propose(device.name, seal(written(BASELINE, baseline), PAYLOAD_TYPE, ()))
    return baseline


def readings_of(snapshot: Snapshot) -> list[str]:
    """The members that were really read, the line's own facts aside."""
    return [
        reading.member
        for item in snapshot.items
        if item.name != "connection"
        for reading in item.readings
        if not isinstance(reading.value, Unread)
    ]


def first_reason(snapshot: Snapshot) -> str:
    """Why nothing was read, in the words of the first member that was not."""
    for item in snapshot.items:
        for reading in item.readings:
            if isinstance(reading.value, Unread):
                return f"{reading.value.reason}: {reading.value.detail}" if reading.value.detail else str(reading.value.reason)
    return "the profile asks for nothing this device has; run `crane-verify probe` on it"


def moved(snapshots: list[Snapshot]) -> tuple[Moved, ...]:
    """What was not the same in all captures, with what it was each time. An engineer decides; nothing is masked by itself."""
    first = snapshots[0]
    seen: dict[tuple[str, str], list[str]] = {}
    for place, later in enumerate(snapshots[1:], start=1):
        for drift in compare(first, replace(later, device=first.device), lambda _: None):
            if drift.kind is DriftKind.UNREAD:
                continue
            shown = "; ".join(f"{d.what} {d.before} -> {d.after}" for d in drift.differences) or str(drift.kind)
            seen.setdefault((drift.item, drift.member), []).append(f"capture {place + 1}: {shown}")
    return tuple(Moved(item, member, tuple(words)) for (item, member), words in sorted(seen.items()))
