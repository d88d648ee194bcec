"""`check --due` run twice at once, at any rate, and after a week off: nothing is done twice."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.terminal import Person, settled
from tests.trust_fixtures import COLLECTOR, ENGINEER, OFFICER, POLICY
from verifier.model.device import Device, DeviceName, ImageAddress, Window
from verifier.procedures import fleet
from verifier.procedures.approve import approve, proposal
from verifier.procedures.collector import Collector
from verifier.procedures.due import due
from verifier.procedures.enrol import Proposing, propose
from verifier.procedures.fleet import Checked, Outcome, PassedOver, check_all
from verifier.procedures.heartbeat import QUIET, heartbeat_if_quiet
from verifier.record.lock import locked
from verifier.record.workspace import Workspace
from verifier.trust.policy import policy_bytes

CARD = """\
profile: test-card
title: A card of a test controller
version: 1
maturity: simulated
references: [tests/test_due_once.py]
gaps: [Stands for no product.]
items:
  - {name: firmware, kind: firmware, files: {paths: [/firmware]}}
"""
CRANES = tuple(f"STS-{number:02}" for number in range(1, 9))
DAY = timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@dataclass(frozen=True)
class Port:
    """Cranes with a card each, all approved, and the machine that reads them."""

    devices: tuple[Device, ...]
    collector: Collector
    clock: Clock

    @property
    def workspace(self) -> Workspace:
        return self.collector.workspace

    def due(self) -> tuple[Device, ...]:
        return due(self.devices, self.workspace, POLICY, self.clock.time)

    def run(self, devices: tuple[Device, ...] | None = None) -> list[Outcome]:
        """What a timer does; `devices`: it found these due a moment ago."""
        return [*check_all(self.due() if devices is None else devices, self.collector, 4, only_due=True)]

    def checks(self) -> dict[DeviceName, int]:
        rows = [row.device for row in self.workspace.index.rows("report")]
        return {device.name: rows.count(device.name) for device in self.devices}


def cards(folder: Path) -> None:
    for crane in CRANES:
        (folder / crane / "firmware").mkdir(parents=True)
        for number in range(40):
            (folder / crane / f"firmware/part-{number}.bin").write_bytes(bytes(20_000))


@pytest.fixture
def port(tmp_path: Path) -> Port:
    cards(tmp_path)
    workspace = Workspace(tmp_path / "workspace")
    workspace.profiles.mkdir(parents=True)
    (workspace.profiles / "test-card.yaml").write_text(CARD)
    workspace.trust.mkdir()
    clock = Clock()
    collector = Collector(workspace, POLICY, lambda _: "", lambda: COLLECTOR, clock)
    port = Port(tuple(a_device(tmp_path, crane) for crane in CRANES[:3]), collector, clock)
    (workspace.trust / "policy.json").write_bytes(policy_bytes(POLICY))
    for device in port.devices:
        propose(device, Proposing("commissioning"), collector)
        approve(device, proposal(device, collector), ENGINEER, collector)
        approve(device, proposal(device, collector), OFFICER, collector)
    return port


def a_device(folder: Path, crane: str) -> Device:
    return Device(DeviceName("terminal-2", crane, "card"), ImageAddress(str(folder / crane)), "test-card", DAY)


def test_two_programs_started_at_the_same_instant_check_each_device_once(tmp_path: Path) -> None:
    cards(tmp_path)
    card = "{profile: test-card, every: 7d, image: {path: ../%s}}"
    lines = [f"      {crane}: {{devices: {{card: {card % crane}}}}}" for crane in CRANES]
    person = settled(tmp_path, "\n".join(["sites:", "  terminal-2:", "    cranes:", *lines, ""]), **{"test-card": CARD})
    person.succeeds("baseline", "propose", "terminal-2", "--reason", "commissioning")
    person.succeeds("baseline", "approve", "terminal-2", "--yes")
    # as a timer and a person do in the same minute; each starts with nothing checked yet, so each finds all of them due
    runs = [started(person) for _ in range(3)]
    said = [run.communicate(timeout=100)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    checked = [each["device"] for each in person.succeeds("report", "list", "--json").document]
    assert sorted(checked) == [f"terminal-2/{crane}/card" for crane in CRANES]
    person.succeeds("log", "verify")


def started(person: Person) -> subprocess.Popen[str]:
    command = person.argv("check", "--due", "--at-once", "2")
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=person.environment)


def test_a_run_that_found_the_same_devices_due_looks_again(port: Port) -> None:
    """Both runs have their list; the second comes to each device when the first is done with it."""
    found = port.due()
    assert len(found) == 3
    assert all(isinstance(each, Checked) for each in port.run(found))
    assert {each.why for each in port.run(found) if isinstance(each, PassedOver)} == {"it is no longer due"}
    assert set(port.checks().values()) == {1}


def test_a_device_that_another_run_is_checking_is_left_to_it(port: Port) -> None:
    first = port.devices[0]
    with port.workspace.check_lock(first.name):
        outcomes = {each.device.name: each for each in port.run()}
    assert outcomes.pop(first.name) == PassedOver(first, "another run is checking it")
    assert all(isinstance(each, Checked) for each in outcomes.values())
    assert port.due() == (first,), "whoever held it recorded nothing, so it stays due"


def test_runs_side_by_side_in_one_program(port: Port) -> None:
    found = port.due()
    with ThreadPoolExecutor(4) as pool:
        outcomes = [each for run in pool.map(port.run, [found] * 4) for each in run]
    assert sum(isinstance(each, Checked) for each in outcomes) == 3
    assert sum(isinstance(each, PassedOver) for each in outcomes) == 9
    assert set(port.checks().values()) == {1}


def test_a_check_by_hand_waits_and_is_a_check_of_its_own(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who types `check STS-01` wants to know how it is now, and is told when another run does not let go of it."""
    first = port.devices[:1]
    port.run(first)
    assert [type(each) for each in check_all(first, port.collector, 1)] == [Checked]
    assert port.checks()[first[0].name] == 2
    held = port.workspace.check_lock(first[0].name)
    monkeypatch.setattr(Workspace, "check_lock", impatient)
    with held:
        (failed,) = check_all(first, port.collector, 1)
    assert isinstance(failed, fleet.Failed)
    assert "in use by process" in str(failed.error)


