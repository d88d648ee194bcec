"""ext2-4 and FAT file systems and partition tables, through The Sleuth Kit. The only file that imports pytsk3.

The Sleuth Kit also lists what was deleted and adds names of its own (`$MBR`, `$FAT1`, `$OrphanFiles`, the volume label): only
names in use that stand for real files are passed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytsk3  # type: ignore[import-not-found]  # a compiled module without types

from verifier.errors import BadReply, Truncated
from verifier.model.words import FileType, Reason
from verifier.transport.offline.ext_inode import ExtInodes
from verifier.transport.offline.source import CHUNK, Medium, Source
from verifier.transport.offline.volume import Lost, LostError, Node

_TYPES = {
    int(pytsk3.TSK_FS_META_TYPE_REG): FileType.REGULAR,
    int(pytsk3.TSK_FS_META_TYPE_DIR): FileType.DIRECTORY,
    int(pytsk3.TSK_FS_META_TYPE_LNK): FileType.SYMLINK,
    int(pytsk3.TSK_FS_META_TYPE_FIFO): FileType.FIFO,
    int(pytsk3.TSK_FS_META_TYPE_SOCK): FileType.SOCKET,
    int(pytsk3.TSK_FS_META_TYPE_CHR): FileType.CHARACTER,
    int(pytsk3.TSK_FS_META_TYPE_BLK): FileType.BLOCK,
}
_VIRTUAL = (int(pytsk3.TSK_FS_META_TYPE_VIRT), int(pytsk3.TSK_FS_META_TYPE_VIRT_DIR))
_LABEL = b" (Volume Label Entry)"


@dataclass(frozen=True, slots=True)
class Partition:
    number: int
    """As Linux counts them: 1 to 4 for primary partitions, from 5 for logical ones; the slot of a GPT."""
    start: int
    size: int
    """Bytes."""
    title: str
    """What the table says it is: `Linux (0x83)`."""


def partitions(source: Source) -> tuple[Partition, ...]:
    """The partitions of a whole disk.

    Raises:
        BadReply: the table cannot be read.
    """
    try:
        table = pytsk3.Volume_Info(_Image(source))
    except OSError as error:
        raise BadReply(f"the partition table cannot be read: {_words(error)}") from error
    found = []
    logical = 5
    for part in table:
        if int(part.flags) & int(pytsk3.TSK_VS_PART_FLAG_ALLOC) == 0 or part.len == 0:
            continue
        number = part.slot_num + 1
        if part.table_num > 0:
            number, logical = logical, logical + 1
        size = int(table.info.block_size)
        title = part.desc.decode("utf-8", "replace")
        found.append(Partition(number, part.start * size, part.len * size, title))
    return tuple(found)


class Disk:
    """One ext or FAT file system."""

    threads = 1

    def __init__(self, source: Source, medium: Medium) -> None:
        """Raises:
        BadReply: it cannot be opened as what it claims to be.
        Truncated: the image ends before the file system does.
        """
        self._source = source
        self._inodes = ExtInodes(source) if medium is Medium.EXT else None
        try:
            self._fs = pytsk3.FS_Info(_Image(source))
            top = self._fs.open_meta(inode=self._fs.info.root_inum)
        except OSError as error:
            raise BadReply(f"the {medium.value} cannot be opened: {_words(error)}", "make the image again") from error
        size = int(self._fs.info.block_count) * int(self._fs.info.block_size)
        if max(size, self._inodes.bytes if self._inodes else 0) > source.size:
            raise Truncated(
                f"the image ends at {source.size} bytes, the {medium.value} in it at {size}", "make the image again, to its end"
            )
        self.title = _title(int(self._fs.info.ftype), medium)
        self.notes = self._notes()
        root = self._node(top)
        if not isinstance(root, Node) or root.type is not FileType.DIRECTORY:
            raise BadReply(f"the {medium.value} has no root folder", "make the image again")
        self.root = root

    def children(self, folder: Node) -> Iterator[tuple[bytes, Node | Lost]]:
        try:
            for each in self._fs.open_dir(inode=_entry(folder).info.meta.addr):
                name = bytes(each.info.name.name)
                if name in (b".", b"..") or not int(each.info.name.flags) & int(pytsk3.TSK_FS_NAME_FLAG_ALLOC):
                    continue
                if each.info.meta is None:
                    yield name, Lost(Reason.BAD_REPLY, "its inode cannot be read")
                elif int(each.info.meta.type) not in _VIRTUAL and not self._label(each):
                    yield name, self._node(each)
        except OSError as error:
            raise LostError(Reason.BAD_REPLY, f"it cannot be listed: {_words(error)}") from error

    def content(self, file: Node) -> Iterator[bytes]:
        entry, offset = _entry(file), 0
        while offset < file.size:
            try:
                piece = entry.read_random(offset, min(CHUNK, file.size - offset))
            except OSError as error:
                raise LostError(Reason.BAD_REPLY, f"not readable from byte {offset}: {_words(error)}") from error
            if not piece:
                return
            offset += len(piece)
            yield piece

    def _node(self, entry: pytsk3.File) -> Node | Lost:
        meta = entry.info.meta
        kind = _TYPES.get(int(meta.type))
        if kind is None:
            return Lost(Reason.UNSUPPORTED, f"a kind of file this reader does not know ({int(meta.type)})")
        size, target = 0, b""
        try:
            if kind is FileType.REGULAR:
                size = int(meta.size)
            elif self._inodes and kind is FileType.SYMLINK:
                target = self._target(entry)
            elif self._inodes and kind in (FileType.CHARACTER, FileType.BLOCK):
                size = self._inodes.device(int(meta.addr))
        except LostError as error:
            return error.lost
        except BadReply as error:
            return Lost(Reason.BAD_REPLY, str(error))
        mode = int(meta.mode) & 0o7777 if self._inodes else 0
        return Node(kind, mode, int(meta.uid), int(meta.gid), size, int(meta.mtime), entry, target)

    def _target(self, entry: pytsk3.File) -> bytes:
        assert self._inodes
        size = int(entry.info.meta.size)
        if size > 4096:
            raise LostError(Reason.BAD_REPLY, f"a link of {size} bytes")
        target = self._inodes.link(int(entry.info.meta.addr), size)
        if target is not None:
            return target
        try:
            return bytes(entry.read_random(0, size))
        except OSError as error:
            raise LostError(Reason.BAD_REPLY, f"the link cannot be read: {_words(error)}") from error

    def _label(self, entry: pytsk3.File) -> bool:
        # a file of that name has a short name beside it, since the long one does not fit eight and three
        return not self._inodes and bytes(entry.info.name.name).endswith(_LABEL) and not entry.info.name.shrt_name

    def _notes(self) -> tuple[str, ...]:
        if not self._inodes:
            return ("FAT keeps no owners and modes: only names, sizes and contents are compared",)
        if self._inodes.unclean:
            return ("the file system was not unmounted cleanly: newest changes may stand only in its journal, which is not read",)
        return ()


class _Image(pytsk3.Img_Info):  # type: ignore[misc]  # ships no types
    """Reads through our own window: no guessing of split images from file names, and one offset for all."""

    def __init__(self, source: Source) -> None:
        self._source = source
        super().__init__(url="", type=pytsk3.TSK_IMG_TYPE_EXTERNAL)

    def read(self, offset: int, size: int) -> bytes:
        return self._source.at(offset, size)

    def get_size(self) -> int:
        return self._source.size

    def close(self) -> None:
        pass


def _entry(node: Node) -> pytsk3.File:
    assert isinstance(node.place, pytsk3.File)
    return node.place


def _title(kind: int, medium: Medium) -> str:
    for name in ("EXT2", "EXT3", "EXT4", "FAT12", "FAT16", "FAT32"):
        if kind == int(getattr(pytsk3, f"TSK_FS_TYPE_{name}")):
            return f"{name if name.startswith('F') else name.lower()} file system"
    raise BadReply(f"the {medium.value} turned out to be another kind ({kind})")


def _words(error: OSError) -> str:
    return " ".join(str(error).split()) or "no reason given"
