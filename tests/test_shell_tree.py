"""Trees over a shell: GNU and busybox answer what Python's own walk sees, and what was not surely read is never a file."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local_shell import GNU_PATH, NOBODY, LocalShell, busybox_path
from tests.trees import build_hard_tree, entry, walk
from verifier.errors import BadReply, DeviceError, ForbiddenRequest, OverBound, Truncated, Unsupported
from verifier.model.profile import Bounds, Proof
from verifier.model.words import FileType, Reason
from verifier.transport.answer import Answer, FileEntry, NotRead
from verifier.transport.request import ReadTree
from verifier.transport.shell.complaint import complaints
from verifier.transport.shell.execution import Execution
from verifier.transport.shell.hash_lines import hash_lines
from verifier.transport.shell.listing import Form, records
from verifier.transport.shell.targets import targets
from verifier.transport.shell.tree import read_tree
from verifier.transport.shell.userland import ArchiveTool, Userland, probe_userland

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be refused something")
USERLANDS = ("gnu", "busybox", "gnu tar, busybox find", "busybox find, coreutils stat")
Alter = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A PATH for each userland."""
    folder = tmp_path_factory.mktemp("userlands")
    folder.chmod(0o755)
    found = {"gnu": GNU_PATH, "busybox": busybox_path(folder / "busybox")}
    for name, programs in (
        ("gnu tar, busybox find", ("find", "stat", "sha256sum")),
        ("busybox find, coreutils stat", ("find", "tar")),
    ):
        mixed = folder / name
        mixed.mkdir()
        for program in programs:
            (mixed / program).symlink_to("/usr/bin/busybox")
        found[name] = f"{mixed}:{GNU_PATH}"
    return found


