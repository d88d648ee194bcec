"""The folder of an evidence bundle: written whole or not at all, and looked through without following anything out of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import RecordError
from verifier.record.files import PARTIAL, force_names, make_folder, refusals

LARGEST = 512 << 20
"""Bytes of a file that is looked at; an envelope may have half of that."""


@dataclass(frozen=True, slots=True)
class Contents:
    files: tuple[str, ...]
    """Plain files, by their path in the folder, with `/`; sorted."""
    others: tuple[str, ...]
    """What is neither a plain file nor a folder, such as a link, or is too large to be looked at."""


def write_bundle(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write a new folder with these files, by path and content. Until it is whole it has another name, and when this returns it
    will survive a power cut. What a killed run left is replaced.

    Raises:
        RecordError: the folder is there and not empty, or the disk refused. Then nothing is left.
    """
    with new_folder(folder) as staging:
        for name, data in files:
            write_in(staging, name, data)


@contextlib.contextmanager
def new_folder(folder: Path, mode: int = 0o777) -> Iterator[Path]:
    """Gives the folder in which the new one grows; when the block ends well, it has its own name and survives a power cut.
    `mode` as far as the umask lets.

    Raises:
        RecordError: as `write_bundle`.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise RecordError(f"{folder} is there already, and is no empty folder", "name a new one; nothing was overwritten")
    staging = folder.with_name(f".{folder.name}{PARTIAL}")
    with refusals("write", folder):
        make_folder(folder.parent)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode)
        try:
            yield staging
            os.sync()  # at once: file by file it takes minutes on a stick
            staging.rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        force_names(folder.parent)


def write_in(staging: Path, name: str, data: bytes) -> None:
    """A file of a folder that grows, by its path in it."""
    path = staging / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def contents(folder: Path) -> Contents:
    """What lies in a bundle.

    Raises:
        RecordError: it cannot be read.
    """
    files: list[str] = []
    others: list[str] = []
    with refusals("read", folder):
        for entry in _walk(folder):
            status = entry.stat(follow_symlinks=False)
            plain = stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST
            (files if plain else others).append(_name(Path(entry.path).relative_to(folder)))
    return Contents(tuple(sorted(files)), tuple(sorted(others)))


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    folders = [os.fspath(folder)]  # no recursion: a stranger's folders may lie a thousand deep
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    yield entry


def _name(path: Path) -> str:
    """A name is bytes; what is not UTF-8 in it is escaped, so that it can be shown."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
