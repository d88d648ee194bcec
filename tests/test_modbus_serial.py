"""Serial RTU over pseudo terminals: late answers never shift a reading, ports are ours alone, frames end in silence."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
import serial  # type: ignore[import-untyped]  # pyserial ships no types
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.modbus import (
    coil,
    discrete,
    holding,
    input_register,
    libmodbus,
    libmodbus_program,
    pty_device,
    pty_pair,
    true_reply,
)
from verifier.errors import BadReply, DeviceError, ForbiddenRequest, Refused, Unreachable, UsageError
from verifier.model.device import ModbusSerialAddress, Timeouts
from verifier.model.profile import Pace
from verifier.model.words import Table
from verifier.transport.answer import Output, Words
from verifier.transport.modbus.frame import Frame, Framing, crc16, framed
from verifier.transport.modbus.guard import allowed
from verifier.transport.modbus.line import GuardedLine
from verifier.transport.modbus.opening import patience, quiet
from verifier.transport.modbus.route import GuardedClient, ModbusRoute
from verifier.transport.modbus.step import confusable, step_question
from verifier.transport.request import ReadFifo, ReadServerId, ReadTable
from verifier.transport.transcript import Transcript

__all__ = ["libmodbus_program"]

FAST = 115200


def address(path: str | Path, silence: float = 0.3, unit: int = 1) -> ModbusSerialAddress:
    return ModbusSerialAddress(str(path), unit, FAST, "N", timeouts=Timeouts(silence=silence))


def rtu(asked: Frame, pdu: bytes | None = None) -> bytes:
    return framed(Framing.RTU, Frame(asked.unit, true_reply(asked) if pdu is None else pdu))


def block(first: int, count: int = 10) -> ReadTable:
    return ReadTable(Table.HOLDING, first, count)


def values(request: ReadTable) -> tuple[Words]:
    return (Words(tuple(holding(each) for each in range(request.first, request.first + request.count))),)


def test_crc_is_the_one_of_the_specification() -> None:
    assert crc16(b"123456789") == 0x4B37
    assert framed(Framing.RTU, Frame(1, b"\x03\0\0\0\x0a")).hex() == "01030000000ac5cd"


def test_libmodbus_over_a_serial_line(libmodbus_program: Path, tmp_path: Path) -> None:
    with (
        pty_pair(tmp_path) as (ours, theirs),
        libmodbus(libmodbus_program, "rtu", str(theirs)),
        ModbusRoute.open(ModbusSerialAddress(str(ours), 1, 19200, "E", timeouts=Timeouts(silence=2.0)), Pace()) as route,
    ):
        tables = {Table.HOLDING: holding, Table.INPUT: input_register, Table.COIL: coil, Table.DISCRETE: discrete}
        for table, value in tables.items():
            for first, count in ((0, 1), (65535, 1), (40000, 125)):
                assert tuple(route.ask(ReadTable(table, first, count))) == (
                    Words(tuple(value(each) for each in range(first, first + count))),
                )
        assert tuple(route.ask(ReadServerId())) == (Output(b"\xb4\xffLMB3.1.6"),)
        assert "serial line" in route.notes[0]


@pytest.mark.parametrize("seconds", [0.16, 0.22, 0.28, 0.34, 0.4, 0.5])
def test_a_late_answer_never_shifts_the_next_reading(seconds: float) -> None:
    """The answer for 100 comes while something else is asked: the same function, the same length, a right checksum."""
    delays = iter((seconds,))

    with (
        pty_device(lambda asked: [(next(delays, 0.0), rtu(asked))]) as device,
        ModbusRoute.open(address(device.path, 0.1), Pace(tries=4)) as route,
    ):
        for first in (100, 200, 300):
            assert tuple(route.ask(block(first))) == values(block(first))
        assert len(device.requests) > 3


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_late_readings_are_right_or_missing(seed: int) -> None:
    dice = random.Random(seed)
    with (
        pty_device(lambda asked: [(dice.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.12, 0.2, 0.3)), rtu(asked))]) as device,
        ModbusRoute.open(address(device.path, 0.05), Pace(tries=3)) as route,
    ):
        read = 0
        for place in range(10):
            request = block(100 * place, dice.choice((10, 10, 10, 1)))
            try:
                assert tuple(route.ask(request)) == values(request), f"the reading of {request} is shifted"
                read += 1
            except DeviceError:
                pass
        assert read > 0


def test_a_lost_answer_costs_one_more_question() -> None:
    lost = iter((True,))

    with (
        pty_device(lambda asked: [] if next(lost, False) else [(0.0, rtu(asked))]) as device,
        ModbusRoute.open(address(device.path), Pace(tries=2)) as route,
    ):
        for first in (100, 200, 300):
            assert tuple(route.ask(block(first))) == values(block(first))
        assert [line.split()[-1] for line in route.transcript.lines] == [
            "030064000a",
            "030064000a",
            # the answer to one of the two above may still come, and must not pass for this block's
            "0300c80001",
            "0300c8000a",
            "03012c000a",
        ]


def test_a_server_id_that_was_lost_is_asked_again() -> None:
    lost = iter((True,))
    with (
        pty_device(lambda asked: [] if next(lost, False) else [(0.0, rtu(asked, b"\x11\x02\x09\xff"))]) as device,
        ModbusRoute.open(address(device.path), Pace(tries=2)) as route,
    ):
        assert tuple(route.ask(ReadServerId())) == (Output(b"\x09\xff"),)


@pytest.mark.parametrize(
    "make",
    [
        lambda asked: rtu(asked)[:-1] + b"\0",
        lambda asked: rtu(asked) + b"\0",
        lambda asked: rtu(asked) * 2,
        lambda asked: b"\0" + rtu(asked),
        lambda asked: rtu(Frame(2, b""), true_reply(asked)),
        lambda asked: rtu(asked, b"\x04" + true_reply(asked)[1:]),
        lambda asked: rtu(asked, b"\x03\x12" + bytes(18)),
        lambda asked: rtu(asked, b"\x83\x02") + b"\0",
        lambda asked: bytes(4096),
        # what an adapter with local echo gives back
        lambda asked: framed(Framing.RTU, asked) + rtu(asked),
    ],
)
def test_wrong_frames_are_errors_and_the_next_question_works(make: object) -> None:
    first = iter((True,))

    def answer(asked: Frame) -> list[tuple[float, bytes]]:
        return [(0.0, make(asked) if next(first, False) else rtu(asked))]  # type: ignore[operator]  # a lambda of the list above

    with pty_device(answer) as device, ModbusRoute.open(address(device.path), Pace(tries=2)) as route:
        with pytest.raises(BadReply):
            route.ask(block(100))
        assert tuple(route.ask(block(200, 11))) == values(block(200, 11))


class Chunks:
    """A wire on which these chunks arrive, one at a time."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)

    def put(self, data: bytes) -> None: ...

    def take(self, seconds: float) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""

    def close(self) -> None: ...


