"""Sister devices beside each other: what most of them agree on, who is the odd one out, and where nobody can say.

No baseline is needed, and none is made. That all agree does not say that they are as they should be: an update that went wrong on
all of them, or firmware that was bad from the beginning, makes no odd one out.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from verifier.compare.describe import described, number
from verifier.compare.items import GRAVEST_FIRST, criticality
from verifier.compare.plain import plain
from verifier.compare.textdiff import Texts
from verifier.compare.values import Known
from verifier.compare.volatility import OWN_ITEM
from verifier.model.device import DeviceName
from verifier.model.moving import rule_for
from verifier.model.pattern import matches
from verifier.model.snapshot import (
    WHOLE_ITEM,
    Disagreement,
    FactValue,
    FileValue,
    NumberValue,
    Snapshot,
    Unread,
    WordValue,
)
from verifier.model.words import Criticality

ABSENT = "not there"
Key = tuple[object, ...]
"""What two devices must have in common to be the same in a member."""


@dataclass(frozen=True, slots=True)
class Sister:
    """One device of a cohort, as it was read."""

    snapshot: Snapshot
    facts: Mapping[str, str]
    """What may be its own, by name: its address, its number, a calibration. Where its answers hold such a value, it is compared
    as if the name stood there: what belongs to this device alone is no difference, and everything around it is."""

    @property
    def device(self) -> DeviceName:
        return self.snapshot.device


@dataclass(frozen=True, slots=True)
class Held:
    """What some of the devices hold of one member, in words, and which do."""

    value: str
    devices: tuple[DeviceName, ...]


@dataclass(frozen=True, slots=True)
class Agreed:
    """Each device that was read in this holds the same."""

    item: str
    member: str
    devices: tuple[DeviceName, ...]


@dataclass(frozen=True, slots=True)
class Odd:
    """More than half of those that were read agree, and these do not."""

    item: str
    member: str
    criticality: Criticality
    most: Held
    odd: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class NoMajority:
    """No value is held by more than half of those that were read."""

    item: str
    member: str
    criticality: Criticality
    held: tuple[Held, ...]
    """Most devices first."""


@dataclass(frozen=True, slots=True)
class NotSeen:
    """A device that was not read in this, so it neither agrees nor differs."""

    item: str
    member: str
    device: DeviceName
    why: str


Outcome = Agreed | Odd | NoMajority


@dataclass(frozen=True, slots=True)
class Cohort:
    devices: tuple[DeviceName, ...]
    outcomes: tuple[Outcome, ...]
    """One for each member that at least two devices were read in; the gravest first, those that agree last."""
    not_seen: tuple[NotSeen, ...]
    """Each device and member that could not be compared."""
    masked: int
    """Members that the profile's mask, or a rule for registers that move, leaves out."""


def cohort(sisters: Sequence[Sister], texts: Texts) -> Cohort:
    """Compare sister devices with each other, member by member; who answers on the line is each one's own and is left out.

    `texts` gives the redacted text kept under a digest. What the profile redacts is not compared in texts that differ otherwise.

    Raises:
        ValueError: two of them are the same device.
    """
    ordered = sorted(sisters, key=lambda each: each.device)
    if len({each.device for each in ordered}) != len(ordered):
        raise ValueError("a device stands twice in a cohort")
    outcomes: list[Outcome] = []
    unseen: list[NotSeen] = []
    masked = 0
    for name in dict.fromkeys(item.name for each in ordered for item in each.snapshot.items if item.name != OWN_ITEM):
        sides = [_Side(each, name, texts) for each in ordered]
        for member in _members(sides):
            if any(side.masks(member) for side in sides):
                masked += 1
                continue
            answers = [(side, side.answer(member)) for side in sides]
            unseen += (NotSeen(name, member, side.device, found) for side, found in answers if isinstance(found, str))
            seen = [(side, found) for side, found in answers if not isinstance(found, str)]
            if len(seen) > 1:
                outcomes.append(_outcome(name, member, seen))
            else:
                unseen += (NotSeen(name, member, side.device, "no sister was read in this") for side, _ in seen)
    return Cohort(tuple(each.device for each in ordered), tuple(sorted(outcomes, key=_gravity)), tuple(unseen), masked)


@dataclass(frozen=True, slots=True)
class _Absent:
    """It was looked for and is not there."""


