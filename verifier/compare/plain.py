"""Text a device chose, made harmless to print."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 member`, `1,204 members`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def plain(text: str, limit: int = 2000) -> str:
    r"""The text with every control character, bidi override and stray byte written as an escape (`\x1b`, `\u202e`).

    A text of more than `limit` characters is cut, and says how long it was.
    """
    length = len(text)
    if length > limit:
        text = text[:limit]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return f"{text} ... (cut here, {length:,} characters in all)" if length > limit else text
