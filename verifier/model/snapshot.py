"""A snapshot: every answer of one device at one time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from verifier.model.device import DeviceName
from verifier.model.moving import Amount, Moving
from verifier.model.words import Criticality, Evidence, FileType, Kind, Reason


@dataclass(frozen=True, slots=True)
class FileValue:
    type: FileType
    mode: int
    """Permission bits with setuid, setgid and sticky: 0 to 0o7777."""
    owner: int
    group: int
    size: int
    """Bytes; for a device node `major << 20 | minor`; 0 for folders, links, fifos and sockets, whose size means nothing."""
    target: str = ""
    """Where a symlink points, printable form."""
    sha256: str = ""
    """Of the raw bytes; empty for what has no content."""
    normal_sha256: str = ""
    """Of the normalised text, where the profile has rules for it; then this one is compared."""
    kept: str = ""
    """Digest under which the redacted text is kept for diffs; empty: not kept."""
    version: str = ""
    """What the profile's version pattern found."""
    mtime: int = 0
    """Seconds since 1970, as the device says. Recorded, not compared."""
    masked: int = 0
    """Values, comments, lines and parts of lines that the profile's rules left out of the normalised text."""
    not_normal: str = ""
    """Why the profile's rules could not be applied, so that the raw bytes are compared; empty: they were, or there are none."""


@dataclass(frozen=True, slots=True)
class FactValue:
    """A line of what a device says of itself: `up mac=00:11:22:33:44:55 driver=e1000`."""

    text: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class NumberValue:
    """A named parameter. `raw` are the registers or bits as they came, so that nothing rests on our arithmetic."""

    raw: tuple[int, ...]
    shown: str
    """Engineering value without unit: `62.0`. A string: no floating point in what is signed."""
    unit: str = ""
    out_of_limits: bool = False


@dataclass(frozen=True, slots=True)
class WordValue:
    """One unnamed register (0-65535) or bit (0 or 1)."""

    word: int


def amount(value: NumberValue | WordValue) -> Amount:
    """A number, with or without a name."""
    if isinstance(value, WordValue):
        return Amount(str(value.word), (value.word,))
    return Amount(value.shown, value.raw, value.unit)


@dataclass(frozen=True, slots=True)
class Unread:
    """It was asked and not read. Never equal to anything."""

    reason: Reason
    detail: str = ""
    below: bool = False
    """True: everything below this member is unread too. The member named `*` is the whole item."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two routes, or two reads, gave two answers."""

    first_route: str
    first: str
    second_route: str
    second: str


Value = FileValue | FactValue | NumberValue | WordValue | Unread | Disagreement

BOOT_ID = "boot id"
"""The member that names the present run of a device: another one after each start. For a profile's mask."""
WHOLE_ITEM = "*"
"""The member name of an `Unread` that stands for the whole item."""


@dataclass(frozen=True, slots=True)
class Reading:
    member: str
    """Printable form (see `member.shown`)."""
    value: Value
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ItemSnapshot:
    name: str
    kind: Kind
    criticality: Criticality
    readings: tuple[Reading, ...]
    """Sorted by member; each member once."""
    volatile: tuple[str, ...] = ()
    """The profile's mask, copied here so that what was signed says what was not compared."""
    critical_members: tuple[tuple[str, Criticality], ...] = ()
    """Members whose criticality is not the item's."""
    moving: tuple[Moving, ...] = ()
    """The profile's rules for registers that move, copied here for the same reason."""
    rules: tuple[str, ...] = ()
    """How texts were normalised, in words, so that it can be read before it is signed; the profile's digest stands for it."""


@dataclass(frozen=True, slots=True)
class NotAsked:
    """An item this route cannot ask, such as the running sockets of an SD card. Said in every report."""

    item: str
    why: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """What it took: proof of what was asked, and the cost."""

    transcript_sha256: str
    requests: int
    bytes_sent: int
    bytes_received: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    device: DeviceName
    profile: str
    profile_version: int
    profile_digest: str
    started: datetime
    ended: datetime
    """UTC."""
    items: tuple[ItemSnapshot, ...]
    not_asked: tuple[NotAsked, ...]
    notes: tuple[str, ...]
    """What a reader must know about how it was read: `legacy algorithm ssh-rsa`, `no shell: read over SFTP`."""
    exchange: Exchange
