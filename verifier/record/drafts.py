"""Drafts: what was read for somebody who has not signed yet, so that a killed command goes on where it was."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from verifier.model.codec import CodecError, dumps, loads
from verifier.model.device import DeviceName
from verifier.model.visit import Side
from verifier.record.files import read_whole, refusals, remove, write_whole


@dataclass(frozen=True, slots=True)
class Drafts:
    folder: Path
    """`drafts/visits` of a workspace."""

    def side(self, work: str, device: DeviceName) -> Side | None:
        """What was kept of a device for this piece of work; None: nothing, or what lies there is none.

        Raises:
            RecordError: the disk refused.
        """
        data = read_whole(self._path(work, device))
        with contextlib.suppress(CodecError):
            side = loads(Side, data) if data is not None else None
            return side if side and side.device == device else None
        return None

    def keep(self, work: str, side: Side) -> None:
        """Keep it, forced to disk. Raises as `side`."""
        write_whole(self._path(work, side.device), dumps(side))

    def drop(self, work: str) -> None:
        """Forget what was kept for this piece of work. Raises as `side`."""
        folder = self.folder / work
        with refusals("read", folder):
            paths = sorted(folder.glob("*.json"))
        for path in paths:
            remove(path)
        with contextlib.suppress(OSError):
            folder.rmdir()

    def _path(self, work: str, device: DeviceName) -> Path:
        return self.folder / work / f"{hashlib.sha256(str(device).encode()).hexdigest()[:32]}.json"
