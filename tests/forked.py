"""The command in a process of its own, without the second it takes to start one: a fork of the tests, which have all imported.

What the fork does is what `crane-verify` does from its `main` on. Fork only while the tests run no threads of their own.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from typing import IO

import verifier
from tests.terminal import Person, Typed
from verifier.cli.main import main

for _module in pkgutil.walk_packages(verifier.__path__, "verifier."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)


@dataclass(frozen=True)
class Running:
    """A command on its way."""

    pid: int
    out: IO[bytes]
    err: IO[bytes]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def killed_after(self, seconds: float, once_it_speaks: bool = False) -> Typed:
        """What it had printed when it was killed as by `kill -9`; it may have ended before.

        `once_it_speaks`: the seconds count from the first thing it prints.
        """
        while once_it_speaks and not os.fstat(self.out.fileno()).st_size:
            time.sleep(0.001)
        time.sleep(seconds)
        self.signal(signal.SIGKILL)
        return self.ended()

    def ended(self) -> Typed:
        """Wait for its end. The code of a killed one is the signal's number, negative."""
        _, status = os.waitpid(self.pid, 0)
        printed = []
        for file in (self.out, self.err):
            file.seek(0)
            printed.append(file.read().decode())
            file.close()
        typed = Typed(os.waitstatus_to_exitcode(status), *printed)
        assert "Traceback" not in typed.err, typed.err
        return typed


def starts(person: Person, *arguments: str) -> Running:
    """A person types this, and it runs."""
    out, err = (os.fdopen(os.memfd_create(name), "w+b") for name in ("out", "err"))
    pid = os.fork()
    if pid == 0:
        _become(person, arguments, out.fileno(), err.fileno())
    return Running(pid, out, err)


def types(person: Person, *arguments: str) -> Typed:
    """A person types this, and waits for its end."""
    return starts(person, *arguments).ended()


def _become(person: Person, arguments: tuple[str, ...], out: int, err: int) -> None:
    code = 99
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(person.environment)
        for descriptor, number in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
            os.dup2(descriptor, number)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        main(("--workspace", str(person.workspace), *arguments))
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 98
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def served(serve: Callable[[int], None]) -> Iterator[str]:
    """A server in a process of its own; `serve` writes to the descriptor what a caller must know, and serves until killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            serve(writing)
        finally:
            os._exit(1)
    os.close(writing)
    try:
        with FileIO(reading) as told:
            yield told.read(1000).decode()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
