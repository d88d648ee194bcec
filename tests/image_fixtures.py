"""Images of a tree, made by Debian's own tools, and what an image route answers about them."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.trees import walk
from verifier.model.device import ImageAddress
from verifier.model.profile import Bounds, Proof
from verifier.transport.answer import FileEntry, NotRead
from verifier.transport.offline.route import ImageRoute
from verifier.transport.request import ReadTree

MIB = 1 << 20
WHOLE = ReadTree((b"/",), ("/lost+found",), Proof.CONTENT, (), 0, Bounds())


def tree(
    *roots: bytes, exclude: Sequence[str] = (), keep: Sequence[str] = (), keep_limit: int = 1 << 20, bounds: Bounds = WHOLE.bounds
) -> ReadTree:
    """A request for these roots."""
    return ReadTree(roots or (b"/",), tuple(exclude), Proof.CONTENT, tuple(keep), keep_limit, bounds)


def answers(path: Path, request: ReadTree = WHOLE, partition: int = 0) -> dict[bytes, FileEntry | NotRead]:
    """What the route answers, by path. Fails when a path is answered twice."""
    found: dict[bytes, FileEntry | NotRead] = {}
    with ImageRoute.open(ImageAddress(str(path), partition)) as route:
        for answer in route.ask(request):
            assert isinstance(answer, (FileEntry, NotRead))
            assert answer.path not in found, answer.path
            found[answer.path] = answer
    return found


def truth(root: Path) -> dict[bytes, FileEntry]:
    """Python's own walk, with paths as they stand in an image of the folder."""
    top = os.fsencode(root)
    return {path[len(top) :] or b"/": replace(entry, path=path[len(top) :] or b"/") for path, entry in walk(root).items()}


def plain(found: dict[bytes, FileEntry | NotRead]) -> dict[bytes, FileEntry]:
    """Only entries, which is how a volume without faults answers; without times, which most formats keep in their own way."""
    entries: dict[bytes, FileEntry] = {}
    for path, answer in found.items():
        assert isinstance(answer, FileEntry), answer
        entries[path] = replace(answer, mtime=0)
    return entries


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a tool; a failing one fails the test with its own words."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def blank(path: Path, size: int) -> Path:
    """A file of zeros."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def ext(path: Path, root: Path, kind: str = "ext4", size: int = 48 * MIB, *options: str) -> Path:
    """An ext2, ext3 or ext4 image that holds a folder."""
    run(f"mkfs.{kind}", "-q", "-b", "4096", *options, "-d", root, blank(path, size))
    return path


def fat(path: Path, root: Path, bits: int = 16, size: int = 20 * MIB) -> Path:
    """A FAT image with a label that holds what is in a folder."""
    run("mkfs.vfat", "-F", str(bits), "-n", "CARDLABEL", blank(path, size))
    run("mcopy", "-s", "-m", "-i", path, *sorted(root.iterdir()), "::")
    return path


def squashfs(path: Path, root: Path, compression: str = "gzip", *options: str) -> Path:
    """A squashfs image of a folder."""
    run("mksquashfs", root, path, "-comp", compression, "-quiet", "-no-progress", "-noappend", *options)
    return path


def disk(path: Path, *parts: tuple[int, Path], size: int = 0) -> Path:
    """A whole disk: an MBR whose primary partitions hold these images; each with its type byte."""
    start = 2048
    table = b""
    with path.open("wb") as file:
        for kind, part in parts:
            sectors = (part.stat().st_size + 511) // 512
            table += struct.pack("<B3xB3xII", 0, kind, start, sectors)
            file.seek(start * 512)
            file.write(part.read_bytes())
            start += (sectors + 2047) // 2048 * 2048
        file.truncate(max(size, start * 512))
        file.seek(446)
        file.write(table.ljust(64, b"\0") + b"\x55\xaa")
    return path
