"""What verdicts, kinds of drift and evidence mean, in sentences. Every view takes its words from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from verifier.model.report import Coverage, Report
from verifier.model.words import DriftKind, Evidence, Verdict
from verifier.report.signed import SignedReport


@dataclass(frozen=True, slots=True)
class VerdictWords:
    title: str
    headline: str
    may: str
    """What a reader may conclude."""
    must_not: str
    """What a reader must not."""


VERDICTS: Mapping[Verdict, VerdictWords] = {
    Verdict.MATCH: VerdictWords(
        "match",
        "everything that should be compared is as approved",
        "When it was read, every compared member was equal to the approved baseline, at the evidence shown.",
        "That nothing is wrong beyond what this evidence can show, or that it is still so now.",
    ),
    Verdict.DRIFT: VerdictWords(
        "drift",
        "the device is not what was approved",
        "The members listed here were not as approved when they were read.",
        "Who changed them, or why: the state of a device names no author. Nor that it was meant ill.",
    ),
    Verdict.UNDETERMINED: VerdictWords(
        "could not tell",
        "not everything that should be compared could be read",
        "What was compared is as approved. What is listed here was not read, or not well enough.",
        "That the device matches, and as little that it was changed. Not reading is not agreeing.",
    ),
    Verdict.UNTRUSTED: VerdictWords(
        "not trusted",
        "the baseline cannot be trusted, so nothing was compared",
        "The baseline did not hold: its signatures, serial, device or bytes are not what they must be, or it was withdrawn.",
        "Anything about the device. It was not asked.",
    ),
}
NO_MATCH = VerdictWords(
    "could not tell",
    "what was compared is as approved, and that is no match: the notes say why",
    "When it was read, every compared member was equal to the approved baseline.",
    "That the device matches: what it was compared with has run out, or says too little of it.",
)


def said(report: Report) -> VerdictWords:
    """What its verdict means, for this report: that all was read and it is no match all the same, has words of its own."""
    whole = 0 < report.coverage.expected == report.coverage.compared
    return NO_MATCH if report.verdict is Verdict.UNDETERMINED and whole and not report.drifts else VERDICTS[report.verdict]


DRIFT_KINDS: Mapping[DriftKind, str] = {
    DriftKind.CHANGED: "is not as approved",
    DriftKind.MISSING: "was approved and is gone",
    DriftKind.UNEXPECTED: "was found and never approved",
    DriftKind.UNREAD: "was not read, so nothing is known of it",
    DriftKind.DISAGREEING: "gave two answers to two ways of asking",
}


@dataclass(frozen=True, slots=True)
class EvidenceWords:
    level: str
    basis: str
    leaves_open: str
    """What it does not rule out."""


EVIDENCE: Mapping[Evidence, EvidenceWords] = {
    Evidence.STATED: EvidenceWords("E0", "a person typed it in", "anything"),
    Evidence.CLAIMED: EvidenceWords(
        "E1", "the device states a version, an id or a value", "a forged answer; the same version with changed code"
    ),
    Evidence.DEVICE_HASH: EvidenceWords(
        "E2",
        "the device states a checksum, a signature or a hash of its own",
        "collisions, a device that lies, and what its sum does not cover",
    ),
    Evidence.CONTENT: EvidenceWords(
        "E3",
        "the bytes the device served were hashed here",
        "a kernel or firmware that serves clean copies; a change in memory only",
    ),
    Evidence.CROSS_CHECKED: EvidenceWords("E4", "two independent routes agree", "a compromise below both routes"),
    Evidence.OFFLINE_MEDIA: EvidenceWords(
        "E5",
        "the memory card or image was read on a clean computer with the device off",
        "a change in memory only; a hardware implant",
    ),
}

OUT_OF_REACH = (
    "a change in working memory only",
    "a kernel or firmware that serves clean copies of changed files",
    "a hardware implant",
    "a command sent over the network that leaves no trace in what is stored",
)
"""What no remote reading settles. Every report lists it."""


def levels(report: Report) -> tuple[Evidence, ...]:
    """The evidence levels this report rests on, weakest first."""
    of_items = {item.weakest for item in report.items if item.read}
    return tuple(sorted(of_items | {drift.evidence for drift in report.drifts if drift.kind is not DriftKind.UNREAD}))


def coverage(of: Coverage) -> str:
    """`1,204 of 1,204 members compared (100 %)`."""
    if not of.expected:
        return "nothing was compared"
    return f"{of.compared:,} of {of.expected:,} members compared ({percent(of)})"


def percent(of: Coverage) -> str:
    """Rounded down, so that only all of it is `100 %`."""
    tenths = of.compared * 1000 // of.expected if of.expected else 0
    return f"{tenths // 10} %" if tenths % 10 == 0 else f"{tenths / 10} %"


def moment(of: datetime) -> str:
    """A time for people, to the second: `2026-11-22 06:00:00 UTC`."""
    return of.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(report: Report) -> str:
    """When the device was read: `2026-11-22 06:00:00 to 06:00:12 UTC`."""
    first, last = (moment(each).removesuffix(" UTC") for each in (report.started, report.ended))
    day, _, time = last.partition(" ")
    return f"{first} to {time if first.startswith(day) else last} UTC"


def baseline(report: Report) -> str:
    """Which baseline, in words: `baseline 3, approved by R. Mori (engineer), ...`."""
    if not report.baseline.sha256:
        return "no baseline that can be trusted"
    return f"baseline {report.baseline.serial}, approved by {', '.join(report.baseline.approved_by)}"


def how_to_verify(signed: SignedReport) -> tuple[str, ...]:
    """The commands with which anybody who has the workspace proves this report."""
    return (f"crane-verify report verify {signed.sequence}", "crane-verify log verify")
