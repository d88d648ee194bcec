"""Checkpoints that somebody outside saw, and what they said: `log/witnessed/<size>/`.

    000000000120/checkpoint                     as the log signed it and as it was sent out, byte for byte
    000000000120/9f86d081884c7d65.cosignature   a witness's line; the number is of its key
    000000000120/4d967a30111bf29f.tsr           an authority's response over `checkpoint`; the number is of its certificate

A file is never replaced: a checkpoint of the same size that was signed again may have other bytes, and then nobody stamped them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import RecordError, TrustError
from verifier.record.files import read_whole, refusals, write_new
from verifier.trust.log.checkpoint import read_checkpoint
from verifier.trust.log.note import read_note
from verifier.trust.log.sighting import Kept, Stamp

_SIZE = re.compile(r"\d{12}")
_COSIGNATURE = re.compile(r"[0-9a-f]{16}\.cosignature")
_STAMP = re.compile(r"([0-9a-f]{16})\.tsr")


@dataclass(frozen=True, slots=True)
class Witnessed:
    folder: Path

    def sizes(self) -> list[int]:
        """Of the checkpoints that are kept, largest first.

        Raises:
            RecordError: the folder cannot be read.
        """
        with refusals("read", self.folder):
            if not self.folder.is_dir():
                return []
            return sorted((int(path.name) for path in self.folder.iterdir() if _SIZE.fullmatch(path.name)), reverse=True)

    def kept(self) -> Iterator[Kept]:
        """Everything that is kept, the largest checkpoint first, on nobody's word.

        Raises:
            RecordError: something cannot be read.
        """
        for size in self.sizes():
            if found := self.at(size):
                yield found

    def at(self, size: int) -> Kept | None:
        """What is kept of the checkpoint of this size; None: nothing.

        Raises:
            RecordError: it cannot be read.
        """
        place = self._place(size)
        checkpoint = read_whole(place / "checkpoint")
        if checkpoint is None:
            return None
        with refusals("read", place):
            names = sorted(path.name for path in place.iterdir())
        lines = tuple(_read(place / name) for name in names if _COSIGNATURE.fullmatch(name))
        stamps = tuple(Stamp(found[1], _read(place / name)) for name in names if (found := _STAMP.fullmatch(name)))
        return Kept(size, checkpoint, lines, stamps)

    def keep(self, checkpoint: bytes) -> bytes:
        """Keep a checkpoint before it is shown to anybody. Gives the bytes to show: those that were kept first, if it was before.

        Raises:
            TrustError: it is no checkpoint, or another one of this size is kept.
            RecordError: the disk refused.
        """
        found = read_checkpoint(read_note(checkpoint))
        path = self._place(found.size) / "checkpoint"
        there = self._kept_first(path, checkpoint)
        if read_note(there).text != found.text:
            raise TrustError(
                f"another checkpoint of {found.size} entries was shown to witnesses before: the history was rewritten",
                f"keep {path} and log/checkpoint: together they show it",
            )
        return there

    def add_cosignature(self, size: int, number: str, line: bytes) -> bytes:
        """Keep a witness's line, unless one of its key is there. Gives the one that is there. Raises as `keep`."""
        return self._kept_first(self._place(size) / f"{number}.cosignature", line)

    def add_stamp(self, size: int, stamp: Stamp) -> bytes:
        """Keep a time stamp, unless one of this authority is there. Gives the one that is there. Raises as `keep`."""
        return self._kept_first(self._place(size) / f"{stamp.number}.tsr", stamp.response)

    def _place(self, size: int) -> Path:
        return self.folder / f"{size:012}"

    def _kept_first(self, path: Path, data: bytes) -> bytes:
        there = read_whole(path)
        if there is not None:
            return there
        try:
            # where the log's own leftovers of killed runs are looked for
            write_new(path, data, staging=self.folder.parent / "partial")
        except RecordError:
            # somebody else may have been quicker
            there = read_whole(path)
            if there is None:
                raise
            return there
        return data


def _read(path: Path) -> bytes:
    return read_whole(path) or b""
