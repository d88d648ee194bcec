"""`check --due` run twice at once, at any rate, and after a week off: nothing is done twice."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fleet_fixtures import CARD, DAY, Port, cards, port_of
from tests.terminal import Person, settled
from verifier.model.device import DeviceName, Window
from verifier.procedures.fleet import Checked, Failed, PassedOver, check_all
from verifier.procedures.heartbeat import QUIET, heartbeat_if_quiet
from verifier.record.lock import locked
from verifier.record.workspace import Workspace

CRANES = tuple(f"STS-{number:02}" for number in range(1, 9))


@pytest.fixture
def port(tmp_path: Path) -> Port:
    cards(tmp_path, *CRANES[:3])
    return port_of(tmp_path, *CRANES[:3])


def test_two_programs_started_at_the_same_instant_check_each_device_once(tmp_path: Path) -> None:
    cards(tmp_path, *CRANES)
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
    assert isinstance(failed, Failed)
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
    away = port.card(CRANES[0])
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
