"""Reading one device, whatever happens: the outcome is always a snapshot, in which what was not read says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from verifier.collect.printable import escaped
from verifier.collect.snapshot import Collecting, collect, unreached
from verifier.errors import DeviceError, OutsideWindow
from verifier.model.device import Device, RecordingAddress, shared_line, where
from verifier.model.profile import Profile
from verifier.model.snapshot import Snapshot
from verifier.procedures.collector import Collector
from verifier.transport.replay import SEED, RecordingRoute
from verifier.transport.route import Route, connect

LINE_WAIT = 4 * 3600.0
"""Seconds to wait for the other devices on a shared line."""
OUTSIDE = "wait for that hour, or give --outside-window when you know that the crane stands"


Record = Callable[[bytes], None]
"""Takes a recording of everything a device answered (`transport.replay`)."""


def read(device: Device, profile: Profile, collector: Collector, record: Record | None = None, golden: bool = False) -> Snapshot:
    """Ask one device everything its profile names, alone with it, and keep the transcript.

    `record` is given the recording when all was asked; never, when the device could not be opened. With `golden`, for what is
    to be a baseline, the exact contents that the profile asks for are kept by their digest.

    Raises:
        RecordError: another run holds this device, or the disk refused what was to be kept.
    """
    snapshot = _read(device, profile, collector, record, golden)
    # the inventory is nobody's signed word: where the answers came from is part of what they are worth
    return replace(snapshot, notes=(asked(device), *snapshot.notes))


def asked(device: Device) -> str:
    """Where a device was asked, as a note of its snapshot says it."""
    return f"asked: {escaped(where(device.address))}"


def _read(device: Device, profile: Profile, collector: Collector, record: Record | None, golden: bool) -> Snapshot:
    workspace = collector.workspace

    def may_be_read() -> bool:
        return collector.any_hour or is_open(device, collector.now())

    work = Collecting(device, profile, collector.now, workspace.blobs.put, collector.progress, may_be_read)
    if golden:
        work = replace(work, golden=workspace.blobs.copy)
    if isinstance(device.address, RecordingAddress):
        work = replace(work, seed=SEED)
    shut = OutsideWindow(f"it may be read {device.window} only", OUTSIDE)
    if not may_be_read():
        return unreached(work, shut)
    with workspace.device_lock(device.name), workspace.line_lock(shared_line(device.address), LINE_WAIT):
        if not may_be_read():
            return unreached(work, shut)  # the others on its line took until its window closed
        try:
            with connect(device, profile.pace, collector.secrets) as route:
                snapshot = _recorded(work, route, record) if record else collect(work, route)
                workspace.blobs.put(route.transcript.text())
                return snapshot
        except DeviceError as error:
            return unreached(work, error)


def _recorded(work: Collecting, route: Route, record: Record) -> Snapshot:
    recording = RecordingRoute(route)
    snapshot = collect(replace(work, seed=SEED), recording)
    record(recording.recording())
    return snapshot


def is_open(device: Device, now: datetime) -> bool:
    """May the device be read at this time? Its window is in the local time of this machine."""
    return device.window is None or device.window.holds(now.astimezone().time())
