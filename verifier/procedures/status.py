"""The status of the fleet: told from the record alone, no device is asked. Nothing here is greener than the record can prove."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import assert_never

from verifier.errors import RecordError, TrustError
from verifier.model.device import Device, DeviceName, Window
from verifier.model.drift import Drift
from verifier.model.finding import Finding
from verifier.model.inventory import Inventory
from verifier.model.report import Report
from verifier.model.words import DriftKind, Verdict
from verifier.procedures.approved import newest
from verifier.procedures.audit import Found, past, report_at
from verifier.procedures.collector import Collector
from verifier.procedures.due import LastCheck, due_at, is_stale, last_checks
from verifier.procedures.findings import findings
from verifier.procedures.history import History, judged_as
from verifier.procedures.lost import lost
from verifier.procedures.visits import Visit, open_visits
from verifier.procedures.witnessing import is_watched, watched
from verifier.record.row import Row
from verifier.record.workspace import Workspace
from verifier.report.phrase import phrase
from verifier.report.status import DeviceStatus, FleetStatus, InForce, OpenVisit, Standing
from verifier.trust.baseline_rules import overlapping
from verifier.trust.statement import BASELINE, REPORT, WITHDRAWAL
from verifier.trust.verify import claimed

REPLAYED = "its newest report does not follow on the entry before it: somebody put it there"


def status(inventory: Inventory, words: Sequence[str], collector: Collector) -> FleetStatus:
    """What the record says today of the devices that these words name, or of all.

    The record is asked a few questions however many devices there are, and of each device its newest report is verified; more is
    read only of those that do not match.

    Raises:
        UsageError: a word names nothing.
        TrustError: the record is not what it was.
        RecordError: the record cannot be read.
    """
    workspace, now = collector.workspace, collector.now()
    devices = inventory.select(words)
    names = tuple(device.name for device in devices)
    history = past(workspace, workspace.trusted())
    newest = workspace.index.newest_entries(REPORT.word, *names)
    reports = {name: _looked_at(row, envelope, workspace, history) for name, (row, envelope) in newest.items()}
    found = {name: each.found for name, each in reports.items()}
    verified = frozenset(each.found.sequence for each in reports.values() if not each.wrong)
    known = _Known(
        collector,
        now,
        reports,
        last_checks(found, workspace, collector.policy, now, verified),
        workspace.index.highest_of_each(),
        frozenset(row.device for row in workspace.index.rows(WITHDRAWAL.word) if row.device),
        # a match that is genuine leaves nothing unresolved
        _by_device(findings(workspace, history, [name for name, each in reports.items() if not each.matches])),
    )
    gone = (each.device for each in lost(inventory, words, workspace) if each.baseline_in_place)
    return FleetStatus(
        now,
        (*(known.of(device) for device in devices), *map(known.of_lost, gone)),
        str(watched(workspace.log, collector.policy)) if is_watched(collector.policy) else "",
        collector.policy.expires,
        tuple(_visit(each) for each in open_visits(workspace, history, names)),
        history.faults,
    )


def _visit(of: Visit) -> OpenVisit:
    opened = of.opened.value
    return OpenVisit(of.name, opened.vendor, opened.devices, opened.at, opened.overdue_at)


@dataclass(frozen=True, slots=True)
class _LookedAt:
    """The newest report of a device."""

    found: Found
    wrong: str
    """Why it is not believed; empty: it is genuine."""

    @property
    def matches(self) -> bool:
        return not self.wrong and self.found.report.verdict is Verdict.MATCH


def _looked_at(row: Row, envelope: bytes, workspace: Workspace, history: History) -> _LookedAt:
    """Whether those signed it whom the policy names, and it stands where it was recorded: an old match put in again is none."""
    try:
        report = judged_as(REPORT, envelope, row.sequence, history, row.at).value
    except TrustError as error:
        return _LookedAt(report_at(row.sequence, workspace), str(error))
    before = hashlib.sha256(workspace.log.read(row.sequence - 1)).hexdigest() if row.sequence else ""
    return _LookedAt(Found(row.sequence, report, envelope), "" if report.previous == before else REPLAYED)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the fleet; a device's status is told from it."""

    collector: Collector
    now: datetime
    reports: Mapping[DeviceName, _LookedAt]
    last: Mapping[DeviceName, LastCheck]
    accepted: Mapping[DeviceName, Row]
    withdrawn: frozenset[DeviceName]
    """Devices of which a baseline was ever withdrawn."""
    findings: Mapping[DeviceName, tuple[Finding, ...]]

    def of(self, device: Device) -> DeviceStatus:
        name, last = device.name, self.last.get(device.name)
        at = due_at(device, last, self.now)
        newest_one = self.reports.get(name)
        told = DeviceStatus(
            name,
            Standing.NEVER,
            due=_opens(device.window, at) if at else None,
            baseline=self._in_force(name),
            findings=self.findings.get(name, ()),
        )
        if newest_one is None:
            return self._judged(told, device)
        report = newest_one.found.report
        told = replace(told, number=newest_one.found.sequence)
        if newest_one.wrong:
            return replace(told, standing=Standing.NOT_GENUINE, notes=(newest_one.wrong,))
        told = replace(told, report=report, baseline=told.baseline or _from_elsewhere(report))
        doubts = tuple(self._doubts(device.name, report))
        told = replace(told, standing=_standing(report, is_stale(report, device, self.now), bool(doubts)))
        return self._judged(replace(told, notes=(*_reasons(report), *_asked(report, last), *doubts)), device)

    def _judged(self, told: DeviceStatus, device: Device) -> DeviceStatus:
        """With what is wrong with the baseline in place of a device of which one was ever withdrawn."""
        if device.name in self.withdrawn:
            try:
                newest(device, self.collector)
            except TrustError as error:
                return replace(told, standing=Standing.UNTRUSTED, notes=(str(error), *told.notes))
        return told

    def of_lost(self, name: DeviceName) -> DeviceStatus:
        """A device that was approved, and that no check reaches any more."""
        return DeviceStatus(name, Standing.LOST, baseline=self._in_force(name), notes=("it has an approved baseline",))

    def _in_force(self, name: DeviceName) -> InForce | None:
        row = self.accepted.get(name)
        return InForce(row.serial, row.at, row.not_after) if row else None

    def _doubts(self, name: DeviceName, report: Report) -> Iterator[str]:
        """Why what it was compared with is no measure today."""
        row, expires = self.accepted.get(name), self.collector.policy.expires
        if row and row.not_after and row.not_after < self.now:
            yield f"baseline {row.serial} ran out on {row.not_after:%Y-%m-%d}"
        if row and report.baseline.sha256 not in ("", row.sha256) and not self._beside(row):
            yield f"baseline {row.serial} came into force since; this check compared with {report.baseline.serial}"
        if expires and expires < self.now:
            yield "the policy ran out"

    def _beside(self, row: Row) -> bool:
        """Whether the baseline that this one replaces is valid beside it today."""
        with contextlib.suppress(TrustError, RecordError):
            return overlapping(claimed(self.collector.workspace.log.read(row.sequence), BASELINE), self.now)
        return False


