"""Asking a running system for facts: several sources, some of them in each other's place, and what became of each.

A source that a device does not have (no such file, no such command, a route without commands) is absent, and another one may
stand in for it. A source that is there and could not be read is never replaced: the other one would word things differently, and
what is merely unread would look changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from verifier.collect import text
from verifier.collect.asking import Asking, Outcome
from verifier.collect.fact import Fact, Parser
from verifier.collect.files import tree_answers
from verifier.collect.printable import escaped, printable
from verifier.collect.unread import whole
from verifier.errors import BadReply, OverBound, Refused, Unsupported
from verifier.model.member import shown
from verifier.model.pattern import matches
from verifier.model.profile import Bounds, Item, Proof
from verifier.model.snapshot import WHOLE_ITEM, FactValue, NotAsked, Reading, Unread
from verifier.model.words import Evidence, Reason
from verifier.transport.answer import FileEntry, NotRead, Output
from verifier.transport.request import Command, ReadFile, ReadTree, Run

LONGEST_NAME: Final = 300
_NO_COMMAND: Final = (126, 127)
"""Exit statuses of POSIX shells and env(1) for a command that cannot be run and one that is not there."""
_KERNELS: Final = (b"/proc/", b"/sys/")


@dataclass(frozen=True, slots=True)
class Given:
    """What a source said."""

    data: bytes
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Absent:
    """The device, or the route, has no such source."""

    why: str
    by_route: bool = False
    """True: this kind of route could never ask it."""


Got = Given | Absent | Unread


@dataclass(frozen=True, slots=True)
class Source:
    request: ReadFile | Run
    parse: Parser


@dataclass(slots=True)
class Inquiry:
    """Collects what the sources of one topic say; `outcome` is the sum of it."""

    asking: Asking
    _facts: list[tuple[Fact, Evidence]] = field(default_factory=list)
    _unread: list[tuple[bytes, Unread]] = field(default_factory=list)
    _absent: list[Absent] = field(default_factory=list)
    _answered: bool = False

    def fetch(self, request: ReadFile | Run) -> Got:
        """Ask one source.

        Raises:
            DeviceError: the line is in doubt; Refused and Unsupported mean that the source is absent.
        """
        if self.asking.offline and (isinstance(request, Run) or request.path.startswith(_KERNELS)):
            return Absent("the device is off, so there is no running system to ask", by_route=True)
        if cannot := self.asking.cannot(request):
            return Absent(cannot.why, by_route=True)
        try:
            answer = self.asking.one(request)
        except (Refused, Unsupported) as error:
            return Absent(f"{_named(request)}: {escaped(str(error))}")
        match answer:
            case NotRead(_, why, detail) if _is_absent(why, detail):
                return Absent(f"{_named(request)}: {escaped(detail) or 'no such file'}")
            case NotRead(_, why, detail):
                return Unread(why, f"{_named(request)}: {escaped(detail)}".removesuffix(": "))
            case Output(_, status) if isinstance(request, Run) and status in _NO_COMMAND:
                return Absent(f"{_named(request)}: the device does not have the command")
            case Output(_, status) if status:
                return Unread(Reason.REFUSED, f"{_named(request)}: ended with exit status {status}")
            case Output(data):
                return Given(data, self._evidence(request))
            case _:
                raise BadReply(f"an answer of another kind: {type(answer).__name__}")

    def take(self, *sources: Source, prefix: bytes = b"") -> None:
        """Facts from the first of these sources that the device has.

        Args:
            prefix: what the members of these sources begin with, before a slash. When the source cannot be read, just those are
                unread; without a prefix the whole item is.
        """
        for source in sources:
            match self.fetch(source.request):
                case Given(data, evidence):
                    self.add(source.parse(data), evidence)
                    self._answered = True
                    return
                case Unread() as value:
                    self.miss(prefix, value)
                    return
                case Absent() as absent:
                    self._absent.append(absent)

    def tree(self, roots: tuple[bytes, ...], limit: int, bounds: Bounds | None = None) -> Iterator[FileEntry | NotRead]:
        """Files with their content, where it has at most `limit` bytes. Roots that are not there are no answer.

        Args:
            bounds: tighter ones than the item's, where the device chose the roots.

        Raises:
            DeviceError: the answer is not whole.
        """
        request = ReadTree(roots, (), Proof.CONTENT, ("**",), limit, bounds or self.asking.item.bounds)
        if cannot := self.asking.cannot(request):
            self._absent.append(Absent(cannot.why, by_route=True))
            return
        yield from tree_answers(self.asking, request)
        self._answered = True

    def add(self, facts: Iterable[Fact], evidence: Evidence) -> None:
        """Keep facts.

        Raises:
            OverBound: more members than the item may have.
        """
        most = self.asking.item.bounds.members
        for fact in facts:
            if len(self._facts) >= most:
                raise OverBound(f"more than {most} members")
            self._facts.append((fact, evidence))

    def miss(self, prefix: bytes, value: Unread) -> None:
        """Everything that begins with the prefix is unread; with an empty prefix the whole item."""
        self._unread.append((prefix, replace(value, detail=escaped(value.detail), below=bool(prefix))))

    def outcome(self) -> Outcome:
        """The item's readings; one `Unread` for all of it when nothing answered, or a source failed that stands for all of it."""
        failed = next((value for prefix, value in self._unread if not prefix), None)
        if failed:
            return whole(failed)
        if self._answered:
            gaps = (Reading(_name(prefix), value, Evidence.CLAIMED) for prefix, value in self._unread)
            return (*readings(self._facts, self.asking.item), *gaps)
        if self._unread:
            return whole(replace(self._unread[0][1], below=False))
        if self._absent and all(each.by_route for each in self._absent):
            return NotAsked(self.asking.item.name, self._absent[0].why)
        why = "; ".join(dict.fromkeys(each.why for each in self._absent)) or "nothing on the device answers this"
        return whole(Unread(Reason.UNSUPPORTED, why))

    def _evidence(self, request: ReadFile | Run) -> Evidence:
        """The kernel's files and a command's output are what the device says of itself; a file's bytes are content."""
        if isinstance(request, ReadFile) and not request.path.startswith(_KERNELS):
            return self.asking.route.evidence
        return Evidence.CLAIMED


