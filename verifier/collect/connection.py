"""The item `connection`: what became known of a device by connecting to it, whatever its profile asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

from verifier.collect.item import once
from verifier.collect.printable import escaped, printable
from verifier.collect.unread import unread, whole
from verifier.errors import DeviceError, IdentityChanged
from verifier.model.device import (
    Address,
    ImageAddress,
    ModbusSerialAddress,
    ModbusTcpAddress,
    RecordingAddress,
    SshAddress,
    TlsTrust,
)
from verifier.model.snapshot import WHOLE_ITEM, FactValue, ItemSnapshot, Reading
from verifier.model.words import Criticality, Evidence, Kind
from verifier.transport.route import LineFact

LONGEST: Final = 20_000
"""Bytes of one such fact; lists of algorithms are long."""
CONNECTION: Final = "connection"
"""The item's name. No item of a profile may have it."""

HOST_KEY: Final = "host-key"
CERTIFICATE: Final = "certificate"
RECORDING: Final = "recording"
PROVEN: Final = (HOST_KEY, CERTIFICATE, RECORDING)
"""Members that say who or what answered. A device proved that it holds the private half of its key, and the fingerprint is
computed here: `content`. Whether a recording was played back we know by ourselves.

All others, such as versions and algorithms, are what the device says, and matter less.
"""


def connection(address: Address, facts: tuple[LineFact, ...]) -> Iterator[ItemSnapshot]:
    """The item, unless nothing is known by connecting, as of a plain Modbus line.

    That answers were played back is a member like any other: a recording in a device's place never matches the device's baseline.
    """
    if isinstance(address, RecordingAddress):
        facts = (*facts, LineFact(RECORDING, "played back; no device was asked"))
    if facts:
        yield _item(Reading(fact.name, FactValue(_said(fact.text)), _evidence(fact.name)) for fact in facts)


def connection_unread(address: Address, error: DeviceError) -> Iterator[ItemSnapshot]:
    """The item when a device could not be opened. A key or certificate that is not the pinned one is its one reading."""
    match address:
        case SshAddress():
            member = HOST_KEY
        case ModbusTcpAddress(tls=TlsTrust()):
            member = CERTIFICATE
        case ModbusTcpAddress() | ModbusSerialAddress() | ImageAddress() | RecordingAddress():
            return
        case _:
            assert_never(address)
    readings = whole(unread(error))
    if isinstance(error, IdentityChanged):
        readings += (Reading(member, FactValue(_presented(member, error)), _evidence(member)),)
    yield _item(readings)


def _presented(member: str, error: IdentityChanged) -> str:
    """In the words in which the route would have said it; where the device's certificate did not even come so far, why."""
    if not error.presented:
        return escaped(str(error))
    bare = member == CERTIFICATE and ":" not in error.presented
    return escaped(f"sha256:{error.presented}" if bare else error.presented)


def _said(text: str) -> str:
    return printable(text.encode("utf-8", "surrogatepass"), LONGEST)


def _evidence(member: str) -> Evidence:
    return Evidence.CONTENT if member in PROVEN else Evidence.CLAIMED


def _item(readings: Iterable[Reading]) -> ItemSnapshot:
    """Its criticality is that of a device's identity; whatever else is known of the line matters little."""
    ordered = tuple(once(readings))
    lesser = (r.member for r in ordered if r.member not in (*PROVEN, WHOLE_ITEM))
    return ItemSnapshot(
        CONNECTION,
        Kind.NETWORK,
        Criticality.CRITICAL,
        ordered,
        critical_members=tuple((member, Criticality.LOW) for member in lesser),
    )
