"""Which baseline of each device was the last to be accepted, so that an older one never comes back unnoticed.

The log is the truth. `.accepted.json` remembers what the log said up to an entry, so that only newer ones are read, and also
how long the log was and how it ended: a log that has lost its end, or whose end was rewritten, is noticed. Without the file
everything is read again.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import RecordError, TrustError
from verifier.model.codec import CodecError, dumps, loads
from verifier.model.device import DeviceName
from verifier.record.files import read_whole, write_whole
from verifier.record.log import Log
from verifier.trust.baseline_rules import Accepted
from verifier.trust.envelope import opened
from verifier.trust.statement import BASELINE, kind_of, read

RESTORE = "restore the folder `log` from a copy, and find out who touched it"


@dataclass(frozen=True, slots=True)
class Remembered:
    device: DeviceName
    serial: int
    sha256: str
    """Of the envelope."""
    sequence: int
    """The entry of the log that holds it."""

    @property
    def accepted(self) -> Accepted:
        return Accepted(self.serial, self.sha256)


@dataclass(frozen=True, slots=True)
class Memory:
    length: int = 0
    """Entries of the log that were read."""
    newest: str = ""
    """SHA-256 of the last of them."""
    devices: tuple[Remembered, ...] = ()

    def of(self, device: DeviceName) -> Remembered | None:
        return next((each for each in self.devices if each.device == device), None)


@dataclass(frozen=True, slots=True)
class Acceptances:
    path: Path
    log: Log

    def of(self, device: DeviceName) -> Remembered | None:
        """The last accepted baseline of a device; None: there was none yet.

        Raises:
            TrustError: the log is not what it was, or an entry cannot be read.
            RecordError: the log cannot be read.
        """
        return self.memory().of(device)

    def memory(self) -> Memory:
        """What the log says now. Raises as `of`."""
        before = self._memory()
        now = self._caught_up(before)
        if now != before:
            # a disk that cannot be written to does not make what was read less true
            with contextlib.suppress(RecordError):
                write_whole(self.path, dumps(now))
        return now

    def _memory(self) -> Memory:
        data = read_whole(self.path)
        try:
            return loads(Memory, data) if data else Memory()
        except CodecError:
            return Memory()

    def _caught_up(self, memory: Memory) -> Memory:
        length = self.log.length()
        if length < memory.length:
            raise TrustError(f"the log has {length} entries and had {memory.length}: it has lost its end", RESTORE)
        if memory.length and hashlib.sha256(self.log.read(memory.length - 1)).hexdigest() != memory.newest:
            raise TrustError(f"entry {memory.length - 1} of the log is not the one that was there", RESTORE)
        highest = {each.device: each for each in memory.devices}
        newest = memory.newest
        for sequence in range(memory.length, length):
            envelope = self.log.read(sequence)
            newest = hashlib.sha256(envelope).hexdigest()
            for found in _baseline_in(envelope, newest, sequence):
                if found.device not in highest or found.serial > highest[found.device].serial:
                    highest[found.device] = found
        return Memory(length, newest, tuple(highest[device] for device in sorted(highest)))


def _baseline_in(envelope: bytes, sha256: str, sequence: int) -> tuple[Remembered, ...]:
    """The baseline an entry holds, if it is one. Signatures are checked before it is appended, and before it is used."""
    try:
        payload = opened(envelope).payload
        if kind_of(payload) is not BASELINE:
            return ()
        baseline = read(BASELINE, payload)
    except TrustError as error:
        raise TrustError(f"entry {sequence} of the log cannot be read: {error}", RESTORE) from error
    return (Remembered(baseline.snapshot.device, baseline.serial, sha256, sequence),)
