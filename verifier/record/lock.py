"""One writer at a time. The others wait, and after a while say whom they waited for.

The lock is the kernel's (`flock`), so it is gone with its holder, however that ended. The file stays; its text is for people.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from verifier.errors import InUse
from verifier.record.files import make_folder, refusals

FIRST_PAUSE = 0.002
LONGEST_PAUSE = 0.1
"""Seconds between two tries."""


@contextlib.contextmanager
def locked(path: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the lock on this file. Threads of one program keep each other out as well.

    Raises:
        InUse: another held it for all of `wait_seconds`.
        RecordError: the disk refused.
    """
    with refusals("lock", path):
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait(descriptor, path, wait_seconds)
        _sign(descriptor, f"{os.getpid()}\n".encode())
        try:
            yield
        finally:
            _sign(descriptor, b"")
            # closing is not enough: a process forked meanwhile may still have the file open
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, wait_seconds: float) -> None:
    until = time.monotonic() + wait_seconds
    pause = FIRST_PAUSE
    while True:
        with refusals("lock", path):
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
        left = until - time.monotonic()
        if left <= 0:
            raise InUse(f"{path} is in use by {_holder(descriptor)}", "wait until it is done, and run this again")
        time.sleep(min(pause, left))
        pause = min(pause * 2, LONGEST_PAUSE)


def _sign(descriptor: int, text: bytes) -> None:
    with contextlib.suppress(OSError):  # a full disk; what is to be written under the lock will say so
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)


def _holder(descriptor: int) -> str:
    """Who holds it: `process 4711 since 2026-11-22T06:00:00Z`. The time is when the holder wrote its number."""
    number = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    since = datetime.fromtimestamp(int(os.fstat(descriptor).st_mtime), UTC)
    return f"process {number or 'unknown'} since {since:%Y-%m-%dT%H:%M:%SZ}"
