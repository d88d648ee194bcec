"""An SFTP server that lies in one chosen way. In memory for `Sftp`, or as sshd's subsystem program.

    sftp = Sftp(LyingSftp("huge"), Throttle(Pace()), print)
    running_sshd(folder, config=(subsystem("endless"),))

It holds one folder, /t, with the files a (5 bytes) and b (100,000 bytes), and the link l to a.
"""

from __future__ import annotations

import os
import random
import stat
import sys
from collections import deque
from pathlib import Path

from verifier.transport.ssh.wire import Reader

BIG = bytes(range(256)) * 390 + b"x" * 160
LATE_SIZE = 16 << 20
FILES = {b"/t/a": b"hello", b"/t/b": BIG}
INIT, VERSION, OPEN, CLOSE, READ, LSTAT, OPENDIR, READDIR, READLINK = 1, 2, 3, 4, 5, 7, 11, 12, 19
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
EOF, MISSING, DENIED, FAILURE = 1, 2, 3, 4


def subsystem(lie: str) -> str:
    """The sshd_config line that makes this the server's SFTP."""
    return f"Subsystem sftp {sys.executable} {Path(__file__)} {lie}"


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _string(data: bytes) -> bytes:
    return _u32(len(data)) + data


class LyingSftp:
    """A `Stream`: takes request bytes, gives answer bytes. `lie` says how; empty: it is honest."""

    def __init__(self, lie: str = "", name: bytes = b"") -> None:
        self.lie, self.name = lie, name
        self.seen: list[int] = []
        self._in = bytearray()
        self._out: deque[bytes] = deque()
        self._listed: dict[bytes, int] = {}
        self._lstats = 0
        self._held = b""
        self.ahead = 0
        """With `late`: reads that were answered while the first of the file was not."""
        self._random = random.Random(7)

    def send(self, data: bytes) -> None:
        self._in += data
        while len(self._in) >= 4 and len(self._in) >= 4 + int.from_bytes(self._in[:4], "big"):
            end = 4 + int.from_bytes(self._in[:4], "big")
            frame = bytes(self._in[4:end])
            del self._in[:end]
            self._answer(frame)

    def receive(self) -> bytes:
        if self.lie == "shuffled" and len(self._out) > 1:
            self._out.rotate(self._random.randrange(len(self._out)))
        if not self._out and self._held:
            self._out.append(self._held)
            self._held = b""
        return self._out.popleft() if self._out else b""

    def _put(self, kind: int, number: int, body: bytes) -> None:
        if self.lie == "wrong-id" and kind == DATA:
            number += 1000
        if self.lie == "huge-packet" and kind == DATA:
            self._out.append(_u32(1 << 31) + bytes([kind]))
            return
        self._out.append(_u32(5 + len(body)) + bytes([kind]) + _u32(number) + body)
        if self.lie == "twice" and kind == DATA:
            self._out.append(self._out[-1])

    def _status(self, number: int, code: int) -> None:
        self._put(STATUS, number, _u32(code) + _string(b"no\x1b[31m" if code == DENIED else b"no") + _string(b""))

    def _attributes(self, path: bytes) -> bytes:
        if path == b"/t":
            mode, size = stat.S_IFDIR | 0o755, 4096
        elif path == b"/t/l":
            mode, size = stat.S_IFLNK | 0o777, 1
        else:
            mode, size = stat.S_IFREG | 0o644, len(FILES.get(path, b""))
        if self.lie == "huge" and path == b"/t/b":
            size = 1 << 46
        if self.lie == "late" and path == b"/t/b":
            size = LATE_SIZE
        if self.lie in ("kernel", "endless-file") and path == b"/t/b":
            size = 0
        return _u32(15) + size.to_bytes(8, "big") + _u32(7) + _u32(8) + _u32(mode) + _u32(1) + _u32(1000)

    def _answer(self, frame: bytes) -> None:
        reader = Reader(frame)
        kind = reader.u8()
        self.seen.append(kind)
        number = reader.u32()
        if kind == INIT:
            self._out.append(_u32(5) + bytes([VERSION]) + _u32(3))
            return
        if self.lie == "silent-end":
            return
        subject = reader.string()
        match kind:
            case 5:
                self._read(number, subject, reader.u64(), reader.u32())
            case 3 | 11:
                self._put(HANDLE, number, _string(subject[:256]))
            case 4:
                self._put(STATUS, number, _u32(0) + _string(b"") + _string(b""))
            case 7:
                self._lstats += 1
                if subject not in (*FILES, b"/t", b"/t/l") or (self.lie == "vanishes" and self._lstats > 1):
                    self._status(number, MISSING)
                else:
                    found = self._attributes(subject)
                    if self.lie == "touched" and self._lstats > 1:
                        found = found[:-4] + _u32(1001)
                    self._put(ATTRS, number, found)
            case 19:
                self._put(NAME, number, _u32(1) + _string(b"a") + _string(b"") + _u32(0))
            case 12:
                self._list(number, subject)
            case _:
                self._status(number, FAILURE)

    def _read(self, number: int, path: bytes, offset: int, length: int) -> None:
        content = FILES.get(path, b"")
        if self.lie == "endless-file" and path == b"/t/b":
            self._put(DATA, number, _string(bytes(length)))
            return
        if self.lie == "late" and path == b"/t/b":
            self._put(DATA, number, _string(bytes(length))) if offset < LATE_SIZE else self._status(number, EOF)
            if offset == 0:
                self._held = self._out.pop()
            self.ahead += bool(self._held)
            return
        piece = content[offset : offset + length]
        if self.lie == "crumbs":
            piece = piece[: max(1, length // 3)]
        if self.lie == "short" and offset + length > 50_000:
            piece = b""
        if self.lie == "denied":
            self._status(number, DENIED)
        elif self.lie == "long-data":
            self._put(DATA, number, _string(bytes(length + 1)))
        elif self.lie == "empty-data":
            self._put(DATA, number, _string(b""))
        elif self.lie == "wrong-type":
            self._put(HANDLE, number, _string(b"h"))
        elif self.lie == "ok-for-data":
            self._status(number, 0)
        elif self.lie == "tail":
            self._put(DATA, number, _string(piece) + b"!")
        elif piece:
            self._put(DATA, number, _string(piece))
        else:
            self._status(number, EOF)

    def _list(self, number: int, path: bytes) -> None:
        turn = self._listed[path] = self._listed.get(path, 0) + 1
        if self.lie == "endless":
            names = [b"f%d-%d" % (turn, at) for at in range(50)]
        elif self.lie == "long-names":
            names = [b"%d-%d-" % (turn, at) + b"n" * 4000 for at in range(50)]
        elif self.lie == "no-names":
            names = []
        elif turn > 1:
            self._status(number, EOF)
            return
        else:
            names = [b".", b"..", b"a", b"b", b"l"]
        if self.lie == "evil-name":
            names.append(self.name)
        if self.lie == "many-names":
            self._put(NAME, number, _u32(1 << 30))
            return
        blank = _u32(0) if self.lie == "names-only" else b""
        body = b"".join(_string(name) + _string(b"") + (blank or self._attributes(path + b"/" + name)) for name in names)
        self._put(NAME, number, _u32(len(names)) + body)


def main() -> None:
    """Serve on standard input and output."""
    device = LyingSftp(sys.argv[1] if len(sys.argv) > 1 else "")
    while data := os.read(0, 65536):
        device.send(data)
        while answer := device.receive():
            sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
