"""Walking a volume: the answers to `ReadTree` and `ReadFile`, the same for folders, archives and disk images.

A folder is answered after what is in it. So when a bound is reached or a listing breaks, the folder and every folder above it
are `NotRead` with `below`, each path once, and what was read before stands.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from verifier.errors import DeviceError, OverBound
from verifier.model import member, pattern
from verifier.model.words import FileType, Reason
from verifier.transport.answer import Answer, FileEntry, NotRead, Output
from verifier.transport.offline.meter import Meter
from verifier.transport.offline.place import distinct, find, joined, split
from verifier.transport.offline.volume import Lost, LostError, Node, Sequential, Volume, reason_of
from verifier.transport.request import Copy, ReadFile, ReadTree, begin_copy, dropping

GATHERED = 64 << 20
"""Bytes of a member of a tar archive that can be copied out of it: it is held in memory."""
LARGE = 1 << 20
"""Bytes from which a file is hashed beside others, where the volume allows it."""


class Walk:
    """One `ReadTree` over one volume."""

    def __init__(self, volume: Volume, request: ReadTree) -> None:
        self._volume, self._request = volume, request
        self._exclude = pattern.compiled(request.exclude) if request.exclude else None
        self._keep = pattern.compiled(request.keep) if request.keep else None
        self._later: dict[str, list[tuple[bytes, Node]]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._aside: deque[Future[Answer]] = deque()
        self.meter = Meter(request.bounds)

    def answers(self) -> Iterator[Answer]:
        """All answers. Folders come after their contents.

        Raises:
            UsageError: a root holds `..`.
        """
        try:
            yield from self._roots()
            yield from self._gathered()
            while self._aside:
                yield self._aside.popleft().result()
        finally:
            self.meter.stop()
            if self._pool:
                self._pool.shutdown(cancel_futures=True)

    def _roots(self) -> Iterator[Answer]:
        over = ""
        for root in distinct(self._request.roots):
            path = joined(root)
            if self._left_out_from(root):
                continue
            if over:
                yield NotRead(path, Reason.BOUND, over, below=True)
                continue
            try:
                yield from self._root(path, root)
            except OverBound as error:
                over = str(error)

    def _root(self, path: bytes, parts: tuple[bytes, ...]) -> Iterator[Answer]:
        try:
            node = find(self._volume, parts, follow_last=False)
        except (LostError, DeviceError) as error:
            yield _not_read(path, error, below=True)
            return
        match node:
            case None:
                return
            case Lost():
                yield NotRead(path, node.reason, node.detail, below=True)
            case Node():
                yield from self._node(path, node, 0)

    def _node(self, path: bytes, node: Node, depth: int) -> Iterator[Answer]:
        if node.type is FileType.DIRECTORY:
            yield from self._folder(path, node, depth)
            return
        try:
            self.meter.member()
        except OverBound as error:
            yield NotRead(path, Reason.BOUND, str(error))
            raise
        if node.type is not FileType.REGULAR:
            yield entry(path, node, node.size)
        elif not node.sha256:
            yield from self._file(path, node)
        elif self._wanted(path, node) or self._copied(path, node):
            self._later.setdefault(node.sha256, []).append((path, node))
        else:
            yield self._known(path, node, None)

    def _folder(self, path: bytes, node: Node, depth: int) -> Iterator[Answer]:
        if self.meter.too_deep(depth):
            yield NotRead(path, Reason.BOUND, f"deeper than {self._request.bounds.depth} folders", below=True)
            return
        seen: set[bytes] = set()
        above = b"" if path == b"/" else path
        try:
            if not node.implied:
                self.meter.member()
            for name, child in self._volume.children(node):
                if not name or name in (b".", b"..") or b"/" in name or b"\0" in name:
                    raise LostError(Reason.BAD_REPLY, f"it lists a name that cannot be: {member.shown(name)!r}")
                if name in seen:
                    raise LostError(Reason.BAD_REPLY, f"it lists {member.shown(name)!r} twice")
                seen.add(name)
                below = above + b"/" + name
                if self._left_out(below):
                    continue
                if isinstance(child, Lost):
                    self.meter.member()
                    yield NotRead(below, child.reason, child.detail, below=True)
                else:
                    yield from self._node(below, child, depth + 1)
        except OverBound as error:
            yield NotRead(path, Reason.BOUND, str(error), below=True)
            raise
        except (LostError, DeviceError) as error:
            yield _not_read(path, error, below=True)
            return
        if not node.implied:
            yield entry(path, node, 0)

    def _gathered(self) -> Iterator[Answer]:
        """What is known by its digest and whose content is wanted as well: one pass for all."""
        if not self._later:
            return
        assert isinstance(self._volume, Sequential)
        nodes = [node for same in self._later.values() for _, node in same]
        for digest, content in self._volume.gather(nodes):
            for path, node in self._later.pop(digest):
                if (copy := begin_copy(self._request, path, node.size)) is not None:
                    with dropping(copy):
                        copy.add(content)
                        copy.done()
                yield self._known(path, node, content if self._wanted(path, node) else None)

    def _known(self, path: bytes, node: Node, content: bytes | None) -> Answer:
        try:
            self.meter.claim(node.size)
        except LostError as error:
            return _not_read(path, error)
        return entry(path, node, node.size, node.sha256, content)

    def _wanted(self, path: bytes, node: Node) -> bool:
        return self._keep is not None and node.size <= self._request.keep_limit and self._keep.match(member.shown(path))

    def _copied(self, path: bytes, node: Node) -> bool:
        """Whether its content goes elsewhere as well; an archive's members come one whole after the other, so not the largest."""
        if node.size > GATHERED or (copy := begin_copy(self._request, path, node.size)) is None:
            return False
        copy.drop()
        return True

    def _file(self, path: bytes, node: Node) -> Iterator[Answer]:
        try:
            self.meter.claim(node.size)
        except LostError as error:
            yield _not_read(path, error)
            return
        if self._volume.threads == 1 or node.size < LARGE:
            yield self._hashed(path, node)
            return
        # hashlib lets other threads run while it works on a large piece, so two large files are hashed in the time of one
        self._pool = self._pool or ThreadPoolExecutor(self._volume.threads)
        self._aside.append(self._pool.submit(self._hashed, path, node))
        if len(self._aside) > self._volume.threads:
            yield self._aside.popleft().result()

    def _hashed(self, path: bytes, node: Node) -> Answer:
        copy = begin_copy(self._request, path, node.size)
        with dropping(copy):
            answer = self._read(path, node, copy)
            if copy and isinstance(answer, FileEntry):
                copy.done()
            return answer

    def _read(self, path: bytes, node: Node, copy: Copy | None) -> Answer:
        wanted = self._wanted(path, node)
        kept: list[bytes] = []
        digest = hashlib.sha256()
        size = 0
        try:
            for chunk in self._volume.content(node):
                size += len(chunk)
                if size > node.size:
                    return NotRead(path, Reason.BAD_REPLY, f"more bytes than the {node.size} it claims")
                digest.update(chunk)
                if copy:
                    copy.add(chunk)
                if wanted:
                    kept.append(chunk)
                self.meter.time()
        except (LostError, DeviceError) as error:
            return _not_read(path, error)
        if size < node.size:
            return NotRead(path, Reason.TRUNCATED, f"{size} of {node.size} bytes")
        return entry(path, node, size, digest.hexdigest(), b"".join(kept) if wanted else None)

    def _left_out(self, path: bytes) -> bool:
        return self._exclude is not None and self._exclude.match(member.shown(path))

    def _left_out_from(self, parts: tuple[bytes, ...]) -> bool:
        return any(self._left_out(joined(parts[:length])) for length in range(len(parts) + 1))


