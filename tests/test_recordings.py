"""Each recording is played back: the snapshot is the one expected, whatever is tampered with shows, and what is cut is no match.

A new kind of device needs no line here: its recording and its expected snapshot are found by their names.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

import pytest

from tests.fakes import fingerprint, key_line
from tests.record_profile import EXPECTED, FOLDER, laid_out, record, recorded_profiles, recording, replayed
from tests.recorded_devices import DEVICES
from tests.terminal import Person, settled
from verifier.compare.coverage import coverage, item_results
from verifier.compare.drifts import compare
from verifier.compare.verdict import verdict
from verifier.model.codec import from_json, parse, to_json
from verifier.model.drift import Drift
from verifier.model.member import shown
from verifier.model.pattern import matches
from verifier.model.snapshot import Snapshot, Unread
from verifier.model.words import FileType, Verdict
from verifier.settings.profiles import builtin_names, load_profile
from verifier.transport.answer import Answer, FileEntry, NotRead, Objects, Output, Words
from verifier.transport.replay import Exchange, Failure, Recording, loads
from verifier.transport.request import Command, ReadFile, ReadTable, ReadTree, Request, Run

NAMES = recorded_profiles()
NO_FACT = b"/proc/sys/net/ipv4/ip_local_port_range"
"""It says which ports come and go, and is no reading itself."""


def expected(name: str) -> Snapshot:
    return from_json(Snapshot, parse((FOLDER / f"{name}{EXPECTED}").read_bytes()))


def drifts(name: str, played: Recording) -> tuple[Drift, ...]:
    return compare(expected(name), replayed(name, played), lambda _: None)


def judged(name: str, played: Recording) -> Verdict:
    approved, found = expected(name), replayed(name, played)
    differing = compare(approved, found, lambda _: None)
    return verdict(differing, coverage(item_results(approved, found, differing)))


# What is there


def test_every_built_in_profile_has_a_recording_and_every_recording_its_expected_snapshot() -> None:
    assert set(NAMES) == set(builtin_names())
    assert {path.name for path in FOLDER.glob("*.json")} == {f"{name}{end}" for name in NAMES for end in (".json", EXPECTED)}
    assert set(DEVICES) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_the_expected_snapshot_and_it_matches_itself(name: str) -> None:
    found = replayed(name, recording(name))
    assert found == expected(name)
    assert laid_out(to_json(found)) + "\n" == (FOLDER / f"{name}{EXPECTED}").read_text()
    assert judged(name, recording(name)) is Verdict.MATCH


@pytest.mark.parametrize("name", NAMES)
def test_everything_the_profile_asks_was_answered(name: str) -> None:
    found = expected(name)
    assert not [(item.name, each) for item in found.items for each in item.readings if isinstance(each.value, Unread)]
    assert not found.not_asked
    assert [item.name for item in found.items if not item.readings and item.name not in MAY_BE_EMPTY] == []


MAY_BE_EMPTY = ("modems",)
"""A list on which anything is bad news."""


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_stands_in_a_recording(name: str) -> None:
    text = (FOLDER / f"{name}.json").read_text()
    assert "PRIVATE KEY" not in text
    assert "$6$" not in text
    assert len(text) < 64 << 10


NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="a simulated Linux device is a chroot")


@pytest.mark.parametrize("name", ["modbus-device", "offline-image", pytest.param("plcnext", marks=NEEDS_ROOT)])
def test_a_device_recorded_again_tells_the_same(name: str) -> None:
    """One of each transport. What a device's programs are is this machine's; what they say of it is not."""
    with DEVICES[name]() as address:
        again = replayed(name, loads(record(name, address), name))
    before = {item.name: item for item in expected(name).items}
    for item in again.items:
        if item.name not in ("connection", "system files"):
            assert item == before[item.name]


# What is tampered with

Tamper = Callable[[Recording], Recording]


def altering(change: Callable[[Request, tuple[Answer, ...]], tuple[Answer, ...]]) -> Tamper:
    """A device that answers otherwise, however often it is asked. It must make a difference somewhere."""

    def tamper(played: Recording) -> Recording:
        exchanges = tuple(replace(each, answers=change(each.request, each.answers)) for each in played.exchanges)
        assert exchanges != played.exchanges, "the tampering hit nothing"
        return replace(played, exchanges=exchanges)

    return tamper


def entry(path: bytes, change: Callable[[FileEntry], FileEntry | None]) -> Tamper:
    """One file is another, or gone."""

    def changed(_: Request, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
        hit = (change(each) if isinstance(each, FileEntry) and each.path == path else each for each in answers)
        return tuple(each for each in hit if each is not None)

    return altering(changed)


def content(path: bytes, text: bytes) -> Tamper:
    """Another content of the same size, as far as metadata tell."""
    digest = hashlib.sha256(text).hexdigest()
    return entry(path, lambda was: replace(was, sha256=digest, content=text if was.content is not None else None))


def mode(path: bytes, bits: int) -> Tamper:
    return entry(path, lambda was: replace(was, mode=bits))


def gone(path: bytes) -> Tamper:
    return entry(path, lambda _: None)


def new(path: bytes, text: bytes = b"hook") -> Tamper:
    """A file that was not there, in every tree that it lies in."""
    added = FileEntry(path, FileType.REGULAR, 0o755, 0, 0, len(text), 1_767_225_600, sha256=hashlib.sha256(text).hexdigest())
    above = path.rpartition(b"/")[0] or b"/"

    def with_it(request: Request, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
        beside = isinstance(request, ReadTree) and any(isinstance(each, FileEntry) and each.path == above for each in answers)
        return (*answers, added) if beside else answers

    return altering(with_it)


def says(source: bytes | Command, before: bytes, after: bytes) -> Tamper:
    """A file of the kernel's or a command says something else."""

    def changed(request: Request, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
        about = request.path if isinstance(request, ReadFile) else request.command if isinstance(request, Run) else None
        if about != source:
            return answers
        return tuple(
            replace(each, data=each.data.replace(before, after)) if isinstance(each, Output) else each for each in answers
        )

    return altering(changed)


def register(address: int, word: int) -> Tamper:
    def changed(request: Request, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
        if not isinstance(request, ReadTable) or not request.first <= address < request.first + request.count:
            return answers
        at = address - request.first
        return tuple(Words((*a.values[:at], word, *a.values[at + 1 :])) if isinstance(a, Words) else a for a in answers)

    return altering(changed)


def identity(number: int, value: bytes) -> Tamper:
    def changed(_: Request, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
        return tuple(
            replace(a, objects=tuple((n, value if n == number else v) for n, v in a.objects)) if isinstance(a, Objects) else a
            for a in answers
        )

    return altering(changed)


MODEM = (
    b"/sys/devices/platform/soc/usb1/1-1/net/wwan0/address:02:00:5e:00:53:99\n"
    b"/sys/devices/platform/soc/usb1/1-1/net/wwan0/type:519\n"
    b"/sys/devices/platform/soc/usb1/1-1/net/wwan0/uevent:DEVTYPE=wwan\n"
)
USB1 = b"/sys/devices/platform/soc/usb1/idVendor:"
STICK = b"/sys/devices/platform/soc/usb1/1-2/idVendor:0781\n/sys/devices/platform/soc/usb1/1-2/idProduct:5567\n" + USB1


READER = "SHA256:4A9jyZBOhnKZvcGQ6TRFbf5Gymb41AfYvYaVmWHD+G4"
"""The key with which all these devices were read."""


@dataclass(frozen=True)
class Case:
    profile: str
    what: str
    tamper: Tamper
    drifts: tuple[str, ...]
    """`kind item: member`, gravest first, all of them."""

    def __str__(self) -> str:
        return f"{self.profile}: {self.what}"


CASES = (
    Case(
        "abb-acs880",
        "another adapter firmware",
        identity(2, b"V0.90"),
        ("changed identity: MajorMinorRevision",),
    ),
    Case(
        "codesys-linux",
        "another boot application, whose .crc is the old one",
        content(b"/var/opt/codesys/PlcLogic/Application/Application.app", b"another boot application"),
        ("changed system files: /var/opt/codesys/PlcLogic/Application/Application.app",),
    ),
    Case("demo-anemometer", "wind alarm raised", register(0, 240), ("changed wind alarm: wind alarm threshold",)),
    Case(
        "demo-controller",
        "another firmware",
        content(b"/opt/controller/firmware/main.fw", b"another"),
        ("changed firmware: /opt/controller/firmware/main.fw",),
    ),
    Case(
        "demo-controller",
        "a modem",
        says(b"/proc/net/dev", b"    lo:", b" wwan0: 0 0\n    lo:"),
        ("unexpected interfaces: wwan0",),
    ),
    Case("demo-gateway", "another make", identity(0, b"Somebody"), ("changed identity: VendorName",)),
    Case("demo-hoist-drive", "overload trip raised", register(100, 620), ("changed hoist limits: hoist overload trip",)),
    Case("demo-hoist-drive", "another program", register(121, 1), ("changed program checksum: drive program checksum",)),
    Case(
        "linux-controller",
        "a modem",
        says(Command.LIST_INTERFACES, b"/sys/devices/virtual/net/lo/address:", MODEM + b"/sys/devices/virtual/net/lo/address:"),
        ("unexpected interfaces: wwan0", "unexpected modems: interface/wwan0"),
    ),
    Case(
        "linux-controller",
        "a library for every program",
        new(b"/etc/ld.so.preload", b"/lib/hook.so\n"),
        ("unexpected configuration: /etc/ld.so.preload",),
    ),
    Case(
        "linux-controller",
        "a key of a stranger",
        content(b"/root/.ssh/authorized_keys", key_line(b"stranger").encode()),
        (
            f"missing authorized keys: root/{READER}",
            f"unexpected authorized keys: root/{fingerprint(b'stranger')}",
            "changed home folders: /root/.ssh/authorized_keys",
        ),
    ),
    Case("linux-crane-pc", "a setuid program", mode(b"/opt/cms/bin/cms", 0o4755), ("changed system files: /opt/cms/bin/cms",)),
    Case(
        "linux-crane-pc",
        "a capability more",
        says(Command.FILE_CAPABILITIES, b"cap_net_raw", b"cap_sys_admin,cap_net_raw"),
        ("changed file capabilities: /opt/cms/bin/ping",),
    ),
    Case(
        "linux-crane-pc",
        "an older package",
        says(b"/var/lib/dpkg/status", b"Version: 4.4-3", b"Version: 4.3-1"),
        ("changed packages: cms:amd64",),
    ),
    Case("linux-crane-pc", "a stick", says(Command.LIST_USB, USB1, STICK), ("unexpected usb devices: soc/1-2",)),
    Case("modbus-device", "another model", identity(1, b"IO-16"), ("changed identity: ProductCode",)),
    Case(
        "moxa-gateway",
        "an older image",
        says(Command.MOXA_VERSION, b"version 3.2", b"version 3.1"),
        ("changed image version: version",),
    ),
    Case(
        "moxa-gateway",
        "hardening taken back",
        content(b"/etc/mx-security/level", b"0\n"),
        ("changed hardening: /etc/mx-security/level",),
    ),
    Case(
        "offline-image",
        "a card that loads",
        content(b"/SDCARD.INI", b"[System]\nFunctionOfCard=3\n"),
        ("changed content: /SDCARD.INI",),
    ),
    Case("offline-image", "a program that is gone", gone(b"/UserData/DEFAULT.PRG"), ("missing content: /UserData/DEFAULT.PRG",)),
    Case(
        "plcnext",
        "a library that hides the firmware's own",
        new(b"/media/rfs/rw/upperdir/etc/libplc.so"),
        ("unexpected overlay: /media/rfs/rw/upperdir/etc/libplc.so",),
    ),
    Case(
        "plcnext",
        "a slot written once more",
        says(Command.RAUC_STATUS, b"count=1\nx", b"count=2\nx"),
        ("changed boot slots: rauc/rootfs.1/slot status/installed/count",),
    ),
    Case(
        "plcnext",
        "another project",
        content(b"/opt/plcnext/projects/PCWE/Io/Arp.Io.AxlC/example.tic", b"<io2/>"),
        ("changed project: /opt/plcnext/projects/PCWE/Io/Arp.Io.AxlC/example.tic",),
    ),
    Case("schneider-m340-m580", "another module", identity(1, b"BMX NOE 0110"), ("changed network module: ProductCode",)),
    Case("wago-pfc", "a mobile line", new(b"/etc/specific/wwan.conf"), ("unexpected remote access: /etc/specific/wwan.conf",)),
    Case(
        "wago-pfc",
        "another signer of updates",
        content(b"/etc/rauc/ca.cert.pem", b"another certificate"),
        ("changed update trust: /etc/rauc/ca.cert.pem",),
    ),
    Case(
        "wago-pfc",
        "the program now lies on the card",
        entry(b"/home/codesys", lambda was: replace(was, target=b"/media/sd")),
        ("changed program: /home/codesys",),
    ),
    Case("yaskawa-a1000", "another drive", register(0x35, 2), ("changed product code: holding 00053",)),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_tampering_is_told_where_it_is_and_nowhere_else(case: Case) -> None:
    found = drifts(case.profile, case.tamper(recording(case.profile)))
    assert tuple(f"{each.kind} {each.item}: {each.member}" for each in found) == case.drifts


def test_drift_is_told_in_the_words_of_the_trade() -> None:
    (trip,) = drifts("demo-hoist-drive", register(100, 620)(recording("demo-hoist-drive")))
    assert next((each.before, each.after) for each in trip.differences) == ("50.0 t", "62.0 t")
    (older,) = drifts("wago-pfc", VERSION_DOWN(recording("wago-pfc")))
    assert "downgrade 03.10.08(99) -> 03.09.02(99)" in older.note


VERSION_DOWN = content(b"/etc/REVISIONS", b"FIRMWARE=03.09.02(99)\n")


def subject(request: Request, answer: Answer) -> object:
    """What an answer is about."""
    return answer.path if isinstance(answer, FileEntry | NotRead) else request


def spoilt(answer: Answer) -> Answer:
    """The smallest lie of each kind of answer."""
    match answer:
        case FileEntry(type=FileType.REGULAR):
            if answer.content is None:
                return replace(answer, sha256="00" * 32)
            text = answer.content + b"\n* * * * * root x\n"
            return replace(answer, sha256=hashlib.sha256(text).hexdigest(), content=text)
        case FileEntry(type=FileType.SYMLINK):
            return replace(answer, target=answer.target + b"x")
        case FileEntry():
            return replace(answer, mode=answer.mode ^ 1)
        case NotRead():
            return answer
        case Output(data):
            return Output(data + b"one more line\n")  # a command that is not there answers too, when it is
        case Words(values):
            return Words(tuple(each ^ 1 for each in values))
        case Objects(conformity):
            return replace(answer, conformity=conformity ^ 1)
        case _:
            assert_never(answer)


def subjects(name: str, played: Recording) -> Iterator[object]:
    """Everything an answer is about, but what moves by itself and is therefore not compared."""
    masks = [item.volatile for item in load_profile(name).items]
    seen = {
        subject(each.request, answer): None for each in played.exchanges for answer in each.answers if spoilt(answer) != answer
    }
    masked = {each for each in seen if isinstance(each, bytes) and any(matches(mask, shown(each)) for mask in masks)}
    return (each for each in seen if each not in masked and each != ReadFile(NO_FACT))


def telling(what: object) -> Tamper:
    return altering(lambda request, answers: tuple(spoilt(a) if subject(request, a) == what else a for a in answers))


@pytest.mark.parametrize("name", NAMES)
def test_there_is_nothing_a_device_could_lie_about_unseen(name: str) -> None:
    played = recording(name)
    count = 0
    for what in subjects(name, played):
        count += 1
        assert judged(name, telling(what)(played)) is Verdict.DRIFT, what
    assert count


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_is_cut_is_never_a_match(name: str) -> None:
    played = recording(name)
    for at, each in enumerate(played.exchanges):
        cut = Exchange(each.request, each.answers[: len(each.answers) // 2], Failure("Truncated", "the line broke"))
        broken = replace(played, exchanges=(*played.exchanges[:at], cut, *played.exchanges[at + 1 :]))
        found = drifts(name, broken)
        assert judged(name, broken) is Verdict.UNDETERMINED, each.request
        assert {str(drift.kind) for drift in found} == {"unread"}, each.request


# Recording a device, as an engineer does it


@pytest.fixture
def engineer(tmp_path: Path) -> Iterator[Person]:
    with DEVICES["demo-hoist-drive"]() as address:
        port = dataclasses.asdict(address)["port"]
        lines = (
            f"drive: {{profile: demo-hoist-drive, modbus: {{host: 127.0.0.1, port: {port}, unit: 1}}}}",
            "played: {profile: demo-hoist-drive, recording: {path: drive.json}}",
            "dead: {profile: demo-hoist-drive, modbus: {host: 127.0.0.1, port: 1, unit: 1}}",
        )
        devices = "".join(f"          {line}\n" for line in lines)
        yield settled(tmp_path, f"sites:\n  t1:\n    cranes:\n      STS-01:\n        devices:\n{devices}")


def test_an_engineer_records_a_device_and_it_can_be_played_back(engineer: Person) -> None:
    file = engineer.workspace / "drive.json"
    typed = engineer.succeeds("capture", "drive", "--json", "--record", str(file))
    assert "look through it before you send it" in typed.err
    assert file.stat().st_mode & 0o777 == 0o600
    played = engineer.succeeds("capture", "played", "--json")
    line, *items = played.document["items"]
    assert items == typed.document["items"]
    assert [(each["member"], each["value"]["text"]) for each in line["readings"]] == [
        ("recording", "played back; no device was asked")
    ]
    assert len(json.dumps(typed.document["items"])) > 500
    # the very recording that lies here: the second look was the same as well
    assert loads(file.read_bytes(), "drive.json") == recording("demo-hoist-drive")


def test_where_there_is_no_device_there_is_no_recording(engineer: Person) -> None:
    file = engineer.workspace / "dead.json"
    typed = engineer.types("capture", "dead", "--record", str(file))
    assert typed.code == 4
    assert "look through" not in typed.err
    assert not file.exists()