@pytest.fixture(scope="module")
def hard_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by tests that do not change it."""
    root = tmp_path_factory.mktemp("hard") / "tree"
    build_hard_tree(root)
    return root


@pytest.fixture(params=USERLANDS[:2])
def userland_path(request: pytest.FixtureRequest, paths: dict[str, str]) -> str:
    return paths[str(request.param)]


def asked(*roots: Path | bytes, exclude: tuple[str, ...] = (), proof: Proof = Proof.CONTENT, **more: object) -> ReadTree:
    request = ReadTree(tuple(os.fsencode(root) for root in roots), exclude, proof, (), 1 << 20, Bounds())
    return dataclasses.replace(request, **more)  # type: ignore[arg-type]  # names of the request's own fields


def answers(request: ReadTree, shell: LocalShell) -> dict[bytes, Answer]:
    """By path; each path once."""
    found: dict[bytes, Answer] = {}
    for answer in read_tree(request, shell.execute, probed(shell.path)):
        assert isinstance(answer, FileEntry | NotRead)
        assert answer.path not in found
        found[answer.path] = answer
    return found


@cache
def probed(path: str) -> Userland:
    return probe_userland(LocalShell(path).execute)


def truth(root: Path, proof: Proof = Proof.CONTENT) -> dict[bytes, Answer]:
    return {
        path: dataclasses.replace(
            each,
            sha256=each.sha256 if proof is not Proof.DEVICE_HASH else "",
            device_sha256=each.sha256 if proof is not Proof.CONTENT else "",
        )
        for path, each in walk(root).items()
    }


def not_read(found: dict[bytes, Answer]) -> dict[bytes, Reason]:
    return {path: answer.reason for path, answer in found.items() if isinstance(answer, NotRead)}


# The same as Python's own walk


@pytest.mark.parametrize("proof", Proof)
@pytest.mark.parametrize("userland", USERLANDS)
def test_every_userland_answers_as_pythons_walk(paths: dict[str, str], userland: str, proof: Proof, hard_tree: Path) -> None:
    assert answers(asked(hard_tree, proof=proof), LocalShell(paths[userland])) == truth(hard_tree, proof)


@pytest.mark.parametrize("chunk", [1, 7, 600, 1 << 20])
def test_it_does_not_matter_how_the_stream_is_cut_into_chunks(userland_path: str, chunk: int, tmp_path: Path) -> None:
    tree = tmp_path / "new\nline'"
    (tree / "d").mkdir(parents=True)
    (tree / "d" / "a\nb").write_bytes(b"x" * 700)
    (tree / "l").symlink_to("to\n//\n'")
    for proof in Proof:
        assert answers(asked(tree, proof=proof), LocalShell(userland_path, chunk=chunk)) == truth(tree, proof)


def test_the_number_of_commands_does_not_grow_with_the_tree(userland_path: str, tmp_path: Path) -> None:
    counts = []
    for files in (1, 40, 400):
        tree = tmp_path / str(files)
        tree.mkdir()
        for place in range(files):
            (tree / f"file {place}").write_bytes(b"x")
        shell = LocalShell(userland_path)
        assert len(answers(asked(tree), shell)) == files + 1
        counts.append(len(shell.asked))
    assert counts == [3, 3, 3]


# Roots and exclusions


def test_roots_that_do_not_exist_are_absent_and_others_are_read(userland_path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"f")
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_bytes(b"i")
    roots = ("file", "link", "nothing", "file/below a file", "link/inside")
    found = answers(asked(*(tmp_path / root for root in roots)), LocalShell(userland_path))
    expected = [os.fsencode(tmp_path / name) for name in ("file", "link", "link/inside")]
    assert found == {path: entry(path) for path in expected}


def test_nothing_but_absent_roots_gives_no_answer_and_no_archive(userland_path: str, tmp_path: Path) -> None:
    shell = LocalShell(userland_path)
    assert answers(asked(tmp_path / "a", tmp_path / "b"), shell) == {}
    assert len(shell.asked) == 1


@pytest.mark.parametrize("proof", Proof)
def test_roots_inside_roots_are_answered_once(userland_path: str, proof: Proof, tmp_path: Path) -> None:
    (tmp_path / "t" / "a" / "b").mkdir(parents=True)
    (tmp_path / "t" / "a" / "b" / "c").write_bytes(b"c")
    (tmp_path / "t" / "l").symlink_to("a")
    roots = (tmp_path / "t", tmp_path / "t/a/b", tmp_path / "t/a", tmp_path / "t", tmp_path / "t/l/b")
    found = answers(asked(*roots, proof=proof), LocalShell(userland_path))
    through_the_link = {path for path in found if b"/t/l/" in path}
    assert {path: answer for path, answer in found.items() if path not in through_the_link} == truth(tmp_path / "t", proof)
    assert through_the_link == {os.fsencode(tmp_path / "t/l/b"), os.fsencode(tmp_path / "t/l/b/c")}


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (("{root}/logs",), ("", "/plc", "/plc/a.log", "/plc/app", "/plc/logs", "/plc/logs/z", "/od*d", "/od*d/x")),
        (("{root}/logs/**",), ("", "/logs", "/plc", "/plc/a.log", "/plc/app", "/plc/logs", "/plc/logs/z", "/od*d", "/od*d/x")),
        (("**/logs",), ("", "/plc", "/plc/a.log", "/plc/app", "/od*d", "/od*d/x")),
        (("**/*.log", "{root}/od*d"), ("", "/logs", "/plc", "/plc/app", "/plc/logs", "/plc/logs/z")),
        (("{root}/*",), ("",)),
        (("{root}",), ()),
    ],
)
@pytest.mark.parametrize("proof", [Proof.CONTENT, Proof.CROSS_CHECKED])
def test_what_is_excluded_is_neither_answered_nor_sent(
    userland_path: str, exclude: tuple[str, ...], left: tuple[str, ...], proof: Proof, tmp_path: Path
) -> None:
    root = tmp_path / "t"
    for name in ("logs/big.log", "plc/a.log", "plc/app", "plc/logs/z", "od*d/x"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(bytes(100_000))
    received = 0

    def counted(data: bytes) -> bytes:
        nonlocal received
        received += len(data)
        return data

    shell = LocalShell(userland_path)
    request = asked(root, exclude=tuple(each.format(root=root) for each in exclude), proof=proof)
    userland = probe_userland(shell.execute)
    found = list(read_tree(request, through(shell, {"tar": counted}), userland))
    assert {answer.path for answer in found if isinstance(answer, FileEntry)} == {os.fsencode(f"{root}{name}") for name in left}
    assert len(found) == len(left)
    files = sum((root / name.lstrip("/")).is_file() for name in left)
    assert files * 100_000 <= received < files * 110_000 + 12_000


def test_windows_into_the_kernel_are_not_read_as_files(userland_path: str) -> None:
    others = tuple(f"/{name}" for name in os.listdir("/") if name not in ("proc", "sys", "srv"))  # noqa: PTH208  names only
    shell = LocalShell(userland_path)
    found = answers(asked(b"/", exclude=others), shell)
    assert not_read(found) == {b"/proc": Reason.UNSUPPORTED, b"/sys": Reason.UNSUPPORTED}
    assert {b"/", b"/srv"} <= found.keys()
    assert all(path in (b"/", b"/proc", b"/sys") or path.startswith(b"/srv") for path in found)
    (only,) = answers(asked(b"/sys/kernel"), shell).values()
    assert only == NotRead(b"/sys/kernel", Reason.UNSUPPORTED, only.detail if isinstance(only, NotRead) else "", below=True)


def test_windows_that_the_listing_hides_are_not_read_either(userland_path: str) -> None:
    """An archive of all of `/` would bring them along."""
    others = tuple(f"/{name}" for name in os.listdir("/") if name not in ("proc", "sys", "srv"))  # noqa: PTH208  names only
    shell = LocalShell(userland_path)
    hide: dict[str, Alter] = {"find": lambda data: data.replace(b"/proc", b"/srv/zproc").replace(b"/sys", b"/srv/zsys")}
    list(read_tree(asked(b"/", exclude=others), through(shell, hide), probed(userland_path)))
    archives = [arguments for arguments in shell.asked if b"-c" in arguments and arguments[0] == b"tar"]
    assert archives and all(set(arguments).isdisjoint((b"./", b"./proc", b"./sys")) for arguments in archives)


def test_a_root_that_is_not_absolute_is_forbidden() -> None:
    shell = LocalShell()
    for root in (b"etc", b"/etc/../root", b"", b"/etc/./x", b"/a\0b"):
        with pytest.raises(ForbiddenRequest):
            list(read_tree(asked(root), shell.execute, probe_userland(shell.execute)))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_targets_are_everything_listed_but_what_is_left_out(data: st.DataObject) -> None:
    """A tree of up to 15 names: the targets bring what is neither left out nor opened to leave something out, once each."""
    listed = [b"/r"]
    for number in range(data.draw(st.integers(0, 14))):
        listed.append(data.draw(st.sampled_from(listed)) + b"/%d" % number)
    left_out = frozenset(data.draw(st.lists(st.sampled_from(listed), max_size=4)))
    roots = tuple(sorted({b"/r", *data.draw(st.lists(st.sampled_from(listed), max_size=2))}))

    def at_or_below(path: bytes, folders: frozenset[bytes] | set[bytes]) -> bool:
        return any(path == folder or path.startswith(folder + b"/") for folder in folders)

    shown = [path for path in listed if not at_or_below(path, left_out)]
    chosen = targets(tuple(root for root in roots if root in shown), shown, lambda _: True, (left_out,))
    assert chosen is not None
    brought = [path for path in shown for target in chosen if at_or_below(path, {target})]
    assert len(brought) == len(set(brought)), "nothing twice"
    opened = {path for path in shown if any(each.startswith(path + b"/") for each in left_out)}
    reachable = {path for path in shown if at_or_below(path, set(roots))}
    assert set(brought) == reachable - opened


# What this account may not read


@as_root
@pytest.mark.parametrize("proof", Proof)
def test_what_is_denied_is_told_and_all_else_is_read(userland_path: str, proof: Proof, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o755)
    root = tmp_path / "t"
    odd = os.fsdecode(b"de\nnied: \xff\\'")
    for name in ("open/file", f"{odd}/inside", "list only/inside", f"folder/{odd}", "locked root/x"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"content")
    expected = truth(root, proof)
    (root / odd).chmod(0)
    (root / "list only").chmod(0o744)
    (root / f"folder/{odd}").chmod(0)
    (root / "locked root").chmod(0o711)
    found = answers(
        asked(root, root / "locked root/x", root / "locked root", proof=proof), LocalShell(userland_path, user=NOBODY)
    )
    denied = {os.fsencode(root / name) for name in (odd, "list only/inside", f"folder/{odd}", "locked root")}
    assert not_read(found) == dict.fromkeys(denied, Reason.DENIED)
    for path, answer in found.items():
        if isinstance(answer, FileEntry):
            honest = expected[path]
            assert isinstance(honest, FileEntry)
            assert dataclasses.replace(answer, mode=honest.mode) == honest
    assert found.keys() == expected.keys() - {os.fsencode(root / odd / "inside")}
    whole = found[os.fsencode(root / odd)]
    assert isinstance(whole, NotRead)
    assert whole.below
    file = found[os.fsencode(root / f"folder/{odd}")]
    assert isinstance(file, NotRead)
    assert not file.below


@as_root
def test_a_root_behind_a_closed_folder_is_unread_and_not_absent(userland_path: str, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    root = os.fsencode(tmp_path / "closed" / "x")
    found = answers(asked(root), LocalShell(userland_path, user=NOBODY))
    assert not_read(found) == {root: Reason.DENIED}


# What changes meanwhile


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"!")


def same_size_and_time(path: Path) -> None:
    times = path.stat()
    path.write_bytes(b"E" * times.st_size)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: tuple[tuple[Callable[[Path], object], Reason], ...] = (
    (grown, Reason.UNSTABLE),
    (lambda path: os.truncate(path, 3), Reason.UNSTABLE),
    (same_size_and_time, Reason.UNSTABLE),
    (replaced_by_folder, Reason.UNSTABLE),
    (lambda path: path.chmod(0o4755), Reason.UNSTABLE),
    (lambda path: os.utime(path, (1, 1)), Reason.UNSTABLE),
    (lambda path: path.unlink(), Reason.VANISHED),
)


@pytest.mark.parametrize("change", range(len(CHANGES)))
@pytest.mark.parametrize("command", [1, 2])
@pytest.mark.parametrize("proof", [Proof.CONTENT, Proof.DEVICE_HASH])
def test_a_file_that_changes_between_commands(
    userland_path: str, change: int, command: int, proof: Proof, tmp_path: Path
) -> None:
    """Before the second command (archive or hashes) and before the third (second listing)."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"e" * 1000)
    (tmp_path / "other").write_bytes(b"o")
    expected = truth(tmp_path, proof)
    act, reason = CHANGES[change]

    def before(arguments: tuple[bytes, ...]) -> None:
        if len(shell.asked) == command + 1:
            act(victim)

    shell = LocalShell(userland_path, before=before)
    found = answers(asked(tmp_path, proof=proof), shell)
    changed = os.fsencode(victim)
    assert not_read(found) == {changed: reason}
    for path in (os.fsencode(tmp_path / "other"),):
        assert found[path] == expected[path]


