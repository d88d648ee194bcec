"""What a route answered is answered again: in the same order, with the same failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_codec import Answers, values
from verifier import errors
from verifier.errors import BadReply, DeviceError, ForbiddenRequest, IdentityChanged, Refused, Truncated, Unreachable, Unsupported
from verifier.model.device import RecordingAddress
from verifier.model.profile import Bounds, IdentificationLevel, Proof
from verifier.model.words import Evidence, FileType, Reason, Table
from verifier.transport.answer import Answer, FileEntry, NotRead, Objects, Output, Words
from verifier.transport.replay import FORMAT, RecordingRoute, ReplayRoute, loads
from verifier.transport.request import (
    Command,
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

TREE = ReadTree((b"/etc", b"/opt/a\xff\n"), ("/etc/*.log",), Proof.CONTENT, ("/etc/**",), 100, Bounds())
FILE = FileEntry(b"/etc/a\xff\n\\", FileType.REGULAR, 0o4755, 1, 2, 3, -4, sha256="ab", content=b"\x00\xff\n")


class Played:
    """A device we can play: to each request the next of its answers, then perhaps an error."""

    evidence = Evidence.CONTENT
    facts = (LineFact("host key", "SHA256:abc"),)
    notes = ("no shell: read over SFTP",)

    def __init__(self, script: list[tuple[Request, tuple[Answer, ...], Exception | None]]) -> None:
        self.transcript = Transcript()
        self.closed = False
        self._script = script

    def can(self, request: Request) -> str:
        return "no registers here" if isinstance(request, ReadTable) and request.table is Table.COIL else ""

    def ask(self, request: Request) -> Iterator[Answer]:
        place = next(at for at, (asked, _, _) in enumerate(self._script) if asked == request)
        _, answers, error = self._script.pop(place)
        yield from answers
        if error:
            raise error

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def replayed(recorder: RecordingRoute, folder: Path) -> ReplayRoute:
    (folder / "kept.json").write_bytes(recorder.recording())
    return ReplayRoute.open(RecordingAddress(str(folder / "kept.json")))


def answers_of(route: Route, request: Request) -> tuple[list[Answer], DeviceError | None]:
    found: list[Answer] = []
    try:
        for answer in route.ask(request):
            found.append(answer)
    except DeviceError as error:
        return found, error
    return found, None


REQUESTS: list[tuple[Request, tuple[Answer, ...]]] = [
    (TREE, (FILE, NotRead(b"/etc/x", Reason.DENIED, "no", below=True))),
    (ReadFile(b"/proc/modules"), (Output(b"ext4 1 \xff\n"),)),
    (Run(Command.FILE_CAPABILITIES, (b"/usr/a b",)), (Output(b"", 1),)),
    (ReadTable(Table.HOLDING, 0, 2), (Words((0, 65535)),)),
    (ReadIdentification(IdentificationLevel.BASIC), (Objects(0x81, ((0, b"Vendor"), (1, b"\x00"))),)),
    (ReadServerId(), (Output(b"\x01\xff"),)),
    (ReadRecords(4, 1, 2), (Words((1, 2)),)),
    (ReadFifo(0x04DE), (Words(()),)),
]


def test_every_kind_of_request_is_played_back(tmp_path: Path) -> None:
    played = Played([(request, answers, None) for request, answers in REQUESTS])
    recorder = RecordingRoute(played)
    for request, answers in REQUESTS:
        assert list(recorder.ask(request)) == list(answers)
    assert recorder.can(ReadTable(Table.COIL, 0, 1)) == "no registers here"
    assert recorder.can(TREE) == ""
    with replayed(recorder, tmp_path) as route:
        assert (route.evidence, route.facts, route.notes) == (played.evidence, played.facts, played.notes)
        for request, answers in reversed(REQUESTS):
            assert route.can(request) == ""
            assert list(route.ask(request)) == list(answers)
        assert route.can(ReadTable(Table.COIL, 0, 1)) == "no registers here"
        assert len(route.transcript.lines) == len(REQUESTS)


@settings(max_examples=60, deadline=None)
@given(values(Answers, st.text(st.characters(codec="utf-8"), max_size=8)))
def test_any_answers_come_back_as_they_were(kept: Answers) -> None:
    recorder = RecordingRoute(Played([(TREE, kept.answers, None)]))
    list(recorder.ask(TREE))
    assert list(ReplayRoute(loads(recorder.recording(), "kept")).ask(TREE)) == list(kept.answers)


@pytest.mark.parametrize("name", [kind.__name__ for kind in DeviceError.__subclasses__()])
def test_errors_are_raised_again_after_what_was_answered(tmp_path: Path, name: str) -> None:
    kind = getattr(errors, name)
    presented = ("SHA256:x",) if name.startswith("Identity") else ()
    recorder = RecordingRoute(Played([(TREE, (FILE,), kind("it broke", "mend it", *presented))]))
    first = answers_of(recorder, TREE)
    again = answers_of(replayed(recorder, tmp_path), TREE)
    assert first[0] == again[0] == [FILE]
    assert type(again[1]) is kind
    assert again[1] is not None
    assert (str(again[1]), again[1].hint) == ("it broke", "mend it")
    if isinstance(again[1], IdentityChanged):
        assert again[1].presented == "SHA256:x"


def test_an_equal_request_gets_its_answers_in_turn_and_then_the_last_one(tmp_path: Path) -> None:
    request = ReadTable(Table.HOLDING, 7, 1)
    recorder = RecordingRoute(
        Played([(request, (Words((1,)),), None), (request, (), Truncated("cut")), (request, (Words((2,)),), None)])
    )
    for _ in range(3):
        answers_of(recorder, request)
    route = replayed(recorder, tmp_path)
    assert list(route.ask(request)) == [Words((1,))]
    with pytest.raises(Truncated, match="cut"):
        list(route.ask(request))
    assert list(route.ask(request)) == [Words((2,))]
    assert list(route.ask(request)) == [Words((2,))]


def test_a_changed_bound_still_finds_its_recording_but_another_question_does_not(tmp_path: Path) -> None:
    recorder = RecordingRoute(Played([(TREE, (FILE,), None), (ReadFile(b"/etc/x"), (Output(b"x"),), None)]))
    list(recorder.ask(TREE))
    list(recorder.ask(ReadFile(b"/etc/x")))
    route = replayed(recorder, tmp_path)
    wider = ReadTree(TREE.roots, TREE.exclude, TREE.proof, TREE.keep, TREE.keep_limit, Bounds(members=5, seconds=0.5))
    assert list(route.ask(wider)) == [FILE]
    assert list(route.ask(ReadFile(b"/etc/x", 7))) == [Output(b"x")]
    for other in (
        ReadTree(TREE.roots, (), TREE.proof, TREE.keep, TREE.keep_limit, TREE.bounds),
        ReadFile(b"/etc/y"),
        ReadTable(Table.HOLDING, 0, 1),
    ):
        assert route.can(other) == ""
        with pytest.raises(Unsupported, match="holds no answer"):
            list(route.ask(other))


def test_answers_left_unread_are_not_recorded(tmp_path: Path) -> None:
    recorder = RecordingRoute(Played([(TREE, (FILE, FILE), None)]))
    asking = recorder.ask(TREE)
    next(asking)
    del asking
    with pytest.raises(Unsupported):
        list(replayed(recorder, tmp_path).ask(TREE))


def test_what_our_own_guard_stopped_is_passed_on_and_not_recorded(tmp_path: Path) -> None:
    recorder = RecordingRoute(Played([(TREE, (), ForbiddenRequest("no"))]))
    with pytest.raises(ForbiddenRequest):
        list(recorder.ask(TREE))
    assert json.loads(recorder.recording()).get("exchanges") is None


def test_the_recorder_is_the_route_it_wraps() -> None:
    played = Played([])
    with RecordingRoute(played) as recorder:
        assert recorder.transcript is played.transcript
        assert (recorder.evidence, recorder.facts, recorder.notes) == (played.evidence, played.facts, played.notes)
    assert played.closed


def test_no_file_no_recording(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"no recording .*missing\.json: No such file"):
        ReplayRoute.open(RecordingAddress(str(tmp_path / "missing.json")))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "is not a recording: not a JSON document"),
        (b"[]", "says None"),
        (b'{"format":"crane-verify recording 2","evidence":"content"}', "says 'crane-verify recording 2'"),
        (b'{"format":"%s"}' % FORMAT.encode(), "missing field 'evidence'"),
        (b'{"format":"%s","evidence":"strong"}' % FORMAT.encode(), "no evidence level"),
        (b'{"format":"%s","evidence":"content","exchanges":[{"request":{"is":"write"}}]}' % FORMAT.encode(), "must be one of"),
        (
            b'{"format":"%s","evidence":"content","exchanges":[{"request":{"is":"read-server-id"},'
            b'"failure":{"error":"annotations","message":"x"}}]}' % FORMAT.encode(),
            "names an error that does not exist: 'annotations'",
        ),
    ],
)
def test_a_recording_that_is_none_says_why(document: bytes, words: str) -> None:
    with pytest.raises(BadReply) as caught:
        loads(document, "kept.json")
    assert words in str(caught.value)
    assert "kept.json" in str(caught.value)


def test_a_cut_recording_is_never_a_shorter_one() -> None:
    recorder = RecordingRoute(Played([(TREE, (FILE,), None), (ReadServerId(), (), Refused("no"))]))
    answers_of(recorder, TREE)
    answers_of(recorder, ReadServerId())
    whole = recorder.recording()
    for length in range(len(whole)):
        with pytest.raises(BadReply):
            loads(whole[:length], "kept.json")
