"""Kinds of value that pick paths and text on a device: paths, patterns of members, regular expressions."""

from __future__ import annotations

import re
from typing import Annotated

from verifier.model import member
from verifier.settings.backtracking import runs_away
from verifier.settings.fields import as_field, text_of

LONGEST_EXPRESSION = 500


def expression(value: object) -> str:
    """A regular expression that cannot run away, and does not fit everything."""
    text = text_of(value, '"^# generated"')
    if len(text) > LONGEST_EXPRESSION:
        raise ValueError(f"a regular expression of more than {LONGEST_EXPRESSION} characters", "split it into several")
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"not a regular expression: {error}", "see Python's `re`; inside double quotes every backslash is doubled"
        ) from error
    if runs_away(text):
        raise ValueError(
            "a regular expression that a device could make run for ever",
            "what is repeated inside a repeat must begin with something of its own: (?:\\.\\d+)+ and not (?:\\d+\\.?)+;"
            " of a row of .* only two are quick enough, behind ^: say [^;]* where a ; ends it",
        )
    if re.search(text, "\0"):
        raise ValueError("a regular expression that fits any text", "say what must be there, like ^# generated")
    return text


def _version_expression(value: object) -> str:
    text = expression(value)
    if re.compile(text).groups != 1:
        raise ValueError(
            "a version pattern needs exactly one group", 'put the version itself in round brackets, like "FIRMWARE=(\\\\S+)"'
        )
    return text


def _device_path(value: object) -> str:
    text = text_of(value, "/etc")
    if not text.startswith("/"):
        raise ValueError(f'"{text[:60]}" does not begin with /', "write the whole path, as it stands on the device")
    if any(part in (".", "..") for part in text.split("/")) or "//" in text or (text != "/" and text.endswith("/")):
        raise ValueError(f'"{text[:60]}" is not in its plain form', "leave out `.`, `..`, double and trailing slashes")
    if "*" in text or "?" in text:
        raise ValueError(f'"{text[:60]}" holds a wildcard', "name the folder above it, and use `exclude` for what is not wanted")
    return _printable(text)


def member_pattern(value: object) -> str:
    """A pattern of members, in the printable form of paths."""
    text = text_of(value, '"/var/log/**"')
    if not text:
        raise ValueError("an empty pattern", 'write a path, with `*` for names and `**` for folders, like "/etc/**/*.bak"')
    return _printable(text)


def _printable(text: str) -> str:
    """Paths stand here as they stand in reports, so that bytes that nobody can type have one way to be written."""
    try:
        member.raw(text)
    except ValueError:
        text = "\n"
    if not text.isprintable():
        raise ValueError(
            "not the printable form of a path", "write a backslash as \\\\ and other bytes as \\xNN, in single quotes"
        )
    return text


Expression = Annotated[str, *as_field(expression, type="string", format="regex", maxLength=LONGEST_EXPRESSION)]
VersionExpression = Annotated[str, *as_field(_version_expression, type="string", format="regex", maxLength=LONGEST_EXPRESSION)]
DevicePath = Annotated[str, *as_field(_device_path, type="string", pattern="^/")]
MemberPattern = Annotated[str, *as_field(member_pattern, type="string", minLength=1)]
