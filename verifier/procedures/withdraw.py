"""Withdrawing: an approval is taken back. From then on the baseline is refused, and a new one must be approved."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.errors import TrustError, UsageError
from verifier.model.device import Device
from verifier.model.withdrawal import Withdrawal
from verifier.procedures.approve import known
from verifier.procedures.approved import approved, newest, withdrawals
from verifier.procedures.collector import Collector
from verifier.trust.baseline_rules import Accepted
from verifier.trust.envelope import PAYLOAD_TYPE, add_signature, merged, opened, seal
from verifier.trust.keys import Signer
from verifier.trust.statement import WITHDRAWAL, written
from verifier.trust.verify import Approvals, Verified, claimed, signed_by, verify


@dataclass(frozen=True, slots=True)
class Withdrawing:
    """A withdrawal on its way: what a person is shown before signing."""

    withdrawal: Withdrawal
    approvals: Approvals
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Withdrawn:
    withdrawal: Verified[Withdrawal]
    entry: int
    """Its number in the record."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    approvals: Approvals


def withdrawing(device: Device, reason: str, collector: Collector, older: bool = False) -> Withdrawing:
    """The withdrawal of a device's newest baseline: the one that waits for signatures, else a new one for this reason.

    `older`: of the one before the newest, which may still be valid beside it.

    Raises:
        UsageError: there is no baseline, it is withdrawn already, no reason was given, or one with another reason waits.
        TrustError: the policy does not say who may withdraw.
    """
    may_be_withdrawn(collector)
    baseline = _older(device, collector) if older else _newest(device, collector)
    for done in withdrawals(device.name, collector):
        if done.value.baseline == baseline.sha256:
            by = ", ".join(done.signer_names)
            raise UsageError(
                f"baseline {baseline.serial} of {device.name} is withdrawn already, by {by}, {done.value.at:%Y-%m-%d %H:%M} UTC",
                f"propose a new one: crane-verify baseline propose {device.name} --reason ...",
            )
    waiting = _waiting(device, baseline, collector)
    if waiting is None:
        if not reason.strip():
            raise UsageError("a withdrawal needs a reason", 'say why with --reason "recalled by the vendor, notice 17"')
        value = Withdrawal(device.name, baseline.serial, baseline.sha256, collector.now(), reason)
        return _shown(seal(written(WITHDRAWAL, value), PAYLOAD_TYPE, ()), collector)
    if reason not in ("", waiting.withdrawal.reason):
        raise UsageError(
            f"a withdrawal of {device.name} waits already, for another reason: {waiting.withdrawal.reason}",
            "to sign that one leave --reason away; to begin anew, remove "
            f"{collector.workspace.baselines.withdrawals.path(device.name)}",
        )
    return waiting


def may_be_withdrawn(collector: Collector) -> None:
    """Whether the policy says who may withdraw a baseline.

    Raises:
        TrustError: it does not.
    """
    try:
        collector.policy.quorum(WITHDRAWAL.signed_as)
    except TrustError as error:
        raise TrustError(str(error), "say who may: crane-verify trust quorum withdrawal engineer=1") from error


def withdraw(device: Device, seen: Withdrawing, signer: Signer, collector: Collector) -> Withdrawn | Unfinished:
    """Sign exactly the withdrawal that was seen. With the last signature needed it counts.

    Raises:
        UsageError: the policy does not know this key, or another withdrawal waits by now.
        TrustError: this key has signed it.
    """
    known(signer, collector.policy, collector.now())
    # one that has all its signatures, because it was killed just before the end, is recorded as it is
    signed = add_signature(seen.envelope, signer) if seen.approvals.missing else seen.envelope
    kept = collector.workspace.baselines.withdrawals
    with collector.workspace.baselines.alone(device.name):
        there = kept.waiting(device.name)
        if there is not None and claimed(there, WITHDRAWAL).baseline == seen.withdrawal.baseline:
            if opened(there).payload != opened(signed).payload:
                raise UsageError(f"another withdrawal of {device.name} waits by now", "look at it, then withdraw")
            signed = merged((there, signed))
        approvals = signed_by(signed, WITHDRAWAL, collector.policy, collector.now())
        kept.lay_down(device.name, signed)
        if approvals.missing:
            return Unfinished(approvals)
        verified = verify(signed, WITHDRAWAL, collector.policy, collector.now())
        if collector.workspace.baselines.accepted(device.name) is None:
            _take_up(device, verified.value, collector)
        return Withdrawn(verified, kept.record(verified).sequence)


def _newest(device: Device, collector: Collector) -> Accepted:
    """What can be withdrawn. Its signatures need not hold any more: that may be why."""
    if accepted := collector.workspace.baselines.accepted(device.name):
        return accepted
    if found := newest(device, collector):
        return Accepted(found.value.serial, found.sha256)
    raise UsageError(f"{device.name} has no approved baseline, so there is nothing to withdraw", "a proposal needs no withdrawal")


def _take_up(device: Device, withdrawal: Withdrawal, collector: Collector) -> None:
    """Put the baseline that is withdrawn into the record, which never accepted it: it came from elsewhere.

    A withdrawal names an envelope. Whoever writes the same signatures in another way has another envelope; only a record that
    knows one baseline of this serial refuses every other. And only on what it knows can a new one follow.
    """
    found = newest(device, collector)
    if found is None or found.sha256 != withdrawal.baseline:
        raise UsageError(f"another baseline of {device.name} lies there by now", "look at it, then withdraw")
    collector.workspace.baselines.take_up(found)


def _older(device: Device, collector: Collector) -> Accepted:
    """The one that the newest one replaces."""
    found = approved(device, collector).value
    if not found.supersedes:
        raise UsageError(f"baseline {found.serial} of {device.name} replaces none", "leave --older away to withdraw that one")
    return Accepted(found.serial - 1, found.supersedes)


def _waiting(device: Device, baseline: Accepted, collector: Collector) -> Withdrawing | None:
    """The one that waits; None: none does, or it is of an older baseline."""
    envelope = collector.workspace.baselines.withdrawals.waiting(device.name)
    if envelope is None:
        return None
    found = _shown(envelope, collector)
    said = (found.withdrawal.device, found.withdrawal.serial, found.withdrawal.baseline)
    return found if said == (device.name, baseline.serial, baseline.sha256) else None


def _shown(envelope: bytes, collector: Collector) -> Withdrawing:
    approvals = signed_by(envelope, WITHDRAWAL, collector.policy, collector.now())
    return Withdrawing(claimed(envelope, WITHDRAWAL), approvals, envelope)
