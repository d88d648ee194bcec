"""Does this answer belong to this question? Every reply is held against its request, byte by byte, before a value is believed.

The library below compares almost nothing: another function's answer, too few, too many or no registers all pass there.
Source: MODBUS Application Protocol V1.1b3, sections 6 and 7.
"""

from __future__ import annotations

import struct

from verifier.errors import BadReply, Refused
from verifier.transport.modbus.frame import Frame, Framing, unframed

EXCEPTIONS = {
    1: ("illegal function", "the device does not know this function; take the item out of its profile"),
    2: ("illegal data address", "compare the address with the maker's manual; protocol addresses count from 0"),
    3: ("illegal data value", "the device takes fewer addresses at once, or not these; lower the profile's pace"),
    4: ("server device failure", "look at the device's own diagnosis"),
    5: ("acknowledge", "the device is still working on it; try again later"),
    6: ("server device busy", "the device is doing something else; try again later"),
    8: ("memory parity error", "the device found an error in its own memory; call its maker"),
    10: ("gateway path unavailable", "the gateway has no way to this unit id; compare it with the gateway's table"),
    11: ("gateway target device failed to respond", "the device behind the gateway is silent; check unit id, power and wiring"),
}
"""Exception codes with their names (section 7) and what to do."""

LARGEST_FIFO = 31
_CONFORMITY = frozenset({0x01, 0x02, 0x03, 0x81, 0x82, 0x83})
_LAST_OBJECT = {1: 0x02, 2: 0x7F, 3: 0xFF}


class ExceptionReply(Refused):
    """The device answered with an exception. `code` is 1 to 255."""

    def __init__(self, code: int) -> None:
        name, hint = EXCEPTIONS.get(code, ("an exception no standard names", "see the maker's manual"))
        super().__init__(f"{name} (exception {code})", hint)
        self.code = code


def reply_length(question: bytes, begun: bytes) -> int:
    """Bytes of the whole reply message, as soon as its first bytes tell; 0 while they do not.

    Args:
        question: the request's message (PDU).
        begun: the reply's message as far as it is here.

    Raises:
        BadReply: what is here cannot become an answer to the question.
    """
    if not begun:
        return 0
    code = question[0]
    if begun[0] == code | 0x80:
        return 2
    if begun[0] != code:
        raise _bad(f"function code {begun[0]} instead of {code}")
    match code:
        case 1 | 2 | 3 | 4 | 17 | 20:
            if len(begun) < 2:
                return 0
            expected = _byte_count(question)
            if begun[1] != expected and expected:
                raise _bad(f"byte count {begun[1]} instead of {expected}")
            if not begun[1]:
                raise _bad("byte count 0")
            return 2 + begun[1]
        case 24:
            if len(begun) < 5:
                return 0
            size, count = int.from_bytes(begun[1:3], "big"), int.from_bytes(begun[3:5], "big")
            if size != 2 + 2 * count:
                raise _bad(f"byte count {size} for {count} registers")
            if count > LARGEST_FIFO:
                raise _bad(f"{count} registers in a FIFO that holds {LARGEST_FIFO}")
            return 3 + size
        case 43:
            return _identification_length(question, begun)
        case _:
            raise ValueError(f"function code {code} is not asked here")


def reply_of(framing: Framing, asked: Frame, heard: bytes) -> bytes:
    """The reply's message (PDU) when `heard` is exactly the frame that answers `asked`; empty while bytes are missing.

    Args:
        framing: how the bytes travel.
        asked: what was sent.
        heard: every byte that came since.

    Raises:
        BadReply: this is not, and will not become, the answer: another function, unit, transaction or protocol, a length that
            lies, bytes too many, a wrong checksum.
        ExceptionReply: the answer is an exception of the function that was asked.
    """
    length = 0
    if framing is Framing.TCP:
        _same("transaction id", int.from_bytes(heard[:2], "big"), asked.transaction, len(heard) >= 2)
        _same("protocol id", int.from_bytes(heard[2:4], "big"), 0, len(heard) >= 4)
        _same("unit id", heard[6] if len(heard) > 6 else 0, asked.unit, len(heard) > 6)
        length = 6 + int.from_bytes(heard[4:6], "big") if len(heard) >= 6 else 0
        if length and not framing.before + 1 < length <= framing.largest:
            raise _bad(f"a length of {length - 6} bytes in the header")
    elif heard:
        _same("unit id", heard[0], asked.unit, True)
    message = reply_length(asked.pdu, heard[framing.before :])
    if message:
        whole = framing.before + message + framing.after
        if framing is Framing.TCP and whole != length:
            raise _bad(f"the header says {length - framing.before} bytes, the message {message}")
        if len(heard) > whole:
            raise _bad(f"{len(heard) - whole} bytes behind the answer")
        if len(heard) == whole:
            try:
                return _no_exception(asked.pdu, unframed(framing, heard).pdu)
            except ValueError as error:
                raise _bad(str(error)) from error
    elif (length and len(heard) >= length) or len(heard) >= framing.largest:
        raise _bad(f"{len(heard)} bytes that are no whole answer")
    return b""


