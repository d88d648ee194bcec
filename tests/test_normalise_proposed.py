"""Masks that several captures propose: narrow, tried before they are shown, read by a profile."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import compare_values as make
from verifier.collect.text import normalised
from verifier.compare.mask_yaml import mask_yaml
from verifier.compare.text_masks import MOST_LINES, text_rules
from verifier.compare.volatility import NoMask, ProposedMask, Seen, Volatile, proposed_masks
from verifier.model.moving import Moving
from verifier.model.profile import Item, Rule
from verifier.model.snapshot import (
    Disagreement,
    FactValue,
    FileValue,
    NumberValue,
    Snapshot,
    Unread,
    Value,
    WordValue,
)
from verifier.model.words import Criticality, FileType, Kind, Reason
from verifier.settings.profiles import read_profile

KEPT: dict[str, bytes] = {}


def text(content: bytes | str, **facets: object) -> FileValue:
    """A text that is kept."""
    data = content.encode() if isinstance(content, str) else content
    digest = hashlib.sha256(data).hexdigest()
    KEPT[digest] = data
    return replace(make.file("x", sha256=digest, kept=digest, size=len(data)), **facets)  # type: ignore[arg-type] # as `make.file`


def captured(*values: Value | None, member: str = "/etc/x", name: str = "settings", **facets: object) -> list[Snapshot]:
    """One member in several captures; None where it was not there."""
    held = [make.reading(member, value) if value else make.reading("/other", make.file("o")) for value in values]
    return [make.snapshot(make.item(each, name=name, kind=Kind.CONFIGURATION, **facets)) for each in held]


def proposed(*values: Value | None, **more: object) -> tuple[ProposedMask, ...]:
    found = proposed_masks(captured(*values, **more), KEPT.get)  # type: ignore[arg-type] # each test gives fields of the right type
    return tuple(each for each in found if each.member != "/other")


def masks(*values: Value | None, **more: object) -> list[object]:
    return [each.mask for each in proposed(*values, **more)]


@pytest.mark.parametrize(
    ("texts", "rules"),
    [
        (["a=1\nup=7\n", "up=9\na=1\n"], [Rule("key-value", only=("/x",), mask=("up",))]),
        (["a: 1\nup time: 7\n", "a: 1\nup time: 9\n"], [Rule("key-value", only=("/x",), mask=("up time",), separator=":")]),
        (["[s]\na=1\nt=7\n[t]\nt=7", "[s]\na=1\nt=9\n[t]\nt=7"], [Rule("ini", only=("/x",), mask=("[s] t",))]),
        (['{"a":{"t":1},"b":[2,3]}', '{"b":[2,4],"a":{"t":5}}'], [Rule("json", only=("/x",), mask=("/a/t", "/b/1"))]),
        (["<a><t>1</t><b/></a>", "<a>\n<t>2</t><b></b></a>"], [Rule("xml", only=("/x",), mask=("/a/t",))]),
        (["<a x='1'><t/><t>1</t></a>", "<a x='2'><t/><t>2</t></a>"], [Rule("xml", only=("/x",), mask=("/a/@x", "/a/t[2]"))]),
        (['{"a":1,"b":2}', '{"b":2, "a":1}'], [Rule("json", only=("/x",))]),
        (
            ["! saved at 12:00:07\nhostname a\n", "! saved at 13:01:07\nhostname a\n"],
            [Rule("drop-match", r"(?<=^!\ saved\ at\ )[0-9]+:[0-9]+(?=:07$)", only=("/x",))],
        ),
        (
            ["set a\nkey abc def 1\n", "set a\nkey ghi jkl 1\n"],
            [Rule("drop-match", r"(?<=^key\ )\S+\ \S+(?=\ 1$)", only=("/x",))],
        ),
        (["a b\r\n17\r\n", "a b\r\n18\r\n"], [Rule("drop-match", "^[0-9]+$", only=("/x",))]),
        (["a\tb 1", "a\tb 2"], [Rule("drop-match", r"(?<=^a\tb\ )[0-9]+$", only=("/x",))]),
        (["at 12:07\nx: 1", "at 12:09\nx: 1"], [Rule("drop-match", r"(?<=^at\ 12:)[0-9]+$", only=("/x",))]),
        (["#saved 7\na=1", "#saved 8\na=1"], [Rule("drop-match", r"(?<=^\#saved\ )[0-9]+$", only=("/x",))]),
        (["set 1\nset x", "set 2\nset x"], [Rule("drop-match", r"(?<=^set\ )[0-9]+$", only=("/x",))]),
    ],
)
def test_the_narrowest_rule_that_covers_what_was_seen(texts: list[str], rules: list[Rule]) -> None:
    found = text_rules("/x", [each.encode() for each in texts])
    assert [each.rule for each in found] == rules


def many(last: str) -> bytes:
    """More lines than get rules, each one other."""
    return b"".join(b"line %s %s\n" % (b"a" * n, last.replace("%d", str(n)).encode()) for n in range(MOST_LINES + 1))


@pytest.mark.parametrize(
    "texts",
    [
        [b"a b\nc", b"a b"],
        [b"\xff 1 a", b"\xff 2 a"],
        [b"abc", b"def"],
        [b"a b", b"a  b"],
        [b'{"a": 1}', b'{"b": 1}'],
        [b"x\x7f 1 a", b"x\x7f 2 a"],
        [b"set " + b"a" * 600 + b" 1", b"set " + b"a" * 600 + b" 2"],
        [many("%d"), many("x")],
        [b'{"\x7f": 1}', b'{"\x7f": 2}'],
        [b'{"*": 1}', b'{"*": 2}'],
        [b'"a"', b'"b"'],
        [b"[1" + b',"%s"' % (b"x" * 4000) * 70 + b"]", b"[2" + b',"%s"' % (b"x" * 4000) * 70 + b"]"],
        [b"a b\r\nc", b"a b\nc"],
        [b"<a b='1'/>", b"<a c='1'/>"],
        [b"".join(b"k%d=1\n" % n for n in range(300)), b"".join(b"k%d=2\n" % n for n in range(300))],
        [b"set a 1" + b"x" * 5000, b"set a 2" + b"x" * 5000],
    ],
)  # fmt: skip
def test_where_nothing_narrow_fits_no_rule_is_made(texts: list[bytes]) -> None:
    assert text_rules("/x", texts) == ()


LINES = st.lists(
    st.sampled_from(["a=1", "a=2", "b: 7", "set x 12:30", "set x 12:31", "", "[s]", "up 3 days", "up 14 days"]), max_size=5
)


@given(st.lists(LINES, min_size=2, max_size=4))
def test_whatever_is_proposed_makes_them_equal(lines: list[list[str]]) -> None:
    texts = ["\n".join(each).encode() for each in lines]
    if found := text_rules("/x", texts):
        rules = tuple(each.rule for each in found)
        assert len({normalised(rules, each).text for each in texts}) == 1
        assert all(len(each.seen) == len(texts) for each in found)


def word(*words: int) -> list[Value]:
    return [WordValue(each) for each in words]


@pytest.mark.parametrize(
    ("values", "mask"),
    [
        (word(1200, 1210, 1225), Moving(("/etc/x",), counter=True)),
        (word(0b1000, 0b1001, 0b1000), Moving(("/etc/x",), bits=(0,))),
        (word(600, 605, 602), Moving(("/etc/x",), within=Decimal(3))),
        (word(0b10100, 0b10111, 0b10001), Moving(("/etc/x",), bits=(0, 1, 2))),
        (word(5, 60000, 17), Volatile("/etc/x")),
        (word(0, 1), Volatile("/etc/x")),
        ([NumberValue((1, 600), "60.0"), NumberValue((1, 605), "60.5")], Moving(("/etc/x",), within=Decimal("0.5"))),
        ([NumberValue((1, 6), "0.6"), NumberValue((9, 5), "60.5")], Volatile("/etc/x")),
        ([NumberValue((7,), "not a number"), NumberValue((8,), "60.5")], Volatile("/etc/x")),
        ([FactValue("up"), FactValue("down")], Volatile("/etc/x")),
        ([make.file("a"), make.file("b")], Volatile("/etc/x")),
        ([make.file("a"), None, make.file("a")], Volatile("/etc/x")),
        ([text("a b\n"), text("a b\nc\n")], Volatile("/etc/x")),
        ([text("up 1"), make.file("b", kept="f" * 64)], Volatile("/etc/x")),
        ([text("a=1"), text("a=2")], Rule("key-value", only=("/etc/x",), mask=("a",))),
    ],
)
def test_each_kind_of_value_has_its_narrowest_mask(values: list[Value | None], mask: object) -> None:
    assert masks(*values) == [mask]


@pytest.mark.parametrize(
    ("values", "more", "why"),
    [
        ([make.file("a"), make.file("b", mode=0o755)], {}, "its mode moved, not only its content"),
        ([make.file("a"), make.file("b", mode=0o755, owner=7)], {}, "its mode, owner moved"),
        ([make.file("a"), make.file("b")], {"criticality": Criticality.CRITICAL}, "it is critical"),
        ([make.file("a"), make.file("b")], {"critical_members": (("/etc/x", Criticality.CRITICAL),)}, "it is critical"),
        ([make.file("a"), make.file("b")], {"member": "/etc/[*]"}, "its name holds a wildcard"),
        ([None, make.file("b", type=FileType.DIRECTORY)], {}, "a mask over a folder"),
        ([make.file("a"), Disagreement("a", "1", "b", "2")], {}, "two answers"),
        ([Disagreement("a", "1", "b", "2")] * 2, {}, "two answers"),
        ([FactValue("a"), FactValue("b")], {"name": "connection"}, "the tool's own item"),
        ([text("a", sha256="1" * 64), text("a", sha256="2" * 64)], {}, "what moved is redacted"),
    ],
)
def test_what_no_mask_should_hide_is_said(values: list[Value | None], more: dict[str, object], why: str) -> None:
    (found,) = masks(*values, **more)
    assert isinstance(found, NoMask)
    assert found.why.startswith(why)


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ([make.file("a"), make.file("a", mtime=9)], {}),
        ([make.file("a", normal_sha256="n"), make.file("b", normal_sha256="n")], {}),
        ([make.file("a"), make.file("b")], {"volatile": ("/etc/*",)}),
        (word(3, 4), {"moving": (Moving(("/etc/x",), counter=True),)}),
        ([make.file("a"), Unread(Reason.TIMED_OUT), make.file("a")], {}),
        ([Unread(Reason.TIMED_OUT)] * 2, {}),
        ([make.file("a")], {}),
    ],
)
def test_what_did_not_move_or_is_masked_already_needs_none(values: list[Value | None], more: dict[str, object]) -> None:
    assert masks(*values, **more) == []


def test_a_capture_with_a_gap_says_nothing_about_what_it_does_not_show() -> None:
    whole, gap = captured(make.file("a"), member="/etc/x")[0], make.reading("/etc", Unread(Reason.TIMED_OUT, "", True))
    assert proposed_masks([make.snapshot(make.item(gap, name="settings")), whole], KEPT.get) == ()
    assert proposed_masks([make.snapshot(), whole], KEPT.get) == ()


def test_a_move_beyond_its_rule_is_proposed_again() -> None:
    rule = Moving(("/etc/x",), within=Decimal(2))
    assert masks(*word(600, 610), moving=(rule,)) == [Moving(("/etc/x",), within=Decimal(10))]
    assert masks(WordValue(1), FactValue("1"), moving=(rule,)) == [Volatile("/etc/x")]


def test_the_evidence_names_each_capture() -> None:
    (found,) = proposed(text("a=1\nb=5"), None, text("b=6\na=1"))
    assert found.seen == (
        Seen(1, "file, 7 bytes, mode 0644, sha256 " + hashlib.sha256(b"a=1\nb=5").hexdigest()[:12]),
        Seen(2, ""),
        Seen(3, "file, 7 bytes, mode 0644, sha256 " + hashlib.sha256(b"b=6\na=1").hexdigest()[:12]),
    )
    (narrow,) = proposed(text("a=1\nb=5"), text("b=6\na=1"))
    assert narrow.seen == (Seen(1, "b 5"), Seen(2, "b 6"))


PROFILE = """
profile: x
title: X
version: 2
maturity: documented
"""


def pasted(lines: tuple[str, ...], ask: str) -> Item:
    """The printed lines as the items of a profile, with what an item needs beside them."""
    whole = "\n".join(lines).replace('  - name: "settings"', f'  - name: "settings"\n    kind: configuration\n    {ask}')
    (item,) = read_profile(PROFILE + whole.replace("text:", "text:\n      match: ['/**']"), "x.yaml").items
    return item


@pytest.mark.parametrize(
    ("values", "ask"),
    [
        ([text("a: 1\nb: x"), text("a: 1\nb: y")], "files: {paths: [/etc]}"),
        ([text('{"é\\ud83d\\ude00": 1}'), text('{"é\\ud83d\\ude00": 2}')], "files: {paths: [/etc]}"),
        ([text("saved 7\nset \"a\\b\" 1"), text("saved 8\nset \"a\\b\" 2")], "files: {paths: [/etc]}"),
        ([make.file("a"), make.file("b")], "files: {paths: [/etc]}"),
        (word(1, 2, 3), "registers: {table: holding, first: 7, count: 1}"),
        (word(16, 17), "registers: {table: holding, first: 7, count: 1}"),
        (word(600, 605), "registers: {table: holding, first: 7, count: 1}"),
    ],
)  # fmt: skip
def test_the_printed_lines_are_read_by_a_profile_and_mean_the_masks(values: list[Value], ask: str) -> None:
    found = proposed(*values, member="holding 00007" if "registers" in ask else "/etc/ä\\x01 x")
    item = pasted(mask_yaml(found), ask)
    held: list[object] = [*(item.text.normalise if item.text else ()), *item.moving, *(Volatile(each) for each in item.volatile)]
    assert held == [each.mask for each in found]
    assert all(f"# capture {each.capture}: " in "\n".join(mask_yaml(found)) for each in found[0].seen[:1])


def test_two_items_and_what_is_not_masked_are_printed_too() -> None:
    hostile = "x\n- evil: 1\x1b[2J"
    one = captured(FactValue("a"), FactValue(hostile), name="routes")
    other = captured(make.file("a"), make.file("b", mode=0o700), name="files")
    both = [replace(a, items=(*a.items, *b.items)) for a, b in zip(one, other, strict=True)]
    assert mask_yaml(proposed_masks(both, KEPT.get)) == (
        "# add these to the items of the profile, and raise its version",
        "items:",
        '  - name: "routes"',
        "    volatile:",
        "      # capture 1: a; capture 2: x\\n- evil: 1\\x1b[2J",
        '      - "/etc/x"',
        "# no mask for files /etc/x: its mode moved, not only its content (capture 1: file, 1 bytes, mode 0644, sha256 "
        f"{make.sha('a')[:12]}; capture 2: file, 1 bytes, mode 0700, sha256 {make.sha('b')[:12]})",
    )
    assert mask_yaml(()) == ()
