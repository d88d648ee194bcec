"""A vendor's package: which files it brings, each by path with the SHA-256 of its content. It is read and never unpacked."""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from verifier.errors import SettingsError
from verifier.model.member import shown

MOST_FILES = 50_000
MOST_BYTES = 16 << 30
"""Of all files of a package, unpacked: what is small on the stick may be without end when it is unpacked."""
CHUNK = 1 << 20
READABLE = "give a folder, a tar archive (also .gz, .bz2, .xz) or a zip archive without a password"


@dataclass(frozen=True, slots=True)
class PackageFile:
    path: str
    """From the top of the package, printable form, without a slash before it: `app/main.bin`."""
    value: str
    """SHA-256 of its content, 64 hex digits; of a symlink where it points."""


@dataclass(frozen=True, slots=True)
class Package:
    sha256: str
    """Of the archive; of a folder, of the list of its files. 64 hex digits."""
    files: tuple[PackageFile, ...]
    """Sorted by path."""


def read_package(path: Path) -> Package:
    """What is in a folder, a tar or a zip archive.

    Raises:
        SettingsError: it cannot be read, holds no file, one twice, or one that would lie outside of it, or is too large.
    """
    try:
        if path.is_dir():
            files = _sorted(path, _folder(path))
            return Package(hashlib.sha256("".join(f"{each.value} {each.path}\n" for each in files).encode()).hexdigest(), files)
        with path.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
        if tarfile.is_tarfile(path):
            return Package(digest, _sorted(path, _tar(path)))
        if zipfile.is_zipfile(path):
            return Package(digest, _sorted(path, _zip(path)))
    except OSError as error:
        raise _refused(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise _refused(path, f"is damaged, or packed in a way that is not known here: {error}") from error
    except (RuntimeError, ValueError) as error:  # zipfile's word for a password
        raise _refused(path, f"cannot be read: {error}") from error
    raise _refused(path, "is neither a folder nor a tar or zip archive")


def _folder(top: Path) -> Iterator[PackageFile]:
    meter = _Meter(top)
    for folder, folders, names in os.walk(os.fsencode(top)):
        for name in (*names, *folders):
            file = os.path.join(folder, name)  # noqa: PTH118  # bytes: a path may be no text
            mode = os.lstat(file).st_mode
            at = os.path.relpath(file, os.fsencode(top))
            if stat.S_ISLNK(mode):
                yield PackageFile(shown(at), shown(os.readlink(file)))  # noqa: PTH115  # bytes again
            elif stat.S_ISREG(mode):
                with Path(os.fsdecode(file)).open("rb") as data:
                    yield PackageFile(shown(at), meter.digest(data))


def _tar(path: Path) -> Iterator[PackageFile]:
    meter = _Meter(path)
    with tarfile.open(path, errors="surrogateescape") as archive:
        for entry in archive:
            name = _inside(path, os.fsencode(entry.name))
            if entry.issym():
                yield PackageFile(name, shown(os.fsencode(entry.linkname)))
            elif entry.isreg() or entry.islnk():
                data = archive.extractfile(entry)
                assert data is not None
                yield PackageFile(name, meter.digest(data))


def _zip(path: Path) -> Iterator[PackageFile]:
    meter = _Meter(path)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = _inside(path, entry.filename.encode("utf-8", "surrogateescape"))
            if entry.is_dir():
                continue
            with archive.open(entry) as data:
                if stat.S_ISLNK(entry.external_attr >> 16):
                    yield PackageFile(name, shown(data.read(CHUNK)))
                else:
                    yield PackageFile(name, meter.digest(data))


@dataclass(slots=True)
class _Meter:
    """Hashes files, and stops where there is no end to them. Lives for one package."""

    path: Path
    files: int = 0
    size: int = 0

    def digest(self, data: IO[bytes]) -> str:
        self.files += 1
        found = hashlib.sha256()
        while chunk := data.read(CHUNK):
            self.size += len(chunk)
            if self.size > MOST_BYTES or self.files > MOST_FILES:
                raise _refused(self.path, f"holds more than {MOST_FILES:,} files, or {MOST_BYTES >> 30} GiB unpacked")
            found.update(chunk)
        return found.hexdigest()


def _inside(path: Path, name: bytes) -> str:
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if name.startswith(b"/") or b".." in parts or b"\\" in name or b"\0" in name:
        raise _refused(path, f"holds {shown(name)[:200]}, which lies outside of it")
    return shown(b"/".join(parts))


def _sorted(path: Path, files: Iterator[PackageFile]) -> tuple[PackageFile, ...]:
    found: dict[str, PackageFile] = {}
    for each in files:
        if each.path in found:
            raise _refused(path, f"holds {each.path[:200]} twice")
        found[each.path] = each
    if not found:
        raise _refused(path, "holds no file")
    return tuple(found[name] for name in sorted(found))


def _refused(path: Path, why: str) -> SettingsError:
    return SettingsError(str(path), 0, f"the package {why}", READABLE)
