"""The fleet at a glance: nothing is greener than the record can prove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeLinux, FakeRoute
from tests.fleet_fixtures import DAY, Port, cards, port_of
from tests.trust_fixtures import ENGINEER, NOW, STRANGER, report, snapshot
from verifier.compare.events import boot_of, events
from verifier.errors import TrustError, Unreachable
from verifier.model.device import DeviceName, Window
from verifier.model.inventory import Inventory
from verifier.model.report import Running
from verifier.model.words import Event, Reason, Verdict
from verifier.procedures import reading
from verifier.procedures import running as running_module
from verifier.procedures.check import check
from verifier.procedures.enrol import Proposing
from verifier.procedures.status import status
from verifier.procedures.withdraw import Withdrawn, withdraw, withdrawing
from verifier.report.status import (
    DeviceStatus,
    FleetStatus,
    InForce,
    OpenVisit,
    Standing,
    exit_code,
    gravest_first,
    overdue,
    span,
    status_document,
    status_lines,
    sums,
)
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.keys import Signer
from verifier.trust.statement import REPORT, written

FIRST, SECOND = "STS-01", "STS-02"


@pytest.fixture
def port(tmp_path: Path) -> Port:
    cards(tmp_path, FIRST, SECOND)
    return port_of(tmp_path, FIRST, SECOND)


def told(port: Port, *words: str) -> FleetStatus:
    return status(Inventory(port.devices), words, port.collector)


def of(port: Port, crane: str = FIRST) -> DeviceStatus:
    (found,) = told(port, crane).devices
    return found


def tampered(port: Port, crane: str = FIRST) -> None:
    (port.card(crane) / "firmware/part-7.bin").write_bytes(b"implant")


# What is not known to match now is no match


def test_who_was_never_checked_is_not_green(port: Port) -> None:
    found = told(port)
    assert [each.standing for each in found.devices] == [Standing.NEVER] * 2
    assert {each.due for each in found.devices} == {port.clock.time}
    assert exit_code(found.devices) == 4


def test_a_match_is_green_for_its_interval_and_not_a_second_longer(port: Port) -> None:
    port.run()
    ended = port.clock.time
    port.clock.time = ended + DAY
    assert of(port).standing is Standing.MATCH
    assert exit_code(told(port).devices) == 0
    port.clock.time += timedelta(seconds=1)
    late = of(port)
    assert late.standing is Standing.STALE
    assert late.due == ended + DAY
    assert exit_code(told(port).devices) == 4
    port.clock.time = ended - timedelta(seconds=1)
    assert of(port).standing is Standing.STALE, "dated in the future"


def test_a_device_that_is_only_checked_when_asked_does_not_grow_stale(port: Port) -> None:
    port.run()
    port.clock.time += 400 * DAY
    asked = replace(port, devices=(replace(port.devices[0], every=None),))
    found = of(asked)
    assert (found.standing, found.due) == (Standing.MATCH, None)
    assert "when asked" in "\n".join(line.text for line in status_lines(told(asked)))


def test_a_match_of_tomorrow_is_no_match_whatever_the_interval(port: Port) -> None:
    """The clock was years ahead, and was put right."""
    asked = replace(port, devices=(replace(port.devices[0], every=None),))
    port.clock.time += 800 * DAY
    port.run()
    port.clock.time -= 800 * DAY
    assert of(asked).standing is Standing.STALE
    assert of(port).standing is Standing.STALE


def test_drift_is_said_with_the_gravest_of_it_and_its_finding(port: Port) -> None:
    port.run()
    tampered(port)
    (port.card(FIRST) / "firmware/extra.so").write_bytes(b"")
    port.clock.time += DAY
    port.run()
    port.clock.time += timedelta(hours=5)
    found = of(port)
    assert found.standing is Standing.DRIFT
    assert found.notes[0].startswith("firmware: /firmware/extra.so") or found.notes[0].startswith("firmware: ")
    assert found.notes[0].endswith(", and 1 more")
    assert len(found.findings) == 2
    assert found.due == port.clock.time - timedelta(hours=5) + DAY, "a drift does not make it due sooner"
    assert exit_code(told(port).devices) == 3
    text = "\n".join(line.text for line in status_lines(told(port)))
    assert "a drift does not make a device due sooner" in text
    assert "2 open" in text


def test_out_of_reach_says_why_and_puts_nothing_off(port: Port) -> None:
    port.run()
    ended = port.clock.time
    port.card(FIRST).rename(port.folder / "away")
    port.clock.time += 3 * DAY
    port.run()
    found = of(port)
    assert found.standing is Standing.UNDETERMINED
    assert found.notes[0].startswith("firmware: unreachable")
    assert (found.due, overdue(found, port.clock.time)) == (ended + DAY, 2 * DAY)
    assert of(port, SECOND).due == port.clock.time + DAY


def test_a_baseline_approved_since_has_not_been_compared_with(port: Port) -> None:
    port.run()
    port.clock.time += timedelta(hours=1)
    port.enrol(port.devices[0], Proposing("update"))
    found = of(port)
    assert found.standing is Standing.UNDETERMINED
    assert found.notes == ("baseline 2 came into force since; this check compared with 1",)
    assert found.baseline is not None
    assert found.baseline.serial == 2
    check(port.devices[0], port.collector)
    assert of(port).standing is Standing.MATCH


def test_while_two_are_valid_at_once_a_match_with_the_older_one_is_one(port: Port) -> None:
    port.run()
    port.enrol(port.devices[0], Proposing("update", staged_for=timedelta(hours=2)))
    assert of(port).standing is Standing.MATCH
    port.clock.time += timedelta(hours=3)
    assert of(port).standing is Standing.UNDETERMINED


def test_a_baseline_that_ran_out_is_no_measure(port: Port) -> None:
    until = port.clock.time + timedelta(hours=2)
    port.enrol(port.devices[0], Proposing("until the overhaul", valid_for=timedelta(hours=2)))
    port.run()
    assert of(port).standing is Standing.MATCH
    assert of(port).baseline == InForce(2, port.clock.time, until)
    port.clock.time += timedelta(hours=3)
    found = of(port)
    assert (found.standing, found.notes) == (Standing.UNDETERMINED, ("baseline 2 ran out on 2026-11-22",))


def test_a_policy_that_ran_out_is_no_measure(port: Port) -> None:
    port.run()
    ended = replace(port.collector.policy, expires=port.clock.time + timedelta(hours=1))
    short = replace(port, collector=replace(port.collector, policy=ended))
    assert of(short).standing is Standing.MATCH
    assert "the policy runs out on 2026-11-22, in 1 h" in [line.text for line in status_lines(told(short))]
    port.clock.time += timedelta(hours=2)
    assert (of(short).standing, of(short).notes) == (Standing.UNDETERMINED, ("the policy ran out",))
    assert any(line.text.startswith("the policy ran out on 2026-11-22") for line in status_lines(told(short)))


def test_a_check_that_stopped_at_the_baseline(port: Port) -> None:
    path = port.workspace.baselines.approved_path(port.devices[0].name)
    path.write_bytes(path.read_bytes().replace(b'"sig":"', b'"sig":"AAAA'))
    port.run()
    found = of(port)
    assert found.standing is Standing.UNTRUSTED
    assert found.notes
    assert exit_code(told(port).devices) == 5


# The record, attacked


def laid(port: Port, make: Callable[[str], bytes]) -> None:
    port.workspace.log.append(make)


@pytest.mark.parametrize("signers", [(), (STRANGER,), (ENGINEER,)])
def test_a_report_that_nobody_trusted_signed_is_not_believed(port: Port, signers: tuple[Signer, ...]) -> None:
    port.run()
    tampered(port)
    real = check(port.devices[0], port.collector).report
    fine = replace(real, verdict=Verdict.MATCH, drifts=())
    laid(port, lambda before: seal(written(REPORT, replace(fine, previous=before)), PAYLOAD_TYPE, signers))
    found = of(port)
    assert (found.standing, found.report) == (Standing.NOT_GENUINE, None)
    assert exit_code(told(port).devices) == 5


def test_an_old_match_that_is_put_in_again_is_no_news(port: Port) -> None:
    """Whoever can write to the disk has no key, but last night's match."""
    port.run()
    match = port.workspace.log.read(next(port.workspace.index.rows("report", port.devices[0].name)).sequence)
    tampered(port)
    check(port.devices[0], port.collector)
    laid(port, lambda _: match)
    found = of(port)
    assert found.standing is Standing.NOT_GENUINE
    assert "somebody put it there" in found.notes[0]


