"""The line under an SSH session: a TCP connection or a tunnel through a jump host, with limits nobody above it can forget.

It looks like a socket to paramiko. It holds every deadline (paramiko waits for ever in several places, and counts time-outs per
read, so that one byte a second beats them), refuses absurd packet lengths before memory is spent on them, bounds what a
device may say before we have logged in, and reads ahead in large pieces. Why a line broke stays in `failure`, because
paramiko turns most causes into a bare end of file.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from verifier.errors import BadReply, DeviceError, TimedOut, Truncated, Unreachable

LONGEST_PACKET = 512 << 10
"""Bytes. RFC 4253 asks for 35,000; we announce less than this, so a longer one is nonsense or an attack."""
BEFORE_LOGIN = 256 << 10
"""Bytes a device may send before we have logged in. Usual are five thousand."""
_AHEAD = 256 << 10
_TICK = 0.1


class Endpoint(Protocol):
    """A socket, or a channel that behaves like one."""

    def recv(self, nbytes: int, /) -> bytes: ...
    def send(self, data: bytes, /) -> int: ...
    def settimeout(self, seconds: float, /) -> None: ...
    def close(self) -> None: ...


def dial(host: str, port: int, seconds: float) -> socket.socket:
    """A TCP connection, ready for small requests and able to notice a dead peer.

    Raises:
        Unreachable: no such name, refused, no route, no answer in time.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise Unreachable(f"no such name: {host}", "check the address in the inventory, and this computer's DNS") from error
    until = time.monotonic() + seconds
    last = OSError(errno.ETIMEDOUT, "timed out")
    for kind, _, protocol, _, place in found:
        line = socket.socket(kind, socket.SOCK_STREAM, protocol)
        try:
            line.settimeout(max(0.1, until - time.monotonic()))
            line.connect(place)
        except OSError as error:
            line.close()
            last = error
            continue
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)  # milliseconds
        return line
    raise _unreachable(host, port, seconds, last) from last


def _unreachable(host: str, port: int, seconds: float, error: OSError) -> Unreachable:
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return Unreachable(
            f"no answer from {host} port {port} in {seconds:g} s",
            "check that the device is on, and that no firewall drops the port",
        )
    if error.errno == errno.ECONNREFUSED:
        return Unreachable(
            f"{host} refuses connections on port {port}",
            "check the port in the inventory, and that the service runs on the device",
        )
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return Unreachable(f"no route to {host}", "check the cable, the VLAN, and whether a jump host is needed")
    return Unreachable(f"cannot connect to {host} port {port}: {error.strerror or error}", "check the address in the inventory")


HUNG_UP = "check the line; a device that hangs up before the login may be starting, or limit who and how many may connect"
HUNG = "check that the device is not overloaded or hung"


def _broke(error: OSError | EOFError) -> Truncated:
    said = getattr(error, "strerror", None) or str(error) or "it ended"
    return Truncated(f"the line to the device broke: {said.lower()}", HUNG_UP)


class Line:
    """Reads and writes of one session. `overall` bounds its whole life, in seconds."""

    def __init__(self, endpoint: Endpoint, overall: float) -> None:
        self._endpoint = endpoint
        self._overall = overall
        self._end = time.monotonic() + overall
        self._patience = float("inf")
        self._waiting_for = TimedOut("")
        self._ahead = b""
        self._at = 0
        self._lock = threading.Lock()
        self._closed = False
        self.sent = 0
        self.received = 0
        self.logged_in = False
        self.failure: DeviceError | None = None

    @contextmanager
    def patience(self, seconds: float, what: str, hint: str = HUNG) -> Iterator[None]:
        """Inside, the line breaks with TimedOut when `what` takes longer than this, whatever trickles in."""
        before = self._patience, self._waiting_for
        waiting = TimedOut(f"{what} took longer than {seconds:g} s", hint)
        self._patience, self._waiting_for = time.monotonic() + seconds, waiting
        try:
            yield
        finally:
            self._patience, self._waiting_for = before

    def break_off(self, failure: DeviceError) -> DeviceError:
        """Close the line for this reason; the first reason stays."""
        with self._lock:
            if self.failure is None and not self._closed:
                self.failure = failure
        self.close()
        return self.failure or failure

    def recv(self, nbytes: int) -> bytes:
        """At most `nbytes`. Raises TimeoutError after a tenth of a second, EOFError when the line is broken."""
        if nbytes > LONGEST_PACKET:
            raise self._eof(BadReply(f"the device announces a packet of {nbytes} bytes"))
        if self._at >= len(self._ahead):
            self._refill()
        start, self._at = self._at, self._at + nbytes
        return self._ahead[start : self._at]

    def send(self, data: bytes) -> int:
        """How many bytes went out. Raises TimeoutError and EOFError as `recv` does."""
        self._check_time()
        try:
            count = self._endpoint.send(data)
        except TimeoutError:
            raise
        except (OSError, EOFError) as error:
            raise self._eof(_broke(error)) from error
        self.sent += count
        return count

    def settimeout(self, seconds: float | None) -> None:  # noqa: ARG002 - paramiko sets its tick here; ours is fixed
        self._endpoint.settimeout(_TICK)

    def close(self) -> None:
        self._closed = True
        if isinstance(self._endpoint, socket.socket):
            try:
                self._endpoint.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in recv
            except OSError:
                pass
        self._endpoint.close()

    def _refill(self) -> None:
        self._check_time()
        try:
            data = self._endpoint.recv(_AHEAD)
        except TimeoutError:
            raise
        except (OSError, EOFError) as error:
            raise self._eof(_broke(error)) from error
        if not data:
            raise self._eof(Truncated("the device closed the connection", HUNG_UP))
        self.received += len(data)
        if not self.logged_in and self.received > BEFORE_LOGIN:
            raise self._eof(BadReply(f"the device sent more than {BEFORE_LOGIN} bytes before the login"))
        self._ahead, self._at = data, 0

    def _check_time(self) -> None:
        now = time.monotonic()
        if now > self._end:
            raise self._eof(
                TimedOut(f"the session took longer than {self._overall:g} s", "raise timeouts: overall, or ask for less")
            )
        if now > self._patience:
            raise self._eof(self._waiting_for)

    def _eof(self, failure: DeviceError) -> EOFError:
        self.break_off(failure)
        return EOFError(str(failure))
