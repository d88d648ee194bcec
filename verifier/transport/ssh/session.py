"""SSH connections and channels: the only file that touches paramiko.

paramiko gives key exchange, encryption and channels. Deadlines (`line`), host keys (`hostkeys`), the order of logins (`login`),
algorithms (`algorithms`), buffers (`inbox`) and SFTP (`sftp`) are ours, each for a reason told there. Names that begin with an
underscore are paramiko's private ones; `tests/test_ssh_private_names.py` notices when a release changes them.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any, assert_never

import paramiko
from cryptography.hazmat.primitives import hashes
from paramiko.auth_handler import AuthHandler
from paramiko.kex_curve25519 import KexCurve25519
from paramiko.kex_gex import KexGexSHA256
from paramiko.kex_group14 import KexGroup14SHA256

from verifier.errors import (
    BadReply,
    CraneVerifyError,
    DeviceError,
    IdentityChanged,
    LoginRefused,
    Refused,
    Truncated,
    Unreachable,
    Unsupported,
    UsageError,
)
from verifier.model.device import Agent, Credential, Interactive, KeyFile, Password, SshAddress
from verifier.model.member import shown
from verifier.transport.route import Secrets
from verifier.transport.ssh import algorithms, hostkeys, login
from verifier.transport.ssh.algorithms import Algorithms
from verifier.transport.ssh.certificate import key_type
from verifier.transport.ssh.channel import Channel, LibraryChannel
from verifier.transport.ssh.line import Endpoint, Line, dial
from verifier.transport.ssh.login import Outcome

WINDOW = 2 << 20
"""Bytes a device may send ahead of our reading. 1 to 8 MiB measured alike; from 16 MiB on, four to seven times slower."""
PACKET = 32 << 10
_KEEP_ALIVE = 15
_AGAIN_AFTER = (0.02, 0.1, 0.3, 0.0)
"""Seconds; 0: no more tries. A device that allows one session at a time may still be busy closing the one before."""
_CLIENT = "SSH-2.0-crane_verify"

NO_SSH = "check the port in the inventory: what answers there may be no SSH server; or the device is overloaded or hung"

logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


class _OldRsaKey(paramiko.RSAKey):
    """An RSA key that may sign with SHA-1, as `ssh-rsa` means it. Offered only where the inventory names it."""

    HASHES = {**paramiko.RSAKey.HASHES, "ssh-rsa": hashes.SHA1}  # type: ignore[misc]  # noqa: RUF012 - final in the stubs only


class _Group14Sha1(KexGroup14SHA256):
    name = "diffie-hellman-group14-sha1"
    hash_algo = sha1


class _Group1Sha1(_Group14Sha1):
    name = "diffie-hellman-group1-sha1"
    # RFC 2409, section 6.2
    P = int(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
        "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
        "49286651ECE65381FFFFFFFFFFFFFFFF",
        16,
    )


class _ExchangeSha1(KexGexSHA256):
    name = "diffie-hellman-group-exchange-sha1"
    hash_algo = sha1
    min_bits = 1024  # what the devices that need this have


class _Transport(paramiko.Transport):
    """paramiko's transport with our algorithms, and with the host key judged inside the key exchange, every time there is one."""

    def __init__(self, line: Line, mine: Algorithms, judge: Callable[[bytes], None], window: int) -> None:
        super().__init__(line, window, PACKET)  # type: ignore[arg-type]  # a socket in all that paramiko uses of one
        self.local_version = _CLIENT
        self._preferred_kex = mine.key_exchanges
        self._preferred_ciphers = mine.ciphers
        self._preferred_macs = mine.macs
        self._host_keys, self._user_keys = mine.host_keys, mine.user_keys
        known: dict[str, Any] = dict(paramiko.Transport._kex_info)  # type: ignore[attr-defined]  # private
        self._kex_info = known | {
            "curve25519-sha256": KexCurve25519,
            **{kex.name: kex for kex in (_Group14Sha1, _Group1Sha1, _ExchangeSha1)},
        }
        keys: dict[str, Any] = dict(paramiko.Transport._key_info)  # type: ignore[attr-defined]  # private
        self._key_info = keys | {"ssh-rsa": _OldRsaKey}
        self._judge = judge
        self.offered: Algorithms | None = None
        self.presented = b""
        self.sign(old_way=False)

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return self._host_keys

    @property
    def preferred_pubkeys(self) -> tuple[str, ...]:
        """How an RSA key of ours may sign. A device too old to say what it takes, takes SHA-1 only."""
        extensions: dict[str, bytes] = getattr(self, "server_extensions", {})
        if "ssh-rsa" in self._user_keys and (self._old_way or "server-sig-algs" not in extensions):
            return ("ssh-rsa", *(name for name in self._user_keys if algorithms.family(name) != "ssh-rsa"))
        return self._user_keys

    def sign(self, old_way: bool) -> None:
        """How the next RSA key of ours signs: with `ssh-rsa`, whatever the device says it takes, or as agreed."""
        self._old_way = old_way
        self._agreed_pubkey_algorithm = ""  # paramiko leaves that of an earlier key

    @property
    def user_key_algorithm(self) -> str:
        """How our RSA key signed; empty for other keys."""
        return self._agreed_pubkey_algorithm

    def _really_parse_kex_init(self, m: paramiko.Message, ignore_first_byte: bool = False) -> dict[str, Any]:
        parsed: dict[str, Any] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]  # private
        if not ignore_first_byte and self.offered is None:
            self.offered = Algorithms(
                tuple(parsed["kex_algo_list"]),
                tuple(parsed["server_key_algo_list"]),
                tuple(parsed["server_encrypt_algo_list"]),
                tuple(parsed["server_mac_algo_list"]),
            )
        return parsed

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        super()._verify_key(host_key, sig)  # type: ignore[misc]  # private; proves that the device holds the key
        self.presented = host_key
        self._judge(host_key)


