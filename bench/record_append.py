"""Appending 1,000 reports to the log, with a checkpoint over them, beside writing the same files with fsync: under 5 s more."""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.pairs import pairs
from verifier.record.log import Log
from verifier.trust.signers.file import FileSigner

COUNT = 1000
SIGNER = FileSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)))
REPORT = b"x" * 6000
"""The size of the report of a device with a few items and a drift."""


def run() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        fresh = (Path(folder) / f"run{number}" for number in itertools.count())
        timed = pairs(lambda: run_of(Log(next(fresh))), lambda: write(next(fresh)), runs=3)
        more = statistics.median(a - b for a, b in zip(timed.ours, timed.theirs, strict=True))
        yield timed.line(f"{COUNT} appends and a checkpoint beside write + fsync", f"under 5 s more; here {more:.2f} s more")
        each = pairs(lambda: append(Log(next(fresh)), 200, SIGNER), lambda: append(Log(next(fresh)), 200), runs=3)
        yield each.line("200 appends with a checkpoint each beside appends without", "none; a check of many devices signs once")

        short, long = Log(Path(folder) / "short"), ending_at(Path(folder) / "long", 100_000 - COUNT // 2)
        append(short, COUNT // 2)
        same = pairs(lambda: append(long, 50), lambda: append(short, 50), runs=7)
        yield same.line("50 appends after 100,000 entries beside 50 after 500", "1.0x")


def run_of(log: Log) -> None:
    """What a check of many devices does."""
    append(log)
    log.sign(SIGNER)


def append(log: Log, count: int = COUNT, signer: FileSigner | None = None) -> None:
    for _ in range(count):
        log.append(lambda _: REPORT, signer)


def write(folder: Path) -> None:
    folder.mkdir()
    for number in range(COUNT):
        descriptor = os.open(folder / f"{number:09}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(descriptor, REPORT)
        os.fsync(descriptor)
        os.close(descriptor)


def ending_at(folder: Path, length: int) -> Log:
    """A log of that many entries. Only the folders' names and the last thousand entries matter to an append."""
    for thousands in range(length // 1000 + 1):
        (folder / "entries" / "000" / f"{thousands:03}").mkdir(parents=True)
    for sequence in range(length - length % 1000, length):
        (folder / "entries" / "000" / f"{length // 1000:03}" / f"{sequence:09}.json").write_bytes(REPORT)
    return Log(folder)
