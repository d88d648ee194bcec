"""Strict YAML: what is refused, where, and with which fix; and that nothing but SettingsError ever comes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.errors import SettingsError
from verifier.settings import yaml
from verifier.settings.node import Plain, place_of, plain
from verifier.settings.scalar import Surprise, resolved


@pytest.fixture(params=["libyaml", "python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both parsers of PyYAML: a machine without libyaml must refuse the same."""
    if request.param == "libyaml" and not pyyaml.__with_libyaml__:
        pytest.skip("this PyYAML was built without libyaml")
    monkeypatch.setattr(yaml, "_Loader", pyyaml.CSafeLoader if request.param == "libyaml" else pyyaml.SafeLoader)
    yield request.param


def read(text: str) -> Plain:
    return plain(yaml.parse(text, "file.yaml"))


def refused(text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        read(text)
    assert str(caught.value).startswith("file.yaml")
    return caught.value


@pytest.mark.usefixtures("loader")
def test_the_values_that_have_a_meaning() -> None:
    text = """\
text: some words
quoted: "no"
single: '0755'
number: 502
negative: -5
mode: 0o755
address: 0x34
yes please: true
no thanks: false
nothing: null
empty:
version: 1.10.2
host: 10.0.0.1
window: 22:00-05:00
mac: 00:1a:22:33:44:55
list: [a, 1, {b: c}]
block: |
  two
  lines
"""
    assert read(text) == {
        "text": "some words",
        "quoted": "no",
        "single": "0755",
        "number": 502,
        "negative": -5,
        "mode": 0o755,
        "address": 0x34,
        "yes please": True,
        "no thanks": False,
        "nothing": None,
        "empty": None,
        "version": "1.10.2",
        "host": "10.0.0.1",
        "window": "22:00-05:00",
        "mac": "00:1a:22:33:44:55",
        "list": ["a", 1, {"b": "c"}],
        "block": "two\nlines\n",
    }


SURPRISES = [
    ("no", "is not text to every reader", 'write false, or "no" if it is text'),
    ("Yes", "is not text to every reader", 'write true, or "Yes"'),
    ("on", "is not text to every reader", "write true"),
    ("OFF", "is not text to every reader", "write false"),
    ("True", "is not text to every reader", "write true"),
    ("y", "is not text to every reader", "write true"),
    ("0755", "octal", 'write 0o755 or 493 for a file mode, or "0755" if it is text'),
    ("0899", "would be read as a number", "write 899"),
    ("1_000", "would be read as a number", "write 1000"),
    ("+5", "would be read as a number", "write 5"),
    ("-0_5", "octal", "write 0o5"),
    ("0b101", "binary", 'put it in quotes: "0b101"'),
    ("0x_1", "would be read as a number", "quotes"),
    ("1:30", "base 60", 'put it in quotes: "1:30"'),
    ("08:30", "base 60", "quotes"),
    ("11:22:33:44:55:10", "base 60", "quotes"),
    ("1.10", "decimal", 'put it in quotes: "1.10"'),
    (".5", "decimal", "quotes"),
    ("3.", "decimal", "quotes"),
    ("1e3", "decimal", "quotes"),
    ("1.5e+3", "decimal", "quotes"),
    (".inf", "not a number a crane can have", "quotes"),
    ("-.INF", "not a number a crane can have", "quotes"),
    (".NaN", "not a number a crane can have", "quotes"),
    ("2026-11-22", "date", "quotes"),
    ("2026-11-22T10:00:00Z", "date", "quotes"),
    ("~", "hidden null", "write null"),
    ("NULL", "hidden null", "write null"),
    ("=", "default value", "quotes"),
    ("123456789012345678901", "more than 20 characters", "quotes"),
]


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(("word", "message", "hint"), SURPRISES)
def test_what_yaml_11_reads_as_something_else_is_refused_with_the_fix(word: str, message: str, hint: str) -> None:
    error = refused(f"first: 1\nsecond:\n  third: {word}\n")
    assert error.line == 3
    assert error.column == 10
    assert message in str(error)
    assert hint in error.hint
    assert read(f'third: "{word}"') == {"third": word}, "the fix that the hint names works"


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key `a` is written twice, first in line 1", "keep one"),
        ("a: {b: 1, b: 2}\n", 1, "the key `b` is written twice", "keep one"),
        ("a: &x 1\n", 1, "the anchor &x", "groups"),
        ("a: 1\nb: *a\n", 2, "the alias *a", "write the value out"),
        ("<<: {a: 1}\n", 1, "merge", "defaults"),
        ("a: !!str 5\n", 1, "a YAML tag", "remove it"),
        ("a: !python/object:os.system x\n", 1, "a YAML tag", "remove it"),
        ("a: 1\n---\nb: 2\n", 2, "a second document", "one document per file"),
        ("a: 1\n...\n---\nb: 2\n", 3, "a second document", "one document per file"),
        ("%YAML 1.1\n---\na: 1\n", 1, "a YAML directive", "%"),
        ("5: x\n", 1, "the key 5 is not text", '"5"'),
        ("true: x\n", 1, "the key true is not text", '"true"'),
        ("on: x\n", 1, "on is not text to every reader", '"on"'),
        ("? [a]\n: x\n", 1, "a list or mapping used as a key", "one word"),
        ("a:\n\t- b\n", 2, "cannot begin a value", "spaces, not tabs"),
        ("a: @b\n", 1, "cannot begin a value", "quotes"),
        ("a: b: c\n", 1, "a colon stands where no key can be", "quotes"),
        ("a:\n  b: 1\n c: 2\n", 3, "not indented like its neighbours", "same indentation"),
        ("a: [1, 2\n", 2, "not closed", "]"),
        ('a: "open\n', 2, "never closed", "quotation mark"),
        ('a: "\\q"\n', 1, "backslash", "single quotes"),
        ("a: b\x07\n", 1, "U+0007", "remove it"),
        ("a: b\u202ec\n", 1, "U+202E", "remove it"),
        ("a: " + "[" * 40, 1, "nested more than 32 deep", "brackets"),
        ("a: " + "{b: " * 40, 1, "nested more than 32 deep", "brackets"),
    ],
)
def test_structure_that_is_refused(text: str, line: int, message: str, hint: str) -> None:
    error = refused(text)
    assert message in str(error)
    assert hint in error.hint
    # where a bracket or quote is never closed, the two parsers differ on whether the last line or the one after it is meant
    assert error.line == line or (line == 2 and text.count("\n") == 1 and error.line == 1)


