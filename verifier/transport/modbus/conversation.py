"""How a device is talked to: one question at a time, at its pace, again after silence, never after a no, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from verifier.errors import BadReply, DeviceError, Refused, TimedOut, Truncated, Unreachable
from verifier.model.device import Timeouts
from verifier.model.profile import Pace
from verifier.transport.modbus.frame import Framing
from verifier.transport.modbus.reply import ExceptionReply, words_of
from verifier.transport.modbus.step import confusable, step_question
from verifier.transport.transcript import Transcript

T = TypeVar("T")

_RETRY_PAUSE = 0.1
"""Seconds before a question is asked again, times the tries so far."""

_STATE_EXCEPTIONS = (5, 6, 10, 11)
"""Exceptions that speak of the device and not of the question: at work, busy, not reachable behind its gateway."""


class Client(Protocol):
    """One line to one device. It opens itself for a question when it is closed."""

    def question(self, pdu: bytes, unit: int) -> bytes:
        """The checked reply message to one request message; see `modbus.GuardedClient`."""

    def unasked(self, seconds: float = 0.0) -> bool:
        """True when bytes come on the open line that nobody asked for, now or within so many seconds, or it is broken."""

    def drain(self, seconds: float) -> None:
        """Read and forget what still comes."""

    def close(self) -> None: ...


@dataclass(slots=True)
class Conversation:
    """The state of talking to one device."""

    client: Client
    framing: Framing
    unit: int
    pace: Pace
    timeouts: Timeouts
    transcript: Transcript
    ends: float
    """On the monotonic clock: when the session's time is over."""
    trusted: bool = True
    """False: the line may hold something old; it is drained, closed and opened before the next question."""
    unanswered: tuple[bytes, ...] = ()
    """Questions on a serial line whose answers may still come."""
    failures: int = 0
    given_up: DeviceError | None = None
    next_at: float = 0.0

    def answer(self, pdu: bytes, decoded: Callable[[bytes, bytes], T]) -> T:
        """What one request message is answered, taken apart by `decoded(request, reply)`, which may find the reply wrong as well.

        Silence and lost lines are tried again, `pace.tries` times in all; a wrong reply or a no is not. After as many failed
        questions in a row the device is left alone.

        Raises:
            DeviceError: as said by the last try.
        """
        if self.given_up:
            raise self.given_up.with_traceback(None)
        try:
            reply = self._patiently(pdu, decoded)
        except ExceptionReply as error:
            self._count(error if error.code in _STATE_EXCEPTIONS else None)
            raise
        except DeviceError as error:
            self._count(error)
            raise
        self._count(None)
        return reply

    def _patiently(self, pdu: bytes, decoded: Callable[[bytes, bytes], T]) -> T:
        tries = max(1, self.pace.tries)
        for done in range(1, tries + 1):
            try:
                return self._in_step(pdu, decoded)
            except (TimedOut, Truncated, Unreachable):
                if done == tries:
                    raise
                time.sleep(min(_RETRY_PAUSE * done, 1.0))
        raise AssertionError("unreachable")

    def _in_step(self, pdu: bytes, decoded: Callable[[bytes, bytes], T]) -> T:
        if not self.unanswered:
            return self._once(pdu, decoded)
        try:
            if any(confusable(pdu, each) for each in self.unanswered):
                self._step(pdu)
            return self._once(pdu, decoded)
        except BadReply as error:
            raise TimedOut(f"question and answer are out of step since the device was silent: {error}", error.hint) from error

    def _step(self, pdu: bytes) -> None:
        step = step_question(pdu, self.unanswered)
        if not step:
            raise TimedOut("the answer to an earlier question of this kind may still come, so a new one cannot be told from it")
        try:
            self._once(step, words_of)
        except ExceptionReply as error:
            # a part of what is wanted is refused, and so is the whole; of more than is wanted, the rest may be what is refused
            if step[3:] > pdu[3:]:
                raise BadReply(str(error), error.hint) from error
            raise

    def _once(self, pdu: bytes, decoded: Callable[[bytes, bytes], T]) -> T:
        self._wait()
        self._clear()
        before = self.transcript.bytes_sent + self.transcript.bytes_received
        # whatever ends this question early, an interrupt too, leaves a line whose next bytes may be its answer
        self.trusted = False
        try:
            reply = decoded(pdu, self.client.question(pdu, self.unit))
        except ExceptionReply as error:
            if any(each[0] == pdu[0] and each != pdu for each in self.unanswered):
                # a late no to an earlier question, if the answer to this one still comes; else most likely ours, but no proof
                self._missing(pdu)
                if self.client.unasked(self.timeouts.silence):
                    raise BadReply(f"{error}, and then another answer", error.hint) from error
                raise
            self._answered(pdu)
            raise
        except BaseException:
            self._missing(pdu)
            raise
        finally:
            self._pay(self.transcript.bytes_sent + self.transcript.bytes_received - before)
        self._answered(pdu)
        return reply

    def _answered(self, pdu: bytes) -> None:
        self.trusted = True
        # asked twice, it may have been the first that was answered just now; then the second answer, and what was asked
        # between, may still come
        if pdu not in self.unanswered:
            self.unanswered = ()

    def _clear(self) -> None:
        if self.trusted and self.client.unasked():
            self.trusted = False
        if not self.trusted:
            if self.framing is Framing.RTU:
                self.client.drain(self.timeouts.silence)
            self.client.close()

    def _missing(self, pdu: bytes) -> None:
        if self.framing is Framing.RTU and pdu not in self.unanswered:
            self.unanswered = (*self.unanswered, pdu)

    def _wait(self) -> None:
        if time.monotonic() >= self.ends:
            raise TimedOut(
                f"the {self.timeouts.overall:g} s of this session are over", "raise `overall` for this device, or ask less"
            )
        seconds = self.next_at - time.monotonic()
        if seconds > 0:
            time.sleep(seconds)

    def _pay(self, moved: int) -> None:
        gap = 1 / self.pace.requests_per_second if self.pace.requests_per_second > 0 else 0.0
        if self.pace.bytes_per_second > 0:
            gap = max(gap, moved / self.pace.bytes_per_second)
        self.next_at = time.monotonic() + gap

    def _count(self, error: DeviceError | None) -> None:
        if error is None:
            self.failures = 0
            return
        self.failures += 1
        identity = not isinstance(error, TimedOut | Truncated | Unreachable | BadReply | Refused)
        if identity or self.failures >= max(1, self.pace.tries):
            self.client.close()
            self.given_up = error if identity else _left_alone(error, self.failures)


def _left_alone(error: DeviceError, failures: int) -> DeviceError:
    kind = next(kind for kind in (TimedOut, Truncated, Unreachable, BadReply, Refused) if isinstance(error, kind))
    times = f"{failures} failed questions in a row; the last: " if failures > 1 else "a failed question: "
    return kind(f"left alone after {times}{error}", error.hint)
