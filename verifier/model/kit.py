"""A restore kit: everything that a baseline names, and which of it is at hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from verifier.model.device import DeviceName
from verifier.model.snapshot import FileValue, NotAsked


class Standing(StrEnum):
    KEPT = "kept"
    MISSING = "missing"
    DAMAGED = "damaged"
    """What is kept under this digest is something else by now, and is not in the kit."""
    NOT_READ = "not read"
    """The baseline itself does not know it."""
    NO_CONTENT = "no content"
    """A folder, a link, a device node: to be made, not copied."""

    @property
    def lacking(self) -> bool:
        """Whether a device cannot be set up as approved from this kit alone."""
        return self in (Standing.MISSING, Standing.DAMAGED, Standing.NOT_READ)


@dataclass(frozen=True, slots=True)
class KitFile:
    item: str
    path: str
    """Where it goes, in printable form (see `member.shown`). Hostile until it is compared: a device chose it."""
    file: FileValue
    standing: Standing
    compared: bool
    """False: the approved mask leaves it out of checks, since it moves by itself."""


@dataclass(frozen=True, slots=True)
class KitValue:
    """A register, a parameter or what a device says of itself: set by hand, by a person."""

    item: str
    member: str
    value: str
    """In words, with its unit."""
    raw: tuple[int, ...]
    """Registers or bits, in address order; empty for what is no register."""
    address: str
    """`holding 100`, 0-based, where the profile names it."""
    compared: bool


@dataclass(frozen=True, slots=True)
class KitGap:
    """What the baseline has no value of."""

    item: str
    member: str
    why: str
    standing: Standing = Standing.NOT_READ


@dataclass(frozen=True, slots=True)
class Kit:
    device: DeviceName
    serial: int
    baseline: str
    """SHA-256 of the signed envelope, 64 hex digits."""
    signers: tuple[str, ...]
    made: datetime
    tool: str
    files: tuple[KitFile, ...]
    values: tuple[KitValue, ...]
    gaps: tuple[KitGap, ...]
    not_asked: tuple[NotAsked, ...]
    notes: tuple[str, ...]

    @property
    def lacking(self) -> tuple[KitFile | KitGap, ...]:
        """Loudly: everything that the baseline names and that the kit does not hold."""
        return (*(each for each in self.files if each.standing.lacking), *self.gaps)
