"""How far a device has been read: what a person watching a long read wants to see."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.model.device import DeviceName


@dataclass(frozen=True, slots=True)
class Progress:
    device: DeviceName
    item: str
    """The item being asked now; empty when all have been."""
    number: int
    """Of this item, counted from 1; as high as `of` when all have been asked."""
    of: int
    answers: int
    """Answers to this item so far."""
    received: int
    """Bytes from the device so far, over the whole session."""