def test_a_withdrawn_baseline_is_not_trusted_before_and_after_the_next_check(port: Port) -> None:
    port.run()
    first = port.devices[0]
    done = withdraw(first, withdrawing(first, "recalled by the vendor", port.collector), ENGINEER, port.collector)
    assert isinstance(done, Withdrawn)
    found = of(port)
    assert found.standing is Standing.UNTRUSTED
    assert "was withdrawn by" in found.notes[0]
    assert of(port, SECOND).standing is Standing.MATCH
    port.enrol(port.devices[0], Proposing("anew"))
    assert of(port).standing is Standing.UNDETERMINED
    check(port.devices[0], port.collector)
    assert of(port).standing is Standing.MATCH


def test_a_device_that_left_the_inventory_is_missed(port: Port) -> None:
    port.run()
    fewer = replace(port, devices=port.devices[1:])
    found = told(fewer)
    assert [(each.device.crane, each.standing) for each in gravest_first(found)] == [
        (FIRST, Standing.LOST),
        (SECOND, Standing.MATCH),
    ]
    assert exit_code(found.devices) == 4
    port.workspace.baselines.approved_path(port.devices[0].name).unlink()
    assert [each.device.crane for each in told(fewer).devices] == [SECOND]


# When it is checked next


def test_outside_its_hours_a_device_is_due_when_they_begin(port: Port) -> None:
    port.run()
    here = (port.clock.time + DAY).astimezone()
    window = Window(time((here.hour + 2) % 24), time((here.hour + 4) % 24))
    night = replace(port, devices=(replace(port.devices[0], window=window),))
    assert of(night).due == port.clock.time + DAY + timedelta(hours=2)
    port.clock.time += DAY + timedelta(hours=3)
    assert overdue(of(night), port.clock.time) == timedelta(hours=1)
    earlier = Window(time((here.hour - 3) % 24), time((here.hour - 1) % 24))
    morning = replace(port, devices=(replace(port.devices[0], window=earlier),))
    assert of(morning).due == port.clock.time - timedelta(hours=3) + timedelta(hours=21)


