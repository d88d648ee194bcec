"""What each entry rests on, in the light of those before it: baselines in their line, and which of them a report may name."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.bundle_fixtures import BEGIN, DAY, Port
from tests.trust_fixtures import DEVICE, ENGINEER, OFFICER, OTHER_DEVICE, baseline
from verifier.procedures.audit import audit_log
from verifier.procedures.chronicle import UNDER_WAY
from verifier.procedures.reading import LINE_WAIT
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.statement import BASELINE, written

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LONG = UNDER_WAY + MINUTE


@pytest.fixture
def port(tmp_path: Path) -> Port:
    return Port(tmp_path / "workspace")


def approves(
    port: Port, serial: int, supersedes: str, staged_until: datetime | None = None, not_after: datetime | None = None
) -> str:
    """The next baseline, with an end or one beside it; gives its digest."""
    value = replace(baseline(serial, supersedes), staged_until=staged_until, not_after=not_after, proposed=BEGIN)
    return port.workspace.log.append(lambda _: seal(written(BASELINE, value), PAYLOAD_TYPE, (ENGINEER, OFFICER))).sha256


def found(port: Port) -> tuple[str, ...]:
    return audit_log(port.workspace, port.trusted).findings


def put_back(entry: int, one: int, other: int, by: int, beside: str = "") -> str:
    return (
        f"entry {entry}: was compared with baseline {one}, which baseline {other} in entry {by} had replaced{beside}:"
        " the machine was put back to an older state"
    )


def test_a_report_against_a_baseline_that_was_replaced(port: Port) -> None:
    one = approves(port, 1, "")
    two = approves(port, 2, one)
    port.reports(BEGIN + DAY, two, serial=2)
    port.reports(BEGIN + 2 * DAY, one)
    port.reports(BEGIN + 2 * DAY, two, serial=2)
    assert found(port) == (put_back(3, 1, 2, 1),)


def test_the_check_was_under_way_when_it_was_replaced(port: Port) -> None:
    """It waited hours for the others on its line; and of the first report after it, nobody can tell."""
    one = approves(port, 1, "")
    approves(port, 2, one)
    port.reports(BEGIN + 9 * DAY, one)
    assert found(port) == ()
    port.reports(BEGIN + 9 * DAY + UNDER_WAY, one)
    assert found(port) == ()
    port.reports(BEGIN + 9 * DAY + LONG, one)
    assert found(port) == (put_back(4, 1, 2, 1),)
    assert timedelta(seconds=LINE_WAIT) < UNDER_WAY


def test_somebody_outside_saw_that_it_was_replaced(port: Port) -> None:
    one = approves(port, 1, "")
    approves(port, 2, one)
    port.is_seen(BEGIN)
    port.reports(BEGIN + LONG, one)
    assert found(port) == (put_back(2, 1, 2, 1),)


def test_two_may_be_valid_at_once_until_a_stated_time(port: Port) -> None:
    one = approves(port, 1, "")
    two = approves(port, 2, one, staged_until=BEGIN + 9 * DAY)
    port.reports(BEGIN, two, serial=2)
    port.reports(BEGIN + 9 * DAY, one)
    port.reports(BEGIN + 9 * DAY + LONG, one)
    beside = ", beside which it was valid until 2026-11-01 06:00 UTC"
    assert found(port) == (put_back(4, 1, 2, 1, beside),)


def test_one_that_has_run_out_keeps_nothing_beside_it(port: Port) -> None:
    one = approves(port, 1, "")
    two = approves(port, 2, one, staged_until=BEGIN + 9 * DAY, not_after=BEGIN + 2 * DAY)
    port.reports(BEGIN, two, serial=2)
    port.reports(BEGIN + 2 * DAY + LONG, one)
    assert found(port) == (put_back(3, 1, 2, 1, ", beside which it was valid until 2026-10-25 06:00 UTC"),)


def test_only_the_newest_has_one_beside_it(port: Port) -> None:
    one = approves(port, 1, "")
    two = approves(port, 2, one, staged_until=BEGIN + 9 * DAY)
    port.reports(BEGIN + DAY, one)
    three = approves(port, 3, two, staged_until=BEGIN + 9 * DAY)
    port.reports(BEGIN + 2 * DAY, three, serial=3)
    port.reports(BEGIN + 3 * DAY, two, serial=2)
    port.reports(BEGIN + 4 * DAY, one)
    assert found(port) == (put_back(6, 1, 3, 3),)


def test_an_older_one_comes_once_more(port: Port) -> None:
    one = approves(port, 1, "")
    approves(port, 2, one)
    approves(port, 1, "")
    port.approves(OTHER_DEVICE)
    (why,) = found(port)
    assert why == (
        f"entry 2: is baseline 1 of {DEVICE} once more, and entry 1 holds baseline 2:"
        " an older state was put back past those who approve"
    )


def test_one_that_replaces_another_than_the_newest(port: Port) -> None:
    approves(port, 1, "")
    approves(port, 2, "ab" * 32)
    (why,) = found(port)
    assert why == (
        f"entry 1: is baseline 2 of {DEVICE}, and replaces another one than baseline 1 in entry 0: they are of two histories"
    )


def test_where_some_between_are_not_there_nothing_is_said_of_the_line(port: Port) -> None:
    """As in a bundle. But older than one that is there is older; and what it is valid beside is not this one."""
    one = approves(port, 1, "")
    three = approves(port, 3, "ab" * 32, staged_until=BEGIN + 9 * DAY)
    port.reports(BEGIN + DAY, three, serial=3)
    port.reports(BEGIN + 2 * DAY, one)
    assert found(port) == (put_back(3, 1, 3, 1),)


def test_a_report_calls_its_baseline_a_newer_one(port: Port) -> None:
    one = approves(port, 1, "")
    port.reports(BEGIN, one, serial=2)
    assert found(port) == ("entry 1: says that it was compared with baseline 2, and entry 0 that it names is baseline 1",)
