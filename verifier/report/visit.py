"""A visit in words: what was declared, what became of it, what nobody declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from verifier.compare.plain import counted, plain
from verifier.model.codec import to_json
from verifier.model.drift import Drift
from verifier.model.visit import (
    Check,
    DeviceDrift,
    Expectation,
    NotReached,
    Outcome,
    Side,
    VisitClosed,
    VisitDifference,
    VisitOpened,
)
from verifier.report.text import DRIFTS_SHOWN, Line, Style, drift_lines

TITLES = {
    Outcome.UNDECLARED: ("UNDECLARED", "nobody said that this would change", Style.BAD),
    Outcome.DIFFERENT: ("DECLARED BUT DIFFERENT", "it was declared, and is not as declared", Style.BAD),
    Outcome.MATCHED: ("DECLARED AND MATCHED", "it is as declared", Style.GOOD),
    Outcome.ABSENT: ("DECLARED BUT ABSENT", "it was declared, and was not seen to happen", Style.DOUBT),
}
DIGEST = re.compile(r"[0-9a-f]{64}")
EXPECTED_SHOWN = 40
"""Expectations a terminal shows; a package may bring thousands. The record and the JSON hold all."""


def opened_lines(visit: VisitOpened) -> tuple[Line, ...]:
    """For whom, by whom, where, why, and what is expected to change."""
    return _printable(_opened(visit))


def closed_lines(visit: VisitClosed) -> tuple[Line, ...]:
    """What a visit came to, gravest first, with the id of each difference."""
    return _printable(_closed(visit))


def sums(visit: VisitClosed) -> str:
    """`1 undeclared, 2 matched, 1 absent`; `nothing changed`."""
    counts = {outcome: sum(each.outcome is outcome for each in visit.differences) for outcome in TITLES}
    counts[Outcome.ABSENT] = len(visit.absent)
    said = [f"{count} {outcome}" for outcome, count in counts.items() if count]
    said += [counted(len(visit.untold), "gap")] if visit.untold else []
    off = sum(isinstance(side.seen, NotReached) for side in visit.sides)
    said += [f"{counted(off, 'device')} not reached"] if off else []
    return ", ".join(said) or "nothing changed"


def opened_document(visit: VisitOpened) -> dict[str, Any]:
    """The opening as JSON has it. Of what was read only whether: the record has it whole."""
    return _document(visit, visit.sides)


def closed_document(visit: VisitClosed) -> dict[str, Any]:
    """The closing as JSON has it, each difference with its id."""
    found = _document(visit, visit.sides)
    found["differences"] = [{"id": each.id, **to_json(each)} for each in visit.differences]
    return found | {"in_words": sums(visit)}


def _document(visit: VisitOpened | VisitClosed, sides: Iterable[Side]) -> dict[str, Any]:
    found: dict[str, Any] = dict(to_json(visit))
    found["sides"] = [
        {"device": str(side.device), "not_reached": side.seen.reason}
        if isinstance(side.seen, NotReached)
        else {"device": str(side.device), "read": to_json(side.seen.ended)}
        for side in sides
    ]
    return found


def _opened(visit: VisitOpened) -> Iterator[Line]:
    yield Line(f"vendor: {visit.vendor}; people: {', '.join(visit.people)}; work order: {visit.work_order}")
    yield Line(f"why: {visit.why}")
    yield from _sides(visit.sides, "before")
    if not visit.expected:
        yield Line("nothing is expected to change", Style.DOUBT)
    for each in visit.expected[:EXPECTED_SHOWN]:
        yield Line(f"expected: {_expectation(each)}")
    if len(visit.expected) > EXPECTED_SHOWN:
        yield Line(f"and {len(visit.expected) - EXPECTED_SHOWN:,} more expectations: see the JSON view")
    yield from _checklist(visit.checklist, "before")


def _closed(visit: VisitClosed) -> Iterator[Line]:
    yield from _sides(visit.sides, "after")
    for outcome, (title, words, style) in TITLES.items():
        found = [each for each in visit.differences if each.outcome is outcome]
        if found:
            yield Line(f"{title} ({len(found)}): {words}", style)
            yield from _differences(found)
        if outcome is Outcome.ABSENT and visit.absent:
            yield Line(f"{title} ({len(visit.absent)}): {words}", style)
            for absent in visit.absent:
                yield Line(f"  {_expectation(absent.expectation)}: {absent.why}")
    yield from _beside("NOBODY CAN TELL", "what was not read on both sides", visit.untold)
    yield from _beside("NOT BY THIS VISIT", "what differed from the baseline before it began", visit.before_drift)
    yield from _checklist(visit.checklist, "after")


def _differences(found: Sequence[VisitDifference]) -> Iterator[Line]:
    for device in dict.fromkeys(each.device for each in found):
        mine = [each for each in found if each.device == device]
        beside = {(each.drift.item, each.drift.member): _named(each) for each in mine}
        yield from _of_device(str(device), [each.drift for each in mine], beside)


def _named(difference: VisitDifference) -> str:
    return difference.name + (f"  declared as {_expectation(difference.expectation)}" if difference.expectation else "")


def _beside(title: str, words: str, found: Sequence[DeviceDrift]) -> Iterator[Line]:
    if found:
        yield Line(f"{title} ({len(found)}): {words}", Style.DOUBT)
    for device in dict.fromkeys(each.device for each in found):
        yield from _of_device(str(device), [each.drift for each in found if each.device == device], {})


def _of_device(device: str, drifts: list[Drift], beside: dict[tuple[str, str], str]) -> Iterator[Line]:
    yield Line(f"{device}", Style.TITLE)
    yield from drift_lines(drifts, DRIFTS_SHOWN, beside)


def _expectation(expectation: Expectation) -> str:
    package = f" (package {expectation.package[:8]})" if expectation.package else ""
    value = expectation.value[:12] if DIGEST.fullmatch(expectation.value) else expectation.value
    return f"{replace(expectation, value=value)}{package}{'' if value else ', in any way'}"


def _sides(sides: Iterable[Side], when: str) -> Iterator[Line]:
    for side in sides:
        if isinstance(side.seen, NotReached):
            yield Line(f"{side.device}: NOT READ {when.upper()}: {side.seen.reason}", Style.BAD)
        else:
            read = sum(len(item.readings) for item in side.seen.items)
            yield Line(f"{side.device}: {counted(read, 'member')} {when}, read {side.seen.ended:%Y-%m-%d %H:%M} UTC")


def _checklist(checks: Sequence[Check], when: str) -> Iterator[Line]:
    for each in checks:
        note = f" ({each.note})" if each.note else ""
        photos = f"; photos {', '.join(photo[:16] for photo in each.photos)}" if each.photos else ""
        yield Line(f"checked {when}: {each.question} {each.answer}{note}{photos}")


def _printable(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(Line(plain(line.text), line.style) for line in lines)
