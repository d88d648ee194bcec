"""Self-contained HTML pages: one report, or the overview of many. No script, no network, prints well.

Everything that reaches a page passes two gates: control characters and bidi overrides become visible escapes, and jinja2 escapes
what HTML reads as markup. Templates never mark device text as safe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from verifier.compare.plain import counted, plain
from verifier.compare.technique import technique
from verifier.model.device import DeviceName
from verifier.model.drift import Drift
from verifier.model.words import DriftKind, Verdict
from verifier.report import phrase, words
from verifier.report.signed import NotReported, SignedReport

if TYPE_CHECKING:
    import jinja2

ROWS = 500
"""Drifts of one item that a page shows; more are counted. The JSON view holds all."""
FIRST = 5
"""Drifts of a device that an overview names."""
GRAVEST_VERDICT = (Verdict.UNTRUSTED, Verdict.DRIFT, Verdict.UNDETERMINED, Verdict.MATCH)


@dataclass(frozen=True, slots=True)
class Group:
    """The drifts of one item, as far as they are shown."""

    item: str
    kind: str
    shown: tuple[Drift, ...]
    more: int


def html_view(signed: SignedReport) -> str:
    """One report as one page."""
    report = signed.report
    differing = [drift for drift in report.drifts if drift.kind is not DriftKind.UNREAD]
    unread = [drift for drift in report.drifts if drift.kind is DriftKind.UNREAD]
    return _render(
        "report.html",
        signed=signed,
        report=report,
        said=words.said(report),
        levels=words.levels(report),
        masked=sum(item.masked for item in report.items),
        differing=_groups(differing),
        differing_count=len(differing),
        unread=_groups(unread),
        unread_count=len(unread),
    )


def fleet_view(
    reports: Sequence[SignedReport],
    title: str,
    without: Sequence[NotReported] = (),
    pages: Callable[[SignedReport], str] = lambda _: "",
    stale: Collection[DeviceName] = (),
) -> str:
    """Many reports on one page, gravest first: a crane, a site, everything.

    Args:
        without: devices that should have a report and have none; with any of them the page is not green.
        pages: the file name of a report's own page beside this one, to link to; empty: no link.
        stale: devices whose match is older than their interval. It is shown, and never green.
    """
    ranked = sorted(reports, key=lambda each: (GRAVEST_VERDICT.index(each.report.verdict), each.report.device))
    counts = Counter(each.report.verdict for each in reports if each.report.device not in stale)
    found = {each.report.verdict for each in reports} | ({Verdict.UNDETERMINED} if without or stale or not reports else set())
    return _render(
        "fleet.html",
        title=title,
        reports=ranked,
        without=without,
        stale=stale,
        counts=[(verdict, counts[verdict]) for verdict in GRAVEST_VERDICT if counts[verdict]],
        overall=next(verdict for verdict in GRAVEST_VERDICT if verdict in found),
        markings=sorted({each.marking for each in reports if each.marking}),
        first=FIRST,
        telling=_telling,
        page_of=lambda each: quote(pages(each), safe=""),
    )


def _groups(drifts: list[Drift]) -> tuple[Group, ...]:
    by_item: dict[str, list[Drift]] = {}
    for drift in drifts:
        by_item.setdefault(drift.item, []).append(drift)
    return tuple(Group(item, of[0].item_kind.value, tuple(of[:ROWS]), max(0, len(of) - ROWS)) for item, of in by_item.items())


def _telling(drifts: tuple[Drift, ...]) -> tuple[Drift, ...]:
    """The few drifts that say most: of each item the gravest, then the rest, so that one item does not hide another."""
    by_item: dict[str, Drift] = {}
    for drift in drifts:
        by_item.setdefault(drift.item, drift)
    firsts = tuple(by_item.values())
    return (*firsts, *(drift for drift in drifts if by_item[drift.item] is not drift))[:FIRST]


def _render(template: str, **values: Any) -> str:
    return _templates().get_template(template).render(values)


@cache
def _templates() -> jinja2.Environment:
    """The templates of this package. jinja2 is imported here, so that commands that make no page start fast."""
    import jinja2

    def harmless(value: object) -> object:
        # jinja2's own escaped pieces pass; everything else, a number or a name from a device, becomes printable text
        return value if hasattr(value, "__html__") else plain(str(value))

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("verifier.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, phrase=phrase, counted=counted, technique=technique, ROWS=ROWS)
    return environment
