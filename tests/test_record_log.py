"""The log: nothing acknowledged is lost, nothing half is there, and what is wrong with it is found."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.record_fixtures import full_disk, in_child, read_only_disk
from tests.trust_fixtures import ENGINEER, OFFICER, sealed_baseline, sealed_report
from verifier.errors import RecordError
from verifier.record import log as logs
from verifier.record.log import Broken, Entry, Gap, Log, OutOfChain, Stranger

FIRST_ENTRY = "entries/000/000/000000000.json"


def filled(folder: Path, count: int) -> Log:
    log = Log(folder)
    for _ in range(count):
        log.append(sealed_report)
    return log


def test_an_empty_log(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    assert log.newest() is None
    assert log.length() == 0
    assert list(log.entries()) == []
    assert log.verify() == ()
    assert log.clear_partials() == ()
    assert not (tmp_path / "log").exists()


def test_entries_are_kept_as_they_came_and_name_the_one_before(tmp_path: Path) -> None:
    log = Log(tmp_path)
    given: list[str] = []

    def make(previous: str) -> bytes:
        given.append(previous)
        return sealed_report(previous)

    made = [log.append(make) for _ in range(3)]
    assert given == ["", made[0].sha256, made[1].sha256]
    assert [entry.sequence for entry in made] == [0, 1, 2]
    assert list(log.entries()) == made
    assert list(log.entries(2)) == made[2:]
    assert log.newest() == made[2]
    assert log.read(1) == sealed_report(given[1])
    assert hashlib.sha256(log.read(1)).hexdigest() == made[1].sha256
    assert (tmp_path / FIRST_ENTRY).read_bytes() == log.read(0)
    assert log.verify() == ()


def test_an_entry_that_is_not_there(tmp_path: Path) -> None:
    log = filled(tmp_path, 1)
    for sequence in (1, -1, 10**9):
        with pytest.raises(RecordError, match=f"has no entry {sequence}"):
            log.read(sequence)


def test_when_no_envelope_can_be_made_nothing_is_appended(tmp_path: Path) -> None:
    log = filled(tmp_path, 1)

    def fail(_: str) -> bytes:
        raise KeyError("no key")

    with pytest.raises(KeyError):
        log.append(fail)
    assert log.length() == 1
    assert log.append(sealed_report).sequence == 1
    assert log.verify() == ()


def numbered(folder: Path, *sequences: int) -> Log:
    """A log that ends with these entries."""
    for sequence in sequences:
        name = f"{sequence:09}"
        path = folder / "entries" / name[:3] / name[3:6] / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sealed_report())
    return Log(folder)


@pytest.mark.parametrize("newest", [0, 9, 999, 1000, 1999, 999_999, 1_000_000, 999_999_998])
def test_the_newest_is_found_and_followed(tmp_path: Path, newest: int) -> None:
    log = numbered(tmp_path, 0, newest)
    assert log.length() == newest + 1
    entry = log.append(lambda previous: sealed_report(previous))
    assert entry.sequence == newest + 1
    assert log.newest() == entry


def test_folders_made_by_a_killed_run_are_no_entries(tmp_path: Path) -> None:
    log = numbered(tmp_path, 999)
    (tmp_path / "entries" / "000" / "001").mkdir()
    (tmp_path / "entries" / "001" / "000").mkdir(parents=True)
    assert log.length() == 1000


def test_the_first_entry_of_a_folder_forces_the_folders_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = numbered(tmp_path, 998)
    forced: list[Path] = []
    monkeypatch.setattr(logs, "force_names", forced.append)
    log.append(sealed_report)
    assert forced == []
    log.append(sealed_report)
    entries = tmp_path / "entries"
    assert forced == [entries / "000", entries, tmp_path, entries / "000" / "000"]


def test_appending_does_not_look_at_the_whole_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three listings and one entry, however long it is."""
    log = numbered(tmp_path, 4, 1003, 2_000_007, 2_001_009)
    listed: list[Path] = []
    read: list[Path] = []
    real_listdir, real_read = os.listdir, Path.read_bytes

    def listdir(folder: Path) -> list[str]:
        listed.append(folder)
        return real_listdir(folder)

    def read_bytes(self: Path) -> bytes:
        read.append(self)
        return real_read(self)

    monkeypatch.setattr(os, "listdir", listdir)
    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert log.append(sealed_report).sequence == 2_001_010
    assert len(listed) == 3
    assert [path.name for path in read] == ["002001009.json"]


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path)

    def append_many() -> str:
        return " ".join(str(log.append(sealed_report).sequence) for _ in range(15))

    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(in_child(append_many))) for _ in range(2)]
    threads.append(threading.Thread(target=lambda: answers.append(append_many())))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    acknowledged = [int(number) for answer in answers for number in answer.split()]
    assert sorted(acknowledged) == list(range(45))
    assert log.verify() == ()
    assert log.length() == 45


