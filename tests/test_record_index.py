"""The index: a cache that nobody misses, whatever becomes of its file."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.record_fixtures import in_child, read_only_disk
from tests.trust_fixtures import (
    COLLECTOR,
    DEVICE,
    ENGINEER,
    NOW,
    OFFICER,
    OTHER_DEVICE,
    baseline,
    report,
    sealed_baseline,
    sealed_report,
)
from verifier.errors import RecordError, TrustError
from verifier.model.device import DeviceName
from verifier.model.heartbeat import Heartbeat
from verifier.model.policy_record import PolicyRecord, TrustFile
from verifier.model.withdrawal import Withdrawal
from verifier.record import index as index_module
from verifier.record.index import Index, Row
from verifier.record.lock import locked
from verifier.record.log import Log
from verifier.record.row import HIGHEST_SERIAL, row_of
from verifier.record.workspace import Workspace
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.statement import HEARTBEAT, POLICY, REPORT, WITHDRAWAL, StatementKind, T, written

FIRST = sealed_baseline(ENGINEER, OFFICER)
SECOND = sealed_baseline(ENGINEER, OFFICER, value=replace(baseline(2, "ab" * 32), not_after=NOW + timedelta(days=365)))
ELSEWHERE = DeviceName("terminal-2", "STS-03", "gantry")


def sealed(kind: StatementKind[T], value: T) -> bytes:
    return seal(written(kind, value), PAYLOAD_TYPE, (COLLECTOR,))


def of(device: DeviceName, minutes: int = 0) -> bytes:
    return sealed(REPORT, replace(report(device=device), ended=NOW + timedelta(minutes=minutes)))


def forged(kind: StatementKind[T], value: T, *changes: tuple[str, str]) -> bytes:
    """A statement with other text in it, as anybody can put one into the log."""
    payload = written(kind, value).decode()
    for old, new in changes:
        assert old in payload
        payload = payload.replace(old, new)
    return seal(payload.encode(), PAYLOAD_TYPE, ())


def appended(log: Log, *envelopes: bytes) -> None:
    for envelope in envelopes:
        log.append(lambda _, envelope=envelope: envelope)  # type: ignore[misc]  # the default binds it now


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Over a log of every kind: a baseline, reports of two devices, a withdrawal, a policy, a heartbeat, the next baseline."""
    found = Workspace(tmp_path / "port").index
    appended(
        found.log,
        FIRST,
        of(DEVICE),
        of(OTHER_DEVICE, 1),
        sealed(WITHDRAWAL, Withdrawal(DEVICE, 1, "cd" * 32, NOW, "the wrong firmware")),
        sealed(POLICY, PolicyRecord(NOW, (TrustFile("policy.json", "{}"),), "crane-verify 0", "")),
        sealed(HEARTBEAT, Heartbeat(NOW, "crane-verify 0", "")),
        of(DEVICE, 2),
        SECOND,
    )
    return found


def holds_all(index: Index) -> None:
    assert [row.sequence for row in index.rows()] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert [row.sequence for row in index.rows("report", DEVICE)] == [6, 1]
    highest = index.highest(DEVICE)
    assert highest is not None
    assert (highest.sequence, highest.serial) == (7, 2)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "AT_ONCE", 3)
    monkeypatch.setattr(index_module, "FIRST_PAGE", 1)
    monkeypatch.setattr(index_module, "LATER_PAGE", 2)


# What it tells


def test_rows_say_what_stands_in_the_entries(index: Index) -> None:
    rows = list(index.rows())
    assert rows == [row_of(sequence, index.log.read(sequence)) for sequence in range(7, -1, -1)]
    assert [row.kind for row in rows] == [
        "baseline", "report", "heartbeat", "policy", "withdrawal", "report", "report", "baseline",
    ]  # fmt: skip
    assert rows[0].names == "ab" * 32
    assert (rows[0].not_after, rows[-1].not_after) == (NOW + timedelta(days=365), None)
    assert (rows[1].device, rows[1].verdict, rows[1].at) == (DEVICE, "drift", NOW + timedelta(minutes=2))
    assert rows[2].device is None
    assert (rows[4].device, rows[4].serial, rows[4].names) == (DEVICE, 1, "cd" * 32)


