"""What is no drift, and yet must be said."""

from __future__ import annotations

from verifier.compare.describe import number
from verifier.model.snapshot import NumberValue, Snapshot
from verifier.model.words import Evidence


def limit_notes(found: Snapshot) -> tuple[str, ...]:
    """Parameters outside the limits their profile gives, also where they are as approved."""
    return tuple(
        f"{reading.member} is {number(reading.value)}, outside the limits of the profile ({item.name})"
        for item in found.items
        for reading in item.readings
        if isinstance(reading.value, NumberValue) and reading.value.out_of_limits
    )


def evidence_notes(approved: Snapshot, found: Snapshot) -> tuple[str, ...]:
    """Items approved from a card or image with the device off, and read now from the running device."""
    offline = {item.name for item in approved.items if any(r.evidence is Evidence.OFFLINE_MEDIA for r in item.readings)}
    return tuple(
        f"{item.name} was approved from offline media, and is read now from the running device"
        for item in found.items
        if item.name in offline and any(r.evidence < Evidence.OFFLINE_MEDIA for r in item.readings)
    )
