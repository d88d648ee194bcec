"""Normalising, redacting and finding versions: only by the profile's rules, and within bounds on hostile text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.collect import text
from verifier.errors import UsageError
from verifier.model.profile import Rule

HOSTILE = st.lists(
    st.sampled_from([b"a", b"# time 12:00", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\xff", "é".encode(), b"\x0c", b"12:00:59"]),
    max_size=40,
).map(b"".join)
LIMIT = 4 << 20


@pytest.mark.parametrize(
    "rule",
    [
        Rule("line-ends"),
        Rule("trailing-space"),
        Rule("sort-lines"),
        Rule("drop-lines", "^#"),
        Rule("drop-match", r"\d\d:\d\d:\d\d"),
    ],
    ids=lambda rule: rule.name,
)
@given(HOSTILE)
def test_a_rule_applied_twice_is_a_rule_applied_once(rule: Rule, data: bytes) -> None:
    once = text.normalised([rule], data).text
    assert text.normalised([rule], once).text == once


@given(HOSTILE)
def test_no_rules_change_nothing(data: bytes) -> None:
    assert text.normalised([], data).text == data
    assert text.redacted([], data) == data


@given(st.lists(st.text(st.characters(categories=["L", "N"]), max_size=5)), st.randoms())
def test_sorted_lines_do_not_depend_on_their_order(lines: list[str], dice: object) -> None:
    shuffled = list(lines)
    dice.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    one, other = ("".join(f"{line}\n" for line in each).encode() for each in (lines, shuffled))
    assert text.normalised([Rule("sort-lines")], one).text == text.normalised([Rule("sort-lines")], other).text


@pytest.mark.parametrize(
    ("rules", "before", "after"),
    [
        ([Rule("line-ends")], b"a\r\nb\rc\n", b"a\nb\nc\n"),
        ([Rule("trailing-space")], b"a \t\nb  \r\nc ", b"a\nb\r\nc"),
        ([Rule("sort-lines")], b"b\na", b"a\nb\n"),
        ([Rule("sort-lines")], b"", b""),
        ([Rule("drop-lines", "^ntp clock-period")], b"a\nntp clock-period 17\r\nb\n", b"a\nb\n"),
        ([Rule("drop-lines", "^$")], b"a\n\nb\n", b"a\nb\n"),
        ([Rule("drop-match", r"at \d+$")], b"saved at 17\r\n", b"saved \r\n"),
        ([Rule("drop-match", r"é")], "\xe9t\xe9 \u00e9".encode() + b"\xff", b"t \xff"),
        ([Rule("line-ends"), Rule("drop-lines", "^!")], b"! x\ra\r", b"a\n"),
    ],
)
def test_rules_do_what_they_say(rules: list[Rule], before: bytes, after: bytes) -> None:
    assert text.normalised(rules, before).text == after


def test_a_line_that_is_not_dropped_is_never_lost() -> None:
    long = b"# " + b"x" * text.LONGEST_LINE
    assert text.normalised([Rule("drop-lines", "^#"), Rule("drop-match", "x")], long + b"\n# y\n").text == long + b"\n"


@pytest.mark.parametrize(
    ("pattern", "before", "after"),
    [
        (r"password (\S+)", b"user a password secret ttl 5", b"user a password [redacted] ttl 5"),
        (r"secret", b"a secret, a secret", b"a [redacted], a [redacted]"),
        (r"(\w+):(\w+)@", b"http://me:pw@host", b"http://[redacted]:[redacted]@host"),
        (r"key=(\w+)|pin=(\d+)", b"pin=1234 key=abc", b"pin=[redacted] key=[redacted]"),
        (r"key=((\w)\w*)", b"key=abc", b"key=[redacted]"),
        (r"psk (.*)$", b"psk a b c\r\nnext", b"psk [redacted]\r\nnext"),
        (r"psk (.*)", b"psk a\x0cb\x85c", b"psk [redacted]"),
        (r"psk (\w*)", b"psk  x", b"psk  x"),
    ],
)
def test_redacting_hides_each_group_or_the_whole_match(pattern: str, before: bytes, after: bytes) -> None:
    assert text.redacted([pattern], before) == after


@given(st.lists(st.sampled_from(["x", "password hunter2", "-----BEGIN RSA PRIVATE KEY-----", "hunter2"]), max_size=8))
def test_no_secret_is_left_where_its_pattern_matches(lines: list[str]) -> None:
    kept = text.redacted([r"(hunter2)"], "\n".join(lines).encode())
    assert b"hunter2" not in kept


def test_private_keys_are_removed_whatever_the_profile_says() -> None:
    data = b"a\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----\nb\n"
    assert text.redacted([], data) == b"a\n" + b"[redacted]\n" * 4 + b"b\n"


def test_a_private_key_without_an_end_hides_everything_behind_it() -> None:
    assert text.redacted([], b"-----BEGIN PRIVATE KEY-----\nAAAA\nb") == b"[redacted]\n[redacted]\n[redacted]"


def test_a_line_too_long_for_patterns_is_not_kept() -> None:
    secret = b"password hunter2" + b" " * text.LONGEST_LINE
    assert b"hunter2" not in text.redacted([r"password (\w+)"], secret)


@pytest.mark.parametrize(
    ("data", "yes"),
    [
        (b"plain\n", True),
        (b"", True),
        (b"x" * 101, False),
        (b"p\0a\0s\0s\0", False),
        (b"\xff\xfe not UTF-8\n", True),
    ],
)
def test_what_is_text(data: bytes, yes: bool) -> None:
    assert (not text.no_text(data, 100)) is yes


def test_text_on_which_patterns_could_run_for_minutes_is_not_treated_as_text() -> None:
    hard = (b" " * (text.LONGEST_LINE - 1) + b"\n") * 1000
    assert len(hard) < LIMIT
    assert text.no_text(hard, LIMIT)
    started = time.monotonic()
    allowed = (b" " * 1000 + b"\n") * 100
    assert not text.no_text(allowed, LIMIT)
    text.redacted([r"\s*password"], allowed)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("pattern", "data", "found"),
    [
        (r"FIRMWARE=([\d.]+)", b"\nFIRMWARE=03.10.08(99)\nFIRMWARE=1\n", "03.10.08"),
        (r"\d+\.\d+", b"version 2.10 of", "2.10"),
        (r"v(\d)", b"none", ""),
        (r"v(.*)", b"v1\x1b[2J", "1[2J"),
        (r"a(b)?", b"a", ""),
    ],
)
def test_versions_are_found_and_harmless(pattern: str, data: bytes, found: str) -> None:
    assert text.version(pattern, data) == found


def test_an_unknown_rule_is_the_profiles_fault() -> None:
    with pytest.raises(UsageError, match="sort-words"):
        text.normalised([Rule("sort-words")], b"")


def test_a_wrong_regular_expression_is_the_profiles_fault() -> None:
    with pytest.raises(UsageError, match="unterminated"):
        text.redacted(["[a"], b"x")
