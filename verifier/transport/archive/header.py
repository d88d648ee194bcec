"""One block of 512 bytes that stands before each member of a tar archive, and the records that extend it.

Sources: POSIX.1-2008 `pax`, section "ustar Interchange Format" and "pax Extended Header"; the GNU tar manual, "Basic Tar Format".
Everything here was chosen by the device.
"""

from __future__ import annotations

import re
import struct
import zlib
from functools import lru_cache
from typing import NamedTuple

from verifier.errors import BadReply
from verifier.model.member import shown
from verifier.model.words import FileType

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
SIZE_LIMIT = 1 << 62
"""Bytes of one member; beyond it a size is nonsense, and our own arithmetic on offsets would be too."""
PATH_LIMIT = 1 << 16
"""Bytes of one name. Linux stops at 4096; archives of other systems may go a little further."""
NAME_BYTES = 512
"""What one member's name, link target and metadata take on average, at most. Each may be longer, but not all of them: two hundred
thousand names of the longest kind would fill the memory."""


def names_room(members: int) -> int:
    """Bytes that the names of so many members may take together."""
    return (1 << 20) + NAME_BYTES * members


# name, mode, owner, group, size, mtime, checksum, type, link name, magic and version, user, group, major, minor, prefix
_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s64x8s8s155s12x")
_TYPES = {
    b"0": FileType.REGULAR,
    b"\0": FileType.REGULAR,
    b"7": FileType.REGULAR,
    b"2": FileType.SYMLINK,
    b"3": FileType.CHARACTER,
    b"4": FileType.BLOCK,
    b"5": FileType.DIRECTORY,
    b"6": FileType.FIFO,
}
_RECORD = re.compile(rb"([1-9][0-9]{0,9}) ([^=\0]+)=", re.DOTALL)
_ELSEWHERE = re.compile(rb"/\.{1,2}(?:/|\Z)")
_SECONDS = re.compile(rb"(-?)([0-9]{1,18})(?:\.([0-9]*))?")


class Header(NamedTuple):
    """A tuple rather than a dataclass: one is made for each of many small files, in a third of the time."""

    kind: bytes
    """The type flag, one byte."""
    name: bytes
    """As the archive spells it; see `absolute`."""
    mode: int
    owner: int
    group: int
    size: int
    """As the header says it; bytes follow only where `stored` says so."""
    mtime: int
    link: bytes
    device: int
    """`major << 20 | minor` for nodes, else 0."""
    map_follows: bool
    """For sparse files as old GNU tars store them: blocks with more of the map stand before the content."""

    @property
    def type(self) -> FileType | None:
        """None for a hard link, a header of headers, and kinds we do not know."""
        if self.kind == b"\0" and self.name.endswith(b"/"):
            return FileType.DIRECTORY
        return _TYPES.get(self.kind)

    @property
    def stored(self) -> int:
        """Bytes of content that follow. Links, folders and nodes have none, whatever their size field says."""
        return 0 if self.kind in b"23456" or self.type is FileType.DIRECTORY else self.size


def header(block: bytes) -> Header:
    """A block that is not all zeros, taken apart.

    Raises:
        BadReply: its checksum or one of its numbers is wrong.
    """
    name, mode, owner, group, size, mtime, checksum, kind, link, magic, major, minor, prefix = _FIELDS.unpack(block)
    if not _sums_up(block, checksum):
        raise BadReply("a header in the archive has a wrong checksum", "read it again; if it stays, the device's tar is broken")
    name, link = name.partition(b"\0")[0], link.partition(b"\0")[0]
    if magic == b"ustar\x0000" and prefix[0]:
        name = prefix.partition(b"\0")[0] + b"/" + name
    number = _number(size)
    if not 0 <= number <= SIZE_LIMIT:
        raise BadReply(f"a header in the archive claims {number} bytes")
    device = (_number(major) << 20 | _number(minor)) if kind in b"34" else 0
    return Header(
        kind,
        name,
        _number(mode) & 0o7777,
        _number(owner),
        _number(group),
        number,
        _number(mtime),
        link,
        device,
        kind == b"S" and block[482] != 0,
    )


def is_header(block: bytes) -> bool:
    """Does the block carry its own checksum?"""
    return _sums_up(block, block[148:156])


