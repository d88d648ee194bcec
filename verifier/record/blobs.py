"""Content kept under its own digest: transcripts of what was asked, and the redacted texts that diffs are shown from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import RecordError, TrustError
from verifier.record.files import SHUT, Growing, clear_partials, read_whole, refusals, write_whole

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BlobCopy:
    """A content on its way to its digest, without being held in memory. Nothing is on disk before its first byte."""

    def __init__(self, staging: Path, path_of: Callable[[str], Path]) -> None:
        self._staging, self._path_of = staging, path_of
        self._digest = hashlib.sha256()
        self._growing: Growing | None = None

    def add(self, piece: bytes | memoryview) -> None:
        """The next bytes.

        Raises:
            RecordError: the disk refused.
        """
        self._digest.update(piece)
        self._file().add(piece)

    def done(self) -> None:
        """It is whole: keep it under its digest. What lies there already is kept if it still is what it should be.

        Raises:
            RecordError: the disk refused.
        """
        digest = self._digest.hexdigest()
        path = self._path_of(digest)
        if digest_of(path) == digest:
            self.drop()
            return
        self._file().finish(path)
        self._growing = None

    def drop(self) -> None:
        """Keep nothing of it. After `done`, does nothing."""
        if self._growing:
            self._growing.drop()
            self._growing = None

    def _file(self) -> Growing:
        if self._growing is None:
            self._growing = Growing(self._staging, "copy", SHUT)
        return self._growing


def digest_of(path: Path) -> str:
    """SHA-256 of a file, read piece by piece, 64 hex digits; empty: there is no such file.

    Raises:
        RecordError: it cannot be read.
    """
    with refusals("read", path):
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return ""


@dataclass(frozen=True, slots=True)
class Blobs:
    folder: Path

    def put(self, data: bytes) -> str:
        """Keep this content; gives its SHA-256, 64 hex digits. Keeping it twice is keeping it once.

        Raises:
            RecordError: the disk refused.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        # a damaged one is written again rather than believed
        if read_whole(path) != data:
            write_whole(path, data, staging=self._staging)
        return digest

    def get(self, digest: str) -> bytes:
        """The content with this SHA-256, hashed again on the way.

        Raises:
            RecordError: it is not kept here, or cannot be read.
            TrustError: what lies there is something else.
        """
        data = self.find(digest)
        if data is None:
            raise RecordError(f"nothing is kept under {digest[:80]!r}", "it may be in the workspace of the machine that read it")
        return data

    def find(self, digest: str) -> bytes | None:
        """As `get`; None: it is not kept here."""
        data = read_whole(self._path(digest)) if _DIGEST.fullmatch(digest) else None
        if data is not None and hashlib.sha256(data).hexdigest() != digest:
            raise TrustError(f"{self._path(digest)} was altered: its content has another digest", "restore it from a copy")
        return data

    def path(self, digest: str) -> Path | None:
        """Where the content with this SHA-256 lies, to be hashed by whoever reads it; None: it is not kept here."""
        path = self._path(digest) if _DIGEST.fullmatch(digest) else None
        return path if path and path.is_file() else None

    def copy(self) -> BlobCopy:
        """A place for one content that comes piece by piece. Any number may grow side by side."""
        return BlobCopy(self._staging, self._path)

    def clear_partials(self) -> tuple[Path, ...]:
        """Remove what killed runs left behind. Gives what was removed."""
        return clear_partials(self._staging)

    @property
    def _staging(self) -> Path:
        return self.folder / "partial"

    def _path(self, digest: str) -> Path:
        return self.folder / "sha256" / digest[:2] / digest
