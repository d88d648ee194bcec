"""Awkward and hostile devices over TCP: an error or the right values, never wrong ones; and the next question works."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from tests.servers.modbus import Answer, Peer, RawDevice, holding, raw_device, tcp_address, true_reply
from verifier.errors import BadReply, DeviceError, OverBound, Refused, TimedOut, Truncated, Unreachable
from verifier.model.profile import IdentificationLevel, Pace
from verifier.model.words import Table
from verifier.transport.answer import Words
from verifier.transport.modbus.frame import Frame, Framing, framed
from verifier.transport.modbus.route import ModbusRoute
from verifier.transport.request import ReadIdentification, ReadTable

TWICE = Pace(tries=2)
TEN = ReadTable(Table.HOLDING, 100, 10)
NEXT = ReadTable(Table.HOLDING, 200, 10)
SILENCE = 0.25


def right(request: ReadTable) -> Words:
    return Words(tuple(holding(each) for each in range(request.first, request.first + request.count)))


def adu(asked: Frame, pdu: bytes | None = None, transaction: int | None = None, unit: int | None = None) -> bytes:
    """The right answer as it would go over the wire, with what a test wants to be different."""
    return framed(
        Framing.TCP,
        Frame(
            asked.unit if unit is None else unit,
            true_reply(asked) if pdu is None else pdu,
            asked.transaction if transaction is None else transaction,
        ),
    )


def patched(data: bytes, at: int, *values: int) -> bytes:
    return data[:at] + bytes(values) + data[at + len(values) :]


def sending(make: Callable[[Frame], bytes]) -> Answer:
    return lambda peer, asked: peer.send(make(asked))


def slowly(peer: Peer, asked: Frame) -> None:
    for each in adu(asked):
        peer.send(bytes([each]))
        time.sleep(0.03)


def flood(peer: Peer, asked: Frame) -> None:
    for _ in range(1000):
        peer.send(bytes(4096))


def rtu_flood(peer: Peer, asked: Frame) -> None:
    for _ in range(1000):
        peer.send(b"\x01\x03\x14" + b"\x55" * 4000)


def exception(code: int) -> Answer:
    return sending(lambda asked: adu(asked, bytes([0x83, code])))


WRONG: dict[str, tuple[Answer, type[DeviceError]]] = {
    "input registers for holding": (sending(lambda f: adu(f, b"\x04" + true_reply(f)[1:])), BadReply),
    "coils for registers": (sending(lambda f: adu(f, b"\x01\x02\xff\x03")), BadReply),
    "two registers": (sending(lambda f: adu(f, b"\x03\x04" + true_reply(f)[2:6])), BadReply),
    "twenty registers": (sending(lambda f: adu(f, b"\x03\x28" + bytes(40))), BadReply),
    "byte count 0": (sending(lambda f: adu(f, b"\x03\0")), BadReply),
    "odd byte count": (sending(lambda f: adu(f, b"\x03\x13" + bytes(19))), BadReply),
    "byte count lies": (sending(lambda f: adu(f, b"\x03\x14" + bytes(10))), BadReply),
    "byte count low": (sending(lambda f: adu(f, b"\x03\x12" + bytes(20))), BadReply),
    "function code only": (sending(lambda f: adu(f, b"\x03")), BadReply),
    "wrong transaction": (sending(lambda f: adu(f, transaction=f.transaction + 1)), BadReply),
    "transaction 0": (sending(lambda f: adu(f, transaction=0)), BadReply),
    "wrong unit": (sending(lambda f: adu(f, unit=f.unit + 1)), BadReply),
    "protocol id": (sending(lambda f: patched(adu(f), 2, 0, 1)), BadReply),
    "length 65535": (sending(lambda f: patched(adu(f), 4, 255, 255)), BadReply),
    "length 0": (sending(lambda f: patched(adu(f), 4, 0, 0)), BadReply),
    "length one more": (sending(lambda f: patched(adu(f), 5, adu(f)[5] + 1)), BadReply),
    "length one less": (sending(lambda f: patched(adu(f), 5, adu(f)[5] - 1)), BadReply),
    "two replies glued": (sending(lambda f: adu(f) + adu(f, b"\x03\x14" + bytes(20))), BadReply),
    "the same reply twice": (sending(lambda f: adu(f) * 2), BadReply),
    "a stray byte behind": (sending(lambda f: adu(f) + b"\0"), BadReply),
    "rubbish": (sending(lambda f: b"HTTP/1.0 400 Bad Request\r\n\r\n"), BadReply),
    "flood": (flood, BadReply),
    "exception of another function": (sending(lambda f: adu(f, b"\x84\x02")), BadReply),
    "exception too long": (sending(lambda f: adu(f, b"\x83\x02\x00")), BadReply),
    "exception too short": (sending(lambda f: adu(f, b"\x83")), BadReply),
    "exception 0": (sending(lambda f: adu(f, b"\x83\0")), BadReply),
    "silence": (lambda peer, asked: None, TimedOut),
    "half a reply": (sending(lambda f: adu(f)[:15]), TimedOut),
    "dripping": (slowly, TimedOut),
    "reset": (lambda peer, asked: peer.reset(), Truncated),
    "close": (lambda peer, asked: peer.close(), Truncated),
    **{f"exception {code}": (exception(code), Refused) for code in (1, 2, 3, 4, 5, 6, 8, 10, 11, 99)},
}


@pytest.mark.parametrize(("answer", "error"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_an_error_and_the_next_question_works(answer: Answer, error: type[DeviceError]) -> None:
    def first_wrong(peer: Peer, asked: Frame) -> None:
        if asked.pdu[1:3] == (100).to_bytes(2, "big"):
            answer(peer, asked)
        else:
            peer.reply(asked, true_reply(asked))

    with raw_device(first_wrong) as device, ModbusRoute.open(tcp_address(device.port, SILENCE), TWICE) as route:
        began = time.monotonic()
        with pytest.raises(error):
            route.ask(TEN)
        tries = 2 if error in (TimedOut, Truncated) else 1
        assert time.monotonic() - began < tries * SILENCE + 1.5
        assert tuple(route.ask(NEXT)) == (right(NEXT),)
        assert device.connections == (1 if error is Refused else 1 + tries)
        assert len(device.requests) == 1 + tries


def by_bytes(peer: Peer, asked: Frame) -> None:
    for each in adu(asked):
        peer.send(bytes([each]))
        time.sleep(0.001)


def by_halves(peer: Peer, asked: Frame) -> None:
    data = adu(asked)
    peer.send(data[:9])
    time.sleep(0.05)
    peer.send(data[9:])


@pytest.mark.parametrize("answer", [by_bytes, by_halves])
def test_split_answers_work(answer: Answer) -> None:
    with raw_device(answer) as device, ModbusRoute.open(tcp_address(device.port, 1.0), TWICE) as route:
        assert tuple(route.ask(TEN)) == (right(TEN),)
        assert tuple(route.ask(NEXT)) == (right(NEXT),)
        assert device.connections == 1


def test_a_reply_that_comes_twice_does_not_answer_the_next_question() -> None:
    def twice(peer: Peer, asked: Frame) -> None:
        peer.send(adu(asked))
        time.sleep(0.05)
        peer.send(adu(asked))

    with raw_device(twice) as device, ModbusRoute.open(tcp_address(device.port, SILENCE), TWICE) as route:
        assert tuple(route.ask(TEN)) == (right(TEN),)
        time.sleep(0.1)
        assert tuple(route.ask(NEXT)) == (right(NEXT),)
        assert device.connections == 2


@pytest.mark.parametrize("same_connection", [True, False])
def test_a_late_answer_never_answers_the_next_question(same_connection: bool) -> None:
    late: list[tuple[Peer, Frame]] = []

    def answer(peer: Peer, asked: Frame) -> None:
        if asked.pdu[2] == TEN.first:
            late.append((peer, asked))
            return
        old_peer, old = late[0]
        try:
            (old_peer if same_connection else peer).send(adu(old))
        except OSError:
            pass
        peer.reply(asked, true_reply(asked))

    with raw_device(answer) as device, ModbusRoute.open(tcp_address(device.port, SILENCE), TWICE) as route:
        with pytest.raises(TimedOut):
            route.ask(TEN)
        try:
            assert tuple(route.ask(NEXT)) == (right(NEXT),)
        except BadReply:
            assert not same_connection


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("end", ["close", "reset", "silence"])
def test_cut_at_every_offset(framing: Framing, end: str) -> None:
    cut = 0

    def answer(peer: Peer, asked: Frame) -> None:
        data = framed(framing, Frame(asked.unit, true_reply(asked), asked.transaction))
        if cut < len(data):
            peer.send(data[:cut])
            if end != "silence":
                getattr(peer, end)()
        else:
            peer.send(data)

    request = ReadTable(Table.HOLDING, 7, 6)
    length = framing.before + 14 + framing.after
    with raw_device(answer, framing) as device:
        for cut in range(0, length, 1 if end == "close" else 4):  # noqa: B007  # the device reads it
            with (
                ModbusRoute.open(tcp_address(device.port, 0.05, rtu=framing is Framing.RTU), Pace(tries=1)) as route,
                pytest.raises((Truncated, TimedOut)),
            ):
                route.ask(request)
        cut = length
        with ModbusRoute.open(tcp_address(device.port, 1.0, rtu=framing is Framing.RTU), TWICE) as route:
            assert tuple(route.ask(request)) == (right(request),)


def test_a_flood_on_rtu_costs_no_second_of_cpu() -> None:
    with (
        raw_device(rtu_flood, Framing.RTU) as device,
        ModbusRoute.open(tcp_address(device.port, 1.0, rtu=True), TWICE) as route,
    ):
        began = time.thread_time()
        with pytest.raises(BadReply):
            route.ask(TEN)
        assert time.thread_time() - began < 0.2


def test_a_map_shifted_by_one_is_read_as_it_is() -> None:
    """Nobody but the comparison can see this one: the values differ from the baseline's."""

    def shifted(peer: Peer, asked: Frame) -> None:
        first = int.from_bytes(asked.pdu[1:3], "big") + 1
        peer.reply(asked, true_reply(Frame(1, asked.pdu[:1] + first.to_bytes(2, "big") + asked.pdu[3:])))

    with raw_device(shifted) as device, ModbusRoute.open(tcp_address(device.port), TWICE) as route:
        (answer,) = route.ask(TEN)
        assert answer == right(ReadTable(Table.HOLDING, 101, 10)) != right(TEN)


