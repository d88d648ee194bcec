"""Collecting: whatever a device does, a snapshot comes of it, and nothing that was not answered looks read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeLinux, FakeRegisters, FakeRoute, Play, Script, regular
from verifier.collect.connection import CONNECTION
from verifier.collect.progress import Progress
from verifier.collect.snapshot import Collecting, collect, unreached
from verifier.collect.unread import REASONS, reason
from verifier.errors import (
    BadReply,
    DeviceError,
    ForbiddenRequest,
    IdentityChanged,
    IdentityUnknown,
    LoginRefused,
    OverBound,
    Refused,
    TimedOut,
    Truncated,
    Unreachable,
    Unsupported,
)
from verifier.model.codec import dumps, loads
from verifier.model.device import Address, Device, DeviceName, ImageAddress, ModbusTcpAddress, SshAddress, TlsTrust
from verifier.model.profile import (
    Ask,
    BusyWhen,
    Facts,
    Fifo,
    FileRecords,
    FileTree,
    Identification,
    Item,
    NumberType,
    Pace,
    Parameter,
    Parameters,
    Profile,
    Registers,
    ServerId,
    TextRules,
    Topic,
)
from verifier.model.snapshot import WHOLE_ITEM, FactValue, FileValue, ItemSnapshot, NotAsked, Snapshot, Unread, WordValue
from verifier.model.words import Criticality, Evidence, FileType, Kind, Maturity, Reason, Table
from verifier.transport.answer import Answer, FileEntry, NotRead, Objects, Output, Words
from verifier.transport.request import ReadTable, ReadTree, Request
from verifier.transport.route import LineFact

SSH = SshAddress("crane.example", "service")
MODBUS = ModbusTcpAddress("crane.example")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def profile(*asks: Ask, busy: BusyWhen | None = None, tries: int = 3) -> Profile:
    text = TextRules(("**",), redact=("secret",), keep=True)
    items = tuple(
        Item(f"item {n}", Kind.CONFIGURATION, ask, Criticality.NORMAL, ("/var/**",), text if isinstance(ask, FileTree) else None)
        for n, ask in enumerate(asks)
    )
    return Profile("p", "P", 7, Maturity.SIMULATED, items, "d" * 64, pace=Pace(tries=tries), busy_when=busy)


def work(given: Profile, address: Address = SSH, progress: Callable[[Progress], None] = lambda _: None) -> Collecting:
    times = iter(NOON + timedelta(seconds=n) for n in range(10**6))
    device = Device(DeviceName("site", "STS-01", "plc"), address, "p")
    return Collecting(device, given, lambda: next(times), lambda data: hashlib.sha256(data).hexdigest(), progress, seed=1)


def collected(play: Play, *asks: Ask, busy: BusyWhen | None = None, tries: int = 3) -> Mapping[str, ItemSnapshot]:
    found = collect(work(profile(*asks, busy=busy, tries=tries)), FakeRoute(play))
    return {item.name: item for item in found.items}


def unread(item: ItemSnapshot) -> Unread:
    """The reason for which nothing of an item was read."""
    (reading,) = item.readings
    assert reading.member == WHOLE_ITEM
    assert isinstance(reading.value, Unread)
    return reading.value


ETC, USERS, BLOCK = FileTree(("/etc",)), Facts(Topic.USERS), Registers(Table.HOLDING, 0, 2)
DEVICE_ERRORS: list[DeviceError] = [
    Unreachable("no route"),
    LoginRefused("no"),
    TimedOut("silence"),
    Truncated("cut"),
    BadReply("noise"),
    Refused("exception"),
    OverBound("too much"),
    Unsupported("cannot"),
    IdentityUnknown("unknown", "", "SHA256:a"),
    IdentityChanged("changed", "", "SHA256:a"),
    DeviceError("broken"),
]


def test_a_snapshot_says_who_when_and_by_which_profile() -> None:
    route = FakeRoute(FakeLinux({b"/etc/passwd": b"root:x:0:0::/root:/bin/sh\n"}), notes=("no\x1b shell",))
    found = collect(work(profile(ETC, USERS)), route)
    assert (found.device, found.profile, found.profile_version) == (DeviceName("site", "STS-01", "plc"), "p", 7)
    assert (found.profile_digest, found.notes) == ("d" * 64, ("no\\x1b shell",))
    assert found.started == NOON < found.ended
    assert [item.name for item in found.items] == ["item 0", "item 1"]
    assert found.exchange == route.transcript.exchange()
    assert found.exchange.requests == 2
    assert found.items[0].volatile == ("/var/**",)


def test_items_are_asked_in_the_order_of_the_profile() -> None:
    route = FakeRoute(FakeLinux({}))
    collect(work(profile(USERS, ETC)), route)
    assert [type(request).__name__ for request in route.asked] == ["ReadFile", "ReadTree"]


@pytest.mark.parametrize("error", DEVICE_ERRORS, ids=lambda e: type(e).__name__)
def test_an_error_leaves_the_item_unread_and_nothing_of_it_is_kept(error: DeviceError) -> None:
    def play(request: Request) -> Script:
        return [regular(b"/etc/a", b"a"), error] if isinstance(request, ReadTree) else [Output(b"root:x:0:0::/:\n")]

    found = collected(play, ETC, USERS)
    assert unread(found["item 0"]) == Unread(reason(error), str(error))
    assert [reading.member for reading in found["item 1"].readings] == ["root"]


def test_every_error_of_a_device_has_its_reason() -> None:
    assert {kind for kind, _ in REASONS} == {DeviceError, *DeviceError.__subclasses__()}
    assert len({reason(error) for error in DEVICE_ERRORS}) == len(DEVICE_ERRORS) - 2
    assert reason(IdentityChanged("", "", "")) is reason(IdentityUnknown("", "", "")) is Reason.IDENTITY


def test_a_request_the_guard_stops_is_not_a_reading() -> None:
    with pytest.raises(ForbiddenRequest):
        collected(lambda _: [ForbiddenRequest("a write")], ETC)


def test_what_the_route_cannot_ask_is_said_not_left_out() -> None:
    route = FakeRoute(FakeLinux({}), cannot=lambda r: "no registers over SSH" if isinstance(r, ReadTable) else "")
    found = collect(work(profile(BLOCK, ETC)), route)
    assert found.not_asked == (NotAsked("item 0", "no registers over SSH"),)
    assert [item.name for item in found.items] == ["item 1"]


def test_an_item_that_finds_nothing_stays_with_no_readings() -> None:
    assert collected(FakeLinux({}), ETC)["item 0"].readings == ()


def test_a_device_that_does_not_answer_is_left_alone_after_a_few_tries() -> None:
    route = FakeRoute(lambda _: [TimedOut("silence")])
    found = collect(work(profile(*[ETC] * 9)), route)
    assert len(route.asked) == 3
    assert unread(found.items[1]).detail == "silence"
    last = unread(found.items[8])
    assert last.reason is Reason.TIMED_OUT
    assert last.detail == "left alone after 3 failures in a row; the last: silence"


def test_one_good_answer_makes_up_for_failures_before_it() -> None:
    answers = iter(["bad", "bad", "good"] * 3)
    route = FakeRoute(lambda _: [TimedOut("silence")] if next(answers) == "bad" else [])
    collect(work(profile(*[ETC] * 9)), route)
    assert len(route.asked) == 9


def test_refusals_do_not_end_a_session() -> None:
    route = FakeRoute(lambda _: [Refused("exception")])
    collect(work(profile(*[ETC] * 9)), route)
    assert len(route.asked) == 9


# The crane at work

WORKING = BusyWhen(Table.COIL, 5, (1,))


def test_a_working_crane_is_left_for_later() -> None:
    route = FakeRoute(FakeRegisters({Table.COIL: {5: 1}, Table.HOLDING: {0: 1, 1: 2}}))
    found = collect(work(profile(BLOCK, BLOCK, busy=WORKING), MODBUS), route)
    assert route.asked == [ReadTable(Table.COIL, 5, 1)]
    assert {unread(item).reason for item in found.items} == {Reason.BUSY}
    assert unread(found.items[0]).detail == "coil 5 is 1; try again when the crane stands"


def test_a_standing_crane_is_read() -> None:
    device = FakeRegisters({Table.COIL: {5: 0}, Table.HOLDING: {0: 1, 1: 2}})
    assert len(collected(device, BLOCK, busy=WORKING)["item 0"].readings) == 2


def test_a_crane_that_begins_to_work_is_left_from_then_on() -> None:
    coils = {5: 0}
    registers = FakeRegisters({Table.COIL: coils, Table.HOLDING: {0: 1, 1: 2}})

    def play(request: Request) -> Script:
        said = registers(request)
        if isinstance(request, ReadTable) and request.table is Table.HOLDING:
            coils[5] = 1
        return said

    found = collected(play, BLOCK, BLOCK, BLOCK, busy=WORKING)
    assert len(found["item 0"].readings) == 2
    assert unread(found["item 1"]).reason is unread(found["item 2"]).reason is Reason.BUSY


@pytest.mark.parametrize("answers", [0, 2, 5])
def test_a_device_whose_hours_end_is_left_from_then_on(answers: int) -> None:
    """A reading that began a minute before the shift does not go on through it."""
    files = {b"/etc/%d" % n: b"x" for n in range(5)}
    route = FakeRoute(FakeLinux({**files, b"/etc/passwd": b"root:x:0:0::/root:/bin/sh\n"}))
    left = iter([True] * (answers + 1))
    given = replace(work(profile(ETC, USERS, ETC)), may_go_on=lambda: next(left, False))
    first, second, third = (item for item in collect(given, route).items if item.name != "connection")
    assert [unread(each).reason for each in (first, second, third)] == [Reason.WINDOW] * 3
    assert len(route.asked) == 1
    assert len([*collect(replace(given, may_go_on=lambda: True), route).items]) == 3


def test_a_crane_of_which_it_cannot_be_seen_whether_it_works_is_not_read() -> None:
    route = FakeRoute(FakeRegisters({Table.HOLDING: {0: 1, 1: 2}}))
    found = collect(work(profile(BLOCK, busy=WORKING), MODBUS), route)
    assert unread(found.items[0]).reason is Reason.REFUSED
    assert all(isinstance(r, ReadTable) and r.table is Table.COIL for r in route.asked)


def test_a_card_in_a_reader_does_not_work_and_the_report_says_it_was_not_asked() -> None:
    route = FakeRoute(FakeLinux({}), cannot=lambda r: "no registers on a card" if isinstance(r, ReadTable) else "")
    found = collect(work(profile(ETC, ETC, busy=WORKING), ImageAddress("card.img")), route)
    assert found.notes == ("whether the crane was working could not be asked: no registers on a card",)
    assert len(found.items) == 2


# How we are connected

FACTS = (LineFact("host-key", "ssh-ed25519 SHA256:a"), LineFact("server-version", "SSH-2.0-x\x1b"), LineFact("cipher", "aes"))


def test_the_host_key_is_a_member_like_any_other_and_first() -> None:
    found = collect(work(profile(ETC)), FakeRoute(FakeLinux({}), facts=FACTS)).items
    assert [item.name for item in found] == [CONNECTION, "item 0"]
    first = found[0]
    assert {r.member: r.evidence for r in first.readings} == {
        "host-key": Evidence.CONTENT,
        "server-version": Evidence.CLAIMED,
        "cipher": Evidence.CLAIMED,
    }
    assert first.readings[2].value == FactValue("SSH-2.0-x\\x1b")
    assert first.criticality is Criticality.CRITICAL
    assert dict(first.critical_members) == {"cipher": Criticality.LOW, "server-version": Criticality.LOW}


@pytest.mark.parametrize("error", DEVICE_ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("address", [SSH, MODBUS, ModbusTcpAddress("h", tls=TlsTrust("h")), ImageAddress("i")])
def test_a_device_that_could_not_be_opened_is_unread_in_everything(error: DeviceError, address: Address) -> None:
    found = unreached(work(profile(ETC, USERS), address), error)
    assert loads(Snapshot, dumps(found)) == found
    assert [unread(item).reason for item in found.items if item.name != CONNECTION] == [reason(error)] * 2
    assert found.exchange.requests == 0
    known = [item for item in found.items if item.name == CONNECTION]
    assert len(known) == (address is not MODBUS and not isinstance(address, ImageAddress))
    for item in known:
        assert {WHOLE_ITEM} <= {reading.member for reading in item.readings}


def test_a_changed_host_key_is_itself_a_reading() -> None:
    error = IdentityChanged("not the pinned one", "go and look", "ssh-ed25519 SHA256:b")
    found = unreached(work(profile(ETC)), error)
    readings = {reading.member: reading.value for reading in found.items[0].readings}
    assert readings["host-key"] == FactValue("ssh-ed25519 SHA256:b")
    assert isinstance(readings[WHOLE_ITEM], Unread)
    assert found.notes == ("go and look",)


@pytest.mark.parametrize(("presented", "text"), [("ab" * 32, "sha256:" + "ab" * 32), ("", "not accepted: expired")])
def test_a_changed_certificate_is_itself_a_reading(presented: str, text: str) -> None:
    error = IdentityChanged("not accepted: expired", "", presented)
    found = unreached(work(profile(), ModbusTcpAddress("h", tls=TlsTrust("h"))), error)
    assert {r.member: r.value for r in found.items[0].readings}["certificate"] == FactValue(text)


# Progress and criticality


def test_progress_is_told_for_each_item_and_within_long_ones() -> None:
    told: list[Progress] = []
    tree: list[Answer | Exception] = [regular(b"/etc/%d" % n, b"") for n in range(600)]
    route = FakeRoute(lambda request: tree if isinstance(request, ReadTree) else [Output(b"")])
    collect(work(profile(ETC, USERS), progress=told.append), route)
    assert [(p.item, p.number, p.of, p.answers) for p in told] == [
        ("item 0", 1, 2, 0),
        ("item 0", 1, 2, 250),
        ("item 0", 1, 2, 500),
        ("item 1", 2, 2, 0),
        ("", 2, 2, 0),
    ]


def test_parameters_keep_their_own_criticality() -> None:
    def p(name: str, criticality: Criticality | None) -> Parameter:
        return Parameter(name, Table.HOLDING, 0, criticality=criticality)

    ask = Parameters((p("b", Criticality.CRITICAL), p("a", Criticality.LOW), p("c", None), p("d", Criticality.NORMAL)))
    found = collected(FakeRegisters({Table.HOLDING: {0: 1}}), ask)["item 0"]
    assert found.critical_members == (("a", Criticality.LOW), ("b", Criticality.CRITICAL))


# Whatever a device does

PATHS = st.sampled_from(
    [b"/etc", b"/etc/a", b"/etc/\xff", b"/etc/a/b", b"/root/.ssh/authorized_keys", b"/x", b"*", b"", b"/etc/../x"]
)
NUMBERS = st.sampled_from([0, 1, 0o644, 70000, -1, 1 << 70])
HASHES = st.sampled_from(["", "0" * 64, hashlib.sha256(b"secret\n").hexdigest(), "\x1b"])
BYTES = st.sampled_from(
    [b"", b"secret\n", b"root:x:0:0::/root:/bin/sh\n", b"\0\xff\x1b[2J", b"eth0: 1\n" * 3, b"*:x:1:\n", b"=" * 5000]
)
ENTRIES = st.builds(
    FileEntry,
    PATHS,
    st.sampled_from(FileType),
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    BYTES,
    HASHES,
    HASHES,
    st.none() | BYTES,
)
ANSWERS = (
    ENTRIES
    | st.builds(NotRead, PATHS, st.sampled_from(Reason), st.sampled_from(["", "no such file", "\x1b[2J"]), st.booleans())
    | st.builds(Output, BYTES, st.sampled_from([0, 0, 1, 127]))
    | st.builds(Words, st.lists(st.sampled_from([0, 1, 500, 65536, -1]), max_size=3).map(tuple))
    | st.builds(Objects, NUMBERS, st.lists(st.tuples(NUMBERS, BYTES), max_size=3).map(tuple))
)
SCRIPTS = st.lists(st.lists(ANSWERS | st.sampled_from(DEVICE_ERRORS), max_size=4), min_size=1, max_size=12)
ASKS: list[Ask] = [
    ETC,
    *(Facts(topic) for topic in Topic),
    Parameters((Parameter("p", Table.HOLDING, 0), Parameter("q", Table.HOLDING, 1, NumberType.F32))),
    BLOCK,
    Registers(Table.COIL, 0, 1),
    Identification(),
    ServerId(),
    FileRecords(1, 0, 2),
    Fifo(0),
]


@given(SCRIPTS, st.lists(st.sampled_from(ASKS), min_size=1, max_size=6), st.sampled_from(Evidence))
def test_whatever_is_answered_a_snapshot_comes_of_it(scripts: list[Script], asks: list[Ask], evidence: Evidence) -> None:
    turn = iter(range(10**9))
    route = FakeRoute(lambda _: scripts[next(turn) % len(scripts)], evidence=evidence, facts=FACTS)
    found = collect(work(profile(*asks, tries=99)), route)
    assert loads(Snapshot, dumps(found)) == found
    assert len(found.items) + len(found.not_asked) == len(asks) + 1
    for item in found.items:
        members = [reading.member for reading in item.readings]
        assert members == sorted(set(members))
        assert all(member and member.isprintable() for member in members)
        for reading in item.readings:
            match reading.value:
                case FileValue(type=FileType.REGULAR, sha256=digest):
                    assert digest
                case FactValue(text, version):
                    assert text.isprintable()
                    assert version.isprintable()
                case Unread(detail=detail):
                    assert detail.isprintable()
                case _:
                    pass
        if WHOLE_ITEM in members:
            assert len(members) == 1


@given(st.lists(st.sampled_from(ASKS), min_size=1, max_size=4), st.sampled_from(DEVICE_ERRORS))
def test_a_device_that_only_fails_has_no_reading_at_all(asks: list[Ask], error: DeviceError) -> None:
    found = collect(work(profile(*asks)), FakeRoute(lambda _: [error]))
    assert all(isinstance(r.value, Unread) for item in found.items for r in item.readings)
    assert all(item.readings for item in found.items)


@given(st.integers(0, 40), st.sampled_from([Truncated("cut"), TimedOut("silence"), Unreachable("gone")]))
def test_a_line_cut_anywhere_never_makes_anything_look_different(at: int, error: DeviceError) -> None:
    files = {
        b"/etc/passwd": b"root:x:0:0::/root:/bin/sh\n",
        b"/etc/group": b"root:x:0:\n",
        b"/proc/modules": b"can 1 0 - Live 0\n",
    }
    device = FakeLinux({**files, **{b"/etc/%d" % n: b"x" for n in range(10)}})
    asks = (ETC, USERS, Facts(Topic.GROUPS), Facts(Topic.MODULES), Facts(Topic.AUTHORIZED_KEYS), Facts(Topic.SYSTEM))
    whole = {item.name: item for item in collect(work(profile(*asks)), FakeRoute(device)).items}
    left = at

    def cut(request: Request) -> Script:
        nonlocal left
        script = device(request)
        kept, left = script[: max(0, left)], left - len(script)
        return script if left >= 0 else [*kept, error]

    for item in collect(work(profile(*asks)), FakeRoute(cut)).items:
        if [reading.member for reading in item.readings] != [WHOLE_ITEM]:
            assert item == whole[item.name]


def test_why_a_source_of_facts_was_not_read_is_harmless_to_print() -> None:
    denied = NotRead(b"/etc/crontab", Reason.DENIED, "no\x1b[2J")

    def play(request: Request) -> Script:
        return [denied] if isinstance(request, ReadTree) else [Output(b"", 127)]

    (reading,) = collected(play, Facts(Topic.SCHEDULE))["item 0"].readings
    assert isinstance(reading.value, Unread)
    assert reading.value.detail.isprintable()


def test_a_word_read_is_the_word_shown() -> None:
    found = collected(FakeRegisters({Table.HOLDING: {0: 7, 1: 65535}}), BLOCK)["item 0"]
    assert [(r.member, r.value) for r in found.readings] == [("holding 00000", WordValue(7)), ("holding 00001", WordValue(65535))]
