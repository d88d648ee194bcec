"""From drifts to a verdict, from verdicts to an exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from verifier.model.drift import Drift
from verifier.model.report import Coverage
from verifier.model.words import DriftKind, Verdict


def verdict(drifts: Iterable[Drift], coverage: Coverage) -> Verdict:
    """`drift` if anything is known to differ, `match` only if everything that should have been compared was, and is equal.

    Not reading is not agreeing, and a comparison of nothing agrees with nothing: both are `undetermined`.
    """
    kinds = {drift.kind for drift in drifts}
    if kinds - {DriftKind.UNREAD}:
        return Verdict.DRIFT
    if kinds or coverage.compared == 0 or coverage.compared < coverage.expected:
        return Verdict.UNDETERMINED
    return Verdict.MATCH


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """The gravest of several verdicts: 5 not trusted, 3 drift, 4 could not tell, 0 match. No verdict at all is no match: 4."""
    codes = {_code(each) for each in verdicts}
    return next((code for code in (5, 3, 4, 0) if code in codes), 4)


def _code(each: Verdict) -> int:
    match each:
        case Verdict.MATCH:
            return 0
        case Verdict.DRIFT:
            return 3
        case Verdict.UNDETERMINED:
            return 4
        case Verdict.UNTRUSTED:
            return 5
        case _:
            assert_never(each)
