"""Findings as values: when one begins, goes on and is resolved, and which step decides; and the baseline of who accepts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compare_values import (
    DEVICE,
    WHEN,
    disagreements,
    file,
    item,
    known,
    nothing_kept,
    reading,
    snapshot,
    snapshots,
    unreads,
)
from tests.report_values import after_the_visit, approved, report, untrusted
from verifier.compare.accepted import refusal, replaced, with_accepted
from verifier.compare.drifts import compare
from verifier.compare.finding import Place, Sight, drift_sha256, findings_of, needed, sight
from verifier.errors import TrustError
from verifier.model.drift import Difference, Drift
from verifier.model.finding import SHOWN, Finding, FindingStep, State, Taken, finding_id
from verifier.model.snapshot import Disagreement, Snapshot, Unread
from verifier.model.words import Criticality, DriftKind, Evidence, Kind, Reason
from verifier.report.finding import age, beside, documents, standing, standings
from verifier.trust.statement import FINDING, read, written

PLACES: tuple[Place, ...] = (("files", "/etc"), ("files", "/etc/hosts"), ("limits", "trip"))
GAPS: tuple[Place, ...] = (("files", "*"), ("files", "/"), ("files", "/etc"), ("limits", "*"), ("limits", "other"))


def drift(place: Place = PLACES[2], now: str = "62.0 t", kind: DriftKind = DriftKind.CHANGED) -> Drift:
    differences = (Difference("value", "50.0 t", now),)
    return Drift(kind, place[0], Kind.PARAMETER, Criticality.CRITICAL, place[1], Evidence.CLAIMED, differences)


def seen(number: int, *drifts: Drift, unread: tuple[Place, ...] = (), tells: bool = True) -> Sight:
    """What the check of this night showed."""
    shown = {(each.item, each.member): each for each in drifts}
    return Sight(number, f"{number:064x}", WHEN + timedelta(days=number), shown, unread, tells)


def step(number: int, on: Sight, about: Drift, state: State = State.ACCEPTED) -> Taken:
    """A step that was recorded as this entry."""
    value = FindingStep(
        DEVICE, about.item, about.member, drift_sha256(about), on.sha256, state, "brake pads changed", on.at, "T-4711", ""
    )
    return Taken(number, value, ("A. Engineer",))


def only(*sights: Sight, steps: Sequence[Taken] = ()) -> Finding:
    (found,) = findings_of(DEVICE, sights, steps)
    return found


# What a drift is


def test_a_drift_is_its_kind_and_its_differences() -> None:
    same = replace(drift(), evidence=Evidence.CONTENT, note="another note", diff=("+x",), criticality=Criticality.LOW)
    assert drift_sha256(same) == drift_sha256(drift())
    others = [drift(now="63.0 t"), drift(kind=DriftKind.DISAGREEING), replace(drift(), differences=())]
    assert len({drift_sha256(each) for each in (drift(), *others)}) == 4


def test_the_digest_of_a_drift_is_this_one_for_ever() -> None:
    said = b'["changed",["value","50.0 t","62.0 t"]]'
    assert drift_sha256(drift()) == hashlib.sha256(said).hexdigest()


def test_an_id_is_over_device_item_and_member() -> None:
    name = finding_id(DEVICE, "settings", "/etc/hosts")
    assert name != finding_id(DEVICE, "settings", "/etc/host")
    found = only(seen(0, drift()))
    assert found.id == finding_id(DEVICE, "limits", "trip")
    assert found.name == found.id[:SHOWN]


def test_what_is_unread_is_no_finding_and_settles_none() -> None:
    before = snapshot(item(reading("/etc/hosts", file()), name="settings"))
    off = snapshot(item(reading("*", Unread(Reason.UNREACHABLE)), name="settings"))
    night = sight(4, "ab" * 32, report(before, off))
    assert (night.sequence, night.sha256, night.drifts, night.unread) == (4, "ab" * 32, {}, (("settings", "*"),))
    assert not night.settles(("settings", "/etc/hosts"))
    assert not night.complete
    assert night.tells


def test_a_report_shows_what_differs_and_what_was_not_read() -> None:
    visit = report(approved(), after_the_visit())
    night = sight(4, "ab" * 32, visit)
    assert set(night.drifts.values()) | {e for e in visit.drifts if e.kind is DriftKind.UNREAD} == set(visit.drifts)
    assert {(e.item, e.member) for e in visit.drifts} == night.drifts.keys() | set(night.unread)
    assert (night.at, night.tells, night.complete) == (visit.ended, True, False)


def test_a_check_whose_baseline_was_not_trusted_tells_nothing() -> None:
    night = sight(0, "ab" * 32, untrusted().report)
    assert not night.tells
    assert not night.complete
    assert not night.settles(PLACES[0])


@pytest.mark.parametrize(
    ("gap", "covered"),
    [
        (("files", "*"), [True, True, False]),
        (("files", "/"), [True, True, False]),
        (("files", "/etc"), [True, True, False]),
        (("files", "/etc/hosts"), [False, True, False]),
        (("files", "/et"), [False, False, False]),
        (("limits", "*"), [False, False, True]),
        (("limits", "tri"), [False, False, False]),
    ],
)
def test_a_gap_covers_what_lies_in_it(gap: Place, covered: list[bool]) -> None:
    night = seen(0, unread=(gap,))
    assert [not night.settles(place) for place in PLACES] == covered


# A life


def test_a_drift_of_twelve_nights_is_one_finding() -> None:
    nights = [seen(number, drift()) for number in range(3, 15)]
    found = only(*nights)
    assert (found.state, found.times, found.first_report, found.last_report) == (State.OPEN, 12, 3, 14)
    assert (found.since, found.last, found.resolved) == (nights[0].at, nights[-1].at, None)
    assert (found.kind, found.criticality, found.seen) == (DriftKind.CHANGED, Criticality.CRITICAL, nights[-1].sha256)


def test_nights_that_tell_nothing_neither_resolve_it_nor_count() -> None:
    nights = (seen(0, drift()), seen(1, unread=(("limits", "*"),)), seen(2, tells=False), seen(3, drift()))
    found = only(*nights)
    assert (found.state, found.times, found.since) == (State.OPEN, 2, nights[0].at)


def test_the_first_check_that_sees_it_matching_resolves_it_and_the_next_drift_is_a_new_life() -> None:
    nights = [seen(0, drift()), seen(1), seen(2)]
    found = only(*nights)
    assert (found.state, found.resolved, found.last) == (State.RESOLVED, nights[1].at, nights[0].at)
    back = only(*nights, seen(3, drift()))
    assert (back.state, back.first_report, back.times, back.resolved) == (State.OPEN, 3, 1, None)


@pytest.mark.parametrize("state", [State.INVESTIGATING, State.ACCEPTED, State.REJECTED])
def test_a_step_holds_as_long_as_the_drift_is_the_very_one(state: State) -> None:
    nights = [seen(0, drift()), seen(2, drift())]
    taken = step(1, nights[0], drift(), state)
    found = only(*nights, steps=(taken,))
    assert (found.state, found.standing, found.changed, found.steps) == (state, taken, False, (taken,))


def test_a_drift_that_changes_after_a_step_is_open_again_at_the_same_age() -> None:
    nights = [seen(0, drift()), seen(2, drift(now="70.0 t"))]
    taken = step(1, nights[0], drift())
    found = only(*nights, steps=(taken,))
    assert (found.state, found.standing, found.changed, found.since) == (State.OPEN, None, True, nights[0].at)
    # also where it comes back to what was signed: in between it was something else
    back = only(*nights, seen(3, drift()), steps=(taken,))
    assert (back.state, back.changed) == (State.OPEN, True)


def test_a_step_on_what_changed_before_it_was_signed_does_not_hold() -> None:
    nights = [seen(0, drift()), seen(1, drift(now="70.0 t"))]
    found = only(*nights, steps=(step(2, nights[0], drift()),))
    assert (found.state, found.changed) == (State.OPEN, True)


def test_the_newest_step_decides() -> None:
    night = seen(0, drift())
    taken = (step(1, night, drift(), State.ACCEPTED), step(2, night, drift(), State.REJECTED))
    assert only(night, steps=taken).state is State.REJECTED


def test_a_step_of_an_earlier_life_or_on_another_member_decides_nothing() -> None:
    nights = [seen(0, drift()), seen(2), seen(3, drift())]
    taken = (step(1, nights[0], drift()), step(4, nights[2], drift(PLACES[0])))
    found = only(*nights, steps=taken)
    assert (found.state, found.changed, found.steps) == (State.OPEN, False, taken[:1])


# Laws


@st.composite
def histories(draw: st.DrawFn) -> list[Sight]:
    """The reports of some nights, oldest first."""
    nights = []
    for number in range(draw(st.integers(1, 8))):
        places = draw(st.lists(st.sampled_from(PLACES), unique=True))
        shown = [drift(place, draw(st.sampled_from(["62.0 t", "70.0 t"]))) for place in places]
        unread = tuple(draw(st.lists(st.sampled_from(GAPS), unique=True, max_size=2)))
        tells = draw(st.integers(0, 9)) > 0
        nights.append(seen(number, *(shown if tells else ()), unread=unread if tells else (), tells=tells))
    return nights


def waiting(nights: Sequence[Sight]) -> dict[Place, tuple[int, int, int]]:
    """Of each place that differs, the first and last night of its life and how many: told night by night, in the plainest way."""
    open_now: dict[Place, list[int]] = {}
    for night in nights:
        for place in PLACES:
            if place in night.drifts:
                open_now.setdefault(place, []).append(night.sequence)
            elif night.settles(place):
                open_now.pop(place, None)
    return {place: (held[0], held[-1], len(held)) for place, held in open_now.items()}


@given(histories())
def test_findings_are_what_a_clerk_would_have_written_down_night_by_night(nights: list[Sight]) -> None:
    found = findings_of(DEVICE, nights, ())
    assert found == findings_of(DEVICE, nights, ())
    still = [each for each in found if each.state is not State.RESOLVED]
    assert {(e.item, e.member): (e.first_report, e.last_report, e.times) for e in still} == waiting(nights)
    assert {(e.item, e.member) for e in found} == {place for night in nights for place in night.drifts}


@given(histories())
def test_no_finding_disappears_while_its_drift_is_there(nights: list[Sight]) -> None:
    still = {(e.item, e.member) for e in findings_of(DEVICE, nights, ()) if e.state is not State.RESOLVED}
    newest = [night for night in nights if night.tells][-1:]
    assert all(night.drifts.keys() <= still for night in newest)
    unreachable = seen(len(nights), unread=(("files", "*"), ("limits", "*")))
    after = findings_of(DEVICE, [*nights, unreachable, seen(len(nights) + 1, tells=False)], ())
    assert after == findings_of(DEVICE, nights, ())


@given(histories(), st.lists(st.tuples(st.integers(0, 9), st.sampled_from(PLACES), st.sampled_from(["62.0 t", "70.0 t"]))))
def test_as_few_reports_as_are_needed_tell_the_same(nights: list[Sight], signed: list[tuple[int, Place, str]]) -> None:
    steps = [step(100 + n, nights[on % len(nights)], drift(place, now)) for n, (on, place, now) in enumerate(signed)]
    read = [*needed(reversed(nights))]
    assert read == nights[::-1][: len(read)]

    def still(of: Sequence[Sight]) -> list[Finding]:
        return [each for each in findings_of(DEVICE, of, steps) if each.state is not State.RESOLVED]

    assert still(read[::-1]) == still(nights)


def test_of_a_device_that_matches_one_report_is_read() -> None:
    nights = [seen(0, drift()), seen(1, drift()), seen(2)]
    assert [*needed(reversed(nights))] == nights[:1:-1]
    # a device that was off since is known from the last night that tells all
    assert len([*needed([seen(3, unread=(("limits", "*"),)), *reversed(nights)])]) == 2


# The baseline of who accepts


@given(snapshots(known | unreads | disagreements), snapshots(known | unreads | disagreements), st.data())
def test_exactly_the_accepted_members_are_replaced(approved: Snapshot, found: Snapshot, data: st.DataObject) -> None:
    drifts = compare(approved, found, nothing_kept)
    night = Sight(0, "ab" * 32, WHEN, {(e.item, e.member): e for e in drifts if e.kind is not DriftKind.UNREAD}, (), True)
    can = [e for e in findings_of(DEVICE, [night], ()) if refusal(e, approved, found, drifts) == ("", "")]
    chosen = data.draw(st.lists(st.sampled_from(can), unique_by=lambda e: e.id)) if can else []
    places = {(each.item, each.member) for each in chosen}
    after = with_accepted(approved, found, places, "read again")
    # nothing else changed
    assert replaced(approved, after) == places
    assert replace(after, items=(), notes=()) == replace(approved, items=(), notes=())
    assert after.notes == (*approved.notes, "read again")
    for old, new in zip(approved.items, after.items, strict=True):
        untouched = [e for e in old.readings if (old.name, e.member) not in places]
        assert [e for e in new.readings if (old.name, e.member) not in places] == untouched
        assert replace(new, readings=(), critical_members=()) == replace(old, readings=(), critical_members=())
    # and what was accepted is no drift any more
    left = {(e.item, e.member) for e in compare(after, found, nothing_kept) if e.kind is not DriftKind.UNREAD}
    assert left == night.drifts.keys() - places


def test_a_proposal_that_changes_more_than_members_says_so() -> None:
    one = item(reading("/a", file()))
    before = snapshot(one)
    assert replaced(before, before) == set()
    assert replaced(before, snapshot(one, item(name="other"))) == {("other", "*")}
    assert replaced(before, snapshot(item(reading("/a", file()), volatile=("/x",)))) == {("firmware", "*")}
    assert replaced(before, replace(before, profile_version=2)) == {("profile", "*")}
    # times are recorded, and nothing that is signed is thrown away for being alike
    assert replaced(before, snapshot(item(reading("/a", file(mtime=7))))) == {("firmware", "/a")}


LIMITS = item(reading("/a", file()), reading("/b", file()))


@pytest.mark.parametrize(
    ("now", "words", "way_out"),
    [
        (snapshot(LIMITS), "does not show any more: it is as approved", "check the device again"),
        (snapshot(item(reading("*", Unread(Reason.BUSY)))), "not every member could be read (crane working", "check the device"),
        (snapshot(item(reading("/a", file("c")), reading("/b", file()))), "is not the drift any more that was seen", "check the"),
        (snapshot(LIMITS, profile_digest="ab" * 32), "read by another profile than the approved one", "baseline propose"),
    ],
    ids=["matching", "unread", "another", "profile"],
)
def test_what_is_not_there_as_it_was_seen_cannot_be_accepted(now: Snapshot, words: str, way_out: str) -> None:
    approved = snapshot(LIMITS)
    seen_then = compare(approved, snapshot(item(reading("/a", file("b")), reading("/b", file()))), nothing_kept)
    found = only(seen(0, *seen_then))
    why, hint = refusal(found, approved, now, compare(approved, now, nothing_kept))
    assert words in why
    assert way_out in hint


def test_an_item_that_the_baseline_does_not_hold_and_two_answers_cannot_be_accepted() -> None:
    approved, more = snapshot(LIMITS), snapshot(LIMITS, item(reading("/x", file()), name="added"))
    drifts = compare(approved, more, nothing_kept)
    assert "holds no item added" in refusal(only(seen(0, *drifts)), approved, more, drifts)[0]
    two = snapshot(item(reading("/a", Disagreement("sftp", "1", "shell", "2")), reading("/b", file())))
    drifts = compare(approved, two, nothing_kept)
    assert "two routes give two answers" in refusal(only(seen(0, *drifts)), approved, two, drifts)[0]


def test_how_much_a_new_member_matters_comes_with_it_and_goes_with_one_that_is_gone() -> None:
    critical, low = (("/new", Criticality.CRITICAL),), (("/a", Criticality.LOW), ("/b", Criticality.LOW))
    approved = snapshot(replace(LIMITS, critical_members=low))
    found = snapshot(item(reading("/b", file("z")), reading("/new", file()), critical_members=critical))
    after = with_accepted(approved, found, {("firmware", "/a"), ("firmware", "/b"), ("firmware", "/new")}, "")
    assert after.items[0].critical_members == (("/b", Criticality.LOW), *critical)


# The statement


def a_step(**facets: object) -> FindingStep:
    value = FindingStep(DEVICE, "limits", "trip", "ab" * 32, "cd" * 32, State.ACCEPTED, "why", WHEN, "T-4711")
    return replace(value, **facets)  # type: ignore[arg-type]  # the caller names fields of FindingStep


def test_a_step_comes_back_and_is_about_this_drift_of_this_member() -> None:
    payload = written(FINDING, a_step())
    assert read(FINDING, payload) == a_step()
    assert FINDING.subjects(a_step()) == ((f"{DEVICE}#limits#trip", "ab" * 32),)
    assert (FINDING.previous(a_step()), FINDING.at(a_step())) == ((), WHEN)
    assert read(FINDING, written(FINDING, a_step(state=State.INVESTIGATING, ticket=""))).ticket == ""


@pytest.mark.parametrize(
    ("facets", "why"),
    [
        ({"state": State.OPEN}, "nobody signs that a finding is open"),
        ({"state": State.RESOLVED}, "nobody signs that a finding is resolved"),
        ({"reason": " "}, "gives no reason"),
        ({"ticket": ""}, "what is accepted names no ticket"),
        ({"state": State.REJECTED, "ticket": " "}, "what is rejected names no ticket"),
    ],
)
def test_a_step_that_makes_no_sense_is_neither_signed_nor_believed(facets: dict[str, object], why: str) -> None:
    with pytest.raises(TrustError, match=why):
        written(FINDING, a_step(**facets))


# In words


def test_ages_are_told_in_the_unit_that_fits() -> None:
    spans = [timedelta(seconds=-5), timedelta(seconds=59), timedelta(minutes=1), timedelta(minutes=119), timedelta(days=12.9)]
    assert [age(WHEN, WHEN + span) for span in spans] == ["0 minutes", "0 minutes", "1 minute", "1 hour", "12 days"]


def test_what_stands_beside_a_drift() -> None:
    nights = [seen(0, drift()), seen(2, drift())]
    now, name = nights[1].at, only(*nights).name
    assert beside(only(nights[0]), nights[0].at) == f"{name}  new; open"
    assert beside(only(nights[0]), now) == f"{name}  since 2 days; open"
    taken = step(1, nights[0], drift())
    assert beside(only(*nights, steps=(taken,)), now) == f"{name}  since 2 days; accepted, T-4711, A. Engineer"
    changed = only(nights[0], seen(2, drift(now="70.0 t")), steps=(taken,))
    assert standing(changed, now) == "open again: it is another drift now than the one somebody took a step on"
    gone = only(*nights, seen(3))
    assert standing(gone, now + timedelta(days=3)) == "resolved 2 days ago"
    assert standings([gone], 2, now) == {PLACES[2]: f"{name}  since 2 days; resolved 0 minutes ago"}
    back = only(*nights, seen(3), seen(5, drift()))
    assert standings([back], 2, now + timedelta(days=4)) == {PLACES[2]: f"{name}  was resolved, and came back 1 day ago"}


def test_each_drift_of_a_report_has_its_finding_and_what_is_unread_none() -> None:
    unread = replace(drift(), kind=DriftKind.UNREAD)
    found = only(seen(0, drift()), steps=(step(1, seen(0, drift()), drift()),))
    assert documents((unread, drift(PLACES[0])), [found]) == [None, None]
    (document,) = documents((drift(),), [found])
    assert document is not None
    assert (document["id"], document["state"], document["by"]) == (found.id, "accepted", ["A. Engineer"])
