"""What is no drift, and yet must be said."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.compare.describe import number
from verifier.compare.plain import counted
from verifier.model.moving import rule_for
from verifier.model.snapshot import FileValue, ItemSnapshot, NumberValue, Snapshot, Unread, WordValue, amount
from verifier.model.words import Evidence


def limit_notes(found: Snapshot) -> tuple[str, ...]:
    """Parameters outside the limits their profile gives, also where they are as approved."""
    return tuple(
        f"{reading.member} is {number(reading.value)}, outside the limits of the profile ({item.name})"
        for item in found.items
        for reading in item.readings
        if isinstance(reading.value, NumberValue) and reading.value.out_of_limits
    )


def evidence_notes(approved: Snapshot, found: Snapshot) -> tuple[str, ...]:
    """Items approved from a card or image with the device off, and read now from the running device."""
    offline = {item.name for item in approved.items if any(r.evidence is Evidence.OFFLINE_MEDIA for r in item.readings)}
    return tuple(
        f"{item.name} was approved from offline media, and is read now from the running device"
        for item in found.items
        if item.name in offline
        and any(r.evidence < Evidence.OFFLINE_MEDIA for r in item.readings if not isinstance(r.value, Unread))
    )


NAMED = 5
"""Members that one note names; more are counted."""


def normalising_notes(approved: Snapshot, found: Snapshot) -> tuple[str, ...]:
    """What the profile's rules kept out of the comparison: texts whose bytes changed and which are as approved only after the
    rules, values and lines left out of texts, registers that moved as their rule allows."""
    before = {item.name: item for item in approved.items}
    both = [(before[item.name], item) for item in found.items if item.name in before]
    return tuple(note for was, now in both for note in (*_normalised(was, now), *_masked(now), *_moved(was, now)))


def empty_notes(approved: Snapshot, found: Snapshot) -> tuple[str, ...]:
    """Items that held nothing when approved and hold nothing now: right for some, and what a mistyped path looks like."""
    empty = {item.name for item in approved.items if not item.readings}
    names = [item.name for item in found.items if item.name in empty and not item.readings]
    return (f"nothing was there when approved, and nothing is there now: {', '.join(names)}",) if names else ()


def _normalised(approved: ItemSnapshot, found: ItemSnapshot) -> Iterator[str]:
    before = {reading.member: reading.value for reading in approved.readings}
    members = [
        reading.member
        for reading in found.readings
        if isinstance(was := before.get(reading.member), FileValue)
        and isinstance(now := reading.value, FileValue)
        and now.normal_sha256
        and was.normal_sha256 == now.normal_sha256
        and was.sha256 != now.sha256
    ]
    if members:
        yield f"{found.name}: {counted(len(members), 'text')} changed only in what the profile normalises: {_named(members)}"


def _masked(found: ItemSnapshot) -> Iterator[str]:
    left_out = [(r.member, r.value.masked) for r in found.readings if isinstance(r.value, FileValue) and r.value.masked]
    if left_out:
        places = counted(sum(number for _, number in left_out), "place")
        members = _named([f"{member} ({number})" for member, number in left_out])
        yield f"{found.name}: {places} in texts not compared, by the profile's rules: {members}"


def _moved(approved: ItemSnapshot, found: ItemSnapshot) -> Iterator[str]:
    before = {reading.member: reading.value for reading in approved.readings}
    moved = []
    for reading in found.readings:
        was, now, rule = before.get(reading.member), reading.value, rule_for(approved.moving, reading.member)
        if rule is None or not isinstance(was, NumberValue | WordValue) or not isinstance(now, NumberValue | WordValue):
            continue
        old, new = amount(was), amount(now)
        if old != new and rule.allows(old, new):
            moved.append(f"{reading.member} {old.shown} -> {f'{new.shown} {new.unit}'.strip()}")
    if moved:
        yield f"{found.name}: {counted(len(moved), 'register')} moved as the profile's rules allow: {_named(moved)}"


def _named(members: list[str]) -> str:
    more = f" and {len(members) - NAMED:,} more" if len(members) > NAMED else ""
    return f"{', '.join(members[:NAMED])}{more}"
