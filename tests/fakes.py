"""A route that plays a script: a device we can make answer, refuse, lie and fall silent, without a socket."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from verifier.errors import DeviceError, Refused
from verifier.model.words import Evidence, FileType, Reason, Table
from verifier.transport.answer import Answer, FileEntry, NotRead, Output, Words
from verifier.transport.request import Command, ReadFile, ReadTable, ReadTree, Request, Run
from verifier.transport.route import LineFact
from verifier.transport.transcript import Transcript

Play = Callable[[Request], "Script"]
Script = list[Answer | Exception]
"""What happens on one request, in order: answers, or an error that ends it."""


class FakeRoute:
    """Answers every request by `play`, and remembers what was asked. `cannot` says why a request cannot be asked at all."""

    def __init__(
        self,
        play: Play,
        *,
        evidence: Evidence = Evidence.CONTENT,
        facts: tuple[LineFact, ...] = (),
        notes: tuple[str, ...] = (),
        cannot: Callable[[Request], str] = lambda _: "",
    ) -> None:
        self.transcript = Transcript()
        self.evidence = evidence
        self.facts = facts
        self.notes = notes
        self.asked: list[Request] = []
        self._play, self._cannot = play, cannot

    def can(self, request: Request) -> str:
        return self._cannot(request)

    def ask(self, request: Request) -> Iterator[Answer]:
        self.asked.append(request)
        self.transcript.add(repr(request))
        for step in self._play(request):
            if isinstance(step, Exception):
                raise step
            yield step

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass


class FakeLinux:
    """A Linux device: files by path, command outputs, trees made of its files. What it does not have it says it does not have."""

    def __init__(
        self,
        files: Mapping[bytes, bytes | Reason],
        commands: Mapping[Command, bytes | int] | None = None,
        entries: tuple[FileEntry | NotRead, ...] = (),
    ) -> None:
        self.files, self.commands, self.entries = dict(files), dict(commands or {}), entries

    def __call__(self, request: Request) -> Script:
        match request:
            case ReadFile(path):
                return [self._file(path)]
            case Run(command):
                said = self.commands.get(command, 127)
                return [Output(b"", said) if isinstance(said, int) else Output(said)]
            case ReadTree(roots):
                return [each for each in self._entries() if any(_below(each.path, root) for root in roots)]
            case _:
                return [NotRead(b"", Reason.UNSUPPORTED)]

    def _file(self, path: bytes) -> Answer:
        match self.files.get(path):
            case None:
                return NotRead(path, Reason.REFUSED, "no such file")
            case Reason() as why:
                return NotRead(path, why, "permission denied")
            case data:
                return Output(data)

    def _entries(self) -> Iterator[FileEntry | NotRead]:
        yield from self.entries
        known = {each.path for each in self.entries}
        for path, data in self.files.items():
            if path not in known and not path.startswith((b"/proc/", b"/sys/")):
                yield NotRead(path, data, "permission denied") if isinstance(data, Reason) else regular(path, data)


def _below(path: bytes, root: bytes) -> bool:
    return path == root or path.startswith(root.rstrip(b"/") + b"/")


def regular(path: bytes, content: bytes, mode: int = 0o644) -> FileEntry:
    """A file as a route answers it that was asked to keep its content."""
    digest = hashlib.sha256(content).hexdigest()
    return FileEntry(path, FileType.REGULAR, mode, 0, 0, len(content), 1_700_000_000, sha256=digest, content=content)


class FakeRegisters:
    """A Modbus device: `tables` hold what exists, everything else is refused. `lie` may change what is answered."""

    def __init__(
        self,
        tables: Mapping[Table, Mapping[int, int]],
        *,
        refuse: DeviceError | None = None,
        most: int = 2000,
        lie: Callable[[ReadTable, tuple[int, ...]], tuple[int, ...]] = lambda _, words: words,
    ) -> None:
        self.tables, self._refuse, self._most, self._lie = tables, refuse, most, lie

    def __call__(self, request: Request) -> Script:
        if not isinstance(request, ReadTable):
            return [Refused("illegal function (exception 1)")]
        held = self.tables.get(request.table, {})
        places = range(request.first, request.first + request.count)
        if request.count > self._most or any(place not in held for place in places):
            return [self._refuse or Refused("illegal data address (exception 2)")]
        return [Words(self._lie(request, tuple(held[place] for place in places)))]


def key_line(blob: bytes, before: str = "", comment: str = "me@desk") -> str:
    """A line of authorized_keys."""
    return f"{before}ssh-ed25519 {base64.b64encode(blob).decode()} {comment}\n"


def fingerprint(blob: bytes) -> str:
    """As ssh-keygen shows a key."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