def _standing(report: Report, stale: bool, doubted: bool) -> Standing:
    match report.verdict:
        case Verdict.UNTRUSTED:
            return Standing.UNTRUSTED
        case Verdict.DRIFT:
            return Standing.DRIFT
        case Verdict.UNDETERMINED:
            return Standing.UNDETERMINED
        case Verdict.MATCH if doubted:
            return Standing.UNDETERMINED
        case Verdict.MATCH:
            return Standing.STALE if stale else Standing.MATCH
        case _:
            assert_never(report.verdict)


def _reasons(report: Report) -> Iterator[str]:
    """Why it is no match, in a line: the gravest drift and how many there are, else why something was not read."""
    drifts = [drift for drift in report.drifts if drift.kind is not DriftKind.UNREAD]
    if drifts:
        more = f", and {len(drifts) - 1:,} more" if drifts[1:] else ""
        yield f"{drifts[0].item}: {phrase(drifts[0])}{more}"
    elif report.drifts:
        yield _unread(report.drifts[0])
    elif report.verdict is not Verdict.MATCH:
        yield from report.notes[:1]


def _unread(drift: Drift) -> str:
    return f"{drift.item}: {drift.note.partition('; stands for ')[0] or 'not read'}"


def _asked(report: Report, last: LastCheck | None) -> Iterator[str]:
    again = last.again if last else ()
    for event in report.events:
        yield f"{event} since the check before" + (", and not all was read: due at once" if event in again else "")


def _from_elsewhere(report: Report) -> InForce | None:
    return InForce(report.baseline.serial, None, None) if report.baseline.serial else None


def _opens(window: Window | None, at: datetime) -> datetime:
    """The first moment from then on at which the device may be read."""
    here = at.astimezone()
    if window is None or window.holds(here.time()):
        return at
    opening = here.replace(hour=window.opens.hour, minute=window.opens.minute, second=window.opens.second, microsecond=0)
    return (opening if opening >= here else opening + timedelta(days=1)).astimezone(UTC)


def _by_device(found: Sequence[Finding]) -> dict[DeviceName, tuple[Finding, ...]]:
    ordered = sorted(found, key=lambda each: each.device)
    return {name: tuple(those) for name, those in groupby(ordered, key=lambda each: each.device)}
