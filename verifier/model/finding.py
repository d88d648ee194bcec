"""A finding: one drift that is seen again and again, from its first sight until it is seen matching, and what was done about it.

Findings are derived, never stored: what was seen stands in signed reports, what was done in signed steps.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from verifier.model.device import DeviceName
from verifier.model.drift import Drift
from verifier.model.words import Criticality, DriftKind


class State(StrEnum):
    """Where a finding stands. Nothing but a signed step or a later report moves it."""

    OPEN = "open"
    INVESTIGATING = "investigating"
    ACCEPTED = "accepted"
    """It is to be the baseline; still drift until that is approved."""
    REJECTED = "rejected"
    """It is to be put back as the baseline has it."""
    RESOLVED = "resolved"


STEPS = (State.INVESTIGATING, State.ACCEPTED, State.REJECTED)
"""What a person may sign. A finding opens, and is resolved, by what checks see alone."""
SHOWN = 8
"""Digits of an id that are shown."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says with a step; it is signed."""

    reason: str
    ticket: str = ""
    changed_by: str = ""
    """Who changed it, as they say; empty: nobody says."""


@dataclass(frozen=True, slots=True)
class FindingStep:
    """What somebody signed about one finding."""

    device: DeviceName
    item: str
    member: str
    drift: str
    """What exactly it is about: SHA-256 over the drift's kind and differences (`compare.finding`), 64 hex digits."""
    report: str
    """SHA-256 of the envelope of the newest report that shows it, 64 hex digits: a step is for the life in which it was taken."""
    state: State
    """One of `STEPS`."""
    reason: str
    at: datetime
    ticket: str = ""
    proposal: str = ""
    """SHA-256 of the payload of the baseline proposed with it; empty: none was."""
    changed_by: str = ""
    """Who changed it, as whoever signs this says. A claim: a reading shows what differs, never who did it. Empty: not known."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that counts: the right people signed it."""

    sequence: int
    """Its entry of the record."""
    step: FindingStep
    by: tuple[str, ...]
    """Who signed, with roles: `A. Engineer (engineer)`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One device, one item, one member: its present life, or its last one where it is resolved."""

    device: DeviceName
    item: str
    member: str
    state: State
    since: datetime
    """When the first report of this life ended."""
    last: datetime
    """When the newest report that shows it ended."""
    times: int
    """Reports of this life that show it."""
    first_report: int
    last_report: int
    """Their entries of the record."""
    drift: Drift
    """As the newest of these reports has it."""
    digest: str
    """Of that drift, as a step names it."""
    seen: str
    """SHA-256 of the envelope of that report."""
    steps: tuple[Taken, ...] = ()
    """All that were ever taken on this member, oldest first."""
    standing: Taken | None = None
    """The step that decides the state; None: the drift alone does."""
    attributed: Taken | None = None
    """The newest step of this life that says who made this very drift; None: nobody says."""
    changed: bool = False
    """The drift is another one than the last step of this life was about."""
    resolved: datetime | None = None
    """When the report ended in which it was seen matching; None: it never was."""

    @property
    def id(self) -> str:
        """The whole of it, 64 hex digits; people are shown `SHOWN` of them."""
        return finding_id(self.device, self.item, self.member)

    @property
    def name(self) -> str:
        return self.id[:SHOWN]

    @property
    def kind(self) -> DriftKind:
        return self.drift.kind

    @property
    def criticality(self) -> Criticality:
        return self.drift.criticality


def finding_id(device: DeviceName, item: str, member: str) -> str:
    """By what a finding is named: SHA-256 of `site/crane/device#item#member`, 64 hex digits."""
    return hashlib.sha256(f"{device}#{item}#{member}".encode()).hexdigest()
