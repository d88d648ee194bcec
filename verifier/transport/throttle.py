"""Keeping to a device's pace: so many requests and so many bytes a second, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable

from verifier.model.profile import Pace


class Throttle:
    """Sleeps where the pace asks for it. Times are of the monotonic clock, in seconds."""

    def __init__(
        self, pace: Pace, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._gap = 1 / pace.requests_per_second if pace.requests_per_second > 0 else 0.0
        self._rate = pace.bytes_per_second
        self._clock, self._sleep = clock, sleep
        self._next_request = self._bytes_due = clock()

    @property
    def paced(self) -> bool:
        """Requests must not be sent ahead of their answers."""
        return self._gap > 0

    def window(self, most: int) -> int:
        """How many bytes a device may send ahead of our reading: about a second's worth, so that its line is not flooded."""
        return most if not self._rate else max(32 << 10, min(most, self._rate))

    def request(self) -> None:
        """Wait until the next request may be sent."""
        if self._gap:
            self._until(self._next_request)
            self._next_request = max(self._next_request, self._clock()) + self._gap

    def received(self, count: int) -> None:
        """Wait until these bytes are paid for."""
        if self._rate:
            self._bytes_due = max(self._bytes_due, self._clock()) + count / self._rate
            self._until(self._bytes_due)

    def _until(self, moment: float) -> None:
        rest = moment - self._clock()
        if rest > 0:
            self._sleep(rest)
