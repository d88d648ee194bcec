"""zip archives, and single files, as volumes. Members are read in memory, piece by piece; nothing is ever unpacked to disk."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from calendar import timegm
from collections.abc import Iterator

from verifier.errors import BadReply, OverBound
from verifier.model.profile import Bounds
from verifier.model.words import FileType, Reason
from verifier.transport.offline.catalogue import Catalogue
from verifier.transport.offline.source import CHUNK, Source
from verifier.transport.offline.volume import Lost, LostError, Node

_DIRECTORY_LIMIT = 12 << 20
"""Bytes of a zip's list of members, which the library holds whole: some 100,000 members, in 100 MiB of memory."""
_BROKEN = (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, zlib.error, EOFError, OSError, RuntimeError)
"""What the library raises on a damaged or hostile archive; UnicodeDecodeError is a ValueError."""

_TYPES = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFSOCK: FileType.SOCKET,
    stat.S_IFCHR: FileType.CHARACTER,
    stat.S_IFBLK: FileType.BLOCK,
}
_UNIX = 3
"""`version made by`, upper byte: the upper half of the external attributes is a mode (APPNOTE.TXT 6.3.10, section 4.4.2)."""


class Zip:
    """A zip archive; an engineering project is often one under another name."""

    title = "zip archive"
    threads = 1
    notes: tuple[str, ...] = ("zip keeps no owners; modes only where it was made on Unix",)

    def __init__(self, source: Source) -> None:
        """Raises:
        BadReply: it is damaged, cut, or holds names that cannot be.
        OverBound: it holds too many members.
        """
        self._source = source
        self._catalogue = Catalogue(Bounds().members)
        if _directory_size(source) > _DIRECTORY_LIMIT:
            raise OverBound("the zip archive holds more members than can be listed", "unpack it and name the folder instead")
        try:
            self._zip = zipfile.ZipFile(source)
        except _BROKEN as error:
            raise BadReply(f"the zip archive cannot be opened: {_words(error)}", "copy it again; it may be cut short") from error
        for info in self._zip.infolist():
            name = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
            self._catalogue.add(name, self._node(info))
        self.root = self._catalogue.root

    def children(self, folder: Node) -> Iterator[tuple[bytes, Node | Lost]]:
        return self._catalogue.children(folder)

    def content(self, file: Node) -> Iterator[bytes]:
        assert isinstance(file.place, zipfile.ZipInfo)
        if file.place.flag_bits & 1:
            raise LostError(Reason.UNSUPPORTED, "encrypted in the archive")
        if file.place.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # the library bounds what it expands at once for these two only
            raise LostError(Reason.UNSUPPORTED, f"compressed by method {file.place.compress_type}, not read here")
        try:
            with self._zip.open(file.place) as stream:
                while piece := stream.read(CHUNK):
                    yield piece
        except _BROKEN as error:
            raise LostError(Reason.BAD_REPLY, f"damaged in the archive: {_words(error)}") from error

    def _node(self, info: zipfile.ZipInfo) -> Node | Lost:
        attributes = info.external_attr >> 16 if info.create_system == _UNIX else 0
        kind = _TYPES.get(stat.S_IFMT(attributes), FileType.REGULAR)
        if info.orig_filename.endswith("/"):
            kind = FileType.DIRECTORY
        try:
            mtime = timegm((*info.date_time, 0, 0, 0))
        except ValueError:
            mtime = 0
        node = Node(kind, stat.S_IMODE(attributes), 0, 0, 0, mtime, info)
        if kind is FileType.REGULAR:
            return Node(kind, node.mode, 0, 0, info.file_size, mtime, info)
        if kind is FileType.SYMLINK:
            if info.file_size > 4096:
                return Lost(Reason.BAD_REPLY, f"a link of {info.file_size} bytes")
            try:
                return Node(kind, node.mode, 0, 0, 0, mtime, info, b"".join(self.content(node)))
            except LostError as error:
                return error.lost
        return node


class Single:
    """One file that is no volume we know: it is its own only member, under its own name."""

    title = "single file"
    threads = 1
    notes: tuple[str, ...] = ("read as one file: its content is compared as a whole",)

    def __init__(self, source: Source, name: bytes) -> None:
        self._source, self._name = source, name
        self.root = Node(FileType.DIRECTORY, 0, 0, 0, 0, 0, None, implied=True)

    def children(self, folder: Node) -> Iterator[tuple[bytes, Node | Lost]]:
        assert folder is self.root
        yield self._name, Node(FileType.REGULAR, 0, 0, 0, self._source.size, 0, None)

    def content(self, file: Node) -> Iterator[bytes]:
        return self._source.chunks(0, file.size)


def _directory_size(source: Source) -> int:
    """Bytes of the central directory, as the end record says; 0 where there is none (APPNOTE.TXT, sections 4.3.14 to 4.3.16)."""
    start = max(0, source.size - 65557)
    tail = source.at(start, 65557)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return 0
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if size == 0xFFFFFFFF and at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        end = source.at(int.from_bytes(tail[at - 12 : at - 4], "little"), 56)
        size = int.from_bytes(end[40:48], "little")
    return size


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
