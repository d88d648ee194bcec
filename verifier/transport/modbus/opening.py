"""From an address to an open, guarded line, and the times that hold on it."""

from __future__ import annotations

from verifier.model.device import ModbusSerialAddress, ModbusTcpAddress
from verifier.transport.modbus.frame import Framing
from verifier.transport.modbus.line import GuardedLine, PortWire, SocketWire, open_port, open_socket
from verifier.transport.modbus.tls import secured
from verifier.transport.route import LineFact
from verifier.transport.transcript import Transcript

Address = ModbusTcpAddress | ModbusSerialAddress

_BITS_PER_BYTE = 11
"""On a serial line: start, eight data, parity or a second stop, stop."""


def framing_of(address: Address) -> Framing:
    """How frames travel to this address."""
    return Framing.TCP if isinstance(address, ModbusTcpAddress) and not address.rtu else Framing.RTU


def open_line(address: Address, transcript: Transcript) -> tuple[GuardedLine, tuple[LineFact, ...]]:
    """Connect, and with TLS prove who the device is. Nothing is asked. With the line comes what became known by opening it.

    Raises:
        DeviceError: unreachable, or not the pinned device.
        UsageError: a setting or a certificate file cannot be used.
    """
    framing = framing_of(address)
    if isinstance(address, ModbusSerialAddress):
        return GuardedLine(PortWire(open_port(address)), framing, transcript), ()
    connection, silence = open_socket(address.host, address.port, address.timeouts.connect), address.timeouts.silence
    if address.tls is None:
        return GuardedLine(SocketWire(connection, silence), framing, transcript), ()
    try:
        line, facts = secured(connection, address.tls, address.host)
    except BaseException:
        connection.close()
        raise
    return GuardedLine(SocketWire(line, silence), framing, transcript), facts


def patience(address: Address) -> float:
    """Seconds from a question to the last byte of its answer: the device's time, and on a serial line what the bytes take."""
    if isinstance(address, ModbusSerialAddress):
        return address.timeouts.silence + 2 * Framing.RTU.largest * _BITS_PER_BYTE / address.baud
    return address.timeouts.silence


def quiet(address: Address) -> float:
    """Seconds of silence that end an RTU frame: 3.5 characters, at least 1.75 ms (MODBUS over Serial Line V1.02, 2.5.1.1)."""
    return max(0.00175, 3.5 * _BITS_PER_BYTE / address.baud) if isinstance(address, ModbusSerialAddress) else 0.00175
