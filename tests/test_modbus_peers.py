"""Real peers: libmodbus (which is not pymodbus) and pymodbus's own server, over TCP and RTU over TCP."""

from __future__ import annotations

import subprocess

import pytest

from tests.servers.modbus import (
    LibmodbusServer,
    coil,
    discrete,
    holding,
    input_register,
    libmodbus_program,
    libmodbus_server,
    pymodbus_port,
    pymodbus_rtu_port,
    tcp_address,
)
from tests.servers.pymodbus_device import IDENTITY
from verifier.errors import BadReply, Refused
from verifier.model.profile import IdentificationLevel, Pace
from verifier.model.words import Table
from verifier.transport.answer import Objects, Output, Words
from verifier.transport.modbus.block import Span, SpanUnread, read_block
from verifier.transport.modbus.route import ModbusRoute
from verifier.transport.modbus.spans import second_look
from verifier.transport.request import ReadFifo, ReadIdentification, ReadRecords, ReadServerId, ReadTable

__all__ = ["libmodbus_program", "libmodbus_server", "pymodbus_port", "pymodbus_rtu_port"]

OBJECTS = tuple((number, text.encode()) for number, text in IDENTITY.items())


@pytest.mark.parametrize(
    ("table", "value", "largest"),
    [
        (Table.HOLDING, holding, 125),
        (Table.INPUT, input_register, 125),
        (Table.COIL, coil, 2000),
        (Table.DISCRETE, discrete, 2000),
    ],
)
def test_whole_tables_of_libmodbus(libmodbus_server: LibmodbusServer, table: Table, value: object, largest: int) -> None:
    assert callable(value)
    with ModbusRoute.open(tcp_address(libmodbus_server.port, 2.0), Pace()) as route:
        parts = tuple(read_block(route.ask, table, 0, 65536, largest))
        assert len(parts) == len(route.transcript.lines) == -(-65536 // largest)
        words = [word for part in parts if isinstance(part, Span) for word in part.words]
        assert words == [value(each) for each in range(65536)]


def test_a_second_look_at_libmodbus_finds_the_same(libmodbus_server: LibmodbusServer) -> None:
    with ModbusRoute.open(tcp_address(libmodbus_server.port, 2.0), Pace()) as route:
        for first, count in second_look([(each, 1) for each in range(300, 400)], 125, 7):
            assert tuple(route.ask(ReadTable(Table.HOLDING, first, count))) == (
                Words(tuple(holding(each) for each in range(first, first + count))),
            )


def test_the_server_id_keeps_its_last_byte(libmodbus_server: LibmodbusServer) -> None:
    with ModbusRoute.open(tcp_address(libmodbus_server.port, 2.0), Pace()) as route:
        assert tuple(route.ask(ReadServerId())) == (Output(b"\xb4\xffLMB3.1.6"),)


def test_functions_libmodbus_does_not_know_are_refused_and_nothing_is_lost(libmodbus_server: LibmodbusServer) -> None:
    """It stalls half a second for each, so its patience is longer than that; then everything goes on."""
    with ModbusRoute.open(tcp_address(libmodbus_server.port, 3.0), Pace()) as route:
        for request in (ReadIdentification(IdentificationLevel.BASIC), ReadFifo(1), ReadRecords(1, 0, 1)):
            with pytest.raises(Refused, match=r"illegal function \(exception 1\)"):
                route.ask(request)
            assert tuple(route.ask(ReadTable(Table.HOLDING, 9, 1))) == (Words((holding(9),)),)


def test_mbpoll_reads_the_same_registers(libmodbus_server: LibmodbusServer) -> None:
    """An independent client, so that we and our own server are not wrong in the same way: its reference 1 is our address 0."""
    command = [
        "mbpoll",
        "-m",
        "tcp",
        "-p",
        str(libmodbus_server.port),
        "-a",
        "1",
        "-r",
        "1",
        "-c",
        "5",
        "-t",
        "4:hex",
        "-1",
        "127.0.0.1",
    ]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    theirs = [int(line.split("0x")[1], 16) for line in shown.splitlines() if line.startswith("[")]
    with ModbusRoute.open(tcp_address(libmodbus_server.port, 2.0), Pace()) as route:
        assert tuple(route.ask(ReadTable(Table.HOLDING, 0, 5))) == (Words(tuple(theirs)),)


@pytest.mark.parametrize("rtu", [False, True])
def test_identification_with_more_follows(pymodbus_port: int, pymodbus_rtu_port: int, rtu: bool) -> None:
    with ModbusRoute.open(tcp_address(pymodbus_rtu_port if rtu else pymodbus_port, 2.0, rtu=rtu), Pace()) as route:
        assert tuple(route.ask(ReadIdentification(IdentificationLevel.BASIC))) == (Objects(0x83, OBJECTS[:3]),)
        assert len(route.transcript.lines) == 1
        assert tuple(route.ask(ReadIdentification(IdentificationLevel.REGULAR))) == (Objects(0x83, OBJECTS),)
        assert route.transcript.lines[1:] == ["modbus unit 1 2b0e0200", "modbus unit 1 2b0e0204"]
        assert tuple(route.ask(ReadIdentification(IdentificationLevel.EXTENDED))) == (Objects(0x83, OBJECTS),)


@pytest.mark.parametrize("rtu", [False, True])
def test_file_records_and_fifo(pymodbus_port: int, pymodbus_rtu_port: int, rtu: bool) -> None:
    with ModbusRoute.open(tcp_address(pymodbus_rtu_port if rtu else pymodbus_port, 2.0, rtu=rtu), Pace()) as route:
        for first, count in ((0, 1), (7, 3), (9879, 121), (9000, 500)):
            before = len(route.transcript.lines)
            assert tuple(route.ask(ReadRecords(3, first, count))) == (
                Words(tuple((3000 + each) & 0xFFFF for each in range(first, first + count))),
            )
            assert len(route.transcript.lines) - before == -(-count // 121)
        with pytest.raises(Refused, match="illegal data address"):
            route.ask(ReadRecords(5, 0, 1))
        for held in (0, 1, 31):
            assert tuple(route.ask(ReadFifo(held))) == (Words(tuple(range(100, 100 + held))),)
        with pytest.raises(BadReply, match="FIFO that holds 31"):
            route.ask(ReadFifo(32))
        assert tuple(route.ask(ReadServerId())) == (Output(b"Liftwerk-LW-77-V3.1.4\xff"),)


def test_a_block_beyond_what_the_device_has(pymodbus_port: int) -> None:
    """Registers 0 to 999 exist there; asking for more gives exactly those, and the rest is unread by name."""
    with ModbusRoute.open(tcp_address(pymodbus_port, 2.0), Pace()) as route:
        read: dict[int, int] = {}
        unread: set[int] = set()
        for part in read_block(route.ask, Table.HOLDING, 950, 150, 125):
            match part:
                case Span(first, words):
                    read.update(zip(range(first, first + len(words)), words, strict=True))
                case SpanUnread(first, count, error):
                    assert isinstance(error, Refused)
                    assert "illegal data address (exception 2)" in str(error)
                    unread.update(range(first, first + count))
        assert read == {each: each for each in range(950, 1000)}
        assert unread == set(range(1000, 1100))
        assert len(route.transcript.lines) < 80
