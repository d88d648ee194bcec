"""Verdicts, exit codes, coverage, notes, techniques."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import compare_values as make
from tests.compare_values import file, files, item, judged, reading, sha, snapshot
from verifier.compare.coverage import coverage, item_results
from verifier.compare.drifts import compare
from verifier.compare.notes import evidence_notes, limit_notes
from verifier.compare.technique import (
    ADVERSARY_IN_THE_MIDDLE,
    MODIFY_PARAMETER,
    MODIFY_PROGRAM,
    RELEASE,
    ROOTKIT,
    SYSTEM_FIRMWARE,
    TRANSIENT_CYBER_ASSET,
    VALID_ACCOUNTS,
    NoTechnique,
    Technique,
    technique,
)
from verifier.compare.verdict import exit_code, verdict
from verifier.model.drift import Drift
from verifier.model.manifest import manifest_sha256
from verifier.model.report import Coverage, ItemResult
from verifier.model.snapshot import WHOLE_ITEM, Disagreement, NotAsked, NumberValue, Unread
from verifier.model.words import Criticality, DriftKind, Evidence, Kind, Reason, Verdict


def drift(kind: DriftKind = DriftKind.CHANGED, item_kind: Kind = Kind.FIRMWARE, item: str = "x", member: str = "/f") -> Drift:
    return Drift(kind, item, item_kind, Criticality.HIGH, member, Evidence.CONTENT, ())


@pytest.mark.parametrize("kind", [k for k in DriftKind if k is not DriftKind.UNREAD])
def test_any_difference_is_drift_whatever_else_is_unread(kind: DriftKind) -> None:
    assert verdict([drift(kind)], Coverage(1, 1)) is Verdict.DRIFT
    assert verdict([drift(DriftKind.UNREAD), drift(kind)], Coverage(0, 9)) is Verdict.DRIFT


@pytest.mark.parametrize(
    ("drifts", "over_all"),
    [([drift(DriftKind.UNREAD)], Coverage(9, 9)), ([], Coverage(0, 0)), ([], Coverage(0, 9)), ([], Coverage(8, 9))],
)
def test_p8_not_reading_is_not_agreeing_and_nothing_is_no_match(drifts: list[Drift], over_all: Coverage) -> None:
    assert verdict(drifts, over_all) is Verdict.UNDETERMINED


def test_everything_compared_and_equal_is_a_match() -> None:
    assert verdict([], Coverage(1204, 1204)) is Verdict.MATCH


def test_p7_a_comparison_turned_round_would_be_noticed() -> None:
    one, other = snapshot(files(a="1")), snapshot(files(a="2"))
    assert judged(one, one)[0] is Verdict.MATCH
    assert judged(one, other)[0] is Verdict.DRIFT


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 4),
        ([Verdict.MATCH, Verdict.MATCH], 0),
        ([Verdict.MATCH, Verdict.UNDETERMINED], 4),
        ([Verdict.UNDETERMINED, Verdict.DRIFT, Verdict.MATCH], 3),
        ([Verdict.UNTRUSTED, Verdict.DRIFT], 5),
    ],
)
def test_the_gravest_verdict_decides_the_exit_code(verdicts: list[Verdict], code: int) -> None:
    assert exit_code(verdicts) == code


def test_each_item_has_its_numbers() -> None:
    approved = item(
        *(reading(f"/{n}", file(str(n))) for n in range(4)), reading("/log", file()), volatile=("/log",), kind=Kind.PROGRAM
    )
    found = item(
        reading("/0", file("0"), Evidence.CROSS_CHECKED),
        reading("/1", file("other")),
        reading("/2", Unread(Reason.DENIED)),
        reading("/4", file()),
        reading("/log", file("9"), Evidence.CLAIMED),
        volatile=("/log",),
        kind=Kind.PROGRAM,
    )
    one, other = snapshot(approved), snapshot(found)
    drifts = compare(one, other, make.nothing_kept)
    (result,) = item_results(one, other, drifts)
    assert result == ItemResult(
        name="firmware",
        kind=Kind.PROGRAM,
        criticality=Criticality.HIGH,
        expected=4,
        read=4,
        unread=1,
        drifted=3,
        masked=1,
        weakest=Evidence.CLAIMED,
        manifest_sha256=manifest_sha256(found),
    )
    assert coverage([result, result]) == Coverage(6, 8)


def test_an_item_nobody_answered_has_a_line_of_its_own() -> None:
    one, other = snapshot(files(a="1")), snapshot(not_asked=(NotAsked("firmware", "no shell"),))
    (result,) = item_results(one, other, ())
    assert (result.expected, result.read, result.unread, result.weakest) == (1, 0, 1, Evidence.STATED)


def test_a_parameter_out_of_its_limits_is_said_even_when_it_matches() -> None:
    high = reading("hoist overload trip", NumberValue((620,), "62.0", "t", out_of_limits=True))
    found = snapshot(item(high, reading("rated load", NumberValue((400,), "40.0", "t")), name="hoist limits"))
    assert limit_notes(found) == ("hoist overload trip is 62.0 t, outside the limits of the profile (hoist limits)",)


def test_a_baseline_from_a_card_is_said() -> None:
    approved = item(reading("/f", file(), Evidence.OFFLINE_MEDIA))
    found = item(reading("/f", file()))
    note = "firmware was approved from offline media, and is read now from the running device"
    assert evidence_notes(snapshot(approved), snapshot(found)) == (note,)
    assert evidence_notes(snapshot(approved), snapshot(approved)) == ()
    assert evidence_notes(snapshot(found), snapshot(found)) == ()
    nobody_put_it_in = item(reading(WHOLE_ITEM, Unread(Reason.UNREACHABLE)))
    assert evidence_notes(snapshot(approved), snapshot(nobody_put_it_in)) == ()


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (drift(), SYSTEM_FIRMWARE),
        (drift(item_kind=Kind.PROGRAM), MODIFY_PROGRAM),
        (drift(item_kind=Kind.PARAMETER), MODIFY_PARAMETER),
        (drift(item_kind=Kind.ACCOUNT), VALID_ACCOUNTS),
        (drift(DriftKind.DISAGREEING), ROOTKIT),
        (drift(DriftKind.DISAGREEING, Kind.PARAMETER), MODIFY_PARAMETER),
        (drift(DriftKind.UNEXPECTED, Kind.HARDWARE), TRANSIENT_CYBER_ASSET),
        (drift(item_kind=Kind.HARDWARE, item="connection", member="host-key"), ADVERSARY_IN_THE_MIDDLE),
    ],
)
def test_drift_is_named_in_the_words_of_attack(of: Drift, expected: Technique) -> None:
    assert technique(of) == expected
    assert expected.release == RELEASE == "ATT&CK for ICS v18.1"


@pytest.mark.parametrize(
    "of",
    [
        drift(DriftKind.UNREAD),
        drift(item="profile", item_kind=Kind.CONFIGURATION),
        *(drift(item_kind=kind) for kind in (Kind.CONFIGURATION, Kind.NETWORK, Kind.HARDWARE)),
    ],
)
def test_where_no_technique_is_meant_none_is_named(of: Drift) -> None:
    assert isinstance(technique(of), NoTechnique)


def test_the_profile_of_a_report_is_no_item_with_numbers() -> None:
    one = snapshot(files(a="1"))
    other = replace(one, profile_digest=sha("2"))
    (result,) = item_results(one, other, compare(one, other, make.nothing_kept))
    assert result.drifted == 0
    assert judged(one, other)[0] is Verdict.DRIFT


def test_two_answers_count_as_compared_and_as_drifted() -> None:
    found = item(reading("/a", Disagreement("sftp", "1", "shell", "2")))
    (result,) = item_results(snapshot(files(a="1")), snapshot(found), make.drifts(files(a="1"), found))
    assert (result.expected, result.unread, result.drifted) == (1, 0, 1)
