"""A policy as it came into force: the files of `trust/`, kept in the record, where what was signed under them is judged later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TrustFile:
    """One file of `trust/`. It carries its own signatures; who puts it into the record adds nothing to them."""

    name: str
    """`1.root.json`"""
    text: str


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    at: datetime
    """When this record first worked under it."""
    files: tuple[TrustFile, ...]
    """All that is needed to judge it: every root from the first on, and the newest of the others."""
    tool: str
    previous: str
    """SHA-256 of the newest entry of the record when this was signed, 64 hex digits; empty for the first."""
