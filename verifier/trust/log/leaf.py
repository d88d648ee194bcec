"""What the tree holds of an entry: one line that names the envelope.

    urn:crane-verify:report:v1 6123 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

The type of the statement, the envelope's bytes, its SHA-256. An entry of the C2SP formats holds 65,535 bytes at most, and
an envelope may hold many megabytes; the line also lets an auditor see what is in the log without any envelope.
"""

from __future__ import annotations

import hashlib
import re

from verifier.errors import TrustError
from verifier.model.codec import parse
from verifier.trust.envelope import opened

UNKNOWN = "unknown"
_TYPE = re.compile(r"[!-~]{1,200}")


def leaf(envelope: bytes) -> bytes:
    """The line for an envelope. It depends on the bytes alone, so every machine writes the same one."""
    return f"{_stated_type(envelope)} {len(envelope)} {hashlib.sha256(envelope).hexdigest()}\n".encode()


def _stated_type(envelope: bytes) -> str:
    try:
        statement = parse(opened(envelope).payload)
    except (TrustError, ValueError):
        return UNKNOWN
    stated = statement.get("predicateType") if type(statement) is dict else None
    return stated if type(stated) is str and _TYPE.fullmatch(stated) else UNKNOWN
