"""How long a person waits for `--help`, beside a bare Python that does nothing. Target: under 0.25 s."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from bench.pairs import pairs


def run() -> Iterator[str]:
    def quiet(*argv: str) -> None:
        subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL)

    yield pairs(lambda: quiet("-m", "verifier", "--help"), lambda: quiet("-c", "pass"), 9).line("--help", "under 0.25 s")
