"""Contents that come along with their files, held until the second listing confirms them."""

from __future__ import annotations

from verifier.transport.request import ReadTree
from verifier.transport.scope import Scope
from verifier.transport.shell.listing import Listed

KEPT_BYTES = 64 << 20
"""Most that is held for one request. Memory stays flat; a profile that wants more text from one item is told so."""


class Contents:
    def __init__(self, request: ReadTree, scope: Scope) -> None:
        self._limit = request.keep_limit if request.keep else -1
        self._scope = scope
        self._inodes: dict[bytes, bytes] = {}
        """Of files with several names: an archive holds their content under the first it meets, whichever is wanted."""
        self._wanted_inodes: set[bytes] = set()
        self._held: dict[bytes, bytes] = {}
        self._bytes = 0
        self._refused: set[bytes] = set()

    def linked(self, path: bytes, listed: Listed) -> None:
        """A regular file that has other names, of which this is one."""
        if self._limit < 0:
            return
        self._inodes[path] = listed.inode
        if self._scope.keeps(path, listed.size):
            self._wanted_inodes.add(listed.inode)

    def wants(self, path: bytes, size: int) -> bool:
        """Shall the archive's reader keep this content? For `read_archive`."""
        if size > self._limit:
            return False
        inode = self._inodes.get(path)
        wanted = inode in self._wanted_inodes if inode else self._scope.keeps(path, size)
        if wanted and self._bytes + size > KEPT_BYTES:
            self._refused.add(inode or path)
            return False
        return wanted

    def take(self, path: bytes, content: bytes | None) -> bool:
        """Hold what the reader kept. False: it was wanted, and there is no room."""
        key = self._inodes.get(path, path)
        if content is not None:
            self._held[key] = content
            self._bytes += len(content)
        return key not in self._refused

    def give(self, path: bytes, size: int) -> bytes | None:
        """The content that goes with an answer."""
        if size > self._limit or not self._scope.keeps(path, size):
            return None
        inode = self._inodes.get(path)
        return self._held.get(inode) if inode else self._held.pop(path, None)
