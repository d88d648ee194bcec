"""The demo crane STS-01: a controller (SSH), a hoist drive, a gateway with an anemometer (Modbus); and who tampers with it."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from verifier.simulator.controller import Controller
from verifier.simulator.station import Station, Unit

INSTALLED = 1_767_225_600
"""When the crane's files were last written: 2026-01-01, so that two demos show the same."""

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nservice:x:1000:1000:maintenance:/home/service:/bin/sh\n",
    "etc/group": "root:x:0:\nservice:x:1000:\n",
    "etc/controller/network.conf": "address = 10.20.1.11\ngateway = 10.20.1.1\nntp = 10.20.1.1\n",
    "etc/controller/motion.conf": "hoist.speed.max = 180\ntrolley.speed.max = 240\nsway.control = on\n",
    "opt/controller/version": "FIRMWARE=4.2.1\n",
    "proc/version": "Linux version 5.15.130-rt (simulated) #1 SMP PREEMPT_RT\n",
    "proc/modules": "can_raw 20480 0 - Live 0x0000000000000000\ncan 28672 1 can_raw, Live 0x0000000000000000\n",
    "proc/net/route": "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    "eth0\t0001140A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "eth0\t00000000\t0101140A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
    "proc/net/tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1201 1\n"
    "   1: 00000000:01F6 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1202 1\n",
}
INTERFACES = ("lo", "eth0", "can0")
NET_DEV_HEAD = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
)
DRIVE = {100: 500, 101: 400, 102: 15, 103: 1800, 110: 40, 111: 25, 120: 0x0001, 121: 0x86A0}
"""Holding registers of the simulated hoist drive. The addresses are this simulator's own and stand for no product."""


class SimulatedCrane:
    """Three devices on loopback. `with SimulatedCrane(folder) as crane:` runs them; `vendor_visit` tampers with them.

    `folder` takes the controller's files and the key its maintenance user logs in with.
    """

    def __init__(self, folder: Path) -> None:
        self._root = folder / "controller"
        self.login_key = folder / "service.key"
        self._interfaces = list(INTERFACES)
        self._write_controller()
        self._drive = Unit(dict(DRIVE), objects={0: b"Example Drives", 1: b"HD-400", 2: b"V2.10"})
        anemometer = Unit({0: 200, 1: 3})
        gateway = Unit(objects={0: b"Example Networks", 1: b"GW-2", 2: b"1.4.0"})
        authorized = _private_key(self.login_key)
        host_key = folder / "host.key"
        _private_key(host_key)
        self._controller = Controller(self._root, "service", authorized, host_key)
        self._drive_station = Station({1: self._drive})
        self._gateway = Station({255: gateway, 3: anemometer})
        self._running = ExitStack()

    def __enter__(self) -> SimulatedCrane:
        for device in (self._controller, self._drive_station, self._gateway):
            self._running.enter_context(device)
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()

    def inventory(self) -> str:
        """The crane as an inventory file."""
        return f"""\
sites:
  demo-terminal:
    cranes:
      STS-01:
        devices:
          controller:
            profile: demo-controller
            every: 7d
            ssh:
              host: 127.0.0.1
              port: {self._controller.port}
              user: service
              host_keys: ["{self._controller.fingerprint}"]
              credentials: [{{key: "{self.login_key}"}}]
            facts: {{make: Example Cranes, model: CC-7, supplier: Example Cranes}}
          hoist-drive:
            profile: demo-hoist-drive
            every: 7d
            modbus: {{host: 127.0.0.1, port: {self._drive_station.port}, unit: 1}}
          gateway:
            profile: demo-gateway
            every: 30d
            modbus: {{host: 127.0.0.1, port: {self._gateway.port}, unit: 255}}
          anemometer:
            profile: demo-anemometer
            every: 30d
            modbus: {{host: 127.0.0.1, port: {self._gateway.port}, unit: 3}}
"""

    def vendor_visit(self) -> None:
        """What nobody declared: another firmware of the same size and date, a modem, and a higher overload trip."""
        self._write("opt/controller/firmware/main.fw", _firmware("main", changed=True))
        self._interfaces.append("wwan0")
        self._write_interfaces()
        self._drive.holding[100] = 620

    def _write_controller(self) -> None:
        for name, text in FILES.items():
            self._write(name, text.encode())
        for name in ("main", "safety", "fieldbus"):
            self._write(f"opt/controller/firmware/{name}.fw", _firmware(name))
        for name in ("hoist", "trolley", "gantry"):
            self._write(f"opt/controller/program/{name}.app", _firmware(name)[: 48 << 10])
        self._write_interfaces()

    def _write_interfaces(self) -> None:
        counters = "0 " * 16
        self._write("proc/net/dev", (NET_DEV_HEAD + "".join(f"{name:>6}: {counters}\n" for name in self._interfaces)).encode())

    def _write(self, name: str, data: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o644)
        os.utime(path, (INSTALLED, INSTALLED))


def _firmware(name: str, changed: bool = False) -> bytes:
    """256 KiB that look like firmware: the same every time, one word different when changed."""
    data = bytearray(b"".join(hashlib.sha256(f"{name}{n}".encode()).digest() for n in range(8192)))
    data[:16] = b"EXAMPLE-FW 4.2.1"
    if changed:
        data[131_072:131_076] = b"\x90\x90\x90\x90"
    return bytes(data)


def _private_key(path: Path) -> str:
    """Write a new Ed25519 private key for the simulated crane alone; gives the public line."""
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
