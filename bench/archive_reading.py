"""The archive parser beside Python's `tarfile`: members of 200 bytes and of 8 KiB, all hashed."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator

from bench.pairs import pairs
from verifier.transport.archive.reader import read_archive


def run() -> Iterator[str]:
    for size in (200, 8 << 10):
        data = _archive(3000, size)
        found = pairs(lambda data=data: _ours(data), lambda data=data: _theirs(data))  # type: ignore[misc] # mypy cannot type a bound default
        target = "at most 0.5x" if size < 512 else "under 1x: both spend most of it hashing"
        yield found.line(f"3,000 members of {size:,} bytes, beside tarfile", target)


def _archive(count: int, size: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"firmware/{number:05}")
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
    return out.getvalue()


def _ours(data: bytes) -> None:
    assert sum(1 for _ in read_archive([data[at : at + (1 << 20)] for at in range(0, len(data), 1 << 20)])) == 3000


def _theirs(data: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content
            hashlib.sha256(content.read()).hexdigest()
