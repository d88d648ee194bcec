"""Which devices are due: not checked within their interval, and allowed to be read at this hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def due(devices: Iterable[Device], workspace: Workspace, policy: Policy, now: datetime) -> tuple[Device, ...]:
    """Those with an interval whose last check was longer ago than that, or never was, and whose window is open.

    A check that compared something counts, also when it could not tell everything: the report says so, and the next one comes
    with the next interval. One that compared nothing was none: the device was out of reach, working, or its baseline not trusted.
    One whose signatures do not hold, or that is dated in the future, puts nothing off.
    """
    waiting = {device.name: device for device in devices if device.every is not None and is_open(device, now)}
    last = last_checked(set(waiting), workspace, policy, now)
    return tuple(
        device
        for device in waiting.values()
        if device.every and (device.name not in last or now - last[device.name] >= device.every)
    )


def is_stale(report: Report, device: Device, now: datetime) -> bool:
    """Is it a match that is older than the device's interval, or dated in the future? Such a match is never shown as one."""
    return report.verdict is Verdict.MATCH and device.every is not None and not timedelta(0) <= now - report.ended <= device.every


def last_checked(names: set[DeviceName], workspace: Workspace, policy: Policy, now: datetime) -> dict[DeviceName, datetime]:
    """When each device was last checked. One question to the index for all of them; only where the newest report puts nothing off
    are older ones looked at.
    """
    found = {}
    for name, newest in newest_reports(workspace, *names).items():
        for each in chain((newest,), _older(newest, workspace)):
            if puts_off(each, policy, now):
                found[name] = each.report.ended
                break
    return found


def puts_off(found: Found, policy: Policy, now: datetime) -> bool:
    """Does this report count as a check?"""
    if found.report.ended > now or not found.report.coverage.compared:
        return False
    try:
        return bool(verified_report(found.envelope, policy))
    except TrustError:
        return False


def _older(than: Found, workspace: Workspace) -> Iterator[Found]:
    return (each for each in reports(workspace, than.report.device) if each.sequence < than.sequence)
