"""The small protocol every transport keeps, and the table of transports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, assert_never

from verifier.model.device import (
    Device,
    ImageAddress,
    ModbusSerialAddress,
    ModbusTcpAddress,
    RecordingAddress,
    Secret,
    SshAddress,
)
from verifier.model.profile import Pace
from verifier.model.words import Evidence
from verifier.transport.answer import Answer
from verifier.transport.request import Request
from verifier.transport.transcript import Transcript

Secrets = Callable[[Secret], str]
"""Gives the secret behind a reference. Raises UsageError when it cannot be had."""


@dataclass(frozen=True, slots=True)
class LineFact:
    """One fact of how we are connected, compared like any other member: host key, server version, algorithms."""

    name: str
    text: str


class Route(Protocol):
    """One open line to one device. One request at a time; not for use by two threads.

    Opening it has already proven who the device is; leaving the `with` block closes it.
    """

    transcript: Transcript

    @property
    def evidence(self) -> Evidence:
        """How strong content read over this route is: `content`, or `offline-media` for images."""

    @property
    def facts(self) -> tuple[LineFact, ...]:
        """What became known of the device by connecting. Empty for files."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the report must know: old algorithms used, no shell, ..."""

    def can(self, request: Request) -> str:
        """Empty when this kind of route can ask such a request at all; else why not, for `NotAsked`. Nothing is sent."""

    def ask(self, request: Request) -> Iterator[Answer]:
        """The answers to one request, streamed; see each request for which.

        Raises:
            DeviceError: the device could not be asked, or its answer is not whole. What was answered before stands.
            ForbiddenRequest: the guard stopped it; nothing was sent.
        """

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def connect(device: Device, pace: Pace, secrets: Secrets) -> Route:
    """An open line to a device. Libraries are imported here, when they are needed, so that the command starts fast.

    Raises:
        DeviceError: unreachable, not the pinned device, or login refused.
    """
    match device.address:
        case SshAddress() as address:
            from verifier.transport.ssh.route import SshRoute

            return SshRoute.open(address, pace, secrets)
        case ModbusTcpAddress() | ModbusSerialAddress() as address:
            from verifier.transport.modbus.route import ModbusRoute

            return ModbusRoute.open(address, pace)
        case ImageAddress() as address:
            from verifier.transport.offline.route import ImageRoute

            return ImageRoute.open(address)
        case RecordingAddress() as address:
            from verifier.transport.replay import ReplayRoute

            return ReplayRoute.open(address)
        case _:
            assert_never(device.address)
