"""What every form has in common: its bounds, what comes of writing a text again, and the refusal of one that is not of the form.

The law of each form: its normal text is read as saying the same as the text it was made from, and two texts that say different
things have different normal texts. It follows that normalising twice is normalising once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LARGEST: Final = 16 << 20
"""Bytes of a text that is taken apart."""
MOST: Final = 100_000
"""Values of one text, an attribute or a comment being one."""
DEEPEST: Final = 100
"""Elements or lists one in the other."""
MASKED: Final = "[not compared]"
"""Stands where a mask hides a value, so that the place itself is still compared: it may neither go nor come."""


class NotOfForm(ValueError):
    """The text is not of the form, or could mean two things. The message says which line or what; none of its words are the
    device's."""


@dataclass(frozen=True, slots=True)
class Normal:
    """A text after rules."""

    text: bytes
    masked: int = 0
    """Values, comments, lines or parts of lines that were left out: what is not compared."""


def decoded(data: bytes) -> tuple[str, str]:
    """A byte order mark, if there is one, and the text behind it.

    Raises:
        NotOfForm: too long, or not UTF-8: then two texts could look the same.
    """
    if len(data) > LARGEST:
        raise NotOfForm(f"longer than {LARGEST:,} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotOfForm("not UTF-8") from error
    return ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
