"""SFTP version 3 (draft-ietf-secsh-filexfer-02), reading only, with names as bytes.

A client of our own, because paramiko decodes names (one name that is not UTF-8 and its listing returns nothing: a blindfold for
an attacker) and waits for each answer before it asks again. Nothing here can write: `checked` is the last point before
the channel, and it lets eight reading packets through and refuses the rest.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, assert_never

from verifier.errors import BadReply, ForbiddenRequest, Truncated
from verifier.model.member import shown
from verifier.transport.ssh.wire import Reader
from verifier.transport.throttle import Throttle

LONGEST_ANSWER = 256 << 10
"""Bytes of one packet, as OpenSSH's own client bounds it."""
_MOST_REQUESTS = 128
_MOST_REQUEST_BYTES = 12 << 10
"""Unanswered request bytes. A small server takes 24 KiB ahead; staying below means that sending never waits, so that the two
sides cannot wait for each other."""
_TOGETHER = 16
"""Questions that leave in one packet of SSH, while there are answers at hand to be looked at."""
_READ_FLAG = 1
_KNOWN_ATTRIBUTES = 0x8000000F


class Packet(IntEnum):
    """The packets we send and understand (section 3)."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    LSTAT = 7
    OPENDIR = 11
    READDIR = 12
    READLINK = 19
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105


READING = frozenset(
    (Packet.INIT, Packet.OPEN, Packet.CLOSE, Packet.READ, Packet.LSTAT, Packet.OPENDIR, Packet.READDIR, Packet.READLINK)
)


class Stream(Protocol):
    """A channel on which the device's SFTP server listens."""

    def send(self, data: bytes) -> None: ...

    def receive(self) -> bytes:
        """Some bytes; empty at the end. Raises DeviceError when the line breaks or stays silent."""


@dataclass(frozen=True, slots=True)
class Open:
    path: bytes


@dataclass(frozen=True, slots=True)
class Close:
    handle: bytes


@dataclass(frozen=True, slots=True)
class Read:
    handle: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Lstat:
    path: bytes


@dataclass(frozen=True, slots=True)
class OpenDirectory:
    path: bytes


@dataclass(frozen=True, slots=True)
class ReadDirectory:
    handle: bytes


@dataclass(frozen=True, slots=True)
class ReadLink:
    path: bytes


Question = Open | Close | Read | Lstat | OpenDirectory | ReadDirectory | ReadLink


class Code(IntEnum):
    """Status codes (section 7)."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3


@dataclass(frozen=True, slots=True)
class Status:
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Handle:
    handle: bytes


@dataclass(frozen=True, slots=True)
class Data:
    data: bytes


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a server says of a file (section 5). `flags` says which of the values it really sent; the others are 0."""

    flags: int
    size: int = 0
    owner: int = 0
    group: int = 0
    mode: int = 0
    """With the type in the upper bits, as in `stat.S_IFMT`."""
    mtime: int = 0

    @property
    def whole(self) -> bool:
        """Size, owner, mode with type, and times are all there."""
        return self.flags & 15 == 15 and stat.S_IFMT(self.mode) != 0


@dataclass(frozen=True, slots=True)
class Names:
    names: tuple[tuple[bytes, Attributes], ...]


Reply = Status | Handle | Data | Names | Attributes


def checked(frame: bytes) -> bytes:
    """A request frame, let through.

    Raises:
        ForbiddenRequest: it is not one of the eight reading packets, or opens for anything but reading.
    """
    kind = frame[4] if len(frame) > 4 else 0
    if kind not in READING:
        raise ForbiddenRequest(f"SFTP packet type {kind} is not a reading one")
    if int.from_bytes(frame[:4], "big") != len(frame) - 4:
        raise ForbiddenRequest("an SFTP frame whose length does not fit")
    if kind == Packet.OPEN:
        path = int.from_bytes(frame[9:13], "big")
        if frame[13 + path :] != _READ_FLAG.to_bytes(4, "big") + bytes(4):
            raise ForbiddenRequest("SFTP open for more than reading")
    return frame


def encoded(number: int, question: Question) -> bytes:
    """The frame of one question, with its request number."""
    match question:
        case Open(path):
            kind, body = Packet.OPEN, _string(path) + _READ_FLAG.to_bytes(4, "big") + bytes(4)
        case Close(handle):
            kind, body = Packet.CLOSE, _string(handle)
        case Read(handle, offset, length):
            kind, body = Packet.READ, _string(handle) + offset.to_bytes(8, "big") + length.to_bytes(4, "big")
        case Lstat(path):
            kind, body = Packet.LSTAT, _string(path)
        case OpenDirectory(path):
            kind, body = Packet.OPENDIR, _string(path)
        case ReadDirectory(handle):
            kind, body = Packet.READDIR, _string(handle)
        case ReadLink(path):
            kind, body = Packet.READLINK, _string(path)
        case _:
            assert_never(question)
    return checked((len(body) + 5).to_bytes(4, "big") + bytes([kind]) + number.to_bytes(4, "big") + body)


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def decoded(kind: int, reader: Reader, question: Question) -> Reply:
    """The reply in a packet, when it is one that can answer this question.

    Raises:
        BadReply: it is not, or it is malformed.
    """
    reply: Reply
    match kind, question:
        case Packet.STATUS, _:
            code = reader.u32()
            reply = Status(code, shown(reader.string()[:200]) if reader.left else f"status {code}")
            if code == Code.OK and not isinstance(question, Close):
                raise BadReply(f"the device answers {_name(question)} with OK and nothing else")
            return reply  # the language tag that follows is missing on old servers
        case Packet.HANDLE, Open() | OpenDirectory():
            handle = reader.string()
            if len(handle) > 256:
                raise BadReply(f"an SFTP handle of {len(handle)} bytes")
            reply = Handle(handle)
        case Packet.DATA, Read():
            data = reader.string()
            if not data or len(data) > question.length:
                raise BadReply(f"the device answers a read of {question.length} bytes with {len(data)}")
            reply = Data(data)
        case Packet.NAME, ReadDirectory() | ReadLink():
            reply = _names(reader)
            if isinstance(question, ReadLink) and len(reply.names) != 1:
                raise BadReply(f"the device gives a link {len(reply.names)} targets")
        case Packet.ATTRS, Lstat():
            reply = _attributes(reader)
        case _:
            raise BadReply(f"the device answers {_name(question)} with SFTP packet type {kind}")
    if reader.left:
        raise BadReply(f"{reader.left} bytes too many in the answer to {_name(question)}")
    return reply


