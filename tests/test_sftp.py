"""The SFTP client: what it lets out, what it believes, and that order and size of the answers change nothing."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers.sftp_device import BIG, LATE_SIZE, LyingSftp
from verifier.errors import BadReply, ForbiddenRequest, Truncated
from verifier.model.profile import Bounds, Pace, Proof
from verifier.model.words import FileType, Reason
from verifier.transport.answer import Answer, FileEntry, NotRead, Output
from verifier.transport.request import ReadFile, ReadTree
from verifier.transport.sftp.client import (
    READING,
    Close,
    Lstat,
    Open,
    OpenDirectory,
    Question,
    Read,
    ReadDirectory,
    ReadLink,
    Sftp,
    checked,
    encoded,
)
from verifier.transport.sftp.content import AHEAD
from verifier.transport.sftp.tree import SftpWalk, read_file
from verifier.transport.throttle import Throttle

USUAL = Bounds()
QUESTIONS: tuple[Question, ...] = (
    Open(b"/a"),
    Close(b"h"),
    Read(b"h", 1, 2),
    Lstat(b"/a"),
    OpenDirectory(b"/a"),
    ReadDirectory(b"h"),
    ReadLink(b"/a"),
)


def tree(keep: tuple[str, ...] = (), exclude: tuple[str, ...] = (), bounds: Bounds = USUAL, root: bytes = b"/t") -> ReadTree:
    return ReadTree((root,), exclude, Proof.CONTENT, keep, 10, bounds)


def session(device: LyingSftp) -> Sftp:
    return Sftp(device, Throttle(Pace()), lambda line: None)


def walk(device: LyingSftp, request: ReadTree) -> dict[bytes, Answer]:
    found = list(SftpWalk(session(device), request).answers())
    by_path: dict[bytes, Answer] = {answer.path: answer for answer in found if isinstance(answer, FileEntry | NotRead)}
    assert len(by_path) == len(found), "each path once"
    return by_path


def reason(answers: dict[bytes, Answer], path: bytes) -> Reason:
    answer = answers[path]
    assert isinstance(answer, NotRead), answer
    return answer.reason


def test_of_all_256_packet_types_only_the_eight_reading_ones_pass() -> None:
    passed = set()
    for kind in range(256):
        body = bytes([kind]) + bytes(4) + (1).to_bytes(4, "big") + b"x"
        if kind == 3:
            body += (1).to_bytes(4, "big") + bytes(4)
        frame = len(body).to_bytes(4, "big") + body
        try:
            assert checked(frame) == frame
            passed.add(kind)
        except ForbiddenRequest:
            pass
    assert passed == READING == {1, 3, 4, 5, 7, 11, 12, 19}


@given(st.integers(0, 2**32 - 1), st.binary(max_size=12))
def test_an_open_for_anything_but_reading_is_refused(flags: int, rest: bytes) -> None:
    body = bytes([3]) + bytes(4) + (2).to_bytes(4, "big") + b"/a" + flags.to_bytes(4, "big") + rest
    frame = len(body).to_bytes(4, "big") + body
    if flags == 1 and rest == bytes(4):
        assert checked(frame) == frame
    else:
        with pytest.raises(ForbiddenRequest):
            checked(frame)


def test_a_frame_hidden_behind_another_is_refused() -> None:
    good = encoded(1, Lstat(b"/a"))
    remove = (11).to_bytes(4, "big") + bytes([13]) + bytes(4) + (2).to_bytes(4, "big") + b"/a"
    with pytest.raises(ForbiddenRequest):
        checked(good + remove)
    with pytest.raises(ForbiddenRequest):
        checked(b"")


@given(st.sampled_from(QUESTIONS), st.binary(max_size=300))
def test_no_path_or_handle_makes_another_packet(question: Question, name: bytes) -> None:
    match question:
        case Read():
            question = Read(name, 0, 1)
        case Open() | Lstat() | OpenDirectory() | ReadLink():
            question = type(question)(name)
        case Close() | ReadDirectory():
            question = type(question)(name)
    frame = encoded(7, question)
    assert frame[4] in READING
    assert name in frame


@pytest.mark.parametrize("lie", ["", "shuffled", "crumbs", "names-only"])
def test_the_tree_is_the_same_however_its_answers_come(lie: str) -> None:
    answers = walk(LyingSftp(lie), tree(keep=("/t/a",)))
    assert answers == {
        b"/t": FileEntry(b"/t", FileType.DIRECTORY, 0o755, 7, 8, 0, 1000),
        b"/t/a": FileEntry(b"/t/a", FileType.REGULAR, 0o644, 7, 8, 5, 1000, sha256=_sha(b"hello"), content=b"hello"),
        b"/t/b": FileEntry(b"/t/b", FileType.REGULAR, 0o644, 7, 8, 100_000, 1000, sha256=_sha(BIG)),
        b"/t/l": FileEntry(b"/t/l", FileType.SYMLINK, 0o777, 7, 8, 0, 1000, target=b"a"),
    }


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_only_reading_packets_leave_on_a_whole_walk() -> None:
    device = LyingSftp()
    walk(device, tree())
    assert set(device.seen) == READING


def test_what_is_excluded_is_not_asked_for() -> None:
    device = LyingSftp()
    assert set(walk(device, tree(exclude=("/t/b", "/t/l")))) == {b"/t", b"/t/a"}
    assert device.seen.count(3) == 1


def test_an_absent_root_has_no_answer() -> None:
    assert walk(LyingSftp(), tree(root=b"/nowhere")) == {}


def test_a_file_of_the_kernel_says_0_and_is_read_to_its_end() -> None:
    answer = walk(LyingSftp("kernel"), tree())[b"/t/b"]
    assert isinstance(answer, FileEntry)
    assert (answer.size, answer.sha256) == (100_000, _sha(BIG))


@pytest.mark.parametrize(
    ("lie", "path", "expected"),
    [
        ("short", b"/t/b", Reason.TRUNCATED),
        ("touched", b"/t/a", Reason.UNSTABLE),
        ("vanishes", b"/t/a", Reason.VANISHED),
        ("denied", b"/t/a", Reason.DENIED),
    ],
)
def test_a_file_that_could_not_be_read_whole_says_why(lie: str, path: bytes, expected: Reason) -> None:
    assert reason(walk(LyingSftp(lie), tree()), path) is expected


def test_what_a_device_says_of_a_refusal_is_escaped() -> None:
    answer = walk(LyingSftp("denied"), tree())[b"/t/a"]
    assert isinstance(answer, NotRead)
    assert "\x1b" not in answer.detail
    assert "\\x1b" in answer.detail


@pytest.mark.parametrize("name", [b"../x", b"x/y", b"", b"/", b"a\0b", b"a"])
def test_a_name_that_cannot_be_makes_its_folder_unread(name: bytes) -> None:
    answers = walk(LyingSftp("evil-name", name), tree())
    folder = answers[b"/t"]
    assert isinstance(folder, NotRead)
    assert (folder.reason, folder.below) == (Reason.BAD_REPLY, True)
    assert all(path.startswith(b"/t") and b".." not in path for path in answers)


@pytest.mark.parametrize(
    "lie",
    [
        "wrong-id",
        "twice",
        "long-data",
        "empty-data",
        "wrong-type",
        "ok-for-data",
        "tail",
        "huge-packet",
        "no-names",
        "many-names",
    ],
)
def test_an_answer_that_does_not_belong_to_its_question_ends_the_session(lie: str) -> None:
    with pytest.raises(BadReply):
        walk(LyingSftp(lie), tree())


def test_a_server_that_ends_in_the_middle_is_truncated() -> None:
    with pytest.raises(Truncated):
        walk(LyingSftp("silent-end"), tree())


def test_an_endless_directory_ends_at_the_bound() -> None:
    answers = walk(LyingSftp("endless"), tree(bounds=Bounds(members=1000)))
    folder = answers[b"/t"]
    assert isinstance(folder, NotRead)
    assert (folder.reason, folder.below) == (Reason.BOUND, True)
    assert len(answers) <= 1001


def test_long_names_do_not_fill_the_memory() -> None:
    answers = walk(LyingSftp("long-names"), tree(bounds=Bounds(members=1000)))
    folder = answers[b"/t"]
    assert isinstance(folder, NotRead)
    assert (folder.reason, folder.below) == (Reason.BOUND, True)
    assert "names take more than" in folder.detail
    assert len(answers) < 400


def test_an_endless_file_ends_at_the_bound_and_costs_no_memory() -> None:
    tracemalloc.start()
    try:
        answers = walk(LyingSftp("endless-file"), tree(keep=("/t/b",), bounds=Bounds(bytes=20 << 20)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reason(answers, b"/t/b") is Reason.BOUND
    assert peak < 12 << 20


def test_a_first_answer_that_comes_last_does_not_fill_the_memory() -> None:
    device = LyingSftp("late")
    answer = walk(device, tree())[b"/t/b"]
    assert isinstance(answer, FileEntry)
    assert (answer.size, answer.sha256) == (LATE_SIZE, _sha(bytes(LATE_SIZE)))
    assert 1 < device.ahead <= AHEAD + 1


def test_a_claimed_size_of_2_to_the_46_is_not_believed_and_not_reserved() -> None:
    assert reason(walk(LyingSftp("huge"), tree()), b"/t/b") is Reason.BOUND
    answers = walk(LyingSftp("huge"), tree(bounds=Bounds(bytes=1 << 50)))
    assert reason(answers, b"/t/b") is Reason.TRUNCATED


def test_depth_bound_and_seconds_bound_are_said() -> None:
    answers = walk(LyingSftp(), tree(bounds=Bounds(seconds=-1)))
    assert reason(answers, b"/t") is Reason.BOUND
    assert reason(walk(LyingSftp(), tree(bounds=Bounds(depth=-1))), b"/t") is Reason.BOUND


def test_read_file_goes_to_the_end_of_file_and_stops_at_its_limit() -> None:
    sftp = session(LyingSftp("kernel"))
    assert read_file(sftp, ReadFile(b"/t/b")) == Output(BIG)
    over = read_file(sftp, ReadFile(b"/t/b", limit=99_999))
    assert isinstance(over, NotRead)
    assert over.reason is Reason.BOUND
    assert read_file(sftp, ReadFile(b"/t/b")) == Output(BIG), "nothing of the one left off stands in the way"


def test_every_request_for_a_name_is_noted_before_it_is_sent() -> None:
    device = LyingSftp()
    noted: list[tuple[str, int]] = []
    sftp = Sftp(device, Throttle(Pace()), lambda line: noted.append((line, len(device.seen))))
    list(SftpWalk(sftp, tree()).answers())
    lines = [line for line, _ in noted]
    assert lines[0] == "sftp init 3"
    assert "sftp open /t/b to read it to its end" in lines
    assert "sftp opendir /t to list it to its end" in lines
    assert "sftp readlink /t/l" in lines
    for line, sent in noted:
        assert sent < len(device.seen), line


def test_round_trips_do_not_grow_with_the_number_of_files() -> None:
    def trips(device: LyingSftp) -> int:
        """How often we wait while nothing more could have been sent ahead."""
        turns = 0
        receive = device.receive

        def counted() -> bytes:
            nonlocal turns
            turns += 1
            return b"".join(iter(receive, b""))  # everything the device can answer so far arrives at once

        device.receive = counted  # type: ignore[method-assign]  # the same, in larger pieces
        walk(device, tree(bounds=Bounds(members=2000)))
        return turns

    assert trips(LyingSftp()) < 12


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=64), max_size=6), st.integers(0, 3))
def test_whatever_bytes_come_the_client_raises_a_device_error(pieces: Iterable[bytes], honest: int) -> None:
    device = LyingSftp()
    good, junk = honest, list(pieces)
    receive = device.receive

    def mixed() -> bytes:
        nonlocal good
        if good:
            good -= 1
            return receive()
        return junk.pop(0) if junk else b""

    device.receive = mixed  # type: ignore[method-assign]  # the same, then noise
    with pytest.raises((BadReply, Truncated)):
        walk(device, tree())
