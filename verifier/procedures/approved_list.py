"""The approved list of a site: from each baseline whose signatures hold, and a reason in the place of every other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from verifier.errors import TrustError
from verifier.model.approved_list import ApprovedDevice, ApprovedList, NotApproved
from verifier.model.device import Device
from verifier.model.inventory import Inventory
from verifier.model.origin import NOWHERE, origin
from verifier.model.words import Verdict
from verifier.procedures.approved import approved
from verifier.procedures.collector import Collector
from verifier.procedures.lost import lost
from verifier.report.components import components, whole_items
from verifier.trust.baseline_rules import Stale, freshness

NOTHING_LISTED = "its baseline holds no hardware, firmware, program or configuration; what it holds is checked all the same"


def approved_list(
    inventory: Inventory, words: Sequence[str], collector: Collector, by_item: bool = False, marking: str = ""
) -> ApprovedList:
    """Every device that the words name, and those the record knows and the inventory not. No device is asked.

    `by_item`: one component for each item, in place of one for each member.

    Raises:
        UsageError: a word names nothing.
        TrustError: the record is not what it was.
    """
    listed = tuple(_listed(device, collector, by_item) for device in inventory.select(words))
    gone = (
        NotApproved(each.device, NOWHERE, "", str(each), each.hint, retired=not each.baseline_in_place)
        for each in lost(inventory, words, collector.workspace)
    )
    return ApprovedList(tuple(words), marking, (*listed, *gone))


def verdicts(of: ApprovedList) -> tuple[Verdict, ...]:
    """How far each device's part can be relied on, in the words of a check, so that the exit code says it.

    A device that went out of service stands in the list and fails nothing.
    """
    return tuple(_verdict(device) for device in of.devices)


def _verdict(device: ApprovedDevice | NotApproved) -> Verdict:
    match device:
        case NotApproved(retired=True):
            return Verdict.MATCH
        case NotApproved(profile=""):  # as a check has it that cannot tell of a device it does not reach
            return Verdict.UNDETERMINED
        case NotApproved():
            return Verdict.UNTRUSTED
        case ApprovedDevice(run_out=run_out):
            return Verdict.UNDETERMINED if run_out else Verdict.MATCH
        case _:
            assert_never(device)


def _listed(device: Device, collector: Collector, by_item: bool) -> ApprovedDevice | NotApproved:
    try:
        found = approved(device, collector)
    except TrustError as error:
        return NotApproved(device.name, origin(device), device.profile, str(error), error.hint, retired=False)
    baseline = found.value
    age = freshness(baseline, collector.now())
    notes = [str(age)] if isinstance(age, Stale) else []
    if baseline.staged_until and baseline.staged_until > collector.now():
        notes.append(f"the baseline it replaces holds beside it until {baseline.staged_until:%Y-%m-%d %H:%M} UTC")
    if baseline.provenance and baseline.provenance.read_from:
        notes.append(f"read from {baseline.provenance.read_from} in its place")
    if not collector.workspace.baselines.accepted(device.name):
        notes.append("it came from elsewhere, never approved in this record, which cannot tell older from newest")
    if device.profile != baseline.snapshot.profile:
        notes.append(f"approved as {baseline.snapshot.profile}, and the inventory now says {device.profile}")
    held = (whole_items if by_item else components)(baseline.snapshot)
    if not held:
        notes.append(NOTHING_LISTED)
    return ApprovedDevice(
        device=device.name,
        origin=origin(device),
        profile=baseline.snapshot.profile,
        serial=baseline.serial,
        sha256=found.sha256,
        approved_by=found.signer_names,
        proposed=baseline.proposed,
        not_after=baseline.not_after,
        run_out=isinstance(age, Stale),
        notes=tuple(notes),
        components=held,
    )
