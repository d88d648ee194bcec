"""Golden copies: which files' exact bytes are kept while a device is read, and which never by a mere pattern."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from verifier.model.member import shown
from verifier.model.pattern import matches
from verifier.model.profile import GOLDEN_KINDS, Golden, Item
from verifier.transport.request import Copy

SECRETS = (
    *("**/shadow*", "**/gshadow*", "**/*_key", "**/*.key", "**/*.p12", "**/*.pfx", "**/*.kdbx", "**/id_rsa", "**/id_ecdsa"),
    *("**/id_ed25519", "**/.netrc", "**/*.psk", "**/wpa_supplicant*.conf", "**/ipsec.secrets"),
)
"""Names under which systems keep secrets. Such a file is kept exactly only where the profile names it in full."""
PRIVATE = b"PRIVATE KEY-----"
"""Ends the first line of a private key in a PEM file, whatever the file's name (RFC 7468, section 10)."""


@dataclass(slots=True)
class GoldenCopies:
    """The golden copies of one item, as `transport.request.Copies`."""

    item: Item
    golden: Golden
    store: Callable[[], Copy]
    """Gives the place for one more content."""
    _taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, path: bytes, size: int) -> Copy | None:
        member = shown(path)
        by_name = member in self.golden.match
        if size > self.golden.limit or not (by_name or self._by_pattern(member)):
            return None
        return _Bounded(self, self.store(), self.golden.limit, by_name)

    def room(self, size: int) -> bool:
        """Take so many bytes of what the item may keep; False: it has no room for them any more."""
        with self._lock:
            self._taken += size
            return self._taken <= self.golden.total

    def _by_pattern(self, member: str) -> bool:
        redacts = self.item.text is not None and bool(self.item.text.redact)
        if self.item.kind not in GOLDEN_KINDS or redacts or matches(SECRETS, member):
            return False
        return matches(self.golden.match, member)


class _Bounded:
    """One copy, which is given up when it grows past its bound or shows a private key that nobody asked for by name."""

    def __init__(self, copies: GoldenCopies, kept: Copy, limit: int, by_name: bool) -> None:
        self._copies, self._kept, self._left, self._by_name = copies, kept, limit, by_name
        self._given_up = False
        self._tail = b""

    def add(self, piece: bytes | memoryview) -> None:
        if self._given_up:
            return
        self._left -= len(piece)
        if self._left < 0 or not self._copies.room(len(piece)) or self._private(piece):
            self._given_up = True
            self._kept.drop()
            return
        self._kept.add(piece)

    def done(self) -> None:
        if not self._given_up:
            self._kept.done()

    def drop(self) -> None:
        self._kept.drop()

    def _private(self, piece: bytes | memoryview) -> bool:
        if self._by_name:
            return False
        seen = self._tail + bytes(piece)
        self._tail = seen[-len(PRIVATE) :]
        return PRIVATE in seen
