"""A report as JUnit XML, for build servers: an item is a test case, drift a failure, what was not read an error."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from verifier.compare.plain import plain
from verifier.model.drift import Drift
from verifier.model.report import Report
from verifier.model.words import DriftKind, Verdict
from verifier.report import words
from verifier.report.phrase import phrase
from verifier.report.signed import SignedReport


def junit_view(signed: SignedReport) -> str:
    """One test suite. A report that is no match never comes out green: what no item shows is a case of its own."""
    report = signed.report
    cases = list(_cases(report))
    failures, errors = (sum(f"<{what} " in case for case in cases) for what in ("failure", "error"))
    if report.verdict is not Verdict.MATCH and not failures + errors:
        cases.append(_case(report, "verdict", _problem("error", words.said(report).headline, report.notes)))
        errors += 1
    seconds = (report.ended - report.started).total_seconds()
    head = (
        f"name={_attribute(str(report.device))} tests='{len(cases)}' failures='{failures}' errors='{errors}' time='{seconds:.3f}'"
    )
    where = f"<property name='report' value={_attribute(f'entry {signed.sequence}, sha256 {signed.sha256}')}/>"
    body = "".join(cases)
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<testsuite {head}>\n<properties>{where}</properties>\n{body}</testsuite>\n"


def _cases(report: Report) -> Iterator[str]:
    names = dict.fromkeys([item.name for item in report.items] + [drift.item for drift in report.drifts])
    for name in names:
        drifts = [drift for drift in report.drifts if drift.item == name]
        differing = [_words(d) for d in drifts if d.kind is not DriftKind.UNREAD]
        unread = [_words(d) for d in drifts if d.kind is DriftKind.UNREAD]
        if differing:
            yield _case(report, name, _problem("failure", differing[0], (*differing, *unread)))
        elif unread:
            yield _case(report, name, _problem("error", unread[0], unread))
        else:
            yield _case(report, name, "")


def _case(report: Report, name: str, inside: str) -> str:
    return f"<testcase classname={_attribute(str(report.device))} name={_attribute(name)}>{inside}</testcase>\n"


def _problem(tag: str, message: str, lines: list[str] | tuple[str, ...]) -> str:
    body = escape("\n".join(plain(line) for line in lines))
    return f"<{tag} message={_attribute(message)}>{body}</{tag}>"


def _words(drift: Drift) -> str:
    return f"{drift.criticality.value}: {phrase(drift)}" + (f" ({drift.note})" if drift.note else "")


def _attribute(text: str) -> str:
    return quoteattr(plain(text))
