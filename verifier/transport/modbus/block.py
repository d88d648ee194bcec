"""Reading a long block of registers or bits: large spans first, and smaller ones where the device refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from verifier.errors import BadReply, DeviceError, Refused
from verifier.model.words import Table
from verifier.transport.answer import Answer, Words
from verifier.transport.modbus.reply import ExceptionReply
from verifier.transport.request import ReadTable, Request

_PLACE_OR_SIZE = (2, 3)
"""Exceptions that a smaller span may cure: illegal data address, illegal data value."""

EXTRA_REQUESTS = 256
EXTRA_REQUESTS_PER_SPAN = 32
"""How many questions are spent on finding the readable parts of refused spans: of a whole block, and of one span.

Of a span of 125 every readable part of 16 and more is met, and its edges are found exactly.
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Addresses that were read, with a value each."""

    first: int
    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SpanUnread:
    """Addresses that were not read, and why."""

    first: int
    count: int
    error: DeviceError


@dataclass(slots=True)
class _Purse:
    """What may still be spent."""

    extra: int
    largest: int
    tries: int
    failures: int = 0
    """In a row; a refusal is none, since a device that refuses is alive."""
    error: DeviceError | None = None
    """Set when nothing more may be asked."""

    def count(self, part: Span | SpanUnread) -> None:
        if isinstance(part, Span) or isinstance(part.error, Refused):
            self.failures = 0
            return
        self.failures += 1
        if self.failures >= self.tries:
            self.error = part.error


def read_block(
    ask: Callable[[Request], Iterator[Answer]], table: Table, first: int, count: int, largest: int, tries: int = 3
) -> Iterator[Span | SpanUnread]:
    """Every address from `first` exactly once, ascending: as read, or as unread with the reason.

    Only a refusal of the place or the size makes spans smaller. A device that is silent or answers wrongly is not asked more, and
    after `tries` such failures in a row the rest of the block is not asked at all.

    Args:
        ask: a route's `ask`.
        first: protocol address, 0-based.
        largest: addresses per request: 125 registers or 2000 bits, or what the profile's pace allows.
    """
    purse = _Purse(EXTRA_REQUESTS, largest, tries)
    at, end = first, first + count
    while at < end:
        size = min(purse.largest, end - at)
        yield from _looked_into(ask, table, at, size, purse)
        at += size
        if purse.error and at < end:
            yield SpanUnread(at, end - at, purse.error)
            return


def _looked_into(
    ask: Callable[[Request], Iterator[Answer]], table: Table, first: int, count: int, purse: _Purse
) -> list[Span | SpanUnread]:
    """One span, and where it is refused its halves; first those beside what could be read, since an edge is there."""
    found: list[Span | SpanUnread] = []
    waiting = [(first, count)]
    extra, spent = min(EXTRA_REQUESTS_PER_SPAN, purse.extra), 0
    while waiting:
        at, size = waiting.pop(_most_promising(waiting, found))
        if purse.error:
            found.append(SpanUnread(at, size, purse.error))
            continue
        part = _asked(ask, ReadTable(table, at, size))
        purse.count(part)
        if isinstance(part, Span) or size == 1 or not _curable(part.error):
            found.append(part)
        elif spent + 2 <= extra:
            spent += 2
            waiting += [(at, size // 2), (at + size // 2, size - size // 2)]
        else:
            found.append(_not_split(part))
    purse.extra -= spent
    if spent and all(isinstance(part, Span) for part in found):
        # everything here can be read, only not at once: the device takes smaller requests than the standard allows
        purse.largest = max(len(part.words) for part in found if isinstance(part, Span))
    return sorted(found, key=lambda part: part.first)


def _most_promising(waiting: list[tuple[int, int]], found: list[Span | SpanUnread]) -> int:
    edges = {edge for part in found if isinstance(part, Span) for edge in (part.first, part.first + len(part.words))}

    def promise(place: int) -> tuple[bool, int]:
        at, size = waiting[place]
        return at in edges or at + size in edges, size

    return max(range(len(waiting)), key=promise)


def _asked(ask: Callable[[Request], Iterator[Answer]], request: ReadTable) -> Span | SpanUnread:
    try:
        answers = tuple(ask(request))
    except DeviceError as error:
        return SpanUnread(request.first, request.count, error)
    match answers:
        case (Words(values),) if len(values) == request.count:
            return Span(request.first, values)
        case _:
            wrong = BadReply(f"the answer does not hold the {request.count} values that were asked")
            return SpanUnread(request.first, request.count, wrong)


def _curable(error: DeviceError) -> bool:
    # recordings and other routes have plain refusals, which do not say what was wrong
    return error.code in _PLACE_OR_SIZE if isinstance(error, ExceptionReply) else isinstance(error, Refused)


def _not_split(part: SpanUnread) -> SpanUnread:
    last = part.first + part.count - 1
    return SpanUnread(
        part.first,
        part.count,
        Refused(
            f"{part.error} for {part.first} to {last} together; not asked one by one, since enough was asked already",
            "give the addresses that exist in the profile",
        ),
    )
