"""Blocks: every address once, large spans first, smaller ones where the device refuses, a second look that cannot be foreseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.servers.modbus import Peer, holding, raw_device, tcp_address, true_reply
from verifier.errors import BadReply, DeviceError, Refused, TimedOut
from verifier.model.profile import Pace
from verifier.model.words import Table
from verifier.transport.answer import Answer, Words
from verifier.transport.modbus.block import EXTRA_REQUESTS, EXTRA_REQUESTS_PER_SPAN, Span, SpanUnread, read_block
from verifier.transport.modbus.frame import Frame
from verifier.transport.modbus.reply import ExceptionReply
from verifier.transport.modbus.route import ModbusRoute
from verifier.transport.modbus.spans import second_look, spans
from verifier.transport.request import ReadTable, Request


class Device:
    """Answers like a device: `error(first, count)` says what it has against a request."""

    def __init__(self, error: Callable[[int, int], DeviceError | None]) -> None:
        self.error = error
        self.asked: list[tuple[int, int]] = []

    def ask(self, request: Request) -> Iterator[Answer]:
        assert isinstance(request, ReadTable)
        self.asked.append((request.first, request.count))
        if error := self.error(request.first, request.count):
            raise error
        return iter((Words(tuple(holding(each) for each in range(request.first, request.first + request.count))),))


def taken_apart(parts: tuple[Span | SpanUnread, ...], first: int, count: int) -> tuple[set[int], dict[int, DeviceError]]:
    """What was read and what not; that every address comes once, ascending, with the right value, is asserted here."""
    read: set[int] = set()
    unread: dict[int, DeviceError] = {}
    at = first
    for part in parts:
        assert part.first == at
        match part:
            case Span(_, words):
                assert words == tuple(holding(each) for each in range(at, at + len(words)))
                read.update(range(at, at + len(words)))
                at += len(words)
            case SpanUnread(_, size, error):
                unread.update(dict.fromkeys(range(at, at + size), error))
                at += size
    assert at == first + count
    return read, unread


def holes(*missing: int, code: int = 2) -> Device:
    return Device(lambda first, count: ExceptionReply(code) if any(first <= each < first + count for each in missing) else None)


@given(st.integers(0, 65535), st.integers(0, 3000), st.integers(1, 200))
def test_spans_cover_a_block_once(first: int, count: int, largest: int) -> None:
    cut = spans(first, count, largest)
    assert [each for at, size in cut for each in range(at, at + size)] == list(range(first, first + count))
    assert all(1 <= size <= largest for _, size in cut)
    assert len(cut) == -(-count // largest)


def test_spans_that_cannot_be() -> None:
    assert len(spans(0, 65536, 125)) == 525
    for count, largest in ((1, 0), (-1, 5)):
        with pytest.raises(ValueError, match="spans of"):
            spans(0, count, largest)


def test_what_can_be_read_is_read_in_the_fewest_requests() -> None:
    device = holes()
    read, unread = taken_apart(tuple(read_block(device.ask, Table.HOLDING, 10, 300, 125)), 10, 300)
    assert (len(read), unread) == (300, {})
    assert device.asked == [(10, 125), (135, 125), (260, 50)]


def test_one_hole_is_found_and_named() -> None:
    device = holes(77)
    read, unread = taken_apart(tuple(read_block(device.ask, Table.HOLDING, 0, 250, 125)), 0, 250)
    assert set(unread) == {77}
    assert str(unread[77]) == "illegal data address (exception 2)"
    assert len(read) == 249
    assert len(device.asked) <= 2 + 2 * 7


def test_a_device_that_takes_less_at_once_is_asked_for_less_from_then_on() -> None:
    device = Device(lambda first, count: ExceptionReply(3) if count > 60 else None)
    read, unread = taken_apart(tuple(read_block(device.ask, Table.HOLDING, 0, 1000, 125)), 0, 1000)
    assert (len(read), unread) == (1000, {})
    refused = sum(1 for _, count in device.asked if count > 60)
    assert refused <= 3
    assert len(device.asked) <= refused + -(-1000 // 32)


@given(st.sets(st.integers(0, 399), max_size=12), st.integers(1, 125))
@example(set(range(400)), 125)
@example(set(range(200, 400)), 125)
def test_every_address_comes_once_and_holes_are_never_values(missing: set[int], largest: int) -> None:
    device = holes(*missing)
    read, unread = taken_apart(tuple(read_block(device.ask, Table.HOLDING, 0, 400, largest)), 0, 400)
    assert read.isdisjoint(missing)
    assert read | set(unread) == set(range(400))
    assert all(isinstance(error, Refused) and "exception 2" in str(error) for error in unread.values())
    assert len(device.asked) <= -(-400 // largest) + EXTRA_REQUESTS
    if len(missing) <= 1:
        assert set(unread) == missing


def test_an_empty_table_costs_a_bounded_number_of_questions() -> None:
    device = holes(*range(65536))
    parts = tuple(read_block(device.ask, Table.HOLDING, 0, 65536, 125))
    read, unread = taken_apart(parts, 0, 65536)
    assert (read, len(unread)) == (set(), 65536)
    assert len(device.asked) <= 525 + EXTRA_REQUESTS
    assert "not asked one by one" in str(parts[-1].error) if isinstance(parts[-1], SpanUnread) else False


def test_the_edge_of_a_map_is_found_within_one_span() -> None:
    for edge in range(16, 125):
        device = holes(*range(edge, 125))
        read, _ = taken_apart(tuple(read_block(device.ask, Table.HOLDING, 0, 125, 125)), 0, 125)
        assert read == set(range(edge))
        assert len(device.asked) <= 1 + EXTRA_REQUESTS_PER_SPAN


@pytest.mark.parametrize("code", [1, 4, 6, 10, 11])
def test_other_exceptions_are_not_cured_by_smaller_spans(code: int) -> None:
    device = holes(0, code=code)
    parts = tuple(read_block(device.ask, Table.HOLDING, 0, 250, 125))
    _, unread = taken_apart(parts, 0, 250)
    assert (len(unread), len(device.asked)) == (125, 2)
    assert f"exception {code}" in str(unread[0])


def test_a_plain_refusal_is_looked_into() -> None:
    device = Device(lambda first, count: Refused("no") if first <= 3 < first + count else None)
    _, unread = taken_apart(tuple(read_block(device.ask, Table.HOLDING, 0, 8, 8)), 0, 8)
    assert set(unread) == {3}


def test_silence_does_not_make_spans_smaller() -> None:
    device = Device(lambda first, count: TimedOut("silence") if first == 125 else None)
    read, unread = taken_apart(tuple(read_block(device.ask, Table.HOLDING, 0, 500, 125)), 0, 500)
    assert set(unread) == set(range(125, 250))
    assert len(device.asked) == 4
    assert len(read) == 375


@pytest.mark.parametrize("error", [TimedOut("silence"), BadReply("wrong")])
def test_after_some_failures_in_a_row_the_rest_is_not_asked(error: DeviceError) -> None:
    device = Device(lambda first, count: error if first >= 125 else None)
    parts = tuple(read_block(device.ask, Table.HOLDING, 0, 65536, 125, tries=3))
    read, unread = taken_apart(parts, 0, 65536)
    assert len(device.asked) == 4
    assert (len(read), len(unread)) == (125, 65536 - 125)
    assert set(unread.values()) == {error}


def test_failures_while_looking_into_a_span_stop_it_too() -> None:
    device = Device(lambda first, count: ExceptionReply(2) if count == 8 else TimedOut("silence"))
    parts = tuple(read_block(device.ask, Table.HOLDING, 0, 64, 8, tries=1))
    _, unread = taken_apart(parts, 0, 64)
    assert device.asked == [(0, 8), (0, 4)]
    assert {str(each) for each in unread.values()} == {"silence"}


def test_a_route_that_answers_something_else_is_unread() -> None:
    for answers in ((), (Words((1,)),), (Words((1, 2)), Words((1, 2)))):
        (part,) = read_block(lambda request, a=answers: iter(a), Table.HOLDING, 0, 2, 125)  # type: ignore[misc]  # a default
        assert isinstance(part, SpanUnread)
        assert isinstance(part.error, BadReply)


def test_an_empty_block_asks_nothing() -> None:
    device = holes()
    assert tuple(read_block(device.ask, Table.HOLDING, 5, 0, 125)) == ()
    assert device.asked == []


WHOLES = st.lists(st.tuples(st.integers(0, 500), st.sampled_from((1, 2, 4))), max_size=60)


@given(WHOLES, st.integers(4, 125), st.integers(0, 1 << 32))
def test_a_second_look_reads_the_same_addresses_and_tears_nothing(wholes: list[tuple[int, int]], largest: int, seed: int) -> None:
    look = second_look(wholes, largest, seed)
    wanted = {each for first, count in wholes for each in range(first, first + count)}
    assert {each for first, count in look for each in range(first, first + count)} == wanted
    assert all(1 <= count <= largest for _, count in look)
    for first, count in wholes:
        assert any(at <= first and first + count <= at + size for at, size in look)


@given(st.integers(0, 1 << 32))
def test_a_second_look_is_in_other_spans_and_another_order(seed: int) -> None:
    wholes = [(each, 1) for each in range(400)]
    look = second_look(wholes, 125, seed)
    assert look == second_look(reversed(wholes), 125, seed)
    assert look != second_look(wholes, 125, seed + 1)
    assert max(count for _, count in look) <= 32
    assert len({count for _, count in look}) > 3
    assert [first for first, _ in look] != sorted(first for first, _ in look)


def test_a_whole_longer_than_a_request_is_cut() -> None:
    look = second_look([(0, 20)], 8, 1)
    assert sorted(look) == [(0, 8), (8, 8), (16, 4)]


@pytest.mark.parametrize("threshold", [2, 4, 8, 16, 33, 50, 100])
def test_a_device_with_golden_values_for_large_spans_is_caught(threshold: int) -> None:
    """It raised one limit from what `holding` says, and hides that from whoever reads many registers at once."""
    raised = 77

    def cheating(peer: Peer, asked: Frame) -> None:
        first, count = int.from_bytes(asked.pdu[1:3], "big"), int.from_bytes(asked.pdu[3:5], "big")
        reply = bytearray(true_reply(asked))
        if count < threshold and first <= raised < first + count:
            reply[2 + 2 * (raised - first)] ^= 0x40
        peer.reply(asked, bytes(reply))

    with raw_device(cheating) as device, ModbusRoute.open(tcp_address(device.port, 2.0), Pace()) as route:
        first_look = {}
        for part in read_block(route.ask, Table.HOLDING, 0, 125, 125):
            assert isinstance(part, Span)
            first_look = dict(enumerate(part.words))
        differing: set[int] = set()
        for seed in range(24):
            for at, size in second_look([(each, 1) for each in range(125)], 125, seed):
                (answer,) = route.ask(ReadTable(Table.HOLDING, at, size))
                assert isinstance(answer, Words)
                differing |= {at + place for place, word in enumerate(answer.values) if word != first_look[at + place]}
        assert differing == {raised}
