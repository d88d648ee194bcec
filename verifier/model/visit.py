"""A visit: who comes to which devices, and what is expected to change; what was there before and after; what was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from verifier.model.device import DeviceName
from verifier.model.drift import Drift
from verifier.model.finding import SHOWN, finding_id
from verifier.model.snapshot import Snapshot
from verifier.model.words import DriftKind

GONE = "gone"
"""The value of an expectation that a member will not be there any more."""


class Outcome(StrEnum):
    """What a visit came to, of each difference and of each expectation."""

    MATCHED = "matched"
    """Declared, and as declared."""
    DIFFERENT = "different"
    """Declared, and not as declared."""
    UNDECLARED = "undeclared"
    ABSENT = "absent"
    """Declared, and not seen to have happened."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a visit is declared to change."""

    device: DeviceName
    item: str
    """A pattern over item names."""
    member: str
    """Without a value a pattern over members; with one exactly this member."""
    value: str = ""
    """What it will be: 64 hex digits of a file's content, `GONE`, or the value as a report prints it. Empty: it may change in any
    way."""
    package: str = ""
    """SHA-256 of the vendor's package it was computed from; empty: somebody typed it."""

    def __str__(self) -> str:
        return f"{self.device}#{self.item}#{self.member}" + (f"={self.value}" if self.value else "")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist: what no network can see."""

    question: str
    answer: str
    note: str = ""
    photos: tuple[str, ...] = ()
    """SHA-256 of each file, 64 hex digits."""


@dataclass(frozen=True, slots=True)
class NotReached:
    """The device was asked and gave nothing."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Side:
    """A device before or after a visit."""

    device: DeviceName
    seen: Snapshot | NotReached


@dataclass(frozen=True, slots=True)
class InForceThen:
    """Which baseline of a device was in force."""

    device: DeviceName
    serial: int
    """0: none was."""
    sha256: str
    """Of its envelope, 64 hex digits; empty: none was."""


@dataclass(frozen=True, slots=True)
class VisitOpened:
    vendor: str
    people: tuple[str, ...]
    work_order: str
    why: str
    expected: tuple[Expectation, ...]
    sides: tuple[Side, ...]
    """Each device of the visit as it was before."""
    baselines: tuple[InForceThen, ...]
    checklist: tuple[Check, ...]
    at: datetime
    overdue_at: datetime
    tool: str

    @property
    def devices(self) -> tuple[DeviceName, ...]:
        return tuple(side.device for side in self.sides)


@dataclass(frozen=True, slots=True)
class VisitDifference:
    """A member that is not after the visit what it was before."""

    device: DeviceName
    drift: Drift
    outcome: Outcome
    expectation: Expectation | None = None
    """The one that declared it; None: none did."""

    @property
    def id(self) -> str:
        """As a finding of the same member is named: 64 hex digits."""
        return finding_id(self.device, self.drift.item, self.drift.member)

    @property
    def name(self) -> str:
        return self.id[:SHOWN]


@dataclass(frozen=True, slots=True)
class Absent:
    """An expectation that was not seen to come true."""

    expectation: Expectation
    why: str


@dataclass(frozen=True, slots=True)
class DeviceDrift:
    """A drift, and of which device: what nobody can tell of, or what was there before the visit."""

    device: DeviceName
    drift: Drift


@dataclass(frozen=True, slots=True)
class VisitClosed:
    opened: str
    """SHA-256 of the envelope that opened it, 64 hex digits."""
    sides: tuple[Side, ...]
    """Each device as it is after."""
    baselines: tuple[InForceThen, ...]
    differences: tuple[VisitDifference, ...]
    absent: tuple[Absent, ...]
    untold: tuple[DeviceDrift, ...]
    """What was not read before or not after, so that nobody can say whether the visit changed it."""
    before_drift: tuple[DeviceDrift, ...]
    """What differed from the baseline before the visit began, and is nothing that the visit did."""
    checklist: tuple[Check, ...]
    at: datetime
    tool: str


@dataclass(frozen=True, slots=True)
class VisitApproved:
    closed: str
    """SHA-256 of the envelope that closed it, 64 hex digits."""
    accepted: tuple[str, ...]
    """Ids of differences, 64 hex digits each, that become part of the next baseline."""
    refused: tuple[str, ...]
    """Ids of the others. They stay drift."""
    reason: str
    at: datetime


def is_told(drift: Drift) -> bool:
    """Whether both sides were read, so that it is a difference; else nobody can tell."""
    return drift.kind is not DriftKind.UNREAD
