"""Modbus tables: named parameters in engineering units, and blocks of registers or bits without names.

Everything critical is read a second time in other spans and another order: a device that keeps golden values for those who read
large spans answers differently then, and that is a disagreement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from verifier.collect.asking import Asking, Outcome
from verifier.collect.numbers import number
from verifier.collect.unread import unread, whole
from verifier.collect.wholes import Read, Whole, first_look, largest, look_again, table_words
from verifier.errors import BadReply, DeviceError
from verifier.model.moving import rule_for
from verifier.model.pattern import matches
from verifier.model.profile import Parameter, Parameters, Registers
from verifier.model.snapshot import Disagreement, NumberValue, Reading, Unread, Value, WordValue, amount
from verifier.model.words import Criticality, Evidence, Table
from verifier.transport.modbus.block import Span, SpanUnread, read_block
from verifier.transport.request import ReadTable

MOST_UNREAD: Final = 1000
"""Addresses of a block that are told one by one when they cannot be read; when there are more, the block is unread as a whole."""
FIRST: Final = "first read"
SECOND: Final = "second read"


def parameters(asking: Asking, ask: Parameters) -> Outcome:
    """Every named parameter. What the device refuses is unread on its own."""
    if not ask.parameters:
        return ()
    places = {parameter.name: _place(parameter) for parameter in ask.parameters}
    example = min(places.values())
    if cannot := asking.cannot(ReadTable(example.table, example.first, min(example.count, largest(asking.pace, example.table)))):
        return cannot
    found = first_look(asking, places.values())
    critical = [places[p.name] for p in ask.parameters if _is_critical(asking, p.name, p.criticality)]
    again = look_again(asking, [place for place in critical if not isinstance(found[place], DeviceError)])
    return tuple(
        Reading(p.name, _parameter(asking, p, found[places[p.name]], again.get(places[p.name])), Evidence.CLAIMED)
        for p in ask.parameters
    )


def block(asking: Asking, ask: Registers) -> Outcome:
    """Every address of a block: `holding 00100` is its word."""
    if ask.count < 1:
        return ()
    most = largest(asking.pace, ask.table)
    if cannot := asking.cannot(ReadTable(ask.table, ask.first, min(ask.count, most))):
        return cannot
    found: dict[Whole, Read] = {}
    for part in read_block(asking.ask, ask.table, ask.first, ask.count, most, asking.pace.tries):
        found |= _addresses(ask.table, part)
    failed = [read for read in found.values() if isinstance(read, DeviceError)]
    if failed and (len(failed) > MOST_UNREAD or len(failed) == len(found)):
        return whole(unread(failed[0]))
    names = {place: f"{place.table.value} {place.first:05d}" for place in found}
    critical = (place for place in found if _is_critical(asking, names[place], None))
    again = look_again(asking, [place for place in critical if not isinstance(found[place], DeviceError)])
    return tuple(
        Reading(names[place], _word(asking, names[place], read, again.get(place)), Evidence.CLAIMED)
        for place, read in found.items()
    )


def one_word(asking: Asking, table: Table, address: int) -> int:
    """One register or bit.

    Raises:
        DeviceError: refused, or not answered properly.
    """
    return table_words(asking, ReadTable(table, address, 1))[0]


def _place(parameter: Parameter) -> Whole:
    return Whole(parameter.table, parameter.address, parameter.registers)


def _is_critical(asking: Asking, member: str, criticality: Criticality | None) -> bool:
    """What moves by itself would disagree with itself."""
    grave = (criticality or asking.item.criticality) is Criticality.CRITICAL
    return grave and not matches(asking.item.volatile, member)


def _addresses(table: Table, part: Span | SpanUnread) -> Mapping[Whole, Read]:
    match part:
        case Span(first, words):
            most = 1 if table.bits else 0xFFFF
            wrong = BadReply("a value that this table cannot hold")
            return {Whole(table, first + at, 1): (word,) if 0 <= word <= most else wrong for at, word in enumerate(words)}
        case SpanUnread(first, count, error):
            return {Whole(table, address, 1): error for address in range(first, first + count)}


def _parameter(asking: Asking, parameter: Parameter, read: Read, again: Read | None) -> Value:
    if isinstance(read, DeviceError):
        return unread(read)
    value = number(parameter, read)
    if again is None or again == read:
        return value
    if isinstance(again, DeviceError):
        return _unconfirmed(again)
    second = number(parameter, again)
    if _may_move(asking, parameter.name, value, second):
        return value
    words = (value.shown, second.shown)
    if value.shown == second.shown:  # other registers that mean the same, such as spaces behind a text
        words = (" ".join(f"{w:04x}" for w in read), " ".join(f"{w:04x}" for w in again))
    return Disagreement(FIRST, f"{words[0]} {parameter.unit}".strip(), SECOND, f"{words[1]} {parameter.unit}".strip())


def _word(asking: Asking, member: str, read: Read, again: Read | None) -> Value:
    if isinstance(read, DeviceError):
        return unread(read)
    if again is None or again == read:
        return WordValue(read[0])
    if isinstance(again, DeviceError):
        return _unconfirmed(again)
    if _may_move(asking, member, WordValue(read[0]), WordValue(again[0])):
        return WordValue(read[0])
    return Disagreement(FIRST, str(read[0]), SECOND, str(again[0]))


def _may_move(asking: Asking, member: str, first: NumberValue | WordValue, second: NumberValue | WordValue) -> bool:
    """Between the two reads, as its rule allows."""
    rule = rule_for(asking.item.moving, member)
    return rule is not None and rule.allows(amount(first), amount(second))


def _unconfirmed(error: DeviceError) -> Unread:
    """A value that must be seen twice and was seen once."""
    value = unread(error)
    return Unread(value.reason, f"read once; the second time: {value.detail}")
