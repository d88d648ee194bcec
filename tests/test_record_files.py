"""Files are whole or not there: on a full disk, a read-only one, under a limit, and after a kill."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.record_fixtures import full_disk, in_child, read_only_disk
from verifier.errors import RecordError
from verifier.record.files import clear_partials, force_names, read_whole, refusals, remove, write_new, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert read_whole(path) == b"two"
    assert names(tmp_path) == ["a", "a/b", "a/b/file"]


@pytest.mark.parametrize("write", [write_whole, write_new])
def test_the_mode_is_what_was_asked_for(tmp_path: Path, write: Callable[[Path, bytes, int], None]) -> None:
    before = os.umask(0o077)
    try:
        write(tmp_path / "public", b"", 0o644)
        write(tmp_path / "secret", b"", 0o600)
    finally:
        os.umask(before)
    assert [oct((tmp_path / name).stat().st_mode & 0o7777) for name in ("public", "secret")] == ["0o644", "0o600"]


def test_a_new_file_never_overwrites(tmp_path: Path) -> None:
    write_new(tmp_path / "file", b"one")
    with pytest.raises(RecordError, match="it is there already") as caught:
        write_new(tmp_path / "file", b"two")
    assert caught.value.hint == "nothing was overwritten"
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"one"


@pytest.mark.parametrize("write", [write_whole, write_new])
def test_staging_is_elsewhere(tmp_path: Path, write: Callable[..., None]) -> None:
    write(tmp_path / "entries" / "file", b"one", staging=tmp_path / "partial")
    assert names(tmp_path) == ["entries", "entries/file", "partial"]


def test_a_disk_without_second_names_serves_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    write_new(tmp_path / "file", b"one")
    assert names(tmp_path) == ["file"]
    with pytest.raises(RecordError, match="it is there already"):
        write_new(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"one"


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_whole(tmp_path / "file") is None
    with pytest.raises(RecordError, match="cannot read"):
        read_whole(tmp_path)


def test_removing(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"one")
    remove(tmp_path / "file")
    remove(tmp_path / "file")
    assert names(tmp_path) == []
    with pytest.raises(RecordError, match="cannot remove"):
        remove(tmp_path)


def test_a_full_disk(tmp_path: Path) -> None:
    with full_disk(tmp_path / "mnt") as disk:
        write_whole(disk / "file", b"one")
        for write in (write_whole, write_new):
            with pytest.raises(RecordError, match="the disk is full") as caught:
                write(disk / ("file" if write is write_whole else "other"), bytes(100_000))
            assert "free some space" in caught.value.hint
        assert names(disk) == ["file"]
        assert (disk / "file").read_bytes() == b"one"


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"one")

    def child() -> str:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        try:
            write_whole(tmp_path / "file", bytes(10_000))
        except RecordError as error:
            return f"{error} {error.hint}"
        return "written"

    assert "larger than this system allows raise the limit" in in_child(child)
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"one"


def test_a_read_only_disk(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_whole(source / "file", b"one")
    with read_only_disk(tmp_path / "mnt", source) as disk:
        with pytest.raises(RecordError, match="the disk is read-only") as caught:
            write_whole(disk / "file", b"two")
        assert "mount it writable" in caught.value.hint
        with pytest.raises(RecordError, match="the disk is read-only"):
            remove(disk / "file")
        assert read_whole(disk / "file") == b"one"
    assert names(source) == ["file"]


def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for above in tmp_path.parents:
        if above.stat().st_uid == os.getuid() and above.name.startswith("pytest"):
            above.chmod(0o755)

    def child() -> str:
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        else:
            tmp_path.chmod(0o555)
        try:
            write_whole(tmp_path / "file", b"one")
        except RecordError as error:
            return f"{error} {error.hint}"
        return "written"

    assert "not allowed run it as the user who owns the workspace" in in_child(child)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "not allowed"),
        (errno.EPERM, "not allowed"),
        (errno.EFBIG, "the file would be larger than this system allows"),
        (errno.EIO, "input/output error"),
    ],
)
def test_each_trouble_has_its_words(number: int, words: str) -> None:
    with pytest.raises(RecordError, match=f"^cannot write x: {words}$") as caught, refusals("write", Path("x")):
        raise OSError(number, os.strerror(number))
    assert caught.value.hint


def test_other_troubles_keep_the_systems_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RecordError, match="not a directory") as caught:
        write_whole(tmp_path / "file" / "below", b"")
    assert caught.value.hint == "check the disk and the path"
    with pytest.raises(RecordError, match="cannot do x: strange"), refusals("do", Path("x")):
        raise OSError("Strange")


def test_a_very_long_name_still_has_a_partial(tmp_path: Path) -> None:
    name = "ü" * 120
    write_whole(tmp_path / name, b"one")
    assert names(tmp_path) == [name]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:3])))
    write_whole(tmp_path / "file", b"0123456789")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_content_is_on_disk_before_its_name_and_the_name_before_we_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "content")  # noqa: PTH112  # a link of /proc
        real_fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        steps.append("name")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    write_whole(tmp_path / "file", b"one")
    assert steps == ["content", "name", "folder"]


def killed_while_writing(path: Path) -> None:
    """Leaves a partial file as a kill would."""

    def child() -> str:
        pytest.MonkeyPatch().setattr(os, "fsync", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        write_whole(path, b"half")
        return "never"

    assert in_child(child) == ""


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"one")
    killed_while_writing(tmp_path / "file")
    left = [name for name in names(tmp_path) if name != "file"]
    assert len(left) == 1
    assert left[0].startswith(".file.")
    assert clear_partials(tmp_path) == (tmp_path / left[0],)
    assert clear_partials(tmp_path) == ()
    assert (tmp_path / "file").read_bytes() == b"one"


def test_what_is_being_written_is_not_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync
    cleared: list[tuple[Path, ...]] = []

    def clear_meanwhile(descriptor: int) -> None:
        cleared.append(clear_partials(tmp_path))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", clear_meanwhile)
    write_whole(tmp_path / "file", b"one")
    assert cleared[0] == ()
    assert (tmp_path / "file").read_bytes() == b"one"


def test_a_partial_cleared_before_it_was_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fcntl.flock
    stolen: list[Path] = []

    def flock(descriptor: int, how: int) -> None:
        if not stolen:
            stolen.extend(tmp_path.glob("*.partial"))
            stolen.extend(tmp_path.glob(".*.partial"))
            stolen[0].unlink()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    write_whole(tmp_path / "file", b"one")
    assert stolen
    assert names(tmp_path) == ["file"]


def test_clearing_touches_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.partial").write_bytes(b"")
    (tmp_path / ".hidden").write_bytes(b"")
    (tmp_path / "outside").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / ".link.partial").symlink_to(tmp_path / "outside")
    assert clear_partials(tmp_path) == ()
    with pytest.raises(RecordError, match="cannot clear"):
        clear_partials(tmp_path / "folder")
    assert (tmp_path / "outside").exists()
    assert clear_partials(tmp_path / "not there") == ()


def test_folders_made_by_two_at_once(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(10):
                write_whole(tmp_path / f"{step}" / "x" / f"{number}", b"1")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 80


def test_forcing_names_of_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        write_whole(tmp_path / "file", b"")
        force_names(tmp_path / "file")
