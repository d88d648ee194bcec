"""Rules of normalising from the profile to the report: how they are written, applied, told, and what widening them is."""

from __future__ import annotations

import hashlib
import json

import jsonschema
import pytest

from tests import compare_values as make
from tests.fakes import FakeRoute, regular
from verifier.collect.asking import Asking
from verifier.collect.files import tree
from verifier.collect.form.form import NotOfForm
from verifier.collect.item import item_snapshot
from verifier.collect.text import normalised
from verifier.compare.describe import described
from verifier.compare.drifts import compare
from verifier.compare.notes import normalising_notes
from verifier.errors import SettingsError
from verifier.model.moving import Moving
from verifier.model.profile import Item, Pace, Profile, Rule
from verifier.model.snapshot import FileValue, ItemSnapshot, NotAsked, Snapshot
from verifier.settings.node import plain
from verifier.settings.profiles import read_profile
from verifier.settings.schema import profile_schema
from verifier.settings.yaml import parse

HEAD = "profile: x\ntitle: X\nversion: 1\nmaturity: documented\nitems:\n"
FILES = "- {name: settings, kind: configuration, files: {paths: [/etc]}"
WORDS = "- {name: state, kind: parameter, registers: {table: holding, first: 3, count: 2}"
KEPT: dict[str, bytes] = {}


def profile(steps: str, more: str = "keep: true") -> Profile:
    return read_profile(f"{HEAD}{FILES}, text: {{match: ['/**'], normalise: [{steps}], {more}}}}}", "x.yaml")


def rule(step: str) -> Rule:
    (item,) = profile(step).items
    assert item.text
    (found,) = item.text.normalise
    return found


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("json", Rule("json")),
        ("key-value", Rule("key-value")),
        ("{line-ends: {only: [/etc/a]}}", Rule("line-ends", only=("/etc/a",))),
        ("{drop-lines: '^#'}", Rule("drop-lines", "^#")),
        ("{drop-match: {pattern: '^#', only: ['/etc/*.conf']}}", Rule("drop-match", "^#", ("/etc/*.conf",))),
        ("{key-value: {mask: [uptime], separator: ':'}}", Rule("key-value", mask=("uptime",), separator=":")),
        (
            "{ini: {mask: ['[a b] c', d], separator: '=', comments: ignored}}",
            Rule("ini", mask=("[a b] c", "d"), no_comments=True),
        ),
        ("{json: {mask: [/a~1b/*/0]}}", Rule("json", mask=("/a~1b/*/0",))),
        ("{xml: {mask: ['/n:a/*/b[2]/@c']}}", Rule("xml", mask=("/n:a/*/b[2]/@c",))),
    ],
)
def test_every_step_can_be_written_and_fits_the_schema(written: str, means: Rule) -> None:
    assert rule(written) == means
    step = plain(parse(f"step: {written}", "x.yaml"))["step"]
    schema = profile_schema()
    steps = {"$defs": schema["$defs"], **schema["$defs"]["TextShape"]["properties"]["normalise"]}
    jsonschema.validate([step], steps)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{"sort-words": {}}], steps)


@pytest.mark.parametrize(
    ("written", "why", "hint"),
    [
        ("jsn", "not a step of normalising", "key-value"),
        ("drop-lines", "not a step of normalising", "drop-lines"),
        ("{drop-lines: {only: [/a]}}", "the step `drop-lines` is not written so", "pattern:"),
        ("{json: [/a]}", "the step `json` is not written so", "known: mask, only"),
        ("{json: {comments: ignored}}", "the step `json` has no `comments`", "known here: mask, only"),
        ("{json: {mask: [a/b]}}", '"a/b" is not a JSON Pointer to one value', "write a JSON Pointer"),
        ("{json: {mask: ['/a/*']}}", "not a JSON Pointer to one value", "not the last"),
        ("{json: {mask: ['/a~2']}}", "not a JSON Pointer to one value", ""),
        ("{json: {mask: []}}", "`mask` must be a list of 1 to 200", "leave it out"),
        ("{json: {mask: /a}}", "`mask` must be a list of 1 to 200", "leave it out"),
        ("{json: {mask: [1]}}", "must be text", ""),
        ("{xml: {mask: [a/b]}}", "not a path in XML to one value", "write a path"),
        ("{xml: {mask: ['/a/*']}}", "not a path in XML to one value", ""),
        ("{xml: {mask: ['/a/@*']}}", "not a path in XML to one value", ""),
        ("{key-value: {mask: [' a']}}", "is not a key", "like uptime"),
        ("{ini: {mask: ['[s]a']}}", "is not a key", "[status] uptime"),
        ("{ini: {separator: ','}}", "a separator that no form has", ""),
        ("{ini: {comments: compared}}", "comments are compared, or ignored", ""),
        ("{drop-match: {pattern: '.*'}}", "fits any text", ""),
    ],
)
def test_a_step_that_is_written_wrong_is_told(written: str, why: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        profile(written)
    assert why in str(caught.value)
    assert hint in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("{members: [holding 00003]}", "exactly one rule"),
        ("{members: [holding 00003], counter: true, bits: [1]}", "exactly one rule"),
        ("{members: [holding 00003], within: 0}", "`within` must be more than 0"),
        ("{members: [holding 00009], counter: true}", "`moving` names holding 00009, which the item does not ask"),
        ("{members: ['*'], counter: true}", "which the item does not ask"),
        ("{members: [holding 00003], counter: true}, {members: [holding 00003], bits: [0]}", "two rules for holding 00003"),
        ("{members: [holding 00003], bits: [16]}", "out of range"),
    ],
)
def test_a_register_rule_that_is_written_wrong_is_told(rules: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why.replace("*", ".")):
        read_profile(f"{HEAD}{WORDS}, moving: [{rules}]}}", "x.yaml")


