"""A profile: what to ask a kind of device, within which bounds, and which parts of the answers move by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from verifier.model.moving import Moving
from verifier.model.words import Criticality, Kind, Maturity, Table

GIB = 1 << 30
GOLDEN_KINDS = frozenset({Kind.FIRMWARE, Kind.PROGRAM, Kind.CONFIGURATION})
"""Of these, members may be kept exactly by a pattern; of others, such as accounts, only by their full name."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one item may cost. Reaching a bound is a reading of kind `unread`, never a silent cut."""

    members: int = 200_000
    bytes: int = 16 * GIB
    depth: int = 64
    seconds: float = 1800.0


class Proof(StrEnum):
    """How a file's content is proven: bytes read out and hashed here, hashed on the device, or both."""

    CONTENT = "content"
    DEVICE_HASH = "device-hash"
    CROSS_CHECKED = "cross-checked"


@dataclass(frozen=True, slots=True)
class FileTree:
    """Files and folders with all that is below them."""

    paths: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    """Patterns of members that are not read at all. They stand in the report."""
    proof: Proof = Proof.CONTENT


class Topic(StrEnum):
    """What a running Linux system can be asked beside its files. One member per line of the answer."""

    SYSTEM = "system"
    INTERFACES = "interfaces"
    ROUTES = "routes"
    LISTENERS = "listeners"
    USERS = "users"
    GROUPS = "groups"
    AUTHORIZED_KEYS = "authorized-keys"
    SCHEDULE = "schedule"
    MODULES = "modules"
    PACKAGES = "packages"
    USB = "usb"
    MODEMS = "modems"
    MOUNTS = "mounts"
    BOOT_SLOTS = "boot-slots"
    RUN = "run"
    CAPABILITIES = "capabilities"
    MOXA_VERSION = "moxa-version"


@dataclass(frozen=True, slots=True)
class Facts:
    """One topic, and its patterns of members that come and go by themselves."""

    topic: Topic


class NumberType(StrEnum):
    BIT = "bit"
    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    S64 = "s64"
    F32 = "f32"
    F64 = "f64"
    TEXT = "text"


class WordOrder(StrEnum):
    """Which register of a longer value comes first. Bytes inside a register are always high byte first on the wire."""

    HIGH_FIRST = "high-first"
    LOW_FIRST = "low-first"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named value in registers, so that drift reads `hoist overload trip 50.0 t -> 62.0 t`."""

    name: str
    table: Table
    address: int
    """Protocol address, 0-based: what manuals call 40001 is 0 of the table `holding`."""
    type: NumberType = NumberType.U16
    length: int = 0
    """Registers of a text; 0 for numbers, whose type says it."""
    word_order: WordOrder = WordOrder.HIGH_FIRST
    scale: Decimal = Decimal(1)
    """Engineering value = raw value x scale."""
    unit: str = ""
    low: Decimal | None = None
    high: Decimal | None = None
    """Limits in engineering units. A value outside is said in the report, even when it matches."""
    criticality: Criticality | None = None
    """None: the item's."""
    reference: str = ""

    @property
    def registers(self) -> int:
        """How many addresses the value takes."""
        match self.type:
            case NumberType.BIT | NumberType.U16 | NumberType.S16:
                return 1
            case NumberType.U32 | NumberType.S32 | NumberType.F32:
                return 2
            case NumberType.U64 | NumberType.S64 | NumberType.F64:
                return 4
            case NumberType.TEXT:
                return self.length
            case _:
                assert_never(self.type)


@dataclass(frozen=True, slots=True)
class Parameters:
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Registers:
    """A block of registers or bits without names; a member each."""

    table: Table
    first: int
    """Protocol address, 0-based."""
    count: int


class IdentificationLevel(StrEnum):
    """Read Device Identification, function 43/14 (MODBUS Application Protocol V1.1b3, section 6.21)."""

    BASIC = "basic"
    REGULAR = "regular"
    EXTENDED = "extended"

    @property
    def code(self) -> int:
        return {"basic": 1, "regular": 2, "extended": 3}[self.value]


