"""Modbus over TLS: who the device is, proven before a question leaves."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.servers.modbus import Certificates, Peer, certificates, holding, raw_device, tcp_address, true_reply
from verifier.errors import CraneVerifyError, IdentityChanged, IdentityUnknown, LoginRefused, TimedOut, Truncated, UsageError
from verifier.model.device import ModbusTcpAddress, Timeouts, TlsTrust
from verifier.model.profile import Pace
from verifier.model.words import Table
from verifier.transport.answer import Words
from verifier.transport.modbus.frame import Frame, Framing, framed
from verifier.transport.modbus.route import ModbusRoute
from verifier.transport.request import ReadTable
from verifier.transport.route import LineFact

__all__ = ["certificates"]

ONE = ReadTable(Table.HOLDING, 5, 1)


def honest(peer: Peer, asked: Frame) -> None:
    peer.reply(asked, true_reply(asked))


def in_two_records(peer: Peer, asked: Frame) -> None:
    data = framed(Framing.TCP, Frame(asked.unit, true_reply(asked), asked.transaction))
    peer.send(data[:8])
    peer.send(data[8:])


def test_name_and_authority(certificates: Certificates) -> None:
    trust = TlsTrust("crane.test", str(certificates.authority))
    with (
        raw_device(honest, tls=certificates.server()) as device,
        ModbusRoute.open(tcp_address(device.port, 2.0, tls=trust), Pace()) as route,
    ):
        for _ in range(3):
            assert tuple(route.ask(ONE)) == (Words((holding(5),)),)
        assert route.facts == (LineFact("certificate", f"sha256:{certificates.pin}"), LineFact("tls version", "TLSv1.3"))
        assert route.notes == ()
        # a session ticket that comes with the first answer is no stray byte
        assert device.connections == 1


@pytest.mark.parametrize("form", [str, str.upper, lambda pin: "sha256:" + ":".join(pin[at : at + 2] for at in range(0, 64, 2))])
def test_a_pin_alone_decides(certificates: Certificates, form: object) -> None:
    assert callable(form)
    trust = TlsTrust(pin=form(certificates.pin))
    with (
        raw_device(honest, tls=certificates.server()) as device,
        ModbusRoute.open(tcp_address(device.port, 2.0, tls=trust), Pace()) as route,
    ):
        assert tuple(route.ask(ONE)) == (Words((holding(5),)),)


def test_a_reply_split_over_two_records_works(certificates: Certificates) -> None:
    trust = TlsTrust("crane.test", str(certificates.authority), certificates.pin)
    with (
        raw_device(in_two_records, tls=certificates.server()) as device,
        ModbusRoute.open(tcp_address(device.port, 2.0, tls=trust), Pace(tries=1)) as route,
    ):
        request = ReadTable(Table.HOLDING, 0, 100)
        assert tuple(route.ask(request)) == (Words(tuple(holding(each) for each in range(100))),)
        assert tuple(route.ask(ONE)) == (Words((holding(5),)),)


def test_who_is_not_the_device_is_asked_nothing(certificates: Certificates) -> None:
    authority = str(certificates.authority)
    wrong: tuple[tuple[TlsTrust, type[CraneVerifyError], str], ...] = (
        (TlsTrust("other.test", authority), IdentityChanged, "not valid for 'other.test'"),
        (TlsTrust("", authority), IdentityChanged, "not valid for '127.0.0.1'"),
        (TlsTrust("crane.test", str(certificates.client)), IdentityChanged, "is not accepted"),
        (TlsTrust("crane.test", authority, "00" * 32), IdentityChanged, f"not the pinned one: it is {certificates.pin}"),
        (TlsTrust("crane.test", "", "00" * 32), IdentityChanged, "not the pinned one"),
        (TlsTrust("other.test", authority, certificates.pin), IdentityChanged, "not valid for 'other.test'"),
        (TlsTrust(), IdentityUnknown, f"no certificate is pinned for 127.0.0.1; it shows {certificates.pin}"),
    )
    with raw_device(honest, tls=certificates.server()) as device:
        for trust, error, words in wrong:
            with pytest.raises(error, match=words):
                ModbusRoute.open(tcp_address(device.port, 2.0, tls=trust), Pace())
        assert device.requests == []


def test_the_presented_certificate_is_told(certificates: Certificates) -> None:
    with raw_device(honest, tls=certificates.server()) as device:
        with pytest.raises(IdentityUnknown) as unknown:
            ModbusRoute.open(tcp_address(device.port, 2.0, tls=TlsTrust()), Pace())
        assert unknown.value.presented == certificates.pin
        # and is what can be pinned
        ModbusRoute.open(tcp_address(device.port, 2.0, tls=TlsTrust(pin=unknown.value.presented)), Pace()).close()


def test_a_certificate_that_changes_between_two_connections_ends_it(certificates: Certificates) -> None:
    def closing(peer: Peer, asked: Frame) -> None:
        honest(peer, asked)
        peer.close()

    with raw_device(closing, tls=certificates.server()) as device:
        trust = TlsTrust(pin=certificates.pin)
        with ModbusRoute.open(tcp_address(device.port, 2.0, tls=trust), Pace(tries=3)) as route:
            route.ask(ONE)
            other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            other.load_cert_chain(certificates.client, certificates.client_key)
            device.tls = other
            for _ in range(2):
                with pytest.raises(IdentityChanged):
                    route.ask(ONE)
        assert len(device.requests) == 1
        assert device.connections == 2


def test_a_device_that_asks_for_our_certificate(certificates: Certificates) -> None:
    ours = {"certificate": str(certificates.client), "key": str(certificates.client_key)}
    with raw_device(honest, tls=certificates.server(ask_client=True)) as device:
        trust = TlsTrust("crane.test", str(certificates.authority), **ours)
        with ModbusRoute.open(tcp_address(device.port, 2.0, tls=trust), Pace()) as route:
            assert tuple(route.ask(ONE)) == (Words((holding(5),)),)
        without = TlsTrust("crane.test", str(certificates.authority))
        with (
            pytest.raises((LoginRefused, Truncated)),
            ModbusRoute.open(tcp_address(device.port, 2.0, tls=without), Pace(tries=1)) as route,
        ):
            route.ask(ONE)


def test_tls_1_2_wants_our_certificate_in_the_handshake(certificates: Certificates) -> None:
    context = certificates.server(ask_client=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with raw_device(honest, tls=context) as device, pytest.raises(Truncated, match="handshake failure"):
        ModbusRoute.open(tcp_address(device.port, 2.0, tls=TlsTrust(pin=certificates.pin)), Pace())


@pytest.mark.parametrize("missing", ["authority", "certificate", "key"])
def test_our_own_files_are_named_when_they_cannot_be_used(certificates: Certificates, tmp_path: Path, missing: str) -> None:
    broken = tmp_path / "broken.pem"
    for content in (None, b"nothing of use"):
        if content:
            broken.write_bytes(content)
        files = {
            "authority": str(certificates.authority),
            "certificate": str(certificates.client),
            "key": str(certificates.client_key),
        }
        with (
            raw_device(honest, tls=certificates.server()) as device,
            pytest.raises(UsageError, match=r"broken\.pem"),
        ):
            ModbusRoute.open(tcp_address(device.port, tls=TlsTrust("crane.test", **{**files, missing: str(broken)})), Pace())


def test_a_key_with_a_passphrase_is_an_error_and_asks_nobody(certificates: Certificates, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(certificates.client_key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    form = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, form))
    trust = TlsTrust(pin=certificates.pin, certificate=str(certificates.client), key=str(locked))
    with raw_device(honest, tls=certificates.server()) as device, pytest.raises(UsageError, match=r"locked\.key") as caught:
        ModbusRoute.open(tcp_address(device.port, tls=trust), Pace())
    assert "without passphrase" in caught.value.hint


def test_a_port_that_speaks_no_tls(certificates: Certificates) -> None:
    trust = TlsTrust(pin=certificates.pin)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = ModbusTcpAddress("127.0.0.1", mute.getsockname()[1], tls=trust, timeouts=Timeouts(connect=0.2, silence=0.2))
        with pytest.raises(TimedOut, match="does not end the TLS handshake"):
            ModbusRoute.open(address, Pace())


def test_a_handshake_that_is_cut_off(certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def cut() -> None:
            connection, _ = listening.accept()
            connection.recv(10)
            connection.close()

        thread = threading.Thread(target=cut)
        thread.start()
        with pytest.raises(Truncated):
            ModbusRoute.open(tcp_address(listening.getsockname()[1], tls=TlsTrust(pin=certificates.pin)), Pace())
        thread.join()
