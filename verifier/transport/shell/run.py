"""Running one command for a tree, within the request's seconds, and judging how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from verifier.errors import OverBound
from verifier.model.member import shown
from verifier.model.profile import Bounds
from verifier.transport.shell.complaint import Complaint, complaints
from verifier.transport.shell.execution import Execute, Execution

ERRORS_BYTES = 64 << 10
"""As much of standard error as `Execution` keeps. Where it is full, something may be missing from it."""


class Lost(Exception):
    """A command failed, and why cannot all be laid to names: nothing that it gave can be believed."""


class ShellRun:
    def __init__(self, execute: Execute, bounds: Bounds) -> None:
        self._execute = execute
        self._bounds = bounds
        self._ends = time.monotonic() + bounds.seconds

    def started(self, command: tuple[bytes, ...]) -> Running:
        return Running(self._execute(command), command[0].decode(), self._bounds, self._ends)


class Running:
    """To be used as a context; leaving it stops the command if it still runs."""

    def __init__(self, execution: Execution, program: str, bounds: Bounds, ends: float) -> None:
        self._execution, self._program, self._bounds, self._ends = execution, program, bounds, ends
        self._ended = False

    def chunks(self, most: int = 0) -> Iterator[bytes]:
        """The command's output.

        Raises:
            OverBound: it takes longer than the request's bounds allow, or gives more than `most` bytes, where that is not 0.
        """
        received = 0
        for chunk in self._execution.chunks():
            received += len(chunk)
            if most and received > most:
                raise OverBound(f"more than the {self._bounds.bytes} bytes that the profile allows")
            if time.monotonic() > self._ends:
                raise OverBound(f"not read within {self._bounds.seconds:g} s")
            yield chunk
        self._ended = True

    def complaints(self, *, escaped: bool, strict: bool = True) -> tuple[Complaint, ...]:
        """What it said of single names, once its output has been read to the end. See `complaint.complaints` for `escaped`.

        Raises:
            Lost: strict, and it failed in a way that its complaints about names do not explain.
        """
        errors = self._execution.errors
        found = tuple(complaints(errors, escaped=escaped))
        named = tuple(each for each in found if each.path)
        if not strict or self._execution.status == 0:
            return named
        if len(errors) >= ERRORS_BYTES:
            raise Lost(f"{self._program} complained more than can be kept; may this account read so little?")
        unnamed = next((each.words for each in found if not each.path), "")
        if unnamed or not named:
            raise Lost(f"{self._program} ended with status {self._execution.status}" + (f": {unnamed}" if unnamed else ""))
        return named

    def last_words(self) -> str:
        """The end of what it complained of; empty while that cannot be known."""
        return shown(self._execution.errors.strip()[-200:]) if self._ended else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._execution.close()
