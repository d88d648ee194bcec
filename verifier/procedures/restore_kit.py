"""A restore kit: what a person needs to set a device up anew as it was approved. Nothing here writes to a device."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from verifier.collect.connection import CONNECTION
from verifier.compare.describe import described
from verifier.errors import UsageError
from verifier.model.baseline import Baseline
from verifier.model.device import Device
from verifier.model.kit import Kit, KitFile, KitGap, KitValue, Standing
from verifier.model.pattern import matches
from verifier.model.profile import Parameters
from verifier.model.snapshot import (
    Disagreement,
    FactValue,
    FileValue,
    ItemSnapshot,
    NumberValue,
    Reading,
    Snapshot,
    Unread,
    WordValue,
)
from verifier.model.words import FileType
from verifier.procedures.approved import approved
from verifier.procedures.collector import Collector
from verifier.procedures.judging import TOOL
from verifier.record.kit import FILES, write_kit
from verifier.report.kit import csv_files, csv_values, json_kit, kit_readme
from verifier.trust.baseline_rules import Stale, freshness
from verifier.trust.verify import Verified

SUMS = "SHA256SUMS"


def restore_kit(device: Device, folder: Path, collector: Collector) -> Kit:
    """Write the kit into a folder that is new or empty; gives what is in it, and what is not.

    Raises:
        TrustError: there is no baseline that can be trusted, or it was withdrawn.
        RecordError: the disk refused, or the folder holds something. No half-written kit is left.
    """
    verified = approved(device, collector)
    snapshot = verified.value.snapshot
    trust = [(f"trust/{file.name}", file.text.encode()) for file in collector.workspace.trusted().files]
    made: list[Kit] = []

    def others(standing: Mapping[str, Standing]) -> Iterator[tuple[str, bytes]]:
        kit = _kit(device, verified, standing, collector)
        made.append(kit)
        listed = [
            ("kit.json", json_kit(kit).encode()),
            ("kit.csv", csv_files(kit).encode()),
            ("values.csv", csv_values(kit).encode()),
            ("baseline.dsse.json", verified.envelope),
            ("README.md", kit_readme(kit).encode()),
            *trust,
        ]
        sums = [(digest, f"{FILES}/{digest}") for digest, how in standing.items() if how is Standing.KEPT]
        sums += [(hashlib.sha256(data).hexdigest(), name) for name, data in listed]
        yield from listed
        yield SUMS, "".join(f"{digest}  {name}\n" for digest, name in sums).encode()

    digests = {value.sha256: None for _, _, value in _files(snapshot) if value.type is FileType.REGULAR}
    write_kit(folder, collector.workspace.blobs, digests, others)
    return made[0]


def _kit(device: Device, verified: Verified[Baseline], standing: Mapping[str, Standing], collector: Collector) -> Kit:
    baseline = verified.value
    snapshot = baseline.snapshot
    age = freshness(baseline, collector.now())
    addresses, unsaid = _addresses(device, snapshot, collector)
    return Kit(
        device=snapshot.device,
        serial=baseline.serial,
        baseline=verified.sha256,
        signers=verified.signer_names,
        made=collector.now(),
        tool=TOOL,
        files=tuple(
            KitFile(item.name, reading.member, value, _standing(value, standing), _compared(item, reading))
            for item, reading, value in _files(snapshot)
        ),
        values=tuple(_values(snapshot, addresses)),
        gaps=tuple(_gaps(snapshot)),
        not_asked=snapshot.not_asked,
        notes=(*((str(age),) if isinstance(age, Stale) else ()), *unsaid),
    )


def _readings(snapshot: Snapshot) -> Iterator[tuple[ItemSnapshot, Reading]]:
    """All but the line: who answers on it is each device's own."""
    for item in snapshot.items:
        if item.name != CONNECTION:
            yield from ((item, reading) for reading in item.readings)


def _files(snapshot: Snapshot) -> Iterator[tuple[ItemSnapshot, Reading, FileValue]]:
    for item, reading in _readings(snapshot):
        if isinstance(reading.value, FileValue):
            yield item, reading, reading.value


def _standing(value: FileValue, standing: Mapping[str, Standing]) -> Standing:
    return standing[value.sha256] if value.type is FileType.REGULAR else Standing.NO_CONTENT


def _compared(item: ItemSnapshot, reading: Reading) -> bool:
    return not matches(item.volatile, reading.member)


def _values(snapshot: Snapshot, addresses: Mapping[tuple[str, str], str]) -> Iterator[KitValue]:
    for item, reading in _readings(snapshot):
        raw: tuple[int, ...] = ()
        match reading.value:
            case NumberValue(raw=raw):
                pass
            case WordValue(word=word):
                raw = (word,)
            case FactValue():
                pass
            case _:
                continue
        place = addresses.get((item.name, reading.member), "")
        yield KitValue(item.name, reading.member, described(reading.value), raw, place, _compared(item, reading))


def _gaps(snapshot: Snapshot) -> Iterator[KitGap]:
    for item, reading in _readings(snapshot):
        if isinstance(reading.value, Unread | Disagreement):
            yield KitGap(item.name, reading.member, described(reading.value))


def _addresses(device: Device, snapshot: Snapshot, collector: Collector) -> tuple[Mapping[tuple[str, str], str], tuple[str, ...]]:
    """Where each named parameter stands, out of the profile; only out of the very one that the baseline was read with."""
    try:
        profile = collector.profile(device)
    except UsageError as error:
        return {}, (f"the addresses of parameters are not told: {error}",)
    if profile.digest != snapshot.profile_digest:
        return {}, (f"the addresses of parameters are not told: profile {profile.name} is not the one that was approved",)
    return {
        (item.name, each.name): f"{each.table.value} {each.address}"
        for item in profile.items
        if isinstance(item.ask, Parameters)
        for each in item.ask.parameters
    }, ()
