"""Words a device chose, made fit to be read and signed: printable, on one line, of bounded length."""

from __future__ import annotations

import hashlib

from verifier.model.member import shown

LONGEST = 2000
"""Bytes of a fact that are shown. What is longer is cut, and the digest of all of it stands for the rest."""


def printable(data: bytes, longest: int = LONGEST) -> str:
    """The printable form of bytes (see `model.member`); of what is too long the start and the digest of all of it.

    Nothing that was cut off can change unnoticed, since the digest is over the whole.
    """
    if len(data) <= longest:
        return shown(data)
    return f"{shown(data[:longest])}... sha256:{hashlib.sha256(data).hexdigest()}"


def escaped(text: str, longest: int = 500) -> str:
    """Our own words that may quote a device, such as an error's message: one line, no control characters, cut when long."""
    pieces = (c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text[: longest + 1])
    line = "".join(pieces)
    return line if len(line) <= longest else line[:longest] + "..."
