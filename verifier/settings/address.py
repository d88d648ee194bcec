"""Addresses as the inventory writes them, to addresses as the transports take them. Relative paths start at its folder."""

from __future__ import annotations

from os.path import normpath
from pathlib import Path

from verifier.model.device import (
    Address,
    Agent,
    Credential,
    ImageAddress,
    Interactive,
    KeyFile,
    ModbusSerialAddress,
    ModbusTcpAddress,
    Password,
    RecordingAddress,
    Secret,
    SshAddress,
    Timeouts,
    TlsTrust,
)
from verifier.settings.inventory_file import (
    CredentialShape,
    DeviceShape,
    ModbusShape,
    SerialShape,
    SshShape,
    TimeoutsShape,
    TlsShape,
)

ROUTES = ("ssh", "modbus", "serial", "image", "recording")
"""The keys of a device that say how it is reached. Exactly one is written."""

_PARITY = {"even": "E", "odd": "O", "none": "N"}


def address_of(shape: DeviceShape, base: Path) -> Address:
    """The address of a device that has exactly one; `base` is the inventory's folder."""
    if shape.ssh:
        return _ssh(shape.ssh, base)
    if shape.modbus:
        return _modbus(shape.modbus, base)
    if shape.serial:
        return _serial(shape.serial, base)
    if shape.image:
        return ImageAddress(_path(shape.image.path, base), shape.image.partition)
    assert shape.recording
    return RecordingAddress(_path(shape.recording.path, base))


def endpoint(address: Address) -> str:
    """What no two devices may have in common, in words. Empty for recordings, which are no devices.

    The way through jump hosts belongs to it: sister cranes often number their networks alike.
    """
    match address:
        case SshAddress():
            way = f" through {endpoint(address.jump)}" if address.jump else ""
            return f"{address.host.casefold()} port {address.port}{way}"
        case ModbusTcpAddress():
            return f"{address.host.casefold()} port {address.port} unit {address.unit}"
        case ModbusSerialAddress():
            return f"{address.path} unit {address.unit}"
        case ImageAddress():
            return f"{normpath(address.path)} partition {address.partition}"
        case RecordingAddress():
            return ""


def _ssh(shape: SshShape, base: Path) -> SshAddress:
    return SshAddress(
        host=shape.host,
        user=shape.user,
        port=shape.port,
        host_keys=shape.host_keys,
        known_hosts=_optional(shape.known_hosts, base),
        certificate_authorities=shape.certificate_authorities,
        credentials=tuple(_credential(one, base) for one in shape.credentials),
        jump=_ssh(shape.jump, base) if shape.jump else None,
        legacy=shape.legacy,
        timeouts=_timeouts(shape.timeouts, Timeouts()),
    )


def _modbus(shape: ModbusShape, base: Path) -> ModbusTcpAddress:
    return ModbusTcpAddress(
        host=shape.host,
        port=shape.port or (802 if shape.tls else 502),
        unit=shape.unit,
        tls=_tls(shape.tls, base) if shape.tls else None,
        rtu=shape.rtu,
        timeouts=_timeouts(shape.timeouts, Timeouts(silence=3.0)),
    )


def _serial(shape: SerialShape, base: Path) -> ModbusSerialAddress:
    port = shape.path if shape.path.upper().startswith("COM") else _path(shape.path, base)
    return ModbusSerialAddress(
        path=port,
        unit=shape.unit,
        baud=shape.baud,
        parity=_PARITY[shape.parity],
        stop_bits=shape.stop_bits,
        timeouts=_timeouts(shape.timeouts, Timeouts(silence=3.0)),
    )


def _tls(shape: TlsShape, base: Path) -> TlsTrust:
    return TlsTrust(
        server_name=shape.server_name or "",
        authority=_optional(shape.authority, base),
        pin=shape.pin or "",
        certificate=_optional(shape.certificate, base),
        key=_optional(shape.key, base),
    )


def _credential(shape: CredentialShape, base: Path) -> Credential:
    if shape.key is not None:
        passphrase = _secret(shape.passphrase, base) if shape.passphrase else None
        return KeyFile(_path(shape.key, base), passphrase, _optional(shape.certificate, base))
    if shape.password is not None:
        return Password(_secret(shape.password, base))
    if shape.interactive is not None:
        return Interactive(tuple(_secret(one, base) for one in shape.interactive))
    return Agent(shape.agent or "")


def _secret(secret: Secret, base: Path) -> Secret:
    return Secret("file", _path(secret.name, base)) if secret.source == "file" else secret


def _timeouts(shape: TimeoutsShape, usual: Timeouts) -> Timeouts:
    return Timeouts(
        connect=shape.connect.total_seconds() if shape.connect else usual.connect,
        login=shape.login.total_seconds() if shape.login else usual.login,
        silence=shape.silence.total_seconds() if shape.silence else usual.silence,
        overall=shape.overall.total_seconds() if shape.overall else usual.overall,
    )


def _optional(path: str | None, base: Path) -> str:
    return _path(path, base) if path else ""


def _path(path: str, base: Path) -> str:
    given = Path(path)
    try:
        given = given.expanduser()
    except RuntimeError:  # no such user: the path stays as it was written, and opening it will say so
        pass
    return str(base / given)
