"""How old each drift of a report is, and what was done about it: beside the report, never in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from verifier.cli import desk
from verifier.cli.output import tell
from verifier.errors import RecordError, TrustError
from verifier.model.finding import Finding
from verifier.model.words import DriftKind
from verifier.procedures.audit import past
from verifier.procedures.findings import findings
from verifier.procedures.history import History
from verifier.record.workspace import Workspace
from verifier.report.finding import documents, standings
from verifier.report.machine import document
from verifier.report.signed import SignedReport


@dataclass(slots=True)
class Lives:
    """The findings of a workspace, device by device, as they are asked for."""

    workspace: Workspace
    resolved: bool = False
    """Those that were seen matching since as well: for reports that are not the newest."""
    _histories: list[History] = field(default_factory=list)

    def beside(self, report: SignedReport) -> dict[tuple[str, str], str]:
        """What stands beside each drift of a report, by its item and member."""
        return standings(self._of(report), report.sequence, desk.now())

    def document(self, report: SignedReport) -> dict[str, object]:
        """The report as JSON has it, with the finding of each drift."""
        return document(report) | {"findings": documents(report.report.drifts, self._of(report))}

    def _of(self, report: SignedReport) -> tuple[Finding, ...]:
        """Of a report in which nothing differs, nothing is read."""
        if all(drift.kind is DriftKind.UNREAD for drift in report.report.drifts):
            return ()
        try:
            if not self._histories:
                self._histories.append(past(self.workspace, self.workspace.trusted()))
            return findings(self.workspace, self._histories[0], (report.report.device,), self.resolved)
        except (TrustError, RecordError) as error:
            # the report stands: what is wrong with the record around it must not keep it from being read
            tell(f"how old this drift is cannot be told: {error}", fg="yellow", err=True)
            return ()
