"""What stands on the cranes: the inventory's facts, and the firmware that the approved baseline holds. No device is asked."""

from __future__ import annotations

from verifier.errors import TrustError
from verifier.model.device import Device
from verifier.model.origin import origin
from verifier.procedures.approved import approved
from verifier.procedures.collector import Collector
from verifier.report.firmware import firmware_version
from verifier.report.inventory import Stock

NO_VERSION = "the approved baseline holds no firmware version"


def stock(device: Device, collector: Collector) -> Stock:
    """One device. A baseline that cannot be trusted says nothing of its firmware."""
    try:
        baseline = approved(device, collector).value
    except TrustError as error:
        return unproven(device, str(error))
    found = firmware_version(baseline.snapshot)
    return Stock(device.name, device.profile, origin(device), found, "" if found else NO_VERSION, trusted=True)


def unproven(device: Device, why: str) -> Stock:
    """One device, where nobody's signature says what it holds."""
    return Stock(device.name, device.profile, origin(device), None, why, trusted=False)
