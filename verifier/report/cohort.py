"""A comparison of sister devices, as people and programs read it: the odd ones out first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never

from verifier.compare.cohort import Agreed, Cohort, Held, NoMajority, Odd
from verifier.compare.plain import counted, plain
from verifier.model.device import DeviceName
from verifier.report.text import Line, Style

NOT_APPROVED = "that all agree does not say that they are as they should be: only a baseline that people signed does"
OF_ITS_OWN = (
    "a file that holds a device's own serial number or name is compared around it where it stands in the facts of the inventory "
    "and the profile keeps the text: docs/profiles.md, `text: keep: true`"
)
SHOWN = 100
"""Members without an answer that are listed; more are counted."""


def exit_code(of: Cohort) -> int:
    """3 where one is the odd one out, 4 where nobody can say or not all was read, 0 where all agree in all."""
    if any(isinstance(each, Odd) for each in of.outcomes):
        return 3
    doubt = of.not_seen or any(isinstance(each, NoMajority) for each in of.outcomes)
    return 0 if of.outcomes and not doubt else 4


def cohort_lines(name: str, of: Cohort) -> tuple[Line, ...]:
    """The odd ones out, what nobody can say, what was not read, and the sums."""
    return tuple(Line(plain(line.text), line.style) for line in _lines(name, of))


def cohort_document(name: str, of: Cohort) -> dict[str, Any]:
    """For programs; members on which all agree are counted."""
    return {
        "cohort": name,
        "devices": [str(device) for device in of.devices],
        "agreed": sum(isinstance(each, Agreed) for each in of.outcomes),
        "odd": [
            {**_place(each), "most": _held(each.most), "odd": [_held(held) for held in each.odd]}
            for each in of.outcomes
            if isinstance(each, Odd)
        ],
        "no_majority": [
            {**_place(each), "held": [_held(held) for held in each.held]} for each in of.outcomes if isinstance(each, NoMajority)
        ],
        "not_read": [
            {"item": each.item, "member": each.member, "device": str(each.device), "why": each.why} for each in of.not_seen
        ],
        "masked": of.masked,
        "exit_code": exit_code(of),
    }


def _lines(name: str, of: Cohort) -> Iterator[Line]:
    yield Line(f"cohort {name}: {', '.join(map(str, of.devices))}", Style.TITLE)
    for each in of.outcomes:
        match each:
            case Agreed():
                pass
            case Odd():
                for held in each.odd:
                    yield Line(f"ODD ONE OUT  {_names(held.devices)}  {each.item}: {each.member}", Style.BAD)
                    yield Line(f"  here {held.value}")
                    yield Line(f"  on {len(each.most.devices)} others {each.most.value}")
            case NoMajority():
                yield Line(f"NO MAJORITY  {each.item}: {each.member}", Style.DOUBT)
                yield from (Line(f"  {held.value}: {_names(held.devices)}") for held in each.held)
            case _:
                assert_never(each)
    for gap in of.not_seen[:SHOWN]:
        yield Line(f"NOT READ  {gap.device}  {gap.item}: {gap.member}: {gap.why}", Style.DOUBT)
    if len(of.not_seen) > SHOWN:
        yield Line(f"and {len(of.not_seen) - SHOWN:,} more: see --json", Style.DOUBT)
    if any(isinstance(each, NoMajority) for each in of.outcomes):
        yield Line(OF_ITS_OWN, Style.FAINT)
    yield Line(_sums(of), Style.TITLE)
    yield Line(NOT_APPROVED, Style.FAINT)


def _sums(of: Cohort) -> str:
    kinds = [type(each) for each in of.outcomes]
    words = [
        f"{counted(len(kinds), 'member')} on {counted(len(of.devices), 'device')}: {kinds.count(Agreed):,} the same on all",
        f"{kinds.count(Odd):,} with an odd one out",
        f"{kinds.count(NoMajority):,} without a majority",
    ]
    words += [f"{len(of.not_seen):,} not read"] if of.not_seen else []
    words += [f"{of.masked:,} masked"] if of.masked else []
    return ", ".join(words)


def _names(devices: tuple[DeviceName, ...]) -> str:
    return ", ".join(map(str, devices))


def _place(of: Odd | NoMajority) -> dict[str, Any]:
    return {"item": of.item, "member": of.member, "criticality": of.criticality}


def _held(of: Held) -> dict[str, Any]:
    return {"value": of.value, "devices": [str(device) for device in of.devices]}
