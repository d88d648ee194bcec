"""Reading one device, whatever happens: the outcome is always a snapshot, in which what was not read says why."""

from __future__ import annotations

from verifier.collect.snapshot import Collecting, collect, unreached
from verifier.errors import DeviceError
from verifier.model.device import Device
from verifier.model.profile import Profile
from verifier.model.snapshot import Snapshot
from verifier.procedures.collector import Collector
from verifier.transport.route import connect


def read(device: Device, profile: Profile, collector: Collector) -> Snapshot:
    """Ask one device everything its profile names, alone with it, and keep the transcript.

    Raises:
        RecordError: another run holds this device, or the disk refused what was to be kept.
    """
    workspace = collector.workspace
    work = Collecting(device, profile, collector.now, workspace.blobs.put, collector.progress)
    with workspace.device_lock(device.name):
        try:
            with connect(device, profile.pace, collector.secrets) as route:
                snapshot = collect(work, route)
                workspace.blobs.put(route.transcript.text())
                return snapshot
        except DeviceError as error:
            return unreached(work, error)
