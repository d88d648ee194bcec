"""Replies are believed only when they are exactly what was asked for."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.servers.modbus import coil, holding, true_reply
from verifier.errors import BadReply, DeviceError, Refused
from verifier.transport.modbus.frame import Frame, Framing, framed, unframed
from verifier.transport.modbus.reply import (
    EXCEPTIONS,
    ExceptionReply,
    identification_of,
    reply_length,
    reply_of,
    server_id_of,
    words_of,
)

FRAMINGS = st.sampled_from(Framing)
FIFO_QUESTION = b"\x18\0\x05"
RECORD_QUESTION = bytes.fromhex("14070600010000") + b"\0\x03"
IDENTIFY = b"\x2b\x0e\x02\0"


def identity(*objects: tuple[int, bytes], level: int = 2, conformity: int = 0x83, more: int = 0, following: int = 0) -> bytes:
    body = b"".join(bytes([number, len(value)]) + value for number, value in objects)
    return bytes([0x2B, 0x0E, level, conformity, more, following, len(objects)]) + body


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A question with its right answer."""
    kind = draw(st.sampled_from((1, 2, 3, 4, 17, 20, 24, 43)))
    count = draw(st.integers(1, 30))
    data = draw(st.binary(min_size=2 * count, max_size=2 * count))
    match kind:
        case 1 | 2 | 3 | 4:
            question = bytes([kind]) + draw(st.integers(0, 65000)).to_bytes(2, "big") + count.to_bytes(2, "big")
            return question, true_reply(Frame(1, question))
        case 17:
            return b"\x11", bytes([17, len(data)]) + data
        case 20:
            return RECORD_QUESTION[:-1] + bytes([count]), bytes([20, 2 + len(data), 1 + len(data), 6]) + data
        case 24:
            return FIFO_QUESTION, b"\x18" + (2 + len(data)).to_bytes(2, "big") + count.to_bytes(2, "big") + data
        case _:
            return IDENTIFY, identity((0, data), (1, b"LW-77"), (6, b""))


def frames(framing: Framing, question: bytes, reply: bytes) -> tuple[Frame, bytes]:
    number = 0 if framing is Framing.RTU else 0x1234
    return Frame(17, question, number), framed(framing, Frame(17, reply, number))


@given(FRAMINGS, pairs())
def test_a_true_reply_is_taken_whole_and_never_before_its_end(framing: Framing, pair: tuple[bytes, bytes]) -> None:
    asked, heard = frames(framing, *pair)
    for length in range(len(heard)):
        assert reply_of(framing, asked, heard[:length]) == b""
    assert reply_of(framing, asked, heard) == pair[1]


@given(FRAMINGS, pairs(), st.binary(min_size=1, max_size=40))
def test_bytes_behind_a_reply_are_refused(framing: Framing, pair: tuple[bytes, bytes], more: bytes) -> None:
    asked, heard = frames(framing, *pair)
    with pytest.raises(BadReply):
        reply_of(framing, asked, heard + more)


@given(FRAMINGS, pairs(), st.integers(0, 20), st.integers(1, 255))
def test_a_changed_header_byte_is_refused_or_waits_for_ever(
    framing: Framing, pair: tuple[bytes, bytes], at: int, flip: int
) -> None:
    asked, heard = frames(framing, *pair)
    assume(at <= framing.before)
    changed = heard[:at] + bytes([heard[at] ^ flip]) + heard[at + 1 :]
    try:
        assert reply_of(framing, asked, changed) == b""
    except (BadReply, ExceptionReply):
        pass


@given(pairs(), st.integers(0, 8 * 260), st.integers(1, 3))
def test_bit_errors_on_a_serial_line_are_refused(pair: tuple[bytes, bytes], bit: int, width: int) -> None:
    asked, heard = frames(Framing.RTU, *pair)
    number = int.from_bytes(heard, "big") ^ ((1 << width) - 1 << bit % (8 * len(heard) - width))
    changed = number.to_bytes(len(heard), "big")
    try:
        assert reply_of(Framing.RTU, asked, changed) == b""
    except BadReply:
        pass


