"""Names and metadata as `find` prints them, in the two forms that `transport.shell.commands` asks for.

A record stays the bytes that came until somebody needs its fields: two listings of an unchanged tree are equal byte for byte,
with times to the nanosecond where the device tells them, and a tree of 200,000 names still fits into memory.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from verifier.errors import BadReply
from verifier.model.words import FileType

RECORD_LIMIT = 1 << 15
"""Bytes of one record: a path and a link target of at most 4096 each, with room to spare."""

_TIME = rb"-?[0-9]{1,19}(?:\.[0-9]{1,10})?"
_COUNT = rb"[0-9]{1,20}"
# type letter, mode, links, owner, group, size, mtime, ctime, device, inode
_PRINTF = re.compile(rb"[A-Za-z?] [0-7]{1,6} %b %b %b %b %b %b %b %b " % ((_COUNT,) * 4 + (_TIME, _TIME) + (_COUNT,) * 2))
# raw mode, links, owner, group, size, mtime, device, inode, major, minor, ctime in words
_STAT = re.compile(
    rb"([0-9a-f]{1,8}) %b %b %b (%b) %b %b %b [0-9a-f]{1,8} [0-9a-f]{1,8} [-+:. 0-9]{1,40}\|"
    % ((_COUNT,) * 4 + (_TIME,) + (_COUNT,) * 2)
)
_LETTERS = {
    b"f": FileType.REGULAR,
    b"d": FileType.DIRECTORY,
    b"l": FileType.SYMLINK,
    b"p": FileType.FIFO,
    b"s": FileType.SOCKET,
    b"c": FileType.CHARACTER,
    b"b": FileType.BLOCK,
}
_FORMATS = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFSOCK: FileType.SOCKET,
    stat.S_IFCHR: FileType.CHARACTER,
    stat.S_IFBLK: FileType.BLOCK,
}


class Listed(NamedTuple):
    """A tuple rather than a dataclass: several are made for each of many files."""

    type: FileType | None
    """None: a kind of file that we do not know."""
    mode: int
    links: int
    owner: int
    group: int
    size: int
    """As `stat` says it, for every type."""
    mtime: int
    inode: bytes
    """Device and inode number, which names of one file share."""
    device: int | None
    """`major << 20 | minor` for nodes, else 0; None where the form does not tell."""
    target: bytes

    def identity(self) -> tuple[object, ...]:
        """What must stay while a tree is read, for things whose size and times move by themselves."""
        return self.type, self.mode, self.owner, self.group, self.device, self.target


class Form(StrEnum):
    """How a device can list: GNU find's own `-printf`, or find with `stat` (busybox, coreutils)."""

    PRINTF = "printf"
    STAT = "stat"
    NONE = "none"

    def parsed(self, record: bytes) -> Listed:
        """The fields of a record that `records` gave in this form."""
        metadata, _, target = record.partition(b"|")
        fields = metadata.split(b" ")
        if self is Form.PRINTF:
            kind, mode, links, owner, group, size, mtime, _, device, inode = fields
            file_type = _LETTERS.get(kind)
            node = None if file_type in (FileType.CHARACTER, FileType.BLOCK) else 0
            bits = int(mode, 8)
        else:
            raw, links, owner, group, size, mtime, device, inode, major, minor = fields[:10]
            bits = int(raw, 16)
            file_type = _FORMATS.get(stat.S_IFMT(bits))
            nodes = file_type in (FileType.CHARACTER, FileType.BLOCK)
            node = int(major, 16) << 20 | int(minor, 16) if nodes else 0
        seconds = int(mtime.partition(b".")[0])
        found = device + b" " + inode
        return Listed(file_type, bits & 0o7777, int(links), int(owner), int(group), int(size), seconds, found, node, target)


def records(form: Form, chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Path and record of everything listed, as it arrives.

    Raises:
        BadReply: the output is not in the form that was asked for, or ends inside a record.
    """
    rest = b""
    for chunk in chunks:
        rest = rest + chunk if rest else chunk
        at = 0
        while found := _printf(rest, at) if form is Form.PRINTF else _stat(rest, at):
            yield found[0], found[1]
            at = found[2]
        rest = rest[at:]
        if len(rest) > RECORD_LIMIT:
            raise BadReply("the listing holds a name without end")
    if rest:
        raise BadReply("the listing ends inside a name")


def _printf(data: bytes, at: int) -> tuple[bytes, bytes, int] | None:
    """The record at this offset and where it ends; None when it has not arrived whole."""
    middle = data.find(b"\0", at)
    end = data.find(b"\0", middle + 1) if middle >= 0 else -1
    if end < 0:
        return None
    metadata = _PRINTF.match(data, at, middle)
    if not metadata or data[metadata.end() : metadata.end() + 1] != b"/":
        raise BadReply("the listing is not what find was asked to print")
    return data[metadata.end() : middle], metadata[0][:-1] + b"|" + data[middle + 1 : end], end + 1


def _stat(data: bytes, at: int) -> tuple[bytes, bytes, int] | None:
    """As `_printf`. Ends of names are found by what cannot stand in them and by the length that stat says, not by newlines."""
    if data.find(b"//\n", at) < 0:
        return None
    metadata = _STAT.match(data, at)
    if not metadata or data[metadata.end() : metadata.end() + 1] != b"/":
        raise BadReply("the listing is not what stat was asked to print")
    end = data.find(b"//", metadata.end() + 1)
    if end < 0:
        return None
    path = data[metadata.end() : end]
    shown = end + 2
    link = stat.S_ISLNK(int(metadata[1], 16))
    size = int(metadata[2]) if link else 0
    if size > RECORD_LIMIT:
        raise BadReply("the listing holds a link target without end")
    # busybox: 'name' -> 'target'; coreutils, told to quote nothing: name -> target
    for before, after in ((b"'%b' -> '", b"'"), (b"%b -> ", b"")) if link else ((b"%b", b""), (b"'%b'", b"")):
        opening = before % path
        start = shown + len(opening)
        if not opening.startswith(data[shown:start]):
            continue
        finish = start + size
        closing = after + b"//\n"
        if len(data) < finish + len(closing):
            return None
        if data.startswith(closing, finish):
            return path, metadata[0] + data[start:finish], finish + len(closing)
        if link and (found := data.find(closing, start)) >= 0:
            # Some file systems say a length of 0 for every link.
            return path, metadata[0] + data[start:found], found + len(closing)
    raise BadReply("the listing is not what stat was asked to print")
