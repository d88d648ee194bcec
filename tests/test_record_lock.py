"""Locks: one at a time, between processes and between threads; the waiting ones learn whom they wait for."""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.record_fixtures import in_child, read_only_disk
from verifier.errors import RecordError
from verifier.record.lock import locked


@contextmanager
def held_by_another(path: Path) -> Iterator[int]:
    """Another process holds the lock; gives its number. It is killed at the end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with locked(path, 1.0):
            os.write(writing, b"x")
            signal.pause()
    try:
        assert os.read(reading, 1) == b"x"
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_the_one_who_waits_too_long_learns_for_whom(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    with held_by_another(path) as holder:
        before = time.monotonic()
        with pytest.raises(RecordError) as caught, locked(path, 0.2):
            pytest.fail("two hold it")
        assert 0.2 <= time.monotonic() - before < 5
    since = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(rf"{re.escape(str(path))} is in use by process {holder} since {since}", str(caught.value))
    assert caught.value.hint
    stated = time.strptime(str(caught.value)[-20:], "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(stated) - time.mktime(time.gmtime())) < 60


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with held_by_another(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock", 0):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / "lock").read_text() == ""


def test_a_holder_that_has_not_signed_yet_is_unknown(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", 0):
        (tmp_path / "lock").write_text("")
        with pytest.raises(RecordError, match="process unknown since"), locked(tmp_path / "lock", 0):
            pytest.fail("two hold it")


def test_the_next_one_gets_it_when_it_is_free(tmp_path: Path) -> None:
    entered = threading.Event()

    def hold() -> None:
        with locked(tmp_path / "lock", 0):
            entered.set()
            time.sleep(0.15)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(5)
    before = time.monotonic()
    with locked(tmp_path / "lock", 10):
        assert time.monotonic() - before > 0.05
    holder.join()


def test_threads_and_processes_keep_each_other_out(tmp_path: Path) -> None:
    """Each adds to a number in a file by reading, waiting and writing; without the lock, additions are lost."""
    counter = tmp_path / "counter"
    counter.write_text("0")

    def add() -> str:
        for _ in range(10):
            with locked(tmp_path / "lock", 30):
                number = int(counter.read_text())
                time.sleep(0.001)
                counter.write_text(str(number + 1))
        return "done"

    answers: list[str] = []

    def elsewhere(work: Callable[[], str]) -> Callable[[], None]:
        return lambda: answers.append(work())

    threads = [threading.Thread(target=elsewhere(add)) for _ in range(2)]
    threads += [threading.Thread(target=elsewhere(lambda: in_child(add))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["done"] * 4
    assert counter.read_text() == "40"


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "lock", 0):
        raise KeyError
    with locked(tmp_path / "lock", 0):
        pass


def test_a_read_only_disk_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with (
        read_only_disk(tmp_path / "mnt", tmp_path / "source") as disk,
        pytest.raises(RecordError, match=r"cannot lock .* the disk is read-only"),
        locked(disk / "lock", 0),
    ):
        pytest.fail("locked")


def test_a_full_disk_does_not_stop_the_lock_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with locked(tmp_path / "lock", 0):
        assert (tmp_path / "lock").read_text() == ""