RUNNING = """\
profile: test-card
title: A controller that says how it runs
version: 1
maturity: simulated
references: [tests/test_status.py]
gaps: [Stands for no product.]
items:
  - {name: firmware, kind: firmware, files: {paths: [/firmware]}, version: "FIRMWARE=(\\\\S+)"}
  - {name: run, kind: hardware, criticality: low, facts: run, volatile: ["boot id"]}
  - {name: mounts, kind: configuration, facts: mounts}
"""


class Controller:
    """A controller that can be started again, updated and unplugged."""

    def __init__(self) -> None:
        self.files: dict[bytes, bytes | Reason] = {
            b"/firmware/boot.bin": b"FIRMWARE=3.10.8\n",
            b"/proc/mounts": b"/dev/root / ext4 ro 0 0\n",
        }
        self.plugged = True
        self.boots("one")

    def boots(self, run: str) -> None:
        self.files[b"/proc/sys/kernel/random/boot_id"] = f"{run}\n".encode()

    def connect(self, *_: object) -> FakeRoute:
        if not self.plugged:
            raise Unreachable("nobody answers")
        return FakeRoute(FakeLinux(self.files))


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch) -> Controller:
    controller = Controller()
    monkeypatch.setattr(reading, "connect", controller.connect)
    return controller


