"""Which devices are due: not checked within their interval, and allowed to be read at this hour."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from verifier.model.device import Device, DeviceName
from verifier.procedures.audit import reports
from verifier.procedures.reading import is_open
from verifier.record.workspace import Workspace


def due(devices: Iterable[Device], workspace: Workspace, now: datetime) -> tuple[Device, ...]:
    """Those with an interval whose last check was longer ago than that, or never was, and whose window is open.

    A check that could not tell counts as a check: the report says so, and the next one comes with the next interval.
    """
    waiting = {device.name: device for device in devices if device.every is not None and is_open(device, now)}
    last = last_checked(set(waiting), workspace)
    return tuple(
        device
        for device in waiting.values()
        if device.every and (device.name not in last or now - last[device.name] >= device.every)
    )


def last_checked(names: set[DeviceName], workspace: Workspace) -> dict[DeviceName, datetime]:
    """When each device was last checked; the record is read backwards until all are found."""
    found: dict[DeviceName, datetime] = {}
    if not names:
        return found
    for each in reports(workspace):
        if each.report.device in names and each.report.device not in found:
            found[each.report.device] = each.report.ended
            if len(found) == len(names):
                break
    return found
