"""The bytes of one file over SFTP: which reads to ask, in what order the answers count, and when the end is really the end."""

from __future__ import annotations

import hashlib

from verifier.model.words import Reason
from verifier.transport.request import Copy
from verifier.transport.sftp.client import Code, Data, Read, Reply, Status

CHUNK = 32 << 10
"""Bytes of one read: what every server gives (draft-ietf-secsh-filexfer-02, section 3)."""
AHEAD = 32
"""Reads open at a time, and how many chunks an answer may be ahead of the first one missing."""


class Fault(Exception):
    """Why one file or folder could not be read. Never leaves the walk."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def fault_of(status: Status) -> Fault:
    """A server's no, in our words."""
    match status.code:
        case Code.NO_SUCH_FILE:
            return Fault(Reason.VANISHED, "no such file")
        case Code.PERMISSION_DENIED:
            return Fault(Reason.DENIED, status.text)
        case _:
            return Fault(Reason.REFUSED, status.text)


class Content:
    """Reads a file to its end, wherever that is. The size the device claims only says how far it is worth asking ahead.

    `keep` is how many bytes may be kept for the answer; the rest is hashed and dropped.
    """

    def __init__(self, handle: bytes, claimed: int, keep: int = -1, copy: Copy | None = None) -> None:
        self._handle, self._claimed, self._keep, self._copy = handle, claimed, keep, copy
        self._next = 0
        self._probing = False
        self._end = -1
        self._gaps: list[Read] = []
        self._early: dict[int, bytes] = {}
        self._kept: list[bytes] = []
        self._digest = hashlib.sha256()
        self.waiting = 0
        self.size = 0
        """Bytes that came, without a gap, from the start."""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def kept(self) -> bytes | None:
        """The whole content, when it is short enough."""
        return b"".join(self._kept) if self.size <= self._keep else None

    def more(self) -> tuple[Read, ...]:
        """The reads to ask now. One more follows at the claimed end: only the device's end of file is the end."""
        asks, self._gaps = self._gaps, []
        limit = min(self._claimed, self.size + AHEAD * CHUNK) if self._end < 0 else 0
        while self._next < limit and self.waiting + len(asks) < AHEAD:
            length = min(CHUNK, self._claimed - self._next)
            asks.append(Read(self._handle, self._next, length))
            self._next += length
        if self._end < 0 and self._next >= self._claimed and not self._probing:
            asks.append(Read(self._handle, self._next, CHUNK))
            self._probing = True
        self.waiting += len(asks)
        return tuple(asks)

    def take(self, question: Read, reply: Reply) -> None:
        """Count an answer in.

        Raises:
            Fault: the device could not read on.
        """
        self.waiting -= 1
        match reply:
            case Data(data):
                if question.offset >= self._claimed:
                    self._next, self._probing = question.offset + len(data), False
                elif len(data) < question.length:
                    self._gaps.append(Read(self._handle, question.offset + len(data), question.length - len(data)))
                self._early[question.offset] = data
                while (piece := self._early.pop(self.size, None)) is not None:
                    self._count(piece)
            case Status(Code.EOF):
                self._end = question.offset if self._end < 0 else min(self._end, question.offset)
            case Status():
                raise fault_of(reply)

    def finished(self) -> None:
        """To be called when nothing is left to ask.

        Raises:
            Fault: the pieces do not make up one file.
        """
        if self._early or self.size != self._end:
            raise Fault(Reason.UNSTABLE, f"its end was at byte {self._end}, and then it went on")
        # files of the kernel say 0 and have content
        if self._claimed and self.size != self._claimed:
            raise Fault(Reason.TRUNCATED, f"{self.size} of {self._claimed} bytes")

    def _count(self, piece: bytes) -> None:
        self.size += len(piece)
        self._digest.update(piece)
        if self._copy:
            self._copy.add(piece)
        if self.size <= self._keep:
            self._kept.append(piece)
        else:
            self._kept.clear()
