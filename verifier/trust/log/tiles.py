"""Tiles and entry bundles (C2SP tlog-tiles): 256 neighbouring hashes, or entries, to a file, and the files' names.

A tile's level counts whole tiles: a hash on level 1 is the root of a full tile of level 0, over 256 leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from verifier.errors import TrustError
from verifier.trust.log.merkle import EMPTY_ROOT, HASH_SIZE, leaf_hash, root, whole

WIDTH = 256
HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Tile:
    level: int
    index: int
    data: bytes
    """Hashes, one after the other: 1 to 256 of them."""

    @property
    def width(self) -> int:
        return len(self.data) // HASH_SIZE


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """`tile/0/x001/x234/067.p/112`; the level of bundles is `entries`."""
    name = f"{index % 1000:03}"
    while index := index // 1000:
        name = f"x{index % 1000:03}/{name}"
    return f"tile/{level}/{name}" + (f".p/{width}" if width < WIDTH else "")


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes this tile has in a tree of `size` entries, 0 to 256."""
    return max(0, min(WIDTH, (size >> HEIGHT * level) - index * WIDTH))


def part_of(tile: bytes | bytearray, first: int, count: int) -> bytes:
    """The root over a whole subtree inside a tile: `count` of its hashes, a power of two."""
    return whole([bytes(tile[at : at + HASH_SIZE]) for at in range(first * HASH_SIZE, (first + count) * HASH_SIZE, HASH_SIZE)])


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries as they stand in a bundle, each after its length (two bytes, big-endian)."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundled(data: bytes, width: int) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        TrustError: these are not `width` entries and nothing else.
    """
    entries, place = [], 0
    while place < len(data):
        begin = place + 2
        place = begin + int.from_bytes(data[place:begin], "big")
        entries.append(data[begin:place])
    if place != len(data) or len(entries) != width:
        raise TrustError(f"a bundle does not hold {width} whole entries", "restore the folder `log` from a copy")
    return entries


@dataclass(slots=True)
class Growth:
    """A tree that grows at its right edge, holding only the tiles there that are not full: a few kilobytes at any size."""

    size: int = 0
    edge: list[bytearray] = field(default_factory=list)
    """The tile that is not full of each level, lowest first; it may be empty."""

    def grow(self, entries: Sequence[bytes]) -> Iterator[Tile]:
        """Add entries. Gives the tiles that this filled, lower ones first."""
        for entry in entries:
            self.size += 1
            yield from self._add(0, leaf_hash(entry))

    def open_tiles(self) -> Iterator[Tile]:
        """The tiles at the right edge that are there and not full."""
        for level, data in enumerate(self.edge):
            if data:
                yield Tile(level, (self.size >> HEIGHT * level) // WIDTH, bytes(data))

    def root(self) -> bytes:
        """The root over all that was added."""
        return root(self.size, self._read) if self.size else EMPTY_ROOT

    def _add(self, level: int, digest: bytes) -> Iterator[Tile]:
        if level == len(self.edge):
            self.edge.append(bytearray())
        tile = self.edge[level]
        tile += digest
        if len(tile) == WIDTH * HASH_SIZE:
            full = bytes(tile)
            tile.clear()
            yield Tile(level, (self.size >> HEIGHT * level) // WIDTH - 1, full)
            yield from self._add(level + 1, part_of(full, 0, WIDTH))

    def _read(self, level: int, index: int) -> bytes:
        # the whole subtrees that make up the root are all at the right edge
        tile_level, inner = divmod(level, HEIGHT)
        return part_of(self.edge[tile_level], (index << inner) % WIDTH, 1 << inner)
