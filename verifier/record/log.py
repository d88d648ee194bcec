"""The log: every signed statement of a site, one after the other, never changed, never removed.

An entry is one file under `entries/`, named by its sequence (from 0) and holding an envelope byte for byte. Folders hold at most
a thousand names, so finding the newest costs three listings, however long the log is. `tree` is the Merkle tree over them: it
proves the history, and follows the entries whenever somebody appends who has the log's key.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import RecordError, TrustError
from verifier.record.files import clear_partials, force_names, read_whole, refusals, write_new
from verifier.record.lock import locked
from verifier.record.tree import Tree, Writing, lost_its_end
from verifier.trust.envelope import opened
from verifier.trust.keys import PublicKey, Signer
from verifier.trust.log.checkpoint import Checkpoint
from verifier.trust.log.leaf import leaf
from verifier.trust.log.proof import Proof
from verifier.trust.log.tiles import WIDTH, width_at
from verifier.trust.statement import kind_of, read

WAIT = 60.0
"""Seconds to wait for another writer; one append takes milliseconds."""
MOST_ENTRIES = 10**9
PER_FOLDER = 1000
UNREADABLE = "unreadable"
_FOLDER = re.compile(r"\d{3}")
_ENTRY = re.compile(r"(\d{9})\.json")


@dataclass(frozen=True, slots=True)
class Entry:
    sequence: int
    """From 0, without gaps."""
    sha256: str
    """Of the envelope, 64 hex digits."""


@dataclass(frozen=True, slots=True)
class Gap:
    """An entry that must have been there is not."""

    sequence: int

    def __str__(self) -> str:
        return f"entry {self.sequence} is missing"


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry is there and is no statement that can be read."""

    sequence: int
    why: str

    def __str__(self) -> str:
        return f"entry {self.sequence} is broken: {self.why}"


@dataclass(frozen=True, slots=True)
class OutOfChain:
    """An entry names another one before it than the one that is there: one of the two was changed, or entries were moved."""

    sequence: int
    named: str
    there: str

    def __str__(self) -> str:
        return (
            f"entry {self.sequence} names {self.named[:16] or 'nothing'} before it, and {self.there[:16] or 'nothing'} is there"
        )


@dataclass(frozen=True, slots=True)
class Stranger:
    """Something lies among the entries that is none."""

    path: str

    def __str__(self) -> str:
        return f"{self.path} is not an entry of the log"


@dataclass(frozen=True, slots=True)
class NotInTree:
    """An entry is not the one that the tree holds at its place."""

    sequence: int

    def __str__(self) -> str:
        return f"entry {self.sequence} is not the one that was taken into the tree: it was rewritten or moved"


@dataclass(frozen=True, slots=True)
class Unproven:
    """The tree or its checkpoint does not hold."""

    why: str

    def __str__(self) -> str:
        return self.why


Finding = Gap | Broken | OutOfChain | Stranger | NotInTree | Unproven