def test_a_device_that_closes_between_questions_is_asked_again() -> None:
    def once(peer: Peer, asked: Frame) -> None:
        peer.reply(asked, true_reply(asked))
        peer.close()

    with raw_device(once) as device, ModbusRoute.open(tcp_address(device.port), TWICE) as route:
        for request in (TEN, NEXT, TEN):
            assert tuple(route.ask(request)) == (right(request),)
            time.sleep(0.02)
        assert device.connections == 3


def identifying(*replies: bytes) -> Answer:
    """Answers 43/14 with these heads (conformity, more, next, count) and objects, the last one for ever."""
    waiting = list(replies)

    def answer(peer: Peer, asked: Frame) -> None:
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        peer.reply(asked, asked.pdu[:3] + reply)

    return answer


def test_an_identification_that_never_ends_is_bounded() -> None:
    def endless(peer: Peer, asked: Frame) -> None:
        first = asked.pdu[3]
        peer.reply(asked, asked.pdu[:3] + bytes([0x83, 0xFF, first + 1, 1, first, 1, 0x41]))

    with raw_device(endless) as device, ModbusRoute.open(tcp_address(device.port), TWICE) as route:
        with pytest.raises(OverBound, match="does not end after 16 answers"):
            route.ask(ReadIdentification(IdentificationLevel.EXTENDED))
        assert len(device.requests) == 16


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (b"\x83\xff\x01\x01\x00\x01A", "first object 0 instead of 1"),
        (b"\x81\x00\x00\x01\x01\x01B", "conformity level 0x83, then 0x81"),
        (b"\x83\xff\x01\x01\x01\x01B", "more follows from object 1, after object 1"),
    ],
)
def test_an_identification_that_turns_in_circles_is_a_bad_reply(second: bytes, words: str) -> None:
    answer = identifying(b"\x83\xff\x01\x01\x00\x01A", second)
    with (
        raw_device(answer) as device,
        ModbusRoute.open(tcp_address(device.port), TWICE) as route,
        pytest.raises(BadReply, match=words),
    ):
        route.ask(ReadIdentification(IdentificationLevel.EXTENDED))