@pytest.mark.parametrize("reply", [b"\x03\x02\0\7", b"\x83\x02"])
def test_a_frame_that_does_not_end_in_silence_is_no_frame(reply: bytes) -> None:
    wire = Chunks(framed(Framing.RTU, Frame(1, reply)), b"\0")
    client = GuardedClient(lambda: GuardedLine(wire, Framing.RTU, Transcript()), Framing.RTU, 0.1, 0.001)
    with pytest.raises(BadReply, match="1 bytes behind the answer"):
        client.question(b"\x03\0\0\0\1", 1)


def test_a_frame_sent_twice_with_a_pause_does_not_answer_the_next_question() -> None:
    with (
        pty_device(lambda asked: [(0.0, rtu(asked)), (0.03, rtu(asked))]) as device,
        ModbusRoute.open(address(device.path), Pace(tries=2)) as route,
    ):
        assert tuple(route.ask(block(100))) == values(block(100))
        time.sleep(0.06)
        assert tuple(route.ask(block(200))) == values(block(200))


def test_an_answer_in_pieces_works() -> None:
    with (
        pty_device(lambda asked: [(0.002, rtu(asked)[at : at + 3]) for at in range(0, 25, 3)]) as device,
        ModbusRoute.open(address(device.path, 1.0), Pace(tries=1)) as route,
    ):
        assert tuple(route.ask(block(100))) == values(block(100))


def test_fifo_over_rtu_works_where_the_library_times_out() -> None:
    reply = b"\x18\0\x08\0\x03\0\x01\0\x02\xff\xff"
    with (
        pty_device(lambda asked: [(0.0, rtu(asked, reply))]) as device,
        ModbusRoute.open(address(device.path), Pace(tries=1)) as route,
    ):
        assert tuple(route.ask(ReadFifo(7))) == (Words((1, 2, 0xFFFF)),)