@pytest.mark.parametrize("ask", ["registers: {table: coil, first: 3, count: 1}", "files: {paths: [/etc]}", "facts: routes"])
def test_only_numbers_have_register_rules(ask: str) -> None:
    item = f"- {{name: a, kind: parameter, {ask}, moving: [{{members: [coil 00003], counter: true}}]}}"
    with pytest.raises(SettingsError, match=r"does not fit a bit|does not ask"):
        read_profile(HEAD + item, "x.yaml")


TYPED = [("u16", "bits: [1]", True), ("u32", "bits: [1]", False), ("f32", "within: '0.5'", True)]


@pytest.mark.parametrize(("type_", "rule", "fits"), TYPED)
def test_a_register_rule_fits_its_type(type_: str, rule: str, fits: bool) -> None:
    ask = f"parameters: [{{name: oil, table: holding, address: 1, type: {type_}}}]"
    text = f"{HEAD}- {{name: a, kind: parameter, {ask}, moving: [{{members: [oil], {rule}}}]}}"
    if fits:
        (item,) = read_profile(text, "x.yaml").items
        assert [each.members for each in item.moving] == [("oil",)]
        return
    with pytest.raises(SettingsError, match="the rule for oil does not fit a u32"):
        read_profile(text, "x.yaml")


def keep(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    KEPT[digest] = data
    return digest


def captured(read: Profile, **files: bytes) -> Snapshot:
    """A device with these files in /etc, read by a profile."""
    (item,) = read.items
    answers = [regular(f"/etc/{name}".encode(), content) for name, content in files.items()]
    outcome = tree(asking(item, answers), item.ask)  # type: ignore[arg-type] # the profiles here ask for files
    assert not isinstance(outcome, NotAsked)
    return make.snapshot(item_snapshot(item, outcome), profile_digest=read.digest)


def asking(item: Item, answers: list[object]) -> Asking:
    return Asking(FakeRoute(lambda _: answers), item, Pace(), keep, 1, lambda: None)  # type: ignore[arg-type, return-value] # a script


def values(snapshot: Snapshot) -> list[FileValue]:
    (item,) = snapshot.items
    return [reading.value for reading in item.readings if isinstance(reading.value, FileValue)]


STATE = b'{"hours": %d, "limit": 50}'
MASKED = "{json: {only: [/etc/state], mask: [/hours]}}"


def test_a_masked_value_may_move_and_everything_else_is_drift() -> None:
    read = profile(MASKED)
    before, after = captured(read, state=STATE % 7, other=b"x"), captured(read, state=STATE % 8, other=b"x")
    assert compare(before, after, KEPT.get) == ()
    assert normalising_notes(before, after) == (
        "settings: 1 text changed only in what the profile normalises: /etc/state",
        "settings: 1 place in texts not compared, by the profile's rules: /etc/state (1)",
    )
    other, state = values(after)
    assert (other.normal_sha256, other.masked, state.masked) == ("", 0, 1)
    assert state.sha256 == hashlib.sha256(STATE % 8).hexdigest() != state.normal_sha256
    assert KEPT[state.kept] == b'{\n "hours": "[not compared]",\n "limit": 50\n}\n'

    (drift,) = compare(before, captured(read, state=b'{"limit": 62, "hours": 9}', other=b"x"), KEPT.get)
    assert [line for line in drift.diff if line[0] in "-+"] == ['- "limit": 50', '+ "limit": 62']
    (drift,) = compare(before, captured(read, state=b'{"limit": 50}', other=b"x"), KEPT.get)
    assert drift.member == "/etc/state"


def test_a_text_that_is_not_of_the_form_says_so_and_its_bytes_are_compared() -> None:
    read = profile(MASKED)
    before, cut = captured(read, state=STATE % 7), captured(read, state=b'{"hours": 7, "psk')
    (value,) = values(cut)
    assert value.not_normal.startswith("no JSON from line 1")
    assert (value.normal_sha256, value.kept, value.masked) == ("", "", 0)
    (drift,) = compare(before, cut, KEPT.get)
    assert {each.what for each in drift.differences} == {"size", "sha256"}
    assert drift.note.startswith("the bytes are compared, since now it could not be normalised: no JSON from line 1")
    (back,) = compare(cut, before, KEPT.get)
    assert "since when approved it could not be normalised" in back.note
    assert "not normalised: no JSON from line 1" in described(value)
    assert compare(cut, cut, KEPT.get) == ()


@pytest.mark.parametrize(
    ("content", "more", "why"),
    [
        (b"x" * 11, "limit: 10", "longer than 10 bytes"),
        (b"a\0b", "keep: true", "no text: it holds NUL bytes"),
        ((b" " * 4095 + b"\n") * 70, "keep: true", "lines so long"),
        (b"[" + b'"%s",' % (b"x" * 4000) * 70 + b"1]", "keep: true", "its values are so long"),
    ],
)
def test_what_cannot_be_normalised_within_bounds_says_so(content: bytes, more: str, why: str) -> None:
    (value,) = values(captured(profile("json", more), state=content))
    assert value.not_normal.startswith(why)
    assert (value.normal_sha256, value.kept) == ("", "")
    (value,) = values(captured(profile("{json: {only: [/other]}}", more), state=content))
    assert value.not_normal == ""


def test_what_was_not_read_out_says_so() -> None:
    (item,) = profile("json").items
    hashed = regular(b"/etc/state", b"x").__class__
    entry = regular(b"/etc/state", b"{}")
    bare = hashed(entry.path, entry.type, entry.mode, entry.owner, entry.group, entry.size, entry.mtime, sha256="0" * 64)
    outcome = tree(asking(item, [bare]), item.ask)  # type: ignore[arg-type] # as above
    assert not isinstance(outcome, NotAsked)
    (reading,) = outcome
    assert isinstance(reading.value, FileValue)
    assert reading.value.not_normal == "not read out whole: longer than 4,194,304 bytes, or hashed on the device"


def test_dropped_lines_are_counted() -> None:
    rules = (Rule("drop-lines", "^#"), Rule("drop-match", "[0-9]+"), Rule("line-ends"), Rule("key-value", mask=("a",)))
    assert normalised(rules, b"# x\r\n#y\r\na=1\r\nb=2").masked == 2 + 2 + 1


@pytest.mark.parametrize("name", ["json", "xml", "ini", "key-value"])
def test_each_form_is_a_step(name: str) -> None:
    with pytest.raises(NotOfForm):
        normalised((Rule(name),), b"<a>[,")


WIDER = [
    ("json", MASKED),
    (MASKED, "{json: {only: [/etc/state], mask: [/hours, /limit]}}"),
    (MASKED, "{json: {mask: [/hours]}}"),
    ("{key-value: {mask: [a]}}", "{key-value: {mask: [a], comments: ignored}}"),
    ("key-value", "{key-value: {separator: ':'}}"),
    ("line-ends", "line-ends, sort-lines"),
    ("line-ends", "line-ends, {drop-lines: '^#'}"),
]


@pytest.mark.parametrize(("before", "after"), WIDER)
def test_a_wider_rule_is_drift_even_where_nothing_else_changed(before: str, after: str) -> None:
    narrow, wide = profile(before), profile(after)
    assert narrow.digest != wide.digest
    approved, found = captured(narrow, state=STATE % 7), captured(wide, state=STATE % 7)
    drifts = {drift.member: drift for drift in compare(approved, found, KEPT.get) if drift.item == "profile"}
    assert drifts.keys() == {"digest", "text rules of settings"}
    assert drifts["text rules of settings"].note.startswith("rules were added: ")
    assert drifts["text rules of settings"].differences[0].what == "text rules"


def test_a_wider_register_rule_is_drift() -> None:
    texts = [f"{HEAD}{WORDS}, moving: [{{members: [holding 00003], bits: {bits}}}]}}" for bits in ("[0]", "[0, 1]")]
    narrow, wide = (read_profile(text, "x.yaml") for text in texts)
    assert narrow.items[0].moving == (Moving(("holding 00003",), bits=(0,)),)
    sides = [make.snapshot(item_snapshot(each.items[0], ()), profile_digest=each.digest) for each in (narrow, wide)]
    assert {drift.member for drift in compare(sides[0], sides[1], KEPT.get)} == {"digest", "register rules of state"}


def test_a_baseline_from_before_rules_were_told_has_no_drift_of_rules() -> None:
    now = captured(profile(MASKED), state=STATE % 7)
    old = make.snapshot(*(make.item(*item.readings, name=item.name, kind=item.kind) for item in now.items))
    before = make.snapshot(*old.items, profile_digest=now.profile_digest)
    assert compare(before, now, KEPT.get) == ()


def test_the_rules_stand_in_what_is_signed_in_words() -> None:
    steps = f"line-ends, {{drop-lines: '^#'}}, {MASKED}, {{key-value: {{separator: ':', comments: ignored}}}}"
    (item,) = captured(profile(steps), state=b"").items
    assert isinstance(item, ItemSnapshot)
    assert item.rules == (
        "line-ends",
        'drop-lines "^#"',
        "json of /etc/state without /hours",
        'key-value between ":" without comments',
    )
    assert json.dumps(item.rules)
