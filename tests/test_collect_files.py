"""File trees: what came back decides what is said, and how strong it is."""

from __future__ import annotations

import hashlib

import pytest

from tests.fakes import FakeRoute, Script, regular
from verifier.collect.asking import Asking
from verifier.collect.files import tree, tree_request
from verifier.collect.item import item_snapshot
from verifier.errors import BadReply, DeviceError, Refused, TimedOut, Truncated
from verifier.model.profile import FileTree, Item, Pace, Proof, Rule, TextRules
from verifier.model.snapshot import Disagreement, FileValue, NotAsked, Reading, Unread, Value
from verifier.model.words import Criticality, Evidence, FileType, Kind, Reason
from verifier.transport.answer import FileEntry, NotRead, Words

KEPT: dict[str, bytes] = {}
ETC = FileTree(("/etc", "/opt/plc/"))
DIGEST = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
OTHER = "0" * 64


def keep(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    KEPT[digest] = data
    return digest


def read(
    script: Script,
    *,
    ask: FileTree = ETC,
    text: TextRules | None = None,
    version: str = "",
    evidence: Evidence = Evidence.CONTENT,
) -> tuple[Reading, ...]:
    item = Item("files", Kind.CONFIGURATION, ask, Criticality.NORMAL, text=text, version=version)
    asking = Asking(FakeRoute(lambda _: script, evidence=evidence), item, Pace(), keep, 1, lambda: None)
    outcome = tree(asking, ask)
    assert not isinstance(outcome, NotAsked)
    return item_snapshot(item, outcome).readings


def one(script: Script, **more: object) -> Reading:
    (reading,) = read(script, **more)  # type: ignore[arg-type] # each test gives fields of the right type
    return reading


def value_of(script: Script, **more: object) -> FileValue:
    value = one(script, **more).value
    assert isinstance(value, FileValue)
    return value


def hashed(here: str = "", there: str = "") -> FileEntry:
    return FileEntry(b"/etc/x", FileType.REGULAR, 0o644, 0, 0, 6, 1, sha256=here, device_sha256=there)


@pytest.mark.parametrize(
    ("entry", "route", "expected"),
    [
        (hashed(DIGEST), Evidence.CONTENT, Evidence.CONTENT),
        (hashed(DIGEST), Evidence.OFFLINE_MEDIA, Evidence.OFFLINE_MEDIA),
        (hashed("", DIGEST), Evidence.CONTENT, Evidence.DEVICE_HASH),
        (hashed(DIGEST, DIGEST), Evidence.CONTENT, Evidence.CROSS_CHECKED),
    ],
)
def test_evidence_is_what_came_back_not_what_was_asked(entry: FileEntry, route: Evidence, expected: Evidence) -> None:
    reading = one([entry], evidence=route)
    assert reading.evidence is expected
    assert isinstance(reading.value, FileValue)
    assert reading.value.sha256 == DIGEST


def test_a_hash_on_the_device_that_is_not_that_of_the_bytes_is_a_disagreement() -> None:
    reading = one([hashed(DIGEST, OTHER)])
    assert reading.value == Disagreement("content read out", DIGEST, "hash computed on the device", OTHER)


def test_bytes_in_hand_are_held_against_the_devices_hash() -> None:
    entry = FileEntry(b"/etc/x", FileType.REGULAR, 0o644, 0, 0, 6, 1, device_sha256=OTHER, content=b"hello\n")
    assert isinstance(one([entry]).value, Disagreement)


@pytest.mark.parametrize(
    "entry",
    [
        hashed(),
        FileEntry(b"/etc/x", FileType.REGULAR, 0o644, 0, 0, 6, 1, sha256=OTHER, content=b"hello\n"),
        FileEntry(b"/etc/x", FileType.REGULAR, 0o10000, 0, 0, 6, 1, sha256=DIGEST),
        FileEntry(b"/etc/x", FileType.REGULAR, 0o644, -1, 0, 6, 1, sha256=DIGEST),
        FileEntry(b"/etc/x", FileType.REGULAR, 0o644, 0, 0, 10**30, 1, sha256=DIGEST),
        FileEntry(b"/etc/x", FileType.DIRECTORY, 0o755, 0, 0, 0, -(10**30)),
    ],
    ids=["no hash", "another hash", "mode", "owner", "size", "time"],
)
def test_an_answer_that_cannot_be_is_unread(entry: FileEntry) -> None:
    value = one([entry]).value
    assert isinstance(value, Unread)
    assert value.reason is Reason.BAD_REPLY


def test_folders_links_and_nodes_have_no_content() -> None:
    script: Script = [
        FileEntry(b"/etc", FileType.DIRECTORY, 0o755, 0, 0, 0, 5),
        FileEntry(b"/etc/l", FileType.SYMLINK, 0o777, 1, 2, 0, 5, b"../x\x1b[2J"),
        FileEntry(b"/etc/n", FileType.CHARACTER, 0o660, 0, 5, 4 << 20 | 64, 5),
    ]
    assert [reading.value for reading in read(script)] == [
        FileValue(FileType.DIRECTORY, 0o755, 0, 0, 0, mtime=5),
        FileValue(FileType.SYMLINK, 0o777, 1, 2, 0, "../x\\x1b[2J", mtime=5),
        FileValue(FileType.CHARACTER, 0o660, 0, 5, 4 << 20 | 64, mtime=5),
    ]


def test_what_was_not_read_keeps_its_reason() -> None:
    reading = one([NotRead(b"/etc/ssl/\xff", Reason.DENIED, "permission\x1b denied", below=True)])
    assert reading.member == "/etc/ssl/\\xff"
    assert reading.value == Unread(Reason.DENIED, "permission\\x1b denied", below=True)


@pytest.mark.parametrize("path", [b"/etcetera", b"/etc/../root", b"/opt", b"etc/x", b"", b"*", b"/opt/plcx"])
def test_an_answer_about_what_was_not_asked_is_no_answer(path: bytes) -> None:
    with pytest.raises(BadReply, match="not asked for"):
        read([FileEntry(path, FileType.DIRECTORY, 0o755, 0, 0, 0, 0)])


@pytest.mark.parametrize("path", [b"/etc", b"/etc/a/b", b"/opt/plc", b"/opt/plc/", b"/etc/..x"])
def test_answers_at_and_below_the_roots_are_taken(path: bytes) -> None:
    assert len(read([FileEntry(path, FileType.DIRECTORY, 0o755, 0, 0, 0, 0)])) == 1


def test_below_the_root_of_everything_is_everything() -> None:
    assert len(read([regular(b"/x", b""), regular(b"/a/b", b"")], ask=FileTree(("/",)))) == 2


@pytest.mark.parametrize("error", [Truncated("cut"), TimedOut("silence"), Refused("no")])
def test_a_tree_is_complete_or_not_read_at_all(error: DeviceError) -> None:
    with pytest.raises(type(error)):
        read([regular(b"/etc/a", b"a"), error])


def test_an_answer_of_another_kind_is_no_answer() -> None:
    with pytest.raises(BadReply, match="another kind"):
        read([Words((1,))])


def test_a_path_answered_twice_alike_is_one_reading() -> None:
    assert len(read([regular(b"/etc/a", b"a"), regular(b"/etc/a", b"a")])) == 1


@pytest.mark.parametrize("turned", [False, True])
def test_a_path_answered_twice_differently_disagrees_with_itself(turned: bool) -> None:
    script: Script = [regular(b"/etc/a", b"a"), regular(b"/etc/a", b"b")]
    assert isinstance(one(script[::-1] if turned else script).value, Disagreement)


@pytest.mark.parametrize("turned", [False, True])
def test_read_and_not_read_is_not_read(turned: bool) -> None:
    script: Script = [regular(b"/etc/a", b"a"), NotRead(b"/etc/a", Reason.UNSTABLE)]
    value: Value = one(script[::-1] if turned else script).value
    assert value == Unread(Reason.UNSTABLE)


CONF = TextRules(("**/*.conf",), (Rule("line-ends"), Rule("drop-lines", "^# saved")), (r"psk=(\w+)",), keep=True, limit=100)


def test_text_is_compared_without_what_moves_and_kept_without_its_secrets() -> None:
    first = value_of([regular(b"/etc/a.conf", b"# saved 1\r\npsk=hunter2\r\n")], text=CONF)
    second = value_of([regular(b"/etc/a.conf", b"# saved 2\npsk=hunter2\n")], text=CONF)
    assert first.sha256 != second.sha256
    assert first.normal_sha256 == second.normal_sha256 == hashlib.sha256(b"psk=hunter2\n").hexdigest()
    assert KEPT[first.kept] == b"psk=[redacted]\n"


def test_a_changed_secret_is_still_a_change() -> None:
    first = value_of([regular(b"/etc/a.conf", b"psk=hunter2\n")], text=CONF)
    second = value_of([regular(b"/etc/a.conf", b"psk=hunter3\n")], text=CONF)
    assert first.normal_sha256 != second.normal_sha256
    assert first.kept == second.kept


@pytest.mark.parametrize(
    ("path", "content"), [(b"/etc/a.conf", b"x" * 101), (b"/etc/a.bin", b"x"), (b"/etc/a.conf", b"p\0s\0k\0=\0h\0")]
)
def test_what_is_no_text_is_compared_by_its_bytes_alone(path: bytes, content: bytes) -> None:
    found = value_of([regular(path, content)], text=CONF)
    assert (found.normal_sha256, found.kept) == ("", "")
    assert found.sha256 == hashlib.sha256(content).hexdigest()


def test_without_rules_of_normalising_the_bytes_are_compared() -> None:
    found = value_of([regular(b"/etc/a.conf", b"x")], text=TextRules(("**",), keep=True))
    assert found.normal_sha256 == ""
    assert KEPT[found.kept] == b"x"


def test_a_version_is_found_in_text() -> None:
    script: Script = [regular(b"/etc/REVISIONS", b"FIRMWARE=03.10.08(99)\n")]
    assert value_of(script, version=r"FIRMWARE=([\d.]+)").version == "03.10.08"


def test_one_request_asks_for_the_whole_tree() -> None:
    item = Item("f", Kind.FIRMWARE, ETC, Criticality.NORMAL, text=CONF)
    asked = tree_request(item, FileTree(("/etc", "/ä"), ("/etc/x",), Proof.CROSS_CHECKED))
    assert asked.roots == (b"/etc", "/ä".encode())
    assert (asked.exclude, asked.proof, asked.keep, asked.keep_limit) == (("/etc/x",), Proof.CROSS_CHECKED, CONF.match, 100)
    assert tree_request(Item("f", Kind.FIRMWARE, ETC, Criticality.NORMAL), ETC).keep == ()
