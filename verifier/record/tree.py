"""The Merkle tree over a log: `origin`, `checkpoint` and `tile/`, as C2SP tlog-tiles wants them.

The entries come first and the tree follows: whoever has the log's key takes in all entries the tree does not hold yet, writes
the tiles, and signs the checkpoint last. Killed in between, the checkpoint is the old one, and the next writer goes on from it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verifier.errors import RecordError, TrustError
from verifier.record.files import read_whole, write_derived, write_new, write_over
from verifier.record.tiles import RESTORE, Tiles
from verifier.trust.keys import PublicKey, Signer
from verifier.trust.log import merkle
from verifier.trust.log.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint, verified_checkpoint
from verifier.trust.log.note import read_note
from verifier.trust.log.proof import Proof, proven
from verifier.trust.log.tiles import HEIGHT, WIDTH, Growth, Tile, width_at

Leaf = Callable[[int], bytes]
"""From an entry's sequence to what the tree holds of it, read from the entry itself."""


@dataclass(frozen=True, slots=True)
class Tree:
    folder: Path
    """The log's."""
    memory: Path | None
    """Where this machine remembers the last checkpoint it saw; None: it does not."""

    @property
    def tiles(self) -> Tiles:
        return Tiles(self.folder)

    def signed(self) -> bytes | None:
        """The checkpoint's file; None: there is none yet.

        Raises:
            RecordError: it cannot be read.
        """
        return read_whole(self.folder / "checkpoint")

    def checkpoint(self, keys: Sequence[PublicKey]) -> Checkpoint | None:
        """The checkpoint, if one of these keys signed it; None: there is none yet.

        Raises:
            TrustError: nobody who may did, or it is of another log; or it is gone, and should be there.
            RecordError: it cannot be read.
        """
        data, origin = self.signed(), self._origin()
        if data is not None:
            if not origin:
                raise TrustError(f"{self.folder / 'origin'} is gone, so nobody knows which log this is", RESTORE)
            return verified_checkpoint(data, keys, origin)
        if remembered := self.remembered():
            raise TrustError(
                f"the checkpoint of {remembered.size} entries is gone",
                f"copy {self.memory} to {self.folder / 'checkpoint'}, and find out who removed it",
            )
        return None

    def remembered(self) -> Checkpoint | None:
        """The last checkpoint that this machine saw."""
        with contextlib.suppress(TrustError, RecordError):
            data = read_whole(self.memory) if self.memory else None
            return read_checkpoint(read_note(data)) if data else None
        return None

    def remember(self, signed: bytes) -> None:
        """Keep a checkpoint in mind; a disk that cannot be written to does not make it less true."""
        if self.memory:
            with contextlib.suppress(RecordError):
                write_over(self.memory, signed)

    def opened(self, leaf: Leaf, length: int, signer: Signer, keys: Sequence[PublicKey]) -> Writing:
        """The tree, ready to grow, with all `length` entries taken in. The caller keeps others out.

        Raises:
            TrustError: the tree is not what its checkpoint says, or not the one this machine remembers.
            RecordError: an entry that the tree needs is missing, or the disk refused.
        """
        checkpoint = self.checkpoint((signer.public, *keys)) or Checkpoint("", 0, merkle.EMPTY_ROOT)
        if checkpoint.size > length:
            raise TrustError(lost_its_end(checkpoint.size, length), RESTORE)
        writing = Writing(self, signer, checkpoint.origin or self._new_origin())
        self._to_edge(writing, checkpoint, leaf)
        remembered = self.remembered()
        if remembered and remembered.size <= checkpoint.size:
            self.follows(remembered, checkpoint)
        for sequence in range(checkpoint.size, length):
            writing.add(leaf(sequence))
            writing.grown = True
            if remembered and remembered.size == sequence + 1:
                follows(remembered, writing.checkpoint, writing.growth.root())
        if remembered and remembered.size > length:
            raise TrustError(lost_its_end(remembered.size, length), RESTORE)
        return writing

    def follows(self, older: Checkpoint, checkpoint: Checkpoint) -> None:
        """Whether the log grew out of what an older checkpoint, which is not the longer one, covers.

        Raises:
            TrustError: it did not: entries were rewritten, dropped or moved; or the tiles cannot be read.
        """
        same = older.size == checkpoint.size
        root = checkpoint.root if same else merkle.root(older.size, self.tiles.reader(checkpoint.size))
        follows(older, checkpoint, root)

    def prove(self, sequence: int, leaf: bytes, keys: Sequence[PublicKey]) -> Proof:
        """That an entry is in the log.

        Raises:
            TrustError: it is not, or not yet, or no checkpoint shows it.
        """
        checkpoint = self.checkpoint(keys)
        if checkpoint is None or sequence >= checkpoint.size:
            raise TrustError(f"no checkpoint covers entry {sequence} yet", "sign one with `crane-verify log checkpoint --sign`")
        hashes = merkle.inclusion_proof(sequence, checkpoint.size, self.tiles.reader(checkpoint.size))
        proof = Proof(sequence, hashes, self.signed() or b"")
        proven(proof, leaf, keys, checkpoint.origin)
        return proof

    def findings(self, keys: Sequence[PublicKey], older: Iterable[Checkpoint]) -> Iterator[str]:
        """Everything that is wrong with the tree, in words. It is made again from the bundles, beside the tiles on disk."""
        try:
            checkpoint = self.checkpoint(keys)
            if checkpoint is None:
                yield from (f"there is no checkpoint, and one of {each.size} entries was signed" for each in older)
                return
            remembered = self.remembered()
            before = [*older, *((remembered,) if remembered else ())]
            growth, roots = Growth(), {0: merkle.EMPTY_ROOT}
            for entries in self._bundles(checkpoint.size, {each.size for each in before}):
                for tile in growth.grow(entries):
                    yield from self._tile_findings(tile, self.tiles.tile(tile.level, tile.index, WIDTH))
                if any(each.size == growth.size for each in before):
                    roots[growth.size] = growth.root()
            for tile in growth.open_tiles():
                with contextlib.suppress(TrustError):  # a power cut may take it; the next writer makes it again
                    yield from self._tile_findings(tile, self.tiles.tile(tile.level, tile.index, tile.width))
            if growth.root() != checkpoint.root:
                yield f"the bundles hold other entries than the checkpoint of {checkpoint.size} entries was signed for"
                return
            for each in before:
                if each.size > checkpoint.size:
                    raise TrustError(lost_its_end(each.size, checkpoint.size))
                follows(each, checkpoint, roots[each.size])
        except TrustError as error:
            yield str(error)

    def roots(self, size: int, cuts: Iterable[int]) -> dict[int, bytes]:
        """The roots that the tree had at these sizes and has at `size`, made from the bundles alone.

        Raises:
            TrustError: a bundle cannot be read.
        """
        growth, found, wanted = Growth(), {0: merkle.EMPTY_ROOT}, {*cuts, size}
        for entries in self._bundles(size, wanted):
            for _ in growth.grow(entries):
                pass
            if growth.size in wanted:
                found[growth.size] = growth.root()
        return found

    def _bundles(self, size: int, cuts: Iterable[int] = ()) -> Iterator[list[bytes]]:
        """The entries from the bundles, cut where the tree had these sizes."""
        ends = sorted({cut for cut in cuts if cut % WIDTH and cut < size})
        for first in range(0, size, WIDTH):
            entries = self.tiles.entries(first // WIDTH, min(WIDTH, size - first))
            for end in [end for end in ends if first < end < first + len(entries)]:
                yield entries[: end - first]
                entries, first = entries[end - first :], end
            yield entries

    def _tile_findings(self, tile: Tile, there: bytes) -> Iterator[str]:
        if there != tile.data:
            yield f"tile {tile.index} of level {tile.level} does not hold the hashes of what is below it"

    def _to_edge(self, writing: Writing, checkpoint: Checkpoint, leaf: Leaf) -> None:
        """Start where the checkpoint is, from the tiles at the right edge."""
        size = checkpoint.size
        index, width = divmod(size, WIDTH)
        with contextlib.suppress(TrustError):
            writing.entries = self.tiles.entries(index, width)
            edge = (self.tiles.tile(level, *_edge(level, size)) for level in range(1, _levels(size)))
            writing.growth = Growth(size - width, [bytearray(), *map(bytearray, edge)])
            if not [*writing.growth.grow(writing.entries)] and writing.growth.root() == checkpoint.root:
                return
        self._make_again(writing, checkpoint, leaf)

    def _make_again(self, writing: Writing, checkpoint: Checkpoint, leaf: Leaf) -> None:
        """The tiles are not all there: partial ones are not forced to disk, and a power cut may take them. The entries are."""

        def bundles() -> Iterator[Sequence[bytes]]:
            for first in range(0, checkpoint.size, WIDTH):
                width = min(WIDTH, checkpoint.size - first)
                try:
                    yield self.tiles.entries(first // WIDTH, width)
                except TrustError:
                    yield [leaf(sequence) for sequence in range(first, first + width)]

        growth = Growth()
        for entries in bundles():
            for _ in growth.grow(entries):
                pass
        if growth.root() != checkpoint.root:
            raise TrustError(f"the log is not the one that its checkpoint of {checkpoint.size} entries was signed for", RESTORE)
        writing.growth, writing.entries = Growth(), []
        for entries in bundles():
            for entry in entries:
                writing.add(entry)
        writing.write_edge()

    def _origin(self) -> str:
        return (read_whole(self.folder / "origin") or b"").decode(errors="replace").removesuffix("\n")

    def _new_origin(self) -> str:
        """The log's name, made once, before its first checkpoint. The project owns no domain to put in front of it."""
        if not self._origin():
            write_new(self.folder / "origin", f"crane-verify/log/{secrets.token_hex(16)}\n".encode())
        return self._origin()


@dataclass(slots=True)
class Writing:
    """A tree while it grows: the tiles at its right edge, in memory."""

    tree: Tree
    signer: Signer
    origin: str
    growth: Growth = field(default_factory=Growth)
    entries: list[bytes] = field(default_factory=list)
    """Of the bundle that is not full."""
    grown: bool = False
    """Whether it holds entries that the last checkpoint does not cover."""

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.origin, self.growth.size, self.growth.root())

    def add(self, leaf: bytes) -> None:
        """Take in one entry. Full tiles go to disk at once; they mean nothing until a checkpoint names them."""
        self.entries.append(leaf)
        for tile in self.growth.grow((leaf,)):
            self.tree.tiles.write(tile)
        if len(self.entries) == WIDTH:
            self.tree.tiles.write_entries(self.growth.size // WIDTH - 1, self.entries)
            self.entries = []

    def publish(self) -> Checkpoint:
        """Write the tiles at the edge, then the checkpoint over all.

        Raises:
            RecordError: the disk refused.
            TrustError: the key cannot be used.
        """
        self.write_edge()
        checkpoint = self.checkpoint
        signed = sign_checkpoint(checkpoint, self.signer)
        write_derived(self.tree.folder / "checkpoint", signed, self.tree.folder / "partial", force=True)
        self.tree.remember(signed)
        return checkpoint

    def write_edge(self) -> None:
        """The tiles that are not full."""
        for tile in self.growth.open_tiles():
            self.tree.tiles.write(tile)
        if self.entries:
            self.tree.tiles.write_entries(self.growth.size // WIDTH, self.entries)


def follows(older: Checkpoint, newer: Checkpoint, root: bytes) -> None:
    """Whether the tree had this root when it had as many entries as the older checkpoint covers.

    Raises:
        TrustError: it had another, or they are of two logs.
    """
    if older.origin != newer.origin:
        raise TrustError(f"this is the log {newer.origin}, and the older checkpoint is of {older.origin}", RESTORE)
    if older.root != root:
        raise TrustError(
            f"the first {older.size} entries are not those of the older checkpoint: some were rewritten, dropped or moved",
            RESTORE,
        )


def lost_its_end(signed: int, there: int) -> str:
    return f"a checkpoint covers {signed} entries and the log has {there}: it has lost its end"


def _levels(size: int) -> int:
    return -(-size.bit_length() // HEIGHT)


def _edge(level: int, size: int) -> tuple[int, int]:
    """Index and width, perhaps 0, of the tile of a level that is not full."""
    index = (size >> HEIGHT * level) // WIDTH
    return index, width_at(level, index, size)
