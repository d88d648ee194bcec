"""What a person reads on a terminal. Lines with a style each; whoever prints them chooses the colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from verifier.compare.plain import plain
from verifier.compare.technique import Technique, technique
from verifier.model.drift import Drift
from verifier.model.report import Report
from verifier.model.words import DriftKind, Verdict
from verifier.report import words
from verifier.report.phrase import phrase
from verifier.report.signed import SignedReport

DRIFTS_SHOWN = 100
"""Drifts of one item that a terminal shows; more are counted. The JSON and the signed report hold all."""


class Style(Enum):
    PLAIN = "plain"
    TITLE = "title"
    GOOD = "good"
    BAD = "bad"
    DOUBT = "doubt"
    FAINT = "faint"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    """Printable; not wrapped."""
    style: Style = Style.PLAIN


VERDICT_STYLES = {
    Verdict.MATCH: Style.GOOD,
    Verdict.DRIFT: Style.BAD,
    Verdict.UNDETERMINED: Style.DOUBT,
    Verdict.UNTRUSTED: Style.BAD,
}


Beside = Mapping[tuple[str, str], str]
"""What stands beside a drift, by its item and member: how old it is, and what was done about it (`report.finding`)."""


def text_lines(signed: SignedReport, beside: Beside | None = None) -> tuple[Line, ...]:
    """The whole report: verdict, coverage, drifts by item, what the evidence leaves open, who signed, how to verify."""
    return tuple(Line(plain(line.text), line.style) for line in _lines(signed, beside or {}))


def text_view(signed: SignedReport) -> str:
    """The same without styles, for a file."""
    return "".join(f"{line.text}\n" for line in text_lines(signed))


def headline(signed: SignedReport) -> Line:
    """One line for one device: `DRIFT  port/STS-01/hoist-drive  9 of 9 members compared (100 %)`."""
    report = signed.report
    title = words.VERDICTS[report.verdict].title.upper()
    return Line(plain(f"{title}  {report.device}  {words.coverage(report.coverage)}"), VERDICT_STYLES[report.verdict])


def drift_lines(drifts: Iterable[Drift], most: int = 0, beside: Beside | None = None) -> tuple[Line, ...]:
    """Drifts grouped by item. `most` bounds how many of one item are shown, and the rest is counted; 0 shows all."""
    groups: dict[str, list[Drift]] = {}
    for drift in drifts:
        groups.setdefault(drift.item, []).append(drift)
    told = _told_once((tuple(group), most or len(group)) for group in groups.values())
    lines = (line for group in told for line in _group(group, most or len(group), beside or {}))
    return tuple(Line(plain(line.text), line.style) for line in lines)


def _lines(signed: SignedReport, beside: Beside) -> Iterator[Line]:
    report = signed.report
    if signed.marking:
        yield Line(signed.marking, Style.TITLE)
    yield headline(signed)
    yield from _head(report)
    yield Line("")
    yield from drift_lines(report.drifts, DRIFTS_SHOWN, beside)
    yield from _section("Not asked", (f"{each.item}: {each.why}" for each in report.not_asked))
    yield from _section("Notes", report.notes)
    yield from _evidence(report)
    yield from _section("Out of reach of any reading over a line", words.OUT_OF_REACH)
    yield Line("Signed", Style.TITLE)
    yield Line(f"  by {', '.join(signed.signers) or 'nobody'}, entry {signed.sequence} of the record")
    yield Line(f"  sha256 {signed.sha256}", Style.FAINT)
    for command in words.how_to_verify(signed):
        yield Line(f"  verify with: {command}")
    if signed.marking:
        yield Line(signed.marking, Style.TITLE)


def _head(report: Report) -> Iterator[Line]:
    yield Line(f"  {words.said(report).headline}")
    masked, unread = (sum(getattr(item, what) for item in report.items) for what in ("masked", "unread"))
    if masked or unread:
        yield Line(f"  {unread:,} not read, {masked:,} left out by the approved mask", Style.FAINT)
    yield Line(f"  read {words.span(report)}", Style.FAINT)
    yield Line(f"  profile {report.profile} {report.profile_version}; against {words.baseline(report)}", Style.FAINT)


def _told_once(groups: Iterable[tuple[tuple[Drift, ...], int]]) -> Iterator[list[Drift]]:
    """A device that is off is one cause, not as many as it has items: below its first mention the cause is `as above`."""
    before = ""
    for drifts, most in groups:
        told = []
        for drift in drifts[:most]:
            cause, stands, members = drift.note.partition("; stands for ")
            again = drift.kind is DriftKind.UNREAD and cause != "" and cause == before
            told.append(replace(drift, note=f"as above{stands}{members}") if again else drift)
            before = cause if drift.kind is DriftKind.UNREAD else ""
        yield [*told, *drifts[most:]]


def _group(drifts: list[Drift], most: int, beside: Beside) -> Iterator[Line]:
    first = drifts[0]
    yield Line(f"{first.item} ({first.item_kind.value})", Style.TITLE)
    for drift in drifts[:most]:
        yield from _drift(drift, beside)
    if len(drifts) > most:
        yield Line(f"  and {len(drifts) - most:,} more in this item: see the JSON view", Style.DOUBT)
    named = dict.fromkeys(each for each in map(technique, drifts) if isinstance(each, Technique))
    for each in named:
        yield Line(f"  {each.release}: {each.id} {each.name}, which reading shows {each.shows.value}", Style.FAINT)
    yield Line("")


def _drift(drift: Drift, beside: Beside) -> Iterator[Line]:
    unread = drift.kind is DriftKind.UNREAD
    evidence = "" if unread else f"  [{drift.evidence.word}]"
    yield Line(f"  {drift.criticality.value:8}  {phrase(drift)}{evidence}", Style.DOUBT if unread else Style.BAD)
    if drift.note:
        yield Line(f"            {drift.note}")
    if not unread and (standing := beside.get((drift.item, drift.member))):
        yield Line(f"            {standing}", Style.FAINT)
    for line in drift.diff:
        yield Line(f"            {line}", {"+": Style.ADDED, "-": Style.REMOVED}.get(line[:1], Style.FAINT))


def _evidence(report: Report) -> Iterator[Line]:
    held = words.levels(report)
    if held:
        yield Line("What this evidence does not rule out", Style.TITLE)
    for level in held:
        said = words.EVIDENCE[level]
        yield Line(f"  {level.word} ({said.level}): {said.basis}")
        yield Line(f"    leaves open: {said.leaves_open}", Style.FAINT)
    if held:
        yield Line("")


def _section(title: str, texts: Iterable[str]) -> Iterator[Line]:
    lines = [Line(f"  {text}") for text in texts]
    if lines:
        yield Line(title, Style.TITLE)
        yield from lines
        yield Line("")
