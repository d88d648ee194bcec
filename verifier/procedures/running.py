"""How a device ran when it was read, and whether it was started again or given other firmware since the check before."""

from __future__ import annotations

import contextlib

from verifier.compare.events import boot_of
from verifier.errors import RecordError, TrustError
from verifier.model.device import DeviceName
from verifier.model.report import Running
from verifier.model.snapshot import Snapshot
from verifier.procedures.audit import reports
from verifier.procedures.collector import Collector
from verifier.procedures.due import puts_off
from verifier.report.firmware import firmware_version


def running(found: Snapshot) -> Running | None:
    """What a snapshot says of it; None: nothing."""
    version = firmware_version(found)
    said = Running(boot_of(found), version.version if version else "")
    return said if said != Running() else None


def ran_before(device: DeviceName, collector: Collector) -> Running | None:
    """How it ran at the newest check that compared anything; None: there is none, it did not say, or it cannot be read.

    What is wrong with older reports is for `log verify` to say, and takes nobody a check.
    """
    now = collector.now()
    with contextlib.suppress(TrustError, RecordError):
        for each in reports(collector.workspace, device):
            if puts_off(each, collector.policy, now):
                return each.report.running
    return None