def impatient(space: Workspace, name: DeviceName) -> AbstractContextManager[None]:
    return locked(space.root / f".locks/checks/{name}.lock", 0.05)


def test_a_window_that_closed_since_the_run_began_asks_nothing(port: Port) -> None:
    found = port.due()
    here = port.clock.time.astimezone()
    shut = Window((here + timedelta(hours=1)).time(), (here + timedelta(hours=2)).time())
    outcomes = port.run(tuple(replace(device, window=shut) for device in found))
    assert {each.why for each in outcomes if isinstance(each, PassedOver)} == {"it is no longer due"}
    assert set(port.checks().values()) == {0}


def test_a_week_off_gives_one_check_of_each_device_and_not_seven(port: Port) -> None:
    port.run()
    port.clock.time += 7 * DAY
    for _ in range(8):
        port.run()
        port.clock.time += timedelta(minutes=15)
    assert set(port.checks().values()) == {2}


def test_a_timer_at_any_rate_checks_each_device_once_a_day(port: Port) -> None:
    for _ in range(2 * 24):
        port.run()
        port.clock.time += timedelta(hours=1)
    assert set(port.checks().values()) == {2}


def test_a_device_out_of_reach_stays_due_and_the_others_are_not_asked_again(port: Port) -> None:
    away = Path(port.devices[0].address.path)  # type: ignore[union-attr]  # every device here is a card
    away.rename(away.with_suffix(".away"))
    port.run()
    port.clock.time += timedelta(minutes=15)
    assert port.due() == port.devices[:1]
    away.with_suffix(".away").rename(away)
    port.run()
    assert port.due() == ()
    assert list(port.checks().values()) == [2, 1, 1]


def test_of_two_runs_with_nothing_to_do_one_gives_the_sign_of_life(port: Port) -> None:
    port.run()
    port.clock.time += QUIET + timedelta(minutes=1)
    before = port.workspace.log.length()
    with ThreadPoolExecutor(4) as pool:
        beats = [*pool.map(lambda _: heartbeat_if_quiet(port.collector), range(4))]
    assert sum(beat is not None for beat in beats) == 1
    assert port.workspace.log.length() == before + 1
