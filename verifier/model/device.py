"""A device, where it is, and how we prove to each other who we are. No secret stands here, only references to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import assert_never


@dataclass(frozen=True, slots=True, order=True)
class DeviceName:
    """Where a device stands in the port: `terminal-2/STS-01/hoist-drive`."""

    site: str
    crane: str
    device: str

    def __str__(self) -> str:
        return f"{self.site}/{self.crane}/{self.device}"

    @property
    def file_stem(self) -> str:
        """For a file about this device: `terminal-2+STS-01+hoist-drive`. No name holds a `+`, so two devices never share one."""
        return f"{self.site}+{self.crane}+{self.device}"


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is to be found, never the secret."""

    source: str
    """`env`, `file`, `credential` (systemd's `$CREDENTIALS_DIRECTORY`) or `prompt`."""
    name: str = ""
    """The variable's name, the file's path, the credential's name, or the words of the prompt."""

    def __str__(self) -> str:
        return f"{self.source}:{self.name}" if self.name else self.source


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key in a file, with its OpenSSH certificate where the port uses a certificate authority."""

    path: str
    passphrase: Secret | None = None
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """Whatever keys the running ssh-agent offers, or the one with this `SHA256:...` fingerprint."""

    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Password:
    secret: Secret


@dataclass(frozen=True, slots=True)
class Interactive:
    """Keyboard-interactive (RFC 4256), as MFA uses it: the answers, in the order of the device's prompts."""

    answers: tuple[Secret, ...]


Credential = KeyFile | Agent | Password | Interactive


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `overall` bounds a whole session, so that one byte a second cannot hold a check for ever."""

    connect: float = 10.0
    login: float = 20.0
    silence: float = 30.0
    overall: float = 3600.0


@dataclass(frozen=True, slots=True)
class SshAddress:
    host: str
    user: str
    port: int = 22
    host_keys: tuple[str, ...] = ()
    """Pins: `SHA256:...` fingerprints or `ssh-ed25519 AAAA...` public keys. Empty: nothing is sent."""
    known_hosts: str = ""
    """An OpenSSH known_hosts file that also holds pins for this host."""
    certificate_authorities: tuple[str, ...] = ()
    """Public keys whose host certificates are accepted for this host name."""
    credentials: tuple[Credential, ...] = ()
    """Tried in this order; several in a row where the device asks for more than one."""
    jump: SshAddress | None = None
    legacy: tuple[str, ...] = ()
    """Old algorithms this one device needs, by name: `ssh-rsa`, `diffie-hellman-group14-sha1`. Each is a line of the report."""
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True, slots=True)
class TlsTrust:
    """How the other end of a Modbus/TCP Security line is recognised. The host name is checked unless only a pin is given."""

    server_name: str = ""
    authority: str = ""
    """PEM file of the certificate authority; empty with a pin: the pin alone decides."""
    pin: str = ""
    """SHA-256 of the device's certificate (DER), 64 hex digits."""
    certificate: str = ""
    key: str = ""
    """Our own certificate and key (PEM files), where the device asks for one."""


@dataclass(frozen=True, slots=True)
class ModbusTcpAddress:
    """Modbus TCP (port 502), Modbus/TCP Security (802, with `tls`) or RTU frames over TCP (`rtu`)."""

    host: str
    port: int = 502
    unit: int = 1
    """Unit id, 0-255. Behind a gateway it picks the device; 0 is broadcast on a serial line and refused there."""
    tls: TlsTrust | None = None
    rtu: bool = False
    timeouts: Timeouts = Timeouts(silence=3.0)


@dataclass(frozen=True, slots=True)
class ModbusSerialAddress:
    """Modbus RTU on a serial line."""

    path: str
    unit: int
    baud: int = 19200
    parity: str = "E"
    stop_bits: int = 1
    timeouts: Timeouts = Timeouts(silence=3.0)


@dataclass(frozen=True, slots=True)
class ImageAddress:
    """A directory, tar or zip archive, or an ext4, FAT or squashfs image file, read with the device off."""

    path: str
    partition: int = 0
    """Which partition of a whole-disk image, counted from 1; 0: the only one."""


@dataclass(frozen=True, slots=True)
class RecordingAddress:
    """Answers recorded earlier from a device of this kind, played back: for tests, training and the demo."""

    path: str


Address = SshAddress | ModbusTcpAddress | ModbusSerialAddress | ImageAddress | RecordingAddress


def where(address: Address) -> str:
    """An address in a few words."""
    match address:
        case SshAddress(host=host, port=port, user=user, jump=jump):
            return f"ssh {user}@{host}:{port}" + (f" through {jump.host}" if jump else "")
        case ModbusTcpAddress(host=host, port=port, unit=unit, tls=tls, rtu=rtu):
            how = "modbus/tls" if tls else "modbus rtu over tcp" if rtu else "modbus"
            return f"{how} {host}:{port} unit {unit}"
        case ModbusSerialAddress(path=path, unit=unit):
            return f"modbus rtu {path} unit {unit}"
        case ImageAddress(path=path, partition=partition):
            return f"image {path}" + (f" partition {partition}" if partition else "")
        case RecordingAddress(path=path):
            return f"recording {path}"
        case _:
            assert_never(address)


def shared_line(address: Address) -> str:
    """The line that several devices may hang on, in words: a serial line, or a gateway that passes on to units. Empty: none.

    Only one of them is asked at a time. On a serial line two questions at once destroy each other, and gateways have one as well.
    """
    match address:
        case ModbusTcpAddress(host=host, port=port):
            return f"{host.casefold()}:{port}"
        case ModbusSerialAddress(path=path):
            return path
        case SshAddress() | ImageAddress() | RecordingAddress():
            return ""
        case _:
            assert_never(address)


@dataclass(frozen=True, slots=True)
class Window:
    """The hours of the day in which a device may be read, local time of the site; may run over midnight."""

    opens: time
    closes: time

    def holds(self, hour: time) -> bool:
        """Is it open at this hour of the site's day?"""
        if self.opens <= self.closes:
            return self.opens <= hour < self.closes
        return hour >= self.opens or hour < self.closes

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"


@dataclass(frozen=True, slots=True)
class Device:
    name: DeviceName
    address: Address
    profile: str
    every: timedelta | None = None
    """A `match` older than this is stale. None: only checked when asked."""
    window: Window | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    """Site facts: make, model, serial, supplier, country of origin, cohort."""
