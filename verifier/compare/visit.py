"""What a visit came to: every difference between before and after with one outcome, every expectation that was not met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.compare.describe import described
from verifier.compare.drifts import compare
from verifier.compare.finding import covers
from verifier.compare.profile import ITEM as PROFILE
from verifier.compare.textdiff import Texts
from verifier.model.drift import Drift
from verifier.model.pattern import matches
from verifier.model.snapshot import Disagreement, FactValue, FileValue, NumberValue, Snapshot, Unread, Value
from verifier.model.visit import GONE, Absent, DeviceDrift, Expectation, NotReached, Outcome, Side, VisitDifference, is_told
from verifier.model.words import DriftKind, FileType

CONTENT = frozenset({"version", "size", "sha256", "normalised sha256", "target"})
"""What of a file a declared value speaks of. Who may write it, whose it is and what kind of thing it is are not declared so."""
MORE_RIGHTS = 0o7002
"""Setuid, setgid, sticky, and writable for everybody: nobody declares these by declaring bytes."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    differences: tuple[VisitDifference, ...]
    absent: tuple[Absent, ...]
    untold: tuple[DeviceDrift, ...]


def outcomes(before: Side, after: Side, expected: Sequence[Expectation], texts: Texts) -> Outcomes:
    """What became of one device. `expected` may name others as well; theirs are left out. `texts` as `compare`.

    A device that was not reached before, or not after, has no difference at all, and everything declared of it is absent.

    Raises:
        ValueError: the two are of different devices.
    """
    if before.device != after.device:
        raise ValueError(f"what {before.device} was before says nothing about {after.device}")
    mine = tuple(each for each in expected if each.device == before.device)
    for when, side in (("before", before), ("after", after)):
        if isinstance(side.seen, NotReached):
            why = f"the device could not be read {when} the visit: {side.seen.reason}"
            return Outcomes((), tuple(Absent(each, why) for each in mine), ())
    assert isinstance(before.seen, Snapshot)
    assert isinstance(after.seen, Snapshot)
    drifts = compare(before.seen, after.seen, texts)
    found = after.seen
    differences = tuple(_difference(drift, found, mine) for drift in drifts if is_told(drift))
    untold = tuple(drift for drift in drifts if not is_told(drift))
    absent = [
        Absent(each, why)
        for each in mine
        if not any(_is_about(each, one.drift.item, one.drift.member) for one in differences)
        if (why := _why_absent(each, found, untold))
    ]
    return Outcomes(differences, tuple(absent), tuple(DeviceDrift(before.device, drift) for drift in untold))


def already_drifted(approved: Snapshot, before: Side, texts: Texts) -> tuple[DeviceDrift, ...]:
    """What was not as approved before a visit began."""
    if isinstance(before.seen, NotReached):
        return ()
    return tuple(DeviceDrift(before.device, drift) for drift in compare(approved, before.seen, texts))


def _difference(drift: Drift, found: Snapshot, expected: Sequence[Expectation]) -> VisitDifference:
    about = [each for each in expected if _is_about(each, drift.item, drift.member)]
    # the narrowest decides: where a value was declared, that it may change in any way does not make another one right
    deciding = next((each for each in about if each.value), about[0] if about else None)
    if deciding is None or drift.item == PROFILE:
        return VisitDifference(found.device, drift, Outcome.UNDECLARED)
    valued = [each for each in about if each.value]
    right = drift.kind is not DriftKind.DISAGREEING and all(_came_true(each, drift, found) for each in valued)
    return VisitDifference(found.device, drift, Outcome.MATCHED if right else Outcome.DIFFERENT, deciding)


def _is_about(expectation: Expectation, item: str, member: str) -> bool:
    if not matches((expectation.item,), item):
        return False
    return expectation.member == member if expectation.value else matches((expectation.member,), member)


def _came_true(expectation: Expectation, drift: Drift, found: Snapshot) -> bool:
    """Is the member what was declared, and is nothing else about it changed?"""
    value = _value(found, drift.item, drift.member)
    if value is None or drift.kind is DriftKind.MISSING:
        return expectation.value == GONE
    if not _is(value, expectation.value):
        return False
    if not isinstance(value, FileValue):
        return True
    if drift.kind is DriftKind.UNEXPECTED:
        return value.type is FileType.SYMLINK or not value.mode & MORE_RIGHTS
    return all(each.what in CONTENT for each in drift.differences)


def _is(value: Value, said: str) -> bool:
    match value:
        case FileValue():
            return bool(said) and said in (value.sha256, value.target, described(value))
        case FactValue():
            return value.text == said
        case NumberValue():
            return said in (value.shown, described(value))
        case Unread() | Disagreement():
            return False
        case _:
            return described(value) == said


def _why_absent(expectation: Expectation, found: Snapshot, untold: Sequence[Drift]) -> str:
    """Why an expectation that no difference is about was not met; empty: the device is as declared, and was so before."""
    unread = [drift for drift in untold if matches((expectation.item,), drift.item)]
    if expectation.value:
        place = expectation.member
        unread = [each for each in unread if covers((each.item, each.member), (each.item, place))]
    if unread:
        return f"nobody can tell: {unread[0].item}: {unread[0].note}"
    if not expectation.value:
        return "nothing changed there"
    items = [item.name for item in found.items if matches((expectation.item,), item.name)]
    values = [value for name in items if (value := _value(found, name, expectation.member)) is not None]
    as_declared = any(_is(value, expectation.value) for value in values) if values else expectation.value == GONE and bool(items)
    return "" if as_declared else f"it is {described(values[0])}, as before" if values else "it is not there, as before"


def _value(found: Snapshot, item: str, member: str) -> Value | None:
    """What a member is; None: it is not there."""
    readings = (reading for each in found.items if each.name == item for reading in each.readings)
    return next((reading.value for reading in readings if reading.member == member), None)