class _Side:
    """What one device says of one item. Lives for one comparison."""

    def __init__(self, sister: Sister, name: str, texts: Texts) -> None:
        self.device = sister.device
        self._texts, self._facts = texts, sister.facts
        self.item = next((item for item in sister.snapshot.items if item.name == name), None)
        readings = self.item.readings if self.item else ()
        self._values = {reading.member: reading.value for reading in readings}
        self._gaps = {member: value for member, value in self._values.items() if isinstance(value, Unread)}
        self._why = next((each.why for each in sister.snapshot.not_asked if each.item == name), "not asked")

    @property
    def members(self) -> Iterator[str]:
        return (member for member in self._values if member not in self._gaps)

    def masks(self, member: str) -> bool:
        return bool(self.item and (matches(self.item.volatile, member) or rule_for(self.item.moving, member)))

    def answer(self, member: str) -> Known | _Absent | str:
        """What it holds; a text says why that is not known."""
        if self.item is None:
            return plain(self._why)
        match self._values.get(member):
            case Disagreement():
                return "two routes gave two answers"
            case Unread() | None:
                gap = self._gap(member)
                return _Absent() if gap is None else f"{gap.reason.value}{f': {plain(gap.detail)}' if gap.detail else ''}"
            case known:
                return known

    def _gap(self, member: str) -> Unread | None:
        """What was not read and holds this member, or a folder above it, or the whole item."""
        at = member
        while at:
            if (gap := self._gaps.get(at)) and (at == member or gap.below):
                return gap
            at = at.rpartition("/")[0]
        root = self._gaps.get("/")
        return root if root and root.below else self._gaps.get(WHOLE_ITEM)

    def key(self, value: Known | _Absent, filled: bool) -> Key:
        match value:
            case _Absent():
                return (ABSENT,)
            case FileValue():
                same = (value.type, value.mode, value.owner, value.group, self._filled(value.target) if filled else value.target)
                return (*same, *self._content(value, filled))
            case FactValue():
                return (self._filled(value.text) if filled else value.text,)
            case NumberValue():
                own = {said: name for name, said in self._facts.items()} if filled else {}
                said = own.get(number(value)) or own.get(value.shown)
                return (f"{{{said}}}",) if said else value.raw
            case WordValue():
                return (value.word,)
            case _:
                assert_never(value)

    def _content(self, value: FileValue, filled: bool) -> Key:
        kept = self._texts(value.kept) if filled and value.kept else None
        if kept is not None:
            text = self._filled(kept.decode("utf-8", "surrogateescape"))
            return ("text", hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest())
        return ("normal", value.normal_sha256) if value.normal_sha256 else (value.size, value.sha256)

    def _filled(self, text: str) -> str:
        """The text with each value of its own replaced by its name; a value counts where it stands alone, not inside a word."""
        for name, said in sorted(self._facts.items(), key=lambda fact: (-len(fact[1]), fact[0])):
            if said:
                text = re.sub(rf"(?<![\w.-]){re.escape(said)}(?![\w-]|\.\w)", f"{{{name}}}", text)
        return text


def _members(sides: Sequence[_Side]) -> list[str]:
    return sorted({member for side in sides for member in side.members})


def _outcome(item: str, member: str, seen: Sequence[tuple[_Side, Known | _Absent]]) -> Outcome:
    keys = [side.key(value, filled=False) for side, value in seen]
    if len(set(keys)) > 1:
        keys = [side.key(value, filled=True) for side, value in seen]
    counts = Counter(keys)
    held = [
        Held(
            next(_words(value) for (_, value), key in zip(seen, keys, strict=True) if key == each),
            tuple(side.device for (side, _), key in zip(seen, keys, strict=True) if key == each),
        )
        for each in counts
    ]
    held.sort(key=lambda each: (-len(each.devices), each.devices))
    most, *others = held
    if not others:
        return Agreed(item, member, most.devices)
    of = next(criticality(side.item)(member) for side, _ in seen if side.item)
    if 2 * len(most.devices) > len(seen):
        return Odd(item, member, of, most, tuple(others))
    return NoMajority(item, member, of, tuple(held))


def _words(value: Known | _Absent) -> str:
    return ABSENT if isinstance(value, _Absent) else described(value)


def _gravity(outcome: Outcome) -> tuple[int, int, str, str]:
    if isinstance(outcome, Agreed):
        return len(GRAVEST_FIRST), 0, outcome.item, outcome.member
    return GRAVEST_FIRST.index(outcome.criticality), isinstance(outcome, NoMajority), outcome.item, outcome.member
