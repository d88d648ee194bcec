"""How a device is asked: again after silence, never after a no, at its pace, and not for ever."""

from __future__ import annotations

import time

import pytest

from tests.servers.modbus import Answer, Peer, holding, raw_device, tcp_address, true_reply
from verifier.errors import BadReply, DeviceError, IdentityChanged, LoginRefused, Refused, TimedOut, Unreachable, UsageError
from verifier.model.device import ModbusTcpAddress, Timeouts
from verifier.model.profile import Bounds, Pace, Proof
from verifier.model.words import Evidence, Table
from verifier.transport.answer import Words
from verifier.transport.modbus.conversation import Conversation
from verifier.transport.modbus.frame import Frame, Framing
from verifier.transport.modbus.reply import ExceptionReply, words_of
from verifier.transport.modbus.route import ModbusRoute
from verifier.transport.request import Command, ReadFifo, ReadFile, ReadRecords, ReadServerId, ReadTable, ReadTree, Run
from verifier.transport.route import Route
from verifier.transport.transcript import Transcript

ONE = ReadTable(Table.HOLDING, 5, 1)
SILENCE = 0.15


def silent(peer: Peer, asked: Frame) -> None: ...


def honest(peer: Peer, asked: Frame) -> None:
    peer.reply(asked, true_reply(asked))


def refusing(code: int) -> Answer:
    return lambda peer, asked: peer.reply(asked, bytes([asked.pdu[0] | 0x80, code]))


def test_the_route_keeps_the_protocol() -> None:
    with raw_device(honest) as device:
        route: Route = ModbusRoute.open(tcp_address(device.port), Pace())
        with route:
            assert route.evidence is Evidence.CLAIMED
            assert route.facts == ()
            assert "neither encrypted nor authenticated" in route.notes[0]
            assert tuple(route.ask(ONE)) == (Words((holding(5),)),)


def test_silence_is_asked_again_on_a_new_line_with_a_new_number() -> None:
    heard: list[Frame] = []

    def third_time(peer: Peer, asked: Frame) -> None:
        heard.append(asked)
        if len(heard) == 3:
            peer.reply(asked, true_reply(asked))

    with raw_device(third_time) as device, ModbusRoute.open(tcp_address(device.port, SILENCE), Pace(tries=3)) as route:
        assert tuple(route.ask(ONE)) == (Words((holding(5),)),)
        assert device.connections == 3
        assert len({each.transaction for each in heard}) == 3
        assert route.transcript.lines == ["modbus unit 1 0300050001"] * 3


def test_a_no_is_not_asked_again() -> None:
    with raw_device(refusing(2)) as device, ModbusRoute.open(tcp_address(device.port), Pace(tries=3)) as route:
        for _ in range(5):
            with pytest.raises(Refused, match=r"^illegal data address \(exception 2\)$"):
                route.ask(ONE)
        assert (len(device.requests), device.connections) == (5, 1)


def test_a_wrong_reply_is_not_asked_again_and_opens_a_new_line() -> None:
    def wrong(peer: Peer, asked: Frame) -> None:
        peer.reply(asked, b"\x04\x02\0\0")

    with raw_device(wrong) as device, ModbusRoute.open(tcp_address(device.port), Pace(tries=2)) as route:
        for _ in range(2):
            with pytest.raises(BadReply):
                route.ask(ONE)
        assert (len(device.requests), device.connections) == (2, 2)


def test_a_reply_found_wrong_only_when_taken_apart_opens_a_new_line_too() -> None:
    def wrong(peer: Peer, asked: Frame) -> None:
        # right lengths, another reference type
        peer.reply(asked, b"\x14\x04\x03\x07\0\x01") if asked.pdu[0] == 20 else honest(peer, asked)

    with raw_device(wrong) as device, ModbusRoute.open(tcp_address(device.port), Pace(tries=2)) as route:
        with pytest.raises(BadReply, match="reference type 7"):
            route.ask(ReadRecords(1, 0, 1))
        assert tuple(route.ask(ONE)) == (Words((holding(5),)),)
        assert device.connections == 2


def test_a_silent_device_is_left_alone_after_some_questions() -> None:
    with raw_device(silent) as device, ModbusRoute.open(tcp_address(device.port, SILENCE), Pace(tries=2)) as route:
        for _ in range(2):
            with pytest.raises(TimedOut, match="no answer within"):
                route.ask(ONE)
        assert len(device.requests) == 4
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(TimedOut, match="left alone after 2 failed questions in a row"):
                route.ask(ONE)
        assert time.monotonic() - began < 0.2
        assert len(device.requests) == 4
        assert len(route.transcript.lines) == 4


@pytest.mark.parametrize(("code", "asked"), [(1, 9), (2, 9), (3, 9), (4, 9), (6, 3), (10, 3), (11, 3)])
def test_a_busy_device_is_left_alone_and_a_knowing_one_is_not(code: int, asked: int) -> None:
    with raw_device(refusing(code)) as device, ModbusRoute.open(tcp_address(device.port), Pace(tries=3)) as route:
        for _ in range(9):
            with pytest.raises(Refused, match=f"exception {code}"):
                route.ask(ONE)
        assert len(device.requests) == asked


