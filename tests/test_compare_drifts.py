"""The mutation catalogue, as far as it is about comparing. The ids are its rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import compare_values as make
from tests.compare_values import drifts, file, files, item, judged, reading, sha, snapshot
from verifier.compare.describe import described
from verifier.compare.drifts import compare
from verifier.model.device import DeviceName
from verifier.model.drift import Difference, Drift
from verifier.model.report import Coverage
from verifier.model.snapshot import (
    Disagreement,
    FactValue,
    FileValue,
    ItemSnapshot,
    NotAsked,
    NumberValue,
    Reading,
    Unread,
    WordValue,
)
from verifier.model.words import Criticality, DriftKind, Evidence, FileType, Kind, Reason, Verdict

NO = make.nothing_kept


def told(found: tuple[Drift, ...]) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    return [(d.kind.value, d.member, [(x.what, x.before, x.after) for x in d.differences]) for d in found]


def one_file(before: FileValue, after: FileValue) -> Drift:
    (drift,) = drifts(item(reading("/fw.bin", before)), item(reading("/fw.bin", after)))
    return drift


def test_f1_f2_changed_content_of_the_same_size_is_drift() -> None:
    drift = one_file(file("a", mtime=7), file("b", mtime=7))
    assert (drift.kind, drift.differences) == (DriftKind.CHANGED, (Difference("sha256", sha("a"), sha("b")),))


def test_f3_appended_and_emptied() -> None:
    assert one_file(file("a"), file("a\0")).differences[0] == Difference("size", "1 bytes", "2 bytes")
    assert one_file(file("a" * 2000), file("")).differences[0] == Difference("size", "2,000 bytes", "0 bytes")


def test_f4_added_removed_renamed() -> None:
    assert [(d.kind.value, d.member) for d in drifts(files(a="1", b="2"), files(b="2", c="1"))] == [
        ("missing", "/a"),
        ("unexpected", "/c"),
    ]


def test_f4_f16_two_files_swapped_in_name() -> None:
    found = drifts(files(a="1", b="2"), files(a="2", b="1"))
    assert [(d.kind.value, d.member) for d in found] == [("changed", "/a"), ("changed", "/b")]


@pytest.mark.parametrize(
    ("after", "difference"),
    [
        (file(mode=0o4755), Difference("mode", "0644", "4755 (setuid)")),
        (file(mode=0o3644), Difference("mode", "0644", "3644 (setgid, sticky)")),
        (file(owner=1000), Difference("owner", "0", "1000")),
        (file(group=50), Difference("group", "0", "50")),
    ],
)
def test_f5_permissions_and_owners(after: FileValue, difference: Difference) -> None:
    assert one_file(file(), after).differences == (difference,)


def test_f6_links_and_types() -> None:
    link = FileValue(FileType.SYMLINK, 0o777, 0, 0, 0, target="/bin/true")
    assert one_file(link, replace(link, target="/tmp/x")).differences == (Difference("target", "/bin/true", "/tmp/x"),)
    folder = FileValue(FileType.DIRECTORY, 0o644, 0, 0, 0)
    assert one_file(file(), folder).differences == (Difference("type", "file", "directory"),)
    disk = FileValue(FileType.BLOCK, 0o660, 0, 0, 8 << 20 | 1)
    assert one_file(disk, replace(disk, size=8 << 20 | 2)).differences == (Difference("size", "device 8:1", "device 8:2"),)


def test_what_is_gone_or_new_is_described() -> None:
    approved = item(
        reading("/dev", FileValue(FileType.CHARACTER, 0o600, 0, 0, 5 << 20 | 1)),
        reading("/fw.bin", file("a", version="3.10.8")),
        reading("eth0", FactValue("up")),
        reading("/link", FileValue(FileType.SYMLINK, 0o777, 0, 0, 0, target="fw.bin")),
        reading("limit", NumberValue((500,), "50.0", "t")),
        reading("word", WordValue(17)),
        reading("two", Disagreement("sftp", "a", "shell", "b")),
    )
    assert [d.differences[0].before for d in drifts(approved, item())] == [
        "character device, device 5:1, mode 0600",
        f"file, 1 bytes, mode 0644, version 3.10.8, sha256 {sha('a')[:12]}",
        "symlink, to fw.bin, mode 0777",
        "up",
        "50.0 t",
        "a by sftp, b by shell",
        "17",
    ]
    assert drifts(item(), approved)[1].differences[0] == Difference(
        "found", "", f"file, 1 bytes, mode 0644, version 3.10.8, sha256 {sha('a')[:12]}"
    )


def test_an_unread_value_has_words_too() -> None:
    assert described(Unread(Reason.DENIED)) == "unread (permission denied)"


def test_f8_names_that_look_alike_are_two_members() -> None:
    found = drifts(item(reading("/caf\u00e9", file())), item(reading("/cafe\u0301", file())))
    assert [d.kind for d in found] == [DriftKind.UNEXPECTED, DriftKind.MISSING]


@pytest.mark.parametrize("reason", [Reason.UNSTABLE, Reason.VANISHED, Reason.BOUND, Reason.DENIED])
def test_f9_f10_f11_what_could_not_be_read_is_unread_and_not_changed(reason: Reason) -> None:
    found = item(reading("/fw.bin", Unread(reason, "at 4,096 of 9,000 bytes")))
    (drift,) = drifts(item(reading("/fw.bin", file())), found)
    assert drift == Drift(
        DriftKind.UNREAD,
        "firmware",
        Kind.FIRMWARE,
        Criticality.HIGH,
        "/fw.bin",
        Evidence.CONTENT,
        (),
        f"{reason.value}: at 4,096 of 9,000 bytes",
    )


def test_f11_a_folder_without_permission_is_one_line_that_counts_what_it_hides() -> None:
    approved = files(**{"etc": "0", "etc/keys": "0", "etc/keys/a": "1", "etc/keys/b/c": "2", "etc/keys2": "3", "opt": "4"})
    denied = item(
        *(r for r in approved.readings if not r.member.startswith("/etc/keys/") and r.member != "/etc/keys"),
        reading("/etc/keys", Unread(Reason.DENIED, below=True)),
    )
    (drift,) = drifts(approved, denied)
    assert (drift.kind, drift.member, drift.note) == (
        DriftKind.UNREAD,
        "/etc/keys",
        "permission denied; stands for 3 approved members",
    )
    assert judged(snapshot(approved), snapshot(denied)) == (Verdict.UNDETERMINED, Coverage(3, 6))


def test_a_root_that_cannot_be_read_hides_all_below_it() -> None:
    (drift,) = drifts(files(a="1", b="2"), item(reading("/", Unread(Reason.DENIED, below=True))))
    assert drift.note == "permission denied; stands for 2 approved members"


def test_an_unread_folder_the_baseline_does_not_know_is_said_and_counted() -> None:
    approved = files(a="1")
    found = replace(approved, readings=(*approved.readings, reading("/new", Unread(Reason.DENIED, below=True))))
    (drift,) = drifts(approved, found)
    assert (drift.member, drift.note) == ("/new", "permission denied; the baseline holds nothing of it")
    assert judged(snapshot(approved), snapshot(found)) == (Verdict.UNDETERMINED, Coverage(1, 2))


def test_f12_times_are_recorded_and_not_compared() -> None:
    assert drifts(item(reading("/f", file(mtime=1))), item(reading("/f", file(mtime=999)))) == ()


MASK = ("/var/log",)


@pytest.mark.parametrize(
    "readings",
    [
        (reading("/var/log/a", file("2")),),
        (),
        (reading("/var/log/a", Unread(Reason.VANISHED)),),
        (reading("/var/log", Unread(Reason.DENIED, below=True)),),
        (reading("/var/log/a", file("1")), reading("/var/log/b", file("new"))),
        (reading("/var/log/a", Disagreement("sftp", "1", "shell", "2")),),
    ],
)
def test_f13_what_the_signed_mask_names_is_not_compared(readings: tuple[Reading, ...]) -> None:
    firmware = reading("/fw.bin", file())
    approved = item(firmware, reading("/var/log/a", file("1")), volatile=MASK)
    found = item(firmware, *readings, volatile=MASK)
    assert drifts(approved, found) == ()
    assert judged(snapshot(approved), snapshot(found)) == (Verdict.MATCH, Coverage(1, 1))


@pytest.mark.parametrize("mask", ["/opt/*", "/opt/ru?", "**/run"])
def test_a_mask_over_a_folder_does_not_hide_that_what_is_in_it_was_not_read(mask: str) -> None:
    """Nobody knows what is in a folder that somebody locked, also when the baseline knows of nothing in it."""
    folder = FileValue(FileType.DIRECTORY, 0o755, 0, 0, 0)
    approved = item(reading("/fw.bin", file()), reading("/opt/run", folder), volatile=(mask,))
    locked = reading("/opt/run", Unread(Reason.DENIED, below=True))
    found = replace(approved, readings=(approved.readings[0], locked))
    assert judged(snapshot(approved), snapshot(approved)) == (Verdict.MATCH, Coverage(1, 1))
    assert judged(snapshot(approved), snapshot(found)) == (Verdict.UNDETERMINED, Coverage(1, 2))


def test_a_mask_over_everything_compares_nothing_and_is_no_match() -> None:
    approved = item(reading("/a", file()), volatile=("**",))
    assert judged(snapshot(approved), snapshot(approved)) == (Verdict.UNDETERMINED, Coverage(0, 0))


def test_a_mask_never_hides_that_a_whole_item_was_not_read() -> None:
    approved = item(reading("/a", file()), volatile=("**",))
    found = item(reading("*", Unread(Reason.TIMED_OUT)), volatile=("**",))
    (drift,) = drifts(approved, found)
    assert (drift.kind, drift.note) == (DriftKind.UNREAD, "timed out; the baseline holds nothing of it")


def test_an_unread_folder_under_the_mask_still_hides_what_is_not_under_it() -> None:
    approved = item(reading("/var", file()), reading("/var/www", file()), volatile=("/va?",))
    found = item(reading("/var", Unread(Reason.DENIED, below=True)), volatile=("/va?",))
    (drift,) = drifts(approved, found)
    assert (drift.kind, drift.member, drift.note) == (DriftKind.UNREAD, "/var", "permission denied")


def test_f14_a_widened_mask_is_drift_and_hides_nothing() -> None:
    approved = item(reading("/fw.bin", file("a")), volatile=("/tmp",))
    found = item(reading("/fw.bin", file("b")), volatile=("/tmp", "/fw.bin"))
    mask, change = drifts(approved, found)
    assert (mask.item, mask.member, mask.criticality) == ("profile", "volatile mask of firmware", Criticality.CRITICAL)
    assert mask.note == "the mask was widened by /fw.bin; the approved mask was applied"
    assert mask.differences == (Difference("volatile mask", "/tmp", "/tmp, /fw.bin"),)
    assert (change.kind, change.member) == (DriftKind.CHANGED, "/fw.bin")


def test_f14_a_narrowed_mask_is_said_too() -> None:
    (mask,) = drifts(item(volatile=("/tmp",)), item())
    assert mask.note == "the mask is not the approved one; the approved mask was applied"
    assert mask.differences == (Difference("volatile mask", "/tmp", "(none)"),)


def test_f14_another_profile_is_drift_even_when_nothing_else_differs() -> None:
    approved = snapshot(files(a="1"))
    other = replace(approved, profile_digest=sha("other"), profile_version=2)
    (drift,) = compare(approved, other, NO)
    assert (drift.item, drift.member, drift.kind) == ("profile", "digest", DriftKind.CHANGED)
    assert [d.what for d in drift.differences] == ["version", "digest"]
    assert judged(approved, other)[0] is Verdict.DRIFT


def test_the_approved_criticality_applies_and_another_one_is_drift() -> None:
    approved = item(reading("/a", file("1")), criticality=Criticality.CRITICAL)
    found = item(reading("/a", file("2")), criticality=Criticality.LOW, critical_members=(("/a", Criticality.LOW),))
    weight, change = drifts(approved, found)
    assert (weight.member, [d.what for d in weight.differences]) == (
        "criticality of firmware",
        ["criticality", "critical members"],
    )
    assert change.criticality is Criticality.CRITICAL


def connection(*readings: Reading) -> ItemSnapshot:
    lesser = tuple((r.member, Criticality.LOW) for r in readings if r.member not in ("host-key", "*"))
    kind = {"name": "connection", "kind": Kind.NETWORK}
    return item(*readings, criticality=Criticality.CRITICAL, critical_members=lesser, **kind)  # type: ignore[arg-type]  # a name and a kind


CONNECTED = (reading("host-key", FactValue("SHA256:abc")), reading("server-version", FactValue("dropbear"), Evidence.CLAIMED))


def test_p1_a_device_that_cannot_be_reached_is_unread_and_nothing_else() -> None:
    approved = snapshot(connection(*CONNECTED), files(a="1"))
    dead = tuple(replace(connection(reading("*", Unread(Reason.UNREACHABLE))), name=name) for name in ("connection", "firmware"))
    found = replace(approved, items=(dead[0], replace(approved.items[1], readings=dead[1].readings)))
    assert {d.kind for d in compare(approved, found, NO)} == {DriftKind.UNREAD}
    assert judged(approved, found) == (Verdict.UNDETERMINED, Coverage(0, 3))


def test_s1_a_changed_host_key_is_drift_while_all_else_is_unread() -> None:
    approved = snapshot(connection(*CONNECTED), files(a="1"))
    refused = connection(reading("*", Unread(Reason.IDENTITY)), reading("host-key", FactValue("SHA256:xyz")))
    found = snapshot(refused, item(reading("*", Unread(Reason.IDENTITY))))
    assert [(d.kind.value, d.item, d.member) for d in compare(approved, found, NO)] == [
        ("changed", "connection", "host-key"),
        ("unread", "firmware", "*"),
        ("unread", "connection", "*"),
    ]
    assert judged(approved, found) == (Verdict.DRIFT, Coverage(1, 3))


def test_a_member_called_less_grave_than_approved_is_drift() -> None:
    approved = connection(*CONNECTED)
    eased = replace(approved, critical_members=(*approved.critical_members, ("host-key", Criticality.LOW)))
    (weight,) = drifts(approved, eased)
    assert weight.differences == (Difference("critical members", "(none)", "host-key: low"),)


def test_f17_f18_two_routes_that_disagree_are_drift_of_their_own_kind() -> None:
    found = item(reading("/bin/sh", Disagreement("sftp", "aa", "sha256sum", "bb"), Evidence.CROSS_CHECKED))
    for approved in (item(reading("/bin/sh", file())), item()):
        (drift,) = drifts(approved, found)
        assert told((drift,)) == [("disagreeing", "/bin/sh", [("answers", "sftp: aa", "sha256sum: bb")])]
        assert judged(snapshot(approved), snapshot(found))[0] is Verdict.DRIFT


def test_a_baseline_that_holds_two_answers_can_never_match() -> None:
    approved = item(reading("/bin/sh", Disagreement("sftp", "aa", "sha256sum", "bb")))
    (drift,) = drifts(approved, item(reading("/bin/sh", file())))
    assert (drift.kind, drift.note) == (DriftKind.DISAGREEING, "two answers stand in the baseline itself: approve a new one")


def test_f22_hostile_text_is_escaped_and_cut() -> None:
    fact = FactValue("\x1b[2J\u202e" + "x" * 9000)
    (drift,) = drifts(item(), item(reading("eth0", fact)))
    after = drift.differences[0].after
    assert after.startswith("\\x1b[2J\\u202exxx")
    assert after.endswith("... (cut here, 9,005 characters in all)")
    assert len(after) < 2100


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        ("3.10.8", "3.9.2", "firmware downgrade 3.10.8 -> 3.9.2"),
        ("03.10.08", "03.9.2", "firmware downgrade 03.10.08 -> 03.9.2"),
        ("3.9.2", "3.10.8", "newer version 3.9.2 -> 3.10.8"),
        ("3.10.8", "3.10.8", "same version 3.10.8, different bytes"),
        ("3.10.8", "03.10.08", "same version 03.10.08, different bytes"),
        ("r7", "beta", "other version r7 -> beta"),
        ("", "3.1", ""),
    ],
)
def test_b6_b7_f23_versions_are_told(before: str, after: str, note: str) -> None:
    assert one_file(file("a", version=before), file("b", version=after)).note == note


def test_b7_only_a_mode_that_differs_says_nothing_of_the_bytes() -> None:
    assert one_file(file(version="1.0"), file(version="1.0", mode=0o755)).note == ""


def test_b6_a_version_that_goes_down_is_drift_even_in_text_that_is_normalised_away() -> None:
    before = file("a", version="2.0", normal_sha256=sha("n"))
    drift = one_file(before, file("b", version="1.9", normal_sha256=sha("n")))
    assert (drift.note, drift.differences) == ("firmware downgrade 2.0 -> 1.9", (Difference("version", "2.0", "1.9"),))


def test_downgrades_are_named_after_what_was_downgraded() -> None:
    for kind, note in ((Kind.PROGRAM, "program downgrade 2 -> 1"), (Kind.CONFIGURATION, "version downgrade 2 -> 1")):
        before = item(reading("version", FactValue("runtime 2", "2")), kind=kind)
        (drift,) = drifts(before, item(reading("version", FactValue("runtime 1", "1")), kind=kind))
        assert drift.note == note


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("up mac=1 driver=e1000", "up mac=2 driver=e1000", [("mac", "1", "2")]),
        ("up mac=1", "down mac=1", [("text", "up", "down")]),
        ("up", "up forwarding", [("text", "", "forwarding")]),
        ("a=1 b=2", "a=3 b=4", [("a", "1", "3"), ("b", "2", "4")]),
        ("one two", "two one", [("text", "one two", "two one")]),
        ("one  two", "one two", [("text", "one  two", "one two")]),
        ("w " * 90, "v " * 90, [("text", "w " * 90, "v " * 90)]),
    ],
)
def test_s7_facts_show_the_words_that_changed(before: str, after: str, expected: list[tuple[str, str, str]]) -> None:
    found = drifts(item(reading("eth0", FactValue(before))), item(reading("eth0", FactValue(after))))
    assert told(found) == [("changed", "eth0", expected)]


def test_s7_a_new_modem_interface_is_unexpected_and_grave() -> None:
    up = reading("eth0", FactValue("up"), Evidence.CLAIMED)
    modem = reading("wwan0", FactValue("up mac=02:00:00:00:00:01 driver=qmi_wwan"), Evidence.CLAIMED)
    approved = item(up, name="interfaces", kind=Kind.NETWORK, criticality=Criticality.CRITICAL)
    (drift,) = drifts(approved, replace(approved, readings=(up, modem)))
    assert (drift.kind, drift.member, drift.criticality) == (DriftKind.UNEXPECTED, "wwan0", Criticality.CRITICAL)


def limits(*values: tuple[str, NumberValue]) -> ItemSnapshot:
    return item(*(reading(name, value, Evidence.CLAIMED) for name, value in values), name="hoist limits", kind=Kind.PARAMETER)


def test_b4_a_raised_limit_is_told_in_tonnes() -> None:
    before = limits(("hoist overload trip", NumberValue((500,), "50.0", "t")))
    after = limits(("hoist overload trip", NumberValue((620,), "62.0", "t", out_of_limits=True)))
    (drift,) = drifts(before, after)
    assert told((drift,)) == [("changed", "hoist overload trip", [("value", "50.0 t", "62.0 t")])]
    assert drift.note == "outside the limits of the profile"


def test_b3_registers_decide_not_their_rendering() -> None:
    before = limits(("ratio", NumberValue((0x3F80, 0), "1.0")))
    after = limits(("ratio", NumberValue((0x3F80, 1), "1.0")))
    assert told(drifts(before, after)) == [("changed", "ratio", [("registers", "3f80 0000", "3f80 0001")])]
    assert drifts(before, limits(("ratio", NumberValue((0x3F80, 0), "1.00")))) == ()


def test_b3_a_shifted_register_map_is_drift_everywhere() -> None:
    before = item(*(reading(f"{a}", WordValue(a * 3)) for a in range(5)))
    after = item(*(reading(f"{a}", WordValue(a * 3 + 3)) for a in range(5)))
    assert told(drifts(before, after))[1] == ("changed", "1", [("value", "3", "6")])
    assert len(drifts(before, after)) == 5


def test_b1_b15_an_exception_is_unread_and_the_rest_is_still_compared() -> None:
    before = item(reading("a", WordValue(1)), reading("b", WordValue(2)))
    after = item(reading("a", Unread(Reason.REFUSED, "exception 2, illegal data address")), reading("b", WordValue(3)))
    assert [d.kind for d in drifts(before, after)] == [DriftKind.UNREAD, DriftKind.CHANGED]


def test_a_value_of_another_kind_is_a_change() -> None:
    found = drifts(item(reading("a", WordValue(1))), item(reading("a", FactValue("one"))))
    assert told(found) == [("changed", "a", [("reading", "register: 1", "fact: one")])]


def test_p4_items_of_one_side_only() -> None:
    one, other = files(a="1"), replace(files(b="2"), name="program")
    (drift,) = compare(snapshot(one), snapshot(one, other), NO)
    assert (drift.kind, drift.item, drift.member) == (DriftKind.UNEXPECTED, "program", "/b")
    (drift,) = compare(snapshot(one, other), snapshot(one), NO)
    assert (drift.kind, drift.item, drift.note) == (
        DriftKind.UNREAD,
        "program",
        "the check holds no answer; stands for 1 approved member",
    )


def test_an_item_that_cannot_be_asked_now_is_unread_even_when_its_approved_list_is_empty() -> None:
    modems = item(name="modems", kind=Kind.HARDWARE, volatile=("x",))
    off = NotAsked("modems", "the device is off")
    approved, found = snapshot(files(a="1"), modems), snapshot(files(a="1"), not_asked=(off,))
    (drift,) = compare(approved, found, NO)
    assert drift.note == "not asked: the device is off; the approved list is empty, and may not be so now"
    assert judged(approved, found) == (Verdict.UNDETERMINED, Coverage(1, 2))


def test_an_item_asked_on_neither_side_says_nothing() -> None:
    off = (NotAsked("listeners", "the device is off"),)
    assert compare(snapshot(files(a="1"), not_asked=off), snapshot(files(a="1"), not_asked=off), NO) == ()


def test_an_item_the_baseline_could_not_ask_is_unread_not_unexpected() -> None:
    listeners = item(reading("tcp 22", FactValue("sshd")), name="listeners", kind=Kind.NETWORK)
    approved = snapshot(files(a="1"), not_asked=(NotAsked("listeners", "the device is off"),))
    (drift,) = compare(approved, snapshot(files(a="1"), listeners), NO)
    assert (drift.kind, drift.note) == (
        DriftKind.UNREAD,
        "never asked when the baseline was approved (the device is off); 1 member found now with nothing to compare",
    )


def test_what_was_unread_when_approved_can_never_match() -> None:
    approved = item(reading("/root", Unread(Reason.DENIED, below=True)), reading("/x", Unread(Reason.BOUND)))
    found = item(reading("/root", file()), reading("/root/a", file()), reading("/x", file()))
    assert [(d.kind.value, d.member, d.note) for d in drifts(approved, found)] == [
        (
            "unread",
            "/root",
            "never read when the baseline was approved (permission denied); 1 member found there now with nothing to compare",
        ),
        ("unread", "/x", "never read when the baseline was approved (over the profile's bound)"),
    ]
    assert [d.kind for d in drifts(approved, item())] == [DriftKind.UNREAD, DriftKind.UNREAD]


def test_content_nobody_read_is_not_the_same_content() -> None:
    read, unhashed = file(), file(sha256="")
    assert one_file(read, unhashed).note == "the content was not read now"
    assert one_file(unhashed, read).note == "the content was not read when the baseline was approved"
    assert drifts(item(reading("/f", unhashed)), item(reading("/f", unhashed))) == ()


def test_e2_is_never_green_where_e3_was_approved() -> None:
    approved = item(*(reading(f"/{n:02}", file()) for n in range(30)), critical_members=(("/29", Criticality.CRITICAL),))
    found = replace(approved, readings=tuple(replace(r, evidence=Evidence.DEVICE_HASH) for r in approved.readings))
    (drift,) = drifts(approved, found)
    assert (drift.kind, drift.member, drift.criticality) == (DriftKind.UNREAD, "*", Criticality.CRITICAL)
    assert drift.note == "30 members: read only as device-hash; approved as content, 20 of them named here"
    assert drift.differences[0] == Difference("/00", "content", "device-hash")
    assert judged(snapshot(approved), snapshot(found)) == (Verdict.UNDETERMINED, Coverage(0, 30))
    (first, *_) = approved.readings
    one = item(replace(first, evidence=Evidence.DEVICE_HASH))
    (drift,) = drifts(item(first), one)
    assert (drift.member, drift.note) == ("/00", "read only as device-hash; approved as content")


@pytest.mark.parametrize(
    ("value", "approved", "found", "enough"),
    [
        (file(), Evidence.DEVICE_HASH, Evidence.CONTENT, True),
        (file(), Evidence.CROSS_CHECKED, Evidence.CONTENT, False),
        (file(), Evidence.OFFLINE_MEDIA, Evidence.CONTENT, True),
        (file(), Evidence.OFFLINE_MEDIA, Evidence.DEVICE_HASH, False),
        (FactValue("up"), Evidence.OFFLINE_MEDIA, Evidence.CLAIMED, True),
        (FactValue("up"), Evidence.OFFLINE_MEDIA, Evidence.STATED, False),
        (WordValue(17), Evidence.CLAIMED, Evidence.CROSS_CHECKED, True),
    ],
)
def test_a_card_can_be_the_baseline_of_a_running_device(
    value: FileValue | FactValue | WordValue, approved: Evidence, found: Evidence, enough: bool
) -> None:
    assert (drifts(item(reading("m", value, approved)), item(reading("m", value, found))) == ()) is enough


def test_normalised_text_is_compared_where_both_have_it() -> None:
    before, after = file("a", normal_sha256=sha("n")), file("b2", normal_sha256=sha("n"))
    assert drifts(item(reading("/f", before)), item(reading("/f", after))) == ()
    drift = one_file(before, replace(after, normal_sha256=sha("m")))
    assert [d.what for d in drift.differences] == ["normalised sha256"]
    drift = one_file(before, replace(after, normal_sha256=""))
    assert [d.what for d in drift.differences] == ["size", "sha256"]


def test_another_device_is_refused() -> None:
    other = replace(snapshot(), device=DeviceName("terminal-2", "STS-02", "hoist-controller"))
    with pytest.raises(ValueError, match="says nothing about terminal-2/STS-02"):
        compare(snapshot(), other, NO)


def test_a_reading_cannot_hide_behind_another_of_the_same_name() -> None:
    twice = replace(files(a="1"), readings=files(a="1").readings * 2)
    with pytest.raises(ValueError, match="names the member /a twice"):
        drifts(files(a="1"), twice)
    with pytest.raises(ValueError, match="names an item twice"):
        compare(snapshot(files(a="1")), snapshot(files(a="1"), files(a="2")), NO)


def test_readings_out_of_order_are_put_in_order() -> None:
    shuffled = replace(files(a="1", b="2", c="3"), readings=files(a="1", b="2", c="3").readings[::-1])
    assert drifts(shuffled, files(a="1", b="2", c="3")) == ()


def test_p9_a_thousand_repeats_raise_no_false_alarm() -> None:
    whole = snapshot(files(a="1", b="2"), limits(("trip", NumberValue((500,), "50.0", "t"))))
    assert all(compare(whole, replace(whole), NO) == () for _ in range(1000))