def words_of(question: bytes, reply: bytes) -> tuple[int, ...]:
    """Registers (0-65535) or bits (0, 1) of functions 1 to 4, 20 and 24: as many as were asked, or as the FIFO held.

    Raises:
        BadReply: it does not answer the question.
    """
    _whole(question, reply)
    count = int.from_bytes(question[-2:], "big")
    match question[0]:
        case 1 | 2:
            return tuple(reply[2 + place // 8] >> place % 8 & 1 for place in range(count))
        case 3 | 4:
            return _registers(reply[2:])
        case 20:
            if reply[2] != 1 + 2 * count:
                raise _bad(f"a record of {reply[2] - 1} bytes instead of {2 * count}")
            if reply[3] != 6:
                raise _bad(f"reference type {reply[3]} instead of 6")
            return _registers(reply[4:])
        case 24:
            return _registers(reply[5:])
        case code:
            raise ValueError(f"function code {code} gives no registers")


def server_id_of(question: bytes, reply: bytes) -> bytes:
    """Everything after the byte count of function 17: the id, the run indicator and what the maker adds, last byte included.

    Raises:
        BadReply: it does not answer the question.
    """
    _whole(question, reply)
    return reply[2:]


def identification_of(question: bytes, reply: bytes) -> tuple[int, int, tuple[tuple[int, bytes], ...]]:
    """One answer to 43/14: conformity byte, the object id to ask on from (0: that was all), and objects by ascending id.

    Raises:
        BadReply: another level, ids that do not ascend or do not begin where they were asked, an object the level does not have.
    """
    _whole(question, reply)
    level, first = question[2], question[3]
    _same("read code", reply[2], level, True)
    conformity, more, following = reply[3], reply[4], reply[5]
    if conformity not in _CONFORMITY:
        raise _bad(f"conformity level {conformity:#04x}, which does not exist")
    if more not in (0x00, 0xFF):
        raise _bad(f"more-follows byte {more:#04x} instead of 0x00 or 0xff")
    objects: list[tuple[int, bytes]] = []
    at = 7
    for _ in range(reply[6]):
        number, size = reply[at], reply[at + 1]
        if objects and number <= objects[-1][0]:
            raise _bad(f"object {number} after object {objects[-1][0]}")
        objects.append((number, reply[at + 2 : at + 2 + size]))
        at += 2 + size
    if not objects:
        raise _bad("no objects")
    _same("first object", objects[0][0], first, True)
    last = objects[-1][0]
    if last > _LAST_OBJECT[level]:
        raise _bad(f"object {last}, which is beyond the level that was asked", "ask for a higher level in the profile")
    if more and not last < following:
        raise _bad(f"more follows from object {following}, after object {last}")
    return conformity, following if more else 0, tuple(objects)


def _identification_length(question: bytes, begun: bytes) -> int:
    for at, name in ((1, "sub-function"), (2, "read code")):
        _same(name, begun[at] if len(begun) > at else 0, question[at], len(begun) > at)
    if len(begun) < 7:
        return 0
    at = 7
    for _ in range(begun[6]):
        if len(begun) < at + 2:
            return 0
        at += 2 + begun[at + 1]
    return at


def _byte_count(question: bytes) -> int:
    """What the byte count of the reply must be; 0 where the device decides."""
    count = int.from_bytes(question[-2:], "big")
    match question[0]:
        case 1 | 2:
            return -(-count // 8)
        case 3 | 4:
            return 2 * count
        case 20:
            return 2 + 2 * count
        case _:
            return 0


def _whole(question: bytes, reply: bytes) -> None:
    if reply_length(question, reply) != len(reply) or reply[0] != question[0]:
        raise _bad(f"{len(reply)} bytes that are no whole answer")


def _no_exception(question: bytes, reply: bytes) -> bytes:
    if reply[0] == question[0] | 0x80:
        if not reply[1]:
            raise _bad("exception 0, which does not exist")
        raise ExceptionReply(reply[1])
    return reply


def _registers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data)


def _same(name: str, is_: int, should: int, known: bool) -> None:
    if known and is_ != should:
        raise _bad(f"{name} {is_} instead of {should}")


def _bad(what: str, hint: str = "") -> BadReply:
    return BadReply(
        f"the reply does not belong to the question: {what}",
        hint or "try again; if it stays so, another program, a gateway or a tampered device answers on this line",
    )
