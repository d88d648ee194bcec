"""Files over SSH: the same tree over SFTP and over a shell, which way is chosen, and what the route says of itself."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.asyncssh_device import Logins, running_asyncssh
from tests.servers.dropbear import running_dropbear
from tests.servers.sftp_device import subsystem
from tests.servers.sshd import NO_SFTP, SFTP_ONLY, RunningSshd, no_secrets, running_sshd
from tests.trees import build_hard_tree, walk
from verifier.errors import BadReply, DeviceError, ForbiddenRequest, Unsupported
from verifier.model.device import Password, Secret, SshAddress
from verifier.model.profile import Bounds, Pace, Proof
from verifier.model.words import Evidence, FileType, Reason, Table
from verifier.transport.answer import Answer, FileEntry, NotRead, Output
from verifier.transport.request import Command, ReadFile, ReadTable, ReadTree, Request, Run
from verifier.transport.route import Route
from verifier.transport.ssh.route import SshRoute

ROOT = os.geteuid() == 0
USUAL = Bounds()


def tree(*roots: Path | str, proof: Proof = Proof.CONTENT, bounds: Bounds = USUAL, exclude: tuple[str, ...] = ()) -> ReadTree:
    return ReadTree(tuple(os.fsencode(root) for root in roots), exclude, proof, (), 0, bounds)


def by_path(answers: Iterator[Answer]) -> dict[bytes, Answer]:
    found: dict[bytes, Answer] = {}
    for answer in answers:
        assert isinstance(answer, FileEntry | NotRead)
        assert answer.path not in found, "each path once"
        found[answer.path] = answer
    return found


def over_sftp(entries: dict[bytes, FileEntry]) -> dict[bytes, FileEntry]:
    """What version 3 of SFTP can say of them: times are 32 bits without a sign, and device nodes have no number."""
    nodes = (FileType.CHARACTER, FileType.BLOCK)
    return {
        path: replace(entry, mtime=entry.mtime & 0xFFFFFFFF, size=0 if entry.type in nodes else entry.size)
        for path, entry in entries.items()
    }


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree") / "hard"
    build_hard_tree(folder)
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred files in seven folders."""
    folder = tmp_path_factory.mktemp("tree") / "many"
    for number in range(300):
        (folder / str(number % 7)).mkdir(parents=True, exist_ok=True)
        (folder / str(number % 7) / f"f{number}").write_bytes(b"%d" % number * 100)
    return folder


@pytest.fixture(scope="module")
def sftp_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSshd]:
    with running_sshd(tmp_path_factory.mktemp("sftp-only"), config=SFTP_ONLY) as device:
        yield device


@pytest.fixture(scope="module")
def with_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSshd]:
    with running_sshd(tmp_path_factory.mktemp("shell")) as device:
        yield device


@pytest.fixture
def files(sftp_only: RunningSshd) -> Iterator[SshRoute]:
    with SshRoute.open(sftp_only.address(), Pace(), no_secrets) as route:
        yield route


# The same tree, whichever way


def test_the_hard_tree_over_sftp_is_pythons_own_walk(files: SshRoute, hard: Path) -> None:
    assert by_path(files.ask(tree(hard))) == over_sftp(walk(hard))
    if ROOT:
        assert "SFTP does not tell the numbers of device nodes: they are not compared" in files.notes


def test_the_hard_tree_over_a_shell_is_pythons_own_walk(with_shell: RunningSshd, hard: Path) -> None:
    with SshRoute.open(with_shell.address(), Pace(), no_secrets) as route:
        assert by_path(route.ask(tree(hard))) == walk(hard)


@pytest.mark.skipif(not ROOT, reason="dropbear's user has to be made")
def test_the_hard_tree_over_dropbear_with_and_without_its_shell(hard: Path) -> None:
    # its user is another one with uid 0, so nothing of the tree is hidden from it
    with running_dropbear(sftp=True) as device, SshRoute.open(device.address(), Pace(), no_secrets) as route:
        assert by_path(route.ask(tree(hard))) == walk(hard)
        assert by_path(route._tree_over_sftp(tree(hard))) == over_sftp(walk(hard))


