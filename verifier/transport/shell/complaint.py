r"""What `find`, `stat`, `tar` and `sha256sum` say on standard error, as values: which path, and what about it.

The wording is that of GNU findutils 4.9, tar 1.34, coreutils 9.1 and busybox 1.35 in the C locale. GNU tar and GNU find escape
names as C does, so `\n` in a message is a newline in a name; busybox prints names as they are. A message that fits no known
wording has no path, and then the caller must believe the worst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from verifier.model.member import shown
from verifier.model.words import Reason

_STARTS = re.compile(rb"(?:\A|\n)(?=(?:find|stat|tar|sha256sum): )")
_SUMMARY = re.compile(rb"Removing leading|Exiting with failure status due to previous|error exit delayed from previous")
_OPENING = re.compile(rb"(?:can't|cannot) (?:open|stat|read(?: link| symbolic link)?) ", re.IGNORECASE)
_ESCAPE = re.compile(rb"\\(?:([0-7]{3})|(.))", re.DOTALL)
_ESCAPED = re.compile(rb"((?:[^\\]|\\.)*?): (.*)", re.DOTALL)
_SHELL_PIECE = re.compile(rb"'([^']*)'|\$'((?:[^'\\]|\\.)*)'|\\(.)|([^'$\\]+)", re.DOTALL)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


@dataclass(frozen=True, slots=True)
class Complaint:
    path: bytes
    """Absolute; empty where the message names none that we can find."""
    words: str
    """Printable."""

    @property
    def reason(self) -> Reason:
        words = self.words.lower()
        if "permission denied" in words or "not permitted" in words:
            return Reason.DENIED
        if self.gone:
            return Reason.VANISHED
        if "changed as we read it" in words or "shrank" in words or "short read" in words:
            return Reason.UNSTABLE
        return Reason.REFUSED

    @property
    def gone(self) -> bool:
        """It says that there is no such thing."""
        words = self.words.lower()
        return any(each in words for each in ("no such file", "not a directory", "removed before we read it"))


def complaints(errors: bytes, *, escaped: bool) -> Iterator[Complaint]:
    """Every message in standard error but summaries. `escaped`: names are written as GNU find and tar do."""
    for message in _STARTS.split(errors):
        text = message.removesuffix(b"\n")
        program, _, text = text.partition(b": ")
        if program not in (b"find", b"stat", b"tar", b"sha256sum"):
            if message.strip():
                yield Complaint(b"", shown(message.strip()[:200]))
            continue
        if _SUMMARY.match(text):
            continue
        opening = _OPENING.match(text)
        if program == b"sha256sum" and not opening:
            name, _, words = text.rpartition(b": ")
            name = _unshelled(name)
        else:
            name, words = _taken_apart(text[opening.end() :] if opening else text, escaped)
        path = name.removeprefix(b".") if name.startswith(b"./") else name
        if path.startswith(b"/") and words:
            yield Complaint(path, shown(words[:200]))
        else:
            yield Complaint(b"", shown(text[:200]))


def _taken_apart(text: bytes, escaped: bool) -> tuple[bytes, bytes]:
    """Name and words. An escaped name holds no bare colon; the words of the C library hold none."""
    if text.startswith(b"'"):
        name, _, words = text[1:].rpartition(b"': ")
    elif escaped:
        found = _ESCAPED.fullmatch(text)
        name, words = found.groups() if found else (text, b"")
    else:
        name, _, words = text.rpartition(b": ")
    return (_unescaped(name) if escaped else name), words


def _unescaped(name: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8) & 0xFF]) if found[1] else _LETTERS.get(found[2], found[2]), name)


def _unshelled(name: bytes) -> bytes:
    """coreutils quotes an odd name as a shell would read it: `'new'$'\\n''line'`."""
    return b"".join(
        plain or (_unescaped(dollar) if dollar else escaped or bare)
        for plain, dollar, escaped, bare in _SHELL_PIECE.findall(name)
    )
