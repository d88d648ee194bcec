"""squashfs 4.0 file systems. The only file that imports PySquashfsImage.

The library is used for the layout only. Left alone it reads every name into memory and stops at one that is not UTF-8, keeps
256 data blocks, and lets a block expand to any size; here folders are listed when they are walked, names are bytes, and every
block is bounded. Its private methods are used for that: `tests/test_image_squashfs.py` holds them to what they do today.
"""

from __future__ import annotations

import importlib
import lzma
import stat
import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from PySquashfsImage import SquashFsImage  # type: ignore[import-untyped]  # ships no types
from PySquashfsImage.const import Compression  # type: ignore[import-untyped]  # ships no types

from verifier.errors import BadReply, Truncated, Unsupported
from verifier.model.words import FileType, Reason
from verifier.transport.offline.source import Source
from verifier.transport.offline.volume import Lost, LostError, Node

METADATA = 8192
"""Bytes of a metadata block, uncompressed (Linux kernel documentation, filesystems/squashfs)."""
_LONGEST = 4 << 20
"""Longest run of metadata read at once: the block list of a file of 128 GiB."""
_LISTINGS = 16 << 20
"""Bytes of folder listings that are open at a time, from the top down to the folder being read; each takes some twenty times that
in memory, and a folder that holds itself would be opened again and again."""
_REMEMBERED = 256
"""Metadata blocks kept, 2 MiB of them."""

_TYPES = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFSOCK: FileType.SOCKET,
    stat.S_IFCHR: FileType.CHARACTER,
    stat.S_IFBLK: FileType.BLOCK,
}


class _Bad(ValueError):
    """The image contradicts itself."""


_BROKEN = (ValueError, LookupError, RuntimeError, struct.error, zlib.error, lzma.LZMAError, EOFError, MemoryError)
"""What the library and the decompressors raise on a damaged or hostile image."""


class _Expander(Protocol):
    def uncompress(self, data: bytes, _size: int, most: int) -> bytes: ...


class _Gzip:
    def uncompress(self, data: bytes, _size: int, most: int) -> bytes:
        most = max(most, METADATA)
        stream = zlib.decompressobj()
        return _whole(stream.decompress(data, most + 1), most, stream.eof)


class _Xz:
    def uncompress(self, data: bytes, _size: int, most: int) -> bytes:
        most = max(most, METADATA)
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=64 << 20)
        return _whole(stream.decompress(data, most + 1), most, stream.eof)


class _Zstd:
    def __init__(self) -> None:
        try:
            self._library: Any = importlib.import_module("zstandard")
        except ImportError as error:
            raise Unsupported(
                "the squashfs file system is compressed with zstd, and the Python module for it is not installed",
                "install it (pip install zstandard), or mount the image read-only and name the folder instead",
            ) from error
        self._decompressor = self._library.ZstdDecompressor(max_window_size=1 << 27)

    def uncompress(self, data: bytes, _size: int, most: int) -> bytes:
        most = max(most, METADATA)
        try:
            said = self._library.get_frame_parameters(data).content_size
            out: bytes = self._decompressor.stream_reader(data).read(most + 1)
        except self._library.ZstdError as error:
            raise _Bad(str(error)) from error
        return _whole(out, most, said in (len(out), self._library.CONTENTSIZE_UNKNOWN))


def _whole(data: bytes, most: int, ended: bool) -> bytes:
    if len(data) > most:
        raise _Bad(f"a block of more than {most} bytes")
    if not ended:
        raise _Bad("a compressed block ends before its end")
    return data


class _Recent(OrderedDict[int, Any]):
    """The library's dictionary of metadata blocks, kept short."""

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > _REMEMBERED:
            self.popitem(last=False)


