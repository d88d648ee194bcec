"""The bytes of an archive as they come off the line: chunks of any length, taken in blocks, copied at most once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from verifier.errors import BadReply, Truncated
from verifier.transport.archive.header import BLOCK, ZERO_BLOCK, Header, is_header
from verifier.transport.request import Copy

EXTENSION_LIMIT = 1 << 16
"""Bytes of one long name or pax header."""
PADDING_LIMIT = 1 << 20
"""Zero bytes after the end marker; GNU tar fills up a record of 10240 bytes."""


class ArchiveStream:
    """Chunks of any length, taken in blocks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._at = 0
        self._before = 0
        """Bytes of the chunks before this one."""

    def _next(self) -> None:
        self._before += len(self._chunk)
        self._at = 0
        self._chunk = b""
        for chunk in self._chunks:
            if chunk:
                self._chunk = chunk
                return
        raise Truncated(f"the archive ended after {self._before} bytes, before its end", "read it again")

    def take(self, count: int) -> bytes:
        """Exactly so many bytes."""
        end = self._at + count
        if end <= len(self._chunk):
            taken = self._chunk[self._at : end]
            self._at = end
            return taken
        return b"".join(map(bytes, self._views(count)))

    def _views(self, count: int) -> Iterator[memoryview]:
        """So many bytes in pieces, without copying them."""
        while count:
            if self._at == len(self._chunk):
                self._next()
            end = min(self._at + count, len(self._chunk))
            view = memoryview(self._chunk)[self._at : end]
            self._at = end
            count -= len(view)
            yield view

    def content(self, size: int, keep: bool, copy: Copy | None = None) -> tuple[str, bytes | None]:
        """The digest of a member's content, and the content where it is wanted; then the stream stands at the next header."""
        end = self._at + size
        if end <= len(self._chunk):
            view = memoryview(self._chunk)[self._at : end]
            self._at = end
            if copy:
                copy.add(view)
            digest = hashlib.sha256(view).hexdigest()
            content = bytes(view) if keep else None
        else:
            hasher = hashlib.sha256()
            kept = bytearray()
            for view in self._views(size):
                hasher.update(view)
                if copy:
                    copy.add(view)
                if keep:
                    kept += view
            digest = hasher.hexdigest()
            content = bytes(kept) if keep else None
        self._pad(size)
        return digest, content

    def _pad(self, size: int) -> None:
        padding = -size % BLOCK
        if self._at + padding <= len(self._chunk):
            self._at += padding
        else:
            self.take(padding)

    def payload(self, size: int) -> bytes:
        """The content of a header of headers."""
        if size > EXTENSION_LIMIT:
            raise BadReply(f"a name or pax header of {size} bytes in the archive")
        payload = self.take(size)
        self._pad(size)
        return payload

    def skip_sparse(self, head: Header) -> None:
        """Over the map and the content of a sparse member."""
        follows = head.map_follows
        while follows:
            follows = self.take(BLOCK)[504] != 0
        self.content(head.stored, False)

    def at_header(self) -> bool:
        """Is the next block a header, or the end marker? It stays to be taken."""
        block = self.take(BLOCK)
        self._before += self._at - BLOCK
        self._chunk = block + self._chunk[self._at :]
        self._at = 0
        return block == ZERO_BLOCK or is_header(block)

    def finish(self, record: int) -> None:
        """Behind the first zero block: another, nothing but zeros, and a whole number of records; then the end of the stream.

        Raises:
            BadReply: something else stands there.
            Truncated: the last record is not whole.
        """
        if self.take(BLOCK) != ZERO_BLOCK:
            raise BadReply("a single block of zeros inside the archive")
        padding = self._padding(self._chunk[self._at :])
        for chunk in self._chunks:
            padding += self._padding(chunk)
            if padding > PADDING_LIMIT:
                raise BadReply("zeros without end behind the archive")
        end = self._before + self._at + padding
        if end % record:
            raise Truncated(f"the archive ended after {end} bytes, inside its last record", "read it again")

    def _padding(self, chunk: bytes) -> int:
        if chunk.strip(b"\0"):
            raise BadReply("the archive goes on behind its end")
        return len(chunk)
