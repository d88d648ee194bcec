"""The firmware version of a device, as far as its approved baseline says one."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.model.snapshot import FactValue, FileValue, ItemSnapshot, Reading, Snapshot
from verifier.model.words import Evidence, Kind


@dataclass(frozen=True, slots=True)
class FirmwareVersion:
    version: str
    evidence: Evidence
    """Of the reading it was found in. A version that a device states is its claim."""
    source: str
    """Item and member."""


def firmware_version(snapshot: Snapshot) -> FirmwareVersion | None:
    """The version; None: the baseline holds none.

    First what the profile's version pattern found in a firmware file, then the revision by which the device identifies itself,
    then an image version that its own tool states, then the release of its operating system. Packages are not its firmware.
    """
    for find in (_in_files, _identified, _stated, _system):
        for item in snapshot.items:
            for reading in item.readings:
                if version := find(item, reading):
                    return FirmwareVersion(version, reading.evidence, f"{item.name}, {reading.member}")
    return None


def _in_files(item: ItemSnapshot, reading: Reading) -> str:
    return reading.value.version if item.kind is Kind.FIRMWARE and isinstance(reading.value, FileValue) else ""


def _identified(item: ItemSnapshot, reading: Reading) -> str:
    return reading.value.version if item.kind is Kind.HARDWARE and isinstance(reading.value, FactValue) else ""


def _stated(item: ItemSnapshot, reading: Reading) -> str:
    return _fact(item, reading, ("version",))


def _system(item: ItemSnapshot, reading: Reading) -> str:
    return _fact(item, reading, ("os-release/PRETTY_NAME", "os-release/VERSION_ID"))


def _fact(item: ItemSnapshot, reading: Reading, members: tuple[str, ...]) -> str:
    if item.kind is Kind.FIRMWARE and reading.member in members and isinstance(reading.value, FactValue):
        return reading.value.text
    return ""
