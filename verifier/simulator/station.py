"""The simulated Modbus devices: a drive, or a gateway with several units behind it. They know how to be read and nothing else."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.simulator.listener import Listener

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
GATEWAY_TARGET_SILENT = 0x0B


@dataclass(slots=True)
class Unit:
    """What stands behind one unit id. Registers may be changed while the station runs: that is the tampering."""

    holding: dict[int, int] = field(default_factory=dict)
    coils: dict[int, int] = field(default_factory=dict)
    objects: dict[int, bytes] = field(default_factory=dict)
    """Device identification objects by id (function 43/14)."""

    def answer(self, request: bytes) -> bytes:
        """The reply PDU to a request PDU (MODBUS Application Protocol V1.1b3, section 6)."""
        code = request[0]
        try:
            if code == 3 and len(request) == 5:
                first, count = struct.unpack(">HH", request[1:])
                words = [self.holding[address] for address in range(first, first + count)]
                return struct.pack(f">BB{count}H", 3, 2 * count, *words)
            if code == 1 and len(request) == 5:
                first, count = struct.unpack(">HH", request[1:])
                bits = sum(self.coils[first + place] << place for place in range(count))
                size = (count + 7) // 8
                return bytes([1, size]) + bits.to_bytes(size, "little")
            if code == 0x2B and len(request) == 4 and request[1] == 0x0E and self.objects:
                return self._identification(request[2], request[3])
        except KeyError:
            return bytes([code | 0x80, ILLEGAL_ADDRESS])
        return bytes([code | 0x80, ILLEGAL_FUNCTION])

    def _identification(self, level: int, first: int) -> bytes:
        limit = {1: 0x02, 2: 0x06, 3: 0xFF}.get(level)
        if limit is None:
            return bytes([0x2B | 0x80, ILLEGAL_VALUE])
        wanted = [(number, value) for number, value in sorted(self.objects.items()) if first <= number <= limit]
        listed = b"".join(bytes([number, len(value)]) + value for number, value in wanted)
        return bytes([0x2B, 0x0E, level, 0x80 | level, 0, 0, len(wanted)]) + listed


class Station:
    """A Modbus TCP server over some units. `with Station(...) as device:` starts and stops it."""

    def __init__(self, units: Mapping[int, Unit]) -> None:
        self.units = units
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def __enter__(self) -> Station:
        self._listener.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.stop()

    def _serve(self, line: socket.socket, stopping: threading.Event) -> None:
        line.settimeout(0.1)
        held = b""
        while not stopping.is_set():
            try:
                received = line.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            if not received:
                return
            held += received
            while len(held) >= 7 and len(held) >= 6 + int.from_bytes(held[4:6]):
                end = 6 + int.from_bytes(held[4:6])
                head, number, request, held = held[:4], held[6], held[7:end], held[end:]
                unit = self.units.get(number)
                reply = unit.answer(request) if unit else bytes([request[0] | 0x80, GATEWAY_TARGET_SILENT])
                line.sendall(head + struct.pack(">HB", len(reply) + 1, number) + reply)
