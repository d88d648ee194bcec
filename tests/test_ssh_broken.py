"""Lines that break, stall, drip and flood: the outcome is an error of the device, never a short answer and never a hang."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from tests.servers.asyncssh_device import Logins, half_an_answer, no_end_of_file, running_asyncssh
from tests.servers.relay import relay
from tests.servers.sshd import SFTP_ONLY, RunningSshd, no_secrets, running_sshd
from tests.trees import walk
from verifier.errors import BadReply, DeviceError, ForbiddenRequest, OverBound, Refused, TimedOut, Truncated
from verifier.model.device import Password, Secret, SshAddress, Timeouts
from verifier.model.profile import Bounds, Pace, Proof
from verifier.transport.answer import Answer, FileEntry, NotRead, Output
from verifier.transport.request import Command, ReadFile, ReadTree, Request, Run
from verifier.transport.shell import commands
from verifier.transport.ssh import session as ssh
from verifier.transport.ssh.inbox import Inbox
from verifier.transport.ssh.route import SshRoute
from verifier.transport.ssh.session import Session, connect
from verifier.transport.transcript import Transcript

SHORT = Timeouts(connect=2, login=5, silence=1, overall=30)


@pytest.fixture(scope="module")
def with_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSshd]:
    with running_sshd(tmp_path_factory.mktemp("shell")) as device:
        yield device


@pytest.fixture(scope="module")
def sftp_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSshd]:
    with running_sshd(tmp_path_factory.mktemp("sftp"), config=SFTP_ONLY) as device:
        yield device


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files and larger ones, 600 KiB in all."""
    found = tmp_path_factory.mktemp("tree") / "files"
    found.mkdir()
    for number in range(40):
        (found / f"small{number}").write_bytes(b"%d" % number * number)
    (found / "large").write_bytes(os.urandom(400_000))
    (found / "larger").write_bytes(os.urandom(200_000))
    return found


@contextmanager
def session(address: SshAddress) -> Iterator[Session]:
    found = connect(address, no_secrets, lambda line: None)
    try:
        yield found
    finally:
        found.close()


def output(found: Session, command: bytes) -> tuple[bytes, int, bytes]:
    """What a command line gives: for these tests only, past the guard."""
    channel = found.channel()
    channel.start(command)
    data = b"".join(iter(channel.receive, b""))
    return data, channel.status(), channel.errors


# Cuts


