"""What comes back. Everything in it was chosen by the device and is hostile until compared."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.model.words import FileType, Reason


@dataclass(frozen=True, slots=True)
class FileEntry:
    path: bytes
    """Absolute, as the device names it."""
    type: FileType
    mode: int
    """0 to 0o7777."""
    owner: int
    group: int
    size: int
    """As `FileValue.size`: bytes that were read for regular files, `major << 20 | minor` for nodes, else 0."""
    mtime: int
    target: bytes = b""
    sha256: str = ""
    """Hashed here, from the bytes; empty where only the device hashed."""
    device_sha256: str = ""
    """What the device says the hash is; empty where it was not asked."""
    content: bytes | None = None
    """The whole content, where the request's `keep` asks for it and it is short enough."""


@dataclass(frozen=True, slots=True)
class NotRead:
    path: bytes
    reason: Reason
    detail: str = ""
    below: bool = False
    """True: nothing below it was read either."""


@dataclass(frozen=True, slots=True)
class Output:
    data: bytes
    status: int = 0
    """Exit status of a command; 0 for files."""


@dataclass(frozen=True, slots=True)
class Words:
    values: tuple[int, ...]
    """As many as were asked: 0-65535 each, or 0 and 1 for bits."""


@dataclass(frozen=True, slots=True)
class Objects:
    conformity: int
    objects: tuple[tuple[int, bytes], ...]
    """Object id and value, ids ascending."""


Answer = FileEntry | NotRead | Output | Words | Objects
