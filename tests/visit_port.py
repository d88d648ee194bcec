"""Visits at a port: what a technician types, a vendor's package, and a command that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.approval_port import Port
from verifier.procedures.audit import audit_log, past
from verifier.procedures.visits import Visit, visits

WHO = ("--vendor", "Drives Ltd", "--person", "V. Fitter", "--work-order", "WO-17", "--why", "firmware 3.2")
NEW = b"firmware 3.2"
DISK_CALLS = 120
"""More than any command forces to disk."""


def opens(*more: str, crane: str = "STS-01") -> tuple[str, ...]:
    return ("visit", "open", crane, *WHO, *more, "--yes")


def package(port: Port) -> Path:
    """A folder with the new firmware."""
    folder = port.folder / "package"
    (folder / "firmware").mkdir(parents=True, exist_ok=True)
    (folder / "firmware/main.bin").write_bytes(NEW)
    return folder


def installs(port: Port, crane: str = "STS-01", content: bytes = NEW) -> None:
    (port.folder / crane / "firmware/main.bin").write_bytes(content)


def recorded(port: Port) -> tuple[Visit, ...]:
    """All visits, in a record that holds."""
    assert audit_log(port.workspace, port.workspace.trusted()).findings == ()
    return visits(port.workspace, past(port.workspace, port.workspace.trusted()))


def refused(port: Port, *arguments: str) -> str:
    """What a command says that is refused."""
    typed = port.types(*arguments)
    assert typed.code in (2, 5), (arguments, typed)
    return typed.err


def killed(port: Port, *arguments: str) -> Iterator[int]:
    """The command in a process of its own, killed as by `kill -9` at the first thing it forces to disk, then at the second, ...

    Each time the caller looks at what is left, and makes it as it was. Ends when the command did.
    """
    for at in range(1, DISK_CALLS):
        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = _until(at, port, *arguments)
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != -signal.SIGKILL:
            assert status == 0
            return
        yield at
    pytest.fail("it never ended")


def _until(at: int, port: Port, *arguments: str) -> int:
    real, calls = os.fsync, 0

    def fsync(descriptor: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        real(descriptor)

    port.monkeypatch.setattr(os, "fsync", fsync)
    return port.types(*arguments).code
