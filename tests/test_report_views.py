"""What people and programs are shown of a signed report."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import compare_values as make
from tests import report_values as example
from verifier.model.codec import from_json
from verifier.model.drift import Difference, Drift
from verifier.model.report import Coverage, Report
from verifier.model.snapshot import Snapshot
from verifier.model.words import Criticality, DriftKind, Evidence, Kind, Verdict
from verifier.report import words
from verifier.report.machine import document, json_text
from verifier.report.phrase import phrase
from verifier.report.signed import SignedReport
from verifier.report.text import Line, Style, drift_lines, headline, text_lines, text_view
from verifier.report.views import VIEWS

ALL = [example.drifted(), example.matched(), example.untrusted()]


def rendered(signed: SignedReport, name: str) -> str:
    return VIEWS[name].render(signed)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("signed", ALL, ids=lambda s: s.report.verdict.value)
def test_every_view_names_the_signed_report_it_shows(name: str, signed: SignedReport) -> None:
    page = rendered(signed, name)
    assert signed.sha256 in page
    assert re.search(r"\b12\b", page)


@pytest.mark.parametrize("name", VIEWS)
def test_no_view_lets_a_control_character_or_bidi_override_through(name: str) -> None:
    page = rendered(example.drifted(), name)
    assert {c for c in page if not c.isprintable()} <= {"\n", "\r"}
    assert "wwan0" in page


def test_views_are_pure() -> None:
    for view in VIEWS.values():
        assert view.render(example.drifted()) == view.render(example.drifted())


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(make.snapshots(make.known | make.unreads | make.disagreements), make.snapshots(), st.text())
def test_every_report_can_be_shown(approved: Snapshot, found: Snapshot, note: str) -> None:
    signed = example.signed(replace(example.report(approved, found), notes=(note,)))
    for name in VIEWS:
        assert {c for c in rendered(signed, name) if not c.isprintable()} <= {"\n", "\r"}


def test_the_text_begins_with_verdict_and_coverage() -> None:
    assert headline(example.drifted()) == Line(
        "DRIFT  terminal-2/STS-01/hoist-controller  421 of 426 members compared (98.8 %)", Style.BAD
    )
    assert headline(example.matched()).text.startswith("MATCH  terminal-2/STS-01/hoist-controller  426 of 426 members")
    assert headline(example.untrusted()) == Line(
        "NOT TRUSTED  terminal-2/STS-01/hoist-controller  nothing was compared", Style.BAD
    )


def test_the_text_speaks_as_a_crane_engineer_does() -> None:
    text = text_view(example.drifted())
    for line in (
        "  critical  hoist overload trip 50.0 t -> 62.0 t  [claimed]",
        "            firmware downgrade 3.10.8 -> 3.9.2",
        "            same version 2.1.0, different bytes",
        "  critical  /usr/bin/passwd-helper mode 0755 -> 4755 (setuid)  [content]",
        "  critical  unexpected interface wwan0 (up mac=02:50:f4:00:00:01 driver=qmi_wwan \\u202e\\x1b[31m)  [claimed]",
        "  critical  two answers for /opt/controller/lib/lib007.so: sftp: 5feceb66ffc8 <> sha256sum: 6b86b273ff34  [content]",
        "  high      not read: /etc/ssl/private",
        "            permission denied: open: EACCES; stands for 3 approved members",
        "  high      not read: all of users",
        "            +PermitRootLogin yes",
        "  ATT&CK for ICS v18.1: T0836 Modify Parameter, which reading shows directly",
        "  claimed (E1): the device states a version, an id or a value",
        "  boot slots: no RAUC on this device",
        "  hoist overload trip is 62.0 t, outside the limits of the profile (hoist limits)",
        "  by collector-07, entry 12 of the record",
        "  verify with: crane-verify report verify 12",
    ):
        assert f"\n{line}\n" in text


def test_a_match_still_says_what_it_does_not_prove() -> None:
    text = text_view(example.matched())
    assert "a hardware implant" in text
    assert "leaves open: a kernel or firmware that serves clean copies" in text
    assert "critical" not in text


def test_colours_say_what_the_words_say() -> None:
    styles = {line.style for line in text_lines(example.drifted())}
    assert styles == {Style.BAD, Style.DOUBT, Style.ADDED, Style.REMOVED, Style.FAINT, Style.TITLE, Style.PLAIN}
    assert Style.BAD not in {line.style for line in text_lines(example.matched())}
    added = [line.text.strip() for line in text_lines(example.drifted()) if line.style is Style.ADDED]
    assert added == ["+PermitRootLogin yes", "+PasswordAuthentication yes", "+AllowTcpForwarding yes"]


def many(count: int) -> tuple[Drift, ...]:
    return tuple(
        Drift(DriftKind.MISSING, "firmware", Kind.FIRMWARE, Criticality.LOW, f"/{n}", Evidence.CONTENT, ()) for n in range(count)
    )


def test_a_terminal_is_not_flooded_and_says_what_it_left_out() -> None:
    signed = example.signed(replace(example.matched().report, drifts=many(250), verdict=Verdict.DRIFT))
    text = text_view(signed)
    assert text.count("missing /") == 100
    assert "and 150 more in this item" in text
    assert sum("missing /" in line.text for line in drift_lines(many(250))) == 250


def test_one_cause_is_told_once_and_never_for_another() -> None:
    off, busy = "unreachable: 10.0.0.1 refuses connections", "crane working"

    def unread(item: str, note: str) -> Drift:
        return Drift(DriftKind.UNREAD, item, Kind.FIRMWARE, Criticality.HIGH, "*", Evidence.STATED, (), note)

    changed = Drift(DriftKind.MISSING, "d", Kind.FIRMWARE, Criticality.HIGH, "/d", Evidence.CONTENT, ())
    drifts = (
        unread("a", f"{off}; stands for 12 approved members"),
        unread("b", f"{off}; stands for 3 approved members"),
        unread("c", busy),
        changed,
        unread("e", busy),
        unread("f", off),
        unread("g", off),
    )
    told = [line.text.strip() for line in drift_lines(drifts)]
    notes = [text for text in told if off in text or busy in text or "as above" in text]
    assert notes == [
        f"{off}; stands for 12 approved members",
        "as above; stands for 3 approved members",
        busy,
        busy,
        off,
        "as above",
    ]


def test_a_marking_stands_first_and_last() -> None:
    lines = text_lines(replace(example.matched(), marking="SENSITIVE SECURITY INFORMATION"))
    assert lines[0].text == lines[-1].text == "SENSITIVE SECURITY INFORMATION"
    assert document(replace(example.matched(), marking="SSI"))["marking"] == "SSI"


@pytest.mark.parametrize(
    ("drift", "said"),
    [
        (Drift(DriftKind.MISSING, "users", Kind.ACCOUNT, Criticality.HIGH, "crane", Evidence.CLAIMED, ()), "missing user crane"),
        (
            Drift(
                DriftKind.CHANGED,
                "routes",
                Kind.NETWORK,
                Criticality.HIGH,
                "default dev eth0",
                Evidence.CLAIMED,
                (Difference("text", "", "via=10.0.0.1"), Difference("text", "local", "")),
            ),
            "route default dev eth0 now also via=10.0.0.1; no longer local",
        ),
        (
            Drift(
                DriftKind.UNREAD,
                "program",
                Kind.PROGRAM,
                Criticality.HIGH,
                "*",
                Evidence.DEVICE_HASH,
                (Difference("/a", "content", "device-hash"),),
            ),
            "not read: several members of program",
        ),
    ],
)
def test_drifts_have_words(drift: Drift, said: str) -> None:
    assert phrase(drift) == said


@pytest.mark.parametrize(
    ("coverage", "said"),
    [
        (Coverage(1204, 1204), "1,204 of 1,204 members compared (100 %)"),
        (Coverage(99_999, 100_000), "99,999 of 100,000 members compared (99.9 %)"),
        (Coverage(0, 7), "0 of 7 members compared (0 %)"),
        (Coverage(0, 0), "nothing was compared"),
    ],
)
def test_only_all_of_it_is_a_hundred_percent(coverage: Coverage, said: str) -> None:
    assert words.coverage(coverage) == said
    assert words.percent(Coverage(0, 0)) == "0 %"


def test_a_reading_over_midnight_names_both_days() -> None:
    report = example.matched().report
    assert words.span(report) == "2026-11-22 06:00:00 to 06:00:12 UTC"
    late = replace(report, ended=report.ended + timedelta(hours=20))
    assert words.span(late) == "2026-11-22 06:00:00 to 2026-11-23 02:00:12 UTC"


def test_every_verdict_kind_and_level_has_its_sentence() -> None:
    assert set(words.VERDICTS) == set(Verdict)
    assert set(words.DRIFT_KINDS) == set(DriftKind)
    assert [words.EVIDENCE[level].level for level in sorted(Evidence)] == ["E0", "E1", "E2", "E3", "E4", "E5"]


@pytest.mark.parametrize("signed", ALL, ids=lambda s: s.report.verdict.value)
def test_json_carries_the_report_itself(signed: SignedReport) -> None:
    shown = json.loads(rendered(signed, "json"))
    assert from_json(Report, shown["report"]) == signed.report
    assert shown["record"] == {"sequence": 12, "sha256": signed.sha256, "signers": ["collector-07"]}
    assert shown["exit_code"] == {"drift": 3, "match": 0, "untrusted": 5}[signed.report.verdict.value]
    assert len(shown["drifts_in_words"]) == len(shown["techniques"]) == len(signed.report.drifts)
    assert "marking" not in shown


@given(st.text())
def test_json_is_safe_to_print_and_loses_nothing(text: str) -> None:
    printed = json_text({"note": text})
    assert json.loads(printed) == {"note": text}
    assert {c for c in printed if not c.isprintable()} == {"\n"}


def rows(signed: SignedReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(rendered(signed, "csv"), newline="")))


def test_csv_has_a_line_for_each_drift() -> None:
    held = rows(example.drifted())
    assert len(held) == len(example.drifted().report.drifts)
    hoist = next(row for row in held if row["member"] == "hoist overload trip")
    assert (hoist["what"], hoist["evidence"], hoist["technique"]) == (
        "hoist overload trip 50.0 t -> 62.0 t",
        "claimed",
        "T0836 Modify Parameter (ATT&CK for ICS v18.1)",
    )
    (only,) = rows(example.matched())
    assert (only["verdict"], only["compared"], only["member"], only["report_sequence"]) == ("match", "426", "", "12")


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula(start: str) -> None:
    evil = replace(many(1)[0], member=f"{start}cmd|' /C calc'!A0", note=f"{start}1+1")
    (row,) = rows(example.signed(replace(example.matched().report, drifts=(evil,))))
    assert row["member"] == f"'{evil.member}"
    assert row["note"] == f"'{evil.note}"


def suite(signed: SignedReport) -> ElementTree.Element:
    return ElementTree.fromstring(rendered(signed, "junit"))


def test_junit_fails_on_drift_and_errs_on_what_was_not_read() -> None:
    xml = suite(example.drifted())
    assert {case.get("name"): [child.tag for child in case] for case in xml.iter("testcase")} == {
        "firmware": ["failure"],
        "hoist limits": ["failure"],
        "interfaces": ["failure"],
        "settings": ["failure"],
        "users": ["error"],
    }
    assert (xml.get("tests"), xml.get("failures"), xml.get("errors"), xml.get("time")) == ("5", "4", "1", "12.000")
    assert "high: not read: /etc/ssl/private" in "".join(xml.itertext())


def test_junit_is_green_only_for_a_match() -> None:
    assert [suite(example.matched()).get(count) for count in ("tests", "failures", "errors")] == ["5", "0", "0"]
    nothing = example.signed(example.report(make.snapshot(), make.snapshot()))
    for signed in (example.untrusted(), nothing):
        xml = suite(signed)
        assert (xml.get("tests"), xml.get("errors")) == ("1", "1")


def test_a_profile_that_changed_is_a_case_of_its_own() -> None:
    other = replace(example.approved(), profile_digest=make.sha("other"))
    xml = suite(example.signed(example.report(example.approved(), other)))
    assert [case.get("name") for case in xml.iter("testcase") if len(case)] == ["profile"]


def test_the_template_engine_is_imported_only_for_pages() -> None:
    code = "import sys, verifier.report.views; assert 'jinja2' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True).stderr == ""