def test_rows_of_one_kind_and_of_one_device(index: Index, small_steps: None) -> None:
    assert [row.sequence for row in index.rows("report")] == [6, 2, 1]
    assert [row.sequence for row in index.rows("report", OTHER_DEVICE)] == [2]
    assert [row.sequence for row in index.rows(device=DEVICE)] == [7, 6, 3, 1, 0]
    assert [*index.rows("report", ELSEWHERE)] == []
    assert [row.sequence for row, _ in index.entries("report", DEVICE, OTHER_DEVICE)] == [6, 2, 1]
    assert [row.sequence for row, _ in index.entries("report", OTHER_DEVICE, ELSEWHERE)] == [2]
    assert index.approved() == (DEVICE,)
    assert index.highest_of_each() == {DEVICE: index.highest(DEVICE)}
    newest_of_each = index.newest_entries("report", DEVICE, OTHER_DEVICE, ELSEWHERE)
    assert {device: row.sequence for device, (row, _) in newest_of_each.items()} == {DEVICE: 6, OTHER_DEVICE: 2}
    assert newest_of_each[DEVICE][1] == index.log.read(6)
    assert index.newest_entries("report") == index.newest_entries("report", ELSEWHERE) == {}
    newest = index.newest("report")
    assert newest is not None
    assert newest.sequence == 6
    assert index.newest("report", ELSEWHERE) is None
    holds_all(index)


def test_an_entry_is_found_by_its_digest(index: Index) -> None:
    row = index.newest("withdrawal")
    assert row is not None
    assert index.named(row.sha256) == row
    assert index.entry(row.sha256) == (3, index.log.read(3))
    assert index.named("00" * 32) is None
    assert index.entry("00" * 32) is None


def test_what_comes_to_the_log_is_found_at_the_next_question(index: Index) -> None:
    rows = index.rows("report", DEVICE)
    assert next(rows).sequence == 6
    appended(index.log, of(DEVICE, 3))
    assert [row.sequence for row in rows] == [1]
    assert [row.sequence for row in index.rows("report", DEVICE)] == [8, 6, 1]


def test_of_an_empty_log_nothing_is_kept(tmp_path: Path) -> None:
    index = Workspace(tmp_path).index
    assert [*index.rows()] == []
    assert index.highest(DEVICE) is None
    assert index.approved() == ()
    assert list(tmp_path.iterdir()) == []


# What cannot be read


@pytest.mark.parametrize(
    "entry",
    [
        b"hello",
        b"",
        seal(b"{}", PAYLOAD_TYPE, ()),
        forged(REPORT, report(), ("urn:crane-verify:report:v1", "urn:crane-verify:baseline:v2")),
        forged(REPORT, report(), ('"ended":', '"ends":')),
        forged(REPORT, report(), ('"verdict":"drift"', '"verdict":"fine"')),
        forged(REPORT, report(), ('"device":{"site"', '"device":{"place"')),
        forged(REPORT, report(), ('"site":"terminal-2"', '"site":"\\ud800"')),
        forged(HEARTBEAT, Heartbeat(NOW, "t", ""), ('"at":"2026', '"at":"x2026')),
        seal(written(HEARTBEAT, Heartbeat(NOW, "t", "")).split(b'"predicate":')[0] + b'"predicate":[]}', PAYLOAD_TYPE, ()),
        sealed_baseline(value=baseline(HIGHEST_SERIAL + 1, "ab" * 32)),
    ],
)
def test_an_entry_that_cannot_be_read_stops_since_it_could_be_the_newest_baseline(index: Index, entry: bytes) -> None:
    holds_all(index)
    appended(index.log, entry)
    for question in (lambda: [*index.rows("baseline")], lambda: index.highest(DEVICE), index.approved):
        with pytest.raises(TrustError, match="entry 8 of the log cannot be read") as caught:
            question()
    assert "log verify" in caught.value.hint


