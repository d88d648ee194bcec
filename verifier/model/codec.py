"""Values to JSON and back, strictly. One rule per kind of value, none per class.

Dataclasses are objects with their field names; a field whose value is its own empty default (`""`, `b""`, `0`, `()`,
`None`, `False`) is left out. Members of a union carry `"is"`. Enums are their words, times are UTC with a `Z`, bytes are
the printable form of `model.member`, decimals and floats (paces and bounds of a profile) are strings; JSON's own floats do
not occur, since what is signed must mean the same to every reader. Reading back refuses unknown and missing fields, wrong
types, duplicate keys and NaN, and says where.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from typing import Any, NoReturn, TypeVar

from verifier.model import member
from verifier.model.words import Evidence

T = TypeVar("T")
Json = Any
Encoder = Callable[[Any], Json]
Decoder = Callable[[Json, str], Any]


def _cached(make: Callable[[Any], T]) -> Callable[[Any], T]:
    """`functools.cache` for functions of a class, which mypy does not take for hashable."""
    return cache(make)


class CodecError(ValueError):
    """A document is not what its type says. The message names the place: `items[3].kind: ...`."""


def dumps(value: object) -> bytes:
    """A value as compact JSON bytes, keys in the order of the fields."""
    return json.dumps(_encoder(type(value))(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def loads(cls: type[T], data: bytes) -> T:
    """The value that `dumps` wrote.

    Raises:
        CodecError: the bytes are not one JSON document of this type.
    """
    return typing.cast(T, _decoder(cls)(parse(data), ""))


def to_json(value: object) -> Json:
    """A value as the lists and dicts that `json` writes."""
    return _encoder(type(value))(value)


def from_json(cls: type[T], data: Json) -> T:
    """A value from parsed JSON.

    Raises:
        CodecError: it does not fit the type.
    """
    return typing.cast(T, _decoder(cls)(data, ""))


def parse(data: bytes) -> Json:
    """Parse JSON, refusing what readers disagree on: duplicate keys, floats, NaN, bytes that are not UTF-8.

    Raises:
        CodecError: as said.
    """
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float, parse_int=_bounded
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise CodecError(f"not a JSON document: {error}") from error


def time_text(moment: datetime) -> str:
    """The one way a time is written: `2026-11-22T06:00:00Z`, UTC, seconds, microseconds only where they are not zero."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CodecError("a key stands twice in one object")
    return found


def _no_float(text: str) -> NoReturn:
    raise CodecError(f"the number {text} is not an integer")


def _bounded(text: str) -> int:
    if len(text) > 20:
        raise CodecError("an integer of more than 20 characters")
    return int(text)


def _tag(cls: type) -> str:
    name = cls.__name__.removesuffix("Value")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _omittable(field: dataclasses.Field[Any]) -> bool:
    default = field.default
    return any(default is empty or (type(default) is type(empty) and default == empty) for empty in ("", b"", 0, (), None, False))


@_cached
def _encoder(cls: type) -> Encoder:
    """How values of a concrete class are written; the class alone decides, so unions need no hint here."""
    if dataclasses.is_dataclass(cls):
        plan = [(f.name, f.default, _omittable(f)) for f in dataclasses.fields(cls)]
        tags = _tagged_fields(cls)

        def write(value: Any) -> Json:
            out: dict[str, Json] = {}
            for name, default, omittable in plan:
                held = getattr(value, name)
                if omittable and held == default:
                    continue
                written = _encoder(type(held))(held)
                if name in tags:
                    written = _with_tags(held, written)
                out[name] = written
            return out

        return write
    if cls is Evidence:
        return lambda value: value.word
    if issubclass(cls, Enum):
        return lambda value: value.value
    if cls in (str, int, bool, type(None)):
        return lambda value: value
    if cls is bytes:
        return member.shown
    if cls is tuple:
        return lambda value: [_encoder(type(each))(each) for each in value]
    if cls is datetime:
        return time_text
    if cls is Decimal:
        return str
    if cls is float:
        return repr
    raise TypeError(f"no rule for {cls}")


def _with_tags(held: Any, written: Json) -> Json:
    if isinstance(held, tuple):
        return [_with_tags(one, text) for one, text in zip(held, written, strict=True)]
    return {"is": _tag(type(held)), **written} if isinstance(written, dict) else written


@_cached
def _tagged_fields(cls: type) -> frozenset[str]:
    hints = typing.get_type_hints(cls)
    return frozenset(f.name for f in dataclasses.fields(cls) if len(_union_classes(hints[f.name])) > 1)


def _union_classes(hint: Any) -> list[type]:
    if typing.get_origin(hint) is tuple:
        hint = typing.get_args(hint)[0]
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return [c for c in typing.get_args(hint) if dataclasses.is_dataclass(c) and isinstance(c, type)]
    return []


