"""What a request for a tree takes in and what it leaves out, decided on our side for every name a device gives."""

from __future__ import annotations

import re

from verifier.errors import BadReply, ForbiddenRequest
from verifier.model import pattern
from verifier.model.member import raw, shown
from verifier.transport.archive.header import absolute
from verifier.transport.request import ReadTree
from verifier.transport.shell.commands import quoted

KERNEL = (b"/proc", b"/sys")
"""Windows into the kernel. They look like files, but their sizes are not sizes and reading some of them is an act."""
PRUNED_BYTES = 2048
"""Room for excluded paths on a command line; dropbear takes some 9000 bytes in all (`MAX_CMD_LEN`, older ones 1024)."""


class Scope:
    """The request's roots, patterns and depth, made ready to be asked for each of many names."""

    def __init__(self, request: ReadTree) -> None:
        """Raises:
        ForbiddenRequest: a root is not an absolute path.
        """
        self.request = request
        # A pattern also stands for everything below what it matches.
        below = tuple(each.rstrip("/") + "/**" for each in request.exclude)
        self._excluded = pattern.compiled((*request.exclude, *below))
        self._keep = pattern.compiled(request.keep)
        wanted = {_root(root) for root in request.roots}
        self.roots = tuple(sorted(root for root in wanted if not self.excludes(root) and not in_kernel(root)))
        """Sorted, so that a root stands before one below it."""
        self.kernel_roots = tuple(sorted(root for root in wanted if not self.excludes(root) and in_kernel(root)))
        self.overlapping = any(below_or_at(a, b) for a in self.roots for b in self.roots if a != b)
        self.whole = b"/" in self.roots
        """Only then do the kernel's windows stand among the files."""
        self.pruned = self._pruned()
        self._starts = tuple(root.rstrip(b"/") + b"/" for root in self.roots)
        self._exact = frozenset(self.roots)

    def _pruned(self) -> tuple[bytes, ...]:
        """Excluded paths without wildcards, which the device need not list; as many as a command line has room for."""
        exact = [raw(each.rstrip("/")) for each in self.request.exclude if each.startswith("/") and not re.search(r"[*?]", each)]
        room = PRUNED_BYTES
        chosen: list[bytes] = [path for path in KERNEL if self.whole]
        for path in exact:
            room -= len(quoted(path)) + 12
            if room > 0 and any(below_or_at(path, root) for root in self.roots) and path not in chosen:
                chosen.append(path)
        return tuple(chosen)

    def excludes(self, path: bytes) -> bool:
        """Is it at or below something the request leaves out?"""
        return bool(self.request.exclude) and self._excluded.match(shown(path))

    def keeps(self, path: bytes, size: int) -> bool:
        """Shall its content come along?"""
        return size <= self.request.keep_limit and self._keep.match(shown(path))

    def check(self, path: bytes) -> None:
        """Raises:
        BadReply: a name that was not asked for, or that leads elsewhere.
        """
        if (path not in self._exact and not path.startswith(self._starts)) or absolute(path) != path:
            raise BadReply(
                f"the listing holds a name nobody asked for: {shown(path[:200])}", "somebody is playing with this device"
            )

    def too_deep(self, path: bytes) -> bool:
        """Is it more folders below its root than the request allows?"""
        if path.count(b"/") <= self.request.bounds.depth or path in self._exact:
            return False
        return all(
            path[len(start) :].count(b"/") + 1 > self.request.bounds.depth for start in self._starts if path.startswith(start)
        )


def below_or_at(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def in_kernel(path: bytes) -> bool:
    return any(below_or_at(path, folder) for folder in KERNEL)


def parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0] or b"/"


def _root(path: bytes) -> bytes:
    try:
        return absolute(path if len(path) == 1 else path.rstrip(b"/")) if path.startswith(b"/") else _refused(path)
    except BadReply:
        return _refused(path)


def _refused(path: bytes) -> bytes:
    raise ForbiddenRequest(f"a tree starts at an absolute path, not at {shown(path)}", "write it in full, without . and ..")