def test_a_gap_in_the_log_stops(index: Index) -> None:
    entry = index.log.folder / "entries/000/000/000000002.json"
    entry.unlink()
    with pytest.raises(RecordError, match="has no entry 2"):
        index.approved()


def test_a_log_that_lost_its_end_is_noticed_and_stays_so(index: Index) -> None:
    holds_all(index)
    (index.log.folder / "entries/000/000/000000007.json").unlink()
    for _ in range(2):
        with pytest.raises(TrustError, match="the log has 7 entries and had 8: it has lost its end"):
            index.highest(DEVICE)


def test_a_log_whose_end_was_rewritten_is_noticed_also_when_more_was_added(index: Index) -> None:
    holds_all(index)
    entry = index.log.folder / "entries/000/000/000000007.json"
    entry.write_bytes(of(DEVICE, 7))
    for _ in range(2):
        with pytest.raises(TrustError, match="entry 7 of the log is not the one that was there"):
            index.highest(DEVICE)
        appended(index.log, of(DEVICE, 8))


# What becomes of the file


def a_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE entry (something TEXT)")
    other.close()


def changed(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with sqlite3.connect(path) as database:
            for statement in statements:
                database.execute(statement)
        database.close()

    return change


@pytest.mark.parametrize(
    "change",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no database" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(path.stat().st_size - 4096)),
        a_database,
        changed("PRAGMA user_version = 0"),
        changed("PRAGMA user_version = 2", "DROP TABLE entry"),
        changed("PRAGMA application_id = 7"),
        changed("DROP TABLE entry"),
        changed("UPDATE entry SET at = 'yesterday'"),
        changed("UPDATE entry SET serial = 'many'"),
        changed("UPDATE entry SET crane = NULL"),
        changed("ALTER TABLE entry ADD COLUMN more TEXT"),
        changed("UPDATE entry SET device = CAST(x'ff' AS TEXT)"),
    ],
)
def test_a_file_that_is_gone_damaged_foreign_or_of_another_version_is_made_again(
    index: Index, change: Callable[[Path], None]
) -> None:
    holds_all(index)
    before = [*index.rows()]
    change(index.path)
    assert [*index.rows()] == before
    holds_all(index)


def test_a_file_damaged_anywhere_answers_or_is_made_again(index: Index) -> None:
    """Whatever of the file's structure is overwritten: never a traceback, and what is read from the log stands in it."""
    holds_all(index)
    whole = index.path.read_bytes()
    chance = random.Random(20261122)
    for _ in range(60):
        at = chance.randrange(len(whole))
        index.path.write_bytes(whole[:at] + chance.randbytes(chance.choice((1, 8, 400)))[: len(whole) - at] + whole[at + 400 :])
        try:
            for row, envelope in index.entries():
                assert row == row_of(row.sequence, envelope)
                assert envelope == index.log.read(row.sequence)
        except TrustError as error:
            assert "it has lost its end" in str(error) or "is not the one that was there" in str(error), at
            index.path.unlink()
    index.path.unlink(missing_ok=True)
    holds_all(index)


