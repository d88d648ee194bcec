"""Reading one device, whatever happens: the outcome is always a snapshot, in which what was not read says why."""

from __future__ import annotations

from datetime import datetime

from verifier.collect.snapshot import Collecting, collect, unreached
from verifier.errors import DeviceError, OutsideWindow
from verifier.model.device import Device
from verifier.model.profile import Profile
from verifier.model.snapshot import Snapshot
from verifier.procedures.collector import Collector
from verifier.transport.route import connect

OUTSIDE = "wait for that hour, or give --outside-window when you know that the crane stands"


def read(device: Device, profile: Profile, collector: Collector) -> Snapshot:
    """Ask one device everything its profile names, alone with it, and keep the transcript.

    Raises:
        RecordError: another run holds this device, or the disk refused what was to be kept.
    """
    workspace = collector.workspace
    work = Collecting(device, profile, collector.now, workspace.blobs.put, collector.progress)
    if not (collector.any_hour or is_open(device, collector.now())):
        return unreached(work, OutsideWindow(f"it may be read {device.window} only", OUTSIDE))
    with workspace.device_lock(device.name):
        try:
            with connect(device, profile.pace, collector.secrets) as route:
                snapshot = collect(work, route)
                workspace.blobs.put(route.transcript.text())
                return snapshot
        except DeviceError as error:
            return unreached(work, error)


def is_open(device: Device, now: datetime) -> bool:
    """May the device be read at this time? Its window is in the local time of this machine."""
    return device.window is None or device.window.holds(now.astimezone().time())
