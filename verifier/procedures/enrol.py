"""Enrolling a device: one or several captures become a proposal, which people then read and sign."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from verifier.collect.connection import CONNECTION
from verifier.compare.drifts import compare
from verifier.compare.volatility import ProposedMask, proposed_masks
from verifier.errors import DeviceError, UsageError
from verifier.model.baseline import Baseline, Moved, Provenance
from verifier.model.device import Device
from verifier.model.snapshot import NotAsked, Snapshot, Unread
from verifier.model.words import DriftKind
from verifier.procedures.collector import Collector
from verifier.procedures.judging import TOOL
from verifier.procedures.predecessor import Predecessor, predecessor
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
    staged_for: timedelta | None = None
    """So long the baseline it replaces is valid beside it; None: it replaces it at once."""
    read_from: Device | None = None
    """The device that is read in this one's place, such as a bench unit or a sister crane; None: the device itself."""


@dataclass(frozen=True, slots=True)
class Proposed:
    baseline: Baseline
    masks: tuple[ProposedMask, ...]
    """What could be masked in the profile, where several captures were not the same. An engineer decides; none is in force."""


def capture(device: Device, collector: Collector, record: Record | None = None, golden: bool = False) -> Snapshot:
    """What a device holds now. Nothing is signed, compared or added to the record; `record` takes all its answers."""
    return read(device, collector.profile(device), collector, record, golden)


def propose(
    device: Device, proposing: Proposing, collector: Collector, borne_out: Callable[[Snapshot], str] = lambda _: ""
) -> Proposed:
    """Read a device, once or several times, and lay the proposal down to be signed.

    `borne_out` looks at what is to be proposed and gives what speaks for it, which its signers read beside the reason; it raises
    `UsageError` where it should not be proposed.

    Raises:
        DeviceError: nothing at all could be read, so there is nothing to approve.
        UsageError: the other device it is to be read from is asked other things; or there is no baseline that could be valid
            beside it.
    """
    source = _source(device, proposing)
    _can_be_staged(device, proposing, predecessor(device, collector))
    snapshots = [capture(source, collector, golden=True)]
    for _ in range(1, proposing.captures):
        time.sleep(proposing.spacing.total_seconds())
        snapshots.append(capture(source, collector, golden=True))
    last = snapshots[-1]
    if not any(readings_of(last)):
        raise DeviceError(f"{source.name}: nothing could be read, so there is nothing to approve", first_reason(last))
    witness = borne_out(last)
    before = predecessor(device, collector)
    _can_be_staged(device, proposing, before)
    now = collector.now()
    baseline = Baseline(
        snapshot=last if source is device else _in_place_of(last, device, before),
        serial=before.accepted.serial + 1 if before.accepted else 1,
        supersedes=before.accepted.sha256 if before.accepted else "",
        proposed=now,
        not_after=_after(now, proposing.valid_for),
        reason=f"{proposing.reason}; {witness}" if witness else proposing.reason,
        captures=len(snapshots),
        moved=moved(snapshots),
        staged_until=_after(now, proposing.staged_for),
        provenance=Provenance(platform.node(), TOOL, "" if source is device else str(source.name)),
    )
    with collector.workspace.baselines.alone(device.name):
        collector.workspace.baselines.propose(device.name, seal(written(BASELINE, baseline), PAYLOAD_TYPE, ()))
    return Proposed(baseline, proposed_masks(snapshots, collector.workspace.kept_text) if len(snapshots) > 1 else ())


def _after(now: datetime, span: timedelta | None) -> datetime | None:
    return now + span if span else None


def _source(device: Device, proposing: Proposing) -> Device:
    """The device that is really read."""
    other = proposing.read_from
    if other is None or other.name == device.name:
        return device
    if other.profile != device.profile:
        raise UsageError(
            f"{other.name} is read with profile {other.profile}, and {device.name} with {device.profile}",
            "only a device of the same profile can be read in its place",
        )
    return other


def _can_be_staged(device: Device, proposing: Proposing, before: Predecessor) -> None:
    if proposing.staged_for and before.trusted is None:
        why = before.doubt or f"{device.name} has none yet"
        raise UsageError(f"no baseline could be valid beside the new one: {why}", "propose it without --staged-for")


def _in_place_of(read: Snapshot, device: Device, before: Predecessor) -> Snapshot:
    """What was read of another device, as what this one should be.

    Who answers on the line is each device's own: that comes from this device's last baseline, and where there is none, nobody has
    approved it, and no check is a match until one is read from the device itself.
    """
    known = before.trusted.value.snapshot.items if before.trusted else ()
    own = tuple(item for item in known if item.name == CONNECTION)
    others = tuple(item for item in read.items if item.name != CONNECTION)
    lacking = len(others) < len(read.items) and not own
    not_asked = (NotAsked(CONNECTION, f"read from {read.device} in its place"),) if lacking else ()
    return replace(read, device=device.name, items=(*own, *others), not_asked=(*read.not_asked, *not_asked))


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
