"""Unquoted words of a YAML file. Only text, whole numbers, true, false and null have a meaning here.

What YAML 1.1 (https://yaml.org/type/) reads as something else is refused with the way to write it, since two readers of one
file must never see two values: `no` is false to one and text to the other, `0755` is 493 or 755, `1.10` loses its zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DIGITS = 20
"""Longest whole number, sign included."""

_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_WORDS = {"true": True, "false": False, "null": None, "": None}


@dataclass(frozen=True, slots=True)
class Surprise:
    """Why an unquoted word is refused, and what to write."""

    message: str
    hint: str


def resolved(word: str) -> str | int | bool | Surprise | None:
    """What an unquoted word means."""
    if word in _WORDS:
        return _WORDS[word]
    if _INT.fullmatch(word) or _BASED.fullmatch(word):
        if len(word) > DIGITS:
            return Surprise(f"a number of more than {DIGITS} characters", "put it in quotes if it is a name or a serial number")
        return int(word, 0)
    return _surprise(word) or word


def _surprise(word: str) -> Surprise | None:
    for pattern, what, fix in _SURPRISES:
        if pattern.fullmatch(word):
            quoted = f'"{word}"'
            return Surprise(f"{word} {what}", fix(word).format(quoted=quoted))
    return None


def _truth(word: str) -> str:
    meant = "true" if word.lower() in ("yes", "on", "y", "true") else "false"
    return f"write {meant}, or {{quoted}} if it is text"


def _octal(word: str) -> str:
    digits = word.replace("_", "").lstrip("+-0") or "0"
    return f"write 0o{digits} or {int(digits, 8)} for a file mode, or {{quoted}} if it is text"


def _underscores(word: str) -> str:
    digits = word.replace("_", "").lstrip("+").removeprefix("-").lstrip("0") or "0"
    digits = f"-{digits}" if word.startswith("-") else digits
    return f"write {digits}, or {{quoted}} if it is text"


def _quote(_word: str) -> str:
    return "put it in quotes: {quoted}"


def _decimal(_word: str) -> str:
    return "put it in quotes: {quoted}; decimals and versions are written as text so that no digit is lost"


_SURPRISES = (
    (
        re.compile(r"y|Y|n|N|yes|Yes|YES|no|No|NO|True|TRUE|False|FALSE|on|On|ON|off|Off|OFF"),
        "is not text to every reader",
        _truth,
    ),
    (re.compile(r"~|Null|NULL"), "is a hidden null", lambda _: "write null, or {quoted} if it is text"),
    (re.compile(r"[-+]?0[0-7_]+"), "would be read as an octal number", _octal),
    (re.compile(r"[-+]?[0-9][0-9_]*"), "would be read as a number", _underscores),
    (re.compile(r"[-+]?0b[01_]+"), "would be read as a binary number", _quote),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F_]+|[-+]?0[oO][0-7_]+"), "would be read as a number", _quote),
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"), "would be read as a number in base 60", _quote),
    (
        re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"),
        "would be read as a decimal number",
        _decimal,
    ),
    (re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"), "would be read as a decimal number", _decimal),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), "is not a number a crane can have", _quote),
    (
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?.*)?"),
        "would be read as a date",
        _quote,
    ),
    (re.compile(r"="), "would be read as a default value", _quote),
    (re.compile(r"<<"), "would be read as a merge of mappings", lambda _: "write the keys out, or use `defaults` and `groups`"),
)
