"""What an ext2, ext3 or ext4 inode says that The Sleuth Kit does not pass on: short link targets byte for byte, device numbers.

The Sleuth Kit writes `^` for control characters in link targets, so two different targets would look the same. Layout: Linux
kernel documentation, filesystems/ext4, "Super Block", "Block Group Descriptors", "Index Nodes".
"""

from __future__ import annotations

from verifier.errors import BadReply, Unsupported
from verifier.transport.offline.source import Source

_FILETYPE, _RECOVER, _EXTENTS, _64BIT, _MMP, _FLEX_BG, _CSUM_SEED, _LARGEDIR = (
    0x2, 0x4, 0x40, 0x80, 0x100, 0x200, 0x2000, 0x4000
)  # fmt: skip
_TRIED = _FILETYPE | _RECOVER | _EXTENTS | _64BIT | _MMP | _FLEX_BG | _CSUM_SEED | _LARGEDIR
"""Incompatible features whose images are read right; with any other one a wrong answer could look like a right one."""

_INLINE = 60
"""Bytes of the block map, which holds a shorter link's target itself."""


class ExtInodes:
    """The inode table of one file system."""

    def __init__(self, source: Source) -> None:
        """Raises:
        Unsupported: it uses a feature this reader was not tried with.
        BadReply: the super block makes no sense.
        """
        self._source = source
        super_block = source.at(1024, 1024)
        if len(super_block) < 1024 or super_block[56:58] != b"\x53\xef":
            raise BadReply("no ext super block")

        def number(offset: int, size: int) -> int:
            return int.from_bytes(super_block[offset : offset + size], "little")

        features = number(96, 4) if number(76, 4) else 0
        if features & ~_TRIED:
            raise Unsupported(
                f"the ext file system uses features this reader was not tried with (0x{features & ~_TRIED:x})",
                "mount the image read-only and name the folder instead",
            )
        self.unclean = bool(features & _RECOVER)
        """The journal holds changes that are not yet in their places."""
        wide = bool(features & _64BIT)
        self._block = 1024 << min(number(24, 4), 6)
        self._per_group = number(40, 4)
        self._inode = number(88, 2) if number(76, 4) else 128
        self._descriptor = number(254, 2) if wide else 32
        self._descriptors = (number(20, 4) + 1) * self._block
        self.bytes = (number(4, 4) | (number(336, 4) << 32 if wide else 0)) * self._block
        """Size of the file system, as it says itself."""
        if not self._per_group or self._inode < 128 or self._descriptor < 32:
            raise BadReply("the ext super block makes no sense")

    def link(self, number: int, size: int) -> bytes | None:
        """The target of a link that is kept in the inode; None where its content has to be read."""
        inode = self._read(number)
        if size >= _INLINE or int.from_bytes(inode[32:36], "little") & 0x80000:
            return None
        return inode[40 : 40 + size]

    def device(self, number: int) -> int:
        """A device node's number as `major << 20 | minor`."""
        inode = self._read(number)
        old, new = int.from_bytes(inode[40:44], "little"), int.from_bytes(inode[44:48], "little")
        if old:
            return (old >> 8 & 0xFF) << 20 | old & 0xFF
        return (new >> 8 & 0xFFF) << 20 | new & 0xFF | new >> 12 & 0xFFF00

    def _read(self, number: int) -> bytes:
        group, place = divmod(number - 1, self._per_group)
        descriptor = self._source.at(self._descriptors + group * self._descriptor, self._descriptor)
        table = int.from_bytes(descriptor[8:12], "little")
        if self._descriptor >= 64:
            table |= int.from_bytes(descriptor[40:44], "little") << 32
        inode = self._source.at(table * self._block + place * self._inode, 128)
        if len(inode) < 128 or not table:
            raise BadReply(f"inode {number} is outside the image")
        return inode
