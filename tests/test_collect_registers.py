"""Modbus tables, identities, records and queues, from a device we play."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeRegisters, FakeRoute, Play, Script
from verifier.collect.asking import Asking, Outcome
from verifier.collect.identity import fifo, file_records, identification, server_id
from verifier.collect.registers import MOST_UNREAD, block, parameters
from verifier.collect.wholes import Whole, packed
from verifier.errors import BadReply, DeviceError, Refused, TimedOut
from verifier.model.profile import (
    Ask,
    Fifo,
    FileRecords,
    Identification,
    IdentificationLevel,
    Item,
    NumberType,
    Pace,
    Parameter,
    Parameters,
    Registers,
    ServerId,
)
from verifier.model.snapshot import (
    WHOLE_ITEM,
    Disagreement,
    FactValue,
    FileValue,
    NotAsked,
    NumberValue,
    Unread,
    Value,
    WordValue,
)
from verifier.model.words import Criticality, Evidence, Kind, Reason, Table
from verifier.transport.answer import Objects, Output, Words
from verifier.transport.modbus.reply import ExceptionReply
from verifier.transport.request import ReadRecords, ReadTable, Request

HOLDING = Table.HOLDING


def asking(route: FakeRoute, ask: Ask, criticality: Criticality = Criticality.NORMAL, seed: int = 1, **more: object) -> Asking:
    pace = more.pop("pace", Pace())
    assert isinstance(pace, Pace)
    item = Item("item", Kind.PARAMETER, ask, criticality, **more)  # type: ignore[arg-type] # each test gives fields of the right type
    return Asking(route, item, pace, lambda _: "", seed, lambda: None)


def values(outcome: Outcome) -> dict[str, Value]:
    assert not isinstance(outcome, NotAsked)
    return {reading.member: reading.value for reading in outcome}


def holding(device: Play, *, first: int = 0, count: int, **more: object) -> tuple[dict[str, Value], list[ReadTable]]:
    """A block of holding registers, and what was asked for it."""
    route = FakeRoute(device, evidence=Evidence.CLAIMED)
    ask = Registers(HOLDING, first, count)
    found = values(block(asking(route, ask, **more), ask))  # type: ignore[arg-type] # each test gives fields of the right type
    return found, [request for request in route.asked if isinstance(request, ReadTable)]


def named(device: Play, *given: Parameter, **more: object) -> tuple[dict[str, Value], list[ReadTable]]:
    route = FakeRoute(device, evidence=Evidence.CLAIMED)
    ask = Parameters(given)
    found = values(parameters(asking(route, ask, **more), ask))  # type: ignore[arg-type] # as above
    return found, [request for request in route.asked if isinstance(request, ReadTable)]


def p(address: int, kind: NumberType = NumberType.U16, **more: object) -> Parameter:
    return Parameter(f"p{address}", HOLDING, address, kind, **more)  # type: ignore[arg-type] # as above


def spans(asked: list[ReadTable]) -> list[tuple[int, int]]:
    return [(request.first, request.count) for request in asked]


# Blocks


def test_a_block_has_a_member_for_each_address() -> None:
    found, asked = holding(FakeRegisters({HOLDING: {n: n * 3 for n in range(300)}}), first=10, count=200)
    assert found == {f"holding {n:05d}": WordValue(n * 3) for n in range(10, 210)}
    assert spans(asked) == [(10, 125), (135, 75)]


def test_addresses_the_device_refuses_are_unread_and_the_others_read() -> None:
    found, _ = holding(FakeRegisters({HOLDING: {0: 7, 1: 8, 3: 9}}), count=4)
    assert found.pop("holding 00002") == Unread(Reason.REFUSED, "illegal data address (exception 2)")
    assert found == {"holding 00000": WordValue(7), "holding 00001": WordValue(8), "holding 00003": WordValue(9)}


def test_a_block_of_which_nothing_exists_is_unread_as_a_whole() -> None:
    found, _ = holding(FakeRegisters({}), count=40)
    assert set(found) == {WHOLE_ITEM}


def test_a_block_with_very_many_unread_addresses_is_unread_as_a_whole() -> None:
    found, _ = holding(FakeRegisters({HOLDING: {0: 1}}), count=MOST_UNREAD + 200)
    assert set(found) == {WHOLE_ITEM}
    assert isinstance(found[WHOLE_ITEM], Unread)


def test_a_silent_device_is_left_alone_after_a_few_tries() -> None:
    found, asked = holding(lambda _: [TimedOut("silence")], count=65536)
    assert len(asked) == Pace().tries
    assert found == {WHOLE_ITEM: Unread(Reason.TIMED_OUT, "silence")}


def test_bits_are_bits() -> None:
    ask = Registers(Table.COIL, 0, 3)
    route = FakeRoute(FakeRegisters({Table.COIL: {0: 1, 1: 0, 2: 1}}))
    assert values(block(asking(route, ask), ask)) == {f"coil {n:05d}": WordValue(n % 2 ^ 1) for n in range(3)}


@pytest.mark.parametrize("word", [-1, 0x10000])
def test_a_word_no_register_can_hold_is_unread(word: int) -> None:
    found, _ = holding(lambda _: [Words((word, 1))], count=2)
    assert found["holding 00001"] == WordValue(1)
    value = found["holding 00000"]
    assert isinstance(value, Unread)
    assert value.reason is Reason.BAD_REPLY


# The second look


def cheating(request: ReadTable, words: tuple[int, ...]) -> tuple[int, ...]:
    """Golden values for who reads large spans, the truth for who reads small ones."""
    return tuple(500 for _ in words) if request.count >= 50 else words


@given(st.integers(0, 2**32 - 1))
def test_a_device_that_cheats_large_spans_disagrees_whatever_the_dice_say(seed: int) -> None:
    device = FakeRegisters({HOLDING: dict.fromkeys(range(100), 620)}, lie=cheating)
    found, _ = holding(device, count=100, criticality=Criticality.CRITICAL, seed=seed)
    assert set(found.values()) == {Disagreement("first read", "500", "second read", "620")}


def test_what_is_not_critical_is_read_once() -> None:
    _, asked = holding(FakeRegisters({HOLDING: dict.fromkeys(range(100), 620)}), count=100)
    assert spans(asked) == [(0, 100)]


@given(st.integers(0, 2**32 - 1))
def test_the_second_look_covers_every_critical_address_in_other_spans(seed: int) -> None:
    device = FakeRegisters({HOLDING: dict.fromkeys(range(100), 1)})
    found, asked = holding(device, count=100, criticality=Criticality.CRITICAL, seed=seed)
    again = spans(asked)[1:]
    assert sorted(n for first, count in again for n in range(first, first + count)) == list(range(100))
    assert (0, 100) not in again
    assert set(found.values()) == {WordValue(1)}


def test_what_moves_by_itself_is_not_asked_to_agree_with_itself() -> None:
    _, asked = holding(FakeRegisters({HOLDING: {0: 1}}), count=1, criticality=Criticality.CRITICAL, volatile=("holding 00000",))
    assert spans(asked) == [(0, 1)]


def test_a_critical_value_that_was_read_only_once_is_unread() -> None:
    seen: list[Request] = []

    def device(request: Request) -> Script:
        seen.append(request)
        return [Words((1,))] if len(seen) == 1 else [Refused("no more")]

    found, _ = holding(device, count=1, criticality=Criticality.CRITICAL)
    assert found == {"holding 00000": Unread(Reason.REFUSED, "read once; the second time: no more")}


def test_a_critical_parameter_that_answers_differently_disagrees_in_engineering_units() -> None:
    answers = iter([500, 620])
    found, _ = named(lambda _: [Words((next(answers),))], p(7, scale=Decimal("0.1"), unit="t", criticality=Criticality.CRITICAL))
    assert found == {"p7": Disagreement("first read", "50.0 t", "second read", "62.0 t")}


def test_a_critical_parameter_that_was_read_only_once_is_unread() -> None:
    answers: list[Script] = [[Words((500,))], [TimedOut("silence")]]
    found, _ = named(lambda _: answers.pop(0), p(7, criticality=Criticality.CRITICAL))
    assert found == {"p7": Unread(Reason.TIMED_OUT, "read once; the second time: silence")}


def test_texts_that_look_alike_but_are_not_disagree_in_registers() -> None:
    answers = iter([(0x4100,), (0x4120,)])
    text = Parameter("t", HOLDING, 0, NumberType.TEXT, 1, criticality=Criticality.CRITICAL)
    found, _ = named(lambda _: [Words(next(answers))], text)
    assert found == {"t": Disagreement("first read", "4100", "second read", "4120")}


# Named parameters


def test_neighbours_are_read_together_and_nothing_between_them() -> None:
    device = FakeRegisters({HOLDING: {100: 500, 101: 400, 103: 1, 104: 0x86A0, 200: 5}})
    found, asked = named(device, p(200), p(103, NumberType.U32), p(100, scale=Decimal("0.1"), unit="t"), p(101))
    assert found == {
        "p100": NumberValue((500,), "50.0", "t"),
        "p101": NumberValue((400,), "400"),
        "p103": NumberValue((1, 0x86A0), "100000"),
        "p200": NumberValue((5,), "5"),
    }
    assert spans(asked) == [(100, 2), (103, 2), (200, 1)]


def test_a_long_run_of_numbers_is_cut_between_numbers() -> None:
    device = FakeRegisters({HOLDING: dict.fromkeys(range(200), 1)})
    _, asked = named(device, *(p(2 * n, NumberType.U32) for n in range(100)))
    assert spans(asked) == [(0, 124), (124, 76)]


def test_one_refused_parameter_does_not_hide_its_neighbours() -> None:
    device = FakeRegisters({HOLDING: {0: 1, 1: 2, 3: 4}})
    found, _ = named(device, p(0), p(1), p(2), p(3))
    assert found["p2"] == Unread(Reason.REFUSED, "illegal data address (exception 2)")
    assert {name for name, value in found.items() if isinstance(value, NumberValue)} == {"p0", "p1", "p3"}


def test_an_unknown_function_is_not_asked_again_for_each_parameter() -> None:
    found, asked = named(lambda _: [ExceptionReply(1)], *(p(n) for n in range(8)))
    assert len(asked) == 1
    assert all(isinstance(value, Unread) for value in found.values())


def test_a_silent_device_costs_a_few_questions_for_all_parameters() -> None:
    found, asked = named(lambda _: [TimedOut("silence")], *(p(2 * n) for n in range(100)))
    assert len(asked) == Pace().tries
    assert set(found.values()) == {Unread(Reason.TIMED_OUT, "silence")}


@pytest.mark.parametrize("words", [(), (1,), (1, 2, 3), (1, 0x10000)])
def test_an_answer_that_does_not_fit_is_unread(words: tuple[int, ...]) -> None:
    found, _ = named(lambda _: [Words(words)], p(0), p(1))
    assert all(isinstance(value, Unread) and value.reason is Reason.BAD_REPLY for value in found.values())


def test_only_the_critical_parameters_are_read_twice() -> None:
    device = FakeRegisters({HOLDING: dict.fromkeys(range(4), 1)})
    _, asked = named(device, p(0), p(1, criticality=Criticality.CRITICAL), p(2), p(3))
    assert spans(asked) == [(0, 4), (1, 1)]


LAYOUT = st.lists(st.tuples(st.integers(0, 300), st.sampled_from([1, 1, 2, 4, 20])), min_size=1, max_size=60)


@given(LAYOUT, st.integers(20, 125))
def test_no_value_is_torn_and_nothing_else_is_asked(layout: list[tuple[int, int]], largest: int) -> None:
    wholes = {Whole(HOLDING, first, count) for first, count in layout}
    groups = packed(wholes, Pace(registers_per_request=largest))
    assert sorted(whole for group in groups for whole in group) == sorted(wholes)
    wanted = {n for whole in wholes for n in range(whole.first, whole.end)}
    for group in groups:
        asked = range(group[0].first, max(whole.end for whole in group))
        assert len(asked) <= largest
        assert set(asked) <= wanted


@given(LAYOUT, st.integers(1, 125), st.integers(0, 2**32 - 1))
def test_every_parameter_has_its_own_registers(layout: list[tuple[int, int]], largest: int, seed: int) -> None:
    device = FakeRegisters({HOLDING: {n: n for n in range(400)}}, most=largest)
    wanted = {
        first: Parameter(f"p{first}", HOLDING, first, NumberType.TEXT, count, criticality=Criticality.CRITICAL)
        for first, count in layout
    }
    found, asked = named(device, *wanted.values(), pace=Pace(registers_per_request=largest), seed=seed)
    for first, parameter in wanted.items():
        value = found[f"p{first}"]
        assert isinstance(value, NumberValue)
        assert value.raw == tuple(range(first, first + parameter.length))
    assert all(request.count <= largest for request in asked)


# Identity, records, queues


def alone(
    answer: Script | Play, ask: Ask, by: Callable[[Asking], Outcome], criticality: Criticality = Criticality.NORMAL
) -> dict[str, Value]:
    play: Play = answer if callable(answer) else (lambda _: answer)
    return values(by(asking(FakeRoute(play, evidence=Evidence.CLAIMED), ask, criticality)))


IDENTITY = Identification(IdentificationLevel.EXTENDED)


def test_identification_objects_have_the_names_of_the_standard() -> None:
    objects = Objects(0x83, ((0, b"Example Drives"), (1, b"HD-400"), (2, b"V2.10"), (0x80, b"\xff\x1b")))
    assert alone([objects], IDENTITY, lambda a: identification(a, IDENTITY)) == {
        "conformity level": FactValue("0x83"),
        "VendorName": FactValue("Example Drives"),
        "ProductCode": FactValue("HD-400"),
        "MajorMinorRevision": FactValue("V2.10", "V2.10"),
        "object 0x80": FactValue("\\xff\\x1b"),
    }


@pytest.mark.parametrize(
    "answer", [[Objects(1, ((0, b"a"), (0, b"b")))], [Objects(1, ((256, b"a"),))], [Objects(-1, ())], [Words((1,))], []]
)
def test_an_identification_that_cannot_be_is_no_answer(answer: Script) -> None:
    with pytest.raises(BadReply):
        alone(answer, IDENTITY, lambda a: identification(a, IDENTITY))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"HD-400\xff", {"server id": FactValue("HD-400"), "run indicator": FactValue("on")}),
        (b"HD-400\x00", {"server id": FactValue("HD-400"), "run indicator": FactValue("off")}),
        (b"\xb4\xffLMB3.1.6", {"server id": FactValue("\\xb4\\xffLMB3.1.6")}),
    ],
)
def test_the_last_byte_of_a_server_id_is_not_lost(data: bytes, expected: dict[str, Value]) -> None:
    assert alone([Output(data)], ServerId(), server_id) == expected


def test_an_empty_server_id_is_no_answer() -> None:
    with pytest.raises(BadReply):
        alone([Output(b"")], ServerId(), server_id)


RECORDS = FileRecords(4, 10, 200)


def records(lie: int = 0) -> Play:
    def play(request: Request) -> Script:
        assert isinstance(request, ReadRecords)
        small = lie if request.count < 200 else 0
        return [Words(tuple(n + small for n in range(request.first, request.first + request.count)))]

    return play


@pytest.mark.parametrize("criticality", [Criticality.NORMAL, Criticality.CRITICAL])
def test_file_records_are_hashed_high_byte_first(criticality: Criticality) -> None:
    found = alone(records(), RECORDS, lambda a: file_records(a, RECORDS), criticality)
    value = found["file 4 records 00010-00209"]
    assert isinstance(value, FileValue)
    assert value.sha256 == hashlib.sha256(struct.pack(">200H", *range(10, 210))).hexdigest()
    assert value.size == 400


def test_critical_file_records_are_read_twice() -> None:
    found = alone(records(lie=1), RECORDS, lambda a: file_records(a, RECORDS), Criticality.CRITICAL)
    assert isinstance(found["file 4 records 00010-00209"], Disagreement)


@pytest.mark.parametrize("words", [(), tuple(range(199)), (0x10000,) * 200])
def test_records_too_few_are_no_answer(words: tuple[int, ...]) -> None:
    with pytest.raises(BadReply):
        alone([Words(words)], RECORDS, lambda a: file_records(a, RECORDS))


def test_a_queue_has_a_member_for_each_word_it_holds() -> None:
    found = alone([Words((5, 6))], Fifo(1246), lambda a: fifo(a, Fifo(1246)))
    assert found == {"fifo 01246 word 00": WordValue(5), "fifo 01246 word 01": WordValue(6)}
    assert alone([Words(())], Fifo(1246), lambda a: fifo(a, Fifo(1246))) == {}


def test_a_queue_that_holds_too_many_words_is_no_answer() -> None:
    with pytest.raises(BadReply):
        alone([Words((1,) * 32)], Fifo(0), lambda a: fifo(a, Fifo(0)))


@pytest.mark.parametrize(
    ("ask", "by"),
    [
        (Parameters((p(0),)), lambda a: parameters(a, Parameters((p(0),)))),
        (Registers(HOLDING, 0, 1), lambda a: block(a, Registers(HOLDING, 0, 1))),
        (IDENTITY, lambda a: identification(a, IDENTITY)),
        (ServerId(), server_id),
        (RECORDS, lambda a: file_records(a, RECORDS)),
        (Fifo(0), lambda a: fifo(a, Fifo(0))),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_line_that_does_not_speak_modbus_is_not_asked(ask: Ask, by: Callable[[Asking], Outcome]) -> None:
    route = FakeRoute(lambda _: [], cannot=lambda _: "an SSH line")
    assert by(asking(route, ask)) == NotAsked("item", "an SSH line")
    assert route.asked == []


@pytest.mark.parametrize("error", [Refused("no"), TimedOut("silence")])
def test_an_error_on_a_single_question_is_left_to_the_caller(error: DeviceError) -> None:
    with pytest.raises(type(error)):
        alone([error], ServerId(), server_id)
