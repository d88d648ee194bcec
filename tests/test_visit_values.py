"""Visits as values: one outcome for every difference, nothing hidden by what was declared, and what nobody signs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compare_values import (
    DEVICE,
    WHEN,
    disagreements,
    file,
    files,
    item,
    known,
    nothing_kept,
    reading,
    sha,
    snapshot,
    snapshots,
    unreads,
)
from tests.visit_values import OFF, approval, became, closing, expects, opening
from verifier.compare.drifts import compare
from verifier.compare.visit import already_drifted, outcomes
from verifier.errors import TrustError
from verifier.model.device import DeviceName
from verifier.model.finding import finding_id
from verifier.model.snapshot import Disagreement, FactValue, NumberValue, Snapshot, Unread, Value, WordValue
from verifier.model.visit import GONE, Expectation, InForceThen, Outcome, Side
from verifier.model.words import DriftKind, Evidence, FileType, Reason
from verifier.record.row import row_of
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.statement import VISIT_APPROVED, VISIT_CLOSED, VISIT_OPENED, StatementKind, T, read, written

OTHER = DeviceName("terminal-2", "STS-01", "card")
anything = snapshots(known | unreads | disagreements)
patterns = st.sampled_from(["*", "**", "/a", "/a/**", "/x", "eth0", "firmware", "profile", "interfaces"])
declared = st.builds(expects, patterns, st.sampled_from(["", "", GONE, "up", "50.0", "2", sha("a"), sha("b")]), patterns)
declarations = st.lists(declared, max_size=4)
GAP = reading("/a", Unread(Reason.DENIED), Evidence.CLAIMED)


@given(anything, anything, declarations)
def test_every_difference_has_one_outcome_and_nothing_is_lost(
    before: Snapshot, after: Snapshot, expected: list[Expectation]
) -> None:
    came = became(before, after, *expected)
    drifts = compare(before, after, nothing_kept)
    assert Counter([*(each.drift for each in came.differences), *(each.drift for each in came.untold)]) == Counter(drifts)
    assert all(each.drift.kind is DriftKind.UNREAD for each in came.untold)
    assert len({each.id for each in came.differences}) == len(came.differences)
    for each in came.differences:
        assert (each.outcome is Outcome.UNDECLARED) == (each.expectation is None)
        assert each.outcome is not Outcome.ABSENT
    read(VISIT_CLOSED, written(VISIT_CLOSED, closing(before, after, *expected)))


@given(anything, anything, declarations)
def test_what_is_declared_of_another_device_declares_nothing(
    before: Snapshot, after: Snapshot, expected: list[Expectation]
) -> None:
    elsewhere = [replace(each, device=OTHER) for each in expected]
    assert became(before, after, *elsewhere) == became(before, after)
    assert all(each.outcome is Outcome.UNDECLARED for each in became(before, after).differences)


@given(anything, anything, declarations, declared)
def test_one_more_expectation_changes_nothing_that_it_is_not_about(
    before: Snapshot, after: Snapshot, expected: list[Expectation], more: Expectation
) -> None:
    without, beside = became(before, after, *expected), became(before, after, *expected, more)
    for one, other in zip(without.differences, beside.differences, strict=True):
        if more != other.expectation:
            assert (one.drift, one.expectation) == (other.drift, other.expectation)
            assert one.outcome == other.outcome or (one.outcome, other.outcome) == (Outcome.MATCHED, Outcome.DIFFERENT)


@given(snapshots(), anything, declarations)
def test_a_device_that_was_not_reached_has_no_difference_at_all(
    before: Snapshot, after: Snapshot, expected: list[Expectation]
) -> None:
    for came in (became(OFF, after, *expected), became(before, OFF, *expected), became(OFF, OFF, *expected)):
        assert (*came.differences, *came.untold) == ()
        assert [each.expectation for each in came.absent] == expected
        assert all("could not be read" in each.why for each in came.absent)


@given(snapshots(), declarations)
def test_what_was_there_before_the_visit_is_not_blamed_on_it(before: Snapshot, expected: list[Expectation]) -> None:
    came = became(before, before, *expected)
    assert (*came.differences, *came.untold) == ()
    # what may change in any way and did not is absent; what has a value is as declared, or absent
    assert {each for each in expected if not each.value} <= {each.expectation for each in came.absent}


def test_drift_of_before_is_told_beside() -> None:
    approved, before = snapshot(files(a="old")), snapshot(files(a="new"))
    (found,) = already_drifted(approved, Side(DEVICE, before), nothing_kept)
    assert (found.device, found.drift.member) == (DEVICE, "/a")
    assert already_drifted(approved, Side(DEVICE, OFF), nothing_kept) == ()


def test_a_side_of_another_device_is_refused() -> None:
    with pytest.raises(ValueError, match="says nothing about"):
        outcomes(Side(DEVICE, OFF), Side(OTHER, OFF), (), nothing_kept)


def told(*expected: Expectation, before: Snapshot, after: Snapshot) -> dict[str, Outcome]:
    return {each.drift.member: each.outcome for each in became(before, after, *expected).differences}


def test_the_four_outcomes() -> None:
    before = snapshot(files(app="1", driver="1", extra="1", same="1"))
    after = snapshot(files(app="2", driver="3", extra="2", same="1"))
    expected = (expects("/app", sha("2")), expects("/driver", sha("2")), expects("/same"))
    came = became(before, after, *expected)
    assert told(*expected, before=before, after=after) == {
        "/app": Outcome.MATCHED,
        "/driver": Outcome.DIFFERENT,
        "/extra": Outcome.UNDECLARED,
    }
    assert [(each.expectation.member, each.why) for each in came.absent] == [("/same", "nothing changed there")]
    assert str(expected[0]) == f"{DEVICE}#*#/app={sha('2')}"
    assert came.differences[0].id == finding_id(DEVICE, "firmware", "/app")
    assert came.differences[0].name == came.differences[0].id[:8]


def test_a_digest_declares_bytes_and_no_rights() -> None:
    before = snapshot(item(reading("/app", file("1"))))
    expected = expects("/app", sha("2"))
    for facets in ({"mode": 0o4755}, {"mode": 0o666}, {"owner": 7}, {"type": FileType.BLOCK}):
        after = snapshot(item(reading("/app", replace(file("2"), **facets))))
        assert told(expected, before=before, after=after) == {"/app": Outcome.DIFFERENT}, facets
        # neither does it, where the same member may change in any way
        assert told(expects("/app"), expected, before=before, after=after) == {"/app": Outcome.DIFFERENT}, facets
        assert told(expects("/app"), before=before, after=after) == {"/app": Outcome.MATCHED}


@pytest.mark.parametrize(("mode", "outcome"), [(0o755, Outcome.MATCHED), (0o4755, Outcome.DIFFERENT), (0o777, Outcome.DIFFERENT)])
def test_a_new_file_as_declared(mode: int, outcome: Outcome) -> None:
    after = snapshot(item(reading("/app", file("2", mode=mode))))
    assert told(expects("/app", sha("2")), before=snapshot(files()), after=after) == {"/app": outcome}


def test_a_new_link_as_declared() -> None:
    link = file(type=FileType.SYMLINK, mode=0o777, sha256="", target="app-2")
    expected = expects("/app", "app-2")
    assert told(expected, before=snapshot(files()), after=snapshot(item(reading("/app", link)))) == {"/app": Outcome.MATCHED}


def test_a_value_stands_for_exactly_its_member() -> None:
    before, after = snapshot(files(**{"a": "1", "a/b": "1"})), snapshot(files(**{"a": "2", "a/b": "2"}))
    assert told(expects("/a", sha("2")), before=before, after=after) == {"/a": Outcome.MATCHED, "/a/b": Outcome.UNDECLARED}
    assert told(expects("/a"), before=before, after=after) == {"/a": Outcome.MATCHED, "/a/b": Outcome.MATCHED}


VALUES: tuple[tuple[Value, Value, str], ...] = (
    (FactValue("up"), FactValue("down now"), "down now"),
    (NumberValue((500,), "50.0", "t"), NumberValue((620,), "62.0", "t"), "62.0"),
    (NumberValue((500,), "50.0", "t"), NumberValue((620,), "62.0", "t"), "62.0 t"),
    (WordValue(1), WordValue(2), "2"),
)


@pytest.mark.parametrize(("before", "after", "value"), VALUES)
def test_values_are_declared_as_reports_print_them(before: Value, after: Value, value: str) -> None:
    sides = [snapshot(item(reading("x", each))) for each in (before, after)]
    assert told(expects("x", value), before=sides[0], after=sides[1]) == {"x": Outcome.MATCHED}
    assert told(expects("x", "9"), before=sides[0], after=sides[1]) == {"x": Outcome.DIFFERENT}
    # one that is as declared already needs no change; one that is not is absent
    assert became(sides[1], sides[1], expects("x", value)).absent == ()
    (absent,) = became(sides[0], sides[0], expects("x", value)).absent
    assert "as before" in absent.why


def test_a_file_that_is_to_go() -> None:
    there, gone = snapshot(files(old="1", other="1")), snapshot(files(other="1"))
    assert told(expects("/old", GONE), before=there, after=gone) == {"/old": Outcome.MATCHED}
    assert told(expects("/old", sha("2")), before=there, after=gone) == {"/old": Outcome.DIFFERENT}
    assert told(expects("/other", GONE), before=there, after=snapshot(files(old="1", other="2"))) == {"/other": Outcome.DIFFERENT}
    assert became(gone, gone, expects("/old", GONE)).absent == ()
    (absent,) = became(there, there, expects("/old", GONE)).absent
    assert "as before" in absent.why
    (absent,) = became(gone, gone, expects("/old", sha("2"))).absent
    assert absent.why == "it is not there, as before"
    (absent,) = became(gone, gone, expects("/old", GONE, item="nothing")).absent
    assert absent.why == "it is not there, as before"


def test_two_answers_are_never_as_declared() -> None:
    after = snapshot(item(reading("/a", Disagreement("sftp", "1", "shell", "2"))))
    for expected in (expects("/a"), expects("/a", "2")):
        assert told(expected, before=snapshot(files(a="1")), after=after) == {"/a": Outcome.DIFFERENT}


@pytest.mark.parametrize("expected", [expects("/a"), expects("/a", sha("2")), expects("/a", GONE)])
def test_what_was_not_read_is_neither_matched_nor_silently_absent(expected: Expectation) -> None:
    came = became(snapshot(files(a="1")), snapshot(item(GAP)), expected)
    assert came.differences == ()
    assert len(came.untold) == 1
    (absent,) = came.absent
    assert absent.why.startswith("nobody can tell: firmware:")
    # a gap elsewhere is no excuse for a value that is known
    (absent,) = became(snapshot(item(GAP)), snapshot(item(GAP)), expects("/b", sha("2"))).absent
    assert absent.why == "it is not there, as before"


def test_another_profile_is_never_declared() -> None:
    before = snapshot(files(a="1"))
    after = replace(before, profile_digest=sha("another"))
    assert told(expects("*"), expects("**"), before=before, after=after) == {"digest": Outcome.UNDECLARED}


def test_two_values_for_one_member_are_never_both_right() -> None:
    before, after = snapshot(files(a="1")), snapshot(files(a="2"))
    assert told(expects("/a", sha("2")), expects("/a", sha("3")), before=before, after=after) == {"/a": Outcome.DIFFERENT}


# As statements


@given(snapshots(), snapshots(), declarations)
def test_statements_of_a_visit_are_read_as_they_were_written(
    before: Snapshot, after: Snapshot, expected: list[Expectation]
) -> None:
    opened, closed = opening(before, *expected), closing(before, after, *expected)
    assert read(VISIT_OPENED, written(VISIT_OPENED, opened)) == opened
    assert read(VISIT_CLOSED, written(VISIT_CLOSED, closed)) == closed
    assert opened.devices == (DEVICE,)


def test_rows_name_what_a_visit_goes_on_with() -> None:
    named(VISIT_OPENED, opening(), "")
    named(VISIT_CLOSED, closing(), sha("opened"))
    named(VISIT_APPROVED, approval(sha("a")), sha("closed"))


def named(kind: StatementKind[T], value: T, names: str) -> None:
    row = row_of(3, seal(written(kind, value), PAYLOAD_TYPE, ()))
    assert (row.kind, row.device, row.names, row.at) == (kind.word, None, names, kind.at(value))
    assert kind.previous(value) == ()


def refused(kind: StatementKind[T], value: T) -> str:
    with pytest.raises(TrustError) as caught:
        written(kind, value)
    return str(caught.value)


def test_an_opening_that_makes_no_sense() -> None:
    whole = opening(snapshot(files(a="1")))
    written(VISIT_OPENED, whole)
    assert "no device" in refused(VISIT_OPENED, replace(whole, sides=()))
    assert "does not say: why" in refused(VISIT_OPENED, replace(whole, why=" "))
    assert "vendor, people" in refused(VISIT_OPENED, replace(whole, vendor="", people=("",)))
    assert "work order" in refused(VISIT_OPENED, replace(whole, work_order=""))
    assert "overdue before" in refused(VISIT_OPENED, replace(whole, overdue_at=WHEN))
    assert "which it is not to" in refused(VISIT_OPENED, replace(whole, expected=(Expectation(OTHER, "*", "*"),)))
    assert "twice" in refused(VISIT_OPENED, replace(whole, sides=whole.sides * 2))
    assert "twice" in refused(VISIT_OPENED, replace(whole, baselines=(InForceThen(DEVICE, 1, ""),) * 2))
    assert "stands under" in refused(VISIT_OPENED, replace(whole, sides=(Side(OTHER, whole.sides[0].seen),)))


def test_a_closing_that_makes_no_sense() -> None:
    whole = closing(snapshot(files(a="1")), snapshot(files(a="2")), expects("/a"))
    (found,) = whole.differences
    assert "not read after" in refused(VISIT_CLOSED, replace(whole, sides=(Side(DEVICE, OFF),)))
    assert "no expectation" in refused(VISIT_CLOSED, replace(whole, differences=(replace(found, expectation=None),)))
    assert "undeclared" in refused(VISIT_CLOSED, replace(whole, differences=(replace(found, outcome=Outcome.UNDECLARED),)))
    assert "absent" in refused(VISIT_CLOSED, replace(whole, differences=(replace(found, outcome=Outcome.ABSENT),)))
    assert "twice" in refused(VISIT_CLOSED, replace(whole, differences=(found, found)))
    assert "twice" in refused(VISIT_CLOSED, replace(whole, sides=whole.sides * 2))


def test_an_approval_that_makes_no_sense() -> None:
    assert "no reason" in refused(VISIT_APPROVED, replace(approval(sha("a")), reason=""))
    assert "twice" in refused(VISIT_APPROVED, approval(sha("a"), refused=(sha("a"),)))


def test_what_is_masked_and_not_read_is_not_as_declared() -> None:
    masked = snapshot(item(GAP, volatile=("/a",)))
    (absent,) = became(masked, masked, expects("/a", sha("2"))).absent
    assert absent.why == "it is unread (permission denied), as before"
