"""tar archives, plain or compressed, as volumes.

A tar has no list of its members, so opening one reads it from end to end; the digests come out of that pass, and an archive that
is cut short or contradicts itself is refused as a whole.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from time import monotonic

from verifier.errors import BadReply, OverBound, Truncated
from verifier.model.profile import Bounds
from verifier.model.words import FileType
from verifier.transport.answer import FileEntry
from verifier.transport.archive.reader import read_archive
from verifier.transport.offline.catalogue import Catalogue
from verifier.transport.offline.source import CHUNK, Medium, Source, tar_header
from verifier.transport.offline.volume import Lost, Node

_XZ_MEMORY = 100 << 20
"""Bytes of dictionary an xz stream may ask for; `xz -9` asks for 65 MiB."""


class Tape:
    """A tar archive."""

    notes: tuple[str, ...] = ()
    threads = 1

    def __init__(self, source: Source, medium: Medium) -> None:
        """Raises:
        Truncated: the archive or its compression ends before its end.
        BadReply: it is damaged, or holds names that cannot be.
        OverBound: it expands to more than an item may cost by default.
        """
        self.title = medium.value
        self._source, self._medium = source, medium
        self._bounds = Bounds()
        self._first: dict[str, bytes] = {}
        catalogue = Catalogue(self._bounds.members)
        for answer in read_archive(self._chunks(), members=self._bounds.members):
            if not isinstance(answer, FileEntry):
                catalogue.add(answer.path, Lost(answer.reason, answer.detail))
                continue
            if answer.type is FileType.REGULAR:
                self._first.setdefault(answer.sha256, answer.path)
            catalogue.add(answer.path, _node(answer))
        self._catalogue = catalogue
        self.root = catalogue.root

    def children(self, folder: Node) -> Iterator[tuple[bytes, Node | Lost]]:
        return self._catalogue.children(folder)

    def content(self, file: Node) -> Iterator[bytes]:
        for _, content in self.gather((file,)):
            yield content

    def gather(self, files: Iterable[Node]) -> Iterator[tuple[str, bytes]]:
        """As `Sequential.gather`. Equal contents, such as hard links, are taken from where they first stand."""
        wanted = {self._first[file.sha256]: file.sha256 for file in files}
        for answer in read_archive(self._chunks(), lambda path, _size: path in wanted, self._bounds.members):
            if not isinstance(answer, FileEntry) or answer.path not in wanted:
                continue
            if answer.content is None or answer.sha256 != wanted[answer.path]:
                break
            yield wanted.pop(answer.path), answer.content
            if not wanted:
                return
        raise BadReply("the archive changed while being read", "read it again")

    def _chunks(self) -> Iterator[bytes]:
        """The tar stream itself, bounded in bytes and time."""
        ends = monotonic() + self._bounds.seconds
        total = 0
        for piece in expanded(self._source, self._medium):
            total += len(piece)
            if total > self._bounds.bytes:
                raise OverBound(f"the archive expands to more than {self._bounds.bytes} bytes", "find out who made this archive")
            if monotonic() > ends:
                raise OverBound(f"the archive was not read within {self._bounds.seconds:g} s", "unpack it and name the folder")
            yield piece


def holds_tar(source: Source, medium: Medium) -> bool:
    """Does the stream begin like a tar archive, or like an empty one? If not, it is read to its end, so that damage is no answer.

    Raises:
        BadReply, Truncated: it is not what its first bytes promise.
    """
    head, total = b"", 0
    for piece in expanded(source, medium, 4096):
        total += len(piece)
        if len(head) < 512:
            head += piece
            if len(head) >= 512 and (tar_header(head[:512]) or not any(head[:512])):
                return True
        if total > Bounds().bytes:
            break
    return False


def expanded(source: Source, medium: Medium, most: int = CHUNK) -> Iterator[bytes]:
    """The bytes behind the compression, in pieces of at most so many bytes.

    Raises:
        Truncated: the stream ends before its end.
        BadReply: it is damaged.
    """
    source.seek(0)
    try:
        match medium:
            case Medium.TAR_GZIP:
                with gzip.GzipFile(fileobj=source, mode="rb") as stream:
                    while piece := stream.read(most):
                        yield piece
            case Medium.TAR_BZIP2:
                yield from _streams(source, most, bz2.BZ2Decompressor)
            case Medium.TAR_XZ:
                yield from _streams(source, most, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))
            case _:
                yield from source.chunks(0, source.size)
    except EOFError as error:
        raise Truncated("the compressed archive ends before its end", "copy it again") from error
    except (OSError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise BadReply(f"the compressed archive is damaged: {error}", "copy it again") from error


def _streams(source: Source, most: int, new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]) -> Iterator[bytes]:
    """One compressed stream after another, as several files put together make."""
    data = source.read(most)
    while data.strip(b"\0"):
        stream = new()
        while not stream.eof:
            if stream.needs_input and not data and not (data := source.read(most)):
                raise EOFError
            piece = stream.decompress(data, most)
            data = b""
            if piece:
                yield piece
        data = stream.unused_data or source.read(most)


def _node(answer: FileEntry) -> Node:
    return Node(
        answer.type,
        answer.mode,
        answer.owner,
        answer.group,
        answer.size,
        answer.mtime,
        None,
        answer.target,
        sha256=answer.sha256,
    )
