"""Ten cranes of four devices through thirty nights: what is planted, a timer that runs, and what a plain calendar expects of it.

The month begins at 06:00 UTC. Night `n` begins on day `n`, and the timer runs three times in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.approval_port import BEGINNING, Port, set_up
from tests.fakes import FakeLinux, FakeRoute
from verifier.errors import Unreachable
from verifier.model.device import Device, DeviceName
from verifier.procedures import reading
from verifier.procedures.audit import Found, reports
from verifier.simulator.station import Station, Unit
from verifier.transport.route import Route, connect

NIGHTS = range(1, 31)
TICKS = tuple(timedelta(hours=hours) for hours in (16, 19, 22))
CRANES = tuple(f"STS-{number:02}" for number in range(1, 11))
DAY = timedelta(days=1)
EVERY = {"card": DAY, "backup": 7 * DAY, "drive": 2 * DAY, "controller": 2 * DAY}
POWER_CUT = 13
"""In this night the machine that reads stood still."""
OUT_OF_REACH = {
    "STS-06/card": range(14, 17),
    "STS-10/card": range(17, 19),
    "STS-03/controller": range(24, 26),
    "STS-02/backup": range(8, 10),
    "STS-04/card": range(29, 31),
}
WORKING = {"STS-03/drive": (5, 11, 20), "STS-07/drive": (5,), "STS-09/drive": (20,)}
"""In these nights the crane works until past the timer's second run."""
WORKED_ALL_NIGHT = {"STS-08/drive": (22,)}
RESTARTS = {"STS-04/controller": (8,), "STS-09/controller": (8, 21)}
"""On these days the controller was started again."""
SILENT = ("STS-06", 9)
FIRST_VISIT, SECOND_VISIT = 5, 15
"""The first one lasts over night, the second one is done by noon."""

PROFILES = {
    "month-card": """\
profile: month-card
title: A memory card whose settings are saved anew each day
version: 1
maturity: simulated
references: [tests/month_port.py]
gaps: [Stands for no product.]
items:
  - {name: firmware, kind: firmware, files: {paths: [/firmware]}}
  - name: settings
    kind: configuration
    files: {paths: [/settings]}
    text: {match: ["/settings/*.conf"], normalise: [{drop-lines: "^# saved"}], keep: true}
""",
    "month-controller": """\
profile: month-controller
title: A controller that says how it runs
version: 1
maturity: simulated
references: [tests/month_port.py]
gaps: [Stands for no product.]
items:
  - {name: program, kind: firmware, files: {paths: [/opt]}, volatile: [/opt/trend.db]}
  - {name: run, kind: hardware, criticality: low, facts: run, volatile: ["boot id"]}
""",
    "month-drive": """\
profile: month-drive
title: A drive that counts its hours
version: 1
maturity: simulated
references: [tests/month_port.py]
gaps: [Stands for no product.]
pace: {requests_per_second: 1000}
busy_when: {table: coil, address: 0, values: [1]}
items:
  - name: limits
    kind: parameter
    criticality: critical
    parameters: [{name: hoist overload trip, table: holding, address: 100, type: u16, scale: "0.1", unit: t}]
  - name: hours
    kind: parameter
    registers: {table: holding, first: 200, count: 1}
    moving: [{members: [holding 00200], counter: true}]
""",
}


@dataclass
class Cranes:
    """What stands on the quay."""

    folder: Path
    units: dict[str, Unit]
    controllers: dict[str, FakeLinux]
    unplugged: set[str] = field(default_factory=set)

    def file(self, place: str, name: str) -> Path:
        return self.folder / "cards" / place / name

    def settings(self, place: str, trip: int, day: int) -> None:
        self.file(place, "settings/hoist.conf").write_text(f"# saved on day {day}\ntrip = {trip} t\nbrake = on\n")

    def route(self, device: Device, real: Callable[[], Route]) -> Any:
        place = f"{device.name.crane}/{device.name.device}"
        if place in self.unplugged:
            raise Unreachable("nobody answers")
        return FakeRoute(self.controllers[place]) if place in self.controllers else real()


