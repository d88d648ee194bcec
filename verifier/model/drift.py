"""Drift: a difference between what was approved and what was read."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.model.words import Criticality, DriftKind, Evidence, Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about a member that is not as approved, in words: `mode 0644 -> 4755`."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Drift:
    kind: DriftKind
    item: str
    item_kind: Kind
    criticality: Criticality
    member: str
    evidence: Evidence
    """Of the reading that shows it; for a missing member, of the approved one."""
    differences: tuple[Difference, ...]
    note: str = ""
    """What an engineer should know first: `firmware downgrade 3.10.8 -> 3.9.2`, the reason something is unread."""
    diff: tuple[str, ...] = ()
    """Unified diff lines of kept text, secrets already redacted."""
