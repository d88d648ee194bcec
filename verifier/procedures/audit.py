"""Auditing: does the record hold, and who signed what is in it? No device is asked, and the record is not written to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verifier.errors import RecordError, TrustError, UsageError
from verifier.model.device import DeviceName
from verifier.model.report import Report
from verifier.procedures.chronicle import Chronicle, Silence
from verifier.procedures.history import History, judged, policy_entries, read_history
from verifier.record.workspace import Workspace
from verifier.report.signed import SignedReport
from verifier.trust.envelope import opened
from verifier.trust.log.checkpoint import verified_checkpoint
from verifier.trust.log.sighting import Reach, reached
from verifier.trust.policy import Policy
from verifier.trust.roots import Trusted
from verifier.trust.statement import POLICY, REPORT, kind_of
from verifier.trust.verify import Verified, claimed, verify

DAMAGED = "`crane-verify log verify` names all that is wrong; keep the folder as it is, and restore from a copy"


@dataclass(frozen=True, slots=True)
class Found:
    """A report as it lies in the record, on nobody's word yet."""

    sequence: int
    report: Report
    envelope: bytes


def verified_report(envelope: bytes, policy: Policy) -> Verified[Report]:
    """A report that stands alone, outside any record: its signatures hold, at the time it says it was made, which is a claim.

    Raises:
        TrustError: they do not, or it is no report.
    """
    return verify(envelope, REPORT, policy, claimed(envelope, REPORT).ended)


def reports(workspace: Workspace, *devices: DeviceName) -> Iterator[Found]:
    """The reports of the record, newest first; of these devices, or of all.

    Raises:
        TrustError: the record is not what it was, or one of them is damaged.
    """
    for row, envelope in workspace.index.entries(REPORT.word, *devices):
        yield _found(row.sequence, envelope)


def newest_reports(workspace: Workspace, *devices: DeviceName) -> dict[DeviceName, Found]:
    """The newest report of each of these devices that has one. Raises as `reports`."""
    newest = workspace.index.newest_entries(REPORT.word, *devices)
    return {device: _found(row.sequence, envelope) for device, (row, envelope) in newest.items()}


def signed_report(found: Found, history: History) -> SignedReport:
    """A report of the record, its signatures checked by the policy of its place.

    Raises:
        TrustError: they do not hold.
    """
    verified = judged(found.envelope, found.sequence, history)
    return SignedReport(verified.value, verified.sha256, found.sequence, verified.signer_names)


def report_at(sequence: int, workspace: Workspace) -> Found:
    """The report with this number.

    Raises:
        UsageError: the record has no such entry, or it is something else.
    """
    if not 0 <= sequence < workspace.log.length():
        raise UsageError(f"the record has no entry {sequence}", "`crane-verify report list` shows the numbers")
    envelope = workspace.log.read(sequence)
    if kind_of(opened(envelope).payload) is not REPORT:
        raise UsageError(f"entry {sequence} of the record is no report", "`crane-verify report list` shows the numbers")
    return Found(sequence, claimed(envelope, REPORT), envelope)


def past(workspace: Workspace, trusted: Trusted) -> History:
    """What is needed to judge single entries of the record.

    Raises:
        TrustError: the record is not what it was.
        RecordError: the disk refused.
    """
    rows = [row.sequence for row in workspace.index.rows(POLICY.word)]
    return read_history(workspace.log, trusted, reversed(rows))


@dataclass(frozen=True, slots=True)
class Audit:
    entries: int
    covered: int
    """By a checkpoint; the ones after it wait for the next."""
    findings: tuple[str, ...]
    """Everything that is wrong with the record, in words."""
    reach: Reach
    """How far those outside have seen it."""
    silences: tuple[Silence, ...] = ()
    elsewhere: int = 0
    """Reports that were compared with a baseline which is not in the record before them."""


def audit_log(workspace: Workspace, trusted: Trusted, older: Sequence[bytes] = (), tree_only: bool = False) -> Audit:
    """Whether the record holds: the tree, its checkpoint and each entry at its place, and that it grew out of these older
    checkpoints, and of all that were ever shown to somebody outside.

    When nothing is wrong this machine remembers the checkpoint, so that a log that is ever shorter is noticed.

    Raises:
        TrustError: an older checkpoint is none, or nobody who may signed it.
        RecordError: the disk refused.
    """
    log = workspace.log
    history = read_history(log, trusted, policy_entries(log, trusted.policy.log_keys()))
    keys = history.everybody.log_keys()
    before = tuple(verified_checkpoint(each, keys) for each in older)
    wrong = [str(finding) for finding in log.verify(keys, before, entries=not tree_only)]
    wrong += history.faults
    chronicle = Chronicle(history)
    for sequence in range(0 if tree_only else log.length()):
        try:
            wrong += (f"entry {sequence}: {doubt}" for doubt in chronicle.take(sequence, log.read(sequence)).doubts)
        except TrustError as error:
            wrong.append(f"entry {sequence}: {error}")
        except RecordError:
            continue  # a gap, and already among the findings
    signed = log.tree.signed()
    if signed and not wrong:
        log.tree.remember(signed)
    return Audit(
        log.length(),
        log.covered(keys),
        tuple(wrong),
        reached(history.sightings, history.everybody),
        tuple(chronicle.silences),
        sum(chronicle.elsewhere.values()),
    )


def checkpoint_of(workspace: Workspace, policy: Policy) -> bytes:
    """The newest checkpoint, to be kept elsewhere.

    Raises:
        UsageError: there is none yet.
        TrustError: nobody who may signed it.
    """
    signed = workspace.log.tree.signed()
    if workspace.log.tree.checkpoint(policy.log_keys()) is None or signed is None:
        raise UsageError("the log has no checkpoint yet", "the next `crane-verify check` signs one, or `log checkpoint --sign`")
    return signed


def _found(sequence: int, envelope: bytes) -> Found:
    try:
        return Found(sequence, claimed(envelope, REPORT), envelope)
    except TrustError as error:
        raise TrustError(f"entry {sequence} of the record is damaged: {error}", DAMAGED) from error
