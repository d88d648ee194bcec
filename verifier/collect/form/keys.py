"""Files of keys with values: `key-value`, and `ini` with its sections.

Not compared: the order of keys (and of sections), blanks around the separator and at line ends, empty lines, and comments where
the rule says so. Comments that are compared keep their order and their section. A key in other capitals keeps its place beside
its like, since to some readers the two are one key.

A file in which the order of lines could mean something is not of the form, and its bytes are compared: a key that stands twice,
a line that may go on in the next, an indented line, a shell's variables, anything that is no key with a value. Nor is one of
`key-value` in which some keys have blanks around `=` and others none: where a shell reads it, a blank takes a setting away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from verifier.collect.form.form import MASKED, MOST, Normal, NotOfForm, decoded
from verifier.model.place import in_section

_SECTION = re.compile(r"\[([^\[\]\s](?:[^\[\]\r]*[^\[\]\s])?)\]")
_SPACED = re.compile(r"[^=]*(?:[ \t]=|=[ \t])")
_SHELL = re.compile(r"[$`]")
_ODD = re.compile(r"""[\s"'`$\\&|<>(){};]""")
"""What no key of a file holds that could also be a shell's."""
_ODD_IN_WORDS = re.compile(r"""[^\S ]|["'`\\;]""")
"""What no key holds that may be several words."""


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    """Empty: what stands before the first section."""
    comments: tuple[str, ...]
    entries: tuple[tuple[str, str], ...]
    """Keys and values, in the order of their keys."""


def key_value(data: bytes, separator: str, masks: Iterable[str], no_comments: bool) -> Normal:
    """The keys of a file without sections, sorted, one `key=value` in a line.

    Args:
        separator: `=` or `:`.
        masks: keys whose values are not compared.

    Raises:
        NotOfForm: as the head of this module says.
    """
    mark, sections = _sections(data, separator, with_sections=False)
    return _written(mark, sections, separator, frozenset(masks), no_comments)


def ini(data: bytes, separator: str, masks: Iterable[str], no_comments: bool) -> Normal:
    """As `key_value`, within sections, which are sorted too. A mask is `[section] key`, or `key` before the first section."""
    mark, sections = _sections(data, separator, with_sections=True)
    return _written(mark, sections, separator, frozenset(masks), no_comments)


def key_values(data: bytes, separator: str) -> dict[str, str]:
    """Every place a mask may name, with its value."""
    return dict(_places(_sections(data, separator, with_sections=False)[1]))


def ini_values(data: bytes, separator: str) -> dict[str, str]:
    """As `key_values`."""
    return dict(_places(_sections(data, separator, with_sections=True)[1]))


def _places(sections: Iterable[Section]) -> Iterable[tuple[str, str]]:
    return ((in_section(section.name, key), value) for section in sections for key, value in section.entries)


def _written(mark: str, sections: Iterable[Section], separator: str, masks: frozenset[str], no_comments: bool) -> Normal:
    lines: list[str] = []
    masked = 0
    between = "=" if separator == "=" else f"{separator} "
    for section in sections:
        if section.name:
            lines.append(f"[{section.name}]")
        if no_comments:
            masked += len(section.comments)
        else:
            lines += section.comments
        for key, value in section.entries:
            hidden = in_section(section.name, key) in masks
            masked += hidden
            lines.append(f"{key}{between}{MASKED if hidden else value}".rstrip(" \t"))
    return Normal((mark + "".join(f"{line}\n" for line in lines)).encode(), masked)


def _sections(data: bytes, separator: str, *, with_sections: bool) -> tuple[str, tuple[Section, ...]]:
    mark, text = decoded(data)
    if text.startswith("#!"):
        raise NotOfForm("a script")
    if text.count("\n") >= MOST:
        raise NotOfForm(f"{MOST:,} lines or more")
    name = ""
    comments: dict[str, list[str]] = {"": []}
    entries: dict[str, dict[str, str]] = {"": {}}
    spaced: set[bool] = set()
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.removesuffix("\r").rstrip(" \t")
        if not line:
            continue
        _plain(line, number)
        if line[0] == "#" or (with_sections and line[0] == ";"):
            comments[name].append(line)
        elif with_sections and (found := _SECTION.fullmatch(line)):
            name = found[1]
            if name in entries:
                raise NotOfForm(f"line {number} begins a section for the second time")
            comments[name], entries[name] = [], {}
        else:
            key, value = _entry(line, number, separator, blanks=with_sections or separator == ":")
            if not with_sections:
                _no_shell(value, number)
                spaced.add(bool(_SPACED.match(line)))
            if separator == "=" and len(spaced) > 1:
                raise NotOfForm(f"line {number} differs from those before in blanks around =, which to a shell is no key")
            if key in entries[name]:
                raise NotOfForm(f"line {number} gives a key for the second time")
            entries[name][key] = value
    if with_sections and len(entries) == 1:
        raise NotOfForm("no section")
    ordered = sorted(entries, key=str.casefold)
    return mark, tuple(Section(each, tuple(comments[each]), _sorted(entries[each])) for each in ordered)


def _plain(line: str, number: int) -> None:
    if "\r" in line:
        raise NotOfForm(f"line {number} holds a carriage return")
    if line[0] in " \t":
        raise NotOfForm(f"line {number} is indented: it may belong to the one before")
    if line[-1] == "\\":
        raise NotOfForm(f"line {number} ends in a backslash: it may go on in the next")


def _entry(line: str, number: int, separator: str, *, blanks: bool) -> tuple[str, str]:
    key, found, value = line.partition(separator)
    key = key.rstrip(" \t")
    if not found or not key or key[0] in "#[" or (_ODD_IN_WORDS if blanks else _ODD).search(key):
        raise NotOfForm(f"line {number} is not a key, {separator} and a value")
    return key, value.strip(" \t")


def _no_shell(value: str, number: int) -> None:
    if _SHELL.search(value):
        raise NotOfForm(f"line {number} may use another key, so that their order counts")
    if value.count('"') % 2 or value.count("'") % 2:
        raise NotOfForm(f"line {number} holds a quote without its end: it may go on in the next")


def _sorted(entries: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(entries.items(), key=lambda entry: entry[0].casefold()))
