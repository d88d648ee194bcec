"""The closed vocabularies (design, section 3). Add a word and mypy lists every place to visit."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Kind(StrEnum):
    """Kind of an item. It carries the default criticality and the ATT&CK technique."""

    FIRMWARE = "firmware"
    PROGRAM = "program"
    CONFIGURATION = "configuration"
    PARAMETER = "parameter"
    ACCOUNT = "account"
    NETWORK = "network"
    HARDWARE = "hardware"


class Criticality(StrEnum):
    """How much a drift in this item matters, gravest first."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Evidence(IntEnum):
    """How strong a reading is, weakest first: E0 to E5."""

    STATED = 0
    CLAIMED = 1
    DEVICE_HASH = 2
    CONTENT = 3
    CROSS_CHECKED = 4
    OFFLINE_MEDIA = 5

    @property
    def word(self) -> str:
        """The word people read: `device-hash`."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def of(cls, word: str) -> Evidence:
        """The level named by its word.

        Raises:
            ValueError: no level has this word.
        """
        for level in cls:
            if level.word == word:
                return level
        raise ValueError(f"{word!r} is no evidence level; write one of {', '.join(e.word for e in cls)}")


class DriftKind(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    UNEXPECTED = "unexpected"
    UNREAD = "unread"
    DISAGREEING = "disagreeing"


class Verdict(StrEnum):
    MATCH = "match"
    DRIFT = "drift"
    UNDETERMINED = "undetermined"
    UNTRUSTED = "untrusted"


class Maturity(StrEnum):
    """What a profile was tried on: the vendor's documents only, a simulated device, or a real one."""

    DOCUMENTED = "documented"
    SIMULATED = "simulated"
    FIELD_TESTED = "field-tested"


class Reason(StrEnum):
    """Why something was not read. Not reading is not agreeing."""

    UNREACHABLE = "unreachable"
    IDENTITY = "identity not trusted"
    LOGIN = "login refused"
    TIMED_OUT = "timed out"
    TRUNCATED = "truncated"
    BAD_REPLY = "bad reply"
    REFUSED = "refused by the device"
    DENIED = "permission denied"
    UNSTABLE = "changed while being read"
    VANISHED = "vanished while being read"
    BOUND = "over the profile's bound"
    UNSUPPORTED = "cannot be asked over this route"
    BUSY = "crane working"
    WINDOW = "outside the hours in which it may be read"


class Event(StrEnum):
    """What a device went through since the check before."""

    RESTARTED = "started again"
    FIRMWARE = "another firmware version"


class FileType(StrEnum):
    REGULAR = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    FIFO = "fifo"
    SOCKET = "socket"
    CHARACTER = "character device"
    BLOCK = "block device"


class Table(StrEnum):
    """The four Modbus tables, with the function code that reads each (MODBUS Application Protocol V1.1b3, section 6)."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"

    @property
    def function_code(self) -> int:
        return {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}[self]

    @property
    def bits(self) -> bool:
        """True where the table holds single bits rather than 16-bit registers."""
        return self in (Table.COIL, Table.DISCRETE)