def test_a_row_that_does_not_fit_its_entry_is_not_believed(index: Index) -> None:
    holds_all(index)
    for lie in (
        "verdict = 'match' WHERE sequence = 1",
        "sha256 = 'ab' WHERE sequence = 1",
        "device = 'hoist-drive', crane = 'STS-01' WHERE sequence = 2",
    ):
        changed(f"UPDATE entry SET {lie}")(index.path)
        assert [(row.sequence, row.verdict) for row, _ in index.entries("report", DEVICE)] == [(6, "drift"), (1, "drift")]
        assert [*index.rows()] == [row_of(sequence, index.log.read(sequence)) for sequence in range(7, -1, -1)]
    for lie in ("verdict = 'match' WHERE sequence = 6", "crane = 'STS-02' WHERE sequence = 6"):
        changed(f"UPDATE entry SET {lie}")(index.path)
        found = index.newest_entries("report", DEVICE, OTHER_DEVICE)
        assert {device: (row.sequence, row.verdict) for device, (row, _) in found.items()} == {
            DEVICE: (6, "drift"),
            OTHER_DEVICE: (2, "drift"),
        }
    row = index.newest("withdrawal")
    assert row is not None
    changed(f"UPDATE entry SET sha256 = '{row.sha256}' WHERE sequence = 1")(index.path)
    assert index.entry(row.sha256) == (3, index.log.read(3))


def test_a_log_that_changes_while_it_is_read_is_not_trusted(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*index.rows()]
    real = Log.read
    monkeypatch.setattr(Log, "read", lambda log, sequence: of(ELSEWHERE) if sequence == 2 else real(log, sequence))
    monkeypatch.setattr(Index, "rows", lambda *_: iter(rows))
    monkeypatch.setattr(Index, "_rows_below", lambda _index, below, *_: (row for row in rows if row.sequence < below))
    monkeypatch.setattr(Index, "named", lambda _index, sha256: next(row for row in rows if row.sha256 == sha256))
    with pytest.raises(TrustError, match="entry 2 of the log changes while it is read"):
        list(index.entries("report"))
    with pytest.raises(TrustError, match="entry 2 of the log changes while it is read"):
        index.entry(rows[5].sha256)
    monkeypatch.setattr(Index, "_ask", lambda *_: [rows[5]])
    with pytest.raises(TrustError, match="entry 2 of the log changes while it is read"):
        index.newest_entries("report", OTHER_DEVICE)


def test_a_journal_that_a_killed_one_left_undoes_its_half_change(index: Index) -> None:
    """A transaction that was killed half way leaves a journal; one beside a file that is gone belongs to nothing."""
    holds_all(index)
    before = [*index.rows()]

    def dies_writing() -> str:
        database = sqlite3.connect(index.path, isolation_level=None)
        database.execute("PRAGMA cache_size = 1")
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE entry SET verdict = 'match', names = hex(randomblob(4000))")
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    in_child(dies_writing)
    journal = index.path.with_name("index.sqlite-journal")
    left = journal.read_bytes()
    assert left
    assert [*index.rows()] == before
    assert not journal.exists()
    index.path.unlink()
    journal.write_bytes(left)
    assert [*index.rows()] == before


