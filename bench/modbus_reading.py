"""65,536 holding registers over Modbus TCP in 525 requests, beside libmodbus's own client in C, from one libmodbus server.

Targets: at most 1.1x where the device answers in 10 ms, as a controller does once per scan; under 0.5 ms of our own a request on
bare loopback.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.pairs import Pairs
from tests.servers.modbus import compiled, holding, libmodbus, tcp_address
from verifier.model.profile import Pace
from verifier.model.words import Table
from verifier.transport.modbus.block import Span, read_block
from verifier.transport.modbus.route import ModbusRoute

ROOT = Path(__file__).parent.parent
REGISTERS = 1 << 16
REQUESTS = 525

_EXPECTED = tuple(holding(address) for address in range(REGISTERS))


def ours(port: int) -> float:
    """Seconds for the whole table, connecting not counted."""
    with ModbusRoute.open(tcp_address(port, 3.0), Pace()) as route:
        began = time.perf_counter()
        parts = tuple(read_block(route.ask, Table.HOLDING, 0, REGISTERS, 125))
        seconds = time.perf_counter() - began
        requests = len(route.transcript.lines)
    words = tuple(word for part in parts if isinstance(part, Span) for word in part.words)
    if words != _EXPECTED or requests != REQUESTS:
        raise SystemExit("the registers that were read are not the registers of the device")
    return seconds


def theirs(client: Path, port: int) -> float:
    """The same by the C client."""
    return float(subprocess.run([str(client), str(port)], check=True, capture_output=True, text=True).stdout)


def compared(client: Path, server: Path, delay_ms: int, runs: int) -> Pairs:
    """Alternating runs of both against one server."""
    with libmodbus(server, "tcp", str(delay_ms)) as device:
        times = [(ours(device.port), theirs(client, device.port)) for _ in range(runs)]
    return Pairs(tuple(each for each, _ in times), tuple(each for _, each in times))


def run() -> Iterator[str]:
    """Both workloads, about half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        client = compiled(ROOT / "bench" / "libmodbus_client.c", Path(folder))
        server = compiled(ROOT / "tests" / "servers" / "libmodbus_server.c", Path(folder))
        yield compared(client, server, 10, 3).line("65,536 registers, 525 requests, device answers in 10 ms", "1.1x")
        loopback = compared(client, server, 0, 9)
    yield loopback.line("65,536 registers, 525 requests, bare loopback", "see below")
    own = statistics.median(a - b for a, b in zip(loopback.ours, loopback.theirs, strict=True)) / REQUESTS
    yield f"our own time per request on bare loopback: {own * 1000:.3f} ms; target under 0.5 ms"
