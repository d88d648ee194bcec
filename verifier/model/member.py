r"""Names of members: bytes from a device, and the printable text that stands for them everywhere else.

A device chooses its file names, so a name may hold anything. The text form is printable, reversible and unique: valid
printable UTF-8 stays itself, a backslash is doubled, every other byte is `\xNN`. No control character, bidi override or
stray byte reaches a terminal, a JSON file or a page.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2})")


def shown(name: bytes) -> str:
    """The printable form of a name as the device gave it."""
    if name.isascii():
        text = name.decode("ascii")
        if text.isprintable() and "\\" not in text:
            return text
    pieces = []
    for character in name.decode("utf-8", "surrogateescape"):
        if character == "\\":
            pieces.append("\\\\")
        elif character.isprintable():
            pieces.append(character)
        else:
            pieces.extend(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
    return "".join(pieces)


def raw(text: str) -> bytes:
    """The bytes behind a printable form: `raw(shown(name)) == name`.

    Raises:
        ValueError: the text is not something `shown` writes.
    """
    out = bytearray()
    at = 0
    while at < len(text):
        if text[at] != "\\":
            end = text.find("\\", at)
            end = len(text) if end < 0 else end
            out += text[at:end].encode("utf-8")
            at = end
            continue
        found = _ESCAPE.match(text, at)
        if not found:
            raise ValueError(f"bad escape at position {at} of {text!r}")
        out += b"\\" if found[1] == "\\" else bytes([int(found[1][1:], 16)])
        at = found.end()
    return bytes(out)