def file(path: bytes, parse: Parser) -> Source:
    """A file as a source."""
    return Source(ReadFile(path), parse)


def output(command: Command, parse: Parser, paths: tuple[bytes, ...] = ()) -> Source:
    """A command of the closed set as a source."""
    return Source(Run(command, paths), parse)


def readings(facts: Iterable[tuple[Fact, Evidence]], item: Item) -> Iterator[Reading]:
    """Facts as readings: printable, secrets redacted by the item's rules, equal names told apart by ` (2)`."""
    used: set[str] = set()
    times: dict[str, int] = {}
    for fact, evidence in sorted(facts, key=lambda each: (each[0].member, each[0].text)):
        base = _name(fact.member)
        member = base
        while member in used:
            times[base] = times.get(base, 1) + 1
            member = f"{base} ({times[base]})"
        used.add(member)
        yield Reading(member, _value(fact, base, item), evidence)


def _value(fact: Fact, member: str, item: Item) -> FactValue:
    version = text.version(item.version, fact.text) if item.version else ""
    shown_text = fact.text
    if item.text and item.text.redact and matches(item.text.match, member):
        hidden = text.redacted(item.text.redact, fact.text)
        if hidden != fact.text:  # what is hidden may still not change unnoticed
            shown_text = hidden + b" sha256:" + hashlib.sha256(fact.text).hexdigest().encode()
    return FactValue(printable(shown_text), version or printable(fact.version, 200))


def _name(member: bytes) -> str:
    name = printable(member, LONGEST_NAME) or "(no name)"
    return "\\x2a" if name == WHOLE_ITEM else name


def _is_absent(why: Reason, detail: str) -> bool:
    """Does a route say that a file is not there? A refusal may also be a disk that fails: then it says something else."""
    return why in (Reason.VANISHED, Reason.UNSUPPORTED) or (why is Reason.REFUSED and "no such file" in detail.lower())


def _named(request: ReadFile | Run) -> str:
    return request.command.value if isinstance(request, Run) else shown(request.path)