def _name(question: Question) -> str:
    return type(question).__name__


def _names(reader: Reader) -> Names:
    count = reader.u32()
    if not 0 < count <= LONGEST_ANSWER // 12:
        raise BadReply(f"a directory listing of {count} names in one packet")
    found = []
    for _ in range(count):
        name = reader.string()
        reader.string()  # the line `ls -l` would print: for people, and not to be relied on
        found.append((name, _attributes(reader)))
    return Names(tuple(found))


def _attributes(reader: Reader) -> Attributes:
    flags = reader.u32()
    if flags & ~_KNOWN_ATTRIBUTES:
        raise BadReply(f"file attributes of unknown kind {flags:#x}")
    size = reader.u64() if flags & 1 else 0
    owner, group = (reader.u32(), reader.u32()) if flags & 2 else (0, 0)
    mode = reader.u32() if flags & 4 else 0
    mtime = (reader.u32(), reader.u32())[1] if flags & 8 else 0
    if flags & 0x80000000:
        for _ in range(2 * reader.u32()):
            reader.string()
    return Attributes(flags, size, owner, group, mode, mtime)


class Sftp:
    """One SFTP session. Questions are posted ahead and answers taken as they come, each matched to its question by number.

    `note` is told of every request before it leaves. Every method may raise DeviceError; after that the session is of no use.
    """

    def __init__(self, stream: Stream, throttle: Throttle, note: Callable[[str], None]) -> None:
        self._stream, self._throttle, self._note = stream, throttle, note
        self._waiting: dict[int, tuple[Question, int]] = {}
        self._waiting_bytes = 0
        self._number = 0
        self._in = bytearray()
        self._out: list[bytes] = []
        note("sftp init 3")
        stream.send(checked((5).to_bytes(4, "big") + bytes([Packet.INIT]) + (3).to_bytes(4, "big")))
        kind, reader = self._packet()
        version = reader.u32()
        if kind != Packet.VERSION or version < 3:
            raise BadReply(f"the device's SFTP server answers with packet type {kind}, version {version}")

    @property
    def room(self) -> bool:
        """May one more question be posted now?"""
        if self._throttle.paced:
            return not self._waiting
        return len(self._waiting) < _MOST_REQUESTS and self._waiting_bytes < _MOST_REQUEST_BYTES

    def post(self, question: Question) -> int:
        """Ask; the question's number comes back with its answer. It leaves, with others, when an answer is waited for."""
        self._number = (self._number + 1) & 0xFFFFFFFF
        frame = encoded(self._number, question)
        self._noted(question)
        self._throttle.request()
        self._waiting[self._number] = (question, len(frame))
        self._waiting_bytes += len(frame)
        self._out.append(frame)
        return self._number

    def collect(self) -> tuple[int, Question, Reply]:
        """The next answer, to whichever question it belongs.

        Raises:
            BadReply: it belongs to none, or cannot answer it.
        """
        if len(self._out) >= _TOGETHER or not self._has_packet:
            self._flush()
        kind, reader = self._packet()
        number = reader.u32()
        if number not in self._waiting:
            raise BadReply(f"the device answers a question that was not asked ({number})")
        question, size = self._waiting.pop(number)
        self._waiting_bytes -= size
        return number, question, decoded(kind, reader, question)

    def ask(self, question: Question) -> Reply:
        """Post one question and wait for its answer; nothing else may be outstanding."""
        self.post(question)
        return self.collect()[2]

    @property
    def _has_packet(self) -> bool:
        return len(self._in) >= 4 and len(self._in) >= 4 + int.from_bytes(self._in[:4], "big")

    def _flush(self) -> None:
        if self._out:
            frames, self._out = b"".join(self._out), []
            self._stream.send(frames)

    def _noted(self, question: Question) -> None:
        match question:
            case Open(path):
                self._note(f"sftp open {shown(path)} to read it to its end")
            case OpenDirectory(path):
                self._note(f"sftp opendir {shown(path)} to list it to its end")
            case Lstat(path):
                self._note(f"sftp lstat {shown(path)}")
            case ReadLink(path):
                self._note(f"sftp readlink {shown(path)}")
            case Read() | ReadDirectory() | Close():
                pass  # said by the line of the open they belong to; a line each would be half a million for one disk
            case _:
                assert_never(question)

    def _packet(self) -> tuple[int, Reader]:
        self._fill(5)
        length = int.from_bytes(self._in[:4], "big")
        if not 5 <= length <= LONGEST_ANSWER:
            raise BadReply(f"an SFTP packet of {length} bytes")
        self._fill(4 + length)
        kind, body = self._in[4], bytes(memoryview(self._in)[5 : 4 + length])
        del self._in[: 4 + length]
        return kind, Reader(body)

    def _fill(self, count: int) -> None:
        while len(self._in) < count:
            data = self._stream.receive()
            if not data:
                raise Truncated("the device's SFTP server ended in the middle of the conversation")
            self._in += data
