"""Text members: normalised for comparing, redacted for keeping, searched for a version. Only by rules of the profile.

The text is hostile and the regular expressions are a person's, so their cost is bounded here:

* A pattern that takes twice as long for every further letter is refused when its profile is read (`settings.backtracking`).
* A pattern sees one line at a time, without its line end. A pattern that spans lines never matches.
* A line longer than `LONGEST_LINE` bytes is given to no pattern: it is never dropped, and in what is kept it is replaced whole.
* A text is `hard` when the squares of its line lengths add up to more than `MOST_WORK`: then a pattern that goes back over its
  line could run for minutes. Such a text, one over the profile's limit, and one with NUL bytes (not text, or UTF-16, where a
  pattern for secrets would not find them) is compared by its raw digest alone and never kept.

A step may also be a form (`collect.form`), which takes the whole text apart. A text that is not of the form is compared by its
raw digest, says so, and is not kept: the patterns for secrets were written for the normalised text.

Private keys in PEM or OpenSSH form are removed from kept text whatever the profile says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from verifier.collect.form.form import Normal, NotOfForm
from verifier.collect.form.json_text import json_text
from verifier.collect.form.keys import ini, key_value
from verifier.collect.form.xml_text import xml_text
from verifier.errors import UsageError
from verifier.model.profile import Rule

LONGEST_LINE: Final = 4096
MOST_WORK: Final = 1 << 30
REDACTED: Final = "[redacted]"

_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

Lines = Sequence[str]


def no_text(data: bytes, limit: int) -> str:
    """Why the rules cannot be applied to it within bounds; empty when they can. See the head of this module."""
    if len(data) > limit:
        return f"longer than {limit:,} bytes"
    if b"\0" in data:
        return "no text: it holds NUL bytes"
    return "lines so long that a pattern could run for minutes" if _is_hard(data) else ""


def normalised(rules: Iterable[Rule], data: bytes) -> Normal:
    """The text after the rules, in their order, and how much they left out. Bytes that are not UTF-8 stay as they are.

    Raises:
        NotOfForm: it is not of the form that a rule takes apart.
        UsageError: a rule has an unknown name.
    """
    masked = 0
    for rule in rules:
        if step := _STEPS.get(rule.name):
            lines, left_out = step(_decoded(data).split("\n"), rule.pattern)
            data = _encoded("\n".join(lines))
        elif form := _FORMS.get(rule.name):
            normal = form(rule, data)
            data, left_out = normal.text, normal.masked
            if _is_hard(data):
                raise NotOfForm("its values are so long that a pattern could run for minutes")
        else:
            raise UsageError(f"no rule of normalising is called {rule.name!r}", f"write one of {', '.join(RULES)}")
        masked += left_out
    return Normal(data, masked)


def redacted(patterns: Iterable[str], data: bytes) -> bytes:
    """The text with every match replaced: of a pattern with groups each group, of one without the whole match."""
    compiled = tuple(_pattern(p) for p in patterns)
    out = []
    in_key = False
    for line in _decoded(data).split("\n"):
        begins = _KEY_BEGINS.search(line) is not None
        ends = _KEY_ENDS.search(line) is not None
        if begins or in_key:
            out.append(REDACTED)
            in_key = not ends
            continue
        if len(line.encode("utf-8", "surrogateescape")) > LONGEST_LINE:
            out.append(f"[a line of {len(line)} characters, not kept]")
            continue
        body, end = _split_end(line)
        for pattern in compiled:
            body = pattern.sub(_hidden, body)
        out.append(body + end)
    return _encoded("\n".join(out))


def version(pattern: str, data: bytes) -> str:
    """What the first group of the pattern finds in the first line it matches; empty when it finds nothing."""
    compiled = _pattern(pattern)
    for line in _decoded(data).split("\n"):
        if len(line) > LONGEST_LINE:
            continue
        found = compiled.search(_split_end(line)[0])
        if found:
            text = found[1] if compiled.groups else found[0]
            return "".join(c for c in text or "" if c.isprintable())[:200]
    return ""


def _hidden(found: re.Match[str]) -> str:
    if not found.re.groups:
        return REDACTED if found[0] else ""
    text, out, at = found[0], "", 0
    for group in sorted(range(1, found.re.groups + 1), key=found.start):
        start, end = found.start(group) - found.start(), found.end(group) - found.start()
        if found.start(group) < 0 or start < at or start == end:
            continue
        out += text[at:start] + REDACTED
        at = end
    return out + text[at:]


def _is_hard(data: bytes) -> bool:
    return sum(len(line) ** 2 for line in data.split(b"\n") if len(line) <= LONGEST_LINE) > MOST_WORK


Step = Callable[[Lines, str], tuple[Lines, int]]
"""Lines and a pattern to lines, and of how many of them something was left out for good."""


def _line_ends(lines: Lines, _: str) -> tuple[Lines, int]:
    return re.sub(r"\r\n|\r", "\n", "\n".join(lines)).split("\n"), 0


def _trailing_space(lines: Lines, _: str) -> tuple[Lines, int]:
    return [line.rstrip(" \t\r") + ("\r" if line.endswith("\r") else "") for line in lines], 0


def _sort_lines(lines: Lines, _: str) -> tuple[Lines, int]:
    """A missing newline at the end counts as one, or the order of the lines would still show."""
    whole = lines[:-1] if lines[-1] == "" else lines
    return ([*sorted(whole), ""] if whole else [""]), 0


def _drop_lines(lines: Lines, pattern: str) -> tuple[Lines, int]:
    compiled = _pattern(pattern)
    last = len(lines) - 1
    left = [
        line
        for place, line in enumerate(lines)
        if (place == last and line == "") or len(line) > LONGEST_LINE or not compiled.search(_split_end(line)[0])
    ]
    return left or [""], len(lines) - len(left)


def _drop_match(lines: Lines, pattern: str) -> tuple[Lines, int]:
    compiled = _pattern(pattern)
    left = [line if len(line) > LONGEST_LINE else _without(compiled, line) for line in lines]
    return left, sum(before != after for before, after in zip(lines, left, strict=True))


def _without(pattern: re.Pattern[str], line: str) -> str:
    body, end = _split_end(line)
    return pattern.sub("", body) + end


_STEPS: Final[dict[str, Step]] = {
    "line-ends": _line_ends,
    "trailing-space": _trailing_space,
    "sort-lines": _sort_lines,
    "drop-lines": _drop_lines,
    "drop-match": _drop_match,
}
_FORMS: Final[dict[str, Callable[[Rule, bytes], Normal]]] = {
    "key-value": lambda rule, data: key_value(data, rule.separator or "=", rule.mask, rule.no_comments),
    "ini": lambda rule, data: ini(data, rule.separator or "=", rule.mask, rule.no_comments),
    "json": lambda rule, data: json_text(data, rule.mask),
    "xml": lambda rule, data: xml_text(data, rule.mask, rule.no_comments),
}
RULES: Final = (*_STEPS, *_FORMS)
"""The names a profile may write."""


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"the profile's regular expression {text!r} is wrong: {error}", "correct it in the profile") from error


def _split_end(line: str) -> tuple[str, str]:
    return (line[:-1], "\r") if line.endswith("\r") else (line, "")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
