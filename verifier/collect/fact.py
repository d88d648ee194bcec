"""A fact: one line of what a device says of itself, as bytes, and the bounds that every parser of facts keeps.

Parsers are pure: bytes of one source in, facts out. A line they do not understand is a fact too, under its own text, so that
nothing a device says is lost and nothing it says stops a check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

NOT_UNDERSTOOD = b"not understood"


@dataclass(frozen=True, slots=True)
class Fact:
    member: bytes
    """What the line is about, as the device names it: an interface, a user, `tcp 0.0.0.0:22`."""
    text: bytes
    """What is said of it: `key=value` words where they can be had, so that a drift is shown word by word."""
    version: bytes = b""


Parser = Callable[[bytes], Iterable[Fact]]
"""One source's bytes to facts. Never raises on what a device sends."""


def lines(data: bytes) -> Iterator[bytes]:
    """The lines that hold anything, without their ends."""
    return (line for line in data.replace(b"\r\n", b"\n").split(b"\n") if line.strip())


def garbage(line: bytes) -> Fact:
    """A line that no parser understands, kept as it is."""
    return Fact(b"? " + line.strip(), NOT_UNDERSTOOD)


def pairs(*named: tuple[bytes, bytes]) -> bytes:
    """`a=1 b=2`, leaving out what is empty."""
    return b" ".join(name + b"=" + value for name, value in named if value)


def whole_text(member: bytes) -> Parser:
    """A parser for a source that is one value, such as /proc/version or a device-tree string (which ends in NUL)."""

    def parse(data: bytes) -> Iterator[Fact]:
        text = b" ".join(data.replace(b"\0", b"\n").split())
        if text:
            yield Fact(member, text)

    return parse


def listing(prefix: bytes, text: bytes) -> Parser:
    """A parser for a source with a name on each line and nothing to say of it."""

    def parse(data: bytes) -> Iterator[Fact]:
        for line in lines(data):
            yield Fact(prefix + line.strip(), text)

    return parse