def test_an_answer_in_between_starts_the_count_anew() -> None:
    def every_second(peer: Peer, asked: Frame) -> None:
        if asked.pdu[2] % 2:
            peer.reply(asked, true_reply(asked))

    with raw_device(every_second) as device, ModbusRoute.open(tcp_address(device.port, SILENCE), Pace(tries=2)) as route:
        for address in range(6):
            request = ReadTable(Table.HOLDING, address, 1)
            if address % 2:
                assert tuple(route.ask(request)) == (Words((holding(address),)),)
            else:
                with pytest.raises(TimedOut):
                    route.ask(request)


def test_requests_keep_the_pace() -> None:
    with raw_device(honest) as device, ModbusRoute.open(tcp_address(device.port), Pace(requests_per_second=50)) as route:
        began = time.monotonic()
        for _ in range(6):
            route.ask(ONE)
        assert time.monotonic() - began >= 5 / 50


def test_bytes_keep_the_pace() -> None:
    with raw_device(honest) as device, ModbusRoute.open(tcp_address(device.port), Pace(bytes_per_second=1000)) as route:
        began = time.monotonic()
        for _ in range(4):
            route.ask(ReadTable(Table.HOLDING, 0, 15))
        # 12 bytes there, 39 back
        assert time.monotonic() - began >= 3 * 51 / 1000
        assert (route.transcript.bytes_sent, route.transcript.bytes_received) == (48, 156)


def test_the_whole_session_has_an_end() -> None:
    with raw_device(honest) as device:
        address = ModbusTcpAddress("127.0.0.1", device.port, timeouts=Timeouts(silence=0.1, overall=0.15))
        with ModbusRoute.open(address, Pace(tries=1)) as route:
            route.ask(ONE)
            time.sleep(0.2)
            with pytest.raises(TimedOut, match="session are over"):
                route.ask(ONE)
            assert len(device.requests) == 1


def test_more_than_one_request_carries_is_refused_here() -> None:
    with raw_device(honest) as device:
        with ModbusRoute.open(tcp_address(device.port), Pace()) as route:
            for request in (
                ReadTable(Table.HOLDING, 0, 126),
                ReadTable(Table.COIL, 0, 2001),
                ReadTable(Table.INPUT, 0, 0),
                ReadTable(Table.INPUT, 65500, 100),
                ReadTable(Table.INPUT, -1, 1),
                ReadRecords(0, 0, 1),
                ReadRecords(1, 9999, 2),
                ReadRecords(1, 0, 0),
                ReadFifo(65536),
            ):
                with pytest.raises(UsageError):
                    route.ask(request)
        with (
            ModbusRoute.open(tcp_address(device.port), Pace(registers_per_request=10, bits_per_request=16)) as route,
            pytest.raises(UsageError, match="11 holding addresses in one request; 1 to 10 fit"),
        ):
            route.ask(ReadTable(Table.HOLDING, 0, 11))
        assert device.requests == []


def test_what_a_modbus_line_cannot_be_asked() -> None:
    with raw_device(honest) as device, ModbusRoute.open(tcp_address(device.port), Pace()) as route:
        assert route.can(ReadServerId()) == route.can(ONE) == ""
        tree = ReadTree((b"/",), (), Proof.CONTENT, (), 0, Bounds())
        assert "not files" in route.can(tree)
        assert "not files" in route.can(ReadFile(b"/etc/passwd"))
        assert "no commands" in route.can(Run(Command.KERNEL))


def test_a_closed_line_stays_closed() -> None:
    with raw_device(honest) as device:
        route = ModbusRoute.open(tcp_address(device.port), Pace())
        route.close()
        route.close()
        with pytest.raises(Unreachable, match="closed"):
            route.ask(ONE)
        assert device.requests == []


@pytest.mark.parametrize("unit", [0, 1, 247, 255])
def test_unit_ids_behind_a_gateway(unit: int) -> None:
    with raw_device(honest) as device, ModbusRoute.open(tcp_address(device.port, unit=unit), Pace()) as route:
        assert tuple(route.ask(ONE)) == (Words((holding(5),)),)
        assert device.requests[0][6] == unit
        assert route.transcript.lines == [f"modbus unit {unit} 0300050001"]


def test_the_library_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        raw_device(silent) as device,
        ModbusRoute.open(tcp_address(device.port, SILENCE), Pace(tries=1)) as route,
        pytest.raises(TimedOut),
    ):
        route.ask(ONE)
    assert capfd.readouterr() == ("", "")


Outcome = bytes | Exception