def test_a_name_that_appears_meanwhile(userland_path: str, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"o")

    def before(arguments: tuple[bytes, ...]) -> None:
        if len(shell.asked) == 2:
            (tmp_path / "new").write_bytes(b"n")
            (tmp_path / "new folder").mkdir()

    shell = LocalShell(userland_path, before=before)
    found = answers(asked(tmp_path), shell)
    assert not_read(found) == {os.fsencode(tmp_path / name): Reason.UNSTABLE for name in ("new", "new folder")}


def test_a_name_that_only_the_archive_saw(userland_path: str, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"o")

    def before(arguments: tuple[bytes, ...]) -> None:
        if len(shell.asked) == 2:
            (tmp_path / "passing").write_bytes(b"p")
        if len(shell.asked) == 3:
            (tmp_path / "passing").unlink()

    shell = LocalShell(userland_path, before=before)
    found = answers(asked(tmp_path), shell)
    assert not_read(found) == {os.fsencode(tmp_path / "passing"): Reason.UNSTABLE}


@pytest.mark.parametrize("change", ["shrink", "grow", "rewrite"])
def test_a_file_that_changes_while_tar_reads_it(userland_path: str, change: str, tmp_path: Path) -> None:
    """tar waits on the full pipe in the middle of a large file; then the file changes, and the rest of it is another's."""
    victim = tmp_path / "victim"
    victim.write_bytes(bytes(3 << 20))
    times = victim.stat()
    done = False

    def first(data: bytes) -> bytes:
        nonlocal done
        if not done:
            done = True
            if change == "shrink":
                os.truncate(victim, 1 << 20)
            elif change == "grow":
                grown(victim)
            else:
                victim.write_bytes(b"x" * times.st_size)
                os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
        return data

    shell = LocalShell(userland_path)
    execute = through(shell, {"tar": first})
    try:
        found = list(read_tree(asked(tmp_path), execute, probe_userland(shell.execute)))
    except Truncated as error:  # busybox gives up in the middle of the archive
        assert change == "shrink"
        assert "short read" in str(error) or "tar said" in str(error)
        return
    (unread,) = (answer for answer in found if isinstance(answer, NotRead))
    assert (unread.path, unread.reason) == (os.fsencode(victim), Reason.UNSTABLE)


