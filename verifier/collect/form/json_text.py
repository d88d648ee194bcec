"""`json`: a document (RFC 8259) with its keys sorted, one value in a line.

Not compared: white space, the order of keys, and how a character of a string is escaped. Numbers are compared as they are
written: 1.0 is not 1, since not every reader takes them for the same. Of two equal keys readers take the first, the last or
both, so a document with two is not of the form; nor is one that holds NaN, is not UTF-8, or is deeper or longer than the bounds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from verifier.collect.form.form import DEEPEST, MASKED, MOST, Normal, NotOfForm, decoded
from verifier.model.place import ANY, Steps, pointer, pointer_step

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)


class _Number(str):
    """A number as it was written."""


def json_text(data: bytes, masks: Iterable[str]) -> Normal:
    """The document written again.

    Args:
        masks: JSON Pointers (RFC 6901) of single values that are not compared; a step `*` stands for any one key or place in a
            list. An object or a list where a value should be is compared all the same.

    Raises:
        NotOfForm: as the head of this module says.
    """
    mark, value = _document(data)
    out: list[str] = []
    masked = _write(value, "\n", [pointer(mask) for mask in masks], out.append)
    return Normal((mark + "".join(out) + "\n").encode("ascii" if not mark else "utf-8"), masked)


def json_values(data: bytes) -> dict[str, str]:
    """Every pointer to a single value, with that value as it is written."""
    found: dict[str, str] = {}
    _collect(_document(data)[1], "", found)
    return found


def _document(data: bytes) -> tuple[str, Any]:
    mark, text = decoded(data)
    _bounded(text)
    try:
        return mark, json.loads(
            text, object_pairs_hook=_once, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        raise NotOfForm(f"no JSON from line {error.lineno}, character {error.colno}") from error


def _bounded(text: str) -> None:
    """Before anything is built: how deep and how many. How deep Python itself would go depends on who called it."""
    depth = values = 0
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in ("[", "{"):
            depth += 1
            values += 1
        elif token in ("]", "}"):
            depth -= 1
        elif token == ",":
            values += 1
        if depth > DEEPEST:
            raise NotOfForm(f"more than {DEEPEST} lists and objects one in the other")
        if values > MOST:
            raise NotOfForm(f"more than {MOST:,} values")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotOfForm("a key stands twice in one object")
    return found


def _no_constant(_: str) -> NoReturn:
    raise NotOfForm("NaN or Infinity, which JSON does not know")


def _write(value: Any, line: str, masks: list[Steps], out: Callable[[str], object]) -> int:
    """`line` is a line break with the indent of the value; `masks` are those that go through it, from here on."""
    if not isinstance(value, dict | list):
        hidden = () in masks
        out(_scalar(MASKED if hidden else value))
        return hidden
    opens, closes = "{}" if isinstance(value, dict) else "[]"
    out(opens)
    masked = 0
    inner = line + " "
    for place, (step, child) in enumerate(_children(value)):
        out("," + inner if place else inner)
        if isinstance(value, dict):
            out(_scalar(step) + ": ")
        masked += _write(child, inner, [mask[1:] for mask in masks if mask and mask[0] in (step, ANY)], out)
    out(line + closes if value else closes)
    return masked


def _children(value: dict[str, Any] | list[Any]) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return sorted(value.items())
    return ((str(place), child) for place, child in enumerate(value))


def _scalar(value: Any) -> str:
    return str(value) if isinstance(value, _Number) else json.dumps(value)


def _collect(value: Any, at: str, found: dict[str, str]) -> None:
    if isinstance(value, dict | list):
        for step, child in _children(value):
            _collect(child, f"{at}/{pointer_step(step)}", found)
    else:
        found[at] = _scalar(value)