class Scripted:
    """A client whose questions end as a test says."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[bytes] = []
        self.closed = 0
        self.more: list[bool] = []

    def question(self, pdu: bytes, unit: int) -> bytes:
        self.asked.append(pdu)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def unasked(self, seconds: float = 0.0) -> bool:
        return bool(seconds and self.more and self.more.pop(0))

    def drain(self, seconds: float) -> None: ...

    def close(self) -> None:
        self.closed += 1


def missing(talk: Conversation) -> list[bytes]:
    return list(talk.unanswered)


def conversation(client: Scripted, tries: int = 1, framing: Framing = Framing.RTU) -> Conversation:
    return Conversation(client, framing, 1, Pace(tries=tries), Timeouts(), Transcript(), time.monotonic() + 60)


def one(address: int) -> bytes:
    return b"\x03" + address.to_bytes(2, "big") + b"\0\1"


def two(address: int) -> bytes:
    return b"\x03" + address.to_bytes(2, "big") + b"\0\2"


GOOD_ONE, GOOD_TWO = b"\x03\x02\0\7", b"\x03\x04\0\7\0\x08"


def test_a_late_no_is_not_taken_for_an_answer_when_the_answer_still_comes() -> None:
    client = Scripted(ExceptionReply(2), GOOD_TWO)
    client.more = [True]
    talk = conversation(client, tries=2)
    talk.unanswered = (one(1),)
    assert talk.answer(two(50), words_of) == (7, 8)
    assert client.asked == [two(50), two(50)]


def test_a_no_that_stays_alone_is_one_but_proves_nothing() -> None:
    client = Scripted(ExceptionReply(2), ExceptionReply(2))
    talk = conversation(client)
    talk.unanswered = (one(1),)
    with pytest.raises(ExceptionReply):
        talk.answer(two(50), words_of)
    assert missing(talk) == [one(1), two(50)]


def test_where_the_step_within_a_block_is_refused_so_is_the_block() -> None:
    client = Scripted(ExceptionReply(2))
    talk = conversation(client)
    talk.unanswered = (two(1),)
    with pytest.raises(ExceptionReply):
        talk.answer(two(50), words_of)
    assert client.asked == [one(50)]
    assert missing(talk) == [two(1), one(50)]


def test_a_no_to_the_very_same_question_is_one() -> None:
    talk = conversation(Scripted(ExceptionReply(2)))
    talk.unanswered = (two(50),)
    with pytest.raises(ExceptionReply):
        talk.answer(two(50), words_of)


def test_an_answer_that_fits_no_missing_one_brings_the_line_in_step() -> None:
    client = Scripted(GOOD_TWO, GOOD_ONE)
    talk = conversation(client)
    talk.unanswered = (one(1), one(2))
    assert talk.answer(one(9), words_of) == (7,)
    assert client.asked == [two(9), one(9)]
    assert missing(talk) == []


def test_out_of_step_is_silence_and_not_a_value() -> None:
    for outcome in (BadReply("byte count 2 instead of 4"), ExceptionReply(2)):
        client = Scripted(outcome)
        talk = conversation(client)
        talk.unanswered = (one(1),)
        with pytest.raises(TimedOut, match="out of step"):
            talk.answer(one(9), words_of)
        assert client.asked == [two(9)]
        assert missing(talk) == [one(1), two(9)]


def test_a_question_that_cannot_be_told_from_a_missing_one_is_not_asked() -> None:
    client = Scripted()
    talk = conversation(client)
    talk.unanswered = (b"\x18\0\1",)
    with pytest.raises(TimedOut, match="cannot be told"):
        talk.answer(b"\x18\0\2", words_of)
    assert client.asked == []


def test_tcp_numbers_its_questions_and_needs_no_steps() -> None:
    client = Scripted(TimedOut("silence"), GOOD_ONE)
    talk = conversation(client, 2, Framing.TCP)
    assert talk.answer(one(9), words_of) == (7,)
    assert client.asked == [one(9), one(9)]
    assert (missing(talk), client.closed) == ([], 1)


@pytest.mark.parametrize("error", [IdentityChanged("another certificate", "", ""), LoginRefused("not our certificate")])
def test_a_device_that_is_not_the_one_is_never_asked_again(error: DeviceError) -> None:
    client = Scripted(error)
    talk = conversation(client, 3)
    for _ in range(3):
        with pytest.raises(type(error)):
            talk.answer(one(1), words_of)
    assert client.asked == [one(1)]


def test_an_interrupt_leaves_a_line_that_is_not_trusted() -> None:
    class Interrupted(Scripted):
        def question(self, pdu: bytes, unit: int) -> bytes:
            if not self.asked:
                self.asked.append(pdu)
                raise KeyboardInterrupt
            return super().question(pdu, unit)

    client = Interrupted(GOOD_ONE)
    talk = conversation(client, 1, Framing.TCP)
    with pytest.raises(KeyboardInterrupt):
        talk.answer(one(1), words_of)
    assert client.closed == 0
    assert talk.answer(one(2), words_of) == (7,)
    assert client.closed == 1
