"""Would a regular expression try the same text in ever more ways? `(\\w+\\s?)*x` takes twice as long for every further letter.

A device chooses the text, so such an expression lets it hold a check for ever; so do many `.*` in a row. The first is found in
the parsed expression: within something that is repeated without end, each choice (go on repeating or not, this branch or that)
must be settled by the next character. That is stricter than it need be; what it refuses can be written so that it passes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import combinations
from operator import or_
from re import _parser  # type: ignore[attr-defined]  # private; `tests/test_backtracking.py` holds it to what it does today
from typing import Any

MANY = 16
"""Repeats of at least so many count as without end."""
_EVERY = (1 << 260) - 1
"""A set of characters: a bit for each of the first 256, and of all others one for digits, word, space and what is left."""
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "DIGIT": str.isdigit,
    "SPACE": str.isspace,
    "WORD": lambda c: c.isalnum() or c == "_",
}


UNSETTLED = 2
"""Repeats one after the other whose end the next character does not settle, as in `.*a.*b`. Each multiplies the time by the
length of the line: with three of them, a line of four thousand characters takes minutes."""


def runs_away(expression: str) -> bool:
    """Can a line be chosen for which it takes minutes or for ever? Raises what `re.compile` raises."""
    parsed = list(_parser.parse(expression))
    # without ^ it is tried again from each character of what a repeat at its beginning has gone over
    starts = bool(parsed) and _unsettled(parsed[:1], _first(parsed[1:])) > 0
    return _inside(parsed, 0, False) or _unsettled(parsed, 0) + starts > UNSETTLED


def _unsettled(sequence: list[Any], after: int) -> int:
    """How many repeats without end stand one after the other, of which the next character does not say that they are over."""
    count = 0
    for place, (code, given) in enumerate(sequence):
        rest = sequence[place + 1 :]
        behind = _first(rest) | (after if _nullable(rest) else 0)
        match str(code):
            case name if name in _REPEATS:
                body = list(given[2])
                first = _first(body)
                if given[1] >= MANY and first & behind:
                    count += 1
                else:
                    count += _unsettled(body, behind | first) * (given[1] if given[1] < MANY else 1)
            case "BRANCH":
                count += max(_unsettled(list(branch), behind) for branch in given[1])
            case "SUBPATTERN":
                count += _unsettled(list(given[3]), behind)
            case _:
                pass
    return count


def _inside(sequence: list[Any], after: int, looping: bool) -> bool:
    """Is there a choice within a loop that the next character does not settle? `after`: what may come behind the sequence."""
    for place, (code, given) in enumerate(sequence):
        rest = sequence[place + 1 :]
        behind = _first(rest) | (after if _nullable(rest) else 0)
        match str(code):
            case name if name in _REPEATS:
                low, high, body = given[0], given[1], list(given[2])
                first, endless = _first(body), high >= MANY
                if looping and high > low and first & behind:
                    return True
                if endless and _nullable(body) and any(str(each) in _REPEATS for each, _ in body):
                    return True
                if _inside(body, behind | (first if high > 1 else 0), looping or endless):
                    return True
            case "BRANCH":
                branches = [list(branch) for branch in given[1]]
                if looping and any(_alike(one, other, behind) for one, other in combinations(branches, 2)):
                    return True
                if any(_inside(branch, behind, looping) for branch in branches):
                    return True
            case "SUBPATTERN":
                if _inside(list(given[3]), behind, looping):
                    return True
            case "ATOMIC_GROUP":
                if _inside(list(given), behind, looping):
                    return True
            case "ASSERT" | "ASSERT_NOT":
                if _inside(list(given[1]), _EVERY, looping):
                    return True
            case _:
                pass
    return False


def _alike(one: list[Any], other: list[Any], behind: int) -> bool:
    """May the same text begin with both? Of two plain words only when one begins with the other."""
    if all(str(code) == "LITERAL" for code, _ in (*one, *other)):
        return all(mine == yours for (_, mine), (_, yours) in zip(one, other, strict=False))
    first, second = (_first(each) | (behind if _nullable(each) else 0) for each in (one, other))
    return bool(first & second)


def _first(sequence: list[Any]) -> int:
    """The characters that text for this sequence may begin with."""
    found = 0
    for code, given in sequence:
        found |= _start(str(code), given)
        if not _nullable([(code, given)]):
            break
    return found


def _start(code: str, given: Any) -> int:
    match code:
        case "LITERAL":
            return _bit(given)
        case "NOT_LITERAL":
            return _EVERY & ~_bit(given) | _bit(given) >> 256 << 256
        case "ANY":
            return _EVERY & ~_bit(ord("\n"))
        case "IN":
            return _set(given)
        case "SUBPATTERN":
            return _first(list(given[3]))
        case "ATOMIC_GROUP":
            return _first(list(given))
        case "BRANCH":
            return reduce(or_, (_first(list(branch)) for branch in given[1]), 0)
        case "AT" | "ASSERT" | "ASSERT_NOT":
            return 0
        case name if name in _REPEATS:
            return _first(list(given[2]))
        case _:
            return _EVERY


def _nullable(sequence: list[Any]) -> bool:
    """Can it match nothing at all?"""
    for code, given in sequence:
        match str(code):
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return False
            case "SUBPATTERN":
                if not _nullable(list(given[3])):
                    return False
            case "ATOMIC_GROUP":
                if not _nullable(list(given)):
                    return False
            case "BRANCH":
                if not any(_nullable(list(branch)) for branch in given[1]):
                    return False
            case name if name in _REPEATS:
                if given[0] and not _nullable(list(given[2])):
                    return False
            case _:
                pass
    return True


def _bit(character: int) -> int:
    if character < 256:
        return 1 << character
    kinds = (_CATEGORIES["DIGIT"], _CATEGORIES["WORD"], _CATEGORIES["SPACE"])
    return 1 << 256 + next((place for place, test in enumerate(kinds) if test(chr(character))), 3)


def _set(items: list[Any]) -> int:
    found, negated = 0, False
    for code, given in items:
        match str(code):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found |= _bit(given)
            case "RANGE":
                found |= reduce(or_, (_bit(each) for each in range(given[0], min(given[1], 255) + 1)), 0)
                found |= 0 if given[1] < 256 else 15 << 256
            case "CATEGORY":
                found |= _category(str(given))
            case _:
                return _EVERY
    # of the characters beyond the first 256 only some of a kind are named, so the others of that kind stay
    named = [str(given) for code, given in items if str(code) == "CATEGORY"]
    beyond = reduce(or_, map(_category, named), 0) >> 256 << 256
    return (_EVERY & ~(found & (1 << 256) - 1 | beyond)) if negated else found


def _category(name: str) -> int:
    kind = name.removeprefix("CATEGORY_")
    within = {"DIGIT": 0b0001, "WORD": 0b0011, "SPACE": 0b0100}[kind.removeprefix("NOT_")] << 256
    test = _CATEGORIES[kind.removeprefix("NOT_")]
    found: int = within | reduce(or_, (1 << each for each in range(256) if test(chr(each))), 0)
    return _EVERY & ~found if kind.startswith("NOT_") else found
