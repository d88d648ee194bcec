"""Nothing but pure reads leaves: through every layer, every method of the library, and around them."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.file_message import FileRecord

from verifier.errors import DeviceError, ForbiddenRequest
from verifier.transport.modbus.frame import Frame, Framing, framed, unframed
from verifier.transport.modbus.guard import ALLOWED, allowed, allowed_frame
from verifier.transport.modbus.line import GuardedLine
from verifier.transport.modbus.route import GuardedClient
from verifier.transport.transcript import Transcript

GOOD = (
    "0100000001", "01000007d0", "02ffff0001", "030000007d", "04ff83007d", "11",
    "14070600010000007c", "140706ffff270f0001", "140e06000100000001060002000a0002",
    "18ffff", "2b0e0100", "2b0e0203", "2b0e0380", "2b0e0401",
)  # fmt: skip
BAD = (
    "",
    # lengths that are not exact, so something rides behind
    "03", "0300000001ff", "030000000103000000010000", "1100", "180000ff", "18", "2b0e010000", "2b0e01", "14", "1400",
    # nothing asked, too much asked, beyond the table
    "0300000000", "030000007e", "01000007d1", "030000ffff", "03ffff0002", "01ffff0002", "04ff84007d",
    # file records: reference type, file 0, no records, beyond record 9999, a byte count that lies, more than an answer holds
    "14070500010000007c", "14070600000000000a", "140706000100000000", "140706000127100001", "140706000100000000ff",
    "140806000100000001", "14070600010000007d", "140e06000100000064060002000a0064", "14" + "f6" + "06000100000001" * 35 + "00",
    # 43 with other sub-functions (13 is CANopen, which can write), read codes that do not exist
    "2b0d0100", "2b0f0100", "2b0e0000", "2b0e0500", "2b0eff00",
    # status and diagnostics, writes, UMAS, exceptions
    "07", "080000a537", "0800010000", "0800040000", "0b", "0c", "05000aff00", "060001002a", "0f000000010101", "10000000010200ff",
    "150706000100000001", "160000000000ff", "17000000010000000102002a", "5a0041", "830200",
)  # fmt: skip


class Recorder:
    """A wire that notes what leaves and never answers."""

    def __init__(self) -> None:
        self.left: list[bytes] = []

    def put(self, data: bytes) -> None:
        self.left.append(data)

    def take(self, seconds: float) -> bytes:
        return b""

    def close(self) -> None: ...


def guarded(framing: Framing) -> tuple[GuardedClient, Recorder]:
    wire = Recorder()
    client = GuardedClient(lambda: GuardedLine(wire, framing, Transcript()), framing, 0.01)
    client.connect()
    return client, wire


def refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except ForbiddenRequest:
        return True
    except DeviceError:
        pass
    return False


def codes(framing: Framing, wire: Recorder) -> set[int]:
    return {unframed(framing, each).pdu[0] for each in wire.left}


@pytest.mark.parametrize("pdu", GOOD)
def test_pure_reads_pass(pdu: str) -> None:
    allowed(bytes.fromhex(pdu))


@pytest.mark.parametrize("pdu", BAD)
def test_everything_else_is_refused(pdu: str) -> None:
    with pytest.raises(ForbiddenRequest, match="nothing was sent"):
        allowed(bytes.fromhex(pdu))


@given(st.binary(min_size=1, max_size=260))
@example(bytes.fromhex("0300000001"))
def test_what_passes_is_a_read_of_exact_length(pdu: bytes) -> None:
    try:
        allowed(pdu)
    except ForbiddenRequest:
        return
    assert pdu[0] in ALLOWED
    assert len(pdu) == {1: 5, 2: 5, 3: 5, 4: 5, 17: 1, 20: 2 + pdu[1 % len(pdu)], 24: 3, 43: 4}[pdu[0]]


@given(st.sampled_from(GOOD), st.binary(min_size=1, max_size=20))
def test_nothing_rides_behind_a_read(pdu: str, more: bytes) -> None:
    with pytest.raises(ForbiddenRequest):
        allowed(bytes.fromhex(pdu) + more)


@pytest.mark.parametrize("framing", Framing)
def test_frames_are_let_through_one_at_a_time(framing: Framing) -> None:
    frame = framed(framing, Frame(1, b"\x03\0\0\0\1", 0 if framing is Framing.RTU else 7))
    allowed_frame(framing, frame)
    write = framed(framing, Frame(1, b"\x06\0\1\0\x2a"))
    for wrong in (b"", frame[:-1], frame + b"\0", frame + write, frame + frame, write, write + frame):
        with pytest.raises(ForbiddenRequest):
            allowed_frame(framing, wrong)


def test_a_header_that_lies_about_its_length_is_refused() -> None:
    frame = bytearray(framed(Framing.TCP, Frame(1, b"\x03\0\0\0\1")) + framed(Framing.TCP, Frame(1, b"\x06\0\1\0\x2a")))
    frame[5] = len(frame) - 6
    with pytest.raises(ForbiddenRequest):
        allowed_frame(Framing.TCP, bytes(frame))


def test_broadcast_is_refused_on_a_serial_line_and_unit_0_allowed_on_tcp() -> None:
    with pytest.raises(ForbiddenRequest, match="every device"):
        allowed_frame(Framing.RTU, framed(Framing.RTU, Frame(0, b"\x03\0\0\0\1")))
    allowed_frame(Framing.TCP, framed(Framing.TCP, Frame(0, b"\x03\0\0\0\1")))


def test_a_wrong_checksum_does_not_leave() -> None:
    frame = framed(Framing.RTU, Frame(1, b"\x03\0\0\0\1"))
    with pytest.raises(ForbiddenRequest):
        allowed_frame(Framing.RTU, frame[:-1] + bytes([frame[-1] ^ 1]))


@pytest.mark.parametrize("framing", Framing)
def test_all_first_bytes_through_every_layer(framing: Framing) -> None:
    client, wire = guarded(framing)
    line: Any = client.socket
    bodies = {bytes.fromhex(each)[1:] for each in GOOD} | {b"", b"\0\0", b"\0\1\0\x2a", b"\0\0\0\1\2\0\1", bytes(250)}

    class Message(ModbusPDU):
        def __init__(self, code: int, body: bytes) -> None:
            super().__init__(dev_id=1)
            self.function_code, self.body = code, body

        def encode(self) -> bytes:
            return self.body

    for code in range(256):
        blocked = 0
        for body in bodies:
            frame = framed(framing, Frame(1, bytes([code]) + body))
            message = Message(code, body)
            layers: tuple[Callable[[], object], ...] = (
                lambda m=message: client.execute(False, m),  # type: ignore[misc]  # lambdas with defaults
                lambda f=frame: client.send(f),  # type: ignore[misc]
                lambda f=frame: line.send(f),  # type: ignore[misc]
                lambda b=body, c=code: allowed(bytes([c]) + b),  # type: ignore[misc]
            )
            answers = {refused(layer) for layer in layers}
            assert len(answers) == 1, f"the layers disagree on {code} {body.hex()}"
            blocked += answers.pop()
        assert (blocked < len(bodies)) == (code in ALLOWED), f"function code {code}"
    assert codes(framing, wire) == ALLOWED


def library_methods() -> list[str]:
    return [
        name
        for name, _ in inspect.getmembers(ModbusTcpClient, callable)
        if not name.startswith("_") and name not in ("connect", "close", "convert_from_registers", "convert_to_registers")
    ]


def invented(name: str, dice: random.Random) -> Any:
    number = dice.choice((0, 1, 3, 65535, dice.randrange(65536)))
    match name:
        case "values" | "registers":
            return [number] * dice.randrange(1, 4)
        case "records":
            return [FileRecord(1, 0, b"\0\1")] if dice.random() < 0.5 else [FileRecord(1, 0, record_length=4)]
        case "request" | "message":
            return dice.choice((dice.randbytes(8), framed(Framing.TCP, Frame(1, b"\x06\0\1\0\x2a")), ModbusPDU(1)))
        case "device_id":
            return dice.choice((0, 1, 255))
        case "no_response_expected" | "value" | "toggle":
            return dice.choice((True, False))
        case "msg":
            return b"\xff\0"
        case "read_code":
            return dice.randrange(6)
        case "count":
            return dice.choice((1, 125, 2000, number))
        case _:
            return number % 256 if "id" in name else number


@pytest.mark.parametrize("framing", Framing)
def test_no_method_of_the_library_gets_a_write_out(framing: Framing) -> None:
    dice = random.Random(20)
    blocked: set[str] = set()
    wire = Recorder()
    for name in library_methods():
        for _ in range(40):
            client = GuardedClient(lambda: GuardedLine(wire, framing, Transcript()), framing, 0.01)
            method = getattr(client, name)
            given = {
                each.name: invented(each.name, dice)
                for each in inspect.signature(method).parameters.values()
                if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
                if each.default is each.empty or dice.random() < 0.5
            }
            try:
                method(**given)
            except ForbiddenRequest:
                blocked.add(name)
            except Exception:  # the library's own opinion of nonsense does not matter here
                pass
    assert codes(framing, wire) <= ALLOWED
    assert codes(framing, wire) >= {1, 2, 3, 4, 17, 24, 43}
    writers = {name for name in library_methods() if "write" in name or "diag" in name}
    assert len(writers) > 15
    assert writers <= blocked


@pytest.mark.parametrize("framing", Framing)
def test_ways_around_the_client_end_at_the_line(framing: Framing) -> None:
    client, wire = guarded(framing)
    raw = framed(framing, Frame(1, b"\x06\0\1\0\x2a"))
    line: Any = client.socket
    # the library's own send, called past ours; it speaks to the line directly
    ways: tuple[Callable[[], object], ...] = (
        lambda: line.send(raw),
        lambda: line.sendall(raw),
        lambda: line.write(raw),
        lambda: ModbusTcpClient.send(client, raw),
        lambda: client.transaction.low_level_send(raw),
        lambda: client.transaction.pdu_send(_write()),
        lambda: client.transaction.sync_execute(False, _write()),
        lambda: client.transaction.sync_execute(True, _write()),
        lambda: ModbusTcpClient.execute(client, False, _write()),
        lambda: client.execute(True, ModbusPDU(1)),
        lambda: client.write_register(1, 42, no_response_expected=True),
    )
    for way in ways:
        with pytest.raises(ForbiddenRequest):
            way()
    for name in ("sendto", "sendmsg", "sendfile", "detach", "dup", "fileno", "makefile", "flush", "_sock"):
        assert not hasattr(line, name)
    with pytest.raises((ForbiddenRequest, AttributeError)):
        ModbusSerialClient.send(client, raw)  # type: ignore[arg-type]  # on purpose: another class's method
    assert wire.left == []


def _write() -> ModbusPDU:
    class Write(ModbusPDU):
        function_code = 6

        def encode(self) -> bytes:
            return b"\0\1\0\x2a"

    return Write(1)


@pytest.mark.parametrize("standing", ["message", "frame", "line"])
def test_each_layer_stands_alone(monkeypatch: pytest.MonkeyPatch, standing: str) -> None:
    if standing != "message":
        monkeypatch.setattr("verifier.transport.modbus.route.allowed", lambda pdu: None)
    if standing != "frame":
        monkeypatch.setattr("verifier.transport.modbus.route.allowed_frame", unframed)
    if standing != "line":
        monkeypatch.setattr("verifier.transport.modbus.line.allowed_frame", unframed)
    client, wire = guarded(Framing.TCP)
    with pytest.raises(ForbiddenRequest):
        client.execute(False, _write())
    assert wire.left == []


def test_what_leaves_stands_in_the_transcript_and_what_does_not_does_not() -> None:
    transcript, wire = Transcript(), Recorder()
    line = GuardedLine(wire, Framing.TCP, transcript)
    line.send(framed(Framing.TCP, Frame(9, b"\x03\0\0\0\1", 77)))
    with pytest.raises(ForbiddenRequest):
        line.send(framed(Framing.TCP, Frame(9, b"\x06\0\0\0\1", 78)))
    assert transcript.lines == ["modbus unit 9 0300000001"]
    assert transcript.bytes_sent == 12
