"""The pages: whole, self-contained, deaf to what a hostile device writes into its names."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests import report_values as example
from tests.compare_values import file, item, reading, snapshot
from verifier.model.device import DeviceName
from verifier.model.snapshot import FactValue, NotAsked
from verifier.model.words import Criticality, DriftKind, Kind, Verdict
from verifier.report.html import fleet_view, html_view
from verifier.report.signed import NotReported, SignedReport

VOID = {"meta", "br", "rect"}


class Page(HTMLParser):
    """Tags and attributes of a page; refuses one whose tags do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def at(signed: SignedReport, crane: str, device: str) -> SignedReport:
    return replace(signed, report=replace(signed.report, device=DeviceName("terminal-2", crane, device)))


FLEET = [
    at(example.matched(), "STS-02", "gateway"),
    at(example.drifted(), "STS-01", "hoist-controller"),
    at(example.matched(), "STS-01", "gateway"),
    at(example.untrusted(), "STS-02", "hoist-controller"),
]
PAGES = {
    "drift": html_view(example.drifted()),
    "match": html_view(example.matched()),
    "untrusted": html_view(replace(example.untrusted(), marking="SENSITIVE SECURITY INFORMATION")),
    "fleet": fleet_view(FLEET, "terminal-2", [NotReported("terminal-2/STS-03/gateway", "the disk is full")]),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_nothing_but_itself(name: str) -> None:
    page = Page(PAGES[name])
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on") or key in ("src", "href", "action")]
    assert not re.search(r"url\(|@import|https?:", PAGES[name])
    assert PAGES[name].startswith("<!doctype html>")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_by_everybody(name: str) -> None:
    page = Page(PAGES[name])
    assert ("html", {"lang": "en"}) in page.tags
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
    assert all(attributes.get("aria-label") for tag, attributes in page.tags if tag == "svg")
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert "prefers-color-scheme: dark" in PAGES[name]
    assert "@media print" in PAGES[name]


def test_every_kind_of_drift_is_on_the_page() -> None:
    page = Page(PAGES["drift"])
    kinds = {drift.kind for drift in example.drifted().report.drifts}
    assert kinds == set(DriftKind)
    for said in (
        "unexpected interface wwan0",
        "50.0 t → 62.0 t",
        "firmware downgrade 3.10.8 -> 3.9.2",
        "sftp: 5feceb66ffc8 ≠ sha256sum: 6b86b273ff34",
        "What could not be read 3",
        "permission denied: open: EACCES; stands for 3 approved members",
        "421 of 426 members compared (98.8 %)",
        "ATT&CK for ICS v18.1: T0836 Modify Parameter, shown directly",
        "1 member read now stayed out of the comparison",
        "R. Mori (engineer), A. Okafor (security-officer)",
        "crane-verify report verify 12",
        "a forged answer; the same version with changed code",
    ):
        assert said in page.text
    for digest in ("transcript", "baseline", "profile", "previous"):
        assert digest.encode().hex() in PAGES["drift"]


def test_the_lines_of_a_diff_are_marked() -> None:
    marked = re.findall(r'<span class="(plus|minus|meta|same)">([^<]*)</span>', PAGES["drift"])
    assert ("minus", "-PermitRootLogin no") in marked
    assert ("plus", "+PermitRootLogin yes") in marked
    assert ("same", " Port 22") in marked
    assert marked[0][0] == "meta"


HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e'\" onload=x {{ 7*7 }} <!-- &lt;"


def test_hostile_text_is_text_wherever_it_stands() -> None:
    approved = snapshot(item(reading("/a", FactValue("a"))), item(name="users", kind=Kind.ACCOUNT))
    evil = item(
        reading("/a", FactValue(HOSTILE, HOSTILE)),
        reading(HOSTILE, file(target=HOSTILE, version=HOSTILE)),
        name="firmware",
    )
    found = replace(snapshot(evil), not_asked=(NotAsked(HOSTILE, HOSTILE),), notes=(HOSTILE,), profile=HOSTILE)
    report = replace(example.report(approved, found), tool=HOSTILE, notes=(HOSTILE,), profile=HOSTILE)
    named = replace(report, device=DeviceName(HOSTILE, HOSTILE, HOSTILE))
    signed = replace(example.signed(named), signers=(HOSTILE,), marking=HOSTILE)
    for text in (html_view(signed), fleet_view([signed], HOSTILE, [NotReported(HOSTILE, HOSTILE)])):
        page = Page(text)
        assert "script" not in {tag for tag, _ in page.tags}
        assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
        assert {c for c in text if not c.isprintable()} == {"\n"}
        assert "\\x1b[2J\\u202e" in text
        assert "{{ 7*7 }}" in text
        assert "&amp;lt;" in text


def test_a_page_of_a_great_many_drifts_says_what_it_left_out() -> None:
    approved = snapshot(item(*(reading(f"/{n:04}", file()) for n in range(1200))))
    page = Page(html_view(example.signed(example.report(approved, snapshot(item())))))
    assert page.text.count("missing /") == 500
    assert "700 more in this item are not shown here" in page.text


def test_a_match_says_what_it_does_not_prove() -> None:
    page = Page(PAGES["match"])
    assert "What differs" not in page.text
    assert "That nothing is wrong beyond what this evidence can show" in page.text


def test_an_untrusted_baseline_is_no_statement_about_the_device() -> None:
    page = Page(PAGES["untrusted"])
    assert "the newest baseline is not signed by a security-officer" in page.text
    assert "nothing was compared" in page.text
    assert "none: this is the first" in page.text
    assert page.text.count("SENSITIVE SECURITY INFORMATION") == 2


def test_an_overview_puts_the_gravest_first_and_forgets_nobody() -> None:
    page = Page(PAGES["fleet"])
    order = [page.text.index(name) for name in ("STS-02 / hoist-controller", "STS-01 / hoist-controller", "STS-01 / gateway")]
    assert order == sorted(order)
    assert "1 not trusted, 1 drift, 2 match, 1 without a report" in page.text
    assert "terminal-2/STS-03/gateway : the disk is full" in page.text
    assert "and 9 more in its own report" in page.text
    assert "hoist overload trip 50.0 t → 62.0 t" in page.text


def test_an_overview_links_to_the_pages_beside_it_and_nowhere_else() -> None:
    names = {"gateway": "STS 01/gateway.html", "hoist-controller": "javascript:alert(1)"}
    page = Page(fleet_view(FLEET, "terminal-2", pages=lambda each: names[each.report.device.device]))
    links = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert links == {"STS%2001%2Fgateway.html", "javascript%3Aalert%281%29"}


def overall(reports: list[SignedReport], *without: NotReported) -> str:
    found = re.search(r'<header class="verdict (\w+)">', fleet_view(reports, "STS-01", without))
    assert found
    return found[1]


def test_an_overview_is_green_only_when_every_device_matched() -> None:
    match, dead = example.matched(), NotReported("STS-01/drive", "the disk is full")
    assert overall([match, match]) == "match"
    assert overall([match], dead) == "undetermined"
    assert overall([]) == "undetermined"
    assert overall([match, example.drifted()], dead) == "drift"
    assert overall(FLEET) == "untrusted"
    assert "Nothing checked is not a match." in fleet_view([], "STS-01")
    old = fleet_view([match, match], "STS-01", stale={match.report.device})
    assert '<header class="verdict undetermined">' in old
    assert "1 match, stale" in old
    assert '<tr class="match"><th scope="row"' in old  # the legend alone
    assert '<tr class="match">\n' not in old
    nothing = replace(match, report=replace(match.report, verdict=Verdict.UNDETERMINED))
    assert "nothing was compared" in fleet_view([replace(nothing, report=replace(nothing.report, notes=()))], "STS-01")


def test_what_weighs_little_is_not_shouted() -> None:
    low = item(reading("/a", file("1")), criticality=Criticality.LOW)
    changed = replace(low, readings=(reading("/a", file("2")),))
    page = html_view(example.signed(example.report(snapshot(low), snapshot(changed))))
    assert '<td class="low">low</td>' in page
