"""Files that are whole or not there at all, whatever happens while they are written.

A file is written under a `.partial` name, forced to disk, and only then given its own name, which is forced to disk too. The
writer holds a lock on its partial file, so that `clear_partials` can tell what a killed run left from what another writes now.

`staging` is where the partial file grows: the folder of the file itself, or another one of the same disk, so that a folder of
many files need not be searched for leftovers.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from verifier.errors import RecordError

PARTIAL = ".partial"
READABLE = 0o644
PRIVATE = 0o600
SHUT = 0o640
"""For exact copies, which may hold a device's secrets: for the owner and those who share the workspace, and nobody else."""


def write_whole(path: Path, data: bytes, mode: int = READABLE, staging: Path | None = None) -> None:
    """Write or replace a file. When this returns, it will survive a power cut; when it raises, the file is what it was.

    Raises:
        RecordError: the disk refused.
    """
    with refusals("write", path):
        make_folder(path.parent)
        with _partial(staging or path.parent, path.name, data, mode) as partial:
            partial.rename(path)
        force_names(path.parent)


def write_derived(path: Path, data: bytes, staging: Path, force: bool) -> None:
    """Write or replace a file that can be made again from others. Never half there while the machine runs; whether a power cut
    may take it, `force` says: with it, the content is forced to disk, and only its name may be missing then.

    Raises:
        RecordError: the disk refused.
    """
    with refusals("write", path):
        make_folder(path.parent)
        with _partial(staging, path.name, data, READABLE, force) as partial:
            partial.rename(path)


def write_over(path: Path, data: bytes) -> None:
    """Write over a file in place, forcing nothing to disk: for a note that is passed over when it cannot be read.

    Raises:
        RecordError: the disk refused.
    """
    with refusals("write", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, READABLE)
        try:
            os.pwrite(descriptor, data, 0)
            os.ftruncate(descriptor, len(data))
        finally:
            os.close(descriptor)


def write_new(path: Path, data: bytes, mode: int = READABLE, staging: Path | None = None) -> None:
    """Write a file that must not be there yet; otherwise as `write_whole`.

    Raises:
        RecordError: it is there, or the disk refused.
    """
    with refusals("write", path):
        make_folder(path.parent)
        with _partial(staging or path.parent, path.name, data, mode) as partial:
            _link(partial, path)
        force_names(path.parent)


def read_whole(path: Path) -> bytes | None:
    """A file's bytes; None: there is no such file.

    Raises:
        RecordError: it cannot be read.
    """
    with refusals("read", path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        RecordError: the disk refused.
    """
    with refusals("remove", path):
        try:
            path.unlink()
        except FileNotFoundError:
            return
        force_names(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each forced to disk. One that is there is left alone."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    force_names(folder.parent)


def clear_partials(folder: Path) -> tuple[Path, ...]:
    """Remove what killed runs left in this folder, and nothing that is being written now. Gives what was removed.

    Raises:
        RecordError: the disk refused.
    """
    removed = []
    with refusals("clear", folder):
        for path in sorted(folder.glob(f".*{PARTIAL}")):
            # its writer may just have finished with it, or be alive
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                _remove_left_over(path)
                removed.append(path)
    return tuple(removed)


@contextlib.contextmanager
def refusals(doing: str, path: Path) -> Iterator[None]:
    """Turns what the system says into words for the person on the quay."""
    try:
        yield
    except OSError as error:
        message, hint = _words(error)
        raise RecordError(f"cannot {doing} {path}: {message}", hint) from error


class Growing:
    """A partial file that is written piece by piece, and is given its name when it is whole."""

    def __init__(self, staging: Path, name: str, mode: int = READABLE) -> None:
        """Raises:
        RecordError: the disk refused.
        """
        with refusals("write", staging):
            make_folder(staging)
            self._mode = mode
            self._path, self._descriptor = _locked_partial(staging, name, mode)

    def add(self, piece: bytes | memoryview) -> None:
        """The next bytes.

        Raises:
            RecordError: the disk refused.
        """
        with refusals("write", self._path):
            left = memoryview(piece)
            while left:
                left = left[os.write(self._descriptor, left) :]

    def finish(self, path: Path) -> None:
        """Force it to disk and give it its name, in place of what may be there. As it raises, it is not there.

        Raises:
            RecordError: the disk refused.
        """
        with refusals("write", path):
            try:
                os.fchmod(self._descriptor, self._mode)  # the umask may have taken bits away
                os.fsync(self._descriptor)
                make_folder(path.parent)
                self._path.rename(path)
                force_names(path.parent)
            finally:
                self.drop()

    def drop(self) -> None:
        """Remove it."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._descriptor)


def _remove_left_over(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _partial(folder: Path, name: str, data: bytes, mode: int, force: bool = True) -> Iterator[Path]:
    """A partial file with all of the data, forced to disk. What is left of it at the end is removed."""
    make_folder(folder)
    path, descriptor = _locked_partial(folder, name, mode)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fchmod(descriptor, mode)  # the umask may have taken bits away
        if force:
            os.fsync(descriptor)
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        os.close(descriptor)


def _locked_partial(folder: Path, name: str, mode: int) -> tuple[Path, int]:
    while True:
        path = folder / f".{name[:40]}.{secrets.token_hex(8)}{PARTIAL}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # cleared away between making and locking it


def _link(partial: Path, path: Path) -> None:
    """Give the file its name only if the name is free."""
    try:
        path.hardlink_to(partial)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
            raise
        # FAT and some network disks know no second name; the caller's lock keeps others out meanwhile
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        partial.rename(path)


def force_names(folder: Path) -> None:
    """Force to disk which names a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _words(error: OSError) -> tuple[str, str]:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "the disk is full", "free some space and run it again; what was recorded before is whole"
        case errno.EROFS:
            return "the disk is read-only", "mount it writable, or use a workspace on another disk"
        case errno.EACCES | errno.EPERM:
            return "not allowed", "run it as the user who owns the workspace, or correct the folder's permissions"
        case errno.EFBIG:
            return "the file would be larger than this system allows", "raise the limit (ulimit -f), or use another disk"
        case errno.EEXIST:
            return "it is there already", "nothing was overwritten"
        case _:
            return (error.strerror or str(error)).lower(), "check the disk and the path"