def test_roots_that_are_files_links_missing_or_nested(files: SshRoute, hard: Path, many: Path) -> None:
    single = [hard / "names" / "plain", hard / "links" / "loop-a"]
    asked = tree(*single, hard / "missing", f"{many}/", many / "3")
    expected = {path: entry for path, entry in walk(hard).items() if path in map(os.fsencode, single)}
    assert by_path(files.ask(asked)) == expected | walk(many)


def test_excluded_paths_are_neither_answered_nor_opened(files: SshRoute, many: Path) -> None:
    found = by_path(files.ask(tree(many, exclude=(f"{many}/3", f"{many}/*/f1*"))))
    assert found
    assert not any(b"/many/3" in path or b"/f1" in path for path in found)
    assert b"/many/3" not in files.transcript.text()
    assert b"/f1" not in files.transcript.text()


def test_content_is_kept_where_it_is_asked_for_and_short_enough(files: SshRoute, hard: Path) -> None:
    sizes = hard / "sizes"
    asked = ReadTree((os.fsencode(sizes),), (), Proof.CONTENT, (f"{sizes}/3*",), 32768, USUAL)
    kept = {
        answer.path: answer.content for answer in files.ask(asked) if isinstance(answer, FileEntry) and answer.content is not None
    }
    assert kept == {os.fsencode(sizes / name): (sizes / name).read_bytes() for name in ("32767", "32768")}


def test_the_kernels_folders_are_not_walked(files: SshRoute) -> None:
    answer = by_path(files.ask(tree("/proc")))[b"/proc"]
    assert isinstance(answer, NotRead)
    assert (answer.reason, answer.below) == (Reason.UNSUPPORTED, True)


# What cannot be read


@pytest.mark.skipif(not ROOT, reason="takes another user")
@pytest.mark.parametrize("over_sftp", [True, False])
def test_unreadable_files_and_folders_are_denied(over_sftp: bool) -> None:
    with running_dropbear(sftp=True, uid=54321) as device, SshRoute.open(device.address(), Pace(), no_secrets) as route:
        folder = device.folder / "tree"
        (folder / "closed").mkdir(parents=True)
        (folder / "closed" / "in").write_text("x")
        (folder / "closed").chmod(0o700)
        (folder / "secret").write_text("x")
        (folder / "secret").chmod(0o600)
        (folder / "open").write_text("x")
        ask = route._tree_over_sftp if over_sftp else route.ask
        found = by_path(ask(tree(folder)))
        closed, secret = found[os.fsencode(folder / "closed")], found[os.fsencode(folder / "secret")]
        assert isinstance(closed, NotRead)
        assert isinstance(secret, NotRead)
        assert (closed.reason, closed.below) == (Reason.DENIED, True)
        assert (secret.reason, secret.below) == (Reason.DENIED, False)
        assert isinstance(found[os.fsencode(folder / "open")], FileEntry)
        assert len(found) == 4


def test_bounds_on_entries_bytes_depth_are_readings(files: SshRoute, hard: Path) -> None:
    for bounds in (Bounds(members=50), Bounds(bytes=100_000), Bounds(depth=1)):
        found = by_path(files.ask(tree(hard, bounds=bounds)))
        unread = [answer for answer in found.values() if isinstance(answer, NotRead)]
        assert unread
        assert {answer.reason for answer in unread} == {Reason.BOUND}
        whole = over_sftp(walk(hard))
        assert all(whole[path] == answer for path, answer in found.items() if isinstance(answer, FileEntry))


def test_a_file_that_grows_while_it_is_read_is_unstable(files: SshRoute, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 3_000_000)
    (tmp_path / "still").write_bytes(b"y")
    path = tmp_path / "log"
    with subprocess.Popen(
        [sys.executable, "-c", f"import time\nf = open({str(path)!r}, 'ab', 0)\nwhile True: f.write(b'z'); time.sleep(0.0005)"]
    ) as writer:
        try:
            time.sleep(0.3)
            found = by_path(files.ask(tree(tmp_path)))
        finally:
            writer.kill()
    log = found[os.fsencode(path)]
    assert isinstance(log, NotRead)
    assert log.reason is Reason.UNSTABLE
    assert isinstance(found[os.fsencode(tmp_path / "still")], FileEntry)


@pytest.mark.parametrize("lie", ["wrong-id", "long-data", "twice"])
def test_a_lying_subsystem_is_a_bad_reply(tmp_path: Path, lie: str) -> None:
    with (
        running_sshd(tmp_path, config=(subsystem(lie),), options='command="exit 1"') as device,
        pytest.raises((BadReply, DeviceError)),
        SshRoute.open(device.address(), Pace(), no_secrets) as route,
    ):
        by_path(route._tree_over_sftp(tree("/t")))


