"""Which devices are due: not checked within their interval, and allowed to be read at this hour."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from verifier.errors import TrustError
from verifier.model.device import Device, DeviceName
from verifier.model.report import Report
from verifier.model.words import Verdict
from verifier.procedures.audit import Found, newest_reports, reports, verified_report
from verifier.procedures.reading import is_open
from verifier.record.workspace import Workspace
from verifier.trust.policy import Policy


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The newest check of a device that counts as one."""

    ended: datetime
    again: tuple[str, ...]
    """What it saw that asks for a full check, where it was none itself: then the device is due at once, whatever its interval."""


def due(devices: Iterable[Device], workspace: Workspace, policy: Policy, now: datetime) -> tuple[Device, ...]:
    """Those with an interval whose last check was longer ago than that, or never was, and whose window is open.

    A check that compared something counts, also when it could not tell everything: the report says so, and the next one comes
    with the next interval. One that compared nothing was none: the device was out of reach, working, or its baseline not trusted.
    One whose signatures do not hold, or that is dated in the future, puts nothing off.

    One that saw that the device was started again, or runs other firmware, and could not read everything, puts nothing off
    either, once: the next one has seen nothing new.
    """
    waiting = {device.name: device for device in devices if device.every is not None and is_open(device, now)}
    last = last_checks(newest_reports(workspace, *waiting), workspace, policy, now)
    return tuple(device for device in waiting.values() if (at := due_at(device, last.get(device.name), now)) and at <= now)


def due_at(device: Device, last: LastCheck | None, now: datetime) -> datetime | None:
    """When a device is to be checked next, whatever the hour; None: only when somebody asks, since it has no interval."""
    if device.every is None:
        return None
    if last is None:
        return now
    return last.ended if last.again else last.ended + device.every


def is_stale(report: Report, device: Device, now: datetime) -> bool:
    """Is it a match that is older than the device's interval, or dated in the future? Such a match is never shown as one."""
    age = now - report.ended
    return report.verdict is Verdict.MATCH and (age < timedelta(0) or (device.every is not None and age > device.every))


def last_checks(
    newest: Mapping[DeviceName, Found], workspace: Workspace, policy: Policy, now: datetime, verified: Container[int] = ()
) -> dict[DeviceName, LastCheck]:
    """The last check of each of these devices that was ever checked; `newest` are their newest reports.

    Only where that one does not count as a check are older ones looked at. `verified` are entries whose signatures
    are known to hold.
    """
    found = {}
    for name, report in newest.items():
        for each in chain((report,), _older(report, workspace)):
            if _compared(each, now) and (each.sequence in verified or _is_signed(each, policy)):
                found[name] = LastCheck(each.report.ended, _asking(each.report))
                break
    return found


def puts_off(found: Found, policy: Policy, now: datetime) -> bool:
    """Does this report count as a check?"""
    return _compared(found, now) and _is_signed(found, policy)


def _compared(found: Found, now: datetime) -> bool:
    return found.report.ended <= now and found.report.coverage.compared > 0


def _is_signed(found: Found, policy: Policy) -> bool:
    try:
        return bool(verified_report(found.envelope, policy))
    except TrustError:
        return False


def _asking(report: Report) -> tuple[str, ...]:
    whole = report.coverage.compared >= report.coverage.expected
    return () if whole else tuple(event.value for event in report.events)


def _older(than: Found, workspace: Workspace) -> Iterator[Found]:
    return (each for each in reports(workspace, than.report.device) if each.sequence < than.sequence)
