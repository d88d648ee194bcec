"""Approving: a person sees what would change, signs, and when the quorum is met the baseline is in force."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from verifier.compare.drifts import compare
from verifier.errors import TrustError, UsageError
from verifier.model.baseline import Baseline
from verifier.model.device import Device, DeviceName
from verifier.model.drift import Drift
from verifier.procedures.collector import Collector
from verifier.procedures.predecessor import Predecessor, predecessor
from verifier.trust.baseline_rules import follows
from verifier.trust.envelope import add_signature, merged, opened
from verifier.trust.keys import Signer
from verifier.trust.policy import Policy
from verifier.trust.statement import BASELINE
from verifier.trust.verify import Approvals, Verified, claimed, signed_by, verify


@dataclass(frozen=True, slots=True)
class Proposal:
    """What waits for signatures, and what approving it would change."""

    baseline: Baseline
    before: Predecessor
    changes: tuple[Drift, ...]
    """Against the baseline it replaces; empty where there is none that can be trusted."""
    approvals: Approvals
    envelope: bytes

    @property
    def sha256(self) -> str:
        """Of what is signed, 64 hex digits. Signatures do not change it."""
        return hashlib.sha256(opened(self.envelope).payload).hexdigest()


@dataclass(frozen=True, slots=True)
class InForce:
    baseline: Verified[Baseline]
    entry: int
    """Its number in the record."""


@dataclass(frozen=True, slots=True)
class Waiting:
    approvals: Approvals


def proposal(device: Device, collector: Collector) -> Proposal:
    """What is proposed for a device.

    Raises:
        UsageError: nothing is.
        TrustError: the proposal is not what it should be: another device's, or not the next after the baseline in force.
    """
    before = predecessor(device, collector)
    envelope = collector.workspace.baselines.proposed(device.name)
    if envelope is None:
        raise UsageError(
            f"no baseline of {device.name} waits for approval", f"propose one with `crane-verify baseline propose {device.name}`"
        )
    baseline = claimed(envelope, BASELINE)
    # before anybody sees it: whoever is shown one device must not be made to sign another, not even as the first of two
    follows(baseline, device.name, before.accepted)
    changes: tuple[Drift, ...] = ()
    if before.trusted:
        changes = compare(before.trusted.value.snapshot, baseline.snapshot, collector.workspace.kept_text)
    approvals = signed_by(envelope, BASELINE, collector.policy, collector.now())
    return Proposal(baseline, before, changes, approvals, envelope)


def waiting(devices: Sequence[Device], collector: Collector) -> tuple[Device, ...]:
    """Those of several devices for which a baseline is proposed.

    Raises:
        UsageError: there is none.
    """
    found = tuple(device for device in devices if collector.workspace.baselines.proposed(device.name) is not None)
    if not found:
        raise UsageError(
            f"no baseline of these {len(devices)} devices waits for approval", "propose them with `crane-verify baseline propose`"
        )
    return found


def signers_waiting(device: Device, collector: Collector) -> tuple[str, ...]:
    """Who has signed the proposal that lies there now; a new one in its place takes their signatures with it."""
    envelope = collector.workspace.baselines.proposed(device.name)
    if envelope is None:
        return ()
    try:
        return tuple(str(signer) for signer in signed_by(envelope, BASELINE, collector.policy, collector.now()).signers)
    except TrustError:
        return ()  # nothing in it counts


def approve(device: Device, seen: Proposal, signer: Signer, collector: Collector) -> InForce | Waiting:
    """Sign exactly the proposal that was seen. With the last signature needed it becomes the baseline in force.

    One that has all its signatures, because an approval was killed just before the end, is put in force as it is.

    Raises:
        UsageError: the policy does not know this key.
        TrustError: the proposal changed meanwhile, does not follow on the newest baseline, or this key has signed it.
    """
    known(signer, collector.policy, collector.now())
    # signed before the lock is taken: a person may be asked to touch a token
    signed = add_signature(seen.envelope, signer) if seen.approvals.missing else seen.envelope
    with collector.workspace.baselines.alone(device.name):
        return put(device.name, merged((_still(device, seen, collector), signed)), collector)


def known(signer: Signer, policy: Policy, at: datetime) -> None:
    """Whether a signature by this key could count now.

    Raises:
        UsageError: the policy does not know it, or it has ended.
    """
    if not policy.owner(signer.key_id):
        raise UsageError(
            "the policy does not know this key", f"add its owner with `crane-verify trust add`: {signer.public.fingerprint}"
        )
    for key in policy.keys:
        if key.public.key_id == signer.key_id and (why := key.refusal(at, None)):
            raise UsageError(f"{why}, so your signature would not count", "sign with your new key: --key")


def put(device: DeviceName, envelope: bytes, collector: Collector) -> InForce | Waiting:
    """Lay a proposal down with the signatures it has; with the last one needed it becomes the baseline in force.

    Whoever calls is alone with what waits for signatures of this device.

    Raises:
        TrustError: it does not follow on the newest baseline.
    """
    approvals = signed_by(envelope, BASELINE, collector.policy, collector.now())
    if approvals.missing:
        collector.workspace.baselines.propose(device, envelope)
        return Waiting(approvals)
    verified = verify(envelope, BASELINE, collector.policy, collector.now())
    return InForce(verified, collector.workspace.baselines.accept(verified).sequence)


def _still(device: Device, seen: Proposal, collector: Collector) -> bytes:
    """What lies there now: what was seen, and perhaps another person's signature more."""
    there = collector.workspace.baselines.proposed(device.name)
    if there is None or opened(there).payload != opened(seen.envelope).payload:
        raise UsageError(f"the proposal of {device.name} changed while you read it", "look at it again, then approve")
    return there
