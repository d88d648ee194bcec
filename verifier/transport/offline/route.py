"""The offline route: a folder, an archive, a memory card or its image, read with the device off."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from verifier.errors import BadReply, DeviceError, Refused, Unreachable, Unsupported, UsageError
from verifier.model import member
from verifier.model.device import ImageAddress
from verifier.model.words import Evidence, FileType
from verifier.transport.answer import Answer
from verifier.transport.offline.folder import Folder
from verifier.transport.offline.source import Medium, Source, medium
from verifier.transport.offline.volume import Lost, LostError, Volume
from verifier.transport.offline.walk import Walk, read_file
from verifier.transport.request import ReadFile, ReadTree, Request
from verifier.transport.route import LineFact
from verifier.transport.transcript import Transcript

NEEDS_DEVICE = "needs the running device"
_NAMED_VOLUMES = frozenset(
    f".{ending}"
    for ending in (
        *("img", "raw", "dd", "wic", "sdcard", "iso", "vmdk", "vhd", "vhdx", "qcow2"),
        *("ext2", "ext3", "ext4", "fat", "vfat", "squashfs", "sqfs", "sqsh", "ubi", "ubifs", "jffs2"),
        *("tar", "tgz", "tbz2", "txz", "zip", "zst", "lz4", "7z", "rar"),
    )
)
"""Endings that promise a tree of files. Such a file whose content is none we read is an error, not a single member."""

_READABLE = {each: each.value for each in (Medium.EXT, Medium.FAT, Medium.SQUASHFS)}
"""What a partition may hold."""


class ImageRoute:
    """One open volume. Evidence `offline-media`; only files can be asked."""

    evidence = Evidence.OFFLINE_MEDIA
    facts: tuple[LineFact, ...] = ()

    def __init__(self, volume: Volume, opened: Folder | Source, notes: tuple[str, ...] = ()) -> None:
        self._volume, self._opened = volume, opened
        self.notes = (f"read offline: {volume.title}", *notes, *volume.notes)
        self.transcript = Transcript()

    @classmethod
    def open(cls, address: ImageAddress) -> ImageRoute:
        """Open what stands at the path, told by its content.

        Raises:
            DeviceError: it is not there, cut short, damaged, empty, or none of the kinds we read.
            UsageError: `partition` does not fit what was found.
        """
        route = cls(*_opened(address))
        volume = route._volume
        route.transcript.add(f"open {volume.title}{f' partition {address.partition}' if address.partition else ''}")
        if _empty(volume):
            route.close()
            raise BadReply(
                f"{address.path} opens as an empty {volume.title}",
                "an image without files was not read right: make it again",
            )
        return route

    def can(self, request: Request) -> str:
        match request:
            case ReadTree():
                return ""
            case ReadFile(path=path):
                return NEEDS_DEVICE if path.startswith((b"/proc/", b"/sys/")) else ""
            case _:
                return NEEDS_DEVICE

    def ask(self, request: Request) -> Iterator[Answer]:
        why = self.can(request)
        if why:
            raise Unsupported(f"this {why}", "ask it over SSH or Modbus with the device on")
        match request:
            case ReadTree():
                self.transcript.add(
                    "read-tree " + " ".join(map(member.shown, request.roots)) + "".join(f" exclude={e}" for e in request.exclude)
                )
                walk = Walk(self._volume, request)
                try:
                    yield from walk.answers()
                finally:
                    self.transcript.bytes_received += walk.meter.bytes
            case ReadFile():
                self.transcript.add("read-file " + member.shown(request.path))
                yield read_file(self._volume, request)

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _opened(address: ImageAddress) -> tuple[Volume, Folder | Source, tuple[str, ...]]:
    """The volume, what is to be closed in the end, and notes on which part of it was taken."""
    path = Path(address.path)
    if _is_folder(path):
        _no_partition(address, "a folder")
        folder = Folder(address.path)
        return folder, folder, ()
    source = Source.open(address.path)
    try:
        found = medium(source)
        if found is Medium.PARTITIONED:
            volume, notes = _partition(source, address)
            return volume, source, notes
        _no_partition(address, f"a {found.value}")
        return _volume(source, found, path), source, ()
    except BaseException:
        source.close()
        raise


def _is_folder(path: Path) -> bool:
    try:
        kind = path.stat().st_mode
    except PermissionError as error:
        raise Refused(f"{path} may not be read", "run as a user who may read it") from error
    except OSError as error:
        raise Unreachable(f"no image {path}: {error.strerror}", "put the card in, or correct the path") from error
    if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind) or stat.S_ISBLK(kind)):
        raise BadReply(f"{path} is not a file, folder or card", "name an image file, a card's device or a folder")
    return stat.S_ISDIR(kind)


def _volume(source: Source, found: Medium, path: Path) -> Volume:
    """The reader of each kind; imported when it is needed, so that the command starts fast."""
    match found:
        case Medium.EXT | Medium.FAT:
            from verifier.transport.offline.disk import Disk

            return Disk(source, found)
        case Medium.SQUASHFS:
            from verifier.transport.offline.squashfs import Squashfs

            return Squashfs(source)
        case Medium.ZIP:
            from verifier.transport.offline.packed import Zip

            return Zip(source)
        case Medium.TAR | Medium.TAR_GZIP | Medium.TAR_BZIP2 | Medium.TAR_XZ:
            from verifier.transport.offline.tape import Tape, holds_tar

            return Tape(source, found) if holds_tar(source, found) else _single(source, path)
        case Medium.OTHER | Medium.PARTITIONED:
            return _single(source, path)


def _single(source: Source, path: Path) -> Volume:
    """An exported project or firmware file, unless its name promises a tree of files."""
    from verifier.transport.offline.packed import Single

    if source.size == 0:
        raise BadReply(f"{path} is an empty file", "make the image again")
    if _NAMED_VOLUMES & {suffix.lower() for suffix in path.suffixes}:
        raise BadReply(
            f"{path} holds none of the kinds read here: tar, zip, ext2-4, FAT, squashfs, partitioned disk",
            "it may be cut short or damaged; else mount or unpack it and name the folder instead",
        )
    return Single(source, os.fsencode(path.name))


def _partition(source: Source, address: ImageAddress) -> tuple[Volume, tuple[str, ...]]:
    from verifier.transport.offline.disk import partitions

    table = partitions(source)
    kinds = {each.number: medium(source.part(each.start, each.size)) for each in table}
    listing = "; ".join(
        f"{p.number}: {p.title}, {p.size >> 20} MiB, {_READABLE.get(kinds[p.number], 'not read here')}" for p in table
    )
    data = [p for p in table if kinds[p.number] in _READABLE]
    if address.partition:
        chosen = [p for p in table if p.number == address.partition]
        if not chosen:
            raise UsageError(f"{address.path} has no partition {address.partition}", f"it has {listing or 'none'}")
        if chosen[0] not in data:
            raise Unsupported(
                f"partition {address.partition} of {address.path} holds no file system read here", f"it has {listing}"
            )
    elif len(data) > 1:
        raise UsageError(f"{address.path} has several partitions with files", f"write `partition:` with one of {listing}")
    else:
        chosen = data
    if not chosen:
        raise BadReply(f"{address.path} has no partition with files read here", f"it has {listing or 'none'}")
    part = chosen[0]
    # the image may end before the table says so; the file system then tells whether it is whole
    size = max(0, min(part.size, source.size - part.start))
    volume = _volume(source.part(part.start, size), kinds[part.number], Path(address.path))
    return volume, (f"partition {part.number} of {len(table)}",)


def _no_partition(address: ImageAddress, what: str) -> None:
    if address.partition:
        raise UsageError(f"{address.path} is {what} and has no partition {address.partition}", "leave `partition` out")


def _empty(volume: Volume) -> bool:
    """True when there is nothing but folders. What cannot be listed is not empty; asking will say why."""
    ahead = [volume.root]
    looked = 0
    while ahead and looked < 100_000:
        try:
            for _, child in volume.children(ahead.pop()):
                looked += 1
                if isinstance(child, Lost) or child.type is not FileType.DIRECTORY:
                    return False
                ahead.append(child)
        except (LostError, DeviceError):
            return False
    return not ahead
