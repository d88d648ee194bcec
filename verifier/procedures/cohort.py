"""Reading all devices of a cohort, and comparing them with each other. Nothing is signed or added to the record."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from verifier.compare.cohort import Cohort, Sister, cohort
from verifier.errors import UsageError
from verifier.model.device import Device, ModbusTcpAddress, SshAddress
from verifier.model.inventory import Inventory
from verifier.procedures.collector import Collector
from verifier.procedures.enrol import capture

FACT = "cohort"
"""The fact of the inventory that names a device's cohort."""


def cohorts(inventory: Inventory) -> dict[str, tuple[Device, ...]]:
    """The devices of each cohort, in the order of the inventory."""
    names = dict.fromkeys(device.facts[FACT] for device in inventory.devices if device.facts.get(FACT))
    return {name: tuple(device for device in inventory.devices if device.facts.get(FACT) == name) for name in names}


def sisters(name: str, inventory: Inventory) -> tuple[Device, ...]:
    """The devices of one cohort.

    Raises:
        UsageError: there is no such cohort, it has one device only, or they are not of one kind.
    """
    known = cohorts(inventory)
    devices = known.get(name, ())
    if not devices:
        named = ", ".join(known) or "none is named yet"
        raise UsageError(
            f"no device is of the cohort {name!r}", f"write `facts: {{cohort: {name}}}` in the inventory; there is: {named}"
        )
    profiles = sorted({device.profile for device in devices})
    if len(profiles) > 1:
        raise UsageError(
            f"the cohort {name!r} is read with {len(profiles)} profiles: {', '.join(profiles)}",
            "give each kind of device a cohort of its own: sts-2019-plc, sts-2019-drive",
        )
    if len(devices) == 1:
        raise UsageError(f"{devices[0].name} is alone in the cohort {name!r}", "there is no sister to compare it with")
    return devices


def compare_sisters(devices: Sequence[Device], collector: Collector, at_once: int) -> Cohort:
    """Read these devices, and compare what they hold.

    Raises:
        UsageError: their profile is missing or wrong.
        RecordError: another run holds one of them, or the disk refused.
    """
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="device") as pool:
        snapshots = [*pool.map(lambda device: capture(device, collector), devices)]
    found = [Sister(snapshot, own_facts(device)) for device, snapshot in zip(devices, snapshots, strict=True)]
    return cohort(found, collector.workspace.kept_text)


def own_facts(device: Device) -> dict[str, str]:
    """What may be a device's own: its facts in the inventory, where it stands, and where it is asked."""
    own = {name: value for name, value in device.facts.items() if name != FACT}
    match device.address:
        case SshAddress(host=host) | ModbusTcpAddress(host=host):
            own["host"] = host
        case _:
            pass
    return {**own, "crane": device.name.crane, "device": device.name.device}
