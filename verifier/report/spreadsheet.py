"""The drifts of a report as CSV (RFC 4180), one line each, for people who live in a spreadsheet."""

from __future__ import annotations

import csv
import io

from verifier.compare.plain import plain
from verifier.compare.technique import Technique, technique
from verifier.report.phrase import phrase
from verifier.report.signed import SignedReport

HEAD = (
    *("site", "crane", "device", "verdict", "checked", "compared", "expected", "criticality", "drift", "item", "kind", "member"),
    *("evidence", "what", "note", "technique", "report_sequence", "report_sha256"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins with one of these is a formula to a spreadsheet, and text from a device must never be one."""


def csv_view(signed: SignedReport) -> str:
    """A line for each drift; a report without any has one line all the same, which carries its verdict."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEAD)
    report = signed.report
    of_report = (
        *(report.device.site, report.device.crane, report.device.device, report.verdict.value),
        *(report.ended.strftime("%Y-%m-%dT%H:%M:%SZ"), str(report.coverage.compared), str(report.coverage.expected)),
    )
    record = (str(signed.sequence), signed.sha256)
    if not report.drifts:
        writer.writerow(map(cell, (*of_report, *([""] * (len(HEAD) - len(of_report) - len(record))), *record)))
    for drift in report.drifts:
        named = technique(drift)
        words = f"{named.id} {named.name} ({named.release})" if isinstance(named, Technique) else ""
        where = (drift.criticality.value, drift.kind.value, drift.item, drift.item_kind.value, drift.member)
        writer.writerow(
            map(cell, (*of_report, *where, drift.evidence.word, phrase(drift), drift.note, words, *record)),
        )
    return out.getvalue()


def cell(text: str, limit: int = 2000) -> str:
    """The text as a cell that no spreadsheet takes for a formula, made printable, cut behind `limit` characters."""
    harmless = plain(text, limit)
    return f"'{harmless}" if harmless.startswith(FORMULA) else harmless