@dataclass(frozen=True, slots=True)
class Log:
    folder: Path
    memory: Path | None = None
    """Where this machine remembers the last checkpoint it saw, outside the folder; None: nowhere."""

    def append(
        self,
        make: Callable[[str], bytes],
        signer: Signer | None = None,
        keys: Sequence[PublicKey] = (),
        wait_seconds: float = WAIT,
    ) -> Entry:
        """Add one entry. When this returns, the entry will survive a power cut; when it raises, the log is what it was.

        `make` gets the SHA-256 of the newest entry (empty for the first) and gives the envelope; nobody else appends meanwhile.

        With the log's key as `signer`, the tree then takes in this entry and all it did not hold yet, under a new checkpoint;
        the last one must be signed by this key or one of `keys`. Should that fail once the entry is written, the entry stands,
        and the next one who signs makes up for it. Without the key, it waits for that.

        Raises:
            RecordError: the disk refused, or another run holds the log.
            TrustError: the tree is not what was signed. Nothing is appended to a history that does not hold.
        """
        with locked(self.folder / ".lock", wait_seconds):
            before = self.newest()
            writing = self._writing(signer, keys, before.sequence + 1 if before else 0) if signer else None
            envelope = make(before.sha256 if before else "")
            sequence = before.sequence + 1 if before else 0
            write_new(self._path(sequence), envelope, staging=self._staging)
            if sequence % PER_FOLDER == 0:
                self._force_folders(sequence)
            if writing:
                with contextlib.suppress(RecordError, TrustError):
                    writing.add(leaf(envelope))
                    writing.publish()
            return Entry(sequence, hashlib.sha256(envelope).hexdigest())

    def sign(self, signer: Signer, keys: Sequence[PublicKey] = (), again: bool = False, wait_seconds: float = WAIT) -> Checkpoint:
        """Take all entries into the tree, and sign a checkpoint over it if any waited, or `again`. Otherwise as `append`."""
        with locked(self.folder / ".lock", wait_seconds):
            writing = self._writing(signer, keys, self.length())
            return writing.publish() if writing.grown or again else writing.checkpoint

    def prove(self, sequence: int, keys: Sequence[PublicKey]) -> Proof:
        """A proof that this entry is in the log.

        Raises:
            RecordError: there is no such entry.
            TrustError: no checkpoint by one of these keys covers it.
        """
        return self.tree.prove(sequence, leaf(self.read(sequence)), keys)

    @property
    def tree(self) -> Tree:
        return Tree(self.folder, self.memory)

    def newest(self) -> Entry | None:
        """The last entry; None: the log is empty.

        Raises:
            RecordError: the log cannot be read.
        """
        length = self.length()
        return self._entry(length - 1) if length else None

    def length(self) -> int:
        """How many entries there are, told from the name of the newest.

        Raises:
            RecordError: the log cannot be read.
        """
        for millions in _folders(self._entries):
            for thousands in _folders(millions):
                for path in _files(thousands):
                    if path == self._path(int(path.stem)):
                        return int(path.stem) + 1
        return 0

    def read(self, sequence: int) -> bytes:
        """The envelope of one entry.

        Raises:
            RecordError: there is no such entry, or it cannot be read.
        """
        data = read_whole(self._path(sequence)) if 0 <= sequence < MOST_ENTRIES else None
        if data is None:
            raise RecordError(f"the log {self.folder} has no entry {sequence}", "`crane-verify log verify` says what is missing")
        return data

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Every entry from `start` on, oldest first.

        Raises:
            RecordError: one is missing, or cannot be read.
        """
        for sequence in range(start, self.length()):
            yield self._entry(sequence)

    def verify(
        self, keys: Sequence[PublicKey] = (), older: Sequence[Checkpoint] = (), entries: bool = True
    ) -> tuple[Finding, ...]:
        """Everything that is wrong with the log as such; nothing: it has no gap, every entry can be read, the chain holds, the
        tree holds what the checkpoint says, each entry is the one in the tree, and the log grew out of the older checkpoints.

        Signatures of entries are for `trust.verify`: who might sign what is not the log's to know. `entries=False` leaves the
        entries' files out and checks the tree alone: a million in seconds.

        Raises:
            RecordError: the disk refused.
        """
        tree = [Unproven(why) for why in self.tree.findings(keys, older)]
        length, covered = self.length(), self.covered(keys)
        if covered > length:
            tree.append(Unproven(lost_its_end(covered, length)))
        return (*self._entry_findings(length, covered), *tree) if entries else tuple(tree)

    def covered(self, keys: Sequence[PublicKey]) -> int:
        """How many entries a checkpoint by one of these keys covers; the later ones wait for the next checkpoint."""
        with contextlib.suppress(TrustError):
            if checkpoint := self.tree.checkpoint(keys):
                return checkpoint.size
        return 0

    def _entry_findings(self, length: int, covered: int) -> Iterator[Finding]:
        yield from (Stranger(str(path)) for path in self._strangers())
        before = ""
        leaves: Sequence[bytes] = ()
        for sequence in range(length):
            if sequence % WIDTH == 0:
                leaves = self._leaves(sequence // WIDTH, covered)
            try:
                envelope = read_whole(self._path(sequence))
            except RecordError as error:
                yield Broken(sequence, str(error))
                before = UNREADABLE
                continue
            if envelope is None:
                yield Gap(sequence)
                before = UNREADABLE
                continue
            yield from _entry_findings(sequence, envelope, before)
            if sequence % WIDTH < len(leaves) and leaves[sequence % WIDTH] != leaf(envelope):
                yield NotInTree(sequence)
            before = hashlib.sha256(envelope).hexdigest()

    def _leaves(self, index: int, covered: int) -> Sequence[bytes]:
        """What a bundle says of its entries; of a damaged one the tree's findings speak."""
        with contextlib.suppress(TrustError):
            return self.tree.tiles.entries(index, width_at(0, index, covered))
        return ()

    def _writing(self, signer: Signer, keys: Sequence[PublicKey], length: int) -> Writing:
        return self.tree.opened(lambda sequence: leaf(self.read(sequence)), length, signer, keys)

    def clear_partials(self) -> tuple[Path, ...]:
        """Remove what killed runs left behind. Gives what was removed."""
        return clear_partials(self._staging)

    @property
    def _entries(self) -> Path:
        return self.folder / "entries"

    @property
    def _staging(self) -> Path:
        return self.folder / "partial"

    def _force_folders(self, sequence: int) -> None:
        """For the first entry of a folder: a killed run may have made names before that are not on disk yet."""
        path = self._path(sequence)
        with refusals("write", path):
            for folder in (path.parent.parent, self._entries, self.folder):
                force_names(folder)
            if sequence:
                force_names(self._path(sequence - 1).parent)

    def _path(self, sequence: int) -> Path:
        return self.folder / entry_path(sequence)

    def _entry(self, sequence: int) -> Entry:
        return Entry(sequence, hashlib.sha256(self.read(sequence)).hexdigest())

    def _strangers(self) -> Iterator[Path]:
        with refusals("read", self._entries):
            for path in sorted(self._entries.rglob("*")):
                entry = _ENTRY.fullmatch(path.name)
                in_place = path == self._path(int(entry[1])) and path.is_file() if entry else _FOLDER.fullmatch(path.name)
                if not in_place or path.is_symlink() or (not entry and not path.is_dir()):
                    yield path


