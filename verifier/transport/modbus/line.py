"""The wire under Modbus, with the guard as the last thing before it: TCP connections and serial ports."""

from __future__ import annotations

import errno
import select
import socket
import ssl
from typing import Protocol

import serial  # type: ignore[import-untyped]  # pyserial ships no types

from verifier.errors import LoginRefused, TimedOut, Truncated, Unreachable, UsageError
from verifier.model.device import ModbusSerialAddress
from verifier.transport.modbus.frame import Framing
from verifier.transport.modbus.guard import allowed_frame
from verifier.transport.transcript import Transcript

_CHUNK = 4096
_FEW_CLIENTS = "many devices serve one or two clients at once; close other tools"


class Wire(Protocol):
    """Bytes to and from one device."""

    def put(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            DeviceError: it could not be sent.
        """

    def take(self, seconds: float) -> bytes:
        """What comes within so many seconds, at least one byte; empty: nothing came. 0 looks without waiting.

        Raises:
            DeviceError: the other side is gone.
        """

    def close(self) -> None: ...


class GuardedLine:
    """A wire that lets nothing leave but one frame with one pure read at a time, each noted in the transcript first."""

    __slots__ = ("_framing", "_transcript", "_wire")

    def __init__(self, wire: Wire, framing: Framing, transcript: Transcript) -> None:
        self._wire, self._framing, self._transcript = wire, framing, transcript

    def send(self, data: bytes) -> int:
        """Send one frame, whole.

        Raises:
            ForbiddenRequest: it is not a pure read; nothing was sent.
            DeviceError: it could not be sent.
        """
        data = bytes(data)
        frame = allowed_frame(self._framing, data)
        self._transcript.add(f"modbus unit {frame.unit} {frame.pdu.hex()}")
        self._wire.put(data)
        self._transcript.bytes_sent += len(data)
        return len(data)

    # the other names under which sockets and serial ports send
    sendall = send
    write = send

    def receive(self, seconds: float) -> bytes:
        """As `Wire.take`."""
        data = self._wire.take(seconds)
        self._transcript.bytes_received += len(data)
        return data

    def close(self) -> None:
        self._wire.close()


class SocketWire:
    """A TCP or TLS connection. `silence` is how long sending may hang, in seconds."""

    def __init__(self, connection: socket.socket, silence: float) -> None:
        self._connection, self._silence = connection, silence

    def put(self, data: bytes) -> None:
        try:
            self._connection.settimeout(self._silence)
            self._connection.sendall(data)
        except TimeoutError as error:
            raise TimedOut("the device takes no more bytes") from error
        except OSError as error:
            raise _broken(error) from error

    def take(self, seconds: float) -> bytes:
        try:
            self._connection.settimeout(seconds)
            data = self._connection.recv(_CHUNK)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return b""
        except OSError as error:
            raise _broken(error) from error
        if not data:
            raise Truncated("the device closed the connection", _FEW_CLIENTS)
        return data

    def close(self) -> None:
        self._connection.close()


class PortWire:
    """A serial port, which nobody else may use meanwhile."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def put(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise TimedOut("the serial port takes no more bytes", "check the adapter and its flow control") from error
        except OSError as error:
            raise _gone(error) from error

    def take(self, seconds: float) -> bytes:
        try:
            # not the port's own time-out: setting it configures the whole port anew each time, which some drivers refuse
            if not select.select([self._port.fileno()], [], [], seconds)[0]:
                return b""
            data: bytes = self._port.read(_CHUNK)
        except OSError as error:
            raise _gone(error) from error
        if not data:
            raise _gone(OSError("it has nothing to read and says it has"))
        return data

    def close(self) -> None:
        self._port.close()


def open_socket(host: str, port: int, seconds: float) -> socket.socket:
    """A TCP connection that sends small frames at once (TCP_NODELAY).

    Raises:
        Unreachable: with the reason in words.
    """
    try:
        connection = socket.create_connection((host, port), timeout=seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    except (socket.gaierror, UnicodeError) as error:
        raise Unreachable(f"the name {host} is not known", "check it in the inventory, or write the IP address there") from error
    except ConnectionRefusedError as error:
        raise Unreachable(
            f"{host} is there, and nothing listens on port {port}",
            "check the port, and that Modbus is switched on in the device; some take only clients they were told of",
        ) from error
    except TimeoutError as error:
        raise Unreachable(
            f"{host} port {port} does not answer within {seconds:g} s", "is it switched on? a firewall on the way looks the same"
        ) from error
    except OSError as error:
        if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
            raise Unreachable(f"there is no route to {host}", "check cable, VLAN and this computer's network settings") from error
        raise Unreachable(f"{host} port {port} cannot be reached: {error}") from error


def open_port(address: ModbusSerialAddress) -> serial.Serial:
    """A serial port, opened for us alone, with nothing in its buffers.

    Raises:
        Unreachable: it is missing, in use or not ours to open.
        UsageError: no port has such settings.
    """
    try:
        return serial.Serial(
            address.path,
            address.baud,
            parity=address.parity,
            stopbits=address.stop_bits,
            timeout=0,
            write_timeout=address.timeouts.silence,
            exclusive=True,
        )
    except ValueError as error:
        raise UsageError(f"the serial settings of {address.path} do not exist: {error}", "parity is N, E or O") from error
    except Exception as error:  # pyserial lets termios.error and others through
        match getattr(error, "errno", None):
            case errno.ENOENT:
                raise Unreachable(
                    f"there is no serial port {address.path}", "is the adapter plugged in? try `ls /dev/serial/by-id`"
                ) from error
            case errno.EAGAIN | errno.EBUSY:
                raise Unreachable(f"the serial port {address.path} is in use by another program", "close that program") from error
            case errno.EACCES | errno.EPERM:
                raise Unreachable(
                    f"this user may not open the serial port {address.path}",
                    "on Debian the group `dialout` may; log in anew after joining",
                ) from error
            case _:
                raise Unreachable(f"the serial port {address.path} cannot be opened: {error}") from error


def tls_broken(error: ssl.SSLError) -> Truncated | LoginRefused:
    """A TLS failure in our words. With TLS 1.3 it is the first answer, not the handshake, that says no to our certificate."""
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if "alert" in reason and any(word in reason for word in ("certificate", "unknown ca", "access denied")):
        return LoginRefused(
            f"the device does not accept our certificate ({reason})",
            "give it the certificate and key it knows: `certificate` and `key` in the inventory",
        )
    return Truncated(
        f"the TLS line broke ({reason})", "it may want a certificate of ours, or speak another version; plain Modbus is port 502"
    )


def _broken(error: OSError) -> Truncated | LoginRefused:
    if isinstance(error, ssl.SSLError):
        return tls_broken(error)
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Truncated("the device reset the connection", _FEW_CLIENTS)
    return Truncated(f"the connection broke: {error}")


def _gone(error: OSError) -> Truncated:
    return Truncated(f"the serial port broke: {error}", "was the adapter pulled, or does another program read from it?")