@_cached
def _decoder(hint: Any) -> Decoder:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, types.UnionType) or origin is typing.Union:
        return _union_decoder(args)
    if origin is tuple:
        return _tuple_decoder(args)
    if dataclasses.is_dataclass(hint):
        return _dataclass_decoder(typing.cast(type, hint))
    if hint is Evidence:
        return lambda data, at: _converted(Evidence.of, _typed(str, data, at), at)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum_decoder(hint)
    if hint in (str, int, bool):
        return lambda data, at: _typed(hint, data, at)
    if hint is bytes:
        return lambda data, at: _converted(_bytes, _typed(str, data, at), at)
    if hint is type(None):
        return lambda data, at: None if data is None else _fail(at, "must be null")
    if hint is datetime:
        return lambda data, at: _converted(_time, _typed(str, data, at), at)
    if hint is Decimal:
        return lambda data, at: _converted(_decimal, _typed(str, data, at), at)
    if hint is float:
        return lambda data, at: float(_converted(_decimal, _typed(str, data, at), at))
    raise TypeError(f"no rule for {hint}")


def _dataclass_decoder(cls: type) -> Decoder:
    hints = typing.get_type_hints(cls)
    plan = {f.name: (_decoder(hints[f.name]), f) for f in dataclasses.fields(cls)}
    required = {name for name, (_, f) in plan.items() if not _omittable(f)}

    def read(data: Json, at: str) -> Any:
        if type(data) is not dict:
            _fail(at, "must be an object")
        values = {}
        for name, each in data.items():
            if name not in plan:
                _fail(at, f"unknown field {name!r}")
            values[name] = plan[name][0](each, f"{at}.{name}" if at else name)
        if not required <= values.keys():
            _fail(at, f"missing field {sorted(required - values.keys())[0]!r}")
        return cls(**values)

    return read


def _union_decoder(args: tuple[Any, ...]) -> Decoder:
    classes = {_tag(c): _decoder(c) for c in args if dataclasses.is_dataclass(c) and isinstance(c, type)}
    others = [_decoder(c) for c in args if not dataclasses.is_dataclass(c)]

    def read(data: Json, at: str) -> Any:
        if data is None and type(None) in args:
            return None
        if type(data) is dict:
            if len(classes) == 1:
                return next(iter(classes.values()))(data, at)
            tag = data.get("is")
            if type(tag) is not str or tag not in classes:
                _fail(at, f'"is" must be one of {", ".join(sorted(classes))}')
            return classes[tag]({name: each for name, each in data.items() if name != "is"}, at)
        for other in others:
            try:
                return other(data, at)
            except CodecError:
                continue
        _fail(at, "fits none of the allowed types")

    return read


def _tuple_decoder(args: tuple[Any, ...]) -> Decoder:
    if len(args) == 2 and args[1] is Ellipsis:
        each = _decoder(args[0])

        def read(data: Json, at: str) -> Any:
            if type(data) is not list:
                _fail(at, "must be a list")
            return tuple(each(one, f"{at}[{place}]") for place, one in enumerate(data))

        return read
    parts = [_decoder(a) for a in args]

    def read_fixed(data: Json, at: str) -> Any:
        if type(data) is not list or len(data) != len(parts):
            _fail(at, f"must be a list of {len(parts)}")
        return tuple(part(one, f"{at}[{place}]") for place, (part, one) in enumerate(zip(parts, data, strict=True)))

    return read_fixed


def _enum_decoder(cls: type[Enum]) -> Decoder:
    words = {each.value: each for each in cls}

    def read(data: Json, at: str) -> Any:
        if type(data) is not str or data not in words:
            _fail(at, f"must be one of {', '.join(words)}")
        return words[data]

    return read


def _typed(cls: type, data: Json, at: str) -> Any:
    if type(data) is not cls:
        _fail(at, f"must be {cls.__name__}, not {type(data).__name__}")
    return data


def _converted(convert: Callable[[str], Any], text: str, at: str) -> Any:
    try:
        return convert(text)
    except ValueError as error:
        raise CodecError(f"{at}: {error}") from error


def _bytes(text: str) -> bytes:
    data = member.raw(text)
    if member.shown(data) != text:
        raise ValueError(f"{text!r} is not the printable form of bytes")
    return data


def _time(text: str) -> datetime:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", text):
        raise ValueError(f"{text!r} is not a UTC time like 2026-11-22T06:00:00Z")
    return datetime.fromisoformat(text)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a decimal number") from error
    if not number.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    return number


def _fail(at: str, what: str) -> NoReturn:
    raise CodecError(f"{at}: {what}" if at else what)
