"""`index.sqlite`: a cache over the log, so that one device's reports among a hundred thousand entries are found at once.

The log is the truth. The index is brought up to where the log is whenever it is used; deleted, damaged, of another version or
not ours, it is made again. Where it cannot be written it is kept in memory. It also remembers how long the log was and how it
ended: a log that has lost its end, or whose end was rewritten, is noticed.

SQLite's rollback journal is used, not its write-ahead log, which network disks do not carry. One process writes at a time, under
a lock of ours that lies beside the file, so that nobody removes a file that another writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from verifier.errors import RecordError, TrustError
from verifier.model.codec import time_text
from verifier.model.device import DeviceName
from verifier.record.files import remove
from verifier.record.lock import locked
from verifier.record.log import MOST_ENTRIES, Log
from verifier.record.row import RESTORE, Row, row_of

__all__ = ["Index", "Row"]

OURS, FORMAT = 0x43564958, 2
"""SQLite's application id ("CVIX"), and the version of the tables below. A file with others is made again."""
AT_ONCE = 2000
"""Entries taken in under one lock and one transaction: a second's work, so that several who wait all get on."""
FIRST_PAGE, LATER_PAGE = 16, 1000
"""Rows asked for at once."""
WAIT = 60.0
"""Seconds to wait for another process that takes entries in; then the answer is found without the file."""
BUSY = 10.0
"""Seconds to wait while another process has the file locked, which takes it milliseconds."""
_OF_THE_DISK = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
}
"""What is wrong with the disk or the moment, not with the file: making it anew would not help."""
_TABLES = f"""
BEGIN;
CREATE TABLE entry (
    sequence INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, kind TEXT NOT NULL, site TEXT, crane TEXT, device TEXT,
    at TEXT NOT NULL, serial INTEGER NOT NULL, verdict TEXT NOT NULL, names TEXT NOT NULL,
    not_after TEXT
);
CREATE INDEX entry_by_device ON entry (kind, site, crane, device, sequence);
CREATE INDEX entry_by_sha256 ON entry (sha256);
PRAGMA application_id = {OURS};
PRAGMA user_version = {FORMAT};
COMMIT;
"""
Values = tuple[str | int, ...]


class _Elsewhere(Exception):
    """The file cannot be used now; memory can."""