@dataclass(frozen=True, slots=True)
class Identification:
    level: IdentificationLevel = IdentificationLevel.BASIC


@dataclass(frozen=True, slots=True)
class ServerId:
    """Report Server ID, function 17."""


@dataclass(frozen=True, slots=True)
class FileRecords:
    """Read File Record, function 20, reference type 6: `count` registers from `first` of file `file`."""

    file: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Fifo:
    """Read FIFO Queue, function 24: at most 31 registers."""

    address: int


Ask = FileTree | Facts | Parameters | Registers | Identification | ServerId | FileRecords | Fifo


@dataclass(frozen=True, slots=True)
class Rule:
    """One step of normalising: `line-ends`, `trailing-space`, `sort-lines`; `drop-lines`, `drop-match` with a pattern; or a form,
    `key-value`, `ini`, `json`, `xml`, with what of it is not compared."""

    name: str
    pattern: str = ""
    only: tuple[str, ...] = ()
    """Patterns of the members it is for; empty: every text of the item."""
    mask: tuple[str, ...] = ()
    """Places in a form, each of one value, whose values are not compared: `uptime`, `[status] uptime`, `/status/uptime`."""
    separator: str = ""
    """Between a key and its value; empty: `=`."""
    no_comments: bool = False
    """Comments of a form are not compared."""

    @property
    def told(self) -> str:
        """The step in words: `json of /etc/state.json without /status/uptime`."""
        words = [self.name, f'"{self.pattern}"' if self.pattern else "", f'between "{self.separator}"' if self.separator else ""]
        words.append(f"of {', '.join(self.only)}" if self.only else "")
        without = (*self.mask, *(("comments",) if self.no_comments else ()))
        words.append(f"without {', '.join(without)}" if without else "")
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class TextRules:
    """How text members are compared and shown. The digest of the raw bytes is kept as well."""

    match: tuple[str, ...]
    """Patterns of the members that are text."""
    normalise: tuple[Rule, ...] = ()
    redact: tuple[str, ...] = ()
    """Regular expressions; each group (or the whole match) is replaced before anything is stored or shown."""
    keep: bool = False
    """Keep the redacted text, so that a later drift can be shown line by line."""
    limit: int = 4 << 20
    """Bytes; a longer member is compared by its raw digest alone."""


@dataclass(frozen=True, slots=True)
class Golden:
    """Members whose exact bytes are kept when a baseline is proposed, so that a device can be set up anew from them."""

    match: tuple[str, ...]
    limit: int = 64 << 20
    """Bytes; a longer member is not kept."""
    total: int = GIB
    """Bytes of the item that are kept at most."""


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    kind: Kind
    ask: Ask
    criticality: Criticality
    volatile: tuple[str, ...] = ()
    """Patterns of members that are read and recorded but not compared. Part of the digest, so a widened mask is drift."""
    text: TextRules | None = None
    version: str = ""
    """A regular expression with one group that finds a version in text members, so that a downgrade is named."""
    bounds: Bounds = Bounds()
    reference: str = ""
    moving: tuple[Moving, ...] = ()
    """Registers that move by themselves in a known way, and are compared by that."""
    golden: Golden | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a device may be asked. 0: as fast as it answers, one request at a time."""

    requests_per_second: float = 0.0
    bytes_per_second: int = 0
    registers_per_request: int = 125
    bits_per_request: int = 2000
    tries: int = 3
    """After this many failures in a row the device is left alone."""


@dataclass(frozen=True, slots=True)
class BusyWhen:
    """The crane is working, and is left for later, when this register or coil has one of these raw values."""

    table: Table
    address: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    title: str
    version: int
    maturity: Maturity
    items: tuple[Item, ...]
    digest: str
    """SHA-256 of the profile's meaning (not of its comments), 64 hex digits. Part of every baseline and report."""
    references: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    """What is left out because no source confirms it."""
    pace: Pace = Pace()
    busy_when: BusyWhen | None = None
