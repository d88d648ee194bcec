"""The check, the story everything else serves. Read this file first.

A profile says what to ask a kind of device. A transport asks it, politely and read-only. The answers are a snapshot. The
snapshot is compared with the baseline, whose signatures were checked first. The differences are drift. The verdict is a
report, signed and recorded.
"""

from __future__ import annotations

from verifier.errors import TrustError
from verifier.model.device import Device
from verifier.procedures.approved import valid
from verifier.procedures.collector import Collector
from verifier.procedures.comparing import compared
from verifier.procedures.judging import judged, refused
from verifier.procedures.reading import read
from verifier.procedures.recording import recorded, report_signer
from verifier.report.signed import SignedReport


def check(device: Device, collector: Collector) -> SignedReport:
    """Check one device against its approved baseline: the newest, and while an update is under way the one before it as well.

    No connection is made unless the baseline can be trusted.

    Raises:
        UsageError: the profile, or the key that signs reports, is missing or wrong. The device was not asked.
        RecordError: the report could not be recorded; nothing half written is left.
    """
    profile = collector.profile(device)
    signer = report_signer(collector)
    try:
        baselines = valid(device, collector)
    except TrustError as error:
        return recorded(refused(device, profile, error, collector), signer, collector)
    snapshot = read(device, profile, collector)
    differing = compared(baselines, snapshot, collector.workspace.kept_text)
    return recorded(judged(differing, snapshot, collector), signer, collector)
