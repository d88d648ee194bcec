"""Which paths an archive is asked for, so that what is left out does not cross the line.

Not every tar has `--exclude`, and none has our patterns. So a folder with something to leave out is asked for as its children,
one by one, and needs no entry of its own in the archive, since the listing has all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from verifier.transport.scope import parent
from verifier.transport.shell.commands import quoted

TARGET_BYTES = 6000
"""Room for paths on a command line; dropbear takes some 9000 bytes in all (`MAX_CMD_LEN`)."""


def targets(
    roots: tuple[bytes, ...],
    listed: Collection[bytes],
    is_folder: Callable[[bytes], bool],
    choices: Iterable[frozenset[bytes]],
) -> tuple[bytes, ...] | None:
    """The paths to ask for: together everything listed at and below the roots, but for what one of the choices leaves out.

    `choices` are sets of paths to leave out, best first; one whose paths do not fit on a command line is passed over. The roots
    are sorted. None: not even the last choice fits.
    """
    for left_out in choices:
        opened = {folder for path in left_out for folder in _ancestors(path)} - left_out
        children: dict[bytes, list[bytes]] = {}
        for path in listed:
            above = parent(path)
            if above in opened and path != b"/":
                children.setdefault(above, []).append(path)
        chosen: list[bytes] = []
        reached: set[bytes] = set()
        waiting = list(reversed(roots))
        room = TARGET_BYTES
        while waiting and room > 0:
            path = waiting.pop()
            if path in left_out or path in reached:
                continue
            reached.add(path)
            if path in opened:
                waiting.extend(reversed(children.get(path, [])))
            else:
                chosen.append(path)
                room -= len(quoted(b"." + path)) + 1
        if room > 0:
            return tuple(_without_doubles(chosen, listed, is_folder))
    return None


def _ancestors(path: bytes) -> list[bytes]:
    found = []
    while path != b"/":
        path = parent(path)
        found.append(path)
    return found


def _without_doubles(chosen: list[bytes], listed: Collection[bytes], is_folder: Callable[[bytes], bool]) -> list[bytes]:
    """Without those that the archive of another brings along, by way of folders that are listed; it follows no links."""
    every = set(chosen)

    def doubled(path: bytes) -> bool:
        for folder in _ancestors(path):
            if folder not in listed or not is_folder(folder):
                return False
            if folder in every:
                return True
        return False

    return [path for path in chosen if not doubled(path)]
