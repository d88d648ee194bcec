"""Reading over SSH beside OpenSSH's own client: one large file, many small ones, and the naive way that others take."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import paramiko

from bench.pairs import pairs
from tests.servers.sshd import RunningSshd, no_secrets, running_sshd
from verifier.model.device import SshAddress
from verifier.model.profile import Bounds, Pace, Proof
from verifier.transport.answer import FileEntry
from verifier.transport.request import ReadTree
from verifier.transport.ssh.route import SshRoute

CIPHER = "aes128-gcm@openssh.com"


def run() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="bench-ssh-") as folder, running_sshd(Path(folder, "sshd")) as device:
        large, small, fewer = (Path(folder, name) for name in ("large", "small", "fewer"))
        with large.open("wb") as file:
            for _ in range(256):
                file.write(os.urandom(1 << 20))
        for tree, count in ((small, 2000), (fewer, 200)):
            tree.mkdir()
            for number in range(count):
                Path(tree, f"{number:05}").write_bytes(os.urandom(8 << 10))
        yield from _large(device, large)
        yield from _small(device, small, Path(folder, "unpacked"))
        with SshRoute.open(device.address(), Pace(), no_secrets) as route:
            costs = [_requests(route, tree) for tree in (fewer, small)]
        yield f"requests for a tree of 200 files: {costs[0]}, of 2,000: {costs[1]}; target: the same"
        peaks = [_peak(device, tree) for tree in (large, small)]
        yield f"peak memory: 256 MiB in one file {peaks[0]} MiB, 2,000 files {peaks[1]} MiB; target under 150 MiB"


def _large(device: RunningSshd, file: Path) -> Iterator[str]:
    def ours() -> None:
        assert [entry.size for entry in _tree(device.address(), file)] == [256 << 20]

    def theirs() -> None:
        _shell(f"{_ssh(device)} cat {file} | openssl dgst -sha256")

    yield pairs(ours, theirs).line("one file of 256 MiB, beside `ssh cat | openssl dgst`", "at most 1.2x")


def _small(device: RunningSshd, tree: Path, unpacked: Path) -> Iterator[str]:
    def ours() -> None:
        assert len(_tree(device.address(), tree)) == 2001

    def theirs() -> None:
        _shell(
            f"to=$(mktemp -d {unpacked}.XXXXXX); {_ssh(device)} tar cf - -C / {tree.relative_to('/')} | tar xf - -C $to;"
            f" find $to -type f -exec sha256sum {{}} +"
        )

    def naive() -> None:
        transport = paramiko.Transport((device.host, device.port))
        transport.connect(username=device.user, pkey=paramiko.Ed25519Key(filename=device.key_path))
        sftp = paramiko.SFTPClient.from_transport(transport)
        assert sftp
        for name in sftp.listdir(str(tree)):
            with sftp.open(f"{tree}/{name}") as file:
                hashlib.sha256(file.read()).digest()
        transport.close()

    yield pairs(ours, theirs).line("2,000 files of 8 KiB, beside `ssh tar | tar` and sha256sum", "at most 1.0x")
    yield pairs(ours, naive, 3).line("2,000 files of 8 KiB, beside a file at a time over SFTP", "at most 0.1x")


def _tree(address: SshAddress, root: Path) -> list[FileEntry]:
    """Connect, read, hash: what one item of a check takes."""
    with SshRoute.open(address, Pace(), no_secrets) as route:
        answers = list(route.ask(_request(root)))
    entries = [answer for answer in answers if isinstance(answer, FileEntry)]
    assert len(entries) == len(answers), answers[:3]
    return entries


def _peak(device: RunningSshd, root: Path) -> int:
    """MiB of a process of its own that connects, reads and hashes."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return int(pool.apply(_measured, (device.address(), root)))


def _measured(address: SshAddress, root: Path) -> int:
    _tree(address, root)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _requests(route: SshRoute, root: Path) -> int:
    before = route.transcript.exchange().requests
    list(route.ask(_request(root)))
    return route.transcript.exchange().requests - before


def _request(root: Path) -> ReadTree:
    return ReadTree((bytes(root),), (), Proof.CONTENT, (), 0, Bounds())


def _ssh(device: RunningSshd) -> str:
    known = device.folder / "known_hosts"
    known.write_text(f"[{device.host}]:{device.port} {device.host_keys[0]}\n")
    options = f"-F none -o UserKnownHostsFile={known} -o IdentitiesOnly=yes -o BatchMode=yes -c {CIPHER}"
    return f"ssh {options} -i {device.key_path} -p {device.port} {device.user}@{device.host}"


def _shell(line: str) -> None:
    subprocess.run(["/bin/sh", "-c", line], check=True, stdout=subprocess.DEVNULL)
