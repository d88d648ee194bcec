"""The file, card or partition an offline volume is read from, and what kind of thing it holds, told by its content."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from enum import StrEnum

from verifier.errors import BadReply, Refused, Unreachable

CHUNK = 1 << 20


class Source(io.RawIOBase):
    """A read-only window on an open file. Reads past its end are short, as in any file; `taken` counts bytes read."""

    def __init__(self, fd: int, start: int, size: int) -> None:
        self._fd, self._start, self._at = fd, start, 0
        self.size = size
        """Bytes in the window."""
        self.taken = 0

    @classmethod
    def open(cls, path: str) -> Source:
        """Open an image file, or a card as a block device.

        Raises:
            Unreachable: it is not there.
            Refused: it may not be read.
            BadReply: its size cannot be told.
        """
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except PermissionError as error:
            raise Refused(f"{path} may not be read", "run as a user who may read it") from error
        except OSError as error:
            raise Unreachable(f"no image {path}: {error.strerror}", "put the card in, or correct the path") from error
        try:
            return cls(fd, 0, os.lseek(fd, 0, os.SEEK_END))
        except OSError as error:
            os.close(fd)
            raise BadReply(f"{path} has no size: {error.strerror}", "name an image file, a card's device or a folder") from error

    def part(self, start: int, size: int) -> Source:
        """A window within this one, to be used while this one is open."""
        return _Part(self, self._fd, self._start + start, size)

    def at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from an offset; fewer only at the end.

        Raises:
            BadReply: the medium cannot be read there.
        """
        size = max(0, min(size, self.size - offset))
        pieces: list[bytes] = []
        while size > 0:
            try:
                piece = os.pread(self._fd, size, self._start + offset)
            except OSError as error:
                raise BadReply(f"the medium cannot be read at byte {self._start + offset}: {error.strerror}") from error
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
            offset += len(piece)
            self.taken += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def chunks(self, offset: int, size: int) -> Iterator[bytes]:
        """The bytes of a range, in pieces of at most `CHUNK`."""
        end = offset + size
        while offset < end and (piece := self.at(offset, min(CHUNK, end - offset))):
            yield piece
            offset += len(piece)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence])
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        data = self.at(self._at, self.size if size is None or size < 0 else size)
        self._at += len(data)
        return data

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # typeshed names the buffer protocol
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)
        super().close()


class _Part(Source):
    def __init__(self, whole: Source, fd: int, start: int, size: int) -> None:
        super().__init__(fd, start, size)
        self._whole = whole
        """Kept, so that the file stays open as long as a part of it is used."""

    def close(self) -> None:
        io.RawIOBase.close(self)


class Medium(StrEnum):
    """What an image file holds."""

    EXT = "ext file system"
    FAT = "FAT file system"
    SQUASHFS = "squashfs file system"
    PARTITIONED = "partitioned disk"
    ZIP = "zip archive"
    TAR = "tar archive"
    TAR_GZIP = "tar archive (gzip)"
    TAR_BZIP2 = "tar archive (bzip2)"
    TAR_XZ = "tar archive (xz)"
    OTHER = "single file"


def medium(source: Source) -> Medium:
    """Told by its first bytes, never by its name."""
    head = source.at(0, 2048)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Medium.ZIP
    if head.startswith(b"\x1f\x8b\x08"):
        return Medium.TAR_GZIP
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return Medium.TAR_BZIP2
    if head.startswith(b"\xfd7zXZ\0"):
        return Medium.TAR_XZ
    if head.startswith(b"hsqs"):
        return Medium.SQUASHFS
    if head[1080:1082] == b"\x53\xef":
        return Medium.EXT
    if tar_header(head[:512]):
        return Medium.TAR
    if _fat(head[:512]):
        return Medium.FAT
    if head[512:520] == b"EFI PART" or _mbr(head[:512]):
        return Medium.PARTITIONED
    return Medium.OTHER


def tar_header(block: bytes) -> bool:
    """Does a block of 512 bytes carry a tar header's own checksum (POSIX.1-1988, ustar interchange format)?"""
    if len(block) < 512 or not block[0]:
        return False
    try:
        said = int(block[148:156].strip(b" \0") or b"-1", 8)
    except ValueError:
        return False
    return said == sum(block[:148]) + 8 * 32 + sum(block[156:512])


def _fat(boot: bytes) -> bool:
    """A FAT boot sector (Microsoft FAT specification, 2005-08-30, section 3.1)."""
    if len(boot) < 512 or boot[510:512] != b"\x55\xaa" or boot[0] not in (0xEB, 0xE9):
        return False
    sector, cluster = int.from_bytes(boot[11:13], "little"), boot[13]
    reserved, tables, medium_byte = int.from_bytes(boot[14:16], "little"), boot[16], boot[21]
    return (
        sector in (512, 1024, 2048, 4096)
        and cluster.bit_count() == 1
        and reserved > 0
        and tables in (1, 2)
        and (medium_byte == 0xF0 or medium_byte >= 0xF8)
    )


def _mbr(boot: bytes) -> bool:
    """A partition table: four entries that are empty or plausible, at least one in use."""
    if len(boot) < 512 or boot[510:512] != b"\x55\xaa":
        return False
    entries = [boot[446 + 16 * slot : 462 + 16 * slot] for slot in range(4)]
    return all(entry[0] in (0, 0x80) for entry in entries) and any(entry[4] and any(entry[8:16]) for entry in entries)
