"""Collecting: profile x transport -> snapshot. Whatever a device does, a snapshot comes of it, and what was not read says why."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, assert_never

from verifier.collect.asking import Asking, Outcome
from verifier.collect.connection import connection, connection_unread
from verifier.collect.facts import facts
from verifier.collect.files import tree
from verifier.collect.identity import fifo, file_records, identification, server_id
from verifier.collect.item import item_snapshot
from verifier.collect.printable import escaped
from verifier.collect.progress import Progress
from verifier.collect.registers import block, one_word, parameters
from verifier.collect.unread import LINE_LOST, unread, whole
from verifier.errors import DeviceError, OutsideWindow
from verifier.model.device import Device
from verifier.model.profile import (
    BusyWhen,
    Facts,
    Fifo,
    FileRecords,
    FileTree,
    Identification,
    Item,
    Parameters,
    Profile,
    Registers,
    ServerId,
)
from verifier.model.snapshot import Exchange, FileValue, ItemSnapshot, NotAsked, Snapshot, Unread
from verifier.model.words import FileType, Reason
from verifier.transport.request import Copy, ReadTable
from verifier.transport.route import Route

NOTHING_ASKED: Final = Exchange(hashlib.sha256(b"").hexdigest(), 0, 0, 0)
HOURS_OVER: Final = "the hours in which it may be read ended while it was read"
PROGRESS_EVERY: Final = 250
"""Answers between two reports of progress within one item."""


@dataclass(frozen=True, slots=True)
class Collecting:
    """One reading of one device: what to ask of whom, and where the clock, kept texts and progress are."""

    device: Device
    profile: Profile
    now: Callable[[], datetime]
    """UTC."""
    keep: Callable[[bytes], str]
    """Stores redacted text for later diffs; gives its SHA-256."""
    progress: Callable[[Progress], None] = lambda _: None
    may_go_on: Callable[[], bool] = lambda: True
    """False when the hours in which this device may be read are over; asked again and again while it is read."""
    seed: int = field(default_factory=lambda: secrets.randbits(32))
    """Of the second look at critical values. Drawn anew each time, so that no device foresees it; the transcript shows them."""
    golden: Callable[[], Copy] | None = None
    """Gives the place for one more golden copy, where this reading is to keep what the profile asks for; None: it keeps none."""


def collect(work: Collecting, route: Route) -> Snapshot:
    """Ask everything the profile names, in its order, one request at a time.

    Raises:
        ForbiddenRequest: the guard stopped a request; that is our fault or the profile's, never the device's.
        UsageError: a rule or a pattern of the profile is wrong.
    """
    started = work.now()
    session = _Session(work, route)
    items = list(connection(work.device.address, route.facts))
    not_asked: list[NotAsked] = []
    for number, item in enumerate(work.profile.items, 1):
        outcome = session.asked(item, number)
        if isinstance(outcome, NotAsked):
            not_asked.append(outcome)
        else:
            items.append(item_snapshot(item, outcome))
            session.notes += _linked(item, items[-1])
    session.report("", len(work.profile.items), 0)
    notes = (*(escaped(note, 2000) for note in route.notes), *session.notes, *_left_out(work.profile))
    return _snapshot(work, started, items, not_asked, notes, route.transcript.exchange())


def unreached(work: Collecting, error: DeviceError) -> Snapshot:
    """The snapshot of a device that could not be opened: all unread. A key that is not the pinned one is itself a reading."""
    value = unread(error)
    items = [*connection_unread(work.device.address, error)]
    items += (item_snapshot(item, whole(value)) for item in work.profile.items)
    return _snapshot(work, work.now(), items, (), (error.hint,) if error.hint else (), NOTHING_ASKED)


def _linked(item: Item, found: ItemSnapshot) -> Iterator[str]:
    """Paths the profile names that are links on this device: the link is compared, and nothing behind it."""
    if not isinstance(item.ask, FileTree):
        return
    for reading in found.readings:
        match reading.value:
            case FileValue(type=FileType.SYMLINK, target=target) if reading.member in item.ask.paths:
                behind = f"{reading.member} is a link to {target}; what is behind it is read only where the profile names it"
                yield escaped(f"{item.name}: {behind}", 2000)
            case _:
                pass


def _left_out(profile: Profile) -> Iterator[str]:
    """What the profile keeps from being read at all, so that nobody takes it for read."""
    for item in profile.items:
        if isinstance(item.ask, FileTree) and item.ask.exclude:
            yield f"{item.name}: the profile leaves out {', '.join(item.ask.exclude)}"


class _Session:
    """What one walk through a profile remembers: whether the line is still worth trying, and whether the crane is working."""

    def __init__(self, work: Collecting, route: Route) -> None:
        self._work, self._route = work, route
        self._failures = 0
        self._over: Unread | None = None
        self.notes: list[str] = []

    def asked(self, item: Item, number: int) -> Outcome:
        """One item. Errors of the device become readings."""
        answers = 0

        def counted() -> None:
            nonlocal answers
            answers += 1
            if not self._work.may_go_on():
                raise OutsideWindow(HOURS_OVER)
            if answers % PROGRESS_EVERY == 0:
                self.report(item.name, number, answers)

        self.report(item.name, number, 0)
        if self._over:
            return whole(self._over)
        asking = Asking(self._route, item, self._work.profile.pace, self._work.keep, self._work.seed, counted, self._work.golden)
        try:
            if not self._work.may_go_on():
                raise OutsideWindow(HOURS_OVER)
            if busy := self._busy(asking):
                self._over = busy
                return whole(busy)
            outcome = _asked(asking)
        except DeviceError as error:
            return whole(self._failed(error))
        self._failures = 0
        return outcome

    def report(self, item: str, number: int, answers: int) -> None:
        received = self._route.transcript.bytes_received
        self._work.progress(Progress(self._work.device.name, item, number, len(self._work.profile.items), answers, received))

    def _failed(self, error: DeviceError) -> Unread:
        value = unread(error)
        if isinstance(error, OutsideWindow):
            self._over = value
        self._failures = self._failures + 1 if isinstance(error, LINE_LOST) else 0
        if self._failures >= max(1, self._work.profile.pace.tries):
            self._over = Unread(value.reason, f"left alone after {self._failures} failures in a row; the last: {value.detail}")
        return value

    def _busy(self, asking: Asking) -> Unread | None:
        """Is the crane working now? Asked before every item, since it may begin while it is being read.

        Raises:
            DeviceError: it cannot be seen; then the item is not asked either.
        """
        match self._work.profile.busy_when:
            case None:
                return None
            case BusyWhen(table, address, values) as when:
                if cannot := asking.cannot(ReadTable(table, address, 1)):
                    note = f"whether the crane was working could not be asked: {cannot.why}"
                    self.notes += [note] if note not in self.notes else []
                    return None
                word = one_word(asking, table, address)
                if word not in values:
                    return None
                return Unread(Reason.BUSY, f"{when.table.value} {address} is {word}; try again when the crane stands")


def _asked(asking: Asking) -> Outcome:
    match asking.item.ask:
        case FileTree() as ask:
            return tree(asking, ask)
        case Facts() as ask:
            return facts(asking, ask)
        case Parameters() as ask:
            return parameters(asking, ask)
        case Registers() as ask:
            return block(asking, ask)
        case Identification() as ask:
            return identification(asking, ask)
        case ServerId():
            return server_id(asking)
        case FileRecords() as ask:
            return file_records(asking, ask)
        case Fifo() as ask:
            return fifo(asking, ask)
        case _:
            assert_never(asking.item.ask)


def _snapshot(
    work: Collecting,
    started: datetime,
    items: Iterable[ItemSnapshot],
    not_asked: Iterable[NotAsked],
    notes: Iterable[str],
    exchange: Exchange,
) -> Snapshot:
    profile = work.profile
    return Snapshot(
        work.device.name,
        profile.name,
        profile.version,
        profile.digest,
        started,
        work.now(),
        tuple(items),
        tuple(not_asked),
        tuple(notes),
        exchange,
    )