def test_all_faults_of_a_file_are_told_at_once_in_the_order_of_its_lines() -> None:
    error = refused("a: no\nb: 0755\nc: fine\na: 1.10\n")
    told = str(error).splitlines()
    assert [line.split(": ")[0] for line in told] == ["file.yaml:1", "file.yaml:2", "file.yaml:4", "file.yaml:4"]
    assert all("(" in line for line in told), "each line holds its own fix"
    assert error.line == 1
    assert error.hint == "4 places are to be corrected; each line says how"


def test_very_many_faults_are_counted_not_listed() -> None:
    told = str(refused("".join(f"k{n}: no\n" for n in range(100)))).splitlines()
    assert len(told) == 21
    assert told[-1] == "file.yaml: and 80 more"


@pytest.mark.parametrize("key", ["password", "passphrase", "interactive", "pin"])
def test_a_refused_word_under_a_key_for_secrets_is_not_repeated(key: str) -> None:
    for text in (f"{key}: 0755", f"{key}: [0755]", f"{key}: {{a: 0755}}"):
        error = refused(text)
        assert "755" not in str(error) + error.hint
        assert "493" not in str(error) + error.hint


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"a: " + b"b" * yaml.SIZE)
    monkeypatch.setattr(pyyaml, "parse", lambda *a, **k: pytest.fail("it was parsed"))
    with pytest.raises(SettingsError, match=r"larger than 1 MiB"):
        yaml.read_node(large)
    assert "larger than 1 MiB" in str(refused("é" * (yaml.SIZE // 2 + 1)))


def test_a_small_file_full_of_aliases_costs_nothing() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20))
    assert "the anchor &a" in str(refused(bomb))


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [(b"a: 1\nb: \xff\n", 2, "not UTF-8"), (b"a: 1\nb: \xed\xa0\x80\n", 2, "not UTF-8")],
)
def test_a_file_that_is_not_utf_8_names_the_line(tmp_path: Path, data: bytes, line: int, message: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match=message) as caught:
        yaml.read_node(path)
    assert caught.value.line == line


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(SettingsError, match="cannot be read") as caught:
            yaml.read_node(path)
        assert caught.value.line == 0


def test_a_byte_order_mark_of_windows_editors_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert plain(yaml.read_node(path)) == {"a": 1, "b": 2}


def test_places_of_keys_and_values() -> None:
    node = yaml.parse("a: 1\nb:\n  - x\n  - c: z\n", "file.yaml")
    assert place_of(node, ("a",)).column == 4
    assert place_of(node, ("a",), key=True).column == 1
    assert (place_of(node, ("b", 1, "c")).line, place_of(node, ("b", 1, "c")).column) == (4, 8)
    assert place_of(node, ("b", "none", "none")).line == 2, "what is not there is told at what holds it"


MARKS = (
    "a : , [ ] { } &x *x ! !!int % \" ' | > ? # \\ = @ ~ << no 0755 1.10 1:30 2020-01-01 0x1 é \t \x00 \x85 \u2028 \ud800 \ufeff"
)
PIECES = st.sampled_from([*MARKS.split(" "), "  ", ": ", "- ", "\n", "---\n", "...\n"])


@given(st.text() | st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=400)
def test_any_text_loads_or_is_refused_with_a_place(text: str) -> None:
    try:
        value = read(text)
    except SettingsError as error:
        assert error.line <= text.count("\n") + 2 or error.line == 0
        assert str(error).startswith("file.yaml")
        return
    assert value is None or isinstance(value, str | int | list | dict)


@given(st.lists(PIECES, max_size=30).map("".join) | st.from_regex(r"[-+0-9_.:a-fA-FxobeETtZ ]{1,24}", fullmatch=True))
@settings(max_examples=600)
def test_what_is_accepted_means_the_same_to_an_ordinary_yaml_reader(text: str) -> None:
    try:
        value = read(text)
    except SettingsError:
        return
    if "0o" not in text:  # 0o755 is YAML 1.2, and PyYAML reads it as text
        assert pyyaml.load(text, yaml._Loader) == value


@given(st.from_regex(r"[-+0-9_.:a-fA-FxobyYnNeElstrufOI~=<]{1,16}", fullmatch=True))
@settings(max_examples=600)
def test_a_word_taken_as_text_is_text_to_pyyaml_too(word: str) -> None:
    value = resolved(word)
    if isinstance(value, str):
        resolver: Any = pyyaml.SafeLoader("")  # its types leave `resolve` out
        tag = resolver.resolve(pyyaml.ScalarNode, word, (True, False))
        assert word.startswith("0o") or tag == "tag:yaml.org,2002:str"
    elif not isinstance(value, Surprise) and value not in (True, False, None):
        assert value == int(word, 0)
