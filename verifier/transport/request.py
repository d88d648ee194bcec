"""What can be asked. Every request is a pure read; there is no other kind, and no transport can be handed one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from verifier.model.profile import Bounds, IdentificationLevel, Proof
from verifier.model.words import Table


@dataclass(frozen=True, slots=True)
class ReadTree:
    """Files and folders with all below them. Answered by `FileEntry` and `NotRead`, in any order, each path once."""

    roots: tuple[bytes, ...]
    exclude: tuple[str, ...]
    """Patterns (see `model.pattern`) of printable names; nothing at or below a match is answered."""
    proof: Proof
    keep: tuple[str, ...]
    """Patterns of members whose content comes along in the answer ..."""
    keep_limit: int
    """... when it has at most this many bytes."""
    bounds: Bounds


class Copy(Protocol):
    """One content on its way to where it is kept."""

    def add(self, piece: bytes | memoryview) -> None:
        """The next bytes."""

    def done(self) -> None:
        """It is whole."""

    def drop(self) -> None:
        """It did not come whole, and nothing of it is kept. After `done`, this does nothing."""


class Copies(Protocol):
    """Takes the exact bytes of files while they are read, so that no file is held in memory."""

    def begin(self, path: bytes, size: int) -> Copy | None:
        """The place for this file's content; None: it is not wanted. May be called from several threads."""


@dataclass(frozen=True, slots=True)
class CopyTree(ReadTree):
    """The same answers; on the way the exact contents of some files go to where they are kept, whatever becomes of the answer."""

    copies: Copies


def begin_copy(request: ReadTree, path: bytes, size: int) -> Copy | None:
    """Where a file's content goes while it is read; None: nowhere."""
    return request.copies.begin(path, size) if isinstance(request, CopyTree) else None


@contextlib.contextmanager
def dropping(copy: Copy | None) -> Iterator[None]:
    """Drops, at the end, what is not done by then."""
    try:
        yield
    finally:
        if copy:
            copy.drop()


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One whole file whose size nobody can know before, as in /proc. Answered by one `Output` or one `NotRead`."""

    path: bytes
    limit: int = 16 << 20


class Command(StrEnum):
    """The closed set of commands that may run on a device. `transport.shell.commands` holds their argument lists."""

    LIST_INTERFACES = "list-interfaces"
    LIST_USB = "list-usb"
    LIST_MODEM_NODES = "list-modem-nodes"
    DPKG_PACKAGES = "dpkg-packages"
    RPM_PACKAGES = "rpm-packages"
    OPKG_PACKAGES = "opkg-packages"
    APK_PACKAGES = "apk-packages"
    RAUC_STATUS = "rauc-status"
    BOOT_ENVIRONMENT = "boot-environment"
    FILE_CAPABILITIES = "file-capabilities"
    MOXA_VERSION = "moxa-version"
    KERNEL = "kernel"
    SYSTEM_TIMERS = "system-timers"


@dataclass(frozen=True, slots=True)
class Run:
    """One command of the closed set. Answered by one `Output`."""

    command: Command
    paths: tuple[bytes, ...] = ()
    """For the few commands that take folders to look into; quoted by the transport."""
    limit: int = 16 << 20


@dataclass(frozen=True, slots=True)
class ReadTable:
    """Registers or bits. Answered by one `Words`. At most what the pace allows per request; the caller chunks."""

    table: Table
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class ReadIdentification:
    """Function 43/14 with all that follows. Answered by one `Objects`."""

    level: IdentificationLevel


@dataclass(frozen=True, slots=True)
class ReadServerId:
    """Function 17. Answered by one `Output`: the bytes after the byte count, last one included."""


@dataclass(frozen=True, slots=True)
class ReadRecords:
    """Function 20. Answered by one `Words`."""

    file: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class ReadFifo:
    """Function 24. Answered by one `Words`."""

    address: int


Request = ReadTree | ReadFile | Run | ReadTable | ReadIdentification | ReadServerId | ReadRecords | ReadFifo