def test_broadcast_never_reaches_the_line() -> None:
    with (
        pty_device(lambda asked: [(0.0, rtu(asked))]) as device,
        ModbusRoute.open(address(device.path, unit=0), Pace()) as route,
    ):
        with pytest.raises(ForbiddenRequest, match="every device"):
            route.ask(block(1))
        assert device.requests == []
        assert route.transcript.lines == []


def test_exceptions_have_their_names_on_a_serial_line_too() -> None:
    with (
        pty_device(lambda asked: [(0.0, rtu(asked, b"\x83\x0b"))]) as device,
        ModbusRoute.open(address(device.path), Pace()) as route,
        pytest.raises(Refused, match="gateway target device failed to respond"),
    ):
        route.ask(block(1))


def test_the_port_is_ours_alone() -> None:
    with pty_device(lambda asked: [(0.0, rtu(asked))]) as device:
        with (
            ModbusRoute.open(address(device.path), Pace()),
            pytest.raises(Unreachable, match="in use by another program"),
        ):
            ModbusRoute.open(address(device.path), Pace())
        with serial.Serial(device.path, exclusive=True), pytest.raises(Unreachable, match="in use by another program"):
            ModbusRoute.open(address(device.path), Pace())
        ModbusRoute.open(address(device.path), Pace()).close()


def test_ports_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreachable, match="there is no serial port"):
        ModbusRoute.open(address(tmp_path / "ttyUSB9"), Pace())
    plain = tmp_path / "a-file"
    plain.write_bytes(b"")
    with pytest.raises(Unreachable, match="cannot be opened"):
        ModbusRoute.open(address(plain), Pace())
    with pytest.raises(UsageError, match="serial settings"):
        ModbusRoute.open(ModbusSerialAddress(str(plain), 1, parity="X"), Pace())

    def denied(*arguments: object, **more: object) -> None:
        raise serial.SerialException(13, "Permission denied")

    monkeypatch.setattr(serial, "Serial", denied)
    with pytest.raises(Unreachable, match="may not open"):
        ModbusRoute.open(address("/dev/ttyUSB0"), Pace())


def test_an_adapter_that_is_pulled_is_an_error() -> None:
    device, line = os.openpty()
    route = ModbusRoute.open(address(os.ttyname(line)), Pace(tries=1))
    os.close(line)
    os.close(device)
    with route, pytest.raises(DeviceError):
        route.ask(block(1))


def test_slow_lines_get_the_time_their_bytes_take() -> None:
    slow = ModbusSerialAddress("x", 1, 1200)
    assert patience(slow) > 3.0 + 256 * 11 / 1200
    assert quiet(slow) == pytest.approx(3.5 * 11 / 1200)
    assert quiet(address("x")) == 0.00175


TABLE_QUESTIONS = st.builds(
    lambda code, first, count: bytes([code]) + first.to_bytes(2, "big") + count.to_bytes(2, "big"),
    st.sampled_from((1, 2, 3, 4)),
    st.integers(0, 65000),
    st.integers(1, 125),
)


@given(TABLE_QUESTIONS, st.lists(TABLE_QUESTIONS, max_size=5))
def test_a_step_question_is_a_legal_read_that_no_missing_answer_fits(question: bytes, missing: list[bytes]) -> None:
    step = step_question(question, missing)
    allowed(step)
    assert step[:3] == question[:3]
    assert step != question
    assert not any(confusable(step, each) for each in missing)
    assert step not in missing


def test_confusable_is_about_function_and_length() -> None:
    assert confusable(b"\x03\0\0\0\x0a", b"\x03\x01\0\0\x0a")
    assert not confusable(b"\x03\0\0\0\x0a", b"\x03\x01\0\0\x0b")
    assert not confusable(b"\x03\0\0\0\x0a", b"\x04\0\0\0\x0a")
    # 9 and 16 coils both take two bytes
    assert confusable(b"\x01\0\0\0\x09", b"\x01\0\0\0\x10")
    assert confusable(b"\x18\0\1", b"\x18\0\2")
    assert not confusable(b"\x11", b"\x11")
    assert step_question(b"\x18\0\1", [b"\x18\0\2"]) == b""
    # at the end of the table, every length taken: there is nothing left to ask
    assert step_question(b"\x03\xff\xff\0\x01", [b"\x03\0\0\0\x01"]) == b""
