"""From several texts of one member to the rules that make them equal: values of a form first, else parts of single lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from verifier.collect.form.form import NotOfForm
from verifier.collect.form.json_text import json_values
from verifier.collect.form.keys import ini_values, key_values
from verifier.collect.form.xml_text import xml_values
from verifier.collect.text import normalised
from verifier.compare.plain import plain
from verifier.model import place
from verifier.model.profile import Rule
from verifier.settings.normalise import MOST_PLACES
from verifier.settings.pattern import expression

MOST_LINES: Final = 20
"""Lines of one text for which rules are proposed; where more of them move, it is no setting that moves but the text."""

Values = Callable[[bytes], dict[str, str]]


def _after_colons(data: bytes) -> dict[str, str]:
    """A colon with a value right behind it is rather a time of the day."""
    if re.search(rb"^[^:\n]*:[^ \t\r\n]", data, re.MULTILINE):
        raise NotOfForm("no blanks behind its colons")
    return key_values(data, ":")


_FORMS: Final[tuple[tuple[str, str, Values, Callable[[str], object]], ...]] = (
    ("json", "", json_values, place.pointer),
    ("xml", "", xml_values, place.path),
    ("ini", "", lambda data: ini_values(data, "="), place.section_key),
    ("key-value", "", lambda data: key_values(data, "="), place.key),
    ("key-value", ":", _after_colons, place.key),
)


@dataclass(frozen=True, slots=True)
class TextRule:
    rule: Rule
    seen: tuple[str, ...]
    """What moved, in each of the texts."""


def text_rules(member: str, texts: Sequence[bytes]) -> tuple[TextRule, ...]:
    """Rules for this member that together make the texts equal; none where there are no narrow ones.

    Whatever is returned was tried: the texts after these rules are the same, byte for byte.
    """
    for name, separator, values, may_be_named in _FORMS:
        try:
            held = [values(text) for text in texts]
        except NotOfForm:
            continue
        if found := _by_form(texts, held, Rule(name, only=(member,), separator=separator), may_be_named):
            return (found,)
        if name != "key-value":  # what moved is what it is made of, and no part of a line
            return ()
    return _by_lines(member, texts)


def _by_form(
    texts: Sequence[bytes], held: Sequence[dict[str, str]], bare: Rule, may_be_named: Callable[[str], object]
) -> TextRule | None:
    moved = [at for at, value in held[-1].items() if any(other.get(at) != value for other in held)]
    try:
        for at in moved:
            may_be_named(at)
    except ValueError:
        return None
    if (
        len(moved) > MOST_PLACES
        or not all(at.isprintable() for at in moved)
        or any(other.keys() != held[-1].keys() for other in held)
    ):
        return None
    rule = replace(bare, mask=tuple(moved))
    if not _equal((rule,), texts):
        return None
    seen = (", ".join(f"{at} {plain(other[at], 100)}" for at in moved) for other in held)
    return TextRule(rule, tuple(words or "the same values, written otherwise" for words in seen))


def _by_lines(member: str, texts: Sequence[bytes]) -> tuple[TextRule, ...]:
    try:
        lines = [text.decode("utf-8").split("\n") for text in texts]
    except UnicodeDecodeError:
        return ()
    if len({len(each) for each in lines}) > 1:
        return ()
    out: dict[Rule, TextRule] = {}
    for variants in zip(*lines, strict=True):
        if len(set(variants)) == 1:
            continue
        pattern = _line_pattern([line.removesuffix("\r") for line in variants])
        if not pattern or len(out) >= MOST_LINES:
            return ()
        rule = Rule("drop-match", pattern, only=(member,))
        out[rule] = TextRule(rule, tuple(plain(line, 200) for line in variants))
    return tuple(out.values()) if _equal(tuple(out), texts) else ()


def _line_pattern(variants: Sequence[str]) -> str:
    """What moves in a line, between what stays: numbers as a whole, else words. Empty where no safe expression fits all."""
    for split, moving in ((r"([0-9]+)", "[0-9]+"), (r"([^\s]+)", r"\S+")):
        pieces = [re.split(split, line) for line in variants]
        size = len(pieces[0])
        if any(len(each) != size or each[::2] != pieces[0][::2] for each in pieces):
            continue
        at = [place for place in range(1, size, 2) if len({each[place] for each in pieces}) > 1]
        if not at:
            continue
        first, last = at[0], at[-1]
        model = pieces[0]
        before, after = "".join(model[:first]), "".join(model[last + 1 :])
        middle = "".join(moving if here in at else _literal(model[here]) for here in range(first, last + 1))
        pattern = (f"(?<=^{_literal(before)})" if before else "^") + middle + (f"(?={_literal(after)}$)" if after else "$")
        with suppress(ValueError):  # too long, too slow, or it would fit any line
            return expression(pattern) if pattern.isprintable() else ""
    return ""


def _literal(text: str) -> str:
    return re.escape(text).replace("\t", "t")  # behind the backslash that is there already


def _equal(rules: Sequence[Rule], texts: Sequence[bytes]) -> bool:
    try:
        return len({normalised(rules, text).text for text in texts}) == 1
    except NotOfForm:
        return False
