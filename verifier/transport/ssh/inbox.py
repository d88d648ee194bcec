"""What a device sent on one SSH channel and we have not read yet.

It stands in for the two buffers of a paramiko channel, for three reasons. One lock for both streams lets a reader wait for
whichever comes first, so that 400 MB of error messages cannot stop the answer. Pieces stay as they came instead of being
copied through an array. And it has a limit: paramiko announces a window but does not hold a device to it.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from verifier.errors import BadReply


class Inbox:
    """Filled by the transport's thread, read by ours. `limit` is in bytes, over both streams."""

    def __init__(self, limit: int) -> None:
        self.ready = threading.Condition()
        self.limit = limit
        self.held = 0
        self.output = Stream(self)
        self.errors = Stream(self)

    @property
    def finished(self) -> bool:
        """Nothing more will come: the device said so, or the line died."""
        return self.output.closed and self.errors.closed

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to read or nothing will come any more; False: silence."""
        until = time.monotonic() + seconds
        with self.ready:
            while not (self.held or self.finished):
                rest = until - time.monotonic()
                if rest <= 0:
                    return False
                self.ready.wait(rest)
        return True


class Stream:
    """One direction of it, with the methods a paramiko channel calls on its own `BufferedPipe`."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self.closed = False

    def feed(self, data: bytes) -> None:
        """Take what arrived.

        Raises:
            BadReply: the device sent more than it was allowed to.
        """
        inbox = self._inbox
        with inbox.ready:
            if inbox.held + len(data) > inbox.limit:
                raise BadReply(f"the device sends more than the {inbox.limit} bytes it was allowed to send ahead")
            self._pieces.append(data)
            self._size += len(data)
            inbox.held += len(data)
            inbox.ready.notify_all()

    def read(self, nbytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - paramiko's signature; we wait in Inbox.wait
        """At most `nbytes` of what is there; empty when nothing is."""
        taken: list[bytes] = []
        size = 0
        with self._inbox.ready:
            while self._pieces and size < nbytes:
                piece = self._pieces.popleft()
                if size + len(piece) > nbytes:
                    self._pieces.appendleft(piece[nbytes - size :])
                    piece = piece[: nbytes - size]
                taken.append(piece)
                size += len(piece)
            self._size -= size
            self._inbox.held -= size
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def read_ready(self) -> bool:
        return self._size > 0

    def close(self) -> None:
        with self._inbox.ready:
            self.closed = True
            self._inbox.ready.notify_all()

    def empty(self) -> bytes:
        return self.read(self._size)

    def set_event(self, event: threading.Event) -> None:
        """Part of paramiko's interface, for `select`; we never select."""
        event.set()

    def __len__(self) -> int:
        return self._size