class _Attempt(AuthHandler):
    """One login attempt that remembers what the device still allows; paramiko forgets it."""

    outcome = Outcome()

    def _parse_userauth_failure(self, m: paramiko.Message) -> None:
        copy = paramiko.Message(m.asbytes())
        allowed = tuple(copy.get_list())
        self.outcome = Outcome(partial=copy.get_boolean(), allowed=allowed)
        super()._parse_userauth_failure(m)  # type: ignore[misc]  # private


class Session:
    """One logged-in SSH connection, with the connections to the jump hosts it runs through."""

    def __init__(self, transport: _Transport, line: Line, address: SshAddress, mine: Algorithms, outer: Session | None) -> None:
        self.transport, self.line, self.address, self.mine = transport, line, address, mine
        self._outer = outer
        self.methods = ""

    @property
    def theirs(self) -> Algorithms:
        """What the device offered."""
        assert self.transport.offered is not None
        return self.transport.offered

    @property
    def presented(self) -> bytes:
        """The host key or certificate the device has proven to hold, in wire form."""
        return self.transport.presented

    @property
    def server_version(self) -> str:
        """What the device's SSH server calls itself: `SSH-2.0-OpenSSH_9.2p1`."""
        return self.transport.remote_version

    @property
    def strict(self) -> bool:
        """Was the strict key exchange agreed, which the Terrapin attack made necessary (CVE-2023-48795)?"""
        return bool(getattr(self.transport, "agreed_on_strict_kex", False))

    @property
    def user_key_algorithm(self) -> str:
        return self.transport.user_key_algorithm

    @property
    def broken(self) -> bool:
        """Nothing more can be asked."""
        return self.line.failure is not None or not self.transport.is_active()

    def parted(self, channel: LibraryChannel) -> bool:
        """Has the device closed this channel too? paramiko forgets a channel then, and not before."""
        return self.transport._channels.get(channel.chanid) is None  # type: ignore[attr-defined]  # private

    def channel(self, window: int = WINDOW) -> Channel:
        """A new session channel.

        Raises:
            Refused: the device allows no more of them.
        """
        with self.line.patience(self.address.timeouts.silence, "opening a channel"):
            for pause in _AGAIN_AFTER:
                try:
                    found = self.transport.open_session(window_size=window)
                except paramiko.ChannelException as error:
                    if not pause:
                        raise self.why(error, "the device refuses to open a session") from error
                    time.sleep(pause)
                except Exception as error:
                    raise self.why(error, "the device refuses to open a session") from error
                else:
                    break
        return Channel(self, found, self.address.timeouts.silence, window)  # type: ignore[arg-type]  # buffers of ours go in

    def end_program(self, channel: LibraryChannel) -> None:
        """Ask the device to end the program of a channel (RFC 4254, section 6.9). No answer comes; not every server does it."""
        message = paramiko.Message()
        message.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("signal")
        message.add_boolean(False)
        message.add_string("TERM")
        self.transport._send_user_message(message)  # type: ignore[attr-defined]  # private

    def tunnel(self, host: str, port: int, seconds: float) -> Endpoint:
        """A connection from this host on to the next one.

        Raises:
            Unreachable: this host cannot reach it, or forwards nothing.
        """
        with self.line.patience(seconds, f"the connection on to {host} port {port}"):
            try:
                found = self.transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0))
            except paramiko.ChannelException as error:
                raise Unreachable(
                    f"the jump host {self.address.host} does not connect on to {host} port {port}: {_said(error)}",
                    "check that the jump host reaches the device and that its SSH server allows TCP forwarding",
                ) from error
            except Exception as error:
                raise self.why(error, f"the jump host {self.address.host} does not connect on") from error
        return found

    def why(self, error: Exception | None, what: str) -> CraneVerifyError:
        """The error to raise for one of paramiko's, with the true cause where the line knows it."""
        if isinstance(error, CraneVerifyError):
            return error
        if self.line.failure:
            return self.line.failure
        if not self.transport.is_active():
            return self.line.break_off(_translated(error or self.transport.saved_exception))
        return Refused(f"{what}: {_said(error)}" if error else what)

    def close(self) -> None:
        self.transport.packetizer.complete_handshake()  # else its timer keeps the whole program from ending
        self.transport.close()
        self.line.close()
        if self._outer:
            self._outer.close()


