"""Reading file trees over SFTP, many questions at a time.

Each file and folder is a small task that says what it wants to ask next. The walk keeps the line full with the questions of
all tasks and hands each answer to its task, so the number of round trips does not grow with the number of files.
"""

from __future__ import annotations

import stat
import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from verifier.model.member import shown
from verifier.model.words import FileType, Reason
from verifier.transport.answer import Answer, FileEntry, NotRead, Output
from verifier.transport.archive.header import names_room
from verifier.transport.request import Copy, ReadFile, ReadTree, begin_copy, dropping
from verifier.transport.scope import KERNEL, Scope
from verifier.transport.sftp.client import (
    Attributes,
    Close,
    Code,
    Data,
    Handle,
    Lstat,
    Names,
    Open,
    OpenDirectory,
    Question,
    Read,
    ReadDirectory,
    ReadLink,
    Reply,
    Sftp,
    Status,
)
from verifier.transport.sftp.content import CHUNK, Content, Fault, fault_of

_TASKS = 32
_LISTINGS_AHEAD = 2
_TYPES = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFSOCK: FileType.SOCKET,
    stat.S_IFCHR: FileType.CHARACTER,
    stat.S_IFBLK: FileType.BLOCK,
}

Task = Generator[tuple[Question, ...], tuple[Question, Reply], None]
"""Yields questions to ask beside those it has open, or none to wait for one of them; gets back one answer."""


@dataclass(frozen=True, slots=True)
class _Found:
    path: bytes
    depth: int
    attributes: Attributes

    @property
    def type(self) -> int:
        return stat.S_IFMT(self.attributes.mode)


