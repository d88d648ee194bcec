"""Modbus devices for tests: libmodbus and pymodbus as real peers, and devices that answer whatever a test wants.

Import the fixtures into the test module that uses them. Everything listens on 127.0.0.1 only.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from verifier.model.device import ModbusTcpAddress, Timeouts, TlsTrust
from verifier.transport.modbus.frame import Frame, Framing, framed, unframed

HERE = Path(__file__).parent


def holding(address: int) -> int:
    """What libmodbus_server.c holds; so with the others."""
    return (address * 40503 + 7) & 0xFFFF


def input_register(address: int) -> int:
    return (address * 30011 + 3) & 0xFFFF


def coil(address: int) -> int:
    return address * 5 >> 1 & 1


def discrete(address: int) -> int:
    return address * 3 >> 2 & 1


def compiled(source: Path, folder: Path) -> Path:
    """A C program against libmodbus."""
    program = folder / source.stem
    command = ["gcc", "-O2", "-Wall", "-I/usr/include/modbus", str(source), "-o", str(program), "-lmodbus"]
    subprocess.run(command, check=True, capture_output=True)
    return program


@dataclass
class LibmodbusServer:
    port: int
    process: subprocess.Popen[str]


@contextlib.contextmanager
def libmodbus(program: Path, *arguments: str) -> Iterator[LibmodbusServer]:
    """The C server, running; arguments as in libmodbus_server.c."""
    with subprocess.Popen([str(program), *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield LibmodbusServer(int(process.stdout.readline()), process)
        finally:
            process.kill()


@pytest.fixture(scope="session")
def libmodbus_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(HERE / "libmodbus_server.c", tmp_path_factory.mktemp("libmodbus"))


@pytest.fixture(scope="session")
def libmodbus_server(libmodbus_program: Path) -> Iterator[LibmodbusServer]:
    with libmodbus(libmodbus_program, "tcp") as server:
        yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def pymodbus_device(*options: str) -> Iterator[int]:
    """The port of a running pymodbus_device.py."""
    port = free_port()
    with subprocess.Popen([sys.executable, str(HERE / "pymodbus_device.py"), str(port), *options]) as process:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield port
        finally:
            process.kill()


@pytest.fixture(scope="session")
def pymodbus_port() -> Iterator[int]:
    with pymodbus_device() as port:
        yield port


@pytest.fixture(scope="session")
def pymodbus_rtu_port() -> Iterator[int]:
    with pymodbus_device("rtu") as port:
        yield port


@dataclass
class Peer:
    """The device's side of one connection, as the test's answer function sees it."""

    connection: socket.socket
    number: int
    """Of the connection: 0, 1, 2 ..."""
    framing: Framing

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def reply(self, asked: Frame, pdu: bytes) -> None:
        self.send(framed(self.framing, Frame(asked.unit, pdu, asked.transaction)))

    def close(self) -> None:
        self.connection.close()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


Answer = Callable[[Peer, Frame], None]


class RawDevice:
    """A device that does what `answer(peer, frame)` says for each request. Requests are noted, broken ones too."""

    def __init__(self, answer: Answer, framing: Framing = Framing.TCP, tls: ssl.SSLContext | None = None) -> None:
        self.answer, self.framing, self.tls = answer, framing, tls
        self.requests: list[bytes] = []
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        # shutdown wakes the thread that waits in accept; closing alone does not
        for each in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number, self.connections = self.connections, self.connections + 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            peer = Peer(connection, number, self.framing)
            while data := connection.recv(4096):
                self.requests.append(data)
                self.answer(peer, unframed(self.framing, data))
        connection.close()


@contextlib.contextmanager
def raw_device(answer: Answer, framing: Framing = Framing.TCP, tls: ssl.SSLContext | None = None) -> Iterator[RawDevice]:
    device = RawDevice(answer, framing, tls)
    try:
        yield device
    finally:
        device.close()


def true_reply(asked: Frame) -> bytes:
    """The right answer to functions 1 to 4, of the same values as the libmodbus server's."""
    first, count = struct.unpack(">HH", asked.pdu[1:5])
    code = asked.pdu[0]
    if code in (3, 4):
        value = holding if code == 3 else input_register
        return bytes([code, 2 * count]) + b"".join(value(each).to_bytes(2, "big") for each in range(first, first + count))
    bit = coil if code == 1 else discrete
    packed = bytearray(-(-count // 8))
    for place in range(count):
        packed[place // 8] |= bit(first + place) << place % 8
    return bytes([code, len(packed)]) + bytes(packed)


class PtyDevice:
    """A serial device on a pseudo terminal. `answer(frame)` gives `(seconds later, bytes)` pairs; they go out in that order.

    Like a real device it does one thing after the other: the next request waits until the last answer is out.
    """

    def __init__(self, answer: Callable[[Frame], list[tuple[float, bytes]]]) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self._device, self._line = os.openpty()
        tty.setraw(self._device)
        tty.setraw(self._line)
        self.path = os.ttyname(self._line)
        self._running = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._running = False
        self._thread.join(5)
        os.close(self._device)
        os.close(self._line)

    def send(self, data: bytes) -> None:
        os.write(self._device, data)

    def _serve(self) -> None:
        heard = b""
        while self._running:
            if not select.select([self._device], [], [], 0.02)[0]:
                continue
            heard += os.read(self._device, 4096)
            with contextlib.suppress(ValueError):
                frame = unframed(Framing.RTU, heard)
                self.requests.append(heard)
                heard = b""
                for seconds, data in self.answer(frame):
                    time.sleep(seconds)
                    self.send(data)


@contextlib.contextmanager
def pty_device(answer: Callable[[Frame], list[tuple[float, bytes]]]) -> Iterator[PtyDevice]:
    device = PtyDevice(answer)
    try:
        yield device
    finally:
        device.close()


@contextlib.contextmanager
def pty_pair(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Two serial ports joined by a cable, made by socat."""
    ends = folder / "end-a", folder / "end-b"
    sides = [f"pty,raw,echo=0,link={end}" for end in ends]
    with subprocess.Popen(["socat", *sides], stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                if all(end.exists() for end in ends):
                    break
                time.sleep(0.02)
            yield ends
        finally:
            process.kill()


@dataclass(frozen=True)
class Certificates:
    """PEM files of one authority with a device named `crane.test` and a client; `pin` is the device's SHA-256."""

    authority: Path
    device: Path
    device_key: Path
    client: Path
    client_key: Path
    pin: str

    def server(self, ask_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.device, self.device_key)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.authority)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("test authority", authority_key, authority_key, "test authority", True)
    device_key, client_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    device = _certificate("crane.test", device_key, authority_key, "test authority", False)
    client = _certificate("client", client_key, authority_key, "test authority", False)

    def file(name: str, content: bytes) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    pem = serialization.Encoding.PEM
    return Certificates(
        authority=file("authority.pem", authority.public_bytes(pem)),
        device=file("device.pem", device.public_bytes(pem)),
        device_key=file("device.key", _key_pem(device_key)),
        client=file("client.pem", client.public_bytes(pem)),
        client_key=file("client.key", _key_pem(client_key)),
        pin=device.fingerprint(hashes.SHA256()).hex(),
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey, issuer: str, authority: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def tcp_address(
    port: int, silence: float = 0.3, unit: int = 1, rtu: bool = False, tls: TlsTrust | None = None
) -> ModbusTcpAddress:
    """A device of these tests, with short patience."""
    return ModbusTcpAddress("127.0.0.1", port, unit, tls, rtu, Timeouts(connect=3.0, silence=silence))
