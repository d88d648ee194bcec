"""One value in words: what a missing member was, what an unexpected one is."""

from __future__ import annotations

from typing import assert_never

from verifier.compare.plain import plain
from verifier.model.snapshot import Disagreement, FactValue, FileValue, NumberValue, Unread, Value, WordValue
from verifier.model.words import FileType


def described(value: Value) -> str:
    """A value in words, printable: `file, 1,204 bytes, mode 0755, sha256 5891b5b522d5`, `50.0 t`."""
    match value:
        case FileValue():
            return ", ".join(_file(value))
        case FactValue():
            return plain(value.text)
        case NumberValue():
            return number(value)
        case WordValue():
            return str(value.word)
        case Unread():
            return f"unread ({value.reason.value})"
        case Disagreement():
            return f"{plain(value.first)} by {value.first_route}, {plain(value.second)} by {value.second_route}"
        case _:
            assert_never(value)


def number(value: NumberValue) -> str:
    """Engineering value with its unit: `62.0 t`."""
    return plain(f"{value.shown} {value.unit}".strip())


def mode(bits: int) -> str:
    """Permission bits as engineers write them, with what the first digit means: `4755 (setuid)`."""
    named = [name for bit, name in ((0o4000, "setuid"), (0o2000, "setgid"), (0o1000, "sticky")) if bits & bit]
    return f"{bits:04o} ({', '.join(named)})" if named else f"{bits:04o}"


def extent(value: FileValue) -> str:
    """Bytes of a file, or the numbers of a device node: `1,204 bytes`, `device 4:64`."""
    if value.type in (FileType.CHARACTER, FileType.BLOCK):
        return f"device {value.size >> 20}:{value.size & 0xFFFFF}"
    return f"{value.size:,} bytes"


def _file(value: FileValue) -> list[str]:
    words = [value.type.value]
    if value.type in (FileType.REGULAR, FileType.CHARACTER, FileType.BLOCK):
        words.append(extent(value))
    if value.target:
        words.append(f"to {plain(value.target)}")
    words.append(f"mode {mode(value.mode)}")
    if value.version:
        words.append(f"version {plain(value.version, 100)}")
    if value.sha256:
        words.append(f"sha256 {value.sha256[:12]}")
    if value.not_normal:
        words.append(f"not normalised: {plain(value.not_normal)}")
    return words
