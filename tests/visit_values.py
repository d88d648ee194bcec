"""Visits written short, for tests of values."""

from __future__ import annotations

from datetime import timedelta

from tests.compare_values import DEVICE, WHEN, nothing_kept, sha
from verifier.compare.visit import Outcomes, outcomes
from verifier.model.snapshot import Snapshot
from verifier.model.visit import (
    Check,
    Expectation,
    InForceThen,
    NotReached,
    Side,
    VisitApproved,
    VisitClosed,
    VisitOpened,
)

OFF = NotReached("unreachable", WHEN)


def expects(member: str, value: str = "", item: str = "*") -> Expectation:
    return Expectation(DEVICE, item, member, value)


def became(before: Snapshot | NotReached, after: Snapshot | NotReached, *expected: Expectation) -> Outcomes:
    return outcomes(Side(DEVICE, before), Side(DEVICE, after), expected, nothing_kept)


def opening(before: Snapshot | NotReached = OFF, *expected: Expectation) -> VisitOpened:
    return VisitOpened(
        "Crane Drives Ltd",
        ("V. Fitter",),
        "WO-17",
        "firmware 3.10.9",
        expected,
        (Side(DEVICE, before),),
        (InForceThen(DEVICE, 1, sha("baseline")),),
        (Check("Seals whole?", "yes"),),
        WHEN,
        WHEN + timedelta(hours=8),
        "crane-verify 0.1.0",
    )


def closing(before: Snapshot | NotReached = OFF, after: Snapshot | NotReached = OFF, *expected: Expectation) -> VisitClosed:
    came = became(before, after, *expected)
    return VisitClosed(
        sha("opened"),
        (Side(DEVICE, after),),
        (InForceThen(DEVICE, 1, sha("baseline")),),
        came.differences,
        came.absent,
        came.untold,
        (),
        (Check("Seals whole?", "no", "left door", (sha("photo"),)),),
        WHEN + timedelta(hours=1),
        "crane-verify 0.1.0",
    )


def approval(*accepted: str, refused: tuple[str, ...] = ()) -> VisitApproved:
    return VisitApproved(sha("closed"), accepted, refused, "as ordered", WHEN + timedelta(hours=2))