def _sums_up(block: bytes, checksum: bytes) -> bool:
    """Is the sum of all bytes, the checksum's own eight counted as spaces, what the checksum says?

    The lower half of Adler-32 is 1 + that sum modulo 65521 (RFC 1950, section 8.2), and faster than adding up here.
    """
    text = checksum.strip(b" \0")
    if not text or text.translate(None, b"01234567"):
        return False
    stated = int(text, 8) + sum(checksum) - 8 * 32
    if (zlib.adler32(block) & 0xFFFF) == (1 + stated) % 65521:
        return True
    # Some old tars summed signed bytes.
    signed = sum(byte - 256 * (byte > 127) for byte in block[:148] + block[156:])
    return signed == int(text, 8) - 8 * 32


@lru_cache(maxsize=4096)
def _number(field: bytes) -> int:
    """Octal text, or big-endian two's complement where the first bit is set (GNU, for what octal cannot hold).

    Raises:
        BadReply: neither.
    """
    if field[0] & 0x80:
        if field[0] not in (0x80, 0xFF):
            raise BadReply("a number in an archive header is neither octal nor base 256")
        number = int.from_bytes(field[1:], "big")
        return number if field[0] == 0x80 else number - (1 << 8 * (len(field) - 1))
    text = field.partition(b"\0")[0].strip(b" ")
    if not text:
        return 0
    if text.translate(None, b"01234567"):
        raise BadReply("a number in an archive header is neither octal nor base 256")
    return int(text, 8)


def records(payload: bytes) -> dict[bytes, bytes]:
    """The records of a pax header: `length keyword=value`, each ended by a newline; the last of two equal keywords counts.

    Raises:
        BadReply: they do not fill the payload exactly.
    """
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(payload):
        record = _RECORD.match(payload, at)
        end = at + int(record[1]) if record else 0
        if not record or end > len(payload) or end <= record.end() or payload[end - 1 : end] != b"\n":
            raise BadReply("a pax header in the archive is broken")
        found[record[2]] = payload[record.end() : end - 1]
        at = end
    return found


def extended(plain: Header, pax: dict[bytes, bytes]) -> Header:
    """A header with what its pax records say instead. An empty value takes a record back.

    Raises:
        BadReply: a value is not what its keyword says.
    """
    return plain._replace(
        name=pax.get(b"path") or plain.name,
        link=pax.get(b"linkpath") or plain.link,
        size=_decimal(pax[b"size"]) if pax.get(b"size") else plain.size,
        owner=_decimal(pax[b"uid"]) if pax.get(b"uid") else plain.owner,
        group=_decimal(pax[b"gid"]) if pax.get(b"gid") else plain.group,
        mtime=_seconds(pax[b"mtime"]) if pax.get(b"mtime") else plain.mtime,
    )


def _decimal(text: bytes) -> int:
    if len(text) > 19 or text.translate(None, b"0123456789") or int(text) > SIZE_LIMIT:
        raise BadReply("a number in a pax header is not one")
    return int(text)


def _seconds(text: bytes) -> int:
    """Whole seconds, towards the past, as `stat` rounds."""
    match = _SECONDS.fullmatch(text)
    if not match:
        raise BadReply("a time in a pax header is not one")
    whole = int(match[2])
    if not match[1]:
        return whole
    return -whole - 1 if (match[3] or b"").strip(b"0") else -whole


def absolute(name: bytes) -> bytes:
    """The absolute path behind a name written with `-C / ./opt/x`: `./opt/x/` is `/opt/x`, `./` is `/`.

    Raises:
        BadReply: a name no honest tar writes, such as one with `..`, `//` or a NUL.
    """
    path = name[1:] if name.startswith(b"./") or name == b"." else name
    if not path.startswith(b"/"):
        path = b"/" + path
    if b"//" in path or b"\0" in path or (b"/." in path and _ELSEWHERE.search(path)):
        raise BadReply(
            f"the archive holds a name that leads elsewhere: {shown(name[:200])}", "somebody is playing with this device"
        )
    if not name or len(path) > PATH_LIMIT:
        raise BadReply("the archive holds a member without a name" if not name else "the archive holds a name without end")
    return path[:-1] or b"/" if path.endswith(b"/") else path
