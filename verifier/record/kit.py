"""The folder of a restore kit: exact copies, each hashed while it is written, under names that no device chose."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from verifier.model.kit import Standing
from verifier.record.blobs import Blobs
from verifier.record.bundle import new_folder, write_in
from verifier.record.files import PRIVATE

CHUNK = 1 << 20
FILES = "files"


def write_kit(
    folder: Path,
    blobs: Blobs,
    digests: Iterable[str],
    others: Callable[[Mapping[str, Standing]], Iterable[tuple[str, bytes]]],
) -> None:
    """Write a new folder: `files/DIGEST` of each content that is kept, then what `others` makes of which are.

    A damaged copy is not written, and is told as such.

    Raises:
        RecordError: the folder is there and not empty, or the disk refused. Then nothing is left.
    """
    # it may hold secrets of the device
    with new_folder(folder, 0o700) as staging:
        (staging / FILES).mkdir()
        standing = {digest: _copied(blobs, digest, staging / FILES) for digest in digests}
        for name, data in others(standing):
            write_in(staging, name, data)


def _copied(blobs: Blobs, digest: str, into: Path) -> Standing:
    source = blobs.path(digest)
    if source is None:
        return Standing.MISSING
    seen = hashlib.sha256()
    # only a digest of 64 hex digits has a path, so this name leads nowhere else
    target = into / digest
    with source.open("rb") as reading, open(target, "wb", opener=_shut) as writing:
        while piece := reading.read(CHUNK):
            seen.update(piece)
            writing.write(piece)
    if seen.hexdigest() == digest:
        return Standing.KEPT
    target.unlink()
    return Standing.DAMAGED


def _shut(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE)
