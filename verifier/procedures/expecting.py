"""What a visit is expected to change: as somebody types it, and as a vendor's package says by what is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from verifier.errors import UsageError
from verifier.model.device import Device
from verifier.model.inventory import Inventory
from verifier.model.profile import FileTree
from verifier.model.visit import Expectation
from verifier.procedures.collector import Collector
from verifier.settings.package import read_package

FORM = "write DEVICE#ITEM#MEMBER, or DEVICE#ITEM#MEMBER=VALUE, like 'STS-01/card#firmware#/firmware/main.bin=<64 hex digits>'"

DIGEST = re.compile(r"[0-9A-Fa-f]{64}")
"""Some systems print it in capitals."""


def typed(text: str, devices: Sequence[Device], inventory: Inventory) -> Iterator[Expectation]:
    """One expectation as it is typed; of each device it names.

    Raises:
        UsageError: it is in another form, or names a device that the visit is not to.
    """
    parts = text.split("#", 2)
    if len(parts) != 3 or not all(parts):
        raise UsageError(f"{text[:200]!r} is no expectation", FORM)
    member, equals, value = parts[2].partition("=")
    if not member or (equals and not value):
        raise UsageError(f"{text[:200]!r} is no expectation", FORM)
    for device in inventory.select((parts[0],)):
        if device not in devices:
            raise UsageError(f"the visit is not to {device.name}, of which a change is expected", "name it among the devices")
        yield Expectation(device.name, parts[1], member, value.lower() if DIGEST.fullmatch(value) else value)


def packaged(path: Path, under: str, devices: Sequence[Device], collector: Collector) -> Iterator[Expectation]:
    """What each of these devices holds when a package is installed: every file of it, below the folder `under` of the device.

    Raises:
        SettingsError: the package cannot be read.
        UsageError: none of them is asked for files.
    """
    asked = [device for device in devices if _has_files(device, collector)]
    if not asked:
        raise UsageError("no device of the visit is asked for files, so a package says nothing about it", "use --expect instead")
    package = read_package(path)
    top = "/" + under.strip("/")
    for device in asked:
        for file in package.files:
            yield Expectation(device.name, "*", f"{top.rstrip('/')}/{file.path}", file.value, package.sha256)


def _has_files(device: Device, collector: Collector) -> bool:
    return any(isinstance(item.ask, FileTree) for item in collector.profile(device).items)
