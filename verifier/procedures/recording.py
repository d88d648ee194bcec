"""Signing a report and appending it to the record. Acknowledged means: on the disk, and found there after a power cut."""

from __future__ import annotations

from dataclasses import replace

from verifier.model.report import Report
from verifier.procedures.collector import Collector
from verifier.report.signed import SignedReport
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.statement import report_statement


def recorded(report: Report, collector: Collector) -> SignedReport:
    """The report as it now stands in the record.

    Raises:
        UsageError: there is no key to sign with.
        RecordError: the disk refused. Nothing half written is left, and nothing recorded before is touched.
    """
    signer = collector.signer()
    signed: list[Report] = []

    def envelope(previous: str) -> bytes:
        signed.append(replace(report, previous=previous))
        return seal(report_statement(signed[-1]), PAYLOAD_TYPE, (signer,))

    entry = collector.workspace.log.append(envelope)
    return SignedReport(signed[-1], entry.sha256, entry.sequence, (collector.policy.owner(signer.key_id),))


def take_in(collector: Collector) -> None:
    """Take everything recorded so far into the Merkle tree, under a checkpoint by this machine's key.

    Raises:
        UsageError: there is no key to sign with.
        TrustError: the record is not what was signed before.
        RecordError: the disk refused. What was recorded stands, and waits for the next time.
    """
    collector.workspace.log.sign(collector.signer(), collector.policy.log_keys(even_stolen=True))
