"""The shape of a file, checked by pydantic, told in words: every fault with its line, none with the library's vocabulary."""

from __future__ import annotations

import difflib
import json
import re
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from verifier.settings.fault import Fault
from verifier.settings.node import Node, place_of, plain

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""`{plc}` in an inventory: a value that each crane gives."""
TOLD = 200
"""Faults of one part of a file that are looked into; nobody corrects more in one go."""


class Shape(BaseModel):
    """A mapping of a file: unknown keys are faults, nothing is converted silently. Field docstrings go into the JSON Schema."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=Shape)
Step = str | int


def checked(shape: type[S], node: Node, where: str = "") -> S | tuple[Fault, ...]:
    """A node as its shape, or all that is wrong with it. `where` says whose keys they are, for what is missing."""
    try:
        return _validated(shape, node)
    except ValidationError as error:
        return tuple(_fault(shape, node, found, where) for found in _found(error))


def faults_of_part(shape: type[Shape], node: Node) -> tuple[Fault, ...]:
    """What is wrong with a node that is yet to be completed: missing keys and `{placeholders}` are no faults."""
    try:
        _validated(shape, node)
    except ValidationError as error:
        return tuple(_fault(shape, node, found, "") for found in _found(error) if not _open(found))
    return ()


def near(word: str, words: Iterable[str]) -> str:
    """The word that was probably meant, or nothing."""
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.65)
    return close[0] if close else ""


def _validated(shape: type[S], node: Node) -> S:
    # through JSON, because pydantic's strict mode takes a list for a tuple and a word for an enum only from there
    return shape.model_validate_json(json.dumps(plain(node)))


def _found(error: ValidationError) -> list[Any]:
    all_of_them = list(error.errors(include_url=False))[:TOLD]
    # pydantic also calls a list too short when its entries are wrong
    inner = {found["loc"][:length] for found in all_of_them for length in range(len(found["loc"]))}
    return [found for found in all_of_them if found["type"] != "too_short" or found["loc"] not in inner]


def _open(found: Any) -> bool:
    if found["type"] == "missing":
        return True
    single = found["type"] in ("int_type", "bool_type", "literal_error", "value_error") and found["loc"][-1:] != ("[key]",)
    return single and isinstance(found["input"], str) and PLACEHOLDER.search(found["input"]) is not None


def _fault(shape: type[Shape], node: Node, found: Any, where: str) -> Fault:
    steps = tuple(step for step in found["loc"] if step != "[key]")
    kind, about_key = found["type"], found["loc"][-1:] == ("[key]",)
    message, hint = _words(shape, found, steps, where)
    at = steps[:-1] if kind == "missing" else steps
    place = place_of(node, at, key=about_key or kind == "extra_forbidden")
    return Fault(place.line, place.column, message, hint)


def _words(shape: type[Shape], found: Any, steps: tuple[Step, ...], where: str) -> tuple[str, str]:
    """Message and hint for one of pydantic's errors."""
    kind, held, context = found["type"], found["input"], found.get("ctx", {})
    name = _name(steps)
    match kind:
        case "extra_forbidden":
            known = _keys(shape, steps[:-1])
            meant = near(str(steps[-1]), known)
            return f"unknown key `{steps[-1]}`", f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}"
        case "missing":
            above = _name(steps[:-1])
            inside = f" in `{above}`{f' of {where}' if where else ''}" if above else f" for {where}" if where else ""
            return f"`{steps[-1]}` is missing{inside}", f"add `{steps[-1]}: ...`"
        case "value_error":
            words = context["error"].args
            return f"{name}: {words[0]}" if name else words[0], words[1] if len(words) > 1 else ""
        case "string_type":
            return f"{name} must be text, not {_held(held)}", "put it in quotes" if isinstance(held, int) else "write one word"
        case "int_type":
            hint = "leave the quotes out" if isinstance(held, str) and held.lstrip("-").isdigit() else "write a whole number"
            return f"{name} must be a whole number, not {_held(held)}", hint
        case "bool_type":
            return f"{name} must be true or false, not {_held(held)}", "write true or false, without quotes"
        case "tuple_type" | "list_type":
            return f"{name} must be a list, not {_held(held)}", f"write `{name}: [...]`, or one entry per line after `- `"
        case "model_type" | "dict_type":
            hint = f"write keys below `{name}:`" if name else "see the examples that `crane-verify init` writes"
            return f"{name or 'the file'} must hold keys and values, not {_held(held)}", hint
        case "enum" | "literal_error":
            meant = near(str(held), re.findall(r"'([^']*)'", context["expected"])) if isinstance(held, str) else ""
            allowed = context["expected"].replace("'", "")
            return f"{name} cannot be {_held(held)}", f"did you mean {meant}?" if meant else f"write {allowed}"
        case "greater_than_equal" | "less_than_equal":
            limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
            return f"{name} is {held}, which is out of range", f"it must be {limit}"
        case "too_short":
            return f"{name} is empty", "write at least one entry"
        case "too_long":
            return f"{name} has too many entries", f"at most {context['max_length']}"
        case _:
            return f"{name}: {str(found['msg']).lower()}", ""


def _name(steps: tuple[Step, ...]) -> str:
    """The last key, with the place in its list: `host_keys[2]`, counted from 1 as people count."""
    names = [at for at, step in enumerate(steps) if isinstance(step, str)]
    if not names:
        return ""
    return str(steps[names[-1]]) + "".join(f"[{int(step) + 1}]" for step in steps[names[-1] + 1 :])


def _held(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int():
            return f"the number {value}"
        case str():
            return f'"{value[:39]}…"' if len(value) > 40 else f'"{value}"'
        case list():
            return "a list"
        case _:
            return "keys and values"


def _keys(shape: type[Shape], steps: Iterable[Step]) -> tuple[str, ...]:
    """The keys a file may have at a place."""
    hint: Any = shape
    for step in steps:
        hint = _inside(hint, step)
    found = _shape_in(hint)
    return tuple(field.alias or name for name, field in found.model_fields.items()) if found else ()


def _inside(hint: Any, step: Step) -> Any:
    if (shape := _shape_in(hint)) and isinstance(step, str):
        for name, field in shape.model_fields.items():
            if (field.alias or name) == step:
                return field.annotation
    for one in _alternatives(hint):
        if typing.get_origin(one) in (tuple, list):
            return typing.get_args(one)[0]
        if typing.get_origin(one) is dict:
            return typing.get_args(one)[1]
    return None


def _shape_in(hint: Any) -> type[Shape] | None:
    return next((one for one in _alternatives(hint) if isinstance(one, type) and issubclass(one, Shape)), None)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    return typing.get_args(hint) if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union else (hint,)
