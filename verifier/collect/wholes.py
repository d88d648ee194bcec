"""Reading values that take one or more addresses, several in one request, none of them torn apart.

A number in two registers that is read in two requests may come out as half of the old and half of the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from verifier.collect.asking import Asking
from verifier.errors import BadReply, DeviceError, Refused
from verifier.model.profile import Pace
from verifier.model.words import Table
from verifier.transport.modbus.reply import ExceptionReply
from verifier.transport.modbus.spans import second_look, spans
from verifier.transport.request import ReadTable

LARGEST_REGISTERS = 125
LARGEST_BITS = 2000
"""What one request may ask (MODBUS Application Protocol V1.1b3, sections 6.1 to 6.4)."""

_CURED_BY_SMALLER = (2, 3)
"""Exceptions that say something about the addresses: illegal data address, illegal data value."""


@dataclass(frozen=True, slots=True, order=True)
class Whole:
    """Addresses that belong to one value. `first` is 0-based."""

    table: Table
    first: int
    count: int

    @property
    def end(self) -> int:
        return self.first + self.count


Read = tuple[int, ...] | DeviceError
"""Registers or bits in address order, or why there are none."""


def largest(pace: Pace, table: Table) -> int:
    """Addresses in one request: what the profile's pace and the protocol allow."""
    if table.bits:
        return max(1, min(pace.bits_per_request, LARGEST_BITS))
    return max(1, min(pace.registers_per_request, LARGEST_REGISTERS))


def first_look(asking: Asking, wholes: Iterable[Whole]) -> Mapping[Whole, Read]:
    """Every whole, in as few requests as fit, asking for no address that is in none of them.

    Where a device refuses several wholes together they are asked in halves, down to each on its own. After as many failures in a
    row as the pace allows the rest is not asked any more.
    """
    found: dict[Whole, Read] = {}
    patience = _Patience(asking.pace.tries)
    waiting = list(reversed(packed(wholes, asking.pace)))
    while waiting:
        group = waiting.pop()
        answer = patience.over or _span(asking, group)
        if isinstance(answer, DeviceError) and len(group) > 1 and not patience.over and _curable(answer):
            waiting += (group[len(group) // 2 :], group[: len(group) // 2])
            continue
        patience.count(answer)
        first = group[0].first
        for whole in group:
            found[whole] = answer if isinstance(answer, DeviceError) else answer[whole.first - first : whole.end - first]
    return found


def look_again(asking: Asking, wholes: Iterable[Whole]) -> Mapping[Whole, Read]:
    """The same wholes once more, in other spans and another order (`transport.modbus.spans.second_look`)."""
    found: dict[Whole, Read] = {}
    patience = _Patience(asking.pace.tries)
    by_table: dict[Table, list[Whole]] = {}
    for whole in wholes:
        by_table.setdefault(whole.table, []).append(whole)
    for table, group in by_table.items():
        values: dict[int, int | DeviceError] = {}
        for first, count in second_look([(w.first, w.count) for w in group], largest(asking.pace, table), asking.seed):
            answer = patience.over or _asked(asking, table, first, count)
            patience.count(answer)
            for at in range(count):
                values[first + at] = answer if isinstance(answer, DeviceError) else answer[at]
        found |= {whole: _joined(values[at] for at in range(whole.first, whole.end)) for whole in group}
    return found


def packed(wholes: Iterable[Whole], pace: Pace) -> list[list[Whole]]:
    """Wholes in groups for one request each: of one table, end to end or overlapping, together no more than fits."""
    groups: list[list[Whole]] = []
    end = 0
    for whole in sorted(set(wholes)):
        group = groups[-1] if groups else []
        near = bool(group) and group[-1].table is whole.table and whole.first <= end
        if near and max(end, whole.end) - group[0].first <= largest(pace, whole.table):
            group.append(whole)
            end = max(end, whole.end)
        else:
            groups.append([whole])
            end = whole.end
    return groups


class _Patience:
    """Failures in a row; a refusal is none, since a device that refuses is alive."""

    def __init__(self, tries: int) -> None:
        self._tries = max(1, tries)
        self._failures = 0
        self.over: DeviceError | None = None

    def count(self, answer: Read) -> None:
        if not isinstance(answer, DeviceError) or isinstance(answer, Refused):
            self._failures = 0
            return
        self._failures += 1
        if self._failures >= self._tries:
            self.over = answer


def _span(asking: Asking, group: list[Whole]) -> Read:
    first, end = group[0].first, max(whole.end for whole in group)
    return _asked(asking, group[0].table, first, end - first)


def _asked(asking: Asking, table: Table, first: int, count: int) -> Read:
    """One span; in several requests only where a single whole is longer than one may be."""
    words: tuple[int, ...] = ()
    try:
        for at, size in spans(first, count, largest(asking.pace, table)):
            words += table_words(asking, ReadTable(table, at, size))
    except DeviceError as error:
        return error
    return words


def table_words(asking: Asking, request: ReadTable) -> tuple[int, ...]:
    """The values of one request, as many as were asked and each one that its table can hold.

    Raises:
        DeviceError: refused, or not answered properly.
    """
    words = asking.words(request)
    most = 1 if request.table.bits else 0xFFFF
    if len(words) != request.count or not all(0 <= word <= most for word in words):
        raise BadReply(f"the answer does not hold the {request.count} values that were asked")
    return words


def _joined(values: Iterator[int | DeviceError]) -> Read:
    words = []
    for value in values:
        if isinstance(value, DeviceError):
            return value
        words.append(value)
    return tuple(words)


def _curable(error: DeviceError) -> bool:
    if isinstance(error, ExceptionReply):
        return error.code in _CURED_BY_SMALLER
    return isinstance(error, Refused)