def test_an_endless_directory_over_the_wire_stays_small(tmp_path: Path) -> None:
    with (
        running_sshd(tmp_path, config=(subsystem("endless"),)) as device,
        SshRoute.open(device.address(), Pace(), no_secrets) as route,
    ):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = by_path(route._tree_over_sftp(tree("/t", bounds=Bounds(members=5000))))
        assert isinstance(found[b"/t"], NotRead)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB


# Which way is chosen, and what is said of it


def test_with_a_shell_nothing_is_noted_and_commands_run(with_shell: RunningSshd) -> None:
    route: Route
    with SshRoute.open(with_shell.address(), Pace(), no_secrets) as route:
        assert route.notes == ()
        assert route.evidence is Evidence.CONTENT
        assert route.can(Run(Command.KERNEL)) == ""
        (answer,) = route.ask(Run(Command.KERNEL))
        assert isinstance(answer, Output)
        assert answer.data.startswith(b"Linux ")
        assert answer.status == 0


def test_internal_sftp_is_noted_and_runs_nothing(files: SshRoute) -> None:
    assert files.notes == ("no shell on the device: read over SFTP",)
    assert files.can(ReadFile(b"/etc/hostname")) == ""
    assert "no shell" in files.can(Run(Command.KERNEL))
    with pytest.raises(Unsupported, match="no shell"):
        list(files.ask(Run(Command.KERNEL)))


def test_a_device_that_refuses_to_run_commands_is_read_over_sftp(tmp_path: Path, many: Path) -> None:
    with running_asyncssh(tmp_path, Logins(password="p"), process_factory=None) as server:
        address = SshAddress(
            "127.0.0.1", "u", server.port, (server.host_key_fingerprint,), credentials=(Password(Secret("env", "P")),)
        )
        with SshRoute.open(address, Pace(), lambda secret: "p") as route:
            assert route.notes == ("no shell on the device: read over SFTP",)
            assert by_path(route.ask(tree(many))) == walk(many)


