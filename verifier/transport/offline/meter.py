"""What one request has cost so far, against its bounds."""

from __future__ import annotations

import time

from verifier.errors import OverBound
from verifier.model.profile import Bounds
from verifier.model.words import Reason
from verifier.transport.offline.volume import LostError


class Meter:
    """What one request has cost so far, against its bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._ends = time.monotonic() + bounds.seconds
        self._members = 0
        self.bytes = 0

    def member(self) -> None:
        """Count one member.

        Raises:
            OverBound: one too many, or the time is over.
        """
        self._members += 1
        if self._members > self._bounds.members:
            raise OverBound(f"more than {self._bounds.members} members")
        self.time()

    def time(self) -> None:
        """Raises:
        OverBound: the time is over.
        """
        if time.monotonic() > self._ends:
            raise OverBound(f"not read within {self._bounds.seconds:g} s")

    def stop(self) -> None:
        """Let `time` be over from now on: nobody waits for the answers any more."""
        self._ends = float("-inf")

    def too_deep(self, depth: int) -> bool:
        return depth > self._bounds.depth

    def claim(self, size: int) -> None:
        """Make room for so many bytes before they are read.

        Raises:
            LostError: they are too many for this request; smaller files may still fit.
        """
        if size > self._bounds.bytes - self.bytes:
            raise LostError(Reason.BOUND, f"{size} bytes, with {self._bounds.bytes - self.bytes} left of {self._bounds.bytes}")
        self.bytes += size
