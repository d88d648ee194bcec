"""A withdrawal: an approval taken back, for a baseline that must not be compared with any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from verifier.model.device import DeviceName


@dataclass(frozen=True, slots=True)
class Withdrawal:
    device: DeviceName
    serial: int
    """Of the baseline."""
    baseline: str
    """SHA-256 of the baseline's envelope, 64 hex digits."""
    at: datetime
    reason: str