def cut_offsets(total: int) -> list[int]:
    return [total * step // 25 for step in range(25)]


@pytest.mark.parametrize("way", ["sftp tree", "exec cat", "exec tar"])
def test_a_cut_at_any_offset_is_an_error_and_never_a_short_answer(
    with_shell: RunningSshd, sftp_only: RunningSshd, folder: Path, way: str
) -> None:
    device = sftp_only if way == "sftp tree" else with_shell
    request: Request = ReadTree((os.fsencode(folder),), (), Proof.CONTENT, (), 0, Bounds())
    if way == "exec cat":
        request = ReadFile(os.fsencode(folder / "large"))
    truth = walk(folder)
    content = Output((folder / "large").read_bytes())

    def ask(port: int) -> tuple[list[Answer], int]:
        got: list[Answer] = []
        with SshRoute.open(device.address(port=port, timeouts=SHORT), Pace(), no_secrets) as route:
            try:
                got.extend(route.ask(request))
            finally:
                for answer in got:
                    match answer:
                        case FileEntry():
                            assert answer == truth[answer.path]
                        case Output():
                            assert answer == content
                        case _:
                            assert isinstance(answer, NotRead)
            received = route.transcript.exchange().bytes_received
        return got, received

    whole, total = ask(device.port)
    assert len(whole) == (1 if way == "exec cat" else len(truth))
    for number, offset in enumerate(cut_offsets(total)):
        with relay(device.port, cut_after=offset, reset=bool(number % 2)) as port, pytest.raises(DeviceError):
            ask(port)


def test_a_line_cut_in_idle_time_is_noticed_at_the_next_question(with_shell: RunningSshd) -> None:
    with relay(with_shell.port) as port:
        route = SshRoute.open(with_shell.address(port=port, timeouts=SHORT), Pace(), no_secrets)
    with route, pytest.raises(Truncated):
        list(route.ask(ReadFile(b"/etc/hostname")))


# Stalls and drips


def test_a_stopped_server_times_out_wherever_it_stops(with_shell: RunningSshd, sftp_only: RunningSshd, folder: Path) -> None:
    requests: dict[str, Request] = {
        "exec": ReadFile(b"/etc/passwd"),
        "sftp": ReadTree((os.fsencode(folder),), (), Proof.CONTENT, (), 0, Bounds()),
    }
    for device, request in ((with_shell, requests["exec"]), (sftp_only, requests["sftp"])):
        with SshRoute.open(device.address(timeouts=SHORT), Pace(), no_secrets) as route:
            device.signal(signal.SIGSTOP)
            try:
                began = time.monotonic()
                with pytest.raises(TimedOut):
                    list(route.ask(request))
                assert time.monotonic() - began < 4
                with pytest.raises(TimedOut):  # and it stays so, at once
                    list(route.ask(request))
                assert time.monotonic() - began < 5
            finally:
                device.signal(signal.SIGCONT)


def test_a_stopped_server_times_out_at_connect(with_shell: RunningSshd) -> None:
    with_shell.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(TimedOut):
            SshRoute.open(with_shell.address(timeouts=Timeouts(connect=1, login=1)), Pace(), no_secrets)
        assert time.monotonic() - began < 4
    finally:
        with_shell.signal(signal.SIGCONT)


def test_a_server_that_stops_in_the_middle_of_a_stream(with_shell: RunningSshd) -> None:
    with session(with_shell.address(timeouts=SHORT)) as found:
        channel = found.channel()
        channel.start(b"while true; do echo busy; done")
        channel.receive()
        with_shell.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            with pytest.raises(TimedOut, match="silent"):
                while channel.receive():
                    pass
            assert time.monotonic() - began < 5
        finally:
            with_shell.signal(signal.SIGCONT)


def test_one_byte_after_the_other_is_bounded_by_the_whole_session(with_shell: RunningSshd) -> None:
    timeouts = Timeouts(login=10, silence=5, overall=2)
    began = time.monotonic()
    with (
        relay(with_shell.port, drip_after=2800) as port,
        pytest.raises(TimedOut, match="the session took longer"),
        SshRoute.open(with_shell.address(port=port, timeouts=timeouts), Pace(), no_secrets) as route,
    ):
        list(route.ask(ReadFile(b"/etc/passwd")))
    assert time.monotonic() - began < 5


def test_one_byte_after_the_other_is_bounded_at_the_login(with_shell: RunningSshd) -> None:
    began = time.monotonic()
    with relay(with_shell.port, drip_after=0) as port, pytest.raises(TimedOut):
        SshRoute.open(with_shell.address(port=port, timeouts=Timeouts(login=1)), Pace(), no_secrets)
    assert time.monotonic() - began < 4


def test_an_idle_line_is_kept_alive(with_shell: RunningSshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_KEEP_ALIVE", 0.1)
    with session(with_shell.address()) as found:
        before = found.line.sent, found.line.received
        time.sleep(0.7)
        assert found.line.sent > before[0]
        assert found.line.received > before[1], "and the server answers"


# Streams


def test_errors_in_mass_do_not_stop_the_answer(with_shell: RunningSshd) -> None:
    with session(with_shell.address(timeouts=SHORT)) as found:
        data, status, errors = output(found, b"head -c 60000000 /dev/zero >&2; echo done; exit 3")
        assert (data, status) == (b"done\n", 3)
        assert errors == bytes(64 << 10)
        data, _, errors = output(found, b"(head -c 9000000 /dev/zero >&2) & head -c 9000000 /dev/zero; wait")
        assert len(data) == 9_000_000


def test_a_killed_command_has_no_exit_status(with_shell: RunningSshd) -> None:
    with session(with_shell.address(timeouts=SHORT)) as found:
        with pytest.raises(Truncated, match="without an exit status"):
            output(found, b"echo almost all of it; kill -9 $$")
        assert output(found, b"echo still here")[0] == b"still here\n"


@pytest.mark.parametrize("ending", [half_an_answer, no_end_of_file])
def test_an_exit_status_alone_does_not_make_an_answer_whole(tmp_path: Path, ending: object) -> None:
    with running_asyncssh(tmp_path, Logins(password="p"), process_factory=ending) as server:
        login = (Password(Secret("env", "P")),)
        address = SshAddress("127.0.0.1", "u", server.port, (server.host_key_fingerprint,), credentials=login, timeouts=SHORT)
        found = connect(address, lambda secret: "p", lambda line: None)
        try:
            with pytest.raises(Truncated):
                output(found, b"anything")
        finally:
            found.close()


def test_a_command_that_reads_its_input_does_not_wait_for_it(with_shell: RunningSshd) -> None:
    with session(with_shell.address(timeouts=SHORT)) as found:
        assert output(found, b"cat; echo end") == (b"end\n", 0, b"")


def test_new_keys_in_the_middle_of_a_stream_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(20_000_000))
    with running_sshd(tmp_path / "sshd", config=("RekeyLimit 1M",)) as device, session(device.address()) as found:
        assert output(found, b"cat " + os.fsencode(tmp_path / "file"))[0] == (tmp_path / "file").read_bytes()
        first = found.presented
        assert found.transport.offered is not None
        assert first


def test_one_session_at_a_time_is_enough(tmp_path: Path) -> None:
    with (
        running_sshd(tmp_path, config=("MaxSessions 1",)) as device,
        SshRoute.open(device.address(), Pace(), no_secrets) as route,
    ):
        for _ in range(20):
            assert list(route.ask(ReadFile(b"/etc/hostname")))


def test_no_session_at_all_is_refused_in_words(tmp_path: Path) -> None:
    with (
        running_sshd(tmp_path, config=("MaxSessions 0",)) as device,
        session(device.address()) as found,
        pytest.raises(Refused, match="open a session"),
    ):
        found.channel()


def test_an_answer_over_its_limit_is_no_answer(with_shell: RunningSshd) -> None:
    with SshRoute.open(with_shell.address(), Pace(), no_secrets) as route:
        with pytest.raises(OverBound):
            list(route.ask(Run(Command.KERNEL, limit=3)))
        assert list(route.ask(ReadFile(b"/etc/hostname")))


def test_what_is_not_in_the_closed_set_never_leaves(with_shell: RunningSshd) -> None:
    with SshRoute.open(with_shell.address(), Pace(), no_secrets) as route:
        before = route.transcript.text(), route._session.line.sent
        for argv in ((b"rm", b"-rf", b"/"), (b"sh", b"-c", b"id"), (b"cat", b"--", b"/etc/passwd", b";", b"id"), ()):
            with pytest.raises(ForbiddenRequest):
                route.execute(argv)
        assert (route.transcript.text(), route._session.line.sent) == before


@pytest.mark.parametrize("ending", ["closed early", "silent too long", "line closed"])
def test_a_program_that_nobody_listens_to_any_more_is_told_to_end(tmp_path: Path, ending: str) -> None:
    """A `sha256sum` that hashes does not write, so it does not notice that we are gone, and would go on for hours."""
    told: list[str] = []

    async def hashing(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.signal_received = told.append  # type: ignore[assignment,method-assign]  # to see it, not to die of it
        await asyncio.sleep(10)

    with running_asyncssh(tmp_path, Logins(password="secret"), process_factory=hashing) as device:
        login = (Password(Secret("env", "P")),)
        address = SshAddress("127.0.0.1", "u", device.port, (device.host_key_fingerprint,), credentials=login, timeouts=SHORT)
        route = SshRoute(connect(address, lambda _: "secret", lambda _: None), Pace(), Transcript())
        try:
            running = route.execute(commands.sha256(b"/dev/null"))
            if ending == "silent too long":
                with pytest.raises(TimedOut):
                    next(running.chunks())
            elif ending == "closed early":
                running.close()
        finally:
            route.close()
        until = time.monotonic() + 3
        while not told and time.monotonic() < until:
            time.sleep(0.01)
    assert told == ["TERM"]


def test_a_program_that_has_ended_is_not_told_to(with_shell: RunningSshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "end_program", lambda *_: pytest.fail("its number may be another program's by now"))
    with SshRoute.open(with_shell.address(), Pace(), no_secrets) as route:
        running = route.execute(commands.sha256(b"/dev/null"))
        assert list(running.chunks())
        running.close()


def test_starting_a_command_ends_the_one_before(with_shell: RunningSshd, folder: Path) -> None:
    with SshRoute.open(with_shell.address(), Pace(), no_secrets) as route:
        first = route.execute(commands.cat(os.fsencode(folder / "large")))
        next(first.chunks())
        second = route.execute(commands.cat(os.fsencode(folder / "larger")))
        assert b"".join(second.chunks()) == (folder / "larger").read_bytes()
        assert second.status == 0
        with pytest.raises(Truncated):
            assert first.status


# The buffer between the line and us


def test_more_than_the_window_is_a_bad_reply() -> None:
    inbox = Inbox(100)
    inbox.output.feed(b"x" * 60)
    inbox.errors.feed(b"y" * 40)
    with pytest.raises(BadReply):
        inbox.output.feed(b"z")
    assert inbox.output.read(60) == b"x" * 60
    inbox.output.feed(b"z")


def test_the_buffer_gives_pieces_of_the_size_asked_for() -> None:
    inbox = Inbox(1000)
    for piece in (b"abc", b"defg", b"h"):
        inbox.output.feed(piece)
    assert [inbox.output.read(2), inbox.output.read(3), inbox.output.read(9), inbox.output.read(9)] == [
        b"ab",
        b"cde",
        b"fgh",
        b"",
    ]
    assert inbox.held == len(inbox.output) == 0


def test_waiting_for_the_buffer_ends_with_data_with_the_end_or_with_time() -> None:
    inbox = Inbox(1000)
    assert inbox.wait(0.01) is False
    threading.Timer(0.05, inbox.errors.feed, (b"x",)).start()
    assert inbox.wait(5) is True
    inbox.errors.read(1)
    inbox.errors.close()
    threading.Timer(0.05, inbox.output.close).start()
    assert inbox.wait(5) is True
    assert inbox.finished


# What stays behind


def test_a_failed_connection_leaves_no_thread_and_says_nothing_by_itself(
    with_shell: RunningSshd, capfd: pytest.CaptureFixture[str]
) -> None:
    before = set(threading.enumerate())
    for changes in ({"host_keys": ()}, {"user": "nobody-here"}, {"legacy": ("ssh-rsa",), "host_keys": ("SHA256:" + "A" * 43,)}):
        with pytest.raises(DeviceError):
            SshRoute.open(with_shell.address(**changes), Pace(), no_secrets)
    with pytest.raises(DeviceError), relay(with_shell.port, cut_after=900) as port:
        SshRoute.open(with_shell.address(port=port), Pace(), no_secrets)
    until = time.monotonic() + 3
    while set(threading.enumerate()) - before and time.monotonic() < until:
        time.sleep(0.05)
    assert not set(threading.enumerate()) - before
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
