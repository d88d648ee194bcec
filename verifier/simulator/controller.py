"""The simulated crane controller: an SSH server that offers a folder over SFTP and nothing else, as hardened controllers do."""

from __future__ import annotations

import base64
import os
import socket
import threading
from pathlib import Path, PurePosixPath

import paramiko
from paramiko import SFTPAttributes, SFTPHandle, SFTPServer, SFTPServerInterface
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_PERMISSION_DENIED

from verifier.simulator.listener import Listener


class Controller:
    """Serves `root` as its file system to one user with one key. `with Controller(...) as device:` starts and stops it."""

    def __init__(self, root: Path, user: str, authorized: str, host_key: Path) -> None:
        self.root, self.user = root, user
        self._authorized = paramiko.PKey.from_type_string(authorized.split()[0], base64.b64decode(authorized.split()[1]))
        self._host_key = paramiko.Ed25519Key(filename=str(host_key))
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    @property
    def fingerprint(self) -> str:
        """What an inventory pins: `SHA256:...`."""
        return str(self._host_key.fingerprint)

    def __enter__(self) -> Controller:
        self._listener.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.stop()

    def _serve(self, line: socket.socket, stopping: threading.Event) -> None:
        transport = paramiko.Transport(line)
        transport.add_server_key(self._host_key)
        transport.set_subsystem_handler("sftp", SFTPServer, _Tree, root=self.root)
        try:
            transport.start_server(server=_Login(self.user, self._authorized))
            while transport.is_active() and not stopping.wait(0.05):
                pass
        except (paramiko.SSHException, EOFError, OSError):
            pass  # the caller went away; a device does not mind
        finally:
            transport.close()


class _Login(paramiko.ServerInterface):
    def __init__(self, user: str, authorized: paramiko.PKey) -> None:
        self._user, self._authorized = user, authorized

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == self._user and key == self._authorized
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class _Tree(SFTPServerInterface):
    """The folder, read-only: paramiko's own defaults refuse everything that is not implemented here."""

    def __init__(self, server: paramiko.ServerInterface, root: Path) -> None:
        super().__init__(server)
        self._root = root

    def _real(self, path: str) -> Path:
        return self._root.joinpath(*PurePosixPath("/", path).parts[1:])

    def list_folder(self, path: str) -> list[SFTPAttributes] | int:
        try:
            return [self._attributes(each) for each in self._real(path).iterdir()]
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)

    def lstat(self, path: str) -> SFTPAttributes | int:
        try:
            return self._attributes(self._real(path))
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)

    stat = lstat

    def readlink(self, path: str) -> str | int:
        try:
            return str(self._real(path).readlink())
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle | int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            return SFTP_PERMISSION_DENIED
        handle = SFTPHandle(flags)
        try:
            handle.readfile = self._real(path).open("rb")  # type: ignore[attr-defined] # paramiko's own way, missing in its stubs
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)
        return handle

    @staticmethod
    def _attributes(path: Path) -> SFTPAttributes:
        """As the device sees it: everything belongs to root, whoever runs the demo."""
        attributes = SFTPAttributes.from_stat(path.lstat(), path.name)
        attributes.st_uid = attributes.st_gid = 0
        return attributes
