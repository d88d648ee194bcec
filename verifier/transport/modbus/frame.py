"""How a Modbus message (PDU) travels: behind an MBAP header on TCP, between unit id and CRC on a serial line.

Sources: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3; MODBUS over Serial Line V1.02, section 2.5.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LARGEST_PDU = 253
"""Bytes: what a serial line carries (256) less unit id and CRC; the same on TCP."""


class Framing(StrEnum):
    TCP = "tcp"
    RTU = "rtu"

    @property
    def before(self) -> int:
        """Bytes before the PDU."""
        return 7 if self is Framing.TCP else 1

    @property
    def after(self) -> int:
        """Bytes after the PDU."""
        return 0 if self is Framing.TCP else 2

    @property
    def largest(self) -> int:
        """Bytes of the largest legal frame."""
        return self.before + LARGEST_PDU + self.after


@dataclass(frozen=True, slots=True)
class Frame:
    unit: int
    """0-255."""
    pdu: bytes
    """Function code and what follows it."""
    transaction: int = 0
    """0-65535; 0 on a serial line, which has none."""


def framed(framing: Framing, frame: Frame) -> bytes:
    """The bytes that go over the wire."""
    if framing is Framing.TCP:
        header = frame.transaction.to_bytes(2, "big") + b"\0\0" + (len(frame.pdu) + 1).to_bytes(2, "big")
        return header + bytes([frame.unit]) + frame.pdu
    body = bytes([frame.unit]) + frame.pdu
    return body + crc16(body).to_bytes(2, "little")


def unframed(framing: Framing, data: bytes) -> Frame:
    """The one frame that `data` is: no byte less, no byte more.

    Raises:
        ValueError: it is not exactly one frame; the message says why.
    """
    if not framing.before + framing.after < len(data) <= framing.largest:
        raise ValueError(f"{len(data)} bytes are no frame")
    if framing is Framing.TCP:
        protocol, length = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:6], "big")
        if protocol:
            raise ValueError(f"protocol id {protocol} instead of 0")
        if length != len(data) - 6:
            raise ValueError(f"the header says {length} bytes, {len(data) - 6} follow it")
        return Frame(data[6], data[7:], int.from_bytes(data[:2], "big"))
    if crc16(data[:-2]) != int.from_bytes(data[-2:], "little"):
        raise ValueError("the checksum (CRC) does not fit")
    return Frame(data[0], data[1:-2])


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS: polynomial 0xA001 reflected, start 0xFFFF. Sent low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


_CRC_TABLE = tuple(_crc_of(byte) for byte in range(256))
