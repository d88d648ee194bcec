"""Two readings of one member: what differs, in words an engineer uses."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from typing import assert_never

from verifier.compare.describe import described, extent, mode, number
from verifier.compare.plain import plain
from verifier.compare.version import Order, order
from verifier.model.drift import Difference
from verifier.model.snapshot import FactValue, FileValue, NumberValue, WordValue
from verifier.model.words import Evidence, FileType, Kind

Known = FileValue | FactValue | NumberValue | WordValue
"""A value that was read, by one route or by agreeing ones."""

WORDS = 80
"""Two facts of more words than this together are shown whole: the time to align them grows with their square."""


def differences(approved: Known, found: Known) -> tuple[Difference, ...]:
    """What is compared and not equal; empty when the member is as approved. Times are never compared."""
    match approved, found:
        case FileValue(), FileValue():
            return tuple(_file(approved, found))
        case FactValue(), FactValue():
            return _fact(approved, found)
        case NumberValue(), NumberValue():
            return _number(approved, found)
        case WordValue(), WordValue() if approved.word == found.word:
            return ()
        case WordValue(), WordValue():
            return (Difference("value", str(approved.word), str(found.word)),)
        case _:
            return (Difference("reading", _named(approved), _named(found)),)


def gap(approved: Known, found: Known) -> str:
    """Why a member that looks equal was not proven equal, or empty.

    Content that nobody read on one of the two days is not the same content.
    """
    if not isinstance(approved, FileValue) or not isinstance(found, FileValue) or _both_normal(approved, found):
        return ""
    if approved.sha256 and not found.sha256:
        return "the content was not read now"
    if found.sha256 and not approved.sha256:
        return "the content was not read when the baseline was approved"
    return ""


def weaker(value: Known, approved: Evidence, found: Evidence) -> str:
    """Why the reading proves less than the approved one did, or empty.

    A baseline taken from a memory card stays comparable with the running device: there, bytes read out and hashed here are enough
    for what has content, and the device's own word for what has none.
    """
    least = approved
    if approved is Evidence.OFFLINE_MEDIA:
        least = Evidence.CONTENT if isinstance(value, FileValue) and value.sha256 else Evidence.CLAIMED
    return "" if found >= least else f"read only as {found.word}; approved as {approved.word}"


def remark(kind: Kind, approved: Known, found: Known) -> str:
    """What an engineer should know first about two values that differ; may be empty."""
    match approved, found:
        case FileValue(), FileValue():
            other = any(d.what in ("sha256", "normalised sha256") for d in _contents(approved, found))
            return _versions(kind, approved.version, found.version, "same version {}, different bytes" if other else "")
        case FactValue(), FactValue():
            return _versions(kind, approved.version, found.version, "")
        case _, NumberValue() if found.out_of_limits:
            return "outside the limits of the profile"
        case _:
            return ""


def _file(approved: FileValue, found: FileValue) -> list[Difference]:
    out = []
    if approved.version and found.version and approved.version != found.version:
        out.append(Difference("version", plain(approved.version, 100), plain(found.version, 100)))
    if approved.type is not found.type:
        out.append(Difference("type", approved.type.value, found.type.value))
    if approved.target != found.target:
        out.append(Difference("target", plain(approved.target), plain(found.target)))
    if approved.mode != found.mode:
        out.append(Difference("mode", mode(approved.mode), mode(found.mode)))
    if approved.owner != found.owner:
        out.append(Difference("owner", str(approved.owner), str(found.owner)))
    if approved.group != found.group:
        out.append(Difference("group", str(approved.group), str(found.group)))
    if approved.type is found.type:
        out += _contents(approved, found)
    return out


def _contents(approved: FileValue, found: FileValue) -> list[Difference]:
    out = []
    if approved.type is FileType.REGULAR and _both_normal(approved, found):
        if approved.normal_sha256 != found.normal_sha256:
            out.append(Difference("normalised sha256", approved.normal_sha256, found.normal_sha256))
        return out
    if approved.type in (FileType.REGULAR, FileType.CHARACTER, FileType.BLOCK) and approved.size != found.size:
        out.append(Difference("size", extent(approved), extent(found)))
    if approved.sha256 and found.sha256 and approved.sha256 != found.sha256:
        out.append(Difference("sha256", approved.sha256, found.sha256))
    return out


def _both_normal(approved: FileValue, found: FileValue) -> bool:
    return bool(approved.normal_sha256 and found.normal_sha256)


def _fact(approved: FactValue, found: FactValue) -> tuple[Difference, ...]:
    """Word by word, and `mac=1` against `mac=2` as `mac 1 -> 2`."""
    if approved.text == found.text:
        return ()
    before, after = approved.text.split(), found.text.split()
    if Counter(before) == Counter(after) or len(before) + len(after) > WORDS:
        return (Difference("text", plain(approved.text), plain(found.text)),)
    out = []
    for same, first, end, second, until in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if same != "equal":
            out += _words(before[first:end], after[second:until])
    return tuple(out)


def _words(before: list[str], after: list[str]) -> list[Difference]:
    keys = [(a.partition("="), b.partition("=")) for a, b in zip(before, after, strict=False)]
    if len(before) == len(after) and all(a[0] == b[0] and a[1] and b[1] for a, b in keys):
        return [Difference(plain(a[0], 100), plain(a[2]), plain(b[2])) for a, b in keys]
    return [Difference("text", plain(" ".join(before)), plain(" ".join(after)))]


def _number(approved: NumberValue, found: NumberValue) -> tuple[Difference, ...]:
    if approved.raw == found.raw:
        return ()
    before, after = number(approved), number(found)
    if before != after:
        return (Difference("value", before, after),)
    return (Difference("registers", _registers(approved), _registers(found)),)


def _registers(value: NumberValue) -> str:
    return plain(" ".join(f"{word:04x}" for word in value.raw))


def _versions(kind: Kind, approved: str, found: str, same: str) -> str:
    if not approved or not found:
        return ""
    before, after = plain(approved, 100), plain(found, 100)
    match order(approved, found):
        case Order.SAME:
            return same.format(after)
        case Order.OLDER:
            word = kind.value if kind in (Kind.FIRMWARE, Kind.PROGRAM) else "version"
            return f"{word} downgrade {before} -> {after}"
        case Order.NEWER:
            return f"newer version {before} -> {after}"
        case Order.UNKNOWN:
            return f"other version {before} -> {after}"
        case _ as never:
            assert_never(never)


def _named(value: Known) -> str:
    kind = {FileValue: "file", FactValue: "fact", NumberValue: "number", WordValue: "register"}[type(value)]
    return f"{kind}: {described(value)}"