@dataclass(frozen=True, slots=True)
class Index:
    path: Path
    log: Log

    def rows(self, kind: str = "", device: DeviceName | None = None, below: int = MOST_ENTRIES) -> Iterator[Row]:
        """The rows of the log before the entry `below`, newest first: of one kind or all, of one device or all.

        Nothing is held open between two of them.

        Raises:
            TrustError: the log is not what it was, or an entry cannot be read.
            RecordError: the log cannot be read.
        """
        return self._rows_below(below, kind, device)

    def newest(self, kind: str, device: DeviceName | None = None) -> Row | None:
        """The newest row; None: there is none. Raises as `rows`."""
        return next(self.rows(kind, device), None)

    def named(self, sha256: str) -> Row | None:
        """The first entry whose envelope has this digest; None: there is none. Raises as `rows`."""
        return next(iter(self._ask("WHERE sha256 = ? ORDER BY sequence LIMIT 1", (sha256,))), None)

    def highest(self, device: DeviceName) -> Row | None:
        """The baseline with a device's highest serial, the first of them; None: it has no baseline. Raises as `rows`."""
        where, values = _where("baseline", device)
        return next(iter(self._ask(f"WHERE {where} ORDER BY serial DESC, sequence LIMIT 1", values)), None)

    def highest_of_each(self) -> dict[DeviceName, Row]:
        """As `highest`, of every device that has a baseline, in one question. Raises as `rows`."""
        rows = self._ask("WHERE kind = ? ORDER BY serial, sequence DESC", ("baseline",))
        return {row.device: row for row in rows if row.device}

    def approved(self) -> tuple[DeviceName, ...]:
        """Every device of which there is a baseline, sorted. Raises as `rows`."""
        return self.devices("baseline")

    def devices(self, kind: str) -> tuple[DeviceName, ...]:
        """Every device of which there is an entry of this kind, sorted. Raises as `rows`."""
        rows = self._ask("WHERE kind = ? GROUP BY site, crane, device", (kind,))
        return tuple(sorted(row.device for row in rows if row.device))

    def newest_entries(self, kind: str, *devices: DeviceName) -> dict[DeviceName, tuple[Row, bytes]]:
        """The newest entry of this kind of each of these devices that has one, in one question however many they are.

        As with `entries`, a row that does not fit its entry is not believed. Raises as `entries`.
        """
        found, strange = self._newest(kind, frozenset(devices))
        if strange:
            self.forget()
            found, strange = self._newest(kind, frozenset(devices))
        if strange:
            raise _changing(strange[0])
        return found

    def entries(self, kind: str = "", *devices: DeviceName) -> Iterator[tuple[Row, bytes]]:
        """As `rows`, of these devices or of all, each with its envelope as it is read from the log now.

        A row that does not fit its entry is not believed: then the index is made again, once.

        Raises:
            TrustError: as `rows`, or the log changes while it is read.
            RecordError: as `rows`.
        """
        below = MOST_ENTRIES
        one = devices[0] if len(devices) == 1 else None
        again = False
        while True:
            for row in self._rows_below(below, kind, one):
                if devices and row.device not in devices:
                    continue
                envelope = self.log.read(row.sequence)
                if hashlib.sha256(envelope).hexdigest() != row.sha256 or row_of(row.sequence, envelope) != row:
                    if again:
                        raise _changing(row)
                    break
                below = row.sequence
                yield row, envelope
            else:
                return
            again = True
            self.forget()

    def entry(self, sha256: str) -> tuple[int, bytes] | None:
        """The number and the envelope of the first entry with this digest; None: there is none. Raises as `entries`."""
        row, envelope = self._named(sha256)
        if row and hashlib.sha256(envelope).hexdigest() != sha256:
            self.forget()
            row, envelope = self._named(sha256)
            if row and hashlib.sha256(envelope).hexdigest() != sha256:
                raise _changing(row)
        return (row.sequence, envelope) if row else None

    def forget(self) -> None:
        """Throw the index away; the next use makes it again."""
        try:
            with self._alone():
                self._remove()
        except _Elsewhere:
            _MEMORY.put(self.path, _empty())

    def _newest(self, kind: str, asked: frozenset[DeviceName]) -> tuple[dict[DeviceName, tuple[Row, bytes]], list[Row]]:
        """The newest entry of each, and the rows that do not fit theirs."""
        newest = "WHERE sequence IN (SELECT max(sequence) FROM entry WHERE kind = ? GROUP BY site, crane, device)"
        rows = self._ask(newest, (kind,))
        found = {row.device: (row, self.log.read(row.sequence)) for row in rows if row.device and row.device in asked}
        return found, [row for row, envelope in found.values() if row_of(row.sequence, envelope) != row]

    def _named(self, sha256: str) -> tuple[Row | None, bytes]:
        row = self.named(sha256)
        return row, self.log.read(row.sequence) if row else b""

    def _rows_below(self, below: int, kind: str, device: DeviceName | None) -> Iterator[Row]:
        where, values = _where(kind, device)
        page = FIRST_PAGE
        while True:
            rows = self._ask(f"WHERE {where} AND sequence < ? ORDER BY sequence DESC LIMIT ?", (*values, below, page))
            yield from rows
            if len(rows) < page:
                return
            below, page = rows[-1].sequence, LATER_PAGE

    def _ask(self, question: str, values: Values) -> list[Row]:
        """Rows, from a database that holds all of the log as it is now."""
        for _ in range(4):
            try:
                return self._from_memory(question, values) if self.path in _MEMORY else self._from_file(question, values)
            except _Elsewhere:
                _MEMORY.put(self.path, self._copied())
            except (sqlite3.Error, ValueError):
                self.forget()
        raise RecordError(f"{self.path} can neither be read nor be made again", "take it away; it is made again from the log")

    def _from_file(self, question: str, values: Values) -> list[Row]:
        with contextlib.suppress(sqlite3.Error, ValueError), closing(_opened(self.path, "ro")) as database:
            if _is_ours(database) and self._is_current(database):
                return _answer(database, question, values)
        if not self.log.length() and not self.path.exists():
            return []
        try:
            while not self._extended():
                pass
            with closing(_opened(self.path, "ro")) as database:
                return _answer(database, question, values)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in _OF_THE_DISK:
                raise _Elsewhere from error
            raise

    def _from_memory(self, question: str, values: Values) -> list[Row]:
        with _MEMORY.alone(self.path) as database:
            while not self._take_in(database):
                pass
            return _answer(database, question, values)

    def _extended(self) -> bool:
        """Take some entries into the file; gives whether these were all."""
        with self._alone(), contextlib.ExitStack() as stack:
            database = stack.enter_context(closing(_opened(self.path, "rwc")))
            if not _is_ours(database):
                database.close()
                self._remove()
                database = stack.enter_context(closing(_opened(self.path, "rwc")))
                database.executescript(_TABLES)
            return self._take_in(database)

    def _take_in(self, database: sqlite3.Connection) -> bool:
        """As `_extended`, into a database nobody else writes to."""
        known, newest, length = self._compared(database)
        self._still(known, newest)
        rows = [row_of(sequence, self.log.read(sequence)) for sequence in range(known, min(length, known + AT_ONCE))]
        if rows:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_columns, rows))
            database.execute("COMMIT")
        return known + len(rows) == length

    def _is_current(self, database: sqlite3.Connection) -> bool:
        known, newest, length = self._compared(database)
        if length == known:
            self._still(known, newest)
        return length == known

    def _compared(self, database: sqlite3.Connection) -> tuple[int, str, int]:
        """How many entries it holds, the digest of the last one, and how many the log has.

        Raises:
            TrustError: the log has lost its end.
        """
        last = database.execute("SELECT sequence, sha256 FROM entry ORDER BY sequence DESC LIMIT 1").fetchone()
        known, newest = (last[0] + 1, last[1]) if last else (0, "")
        length = self.log.length()  # looked at after what is known, or a log that grows meanwhile would seem too short
        if length < known:
            raise TrustError(f"the log has {length} entries and had {known}: it has lost its end", RESTORE)
        return known, newest, length

    def _still(self, known: int, newest: str) -> None:
        if known and hashlib.sha256(self.log.read(known - 1)).hexdigest() != newest:
            raise TrustError(f"entry {known - 1} of the log is not the one that was there", RESTORE)

    def _copied(self) -> sqlite3.Connection:
        """A database in memory, begun with what the file holds if it can be read: on a read-only disk, only the rest is new."""
        database = _empty()
        with contextlib.suppress(sqlite3.Error), closing(_opened(self.path, "ro")) as source:
            if _is_ours(source) and source.execute("PRAGMA quick_check").fetchall() == [("ok",)]:
                source.backup(database)
        return database

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only one who writes to the file, or removes it."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self.path.parent / ".locks" / "index.lock", WAIT))
            except RecordError as error:
                raise _Elsewhere from error
            yield

    def _remove(self) -> None:
        try:
            remove(self.path)
            # only after the file: SQLite would take it for what undoes half a change, also of a new file of the same name
            remove(self.path.with_name(f"{self.path.name}-journal"))
        except RecordError as error:
            raise _Elsewhere from error


