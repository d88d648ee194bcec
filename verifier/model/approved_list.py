"""The approved list: the hardware, firmware and software that signed baselines approve, device by device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from verifier.model.device import DeviceName
from verifier.model.origin import Origin
from verifier.model.words import Evidence, Kind


class Standing(StrEnum):
    """How a component stands in the baseline."""

    APPROVED = "approved"
    NOT_COMPARED = "approved, not compared"
    """The signed mask names it: it moves by itself, and what the baseline holds of it binds nobody."""
    RUN_OUT = "approval has run out"
    """It was approved until a time that has passed, by its baseline or by the policy."""
    NOT_READ = "not read"
    TWO_ANSWERS = "two answers"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Component:
    """One member of a baseline, or a whole item where the short form is asked for."""

    item: str
    kind: Kind | None
    """None: the profile names the item, and the route could not ask it, so its kind is in no baseline."""
    name: str
    version: str
    what: str
    """The value in words."""
    sha256: str
    """Of the file's bytes, 64 hex digits; empty for what is no file."""
    normalised_sha256: str
    """Of its normalised text, where that is what is compared."""
    readings_sha256: str
    """Of all readings of an item, as its subject in the signed baseline has it; for whole items only."""
    evidence: Evidence | None
    """None: there is no reading."""
    standing: Standing


@dataclass(frozen=True, slots=True)
class ApprovedDevice:
    """A device as one baseline approves it. While an update is under way two are valid, and it stands in the list twice."""

    device: DeviceName
    origin: Origin
    profile: str
    serial: int
    """Of the baseline."""
    sha256: str
    """Of the baseline's envelope."""
    approved_by: tuple[str, ...]
    proposed: datetime
    not_after: datetime | None
    run_out: bool
    """The baseline, or the policy, was signed until a time that has passed."""
    notes: tuple[str, ...]
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class NotApproved:
    """A device that stands in the list because leaving it out would make the list look whole."""

    device: DeviceName
    origin: Origin
    profile: str
    """Empty: it is not in the inventory."""
    why: str
    hint: str
    retired: bool
    """It left the inventory and its baseline was taken away too, as for a device that went out of service."""


@dataclass(frozen=True, slots=True)
class ApprovedList:
    of: tuple[str, ...]
    """The sites, cranes or devices that were asked for; none: all of the inventory."""
    marking: str
    """How the port wants it marked; empty: not at all."""
    devices: tuple[ApprovedDevice | NotApproved, ...]
