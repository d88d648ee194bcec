"""What a device went through between two checks, as far as both of them read it."""

from __future__ import annotations

from verifier.model.report import Running
from verifier.model.snapshot import BOOT_ID, FactValue, Snapshot
from verifier.model.words import Event


def boot_of(snapshot: Snapshot) -> str:
    """The name of the run in which the device was read; empty: none was read."""
    for item in snapshot.items:
        for reading in item.readings:
            if reading.member == BOOT_ID and isinstance(reading.value, FactValue):
                return reading.value.text
    return ""


def events(before: Running | None, now: Running | None) -> tuple[Event, ...]:
    """What is not as it was. What one of the two did not read tells nothing."""
    if before is None or now is None:
        return ()
    pairs = {Event.RESTARTED: (before.boot, now.boot), Event.FIRMWARE: (before.firmware, now.firmware)}
    return tuple(event for event, (old, new) in pairs.items() if old and new and old != new)
