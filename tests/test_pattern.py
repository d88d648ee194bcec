"""Patterns of member names: what they stand for, and that no name a device chooses makes them slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from verifier.model.pattern import Steady, compiled, matches

EXAMPLES = (
    ("/var/log", ("/var/log", "/var/log/a/b"), ("/var/logs", "/var", "x/var/log")),
    ("/var/log/", ("/var/log", "/var/log/a"), ("/var/logs",)),
    ("/etc/*.bak", ("/etc/a.bak", "/etc/.bak"), ("/etc/a/b.bak", "/etc/a.bak/c")),
    ("/etc/**/*.bak", ("/etc/a.bak", "/etc/b/c/a.bak"), ("/etc", "/usr/etc/a.bak", "/etca.bak")),
    ("**/cache/**", ("/a/cache/b", "cache/b", "/cache/b/c"), ("/a/cache", "/a/mycache/b")),
    ("/opt/v?/x", ("/opt/v1/x",), ("/opt/v/x", "/opt/v//x")),
    ("/a**b", ("/ab", "/a/x/b"), ("/a", "/a/x/c")),
)


@pytest.mark.parametrize(("pattern", "yes", "no"), EXAMPLES)
def test_what_a_pattern_stands_for(pattern: str, yes: tuple[str, ...], no: tuple[str, ...]) -> None:
    assert [name for name in (*yes, *no) if matches((pattern,), name)] == list(yes)
    assert [name for name in (*yes, *no) if Steady(pattern).match(name)] == list(yes)
    assert not matches((), yes[0])


@given(st.text("a/*?b", min_size=1, max_size=9), st.text("ab/\n", max_size=9))
@example("**/", "a/a")
@example("***/a", "/a")
@example("/", "/a")
def test_both_ways_of_matching_agree(pattern: str, name: str) -> None:
    expected = compiled((pattern,))._expression.fullmatch(name) is not None
    assert Steady(pattern).match(name) == expected


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("/**/a*/**/b*/**/c", "/" + "a/b/" * 1000),
        ("/x*a*a*a*a*b", "/x" + "a" * 4000),
        ("**/a/**/a/**/a/**/*.bak", "/a" * 2000),
    ],
)
def test_no_name_that_a_device_chooses_takes_long(pattern: str, name: str) -> None:
    start = time.monotonic()
    assert not matches(("/other/**", pattern), name)
    assert matches(
        ("/other/**", pattern), name + "a/b/c" if pattern.endswith("c") else name + "b" if "x" in pattern else name + "/.bak"
    )
    assert time.monotonic() - start < 1
