"""A report: the verdict of one check of one device, and all it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from verifier.model.device import DeviceName
from verifier.model.drift import Drift
from verifier.model.snapshot import Exchange, NotAsked
from verifier.model.words import Criticality, Event, Evidence, Kind, Verdict


@dataclass(frozen=True, slots=True)
class ItemResult:
    name: str
    kind: Kind
    criticality: Criticality
    expected: int
    """Members the baseline holds and its mask does not name, and beside them what is unread now and unknown to it."""
    read: int
    """Members read now, `unread` ones not counted."""
    unread: int
    drifted: int
    masked: int
    """Members read but not compared, because the profile's signed mask names them."""
    weakest: Evidence
    manifest_sha256: str
    """Over all readings of this item, so that two reports can be compared without listing them."""


@dataclass(frozen=True, slots=True)
class BaselineRef:
    """Which baseline was compared with: its serial and the SHA-256 of its envelope."""

    serial: int
    sha256: str
    approved_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Members compared, of all that should have been."""

    compared: int
    expected: int


@dataclass(frozen=True, slots=True)
class WitnessedRef:
    """The newest witnessed checkpoint of the record that was known when the report was signed: it was signed after that."""

    size: int
    """Entries."""
    root: str
    """64 hex digits."""
    at: datetime
    """When those who cosigned or stamped it say that they saw it; the latest of those that the policy asks for."""
    by: tuple[str, ...]
    rests_on: tuple[str, ...] = ()
    """SHA-256 of what each of them gave, a cosignature's lines or a time stamp's response, 64 hex digits: a second can be guessed
    ahead, this cannot. Empty in reports of before this was kept: then it is no proof of when."""


@dataclass(frozen=True, slots=True)
class Running:
    """What the device said of itself as it ran when it was read, so that the next check can tell whether that went on."""

    boot: str = ""
    """A name of its present run, another one after each start; empty: it was not asked, or has none."""
    firmware: str = ""
    """The version it says it runs; empty: none was read."""


@dataclass(frozen=True, slots=True)
class Report:
    device: DeviceName
    verdict: Verdict
    started: datetime
    ended: datetime
    profile: str
    profile_version: int
    profile_digest: str
    baseline: BaselineRef
    coverage: Coverage
    items: tuple[ItemResult, ...]
    drifts: tuple[Drift, ...]
    not_asked: tuple[NotAsked, ...]
    notes: tuple[str, ...]
    exchange: Exchange
    tool: str
    """`crane-verify 0.1.0`"""
    previous: str
    """SHA-256 of the newest entry of the record when this report was signed, 64 hex digits; empty for the first."""
    witnessed: WitnessedRef | None = None
    """None: nobody had witnessed anything yet, or it was made before this was kept."""
    running: Running | None = None
    """None: nothing of it was read, or it was made before this was kept."""
    events: tuple[Event, ...] = ()
    """Since the newest report before this one that compared anything."""
