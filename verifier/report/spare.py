"""A spare that was compared with a crane's baseline, in words and as JSON; loudly no check of the crane."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.compare.plain import plain
from verifier.compare.verdict import exit_code
from verifier.model.codec import to_json
from verifier.model.report import Report
from verifier.model.words import Verdict
from verifier.report import words
from verifier.report.phrase import phrase
from verifier.report.text import DRIFTS_SHOWN, VERDICT_STYLES, Line, Style, drift_lines

NOT_A_CHECK = (
    "NOT A CHECK of {device}: a spare was read, and the device in the crane was not asked. Nothing was signed or recorded."
)


def spare_lines(spare: str, report: Report) -> tuple[Line, ...]:
    """What a technician reads before a spare is fitted."""
    return tuple(Line(plain(line.text), line.style) for line in _lines(spare, report))


def spare_document(spare: str, report: Report) -> dict[str, object]:
    """The same for other programs. It has not the form of a report, so that nobody takes it for one."""
    return {
        "not_a_check_of": str(report.device),
        "spare": spare,
        "verdict": report.verdict.value,
        "exit_code": exit_code([report.verdict]),
        "baseline": to_json(report.baseline),
        "coverage": to_json(report.coverage),
        "drifts": [to_json(drift) for drift in report.drifts],
        "drifts_in_words": [phrase(drift) for drift in report.drifts],
        "not_asked": [to_json(each) for each in report.not_asked],
        "notes": list(report.notes),
        "recorded": False,
    }


def _lines(spare: str, report: Report) -> Iterator[Line]:
    yield Line(NOT_A_CHECK.format(device=report.device), Style.DOUBT)
    title = words.VERDICTS[report.verdict].title.upper()
    yield Line(f"{title}  spare: {spare}  {words.coverage(report.coverage)}", VERDICT_STYLES[report.verdict])
    yield Line(f"  {words.said(report).headline}")
    if report.baseline.sha256:
        yield Line(f"  against {words.baseline(report)}, of {report.device}", Style.FAINT)
    yield from drift_lines(report.drifts, DRIFTS_SHOWN)
    yield from (Line(f"  not asked: {each.item}: {each.why}") for each in report.not_asked)
    yield from (Line(f"  note: {note}") for note in report.notes)
    if report.verdict is Verdict.MATCH:
        yield Line(f"next: fit it, and check the device itself: crane-verify check {report.device}")
    else:
        yield Line("next: do not fit it as it is; see what differs, or what was not read", Style.BAD)
