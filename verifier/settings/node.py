"""A file as a tree of values that know their line, so that an error points at it even after trees were laid over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

Plain = Any
"""What `json` knows: text, whole numbers, true and false, null, lists, objects."""


@dataclass(frozen=True, slots=True)
class Place:
    line: int
    column: int
    """Both from 1."""


@dataclass(frozen=True, slots=True)
class Scalar:
    value: str | int | bool | None
    place: Place


@dataclass(frozen=True, slots=True)
class Listing:
    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    place: Place
    """Of the key."""
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: tuple[Entry, ...]
    place: Place

    def entry(self, key: str) -> Entry | None:
        """The entry of this key, or None when the key is not written."""
        return next((e for e in self.entries if e.key == key), None)

    def get(self, key: str) -> Node | None:
        """The value of this key, or None when the key is not written."""
        entry = self.entry(key)
        return entry.value if entry else None

    def without(self, *keys: str) -> Mapping:
        """The same with some keys left out."""
        return Mapping(tuple(e for e in self.entries if e.key not in keys), self.place)

    def only(self, *keys: str) -> Mapping:
        """The same with these keys alone."""
        return Mapping(tuple(e for e in self.entries if e.key in keys), self.place)


Node = Scalar | Listing | Mapping


def plain(node: Node) -> Plain:
    """The value without its places."""
    match node:
        case Scalar(value):
            return value
        case Listing(items):
            return [plain(item) for item in items]
        case Mapping(entries):
            return {entry.key: plain(entry.value) for entry in entries}
        case _:
            assert_never(node)


def place_of(node: Node, steps: Sequence[str | int], key: bool = False) -> Place:
    """Where the thing at the end of these keys and indexes stands; where a step is not there, the last thing that is.

    `key=True` gives the place of the last key rather than of its value.
    """
    place = node.place
    for number, step in enumerate(steps):
        match node:
            case Mapping() if isinstance(step, str) and (entry := node.entry(step)):
                # what is missing inside a block is best told at the block's own key
                last = number == len(steps) - 1
                inside = isinstance(entry.value, Scalar) and not (last and key)
                place, node = entry.value.place if inside else entry.place, entry.value
            case Listing(items) if isinstance(step, int) and 0 <= step < len(items):
                node = items[step]
                place = node.place
            case _:
                return place
    return place


def overlay(below: Node, above: Node) -> Node:
    """Two trees as one: mappings are joined key by key, anything else of `above` replaces what is below it."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    joined = [
        Entry(old.key, new.place, overlay(old.value, new.value)) if (new := above.entry(old.key)) else old
        for old in below.entries
    ]
    added = [new for new in above.entries if below.entry(new.key) is None]
    return Mapping((*joined, *added), above.place)


def without_nulls(node: Node) -> Node:
    """The tree without the keys whose value is null: that is how a default is taken away."""
    match node:
        case Mapping(entries, place):
            return Mapping(
                tuple(
                    Entry(e.key, e.place, without_nulls(e.value))
                    for e in entries
                    if not (isinstance(e.value, Scalar) and e.value.value is None)
                ),
                place,
            )
        case Listing(items, place):
            return Listing(tuple(without_nulls(item) for item in items), place)
        case Scalar():
            return node
        case _:
            assert_never(node)
