"""What changed inside a text, line by line. Both texts come from a device and are hostile."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import unified_diff
from itertools import takewhile

from verifier.compare.plain import plain

Texts = Callable[[str], bytes | None]
"""Gives the redacted text kept under a digest, or None where it is not kept here."""

SHOWN = 200
"""Lines of difference that are shown; more are counted."""
LINE = 400
"""Characters of a line that are shown."""
WORK = 2000
"""Lines between the first and the last difference that are looked at: the time to align them grows with their square."""
CONTEXT = 3


def text_diff(approved: str, found: str, texts: Texts) -> tuple[str, ...]:
    """Unified diff of the two texts kept under these digests; empty where either is not kept, or both are equal.

    Control characters are escaped; what is cut says so in a line of its own, which starts with a backslash as in diff(1).
    """
    if not approved or not found or approved == found:
        return ()
    before, after = texts(approved), texts(found)
    if before is None or after is None:
        return ()
    if before.endswith(b"\n") and after.endswith(b"\n"):
        before, after = before[:-1], after[:-1]
    old, new = _lines(before), _lines(after)
    head = max(0, _alike(old, new) - CONTEXT)
    tail = max(0, _alike(old[head:][::-1], new[head:][::-1]) - CONTEXT)
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(len(middle_old), len(middle_new)) > WORK:
        return (f"\\ too long to show line by line: {len(old):,} lines approved, {len(new):,} found",)
    lines = list(unified_diff(middle_old, middle_new, lineterm="", n=CONTEXT))[2:]
    shown = tuple(_moved(line, head) if line.startswith("@@") else plain(line, LINE) for line in lines[:SHOWN])
    more = len(lines) - len(shown)
    return (*shown, f"\\ {more:,} more lines of difference") if more else shown


def _alike(old: list[str], new: list[str]) -> int:
    """How many lines at the start are the same."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(old, new, strict=False)))


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").split("\n")


def _moved(header: str, by: int) -> str:
    """A hunk's header with its line numbers counted in the whole text."""
    return re.sub(r"(?<=[-+])\d+", lambda number: str(int(number[0]) + by), header)
