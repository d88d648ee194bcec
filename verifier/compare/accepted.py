"""The next baseline of somebody who accepts: the one in force, with exactly the accepted members as they were just read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from operator import attrgetter

from verifier.compare.finding import Place, drift_sha256
from verifier.compare.profile import ITEM as PROFILE
from verifier.model.drift import Drift
from verifier.model.finding import Finding
from verifier.model.snapshot import WHOLE_ITEM, Disagreement, ItemSnapshot, Reading, Snapshot
from verifier.model.words import DriftKind

LOOK_AGAIN = "check the device again and look at what is there now; nothing was signed"
PROPOSE = "propose a whole baseline: crane-verify baseline propose"


def refusal(finding: Finding, approved: Snapshot, found: Snapshot, drifts: Collection[Drift]) -> tuple[str, str]:
    """Why a finding cannot be accepted as the device was just read (`found`, with these drifts), and what to do; empty: it can.

    What is signed must be what was seen: a drift that is gone, or became another, is nobody's to accept unseen.
    """
    what = f"{finding.name} ({finding.item}: {finding.member})"
    if finding.item == PROFILE or approved.profile_digest != found.profile_digest:
        return f"{what}: the device is read by another profile than the approved one", PROPOSE
    if finding.item not in {item.name for item in approved.items}:
        return f"{what}: the baseline in force holds no item {finding.item}", PROPOSE
    of_item = [drift for drift in drifts if drift.item == finding.item]
    now = [drift for drift in of_item if drift.member == finding.member and drift.kind is not DriftKind.UNREAD]
    unread = [drift.note for drift in of_item if drift.kind is DriftKind.UNREAD]
    if not now:
        why = f"not every member could be read ({unread[0]})" if unread else "it is as approved"
        return f"{what} does not show any more: {why}", LOOK_AGAIN
    if drift_sha256(now[0]) != finding.digest:
        return f"{what} is not the drift any more that was seen in report {finding.last_report}", LOOK_AGAIN
    if any(isinstance(each.value, Disagreement) for each in _readings(found, finding.item) if each.member == finding.member):
        return f"{what}: two routes give two answers, and nobody can say which one to accept", "find out why: finding investigate"
    return "", ""


def with_accepted(approved: Snapshot, found: Snapshot, places: Collection[Place], note: str) -> Snapshot:
    """The approved snapshot with the members at these places as they were found; one that was not found is gone from it."""
    now = {item.name: item for item in found.items}
    items = tuple(
        _item(item, now[item.name], {member for name, member in places if name == item.name})
        if any(name == item.name for name, _ in places)
        else item
        for item in approved.items
    )
    return replace(approved, items=items, notes=(*approved.notes, note))


def replaced(before: Snapshot, after: Snapshot) -> set[Place]:
    """Every member whose reading is not the same in both, to the last bit; `*` where an item, or the profile, differs as such."""
    old, new = ({item.name: item for item in each.items} for each in (before, after))
    places = {(name, WHOLE_ITEM) for name in old.keys() ^ new.keys()}
    if (before.profile, before.profile_version, before.profile_digest) != (
        after.profile,
        after.profile_version,
        after.profile_digest,
    ):
        places.add((PROFILE, WHOLE_ITEM))
    for name in old.keys() & new.keys():
        if replace(old[name], readings=(), critical_members=()) != replace(new[name], readings=(), critical_members=()):
            places.add((name, WHOLE_ITEM))
        places |= {(name, reading.member) for reading in set(old[name].readings) ^ set(new[name].readings)}
    return places


def _item(approved: ItemSnapshot, found: ItemSnapshot, members: set[str]) -> ItemSnapshot:
    known = {reading.member for reading in approved.readings}
    there = {reading.member for reading in found.readings}
    kept = [each for each in approved.readings if each.member not in members]
    read = [each for each in found.readings if each.member in members]
    # how much a member matters is the baseline's to say, where that knows it
    levels = [each for each in approved.critical_members if each[0] not in members - there]
    levels += [each for each in found.critical_members if each[0] in members - known]
    readings = sorted((*kept, *read), key=attrgetter("member"))
    return replace(approved, readings=tuple(readings), critical_members=tuple(levels))


def _readings(snapshot: Snapshot, item: str) -> tuple[Reading, ...]:
    return tuple(reading for each in snapshot.items if each.name == item for reading in each.readings)
