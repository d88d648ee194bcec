"""Values to JSON and back: nothing is lost, nothing else is accepted, nothing crashes."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verifier.model import codec
from verifier.model.baseline import Baseline
from verifier.model.codec import CodecError
from verifier.model.device import DeviceName
from verifier.model.profile import Profile
from verifier.model.report import BaselineRef, Coverage, Report
from verifier.model.snapshot import Exchange, FactValue, ItemSnapshot, NotAsked, Reading, Snapshot, Unread, WordValue
from verifier.model.words import Criticality, Evidence, FileType, Kind, Reason, Verdict
from verifier.transport.answer import Answer, FileEntry

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
PRINTABLE = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=8)
"""Without control characters, which JSON may write in two ways (`\\u001f`, `\\u001F`)."""

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True, slots=True)
class Answers:
    """Every kind of answer, as recordings hold them."""

    answers: tuple[Answer, ...]


def values(hint: Any, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Values of a model type, whatever its fields hold, with at most two members in each list."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, types.UnionType) or origin is typing.Union:
        return st.one_of([values(arg, text) for arg in args])
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(values(args[0], text), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(arg, text) for arg in args))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(text, values(args[1], text), max_size=2)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        fields = {field.name: values(hints[field.name], text) for field in dataclasses.fields(hint)}
        return st.builds(typing.cast(type[Any], hint), **fields)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: text,
        int: st.integers(-(1 << 63), 1 << 63),
        bool: st.booleans(),
        bytes: st.binary(max_size=8),
        float: st.floats(allow_nan=False, allow_infinity=False),
        Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
        type(None): st.none(),
        datetime: st.datetimes(timezones=st.just(UTC)),
    }
    return plain[hint]


@pytest.mark.parametrize("cls", [Snapshot, Baseline, Report, Profile, Answers])
def test_what_was_written_is_read_back(cls: type[Any]) -> None:
    @QUICK
    @given(values(cls, TEXT))
    def law(value: Any) -> None:
        written = codec.dumps(value)
        again = codec.loads(cls, written)
        assert again == value
        assert codec.dumps(again) == written

    law()


@pytest.mark.parametrize("cls", [Snapshot, Baseline, Report, Answers])
def test_any_flipped_bit_is_refused_or_another_value(cls: type[Any]) -> None:
    @settings(QUICK, max_examples=150)
    @given(values(cls, PRINTABLE), st.data())
    def law(value: Any, data: st.DataObject) -> None:
        written = bytearray(codec.dumps(value))
        bit = data.draw(st.integers(0, len(written) * 8 - 1))
        written[bit // 8] ^= 1 << bit % 8
        try:
            again = codec.loads(cls, bytes(written))
        except CodecError:
            return
        assert again != value

    law()


@pytest.mark.parametrize("cls", [Snapshot, Baseline, Report])
def test_a_field_more_or_less_anywhere_is_refused(cls: type[Any]) -> None:
    @QUICK
    @given(values(cls, PRINTABLE), st.data())
    def law(value: Any, data: st.DataObject) -> None:
        document = codec.to_json(value)
        place = data.draw(st.sampled_from(list(objects(document))))
        place["surprise"] = 1
        with pytest.raises(CodecError, match="unknown field 'surprise'"):
            codec.from_json(cls, document)

    law()
    for field in dataclasses.fields(cls):
        document = codec.to_json(SAMPLES[cls])
        if field.name in document:
            del document[field.name]
            with pytest.raises(CodecError, match=f"missing field '{field.name}'"):
                codec.from_json(cls, document)


def objects(document: Any) -> typing.Iterator[dict[str, Any]]:
    if isinstance(document, dict):
        yield document
        for each in document.values():
            yield from objects(each)
    elif isinstance(document, list):
        for each in document:
            yield from objects(each)


@settings(QUICK, max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_a_codec_error(data: bytes) -> None:
    for cls in (Snapshot, Report, FileEntry):
        with pytest.raises(CodecError):
            codec.loads(cls, data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(QUICK, max_examples=200)
@given(st.data())
def test_any_json_in_any_place_is_a_value_or_a_codec_error(data: st.DataObject) -> None:
    document = codec.to_json(SAMPLES[Snapshot])
    place = data.draw(st.sampled_from(list(objects(document))))
    place[data.draw(st.sampled_from([*place, "is"]))] = data.draw(JSON)
    try:
        codec.from_json(Snapshot, document)
    except CodecError:
        pass


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b'{"item":"a","item":"b","why":"c"}', "a key stands twice"),
        (b'{"item":"a","why":1.5}', "the number 1.5 is not an integer"),
        (b'{"item":"a","why":1e3}', "the number 1e3 is not an integer"),
        (b'{"item":"a","why":NaN}', "the number NaN is not an integer"),
        (b'{"item":"a","why":-Infinity}', "the number -Infinity is not an integer"),
        (b'{"item":"a","why":' + b"1" * 5000 + b"}", "more than 20 characters"),
        (b'{"item":"a","why":"\xff"}', "not a JSON document"),
        (b'{"item":"a","why":"b"} {}', "not a JSON document"),
        (b"[" * 100_000, "not a JSON document"),
        (b"", "not a JSON document"),
        (b"[]", "must be an object"),
        (b'{"item":"a","why":1}', "why: must be str, not int"),
        (b'{"item":"a","why":null}', "why: must be str, not NoneType"),
        (b'{"item":"a"}', "missing field 'why'"),
    ],
)
def test_what_two_readers_would_read_differently_is_refused(document: bytes, words: str) -> None:
    with pytest.raises(CodecError) as caught:
        codec.loads(NotAsked, document)
    assert words in str(caught.value)


def test_a_boolean_is_no_number_and_a_number_no_boolean() -> None:
    with pytest.raises(CodecError, match="must be int, not bool"):
        codec.from_json(WordValue, {"word": True})
    with pytest.raises(CodecError, match="below: must be bool, not int"):
        codec.from_json(Unread, {"reason": "timed out", "below": 1})


@pytest.mark.parametrize("text", ["\\", "\\xZZ", "\\x4", "\n", "\\x41", "\\x0A"])
def test_bytes_have_one_written_form(text: str) -> None:
    """`\\x41` is `A`, and a newline is `\\x0a`: another spelling of the same name is not accepted."""
    entry = codec.to_json(Answers((FileEntry(b"/a", *ENTRY),)))
    entry["answers"][0]["path"] = text
    with pytest.raises(CodecError, match=r"answers\[0\].path"):
        codec.from_json(Answers, entry)


def test_a_kind_is_written_where_there_is_a_choice_and_nowhere_else() -> None:
    document = codec.to_json(SAMPLES[Snapshot])
    document["device"]["is"] = "device-name"
    with pytest.raises(CodecError, match="device: unknown field 'is'"):
        codec.from_json(Snapshot, document)


def test_the_place_of_an_error_is_named() -> None:
    document = codec.to_json(SAMPLES[Snapshot])
    document["items"][0]["readings"][1]["value"]["reason"] = "tired"
    with pytest.raises(CodecError, match=r"items\[0\].readings\[1\].value.reason: must be one of"):
        codec.from_json(Snapshot, document)


def test_what_is_written_stays_the_same_for_ever() -> None:
    """Signed documents of today must be read in ten years: a change here is a change of format."""
    assert json.loads(codec.dumps(SAMPLES[Snapshot])) == {
        "device": {"site": "t2", "crane": "STS-01", "device": "plc"},
        "profile": "linux",
        "profile_version": 1,
        "profile_digest": "ab",
        "started": "2026-11-22T06:00:00Z",
        "ended": "2026-11-22T06:00:00.500000Z",
        "items": [
            {
                "name": "network",
                "kind": "network",
                "criticality": "high",
                "readings": [
                    {"member": "eth0", "value": {"is": "fact", "text": "up"}, "evidence": "content"},
                    {"member": "wwan0", "value": {"is": "unread", "reason": "timed out"}, "evidence": "claimed"},
                ],
                "critical_members": [["eth0", "critical"]],
            }
        ],
        "not_asked": [{"item": "usb", "why": "needs the running device"}],
        "notes": [],
        "exchange": {"transcript_sha256": "cd", "requests": 1, "bytes_sent": 2, "bytes_received": 3},
    }


ENTRY = (FileType.REGULAR, 0o644, 0, 0, 1, 0)
_SNAPSHOT = Snapshot(
    DeviceName("t2", "STS-01", "plc"),
    "linux",
    1,
    "ab",
    datetime(2026, 11, 22, 6, tzinfo=UTC),
    datetime(2026, 11, 22, 6, 0, 0, 500_000, tzinfo=UTC),
    (
        ItemSnapshot(
            "network",
            Kind.NETWORK,
            Criticality.HIGH,
            (
                Reading("eth0", FactValue("up"), Evidence.CONTENT),
                Reading("wwan0", Unread(Reason.TIMED_OUT), Evidence.CLAIMED),
            ),
            critical_members=(("eth0", Criticality.CRITICAL),),
        ),
    ),
    (NotAsked("usb", "needs the running device"),),
    (),
    Exchange("cd", 1, 2, 3),
)
SAMPLES: dict[type, Any] = {
    Snapshot: _SNAPSHOT,
    Baseline: Baseline(_SNAPSHOT, 1, "", _SNAPSHOT.started, None, "first", 1, ()),
    Report: Report(
        _SNAPSHOT.device,
        Verdict.MATCH,
        _SNAPSHOT.started,
        _SNAPSHOT.ended,
        "linux",
        1,
        "ab",
        BaselineRef(1, "ef", ("engineer",)),
        Coverage(1, 2),
        (),
        (),
        (),
        (),
        _SNAPSHOT.exchange,
        "crane-verify 0.1.0",
        "",
    ),
}


@dataclass(frozen=True, slots=True)
class Limits:
    low: Decimal
    ends: tuple[int, str]
    until: datetime | None


def test_decimals_pairs_and_times_that_may_be_missing() -> None:
    limits = Limits(Decimal("0.10"), (1, "a"), None)
    assert codec.loads(Limits, codec.dumps(limits)) == limits
    assert codec.dumps(limits) == b'{"low":"0.10","ends":[1,"a"],"until":null}'
    for document, words in (
        (b'{"low":"x","ends":[1,"a"],"until":null}', "not a decimal number"),
        (b'{"low":"NaN","ends":[1,"a"],"until":null}', "not a finite number"),
        (b'{"low":"1","ends":[1],"until":null}', "a list of 2"),
        (b'{"low":"1","ends":[1,"a"],"until":"today"}', "fits none"),
    ):
        with pytest.raises(CodecError, match=words):
            codec.loads(Limits, document)


def test_what_has_no_rule_is_our_own_fault() -> None:
    with pytest.raises(TypeError, match="no rule"):
        codec.dumps(object())
    with pytest.raises(TypeError, match="no rule"):
        codec.loads(complex, b"1")
