"""Registers that move in a known way: the rule is for that move alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import compare_values as make
from tests.fakes import FakeRoute, Script
from verifier.collect.asking import Asking
from verifier.collect.item import item_snapshot
from verifier.collect.registers import block, parameters
from verifier.compare.drifts import compare
from verifier.compare.notes import normalising_notes
from verifier.model import codec
from verifier.model.moving import Amount, Moving
from verifier.model.profile import Item, Pace, Parameter, Parameters, Registers
from verifier.model.snapshot import Disagreement, FactValue, ItemSnapshot, NotAsked, NumberValue, Value, WordValue
from verifier.model.words import Criticality, Kind, Table
from verifier.transport.answer import Words
from verifier.transport.request import ReadTable, Request

HOURS = Moving(("hours",), counter=True)
NEAR = Moving(("oil",), within=Decimal("2.5"))
BITS = Moving(("state",), bits=(0, 3))
ALL = (HOURS, NEAR, BITS)


def value(shown: str, *raw: int, unit: str = "") -> NumberValue:
    return NumberValue(raw, shown, unit)


def moved(member: str, before: Value, after: Value) -> tuple[str, ...]:
    sides = [make.item(make.reading(member, each), name="state", moving=ALL) for each in (before, after)]
    return tuple(drift.member for drift in make.drifts(*sides))


@pytest.mark.parametrize(
    ("member", "before", "after", "drifts"),
    [
        ("hours", value("1200", 0, 1200), value("1210", 0, 1210), False),
        ("hours", value("1210", 0, 1210), value("1200", 0, 1200), True),
        ("hours", value("1", 1, unit="h"), value("2", 2, unit="min"), True),
        ("hours", value("1.5", 1), value("not a number", 2), True),
        ("hours", value("1.5", 1), value("infinity", 2), True),
        ("hours", WordValue(7), WordValue(8), False),
        ("hours", WordValue(7), value("8", 8), True),
        ("hours", FactValue("7"), FactValue("8"), True),
        ("oil", value("60.0", 600), value("62.5", 625), False),
        ("oil", value("60.0", 600), value("57.5", 575), False),
        ("oil", value("60.0", 600), value("62.6", 626), True),
        ("oil", value("1E+300", 1), value("1", 2), True),
        ("state", WordValue(0b0110), WordValue(0b1111), False),
        ("state", WordValue(0b0110), WordValue(0b0100), True),
        ("state", value("-1", 0xFFFF), value("-2", 0xFFFE), False),
        ("state", value("1", 0, 1), value("0", 0, 0), True),
        ("other", WordValue(1), WordValue(2), True),
    ],
)
def test_a_rule_is_for_its_move_alone(member: str, before: Value, after: Value, drifts: bool) -> None:
    assert bool(moved(member, before, after)) is drifts


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.sets(st.integers(0, 15), min_size=1))
def test_bits_that_no_rule_names_always_show(before: int, after: int, bits: set[int]) -> None:
    rule = Moving(("x",), bits=tuple(bits))
    other = any(before >> bit & 1 != after >> bit & 1 for bit in range(16) if bit not in bits)
    assert rule.allows(Amount(str(before), (before,)), Amount(str(after), (after,))) is not other


@given(st.integers(-99, 99), st.integers(-99, 99), st.integers(1, 50))
def test_a_band_is_as_wide_as_it_says(before: int, after: int, within: int) -> None:
    rule = Moving(("x",), within=Decimal(within))
    assert rule.allows(Amount(str(before), (0,)), Amount(str(after), (1,))) is (abs(before - after) <= within)


def test_without_any_rule_nothing_is_allowed() -> None:
    assert not Moving(("x",)).allows(Amount("1", (1,)), Amount("2", (2,)))


def test_what_moved_by_a_rule_is_said_in_the_report() -> None:
    before = make.item(
        make.reading("hours", value("1200", 1200, unit="h")), make.reading("state", WordValue(1)), name="s", moving=ALL
    )
    after = make.item(
        make.reading("hours", value("1210", 1210, unit="h")),
        make.reading("state", WordValue(3)),
        make.reading("oil", WordValue(1)),
        name="s",
    )
    assert normalising_notes(make.snapshot(before), make.snapshot(after)) == (
        "s: 1 register moved as the profile's rules allow: hours 1200 -> 1210 h",
    )
    assert not normalising_notes(make.snapshot(before), make.snapshot(before))


def test_the_rules_are_told_and_written() -> None:
    assert [rule.told for rule in ALL] == [
        "hours: may rise",
        "oil: within 2.5 of the approved value",
        "state: bits 0, 3 not compared",
    ]
    item = make.item(moving=ALL)
    assert codec.loads(ItemSnapshot, codec.dumps(item)) == item


def test_a_rule_that_was_added_is_drift_and_is_not_applied() -> None:
    narrow, wide = (make.item(make.reading("hours", WordValue(word)), name="s") for word in (1, 2))
    wide = make.item(*wide.readings, name="s", moving=(HOURS,))
    approved, found = make.snapshot(narrow), make.snapshot(wide, profile_digest=make.sha("other"))
    drifts = {drift.member: drift.note for drift in compare(approved, found, make.nothing_kept)}
    assert drifts.keys() == {"digest", "register rules of s", "hours"}
    assert drifts["register rules of s"] == "rules were added: hours: may rise; the approved ones were applied"
    back = {drift.member: drift.note for drift in compare(found, approved, make.nothing_kept)}
    assert back["register rules of s"] == "the rules are not the approved ones; the approved ones were applied"


class Rising:
    """A device whose registers count every request."""

    def __init__(self, step: int) -> None:
        self._step, self._word = step, 100

    def __call__(self, request: Request) -> Script:
        assert isinstance(request, ReadTable)
        self._word += self._step
        return [Words((self._word,) * request.count)]


@pytest.mark.parametrize(("step", "agrees"), [(1, True), (-1, False)])
def test_a_critical_counter_may_rise_between_its_two_reads(step: int, agrees: bool) -> None:
    named = Parameters((Parameter("hours", Table.HOLDING, 7),))
    unnamed = Registers(Table.HOLDING, 7, 1)
    rules = (Moving(("hours", "holding 00007"), counter=True),)
    for ask in (named, unnamed):
        item = Item("s", Kind.PARAMETER, ask, Criticality.CRITICAL, moving=rules)
        asking = Asking(FakeRoute(Rising(step)), item, Pace(), lambda _: "", 1, lambda: None)
        outcome = parameters(asking, ask) if isinstance(ask, Parameters) else block(asking, ask)
        assert not isinstance(outcome, NotAsked)
        (reading,) = item_snapshot(item, outcome).readings
        assert isinstance(reading.value, Disagreement) is not agrees
        assert item_snapshot(item, outcome).moving == rules
