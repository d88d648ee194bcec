"""A log of 1,000,000 entries. Targets: verified in under 10 s and 300 MiB; any entry proven in under 10 ms, in under 2 KiB."""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.pairs import seconds
from tests.servers.tlog import LIBRARIES, built
from verifier.record.log import Log
from verifier.trust.log.checkpoint import Checkpoint, sign_checkpoint
from verifier.trust.log.note import verifier_key
from verifier.trust.log.tiles import WIDTH, Growth, bundle, tile_path
from verifier.trust.signers.file import FileSigner

COUNT = 1_000_000
ORIGIN = "crane-verify/log/00112233445566778899aabbccddeeff"
SIGNER = FileSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEYS = (SIGNER.public,)
VERIFY = """
import resource, sys, time
from pathlib import Path
from bench.log_size import KEYS
from verifier.record.log import Log
start = time.perf_counter()
assert Log(Path(sys.argv[1])).verify(KEYS, entries=False) == (), "it does not verify"
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def run() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "log"
        made = seconds(lambda: make(folder))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) >> 20
        yield f"a log of {COUNT:,} entries, {size} MiB of bundles and tiles, made in {made:.1f} s"
        # the entries' own files are left out: the tree does not look at them
        name_of_last = f"{COUNT - 1:09}"
        write(folder / "entries" / name_of_last[:3] / name_of_last[3:6] / f"{name_of_last}.json", b"")
        done = subprocess.run([sys.executable, "-c", VERIFY, folder], check=True, capture_output=True, text=True)
        took, memory = map(float, done.stdout.split())
        yield f"verifying the tree: {took:.2f} s, {memory:.0f} MiB at most; target under 10 s and 300 MiB"
        yield from proofs(Log(folder))
        if shutil.which("go") and LIBRARIES.is_dir():
            program = built(Path(name))
            peer: list[str | Path] = [program, "log", folder, verifier_key(ORIGIN, SIGNER.public), "bundles"]
            theirs = seconds(lambda: subprocess.run(peer, check=True, capture_output=True))
            yield f"Go's sumdb on the same bundles: {theirs:.2f} s; ours takes {took / theirs:.1f}x"


def proofs(log: Log) -> Iterator[str]:
    chance = random.Random(2026)
    times, longest = [], 0
    for sequence in [0, COUNT - 1, *(chance.randrange(COUNT) for _ in range(200))]:
        start = time.perf_counter()
        proof = log.tree.prove(sequence, entry(sequence), KEYS)
        times.append(time.perf_counter() - start)
        longest = max(longest, len(proof.written()))
    slowest = max(times) * 1000
    median = statistics.median(times) * 1000
    yield f"proving an entry: median {median:.1f} ms, slowest {slowest:.1f} ms of {len(times)}; target under 10 ms"
    yield f"a proof: at most {longest} bytes; target under 2,048"


def entry(number: int) -> bytes:
    return b"urn:crane-verify:report:v1 6123 %064x\n" % number


def make(folder: Path) -> None:
    """The log's files, written without forcing them to disk."""
    growth = Growth()
    for first in range(0, COUNT, WIDTH):
        entries = [entry(number) for number in range(first, min(first + WIDTH, COUNT))]
        for tile in growth.grow(entries):
            write(folder / tile_path(tile.level, tile.index), tile.data)
        write(folder / tile_path("entries", first // WIDTH, len(entries)), bundle(entries))
    for tile in growth.open_tiles():
        write(folder / tile_path(tile.level, tile.index, tile.width), tile.data)
    write(folder / "origin", f"{ORIGIN}\n".encode())
    write(folder / "checkpoint", sign_checkpoint(Checkpoint(ORIGIN, COUNT, growth.root()), SIGNER))


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
