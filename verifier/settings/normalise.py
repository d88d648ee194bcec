"""Steps of normalising as a profile writes them: `line-ends`, `{drop-lines: "^# saved"}`, `{json: {mask: [/status/uptime]}}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from verifier.model import place
from verifier.model.profile import Rule
from verifier.settings.fields import as_field, text_of
from verifier.settings.pattern import LONGEST_EXPRESSION, expression, member_pattern

_LINES: Final = ("line-ends", "trailing-space", "sort-lines")
_DROPS: Final = ("drop-lines", "drop-match")
_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(_LINES, ("only",)),
    **dict.fromkeys(_DROPS, ("pattern", "only")),
    "key-value": ("mask", "separator", "comments", "only"),
    "ini": ("mask", "separator", "comments", "only"),
    "json": ("mask", "only"),
    "xml": ("mask", "comments", "only"),
}
_PLACES: Final[dict[str, tuple[Callable[[str], object], str]]] = {
    "key-value": (place.key, "a key, like uptime"),
    "ini": (place.section_key, 'a section and a key in quotes, like "[status] uptime"'),
    "json": (place.pointer, "a JSON Pointer to one value, like /status/uptime; * is any one key, but not the last"),
    "xml": (place.path, 'a path to one value, like /config/status/uptime, "/config/port[2]/@speed"; * is any one name'),
}
MOST_PLACES: Final = 200
SEPARATORS: Final = ("=", ":")


def _step(value: object) -> Rule:
    name, options = _named(value)
    if name in _DROPS and isinstance(options, str):
        options = {"pattern": options}
    if not isinstance(options, dict) or (name in _DROPS and "pattern" not in options):
        raise ValueError(f"the step `{name}` is not written so", _example(name))
    for option in options:
        if option not in _OPTIONS[name]:
            raise ValueError(f"the step `{name}` has no `{option}`", f"known here: {', '.join(_OPTIONS[name])}")
    return Rule(
        name,
        expression(options["pattern"]) if "pattern" in options else "",
        tuple(member_pattern(each) for each in _listed(options, "only")),
        tuple(_place(name, each) for each in _listed(options, "mask")),
        _separator(options["separator"]) if "separator" in options else "",
        "comments" in options and _ignored(options["comments"]),
    )


def _named(value: object) -> tuple[str, object]:
    if isinstance(value, str) and value in _OPTIONS and value not in _DROPS:
        return value, {}
    if isinstance(value, dict) and len(value) == 1 and (name := next(iter(value))) in _OPTIONS:
        return name, value[name]
    raise ValueError(
        "not a step of normalising",
        f'write {", ".join(_LINES)}, key-value, ini, json, xml, {{drop-lines: "^# saved"}} or {{drop-match: "saved at .*"}}',
    )


def _example(name: str) -> str:
    if name in _DROPS:
        return f'write {{{name}: "^# generated"}}, or {{{name}: {{pattern: "^# generated", only: [/etc/x.conf]}}}}'
    return f"write {name}, or {{{name}: {{{_OPTIONS[name][0]}: [...]}}}}; known: {', '.join(_OPTIONS[name])}"


def _listed(options: dict[str, Any], option: str) -> list[object]:
    held = options.get(option, [])
    if not isinstance(held, list) or (option in options and not held) or len(held) > MOST_PLACES:
        raise ValueError(f"`{option}` must be a list of 1 to {MOST_PLACES}", f"write {option}: [...], or leave it out")
    return held


def _place(name: str, value: object) -> str:
    read, example = _PLACES[name]
    text = text_of(value, example)
    try:
        read(text)
    except ValueError as error:
        raise ValueError(f'"{text[:60]}" is {error}', f"write {example}") from error
    return text


def _separator(value: object) -> str:
    if value not in SEPARATORS:
        raise ValueError("a separator that no form has", 'write separator: ":", or leave it out for =')
    return "" if value == "=" else str(value)


def _ignored(value: object) -> bool:
    if value != "ignored":
        raise ValueError("comments are compared, or ignored", "write comments: ignored, or leave it out")
    return True


def _schema() -> dict[str, Any]:
    pattern = {"type": "string", "format": "regex", "maxLength": LONGEST_EXPRESSION}
    each: dict[str, dict[str, Any]] = {
        "pattern": pattern,
        "only": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": MOST_PLACES},
        "mask": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": MOST_PLACES},
        "separator": {"enum": list(SEPARATORS)},
        "comments": {"enum": ["ignored"]},
    }

    def options(name: str) -> dict[str, Any]:
        held: dict[str, Any] = {"type": "object", "properties": {option: each[option] for option in _OPTIONS[name]}}
        held |= {"additionalProperties": False}
        return {"anyOf": [pattern, held | {"required": ["pattern"]}]} if name in _DROPS else held

    bare = {"enum": [name for name in _OPTIONS if name not in _DROPS]}
    steps = [
        {"type": "object", "properties": {name: options(name)}, "required": [name], "additionalProperties": False}
        for name in _OPTIONS
    ]
    return {"oneOf": [bare, *steps]}


NormaliseStep = Annotated[Rule, *as_field(_step, **_schema())]
"""`line-ends`, or `{drop-lines: "^# generated"}`, or `{json: {mask: [/status/uptime], only: [/etc/state.json]}}`."""
