"""The table of views. A new view is one pure function and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from verifier.report.html import html_view
from verifier.report.junit import junit_view
from verifier.report.machine import json_view
from verifier.report.signed import SignedReport
from verifier.report.spreadsheet import csv_view
from verifier.report.text import text_view


@dataclass(frozen=True, slots=True)
class View:
    suffix: str
    """Of the file it is written to, with its dot."""
    media_type: str
    render: Callable[[SignedReport], str]
    """The whole file as text, to be written as UTF-8 without changing line ends."""


VIEWS: Mapping[str, View] = {
    "text": View(".txt", "text/plain", text_view),
    "json": View(".json", "application/json", json_view),
    "html": View(".html", "text/html", html_view),
    "csv": View(".csv", "text/csv", csv_view),
    "junit": View(".xml", "application/xml", junit_view),
}
