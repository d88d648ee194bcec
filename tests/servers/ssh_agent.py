"""A real ssh-agent with a socket of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SshAgent:
    socket: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"SSH_AUTH_SOCK": str(self.socket)}

    def add(self, name: str, *keygen: str, comment: str = "") -> bytes:
        """A new key in the agent and in `folder`; the content of its .pub file."""
        path = self.folder / name
        command = ["ssh-keygen", "-q", "-N", "", "-C", comment or name, "-f", str(path), *keygen]
        subprocess.run(command, check=True, capture_output=True)
        self.ssh_add(str(path))
        return (self.folder / f"{name}.pub").read_bytes()

    def ssh_add(self, *arguments: str) -> None:
        subprocess.run(["ssh-add", *arguments], env={**os.environ, **self.environment}, check=True, capture_output=True)


@contextmanager
def ssh_agent(folder: Path) -> Iterator[SshAgent]:
    """`folder` must be short: the path of a socket has 107 bytes."""
    socket = folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                if socket.exists():
                    break
                time.sleep(0.02)
            yield SshAgent(socket, folder)
        finally:
            process.terminate()
