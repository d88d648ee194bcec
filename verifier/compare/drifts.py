"""The baseline against what was found, both ways."""

from __future__ import annotations

from typing import assert_never

from verifier.compare.describe import described
from verifier.compare.items import GRAVEST_FIRST, Levels, criticality, gravest, pairs
from verifier.compare.plain import plain
from verifier.compare.profile import profile_drifts
from verifier.compare.textdiff import Texts, text_diff
from verifier.compare.values import Known, remark
from verifier.compare.walk import Changed, Missing, NotRead, Outcome, TwoAnswers, Unexpected
from verifier.model.drift import Difference, Drift
from verifier.model.snapshot import Disagreement, FileValue, ItemSnapshot, Reading, Snapshot
from verifier.model.words import DriftKind

DIFFS = 200
"""Members whose texts are shown line by line; a further one says that it is not."""


def compare(approved: Snapshot, found: Snapshot, texts: Texts) -> tuple[Drift, ...]:
    """Every difference between the approved snapshot and the one found, gravest first, then in the order of items and members.

    `texts` gives the redacted text kept under a digest (`FileValue.kept`), or None where it is not kept here.

    Empty when both are the same, every member was read and no two routes disagree. The approved masks and criticalities are
    the ones that apply. An unread folder or item is one drift that says for how many members it stands.

    Raises:
        ValueError: the two are of different devices, or a side names an item or a member twice.
    """
    drifts = list(profile_drifts(approved, found))
    diffs = _Diffs(texts)
    for item, _, walked in pairs(approved, found):
        of = criticality(item)
        of_item = [_drift(item, of, outcome, diffs) for outcome in walked.outcomes]
        drifts += sorted(of_item, key=lambda drift: (drift.member, drift.kind, drift.note))
    # sorting is stable: within one criticality the items keep their order
    return tuple(sorted(drifts, key=lambda drift: GRAVEST_FIRST.index(drift.criticality)))


class _Diffs:
    """Line-by-line differences, as long as there are not too many of them. Lives for one comparison."""

    def __init__(self, texts: Texts) -> None:
        self._texts, self._left = texts, DIFFS

    def of(self, approved: Known, found: Known) -> tuple[str, ...]:
        if not isinstance(approved, FileValue) or not isinstance(found, FileValue):
            return ()
        if not self._left:
            return (f"\\ not shown: {DIFFS} members are shown line by line already",) if approved.kept and found.kept else ()
        lines = text_diff(approved.kept, found.kept, self._texts)
        self._left -= bool(lines)
        return lines


def _drift(item: ItemSnapshot, of: Levels, outcome: Outcome, diffs: _Diffs) -> Drift:
    match outcome:
        case Changed(member, approved, found, evidence, differences):
            diff = diffs.of(approved, found)
            note = _remark(item, approved, found)
            return Drift(DriftKind.CHANGED, item.name, item.kind, of(member), member, evidence, differences, note, diff)
        case Missing(Reading(member, value, evidence)):
            was = (Difference("approved", described(value), ""),)
            return Drift(DriftKind.MISSING, item.name, item.kind, of(member), member, evidence, was)
        case Unexpected(Reading(member, value, evidence)):
            now = (Difference("found", "", described(value)),)
            return Drift(DriftKind.UNEXPECTED, item.name, item.kind, of(member), member, evidence, now)
        case TwoAnswers(member, answers, evidence, when_approved):
            both = (_answers(answers),)
            note = "two answers stand in the baseline itself: approve a new one" if when_approved else ""
            return Drift(DriftKind.DISAGREEING, item.name, item.kind, of(member), member, evidence, both, note)
        case NotRead(member, why, evidence, _, examples):
            return Drift(DriftKind.UNREAD, item.name, item.kind, gravest(of, outcome), member, evidence, examples, why)
        case _:
            assert_never(outcome)


def _answers(answers: Disagreement) -> Difference:
    first = f"{answers.first_route}: {plain(answers.first)}"
    return Difference("answers", first, f"{answers.second_route}: {plain(answers.second)}")


def _remark(item: ItemSnapshot, approved: Known, found: Known) -> str:
    words = [remark(item.kind, approved, found)]
    if isinstance(approved, FileValue) and isinstance(found, FileValue) and approved.kept and approved.kept == found.kept:
        words.append("the difference lies in what the profile redacts or normalises, or beside the text")
    for when, value in (("when approved", approved), ("now", found)):
        if isinstance(value, FileValue) and value.not_normal:
            words.append(f"the bytes are compared, since {when} it could not be normalised: {plain(value.not_normal)}")
    return "; ".join(word for word in words if word)
