"""Connecting: what goes wrong before a login, in words; old algorithms by name; host keys before any credential."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers.asyncssh_device import Logins, running_asyncssh
from tests.servers.dropbear import running_dropbear
from tests.servers.sshd import OLDEST, RunningSshd, make_key, no_secrets, running_sshd
from verifier.errors import (
    BadReply,
    DeviceError,
    IdentityChanged,
    IdentityUnknown,
    TimedOut,
    Truncated,
    Unreachable,
    Unsupported,
    UsageError,
)
from verifier.model.device import KeyFile, Password, Secret, SshAddress, Timeouts
from verifier.model.profile import Pace
from verifier.transport.ssh import algorithms
from verifier.transport.ssh.hostkeys import fingerprint, public_key
from verifier.transport.ssh.line import dial
from verifier.transport.ssh.route import SshRoute
from verifier.transport.ssh.session import connect

SHORT = Timeouts(connect=1, login=1, silence=1, overall=20)


def quiet(line: str) -> None:
    pass


def methods(address: SshAddress) -> str:
    """Connect, log in, disconnect."""
    session = connect(address, no_secrets, quiet)
    try:
        return session.methods
    finally:
        session.close()


@pytest.fixture(scope="module")
def modern(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSshd]:
    with running_sshd(tmp_path_factory.mktemp("modern"), host_keys=("ed25519", "rsa", "ecdsa")) as device:
        yield device


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSshd]:
    with running_sshd(tmp_path_factory.mktemp("oldest"), config=OLDEST, host_keys=("rsa",), user_key="rsa") as device:
        yield device


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def at(listener: socket.socket, timeouts: Timeouts = SHORT) -> SshAddress:
    port = listener.getsockname()[1]
    return SshAddress("127.0.0.1", "u", port, credentials=(Password(Secret("env", "X")),), timeouts=timeouts)


# Reaching the device


def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **options: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match="no such name: no-such-crane") as caught:
        dial("no-such-crane", 22, 1)
    assert "DNS" in caught.value.hint


def test_a_port_that_refuses(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(Unreachable, match="refuses connections") as caught:
        dial("127.0.0.1", port, 1)
    assert "port" in caught.value.hint


def test_a_device_that_does_not_answer_a_connect() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        fillers = [socket.socket() for _ in range(4)]  # the queue of unaccepted connections is full, so SYNs are dropped
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(server.getsockname())
            began = time.monotonic()
            with pytest.raises(Unreachable, match="no answer"):
                dial("127.0.0.1", server.getsockname()[1], 0.5)
            assert time.monotonic() - began < 3
        finally:
            for filler in fillers:
                filler.close()


def test_a_network_without_a_route(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRoute(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(113, "No route to host")

    monkeypatch.setattr(socket, "socket", NoRoute)
    with pytest.raises(Unreachable, match="no route") as caught:
        dial("127.0.0.1", 22, 1)
    assert "jump host" in caught.value.hint


def test_the_line_is_set_for_small_requests_and_dead_peers(listener: socket.socket) -> None:
    with dial("127.0.0.1", listener.getsockname()[1], 1) as line:
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


# Servers that are none


def test_a_silent_banner_times_out(listener: socket.socket) -> None:
    began = time.monotonic()
    with pytest.raises(TimedOut):
        methods(at(listener))
    assert time.monotonic() - began < 4


def talk(listener: socket.socket, chunk: bytes, times: int) -> None:
    """Send this so often to the first who connects, then wait for him to go; close at once where there is nothing to say."""

    def speak() -> None:
        line, _ = listener.accept()
        with line, suppress(OSError):
            line.settimeout(5)
            for _ in range(times):
                line.sendall(chunk)
            while times and line.recv(65536):
                pass

    threading.Thread(target=speak, daemon=True).start()


@pytest.mark.parametrize(
    "chunk", [b"x" * (1 << 20), b"hello, and welcome to this crane\r\n" * 30_000], ids=["one line", "many lines"]
)
def test_a_gigabyte_of_banner_is_bounded(listener: socket.socket, chunk: bytes) -> None:
    talk(listener, chunk, 1024)
    began = time.monotonic()
    with pytest.raises(BadReply, match=r"before the login|no SSH server"):
        methods(at(listener, Timeouts(login=20)))
    assert time.monotonic() - began < 10


def test_a_gigabyte_inside_the_key_exchange_is_bounded(listener: socket.socket) -> None:
    ignored = (1004).to_bytes(4, "big") + b"\x04" + b"\x02" + bytes(1002)
    talk(listener, b"SSH-2.0-x\r\n" + ignored * 100_000, 1)
    with pytest.raises(BadReply, match="before the login"):
        methods(at(listener, Timeouts(login=20)))


def test_a_web_server_is_no_ssh_server(listener: socket.socket) -> None:
    talk(listener, b"HTTP/1.1 400 \x1b[31mBad Request\r\n" * 100, 1)
    with pytest.raises(BadReply, match="no SSH server") as caught:
        methods(at(listener))
    assert "\x1b" not in str(caught.value)


def test_ssh_version_1_is_too_old(listener: socket.socket) -> None:
    talk(listener, b"SSH-1.5-OpenSSH_1.2\r\n", 1)
    with pytest.raises(Unsupported, match="too old"):
        methods(at(listener))


def test_a_packet_of_four_gigabytes_is_refused(listener: socket.socket) -> None:
    talk(listener, b"SSH-2.0-x\r\n" + b"\xff\xff\xff\xf4" + bytes(64), 1)
    with pytest.raises(BadReply, match="announces a packet"):
        methods(at(listener))


def test_a_connection_closed_at_once_is_truncated(listener: socket.socket) -> None:
    talk(listener, b"", 0)
    with pytest.raises(Truncated):
        methods(at(listener))


def test_no_credentials_is_said_before_anything_is_sent(listener: socket.socket) -> None:
    address = SshAddress("127.0.0.1", "u", listener.getsockname()[1])
    with pytest.raises(UsageError, match="no credentials"):
        methods(address)
    listener.settimeout(0.1)
    with pytest.raises(TimeoutError):
        listener.accept()


# Algorithms


def test_a_modern_server_gets_the_fast_cipher(modern: RunningSshd) -> None:
    with SshRoute.open(modern.address(), Pace(), no_secrets) as route:
        facts = {fact.name: fact.text for fact in route.facts}
        assert facts["cipher"] == "aes128-gcm@openssh.com"
        assert facts["key-exchange"].startswith("curve25519-sha256")
        assert facts["strict-key-exchange"] == "yes"
        assert facts["host-key"] == f"ssh-ed25519 {modern.host_key_fingerprint}"
        assert facts["server-version"].startswith("SSH-2.0-OpenSSH")
        assert facts["login"] == "publickey"
        assert "aes256-ctr" in facts["offered-ciphers"]
        assert route.notes == ()


def test_the_oldest_server_is_refused_with_the_names_that_would_allow_it(oldest: RunningSshd) -> None:
    with pytest.raises(Unsupported) as caught:
        methods(oldest.address())
    for name in ("diffie-hellman-group14-sha1", "ssh-rsa", "aes128-cbc", "hmac-sha1"):
        assert name in str(caught.value)
        assert name in caught.value.hint
    assert "legacy:" in caught.value.hint


def test_the_oldest_server_works_with_exactly_the_names_that_are_used(oldest: RunningSshd) -> None:
    names = ("ssh-rsa", "diffie-hellman-group14-sha1", "aes128-cbc", "hmac-sha1")
    with SshRoute.open(oldest.address(legacy=names), Pace(), no_secrets) as route:
        assert sorted(route.notes) == sorted(f"legacy algorithm {name} in use" for name in names)
    for name in names:
        with pytest.raises(DeviceError):
            methods(oldest.address(legacy=tuple(other for other in names if other != name)))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("KexAlgorithms diffie-hellman-group14-sha1", "diffie-hellman-group14-sha1"),
        ("KexAlgorithms diffie-hellman-group1-sha1", "diffie-hellman-group1-sha1"),
        ("KexAlgorithms diffie-hellman-group-exchange-sha1", "diffie-hellman-group-exchange-sha1"),
        ("Ciphers aes128-cbc", "aes128-cbc"),
        ("Ciphers aes192-cbc", "aes192-cbc"),
        ("Ciphers aes256-cbc", "aes256-cbc"),
        ("Ciphers 3des-cbc", "3des-cbc"),
        ("Ciphers aes128-ctr\nMACs hmac-sha1", "hmac-sha1"),
    ],
)
def test_each_old_algorithm_works_only_by_its_name(tmp_path: Path, line: str, name: str) -> None:
    with running_sshd(tmp_path, config=tuple(line.split("\n"))) as device:
        with pytest.raises(Unsupported, match=name):
            methods(device.address())
        with SshRoute.open(device.address(legacy=(name,)), Pace(), no_secrets) as route:
            assert route.notes == (f"legacy algorithm {name} in use",)


def test_an_rsa_key_signs_the_old_way_only_by_name(tmp_path: Path) -> None:
    with running_sshd(tmp_path, config=("PubkeyAcceptedAlgorithms ssh-rsa",), user_key="rsa") as device:
        with pytest.raises(DeviceError):
            methods(device.address())
        with SshRoute.open(device.address(legacy=("ssh-rsa",)), Pace(), no_secrets) as route:
            assert route.notes == ("legacy algorithm ssh-rsa in use",)


def test_a_legacy_name_is_no_note_when_it_is_not_used(modern: RunningSshd) -> None:
    with SshRoute.open(modern.address(legacy=algorithms.LEGACY), Pace(), no_secrets) as route:
        assert route.notes == ()


def test_an_unknown_legacy_name_is_refused_with_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        algorithms.ours(("ssh-rsa", "hmac-md5"))
    assert all(name in caught.value.hint for name in algorithms.LEGACY)


def test_a_server_with_nothing_we_know_says_what_to_switch_on(tmp_path: Path) -> None:
    with (
        running_sshd(tmp_path, config=("Ciphers chacha20-poly1305@openssh.com",)) as device,
        pytest.raises(Unsupported, match="chacha20") as caught,
    ):
        methods(device.address())
    assert "aes128-gcm@openssh.com" in caught.value.hint
    assert "legacy" not in caught.value.hint


def test_dropbear_works_by_default_with_sha2() -> None:
    with running_dropbear() as device, SshRoute.open(device.address(), Pace(), no_secrets) as route:
        facts = {fact.name: fact.text for fact in route.facts}
        assert (facts["cipher"], facts["mac"]) == ("aes128-ctr", "hmac-sha2-256")
        assert not any("legacy" in note for note in route.notes)


# Host keys


def test_each_type_of_host_key_can_be_the_pinned_one(modern: RunningSshd) -> None:
    for line in modern.host_keys:
        for pin in (line, fingerprint(public_key(line))):
            address = modern.address(host_keys=(pin,))
            session = connect(address, no_secrets, quiet)
            assert fingerprint(session.presented) == fingerprint(public_key(line))
            session.close()


def test_two_pins_of_different_types_negotiate_a_pinned_one(modern: RunningSshd, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().strip()
    session = connect(modern.address(host_keys=(modern.host_keys[2], modern.host_keys[1])), no_secrets, quiet)
    assert session.presented in {public_key(line) for line in modern.host_keys[1:]}
    session.close()
    with pytest.raises(IdentityChanged):
        methods(modern.address(host_keys=(other,)))


def test_no_credential_is_sent_to_an_unknown_or_changed_device(tmp_path: Path) -> None:
    def never(secret: Secret) -> str:
        raise AssertionError("the secret was fetched for a device that is not the pinned one")

    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().strip()
    with running_asyncssh(tmp_path / "server", Logins(password="secret")) as device:
        for pins, error in (
            ((), IdentityUnknown),
            ((other,), IdentityChanged),
            ((fingerprint(public_key(other)),), IdentityChanged),
        ):
            address = SshAddress("127.0.0.1", "u", device.port, pins, credentials=(Password(Secret("env", "X")),))
            with pytest.raises(error) as caught:
                connect(address, never, quiet)
            assert device.host_key_fingerprint in str(caught.value)
            assert device.attempts == []
        address = SshAddress(
            "127.0.0.1", "u", device.port, (device.host_key_fingerprint,), credentials=(Password(Secret("env", "X")),)
        )
        connect(address, lambda secret: "secret", quiet).close()
        assert device.attempts == ["begin", "password"], "the counter counts"


def test_known_hosts_is_a_source_of_pins(modern: RunningSshd, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"[127.0.0.1]:{modern.port} {modern.host_keys[1]}\n")
    subprocess.run(["ssh-keygen", "-H", "-f", file], check=True, capture_output=True)
    session = connect(modern.address(host_keys=(), known_hosts=str(file)), no_secrets, quiet)
    assert session.presented == public_key(modern.host_keys[1])
    session.close()
    file.write_text(f"@revoked * {modern.host_keys[0]}\n")
    with pytest.raises(IdentityChanged, match="revoked"):
        methods(modern.address(host_keys=(modern.host_keys[0],), known_hosts=str(file)))
    with pytest.raises(UsageError, match="known_hosts"):
        methods(modern.address(known_hosts=str(tmp_path / "missing")))


def test_a_host_certificate_is_enough(tmp_path: Path) -> None:
    make_key(tmp_path / "authority")
    authority = (tmp_path / "authority.pub").read_text().strip()
    key = make_key(tmp_path / "certified")

    def issue(*options: str) -> None:
        subprocess.run(
            ["ssh-keygen", "-q", "-s", tmp_path / "authority", "-I", "plc", "-h", *options, key.with_suffix(".pub")], check=True
        )

    issue("-n", "127.0.0.1")
    config = (f"HostKey {key}", f"HostCertificate {key}-cert.pub")
    with running_sshd(tmp_path / "a", config=config) as device:
        usual = device.address(host_keys=(), certificate_authorities=(authority,))
        with SshRoute.open(usual, Pace(), no_secrets) as route:
            assert "(certificate)" in route.facts[0].text
        with pytest.raises(IdentityChanged):
            methods(device.address(host_keys=(), certificate_authorities=(device.host_keys[0],)))
        known = tmp_path / "known_hosts"
        known.write_text(f"@cert-authority [127.0.0.1]:{device.port} {authority}\n")
        assert methods(device.address(host_keys=(), known_hosts=str(known))) == "publickey"
    issue("-n", "another-crane")
    with running_sshd(tmp_path / "b", config=config) as device, pytest.raises(IdentityChanged, match="another-crane"):
        methods(device.address(host_keys=(), certificate_authorities=(authority,)))


# Jump hosts


def test_a_device_behind_two_jump_hosts(modern: RunningSshd, tmp_path: Path) -> None:
    with running_sshd(tmp_path / "far") as far:
        near = modern.address()
        middle = modern.address(jump=near, host_keys=(modern.host_keys[1],))
        with SshRoute.open(far.address(jump=middle), Pace(), no_secrets) as route:
            assert route.facts[0].text.endswith(far.host_key_fingerprint)
            assert route.transcript.text().count(b"ssh connect") == 3


def test_each_hop_is_checked_and_named(modern: RunningSshd, tmp_path: Path) -> None:
    with running_sshd(tmp_path / "far") as far:
        with pytest.raises(IdentityChanged):
            methods(far.address(host_keys=(modern.host_key_fingerprint,), jump=modern.address()))
        with pytest.raises(IdentityUnknown):
            methods(far.address(jump=modern.address(host_keys=())))
        port = far.port
    with pytest.raises(Unreachable, match=r"jump host 127\.0\.0\.1 does not connect on"):
        methods(SshAddress("127.0.0.1", "u", port, credentials=(KeyFile(modern.key_path),), jump=modern.address()))


def test_a_jump_host_that_forwards_nothing(tmp_path: Path, modern: RunningSshd) -> None:
    with running_sshd(tmp_path, config=("AllowTcpForwarding no",)) as jump, pytest.raises(Unreachable) as caught:
        methods(modern.address(jump=jump.address()))
    assert "forwarding" in caught.value.hint
