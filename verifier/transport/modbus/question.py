"""Requests as Modbus messages (PDUs), each exactly as the guard lets it pass."""

from __future__ import annotations

from verifier.errors import UsageError
from verifier.transport.modbus.guard import LARGEST_BITS, LARGEST_REGISTERS
from verifier.transport.modbus.spans import spans
from verifier.transport.request import ReadFifo, ReadRecords, ReadTable

RECORDS_PER_REQUEST = 121
"""Registers of a file asked at once: 0xF5 bytes, which the specification (section 6.14) gives as the most of an answer."""

_RECORDS = 10_000


def table_question(request: ReadTable, largest: int) -> bytes:
    """Functions 1 to 4.

    Raises:
        UsageError: outside the table, or more than `largest` at once.
    """
    most = min(largest, LARGEST_BITS if request.table.bits else LARGEST_REGISTERS)
    if not 1 <= request.count <= most:
        raise UsageError(
            f"{request.count} {request.table} addresses in one request; 1 to {most} fit", "cut the block with `spans` first"
        )
    if request.first < 0 or request.first + request.count > 1 << 16:
        raise UsageError(
            f"{request.table} addresses {request.first} to {request.first + request.count - 1} are not all within 0 to 65535",
            "protocol addresses count from 0: what manuals call 40001 is 0 of the table `holding`",
        )
    return bytes([request.table.function_code]) + _u16(request.first) + _u16(request.count)


def identification_question(level: int, first: int) -> bytes:
    """Function 43/14. `level` 1 basic, 2 regular, 3 extended; `first` is the object id to begin at."""
    return bytes([0x2B, 0x0E, level, first])


def server_id_question() -> bytes:
    """Function 17."""
    return b"\x11"


def record_questions(request: ReadRecords) -> tuple[bytes, ...]:
    """Function 20, as many messages as it takes, in order.

    Raises:
        UsageError: no such file or records: files are 1 to 65535 with records 0 to 9999.
    """
    if not 1 <= request.file <= 0xFFFF or request.first < 0 or request.count < 1 or request.first + request.count > _RECORDS:
        raise UsageError(
            f"records {request.first} to {request.first + request.count - 1} of file {request.file} cannot exist",
            "files count from 1 to 65535, their records from 0 to 9999",
        )
    return tuple(
        b"\x14\x07\x06" + _u16(request.file) + _u16(first) + _u16(count)
        for first, count in spans(request.first, request.count, RECORDS_PER_REQUEST)
    )


def fifo_question(request: ReadFifo) -> bytes:
    """Function 24.

    Raises:
        UsageError: no such address.
    """
    if not 0 <= request.address <= 0xFFFF:
        raise UsageError(f"FIFO address {request.address} is not within 0 to 65535")
    return b"\x18" + _u16(request.address)


def _u16(number: int) -> bytes:
    return number.to_bytes(2, "big")
