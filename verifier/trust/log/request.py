"""What a witness is asked (C2SP tlog-witness, the body of `add-checkpoint`): a checkpoint, and that it follows on the last one.

    old 100
    <a hash in base64, and more: the consistency proof from 100 entries>

    <the checkpoint, signed by the log>

The format lets the log call the witness. Here the same bytes travel on a stick as well, or the witness makes them itself from
the log's folder.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from verifier.errors import TrustError
from verifier.trust.log.checkpoint import read_checkpoint
from verifier.trust.log.merkle import HASH_SIZE, Reader, consistency_proof
from verifier.trust.log.note import ALTERED, LARGEST, read_note, strict_base64, strict_number

MOST_HASHES = 63
LARGEST_REQUEST = LARGEST + 64 * (MOST_HASHES + 2)
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Request:
    old: int
    """Entries that the witness has seen, 0 for a new one."""
    hashes: tuple[bytes, ...]
    """The consistency proof from there to the checkpoint."""
    checkpoint: bytes
    """With its signature."""

    def written(self) -> bytes:
        lines = (f"old {self.old}", *(base64.b64encode(each).decode() for each in self.hashes))
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


def request(old: int, checkpoint: bytes, reader: Callable[[int], Reader]) -> Request:
    """What to ask a witness that has seen `old` entries; `reader` gives the hashes of a tree of some size.

    Raises:
        TrustError: the checkpoint is none, or the tree cannot be read.
    """
    size = read_checkpoint(read_note(checkpoint)).size
    # from more entries to fewer there is no proof; the witness will say what that means
    return Request(old, consistency_proof(old, size, reader(size)) if old <= size else (), checkpoint)


def read_request(data: bytes) -> Request:
    """A request as it came. Nothing in it is believed yet.

    Raises:
        TrustError: it is not one in its one form.
    """
    above, blank, checkpoint = data[:LARGEST_REQUEST].partition(b"\n\n")
    if not blank or len(data) > LARGEST_REQUEST or not above.isascii():
        raise TrustError("this is not a request for a witness", ALTERED)
    first, *lines = above.decode().split("\n")
    if not first.startswith("old ") or len(lines) > MOST_HASHES:
        raise TrustError("this is not a request for a witness", ALTERED)
    found = Request(strict_number(first.removeprefix("old ")), tuple(map(strict_base64, lines)), checkpoint)
    if any(len(each) != HASH_SIZE for each in found.hashes) or read_note(checkpoint).written() != checkpoint:
        raise TrustError("the request for a witness is not written as it must be", ALTERED)
    return found