class _Memory:
    """Indexes that cannot be kept on disk, for as long as this program runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._databases: dict[Path, sqlite3.Connection] = {}

    def __contains__(self, path: Path) -> bool:
        return path in self._databases

    def put(self, path: Path, database: sqlite3.Connection) -> None:
        with self._lock:
            self._databases[path] = database

    @contextlib.contextmanager
    def alone(self, path: Path) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._databases[path]


_MEMORY = _Memory()


def _empty() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    database.executescript(_TABLES)
    return database


def _changing(row: Row) -> TrustError:
    return TrustError(f"entry {row.sequence} of the log changes while it is read", RESTORE)


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", timeout=BUSY, isolation_level=None, uri=True)


def _is_ours(database: sqlite3.Connection) -> bool:
    asked = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return asked == [OURS, FORMAT]


def _answer(database: sqlite3.Connection, question: str, values: Values) -> list[Row]:
    return [_row(*each) for each in database.execute(f"SELECT * FROM entry {question}", values)]


def _where(kind: str, device: DeviceName | None) -> tuple[str, Values]:
    asked: dict[str, str] = {"kind": kind} if kind else {}
    if device:
        asked |= {"site": device.site, "crane": device.crane, "device": device.device}
    return " AND ".join(f"{column} = ?" for column in asked) or "true", tuple(asked.values())


def _columns(row: Row) -> tuple[str | int | None, ...]:
    place = (row.device.site, row.device.crane, row.device.device) if row.device else (None, None, None)
    until = time_text(row.not_after) if row.not_after else None
    return (row.sequence, row.sha256, row.kind, *place, time_text(row.at), row.serial, row.verdict, row.names, until)


def _row(*columns: object) -> Row:
    """A row as it was written.

    Raises:
        ValueError: no row of ours is like that.
    """
    match columns:
        case int(sequence), str(sha256), str(kind), *place, str(at), int(serial), str(verdict), str(names), (
            str() | None
        ) as until:
            when, end = datetime.fromisoformat(at), datetime.fromisoformat(until) if until else None
            match place:
                case str(site), str(crane), str(device):
                    return Row(sequence, sha256, kind, DeviceName(site, crane, device), when, serial, verdict, names, end)
                case None, None, None:
                    return Row(sequence, sha256, kind, None, when, serial, verdict, names, end)
    raise ValueError("a row of the index that we did not write")