# Lines that break, and devices that lie


class Altered:
    """A running command whose output passes through a function, chunk by chunk."""

    def __init__(self, execution: Execution, alter: Alter, status: int | None, broken: bool = False) -> None:
        self._execution, self._alter, self._status, self._broken = execution, alter, status, broken

    def chunks(self) -> Iterator[bytes]:
        for chunk in self._execution.chunks():
            yield self._alter(chunk)
        if self._broken:
            raise Truncated("the line broke")

    @property
    def status(self) -> int:
        return self._execution.status if self._status is None else self._status

    @property
    def errors(self) -> bytes:
        return self._execution.errors

    def close(self) -> None:
        self._execution.close()


def through(shell: LocalShell, alter: dict[str, Alter]) -> Callable[[tuple[bytes, ...]], Execution]:
    """Commands of these programs have their output altered."""

    def execute(arguments: tuple[bytes, ...]) -> Execution:
        return Altered(shell.execute(arguments), alter.get(arguments[0].decode(), bytes), None)

    return execute


def cut_at(shell: LocalShell, command: int, offset: int, broken: bool) -> Callable[[tuple[bytes, ...]], Execution]:
    """The output of one command ends after so many bytes: with the line, or as if that were all."""
    started = 0

    def execute(arguments: tuple[bytes, ...]) -> Execution:
        nonlocal started
        execution = shell.execute(arguments)
        started += 1
        if started - 1 != command:
            return execution
        left = offset

        def cut(data: bytes) -> bytes:
            nonlocal left
            kept = data[:left]
            left -= len(kept)
            return kept

        return Altered(execution, cut, 0, broken)

    return execute