# Disks that cannot be written to


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What is kept in memory is for this test alone; it forgets it when called, as when the program begins anew."""

    def forget() -> None:
        monkeypatch.setattr(index_module, "_MEMORY", index_module._Memory())

    forget()
    return forget


def test_a_read_only_disk_has_it_in_memory(
    index: Index, tmp_path: Path, small_steps: None, forgetful: Callable[[], None]
) -> None:
    source = index.path.parent
    with read_only_disk(tmp_path / "without", source) as disk:
        holds_all(Workspace(disk).index)
        assert not (disk / "index.sqlite").exists()
    forgetful()
    holds_all(index)
    kept = index.path.read_bytes()
    appended(index.log, of(DEVICE, 9))
    with read_only_disk(tmp_path / "with", source) as disk:
        for _ in range(2):
            assert [row.sequence for row in Workspace(disk).index.rows("report", DEVICE)] == [8, 6, 1]
    assert index.path.read_bytes() == kept


@pytest.mark.parametrize(
    "change",
    [lambda path: path.write_bytes(b"no"), changed("UPDATE entry SET at = 'x'"), changed("UPDATE entry SET verdict = 'x'")],
)
def test_a_bad_file_on_a_read_only_disk_is_passed_over(
    index: Index, tmp_path: Path, change: Callable[[Path], None], forgetful: Callable[[], None]
) -> None:
    holds_all(index)
    change(index.path)
    with read_only_disk(tmp_path / "mnt", index.path.parent) as disk:
        again = Workspace(disk).index
        assert [(row.sequence, row.verdict) for row, _ in again.entries("report", DEVICE)] == [(6, "drift"), (1, "drift")]
        holds_all(again)


def test_in_memory_a_log_that_lost_its_end_is_noticed_too(index: Index, tmp_path: Path, forgetful: Callable[[], None]) -> None:
    source = index.path.parent
    with read_only_disk(tmp_path / "mnt", source) as disk:
        again = Workspace(disk).index
        holds_all(again)
        entry = source / "log/entries/000/000/000000007.json"
        entry.rename(tmp_path / "away")
        with pytest.raises(TrustError, match="it has lost its end"):
            again.approved()


def test_where_a_folder_lies_in_its_place_it_is_kept_in_memory(index: Index, forgetful: Callable[[], None]) -> None:
    index.path.mkdir()
    holds_all(index)
    index.forget()
    holds_all(index)


def test_whoever_waits_too_long_for_another_does_without(
    index: Index, monkeypatch: pytest.MonkeyPatch, forgetful: Callable[[], None]
) -> None:
    monkeypatch.setattr(index_module, "WAIT", 0.01)
    monkeypatch.setattr(index_module, "BUSY", 0.01)
    with locked(index.path.parent / ".locks/index.lock", 0):
        holds_all(index)
    forgetful()
    holds_all(index)
    other = sqlite3.connect(index.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    holds_all(index)
    other.close()


def test_a_database_that_never_answers_is_a_fault_of_ours(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Row]:
        raise sqlite3.DatabaseError("malformed")

    monkeypatch.setattr(index_module, "_answer", broken)
    with pytest.raises(RecordError, match="can neither be read nor be made again"):
        index.approved()


# Several at once, and kills


def filled(root: Path, many: int) -> Index:
    """A log of so many entries, written without forcing each to disk."""
    index = Workspace(root).index
    envelopes = [of(DeviceName("t", "c", str(number)), number) for number in range(20)]
    for sequence in range(many):
        path = index.log.folder / f"entries/000/000/{sequence:09}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(envelopes[sequence % 20])
    return index


def test_several_make_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "AT_ONCE", 20)
    index = filled(tmp_path, 400)
    gate = locked(tmp_path / "gate", 30)
    with gate:
        children = []
        for number in range(4):
            child = os.fork()
            if child == 0:
                code = 9
                try:
                    with locked(tmp_path / f"gate-{number}", 1):
                        if number == 3:
                            index.forget()
                        code = len([*index.rows("report", DeviceName("t", "c", str(number)))])
                finally:
                    os._exit(code)
            children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [20] * 4
    assert len([*index.rows()]) == 400


def test_killed_at_any_instant_while_it_is_made_it_is_right_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "AT_ONCE", 10)
    whole = filled(tmp_path / "whole", 120)
    expected = [*whole.rows()]
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for number in range(20):
        index = replace(whole, path=tmp_path / f"{number}.sqlite")
        child = os.fork()
        if child == 0:
            while True:
                list(index.rows())
                index.forget()
        time.sleep(chance.uniform(0.001, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert [*index.rows()] == expected, f"seed {seed}, kill {number}"


def test_a_copy_of_a_workspace_needs_no_index(index: Index, tmp_path: Path) -> None:
    holds_all(index)
    shutil.copytree(index.path.parent, tmp_path / "copy", ignore=shutil.ignore_patterns("index.sqlite*", ".locks"))
    holds_all(Workspace(tmp_path / "copy").index)


def test_an_unsigned_report_stands_in_it_like_any_other(index: Index) -> None:
    """Who signed is not the index's to know; whoever shows an entry verifies it."""
    appended(index.log, sealed_report(by=ENGINEER))
    newest = index.newest("report", DEVICE)
    assert newest is not None
    assert newest.sequence == 8
