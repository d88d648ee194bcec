"""A month of a port in a minute: the findings are exactly the planted ones, once each, at their age, and nothing else alarms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from tests.approval_port import BEGINNING
from tests.month_port import (
    DAY,
    EVERY,
    FIRST_VISIT,
    NIGHTS,
    OUT_OF_REACH,
    PLACES,
    POWER_CUT,
    RESTARTS,
    SECOND_VISIT,
    SILENT,
    TICKS,
    Month,
    a_month,
    at,
    calendar,
    name,
)
from verifier.model.codec import time_text
from verifier.model.words import DriftKind, Event, Reason, Verdict
from verifier.procedures.audit import audit_log, past, reports
from verifier.procedures.findings import findings

pytestmark = pytest.mark.timeout(400)  # the month is lived through once, before the first test; slower where coverage is measured
NOON = timedelta(hours=11)
ORDERED = tuple(f"terminal-2/{crane}/card#/firmware/main.bin" for crane in ("STS-01", "STS-02"))
CHANGED = f"terminal-2/{SILENT[0]}/card#/settings/hoist.conf"
LEFT_BEHIND = "terminal-2/STS-07/card#/firmware/debug.sh"
PLANTED = {CHANGED: at(SILENT[1]), LEFT_BEHIND: at(SECOND_VISIT)}
DRIFTING = {"STS-06/card": at(SILENT[1]), "STS-07/card": at(SECOND_VISIT)}


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    with a_month(tmp_path_factory.mktemp("month")) as lived:
        yield lived


def drifts(place: str, then: datetime) -> bool:
    """Whether a check of this device at this time is to see drift."""
    if place in ("STS-01/card", "STS-02/card"):  # the vendor is there, and nothing is approved yet
        return then.date() == at(FIRST_VISIT).date()
    return place in DRIFTING and then >= DRIFTING[place]


def test_the_findings_are_the_planted_ones_with_their_ages(month: Month) -> None:
    found = month.port.succeeds("finding", "list", "--json").document
    assert {f"{each['device']}#{each['member']}": each["since"] for each in found} == {
        what: time_text(since) for what, since in PLANTED.items()
    }
    assert len(found) == 2
    assert {each["state"] for each in found} == {"open"}
    ages = [line.split("  ")[1].strip() for line in month.port.succeeds("finding", "list").out.splitlines()[1:]]
    assert sorted(ages) == ["15 days", "21 days"]
    seen = {f"{each['device']}#{each['member']}": each["times"] for each in found}
    for place, since in DRIFTING.items():
        (what,) = (each for each in seen if place in each)
        assert seen[what] == sum(then >= since for then in month.counted(place))


def test_what_was_ordered_was_seen_while_the_vendor_was_there_and_is_resolved(month: Month) -> None:
    workspace = month.port.workspace
    found = findings(workspace, past(workspace, workspace.trusted()), None, resolved=True)
    lives = {f"{each.device}#{each.member}": (each.since, each.resolved) for each in found}
    ordered = {what: (at(FIRST_VISIT), at(FIRST_VISIT + 1)) for what in ORDERED}
    assert lives == {what: (since, None) for what, since in PLANTED.items()} | ordered
    assert len(found) == 4


def test_each_finding_was_new_in_one_morning_and_no_other_mail_was_sent(month: Month) -> None:
    news = {night: new for night, new in month.mornings.items() if new}
    assert {night: sorted(new) for night, new in news.items()} == {
        FIRST_VISIT: [*ORDERED],
        SILENT[1]: [CHANGED],
        SECOND_VISIT: [LEFT_BEHIND],
    }
    assert set(month.mornings) == set(NIGHTS)


@pytest.mark.parametrize("place", PLACES)
def test_each_device_is_checked_once_in_its_interval_and_never_twice(month: Month, place: str) -> None:
    done, asked = calendar(place)
    counted = month.counted(place)
    assert counted == [*done]
    every = EVERY[place.split("/")[1]]
    assert all(after - before >= every for before, after in pairwise(counted))
    nothing_read = [each.report for each in month.of(place) if not each.report.coverage.compared]
    assert [each.ended for each in nothing_read] == [*asked]
    assert {each.verdict for each in nothing_read} <= {Verdict.UNDETERMINED}
    why = Reason.BUSY if place.endswith("drive") else Reason.UNREACHABLE
    assert {drift.kind for each in nothing_read for drift in each.drifts} <= {DriftKind.UNREAD}
    assert all(any(why.value in drift.note for drift in each.drifts) for each in nothing_read)


@pytest.mark.parametrize("place", PLACES)
def test_a_check_that_read_the_device_is_drift_where_it_was_planted_and_a_match_elsewhere(month: Month, place: str) -> None:
    for each in month.of(place):
        if each.report.coverage.compared:
            expected = Verdict.DRIFT if drifts(place, each.report.ended) else Verdict.MATCH
            assert each.report.verdict is expected, (each.report.ended, each.report.drifts)
            assert each.report.coverage.compared == each.report.coverage.expected


def test_the_timer_raises_an_alarm_where_there_is_reason_for_one_and_nowhere_else(month: Month) -> None:
    expected = {at(night, tick): 0 for night in NIGHTS if night != POWER_CUT for tick in range(len(TICKS))}
    for place in PLACES:
        done, asked = calendar(place)
        for then in asked:
            expected[then] = expected[then] or 4
        for then in done:
            if drifts(place, then):
                expected[then] = 3
    assert month.runs == expected


def test_restarts_are_told_by_the_next_check_and_once(month: Month) -> None:
    told = [
        (f"{each.report.device.crane}/{each.report.device.device}", each.report.ended)
        for each in reports(month.port.workspace)
        if Event.RESTARTED in each.report.events
    ]
    expected = [
        (place, next(then for then in calendar(place)[0] if then > BEGINNING + day * DAY))
        for place, days in RESTARTS.items()
        for day in days
    ]
    assert sorted(told) == sorted(expected)
    assert all(not set(each.report.events) - {Event.RESTARTED} for each in reports(month.port.workspace))


def test_after_a_power_cut_no_match_is_green_that_is_older_than_its_interval(month: Month) -> None:
    now = BEGINNING + (POWER_CUT + 1) * DAY + NOON
    standings = {place: each["standing"] for place, each in month.shown[POWER_CUT + 1].items()}
    assert {place for place, each in standings.items() if each == "match, stale"} == {
        place
        for place in PLACES
        if (last := [then for then in calendar(place)[0] if then < now][-1]) and now - last > EVERY[place.split("/")[1]]
        if not drifts(place, last)
    }
    assert standings["STS-06/card"] == "drift"
    stale = [each for each in month.shown[POWER_CUT + 1].values() if each["standing"] == "match, stale"]
    assert len(stale) == 29, "all but the backups, which are read once a week, and the one that drifts"
    assert "match, stale" not in {each["standing"] for each in month.shown[POWER_CUT + 2].values()}


@pytest.mark.parametrize("place", OUT_OF_REACH)
def test_a_device_out_of_reach_is_never_green_and_overdue(month: Month, place: str) -> None:
    for night in OUT_OF_REACH[place]:
        missed = [then for then in calendar(place)[1] if then.date() == at(night).date()]
        shown = month.shown[night + 1][place]
        if missed:
            assert shown["standing"] == "could not tell"
            assert shown["overdue"]
    after = OUT_OF_REACH[place][-1] + 2
    if after in month.shown and place != "STS-06/card":
        assert month.shown[after][place]["standing"] == "match"


def test_every_day_the_status_is_what_the_calendar_says(month: Month) -> None:
    for day, shown in month.shown.items():
        now = BEGINNING + day * DAY + NOON
        assert {place: each["standing"] for place, each in shown.items()} == {place: standing(place, now) for place in PLACES}


def standing(place: str, now: datetime) -> str:
    done, asked = ([then for then in times if then < now] for times in calendar(place))
    if not done:
        return "never checked" if not asked else "could not tell"
    if asked and asked[-1] > done[-1]:
        return "could not tell"
    if drifts(place, done[-1]):
        return "drift"
    if place in ("STS-05/card", "STS-07/card") and done[-1].date() < at(SECOND_VISIT).date() == now.date():
        return "could not tell"  # a new baseline was approved: it was not compared with that yet
    return "match" if now - done[-1] <= EVERY[place.split("/")[1]] else "match, stale"


def test_the_record_holds(month: Month) -> None:
    assert audit_log(month.port.workspace, month.port.workspace.trusted()).findings == ()
    assert "none missing, none changed, every signature holds" in month.port.succeeds("log", "verify").out
    states = [each["state"] for each in month.port.succeeds("visit", "list", "--json").document]
    assert states == ["approved", "approved"]
    assert len(PLACES) == 40
    assert {name(place) for place in PLACES} == {each.report.device for each in reports(month.port.workspace)}
