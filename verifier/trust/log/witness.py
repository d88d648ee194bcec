"""The witness's rule (C2SP tlog-witness): it cosigns a checkpoint only if that follows on the last one it cosigned of this log.

Pure: what the witness remembers comes in and what it must remember goes out. The caller must have the new memory on disk before
the cosignature leaves, and let nobody else ask meanwhile; otherwise one witness could sign two histories.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from verifier.errors import TrustError
from verifier.trust.keys import Algorithm, PublicKey, Signer
from verifier.trust.log import note
from verifier.trust.log.checkpoint import Checkpoint, read_checkpoint
from verifier.trust.log.cosignature import Witness, cosign
from verifier.trust.log.merkle import EMPTY_ROOT, check_consistency
from verifier.trust.log.note import Note, NoteSignature, read_note
from verifier.trust.log.request import Request

KEEP_BOTH = "sign nothing, keep this and what you signed before: together they show it; tell the port's auditor"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a witness knows of one log."""

    origin: str
    keys: tuple[PublicKey, ...]
    """Of the log, as the witness was told by somebody it trusts."""
    checkpoint: str = ""
    """The last one it cosigned, as the log signed it; empty: none yet."""

    @property
    def last(self) -> Checkpoint:
        """The last checkpoint, of no entries where there is none."""
        if not self.checkpoint:
            return Checkpoint(self.origin, 0, EMPTY_ROOT)
        return read_checkpoint(read_note(self.checkpoint.encode()))


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that the witness cosigned."""

    memory: Remembered
    """What it must remember from now on."""
    checkpoint: Checkpoint
    before: int
    """How many entries it had seen before."""
    line: NoteSignature
    """Its cosignature."""
    note: bytes
    """The checkpoint with the log's signature and the cosignature."""


def witness_name(public: PublicKey) -> str:
    """The name under which a key cosigns. It follows from the key, so that nobody has to agree on one.

    Raises:
        TrustError: the key is of an algorithm that cosignatures do not know.
    """
    if public.algorithm is not Algorithm.ED25519:
        raise TrustError(
            f"a witness signs with an Ed25519 key, and this one is {public.algorithm}",
            "make one with: ssh-keygen -t ed25519 -a 128 -f witness.key",
        )
    return f"crane-verify/witness/{public.key_id[:16]}"


def witness_of(public: PublicKey) -> Witness:
    """The key as a witness. Raises as `witness_name`."""
    return Witness(witness_name(public), public)


def witnessed(asked: Request, memory: Remembered, signer: Signer, at: datetime) -> Seen:
    """The cosignature, if this checkpoint follows on all that the witness signed before.

    A request for exactly what it signed last is answered whatever it goes on from: the cosignature may have been lost on its way.

    Raises:
        TrustError: it does not follow, in words that say why.
    """
    name = witness_name(signer.public)
    found = read_note(asked.checkpoint)
    checkpoint, last = read_checkpoint(found), memory.last
    if checkpoint.origin != memory.origin:
        raise TrustError(f"this is the log {checkpoint.origin}, and you witness {memory.origin}", "ask which log is meant")
    if not note.holds(found, memory.origin, memory.keys):
        raise TrustError(
            "the checkpoint is not signed by the key of this log that you know",
            "if the port has a new collector, hear its fingerprint from a person you know, and give it once with --log-key",
        )
    if checkpoint.size < last.size:
        raise TrustError(
            f"this is an older checkpoint: it covers {checkpoint.size} entries, and you have signed for {last.size}",
            "either it was fetched from an old copy, or the log was put back to an earlier state: ask the port which",
        )
    if checkpoint.size == last.size:
        if checkpoint.root != last.root:
            raise _rewritten(last)
    elif asked.old != last.size:
        raise TrustError(
            f"the request goes on from {asked.old} entries, and you have signed for {last.size}",
            f"ask for one from there: crane-verify log checkpoint --for YOU --since {last.size}",
        )
    elif not follows(last, checkpoint, asked.hashes):
        raise _rewritten(last)
    line = cosign(found, name, signer, at)
    signed = Note(found.text, tuple(each for each in found.signatures if each.name == memory.origin)).written().decode()
    cosigned = read_note(signed.encode() + line.line().encode()).written()
    return Seen(Remembered(memory.origin, memory.keys, signed), checkpoint, last.size, line, cosigned)


def follows(old: Checkpoint, new: Checkpoint, hashes: tuple[bytes, ...]) -> bool:
    """Whether a consistency proof shows that the new tree begins with the old one."""
    try:
        check_consistency(old.size, old.root, new.size, new.root, hashes)
    except TrustError:
        return False
    return True


def _rewritten(last: Checkpoint) -> TrustError:
    return TrustError(
        f"the history was rewritten: the first {last.size} entries are not those you signed for, or the proof is wrong", KEEP_BOTH
    )
