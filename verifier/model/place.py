"""How a mask names one value in a text: a key, `[section] key`, a JSON Pointer, a path in XML."""

from __future__ import annotations

import re

Steps = tuple[str, ...]
ANY = "*"
"""A step of a pointer or a path that stands for any one of them. The last step names one."""

_STEP = r"(?:\*|[^\s/@*\[\]=\"'<>]+(?:\[[1-9][0-9]{0,5}\])?)"
_PATH = re.compile(rf"(?:/{_STEP})+(?:/@[^\s/@*\[\]=\"'<>]+)?")
_IN_SECTION = re.compile(r"\[[^\[\]\s](?:[^\[\]\r\n]*[^\[\]\s])?\] (?P<key>.+)")


def in_section(section: str, key: str) -> str:
    """How a mask names a key of an ini file; keys before the first section stand alone."""
    return f"[{section}] {key}" if section else key


def key(text: str) -> str:
    """A key of a file without sections, as it is.

    Raises:
        ValueError: it is none.
    """
    if not text or text != text.strip() or not text.isprintable() or text[0] in "#[":
        raise ValueError("not a key")
    return text


def section_key(text: str) -> str:
    """`[section] key`, or `key` alone, as it is.

    Raises:
        ValueError: it is neither.
    """
    found = _IN_SECTION.fullmatch(text)
    key(found["key"] if found else text)
    return text


def pointer(text: str) -> Steps:
    """The steps of a JSON Pointer (RFC 6901) to one value.

    Raises:
        ValueError: it is none.
    """
    if not text.startswith("/") or re.search(r"~(?![01])", text) or text.endswith(f"/{ANY}"):
        raise ValueError("not a JSON Pointer to one value")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))


def pointer_step(step: str) -> str:
    """A key or place in a list as it stands in a JSON Pointer."""
    return step.replace("~", "~0").replace("/", "~1")


def path(text: str) -> Steps:
    """The steps of a path in XML to one element or attribute: `/config/port[2]/@speed`.

    Raises:
        ValueError: it is none.
    """
    if not _PATH.fullmatch(text) or text.endswith(f"/{ANY}"):
        raise ValueError("not a path in XML to one value")
    return tuple(text[1:].split("/"))
