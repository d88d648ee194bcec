"""One item on both sides, walked once: which members differ, which were not read, and how many were compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

from verifier.compare.plain import counted, plain
from verifier.compare.values import Known, differences, gap, weaker
from verifier.model.drift import Difference
from verifier.model.moving import rule_for
from verifier.model.pattern import compiled
from verifier.model.snapshot import (
    WHOLE_ITEM,
    Disagreement,
    ItemSnapshot,
    NumberValue,
    Reading,
    Unread,
    WordValue,
    amount,
)
from verifier.model.words import Evidence


@dataclass(frozen=True, slots=True)
class Changed:
    member: str
    approved: Known
    found: Known
    evidence: Evidence
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    approved: Reading


@dataclass(frozen=True, slots=True)
class Unexpected:
    found: Reading


@dataclass(frozen=True, slots=True)
class TwoAnswers:
    """Two routes, or two reads, gave two answers: now, or when the baseline was approved."""

    member: str
    answers: Disagreement
    evidence: Evidence
    when_approved: bool


@dataclass(frozen=True, slots=True)
class NotRead:
    """Nothing can be said of `members`; one outcome for all that one reason covers."""

    member: str
    why: str
    evidence: Evidence
    members: tuple[str, ...] = ()
    """Members of the baseline it stands for. Empty: something the baseline does not know, which counts as one."""
    differences: tuple[Difference, ...] = ()

    @property
    def count(self) -> int:
        return max(1, len(self.members))


Outcome = Changed | Missing | Unexpected | TwoAnswers | NotRead


@dataclass(frozen=True, slots=True)
class Walk:
    outcomes: tuple[Outcome, ...]
    """Of the members that are not as approved. Members that match have none."""
    compared: int
    """Members of the baseline of which we can say how they stand; a member that is gone is one of them."""
    unread: int
    """Members that should have been compared and were not."""
    read: int
    """Members found now, unread ones not counted, masked ones counted."""
    masked: int
    """Of those, members that the approved mask keeps out of the comparison."""


ANY_DEPTH = "/\0/\0"
"""Stands for what may lie below a folder, under names and at a depth that only a mask over all of it covers."""
EXAMPLES = 20
"""Members that one outcome names when it stands for many."""


def walk(approved: ItemSnapshot, found: ItemSnapshot) -> Walk:
    """Compare two sides of one item, both ways, under the approved mask.

    Raises:
        ValueError: a side names a member twice, so that one reading could hide behind another.
    """
    mask = compiled(approved.volatile).match if approved.volatile else _nothing
    before, after = _ordered(approved), _ordered(found)
    never, unreached = _Gaps(before), _Gaps(after)
    unproven: dict[str, list[tuple[Reading, Reading]]] = {}
    outcomes: list[Outcome] = []
    compared = read = masked = 0
    for old, new in _pairs(before, after):
        either = new or old
        assert either is not None
        member = either.member
        hidden = member != WHOLE_ITEM and mask(member)
        if new is not None and type(new.value) is not Unread:
            read += 1
            masked += hidden
        if hidden:
            if new is not None and isinstance(new.value, Unread) and new.value.below and not mask(member + ANY_DEPTH):
                unreached.add(member)  # a mask over a folder is none over what is in it, unless it says so
            continue
        if new is None:
            assert old is not None
            if isinstance(old.value, Unread):
                never.add(member, member)
            elif (hole := unreached.over(member)) is not None:
                unreached.add(hole, member)
            else:
                compared += 1
                outcomes.append(Missing(old))
        elif isinstance(new.value, Unread):
            unreached.add(member, *(() if old is None else (member,)))
        elif old is None:
            if (hole := never.over(member)) is not None:
                never.stranger(hole)
            elif isinstance(new.value, Disagreement):
                outcomes.append(TwoAnswers(member, new.value, new.evidence, when_approved=False))
            else:
                outcomes.append(Unexpected(new))
        elif isinstance(old.value, Unread):
            never.add(member, member)
        elif isinstance(new.value, Disagreement):
            compared += 1
            outcomes.append(TwoAnswers(member, new.value, new.evidence, when_approved=False))
        elif isinstance(old.value, Disagreement):
            compared += 1
            outcomes.append(TwoAnswers(member, old.value, new.evidence, when_approved=True))
        elif old.value == new.value and old.evidence == new.evidence:
            compared += 1
        elif (found_differences := differences(old.value, new.value)) and not _moves(approved, old, new):
            compared += 1
            outcomes.append(Changed(member, old.value, new.value, new.evidence, found_differences))
        elif why := gap(old.value, new.value) or weaker(old.value, old.evidence, new.evidence):
            unproven.setdefault(why, []).append((old, new))
        else:
            compared += 1
    not_read = [*never.outcomes(_never_read), *unreached.outcomes(_unread_now)]
    not_read += [_unproven(why, readings) for why, readings in unproven.items()]
    return Walk((*outcomes, *not_read), compared, sum(each.count for each in not_read), read, masked)


def _nothing(_: str) -> bool:
    """A mask that names no member."""
    return False


def _moves(approved: ItemSnapshot, old: Reading, new: Reading) -> bool:
    """Is the difference the one that an approved rule is for?"""
    if not approved.moving or not isinstance(old.value, NumberValue | WordValue) or type(old.value) is not type(new.value):
        return False
    rule = rule_for(approved.moving, old.member)
    return rule is not None and rule.allows(amount(old.value), amount(new.value))


class _Gaps:
    """The unread readings of one side, and what of the other side falls into each. Lives for one walk."""

    def __init__(self, readings: list[Reading]) -> None:
        self._readings = {r.member: r.value for r in readings if isinstance(r.value, Unread)}
        self._deep = {member for member, value in self._readings.items() if value.below or member == WHOLE_ITEM}
        self._evidence = {r.member: r.evidence for r in readings if r.member in self._readings}
        self._members: dict[str, list[str]] = {}
        self._strangers: dict[str, int] = {}

    def over(self, member: str) -> str | None:
        """The nearest unread reading that this member lies inside of."""
        if not self._deep:
            return None
        at = member
        while "/" in at:
            at = at.rpartition("/")[0]
            if (at or "/") in self._deep:
                return at or "/"
        return WHOLE_ITEM if WHOLE_ITEM in self._deep else None

    def add(self, unread: str, *members: str) -> None:
        """These members of the baseline fall into it; or none does, and it stands for itself."""
        self._members.setdefault(unread, []).extend(members)

    def stranger(self, unread: str) -> None:
        """A member that only the other side knows falls into it."""
        self.add(unread)
        self._strangers[unread] = self._strangers.get(unread, 0) + 1

    def outcomes(self, words: Callable[[Unread, int, int], str]) -> Iterator[NotRead]:
        for unread, members in self._members.items():
            why = words(self._readings[unread], len(members), self._strangers.get(unread, 0))
            yield NotRead(unread, why, self._evidence[unread], tuple(members))


def _unread_now(unread: Unread, members: int, _: int) -> str:
    detail = f": {plain(unread.detail)}" if unread.detail else ""
    if not members:
        return f"{unread.reason.value}{detail}; the baseline holds nothing of it"
    return f"{unread.reason.value}{detail}" + (f"; stands for {counted(members, 'approved member')}" if members > 1 else "")


def _never_read(unread: Unread, _: int, strangers: int) -> str:
    beside = f"; {counted(strangers, 'member')} found there now with nothing to compare" if strangers else ""
    return f"never read when the baseline was approved ({unread.reason.value}){beside}"


def _unproven(why: str, readings: list[tuple[Reading, Reading]]) -> NotRead:
    weakest = min(new.evidence for _, new in readings)
    members = tuple(old.member for old, _ in readings)
    if len(members) == 1:
        return NotRead(members[0], why, weakest, members)
    examples = tuple(Difference(old.member, old.evidence.word, new.evidence.word) for old, new in readings[:EXAMPLES])
    named = f", {EXAMPLES} of them named here" if len(members) > EXAMPLES else ""
    return NotRead(WHOLE_ITEM, f"{len(members):,} members: {why}{named}", weakest, members, examples)


def _ordered(item: ItemSnapshot) -> list[Reading]:
    readings = sorted(item.readings, key=attrgetter("member"))
    for first, second in pairwise(readings):
        if first.member == second.member:
            raise ValueError(f"item {item.name} names the member {first.member} twice")
    return readings


def _pairs(before: list[Reading], after: list[Reading]) -> Iterator[tuple[Reading | None, Reading | None]]:
    """Both sides side by side, in the order of their members."""
    i = j = 0
    while i < len(before) and j < len(after):
        old, new = before[i], after[j]
        if old.member == new.member:
            yield old, new
            i += 1
            j += 1
        elif old.member < new.member:
            yield old, None
            i += 1
        else:
            yield None, new
            j += 1
    for old in before[i:]:
        yield old, None
    for new in after[j:]:
        yield None, new