class _Image(SquashFsImage):  # type: ignore[misc]  # ships no types
    """The library's reader without its scan of the whole tree, and with bounds."""

    def _initialize(self) -> None:
        self._inode_table_hash, self._directory_table_hash = _Recent(), _Recent()
        self._recent: tuple[int, bytes] = (-1, b"")
        self._fd.seek(0)
        self._read_super()
        self._read_uids_guids()
        self._read_fragment_table()

    def _get_compressor(self, compression_id: int) -> _Expander:
        match compression_id:
            case Compression.ZLIB:
                return _Gzip()
            case Compression.XZ:
                return _Xz()
            case Compression.ZSTD:
                return _Zstd()
            case _:
                names = {int(each): each.name.lower() for each in Compression}
                raise Unsupported(
                    f"the squashfs file system is compressed with {names.get(compression_id, compression_id)}, not read here",
                    "mount the image read-only and name the folder instead",
                )

    def _read_data_block(self, start: int, size: int) -> bytes:
        # neighbours share a fragment block, so the last one is kept
        if self._recent[0] == start:
            return self._recent[1]
        most = self._sblk.block_size
        length = size & ~(1 << 24)
        if length > most:
            raise _Bad(f"a block of {length} bytes")
        self._fd.seek(start)
        data: bytes = self._fd.read(length)
        if len(data) < length:
            raise EOFError("a block lies outside the image")
        if not size & 1 << 24:
            data = self._comp.uncompress(data, length, most)
        self._recent = (start, data)
        return data

    def _read_metadata(self, blocks: Any, block: int, offset: int, length: int) -> Any:
        if length > _LONGEST:
            raise _Bad(f"{length} bytes of metadata at once")
        return super()._read_metadata(blocks, block, offset, length)


@dataclass(frozen=True, slots=True)
class _Folder:
    block: int
    offset: int
    inode: Any


class Squashfs:
    """One squashfs file system."""

    title = "squashfs file system"
    threads = 1
    notes: tuple[str, ...] = ()

    def __init__(self, source: Source) -> None:
        """Raises:
        BadReply: it cannot be opened as what it claims to be.
        Truncated: the image ends before the file system does.
        Unsupported: it is compressed in a way not read here.
        """
        self._source = source
        self._listings = 0
        said = int.from_bytes(source.at(40, 8), "little")
        if said > source.size:
            raise Truncated(
                f"the image ends at {source.size} bytes, the squashfs file system in it at {said}",
                "make the image again, to its end",
            )
        try:
            self._image = _Image(source, closefd=False)
            block_size = self._image.sblk.block_size
            if not METADATA // 2 <= block_size <= 1 << 20 or block_size != 1 << self._image.sblk.block_log:
                raise _Bad(f"a block size of {block_size}")
            place = self._image.sblk.root_inode
            root = self._node(place >> 16 & 0xFFFFFFFF, place & 0xFFFF)
        except (*_BROKEN, OSError) as error:
            raise BadReply(f"the squashfs file system cannot be opened: {_words(error)}", "make the image again") from error
        if root.type is not FileType.DIRECTORY:
            raise BadReply("the squashfs file system has no root folder", "make the image again")
        self.root = root

    def children(self, folder: Node) -> Iterator[tuple[bytes, Node | Lost]]:
        assert isinstance(folder.place, _Folder)
        size = folder.place.inode.data
        if self._listings + size > _LISTINGS:
            raise LostError(Reason.BOUND, f"a listing of {size} bytes, with {self._listings} bytes of others above it")
        self._listings += size
        try:
            yield from self._listed(folder.place)
        finally:
            self._listings -= size

    def _listed(self, folder: _Folder) -> Iterator[tuple[bytes, Node | Lost]]:
        try:
            listing = self._image._opendir(folder.block, folder.offset).entries
        except _BROKEN as error:
            raise LostError(Reason.BAD_REPLY, f"it cannot be listed: {_words(error)}") from error
        for each in listing:
            try:
                node: Node | Lost = self._node(each["start_block"], each["offset"])
            except _BROKEN as error:
                node = Lost(Reason.BAD_REPLY, f"its inode cannot be read: {_words(error)}")
            yield each["name"], node

    def content(self, file: Node) -> Iterator[bytes]:
        try:
            yield from self._image.iter_file(file.place)
        except _BROKEN as error:
            raise LostError(Reason.BAD_REPLY, f"it cannot be read: {_words(error)}") from error

    def _node(self, block: int, offset: int) -> Node:
        inode = self._image._read_inode(block, offset)
        kind = _TYPES[stat.S_IFMT(inode.mode)]
        size, target = 0, b""
        place: object = inode
        match kind:
            case FileType.REGULAR:
                size = inode.data
            case FileType.SYMLINK:
                target = inode._symlink
            case FileType.CHARACTER | FileType.BLOCK:
                size = (inode.rdev >> 8 & 0xFFF) << 20 | inode.rdev & 0xFF | inode.rdev >> 12 & 0xFFF00
            case FileType.DIRECTORY:
                place = _Folder(block, offset, inode)
            case FileType.FIFO | FileType.SOCKET:
                pass
        return Node(kind, stat.S_IMODE(inode.mode), inode.uid, inode.gid, size, inode.time, place, target)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
