"""Accepting findings: exactly these members, as they were just read, are proposed over the baseline in force.

What is proposed is what the device holds now, and only if that is the very drift that was seen. Nothing is accepted by itself:
the step is signed, and the proposal is approved as every other.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.compare.accepted import refusal, replaced, with_accepted
from verifier.compare.drifts import compare
from verifier.compare.finding import Place
from verifier.errors import DeviceError, UsageError
from verifier.model.baseline import Baseline, Provenance
from verifier.model.device import Device
from verifier.model.drift import Drift
from verifier.model.finding import Finding, Said, State, Taken
from verifier.model.snapshot import Snapshot
from verifier.procedures.approve import signers_waiting
from verifier.procedures.approved import approved
from verifier.procedures.collector import Collector
from verifier.procedures.enrol import first_reason, readings_of
from verifier.procedures.judging import TOOL
from verifier.procedures.reading import read
from verifier.procedures.steps import may_be_taken, recorded_step, signed_step
from verifier.trust.envelope import PAYLOAD_TYPE, opened, seal
from verifier.trust.keys import Signer
from verifier.trust.statement import BASELINE, written
from verifier.trust.verify import Verified, claimed


@dataclass(frozen=True, slots=True)
class Accepting:
    """What a person is shown before signing."""

    device: Device
    chosen: tuple[Finding, ...]
    beside: tuple[Finding, ...]
    """Accepted before, in the proposal that still waits: they are in this one as well, which takes its place."""
    before: Verified[Baseline]
    """The one in force."""
    baseline: Baseline
    """The next one, as it will be proposed."""
    changes: tuple[Drift, ...]
    """Against the one in force."""
    signed: tuple[str, ...]
    """Who signed the proposal whose place this one takes, and must sign again."""
    replaces: bytes | None
    """That proposal."""
    said: Said


def accepting(
    device: Device,
    chosen: Sequence[Finding],
    of_device: Sequence[Finding],
    said: Said,
    collector: Collector,
) -> Accepting:
    """Read the device again, and make the next baseline of exactly the chosen findings over the one in force.

    `of_device`: all findings of this device that are not resolved.

    Raises:
        TrustError: there is no baseline in force, or the policy does not say who may accept.
        UsageError: a finding is not what it was, or a proposal waits that changes more.
        DeviceError: the device could not be read.
    """
    may_be_taken(collector)
    before = approved(device, collector)
    waiting = _waiting(device, before, collector)
    beside = _beside(device, chosen, of_device, before, waiting, collector)
    found = read(device, collector.profile(device), collector, golden=True)
    if not readings_of(found):
        raise DeviceError(f"{device.name} could not be read: {first_reason(found)}", f"crane-verify probe {device.name}")
    drifts = compare(before.value.snapshot, found, collector.workspace.kept_text)
    for finding in (*chosen, *beside):
        why, hint = refusal(finding, before.value.snapshot, found, drifts)
        if why:
            raise UsageError(f"{device.name}: {why}", hint)
    places = {(each.item, each.member) for each in (*chosen, *beside)}
    baseline = _next(before, found, places, said, collector)
    drifts = compare(before.value.snapshot, baseline.snapshot, collector.workspace.kept_text)
    changes = tuple(each for each in drifts if (each.item, each.member) in places)
    signed = signers_waiting(device, collector) if waiting else ()
    return Accepting(device, tuple(chosen), beside, before, baseline, changes, signed, waiting, said)


def accept(seen: Accepting, signer: Signer, collector: Collector) -> tuple[Taken, ...]:
    """Lay down exactly the proposal that was seen, and record one signed step for each finding.

    Killed in between, the same command goes on with it: a proposal of these members waits, and is made anew.

    Raises:
        UsageError: the policy does not know this key, or something else was proposed or approved meanwhile.
        TrustError: a signature by this key is not what the policy asks for. Then nothing was laid down.
        RecordError: the disk refused.
    """
    name, baselines = seen.device.name, collector.workspace.baselines
    envelope = seal(written(BASELINE, seen.baseline), PAYLOAD_TYPE, ())
    proposal = hashlib.sha256(opened(envelope).payload).hexdigest()
    # signed before the lock is taken: a person may be asked to touch a token
    steps = [signed_step(finding, State.ACCEPTED, seen.said, signer, collector, proposal) for finding in seen.chosen]
    with baselines.alone(name):
        in_force = approved(seen.device, collector)
        if in_force.sha256 != seen.before.sha256 or _waiting(seen.device, in_force, collector) != seen.replaces:
            raise UsageError(f"the baseline of {name} or its proposal changed while you looked", "look again, then accept")
        baselines.propose(name, envelope)
        return tuple(recorded_step(step, collector) for step in steps)


def _waiting(device: Device, before: Verified[Baseline], collector: Collector) -> bytes | None:
    """The proposal that waits; None: none does, or it is of before the baseline in force and never will be approved."""
    envelope = collector.workspace.baselines.proposed(device.name)
    if envelope is None or claimed(envelope, BASELINE).supersedes != before.sha256:
        return None
    return envelope


def _beside(
    device: Device,
    chosen: Sequence[Finding],
    of_device: Sequence[Finding],
    before: Verified[Baseline],
    waiting: bytes | None,
    collector: Collector,
) -> tuple[Finding, ...]:
    """Those of a waiting proposal that were accepted before, so that who accepts one after the other loses none.

    Raises:
        UsageError: it changes more than that. Nobody's work is thrown away unasked.
    """
    if waiting is None:
        return ()
    proposed = claimed(waiting, BASELINE).snapshot
    places = replaced(before.value.snapshot, proposed) - {(each.item, each.member) for each in chosen}
    accepted = {(each.item, each.member): each for each in of_device if each.state is State.ACCEPTED}
    if others := sorted(places - accepted.keys()):
        drifts = compare(before.value.snapshot, proposed, collector.workspace.kept_text)
        # what differs only in what is not compared, such as a time, is named where there is nothing else
        named = [place for place in others if place in {(each.item, each.member) for each in drifts}] or others
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        raise UsageError(
            f"a proposal of {device.name} waits that changes what is not accepted here: {': '.join(named[0])}{more}",
            f"look at it (crane-verify baseline diff {device.name}) and approve it first; to give it up, remove "
            f"{collector.workspace.baselines.proposed_path(device.name)}",
        )
    return tuple(accepted[place] for place in sorted(places))


def _next(before: Verified[Baseline], found: Snapshot, places: set[Place], said: Said, collector: Collector) -> Baseline:
    members = ", ".join(f"{item}: {member}" for item, member in sorted(places))
    note = f"read again {found.started:%Y-%m-%d %H:%M} UTC, transcript {found.exchange.transcript_sha256[:16]}: {members}"
    return Baseline(
        snapshot=with_accepted(before.value.snapshot, found, places, note),
        serial=before.value.serial + 1,
        supersedes=before.sha256,
        proposed=collector.now(),
        not_after=before.value.not_after,
        reason=f"accepted: {said.reason.strip()}, {said.ticket.strip()}",
        captures=1,
        moved=(),
        provenance=Provenance(platform.node(), TOOL),
    )
