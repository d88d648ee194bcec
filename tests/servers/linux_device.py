"""A simulated Linux device: a real dropbear and a real userland in a root folder of their own, with a made-up /proc and /sys.

    with running_linux({"etc/hostname": "plc\n"}, Userland.BUSYBOX) as device:
        route = SshRoute.open(device.address(), Pace(), no_secrets)

Needs root, for chroot. All keys are derived from fixed numbers and all times are one time, so that recording a device again gives
the same recording as long as the programs of this machine stay the same.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.servers.dropbear import DROPBEAR
from tests.servers.sshd import RunningSshd, answers, ended, free_port
from verifier.transport.ssh.hostkeys import fingerprint, public_key

INSTALLED = 1_767_225_600
"""The time of every file: 2026-01-01."""
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Userland(StrEnum):
    BUSYBOX = "busybox"
    GNU = "gnu"


PROGRAMS = {
    Userland.BUSYBOX: ("busybox",),
    Userland.GNU: ("dash", "env", "cat", "find", "grep", "stat", "tar", "sha256sum", "uname", "getcap"),
}
APPLETS = ("sh", "env", "cat", "find", "grep", "stat", "tar", "sha256sum", "uname")
"""The few of busybox that reading needs: a device has hundreds, and a recording is to stay small."""


@dataclass(frozen=True)
class Program:
    """A script that prints what the real command would, and may be run."""

    prints: str


@dataclass(frozen=True)
class Link:
    target: str


@dataclass(frozen=True)
class Capable:
    """A program with a file capability: cap_net_raw, effective and permitted."""

    text: str


Entry = str | Program | Link | Capable
Tree = Mapping[str, Entry]
"""What lies at a path, which has no leading slash. Text is a plain file."""

_NET_RAW = bytes.fromhex("0100000200200000" + "00" * 12)
"""`vfs_cap_data`, revision 2 (include/uapi/linux/capability.h): effective, permitted = 1 << 13."""


def write_tree(root: Path, tree: Tree) -> None:
    """Lay down a device's files. Folders are 0755, plain files 0644, shadow files 0600."""
    for name, entry in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        match entry:
            case Link(target):
                path.symlink_to(target)
            case Program(prints):
                path.write_text(f"#!/bin/sh\ncat <<'END'\n{prints}END\n")
                path.chmod(0o755)
            case Capable(text):
                path.write_text(text)
                path.chmod(0o755)
                os.setxattr(path, "security.capability", _NET_RAW)
            case text:
                path.write_text(text)
                path.chmod(0o600 if "shadow" in name or "_key" in name else 0o644)


def settle_times(root: Path) -> None:
    """Give everything its one time and every folder its one mode, whatever the umask of whoever runs this."""
    for path in (root, *root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
        os.utime(path, (INSTALLED, INSTALLED), follow_symlinks=False)


def lay_down(root: Path, tree: Tree, userland: Userland) -> None:
    """A root folder with this tree and the userland's programs, in which `chroot` finds a whole small Linux."""
    root.mkdir()
    write_tree(root, {**_frame(userland), **tree})
    _install(root, userland)


@contextmanager
def running_linux(tree: Tree, userland: Userland, host_key: int = 1) -> Iterator[RunningSshd]:
    """The device, running; its files lie in the folder `root` of its folder. Its user is root, with one key.

    Its host key is derived from a number below 256; devices beside each other have one each.
    """
    folder = Path(tempfile.mkdtemp(prefix="crane-linux-", dir="/tmp"))
    try:
        root = folder / "root"
        host, login = _private(host_key), _private(2)
        key = folder / "login"
        key.touch(mode=0o600)
        key.write_bytes(_openssh(login))
        lay_down(root, {**tree, "root/.ssh/authorized_keys": f"{_line(login)} reader@crane-verify\n"}, userland)
        _write_host_key(folder, root, host)
        settle_times(root)
        process, port = _started(folder, root)
        try:
            line = _line(host)
            yield RunningSshd("127.0.0.1", port, fingerprint(public_key(line)), (line,), "root", str(key), folder, process)
        finally:
            ended(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _frame(userland: Userland) -> Tree:
    """What every Linux has: merged folders where the distribution merges them, and the kernel's link to the asking process."""
    merged: Tree = {
        "usr/bin/.keep": "",
        "usr/sbin/.keep": "",
        "usr/lib/.keep": "",
        "usr/lib64/.keep": "",
        "bin": Link("usr/bin"),
        "sbin": Link("usr/sbin"),
        "lib": Link("usr/lib"),
        "lib64": Link("usr/lib64"),
    }
    apart: Tree = {"bin/.keep": "", "lib/.keep": "", "lib64/.keep": "", "usr/bin/.keep": "", "usr/sbin/.keep": ""}
    return {**(merged if userland is Userland.GNU else apart), "proc/self": Link("1"), "dev/.keep": "", "srv/.keep": ""}


def _install(root: Path, userland: Userland) -> None:
    """The real programs of this machine with the libraries they name, and nothing else of it."""
    folder = "usr/bin" if userland is Userland.GNU else "bin"
    for program in PROGRAMS[userland]:
        copy_program(root, shutil.which(program, path=SEARCH) or program, f"{folder}/{program}")
    copy_program(root, DROPBEAR, "usr/sbin/dropbear")
    if userland is Userland.BUSYBOX:
        for applet in APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
    else:
        (root / "usr/bin/sh").symlink_to("dash")
    for path in root.rglob(".keep"):
        path.unlink()
    os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))


def copy_program(root: Path, program: str, name: str) -> None:
    """A program of this machine, with the libraries it names, below a device's root."""
    shutil.copyfile(program, root / name)
    (root / name).chmod(0o755)
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"(?:=> )?(/\S+) \(0x", listed):
        place = "lib64" if library.startswith("/lib64/") else "lib"
        shutil.copyfile(library, root / place / Path(library).name)
        (root / place / Path(library).name).chmod(0o755)


def _write_host_key(folder: Path, root: Path, host: Ed25519PrivateKey) -> None:
    (folder / "host").touch(mode=0o600)
    (folder / "host").write_bytes(_openssh(host))
    place = root / HOST_KEY.removeprefix("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dropbearconvert", "openssh", "dropbear", folder / "host", place], check=True, capture_output=True)


def _started(folder: Path, root: Path) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(5):
        port = free_port()
        with open(folder / "log", "ab") as log:
            process = subprocess.Popen(
                ["chroot", root, "/usr/sbin/dropbear", "-F", "-E", "-s", "-p", f"127.0.0.1:{port}", "-r", HOST_KEY],
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        if answers(port, process):
            return process, port
        ended(process)
    raise RuntimeError(f"the device does not start: {(folder / 'log').read_text()[-2000:]}")


def _private(number: int) -> Ed25519PrivateKey:
    """The same key every time. It opens simulated devices on this machine, while they run, and nothing else."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def _openssh(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def _line(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
