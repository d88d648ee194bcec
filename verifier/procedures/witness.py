"""The witness's side: somebody outside looks at a log, in its folder or by a request on a stick, and cosigns what it may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from verifier.errors import TrustError, UsageError
from verifier.procedures.witnessing import kept_in
from verifier.record.log import Log
from verifier.record.witness_memory import WitnessMemory
from verifier.trust.keys import PublicKey, Signer
from verifier.trust.log.checkpoint import Checkpoint, read_checkpoint
from verifier.trust.log.note import read_note
from verifier.trust.log.request import Request, request
from verifier.trust.log.witness import Remembered, Seen, witness_name, witnessed

Pin = Callable[[Checkpoint], PublicKey]
"""From a log that was never seen before to its key, as somebody trusted says. Raises UsageError where nobody does."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The log itself, perhaps over a share."""

    log: Log

    @property
    def checkpoint(self) -> bytes:
        """The newest one.

        Raises:
            UsageError: there is none.
        """
        signed = self.log.tree.signed()
        if signed is None:
            raise UsageError(f"{self.log.folder} holds no checkpoint", "give the folder `log` of a workspace, or a request file")
        return signed


Asking = Folder | Request


@dataclass(frozen=True, slots=True)
class Looking:
    """A witness, with what it needs."""

    memory: WitnessMemory
    signer: Signer
    now: Callable[[], datetime]

    def at(self, asking: Asking, pin: Pin, expected: str = "", also: PublicKey | None = None) -> Seen:
        """Cosign, if it follows on what was cosigned before. When this returns, the witness has it in its memory for good.

        `expected` is the log's name, where the witness wants to be sure; `also` is another key of a log that is known already.

        Raises:
            TrustError: it does not follow, or the log is another one.
            UsageError: a log that was never seen before, and nobody says what its key is.
            RecordError: the memory cannot be read or written. Nothing was signed.
        """
        witness_name(self.signer.public)
        signed = asking.checkpoint
        checkpoint = read_checkpoint(read_note(signed))
        if expected and checkpoint.origin != expected:
            raise TrustError(f"this is the log {checkpoint.origin}, not {expected}", "ask the port which log is meant")
        with self.memory.alone():
            known = self.memory.of(checkpoint.origin) or Remembered(checkpoint.origin, (pin(checkpoint),))
            if also and also not in known.keys:
                known = Remembered(known.origin, (*known.keys, also), known.checkpoint)
            seen = witnessed(_request(asking, signed, known.last.size), known, self.signer, self.now())
            # before the cosignature leaves: killed here, the witness knows of a signature that nobody has, which harms nobody
            self.memory.remember(seen.memory)
        return seen


def hand_in(seen: Seen, signer: Signer, log: Log) -> None:
    """Put a cosignature beside the log that it is for.

    Raises:
        TrustError: another checkpoint of this size was shown to somebody.
        RecordError: the disk refused.
    """
    kept = kept_in(log)
    kept.keep(seen.memory.checkpoint.encode())
    kept.add_cosignature(seen.checkpoint.size, signer.public.key_id[:16], seen.line.line().encode())


def _request(asking: Asking, signed: bytes, old: int) -> Request:
    match asking:
        case Folder(log):
            return request(old, signed, log.tree.tiles.reader)
        case Request():
            return asking
        case _:
            assert_never(asking)