@pytest.mark.parametrize("proof", [Proof.CONTENT, Proof.DEVICE_HASH])
@pytest.mark.parametrize("broken", [True, False])
def test_a_cut_stream_never_ends_well(userland_path: str, proof: Proof, broken: bool, tmp_path: Path) -> None:
    """Whatever is answered is true, something is told as not read, and nothing that was cut away is merely absent."""
    (tmp_path / "folder").mkdir()
    for name in ("a", "b", "folder/c"):
        (tmp_path / name).write_bytes(name.encode() * 600)
    (tmp_path / "link").symlink_to("a")
    expected = truth(tmp_path, proof)
    shell = LocalShell(userland_path)
    userland = probe_userland(shell.execute)
    for command in range(3):
        execution = shell.execute(shell_commands(asked(tmp_path, proof=proof), userland_path)[command])
        total = sum(len(chunk) for chunk in execution.chunks())
        execution.close()
        for offset in {0, 1, total - 1, *range(0, total, max(1, total // 9))}:
            found: dict[bytes, Answer] = {}
            raised = False
            try:
                for answer in read_tree(asked(tmp_path, proof=proof), cut_at(shell, command, offset, broken), userland):
                    assert isinstance(answer, FileEntry | NotRead)
                    found[answer.path] = answer
            except DeviceError:
                raised = True
            assert all(answer == expected[path] for path, answer in found.items() if isinstance(answer, FileEntry))
            assert raised or not_read(found), (command, offset, total)
            if broken:
                assert raised
            if not raised:
                covered = found.keys() | {path for path in expected for each in found.values() if covers(each, path)}
                assert expected.keys() <= covered


def covers(answer: Answer, path: bytes) -> bool:
    return isinstance(answer, NotRead) and answer.below and path.startswith(answer.path + b"/")


def shell_commands(request: ReadTree, path: str) -> list[tuple[bytes, ...]]:
    shell = LocalShell(path)
    answers(request, shell)
    return shell.asked


def script(folder: Path, name: str, text: str) -> str:
    """A PATH on which one program is replaced, as an attacker would."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return f"{folder}:{GNU_PATH}"


def test_a_sha256sum_that_returns_golden_digests_is_contradicted(tmp_path: Path) -> None:
    golden = "0" * 64
    lie = f'case "$*" in *null*) exec /usr/bin/sha256sum "$@";; esac; for f; do echo "{golden}  $f"; done'
    path = script(tmp_path / "bin", "sha256sum", lie)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "firmware").write_bytes(b"implant")
    found = answers(asked(tree, proof=Proof.CROSS_CHECKED), LocalShell(path))
    lied = found[os.fsencode(tree / "firmware")]
    assert isinstance(lied, FileEntry)
    assert lied.device_sha256 == golden
    assert lied.sha256 == entry(os.fsencode(tree / "firmware")).sha256


@pytest.mark.parametrize("text", ["", "echo nonsense", "yes", 'for f; do echo "zz  $f"; done', "printf 'no newline'", "exit 3"])
def test_a_broken_sha256sum_gives_no_hash(tmp_path: Path, text: str) -> None:
    probe = 'case "$*" in *null*) exec /usr/bin/sha256sum "$@";; esac; '
    path = script(tmp_path / "bin", "sha256sum", probe + text)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "f").write_bytes(b"f")
    try:
        found = answers(asked(tree, proof=Proof.DEVICE_HASH), LocalShell(path))
    except BadReply:
        return
    assert not_read(found) == {os.fsencode(tree / "f"): Reason.REFUSED}


def test_a_tar_that_hides_a_file_is_contradicted_by_the_listing(tmp_path: Path) -> None:
    path = script(tmp_path / "bin", "tar", 'exec /usr/bin/tar --exclude=implant "$@"')
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "implant").write_bytes(b"x")
    found = answers(asked(tree), LocalShell(path))
    assert not_read(found) == {os.fsencode(tree / "implant"): Reason.REFUSED}


def test_a_find_that_hides_a_file_is_contradicted_by_the_archive(tmp_path: Path) -> None:
    path = script(tmp_path / "bin", "find", 'exec /usr/bin/find "$1" "$2" "$3" -name implant -prune -o "$4" "$5"')
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "implant").write_bytes(b"x")
    (tree / "honest").write_bytes(b"x")
    found = answers(asked(tree), LocalShell(path))
    assert not_read(found) == {os.fsencode(tree / "implant"): Reason.UNSTABLE}


MANY_COMPLAINTS = 'yes "tar: ./nowhere: Cannot open: Hm, odd" | head -c 70000 >&2'


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("tar", "echo tar: out of memory >&2; exit 2"),
        ("tar", 'exec /usr/bin/tar "$@" --bad-option'),
        ("tar", '/usr/bin/tar "$@"; exit 2'),
        ("tar", '/usr/bin/tar "$@"; echo "tar: something odd" >&2; exit 1'),
        (
            "tar",
            f'/usr/bin/tar "$@"; {MANY_COMPLAINTS}; exit 2',
        ),
        ("find", '/usr/bin/find "$@"; echo "find: something odd" >&2; exit 1'),
        ("find", '/usr/bin/find "$@"; exit 1'),
    ],
)
def test_a_failure_that_no_name_explains_makes_the_whole_root_unread(tmp_path: Path, program: str, text: str) -> None:
    honest = 'case "$*" in *--version*|*/proc/self*) exec /usr/bin/PROGRAM "$@";; esac; '.replace("PROGRAM", program)
    path = script(tmp_path / "bin", program, honest + text)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "f").write_bytes(b"f")
    try:
        found = answers(asked(tree), LocalShell(path))
    except (Truncated, BadReply):
        return
    (only,) = found.values()
    assert isinstance(only, NotRead)
    assert (only.path, only.below, only.reason) == (os.fsencode(tree), True, Reason.REFUSED)


class Played:
    """A device that answers each command with given bytes."""

    def __init__(self, output: bytes, status: int, errors: bytes) -> None:
        self._output, self.status, self.errors = output, status, errors

    def chunks(self) -> Iterator[bytes]:
        yield self._output

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory, paths: dict[str, str]) -> dict[str, tuple[ReadTree, Userland, list[bytes]]]:
    """What each userland said of a small tree, command by command."""
    tree = tmp_path_factory.mktemp("played") / "t"
    (tree / "d").mkdir(parents=True)
    (tree / "d" / "f").write_bytes(b"f" * 20)
    (tree / "l").symlink_to("d")
    found = {}
    for name in ("gnu", "busybox"):
        shell = LocalShell(paths[name])
        request = asked(tree, proof=Proof.CROSS_CHECKED)
        outputs: list[bytes] = []

        def kept(arguments: tuple[bytes, ...], shell: LocalShell = shell, outputs: list[bytes] = outputs) -> Played:
            execution = shell.execute(arguments)
            outputs.append(b"".join(execution.chunks()))
            played = Played(outputs[-1], execution.status, execution.errors)
            execution.close()
            return played

        userland = probe_userland(LocalShell(paths[name]).execute)
        assert len(list(read_tree(request, kept, userland))) == 4
        found[name] = (request, userland, outputs)
    return found


@given(st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_hostile_device_causes_only_errors_of_ours(
    takes: dict[str, tuple[ReadTree, Userland, list[bytes]]], data: st.DataObject
) -> None:
    request, userland, outputs = takes[data.draw(st.sampled_from(("gnu", "busybox")))]
    played = []
    for output in outputs:
        altered = bytearray(output)
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, max(0, len(altered) - 1)))
            length = data.draw(st.integers(0, 40))
            altered[at : at + length] = data.draw(st.one_of(st.binary(max_size=40), st.just(bytes(altered[at : at + 90]))))
        errors = data.draw(st.sampled_from((b"", b"x", b"tar: ./x: Cannot open: y\n", b"find: '/x': z\n", b"tar: " * 20000)))
        played.append(Played(bytes(altered), data.draw(st.sampled_from((0, 1, 2, 127, -1))), errors))
    sequence = iter(played)
    try:
        for answer in read_tree(request, lambda _: next(sequence), userland):
            assert isinstance(answer, FileEntry | NotRead)
    except DeviceError as error:
        assert str(error)


# Bounds


def bounded(tmp_path: Path, userland_path: str, bounds: Bounds, **more: object) -> dict[bytes, Answer]:
    return answers(asked(tmp_path, bounds=bounds, **more), LocalShell(userland_path))  # type: ignore[arg-type]  # as in `asked`


def test_the_bound_on_members(userland_path: str, tmp_path: Path) -> None:
    for name in range(10):
        (tmp_path / str(name)).write_bytes(b"")
    assert len(bounded(tmp_path, userland_path, Bounds(members=11))) == 11
    (only,) = bounded(tmp_path, userland_path, Bounds(members=10)).values()
    assert isinstance(only, NotRead)
    assert (only.path, only.reason, only.below) == (os.fsencode(tmp_path), Reason.BOUND, True)


def test_the_bound_on_bytes(userland_path: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(600))
    (tmp_path / "b").write_bytes(bytes(400))
    os.link(tmp_path / "a", tmp_path / "second name")
    assert not not_read(bounded(tmp_path, userland_path, Bounds(bytes=1000)))
    assert not_read(bounded(tmp_path, userland_path, Bounds(bytes=999))) == {os.fsencode(tmp_path): Reason.BOUND}


@pytest.mark.parametrize("proof", Proof)
def test_one_file_over_the_bound_on_bytes_is_left_out_alone(userland_path: str, proof: Proof, tmp_path: Path) -> None:
    """A sparse file that claims a tebibyte is neither sent nor hashed."""
    (tmp_path / "a").write_bytes(bytes(600))
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 40)
    found = bounded(tmp_path, userland_path, Bounds(bytes=1 << 20), proof=proof)
    assert not_read(found) == {os.fsencode(tmp_path / "huge"): Reason.BOUND}
    assert len(found) == 3


class Flooding(Played):
    """Records of a listing by GNU find, as many as are taken."""

    def __init__(self, name: Callable[[int], bytes], most: int, first: tuple[bytes, ...] = ()) -> None:
        super().__init__(b"", 0, b"")
        self._name, self._most, self._first = name, most, first

    def chunks(self) -> Iterator[bytes]:
        for path in self._first:
            yield b"d 755 1 0 0 0 1.0 1.0 1 1 " + path + b"\0\0"
        for number in range(self._most):
            yield b"f 644 1 0 0 0 1.0 1.0 1 1 " + self._name(number) + b"\0\0"
        raise AssertionError("it is read without end")


@pytest.mark.parametrize(
    "name", [lambda n: b"/t/%d" % n + b"n" * 4000, lambda n: b"/t/1/2/%d/" % n + b"n" * 4000 + b"/x"], ids=["long", "too deep"]
)
def test_names_do_not_fill_the_memory(name: Callable[[int], bytes]) -> None:
    request = asked(Path("/t"), bounds=Bounds(members=1000, depth=3))
    userland = Userland(ArchiveTool.GNU, "1.34", Form.PRINTF, hash=True, cat=True)
    (only,) = read_tree(request, lambda _: Flooding(name, 999), userland)
    assert isinstance(only, NotRead)
    assert (only.path, only.reason, only.below) == (b"/t", Reason.BOUND, True)


def test_a_second_listing_without_end_is_over_the_bound(tmp_path: Path) -> None:
    """The first was short, so that only the second can tell."""
    shell = LocalShell()
    root = os.fsencode(tmp_path)

    def execute(arguments: tuple[bytes, ...]) -> Execution:
        if len(shell.asked) == 2:
            return Flooding(lambda number: root + b"/%d" % number, 5000, first=(root,))
        return shell.execute(arguments)

    with pytest.raises(OverBound, match="appeared"):
        list(read_tree(asked(tmp_path, bounds=Bounds(members=1000)), execute, probed(GNU_PATH)))


def test_the_bound_on_depth(userland_path: str, tmp_path: Path) -> None:
    (tmp_path / "1" / "2" / "3" / "4").mkdir(parents=True)
    (tmp_path / "1" / "2" / "3" / "file").write_bytes(b"f")
    (tmp_path / "1" / "file").write_bytes(b"f")
    found = bounded(tmp_path, userland_path, Bounds(depth=3))
    assert not_read(found) == {os.fsencode(tmp_path / "1/2/3"): Reason.BOUND}
    assert os.fsencode(tmp_path / "1/2/3/4") not in found
    assert os.fsencode(tmp_path / "1/file") in found
    assert not not_read(bounded(tmp_path, userland_path, Bounds(depth=4)))


def test_the_bound_on_seconds(userland_path: str, tmp_path: Path) -> None:
    assert not_read(bounded(tmp_path, userland_path, Bounds(seconds=-1.0))) == {os.fsencode(tmp_path): Reason.BOUND}


def test_seconds_that_end_in_the_second_listing(userland_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = LocalShell(userland_path)
    userland = probe_userland(shell.execute)
    clock = [0.0]
    monkeypatch.setattr("verifier.transport.shell.run.time.monotonic", lambda: clock[0])

    def execute(arguments: tuple[bytes, ...]) -> Execution:
        clock[0] += 1000.0
        return shell.execute(arguments)

    with pytest.raises(OverBound):
        list(read_tree(asked(tmp_path, bounds=Bounds(seconds=2500)), execute, userland))
    assert [arguments[0] for arguments in shell.asked[-3:]] == [b"find", b"tar", b"find"]


def test_more_exceptions_than_a_command_line_holds_are_sent_and_dropped_here(userland_path: str, tmp_path: Path) -> None:
    for name in range(120):
        folder = tmp_path / f"a folder with a long name, number {name}"
        folder.mkdir()
        (folder / "x.log").write_bytes(b"log")
        (folder / "x.cfg").write_bytes(b"cfg")
    shell = LocalShell(userland_path)
    found = answers(asked(tmp_path, exclude=("**/*.log",)), shell)
    assert len(found) == 1 + 120 * 2
    assert not not_read(found)
    assert max(len(b" ".join(arguments)) for arguments in shell.asked) < 8000


# Content that comes along


def test_wanted_content_comes_along_under_every_name(userland_path: str, tmp_path: Path) -> None:
    (tmp_path / "x.conf").write_bytes(b"text")
    os.link(tmp_path / "x.conf", tmp_path / "a.conf")
    os.link(tmp_path / "x.conf", tmp_path / "not wanted")
    (tmp_path / "long.conf").write_bytes(bytes(101))
    (tmp_path / "binary").write_bytes(b"b")
    found = answers(asked(tmp_path, keep=("**/*.conf",), keep_limit=100), LocalShell(userland_path))
    contents = {path.rpartition(b"/")[2]: answer.content for path, answer in found.items() if isinstance(answer, FileEntry)}
    expected = {b"x.conf": b"text", b"a.conf": b"text", b"not wanted": None, b"long.conf": None, b"binary": None}
    assert {name: content for name, content in contents.items() if name in expected} == expected


def test_more_text_than_is_held_is_told(userland_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.transport.shell.contents.KEPT_BYTES", 1000)
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(400))
    found = answers(asked(tmp_path, keep=("**",), keep_limit=500), LocalShell(userland_path))
    assert list(not_read(found).values()) == [Reason.BOUND]


# Probing


def test_probing_tells_userlands_apart(paths: dict[str, str]) -> None:
    shell = LocalShell(paths["busybox"])
    probe_userland(shell.execute)
    assert len(shell.asked) == 5
    gnu = probed(paths["gnu"])
    assert (gnu.archive, gnu.listing, gnu.hash, gnu.cat) == (ArchiveTool.GNU, Form.PRINTF, True, True)
    assert gnu.words[0].startswith("GNU tar 1.")
    busybox = probed(paths["busybox"])
    assert (busybox.archive, busybox.listing, busybox.hash, busybox.cat) == (ArchiveTool.BUSYBOX, Form.STAT, True, True)
    assert busybox.words[0].startswith("busybox tar 1.")
    assert probed(paths["gnu tar, busybox find"]).listing is Form.STAT
    assert probed("/nowhere") == Userland(ArchiveTool.NONE, "", Form.NONE, False, False)


@pytest.mark.parametrize("status", [0, 1, 127])
@pytest.mark.parametrize("output", [b"", b"This service allows sftp connections only.\n", b"\xff\0\x1b[2J" * 9])
def test_a_device_without_a_shell_has_no_userland(status: int, output: bytes) -> None:
    userland = probe_userland(lambda _: Played(output, status, output))
    # An empty answer with status 0 is what cat gives of an empty file.
    assert userland == Userland(ArchiveTool.NONE, "", Form.NONE, False, output == b"" and status == 0)


def test_old_busybox_says_its_name_with_its_complaint() -> None:
    said = b"tar: unrecognized option '--version'\nBusyBox v1.19.4 (2013-01-01) multi-call binary.\n"
    userland = probe_userland(lambda _: Played(b"", 1, said))
    assert (userland.archive, userland.archive_version) == (ArchiveTool.BUSYBOX, "1.19.4")


def test_a_probe_that_never_ends_is_a_bad_reply() -> None:
    with pytest.raises(BadReply):
        probe_userland(lambda _: Played(bytes(1 << 20), 0, b""))


@pytest.mark.parametrize(
    ("userland", "proof"),
    [
        (Userland(ArchiveTool.GNU, "1.34", Form.NONE, True, True), Proof.CONTENT),
        (Userland(ArchiveTool.NONE, "", Form.PRINTF, True, True), Proof.CONTENT),
        (Userland(ArchiveTool.NONE, "", Form.PRINTF, True, True), Proof.CROSS_CHECKED),
        (Userland(ArchiveTool.GNU, "1.34", Form.PRINTF, False, True), Proof.DEVICE_HASH),
        (Userland(ArchiveTool.GNU, "1.34", Form.PRINTF, False, True), Proof.CROSS_CHECKED),
    ],
)
def test_a_missing_tool_is_told_before_anything_is_sent(userland: Userland, proof: Proof) -> None:
    def never(arguments: tuple[bytes, ...]) -> Execution:
        raise AssertionError("something was sent")

    with pytest.raises(Unsupported):
        read_tree(asked(b"/etc", proof=proof), never, userland)


def test_a_device_without_tar_can_still_hash(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "f").write_bytes(b"f")
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("env", "find", "stat", "sha256sum"):
        (programs / program).symlink_to(shutil.which(program) or program)
    found = answers(asked(tree, proof=Proof.DEVICE_HASH), LocalShell(str(programs)))
    assert found == truth(tree, Proof.DEVICE_HASH)


# The output of the device's programs, taken apart

NAME = st.lists(st.sampled_from([b"a", b"\n", b"\\", b"\r", b" ", b"\xff", b"0" * 64 + b"  ", b"n"]), min_size=1, max_size=6)


@given(st.lists(NAME.map(lambda parts: b"/" + b"".join(parts)), unique=True, min_size=1, max_size=8), st.booleans(), st.data())
@settings(max_examples=100, deadline=None)
def test_hash_lines_of_any_names(names: list[bytes], coreutils: bool, data: st.DataObject) -> None:
    """coreutils: right, whichever files are left out. busybox: right where all files could be hashed."""
    digests = {name: bytes([place]) * 32 for place, name in enumerate(names)}
    hashed = [name for name in names if data.draw(st.booleans())] if coreutils else names
    output = b""
    for name in hashed:
        escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
        line = digests[name].hex().encode() + b"  "
        output += b"\\" + line + escaped + b"\n" if coreutils and escaped != name else line + name + b"\n"
    length = data.draw(st.integers(1, 300))
    chunks = [output[at : at + length] for at in range(0, len(output), length)]
    assert list(hash_lines(chunks, names)) == [(name, digests[name]) for name in hashed]


@pytest.mark.parametrize("output", [b"x", b"0" * 64, b"0" * 63 + b"  /a\n", b"0" * 64 + b"  /a", b"\n", b"G" * 64 + b"  /a\n"])
def test_what_is_not_a_list_of_hashes(output: bytes) -> None:
    with pytest.raises(BadReply):
        list(hash_lines([output], [b"/a"]))


def test_complaints_in_every_wording_we_know() -> None:
    gnu = (
        b"tar: ./a\\nb\\: c: Cannot open: Permission denied\n"
        b"tar: ./f: file changed as we read it\n"
        b"tar: ./s: File shrank by 3 bytes; padding with zeros\n"
        b"tar: ./v: File removed before we read it\n"
        b"tar: ./io: Read error at byte 0, while reading 512 bytes: Input/output error\n"
        b"tar: Exiting with failure status due to previous errors\n"
    )
    found = [(each.path, each.reason) for each in complaints(gnu, escaped=True)]
    assert found == [
        (b"/a\nb: c", Reason.DENIED),
        (b"/f", Reason.UNSTABLE),
        (b"/s", Reason.UNSTABLE),
        (b"/v", Reason.VANISHED),
        (b"/io", Reason.REFUSED),
    ]
    busybox = b"tar: can't open './a\nb: c': Permission denied\ntar: ./d: No such file or directory\nSegmentation fault\n"
    assert next(complaints(busybox, escaped=False)).path == b"/a\nb: c"
    coreutils = b"sha256sum: '/a'$'\\n''b: c '\\''$x': Permission denied\nsha256sum: /plain: Permission denied\n"
    assert [each.path for each in complaints(coreutils, escaped=False)] == [b"/a\nb: c '$x", b"/plain"]
    assert [each.path for each in complaints(b"Killed\n", escaped=False)] == [b""]
    assert all(each.words.isprintable() for each in complaints(b"tar: \x1b[2J\ntar: ./x: \x07\n", escaped=True))


def test_the_tree_holds_what_it_promises(hard_tree: Path) -> None:
    """The oracle itself, by hand: a tree that lost its hard cases would let everything pass."""
    found = walk(hard_tree)
    kinds = {each.type for each in found.values()}
    assert {FileType.REGULAR, FileType.DIRECTORY, FileType.SYMLINK, FileType.FIFO, FileType.SOCKET} <= kinds
    names = [path.removeprefix(os.fsencode(hard_tree)) for path in found]
    for piece in (b"\n", b"\\", b"\xff", b"/-", b" ", b"'", b": "):
        assert any(piece in name for name in names)
    assert max(map(len, names)) > 700
    assert {0o4755, 0o2755, 0o1777, 0o7777} <= {each.mode for each in found.values()}


# What other tests do not reach


def test_a_file_with_two_digests_has_none(tmp_path: Path) -> None:
    twice = 'case "$*" in *null*) ;; *) for f; do echo "{}  $f"; done;; esac; exec /usr/bin/sha256sum "$@"'.format("0" * 64)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "f").write_bytes(b"f")
    found = answers(asked(tree, proof=Proof.DEVICE_HASH), LocalShell(script(tmp_path / "bin", "sha256sum", twice)))
    assert not_read(found) == {os.fsencode(tree / "f"): Reason.BAD_REPLY}


def test_a_file_stored_with_holes_is_not_read(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with open(tree / "holes", "wb") as file:
        file.seek(1 << 20)
        file.write(b"x")
    path = script(tmp_path / "bin", "tar", 'case "$1" in -c) shift; set -- -S -c "$@";; esac; exec /usr/bin/tar "$@"')
    assert not_read(answers(asked(tree), LocalShell(path))) == {os.fsencode(tree / "holes"): Reason.UNSUPPORTED}


def test_an_archive_larger_than_the_listing_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.transport.shell.tree.SLACK_BYTES", 0)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "f").write_bytes(b"f")

    def before(arguments: tuple[bytes, ...]) -> None:
        if arguments[0] == b"tar":
            (tree / "f").write_bytes(bytes(1 << 20))

    found = answers(asked(tree, bounds=Bounds(bytes=1000)), LocalShell(before=before))
    assert not_read(found) == {os.fsencode(tree): Reason.BOUND}


@as_root
def test_a_node_whose_numbers_nobody_tells(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    os.mknod(tree / "null", 0o20666, os.makedev(1, 3))
    path = script(tmp_path / "bin", "stat", "exit 1")
    found = answers(asked(tree, proof=Proof.DEVICE_HASH), LocalShell(path))
    assert not_read(found) == {os.fsencode(tree / "null"): Reason.REFUSED}


def test_a_kind_of_file_that_we_do_not_know(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "door")
    (tmp_path / "door").chmod(0o651)
    shell = LocalShell()
    execute = through(shell, {"find": lambda data: data.replace(b"p 651 ", b"D 651 ")})
    found = list(read_tree(asked(tmp_path, proof=Proof.DEVICE_HASH), execute, probed(GNU_PATH)))
    assert [answer.reason for answer in found if isinstance(answer, NotRead)] == [Reason.UNSUPPORTED]


@pytest.mark.parametrize("form", [Form.PRINTF, Form.STAT])
def test_a_name_without_end_is_a_bad_reply(form: Form) -> None:
    record = b"f 644 1 0 0 0 1.0 1.0 1 1 /" if form is Form.PRINTF else b"81a4 1 0 0 0 1 1 1 0 0 2026-11-22 00:00:00 +0000|/"
    with pytest.raises(BadReply):
        list(records(form, [record, b"n" * 40_000]))
    link = (
        b"l 777 1 0 0 9 1.0 1.0 1 1 /l\0" if form is Form.PRINTF else b"a1ff 1 0 0 99999 1 1 1 0 0 2026-11-22 0|/l//'/l' -> '//\n"
    )
    with pytest.raises(BadReply):
        list(records(form, [link, b"t" * 40_000]))


def test_a_hash_without_end_is_a_bad_reply() -> None:
    for expected in ([b"/a"], [b"/a\nb"]):
        with pytest.raises(BadReply):
            list(hash_lines([b"0" * 64 + b"  /" + b"n" * 40_000], expected))


def test_links_on_a_file_system_that_says_no_length() -> None:
    record = b"a1ff 1 0 0 0 1 1 1 0 0 2026-11-22 00:00:00 +0000|/l//'/l' -> 'target'//\n"
    assert [(path, Form.STAT.parsed(each).target) for path, each in records(Form.STAT, [record, record])] == [
        (b"/l", b"target")
    ] * 2