@given(FRAMINGS, pairs(), st.binary(max_size=300))
def test_rubbish_gives_an_error_and_nothing_else(framing: Framing, pair: tuple[bytes, bytes], rubbish: bytes) -> None:
    asked, _ = frames(framing, *pair)
    try:
        reply = reply_of(framing, asked, rubbish)
    except DeviceError:
        return
    assert reply == b"" or reply == unframed(framing, rubbish).pdu
    assert reply or len(rubbish) < framing.largest


@given(pairs(), pairs())
def test_an_answer_to_one_kind_of_question_is_none_to_another(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> None:
    assume(one[0][0] != other[0][0])
    with pytest.raises(BadReply):
        reply_length(one[0], other[1])


@given(FRAMINGS, pairs(), st.integers(1, 255))
def test_an_exception_is_a_refusal_with_its_name(framing: Framing, pair: tuple[bytes, bytes], code: int) -> None:
    asked, heard = frames(framing, pair[0], bytes([pair[0][0] | 0x80, code]))
    with pytest.raises(Refused) as caught:
        reply_of(framing, asked, heard)
    assert isinstance(caught.value, ExceptionReply)
    assert caught.value.code == code
    assert EXCEPTIONS.get(code, ("no standard names",))[0] in str(caught.value)
    assert f"exception {code}" in str(caught.value)


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("reply", [b"\x84\x02", b"\x81\x02", b"\x83\x00", b"\x83\x02\x00", b"\x80\x02", b"\xff\x02"])
def test_a_strange_exception_is_no_refusal(framing: Framing, reply: bytes) -> None:
    asked, heard = frames(framing, b"\x03\0\0\0\x0a", reply)
    with pytest.raises(BadReply):
        reply_of(framing, asked, heard)


def test_the_words_name_the_exception_and_what_to_do() -> None:
    assert str(ExceptionReply(2)) == "illegal data address (exception 2)"
    assert str(ExceptionReply(11)) == "gateway target device failed to respond (exception 11)"
    assert "wiring" in ExceptionReply(11).hint
    assert str(ExceptionReply(10)) == "gateway path unavailable (exception 10)"


TABLE_REPLIES = {
    "another function": b"\x04\x14" + bytes(20),
    "coils for registers": b"\x01\x02\0\0",
    "two registers for ten": b"\x03\x04" + bytes(4),
    "twenty registers for ten": b"\x03\x28" + bytes(40),
    "no registers": b"\x03\x00",
    "an odd byte count": b"\x03\x13" + bytes(19),
    "a byte count above its bytes": b"\x03\x14" + bytes(18),
    "a byte count below its bytes": b"\x03\x12" + bytes(20),
    "nothing but the function": b"\x03",
}


@pytest.mark.parametrize("reply", TABLE_REPLIES.values(), ids=TABLE_REPLIES)
def test_registers_that_were_not_asked_for(reply: bytes) -> None:
    question = b"\x03\0\0\0\x0a"
    with pytest.raises(BadReply):
        words_of(question, reply)
    asked, heard = frames(Framing.TCP, question, reply)
    with pytest.raises(BadReply):
        reply_of(Framing.TCP, asked, heard)


def test_a_register_reply_for_a_bit_count_is_refused() -> None:
    with pytest.raises(BadReply, match="byte count 1 instead of 2"):
        words_of(b"\x01\0\0\0\x0a", b"\x01\x01\xff")


@given(st.integers(0, 63000), st.integers(1, 2000))
def test_bits_come_lowest_first_and_no_padding_comes_along(first: int, count: int) -> None:
    question = b"\x01" + first.to_bytes(2, "big") + count.to_bytes(2, "big")
    assert words_of(question, true_reply(Frame(1, question))) == tuple(coil(each) for each in range(first, first + count))


def test_registers_are_high_byte_first() -> None:
    question = b"\x03\0\x10\0\x02"
    assert words_of(question, true_reply(Frame(1, question))) == (holding(16), holding(17))


def test_server_id_keeps_its_last_byte() -> None:
    assert server_id_of(b"\x11", b"\x11\x0a\xb4\xffLMB3.1.6") == b"\xb4\xffLMB3.1.6"
    for wrong in (b"\x11\x00", b"\x11\x03ab", b"\x11\x01ab", b"\x11"):
        with pytest.raises(BadReply):
            server_id_of(b"\x11", wrong)


def test_fifo_counts_must_agree_and_stay_within_31() -> None:
    assert words_of(FIFO_QUESTION, b"\x18\0\x06\0\x02\0\x01\0\x02") == (1, 2)
    assert words_of(FIFO_QUESTION, b"\x18\0\x02\0\0") == ()
    most = b"\x18\0\x40\0\x1f" + bytes(62)
    assert len(words_of(FIFO_QUESTION, most)) == 31
    for wrong in (
        b"\x18\0\x06\0\x01\0\x01\0\x02",
        b"\x18\0\x42\0\x20" + bytes(64),
        b"\x18\0\x04\0\x01\0",
        b"\x18\0\x04\0\x01\0\0\0",
    ):
        with pytest.raises(BadReply):
            words_of(FIFO_QUESTION, wrong)


def test_records_must_be_exactly_as_long_as_asked() -> None:
    assert words_of(RECORD_QUESTION, b"\x14\x08\x07\x06\0\x01\0\x02\0\x03") == (1, 2, 3)
    for wrong in (
        b"\x14\x06\x05\x06\0\x01\0\x02",
        b"\x14\x08\x05\x06\0\x01\0\x02\0\x03",
        b"\x14\x08\x07\x07\0\x01\0\x02\0\x03",
        b"\x14\x0a\x09\x06\0\x01\0\x02\0\x03\0\x04",
        b"\x14\x08\x03\x06\0\x01\x03\x06\0\x02",
        b"\x14\x00",
    ):
        with pytest.raises(BadReply):
            words_of(RECORD_QUESTION, wrong)


def test_identification_gives_objects_as_bytes() -> None:
    objects = ((0, b"Lift\xffwerk"), (1, b""), (2, b"V1"))
    assert identification_of(IDENTIFY, identity(*objects)) == (0x83, 0, objects)
    assert identification_of(IDENTIFY, identity(*objects, more=0xFF, following=3)) == (0x83, 3, objects)
    later = b"\x2b\x0e\x02\x03"
    assert identification_of(later, identity((3, b"url"))) == (0x83, 0, ((3, b"url"),))


BASE = ((0, b"a"), (1, b"b"), (2, b"c"))
IDENTITIES = {
    "another level": identity(*BASE, level=1),
    "one object instead of a level": identity(*BASE, level=4),
    "an object twice": identity((0, b"a"), (0, b"b")),
    "descending": identity((0, b"a"), (2, b"c"), (1, b"b")),
    "not from where it was asked": identity((1, b"b"), (2, b"c")),
    "no objects": identity(),
    "no such conformity": identity(*BASE, conformity=0x84),
    "no such more-follows": identity(*BASE, more=1),
    "more follows from behind": identity(*BASE, more=0xFF, following=2),
    "more follows from the start": identity(*BASE, more=0xFF, following=0),
    "beyond the level": identity((0, b"a"), (0x80, b"b")),
    "a byte too many": identity(*BASE) + b"\0",
    "a byte too few": identity(*BASE)[:-1],
    "cut in the head": identity(*BASE)[:5],
    "a count above its objects": identity(*BASE)[:6] + b"\x04" + identity(*BASE)[7:],
    "a count below its objects": identity(*BASE)[:6] + b"\x02" + identity(*BASE)[7:],
    "another sub-function": b"\x2b\x0d" + identity(*BASE)[2:],
}


@pytest.mark.parametrize("reply", IDENTITIES.values(), ids=IDENTITIES)
def test_identifications_that_do_not_fit(reply: bytes) -> None:
    with pytest.raises(BadReply):
        identification_of(IDENTIFY, reply)


@given(st.binary(max_size=60))
def test_identification_of_rubbish_is_an_error(rubbish: bytes) -> None:
    reply = b"\x2b\x0e\x02" + rubbish
    try:
        _, following, objects = identification_of(IDENTIFY, reply)
    except BadReply:
        return
    ids = [number for number, _ in objects]
    assert ids == sorted(set(ids))
    assert following == 0 or following > ids[-1]


def test_functions_that_are_never_asked_are_our_own_fault() -> None:
    with pytest.raises(ValueError, match="function code 6"):
        reply_length(b"\x06\0\0\0\0", b"\x06\0\0\0\0")