def connect(address: SshAddress, secrets: Secrets, note: Callable[[str], None], window: int = WINDOW) -> Session:
    """Connect, make sure who the device is, log in.

    Raises:
        DeviceError: unreachable, not the pinned device, login refused, ...
        UsageError: the inventory entry cannot be used as it stands.
    """
    mine = algorithms.ours(address.legacy)
    pins = hostkeys.pins_of(address, _known_hosts(address))
    if not address.credentials:
        raise UsageError(f"no credentials for {address.host}", "write under credentials: a key, agent, password or interactive")
    outer = connect(address.jump, secrets, note) if address.jump else None
    try:
        session = _identified(address, mine, pins, outer, note, window)
    except BaseException:
        if outer:
            outer.close()
        raise
    try:
        with session.line.patience(address.timeouts.login, "logging in"):
            session.methods = login.log_in(
                address.user, address.host, address.credentials, lambda credential: _offers(session, credential, secrets, note)
            )
    except BaseException:
        session.close()
        raise
    session.line.logged_in = True
    session.transport.set_keepalive(_KEEP_ALIVE)
    return session


def _known_hosts(address: SshAddress) -> bytes:
    if not address.known_hosts:
        return b""
    try:
        with open(address.known_hosts, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(
            f"the known_hosts file {address.known_hosts} cannot be read: {error.strerror}",
            "correct known_hosts: in the inventory",
        ) from error


def _identified(
    address: SshAddress, mine: Algorithms, pins: hostkeys.Pins, outer: Session | None, note: Callable[[str], None], window: int
) -> Session:
    """A connection to the pinned device, not logged in.

    A pinned fingerprint does not say of which type its key is. So when the first key shown is not it, the device is asked for
    its other keys, in connections of their own.
    """
    wanted = pins.order(mine.host_keys)
    refused: IdentityChanged | None = None
    while True:
        asking = Algorithms(mine.key_exchanges, wanted, mine.ciphers, mine.macs, mine.user_keys)
        note(f"ssh connect {address.host} port {address.port}")
        endpoint: Endpoint
        if outer:
            endpoint = outer.tunnel(address.host, address.port, address.timeouts.connect)
        else:
            endpoint = dial(address.host, address.port, address.timeouts.connect)
        line = Line(endpoint, address.timeouts.overall)
        transport = _Transport(line, asking, lambda key: hostkeys.judge(pins, address.host, key, time.time()), window)
        try:
            with line.patience(address.timeouts.login, "the key exchange", NO_SSH):
                transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = address.timeouts.login + 5
                transport.start_client()
        except Exception as error:
            transport.packetizer.complete_handshake()
            transport.close()
            line.close()
            cause = _explained(error, line, transport, asking, refused)
            if not isinstance(cause, IdentityChanged):
                raise cause from error
            refused = refused or cause
            shown_family = algorithms.family(key_type(transport.presented))
            offered = transport.offered.host_keys if transport.offered else ()
            wanted = tuple(name for name in wanted if algorithms.family(name) != shown_family and name in offered)
            if not (pins.fingerprints and wanted):
                raise refused from error
            continue
        return Session(transport, line, address, asking, outer)


def _explained(
    error: Exception, line: Line, transport: _Transport, asking: Algorithms, refused: IdentityChanged | None
) -> CraneVerifyError:
    """What really happened in a failed key exchange."""
    if isinstance(error, CraneVerifyError):
        return error
    if line.failure:
        return refused or line.failure
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        if transport.offered:
            return algorithms.disagreement(asking, transport.offered)
        return Unsupported(f"the device speaks an SSH that is too old: {_said(error)}", "only SSH version 2 can be used")
    if "protocol version" in str(error) or "SSH banner" in str(error):
        return BadReply(f"this is no SSH server: {_said(error)}", "check the port in the inventory")
    return _translated(error)


def _translated(error: Exception | None) -> DeviceError:
    match error:
        case DeviceError():
            return error
        case None | EOFError():
            return Truncated("the device ended the connection")
        case _:
            return BadReply(f"the SSH connection broke: {_said(error)}")


def _said(error: Exception) -> str:
    """An error's text, which may hold what a device said, safe to show."""
    return shown(str(error).encode("utf-8", "replace"))[:300]


def _offers(session: Session, credential: Credential, secrets: Secrets, note: Callable[[str], None]) -> Iterator[Outcome]:
    user = session.address.user
    note(f"ssh login {user} {login.method(credential)}")
    match credential:
        case KeyFile():
            yield from _with_key(session, _key(credential, secrets, session.mine))
        case Agent():
            agent = _agent()
            try:
                for held in _agent_keys(agent, credential.fingerprint):
                    yield from _with_key(session, held)
            finally:
                agent.close()
        case Password():
            password = secrets(credential.secret)
            yield _attempt(session, lambda attempt, done: attempt.auth_password(user, password, done))
        case Interactive():
            answers = login.Answers([secrets(secret) for secret in credential.answers])
            yield _attempt(session, lambda attempt, done: attempt.auth_interactive(user, answers, done))
        case _:
            assert_never(credential)


def _with_key(session: Session, key: paramiko.PKey) -> Iterator[Outcome]:
    """Once; and where the inventory names `ssh-rsa`, an RSA key that was refused signs once more the old way.

    Servers may say that they take SHA-2 signatures and refuse them all the same: OpenSSH 9.2 names what it knows, not what its
    configuration accepts.
    """
    transport, user = session.transport, session.address.user
    transport.sign(old_way=False)
    outcome = _attempt(session, lambda attempt, done: attempt.auth_publickey(user, key, done))
    again = transport.user_key_algorithm.startswith("rsa-sha2") and "ssh-rsa" in session.mine.user_keys
    if again and not outcome.accepted and not outcome.partial:
        transport.sign(old_way=True)
        outcome = _attempt(session, lambda attempt, done: attempt.auth_publickey(user, key, done))
    yield outcome


def _attempt(session: Session, begin: Callable[[_Attempt, threading.Event], None]) -> Outcome:
    attempt, done = _Attempt(session.transport), threading.Event()
    session.transport.auth_handler = attempt
    try:
        begin(attempt, done)
        attempt.wait_for_response(done)
    except Exception as error:
        if isinstance(error, CraneVerifyError):
            raise
        if session.line.failure:
            raise session.line.failure from error
        if not session.transport.is_active() or not isinstance(error, paramiko.AuthenticationException):
            hint = "legacy: [ssh-rsa] at this device lets an RSA key sign the old way" if "pubkey algorithm" in str(error) else ""
            raise LoginRefused(f"{session.address.host} ended the login: {_said(error)}", hint) from error
        return attempt.outcome
    return Outcome(True) if attempt.is_authenticated() else attempt.outcome


def _key(credential: KeyFile, secrets: Secrets, mine: Algorithms) -> paramiko.PKey:
    passphrase = secrets(credential.passphrase).encode() if credential.passphrase else None
    try:
        if os.name == "posix" and Path(credential.path).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(
                f"the key file {credential.path} can be read by others", f"make it yours alone: chmod 600 {credential.path}"
            )
        key = paramiko.PKey.from_path(credential.path, passphrase)  # type: ignore[arg-type]  # the library below it wants bytes
        key.public_blob = None  # a certificate lying beside the key is not one the inventory names
        if isinstance(key, paramiko.RSAKey) and "ssh-rsa" in mine.user_keys:
            key = _OldRsaKey(key=key.key)
        if credential.certificate:
            key.load_certificate(credential.certificate)
    except OSError as error:
        raise UsageError(
            f"the key file {error.filename} cannot be read: {(error.strerror or str(error)).lower()}",
            "correct credentials: in the inventory",
        ) from error
    except UsageError:
        raise
    except Exception as error:  # what a damaged key makes two libraries raise is no closed list
        wants = "encrypted" in str(error) or "Password" in str(error)
        hint = (
            "write passphrase: beside the key"
            if wants and not passphrase
            else "is it an OpenSSH private key, and the passphrase right?"
        )
        raise UsageError(f"the key file {credential.path} cannot be used: {_said(error)}", hint) from error
    return key


def _agent() -> paramiko.Agent:
    try:
        return paramiko.Agent()
    except (paramiko.SSHException, OSError) as error:
        raise UsageError(f"the ssh-agent does not answer: {_said(error)}", "start it anew and ssh-add the key") from error


def _agent_keys(agent: paramiko.Agent, fingerprint: str) -> list[paramiko.PKey]:
    held: list[paramiko.PKey] = [
        key for key in agent.get_keys() if not fingerprint or hostkeys.fingerprint(key.blob) == fingerprint.rstrip("=")
    ]
    if not held:
        what = f"the key {fingerprint}" if fingerprint else "any key"
        raise UsageError(f"no ssh-agent that holds {what} can be reached", "start ssh-agent and ssh-add the key")
    return held
