"""A volume: a tree of files that needs no running device. One kind per source (folder, archive, disk image), one walk for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from verifier.errors import BadReply, DeviceError, OverBound, TimedOut, Truncated, Unsupported
from verifier.model.words import FileType, Reason


@dataclass(frozen=True, slots=True)
class Node:
    """One file, folder or link, as the volume describes it."""

    type: FileType
    mode: int
    """0 to 0o7777; 0 where the volume keeps no modes."""
    owner: int
    group: int
    size: int
    """Bytes a regular file claims to hold; `major << 20 | minor` for device nodes; else 0."""
    mtime: int
    place: object
    """Where the volume finds it again: an inode, an offset, a name within an open folder."""
    target: bytes = b""
    implied: bool = False
    """True for a folder that an archive only names on the way to its members; it is not answered."""
    sha256: str = ""
    """Of a regular file's content, where listing the volume already meant reading all of it, as in a tar archive."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A name that is there, but what it stands for cannot be read."""

    reason: Reason
    detail: str


class LostError(Exception):
    """Reading one file or folder failed; the others may still be read."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.lost = Lost(reason, detail)


class Volume(Protocol):
    """A file tree at rest."""

    @property
    def title(self) -> str:
        """What a person calls it: `ext4 file system`, `zip archive`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the report must know about this volume."""

    @property
    def threads(self) -> int:
        """How many files may be read at the same time."""

    @property
    def root(self) -> Node: ...

    def children(self, folder: Node) -> Iterator[tuple[bytes, Node | Lost]]:
        """Names in a folder without `.` and `..`, in the volume's order.

        Raises:
            LostError: the folder cannot be listed to its end.
            DeviceError: the volume cannot.
        """

    def content(self, file: Node) -> Iterator[bytes]:
        """The bytes of a regular file, in pieces of at most some MiB.

        Raises:
            LostError: the file cannot be read to its end.
            DeviceError: the volume cannot.
        """


@runtime_checkable
class Sequential(Protocol):
    """A volume that is cheap to read only from its beginning to its end. Its regular nodes carry their digest."""

    def gather(self, files: Iterable[Node]) -> Iterator[tuple[str, bytes]]:
        """Digest and whole content of these files, in one pass, each digest once.

        Raises:
            DeviceError: the volume cannot be read, or is not what it was when it was listed.
        """


def reason_of(error: DeviceError) -> Reason:
    """The word for a failure, where it concerns one file of a volume."""
    match error:
        case OverBound():
            return Reason.BOUND
        case Truncated():
            return Reason.TRUNCATED
        case TimedOut():
            return Reason.TIMED_OUT
        case Unsupported():
            return Reason.UNSUPPORTED
        case BadReply():
            return Reason.BAD_REPLY
        case _:
            return Reason.REFUSED
