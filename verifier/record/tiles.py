"""The tiles and bundles of a log on disk, where C2SP tlog-tiles wants them: `tile/0/x001/234`, `tile/entries/017.p/5`.

All of them can be made again from the entries, and what they say is believed only as far as a checkpoint's root bears it out.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from verifier.errors import TrustError
from verifier.record.files import read_whole, write_derived
from verifier.trust.log.merkle import HASH_SIZE, Reader
from verifier.trust.log.tiles import HEIGHT, WIDTH, Tile, bundle, part_of, tile_path, unbundled, width_at

ENTRIES = "entries"
RESTORE = "restore the folder `log` from a copy, and find out who touched it"


@dataclass(frozen=True, slots=True)
class Tiles:
    folder: Path
    """The log's."""

    def tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes of a tile; of none, nothing is read.

        Raises:
            TrustError: it is not there, or is no tile.
            RecordError: it cannot be read.
        """
        data, there = self._read(level, index, width)
        if len(data) != there * HASH_SIZE:
            raise TrustError(f"{self.folder / tile_path(level, index, there)} is not a tile of {there} hashes", RESTORE)
        return data[: width * HASH_SIZE]

    def entries(self, index: int, width: int) -> list[bytes]:
        """The first `width` entries of a bundle.

        Raises:
            TrustError: it is not there, or is no bundle.
            RecordError: it cannot be read.
        """
        data, there = self._read(ENTRIES, index, width)
        return unbundled(data, there)[:width]

    def reader(self, size: int) -> Reader:
        """For proofs in a tree of this size. A tile is read once."""
        tile = cache(lambda level, index: self.tile(level, index, width_at(level, index, size)))

        def read(level: int, index: int) -> bytes:
            level, inner = divmod(level, HEIGHT)
            first = index << inner
            return part_of(tile(level, first // WIDTH), first % WIDTH, 1 << inner)

        return read

    def write(self, tile: Tile) -> None:
        """Keep a tile. What it holds follows from the bundles, so one that is not full yet is not forced to disk.

        Raises:
            RecordError: the disk refused.
        """
        self._write(tile.level, tile.index, tile.width, tile.data, force=tile.width == WIDTH)

    def write_entries(self, index: int, entries: Sequence[bytes]) -> None:
        """Keep a bundle."""
        self._write(ENTRIES, index, len(entries), bundle(entries), force=True)

    def _write(self, level: int | str, index: int, width: int, data: bytes, force: bool) -> None:
        path = self.folder / tile_path(level, index, width)
        write_derived(path, data, self.folder / "partial", force)
        if width == WIDTH:
            shutil.rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)

    def _read(self, level: int | str, index: int, width: int) -> tuple[bytes, int]:
        """The file, and how many hashes or entries it should hold: the full one stands in for partial ones that are gone."""
        if width == 0:
            return b"", 0
        for there in (width, WIDTH):
            data = read_whole(self.folder / tile_path(level, index, there))
            if data is not None:
                return data, there
        raise TrustError(f"{self.folder / tile_path(level, index, width)} is missing", RESTORE)
