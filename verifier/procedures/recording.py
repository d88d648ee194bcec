"""Signing a report and appending it to the record. Acknowledged means: on the disk, and found there after a power cut."""

from __future__ import annotations

from dataclasses import replace

from verifier.errors import UsageError
from verifier.model.report import Report
from verifier.procedures.collector import Collector
from verifier.report.signed import SignedReport
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.keys import Signer
from verifier.trust.quorum import seated
from verifier.trust.statement import REPORT, written
from verifier.trust.verify import Verified, verify


def report_signer(collector: Collector) -> Signer:
    """The key that signs reports, made sure of before a device is asked: a report that nobody can verify is no evidence.

    Raises:
        UsageError: there is none, or the policy does not let it sign reports, alone and today.
    """
    signer, policy = collector.signer(), collector.policy
    key = next((key for key in policy.keys if key.public.key_id == signer.key_id), None)
    if key is None:
        why = "the policy does not know the key that signs reports here"
    elif empty := seated(policy.seats(REPORT.word), {key.owner: policy.roles_of(key.owner)}).empty:
        why = f"the policy wants a report signed by one more {' and one more '.join(empty)}, beside {key.owner}"
    else:
        why = key.refusal(collector.now())
    if why:
        raise UsageError(
            f"{why}: nobody could verify its reports",
            f"`crane-verify trust show` names those it knows; the key here is {signer.public.fingerprint}",
        )
    return signer


def recorded(report: Report, signer: Signer, collector: Collector) -> SignedReport:
    """The report as it now stands in the record.

    Raises:
        RecordError: the disk refused. Nothing half written is left, and nothing recorded before is touched.
        TrustError: its signature would not hold. Then it is not recorded.
    """
    signed: list[Verified[Report]] = []

    def envelope(previous: str) -> bytes:
        sealed = seal(written(REPORT, replace(report, previous=previous, witnessed=collector.witnessed)), PAYLOAD_TYPE, (signer,))
        # what is told from here on is what stands in the envelope, as anybody else will read it
        signed.append(verify(sealed, REPORT, collector.policy, report.ended))
        return sealed

    entry = collector.workspace.log.append(envelope)
    return SignedReport(signed[-1].value, entry.sha256, entry.sequence, signed[-1].signer_names)


def take_in(collector: Collector) -> None:
    """Take everything recorded so far into the Merkle tree, under a checkpoint by this machine's key.

    Raises:
        UsageError: there is no key to sign with, or the policy does not let it.
        TrustError: the record is not what was signed before.
        RecordError: the disk refused. What was recorded stands, and waits for the next time.
    """
    collector.workspace.log.sign(report_signer(collector), collector.policy.log_keys(even_stolen=True))