def read_file(volume: Volume, request: ReadFile) -> Output | NotRead:
    """One whole file; links on the way and at the end are followed inside the volume, as the device would."""
    try:
        node = find(volume, split(request.path), follow_last=True)
        if node is None:
            return NotRead(request.path, Reason.REFUSED, "no such file")
        if isinstance(node, Lost):
            return NotRead(request.path, node.reason, node.detail)
        if node.type is not FileType.REGULAR:
            return NotRead(request.path, Reason.REFUSED, f"a {node.type.value}, not a file")
        data = bytearray()
        for chunk in volume.content(node):
            data += chunk
            if len(data) > request.limit:
                return NotRead(request.path, Reason.BOUND, f"more than {request.limit} bytes")
    except (LostError, DeviceError) as error:
        return _not_read(request.path, error)
    if len(data) != node.size:
        return NotRead(request.path, Reason.TRUNCATED, f"{len(data)} of {node.size} bytes")
    return Output(bytes(data))


def entry(path: bytes, node: Node, size: int, sha256: str = "", content: bytes | None = None) -> FileEntry:
    """A node as an answer."""
    return FileEntry(
        path, node.type, node.mode, node.owner, node.group, size, node.mtime, node.target, sha256=sha256, content=content
    )


def _not_read(path: bytes, error: LostError | DeviceError, below: bool = False) -> NotRead:
    if isinstance(error, LostError):
        return NotRead(path, error.lost.reason, error.lost.detail, below)
    return NotRead(path, reason_of(error), str(error), below)