def entry_path(sequence: int) -> str:
    """Where an entry lies in the folder of the log: `entries/000/017/000017042.json`."""
    name = f"{sequence:09}"
    return f"entries/{name[:3]}/{name[3:6]}/{name}.json"


def _entry_findings(sequence: int, envelope: bytes, before: str) -> Iterator[Finding]:
    try:
        payload = opened(envelope).payload
        kind = kind_of(payload)
        named = kind.previous(read(kind, payload))
    except TrustError as error:
        yield Broken(sequence, str(error))
        return
    for previous in named:
        if previous != before:
            yield OutOfChain(sequence, previous, before)


def _folders(folder: Path) -> Iterator[Path]:
    """The numbered folders in this one, highest first."""
    return (path for path in _descending(folder, _FOLDER) if path.is_dir() and not path.is_symlink())


def _files(folder: Path) -> Iterator[Path]:
    """The entries in this folder, highest first."""
    return (path for path in _descending(folder, _ENTRY) if path.is_file() and not path.is_symlink())


def _descending(folder: Path, names: re.Pattern[str]) -> Iterator[Path]:
    """What the folder holds under such names. This runs at every append, so only what is looked at is looked at closely."""
    with refusals("read", folder):
        try:
            found = sorted(os.listdir(folder), reverse=True)  # noqa: PTH208  # names, not a thousand paths
        except FileNotFoundError:
            found = []
    yield from (folder / name for name in found if names.fullmatch(name))
