"""Verifying a spare before it is fitted: another device or card, compared with what was approved for the crane's own.

It is the same comparison as a check, and no check: nothing is signed, and the record does not learn of it. What was read says
nothing of the device that sits in the crane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from verifier.collect.connection import CONNECTION
from verifier.errors import TrustError, UsageError
from verifier.model.baseline import Baseline
from verifier.model.device import Device, ImageAddress, where
from verifier.model.report import Report
from verifier.model.snapshot import ItemSnapshot, Snapshot
from verifier.procedures.approved import valid
from verifier.procedures.collector import Collector
from verifier.procedures.comparing import Valid, compared
from verifier.procedures.judging import judged, refused
from verifier.procedures.reading import read
from verifier.trust.verify import Verified

OWN_LINE = "who answers on the line is each device's own, and was not compared"


@dataclass(frozen=True, slots=True)
class SpareRead:
    """What came of comparing a spare."""

    spare: str
    """What was read, in words: `image /media/card`, or the other device and its address."""
    report: Report
    """As of a check, and signed by nobody. Its device is the one whose baseline it was compared with."""


def spare_card(device: Device, path: str, partition: int = 0) -> Device:
    """A card, an image or a folder in the device's place. It lies on a bench, so the crane's hours do not matter."""
    return replace(device, address=ImageAddress(path, partition), window=None)


def spare_device(device: Device, other: Device) -> Device:
    """Another device of the inventory in this one's place.

    Raises:
        UsageError: it is the device itself, or is asked other things.
    """
    if other.name == device.name:
        raise UsageError(f"{device.name} is no spare of itself", f"crane-verify check {device.name}")
    if other.profile != device.profile:
        raise UsageError(
            f"{other.name} is read with profile {other.profile}, and {device.name} with {device.profile}",
            "only a device of the same profile can be its spare",
        )
    return other


def verify_spare(device: Device, spare: Device, collector: Collector) -> SpareRead:
    """Compare a spare (`spare_card`, `spare_device`) with the device's approved baseline.

    As with a check, nothing is asked unless the baseline can be trusted.

    Raises:
        UsageError: the profile is missing or wrong.
        RecordError: another run holds the spare, or the disk refused what is kept of the reading.
    """
    profile = collector.profile(device)
    words = where(spare.address) if spare.name == device.name else f"{spare.name} ({where(spare.address)})"
    try:
        baselines = valid(device, collector)
    except TrustError as error:
        return SpareRead(words, refused(device, profile, error, collector))
    found = _in_its_place(read(spare, profile, collector), device)
    differing = compared(_without_line(baselines), found, collector.workspace.kept_text)
    report = judged(differing, found, collector, spare=True)
    return SpareRead(words, replace(report, notes=(f"a spare: {OWN_LINE}", *report.notes)))


def _in_its_place(found: Snapshot, device: Device) -> Snapshot:
    return replace(found, device=device.name, items=_items(found))


def _without_line(baselines: Valid) -> Valid:
    older = _compared_with(baselines.older) if baselines.older else None
    return replace(baselines, newest=_compared_with(baselines.newest), older=older)


def _compared_with(approved: Verified[Baseline]) -> Verified[Baseline]:
    """The same baseline, as it was signed, of which all but the line is compared."""
    snapshot = approved.value.snapshot
    return replace(approved, value=replace(approved.value, snapshot=replace(snapshot, items=_items(snapshot))))


def _items(snapshot: Snapshot) -> tuple[ItemSnapshot, ...]:
    return tuple(item for item in snapshot.items if item.name != CONNECTION)