def test_while_another_appends_we_wait_and_then_say_so(tmp_path: Path) -> None:
    log = filled(tmp_path, 1)

    def make(previous: str) -> bytes:
        with pytest.raises(RecordError, match="is in use by process"):
            log.append(sealed_report, wait_seconds=0.05)
        return sealed_report(previous)

    assert log.append(make).sequence == 1
    assert log.length() == 2


def appended_until_killed(log: Log, at_least: int, after: float) -> list[tuple[int, str]]:
    """What a process that does nothing but append had acknowledged when it was killed, some seconds after so many of them."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        while True:
            entry = log.append(sealed_report)
            os.write(writing, f"{entry.sequence} {entry.sha256}\n".encode())
    os.close(writing)
    with os.fdopen(reading) as lines:
        acknowledged = [next(lines) for _ in range(at_least)]
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        acknowledged += lines
    return [(int(number), sha256) for number, sha256 in (line.split() for line in acknowledged)]


def test_killed_at_any_instant_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    log = Log(tmp_path)
    acknowledged: list[tuple[int, str]] = []
    left_over = 0
    chance = random.Random(2026)
    for run in range(40):
        acknowledged += appended_until_killed(log, run % 3, chance.uniform(0.0, 0.015))
        assert log.verify() == ()
        left_over += len(log.clear_partials())
    assert len(acknowledged) >= 39
    assert left_over > 0, "no kill ever came in the middle: this test shows nothing"
    kept = [(entry.sequence, entry.sha256) for entry in log.entries()]
    assert set(acknowledged) <= set(kept)
    assert len(kept) <= len(acknowledged) + 40
    assert list((tmp_path / "partial").iterdir()) == []
    assert log.append(sealed_report).sequence == len(kept)


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    with full_disk(tmp_path / "mnt") as disk:
        log = filled(disk / "log", 2)
        with pytest.raises(RecordError, match="the disk is full"):
            log.append(lambda previous: bytes(100_000))
        assert log.length() == 2
        assert log.verify() == ()
        assert log.clear_partials() == ()
        assert log.append(sealed_report).sequence == 2
        assert log.verify() == ()


def test_a_read_only_disk_can_still_be_read(tmp_path: Path) -> None:
    filled(tmp_path / "source", 2)
    with read_only_disk(tmp_path / "mnt", tmp_path / "source") as disk:
        log = Log(disk)
        with pytest.raises(RecordError, match="the disk is read-only"):
            log.append(sealed_report)
        assert log.verify() == ()
        assert log.length() == 2


def test_a_log_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "entries").write_bytes(b"")
    with pytest.raises(RecordError, match="not a directory"):
        Log(tmp_path).newest()


def place(log: Log, sequence: int) -> Path:
    return log.folder / "entries" / "000" / "000" / f"{sequence:09}.json"


def drop(log: Log) -> None:
    place(log, 1).unlink()


def swap(log: Log) -> None:
    first, second = place(log, 1).read_bytes(), place(log, 2).read_bytes()
    place(log, 1).write_bytes(second)
    place(log, 2).write_bytes(first)


def rewrite(log: Log) -> None:
    place(log, 1).write_bytes(sealed_report(hashlib.sha256(log.read(0)).hexdigest(), by=ENGINEER))


def garble(log: Log) -> None:
    place(log, 1).write_bytes(log.read(1)[:-1])


def insert(log: Log) -> None:
    for sequence in (3, 2, 1):
        place(log, sequence + 1).write_bytes(place(log, sequence).read_bytes())
    place(log, 1).write_bytes(sealed_report(hashlib.sha256(log.read(0)).hexdigest()))


def drop_the_first(log: Log) -> None:
    place(log, 0).unlink()


TAMPERS: dict[str, tuple[Callable[[Log], None], tuple[type, ...]]] = {
    "an entry removed": (drop, (Gap, OutOfChain)),
    "the first removed": (drop_the_first, (Gap, OutOfChain)),
    "two entries swapped": (swap, (OutOfChain, OutOfChain, OutOfChain)),
    "an entry written anew": (rewrite, (OutOfChain,)),
    "an entry cut short": (garble, (Broken, OutOfChain)),
    "an entry put in between": (insert, (OutOfChain,)),
}


@pytest.mark.parametrize(("tamper", "kinds"), TAMPERS.values(), ids=TAMPERS.keys())
def test_tampering_is_found(tmp_path: Path, tamper: Callable[[Log], None], kinds: tuple[type, ...]) -> None:
    log = Log(tmp_path)
    for _ in range(4):
        log.append(sealed_report)
    assert log.verify() == ()
    tamper(log)
    findings = log.verify()
    assert tuple(type(finding) for finding in findings)[: len(kinds)] == kinds
    assert all("entry" in str(finding) for finding in findings)


def test_a_baseline_names_no_entry_and_the_report_after_it_does(tmp_path: Path) -> None:
    log = filled(tmp_path, 1)
    log.append(lambda _: sealed_baseline(ENGINEER, OFFICER))
    log.append(sealed_report)
    assert log.verify() == ()
    place(log, 1).write_bytes(sealed_baseline(OFFICER, ENGINEER))
    assert log.verify() == (
        OutOfChain(
            2,
            hashlib.sha256(sealed_baseline(ENGINEER, OFFICER)).hexdigest(),
            hashlib.sha256(sealed_baseline(OFFICER, ENGINEER)).hexdigest(),
        ),
    )


def test_what_is_no_statement_is_broken(tmp_path: Path) -> None:
    log = Log(tmp_path)
    assert log.append(lambda _: b"hello") == Entry(0, hashlib.sha256(b"hello").hexdigest())
    assert [type(finding) for finding in log.verify()] == [Broken]
    assert "entry 0 is broken: this is not a signed envelope" in str(log.verify()[0])


def test_an_entry_that_cannot_be_read_is_broken(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    place(log, 1).unlink()
    place(log, 1).mkdir()
    findings = log.verify()
    assert [type(finding) for finding in findings] == [Stranger, Broken, OutOfChain]
    assert "entry 1 is broken: cannot read" in str(findings[1])
    assert "and unreadable is there" in str(findings[2])


def test_strangers_among_the_entries(tmp_path: Path) -> None:
    log = filled(tmp_path, 2)
    folder = place(log, 0).parent
    strangers = [
        folder / "notes.txt",
        folder / "000001000.json",
        folder / "00000001.json",
        folder.parent / "000000001.json",
        folder.parent / "xyz",
        folder.parent / "0000",
    ]
    for stranger in strangers:
        stranger.write_bytes(b"")
    (folder / "000000077.json").mkdir()
    (folder.parent / "001").write_bytes(b"")
    (folder.parent / "002").symlink_to(tmp_path)
    (folder / "000000078.json").symlink_to(place(log, 0))
    found = [finding for finding in log.verify() if isinstance(finding, Stranger)]
    places = [*strangers, folder / "000000077.json", folder.parent / "001", folder.parent / "002", folder / "000000078.json"]
    assert {finding.path for finding in found} == {str(path) for path in places}
    assert str(found[0]).endswith("is not an entry of the log")
