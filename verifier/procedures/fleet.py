"""Several devices side by side. One failure never stops the rest, and none is merely absent from the outcome."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from verifier.errors import CraneVerifyError, RecordError, TrustError, UsageError
from verifier.model.device import Device
from verifier.procedures.check import check
from verifier.procedures.collector import Collector
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


Outcome = Checked | Failed


def check_all(devices: Sequence[Device], collector: Collector, at_once: int) -> Iterator[Outcome]:
    """One outcome for every device, in the order they finish. At most `at_once` devices are asked at a time.

    Whoever stops taking outcomes gets no more devices asked, and does not wait for those that are being asked.

    The record's tree is brought up to date before, so that nothing is added to a history that does not hold, and after: one
    checkpoint over all reports of a run. A run that is stopped leaves that to the next. The policy under which they are signed
    stands in the record before them.

    Raises:
        TrustError: the record is not what was signed before, or the policy is behind it. No device was asked.
    """
    with contextlib.suppress(RecordError, UsageError):  # a full disk or a missing key is said of each report
        take_in(collector)
        record_policy(collector)
    collector = replace(collector, witnessed=newest_witnessed(collector.workspace.log, collector.policy))
    pool = ThreadPoolExecutor(max_workers=max(1, at_once), thread_name_prefix="device")
    try:
        for done in as_completed([pool.submit(_outcome, device, collector) for device in devices]):
            yield done.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    with contextlib.suppress(RecordError, UsageError, TrustError):  # the reports stand; `log verify` says what waits
        take_in(collector)


def _outcome(device: Device, collector: Collector) -> Outcome:
    try:
        return Checked(device, check(device, collector))
    except CraneVerifyError as error:
        return Failed(device, error)
    except Exception as error:  # a fault of ours on one device must not take the others with it
        return Failed(
            device, CraneVerifyError(f"{device.name}: {type(error).__name__}: {error}", "this is a fault of crane-verify")
        )
