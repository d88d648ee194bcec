"""Approvals that travel: a proposal goes to its signers on a USB stick, as a file of its own, and comes back with signatures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from verifier.compare.drifts import compare
from verifier.errors import TrustError, UsageError
from verifier.model.baseline import Baseline
from verifier.model.device import Device, DeviceName
from verifier.model.drift import Drift
from verifier.procedures.approve import InForce, Proposal, Waiting, known, proposal, put
from verifier.procedures.collector import Collector
from verifier.procedures.predecessor import Predecessor
from verifier.trust.baseline_rules import NEVER_BACK, Accepted, follows
from verifier.trust.envelope import add_signature, merged, opened
from verifier.trust.keys import Signer
from verifier.trust.policy import Policy
from verifier.trust.roots import Trusted, read_trust
from verifier.trust.statement import BASELINE
from verifier.trust.travelling import FORMAT, KeptText, Travelling, read_travelling, travelling_bytes
from verifier.trust.verify import Approvals, claimed, signed_by, verify


@dataclass(frozen=True, slots=True)
class Carried:
    """What a file asks to be signed, and under which policy."""

    seen: Proposal
    trusted: Trusted
    file: Travelling

    @property
    def device(self) -> DeviceName:
        return self.seen.baseline.snapshot.device


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that came back, read and found to be a copy of what waits here."""

    device: DeviceName
    envelope: bytes


def packed(device: Device, collector: Collector) -> bytes:
    """The proposal that waits, as a file that needs no workspace to be read and signed.

    Raises:
        UsageError: nothing waits.
        TrustError: as `proposal`.
    """
    seen = proposal(device, collector)
    kept: dict[str, bytes] = {}

    def text(digest: str) -> bytes | None:
        found = collector.workspace.kept_text(digest)
        return None if found is None else kept.setdefault(digest, found)

    if seen.before.trusted:
        compare(seen.before.trusted.value.snapshot, seen.baseline.snapshot, text)
    return travelling_bytes(
        Travelling(
            format=FORMAT,
            proposal=seen.envelope.decode(),
            trust=collector.workspace.trusted().files,
            replaces=seen.before.trusted.envelope.decode() if seen.before.trusted else "",
            doubt=seen.before.doubt,
            texts=tuple(KeptText(digest, content) for digest, content in sorted(kept.items())),
        )
    )


def unpacked(data: bytes, at: datetime) -> Carried:
    """What a file asks to be signed. The baseline it replaces is verified by the policy that travels with it.

    Raises:
        TrustError: it is no such file; its policy, its proposal or what it replaces is not what it must be.
    """
    file = read_travelling(data)
    trusted = read_trust(file.trust)
    envelope = file.proposal.encode()
    baseline = claimed(envelope, BASELINE)
    before = _before(file, baseline, trusted.policy, at)
    follows(baseline, baseline.snapshot.device, before.accepted)
    changes: tuple[Drift, ...] = ()
    if before.trusted:
        texts = {each.sha256: each.content for each in file.texts}
        changes = compare(before.trusted.value.snapshot, baseline.snapshot, texts.get)
    approvals = signed_by(envelope, BASELINE, trusted.policy, at)
    return Carried(Proposal(baseline, before, changes, approvals, envelope), trusted, file)


def countersigned(carried: Carried, signer: Signer, at: datetime) -> tuple[bytes, Approvals]:
    """The file with one more signature, and how far the approval is.

    Raises:
        UsageError: the policy does not know this key, or no signature is needed any more.
        TrustError: this key has signed it.
    """
    known(signer, carried.trusted.policy, at)
    if not carried.seen.approvals.missing:
        raise UsageError("it has all the signatures it needs", "bring it back: crane-verify baseline take FILE")
    envelope = add_signature(carried.seen.envelope, signer)
    approvals = signed_by(envelope, BASELINE, carried.trusted.policy, at)
    return travelling_bytes(replace(carried.file, proposal=envelope.decode())), approvals


