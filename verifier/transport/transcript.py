"""The list of everything that was sent to a device, in order: proof of what was asked.

One line per request, printable ASCII. The digest over all lines stands in the signed report; the lines themselves are kept by
`record`, so that an auditor can read them and see that the digest is theirs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from verifier.model.snapshot import Exchange


@dataclass(slots=True)
class Transcript:
    """Grows while a session lives; `exchange()` is the frozen sum of it."""

    lines: list[str] = field(default_factory=list)
    bytes_sent: int = 0
    bytes_received: int = 0

    def add(self, line: str) -> None:
        """Note a request, before it is sent. Control characters and non-ASCII are escaped."""
        self.lines.append(line.encode("unicode_escape").decode("ascii"))

    def text(self) -> bytes:
        """What the digest is over: every line with its newline."""
        return "".join(line + "\n" for line in self.lines).encode("ascii")

    def exchange(self) -> Exchange:
        """Digest and counts so far."""
        digest = hashlib.sha256(self.text()).hexdigest()
        return Exchange(digest, len(self.lines), self.bytes_sent, self.bytes_received)
