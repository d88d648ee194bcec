"""A folder of this machine as a volume: a mounted memory card, an unpacked backup.

Every name is opened relative to its folder and never through a link; nothing but regular files and folders is opened, so a fifo
or a device node in the tree can neither block nor act.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from verifier.errors import Refused, Unreachable
from verifier.model.words import FileType, Reason
from verifier.transport.offline.volume import Lost, LostError, Node

CHUNK = 1 << 20
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_TYPES = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFSOCK: FileType.SOCKET,
    stat.S_IFCHR: FileType.CHARACTER,
    stat.S_IFBLK: FileType.BLOCK,
}
_REASONS = {
    errno.EACCES: Reason.DENIED,
    errno.EPERM: Reason.DENIED,
    errno.ENOENT: Reason.VANISHED,
    errno.ELOOP: Reason.UNSTABLE,
    errno.ENXIO: Reason.UNSTABLE,
    errno.ENOTDIR: Reason.UNSTABLE,
}


class _Opened:
    """An open folder. Closed when the last node below it is forgotten."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Place:
    above: _Opened
    name: bytes
    seen: os.stat_result


class Folder:
    """A directory as a volume."""

    title = "folder"
    threads = 2
    notes: tuple[str, ...] = ()

    def __init__(self, path: str) -> None:
        """Open a directory; a link given by the person who named it is followed.

        Raises:
            Unreachable: it is not there.
            Refused: it may not be read.
        """
        try:
            self._top = _Opened(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except PermissionError as error:
            raise Refused(f"the folder {path} may not be read", "run as a user who may read it") from error
        except OSError as error:
            raise Unreachable(f"no folder {path}: {error.strerror}", "put the card in, or correct the path") from error
        self.root = _node(self._top, b".", os.fstat(self._top.fd))

    def children(self, folder: Node) -> Iterator[tuple[bytes, Node | Lost]]:
        opened = _Opened(_open(_at(folder), os.O_DIRECTORY))
        try:
            before = os.fstat(opened.fd)
            with os.scandir(opened.fd) as listing:
                names = [os.fsencode(each.name) for each in listing]
            after = os.fstat(opened.fd)
        except OSError as error:
            raise _lost(error) from error
        if _moved(before, after):
            raise LostError(Reason.UNSTABLE, "its list of names changed while being read")
        for name in names:
            try:
                yield name, _node(opened, name, os.stat(name, dir_fd=opened.fd, follow_symlinks=False))
            except OSError as error:
                yield name, _lost(error).lost

    def content(self, file: Node) -> Iterator[bytes]:
        fd = _open(_at(file), 0)
        try:
            before = os.fstat(fd)
            if _moved(_at(file).seen, before):
                raise LostError(Reason.UNSTABLE, "replaced or changed while being read")
            left = file.size + 1
            while left > 0:
                asked = min(left, CHUNK)
                chunk = os.read(fd, asked)
                if chunk:
                    yield chunk
                # a regular file gives less only at its end; the size is compared below
                left = left - asked if len(chunk) == asked else 0
            if _moved(before, os.fstat(fd)):
                raise LostError(Reason.UNSTABLE, "changed while being read")
        except OSError as error:
            raise _lost(error) from error
        finally:
            os.close(fd)

    def close(self) -> None:
        self._top.close()


def _at(node: Node) -> _Place:
    assert isinstance(node.place, _Place)
    return node.place


def _open(place: _Place, more: int) -> int:
    if place.name == b"." and not more:
        raise LostError(Reason.UNSTABLE, "a folder where a file was")
    try:
        with suppress(PermissionError):
            # keeps the card as it was found; only an owner or root may ask for it (open(2))
            return os.open(place.name, _OPEN | os.O_NOATIME | more, dir_fd=place.above.fd)
        return os.open(place.name, _OPEN | more, dir_fd=place.above.fd)
    except OSError as error:
        raise _lost(error) from error


def _node(above: _Opened, name: bytes, seen: os.stat_result) -> Node:
    kind = _TYPES[stat.S_IFMT(seen.st_mode)]
    size, target = 0, b""
    match kind:
        case FileType.REGULAR:
            size = seen.st_size
        case FileType.SYMLINK:
            target = os.readlink(name, dir_fd=above.fd)
        case FileType.CHARACTER | FileType.BLOCK:
            size = os.major(seen.st_rdev) << 20 | os.minor(seen.st_rdev)
        case FileType.DIRECTORY | FileType.FIFO | FileType.SOCKET:
            pass
    return Node(
        kind,
        stat.S_IMODE(seen.st_mode),
        seen.st_uid,
        seen.st_gid,
        size,
        seen.st_mtime_ns // 1_000_000_000,
        _Place(above, name, seen),
        target,
    )


def _moved(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_ino, before.st_dev, before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
        after.st_ino,
        after.st_dev,
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def _lost(error: OSError) -> LostError:
    return LostError(_REASONS.get(error.errno or 0, Reason.BAD_REPLY), error.strerror or str(error))
