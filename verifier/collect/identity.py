"""What a Modbus device says it is (functions 43/14 and 17), and the files and queues it may hold (functions 20 and 24)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Final

from verifier.collect.asking import Asking, Outcome
from verifier.collect.printable import printable
from verifier.collect.registers import FIRST, SECOND
from verifier.errors import BadReply
from verifier.model.profile import Fifo, FileRecords, Identification
from verifier.model.snapshot import Disagreement, FactValue, FileValue, Reading, Value, WordValue
from verifier.model.words import Criticality, Evidence, FileType
from verifier.transport.modbus.spans import second_look
from verifier.transport.request import ReadFifo, ReadIdentification, ReadRecords, ReadServerId

OBJECTS: Final[Mapping[int, str]] = {
    0x00: "VendorName",
    0x01: "ProductCode",
    0x02: "MajorMinorRevision",
    0x03: "VendorUrl",
    0x04: "ProductName",
    0x05: "ModelName",
    0x06: "UserApplicationName",
}
"""Object ids of Read Device Identification (MODBUS Application Protocol V1.1b3, section 6.21)."""

REVISION: Final = 0x02
LONGEST_FIFO: Final = 31
_RUN: Final = {0x00: "off", 0xFF: "on"}


def identification(asking: Asking, ask: Identification) -> Outcome:
    """Function 43/14: `VendorName`, ..., `object 0x80`, and the conformity level.

    Raises:
        DeviceError: refused, or not answered properly.
    """
    request = ReadIdentification(ask.level)
    if cannot := asking.cannot(request):
        return cannot
    answer = asking.objects(request)
    numbers = [number for number, _ in answer.objects]
    if len(set(numbers)) != len(numbers) or not all(0 <= number <= 0xFF for number in (answer.conformity, *numbers)):
        raise BadReply("identification objects that cannot be")
    found = [Reading("conformity level", FactValue(f"0x{answer.conformity:02x}"), Evidence.CLAIMED)]
    for number, value in answer.objects:
        text = printable(value)
        fact = FactValue(text, text if number == REVISION else "")
        found.append(Reading(OBJECTS.get(number, f"object 0x{number:02x}"), fact, Evidence.CLAIMED))
    return tuple(found)


def server_id(asking: Asking) -> Outcome:
    """Function 17: `server id`, and `run indicator` where the last byte is one: 0x00 or 0xFF. A device may add more (6.13).

    Raises:
        DeviceError: refused, or not answered properly.
    """
    request = ReadServerId()
    if cannot := asking.cannot(request):
        return cannot
    data = asking.output(request)
    if not data:
        raise BadReply("an empty server id")
    run = _RUN.get(data[-1], "")
    identifier = Reading("server id", FactValue(printable(data[:-1] if run else data)), Evidence.CLAIMED)
    return (identifier, Reading("run indicator", FactValue(run), Evidence.CLAIMED)) if run else (identifier,)


def file_records(asking: Asking, ask: FileRecords) -> Outcome:
    """Function 20: one member, its digest over the registers, high byte first. What is critical is read twice.

    Raises:
        DeviceError: refused, or not answered properly.
    """
    request = ReadRecords(ask.file, ask.first, ask.count)
    if cannot := asking.cannot(request):
        return cannot
    first = _digest(_records(asking, request))
    value: Value = FileValue(FileType.REGULAR, 0, 0, 0, 2 * ask.count, sha256=first)
    if asking.item.criticality is Criticality.CRITICAL:
        second = _digest(_records_again(asking, ask))
        if second != first:
            value = Disagreement(FIRST, first, SECOND, second)
    member = f"file {ask.file} records {ask.first:05d}-{ask.first + ask.count - 1:05d}"
    return (Reading(member, value, asking.route.evidence),)


def fifo(asking: Asking, ask: Fifo) -> Outcome:
    """Function 24: `fifo 01246 word 00` and so on, as many as the queue holds now.

    Raises:
        DeviceError: refused, or not answered properly.
    """
    request = ReadFifo(ask.address)
    if cannot := asking.cannot(request):
        return cannot
    words = _in_range(asking.words(request))
    if len(words) > LONGEST_FIFO:
        raise BadReply(f"{len(words)} registers in a queue that holds {LONGEST_FIFO}")
    return tuple(
        Reading(f"fifo {ask.address:05d} word {at:02d}", WordValue(word), Evidence.CLAIMED) for at, word in enumerate(words)
    )


def _records(asking: Asking, request: ReadRecords) -> tuple[int, ...]:
    words = _in_range(asking.words(request))
    if len(words) != request.count:
        raise BadReply(f"{len(words)} records instead of {request.count}")
    return words


def _records_again(asking: Asking, ask: FileRecords) -> tuple[int, ...]:
    found: dict[int, tuple[int, ...]] = {}
    records = ((record, 1) for record in range(ask.first, ask.first + ask.count))
    for first, count in second_look(records, ask.count, asking.seed):
        found[first] = _records(asking, ReadRecords(ask.file, first, count))
    return tuple(word for _, words in sorted(found.items()) for word in words)


def _in_range(words: tuple[int, ...]) -> tuple[int, ...]:
    if not all(0 <= word <= 0xFFFF for word in words):
        raise BadReply("a value no register can hold")
    return words


def _digest(words: tuple[int, ...]) -> str:
    return hashlib.sha256(struct.pack(f">{len(words)}H", *words)).hexdigest()
