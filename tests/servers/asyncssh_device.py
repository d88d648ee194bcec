"""An SSH server inside the test (asyncssh), for what a real sshd cannot be made to do on any machine.

with running_asyncssh(folder, Logins(password="secret")) as device: ...
assert device.attempts == []
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from tests.servers.sshd import make_key
from verifier.transport.ssh.hostkeys import fingerprint, public_key


@dataclass(frozen=True)
class Logins:
    """What the server accepts. `prompts` are asked in rounds, each a row of prompt and expected answer."""

    password: str = ""
    prompts: tuple[tuple[tuple[str, str], ...], ...] = ()
    keys: str = ""
    """An authorized_keys line."""


@dataclass
class AsyncsshDevice:
    port: int
    host_key_fingerprint: str
    attempts: list[str] = field(default_factory=list)
    """Every login request that arrived, with its method."""
    connections: int = 0


class _Server(asyncssh.SSHServer):
    def __init__(self, device: AsyncsshDevice, logins: Logins) -> None:
        self._device, self._logins, self._round = device, logins, 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._device.connections += 1

    def begin_auth(self, username: str) -> bool:
        self._device.attempts.append("begin")
        return True

    def password_auth_supported(self) -> bool:
        return bool(self._logins.password)

    def validate_password(self, username: str, password: str) -> bool:
        self._device.attempts.append("password")
        return password == self._logins.password

    def public_key_auth_supported(self) -> bool:
        return bool(self._logins.keys)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._device.attempts.append("publickey")
        return key.export_public_key().split()[1] == self._logins.keys.encode().split()[1]

    def kbdint_auth_supported(self) -> bool:
        return bool(self._logins.prompts)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> tuple[str, str, str, list[tuple[str, bool]]]:
        self._device.attempts.append("keyboard-interactive")
        self._round = 0
        return self._challenge()

    def _challenge(self) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return "Login", "", "", [(prompt, False) for prompt, _ in self._logins.prompts[self._round]]

    def validate_kbdint_response(
        self, username: str, responses: Sequence[str]
    ) -> bool | tuple[str, str, str, list[tuple[str, bool]]]:
        if [answer for _, answer in self._logins.prompts[self._round]] != list(responses):
            return False
        self._round += 1
        return True if self._round == len(self._logins.prompts) else self._challenge()


async def half_an_answer(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Some output, a good exit status, and then the line is dead: nobody said that this was all the output."""
    process.stdout.write(b"the first half")
    channel = process.channel
    channel._send_request(b"exit-status", (0).to_bytes(4, "big"))  # sshd too may send it before the last of the data
    await asyncio.sleep(0.1)
    channel.get_connection().abort()


async def no_end_of_file(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Some output and a good exit status, and the channel closed without a word on the end of the output."""
    process.stdout.write(b"perhaps all")
    channel = process.channel
    channel._send_request(b"exit-status", (0).to_bytes(4, "big"))
    await asyncio.sleep(0.05)
    channel.send_packet(97)  # SSH_MSG_CHANNEL_CLOSE
    await asyncio.sleep(5)


async def _run(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """A device whose only program is `true`, whatever it is asked to run."""
    process.exit(0)


@contextmanager
def running_asyncssh(folder: Path, logins: Logins, **options: object) -> Iterator[AsyncsshDevice]:
    """The server, with further options of `asyncssh.listen`."""
    folder.mkdir(parents=True, exist_ok=True)
    key = make_key(folder / "host")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    device = AsyncsshDevice(0, fingerprint(public_key(key.with_suffix(".pub").read_text())))

    async def listen() -> asyncssh.SSHAcceptor:
        usual = {"server_host_keys": [str(key)], "process_factory": _run, "encoding": None, "sftp_factory": True}
        return await asyncssh.listen("127.0.0.1", 0, server_factory=lambda: _Server(device, logins), **{**usual, **options})

    async def stop(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        await acceptor.wait_closed()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    device.port = acceptor.get_port()
    try:
        yield device
    finally:
        asyncio.run_coroutine_threadsafe(stop(acceptor), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