def test_identification_by_another_level_than_asked_is_refused() -> None:
    """As conpot answers: other objects than the one that was asked for, or another level."""
    with (
        raw_device(lambda peer, asked: peer.reply(asked, b"\x2b\x0e\x04\x83\0\0\x01\0\x01A")) as device,
        ModbusRoute.open(tcp_address(device.port), TWICE) as route,
        pytest.raises(BadReply, match="read code 4 instead of 1"),
    ):
        route.ask(ReadIdentification(IdentificationLevel.BASIC))


def test_nothing_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="nothing listens on port"):
            ModbusRoute.open(tcp_address(taken.getsockname()[1]), TWICE)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the name 127.0.0.1 is not known"),
        (UnicodeError("label too long"), "the name 127.0.0.1 is not known"),
        (TimeoutError("timed out"), "does not answer within 3 s"),
        (OSError(113, "No route to host"), "there is no route to 127.0.0.1"),
        (OSError(101, "Network is unreachable"), "there is no route to 127.0.0.1"),
        (OSError(24, "Too many open files"), "Too many open files"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_why_a_device_cannot_be_reached_is_said_in_words(monkeypatch: pytest.MonkeyPatch, failure: Exception, words: str) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise failure

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(Unreachable, match=words):
        ModbusRoute.open(tcp_address(1), TWICE)


def test_a_device_that_goes_away_for_good_is_unreachable_later() -> None:
    def answer(peer: Peer, asked: Frame) -> None:
        peer.close()

    device = RawDevice(answer)
    with ModbusRoute.open(tcp_address(device.port), TWICE) as route:
        with pytest.raises(Truncated):
            route.ask(TEN)
        device.close()
        with pytest.raises(Unreachable, match="nothing listens"):
            route.ask(TEN)