def take(files: Sequence[tuple[str, bytes]], collector: Collector) -> tuple[tuple[DeviceName, InForce | Waiting], ...]:
    """Merge the signatures of copies that came back, each with its name, into the proposals that wait; any number, in any order.

    A proposal with all its signatures is put in force. If one file is refused, nothing at all is taken.

    Raises:
        UsageError: a file is of another proposal than the one that waits, of one in force already, or nothing waits.
        TrustError: a file was altered, hangs on another root, or was superseded meanwhile; or a signature does not count.
    """
    copies: dict[DeviceName, list[bytes]] = {}
    for name, data in files:
        copy = _named(name, data, collector)
        copies.setdefault(copy.device, []).append(copy.envelope)
    return tuple((device, _merged(device, envelopes, collector)) for device, envelopes in copies.items())


def _before(file: Travelling, baseline: Baseline, policy: Policy, at: datetime) -> Predecessor:
    """The baseline that it replaces, as far as the file can show it."""
    if not file.replaces:
        if baseline.serial == 1:
            return Predecessor(None, None)
        accepted = Accepted(baseline.serial - 1, baseline.supersedes)
        return Predecessor(accepted, None, file.doubt or "it does not travel with the proposal")
    envelope = file.replaces.encode()
    old = claimed(envelope, BASELINE)
    if old.snapshot.device != baseline.snapshot.device:
        raise TrustError(
            f"the file proposes a baseline of {baseline.snapshot.device} in place of one of {old.snapshot.device}",
            "two may have been swapped; have it sent again",
        )
    accepted = Accepted(old.serial, hashlib.sha256(envelope).hexdigest())
    try:
        return Predecessor(accepted, verify(envelope, BASELINE, policy, at))
    except TrustError as error:
        return Predecessor(accepted, None, str(error))


def _named(name: str, data: bytes, collector: Collector) -> Copy:
    """The copy in a file. Errors say which file it is."""
    try:
        return _copy(data, collector)
    except TrustError as error:
        raise TrustError(f"{name}: {error}", error.hint) from error
    except UsageError as error:
        raise UsageError(f"{name}: {error}", error.hint) from error


def _copy(data: bytes, collector: Collector) -> Copy:
    file = read_travelling(data)
    here, there = collector.workspace.trusted().fingerprint, read_trust(file.trust).fingerprint
    if here != there:
        raise TrustError(
            f"it was sent under another root, {there[:16] or 'none'}..., than the one here, {here[:16] or 'none'}...",
            "its signers were shown another policy than this workspace's; find out who sent it",
        )
    envelope = file.proposal.encode()
    baseline = claimed(envelope, BASELINE)
    device = baseline.snapshot.device
    _is_waiting(device, baseline, envelope, collector)
    for each in signed_by(envelope, BASELINE, collector.policy, collector.now()).not_counted:
        raise TrustError(f"{each}, so it does not count", "nothing was taken; have it signed by those whom the policy names")
    return Copy(device, envelope)


def _is_waiting(device: DeviceName, baseline: Baseline, envelope: bytes, collector: Collector) -> None:
    """Whether just this, byte for byte, waits for signatures here.

    Raises:
        UsageError: it is in force already, or another one waits, or none does.
        TrustError: a newer one was accepted since.
    """
    payload, baselines = opened(envelope).payload, collector.workspace.baselines
    in_force, accepted = baselines.approved(device), baselines.accepted(device)
    waiting = baselines.proposed(device)
    if in_force is not None and opened(in_force).payload == payload:
        raise UsageError(f"baseline {baseline.serial} of {device} is in force already", "there is nothing left to take")
    if accepted and baseline.serial <= accepted.serial:
        raise TrustError(
            f"baseline {baseline.serial} of {device} was superseded: {accepted.serial} was accepted since", NEVER_BACK
        )
    if waiting is None:
        raise UsageError(
            f"no proposal of {device} waits here", f"propose it: crane-verify baseline propose {device} --reason ..."
        )
    if opened(waiting).payload != payload:
        raise UsageError(
            f"it is another proposal of {device} than the one that waits here",
            f"that one was laid down later; send it to its signers: crane-verify baseline send {device}",
        )


def _merged(device: DeviceName, envelopes: Sequence[bytes], collector: Collector) -> InForce | Waiting:
    baselines = collector.workspace.baselines
    with baselines.alone(device):
        # looked at again: somebody may have put it in force, or proposed anew, since the files were read
        _is_waiting(device, claimed(envelopes[0], BASELINE), envelopes[0], collector)
        waiting = baselines.proposed(device)
        return put(device, merged((*((waiting,) if waiting else ()), *envelopes)), collector)
