"""The approved list of a site: from each baseline whose signatures hold, and a reason in the place of every other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from verifier.errors import TrustError
from verifier.model.approved_list import ApprovedDevice, ApprovedList, NotApproved, Standing
from verifier.model.baseline import Baseline
from verifier.model.device import Device
from verifier.model.inventory import Inventory
from verifier.model.origin import NOWHERE, origin
from verifier.model.words import Verdict
from verifier.procedures.approved import valid
from verifier.procedures.collector import Collector
from verifier.procedures.lost import lost
from verifier.report.components import components, whole_items
from verifier.trust.baseline_rules import Stale, freshness
from verifier.trust.verify import Verified

BINDING = (Standing.APPROVED, Standing.NOT_COMPARED)
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
    listed = tuple(each for device in inventory.select(words) for each in _listed(device, collector, by_item))
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


def _listed(device: Device, collector: Collector, by_item: bool) -> Iterator[ApprovedDevice | NotApproved]:
    try:
        found = valid(device, collector)
    except TrustError as error:
        yield NotApproved(device.name, origin(device), device.profile, str(error), error.hint, retired=False)
        return
    yield _approved(device, found.newest, collector, by_item, (found.alone,) if found.alone else ())
    if found.older and (until := found.newest.value.staged_until):
        beside = f"valid beside baseline {found.newest.value.serial} until {until:%Y-%m-%d %H:%M} UTC"
        yield _approved(device, found.older, collector, by_item, (beside,))


def _approved(
    device: Device, found: Verified[Baseline], collector: Collector, by_item: bool, more: tuple[str, ...]
) -> ApprovedDevice:
    baseline = found.value
    run_out = tuple(_run_out(baseline, collector))
    held = (whole_items if by_item else components)(baseline.snapshot)
    if run_out:
        held = tuple(replace(each, standing=Standing.RUN_OUT) if each.standing in BINDING else each for each in held)
    return ApprovedDevice(
        device=device.name,
        origin=origin(device),
        profile=baseline.snapshot.profile,
        serial=baseline.serial,
        sha256=found.sha256,
        approved_by=found.signer_names,
        proposed=baseline.proposed,
        not_after=baseline.not_after,
        run_out=bool(run_out),
        notes=(*run_out, *more, *_notes(device, baseline, collector), *(() if held else (NOTHING_LISTED,))),
        components=held,
    )


def _run_out(baseline: Baseline, collector: Collector) -> Iterator[str]:
    age, policy = freshness(baseline, collector.now()), collector.policy
    if isinstance(age, Stale):
        yield f"the baseline was approved until {age.since:%Y-%m-%d %H:%M} UTC and has run out"
    if policy.expires and collector.now() > policy.expires:
        yield f"the policy was signed until {policy.expires:%Y-%m-%d %H:%M} UTC and has run out"


def _notes(device: Device, baseline: Baseline, collector: Collector) -> Iterator[str]:
    """What a reader must know of a baseline that can be trusted."""
    if baseline.provenance and baseline.provenance.read_from:
        yield f"read from {baseline.provenance.read_from} in its place"
    if not collector.workspace.baselines.accepted(device.name):
        yield "it came from elsewhere, never approved in this record, which cannot tell older from newest"
    if device.profile != baseline.snapshot.profile:
        yield f"approved as {baseline.snapshot.profile}, and the inventory now says {device.profile}"
