"""The plain kinds of value that stand in settings files: lines, names, durations, sizes, decimals, hours of the day.

Each turns the text of a file into a value, or raises `ValueError(message, hint)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from verifier.model.device import Window

LONGEST = 1000
"""Characters of any one text."""

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BYTES = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def text_of(value: object, example: str) -> str:
    """A text, which is written like the example."""
    if not isinstance(value, str):
        raise ValueError("must be text", f"write it like {example}")
    if len(value) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    return value


def _line(value: object) -> str:
    text = text_of(value, '"some words"')
    if not text.strip():
        raise ValueError("is empty", "write something, or leave the key out")
    if not text.isprintable():
        raise ValueError("holds a line break or a control character", "keep it on one line")
    return text


def _name(value: object) -> str:
    text = text_of(value, "STS-01")
    if not re.fullmatch(NAME, text) or len(text) > 64:
        raise ValueError(
            f'"{text[:64]}" cannot be a name, which is also the name of a folder',
            "use letters, digits, `-`, `_` and `.`, begin with a letter or digit, at most 64 characters",
        )
    return text


def _label(value: object) -> str:
    text = text_of(value, "hoist overload trip")
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9 ._()/+-]{0,78}[A-Za-z0-9.)+])?", text):
        raise ValueError(
            f'"{text[:64]}" cannot be a name here',
            "use letters, digits, spaces and . _ ( ) / + -, begin with a letter or digit, at most 80 characters",
        )
    return text


def _value_name(value: object) -> str:
    text = text_of(value, "plc_address")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise ValueError(f'"{text[:64]}" cannot be the name of a value', "use small letters, digits and `_`, as in plc_address")
    return text


def _given(value: object) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be text or a whole number", "put it in quotes")
    return value


def _fact_name(value: object) -> str:
    text = text_of(value, "make")
    if not re.fullmatch(r"[a-z][a-z0-9 _-]{0,63}", text):
        raise ValueError(f'"{text[:64]}" cannot be the name of a fact', "use small letters, as in make, model, serial, supplier")
    return text


def _duration(value: object) -> timedelta:
    text = text_of(value, "7d, 12h, 30m or 10s")
    found = re.fullmatch(r"([0-9]{1,6})(ms|s|m|h|d|w)", text)
    if not found:
        raise ValueError(f'"{text[:20]}" is not a duration', "write a number and its unit, like 7d, 12h, 30m, 10s or 500ms")
    length = timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    if not timedelta(0) < length <= timedelta(days=3660):
        raise ValueError(f"{text} is out of range", "write more than nothing and at most ten years")
    return length


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = text_of(value, "5MB or 2GiB")
    found = re.fullmatch(r"([0-9]{1,15}) ?([kKMG]?i?B|)", text)
    if not found or found[2] not in _BYTES:
        raise ValueError(f'"{text[:20]}" is not a number of bytes', "write a whole number and its unit, like 5MB, 512KiB or 2GiB")
    if int(found[1]) < 1:
        raise ValueError("nothing could be read with 0 bytes", "write at least 1, or leave the key out")
    return int(found[1]) * _BYTES[found[2]]


def _decimal(value: object) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    text = text_of(value, '"0.1", in quotes')
    if not re.fullmatch(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", text):
        raise ValueError(f'"{text[:30]}" is not a decimal number', 'write digits and one point, in quotes, like "0.1"')
    return Decimal(text)


def _window(value: object) -> Window:
    text = text_of(value, '"22:00-05:00"')
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9]) ?- ?([01][0-9]|2[0-3]):([0-5][0-9])", text)
    if not found:
        raise ValueError(f'"{text[:20]}" is not a window', 'write two times of the day in quotes, like "22:00-05:00"')
    opens, closes = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    if opens == closes:
        raise ValueError("a window that closes when it opens", "leave `window` out if the device may be read at any time")
    return Window(opens, closes)


def as_field(read: Callable[[object], Any], **schema: Any) -> tuple[PlainValidator, WithJsonSchema]:
    """What makes a type a field of a file: how it is read, and how the JSON Schema tells it."""
    return PlainValidator(read), WithJsonSchema(schema)


Line = Annotated[str, *as_field(_line, type="string", minLength=1)]
Name = Annotated[str, *as_field(_name, type="string", pattern=f"^{NAME}$", maxLength=64)]
Label = Annotated[str, *as_field(_label, type="string", pattern="^[A-Za-z0-9]", maxLength=80)]
ValueName = Annotated[str, *as_field(_value_name, type="string", pattern="^[a-z][a-z0-9_]*$")]
Given = Annotated[str | int, *as_field(_given, type=["string", "integer"])]
FactName = Annotated[str, *as_field(_fact_name, type="string", pattern="^[a-z][a-z0-9 _-]*$")]
Duration = Annotated[timedelta, *as_field(_duration, type="string", pattern="^[0-9]+(ms|s|m|h|d|w)$")]
Size = Annotated[int, *as_field(_size, type=["string", "integer"], pattern="^[0-9]+ ?([kKMG]?i?B)?$", minimum=1)]
DecimalText = Annotated[Decimal, *as_field(_decimal, type=["string", "integer"], pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
Hours = Annotated[Window, *as_field(_window, type="string", pattern="^[0-9]{2}:[0-9]{2} ?- ?[0-9]{2}:[0-9]{2}$")]
