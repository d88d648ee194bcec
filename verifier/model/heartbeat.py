"""A heartbeat: the record was alive at this time and had nothing else to say. Without it, silence could be a record held back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Heartbeat:
    at: datetime
    tool: str
    """`crane-verify 0.1.0`"""
    previous: str
    """SHA-256 of the newest entry of the record when this was signed, 64 hex digits; empty for the first."""
