"""The route to devices that speak Modbus: TCP, TLS, RTU over TCP and serial RTU. The one file that touches pymodbus.

The library frames, numbers and sends; what may leave is decided by `modbus_guard`, what may be believed by `modbus_reply`, how
long and how often is asked by `modbus_conversation`. What the library's own decoders make of an answer is never used.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self, assert_never

from pymodbus import FramerType, ModbusException
from pymodbus.client import ModbusTcpClient
from pymodbus.pdu import ModbusPDU

from verifier.errors import BadReply, DeviceError, ForbiddenRequest, OverBound, TimedOut, Truncated, Unreachable, Unsupported
from verifier.model.device import ModbusSerialAddress, ModbusTcpAddress
from verifier.model.profile import IdentificationLevel, Pace
from verifier.model.words import Evidence
from verifier.transport.answer import Answer, Objects, Output, Words
from verifier.transport.modbus.conversation import Conversation
from verifier.transport.modbus.frame import Frame, Framing
from verifier.transport.modbus.guard import ALLOWED, allowed, allowed_frame
from verifier.transport.modbus.line import GuardedLine
from verifier.transport.modbus.opening import Address, framing_of, open_line, patience, quiet
from verifier.transport.modbus.question import (
    fifo_question,
    identification_question,
    record_questions,
    server_id_question,
    table_question,
)
from verifier.transport.modbus.reply import ExceptionReply, identification_of, reply_of, server_id_of, words_of
from verifier.transport.request import (
    ReadFifo,
    ReadFile,
    ReadIdentification,
    ReadRecords,
    ReadServerId,
    ReadTable,
    ReadTree,
    Request,
    Run,
)
from verifier.transport.route import LineFact
from verifier.transport.transcript import Transcript

_ROUNDS = 16
"""Most answers of one identification (43/14); what exists fits into a few."""

_DRAIN_QUIET = 0.05
"""Seconds of silence after which a serial line counts as drained."""

_FRAMERS = {Framing.TCP: FramerType.SOCKET, Framing.RTU: FramerType.RTU}

# the library prints raw traffic to stderr when something goes wrong; what was asked stands in the transcript
_LOGGER = logging.getLogger("pymodbus")
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.setLevel(logging.CRITICAL)
_LOGGER.propagate = False


class ModbusRoute:
    """One open line to one device; see `route.Route`."""

    def __init__(self, address: Address, pace: Pace) -> None:
        self.transcript = Transcript()
        self._address, self._pace = address, pace
        self._facts: tuple[LineFact, ...] = ()
        framing, times = framing_of(address), address.timeouts
        self._client = GuardedClient(self._opened, framing, patience(address), quiet(address))
        ends = time.monotonic() + times.overall
        self._conversation = Conversation(self._client, framing, address.unit, pace, times, self.transcript, ends)

    @classmethod
    def open(cls, address: Address, pace: Pace) -> ModbusRoute:
        """Connect, and with TLS prove who the device is. Nothing is asked yet.

        Raises:
            DeviceError: unreachable, or not the pinned device.
            UsageError: a setting or a certificate file cannot be used.
        """
        route = cls(address, pace)
        route._client.connect()
        return route

    @property
    def evidence(self) -> Evidence:
        """The device states its registers; nothing here proves them."""
        return Evidence.CLAIMED

    @property
    def facts(self) -> tuple[LineFact, ...]:
        """With TLS the certificate's SHA-256 and the protocol's version."""
        return self._facts

    @property
    def notes(self) -> tuple[str, ...]:
        if isinstance(self._address, ModbusTcpAddress) and self._address.tls:
            return ()
        line = "a serial line" if isinstance(self._address, ModbusSerialAddress) else "TCP"
        return (f"Modbus over {line} is neither encrypted nor authenticated: who stands in the line can answer for the device",)

    def can(self, request: Request) -> str:
        match request:
            case ReadTable() | ReadIdentification() | ReadServerId() | ReadRecords() | ReadFifo():
                return ""
            case ReadTree() | ReadFile():
                return "a Modbus line gives registers, not files"
            case Run():
                return "a Modbus line runs no commands"
            case _:
                assert_never(request)

    def ask(self, request: Request) -> Iterator[Answer]:
        """The one answer to a request; asked at once, not when the iterator is first read.

        Raises:
            DeviceError: no whole and fitting answer. Exceptions are `Refused`, with their name.
            UsageError: more than fits into one request, or beyond the table.
        """
        return iter((self._answer(request),))

    def close(self) -> None:
        self._client.close()
        self._conversation.given_up = Unreachable("the line is closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _answer(self, request: Request) -> Answer:
        answer = self._conversation.answer
        match request:
            case ReadTable():
                pace = self._pace
                largest = pace.bits_per_request if request.table.bits else pace.registers_per_request
                return Words(answer(table_question(request, largest), words_of))
            case ReadIdentification():
                return self._identification(request.level)
            case ReadServerId():
                return Output(answer(server_id_question(), server_id_of))
            case ReadRecords():
                return Words(tuple(word for each in record_questions(request) for word in answer(each, words_of)))
            case ReadFifo():
                return Words(answer(fifo_question(request), words_of))
            case _:
                raise Unsupported(self.can(request))

    def _identification(self, level: IdentificationLevel) -> Objects:
        conformity, following = 0, 0
        objects: tuple[tuple[int, bytes], ...] = ()
        for _ in range(_ROUNDS):
            question = identification_question(level.code, following)
            said, following, more = self._conversation.answer(question, identification_of)
            if objects and said != conformity:
                raise BadReply(f"the device says conformity level {conformity:#04x}, then {said:#04x}")
            conformity, objects = said, objects + more
            if not following:
                return Objects(conformity, objects)
        raise OverBound(f"the identification does not end after {_ROUNDS} answers")

    def _opened(self) -> GuardedLine:
        line, self._facts = open_line(self._address, self.transcript)
        return line


class _Message(ModbusPDU):
    """A question that is already encoded."""

    def __init__(self, pdu: bytes, unit: int) -> None:
        super().__init__(dev_id=unit)
        self.function_code = pdu[0]
        self._rest = pdu[1:]

    def encode(self) -> bytes:
        return self._rest


class _Reply(ModbusPDU):
    """Any answer: it has been checked, and its end is known, before the library sees it."""

    @classmethod
    def calculateRtuFrameSize(cls, data: bytes) -> int:  # noqa: N802  # the library's name
        return len(data)


class GuardedClient(ModbusTcpClient):
    """pymodbus with the guard in its three places: `execute`, `send`, and the line that it has for a socket.

    Its public TCP constructor is the one that stays the same from release to release; every method that touches a line is ours,
    so serial lines and TLS run through it as well.
    """

    def __init__(self, open_line: Callable[[], GuardedLine], framing: Framing, silence: float, quiet: float = 0.0) -> None:
        """
        Args:
            open_line: gives a fresh line.
            silence: seconds from the question to the last byte of its answer.
            quiet: seconds of silence that end a frame on a serial line.
        """
        super().__init__("", framer=_FRAMERS[framing], timeout=silence, retries=0)
        self._open_line, self._framing, self._silence, self._quiet = open_line, framing, silence, quiet
        self._deadline = 0.0
        self._asked = Frame(0, b"")
        self._heard = b""
        self._reply = b""
        for code in ALLOWED:
            self.register(type(f"_Reply{code}", (_Reply,), {"function_code": code}))

    def question(self, pdu: bytes, unit: int) -> bytes:
        """The checked reply message to one request message.

        Raises:
            DeviceError: no answer, a wrong one, or an exception. Except after an exception, close before the next question.
            ForbiddenRequest: nothing was sent.
        """
        try:
            self.execute(False, _Message(pdu, unit))
        except ModbusException as error:
            raise BadReply(f"the reply cannot be understood: {error}") from error
        return self._reply

    def connect(self) -> bool:
        """Open the line unless it is open. Unlike the library's, this raises when it cannot.

        Raises:
            DeviceError: why not.
        """
        if self.socket is None:
            self.socket = self._open_line()  # type: ignore[assignment]  # the library's type is a plain socket
        return True

    def close(self) -> None:
        """Close the line; the next question opens it again."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None

    def execute(self, no_response_expected: bool, request: ModbusPDU) -> ModbusPDU:
        """First guard: the encoded message."""
        if no_response_expected:
            raise ForbiddenRequest("a question that expects no answer is no question; nothing was sent")
        allowed(request.function_code.to_bytes(1, "big") + request.encode())
        return super().execute(False, request)

    def send(self, request: bytes, addr: tuple[object, ...] | None = None) -> int:  # noqa: ARG002  # the library's signature
        """Second guard: the framed bytes."""
        self._asked, self._heard, self._reply = allowed_frame(self._framing, bytes(request)), b"", b""
        self._deadline = time.monotonic() + self._silence
        return self._line().send(request)

    def recv(self, size: int | None) -> bytes:  # noqa: ARG002  # the library's signature
        """The whole frame that answers the last question, checked. One deadline holds for all of it, however it drips."""
        if self._reply:
            raise BadReply("the reply cannot be understood: the library takes it for no whole answer")
        while not self._reply:
            seconds = self._deadline - time.monotonic()
            try:
                arrived = self._line().receive(seconds) if seconds > 0 else b""
            except Truncated as error:
                raise Truncated(f"{error} after {len(self._heard)} bytes of its answer", error.hint) from error
            if not arrived:
                part = f"only {len(self._heard)} bytes of an answer" if self._heard else "no answer"
                raise TimedOut(
                    f"{part} within {self._silence:.3g} s", "check the unit id; the device may be busy or not know this function"
                )
            self._heard += arrived
            try:
                self._reply = reply_of(self._framing, self._asked, self._heard)
            except ExceptionReply:
                self._end_of_frame()
                raise
        self._end_of_frame()
        return self._heard

    def unasked(self, seconds: float = 0.0) -> bool:
        """True when bytes come on an open line that nobody asked for, or its other side is gone: it cannot be trusted."""
        try:
            return self.socket is not None and bool(self._line().receive(seconds))
        except DeviceError:
            return True

    def drain(self, seconds: float) -> None:
        """Read and forget until a serial line is silent, at most so long."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and self._line().receive(_DRAIN_QUIET):
                pass
        except DeviceError:
            pass

    def _end_of_frame(self) -> None:
        if self._framing is Framing.RTU and (more := self._line().receive(self._quiet)):
            raise BadReply(f"the reply does not belong to the question: {len(more)} bytes behind the answer")

    def _line(self) -> GuardedLine:
        line: object = self.socket
        if not isinstance(line, GuardedLine):
            raise Unreachable("the line is closed")
        return line
