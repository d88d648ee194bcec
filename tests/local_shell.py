"""`Execute` without a line: commands of the closed set run by this machine's own `sh`, with the programs of a chosen userland."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from verifier.transport.shell import commands
from verifier.transport.shell.execution import Execute

GNU_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY = 4242
"""A user id that nobody has, for what root would be allowed."""
ERRORS = 64 << 10


def busybox_path(folder: Path) -> str:
    """A PATH on which every program is busybox."""
    busybox = shutil.which("busybox")
    assert busybox, "these tests need busybox"
    folder.mkdir()
    for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        (folder / applet).symlink_to(busybox)
    return str(folder)


class LocalExecution:
    def __init__(self, line: bytes, path: str, user: int | None, chunk: int) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": path},
            cwd="/",
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        self._chunk = chunk
        self._errors = b""
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()

    def _read_errors(self) -> None:
        assert self._process.stderr
        while piece := os.read(self._process.stderr.fileno(), 1 << 16):
            self._errors = (self._errors + piece)[:ERRORS]

    def chunks(self) -> Iterator[bytes]:
        assert self._process.stdout
        while piece := os.read(self._process.stdout.fileno(), self._chunk):
            yield piece
        self._process.wait()
        self._reader.join()

    @property
    def status(self) -> int:
        return self._process.wait()

    @property
    def errors(self) -> bytes:
        return self._errors

    def close(self) -> None:
        assert self._process.stdout and self._process.stderr
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stderr.close()


class LocalShell:
    """Counts the commands. `before` is called with each argument list before it runs, so that a tree can change meanwhile."""

    def __init__(
        self,
        path: str = GNU_PATH,
        user: int | None = None,
        before: Callable[[tuple[bytes, ...]], None] = lambda _: None,
        chunk: int = 1 << 15,
    ) -> None:
        self.asked: list[tuple[bytes, ...]] = []
        self.path, self._user, self._before, self._chunk = path, user, before, chunk

    def execute(self, arguments: tuple[bytes, ...]) -> LocalExecution:
        line = commands.guard(arguments)
        self.asked.append(arguments)
        self._before(arguments)
        return LocalExecution(line, self.path, self._user, self._chunk)


def _is_execute(shell: LocalShell) -> Execute:
    """For the type checker alone: what is here fits the protocol."""
    return shell.execute
