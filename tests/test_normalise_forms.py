"""The forms: what is no change does not show, what is one always does, and hostile bytes are refused quickly."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.collect.form.form import DEEPEST, LARGEST, MOST, Normal, NotOfForm
from verifier.collect.form.json_text import json_text, json_values
from verifier.collect.form.keys import ini, ini_values, key_value, key_values
from verifier.collect.form.xml_text import xml_text, xml_values

Form = Callable[[bytes], Normal]
FORMS: dict[str, Form] = {
    "key-value": lambda data: key_value(data, "=", ["b"], no_comments=False),
    "key-value no comments": lambda data: key_value(data, ":", ["b"], no_comments=True),
    "ini": lambda data: ini(data, "=", ["[s] b", "b"], no_comments=False),
    "json": lambda data: json_text(data, ["/b", "/a/*/b", "/0"]),
    "xml": lambda data: xml_text(data, ["/a/b", "/a/@x", "/a/b[2]/@y"], no_comments=False),
    "xml no comments": lambda data: xml_text(data, ["/*/b"], no_comments=True),
}
PIECES = {
    "key-value": [
        "a",
        "b",
        "A",
        "=",
        " = ",
        "1",
        " ",
        "\t",
        "\n",
        "\r\n",
        "#",
        "'",
        "$",
        "\\",
        "\ufeff",
        "é",
        "[s]",
        ":",
        "\x0b",
    ],
    "ini": ["a", "b", "A", "=", " = ", "1", " ", "\n", "\r\n", "#", ";", "[s]", "[S]", "[", "\n[s]\n", "\n[t]\n", "é", "\\"],
    "json": [
        '"a"',
        '"b"',
        ":",
        ",",
        "{",
        "}",
        "[",
        "]",
        "1",
        "1.0",
        "-0",
        "1e5",
        "null",
        "true",
        " ",
        "\n",
        '"\\u0041"',
        '"\\ud800"',
    ],
    "xml": [
        "<a>",
        "</a>",
        "<b>",
        "</b>",
        "<b/>",
        '<a x="1" y="2">',
        "<b y='&#10;'>",
        " ",
        "\n",
        "t",
        "&amp;",
        "<!--c-->",
        "<?p q?>",
    ],
}


def hostile(name: str) -> st.SearchStrategy[bytes]:
    around = "<a x='1'>{}</a>" if name.startswith("xml") else "{}"
    parts = st.lists(st.sampled_from(PIECES[name.split()[0]]), max_size=25)
    return parts.map(lambda found: around.replace("{}", "".join(found)).encode())


@pytest.mark.parametrize("name", FORMS)
@given(data=st.data())
def test_normalising_twice_is_normalising_once(name: str, data: st.DataObject) -> None:
    text = data.draw(hostile(name))
    try:
        once = FORMS[name](text)
    except NotOfForm:
        return
    assert FORMS[name](once.text).text == once.text


KEY = st.text("abcXY_.-", min_size=1, max_size=4)
VALUE = st.text("ab =:,#/é", max_size=6).map(str.strip)
KEYS = st.dictionaries(KEY, VALUE, max_size=5)
PAD = st.sampled_from(["", " ", "\t", "  "])
END = st.sampled_from(["\n", "\r\n", " \n", "\n\n"])


def spelt(keys: dict[str, str], draw: st.DataObject, order: list[str], pads: st.SearchStrategy[str] = PAD) -> str:
    """The same keys, as somebody else might write them."""
    return "".join(f"{key}{draw.draw(pads)}={draw.draw(pads)}{keys[key]}{draw.draw(END)}" for key in order)


@given(KEYS, KEYS, st.data())
def test_keys_that_say_the_same_are_equal_and_others_never(
    one: dict[str, str], other: dict[str, str], draw: st.DataObject
) -> None:
    def normal(keys: dict[str, str]) -> bytes:
        pads = draw.draw(st.sampled_from([st.just(""), st.sampled_from([" ", "\t", "  "])]))
        text = spelt(keys, draw, draw.draw(st.permutations(sorted(keys))), pads)
        return key_value(text.encode(), "=", [], no_comments=False).text

    assert normal(one) == normal(one)
    assert (normal(one) == normal(other)) == (one == other)
    assert key_values(normal(one), "=") == one


@given(st.dictionaries(KEY, KEYS, min_size=1, max_size=3), st.dictionaries(KEY, KEYS, min_size=1, max_size=3), st.data())
def test_equal_sections_are_equal_and_others_never(
    one: dict[str, dict[str, str]], other: dict[str, dict[str, str]], draw: st.DataObject
) -> None:
    def normal(sections: dict[str, dict[str, str]]) -> bytes:
        def inside(keys: dict[str, str]) -> str:
            return spelt(keys, draw, draw.draw(st.permutations(sorted(keys))))

        order = draw.draw(st.permutations(sorted(sections)))
        text = "".join(f"[{name}]\n{inside(sections[name])}" for name in order)
        return ini(text.encode(), "=", [], no_comments=False).text

    assert normal(one) == normal(one)
    assert (normal(one) == normal(other)) == (one == other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~*", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_json_that_says_the_same_is_equal_and_other_never(
    one: object, other: object, indent: int | str | None, short: bool
) -> None:
    def normal(value: object, **how: object) -> bytes:
        return json_text(json.dumps(value, **how).encode("utf-8", "surrogatepass"), []).text  # type: ignore[arg-type]

    plain = normal(one)
    assert plain == normal(turned(one), indent=indent, ensure_ascii=short)
    assert (plain == normal(other)) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))
    assert json.dumps(json.loads(plain), sort_keys=True) == json.dumps(one, sort_keys=True)


def turned(value: object) -> object:
    """The same with its keys in the other order."""
    if isinstance(value, dict):
        return {key: turned(inner) for key, inner in reversed(value.items())}
    return [turned(inner) for inner in value] if isinstance(value, list) else value


NAMES = st.sampled_from(["a", "b", "n:c"])
XML = st.recursive(
    st.tuples(NAMES, st.dictionaries(NAMES, st.text("x\n\t<&\"' é", max_size=3), max_size=3), st.text("x\n <&é", max_size=4)),
    lambda inner: st.tuples(
        NAMES, st.dictionaries(NAMES, st.text("x\n", max_size=2), max_size=3), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


def as_xml(node: Any, space: str, quick: bool) -> str:
    name, attributes, inside = node
    pairs = sorted(attributes.items(), reverse=quick)
    how = {"\n": "&#10;", "\t": "&#9;"}
    written = "".join(f" {key}{space}={space}{quoteattr(value, how)}" for key, value in pairs)
    if isinstance(inside, str):
        return f"<{name}{written}/>" if quick and not inside else f"<{name}{written}>{escape(inside)}</{name}>"
    inner = "".join(space + as_xml(child, space, quick) for child in inside)
    return f"<{name}{written}>{inner}{space}</{name}{space}>"


@given(XML, XML)
def test_xml_that_says_the_same_is_equal_and_other_never(one: Any, other: Any) -> None:
    plain = xml_text(as_xml(one, "", quick=False).encode(), [], no_comments=False).text
    assert plain == xml_text(b'<?xml version="1.0"?>\r\n' + as_xml(one, "\n ", quick=True).encode(), [], no_comments=False).text
    assert (plain == xml_text(as_xml(other, " ", quick=False).encode(), [], no_comments=False).text) == (one == other)


@pytest.mark.parametrize(
    ("form", "before", "after", "masked"),
    [
        ("key-value", b"b = 17 \r\n\r\na =1\n# c\n", b"# c\na=1\nb=[not compared]\n", 1),
        ("key-value", "\ufeffä=é".encode(), "\ufeffä=é\n".encode(), 0),
        ("key-value", b"B=1\na=\nb=2", b"a=\nB=1\nb=[not compared]\n", 1),
        ("key-value no comments", b"# c\nserial number:  12:30\nb:", b"b: [not compared]\nserial number: 12:30\n", 2),
        ("ini", b"b=1\n[t]\n;x\nz = 'a\n[s]\nv (rpm) = $5\nb=2\n",
         b"b=[not compared]\n[s]\nb=[not compared]\nv (rpm)=$5\n[t]\n;x\nz='a\n", 2),
        ("ini", b"[s]\nB=1\nb=2", b"[s]\nB=1\nb=[not compared]\n", 1),
        ("json", b'{"b":[1.0 , {}],"a":{"k":{"b":null}}}',
         b'{\n "a": {\n  "k": {\n   "b": "[not compared]"\n  }\n },\n "b": [\n  1.0,\n  {}\n ]\n}\n', 1),
        ("json", b"[1,2]", b'[\n "[not compared]",\n 2\n]\n', 1),
        ("json", b"\xef\xbb\xbf[]", b"\xef\xbb\xbf[]\n", 0),
        ("json", b'"\\u0041\xc3\xa9"', b'"A\\u00e9"\n', 0),
        ("xml", b"<a x='1' ><b>5</b><c/><b y='2'/>\n</a>",
         b'<a x="[not compared]">\n <b>[not compared]</b>\n <c/>\n <b y="[not compared]">[not compared]</b>\n</a>\n', 4),
        ("xml", b"<!--n--><a><b><c/></b></a><?p q?><?p?>", b"<!--n-->\n<a>\n <b>\n  <c/>\n </b>\n</a>\n<?p q?>\n<?p?>\n", 0),
        ("xml no comments", b"<a><!--n--><b>t<!--n-->u</b></a>", b"<a>\n <b>[not compared]</b>\n</a>\n", 3),
        ("xml", b"<a><b><!--n--> 5</b></a>", b"<a>\n <b>[not compared]<!--n--></b>\n</a>\n", 1),
        ("xml", b"<r>x <i> <j/> </i></r>", b"<r>x <i> <j/> </i></r>\n", 0),
        ("xml", b"<r xml:space='preserve'> <j/> </r>", b'<r xml:space="preserve"> <j/> </r>\n', 0),
        ("xml", b"<r> </r>", b"<r> </r>\n", 0),
        ("xml", b"<r><![CDATA[<&]]>&#13;</r>", b"<r>&lt;&amp;&#13;</r>\n", 0),
        ("xml", b"<?xml version='1.0' encoding='ISO-8859-1'?><r>\xe9</r>", "<r>é</r>\n".encode(), 0),
    ],
)  # fmt: skip
def test_forms_write_what_they_say(form: str, before: bytes, after: bytes, masked: int) -> None:
    assert FORMS[form](before) == Normal(after, masked)
    assert FORMS[form](after).text == after


def test_a_mask_over_how_the_rest_is_read_hides_nothing() -> None:
    spaced = b'<a xml:space="preserve"> <b/> </a>'
    assert xml_text(spaced, ["/a/@xml:space"], no_comments=False) == Normal(spaced + b"\n")


@pytest.mark.parametrize(
    ("form", "text", "why"),
    [
        ("key-value", b"a=1\na=2", "line 2 gives a key for the second time"),
        ("key-value", b"#!/bin/sh\na=1", "a script"),
        ("key-value", b"a=1\nfirewall =yes", "line 2 differs from those before in blanks around ="),
        ("key-value", b"a = 1\nb\t= 2\nfirewall=yes", "line 3 differs from those before in blanks around ="),
        ("key-value", b"iptables -A INPUT --dport=22", "line 1 is not a key, = and a value"),
        ("key-value", b"a=1\nb=$a", "line 2 may use another key, so that their order counts"),
        ("key-value", b"a=`id`", "may use another key"),
        ("key-value", b"a='1\nb=2'", "line 1 holds a quote without its end"),
        ("key-value", b"a=1\\\nb=2", "line 1 ends in a backslash"),
        ("key-value", b"a=1\n  b=2", "line 2 is indented"),
        ("key-value", b"a=1\rb=2", "line 1 holds a carriage return"),
        ("key-value", b"=1", "line 1 is not a key"),
        ("key-value", b"[s]\na=1", "line 1 is not a key"),
        ("key-value", b"[s]=1", "line 1 is not a key"),
        ("key-value", b"\xff=1", "not UTF-8"),
        ("key-value no comments", b"a=1", "line 1 is not a key, : and a value"),
        ("ini", b"a=1", "no section"),
        ("ini", b"[s]\na=1\n[t]\n[s]\nb=1", "line 4 begins a section for the second time"),
        ("ini", b"[s]\na\tb=1", "line 2 is not a key"),
        ("ini", b"[ -f /x ]\na=1", "line 1 is not a key"),
        ("json", b'{"a":1,"a":2}', "a key stands twice"),
        ("json", b"[NaN]", "NaN"),
        ("json", b"[1,]", "no JSON from line 1"),
        ("json", b"{} {}", "no JSON from line 1"),
        ("json", b"", "no JSON from line 1"),
        ("json", b'"\xff"', "not UTF-8"),
        ("xml", b"<a><b></a>", "no XML from line 1: mismatched tag"),
        ("xml", b"<a x='1' x='2'/>", "duplicate attribute"),
        ("xml", b"<a>&x;</a>", "undefined entity"),
        ("xml", b"<!DOCTYPE a><a/>", "it has a document type"),
        ("xml", b'<?xml version="1.0" encoding="punycode"?><a/>', "an encoding that is not"),
        ("xml", b"", "no element found"),
    ],
)
def test_what_is_not_of_the_form_or_could_mean_two_things_is_refused(form: str, text: bytes, why: str) -> None:
    with pytest.raises(NotOfForm, match=why):
        FORMS[form](text)


LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">'.encode() for n in range(9)
)
BIG = 10 << 20


@pytest.mark.parametrize(
    ("form", "text", "why"),
    [
        ("xml", LAUGHS + b"]><l>&j;</l>", "document type"),
        ("xml", b'<!DOCTYPE l SYSTEM "http://127.0.0.1/x"><l/>', "document type"),
        ("xml", b"<a>" * (BIG // 3), f"more than {DEEPEST} elements"),
        ("xml", b"<a>" + b"<b/>" * (BIG // 4) + b"</a>", f"more than {MOST:,} values"),
        ("xml", b"<a" + b"".join(b" a%d=''" % n for n in range(MOST)) + b"/>", f"more than {MOST:,} values"),
        ("xml", b"<a>" + b"x" * LARGEST, "longer than"),
        ("json", b"[" * BIG, f"more than {DEEPEST} lists"),
        ("json", b'{"a":' * (BIG // 5), f"more than {DEEPEST} lists"),
        ("json", b"[" + b"0," * (BIG // 2), f"more than {MOST:,} values"),
        ("json", b'"' + b'\\"' * (BIG // 2), "no JSON"),
        ("json", b"1" * BIG + b"x", "no JSON"),
        ("key-value", b"a" * BIG, "line 1 is not a key"),
        ("key-value", b"\n" * BIG, f"{MOST:,} lines or more"),
        ("ini", b"[" * BIG, "line 1 is not a key"),
        ("ini", b"[" + b"a " * (BIG // 2) + b"\n", "line 1 is not a key"),
        ("ini", b"x" * (LARGEST + 1), "longer than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_text_is_refused_quickly(form: str, text: bytes, why: str) -> None:
    started = time.monotonic()
    with pytest.raises(NotOfForm, match=why):
        FORMS[form](text)
    assert time.monotonic() - started < 10  # what grows faster than the text takes minutes


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("key-value", b"a=" + b"x" * BIG),
        ("json", b'{"a": "' + b"x" * BIG + b'"}'),
        ("json", b"[" * DEEPEST + b"]" * DEEPEST),
        ("xml", b"<a>" + b"x" * BIG + b"</a>"),
        ("xml", b"<a>" * DEEPEST + b"</a>" * DEEPEST),
        ("xml", b"<a>" + b"<b>t</b>" * (MOST // 3) + b"</a>"),
    ],
)
def test_large_text_of_the_form_is_taken_quickly(form: str, text: bytes) -> None:
    started = time.monotonic()
    FORMS[form](text)
    assert time.monotonic() - started < 10


def test_every_place_is_named_as_a_mask_names_it() -> None:
    assert ini_values(b"a=0\n[s]\nb=1\n", "=") == {"a": "0", "[s] b": "1"}
    assert json_values(b'{"a/b": [1.50, {"~": "x"}], "c": {}}') == {"/a~1b/0": "1.50", "/a~1b/1/~0": '"x"'}
    assert xml_values(b'<!--n--><a z="1"><b>t<!--n-->u</b><b>v</b><c><d/></c></a>') == {
        "/a/@z": "1",
        "/a/b[1]": "tu",
        "/a/b[2]": "v",
        "/a/c/d": "",
    }
