"""A real OpenSSH server on loopback, for tests and timings.

    with running_sshd(folder, config=("ForceCommand internal-sftp",)) as device:
        route = SshRoute.open(device.address(), Pace(), no_secrets)

It runs as whoever runs the tests, who logs in with a key made for this one server. Several may run at once.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verifier.model.device import KeyFile, Secret, SshAddress
from verifier.transport.ssh.hostkeys import fingerprint, public_key

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin") or ""
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""Before a server's command: it ends when the tests are killed and no fixture can end it."""

OLDEST = (
    "KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
    "Ciphers aes128-cbc,3des-cbc",
    "MACs hmac-sha1",
    "HostKeyAlgorithms ssh-rsa",
    "PubkeyAcceptedAlgorithms ssh-rsa",
)
"""sshd_config lines of a server as it was fifteen years ago; with `host_keys=("rsa",)` and `user_key="rsa"`."""
SFTP_ONLY = ("ForceCommand internal-sftp",)
NO_SFTP = ("Subsystem nothing /bin/false",)
"""Takes the place of the line that gives SFTP."""


def no_secrets(secret: Secret) -> str:
    """For logins that need none."""
    raise AssertionError(f"asked for {secret}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new key pair; the public half is beside it, as `.pub`."""
    bits = ("-b", "2048") if kind == "rsa" else ()
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-C", "test", "-f", path], check=True)
    return path


@dataclass(frozen=True)
class RunningSshd:
    """Where a test server is and how to get in."""

    host: str
    port: int
    host_key_fingerprint: str
    """Of the first host key."""
    host_keys: tuple[str, ...]
    """Public key lines, in the order they were asked for."""
    user: str
    key_path: str
    folder: Path
    process: subprocess.Popen[bytes]

    def address(self, **changes: Any) -> SshAddress:
        """An address that works, with these fields changed."""
        usual = SshAddress(
            self.host,
            self.user,
            self.port,
            host_keys=(self.host_key_fingerprint,),
            credentials=(KeyFile(self.key_path),),
        )
        return replace(usual, **changes)

    def signal(self, number: int) -> None:
        """To the server, and to all that serve its connections."""
        for pid in family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def family(pid: int) -> list[int]:
    """A process and all below it. sshd's children lead sessions of their own, so a process group does not hold them."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return found


def ended(process: subprocess.Popen[bytes]) -> None:
    """Kill a server we started with all below it, and wait for it."""
    for pid in family(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(5)


def answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until an SSH server speaks on the port; False: the process ended."""
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as line:
                line.settimeout(2)
                if line.recv(4) == b"SSH-":
                    return True
        except OSError:
            time.sleep(0.02)
    return False


@contextmanager
def running_sshd(
    folder: Path,
    *,
    config: tuple[str, ...] = (),
    host_keys: tuple[str, ...] = ("ed25519",),
    user_key: str = "ed25519",
    options: str = "",
    authorized: str = "",
) -> Iterator[RunningSshd]:
    """An sshd with these extra sshd_config lines and these types of host key.

    `options` stand before the key in authorized_keys (`command="..."`); `authorized` are whole further lines of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    keys = [make_key(folder / f"host_{kind}_{number}", kind) for number, kind in enumerate(host_keys)]
    user = make_key(folder / "user", user_key)
    public = user.with_suffix(".pub").read_text()
    (folder / "authorized_keys").write_text(f"{options} {public}{authorized}")
    lines = [line.with_suffix(".pub").read_text().strip() for line in keys]
    usual = (
        "ListenAddress 127.0.0.1",
        "UsePAM no",
        "StrictModes no",
        "PasswordAuthentication no",
        "PermitRootLogin yes",
        "PermitUserEnvironment no",
        "PidFile none",
        f"SetEnv HOME={folder}",  # bash reads ~/.bashrc of whoever runs the tests, which may be slow or chatty
        "MaxStartups 100",
        "LogLevel VERBOSE",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        *(f"HostKey {key}" for key in keys),
    )
    subsystem = () if any(line.startswith("Subsystem") for line in config) else ("Subsystem sftp internal-sftp",)
    for _ in range(5):
        port = free_port()
        (folder / "sshd_config").write_text("\n".join((f"Port {port}", *config, *usual, *subsystem)) + "\n")
        with open(folder / "sshd.log", "ab") as log:
            process = subprocess.Popen(
                [*DIES_WITH_US, SSHD, "-D", "-e", "-f", str(folder / "sshd_config")],
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        if answers(port, process):
            break
        ended(process)
    else:
        raise RuntimeError(f"sshd does not start: {(folder / 'sshd.log').read_text()[-2000:]}")
    try:
        first = fingerprint(public_key(lines[0]))
        yield RunningSshd("127.0.0.1", port, first, tuple(lines), getpass.getuser(), str(user), folder, process)
    finally:
        ended(process)
