"""Which addresses are read together: `(first, count)` pairs."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

Spans = tuple[tuple[int, int], ...]

_LARGEST_SECOND = 32


def spans(first: int, count: int, largest: int) -> Spans:
    """A block in as few spans as `largest` allows, ascending.

    Raises:
        ValueError: `largest` is below 1, or `count` is negative.
    """
    if largest < 1 or count < 0:
        raise ValueError(f"{count} addresses in spans of {largest}")
    return tuple((at, min(largest, first + count - at)) for at in range(first, first + count, largest))


def second_look(wholes: Iterable[tuple[int, int]], largest: int, seed: int) -> Spans:
    """The same addresses again, in other spans and another order.

    A device that keeps golden values for those who read large spans is found out by small ones whose sizes it cannot foresee, and
    one that counts requests by their order. Each of the scales 1, 2-3, 4-7, 8-15, 16-31, 32 takes about as many addresses, which
    costs some three requests for ten addresses.

    Args:
        wholes: what must not be torn apart, such as the two registers of one number; single registers are `(address, 1)`. Only a
            whole longer than `largest` is cut. Overlapping wholes are read once each.
        largest: addresses that fit into one request.
        seed: the same seed gives the same spans; the caller draws it anew for every check and writes it down.
    """
    dice = random.Random(seed)
    found: list[tuple[int, int]] = []
    for run in _runs(wholes):
        while run:
            span_first, room = run[0][0], _size(dice, min(largest, _LARGEST_SECOND))
            taken = 1
            while taken < len(run) and sum(run[taken]) - span_first <= room:
                taken += 1
            found += spans(span_first, sum(run[taken - 1]) - span_first, largest)
            del run[:taken]
    dice.shuffle(found)
    return tuple(found)


def _size(dice: random.Random, largest: int) -> int:
    scales = range(largest.bit_length())
    (scale,) = dice.choices(scales, [1 / (1 << each) for each in scales])
    return min(largest, dice.randrange(1 << scale, 2 << scale))


def _runs(wholes: Iterable[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Wholes that lie end to end, so that a span over several of them reads nothing that was not asked."""
    run: list[tuple[int, int]] = []
    for first, count in sorted(set(wholes)):
        if run and first != sum(run[-1]):
            yield run
            run = []
        run.append((first, count))
    if run:
        yield run
