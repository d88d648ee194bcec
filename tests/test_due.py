"""Which devices are due, and at what hours they may be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from tests.trust_fixtures import DEVICE, NOW, OTHER_DEVICE, POLICY, sealed_report
from verifier.model.device import Device, ImageAddress, Secret, Window
from verifier.procedures.due import due
from verifier.procedures.reading import is_open
from verifier.record.workspace import Workspace
from verifier.trust.statement import REPORT
from verifier.trust.verify import claimed

WEEKLY = Device(DEVICE, ImageAddress("card"), "offline-image", every=timedelta(days=7))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def record_a_check(workspace: Workspace) -> datetime:
    """One report of the device is recorded; gives when its check ended."""
    workspace.log.append(sealed_report)
    return claimed(workspace.log.read(0), REPORT).ended


def test_a_device_that_was_never_checked_is_due(workspace: Workspace) -> None:
    assert due([WEEKLY], workspace, POLICY, NOW) == (WEEKLY,)


def test_a_device_is_due_when_its_interval_has_passed_and_not_before(workspace: Workspace) -> None:
    ended = record_a_check(workspace)
    assert due([WEEKLY], workspace, POLICY, ended + timedelta(days=7, seconds=-1)) == ()
    assert due([WEEKLY], workspace, POLICY, ended + timedelta(days=7)) == (WEEKLY,)


def test_another_devices_report_makes_nobody_less_due(workspace: Workspace) -> None:
    ended = record_a_check(workspace)
    other = replace(WEEKLY, name=OTHER_DEVICE)
    assert due([WEEKLY, other], workspace, POLICY, ended) == (other,)


def test_a_device_without_an_interval_is_never_due(workspace: Workspace) -> None:
    assert due([replace(WEEKLY, every=None)], workspace, POLICY, NOW) == ()
    assert due([], workspace, POLICY, NOW) == ()


def test_a_device_outside_its_window_waits(workspace: Workspace) -> None:
    here = NOW.astimezone()
    later = (here + timedelta(hours=1)).time()
    until = (here + timedelta(hours=2)).time()
    assert due([replace(WEEKLY, window=Window(later, until))], workspace, POLICY, NOW) == ()


@pytest.mark.parametrize(
    ("opens", "closes", "inside", "outside"),
    [
        (time(8), time(12), time(8), time(12)),
        (time(22), time(5), time(23, 59), time(5)),
        (time(22), time(5), time(0), time(21, 59)),
    ],
)
def test_a_window_may_run_over_midnight(opens: time, closes: time, inside: time, outside: time) -> None:
    window = Window(opens, closes)
    assert window.holds(inside)
    assert not window.holds(outside)
    assert str(window) == f"{opens:%H:%M}-{closes:%H:%M}"


def test_a_device_without_a_window_is_always_open() -> None:
    assert is_open(WEEKLY, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_reference_to_a_secret_is_written_as_in_the_inventory() -> None:
    assert (str(Secret("env", "PASSWORD")), str(Secret("prompt"))) == ("env:PASSWORD", "prompt")
