"""The baseline in force for a device: signed by those the policy names, of this device, never an older one, never withdrawn."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import datetime

from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.model.device import Device, DeviceName
from verifier.model.withdrawal import Withdrawal
from verifier.procedures.collector import Collector
from verifier.procedures.comparing import Valid
from verifier.procedures.policy_history import placed, since
from verifier.trust.baseline_rules import Accepted, Stale, current, freshness, not_withdrawn, overlapping
from verifier.trust.policy import Policy
from verifier.trust.statement import BASELINE, REPORT, WITHDRAWAL
from verifier.trust.verify import Verified, claimed, verify


def valid(device: Device, collector: Collector) -> Valid:
    """All baselines that this device may be like today: the newest, and until a stated time the one it replaces.

    Raises:
        TrustError: as `approved`.
    """
    newest_one = approved(device, collector)
    if not overlapping(newest_one.value, collector.now()):
        return Valid(newest_one)
    try:
        return Valid(newest_one, _replaced(newest_one, collector))
    except TrustError as error:
        return Valid(newest_one, alone=f"the baseline before it is not valid beside it: {error}")


def approved(device: Device, collector: Collector) -> Verified[Baseline]:
    """The newest baseline. Everything about it is checked here, before any connection is made.

    Raises:
        TrustError: there is none, or it is unsigned, altered, wrongly signed, another device's, older than one accepted before,
            or withdrawn.
    """
    found = newest(device, collector)
    if found is None:
        hint = f"propose one with `crane-verify baseline propose {device.name}`, and have it approved"
        if collector.workspace.baselines.proposed(device.name) is not None:
            hint = f"one is proposed and waits to be signed: crane-verify baseline approve {device.name}"
        raise TrustError(f"{device.name} has no approved baseline", hint)
    return found


def newest(device: Device, collector: Collector) -> Verified[Baseline] | None:
    """As `approved`; None: no baseline of this device was ever approved here."""
    baselines = collector.workspace.baselines
    envelope = baselines.approved(device.name)
    if envelope is None:
        return None
    verified = _in_use(envelope, collector)
    not_withdrawn(verified, withdrawals(device.name, collector))
    current(verified, device.name, baselines.accepted(device.name))
    return verified


def withdrawals(device: DeviceName, collector: Collector) -> Iterator[Verified[Withdrawal]]:
    """The withdrawals of this device's baselines that count, newest first. One that is not signed as the policy asks counts for
    nothing; `log verify` shows it.

    It is judged at its own time and by the policy of its place in the record, also where its key was stolen, or its signer left,
    later: what was withdrawn stays so until one is approved anew.
    """
    for sequence, envelope in collector.workspace.baselines.withdrawals.claims(device):
        at = claimed(envelope, WITHDRAWAL).at
        for policy in _policies_at(sequence, collector):
            with contextlib.suppress(TrustError):
                yield verify(envelope, WITHDRAWAL, policy, at, known_by=at)
                break


def _replaced(newest_one: Verified[Baseline], collector: Collector) -> Verified[Baseline]:
    """The baseline that the newest one replaces, as the log holds it, if it may still be compared with.

    Raises:
        TrustError: it may not.
    """
    device, serial, supersedes = newest_one.value.snapshot.device, newest_one.value.serial, newest_one.value.supersedes
    found = collector.workspace.baselines.entry(supersedes)
    if found is None:
        raise TrustError(f"the record holds no entry {supersedes[:16]}...", "`crane-verify log verify` says what is missing")
    older = _in_use(found[1], collector)
    current(older, device, Accepted(serial - 1, supersedes))
    not_withdrawn(older, withdrawals(device, collector))
    age = freshness(older.value, collector.now())
    if isinstance(age, Stale):
        raise TrustError(str(age))
    return older


def _policies_at(sequence: int, collector: Collector) -> Iterator[Policy]:
    """The policies by which an entry may have been signed: today's, that of its place, and the one recorded next after it."""
    yield collector.policy
    recorded = placed(collector.workspace, collector.workspace.trusted())
    yield from [each.trusted.policy for each in recorded if each.sequence <= sequence][-1:]
    yield from [each.trusted.policy for each in recorded if each.sequence > sequence][:1]


def _in_use(envelope: bytes, collector: Collector) -> Verified[Baseline]:
    """A baseline that today's policy trusts. That a key came to its planned end voids nothing that was accepted before.

    Raises:
        TrustError: today's policy does not trust it.
    """
    try:
        return verify(envelope, BASELINE, collector.policy, collector.now())
    except TrustError as error:
        with contextlib.suppress(TrustError):
            if accepted := _accepted_at(envelope, collector):
                return verify(envelope, BASELINE, collector.policy, accepted)
        raise error


def _accepted_at(envelope: bytes, collector: Collector) -> datetime | None:
    """When a baseline was accepted here at the earliest; None: it never was.

    It says when it was proposed, and it was not accepted before what stands before it in the record: the policies, and the newest
    report. So nobody dates back past the end of a key, who can write to the disk and has that key still.
    """
    found = collector.workspace.baselines.entry(hashlib.sha256(envelope).hexdigest())
    if found is None:
        return None
    policies = placed(collector.workspace, collector.workspace.trusted())
    times = (claimed(envelope, BASELINE).proposed, since(found[0], policies), _reported_before(found[0], collector))
    return max(each for each in times if each)


def _reported_before(sequence: int, collector: Collector) -> datetime | None:
    """When the newest report before an entry ended; None: there is none that is signed as the policy of its place asks."""
    for row in collector.workspace.index.rows(REPORT.word, below=sequence):
        envelope = collector.workspace.log.read(row.sequence)
        with contextlib.suppress(TrustError):
            ended = claimed(envelope, REPORT).ended
            for policy in _policies_at(row.sequence, collector):
                with contextlib.suppress(TrustError):
                    return verify(envelope, REPORT, policy, ended, known_by=ended).value.ended
    return None
