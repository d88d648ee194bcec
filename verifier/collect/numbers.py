"""Registers to numbers: exact, in engineering units, as text. No floating point gets into what is signed."""

from __future__ import annotations

import math
import struct
from decimal import Context, Decimal
from typing import Final, assert_never

from verifier.collect.printable import printable
from verifier.model.profile import NumberType, Parameter, WordOrder
from verifier.model.snapshot import NumberValue

_EXACT = Context(prec=1200)
"""Enough for any double (at most 767 significant digits) times a scale of a person's making."""

_STRUCT: Final = {
    NumberType.U16: ">H",
    NumberType.S16: ">h",
    NumberType.U32: ">I",
    NumberType.S32: ">i",
    NumberType.U64: ">Q",
    NumberType.S64: ">q",
    NumberType.F32: ">f",
    NumberType.F64: ">d",
}


def number(parameter: Parameter, words: tuple[int, ...]) -> NumberValue:
    """The value of a parameter from its registers (0-65535 each, in address order) or its one bit (0 or 1)."""
    match parameter.type:
        case NumberType.TEXT:
            return NumberValue(words, _text(parameter, words), parameter.unit)
        case NumberType.BIT:
            return _scaled(parameter, words, words[0])
        case NumberType.U16 | NumberType.S16 | NumberType.U32 | NumberType.S32 | NumberType.U64 | NumberType.S64:
            (integer,) = struct.unpack(_STRUCT[parameter.type], _bytes(parameter, words))
            return _scaled(parameter, words, integer)
        case NumberType.F32 | NumberType.F64:
            (floating,) = struct.unpack(_STRUCT[parameter.type], _bytes(parameter, words))
            return _floating(parameter, words, floating)
        case _:
            assert_never(parameter.type)


def _bytes(parameter: Parameter, words: tuple[int, ...]) -> bytes:
    """High byte first, most significant register first."""
    ordered = words if parameter.word_order is WordOrder.HIGH_FIRST else tuple(reversed(words))
    return struct.pack(f">{len(ordered)}H", *ordered)


def _text(parameter: Parameter, words: tuple[int, ...]) -> str:
    return printable(_bytes(parameter, words).rstrip(b"\0 "))


def _scaled(parameter: Parameter, words: tuple[int, ...], integer: int) -> NumberValue:
    value = _EXACT.multiply(Decimal(integer), parameter.scale)
    if not integer:
        value = abs(value)  # no -0.0 from a negative scale
    return NumberValue(words, _plain(value), parameter.unit, _outside(parameter, value))


def _floating(parameter: Parameter, words: tuple[int, ...], value: float) -> NumberValue:
    limited = parameter.low is not None or parameter.high is not None
    if math.isnan(value):
        return NumberValue(words, "not a number", parameter.unit, limited)
    if math.isinf(value):
        return NumberValue(words, "infinity" if value > 0 else "-infinity", parameter.unit, limited)
    scaled = _EXACT.multiply(_shortest(parameter.type, value), parameter.scale)
    shown = _plain(scaled)
    if scaled == scaled.to_integral_value() and "." not in shown and "E" not in shown:
        shown += ".0"
    return NumberValue(words, shown, parameter.unit, _outside(parameter, scaled))


def _shortest(kind: NumberType, value: float) -> Decimal:
    """The shortest decimal that is this float and no other: what its maker meant by 0.1."""
    if kind is NumberType.F64:
        return Decimal(repr(value))
    for digits in range(1, 9):
        text = f"{value:.{digits}g}"
        if _single(text) == value:
            return Decimal(text)
    return Decimal(f"{value:.9g}")


def _single(text: str) -> float:
    """A decimal as the nearest single, widened again; infinite where rounding up left the range."""
    try:
        (value,) = struct.unpack(">f", struct.pack(">f", float(text)))
    except OverflowError:
        return math.inf
    return float(value)


def _plain(value: Decimal) -> str:
    """Digits without an exponent while that is readable."""
    if -20 <= value.adjusted() <= 24 and len(value.as_tuple().digits) <= 40:
        return format(value, "f")
    return str(value)


def _outside(parameter: Parameter, value: Decimal) -> bool:
    below = parameter.low is not None and value < parameter.low
    above = parameter.high is not None and value > parameter.high
    return below or above
