"""What a witness remembers: of each log, whose key it has and the last checkpoint that was cosigned. One file for each log.

This memory is all that keeps a witness from signing two histories, so a file that cannot be read is never taken for none.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import TrustError
from verifier.model.codec import CodecError, dumps, loads
from verifier.record.files import PRIVATE, clear_partials, read_whole, write_whole
from verifier.record.lock import locked
from verifier.trust.log.witness import Remembered

WAIT = 60.0
"""Seconds to wait for another witness at the same memory; one answer takes milliseconds and a signature by a person."""


@dataclass(frozen=True, slots=True)
class WitnessMemory:
    folder: Path

    @contextlib.contextmanager
    def alone(self, wait_seconds: float = WAIT) -> Iterator[None]:
        """Be alone with the memory, from reading it until it is written.

        Raises:
            RecordError: another run held it all the while.
        """
        with locked(self.folder / ".lock", wait_seconds):
            clear_partials(self.folder)
            yield

    def of(self, origin: str) -> Remembered | None:
        """What is remembered of a log; None: this witness never saw it.

        Raises:
            TrustError: the file is not what was written. Then nothing may be signed.
            RecordError: it cannot be read.
        """
        path = self._path(origin)
        data = read_whole(path)
        if data is None:
            return None
        try:
            found = loads(Remembered, data)
            fits = found.origin == origin and found.last.origin == origin
        except (CodecError, TrustError) as error:
            raise TrustError(f"what was remembered of the log {origin} cannot be read: {error}", _restore(path)) from error
        if not fits:
            raise TrustError(f"{path} remembers another log than {origin}", _restore(path))
        return found

    def remember(self, memory: Remembered) -> None:
        """Remember this from now on. When this returns, it will survive a power cut.

        Raises:
            RecordError: the disk refused.
        """
        write_whole(self._path(memory.origin), dumps(memory) + b"\n", mode=PRIVATE)

    def _path(self, origin: str) -> Path:
        return self.folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.json"


def _restore(path: Path) -> str:
    return f"restore {path} from a copy: without it this witness could sign two histories"