@pytest.fixture
def running(tmp_path: Path, controller: Controller) -> Port:
    return port_of(tmp_path, FIRST, profile=RUNNING)


def test_a_restart_is_no_drift_and_is_said(running: Port, controller: Controller) -> None:
    running.run()
    first = of(running).report
    assert first is not None
    assert (first.verdict, first.running, first.events) == (Verdict.MATCH, Running("one", "3.10.8"), ())
    controller.boots("two")
    running.clock.time += DAY
    running.run()
    found = of(running)
    assert found.report is not None
    assert (found.standing, found.report.events) == (Standing.MATCH, (Event.RESTARTED,))
    assert found.notes == ("started again since the check before",)
    assert "since the check before: started again" in found.report.notes
    assert running.due() == (), "the check that saw it has read everything"


def test_a_restart_asks_once_for_a_full_check_where_not_all_was_read(running: Port, controller: Controller) -> None:
    running.run()
    controller.boots("two")
    controller.files[b"/proc/mounts"] = Reason.DENIED
    running.clock.time += DAY
    running.run()
    found = of(running)
    assert found.standing is Standing.UNDETERMINED
    assert "started again since the check before, and not all was read: due at once" in found.notes
    assert found.due == running.clock.time
    running.clock.time += timedelta(minutes=15)
    assert running.due() == running.devices
    running.run()
    assert running.due() == (), "what never can be read is not asked for every quarter of an hour"
    assert of(running).due == running.clock.time + DAY


def test_other_firmware_is_an_event_of_its_own(running: Port, controller: Controller) -> None:
    running.run()
    controller.files[b"/firmware/boot.bin"] = b"FIRMWARE=3.11.0\n"
    running.clock.time += DAY
    running.run()
    found = of(running)
    assert found.standing is Standing.DRIFT
    assert found.report is not None
    assert found.report.events == (Event.FIRMWARE,)
    assert "another firmware version since the check before" in found.notes


def test_while_it_was_out_of_reach_it_may_have_been_started_again(running: Port, controller: Controller) -> None:
    """The check before is the newest one that compared anything, not an attempt that read nothing."""
    running.run()
    controller.plugged = False
    running.clock.time += DAY
    running.run()
    controller.plugged = True
    controller.boots("two")
    assert check(running.devices[0], running.collector).report.events == (Event.RESTARTED,)


