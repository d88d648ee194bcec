"""From readings to an item as it is signed: sorted, each member once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from verifier.model.profile import Item, Parameters
from verifier.model.snapshot import Disagreement, ItemSnapshot, Reading, Unread, Value
from verifier.model.words import Criticality


def item_snapshot(item: Item, readings: Iterable[Reading]) -> ItemSnapshot:
    """An item's readings as they are signed: sorted, each member once."""
    ordered = tuple(once(readings))
    rules = tuple(rule.told for rule in item.text.normalise) if item.text else ()
    own = _own_criticality(item)
    return ItemSnapshot(item.name, item.kind, item.criticality, ordered, item.volatile, own, item.moving, rules)


def once(readings: Iterable[Reading]) -> Iterator[Reading]:
    """Sorted by member, each once. When one member was answered twice, not read wins; two different answers disagree."""
    found: dict[str, Reading] = {}
    for reading in readings:
        before = found.get(reading.member)
        found[reading.member] = _joined(before, reading) if before else reading
    return (found[member] for member in sorted(found))


def _joined(first: Reading, second: Reading) -> Reading:
    if isinstance(first.value, Unread) and isinstance(second.value, Unread):
        return replace(first, value=replace(first.value, below=first.value.below or second.value.below))
    if isinstance(first.value, Unread) or first.value == second.value:
        return first
    if isinstance(second.value, Unread):
        return second
    value: Value = Disagreement("first answer", _digest(first.value), "second answer", _digest(second.value))
    return Reading(first.member, value, min(first.evidence, second.evidence))


def _digest(value: Value) -> str:
    return f"sha256:{hashlib.sha256(repr(value).encode('utf-8', 'surrogatepass')).hexdigest()}"


def _own_criticality(item: Item) -> tuple[tuple[str, Criticality], ...]:
    if not isinstance(item.ask, Parameters):
        return ()
    named = ((p.name, p.criticality or item.criticality) for p in item.ask.parameters)
    return tuple(sorted((name, criticality) for name, criticality in named if criticality is not item.criticality))
