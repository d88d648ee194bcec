"""Probing: can this device be read at all? Step by step, each failure with the fix in words. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from verifier.collect.snapshot import Collecting, collect
from verifier.compare.plain import counted
from verifier.errors import DeviceError, IdentityChanged, IdentityUnknown, LoginRefused, Unreachable
from verifier.model.device import (
    Address,
    Device,
    ImageAddress,
    ModbusSerialAddress,
    ModbusTcpAddress,
    RecordingAddress,
    SshAddress,
)
from verifier.model.profile import (
    Ask,
    Bounds,
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
from verifier.model.snapshot import ItemSnapshot, Unread
from verifier.model.words import Reason
from verifier.procedures.collector import Collector
from verifier.procedures.reading import OUTSIDE, is_open
from verifier.transport.route import Route, connect


class Outcome(StrEnum):
    WORKS = "works"
    FAILS = "fails"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that works or does not."""

    name: str
    outcome: Outcome
    words: str
    fix: str = ""


GLANCE = Bounds(members=20, bytes=1 << 20, seconds=20.0)
"""How much of a tree is looked at."""
NOT_THERE = "take the item out, or correct its paths, in a profile of your own"
FIXES = {
    Reason.DENIED: "give the account of this tool read access, or take the item out in a profile of your own",
    Reason.REFUSED: "this model may not have it: ask its manual, then take it out in a profile of your own",
    Reason.UNSUPPORTED: NOT_THERE,
    Reason.TIMED_OUT: "check the unit id and the line; raise the time-out in the inventory if the device is slow",
    Reason.BAD_REPLY: "another device may answer at this address or unit id: check both",
    Reason.BUSY: "try again when the crane stands",
}

BEHIND = "the gateway answers and the device behind it does not: check the unit id, the line, and that the device is on"
NO_DEVICE_BEHIND = ("(exception 10)", "(exception 11)")
"""What a Modbus gateway says for a device that it does not reach (MODBUS Application Protocol V1.1b3, section 7)."""


def probe(device: Device, collector: Collector) -> Iterator[Step]:
    """Everything that must work to read this device, as it is found out."""
    profile = collector.profile(device)
    yield Step("profile", Outcome.WORKS, f"{profile.name}, version {profile.version}, {counted(len(profile.items), 'item')}")
    work = Collecting(device, profile, collector.now, keep_nothing)
    if not (collector.any_hour or is_open(device, collector.now())):
        yield Step("window", Outcome.FAILS, f"it may be read {device.window} only", OUTSIDE)
        return
    with collector.workspace.device_lock(device.name):
        try:
            route = connect(device, profile.pace, collector.secrets)
        except DeviceError as error:
            yield from _stopped(error, stairs(device.address))
            return
        with route:
            yield from (Step(name, Outcome.WORKS, "") for name in stairs(device.address))
            yield from (Step(fact.name, Outcome.WORKS, fact.text) for fact in route.facts)
            yield from (Step("note", Outcome.WORKS, note) for note in route.notes)
            yield from _questions(profile, route, work)


def keep_nothing(_: bytes) -> str:
    """A probe stores no text."""
    return ""


def stairs(address: Address) -> tuple[str, ...]:
    """What must work before the first question, in this order."""
    match address:
        case SshAddress():
            return ("name and port", "host key", "login")
        case ModbusTcpAddress(tls=tls):
            return ("name and port", "certificate") if tls else ("name and port",)
        case ModbusSerialAddress():
            return ("serial line",)
        case ImageAddress():
            return ("image",)
        case RecordingAddress():
            return ("recording",)
        case _:
            assert_never(address)


def _stopped(error: DeviceError, names: tuple[str, ...]) -> Iterator[Step]:
    """The stairs up to where it stopped."""
    at = {Unreachable: 0, IdentityChanged: 1, IdentityUnknown: 1, LoginRefused: 2}.get(type(error), 0)
    at = min(at, len(names) - 1)
    for place, name in enumerate(names):
        if place < at:
            yield Step(name, Outcome.WORKS, "")
        elif place == at:
            yield Step(name, Outcome.FAILS, str(error), error.hint)
        else:
            yield Step(name, Outcome.NOT_TRIED, "")


def _questions(profile: Profile, route: Route, work: Collecting) -> Iterator[Step]:
    """Each item with the smallest question that shows whether it can be asked: no tree is read whole, no block either."""
    small = replace(profile, items=tuple(glanced(item) for item in profile.items))
    snapshot = collect(replace(work, profile=small), route)
    for note in snapshot.not_asked:
        yield Step(note.item, Outcome.NOT_TRIED, note.why)
    for item in snapshot.items:
        if item.name != "connection":
            yield answered(item)


def glanced(item: Item) -> Item:
    """The item with a question small enough for a glance."""
    bounds = GLANCE if isinstance(item.ask, FileTree) else item.bounds
    return replace(item, ask=first_of(item.ask), bounds=bounds)


def first_of(ask: Ask) -> Ask:
    """The part of a question that is enough to see that it is answered."""
    match ask:
        case Registers(table, first, _):
            return Registers(table, first, 1)
        case FileRecords(file, first, _):
            return FileRecords(file, first, 1)
        case Parameters(parameters):
            return Parameters(parameters[:1])
        case FileTree() | Facts() | Identification() | ServerId() | Fifo():
            return ask
        case _:
            assert_never(ask)


def answered(item: ItemSnapshot) -> Step:
    """How an item answered: with something, with nothing, or why not, and what to do then."""
    unread = [reading.value for reading in item.readings if isinstance(reading.value, Unread)]
    read = len(item.readings) - len(unread)
    cut = [value for value in unread if value.reason is Reason.BOUND]
    if read or cut:
        seen = counted(read, "member")
        return Step(item.name, Outcome.WORKS, f"{seen} and more: a check reads them all" if cut else seen)
    if not unread:
        return Step(item.name, Outcome.FAILS, "the device has none of what this item names", NOT_THERE)
    why = unread[0]
    fix = BEHIND if why.detail.endswith(NO_DEVICE_BEHIND) else FIXES.get(why.reason, "")
    return Step(item.name, Outcome.FAILS, f"{why.reason}: {why.detail}" if why.detail else str(why.reason), fix)
