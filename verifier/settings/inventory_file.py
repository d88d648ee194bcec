"""The shape of inventory.yaml. What is written here is laid over each other, filled in and turned into devices by `inventory`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from verifier.settings.access import AgentKey, Algorithm, CertificatePin, FilePath, Host, HostKey, PublicKey, SecretReference
from verifier.settings.fields import Duration, FactName, Given, Hours, Line, Name, ValueName
from verifier.settings.shape import Shape

Port = Annotated[int, Field(ge=1, le=65535)]


class TimeoutsShape(Shape):
    connect: Duration | None = None
    """Until a connection stands. Default 10s."""
    login: Duration | None = None
    """Until the device has accepted the login. Default 20s."""
    silence: Duration | None = None
    """Longest pause within an answer. Default 30s for SSH, 3s for Modbus."""
    overall: Duration | None = None
    """Longest session. Default 1h."""


class CredentialShape(Shape):
    """One way to log in: `key`, `agent`, `password` or `interactive`."""

    key: FilePath | None = None
    """File of a private key."""
    passphrase: SecretReference | None = None
    """Where the key's passphrase is: env:NAME, file:PATH, credential:NAME or prompt."""
    certificate: FilePath | None = None
    """The key's OpenSSH certificate."""
    agent: AgentKey | None = None
    """`any` key of the running ssh-agent, or the one of this SHA256:... fingerprint."""
    password: SecretReference | None = None
    """Where the password is. Never the password."""
    interactive: Annotated[tuple[SecretReference, ...], Field(min_length=1, max_length=8)] | None = None
    """Answers to the device's prompts, in their order, as one-time codes need."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("key", "agent", "password", "interactive") if getattr(self, name) is not None]
        if len(ways) != 1:
            told = f"both {' and '.join(ways)}" if ways else "none of them"
            raise ValueError(
                f"one way to log in is wanted, and {told} written",
                "write key, agent, password or interactive, each as its own entry",
            )
        if self.key is None and (self.passphrase or self.certificate):
            raise ValueError("passphrase and certificate belong to a key", "add `key`, or remove them")
        return self


class SshShape(Shape):
    host: Host
    user: Line
    port: Port = 22
    host_keys: tuple[HostKey, ...] = ()
    """Pins, SHA256:... or whole public keys. Without a pin nothing is sent to the device."""
    known_hosts: FilePath | None = None
    """An OpenSSH known_hosts file that also holds pins."""
    certificate_authorities: tuple[PublicKey, ...] = ()
    """Public keys whose host certificates are accepted for this host name."""
    credentials: tuple[CredentialShape, ...] = ()
    """Tried in this order; several in a row where the device asks for more than one."""
    jump: SshShape | None = None
    """The host through which this one is reached."""
    legacy: tuple[Algorithm, ...] = ()
    """Old algorithms that this one device needs, by name. Each is a line of every report."""
    timeouts: TimeoutsShape = TimeoutsShape()


class TlsShape(Shape):
    """Modbus/TCP Security: an authority, a pin or both."""

    server_name: Host | None = None
    authority: FilePath | None = None
    """PEM file of the certificate authority."""
    pin: CertificatePin | None = None
    """SHA-256 of the device's certificate, 64 hex digits."""
    certificate: FilePath | None = None
    key: FilePath | None = None

    @model_validator(mode="after")
    def _recognisable(self) -> Self:
        if self.authority is None and self.pin is None:
            raise ValueError("nothing tells the device from another one", "add `authority` or `pin`")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate and its key go together", "write both, or neither")
        return self


class ModbusShape(Shape):
    host: Host
    port: Port | None = None
    """Default 502, or 802 with `tls`."""
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """Unit id. Behind a gateway it picks the device."""
    tls: TlsShape | None = None
    rtu: bool = False
    """RTU frames over TCP, as simple serial servers speak."""
    timeouts: TimeoutsShape = TimeoutsShape()

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if self.rtu and self.unit == 0:
            raise ValueError("unit 0 is broadcast on a serial line", "write the unit id of the device, 1 to 247")
        if self.rtu and self.tls is not None:
            raise ValueError("RTU frames over TLS are not a thing", "remove `rtu` or `tls`")
        return self


class SerialShape(Shape):
    path: FilePath
    """The serial port, like /dev/ttyUSB0."""
    unit: Annotated[int, Field(ge=1, le=247)]
    baud: Annotated[int, Field(ge=300, le=4_000_000)] = 19200
    parity: Literal["even", "odd", "none"] = "even"
    stop_bits: Annotated[int, Field(ge=1, le=2)] = 1
    timeouts: TimeoutsShape = TimeoutsShape()


class ImageShape(Shape):
    path: FilePath
    """A folder, an archive, or an image of a card or disk."""
    partition: Annotated[int, Field(ge=0, le=128)] = 0
    """Which partition, from 1; 0: the only one."""


class RecordingShape(Shape):
    path: FilePath


class LayerShape(Shape):
    """What may be said once for many devices: at the top, for a site, a group or a crane."""

    every: Duration | None = None
    """How old a match may be before it is stale."""
    window: Hours | None = None
    """When the device may be read, local time, like "22:00-05:00"."""
    facts: dict[FactName, Line] = Field(default_factory=dict)
    """Make, model, serial, supplier, country, cohort of sister cranes."""
    ssh: SshShape | None = None
    modbus: ModbusShape | None = None
    serial: SerialShape | None = None


class DeviceShape(LayerShape):
    """One device: a profile, and exactly one of ssh, modbus, serial, image, recording."""

    profile: Name
    image: ImageShape | None = None
    recording: RecordingShape | None = None


class GroupShape(LayerShape):
    """Devices that sister cranes share, with `{values}` that each crane gives."""

    devices: dict[Name, DeviceShape | None] = Field(default_factory=dict)


class CraneShape(LayerShape):
    group: Name | None = None
    values: dict[ValueName, Given] = Field(default_factory=dict)
    """What is filled in for `{name}` in the texts of this crane's devices; {site}, {crane} and {device} are there already."""
    devices: dict[Name, DeviceShape | None] = Field(default_factory=dict)
    """Devices of this crane; with a group, what differs from it. `name: null` takes one of the group's devices away."""


class SiteShape(LayerShape):
    cranes: dict[Name, CraneShape | None] = Field(default_factory=dict)


class InventoryShape(Shape):
    defaults: LayerShape = LayerShape()
    groups: dict[Name, GroupShape | None] = Field(default_factory=dict)
    sites: dict[Name, SiteShape | None]
