"""A real dropbear on loopback, as small controllers have it, with a busybox userland and a throw-away user.

    with running_dropbear(sftp=False) as device:
        route = SshRoute.open(device.address(), Pace(), no_secrets)

Needs root. dropbear takes its keys only from the home of a real user, so one is made (uid 0 as on most controllers, another
with `uid=`) and removed. Its key runs every command in busybox's shell, with nothing but busybox in the search path.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.sshd import DIES_WITH_US, RunningSshd, answers, ended, free_port, make_key
from verifier.transport.ssh.hostkeys import fingerprint, public_key

DROPBEAR = shutil.which("dropbear", path=os.environ.get("PATH", "") + ":/usr/sbin") or ""
BUSYBOX = shutil.which("busybox") or ""
_SFTP_SERVER = "/usr/lib/sftp-server"
_PREFIX = "crane-dropbear-"


def account(*command: str) -> None:
    """useradd and userdel wait for each other's lock only for a while."""
    for _ in range(20):
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{command[0]}: {done.stderr.decode(errors='replace')}")


def _sweep() -> None:
    """Remove what a run that was killed has left: its users and their homes."""
    for user in pwd.getpwall():
        home = Path(user.pw_dir)
        pid = home.name.removeprefix(_PREFIX).split("-")[0]
        if user.pw_name.startswith("crane") and home.name.startswith(_PREFIX) and not Path(f"/proc/{pid}").exists():
            subprocess.run(["userdel", "--force", user.pw_name], capture_output=True, check=False)
            shutil.rmtree(home, ignore_errors=True)


def busybox_userland(folder: Path) -> Path:
    """A folder with a link to busybox for every program it has."""
    folder.mkdir()
    for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, check=True, text=True).stdout.split():
        (folder / name).symlink_to(BUSYBOX)
    return folder


@contextmanager
def running_dropbear(
    *, sftp: bool = False, busybox: bool = True, host_key: str = "ed25519", uid: int = 0
) -> Iterator[RunningSshd]:
    """A dropbear with one host key; without `sftp` it answers as a device on which no sftp-server is installed."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir="/tmp"))
    user = f"crane{secrets.token_hex(5)}"
    try:
        folder.chmod(0o755)
        host = make_key(folder / "host", host_key)
        subprocess.run(
            ["dropbearconvert", "openssh", "dropbear", host, folder / "host.dropbear"], check=True, capture_output=True
        )
        key = make_key(folder / "user")
        search = busybox_userland(folder / "bin") if busybox else Path("/usr/bin")
        shell = f"{BUSYBOX} sh" if busybox else "/bin/sh"
        wrapper = folder / "shell"
        wrapper.write_text(
            "#!/bin/sh\n"
            f'if [ "$SSH_ORIGINAL_COMMAND" = {_SFTP_SERVER} ]; then {f"exec {_SFTP_SERVER}" if sftp else "exit 127"}; fi\n'
            f"export PATH={search}\n"
            f'exec {shell} -c "$SSH_ORIGINAL_COMMAND"\n'
        )
        wrapper.chmod(0o755)
        (folder / ".ssh").mkdir(mode=0o755)
        (folder / ".ssh" / "authorized_keys").write_text(f'command="{wrapper}" {key.with_suffix(".pub").read_text()}')
        account(
            "useradd", "--non-unique", "--uid", str(uid), "--gid", "0" if uid == 0 else "65534", "--no-user-group",
            "--no-log-init", "--home-dir", str(folder), "--no-create-home", "--shell", "/bin/sh", user,
        )  # fmt: skip
        try:
            for _ in range(5):
                port = free_port()
                with open(folder / "dropbear.log", "ab") as log:
                    process = subprocess.Popen(
                        [*DIES_WITH_US, DROPBEAR, "-F", "-E", "-s", "-p", f"127.0.0.1:{port}", "-r", folder / "host.dropbear"],
                        stderr=log,
                        stdin=subprocess.DEVNULL,
                    )
                if answers(port, process):
                    break
                ended(process)
            else:
                raise RuntimeError(f"dropbear does not start: {(folder / 'dropbear.log').read_text()[-2000:]}")
            try:
                line = host.with_suffix(".pub").read_text().strip()
                yield RunningSshd("127.0.0.1", port, fingerprint(public_key(line)), (line,), user, str(key), folder, process)
            finally:
                ended(process)
        finally:
            account("userdel", "--force", user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
