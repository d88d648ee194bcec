r"""The output of `sha256sum` over files whose names are known.

coreutils starts a line with a backslash where it has escaped newline, carriage return and backslash in the name; busybox never
escapes, so a name may hold what looks like another line. The files are expected in the order in which they were listed, which
tells the two apart; where that fails, some file gets two digests or none, and whoever asked believes neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from verifier.errors import BadReply

NAME_LIMIT = 1 << 14
"""Bytes of one name, escaped; Linux stops at 4096 unescaped."""
_LINE = re.compile(rb"(\\?)([0-9a-f]{64}) [ *]")
_ESCAPES = {b"\\n": b"\n", b"\\r": b"\r", b"\\\\": b"\\"}


def hash_lines(chunks: Iterable[bytes], expected: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Path and 32-byte digest, for each line about an expected path; lines about others are passed over.

    Raises:
        BadReply: it is not the output of `sha256sum`.
    """
    lines = _Lines(expected)
    rest = b""
    for chunk in chunks:
        rest += chunk
        at = 0
        while found := lines.take(rest, at, last=False):
            at = found.end
            if found.name in lines.places:
                yield found.name, found.digest
        rest = rest[at:]
    at = 0
    while found := lines.take(rest, at, last=True):
        at = found.end
        if found.name in lines.places:
            yield found.name, found.digest
    if at != len(rest):
        raise BadReply("the list of hashes ends inside a line")


class _Line:
    __slots__ = ("digest", "end", "name")

    def __init__(self, name: bytes, digest: bytes, end: int) -> None:
        self.name, self.digest, self.end = name, digest, end


class _Lines:
    def __init__(self, expected: Sequence[bytes]) -> None:
        self._expected = expected
        self.places = {path: place for place, path in enumerate(expected)}
        self._next = 0
        """Place of the path whose line should come now."""
        self._broken_names = any(b"\n" in path for path in expected)

    def take(self, data: bytes, at: int, last: bool) -> _Line | None:
        """The line at this offset; None when it has not arrived whole."""
        if not last and len(data) - at < 2 * NAME_LIMIT and self._broken_names:
            return None
        end = data.find(b"\n", at)
        if end < 0:
            if len(data) - at > NAME_LIMIT + 70:
                raise BadReply("the list of hashes holds a name without end")
            return None
        opening = _LINE.match(data, at)
        if not opening:
            raise BadReply("the list of hashes is not what sha256sum prints")
        name = data[opening.end() : end]
        if opening[1]:
            name = re.sub(rb"\\[nr\\]", lambda found: _ESCAPES[found[0]], name)
        elif self._broken_names:
            name = self._raw_name(data, opening.end(), end)
            end = opening.end() + len(name)
        if (place := self.places.get(name)) is not None:
            self._next = place + 1
        return _Line(name, bytes.fromhex(opening[2].decode("ascii")), end + 1)

    def _raw_name(self, data: bytes, start: int, end: int) -> bytes:
        """A name that may hold newlines: the one expected now, else the shortest that is expected at all, else the first line."""
        if self._next < len(self._expected) and data.startswith(self._expected[self._next] + b"\n", start):
            return self._expected[self._next]
        finish = end
        while 0 <= finish < start + NAME_LIMIT:
            if data[start:finish] in self.places:
                return data[start:finish]
            finish = data.find(b"\n", finish + 1)
        return data[start:end]
