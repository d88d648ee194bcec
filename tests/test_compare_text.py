"""Text, line by line; versions; harmless text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compare_values import file, item, reading, snapshot
from verifier.compare import drifts as drifts_module
from verifier.compare.drifts import compare
from verifier.compare.plain import plain
from verifier.compare.textdiff import text_diff
from verifier.compare.version import Order, order

LONG = [f"line {n}" for n in range(5000)]


def diff(before: str | bytes, after: str | bytes) -> tuple[str, ...]:
    texts = {k: t if isinstance(t, bytes) else t.encode() for k, t in (("a", before), ("b", after))}
    return text_diff("a", "b", texts.get)


def test_a_changed_line_is_shown_with_its_place() -> None:
    after = [*LONG[:2999], "PermitRootLogin yes", *LONG[3000:]]
    assert diff("\n".join(LONG), "\n".join(after)) == (
        "@@ -2997,7 +2997,7 @@",
        " line 2996",
        " line 2997",
        " line 2998",
        "-line 2999",
        "+PermitRootLogin yes",
        " line 3000",
        " line 3001",
        " line 3002",
    )


def test_hostile_text_is_escaped_and_its_lines_are_cut() -> None:
    lines = diff(b"a", b"\x1b[2J\xff\xe2\x80\xae" + b"x" * 900)
    assert lines[1] == "-a"
    assert lines[2].startswith("+\\x1b[2J\\udcff\\u202ex")
    assert lines[2].endswith("... (cut here, 907 characters in all)")


def test_a_long_difference_says_how_much_is_not_shown() -> None:
    lines = diff("\n".join(LONG[:300]), "\n".join(LONG[300:600]))
    assert len(lines) == 201
    assert lines[-1] == "\\ 401 more lines of difference"


def test_texts_too_long_to_align_are_counted() -> None:
    assert diff("\n".join(LONG), "\n".join(reversed(LONG))) == (
        "\\ too long to show line by line: 5,000 lines approved, 5,000 found",
    )


def test_texts_that_are_not_kept_give_no_lines() -> None:
    assert text_diff("", "b", {"b": b""}.get) == ()
    assert text_diff("a", "b", {"b": b""}.get) == ()
    assert text_diff("b", "b", {"b": b""}.get) == ()


TEXTS = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=12).map("\n".join)


@given(TEXTS, TEXTS)
def test_the_diff_turns_the_first_text_into_the_second(before: str, after: str) -> None:
    lines = diff(before, after)
    assert bool(lines) == (before != after)
    gone = [line[1:] for line in lines if line.startswith("-")]
    come = [line[1:] for line in lines if line.startswith("+")]
    old, new = before.split("\n"), after.split("\n")
    assert sorted([*old, *come]) == sorted([*new, *gone])


def both(count: int, before: str, after: str, kept_before: str, kept_after: str) -> tuple[list[tuple[str, ...]], list[str]]:
    old = item(*(reading(f"/{n:03}", file(before, kept=kept_before)) for n in range(count)))
    new = item(*(reading(f"/{n:03}", file(after, kept=kept_after)) for n in range(count)))
    found = compare(snapshot(old), snapshot(new), {"k1": b"one", "k2": b"two"}.get)
    return [d.diff for d in found], [d.note for d in found]


def test_drift_of_a_kept_text_carries_its_lines() -> None:
    assert both(1, "1", "2", "k1", "k2") == ([("@@ -1 +1 @@", "-one", "+two")], [""])


def test_a_change_of_a_secret_alone_is_told_without_showing_it() -> None:
    assert both(1, "1", "2", "k1", "k1") == (
        [()],
        ["the difference lies in what the profile redacts or normalises, or beside the text"],
    )


def test_many_changed_texts_are_not_shown_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drifts_module, "DIFFS", 2)
    diffs, _ = both(4, "1", "2", "k1", "k2")
    assert diffs[1] == ("@@ -1 +1 @@", "-one", "+two")
    assert diffs[2] == diffs[3] == ("\\ not shown: 2 members are shown line by line already",)
    diffs, _ = both(4, "1", "2", "", "")
    assert diffs == [()] * 4


@pytest.mark.parametrize(
    ("approved", "found", "expected"),
    [
        ("3.10.8", "3.9.2", Order.OLDER),
        ("03.10.08", "3.10.8", Order.SAME),
        ("3.10", "3.10.0", Order.SAME),
        ("v1.2", "V1.3", Order.NEWER),
        ("03.10.08(22)", "03.10.08(21)", Order.OLDER),
        ("03.10.08(22)", "03.10.08(022)", Order.SAME),
        ("03.10.08(22)", "03.10.08(23)", Order.NEWER),
        ("1.2-rc1", "1.2", Order.UNKNOWN),
        ("1.2-rc1", "1.3", Order.NEWER),
        ("r7", "r8", Order.UNKNOWN),
        ("1.2", "build", Order.UNKNOWN),
        ("r7", "r7", Order.SAME),
        ("9" * 150, "1", Order.UNKNOWN),
        ("9" * 5000, "1", Order.UNKNOWN),
        ("١.٢", "1.1", Order.UNKNOWN),
    ],
)
def test_versions_are_ordered_as_numbers(approved: str, found: str, expected: Order) -> None:
    assert order(approved, found) is expected


@given(st.text(), st.text())
def test_the_order_of_versions_turns_round(one: str, other: str) -> None:
    turned = {Order.OLDER: Order.NEWER, Order.NEWER: Order.OLDER}
    assert order(other, one) is turned.get(order(one, other), order(one, other))


@given(st.text())
def test_plain_text_is_printable_and_leaves_printable_text_alone(text: str) -> None:
    assert plain(text).isprintable()
    assert not text.isprintable() or plain(text) == text
