"""Several devices side by side. One failure never stops the rest, and none is merely absent from the outcome."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from verifier.errors import CraneVerifyError, InUse, RecordError, TrustError, UsageError
from verifier.model.device import Device
from verifier.procedures.check import check
from verifier.procedures.collector import Collector
from verifier.procedures.due import due
from verifier.procedures.policy_history import record_policy
from verifier.procedures.recording import take_in
from verifier.procedures.witnessing import newest_witnessed
from verifier.report.signed import SignedReport


@dataclass(frozen=True, slots=True)
class Checked:
    device: Device
    report: SignedReport


@dataclass(frozen=True, slots=True)
class Failed:
    """No report could be made or recorded. Our own fault, the disk's or the settings'; never the device's."""

    device: Device
    error: CraneVerifyError


@dataclass(frozen=True, slots=True)
class PassedOver:
    """It was due when the run began, and is not any more, or another run was quicker. It was not asked."""

    device: Device
    why: str


Outcome = Checked | Failed | PassedOver


def check_all(devices: Sequence[Device], collector: Collector, at_once: int, only_due: bool = False) -> Iterator[Outcome]:
    """One outcome for every device, in the order they finish. At most `at_once` devices are asked at a time.

    With `only_due`, whether a device is due is looked at again once nobody else is checking it, and one that is being checked at
    this moment is left to whoever does: however many runs begin together, each device is checked once.

    Whoever stops taking outcomes gets no more devices asked, and does not wait for those that are being asked.

    The record's tree is brought up to date before, so that nothing is added to a history that does not hold, and after: one
    checkpoint over all reports of a run. A run that is stopped leaves that to the next. The policy under which they are signed
    stands in the record before them.

    Raises:
        TrustError: the record is not what was signed before, or the policy is behind it. No device was asked.
        RecordError: the policy could not be put into the record, where no report may stand under another. No device was asked.
    """
    with contextlib.suppress(RecordError, UsageError):  # a full disk or a missing key is said of each report
        take_in(collector)
    with contextlib.suppress(UsageError):
        record_policy(collector)
    collector = replace(collector, witnessed=newest_witnessed(collector.workspace.log, collector.policy))
    pool = ThreadPoolExecutor(max_workers=max(1, at_once), thread_name_prefix="device")
    try:
        for done in as_completed([pool.submit(_outcome, device, collector, only_due) for device in devices]):
            yield done.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    with contextlib.suppress(RecordError, UsageError, TrustError):  # the reports stand; `log verify` says what waits
        take_in(collector)


def _outcome(device: Device, collector: Collector, only_due: bool) -> Outcome:
    try:
        if only_due:
            return _if_due(device, collector)
        with collector.workspace.check_lock(device.name):
            return Checked(device, check(device, collector))
    except CraneVerifyError as error:
        return Failed(device, error)
    except Exception as error:  # a fault of ours on one device must not take the others with it
        return Failed(
            device, CraneVerifyError(f"{device.name}: {type(error).__name__}: {error}", "this is a fault of crane-verify")
        )


def _if_due(device: Device, collector: Collector) -> Checked | PassedOver:
    """Waits for nobody: who holds the lock is checking it, and a timer that waited would only pile up."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(collector.workspace.check_lock(device.name, 0))
        except InUse:
            return PassedOver(device, "another run is checking it")
        if due((device,), collector.workspace, collector.policy, collector.now()):
            return Checked(device, check(device, collector))
    return PassedOver(device, "it is no longer due")
