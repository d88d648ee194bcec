"""What a statement about a visit is about, and why one makes no sense."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from verifier.model.manifest import manifest_sha256
from verifier.model.snapshot import Snapshot
from verifier.model.visit import NotReached, Outcome, Side, VisitApproved, VisitClosed, VisitOpened


def side_subjects(sides: Iterable[Side], nothing_read: str) -> tuple[tuple[str, str], ...]:
    """Each item of each device with the digest of its readings; the device itself, with `nothing_read`, where there is none."""
    found: list[tuple[str, str]] = []
    for side in sides:
        items = side.seen.items if isinstance(side.seen, Snapshot) else ()
        found += [(f"{side.device}#{item.name}", manifest_sha256(item)) for item in items] or [(str(side.device), nothing_read)]
    return tuple(found)


def opened_refusal(visit: VisitOpened) -> str:
    """Why nobody signs or believes this opening; empty: it makes sense."""
    if not visit.sides:
        return "the visit is to no device"
    said = {"vendor": visit.vendor, "work order": visit.work_order, "why": visit.why, "people": " ".join(visit.people)}
    if silent := [what for what, words in said.items() if not words.strip()]:
        return f"the visit does not say: {', '.join(silent)}"
    if visit.overdue_at <= visit.at:
        return "the visit is overdue before it begins"
    devices = set(visit.devices)
    if stranger := next((each for each in visit.expected if each.device not in devices), None):
        return f"the visit expects a change of {stranger.device}, which it is not to"
    return _sides_refusal(visit.sides) or _twice(str(each.device) for each in visit.baselines)


def closed_refusal(visit: VisitClosed) -> str:
    """Why nobody signs or believes this closing; empty: it makes sense."""
    reached = {side.device for side in visit.sides if not isinstance(side.seen, NotReached)}
    for each in visit.differences:
        if each.device not in reached:
            return f"a difference of {each.device}, which was not read after the visit"
        if (each.outcome is Outcome.UNDECLARED) != (each.expectation is None) or each.outcome is Outcome.ABSENT:
            return f"a difference that is {each.outcome}, with {each.expectation or 'no expectation'}"
    return _sides_refusal(visit.sides) or _twice(each.id for each in visit.differences)


def approved_refusal(visit: VisitApproved) -> str:
    """Why nobody signs or believes this approval; empty: it makes sense."""
    if not visit.reason.strip():
        return "the approval gives no reason"
    return _twice((*visit.accepted, *visit.refused))


def _sides_refusal(sides: Sequence[Side]) -> str:
    for side in sides:
        if isinstance(side.seen, Snapshot) and side.seen.device != side.device:
            return f"what was read of {side.seen.device} stands under {side.device}"
    return _twice(str(side.device) for side in sides)


def _twice(names: Iterable[str]) -> str:
    return next((f"{name} stands twice in the visit" for name, count in Counter(names).items() if count > 1), "")
