"""The members of an archive as a tree, built from its list. Names that lead out of it, or stand twice, make it unreadable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from verifier.errors import BadReply, OverBound
from verifier.model import member
from verifier.model.words import FileType
from verifier.transport.offline.volume import Lost, Node

_Below = dict[bytes, Node | Lost]


def _implied() -> Node:
    below: _Below = {}
    return Node(FileType.DIRECTORY, 0, 0, 0, 0, 0, below, implied=True)


class Catalogue:
    """Grows by `add`; then it is walked through `root` and `children`."""

    def __init__(self, most: int) -> None:
        """At most so many members."""
        self.root = _implied()
        self._most, self._count = most, 0

    def add(self, name: bytes, what: Node | Lost) -> None:
        """Put a member in its place. `/etc/x`, `etc/x` and `./etc/x` are one name.

        Raises:
            BadReply: the name cannot be, or is taken.
            OverBound: one member too many.
        """
        self._count += 1
        if self._count > self._most:
            raise OverBound(f"the archive holds more than {self._most} members", "unpack it and name the folder instead")
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        if b".." in parts or b"\0" in name:
            raise BadReply(f"the archive names a member outside itself: {member.shown(name)}", "find out who made this archive")
        if isinstance(what, Node) and what.type is FileType.DIRECTORY:
            what = replace(what, place={})
        if not parts:
            if not isinstance(what, Node) or what.type is not FileType.DIRECTORY or not self.root.implied:
                raise BadReply("the archive names its own top wrongly or twice", "make the archive again")
            self.root = replace(what, place=self.root.place)
            return
        below = self._below(self.root)
        for part in parts[:-1]:
            above = below.setdefault(part, _implied())
            if isinstance(above, Lost) or above.type is not FileType.DIRECTORY:
                raise BadReply(f"the archive puts {member.shown(name)} into what is no folder", "make the archive again")
            below = self._below(above)
        there = below.get(parts[-1])
        if isinstance(there, Node) and there.implied and isinstance(what, Node) and what.type is FileType.DIRECTORY:
            what = replace(what, place=there.place)
        elif there is not None:
            raise BadReply(f"the archive holds {member.shown(name)} twice", "make the archive again from a fresh folder")
        below[parts[-1]] = what

    def children(self, folder: Node) -> Iterator[tuple[bytes, Node | Lost]]:
        """As `Volume.children`."""
        yield from self._below(folder).items()

    def _below(self, folder: Node) -> _Below:
        assert isinstance(folder.place, dict)
        return folder.place
