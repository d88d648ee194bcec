"""What a view is made of: a report, and where its signed original stands."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.model.report import Report


@dataclass(frozen=True, slots=True)
class SignedReport:
    """A report as it stands in the record, its signatures checked by whoever made this value."""

    report: Report
    sha256: str
    """Of the signed envelope, 64 hex digits."""
    sequence: int
    """Its place in the record."""
    signers: tuple[str, ...]
    marking: str = ""
    """Printed at the head and foot of every page where the port's rules ask for it; empty: none."""


@dataclass(frozen=True, slots=True)
class NotReported:
    """A device that should have a report and has none. An overview that left it out would make it look well."""

    device: str
    why: str