@dataclass
class Month:
    port: Port
    cranes: Cranes
    runs: dict[datetime, int] = field(default_factory=dict)
    """Each run of the timer with its exit code."""
    mornings: dict[int, list[str]] = field(default_factory=dict)
    """What the mail of each morning after a night called new."""
    shown: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """The fleet as `status` showed it in the middle of a day, by device."""

    def of(self, place: str) -> list[Found]:
        """Its reports, oldest first."""
        return [*reports(self.port.workspace, name(place))][::-1]

    def counted(self, place: str) -> list[datetime]:
        """When it was checked: attempts that read nothing are none."""
        return [each.report.ended for each in self.of(place) if each.report.coverage.compared]


def name(place: str) -> DeviceName:
    return DeviceName("terminal-2", *place.split("/"))


PLACES = tuple(f"{crane}/{device}" for crane in CRANES for device in EVERY)


def at(night: int, tick: int = 0) -> datetime:
    return BEGINNING + night * DAY + TICKS[tick]


def answers(place: str, night: int, tick: int) -> bool:
    """Whether the device can be read then."""
    if night in OUT_OF_REACH.get(place, ()) or night in WORKED_ALL_NIGHT.get(place, ()):
        return False
    return not (night in WORKING.get(place, ()) and tick < 2)


@cache
def calendar(place: str) -> tuple[tuple[datetime, ...], tuple[datetime, ...]]:
    """When this device is to be checked, and when it is asked for nothing, by a plain calendar."""
    done: list[datetime] = []
    asked: list[datetime] = []
    for night in NIGHTS:
        for tick in range(len(TICKS)):
            due = not done or at(night, tick) - done[-1] >= EVERY[place.split("/")[1]]
            if night != POWER_CUT and due:
                (done if answers(place, night, tick) else asked).append(at(night, tick))
    return tuple(done), tuple(asked)


@contextmanager
def a_month(folder: Path) -> Iterator[Month]:
    """Live through it."""
    with pytest.MonkeyPatch.context() as patch, Station({place: Unit() for place in range(1, len(CRANES) + 1)}) as station:
        cranes = _built(folder, station)
        patch.setattr(reading, "connect", lambda *given: cranes.route(given[0], lambda: connect(*given)))
        month = Month(_port(folder, patch, station.port), cranes)
        for night in range(NIGHTS[-1] + 2):
            month.port.clock.time = BEGINNING + night * DAY
            if night:
                _day(month, night)
            if night in NIGHTS and night != POWER_CUT:
                _night(month, night)
        yield month


def _port(folder: Path, patch: pytest.MonkeyPatch, modbus: int) -> Port:
    port = set_up(folder, patch)
    for profile, text in PROFILES.items():
        (port.root / f"profiles/{profile}.yaml").write_text(text)
    lines = ["sites:", "  terminal-2:", "    cranes:"]
    for number, crane in enumerate(CRANES, start=1):
        image = f"image: {{path: ../cards/{crane}"
        lines += [
            f"      {crane}:",
            "        devices:",
            f"          card: {{profile: month-card, every: 1d, {image}/card}}}}",
            f"          backup: {{profile: month-card, every: 7d, {image}/backup}}}}",
            f"          drive: {{profile: month-drive, every: 2d, modbus: {{host: 127.0.0.1, port: {modbus}, unit: {number}}}}}",
            f"          controller: {{profile: month-controller, every: 2d, {image}}}}}",
        ]
    (port.root / "inventory.yaml").write_text("\n".join([*lines, ""]))
    port.succeeds("baseline", "propose", "terminal-2", "--reason", "commissioning")
    port.succeeds("baseline", "approve", "terminal-2", "--yes")
    return port


def _built(folder: Path, station: Station) -> Cranes:
    units = {f"{crane}/drive": station.units[number] for number, crane in enumerate(CRANES, start=1)}
    controllers = {f"{crane}/controller": FakeLinux({b"/opt/main.bin": b"program"}) for crane in CRANES}
    cranes = Cranes(folder, units, controllers)
    for crane in CRANES:
        for device in ("card", "backup"):
            for part in ("firmware", "settings"):
                cranes.file(f"{crane}/{device}", part).mkdir(parents=True)
            cranes.file(f"{crane}/{device}", "firmware/main.bin").write_bytes(bytes(range(256)))
    for place in controllers:
        _started(cranes, place, 0)
    _lives(cranes, 0)
    return cranes


