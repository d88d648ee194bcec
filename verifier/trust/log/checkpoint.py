"""Checkpoints (C2SP tlog-checkpoint): the log, so many entries, this root; a signed note of three lines.

The key's name in the signature is the log's origin. Whose keys may sign for a log, the policy says.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.errors import TrustError
from verifier.trust.keys import PublicKey, Signer
from verifier.trust.log import note
from verifier.trust.log.merkle import EMPTY_ROOT, HASH_SIZE
from verifier.trust.log.note import ALTERED, Note, read_note, strict_base64, strict_number


@dataclass(frozen=True, slots=True)
class Checkpoint:
    origin: str
    """Which log: a name that no other log has."""
    size: int
    """Entries."""
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines of other people's logs; ours have none."""

    @property
    def text(self) -> str:
        """What is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The checkpoint as a signed note.

    Raises:
        TrustError: the origin cannot be the name of a key, or the key cannot be used.
    """
    signed = note.signed(checkpoint.text, checkpoint.origin, signer)
    read_checkpoint(signed)
    return signed.written()


def read_checkpoint(found: Note) -> Checkpoint:
    """What a note says as a checkpoint, on nobody's word.

    Raises:
        TrustError: it is none in its one form.
    """
    lines = found.text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines):
        raise TrustError("this is not a checkpoint: origin, size and root, a line each", ALTERED)
    checkpoint = Checkpoint(lines[0], strict_number(lines[1]), strict_base64(lines[2]), tuple(lines[3:]))
    if len(checkpoint.root) != HASH_SIZE or (checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT):
        raise TrustError("the checkpoint's root is not one", ALTERED)
    return checkpoint


def verified_checkpoint(data: bytes, keys: Sequence[PublicKey], origin: str = "") -> Checkpoint:
    """The checkpoint in a file, if one of these keys signed it; with `origin`, if it is of that log.

    Raises:
        TrustError: it is not so.
    """
    found = read_note(data)
    checkpoint = read_checkpoint(found)
    if origin and checkpoint.origin != origin:
        raise TrustError(f"the checkpoint is of the log {checkpoint.origin}, not of {origin}", "give the checkpoint of this log")
    if not note.holds(found, checkpoint.origin, keys):
        raise TrustError("the checkpoint is signed by no key that may sign for the log", "`crane-verify trust show` says who may")
    return checkpoint
