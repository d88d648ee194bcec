"""From a path to what stands there in a volume."""

from __future__ import annotations

from verifier.errors import UsageError
from verifier.model import member
from verifier.model.words import FileType, Reason
from verifier.transport.offline.volume import Lost, LostError, Node, Volume

LINKS = 40
"""Symbolic links followed on the way to one path, as Linux does (path_resolution(7))."""


def find(volume: Volume, parts: tuple[bytes, ...], follow_last: bool) -> Node | Lost | None:
    """What stands at a path, or None. Links on the way are followed, and never lead out of the volume.

    Raises:
        LostError: a folder on the way cannot be listed, or links run in a circle.
        DeviceError: the volume cannot be read.
    """
    above = [volume.root]
    ahead = list(reversed(parts))
    links = 0
    while ahead:
        name = ahead.pop()
        if above[-1].type is not FileType.DIRECTORY:
            return None
        if name == b"..":
            above = above[:-1] or above
            continue
        child = _child(volume, above[-1], name)
        if child is None or isinstance(child, Lost):
            return child
        if child.type is FileType.SYMLINK and (ahead or follow_last):
            links += 1
            if links > LINKS:
                raise LostError(Reason.REFUSED, f"more than {LINKS} links on the way")
            if child.target.startswith(b"/"):
                above = above[:1]
            ahead.extend(reversed([part for part in child.target.split(b"/") if part not in (b"", b".")]))
            continue
        above.append(child)
    return above[-1]


def _child(volume: Volume, folder: Node, name: bytes) -> Node | Lost | None:
    for each, child in volume.children(folder):
        if each == name:
            return child
    return None


def split(path: bytes) -> tuple[bytes, ...]:
    """The parts of an absolute path.

    Raises:
        UsageError: it holds `..`.
    """
    parts = tuple(part for part in path.split(b"/") if part not in (b"", b"."))
    if b".." in parts:
        raise UsageError(f"{member.shown(path)} holds `..`", "write the path without `..` in the profile")
    return parts


def joined(parts: tuple[bytes, ...]) -> bytes:
    """The absolute path of parts."""
    return b"/" + b"/".join(parts)


def distinct(roots: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    """The roots in parts and in order, without those that stand at or below another, so that each path is answered once.

    Raises:
        UsageError: one holds `..`.
    """
    found: list[tuple[bytes, ...]] = []
    for root in sorted({split(root) for root in roots}):
        if not any(root[: len(other)] == other for other in found):
            found.append(root)
    return found