def test_a_shell_without_tools_runs_commands_and_trees_go_over_sftp(tmp_path: Path, many: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("env", "cat", "uname"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    with (
        running_sshd(tmp_path / "sshd", config=(f"SetEnv PATH={tmp_path / 'bin'} HOME={tmp_path}",)) as device,
        SshRoute.open(device.address(), Pace(), no_secrets) as route,
    ):
        assert route.notes == ("no usable tools on the device (no tar, no usable find, no sha256sum, cat): trees read over SFTP",)
        assert by_path(route.ask(tree(many))) == walk(many)
        (kernel,) = route.ask(Run(Command.KERNEL))
        assert isinstance(kernel, Output)
        (packages,) = route.ask(Run(Command.DPKG_PACKAGES))
        assert isinstance(packages, Output)
        assert packages.status == 127


def test_a_shell_without_sha256sum_is_read_and_hashed_here(tmp_path: Path, many: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("env", "cat", "uname", "find", "tar"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    with (
        running_sshd(tmp_path / "sshd", config=(f"SetEnv PATH={tmp_path / 'bin'} HOME={tmp_path}",)) as device,
        SshRoute.open(device.address(), Pace(), no_secrets) as route,
    ):
        assert not route.notes
        assert by_path(route.ask(tree(many, proof=Proof.DEVICE_HASH))) == walk(many)
        assert list(route.notes) == ["the device cannot hash: its files were read and hashed here"]


def test_no_sftp_is_no_matter_where_there_is_a_shell(tmp_path: Path, many: Path) -> None:
    with (
        running_sshd(tmp_path, config=NO_SFTP) as device,
        SshRoute.open(device.address(), Pace(), no_secrets) as route,
    ):
        assert route.notes == ()
        assert by_path(route.ask(tree(many))) == walk(many)
        with pytest.raises(DeviceError):
            list(route._tree_over_sftp(tree(many)))


def test_neither_shell_nor_sftp_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with running_sshd(tmp_path, config=NO_SFTP, options='command="echo no entry; exit 1"') as device:
        with pytest.raises(Unsupported, match="neither a shell with tools nor SFTP") as caught:
            SshRoute.open(device.address(), Pace(), no_secrets)
        assert "internal-sftp" in caught.value.hint


def test_dropbear_without_sftp_has_its_shell() -> None:
    with running_dropbear(sftp=False) as device, SshRoute.open(device.address(), Pace(), no_secrets) as route:
        assert route.notes == ()
        with pytest.raises(DeviceError):
            list(route._tree_over_sftp(tree("/etc")))


def test_hashes_of_the_device_over_sftp_are_content_and_it_is_said(files: SshRoute, many: Path) -> None:
    found = by_path(files.ask(tree(many, proof=Proof.CROSS_CHECKED)))
    assert all(isinstance(answer, FileEntry) and answer.device_sha256 == "" for answer in found.values())
    assert all(answer.sha256 for answer in found.values() if isinstance(answer, FileEntry) and answer.type is FileType.REGULAR)
    assert "the device cannot hash: its files were read and hashed here" in files.notes


# Single files


@pytest.mark.parametrize("shell", [True, False])
def test_read_file_either_way(sftp_only: RunningSshd, with_shell: RunningSshd, hard: Path, shell: bool) -> None:
    device = with_shell if shell else sftp_only
    with SshRoute.open(device.address(), Pace(), no_secrets) as route:

        def read(path: bytes, limit: int = 1 << 20) -> Output | NotRead:
            (answer,) = route.ask(ReadFile(path, limit))
            assert isinstance(answer, Output | NotRead)
            return answer

        name = os.fsencode(hard) + b'/names/quote\'s "both" `ticks` $HOME $(reboot)'
        with open(name, "rb") as file:
            assert read(name) == Output(file.read())
        proc = read(b"/proc/mounts")
        assert isinstance(proc, Output)
        assert b"/proc" in proc.data
        assert read(b"/no/such") == NotRead(b"/no/such", Reason.REFUSED, "no such file")
        over = read(os.fsencode(hard / "sizes" / "32769"), limit=32768)
        assert isinstance(over, NotRead)
        assert over.reason is Reason.BOUND
        assert read(os.fsencode(hard / "sizes" / "32769"), limit=32769) == Output((hard / "sizes" / "32769").read_bytes())
        for forbidden in (b"/proc/kmsg", b"/dev/watchdog", b"/etc/../dev/watchdog", b"etc/passwd"):
            with pytest.raises(ForbiddenRequest):
                read(forbidden)


def test_a_modbus_question_is_not_for_this_line(files: SshRoute) -> None:
    question: Request = ReadTable(Table.HOLDING, 0, 1)
    assert "Modbus" in files.can(question)
    with pytest.raises(Unsupported):
        list(files.ask(question))


# What is on record


def test_the_transcript_holds_every_request_and_the_bytes(files: SshRoute, many: Path) -> None:
    list(files.ask(tree(many)))
    list(files.ask(ReadFile(b"/proc/version")))
    lines = files.transcript.text().decode().splitlines()
    assert lines[0].startswith("ssh connect 127.0.0.1 port ")
    assert lines[1].endswith("publickey")
    assert sum(line.startswith("sftp open ") for line in lines) == 301
    assert sum(line.startswith("sftp opendir ") for line in lines) == 8
    exchange = files.transcript.exchange()
    assert exchange.requests == len(lines)
    assert exchange.bytes_sent > 20_000
    assert exchange.bytes_received > 60_000


def test_an_abandoned_answer_does_not_disturb_the_next(files: SshRoute, hard: Path, many: Path) -> None:
    answers = files.ask(tree(hard))
    next(answers)
    answers.close()  # type: ignore[attr-defined]  # it is a generator
    assert by_path(files.ask(tree(many))) == walk(many)


# Pace


def test_the_pace_is_kept(sftp_only: RunningSshd, hard: Path) -> None:
    began = time.monotonic()
    with SshRoute.open(sftp_only.address(), Pace(requests_per_second=200), no_secrets) as route:
        list(route.ask(tree(hard / "empty")))
        requests = route.transcript.exchange().requests
    assert time.monotonic() - began > (requests - 8) / 200
    began = time.monotonic()
    with SshRoute.open(sftp_only.address(), Pace(bytes_per_second=2_500_000), no_secrets) as route:
        list(route.ask(tree(hard / "sizes" / "sparse")))
    assert time.monotonic() - began > 2
