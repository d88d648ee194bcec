"""What the system says of itself: kernel, release, machine, modules, mounts, file capabilities."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.collect.fact import Fact, garbage, lines

_TAINT = re.compile(rb"\(([A-Z+-]+)\)")
_SIZED = re.compile(rb"(?:size|nr_inodes)=.*")


def os_release(data: bytes) -> Iterator[Fact]:
    """/etc/os-release: one member per line, `os-release/VERSION_ID` is `12`."""
    for line in lines(data):
        if line.lstrip().startswith(b"#"):
            continue
        name, equals, value = line.partition(b"=")
        if not equals:
            yield garbage(line)
            continue
        yield Fact(b"os-release/" + name.strip(), value.strip().strip(b"\"'") or b"empty")


def modules(data: bytes) -> Iterator[Fact]:
    """/proc/modules: names and taint flags (O out of tree, E unsigned, ...). Sizes, addresses, states and users are left out."""
    for line in lines(data):
        fields = line.split()
        if len(fields) < 6 or not fields[1].isdigit():
            yield garbage(line)
            continue
        taint = _TAINT.fullmatch(fields[6]) if len(fields) > 6 else None
        yield Fact(fields[0], b"loaded taint=" + taint[1] if taint else b"loaded")


def no_modules(data: bytes) -> Iterator[Fact]:
    """/proc/version, where /proc/modules is missing: a kernel speaks, and it has no modules."""
    if data.strip():
        yield Fact(b"none", b"the kernel cannot load modules")


def mounts(data: bytes) -> Iterator[Fact]:
    """/proc/mounts: `/media/rfs` is `overlay overlay rw,lowerdir=...,upperdir=...`.

    The kernel works the size of a tmpfs out of the memory it finds; `size` and `nr_inodes` of those are left out.
    """
    for line in lines(data):
        fields = line.split()
        if len(fields) < 4:
            yield garbage(line)
            continue
        source, place, kind, options = (_unescaped(field) for field in fields[:4])
        if kind in (b"tmpfs", b"devtmpfs"):
            options = b",".join(option for option in options.split(b",") if not _SIZED.fullmatch(option))
        yield Fact(place, b" ".join((source, kind, options)))


def _unescaped(field: bytes) -> bytes:
    r"""Undo the `\040` of /proc/mounts."""
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8) & 0xFF]), field)


def capabilities(data: bytes) -> Iterator[Fact]:
    """`getcap -r`: `/usr/bin/ping` is `cap_net_raw=ep`. Older ones print ` = cap_net_raw+ep` (libcap before 2.41)."""
    for line in lines(data):
        path, _, caps = line.strip().rpartition(b" ")
        path = path.removesuffix(b" =")
        if not path or not caps.startswith((b"cap_", b"=", b"all=", b"[")):
            yield garbage(line)
            continue
        yield Fact(path, caps)
