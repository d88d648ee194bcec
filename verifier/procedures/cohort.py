"""Reading all devices of a cohort, and comparing them with each other. Nothing is signed or added to the record."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from verifier.compare.cohort import Cohort, NoMajority, Odd, Sister, cohort
from verifier.compare.plain import counted
from verifier.errors import UsageError
from verifier.model.device import Device, ModbusTcpAddress, SshAddress
from verifier.model.inventory import Inventory
from verifier.model.snapshot import Snapshot
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
    return cohort(_read(devices, collector, at_once), collector.workspace.kept_text)


def _read(devices: Sequence[Device], collector: Collector, at_once: int) -> list[Sister]:
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="device") as pool:
        snapshots = [*pool.map(lambda device: capture(device, collector), devices)]
    return [Sister(snapshot, own_facts(device)) for device, snapshot in zip(devices, snapshots, strict=True)]


def borne_out(device: Device, snapshot: Snapshot, inventory: Inventory, collector: Collector, at_once: int) -> str:
    """Whether this device is what most of its sisters are, in all that was read of it: gives that in words.

    Its sisters are read now; `snapshot` is what was read of the device itself.

    Raises:
        UsageError: it has no sisters, or it is not like them, or that cannot be said; then nothing should be proposed from it.
        RecordError: as `compare_sisters`.
    """
    name = device.facts.get(FACT, "")
    if not name:
        raise UsageError(
            f"{device.name} is of no cohort", "write `facts: {cohort: ...}` in the inventory, or leave --from-cohort away"
        )
    others = [each for each in sisters(name, inventory) if each.name != device.name]
    found = cohort([Sister(snapshot, own_facts(device)), *_read(others, collector, at_once)], collector.workspace.kept_text)
    wrong = [
        f"{each.item}: {each.member} is not as on most"
        for each in found.outcomes
        if isinstance(each, Odd) and _is_odd(device, each)
    ]
    wrong += [f"{each.item}: {each.member} has no majority" for each in found.outcomes if isinstance(each, NoMajority)]
    wrong += [f"{each.item}: {each.member}: {each.why}" for each in found.not_seen if each.device == device.name]
    if wrong or not found.outcomes:
        more = f", and {len(wrong) - 1} more" if wrong[1:] else ""
        raise UsageError(
            f"{device.name} is not borne out by its sisters: {wrong[0] if wrong else 'nothing could be compared'}{more}",
            f"`crane-verify cohort {name}` shows all of it",
        )
    return f"as most of the {len(found.devices)} devices of the cohort {name} are, in {counted(len(found.outcomes), 'member')}"


def _is_odd(device: Device, found: Odd) -> bool:
    return any(device.name in held.devices for held in found.odd)


def own_facts(device: Device) -> dict[str, str]:
    """What may be a device's own: its facts in the inventory, where it stands, and where it is asked."""
    own = {name: value for name, value in device.facts.items() if name != FACT}
    match device.address:
        case SshAddress(host=host) | ModbusTcpAddress(host=host):
            own["host"] = host
        case _:
            pass
    return {**own, "crane": device.name.crane, "device": device.name.device}
