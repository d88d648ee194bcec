"""Keeping question and answer in step on a serial line, which has no transaction ids.

After a time-out the missing answer may still come, and look like the answer to the next question: registers 100-109 then carry
the values of 90-99. A device answers in the order it was asked. So before a question whose answer could be mistaken for a missing
one, one is asked whose answer cannot: when that comes, everything older has come or never will.
"""

from __future__ import annotations

from collections.abc import Iterable

from verifier.errors import BadReply
from verifier.transport.modbus.guard import LARGEST_BITS, LARGEST_REGISTERS
from verifier.transport.modbus.reply import reply_length

_TABLES = (1, 2, 3, 4)


def confusable(question: bytes, earlier: bytes) -> bool:
    """True when a normal answer to the `earlier` message could pass for one to `question`, and would be wrong there.

    The late answer to the very same message is a right one.
    """
    if question == earlier or question[0] != earlier[0]:
        return False
    if question[0] not in _TABLES:
        return True
    try:
        return reply_length(question, bytes([earlier[0], _answer_bytes(earlier)])) > 0
    except BadReply:
        return False


def step_question(question: bytes, unanswered: Iterable[bytes]) -> bytes:
    """A message like `question`, at the same address, whose answer has another length than that of every `unanswered` one.

    Empty where there is none: only tables can be asked for more or less.
    """
    if question[0] not in _TABLES:
        return b""
    missing = tuple(unanswered)
    first, count = int.from_bytes(question[1:3], "big"), int.from_bytes(question[3:5], "big")
    most = min(LARGEST_BITS if question[0] in (1, 2) else LARGEST_REGISTERS, (1 << 16) - first)
    # within what is asked anyway first: there the addresses are most likely to exist
    for other in (*range(1, count), *range(count + 1, most + 1)):
        step: bytes = question[:3] + other.to_bytes(2, "big")
        if step not in missing and not any(confusable(step, each) for each in missing):
            return step
    return b""


def _answer_bytes(question: bytes) -> int:
    count = int.from_bytes(question[3:5], "big")
    return -(-count // 8) if question[0] in (1, 2) else 2 * count
