"""Proofs (C2SP tlog-proof): that an entry is in the log, as one text file that needs no log to be checked."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.errors import TrustError
from verifier.trust.keys import PublicKey
from verifier.trust.log.checkpoint import Checkpoint, verified_checkpoint
from verifier.trust.log.merkle import HASH_SIZE, leaf_hash, root_of_inclusion
from verifier.trust.log.note import ALTERED, strict_base64, strict_number

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63
LARGEST = 2_000_000


@dataclass(frozen=True, slots=True)
class Proof:
    index: int
    """Of the entry, from 0."""
    hashes: tuple[bytes, ...]
    """From the leaf's neighbour up."""
    checkpoint: bytes
    """With its signatures and cosignatures."""
    extra: bytes = b""
    """Signed by nobody. Ours have none."""

    def written(self) -> bytes:
        extra = [f"extra {_encoded(self.extra)}"] if self.extra else []
        lines = (HEADER, *extra, f"index {self.index}", *map(_encoded, self.hashes))
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


def read_proof(data: bytes) -> Proof:
    """A proof as it came. Nothing in it is believed yet.

    Raises:
        TrustError: it is not a proof in its one form.
    """
    above, blank, checkpoint = data[:LARGEST].partition(b"\n\n")
    if not blank or len(data) > LARGEST or not above.isascii():
        raise TrustError("this is not a proof of an entry", ALTERED)
    header, *lines = above.decode().split("\n")
    extra = strict_base64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else b""
    if header != HEADER or not lines or not lines[0].startswith("index ") or len(lines) > MOST_HASHES + 1:
        raise TrustError("this is not a proof of an entry", ALTERED)
    proof = Proof(strict_number(lines[0].removeprefix("index ")), tuple(map(strict_base64, lines[1:])), checkpoint, extra)
    if any(len(each) != HASH_SIZE for each in proof.hashes) or proof.written() != data:
        raise TrustError("the proof is not written as it must be", ALTERED)
    return proof


def proven(proof: Proof, entry: bytes, keys: Sequence[PublicKey], origin: str = "") -> Checkpoint:
    """The checkpoint that this entry is under.

    Raises:
        TrustError: the proof does not show it, or the checkpoint is not signed by one of these keys.
    """
    checkpoint = verified_checkpoint(proof.checkpoint, keys, origin)
    if root_of_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.hashes) != checkpoint.root:
        raise TrustError(f"entry {proof.index} of the log is not this one", "either the entry or the proof was altered")
    return checkpoint


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
