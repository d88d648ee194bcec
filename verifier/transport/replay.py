"""Recordings: what a device of some kind answered, kept to be played back in tests, in training and in the demo.

A recording is one JSON document, written by `model.codec`:

    {"format": "crane-verify recording 1",
     "evidence": "content",                       how strong the recorded route's readings were
     "facts": [{"name": .., "text": ..}],         `Route.facts`
     "notes": [..],                               `Route.notes`
     "cannot": [{"request": {..}, "why": ".."}],  requests `Route.can` said no to
     "exchanges": [{"request": {"is": "read-tree", ..}, "answers": [{"is": "file-entry", ..}, ..], "failure": {..}}]}

Exchanges stand in the order they were asked; an equal request asked again gets the next one, and the last one from then on.
What a request may cost (bounds, limits) is no part of what it asks and is not recorded. A failure is raised again after the
answers that came before it. Answers that their asker did not read to the end are not recorded.

A recording holds what it was asked to keep: contents of files, account names. It is no more for everybody's eyes than the device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

from verifier import errors
from verifier.errors import BadReply, DeviceError, IdentityChanged, IdentityUnknown, Unreachable, Unsupported
from verifier.model import codec
from verifier.model.device import RecordingAddress
from verifier.model.profile import Bounds
from verifier.model.words import Evidence
from verifier.transport.answer import Answer
from verifier.transport.request import (
    ReadFifo,
    ReadFile,
    ReadIdentification,
    ReadRecords,
    ReadServerId,
    ReadTable,
    ReadTree,
    Request,
    Run,
)
from verifier.transport.route import LineFact, Route
from verifier.transport.transcript import Transcript

FORMAT = "crane-verify recording 1"
SEED = 1
"""Of the second look at critical values, while recording and while replaying: a recording answers only what was asked of it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A `DeviceError` as it was raised."""

    error: str
    """Name of its class in `errors`."""
    message: str
    hint: str = ""
    presented: str = ""
    """The key that was shown, for the two errors that carry one."""


@dataclass(frozen=True, slots=True)
class Exchange:
    request: Request
    answers: tuple[Answer, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Cannot:
    request: Request
    why: str


@dataclass(frozen=True, slots=True)
class Recording:
    format: str
    evidence: Evidence
    facts: tuple[LineFact, ...] = ()
    notes: tuple[str, ...] = ()
    cannot: tuple[Cannot, ...] = ()
    exchanges: tuple[Exchange, ...] = ()


class RecordingRoute:
    """Passes everything on to another route and remembers it."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self.transcript = route.transcript
        self._cannot: dict[Request, str] = {}
        self._exchanges: list[Exchange] = []

    @property
    def evidence(self) -> Evidence:
        return self._route.evidence

    @property
    def facts(self) -> tuple[LineFact, ...]:
        return self._route.facts

    @property
    def notes(self) -> tuple[str, ...]:
        return self._route.notes

    def recording(self) -> bytes:
        """All that was asked so far, as the JSON document that `ReplayRoute` plays."""
        cannot = tuple(Cannot(request, why) for request, why in self._cannot.items())
        return codec.dumps(
            Recording(FORMAT, self._route.evidence, self._route.facts, self._route.notes, cannot, tuple(self._exchanges))
        )

    def can(self, request: Request) -> str:
        why = self._route.can(request)
        if why:
            self._cannot[_asked(request)] = why
        return why

    def ask(self, request: Request) -> Iterator[Answer]:
        answers: list[Answer] = []
        try:
            for answer in self._route.ask(request):
                answers.append(answer)
                yield answer
        except DeviceError as error:
            self._exchanges.append(Exchange(_asked(request), tuple(answers), _failure(error)))
            raise
        self._exchanges.append(Exchange(_asked(request), tuple(answers)))

    def close(self) -> None:
        self._route.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class ReplayRoute:
    """A recording as a route."""

    def __init__(self, recording: Recording) -> None:
        self.transcript = Transcript()
        self.evidence = recording.evidence
        self.facts = recording.facts
        self.notes = recording.notes
        self._cannot = {each.request: each.why for each in recording.cannot}
        self._ahead: dict[Request, list[Exchange]] = {}
        for each in recording.exchanges:
            self._ahead.setdefault(each.request, []).append(each)

    @classmethod
    def open(cls, address: RecordingAddress) -> ReplayRoute:
        """Read a recording.

        Raises:
            Unreachable: it is not there.
            BadReply: it is no recording, or one of another format.
        """
        try:
            data = Path(address.path).read_bytes()
        except OSError as error:
            raise Unreachable(f"no recording {address.path}: {error.strerror}", "correct the path") from error
        return cls(loads(data, address.path))

    def can(self, request: Request) -> str:
        return self._cannot.get(_asked(request), "")

    def ask(self, request: Request) -> Iterator[Answer]:
        asked = _asked(request)
        self.transcript.add(f"replay {codec.dumps(asked).decode()}")
        ahead = self._ahead.get(asked)
        if not ahead:
            raise Unsupported(
                f"the recording holds no answer to this {type(request).__name__}", "record the device again with this profile"
            )
        exchange = ahead.pop(0) if len(ahead) > 1 else ahead[0]
        yield from exchange.answers
        if exchange.failure:
            raise _error(exchange.failure)

    def close(self) -> None:
        self._ahead.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def loads(data: bytes, name: str) -> Recording:
    """A recording from its JSON document.

    Raises:
        BadReply: it is none, or one of another format.
    """
    try:
        document = codec.parse(data)
        said = document.get("format") if isinstance(document, dict) else None
        if said != FORMAT:
            raise BadReply(f"{name} is not a recording of the format {FORMAT!r}, but says {said!r}", "record the device again")
        recording = codec.from_json(Recording, document)
    except codec.CodecError as error:
        raise BadReply(f"{name} is not a recording: {error}", "record the device again") from error
    for each in recording.exchanges:
        if each.failure:
            _kind(each.failure.error, name)
    return recording


def _asked(request: Request) -> Request:
    """A request without what it may cost, so that a recording outlives a changed bound."""
    match request:
        case ReadTree():
            # where copies go is nothing that is asked of a device
            return ReadTree(request.roots, request.exclude, request.proof, request.keep, request.keep_limit, Bounds())
        case ReadFile():
            return ReadFile(request.path)
        case Run():
            return Run(request.command, request.paths)
        case ReadTable() | ReadIdentification() | ReadServerId() | ReadRecords() | ReadFifo():
            return request
        case _:
            assert_never(request)


def _failure(error: DeviceError) -> Failure:
    presented = error.presented if isinstance(error, (IdentityChanged, IdentityUnknown)) else ""
    return Failure(type(error).__name__, str(error), error.hint, presented)


def _error(failure: Failure) -> DeviceError:
    kind = _kind(failure.error, "the recording")
    if issubclass(kind, (IdentityChanged, IdentityUnknown)):
        return kind(failure.message, failure.hint, failure.presented)
    return kind(failure.message, failure.hint)


def _kind(name: str, where: str) -> type[DeviceError]:
    kind = getattr(errors, name, None)
    if not isinstance(kind, type) or not issubclass(kind, DeviceError):
        raise BadReply(f"{where} names an error that does not exist: {name!r}", "record the device again")
    return kind
