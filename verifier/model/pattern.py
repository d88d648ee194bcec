"""Patterns over member names: `*` within one path part, `**` over any number of parts, `?` one character.

A pattern without a wildcard also stands for everything below it, as people expect of `/var/log`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=1024)
def compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One regular expression that matches a member's whole printable name if any pattern does."""
    return re.compile("|".join(f"(?:{_translated(p)})" for p in patterns) or r"(?!)", re.DOTALL)


def matches(patterns: Iterable[str], member: str) -> bool:
    """Does any of the patterns stand for this member?"""
    return compiled(tuple(patterns)).fullmatch(member) is not None


def _translated(pattern: str) -> str:
    if not re.search(r"[*?]", pattern):
        return re.escape(pattern.rstrip("/")) + "(?:/.*)?"
    out = ""
    for piece in re.split(r"(\*\*/|\*\*|\*|\?)", pattern):
        out += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece, re.escape(piece))
    return out
