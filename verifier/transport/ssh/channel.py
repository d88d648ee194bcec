"""One conversation with a program on the device, to its proven end.

Complete means: the device itself has said that the output ended and, for a command, with which status. A dead line closes the
same buffers, so a closed buffer alone proves nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from verifier.errors import CraneVerifyError, DeviceError, Refused, TimedOut, Truncated
from verifier.transport.ssh.inbox import Inbox, Stream
from verifier.transport.ssh.line import Line

_SLACK = 1 << 20
"""Bytes a device may send over its window: what was on its way while we counted."""
_PIECE = 1 << 20
_ERRORS_KEPT = 64 << 10
_PARTING = 1.0
"""Seconds to wait until the device has closed a channel that we closed. dropbear 2022.83 closes a channel that is opened while
the program of the one before, cut short, is just ending: the next question would be refused."""
_FAREWELL = 2.0
"""Seconds for telling a program to end, on a line that may be dead."""


class LibraryChannel(Protocol):
    """What we use of paramiko's channel."""

    in_buffer: Stream
    in_stderr_buffer: Stream
    eof_received: bool
    exit_status: int
    chanid: int
    remote_chanid: int
    status_event: threading.Event

    def settimeout(self, timeout: float | None) -> None: ...
    def exec_command(self, command: bytes) -> None: ...
    def invoke_subsystem(self, subsystem: str) -> None: ...
    def shutdown_write(self) -> None: ...
    def sendall(self, s: bytes) -> None: ...
    def recv(self, nbytes: int) -> bytes: ...
    def recv_ready(self) -> bool: ...
    def recv_stderr(self, nbytes: int) -> bytes: ...
    def recv_stderr_ready(self) -> bool: ...
    def close(self) -> None: ...


class Owner(Protocol):
    """The session a channel belongs to."""

    line: Line

    @property
    def broken(self) -> bool: ...

    def parted(self, channel: LibraryChannel) -> bool:
        """Has the device closed this channel too?"""

    def why(self, error: Exception | None, what: str) -> CraneVerifyError:
        """The error to raise for one of the library's; Refused with the words `what` where the line is well."""

    def end_program(self, channel: LibraryChannel) -> None:
        """Ask the device to end the program on this channel."""


class Channel:
    """`silence`: seconds without a byte after which the device counts as hung. `window`: bytes it may send ahead."""

    def __init__(self, owner: Owner, channel: LibraryChannel, silence: float, window: int) -> None:
        self._owner, self._channel, self._silence = owner, channel, silence
        self._inbox = Inbox(window + _SLACK)
        channel.in_buffer, channel.in_stderr_buffer = self._inbox.output, self._inbox.errors
        channel.settimeout(silence)
        self.errors = b""
        """The beginning of what the program said on standard error."""
        self._runs = False
        """A command was started that nobody has told to end."""

    def start(self, command: bytes) -> None:
        """Run a command line, with nothing on its standard input. Raises Refused when the device runs none."""
        self._request(lambda: self._channel.exec_command(command), "the device refuses to run commands")
        self._runs = True
        self._request(self._channel.shutdown_write, "the device refuses to run commands")

    def subsystem(self, name: str) -> None:
        """Start a subsystem. Raises Refused when the device has none of this name."""
        self._request(lambda: self._channel.invoke_subsystem(name), f"the device has no {name} subsystem")

    def send(self, data: bytes) -> None:
        """To the program's standard input."""
        with self._owner.line.patience(self._silence, "sending"):
            try:
                self._channel.sendall(data)
            except TimeoutError as error:
                raise self._quiet() from error
            except Exception as error:
                raise self._owner.why(error, "the device takes no more requests") from error

    def receive(self) -> bytes:
        """Some of what the program writes; empty at its end.

        Raises:
            TimedOut: nothing came for too long.
            Truncated: the line broke.
        """
        try:
            return self._received()
        except DeviceError:
            raise
        except Exception as error:  # reading tells the device that it may go on, which a dead line cannot carry
            raise self._owner.why(error, "the device takes no more requests") from error

    def status(self) -> int:
        """Exit status of the program, when its output has been read.

        Raises:
            Truncated: it ended without one: killed, or the line broke.
            TimedOut: it has closed its output and lingers.
        """
        if not self._channel.status_event.wait(self._silence):
            raise self._quiet()
        if self._channel.exit_status < 0:
            raise self._cut("the command ended without an exit status")
        return self._channel.exit_status

    def close(self) -> None:
        """Stop reading, and end the program. Never fails: a dead line shows at the next request."""
        self._end_program()
        try:
            with self._owner.line.patience(self._silence, "closing a channel"):
                self._channel.close()
                until = time.monotonic() + _PARTING
                while not (self._owner.parted(self._channel) or self._owner.broken) and time.monotonic() < until:
                    time.sleep(0.002)
        except Exception:
            pass

    def _end_program(self) -> None:
        """A program that does not write does not notice that nobody listens, and would hash a disk for no one."""
        if not self._runs or self._channel.status_event.is_set():
            return
        self._runs = False
        try:
            with self._owner.line.patience(min(self._silence, _FAREWELL), "ending a program"):
                self._owner.end_program(self._channel)
        except Exception:
            pass

    def _request(self, ask: Callable[[], None], what: str) -> None:
        with self._owner.line.patience(self._silence, "the device's answer to a channel request"):
            try:
                ask()
            except Exception as error:
                raise self._owner.why(error, what) from error

    def _received(self) -> bytes:
        while True:
            if not self._inbox.wait(self._silence):
                raise self._quiet()
            if self._channel.recv_stderr_ready():
                said = self._channel.recv_stderr(_PIECE)
                self.errors += said[: _ERRORS_KEPT - len(self.errors)]
            if self._channel.recv_ready():
                return self._channel.recv(_PIECE)
            if self._inbox.finished and not self._inbox.held:
                if not self._channel.eof_received:
                    raise self._cut("the device closed the channel without saying that this was all")
                return b""

    def _quiet(self) -> DeviceError:
        line = self._owner.line
        self._end_program()
        hint = "check that it is not overloaded or hung; a slow device may need a longer timeouts: silence"
        return line.failure or line.break_off(TimedOut(f"the device was silent for {self._silence:g} s", hint))

    def _cut(self, what: str) -> CraneVerifyError:
        if not self._owner.broken:
            time.sleep(0.05)  # the library's thread closes channels just before it says that the line is dead
        error = self._owner.why(None, what)
        return Truncated(what) if isinstance(error, Refused) else error