class SftpWalk:
    """One `ReadTree` over one SFTP session. A folder is answered after its listing, so that each path is answered once."""

    def __init__(self, sftp: Sftp, request: ReadTree) -> None:
        """Raises:
        ForbiddenRequest: a root is not an absolute path.
        """
        self._sftp, self._request, self._bounds = sftp, request, request.bounds
        self._scope = Scope(request)
        self._ends = time.monotonic() + request.bounds.seconds
        self._members = self._bytes = 0
        self._room = names_room(request.bounds.members)
        self._files: deque[_Found] = deque()
        self._folders: list[_Found] = []
        self._answers: deque[Answer] = deque()
        self._questions: deque[tuple[Task, Question]] = deque()
        self._owners: dict[int, Task] = {}
        self._tasks: set[Task] = set()
        self.nodes = 0
        """Device nodes met: SFTP cannot tell their numbers."""

    def answers(self) -> Iterator[Answer]:
        """All answers, in no order. An absent root has none.

        Raises:
            DeviceError: the line broke, or the server does not keep to the protocol.
        """
        for root in self._scope.kernel_roots:
            yield _kernel(root)
        for root in self._scope.roots:
            self._begin(self._root(root))
        while True:
            self._start()
            while self._questions and self._sftp.room:
                task, question = self._questions.popleft()
                self._owners[self._sftp.post(question)] = task
            while self._answers:
                yield self._answers.popleft()
            if not self._owners:
                return
            number, question, reply = self._sftp.collect()
            self._resume(self._owners.pop(number), (question, reply))

    def _start(self) -> None:
        while len(self._tasks) < _TASKS and (self._files or self._folders):
            found = self._files.popleft() if self._files else self._folders.pop()
            self._begin(self._one(found))

    def _begin(self, task: Task) -> None:
        self._tasks.add(task)
        self._resume(task, None)

    def _resume(self, task: Task, answer: tuple[Question, Reply] | None) -> None:
        try:
            questions = next(task) if answer is None else task.send(answer)
        except StopIteration:
            self._tasks.discard(task)
            return
        self._questions.extend((task, question) for question in questions)

    def _root(self, path: bytes) -> Task:
        _, reply = yield (Lstat(path),)
        if isinstance(reply, Attributes):
            self._members += 1
            self._sort(_Found(path, 0, reply))
        elif isinstance(reply, Status) and reply.code != Code.NO_SUCH_FILE:
            fault = fault_of(reply)
            self._answers.append(NotRead(path, fault.reason, fault.detail, below=True))

    def _sort(self, found: _Found) -> None:
        if found.type == stat.S_IFDIR:
            self._folders.append(found)
        else:
            self._files.append(found)

    def _one(self, found: _Found) -> Task:
        """Any file or folder, to its answer."""
        try:
            self._check_time()
            if not found.attributes.whole:  # there are servers that list names only
                _, reply = yield (Lstat(found.path),)
                if not isinstance(reply, Attributes):
                    raise _no(reply)
                if not reply.whole:
                    raise Fault(Reason.BAD_REPLY, "the device does not say its size, owner, mode and times")
                found = _Found(found.path, found.depth, reply)
            kind = _TYPES.get(found.type)
            match kind:
                case FileType.REGULAR:
                    answer = yield from self._file(found)
                case FileType.DIRECTORY:
                    answer = yield from self._folder(found)
                case FileType.SYMLINK:
                    _, reply = yield (ReadLink(found.path),)
                    if not isinstance(reply, Names):
                        raise _no(reply)
                    answer = _entry(found, FileType.SYMLINK, target=reply.names[0][0])
                case None:
                    raise Fault(Reason.BAD_REPLY, f"a file of unknown type, mode {found.attributes.mode:o}")
                case _:
                    self.nodes += kind in (FileType.CHARACTER, FileType.BLOCK)
                    answer = _entry(found, kind)
        except Fault as fault:
            answer = NotRead(found.path, fault.reason, fault.detail, below=found.type == stat.S_IFDIR)
        self._answers.append(answer)

    def _folder(self, found: _Found) -> Generator[tuple[Question, ...], tuple[Question, Reply], Answer]:
        if found.depth > self._bounds.depth:
            raise Fault(Reason.BOUND, f"deeper than {self._bounds.depth} folders")
        _, reply = yield (OpenDirectory(found.path),)
        if not isinstance(reply, Handle):
            raise _no(reply)
        next_piece = ReadDirectory(reply.handle)
        seen: set[bytes] = set()
        trouble: Fault | None = None
        ask: tuple[Question, ...] = (next_piece,) * _LISTINGS_AHEAD
        waiting = len(ask)
        ended = False
        while waiting:
            _, piece = yield ask
            waiting -= 1
            ask = ()
            try:
                match piece:
                    case Names() if trouble is None:
                        self._listed(found, piece, seen)
                    case Status(Code.EOF):
                        ended = True
                    case Status():
                        raise _no(piece)
                self._check_time()
            except Fault as fault:
                trouble = trouble or fault
            if not ended and trouble is None:
                ask = (next_piece,)
                waiting += 1
        yield (Close(reply.handle),)
        if trouble:
            raise trouble
        return _entry(found, FileType.DIRECTORY)

    def _listed(self, found: _Found, listing: Names, seen: set[bytes]) -> None:
        above = b"" if found.path == b"/" else found.path
        for name, attributes in listing.names:
            if name in (b".", b".."):
                continue
            if not name or b"/" in name or b"\0" in name:
                raise Fault(Reason.BAD_REPLY, f"it lists a name that cannot be: {shown(name)[:100]!r}")
            if name in seen:
                raise Fault(Reason.BAD_REPLY, f"it lists {shown(name)[:100]!r} twice")
            seen.add(name)
            path = above + b"/" + name
            self._count_member(path)
            if path in KERNEL:
                self._answers.append(_kernel(path))
            elif path not in self._scope.roots and not self._scope.excludes(path):
                self._sort(_Found(path, found.depth + 1, attributes))

    def _file(self, found: _Found) -> Generator[tuple[Question, ...], tuple[Question, Reply], Answer]:
        self._claim(found.attributes.size)
        _, reply = yield (Open(found.path),)
        if not isinstance(reply, Handle):
            raise _no(reply)
        copy = begin_copy(self._request, found.path, found.attributes.size)
        with dropping(copy):
            answer = yield from self._content(found, reply.handle, copy)
            if copy:
                copy.done()
            return answer

    def _content(
        self, found: _Found, handle: bytes, copy: Copy | None
    ) -> Generator[tuple[Question, ...], tuple[Question, Reply], Answer]:
        content = Content(handle, found.attributes.size, self._keep_limit(found), copy)
        trouble: Fault | None = None
        ask = content.more()
        while content.waiting:
            question, answer = yield ask
            assert isinstance(question, Read)
            try:
                content.take(question, answer)
                if content.size > found.attributes.size and isinstance(answer, Data):
                    self._claim(len(answer.data))
                self._check_time()
            except Fault as fault:
                trouble = trouble or fault
            ask = content.more() if trouble is None else ()
        _, first = yield (Close(handle), Lstat(found.path))
        _, second = yield ()
        if trouble:
            raise trouble
        after = first if isinstance(first, Attributes) else second
        if not isinstance(after, Attributes):
            raise _no(first if isinstance(first, Status) and first.code != Code.OK else second)
        if change := _difference(found.attributes, after):
            raise Fault(Reason.UNSTABLE, change)
        content.finished()
        return _entry(found, FileType.REGULAR, size=content.size, sha256=content.sha256, content=content.kept)

    def _keep_limit(self, found: _Found) -> int:
        wanted = self._scope.keeps(found.path, found.attributes.size)
        return self._request.keep_limit if wanted else -1

    def _count_member(self, path: bytes) -> None:
        self._room -= len(path)
        if self._room < 0:
            raise Fault(Reason.BOUND, f"the names take more than {names_room(self._bounds.members)} bytes")
        self._members += 1
        if self._members > self._bounds.members:
            raise Fault(Reason.BOUND, f"more than {self._bounds.members} members")

    def _claim(self, size: int) -> None:
        left = self._bounds.bytes - self._bytes
        if size > left:
            raise Fault(Reason.BOUND, f"{size} bytes, with {left} left of {self._bounds.bytes}")
        self._bytes += size

    def _check_time(self) -> None:
        if time.monotonic() > self._ends:
            raise Fault(Reason.BOUND, f"not read within {self._bounds.seconds:g} s")


