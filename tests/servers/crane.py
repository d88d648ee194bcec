"""A small crane of real parts: OpenSSH, dropbear with busybox, libmodbus, and an SD card image. Somebody may tamper with it."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.dropbear import running_dropbear
from tests.servers.modbus import compiled, libmodbus
from tests.servers.sshd import RunningSshd, running_sshd
from tests.trees import build_hard_tree

HERE = Path(__file__).parent

FILES = """\
profile: {name}
title: Files of a test controller
version: 1
maturity: simulated
references: [tests/servers/crane.py]
gaps: [Stands for no product.]
items:
  - name: firmware
    kind: firmware
    files: {{paths: ["{root}/firmware"], proof: {proof}}}
    text: {{match: ["{root}/firmware/version"], keep: true}}
    version: "FIRMWARE=(\\\\S+)"
  - name: settings
    kind: configuration
    files: {{paths: ["{root}/settings"]}}
    text:
      match: ["{root}/settings/*.conf"]
      normalise: [line-ends, trailing-space]
      redact: ["password = (\\\\S+)"]
      keep: true
  - {{name: hard, kind: configuration, files: {{paths: ["{root}/hard"]}}}}
  # other tests make throw-away accounts on this machine meanwhile
  - {{name: users, kind: account, facts: users, volatile: ["crane*"]}}
  - {{name: interfaces, kind: network, facts: interfaces}}
"""

DRIVE = """\
profile: test-drive
title: Registers of a test drive
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
      - {name: gantry position, table: holding, address: 102, type: u32, word_order: high-first, unit: mm}
  - {name: block, kind: configuration, registers: {table: holding, first: 200, count: 300}}
  - {name: server, kind: hardware, server_id: true}
"""

INVENTORY = """\
sites:
  terminal-2:
    cranes:
      STS-01:
        devices:
          controller:
            profile: test-controller
            every: 7d
            ssh: {{host: 127.0.0.1, port: {sshd.port}, user: "{sshd.user}", host_keys: ["{sshd.host_key_fingerprint}"],
                  credentials: [{{key: "{sshd.key_path}"}}]}}
          gateway:
            profile: test-gateway
            every: 7d
            ssh: {{host: 127.0.0.1, port: {dropbear.port}, user: "{dropbear.user}",
                  host_keys: ["{dropbear.host_key_fingerprint}"], credentials: [{{key: "{dropbear.key_path}"}}]}}
          drive:
            profile: test-drive
            every: 7d
            modbus: {{host: 127.0.0.1, port: {drive}, unit: 1}}
          card:
            profile: test-card
            image: {{path: "{card}"}}
"""


@dataclass(frozen=True)
class Crane:
    tree: Path
    """What controller and gateway hold."""
    card: Path
    sshd: RunningSshd
    dropbear: RunningSshd
    drive: int
    """Port of the libmodbus server."""

    @property
    def inventory(self) -> str:
        return INVENTORY.format(sshd=self.sshd, dropbear=self.dropbear, drive=self.drive, card=self.card)

    @property
    def profiles(self) -> dict[str, str]:
        card = FILES.format(name="test-card", root="", proof="content")
        return {
            "test-controller": FILES.format(name="test-controller", root=self.tree, proof="cross-checked"),
            "test-gateway": FILES.format(name="test-gateway", root=self.tree, proof="content"),
            "test-card": card[: card.index("  - {name: hard")],
            "test-drive": DRIVE,
        }

    def write_card(self) -> None:
        """Make the card anew from the firmware and settings that the tree holds now."""
        self.card.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as staging:
            for name in ("firmware", "settings"):
                shutil.copytree(self.tree / name, Path(staging, name), symlinks=True)
            command = ["mkfs.ext4", "-q", "-F", "-d", staging, str(self.card), "64M"]
            subprocess.run(command, check=True, capture_output=True, env={"PATH": "/usr/sbin:/sbin:/bin"})

    def write_register(self, address: int, value: int) -> None:
        """What a vendor's tool does: function 6, in the raw. The tool under test could not send it."""
        with socket.create_connection(("127.0.0.1", self.drive), 5) as line:
            line.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 1, 6, address, value))
            assert len(line.recv(64)) == 12

    def vendor_visit(self) -> None:
        """A firmware of the same size and date, a downgraded version file, a setuid bit, a new file, a password, a limit."""
        firmware = self.tree / "firmware/controller.bin"
        before = firmware.stat()
        data = bytearray(firmware.read_bytes())
        data[len(data) // 2] ^= 1
        firmware.write_bytes(data)
        os.utime(firmware, ns=(before.st_atime_ns, before.st_mtime_ns))
        (self.tree / "firmware/version").write_text("FIRMWARE=3.09.2\n")
        (self.tree / "firmware/loader").chmod(0o4755)
        (self.tree / "firmware/extra.so").write_bytes(b"hook")
        (self.tree / "settings/hoist.conf").write_text("speed = 240\npassword = other\n")
        (self.tree / "settings/gone.conf").unlink()
        self.write_register(100, 62_0)
        self.write_card()


def build_tree(tree: Path) -> None:
    """Firmware (real images where Debian has them), settings, and the hardest names there are."""
    (tree / "firmware").mkdir(parents=True)
    (tree / "settings").mkdir()
    ovmf = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
    firmware = ovmf.read_bytes() if ovmf.exists() else bytes(range(256)) * 4096
    (tree / "firmware/controller.bin").write_bytes(firmware)
    (tree / "firmware/version").write_text("FIRMWARE=3.10.8\n")
    (tree / "firmware/loader").write_bytes(b"\x7fELF loader")
    (tree / "settings/hoist.conf").write_text("speed = 180\npassword = secret\n")
    (tree / "settings/gone.conf").write_text("brake = on\n")
    (tree / "hard").mkdir()
    build_hard_tree(tree / "hard")


@contextmanager
def running_crane(folder: Path) -> Iterator[Crane]:
    """The crane, running. Needs root, for dropbear's account."""
    tree = folder / "tree"
    build_tree(tree)
    program = compiled(HERE / "libmodbus_server.c", folder)
    with running_sshd(folder / "sshd") as sshd, running_dropbear() as dropbear, libmodbus(program, "drive") as drive:
        crane = Crane(tree, folder / "card.img", sshd, dropbear, drive.port)
        crane.write_register(100, 500)
        crane.write_card()
        yield crane
