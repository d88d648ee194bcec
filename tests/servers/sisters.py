"""Six sister cranes of real parts: a controller each, three of OpenSSH and three of dropbear with busybox, and a libmodbus drive.

Each controller is a small Linux in a root folder of its own, so that each has its own users.
"""

from __future__ import annotations

import shutil
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.linux_device import Userland, copy_program, lay_down, running_linux
from tests.servers.modbus import compiled, libmodbus
from tests.servers.sshd import RunningSshd, running_sshd

HERE = Path(__file__).parent
SFTP_SERVER = "/usr/lib/openssh/sftp-server"
OVERLOAD_TRIP = 100
"""The register in which the drive holds it, in tenths of a ton."""

CONTROLLER = """\
profile: test-sts-controller
title: A controller of the tests' sister cranes
version: 1
maturity: simulated
references: [tests/servers/sisters.py]
gaps: [Stands for no product.]
items:
  - name: firmware
    kind: firmware
    criticality: critical
    files: {paths: [/firmware], proof: content}
    text: {match: [/firmware/version], keep: true}
    version: "FIRMWARE=(\\\\S+)"
  - name: settings
    kind: configuration
    files: {paths: [/settings]}
    text: {match: ["/settings/*.conf"], keep: true}
  - {name: users, kind: account, facts: users}
"""
DRIVE = """\
profile: test-sts-drive
title: A drive of the tests' sister cranes
version: 1
maturity: simulated
references: [tests/servers/libmodbus_server.c]
gaps: [Stands for no product.]
items:
  - name: limits
    kind: parameter
    criticality: critical
    parameters:
      - {name: hoist overload trip, table: holding, address: 100, type: u16, scale: "0.1", unit: t}
      - {name: gantry limit, table: holding, address: 102, type: u16, unit: m}
  - {name: server, kind: hardware, server_id: true}
"""
GROUP = """\
groups:
  sts-crane:
    devices:
      controller:
        profile: test-sts-controller
        every: 1d
        facts: {cohort: sts-2019-plc}
        ssh: {host: 127.0.0.1, port: "{plc_port}", user: root, host_keys: ["{plc_key}"], credentials: [{key: "{login}"}]}
      drive:
        profile: test-sts-drive
        every: 1d
        facts: {cohort: sts-2019-drive}
        modbus: {host: 127.0.0.1, port: "{drive_port}", unit: 1}
sites:
  terminal-2:
    cranes:
"""
CRANE = """\
      {name}:
        group: sts-crane
        values: {{plc_port: {plc.port}, plc_key: "{plc.host_key_fingerprint}", login: "{plc.key_path}", drive_port: {drive}}}
"""

FIRMWARE = {"firmware/controller.bin": b"controller 3.10.8 " * 4000, "firmware/version": b"FIRMWARE=3.10.8\n"}
USERS = "root:x:0:0:root:/root:/bin/sh\nservice:x:500:500:service:/settings:/bin/sh\n"


@dataclass(frozen=True)
class Sister:
    name: str
    plc: RunningSshd
    root: Path
    """What its controller holds."""
    drive: int
    """Port of its libmodbus server."""

    def holds(self, path: str, content: bytes) -> None:
        """Somebody writes a file of the controller."""
        (self.root / path).write_bytes(content)

    def installs(self, files: dict[str, bytes]) -> None:
        for path, content in files.items():
            self.holds(path, content)

    def has_users(self, *more: str) -> None:
        """Its users from now on: the usual ones and these lines."""
        self.holds("etc/passwd", (USERS + "".join(f"{line}\n" for line in more)).encode())

    def trips_at(self, tenths: int) -> None:
        """What a vendor's tool does: function 6, in the raw. The tool under test could not send it."""
        with socket.create_connection(("127.0.0.1", self.drive), 5) as line:
            line.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 1, 6, OVERLOAD_TRIP, tenths))
            assert len(line.recv(64)) == 12


def inventory(sisters: tuple[Sister, ...]) -> str:
    return GROUP + "".join(CRANE.format(name=each.name, plc=each.plc, drive=each.drive) for each in sisters)


@contextmanager
def running_sisters(folder: Path) -> Iterator[tuple[Sister, ...]]:
    """STS-01 to STS-06, all alike: the odd ones have OpenSSH, the even ones dropbear. Needs root, for chroot."""
    folder.mkdir()
    program = compiled(HERE / "libmodbus_server.c", folder)
    with ExitStack() as running:
        sisters = []
        for number in range(1, 7):
            name = f"STS-{number:02}"
            if number % 2:
                root = _openssh_root(folder / name)
                chroot = f'{shutil.which("chroot", path="/usr/sbin:/usr/bin")} {root} /bin/sh -c \\"$SSH_ORIGINAL_COMMAND\\"'
                config = (f"Subsystem sftp {SFTP_SERVER}",)
                options = f'command="{chroot}"'
                plc = running.enter_context(running_sshd(folder / f"{name}.sshd", config=config, options=options))
            else:
                plc = running.enter_context(running_linux({}, Userland.BUSYBOX, host_key=100 + number))
                root = plc.folder / "root"
            drive = running.enter_context(libmodbus(program, "drive"))
            sister = Sister(name, plc, root, drive.port)
            for each in ("firmware", "settings", "etc"):
                (root / each).mkdir(exist_ok=True)
            sister.installs(FIRMWARE)
            sister.holds("settings/hoist.conf", b"speed = 180\nbrake = on\n")
            sister.has_users()
            sister.trips_at(50_0)
            sisters.append(sister)
        yield tuple(sisters)


def _openssh_root(root: Path) -> Path:
    """With the programs of this machine, and its SFTP server."""
    lay_down(root, {}, Userland.GNU)
    (root / SFTP_SERVER[1:]).parent.mkdir(parents=True, exist_ok=True)
    copy_program(root, SFTP_SERVER, SFTP_SERVER[1:])
    return root
