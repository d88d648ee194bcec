"""What a baseline approves, component by component: hardware, firmware, programs, configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from verifier.compare.describe import described
from verifier.compare.plain import counted
from verifier.model.approved_list import Component, Standing
from verifier.model.manifest import manifest_sha256
from verifier.model.pattern import Patterns, compiled
from verifier.model.snapshot import (
    Disagreement,
    FactValue,
    FileValue,
    ItemSnapshot,
    NotAsked,
    NumberValue,
    Reading,
    Snapshot,
    Unread,
    WordValue,
)
from verifier.model.words import FileType, Kind

LISTED = (Kind.HARDWARE, Kind.FIRMWARE, Kind.PROGRAM, Kind.CONFIGURATION)
"""Accounts, networks and parameters are approved too, and are neither hardware, firmware nor software."""
MOST_VERSIONS = 3
"""A whole item with more of them has no version of its own, such as a list of packages."""


def components(snapshot: Snapshot) -> tuple[Component, ...]:
    """A component for each member, folders left out, and one for each item that was not asked."""
    listed = (item for item in snapshot.items if item.kind in LISTED)
    return (
        *(_member(item, reading, compiled(item.volatile)) for item in listed for reading in item.readings if _holds(reading)),
        *map(_not_asked, snapshot.not_asked),
    )


def whole_items(snapshot: Snapshot) -> tuple[Component, ...]:
    """The short form: a component for each item, with the digest of all its readings, as the signed baseline names it."""
    return (*(_whole(item) for item in snapshot.items if item.kind in LISTED), *map(_not_asked, snapshot.not_asked))


def _holds(reading: Reading) -> bool:
    return not (isinstance(reading.value, FileValue) and reading.value.type is FileType.DIRECTORY)


def _member(item: ItemSnapshot, reading: Reading, mask: Patterns) -> Component:
    value = reading.value
    standing = Standing.NOT_COMPARED if mask.match(reading.member) else Standing.APPROVED
    version = sha256 = normalised = ""
    match value:
        case FileValue():
            version, sha256, normalised = value.version, value.sha256, value.normal_sha256
        case FactValue():
            version = value.version
        case NumberValue() | WordValue():
            pass
        case Unread():
            standing = Standing.NOT_READ
        case Disagreement():
            standing = Standing.TWO_ANSWERS
        case _:
            assert_never(value)
    return Component(
        item=item.name,
        kind=item.kind,
        name=reading.member,
        version=version,
        what=_unread(value) if isinstance(value, Unread) else described(value),
        sha256=sha256,
        normalised_sha256=normalised,
        readings_sha256="",
        evidence=None if isinstance(value, Unread) else reading.evidence,
        standing=standing,
    )


def _unread(value: Unread) -> str:
    return f"{value.reason}: {value.detail}" if value.detail else str(value.reason)


def _whole(item: ItemSnapshot) -> Component:
    held = [reading for reading in item.readings if not isinstance(reading.value, Unread)]
    unread = len(item.readings) - len(held)
    versions = tuple(dict.fromkeys(_versions(item)))
    what = counted(len(held), "member") + (f", {counted(unread, 'other')} not read" if unread else "")
    mask = compiled(item.volatile)
    standing = Standing.APPROVED
    if not held:
        standing = Standing.NOT_READ
    elif all(mask.match(reading.member) for reading in held):
        standing = Standing.NOT_COMPARED
    return Component(
        item=item.name,
        kind=item.kind,
        name=item.name,
        version=", ".join(versions) if len(versions) <= MOST_VERSIONS else "",
        what=what,
        sha256="",
        normalised_sha256="",
        readings_sha256=manifest_sha256(item),
        evidence=min((reading.evidence for reading in held), default=None),
        standing=standing,
    )


def _versions(item: ItemSnapshot) -> Iterator[str]:
    for reading in item.readings:
        if isinstance(reading.value, FileValue | FactValue) and reading.value.version:
            yield reading.value.version


def _not_asked(note: NotAsked) -> Component:
    return Component(note.item, None, note.item, "", note.why, "", "", "", None, Standing.NOT_ASKED)