def read_file(sftp: Sftp, request: ReadFile) -> Output | NotRead:
    """One whole file, links followed, of whatever size the device says: /proc says 0.

    Raises:
        DeviceError: as of `Sftp`.
    """
    reply = sftp.ask(Open(request.path))
    if not isinstance(reply, Handle):
        fault = _no(reply)
        reason = Reason.REFUSED if fault.reason is Reason.VANISHED else fault.reason
        return NotRead(request.path, reason, fault.detail)
    data = bytearray()
    answer: Output | NotRead | None = None
    while answer is None:
        piece = sftp.ask(Read(reply.handle, len(data), CHUNK))
        match piece:
            case Data():
                data += piece.data
                if len(data) > request.limit:
                    answer = NotRead(request.path, Reason.BOUND, f"more than {request.limit} bytes")
            case Status(Code.EOF):
                answer = Output(bytes(data))
            case _:
                fault = _no(piece)
                answer = NotRead(request.path, fault.reason, fault.detail)
    sftp.ask(Close(reply.handle))
    return answer


def _kernel(path: bytes) -> NotRead:
    return NotRead(path, Reason.UNSUPPORTED, "a window into the kernel, not files: ask for facts instead", below=True)


def _no(reply: Reply) -> Fault:
    return fault_of(reply) if isinstance(reply, Status) else Fault(Reason.BAD_REPLY, "the device gave no status")


def _difference(before: Attributes, after: Attributes) -> str:
    for what, first, second in (
        ("mode", f"{before.mode:o}", f"{after.mode:o}"),
        ("size", str(before.size), str(after.size)),
        ("time", str(before.mtime), str(after.mtime)),
        ("owner", f"{before.owner}:{before.group}", f"{after.owner}:{after.group}"),
    ):
        if first != second:
            return f"its {what} went from {first} to {second}"
    return ""


def _entry(
    found: _Found, kind: FileType, size: int = 0, target: bytes = b"", sha256: str = "", content: bytes | None = None
) -> FileEntry:
    said = found.attributes
    return FileEntry(
        found.path,
        kind,
        said.mode & 0o7777,
        said.owner,
        said.group,
        size,
        said.mtime,
        target,
        sha256=sha256,
        content=content,
    )
