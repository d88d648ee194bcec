"""The SSH route: what to ask over a shell, what over SFTP, and how we are connected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from verifier.errors import BadReply, OverBound, Refused, Truncated, Unsupported
from verifier.model.device import SshAddress
from verifier.model.member import shown
from verifier.model.profile import Pace, Proof
from verifier.model.words import Evidence, Reason
from verifier.transport.answer import Answer, NotRead, Output
from verifier.transport.request import ReadFile, ReadTree, Request, Run
from verifier.transport.route import LineFact, Secrets
from verifier.transport.sftp import tree as sftp_tree
from verifier.transport.sftp.client import Sftp
from verifier.transport.shell import commands
from verifier.transport.shell.listing import Form
from verifier.transport.shell.tree import read_tree
from verifier.transport.shell.userland import ArchiveTool, Userland, probe_userland
from verifier.transport.ssh import algorithms, hostkeys
from verifier.transport.ssh.channel import Channel
from verifier.transport.ssh.session import WINDOW, Session, connect
from verifier.transport.throttle import Throttle
from verifier.transport.transcript import Transcript

_NO_HASH = "the device cannot hash: its files were read and hashed here"
_NOTHING = Userland(ArchiveTool.NONE, "", Form.NONE, hash=False, cat=False)


class SshExecution:
    """One command that runs on the device (see `execution.Execution`)."""

    def __init__(self, channel: Channel, throttle: Throttle) -> None:
        self._channel, self._throttle = channel, throttle
        self._status = -1

    def chunks(self) -> Iterator[bytes]:
        while data := self._channel.receive():
            yield data
            self._throttle.received(len(data))
        self._status = self._channel.status()

    @property
    def status(self) -> int:
        if self._status < 0:
            raise Truncated("the command's output was not read to its end")
        return self._status

    @property
    def errors(self) -> bytes:
        return self._channel.errors

    def close(self) -> None:
        self._channel.close()


class _SftpStream:
    def __init__(self, channel: Channel, throttle: Throttle) -> None:
        self._channel, self._throttle = channel, throttle

    def send(self, data: bytes) -> None:
        self._channel.send(data)

    def receive(self) -> bytes:
        data = self._channel.receive()
        self._throttle.received(len(data))
        return data


class SshRoute:
    """An open SSH line to one device (see `route.Route`)."""

    def __init__(self, session: Session, pace: Pace, transcript: Transcript) -> None:
        self.transcript = transcript
        self._session = session
        self._throttle = Throttle(pace)
        self._notes: list[str] = []
        self._sftp: tuple[Channel, Sftp] | None = None
        self._running: SshExecution | None = None
        self.userland = _NOTHING
        """What the device's own programs can do; nothing where there is no shell."""

    @classmethod
    def open(cls, address: SshAddress, pace: Pace, secrets: Secrets) -> SshRoute:
        """Connect, make sure who the device is, log in, find out whether there is a shell, SFTP, or both.

        Raises:
            DeviceError: see `ssh.connect`; Unsupported where there is neither.
            UsageError: the inventory entry cannot be used as it stands.
        """
        transcript = Transcript()
        session = connect(address, secrets, transcript.add, Throttle(pace).window(WINDOW))
        route = cls(session, pace, transcript)
        try:
            route._look_around()
        except BaseException:
            route.close()
            raise
        return route

    @property
    def evidence(self) -> Evidence:
        return Evidence.CONTENT

    @property
    def facts(self) -> tuple[LineFact, ...]:
        """Host key, server version, what was agreed and what the device offered, how we logged in, and the tools it has."""
        session, mine, theirs = self._session, self._session.mine, self._session.theirs
        cipher = algorithms.first_common(mine.ciphers, theirs.ciphers)
        mac = "in the cipher" if "gcm" in cipher else algorithms.first_common(mine.macs, theirs.macs)
        return tuple(
            LineFact(name, _plain(text))
            for name, text in (
                ("host-key", hostkeys.described(session.presented)),
                ("server-version", session.server_version),
                ("key-exchange", algorithms.first_common(mine.key_exchanges, theirs.key_exchanges)),
                ("strict-key-exchange", "yes" if session.strict else "no"),
                ("cipher", cipher),
                ("mac", mac),
                ("offered-key-exchanges", " ".join(theirs.key_exchanges)),
                ("offered-host-keys", " ".join(theirs.host_keys)),
                ("offered-ciphers", " ".join(theirs.ciphers)),
                ("offered-macs", " ".join(theirs.macs)),
                ("login", session.methods),
                ("tools", ", ".join(self.userland.words) or "none"),
            )
        )

    @property
    def notes(self) -> tuple[str, ...]:
        session = self._session
        old = algorithms.in_use(session.mine, session.theirs, session.user_key_algorithm)
        return (*(f"legacy algorithm {name} in use" for name in old), *self._notes)

    def can(self, request: Request) -> str:
        match request:
            case ReadTree() | ReadFile():
                return ""
            case Run():
                return "" if self.userland != _NOTHING else "there is no shell on the device"
            case _:
                return "it is a Modbus question, and this is an SSH line"

    def ask(self, request: Request) -> Iterator[Answer]:
        try:
            match request:
                case ReadTree() if self._shell_reads_trees:
                    if request.proof is not Proof.CONTENT and not self.userland.hash:
                        self._note(_NO_HASH)
                        request = replace(request, proof=Proof.CONTENT)
                    yield from read_tree(request, self.execute, self.userland)
                case ReadTree():
                    yield from self._tree_over_sftp(request)
                case ReadFile() if self.userland.cat:
                    yield self._cat(request)
                case ReadFile():
                    commands.guard(commands.cat(request.path))  # what may not be read, may not be read over SFTP either
                    with self._files() as sftp:
                        yield sftp_tree.read_file(sftp, request)
                case Run():
                    yield self._run(request)
                case _:
                    raise Unsupported(self.can(request))
        finally:
            self._count()

    def execute(self, argv: tuple[bytes, ...]) -> SshExecution:
        """Start a command of the closed set. One runs at a time: starting another ends the one before.

        Raises:
            ForbiddenRequest: it is not in the set; nothing was sent.
            Refused: the device runs no commands.
        """
        line = commands.guard(argv)
        if self._running:
            self._running.close()
        self._throttle.request()
        self.transcript.add("exec " + line.decode("latin-1"))
        channel = self._session.channel(self._throttle.window(WINDOW))
        channel.start(line)
        self._running = SshExecution(channel, self._throttle)
        return self._running

    def close(self) -> None:
        if self._running:
            self._running.close()
        self._count()
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def _shell_reads_trees(self) -> bool:
        return self.userland.listing is not Form.NONE and self.userland.archive is not ArchiveTool.NONE

    def _look_around(self) -> None:
        try:
            self.userland = probe_userland(self.execute)
        except (Refused, BadReply, Truncated):
            if self._session.broken:
                raise
        if self._shell_reads_trees:
            return
        try:
            with self._files():
                pass
        except (Refused, BadReply, Truncated) as error:
            if self._session.broken:
                raise
            if self.userland == _NOTHING:
                raise Unsupported(
                    f"the device lets us in, but offers neither a shell with tools nor SFTP ({error})",
                    "give this account a shell, or ForceCommand internal-sftp -R in the device's sshd_config",
                ) from error
            self._notes.append("no SFTP on the device, and its shell has no tools to read trees")
            return
        if self.userland == _NOTHING:
            self._notes.append("no shell on the device: read over SFTP")
        else:
            self._notes.append(f"no usable tools on the device ({', '.join(self.userland.words)}): trees read over SFTP")

    @contextmanager
    def _files(self) -> Iterator[Sftp]:
        """The SFTP session; a new one when the last one was left in the middle of an answer."""
        if self._sftp is None:
            self._throttle.request()
            channel = self._session.channel(self._throttle.window(WINDOW))
            channel.subsystem("sftp")
            self._sftp = channel, Sftp(_SftpStream(channel, self._throttle), self._throttle, self.transcript.add)
        channel, sftp = self._sftp
        whole = False
        try:
            yield sftp
            whole = True
        finally:
            if not whole:
                self._sftp = None
                channel.close()

    def _tree_over_sftp(self, request: ReadTree) -> Iterator[Answer]:
        with self._files() as sftp:
            walk = sftp_tree.SftpWalk(sftp, request)
            yield from walk.answers()
        if request.proof is not Proof.CONTENT:
            self._note(_NO_HASH)
        if walk.nodes:
            self._note("SFTP does not tell the numbers of device nodes: they are not compared")

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)

    def _cat(self, request: ReadFile) -> Output | NotRead:
        data, status, errors = self._output(commands.cat(request.path), request.limit)
        if len(data) > request.limit:
            return NotRead(request.path, Reason.BOUND, f"more than {request.limit} bytes")
        if status == 0:
            return Output(data)
        if b"No such file" in errors or b"Not a directory" in errors:
            return NotRead(request.path, Reason.REFUSED, "no such file")
        reason = Reason.DENIED if b"ermission denied" in errors else Reason.REFUSED
        return NotRead(request.path, reason, _plain(errors.decode("utf-8", "replace").strip()) or f"status {status}")

    def _run(self, request: Run) -> Output:
        if self.userland == _NOTHING:
            raise Unsupported(self.can(request))
        data, status, _ = self._output(commands.argv(request.command, request.paths), request.limit)
        if len(data) > request.limit:
            raise OverBound(f"{request.command} gave more than {request.limit} bytes")
        return Output(data, status)

    def _output(self, argv: tuple[bytes, ...], limit: int) -> tuple[bytes, int, bytes]:
        """Output (a little more than the limit at most), status and errors of a command."""
        running = self.execute(argv)
        try:
            data = bytearray()
            for chunk in running.chunks():
                data += chunk
                if len(data) > limit:
                    return bytes(data), 0, b""
            return bytes(data), running.status, running.errors
        finally:
            running.close()

    def _count(self) -> None:
        self.transcript.bytes_sent, self.transcript.bytes_received = self._session.line.sent, self._session.line.received


def _plain(text: str) -> str:
    return shown(text.encode("utf-8", "replace"))[:2000]
