"""Which of two version strings is the older one."""

from __future__ import annotations

import re
from enum import Enum

_VERSION = re.compile(r"[vV]?([0-9]{1,18}(?:\.[0-9]{1,18}){0,15})(?![0-9])(.*)", re.DOTALL)
LONGEST = 200
"""Characters; nothing longer is a version. The texts come from a device."""
_NUMBER = re.compile(r"[0-9]{1,18}")


class Order(Enum):
    """How a found version stands to the approved one."""

    OLDER = "older"
    SAME = "same"
    NEWER = "newer"
    UNKNOWN = "unknown"
    """They cannot be put in order; they differ, and that is all we say."""


def order(approved: str, found: str) -> Order:
    """Compare dotted numbers as numbers, so that 03.10.08 is newer than 03.9.2 and the same as 3.10.8.

    What follows the dotted numbers, such as `(22)` or `-rc1`, decides only between equal numbers, and only where it differs
    in its numbers alone.
    """
    if approved == found:
        return Order.SAME
    if max(len(approved), len(found)) > LONGEST:
        return Order.UNKNOWN
    before, after = _VERSION.fullmatch(approved.strip()), _VERSION.fullmatch(found.strip())
    if not before or not after:
        return Order.UNKNOWN
    first, second = _numbers(before[1]), _numbers(after[1])
    longest = max(len(first), len(second))
    first += (0,) * (longest - len(first))
    second += (0,) * (longest - len(second))
    if first != second:
        return Order.OLDER if second < first else Order.NEWER
    if _NUMBER.sub("#", before[2]) != _NUMBER.sub("#", after[2]):
        return Order.UNKNOWN
    first, second = _numbers(before[2]), _numbers(after[2])
    if first == second:
        return Order.SAME
    return Order.OLDER if second < first else Order.NEWER


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBER.findall(text))
