"""Expressions of profiles that a device could make run for ever are refused, and those that people write are not."""

from __future__ import annotations

import re
import time

import pytest

from verifier.errors import SettingsError
from verifier.settings.backtracking import runs_away
from verifier.settings.profiles import read_profile

ENDLESS = (
    (r"^(a+)+$", "a" * 40 + "!"),
    (r"^(\w+\s?)*$", "a" * 40 + "!"),
    (r"(?:.*,)*x", "," * 40),
    (r"^(a|a)*$", "a" * 40 + "!"),
    (r"^(a|ab|b)*$", "ab" * 40 + "!"),
    (r"^(a?a)*$", "a" * 60 + "!"),
    (r"^(?:[0-9]+\.?)+$", "1" * 40 + "!"),
    (r"^([a-z]*)*$", "a" * 40 + "!"),
    (r"^(?:(?:ab?)+b?)*$", "ab" * 30 + "!"),
    (r"^(\S+|x)*$", "x" * 40 + " "),
    (r"^(?:a{0,20}){30}$", "a" * 50 + "!"),
    (r"(.*)pass(.*)=(.*);x", "pass=" * 800),
    (r"(.*)a(.*)b;", "ab" * 2000),
    (r"^(?:.*,){3}x", "," * 4000),
)
RUNAWAY = r"^((?:\w+\s?)*)$"
HARMLESS = (
    r"^# generated",
    r"generated at .*",
    r"FIRMWARE=(\S+)",
    r"^\s*(\S+)\s*=\s*(\S.*?)\s*$",
    r"version (\d+(?:\.\d+)+)",
    r'"((?:[^"\\]|\\.)*)"',
    r"^(?:\w+\s+)*end$",
    r"(?:foo|for|bar)+",
    r"^(?:[^,]*,){3}([^,]+)",
    r"(?i)pass(?:word|phrase)?\s*[:=]\s*(.+)",
    r"(\S+) is up",
    r"^(.*?)user=(.*?) at .*",
    r"^([^;]*);([^;]*);([^;]*);([^;]*)$",
    r"V([0-9]{2}\.[0-9]{2}(?:-[A-Z]+)?)",
)


@pytest.mark.parametrize(("expression", "text"), ENDLESS, ids=[expression for expression, _ in ENDLESS])
def test_what_runs_away_is_found(expression: str, text: str) -> None:
    assert runs_away(expression)


def test_they_do_run_away() -> None:
    """Else this file would refuse what is harmless: each further letter doubles the time."""
    times = []
    for length in (12, 18):
        start = time.perf_counter()
        assert not re.search(r"^(\w+\s?)*$", "a" * length + "!")
        times.append(time.perf_counter() - start)
    assert times[1] > 8 * times[0]


@pytest.mark.parametrize("key", ["version", "redact"])
def test_a_profile_with_one_is_refused_with_a_way_out(key: str) -> None:
    rule = f"version: '{RUNAWAY}'" if key == "version" else f"text: {{match: [/a], redact: ['{RUNAWAY}']}}"
    profile = (
        "profile: mine\ntitle: Mine\nversion: 1\nmaturity: documented\n"
        f"items:\n  - {{name: a, kind: firmware, files: {{paths: [/a]}}, {rule}}}\n"
    )
    with pytest.raises(SettingsError, match="run for ever") as refused:
        read_profile(profile, "mine.yaml")
    assert "(?:" in refused.value.hint


@pytest.mark.parametrize("expression", HARMLESS)
def test_what_people_write_is_not(expression: str) -> None:
    assert not runs_away(expression)
