"""What moves by itself, from several captures of one device: the narrowest rule that covers what was seen, with the evidence.

Only proposed: a person reads it, writes it into the profile, and it is signed with the baseline. Nothing is proposed for what is
critical, for a mode or an owner that moves, or for a name that no exact pattern can be written for: there a mask would hide more
than it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

from verifier.compare.describe import described
from verifier.compare.items import criticality
from verifier.compare.plain import plain
from verifier.compare.text_masks import text_rules
from verifier.compare.textdiff import Texts
from verifier.compare.values import Known, differences
from verifier.model.moving import Moving, number, rule_for
from verifier.model.pattern import matches
from verifier.model.profile import Rule
from verifier.model.snapshot import Disagreement, FileValue, ItemSnapshot, NumberValue, Snapshot, Unread, Value, WordValue, amount
from verifier.model.words import Criticality, FileType

OWN_ITEM: Final = "connection"
"""The item that the tool adds by itself: no profile can mask anything in it."""
MOST_BITS: Final = 4
"""Live bits of one register for which a rule of bits is proposed."""
BAND: Final = 20
"""A value that stays within a twentieth of itself is a measured one."""
ENOUGH: Final = 3
"""Captures that can tell a counter: it rose each time."""


@dataclass(frozen=True, slots=True)
class Volatile:
    """The whole member is not compared."""

    pattern: str


@dataclass(frozen=True, slots=True)
class NoMask:
    """It moved, and no mask should hide that."""

    why: str


@dataclass(frozen=True, slots=True)
class Seen:
    capture: int
    """From 1."""
    was: str
    """In words, printable; empty: it was not there."""


@dataclass(frozen=True, slots=True)
class ProposedMask:
    item: str
    member: str
    mask: Rule | Moving | Volatile | NoMask
    seen: tuple[Seen, ...]
    """What it was in each capture that read it."""


def proposed_masks(snapshots: Sequence[Snapshot], texts: Texts) -> tuple[ProposedMask, ...]:
    """For each member that was not the same in all captures of one device, the narrowest rules that cover what was seen.

    Args:
        snapshots: in the order they were taken, with one profile; the last is the one that is proposed as a baseline.
        texts: gives a kept text by its digest. Where it has none, no rule within a text can be proposed.
    """
    last = {item.name: item for item in snapshots[-1].items}
    out: list[ProposedMask] = []
    for name, item in last.items():
        for member, values in _members(name, snapshots).items():
            if not matches(item.volatile, member) and (known := _moved(item, member, values)):
                out += _proposed(item, member, known, texts)
    return tuple(out)


Captured = list[tuple[int, Value | None]]
"""A member in each capture that could say: its number from 1, and the value, None where it was not there."""


def _members(name: str, snapshots: Sequence[Snapshot]) -> dict[str, Captured]:
    """Of one item. A capture in which a part was unread says nothing about members that it does not show."""
    sides = [{r.member: r.value for i in s.items if i.name == name for r in i.readings} for s in snapshots]
    asked = [any(i.name == name for i in s.items) for s in snapshots]
    out: dict[str, Captured] = {}
    for member in sorted({member for side in sides for member in side}):
        held: Captured = []
        for place, side in enumerate(sides):
            value = side.get(member)
            gaps = value is None and any(isinstance(each, Unread) for each in side.values())
            if asked[place] and not gaps and not isinstance(value, Unread):
                held.append((place + 1, value))
        out[member] = held
    return out


def _moved(item: ItemSnapshot, member: str, values: Captured) -> Captured:
    """The values, where they differ in what is compared; otherwise nothing."""
    if not values:
        return []
    newest = values[-1][1]
    rule = rule_for(item.moving, member)
    for _, value in values[:-1]:
        if value == newest:
            continue
        if value is None or newest is None or isinstance(value, Disagreement) or isinstance(newest, Disagreement):
            return values
        assert not isinstance(value, Unread) and not isinstance(newest, Unread)
        if differences(value, newest) and not (rule and _allowed(rule, value, newest)):
            return values
    return [] if not isinstance(newest, Disagreement) else values


def _allowed(rule: Moving, before: Known, after: Known) -> bool:
    numbers = isinstance(before, NumberValue | WordValue) and isinstance(after, NumberValue | WordValue)
    return numbers and rule.allows(amount(before), amount(after))  # type: ignore[arg-type]  # just looked at


def _proposed(item: ItemSnapshot, member: str, values: Captured, texts: Texts) -> Iterator[ProposedMask]:
    seen = tuple(Seen(capture, described(value) if value else "") for capture, value in values)
    if why := _not_to_be_masked(item, member, values):
        yield ProposedMask(item.name, member, NoMask(why), seen)
        return
    held = [value for _, value in values if value is not None]
    files = [value for value in held if isinstance(value, FileValue)]
    numbers = [value for value in held if isinstance(value, NumberValue | WordValue)]
    if len(files) == len(values):
        kept = [texts(value.kept) if value.kept else None for value in files]
        contents = [text for text in kept if text is not None]
        if len(contents) == len(files) and len(set(contents)) == 1:
            yield ProposedMask(item.name, member, NoMask("what moved is redacted: find out why a secret changes"), seen)
            return
        if len(contents) == len(files) and (rules := text_rules(member, contents)):
            for found in rules:
                shown = (Seen(capture, was) for (capture, _), was in zip(values, found.seen, strict=True))
                yield ProposedMask(item.name, member, found.rule, tuple(shown))
            return
    if len(numbers) == len(values):
        yield ProposedMask(item.name, member, _register_rule(member, numbers) or Volatile(member), seen)
        return
    yield ProposedMask(item.name, member, Volatile(member), seen)


def _not_to_be_masked(item: ItemSnapshot, member: str, values: Captured) -> str:
    """Why no mask is proposed; empty when one may be."""
    if item.name == OWN_ITEM:
        return "the tool's own item has no masks: find out why the line is not the same"
    if criticality(item)(member) is Criticality.CRITICAL:
        return "it is critical: find out why it moves"
    if any(isinstance(value, Disagreement) for _, value in values):
        return "two answers within one capture: find out which is right"
    if "*" in member or "?" in member:
        return "its name holds a wildcard, so that no pattern stands for it alone"
    files = [value for _, value in values if isinstance(value, FileValue)]
    if any(value.type is FileType.DIRECTORY for value in files):
        return "a mask over a folder would hide all that is in it"
    facets: dict[str, Callable[[FileValue], object]] = {
        "type": lambda value: value.type,
        "mode": lambda value: value.mode,
        "owner": lambda value: value.owner,
        "group": lambda value: value.group,
        "target": lambda value: value.target,
    }
    moved = [name for name, facet in facets.items() if len({facet(value) for value in files}) > 1]
    return f"its {', '.join(moved)} moved, not only its content" if moved else ""


def _register_rule(member: str, values: list[NumberValue | WordValue]) -> Moving | None:
    """None where only a mask over the whole value covers it: a text, a bit, a value that jumps."""
    amounts = [amount(value) for value in values]
    found = [number(each.shown) for each in amounts]
    shown = [each for each in found if each is not None]
    if len(shown) < len(amounts) or all(word <= 1 for each in amounts for word in each.raw):
        return None
    if len(shown) >= ENOUGH and all(before < after for before, after in pairwise(shown)):
        return Moving((member,), counter=True)
    newest = amounts[-1].raw
    live = 0
    for each in amounts:
        live |= each.raw[0] ^ newest[0] if len(each.raw) == len(newest) == 1 else 1 << 16
    bits = tuple(bit for bit in range(17) if live >> bit & 1)
    spread = max(abs(each - shown[-1]) for each in shown)
    single = live < 1 << 16
    if single and len(bits) == 1:
        return Moving((member,), bits=bits)
    if spread and spread * BAND <= abs(shown[-1]):
        return Moving((member,), within=Decimal(spread))
    return Moving((member,), bits=bits) if single and len(bits) <= MOST_BITS else None


def evidence(proposed: ProposedMask) -> str:
    """What was seen, on one line: `capture 1: uptime=17; capture 2: uptime=99`."""
    return "; ".join(f"capture {each.capture}: {plain(each.was, 200) or 'not there'}" for each in proposed.seen)
