"""Patterns over member names: `*` within one path part, `**` over any number of parts, `?` one character.

A pattern without a wildcard also stands for everything below it, as people expect of `/var/log`.

A device chooses its names, and a regular expression with several wildcards may go back and forth over a long one for hours. So
names for which that would take long are matched in another way, whose time grows with the length of the name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

QUICK = 1 << 22
"""Steps that a regular expression may take for one name: characters to the power of wildcards."""
_PIECES = re.compile(r"(\*\*/|\*\*|\*|\?)")


class Patterns:
    """Any of some patterns."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._expression = re.compile("|".join(f"(?:{_translated(p)})" for p in patterns) or r"(?!)", re.DOTALL)
        self._wildcards = max((len(re.findall(r"\*\*/|\*\*|\*", p)) for p in patterns), default=0)
        self._patterns = patterns

    def match(self, member: str) -> bool:
        """Does one of them stand for this member, given by its printable name?"""
        if len(member) ** self._wildcards <= QUICK:
            return self._expression.fullmatch(member) is not None
        return any(_steadily(pattern).match(member) for pattern in self._patterns)


@lru_cache(maxsize=1024)
def compiled(patterns: tuple[str, ...]) -> Patterns:
    """The patterns, ready to be asked for many members."""
    return Patterns(patterns)


def matches(patterns: Iterable[str], member: str) -> bool:
    """Does any of the patterns stand for this member?"""
    return compiled(tuple(patterns)).match(member)


def _translated(pattern: str) -> str:
    if not re.search(r"[*?]", pattern):
        return re.escape(pattern.rstrip("/")) + "(?:/.*)?"
    out = ""
    for piece in _PIECES.split(pattern):
        out += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece, re.escape(piece))
    return out


class Steady:
    """One pattern as a machine that looks at each character once. Its states are the bits of a number, all followed at a time."""

    def __init__(self, pattern: str) -> None:
        self._plain = None if re.search(r"[*?]", pattern) else pattern.rstrip("/")
        self._on: dict[str, int] = {}
        """States that a character leads on to the next one."""
        self._on_any_but_slash = self._stay = self._stay_but_slash = self._skip = self._skip_two = 0
        state = 1
        for piece in _PIECES.split(pattern):
            match piece:
                case "?":
                    self._on_any_but_slash |= state
                    state <<= 1
                case "*":
                    self._stay_but_slash |= state
                    self._skip |= state
                    state <<= 1
                case "**":
                    self._stay |= state
                    self._skip |= state
                    state <<= 1
                case "**/":  # nothing at all, or anything that ends in a slash
                    self._skip |= state
                    self._skip_two |= state
                    self._stay |= state << 1
                    self._on["/"] = self._on.get("/", 0) | state << 1
                    state <<= 2
                case _:
                    for character in piece:
                        self._on[character] = self._on.get(character, 0) | state
                        state <<= 1
        self._end = state

    def match(self, member: str) -> bool:
        if self._plain is not None:
            return member == self._plain or member.startswith(self._plain + "/")
        states = self._with_skips(1)
        for character in member:
            on, stay = self._on.get(character, 0), self._stay
            if character != "/":
                on |= self._on_any_but_slash
                stay |= self._stay_but_slash
            states = self._with_skips((states & on) << 1 | states & stay)
            if not states:
                return False
        return bool(states & self._end)

    def _with_skips(self, states: int) -> int:
        while more := ((states & self._skip) << 1 | (states & self._skip_two) << 2) & ~states:
            states |= more
        return states


@lru_cache(maxsize=1024)
def _steadily(pattern: str) -> Steady:
    return Steady(pattern)
