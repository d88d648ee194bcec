"""A folder that holds everything which has ever broken a scan, and Python's own walk of it: what every route must answer."""

# Names are bytes here, and pathlib takes none.
# ruff: noqa: PTH101, PTH102, PTH103, PTH115, PTH208, PTH211

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
from pathlib import Path

from verifier.model.words import FileType
from verifier.transport.answer import FileEntry

FIRMWARE = (Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin"))
"""Debian's `ovmf` and `u-boot-qemu`, standing in as controller firmware where they are installed."""

_TYPES = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFSOCK: FileType.SOCKET,
    stat.S_IFCHR: FileType.CHARACTER,
    stat.S_IFBLK: FileType.BLOCK,
}
_NAMES = (
    b"plain",
    b"with space",
    b" leading and trailing ",
    b"-rf",
    b"--checkpoint-action=exec=sh",
    b"new\nline",
    b"\nnewline first",
    b"ends with newline\n",
    b"tab\tand\rreturn",
    b"latin1-\xe9\xff",
    "Grüße-日本".encode(),
    "NFC-\u00e9".encode(),
    "NFD-e\u0301".encode(),
    b"back\\slash",
    b"\\012 looks escaped",
    b'quote\'s "both" `ticks` $HOME $(reboot)',
    b"star*question?[brackets]",
    b"semi;colon&pipe|gt>lt<",
    b"colon: Permission denied",
    b"->",
    b"'",
    b"...",
    b"trailing dot.",
    b"\x01\x1b[31mred",
    b"case",
    b"CASE",
    b"n" * 99,
    b"o" * 100,
    b"p" * 101,
    b"q" * 255,
)


def build_hard_tree(root: Path) -> None:
    """Fill an empty or missing folder. As root, owners and device nodes too. Takes a few MiB with the firmware files."""
    top = os.fsencode(root)
    os.makedirs(top, exist_ok=True)
    names = top + b"/names"
    os.mkdir(names)
    for place, name in enumerate(_NAMES):
        _write(names + b"/" + name, b"content of %d\n" % place)
    for name in (b"folder with space", b"-folder", b"folder\nline", b"folder\xff"):
        os.mkdir(names + b"/" + name)
        _write(names + b"/" + name + b"/inside\n", b"x")
    _sizes(top + b"/sizes")
    _links(top + b"/links")
    _modes(top + b"/modes")
    _times(top + b"/times")
    deep = top + b"/deep"
    for _ in range(12):
        deep += b"/" + b"d" * 60
    os.makedirs(deep)
    _write(deep + b"/at the bottom", b"a path of some 800 bytes")
    os.makedirs(top + b"/empty/also empty")
    os.mkfifo(top + b"/fifo")
    _socket(top, b"socket")
    if os.geteuid() == 0:
        os.mknod(top + b"/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(top + b"/disk", stat.S_IFBLK | 0o660, os.makedev(259, 300))
    for blob in FIRMWARE:
        if blob.exists():
            (root / "firmware").mkdir(exist_ok=True)
            shutil.copy(blob, root / "firmware" / blob.name)


def _sizes(folder: bytes) -> None:
    """Sizes around the block of tar, the record of tar and the packet of SSH, and files with holes."""
    os.mkdir(folder)
    for size in (0, 1, 511, 512, 513, 1024, 10239, 10240, 10241, 32767, 32768, 32769, 300_001):
        _write(folder + b"/%d" % size, bytes(range(251)) * (size // 251) + bytes(size % 251))
    _write(folder + b"/zeros", bytes(2048))
    with open(folder + b"/sparse", "wb") as file:
        file.seek(5 << 20)
        file.write(b"end of a hole")
    with open(folder + b"/only hole", "wb") as file:
        file.truncate(1 << 20)


def _links(folder: bytes) -> None:
    os.mkdir(folder)
    _write(folder + b"/first", b"one file, three names")
    os.link(folder + b"/first", folder + b"/second")
    os.link(folder + b"/first", folder + b"/third\nname")
    for name, target in (
        (b"good", b"first"),
        (b"dangling", b"no such place"),
        (b"self", b"self"),
        (b"loop-a", b"loop-b"),
        (b"loop-b", b"loop-a"),
        (b"up", b"../.."),
        (b"absolute", b"/etc/passwd"),
        (b"new\nline' -> 'x", b"tar\nget//\n' \xff -> //"),
        (b"long", b"t/" * 300 + b"end"),
        (b"very long", b"u" * 2000),
        (b"to folder", b"."),
    ):
        os.symlink(target, folder + b"/" + name)
    os.link(folder + b"/dangling", folder + b"/dangling, second name", follow_symlinks=False)


def _modes(folder: bytes) -> None:
    os.mkdir(folder)
    for mode in (0o755, 0o4755, 0o2755, 0o1644, 0o7777, 0o600, 0o400, 0o644):
        _write(folder + b"/%o" % mode, b"#!/bin/sh\n")
        os.chmod(folder + b"/%o" % mode, mode)
    os.mkdir(folder + b"/sticky")
    os.chmod(folder + b"/sticky", 0o1777)
    if os.geteuid() == 0:
        for owner, group in ((1, 2), (65534, 65534), (2_097_151, 2_097_152), (3_000_000_000, 4_000_000_000)):
            _write(folder + b"/owner %d" % owner, b"")
            os.chown(folder + b"/owner %d" % owner, owner, group)


def _times(folder: bytes) -> None:
    os.mkdir(folder)
    for seconds in (-5.5, -1, 0, 0.75, 1_700_000_000.25, 5_000_000_000, 8_589_934_592):
        _write(folder + b"/%d" % int(seconds * 100), b"")
        os.utime(folder + b"/%d" % int(seconds * 100), ns=(0, int(seconds * 1_000_000_000)))


def _write(path: bytes, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _socket(folder: bytes, name: bytes) -> None:
    """Bound through a descriptor of the folder, since the path of a socket holds 107 bytes at most."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(b"/proc/self/fd/%d/%b" % (descriptor, name))
    finally:
        os.close(descriptor)


def walk(root: Path) -> dict[bytes, FileEntry]:
    """Everything at and below a folder, as `content` evidence, by `os.lstat` and `hashlib` alone."""
    found: dict[bytes, FileEntry] = {}
    waiting = [os.fsencode(root)]
    while waiting:
        path = waiting.pop()
        found[path] = entry(path)
        if found[path].type is FileType.DIRECTORY:
            waiting += [path + b"/" + name for name in os.listdir(path)]
    return found


def entry(path: bytes) -> FileEntry:
    """What any route must answer for this one path."""
    status = os.lstat(path)
    kind = _TYPES[stat.S_IFMT(status.st_mode)]
    size, target, digest = 0, b"", ""
    if kind is FileType.REGULAR:
        with open(path, "rb") as file:
            size, digest = status.st_size, hashlib.file_digest(file, "sha256").hexdigest()
    elif kind is FileType.SYMLINK:
        target = os.readlink(path)
    elif kind in (FileType.CHARACTER, FileType.BLOCK):
        size = os.major(status.st_rdev) << 20 | os.minor(status.st_rdev)
    mode, mtime = stat.S_IMODE(status.st_mode), status.st_mtime_ns // 1_000_000_000
    return FileEntry(path, kind, mode, status.st_uid, status.st_gid, size, mtime, target, digest)