def _started(cranes: Cranes, place: str, day: int) -> None:
    cranes.controllers[place].files[b"/proc/sys/kernel/random/boot_id"] = f"{place} since day {day}\n".encode()


def _lives(cranes: Cranes, day: int) -> None:
    """What changes every day, and means nothing."""
    crane, changed_on = SILENT
    for each in CRANES:
        for device in ("card", "backup"):
            trip = 44 if (each, device) == (crane, "card") and day >= changed_on else 40
            if f"{each}/{device}" not in cranes.unplugged:
                cranes.settings(f"{each}/{device}", trip, day)
    for unit in cranes.units.values():
        unit.coils[0] = 0
        unit.holding |= {100: 400, 200: 1000 + 17 * day}
    for place, controller in cranes.controllers.items():
        controller.files[b"/opt/trend.db"] = f"{place}: the trend of day {day}".encode()


def _day(month: Month, day: int) -> None:
    port, cranes = month.port, month.cranes
    if day > 1:
        new = port.succeeds("finding", "list", "--new", "24h", "--json").document
        month.mornings[day - 1] = [f"{each['device']}#{each['member']}" for each in new]
    _lives(cranes, day)
    for place, days in RESTARTS.items():
        if day in days:
            _started(cranes, place, day)
    _visits(month, day)
    port.clock.time = BEGINNING + day * DAY + timedelta(hours=11)
    document = port.types("status", "--json").document
    month.shown[day] = {each["device"].removeprefix("terminal-2/"): each for each in document["devices"]}


def _visits(month: Month, day: int) -> None:
    if day == FIRST_VISIT:
        month.port.clock.passes(hours=10)
        _opens(month, "firmware 3.2", "14h", "STS-01", "STS-02")
    if day == FIRST_VISIT + 1:
        month.port.clock.passes(hours=1)
        _ends(month, 1)
    if day == SECOND_VISIT:
        month.port.clock.passes(hours=3)
        _opens(month, "firmware 3.3", "8h", "STS-05", "STS-07")
        month.cranes.file("STS-07/card", "firmware/debug.sh").write_text("nobody said so\n")
        month.port.clock.passes(hours=4)
        _ends(month, 2)


def _opens(month: Month, firmware: str, span: str, *cranes: str) -> None:
    """A vendor comes and does as ordered."""
    package = month.port.folder / firmware
    (package / "firmware").mkdir(parents=True)
    (package / "firmware/main.bin").write_text(firmware)
    who = ("--vendor", "Drives Ltd", "--person", "V. Fitter", "--work-order", firmware, "--why", firmware, "--for", span)
    cards = [f"{crane}/card" for crane in cranes]
    month.port.succeeds("visit", "open", *cards, *who, "--package", str(package), "--yes")
    for card in cards:
        month.cranes.file(card, "firmware/main.bin").write_text(firmware)


def _ends(month: Month, number: int) -> None:
    (visit,) = (each["visit"] for each in month.port.succeeds("visit", "list", "--json").document if each["state"] == "open")
    month.port.succeeds("visit", "close", visit, "--yes")
    month.port.succeeds("visit", "approve", visit, "--all-matched", "--reason", f"visit {number}, as ordered", "--yes")


def _night(month: Month, night: int) -> None:
    for tick in range(len(TICKS)):
        month.port.clock.time = at(night, tick)
        for place in PLACES:
            _reach(month.cranes, place, night, tick)
        month.runs[at(night, tick)] = month.port.types("check", "--due", "--at-once", "4").code


def _reach(cranes: Cranes, place: str, night: int, tick: int) -> None:
    there = answers(place, night, tick)
    if place in cranes.units:
        cranes.units[place].coils[0] = 0 if there else 1
    elif there:
        cranes.unplugged.discard(place)
    else:
        cranes.unplugged.add(place)
