"""A finding in words: how old it is, where it stands, who said so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from verifier.compare.finding import Place
from verifier.compare.plain import counted
from verifier.model.codec import time_text
from verifier.model.drift import Drift
from verifier.model.finding import Finding, Taken
from verifier.model.words import DriftKind
from verifier.report.phrase import phrase

NEW = timedelta(hours=1)
UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def age(since: datetime, now: datetime) -> str:
    """`12 days`, `3 hours`, `0 minutes`; a clock that went back makes nothing younger than that."""
    span = max(now - since, timedelta(0))
    unit, name = next(((unit, name) for unit, name in UNITS if span >= unit), UNITS[-1])
    return counted(span // unit, name)


def standing(finding: Finding, now: datetime) -> str:
    """`accepted, T-4711, A. Engineer`; `open`; `resolved 3 hours ago`."""
    if finding.resolved:
        return f"resolved {age(finding.resolved, now)} ago"
    if finding.standing:
        return taken_words(finding.standing)
    if finding.changed:
        return "open again: it is another drift now than the one somebody took a step on"
    return "open"


def attribution(finding: Finding) -> str:
    """Who changed it, and on whose word. A reading cannot tell."""
    said = finding.attributed
    if said is None:
        return "nobody says; a reading shows what differs, never who did it"
    return f"{said.step.changed_by}, as {', '.join(said.by)} says: a claim, which no reading proves"


def taken_words(taken: Taken) -> str:
    """`accepted, T-4711, A. Engineer`"""
    return ", ".join(filter(None, (taken.step.state, taken.step.ticket, *taken.by)))


def beside(finding: Finding, now: datetime) -> str:
    """`3f2a91c0  since 12 days; accepted, T-4711, A. Engineer`; of one seen once, and just now: `3f2a91c0  new; open`."""
    seen = "new" if finding.times == 1 and now - finding.since < NEW else f"since {age(finding.since, now)}"
    return f"{finding.name}  {seen}; {standing(finding, now)}"


def standings(findings: Iterable[Finding], sequence: int, now: datetime) -> dict[Place, str]:
    """What stands beside each drift of the report with this number. One of an earlier life was resolved in between."""
    return {
        (each.item, each.member): beside(each, now)
        if each.first_report <= sequence
        else f"{each.name}  was resolved, and came back {age(each.since, now)} ago"
        for each in findings
    }


def document(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it."""
    return {
        "id": finding.id,
        "device": str(finding.device),
        "item": finding.item,
        "member": finding.member,
        "kind": finding.kind,
        "criticality": finding.criticality,
        "state": finding.state,
        "since": time_text(finding.since),
        "last": time_text(finding.last),
        "times": finding.times,
        "first_report": finding.first_report,
        "last_report": finding.last_report,
        "resolved": time_text(finding.resolved) if finding.resolved else None,
        "changed": finding.changed,
        "drift": finding.digest,
        "in_words": phrase(finding.drift),
        "by": list(finding.standing.by) if finding.standing else [],
        "ticket": finding.standing.step.ticket if finding.standing else "",
        "reason": finding.standing.step.reason if finding.standing else "",
        "attribution": {
            "kind": "claimed" if finding.attributed else "none",
            "who": finding.attributed.step.changed_by if finding.attributed else "",
            "by": list(finding.attributed.by) if finding.attributed else [],
        },
        "steps": [
            {
                "entry": each.sequence,
                "state": each.step.state,
                "reason": each.step.reason,
                "ticket": each.step.ticket,
                "at": time_text(each.step.at),
                "by": list(each.by),
                "drift": each.step.drift,
                "proposal": each.step.proposal,
            }
            for each in finding.steps
        ],
    }


def documents(drifts: Iterable[Drift], findings: Iterable[Finding]) -> list[dict[str, Any] | None]:
    """The finding of each drift of a report, in their order; null for one that has none, since nothing was read."""
    by_place = {(each.item, each.member): each for each in findings}
    found = (None if drift.kind is DriftKind.UNREAD else by_place.get((drift.item, drift.member)) for drift in drifts)
    return [document(each) if each else None for each in found]
