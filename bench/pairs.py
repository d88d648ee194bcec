"""Two things timed in turn, A B A B ..., so that a machine that drifts slows both; what is quoted is the median of the ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pairs:
    ours: tuple[float, ...]
    """Seconds of each of our runs."""
    theirs: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours / theirs, pair by pair."""
        return tuple(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def line(self, what: str, target: str) -> str:
        """One line of the table: median ratio, its spread, both medians, and what it should be."""
        ratios = sorted(self.ratios)
        return (
            f"{what}: {statistics.median(ratios):.2f}x ({ratios[0]:.2f}-{ratios[-1]:.2f}) of the peer; ours "
            f"{statistics.median(self.ours):.3f} s, peer {statistics.median(self.theirs):.3f} s, n={len(ratios)}; target {target}"
        )


def pairs(ours: Callable[[], object], theirs: Callable[[], object], runs: int = 5) -> Pairs:
    """Time both in turn, after one run of each that is not counted."""
    ours()
    theirs()
    times: list[tuple[float, float]] = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    return Pairs(tuple(a for a, _ in times), tuple(b for _, b in times))


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
