"""Disks that are full or read-only, and programs in processes of their own, for the tests of record."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def full_disk(where: Path) -> Iterator[Path]:
    """A disk with 64 KiB of room. Where we may not mount one, writes of more than that fail as they would there."""
    with _mounted(where, "-t", "tmpfs", "-o", "size=64k", "none") as real, pytest.MonkeyPatch.context() as patch:
        if not real:
            write = os.write

            def refuse(descriptor: int, data: bytes) -> int:
                if len(data) > 65536:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return write(descriptor, data)

            patch.setattr(os, "write", refuse)
        yield where


@contextlib.contextmanager
def read_only_disk(where: Path, source: Path) -> Iterator[Path]:
    """The folder `source`, seen at `where` without the right to write. Where we may not mount, every change fails as it would."""
    with _mounted(where, "--bind", "-o", "ro", str(source)) as real, pytest.MonkeyPatch.context() as patch:
        if not real:

            def refuse(*arguments: object, **options: object) -> int:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))

            opening = os.open
            patch.setattr(
                os, "open", lambda path, flags, *mode, **more: (refuse if flags & 3 else opening)(path, flags, *mode, **more)
            )
            patch.setattr(Path, "unlink", refuse)
            patch.setattr(Path, "mkdir", refuse)
        yield where if real else source


@contextlib.contextmanager
def _mounted(where: Path, *arguments: str) -> Iterator[bool]:
    """Whether it could be mounted there; it is taken away at the end."""
    where.mkdir()
    if subprocess.run(["mount", *arguments, str(where)], capture_output=True).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", str(where)], check=True)


def in_child(work: Callable[[], str]) -> str:
    """What `work` gives in a process of its own; empty when it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.write(writing, work().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read().decode()
    os.waitpid(child, 0)
    return answer
