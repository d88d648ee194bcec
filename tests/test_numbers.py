"""Registers to numbers and back: exact for every type and word order, against `struct` as the oracle."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.collect.numbers import number
from verifier.model.profile import NumberType, Parameter, WordOrder
from verifier.model.words import Table

INTEGERS = {
    NumberType.U16: (">H", 0, (1 << 16) - 1),
    NumberType.S16: (">h", -(1 << 15), (1 << 15) - 1),
    NumberType.U32: (">I", 0, (1 << 32) - 1),
    NumberType.S32: (">i", -(1 << 31), (1 << 31) - 1),
    NumberType.U64: (">Q", 0, (1 << 64) - 1),
    NumberType.S64: (">q", -(1 << 63), (1 << 63) - 1),
}
ORDERS = st.sampled_from(WordOrder)


def named(kind: NumberType, **more: object) -> Parameter:
    return Parameter("value", Table.HOLDING, 100, kind, **more)  # type: ignore[arg-type] # each test gives fields of the right type


def registers(packed: bytes, order: WordOrder) -> tuple[int, ...]:
    words = struct.unpack(f">{len(packed) // 2}H", packed)
    return words if order is WordOrder.HIGH_FIRST else words[::-1]


@given(st.sampled_from(sorted(INTEGERS)), ORDERS, st.data())
def test_integers_come_back_exactly(kind: NumberType, order: WordOrder, data: st.DataObject) -> None:
    layout, low, high = INTEGERS[kind]
    value = data.draw(st.integers(low, high))
    words = registers(struct.pack(layout, value), order)
    found = number(named(kind, word_order=order), words)
    assert found.raw == words
    assert found.shown == str(value)


@given(st.sampled_from(sorted(INTEGERS)), st.decimals("0.000001", "1000000", places=6), st.data())
def test_scaling_is_exact(kind: NumberType, scale: Decimal, data: st.DataObject) -> None:
    layout, low, high = INTEGERS[kind]
    value = data.draw(st.integers(low, high))
    found = number(named(kind, scale=scale), registers(struct.pack(layout, value), WordOrder.HIGH_FIRST))
    whole = int(scale.scaleb(6)) * value
    # not in decimals, whose context of 28 digits would round the longest ones
    assert Fraction(found.shown) * 10**6 == whole


@given(ORDERS, st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_singles_are_shown_as_the_shortest_text_that_is_them(order: WordOrder, value: float) -> None:
    words = registers(struct.pack(">f", value), order)
    shown = number(named(NumberType.F32, word_order=order), words).shown
    assert struct.pack(">f", float(shown)) == struct.pack(">f", value)
    digits = len(Decimal(shown).normalize().as_tuple().digits)
    assert digits <= 9
    if digits > 1:  # one digit less is another number
        assert struct.unpack(">f", struct.pack(">f", float(f"{value:.{digits - 2}e}")))[0] != value


@given(ORDERS, st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_come_back_exactly(order: WordOrder, value: float) -> None:
    shown = number(named(NumberType.F64, word_order=order), registers(struct.pack(">d", value), order)).shown
    assert struct.pack(">d", float(shown)) == struct.pack(">d", value)


@given(ORDERS, st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20), st.integers(0, 4))
def test_texts_come_back_without_their_padding(order: WordOrder, text: str, padding: int) -> None:
    packed = text.encode() + b"\0" * padding
    packed += b" " * (len(packed) % 2)
    words = registers(packed, order)
    assert number(named(NumberType.TEXT, length=len(words), word_order=order), words).shown == text


def test_control_characters_in_a_text_are_escaped() -> None:
    assert number(named(NumberType.TEXT, length=2), (0x1B5B, 0x4A41)).shown == "\\x1b[JA"


@pytest.mark.parametrize(
    ("kind", "words", "scale", "shown"),
    [
        (NumberType.U16, (620,), "0.1", "62.0"),
        (NumberType.S16, (0xFFFF,), "0.1", "-0.1"),
        (NumberType.U16, (0,), "-0.5", "0.0"),
        (NumberType.U16, (5,), "1E+2", "500"),
        (NumberType.U32, (0x0001, 0x86A0), "0.01", "1000.00"),
        (NumberType.F32, (0x4278, 0x0000), "1", "62.0"),
        (NumberType.F32, (0x3DCC, 0xCCCD), "1", "0.1"),
        (NumberType.F32, (0x7F7F, 0xFFFF), "1", "3.4028235E+38"),
        (NumberType.F32, (0x0000, 0x0001), "1", "1E-45"),
        (NumberType.F32, (0x8000, 0x0000), "1", "-0.0"),
        (NumberType.F32, (0x7FC0, 0x0000), "1", "not a number"),
        (NumberType.F64, (0x7FF0, 0, 0, 0), "1", "infinity"),
        (NumberType.F64, (0xFFF0, 0, 0, 0), "1", "-infinity"),
        (NumberType.F64, (0x3FB9, 0x9999, 0x9999, 0x999A), "10", "1.0"),
        (NumberType.BIT, (1,), "1", "1"),
    ],
)
def test_values_are_shown_as_engineers_write_them(kind: NumberType, words: tuple[int, ...], scale: str, shown: str) -> None:
    assert number(named(kind, scale=Decimal(scale)), words).shown == shown


@pytest.mark.parametrize(
    ("raw", "outside"), [(99, True), (100, False), (500, False), (501, True)], ids=["below", "low", "high", "above"]
)
def test_limits_are_in_engineering_units_and_belong_to_the_range(raw: int, outside: bool) -> None:
    limited = named(NumberType.U16, scale=Decimal("0.1"), low=Decimal(10), high=Decimal(50), unit="t")
    found = number(limited, (raw,))
    assert (found.out_of_limits, found.unit) == (outside, "t")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_outside_any_limit(value: float) -> None:
    words = registers(struct.pack(">f", value), WordOrder.HIGH_FIRST)
    assert number(named(NumberType.F32, high=Decimal(50)), words).out_of_limits
    assert not number(named(NumberType.F32), words).out_of_limits


def test_a_number_takes_the_registers_of_its_type_and_a_text_as_many_as_it_says() -> None:
    widths = {kind: named(kind).registers for kind in NumberType if kind is not NumberType.TEXT}
    assert [kind for kind, width in widths.items() if width == 1] == [NumberType.BIT, NumberType.U16, NumberType.S16]
    assert {widths[NumberType.F32], widths[NumberType.U32]} == {2}
    assert {widths[NumberType.F64], widths[NumberType.S64]} == {4}
    assert named(NumberType.TEXT, length=7).registers == 7
