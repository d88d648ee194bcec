"""Statements: what comes back is what went in, and nothing that contradicts itself is written or read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trust_fixtures import NOW, baseline, items, nothing_read, report, snapshot
from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.model.codec import dumps
from verifier.model.manifest import manifest_sha256
from verifier.model.policy_record import PolicyRecord, TrustFile
from verifier.model.snapshot import FactValue, ItemSnapshot, Reading
from verifier.model.words import Criticality, Evidence, Kind, Verdict
from verifier.trust.statement import BASELINE, KINDS, NOTHING_READ, POLICY, REPORT, kind_of, read, written


def with_items(*held: ItemSnapshot) -> Baseline:
    return replace(baseline(), snapshot=replace(snapshot(), items=held))


def facts(name: str, *members: str) -> ItemSnapshot:
    readings = tuple(Reading(member, FactValue("x"), Evidence.CLAIMED) for member in members)
    return ItemSnapshot(name, Kind.FIRMWARE, Criticality.HIGH, readings)


def edited(payload: bytes, edit: Callable[[dict[str, Any]], object]) -> bytes:
    data = json.loads(payload)
    edit(data)
    return json.dumps(data).encode()


def test_a_manifest_is_over_the_readings_alone() -> None:
    item = items()[0]
    assert manifest_sha256(item) == hashlib.sha256(dumps(item.readings)).hexdigest()
    assert manifest_sha256(item) == manifest_sha256(replace(item, name="other"))
    assert manifest_sha256(item) != manifest_sha256(replace(item, readings=item.readings[:1]))
    assert manifest_sha256(replace(item, readings=())) == NOTHING_READ == hashlib.sha256(b"[]").hexdigest()


def test_the_manifest_is_over_these_very_bytes() -> None:
    """Old reports and new ones must be comparable for ever."""
    written = (
        b'[{"member":"a","value":{"is":"fact","text":"x"},"evidence":"claimed"},'
        b'{"member":"b","value":{"is":"fact","text":"x"},"evidence":"claimed"}]'
    )
    assert manifest_sha256(facts("any", "a", "b")) == hashlib.sha256(written).hexdigest()


def test_baselines_and_reports_come_back() -> None:
    for value in (baseline(), baseline(7, "ab" * 32)):
        assert read(BASELINE, written(BASELINE, value)) == value
    for value_ in (report(), report("cd" * 32), nothing_read()):
        assert read(REPORT, written(REPORT, value_)) == value_


@settings(deadline=None)
@given(names=st.lists(st.text(max_size=20), min_size=1, max_size=4), text=st.text(max_size=20))
def test_any_baseline_comes_back(names: list[str], text: str) -> None:
    held = [facts(f"item {number} {name}", text) for number, name in enumerate(names)]
    value = with_items(*held)
    assert read(BASELINE, written(BASELINE, value)) == value


def test_a_statement_is_an_in_toto_statement_with_a_subject_per_item() -> None:
    data = json.loads(written(BASELINE, baseline()))
    assert list(data) == ["_type", "subject", "predicateType", "predicate"]
    assert data["_type"] == "https://in-toto.io/Statement/v1"
    assert data["predicateType"] == "urn:crane-verify:baseline:v1"
    assert data["subject"] == [
        {"name": f"terminal-2/STS-01/hoist-drive#{item.name}", "digest": {"sha256": manifest_sha256(item)}} for item in items()
    ]
    assert json.loads(written(REPORT, report()))["subject"] == data["subject"]


def test_a_device_that_was_not_asked_is_itself_the_subject() -> None:
    data = json.loads(written(REPORT, nothing_read()))
    assert data["subject"] == [{"name": "terminal-2/STS-01/hoist-drive", "digest": {"sha256": NOTHING_READ}}]


REFUSED_BASELINES = {
    "no items": (with_items(), "no reading at all"),
    "no readings": (with_items(facts("firmware"), facts("limits")), "no reading at all"),
    "an item twice": (with_items(facts("a", "x"), facts("a", "y")), "two items are called 'a'"),
    "two items that look the same": (with_items(facts("Ångström", "x"), facts("A\u030angstro\u0308m", "y")), "two items"),
    "a member twice": (with_items(facts("a", "x", "x")), "'x' stands twice in a"),
    "serial 0": (baseline(0), "serial is 0"),
    "the first supersedes one": (baseline(1, "ab" * 32), "serial 1 and supersedes abab"),
    "the second supersedes none": (baseline(2), "serial 2 and supersedes nothing"),
}


@pytest.mark.parametrize(("value", "why"), REFUSED_BASELINES.values(), ids=REFUSED_BASELINES.keys())
def test_a_baseline_that_makes_no_sense_is_not_signed(value: Baseline, why: str) -> None:
    with pytest.raises(TrustError, match=why):
        written(BASELINE, value)


def test_a_baseline_that_makes_no_sense_is_not_believed_either() -> None:
    payload = edited(written(BASELINE, baseline()), lambda data: data["predicate"].update(serial=-4))
    with pytest.raises(TrustError, match="serial is -4"):
        read(BASELINE, payload)


def test_reading_nothing_is_no_match() -> None:
    with pytest.raises(TrustError, match="says match and read nothing"):
        written(REPORT, replace(nothing_read(), verdict=Verdict.MATCH))
    unread = tuple(replace(item, read=0) for item in report().items)
    with pytest.raises(TrustError, match="says match and read nothing"):
        written(REPORT, replace(report(), verdict=Verdict.MATCH, items=unread))
    assert written(REPORT, replace(report(), verdict=Verdict.MATCH))


def test_a_report_names_each_item_once() -> None:
    first = report().items[0]
    with pytest.raises(TrustError, match="two items are called 'firmware'"):
        written(REPORT, replace(report(), items=(first, first)))


def drop(*path: str | int) -> Callable[[dict[str, Any]], object]:
    def edit(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        del data[path[-1]]

    return edit


def put(value: object, *path: str | int) -> Callable[[dict[str, Any]], object]:
    def edit(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        data[path[-1]] = value

    return edit


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a subject less": drop("subject", 0),
    "no subject": put([], "subject"),
    "a subject more": lambda data: data["subject"].append(data["subject"][0]),
    "another order": lambda data: data["subject"].reverse(),
    "another digest": put("00" * 32, "subject", 0, "digest", "sha256"),
    "a second digest": put("00" * 32, "subject", 0, "digest", "md5"),
    "another name": put("x", "subject", 0, "name"),
    "another device": put("STS-02", "predicate", "snapshot", "device", "crane"),
    "another reading": put(0o4755, "predicate", "snapshot", "items", 0, "readings", 0, "value", "mode"),
    "a reading less": drop("predicate", "snapshot", "items", 0, "readings", 0),
    "subjects that are none": put("x", "subject"),
    "another _type": put("https://in-toto.io/Statement/v0.1", "_type"),
    "no _type": drop("_type"),
    "a field more": put(1, "extra"),
    "the next version": put("urn:crane-verify:baseline:v2", "predicateType"),
    "a report's type": put(REPORT.predicate_type, "predicateType"),
    "a type that is no text": put(["urn:crane-verify:baseline:v1"], "predicateType"),
    "an unknown field": put(1, "predicate", "ignore_all_drift"),
    "a missing field": drop("predicate", "reason"),
    "no predicate": put(None, "predicate"),
    "half a surrogate pair": put("\ud800", "predicate", "snapshot", "items", 0, "readings", 0, "member"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_statement_that_contradicts_itself_is_refused(edit: Callable[[dict[str, Any]], object]) -> None:
    payload = written(BASELINE, baseline())
    assert read(BASELINE, edited(payload, lambda _: None)) == baseline()
    with pytest.raises(TrustError):
        read(BASELINE, edited(payload, edit))


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"\xff", b'{"a":1,"a":1}', b"1.5", b"null"])
def test_what_is_no_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(TrustError):
        read(BASELINE, payload)
    with pytest.raises(TrustError):
        kind_of(payload)


def test_one_kind_is_not_taken_for_another() -> None:
    with pytest.raises(TrustError, match="this is a report, not a baseline"):
        read(BASELINE, written(REPORT, report()))
    with pytest.raises(TrustError, match="a statement of an unknown type, not a baseline"):
        read(BASELINE, edited(written(BASELINE, baseline()), EDITS["the next version"]))


def test_a_payload_says_its_kind() -> None:
    assert kind_of(written(BASELINE, baseline())) is BASELINE
    assert kind_of(written(REPORT, report())) is REPORT
    with pytest.raises(TrustError, match="unknown type 'urn:crane-verify:baseline:v2'"):
        kind_of(edited(written(BASELINE, baseline()), EDITS["the next version"]))
    with pytest.raises(TrustError, match="unknown type"):
        kind_of(edited(written(BASELINE, baseline()), EDITS["a type that is no text"]))


def test_kinds_have_their_own_words_and_types() -> None:
    assert len({kind.word for kind in KINDS}) == len({kind.predicate_type for kind in KINDS}) == len(KINDS)
    assert all(kind.predicate_type.startswith("urn:crane-verify:") for kind in KINDS)


def test_only_reports_name_the_entry_before_them() -> None:
    assert REPORT.previous(report("ab" * 32)) == ("ab" * 32,)
    assert BASELINE.previous(baseline()) == ()


def test_a_policy_is_recorded_with_its_files_each_once() -> None:
    empty = PolicyRecord(NOW, (), "crane-verify 0.1.0", "")
    with pytest.raises(TrustError, match="holds no file"):
        written(POLICY, empty)
    file = TrustFile("1.root.json", "{}")
    with pytest.raises(TrustError, match=r"1\.root\.json.* stands twice"):
        written(POLICY, replace(empty, files=(file, file)))
    assert read(POLICY, written(POLICY, replace(empty, files=(file,)))).files == (file,)
