"""The fleet at a glance: what each device was when it was last checked, how old that is, and what waits; gravest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never

from verifier.compare.plain import counted, plain
from verifier.model.codec import time_text
from verifier.model.device import DeviceName
from verifier.model.finding import Finding, State
from verifier.model.report import Report
from verifier.report import words
from verifier.report.text import Line, Style

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
HEAD = ("device", "verdict", "age", "coverage", "next due", "findings", "baseline")
SOON = timedelta(days=30)
"""What runs out within this is said in a colour."""
NOT_SOONER = "a drift does not make a device due sooner; `crane-verify check DEVICE` looks again now"


class Standing(StrEnum):
    """Where a device stands today, gravest first. What is not known to match now is never shown as a match."""

    NOT_GENUINE = "not genuine"
    """Its newest report is not signed as the policy asks, or does not stand where it was recorded."""
    UNTRUSTED = "not trusted"
    DRIFT = "drift"
    UNDETERMINED = "could not tell"
    """Not all was read; or what it was compared with is no measure any more."""
    LOST = "not in the inventory"
    NEVER = "never checked"
    STALE = "match, stale"
    MATCH = "match"


@dataclass(frozen=True, slots=True)
class InForce:
    """The baseline that a device is to be like, as the record has it."""

    serial: int
    proposed: datetime | None
    """None: it came from elsewhere, and was never approved in this record."""
    not_after: datetime | None
    """None: it does not run out."""


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    device: DeviceName
    standing: Standing
    report: Report | None = None
    """The newest; None: there is none, or it is not genuine."""
    number: int | None = None
    """Its entry of the record."""
    due: datetime | None = None
    """When it is to be checked next, within its hours. None: only when somebody asks."""
    baseline: InForce | None = None
    findings: tuple[Finding, ...] = ()
    """Those that are not resolved."""
    notes: tuple[str, ...] = ()
    """Why it stands where it stands, and what was seen on it."""


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """A visit that nobody has closed."""

    name: str
    vendor: str
    devices: tuple[DeviceName, ...]
    since: datetime
    overdue_at: datetime


@dataclass(frozen=True, slots=True)
class FleetStatus:
    now: datetime
    devices: tuple[DeviceStatus, ...]
    witnessed: str
    """How far the record is witnessed, in words; empty: nobody is asked to."""
    policy_expires: datetime | None
    """None: it does not run out."""
    visits: tuple[OpenVisit, ...] = ()
    wrong: tuple[str, ...] = ()
    """What speaks against the record, in words."""


def gravest_first(status: FleetStatus) -> tuple[DeviceStatus, ...]:
    """By standing, then by how long overdue, then by name."""
    order = [*Standing]

    def place(of: DeviceStatus) -> tuple[int, timedelta, DeviceName]:
        late = overdue(of, status.now)
        return order.index(of.standing), DAY if late is None else -late, of.device

    return tuple(sorted(status.devices, key=place))


def exit_code(devices: Sequence[DeviceStatus]) -> int:
    """The gravest of what is shown: 5 not trusted, 3 drift, 4 not known, 0 match. Nothing at all is no match: 4."""
    codes = {_code(each.standing) for each in devices}
    return next((code for code in (5, 3, 4, 0) if code in codes), 4)


def overdue(device: DeviceStatus, now: datetime) -> timedelta | None:
    """How long it should have been checked already; None: it is not due."""
    return now - device.due if device.due and device.due <= now else None


def status_lines(status: FleetStatus) -> tuple[Line, ...]:
    """A table, one line or more for each device, and below it the sums, the witnesses and the policy."""
    return tuple(Line(plain(line.text), line.style) for line in (*_table(status), Line(""), *_below(status)))


def sums(status: FleetStatus) -> str:
    """`12 devices: 1 drift, 2 match, stale, 9 match; 3 overdue; 1 finding open`."""
    standing = Counter(each.standing for each in status.devices)
    parts = [", ".join(f"{standing[each]} {each}" for each in Standing if standing[each])]
    late = sum(overdue(each, status.now) is not None for each in status.devices)
    parts += [f"{late} due or overdue"] if late else []
    states = Counter(finding.state for each in status.devices for finding in each.findings)
    parts += [f"findings: {_states(states)}"] if states else []
    return f"{counted(len(status.devices), 'device')}: {'; '.join(parts)}"


def status_document(status: FleetStatus) -> dict[str, Any]:
    """For programs; times in UTC, spans in seconds."""
    return {
        "now": time_text(status.now),
        "devices": [_device_document(each, status.now) for each in gravest_first(status)],
        "sums": dict(Counter(each.standing.value for each in status.devices)),
        "overdue": sum(overdue(each, status.now) is not None for each in status.devices),
        "open_visits": [
            {
                "visit": each.name,
                "vendor": each.vendor,
                "devices": [str(device) for device in each.devices],
                "since": time_text(each.since),
                "overdue_at": time_text(each.overdue_at),
                "overdue": status.now > each.overdue_at,
            }
            for each in status.visits
        ],
        "witnessed": status.witnessed,
        "policy_expires": _time(status.policy_expires),
        "wrong": list(status.wrong),
        "exit_code": exit_code(status.devices),
    }


def span(of: timedelta) -> str:
    """`0 min`, `5 h`, `12 d`: whole units, rounded down."""
    if of < HOUR:
        return f"{max(of, timedelta(0)) // MINUTE} min"
    return f"{of // HOUR} h" if of < 2 * DAY else f"{of // DAY} d"


def _code(standing: Standing) -> int:
    match standing:
        case Standing.NOT_GENUINE | Standing.UNTRUSTED:
            return 5
        case Standing.DRIFT:
            return 3
        case Standing.UNDETERMINED | Standing.LOST | Standing.NEVER | Standing.STALE:
            return 4
        case Standing.MATCH:
            return 0
        case _:
            assert_never(standing)


def _style(standing: Standing) -> Style:
    return {5: Style.BAD, 3: Style.BAD, 4: Style.DOUBT, 0: Style.GOOD}[_code(standing)]


def _table(status: FleetStatus) -> Iterator[Line]:
    devices = gravest_first(status)
    rows = [HEAD, *(_row(each, status.now) for each in devices)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    yield Line(lines[0], Style.TITLE)
    for line, each in zip(lines[1:], devices, strict=True):
        yield Line(line, _style(each.standing))
        yield from (Line(f"  {note}", Style.FAINT) for note in each.notes)


def _row(of: DeviceStatus, now: datetime) -> tuple[str, ...]:
    return (
        plain(str(of.device)),
        of.standing.value,
        span(now - of.report.ended) if of.report else "-",
        words.percent(of.report.coverage) if of.report and of.report.coverage.expected else "-",
        _due(of, now),
        _states(Counter(finding.state for finding in of.findings)) or "-",
        _baseline(of.baseline, now),
    )


def _due(of: DeviceStatus, now: datetime) -> str:
    if of.due is None:
        return "when asked"
    late = overdue(of, now)
    if late is None:
        return f"in {span(of.due - now)}"
    return f"overdue {span(late)}" if late >= MINUTE else "now"


def _states(found: Counter[State]) -> str:
    """`1 open, 2 accepted`."""
    return ", ".join(f"{found[state]} {state}" for state in State if found[state])


def _baseline(of: InForce | None, now: datetime) -> str:
    if of is None:
        return "none"
    until = f", until {of.not_after:%Y-%m-%d}" if of.not_after else ""
    age = f"{span(now - of.proposed)} old" if of.proposed else "from elsewhere"
    return f"{of.serial}, {age}{until}"


def _below(status: FleetStatus) -> Iterator[Line]:
    yield Line(sums(status), Style.TITLE)
    if any(each.standing is Standing.DRIFT for each in status.devices):
        yield Line(NOT_SOONER, Style.FAINT)
    yield from (_visit(each, status.now) for each in status.visits)
    if status.witnessed:
        yield Line(status.witnessed)
    if status.policy_expires:
        yield _policy(status.policy_expires, status.now)
    yield from (Line(f"RECORD  {wrong}", Style.BAD) for wrong in status.wrong)


def _visit(of: OpenVisit, now: datetime) -> Line:
    late = now > of.overdue_at
    until = (
        f"overdue {span(now - of.overdue_at)}: crane-verify visit close {of.name}"
        if late
        else f"for {span(of.overdue_at - now)} more"
    )
    names = ", ".join(map(str, of.devices))
    return Line(
        f"visit {of.name} of {of.vendor} is open since {span(now - of.since)}, {until}; {names}",
        Style.BAD if late else Style.DOUBT,
    )


def _policy(expires: datetime, now: datetime) -> Line:
    day = f"{expires:%Y-%m-%d}"
    if expires < now:
        return Line(f"the policy ran out on {day}, so nothing is called a match: crane-verify trust renew", Style.BAD)
    return Line(f"the policy runs out on {day}, in {span(expires - now)}", Style.DOUBT if expires - now < SOON else Style.PLAIN)


def _device_document(of: DeviceStatus, now: datetime) -> dict[str, Any]:
    late = overdue(of, now)
    report, baseline = of.report, of.baseline
    return {
        "device": str(of.device),
        "standing": of.standing,
        "verdict": report.verdict if report else None,
        "report": of.number,
        "ended": _time(report.ended if report else None),
        "age": _seconds(now - report.ended) if report else None,
        "coverage": {"compared": report.coverage.compared, "expected": report.coverage.expected} if report else None,
        "next_due": _time(of.due),
        "overdue": _seconds(late) if late is not None else None,
        "findings": {
            state.value: sum(each.state is state for each in of.findings) for state in State if state is not State.RESOLVED
        },
        "baseline": {
            "serial": baseline.serial,
            "proposed": _time(baseline.proposed),
            "age": _seconds(now - baseline.proposed) if baseline.proposed else None,
            "not_after": _time(baseline.not_after),
        }
        if baseline
        else None,
        "notes": list(of.notes),
    }


def _time(of: datetime | None) -> str | None:
    return time_text(of) if of else None


def _seconds(of: timedelta) -> int:
    return int(of.total_seconds())