def test_a_damaged_older_report_takes_nobody_a_check(running: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> object:
        raise TrustError("entry 3 of the record is damaged")

    monkeypatch.setattr(running_module, "reports", damaged)
    assert check(running.devices[0], running.collector).report.verdict is Verdict.MATCH


@given(st.builds(Running, st.sampled_from(["", "a", "b"]), st.sampled_from(["", "1", "2"])) | st.none())
def test_nothing_happened_between_a_reading_and_itself_or_nothing(ran: Running | None) -> None:
    assert events(ran, ran) == events(None, ran) == events(ran, None) == ()


def test_a_snapshot_without_a_run_names_none() -> None:
    assert boot_of(snapshot()) == ""
    assert events(Running("a", "1"), Running("b", "2")) == (Event.RESTARTED, Event.FIRMWARE)


# The view


def device(crane: str, standing: Standing, **more: object) -> DeviceStatus:
    return DeviceStatus(DeviceName("port", crane, "card"), standing, **more)  # type: ignore[arg-type]  # any of its fields


def fleet(*devices: DeviceStatus, **more: object) -> FleetStatus:
    return FleetStatus(NOW, devices, "", None, **more)  # type: ignore[arg-type]  # any of its fields


def test_gravest_first_then_longest_overdue_then_by_name() -> None:
    shown = fleet(
        device("STS-01", Standing.MATCH, due=NOW + DAY),
        device("STS-02", Standing.STALE, due=NOW - DAY),
        device("STS-03", Standing.DRIFT, due=NOW + DAY),
        device("STS-04", Standing.STALE, due=NOW - 3 * DAY),
        device("STS-06", Standing.DRIFT),
        device("STS-05", Standing.DRIFT, due=NOW),
        device("STS-07", Standing.NOT_GENUINE),
    )
    assert [each.device.crane for each in gravest_first(shown)] == [
        "STS-07", "STS-05", "STS-03", "STS-06", "STS-04", "STS-02", "STS-01",
    ]  # fmt: skip
    assert sums(shown) == "7 devices: 1 not genuine, 3 drift, 2 match, stale, 1 match; 3 due or overdue"


@given(st.lists(st.sampled_from(Standing)))
def test_only_a_fleet_that_is_known_to_match_leaves_with_0(standings: list[Standing]) -> None:
    code = exit_code([device("STS-01", each) for each in standings])
    assert (code == 0) == (set(standings) == {Standing.MATCH})
    assert (code == 5) == bool({Standing.NOT_GENUINE, Standing.UNTRUSTED} & set(standings))
    if code == 4:
        assert Standing.DRIFT not in standings


def test_the_table() -> None:
    seen = replace(report(), device=DeviceName("port", "STS-01", "card"), ended=NOW - 3 * DAY)
    shown = fleet(
        device("STS-01", Standing.DRIFT, report=seen, number=7, due=NOW - timedelta(hours=30), notes=("limits: 50 t -> 62 t",)),
        device("STS-02", Standing.NEVER, due=NOW),
        device("STS-03", Standing.MATCH, due=NOW + DAY, baseline=InForce(2, NOW - 40 * DAY, NOW + DAY)),
        device("STS-04\x1b[2J", Standing.MATCH, baseline=InForce(1, None, None)),
        wrong=("entry 3: rewritten",),
        visits=(
            OpenVisit("V-2026-0007", "Drives", (DeviceName("port", "STS-01", "card"),), NOW - DAY, NOW - timedelta(hours=2)),
            OpenVisit("V-2026-0009", "Drives", (), NOW, NOW + timedelta(hours=2)),
        ),
    )
    assert [each["overdue"] for each in status_document(shown)["open_visits"]] == [True, False]
    assert [line.text for line in status_lines(replace(shown, witnessed="history witnessed up to entry 7"))] == [
        "device                   verdict        age  coverage  next due      findings  baseline",
        "port/STS-01/card         drift          3 d  80 %      overdue 30 h  -         none",
        "  limits: 50 t -> 62 t",
        "port/STS-02/card         never checked  -    -         now           -         none",
        "port/STS-03/card         match          -    -         in 24 h       -         2, 40 d old, until 2026-11-23",
        "port/STS-04\\x1b[2J/card  match          -    -         when asked    -         1, from elsewhere",
        "",
        "4 devices: 1 drift, 1 never checked, 2 match; 2 due or overdue",
        "a drift does not make a device due sooner; `crane-verify check DEVICE` looks again now",
        "visit V-2026-0007 of Drives is open since 24 h, overdue 2 h: crane-verify visit close V-2026-0007; port/STS-01/card",
        "visit V-2026-0009 of Drives is open since 0 min, for 2 h more; ",
        "history witnessed up to entry 7",
        "RECORD  entry 3: rewritten",
    ]


def test_the_document_of_a_device_that_has_nothing() -> None:
    (only,) = status_document(fleet(device("STS-01", Standing.LOST)))["devices"]
    assert only == {
        "device": "port/STS-01/card",
        "standing": "not in the inventory",
        "verdict": None,
        "report": None,
        "ended": None,
        "age": None,
        "coverage": None,
        "next_due": None,
        "overdue": None,
        "findings": {"open": 0, "investigating": 0, "accepted": 0, "rejected": 0},
        "baseline": None,
        "notes": [],
    }


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (timedelta(seconds=-5), "0 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(hours=48), "2 d"),
        (timedelta(days=400), "400 d"),
    ],
)
def test_spans_are_rounded_down(of: timedelta, said: str) -> None:
    assert span(of) == said
