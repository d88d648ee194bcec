"""Cosignatures (C2SP tlog-cosignature, Ed25519): a witness says when it saw this checkpoint.

By signing it says too that the checkpoint follows on every one of this log that it signed before. The witness's name is not
part of what it signs, so a key must belong to one witness alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from verifier.errors import TrustError
from verifier.trust.keys import PublicKey, Signer
from verifier.trust.log.checkpoint import read_checkpoint
from verifier.trust.log.note import ALTERED, Note, NoteSignature, key_id

COSIGNATURE = 0x04
LENGTH = 8 + 64
LATEST = 253_402_300_799
"""The last second that a `datetime` can say; the format's own bound, 2^63 - 1, is beyond every calendar."""


@dataclass(frozen=True, slots=True)
class Witness:
    name: str
    public: PublicKey


@dataclass(frozen=True, slots=True)
class Cosigned:
    witness: Witness
    at: datetime
    """When the witness says that it saw the checkpoint."""


def cosign(found: Note, name: str, signer: Signer, at: datetime) -> NoteSignature:
    """A witness's line below a checkpoint. That the checkpoint follows on those before, the witness must have seen to.

    Raises:
        TrustError: the note is no checkpoint, or the key cannot be used.
    """
    read_checkpoint(found)
    seconds = int(at.timestamp())
    signature = signer.sign(_message(seconds, found.text))
    return NoteSignature(name, key_id(name, COSIGNATURE, signer.public), seconds.to_bytes(8, "big") + signature)


def cosignatures(found: Note, witnesses: tuple[Witness, ...]) -> tuple[Cosigned, ...]:
    """Which of these witnesses cosigned the checkpoint, and when. Lines of others are passed over.

    Raises:
        TrustError: a line claims one of them and does not hold, or the note is no checkpoint.
    """
    read_checkpoint(found)
    return tuple(
        Cosigned(witness, _time(line, witness, found.text))
        for line in found.signatures
        for witness in witnesses
        if (line.name, line.key_id) == (witness.name, key_id(witness.name, COSIGNATURE, witness.public))
    )


def _time(line: NoteSignature, witness: Witness, text: str) -> datetime:
    seconds = int.from_bytes(line.sig[:8], "big")
    if len(line.sig) != LENGTH or seconds > LATEST or not witness.public.holds(line.sig[8:], _message(seconds, text)):
        raise TrustError(f"the cosignature of {witness.name} does not fit the checkpoint", ALTERED)
    return datetime.fromtimestamp(seconds, UTC)


def _message(seconds: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()
