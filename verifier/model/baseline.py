"""A baseline: the snapshot that the right people have approved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from verifier.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Moved:
    """A member that was not the same in all captures of a proposal. Shown, never masked by itself."""

    item: str
    member: str
    seen: tuple[str, ...]
    """What it was, in words, one entry per capture."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a proposal came from."""

    by: str
    """The machine that read the device, by host name."""
    tool: str
    """`crane-verify 0.1.0`"""
    read_from: str = ""
    """The device that was read in this one's place, such as a bench unit or a sister crane; empty: the device itself."""


@dataclass(frozen=True, slots=True)
class Baseline:
    snapshot: Snapshot
    serial: int
    """1, 2, 3 ... per device. A check never goes back to a lower one."""
    supersedes: str
    """SHA-256 of the envelope this one replaces, 64 hex digits; empty for the first."""
    proposed: datetime
    not_after: datetime | None
    reason: str
    captures: int
    moved: tuple[Moved, ...]
    staged_until: datetime | None = None
    """Until then the baseline it replaces is valid beside it, so that an update needs no gap; None: it replaces it at once."""
    provenance: Provenance | None = None
    """None: it was proposed before this was kept."""
