"""Installed packages, from the databases of dpkg, opkg and apk or the lists their commands print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from verifier.collect.fact import Fact, garbage, lines


def control(data: bytes) -> Iterator[Fact]:
    """/var/lib/dpkg/status and opkg's: `busybox:armhf` is `1.35.0-4`, with the status where it is not plainly installed.

    Paragraphs of `Name: value` lines (deb-control(5)).
    """
    for paragraph in data.replace(b"\r\n", b"\n").split(b"\n\n"):
        fields = _fields(paragraph, b": ")
        if not paragraph.strip():
            continue
        if b"Package" not in fields:
            yield garbage(paragraph.strip().split(b"\n")[0])
            continue
        status = fields.get(b"Status", b"")
        if status.endswith(b" installed"):
            status = b""
        yield _package(fields[b"Package"], fields.get(b"Architecture", b""), fields.get(b"Version", b""), status)


def apk(data: bytes) -> Iterator[Fact]:
    """/lib/apk/db/installed: paragraphs of `P:name`, `V:version`, `A:architecture` (Alpine's apk database)."""
    for paragraph in data.replace(b"\r\n", b"\n").split(b"\n\n"):
        fields = _fields(paragraph, b":")
        if not paragraph.strip():
            continue
        if b"P" not in fields:
            yield garbage(paragraph.strip().split(b"\n")[0])
            continue
        yield _package(fields[b"P"], fields.get(b"A", b""), fields.get(b"V", b""), b"")


def _fields(paragraph: bytes, mark: bytes) -> Mapping[bytes, bytes]:
    """First occurrence of each field; continuation lines are left out."""
    found: dict[bytes, bytes] = {}
    for line in paragraph.split(b"\n"):
        name, colon, value = line.partition(mark)
        if colon and name[:1] not in (b" ", b"\t"):
            found.setdefault(name, value.strip())
    return found


def _package(name: bytes, architecture: bytes, version: bytes, status: bytes) -> Fact:
    member = name + b":" + architecture if architecture else name
    return Fact(member, b" ".join(part for part in (version or b"no version", status) if part), version)


def dpkg_query(data: bytes) -> Iterator[Fact]:
    """`dpkg-query` lines of name, version and status letters, with tabs between; `ii` is plainly installed."""
    for line in lines(data):
        fields = [field.strip() for field in line.split(b"\t")]
        if len(fields) != 3 or not fields[0]:
            yield garbage(line)
            continue
        status = b"" if fields[2] == b"ii" else b"status=" + fields[2]
        yield _package(fields[0], b"", fields[1], status)


def rpm(data: bytes) -> Iterator[Fact]:
    """`rpm -qa` lines: `busybox-1.35.0-4.armv7hl`, name, version, release and architecture."""
    for line in lines(data):
        whole, dot, architecture = line.strip().rpartition(b".")
        parts = whole.rsplit(b"-", 2)
        if not dot or len(parts) != 3:
            yield garbage(line)
            continue
        yield _package(parts[0], architecture, parts[1] + b"-" + parts[2], b"")


def opkg_list(data: bytes) -> Iterator[Fact]:
    """`opkg list-installed` lines: `busybox - 1.35.0-4`."""
    for line in lines(data):
        name, dash, rest = line.strip().partition(b" - ")
        if not dash:
            yield garbage(line)
            continue
        yield _package(name, b"", rest.split(b" - ")[0], b"")


def apk_list(data: bytes) -> Iterator[Fact]:
    """`apk info -v` lines: `busybox-1.36.1-r5`."""
    for line in lines(data):
        parts = line.strip().rsplit(b"-", 2)
        if len(parts) != 3:
            yield garbage(line)
            continue
        yield _package(parts[0], b"", parts[1] + b"-" + parts[2], b"")
