"""Running one command of the closed set, as a stream: what `ssh` offers to those who read trees and facts over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol


class Execution(Protocol):
    """A command that is running on the device. Read `chunks` to its end; then `status` and `errors` are known."""

    def chunks(self) -> Iterator[bytes]:
        """Standard output as it arrives.

        Raises:
            Truncated: the line broke, or the command ended without an exit status.
            TimedOut: silence for too long, or the session's time is over.
        """

    @property
    def status(self) -> int:
        """Exit status."""

    @property
    def errors(self) -> bytes:
        """Standard error, at most 64 KiB of it."""

    def close(self) -> None:
        """Stop reading; the device's side sees a closed pipe."""


Execute = Callable[[tuple[bytes, ...]], Execution]
"""Starts an argument list. The guard in `transport.shell.commands` sees it before a byte leaves."""
