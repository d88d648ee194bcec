"""The items of both sides, brought together: also those that only one side holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from verifier.compare.plain import counted, plain
from verifier.compare.walk import NotRead, Walk, walk
from verifier.model.pattern import matches
from verifier.model.snapshot import WHOLE_ITEM, ItemSnapshot, Snapshot
from verifier.model.words import Criticality, Evidence

Pair = tuple[ItemSnapshot, ItemSnapshot, Walk]
"""The item as approved, as found, and what walking them gave. The approved one decides the mask and the criticality."""

GRAVEST_FIRST = tuple(Criticality)


def pairs(approved: Snapshot, found: Snapshot) -> tuple[Pair, ...]:
    """Every item of either side, once: the baseline's in its order, then those that only the check found.

    Raises:
        ValueError: the two are of different devices, or a name stands twice.
    """
    if approved.device != found.device:
        raise ValueError(f"a baseline of {approved.device} says nothing about {found.device}")
    before, after = _by_name(approved), _by_name(found)
    why_not_now = {each.item: each.why for each in found.not_asked}
    why_not_then = {each.item: each.why for each in approved.not_asked}
    out: list[Pair] = []
    for name, item in before.items():
        if name in after:
            out.append((item, after[name], walk(item, after[name])))
        else:
            why = f"not asked: {plain(why_not_now[name])}" if name in why_not_now else "the check holds no answer"
            out.append((item, _emptied(item), _not_asked(item, why)))
    for name, item in after.items():
        if name not in before:
            empty = replace(_emptied(item), volatile=())
            out.append((empty, item, _unapproved(item, why_not_then[name]) if name in why_not_then else walk(empty, item)))
    return tuple(out)


Levels = Callable[[str], Criticality]
"""How much a member matters."""


def criticality(item: ItemSnapshot) -> Levels:
    """How much each member of an item matters."""
    own = dict(item.critical_members)
    return lambda member: own.get(member, item.criticality)


def gravest(of: Levels, outcome: NotRead) -> Criticality:
    """The gravest of all the members that one outcome stands for."""
    return min((of(member) for member in outcome.members or (outcome.member,)), key=GRAVEST_FIRST.index)


def _by_name(snapshot: Snapshot) -> dict[str, ItemSnapshot]:
    items = {item.name: item for item in snapshot.items}
    if len(items) != len(snapshot.items):
        raise ValueError(f"a snapshot of {snapshot.device} names an item twice")
    return items


def _emptied(item: ItemSnapshot) -> ItemSnapshot:
    return replace(item, readings=())


def _not_asked(item: ItemSnapshot, why: str) -> Walk:
    members = tuple(r.member for r in item.readings if not matches(item.volatile, r.member))
    lost = (
        f"; stands for {counted(len(members), 'approved member')}"
        if members
        else "; the approved list is empty, and may not be so now"
    )
    outcome = NotRead(WHOLE_ITEM, why + lost, Evidence.STATED, members)
    return Walk((outcome,), 0, outcome.count, 0, 0)


def _unapproved(item: ItemSnapshot, why: str) -> Walk:
    read = len(item.readings)
    words = (
        f"never asked when the baseline was approved ({plain(why)}); {counted(read, 'member')} found now with nothing to compare"
    )
    return Walk((NotRead(WHOLE_ITEM, words, Evidence.STATED),), 0, 1, read, 0)
