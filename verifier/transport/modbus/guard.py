"""The read-only guard of Modbus: which messages may leave. Everything that is not listed here may not.

It is asked three times on a message's way out: for the encoded message, for the frame, and by the wrapper around the socket.
Lengths and fields are checked exactly, so that nothing can ride behind an allowed function code.
Source: MODBUS Application Protocol V1.1b3, section 6.
"""

from __future__ import annotations

from verifier.errors import ForbiddenRequest
from verifier.transport.modbus.frame import Frame, Framing, unframed

ALLOWED = frozenset({1, 2, 3, 4, 17, 20, 24, 43})
"""Read coils, discrete inputs, holding and input registers; report server id; read file record; read FIFO; 43/14."""

LARGEST_BITS = 2000
LARGEST_REGISTERS = 125
LARGEST_RECORD = 124
"""Registers of one file record whose answer still fits into a PDU. The specification itself stops at 121 (0xF5 bytes)."""

_ADDRESSES = 1 << 16
_RECORDS = 10_000
_IDENTIFICATION = 14


def allowed(pdu: bytes) -> None:
    """Let an encoded message pass.

    Raises:
        ForbiddenRequest: it is not exactly one pure read.
    """
    if not pdu:
        raise _forbidden("an empty message")
    code = pdu[0]
    if code not in ALLOWED:
        raise _forbidden(f"function code {code}")
    why = ""
    match code:
        case 1 | 2:
            why = _table(pdu, LARGEST_BITS)
        case 3 | 4:
            why = _table(pdu, LARGEST_REGISTERS)
        case 17:
            why = "" if len(pdu) == 1 else "with bytes behind it"
        case 20:
            why = _records(pdu)
        case 24:
            why = "" if len(pdu) == 3 else f"of {len(pdu)} bytes instead of 3"
        case 43:
            why = _identification(pdu)
    if why:
        raise _forbidden(f"function code {code} {why}")


def allowed_frame(framing: Framing, adu: bytes) -> Frame:
    """Let the bytes of one frame pass, as they would go over the wire; what they say comes back.

    Raises:
        ForbiddenRequest: they are not exactly one frame that holds one pure read, or it would go to every device on the line.
    """
    try:
        frame = unframed(framing, adu)
    except ValueError as error:
        raise _forbidden(f"something that is not one frame ({error})") from error
    if framing is Framing.RTU and frame.unit == 0:
        raise ForbiddenRequest(
            "unit 0 on a serial line speaks to every device at once; nothing was sent",
            "set the unit id of the one device, 1 to 247, in the inventory",
        )
    allowed(frame.pdu)
    return frame


def _table(pdu: bytes, largest: int) -> str:
    if len(pdu) != 5:
        return f"of {len(pdu)} bytes instead of 5"
    first, count = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
    if not 1 <= count <= largest:
        return f"for {count} addresses; 1 to {largest} are legal"
    return "" if first + count <= _ADDRESSES else f"beyond address {_ADDRESSES - 1}"


def _records(pdu: bytes) -> str:
    if len(pdu) < 9 or pdu[1] != len(pdu) - 2 or pdu[1] % 7 or pdu[1] > 0xF5:
        return "with a wrong length"
    answer = 2
    for at in range(2, len(pdu), 7):
        file, record, count = (int.from_bytes(pdu[at + part : at + part + 2], "big") for part in (1, 3, 5))
        if pdu[at] != 6:
            return f"with reference type {pdu[at]} instead of 6"
        if not file or not count or record + count > _RECORDS:
            return f"for {count} records from {record} of file {file}"
        answer += 2 + 2 * count
    return "" if answer <= 4 + 2 * LARGEST_RECORD else "for more records than one answer holds"


def _identification(pdu: bytes) -> str:
    if len(pdu) != 4:
        return f"of {len(pdu)} bytes instead of 4"
    if pdu[1] != _IDENTIFICATION:
        return f"with sub-function {pdu[1]} instead of 14"
    return "" if 1 <= pdu[2] <= 4 else f"with read code {pdu[2]}"


def _forbidden(what: str) -> ForbiddenRequest:
    return ForbiddenRequest(
        f"{what} may not be sent over Modbus: only the reading functions 1, 2, 3, 4, 17, 20, 24 and 43/14 may; nothing was sent",
        "this is a fault of ours or an attempt to write; keep the report and tell the maintainers",
    )
