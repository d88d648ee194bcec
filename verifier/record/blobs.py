"""Content kept under its own digest: transcripts of what was asked, and the redacted texts that diffs are shown from."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import RecordError, TrustError
from verifier.record.files import clear_partials, read_whole, write_whole

_DIGEST = re.compile(r"[0-9a-f]{64}")


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

    def clear_partials(self) -> tuple[Path, ...]:
        """Remove what killed runs left behind. Gives what was removed."""
        return clear_partials(self._staging)

    @property
    def _staging(self) -> Path:
        return self.folder / "partial"

    def _path(self, digest: str) -> Path:
        return self.folder / "sha256" / digest[:2] / digest
