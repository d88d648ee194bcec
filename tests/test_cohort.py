"""Sister devices beside each other: the odd one out is named, and nobody is called the same who was not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compare_values import file, item, nothing_kept, reading, snapshot
from tests.fleet_fixtures import Port, cards, port_of
from verifier.compare.cohort import Agreed, Cohort, NoMajority, NotSeen, Odd, Sister, cohort
from verifier.compare.volatility import OWN_ITEM
from verifier.errors import UsageError
from verifier.model.baseline import Baseline
from verifier.model.device import Device, DeviceName, ImageAddress, ModbusTcpAddress
from verifier.model.inventory import Inventory
from verifier.model.moving import Moving
from verifier.model.snapshot import (
    WHOLE_ITEM,
    Disagreement,
    FactValue,
    FileValue,
    ItemSnapshot,
    NotAsked,
    NumberValue,
    Unread,
    Value,
    WordValue,
)
from verifier.model.words import FileType, Reason
from verifier.procedures.cohort import borne_out, compare_sisters, own_facts, sisters
from verifier.procedures.enrol import Proposing, propose
from verifier.report.cohort import SHOWN, cohort_document, cohort_lines, exit_code


def name(number: int) -> DeviceName:
    return DeviceName("port", f"STS-{number:02}", "plc")


def sister(number: int, *items: ItemSnapshot, facts: Mapping[str, str] | None = None, not_asked: str = "") -> Sister:
    gone = (NotAsked("firmware", not_asked),) if not_asked else ()
    return Sister(replace(snapshot(*items, not_asked=gone), device=name(number)), facts or {})


def holding(number: int, value: Value, **facts: str) -> Sister:
    return sister(number, item(reading("/x", value)), facts=facts)


def compared(*sisters: Sister) -> Cohort:
    return cohort(sisters, nothing_kept)


def only(of: Cohort) -> object:
    (outcome,) = of.outcomes
    return outcome


# Who is the odd one out


def test_one_of_three_differs() -> None:
    found = only(compared(holding(1, file("a")), holding(2, file("b")), holding(3, file("a"))))
    assert isinstance(found, Odd)
    assert found.most.devices == (name(1), name(3))
    assert [held.devices for held in found.odd] == [(name(2),)]


def test_two_that_differ_have_no_majority_and_neither_has_half() -> None:
    for values in ("ab", "aabb", "abc", "aabc"):
        found = only(compared(*(holding(number, file(value)) for number, value in enumerate(values))))
        assert isinstance(found, NoMajority), values


def test_what_most_do_not_have_makes_an_odd_one_out_and_so_does_what_one_lacks() -> None:
    most = [item(reading("/x", file())), item(reading("/x", file()))]
    extra = item(reading("/x", file()), reading("/evil.so", file("e")))
    odd = [each for each in compared(sister(1, most[0]), sister(2, most[1]), sister(3, extra)).outcomes if isinstance(each, Odd)]
    assert [(each.member, each.most.value, each.odd[0].devices) for each in odd] == [("/evil.so", "not there", (name(3),))]
    lacking = compared(sister(1, most[0]), sister(2, most[1]), sister(3, item(reading("/y", file()))))
    assert {each.member for each in lacking.outcomes if isinstance(each, Odd)} == {"/x", "/y"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (file("a"), file("a", mode=0o4755)),
        (file("a", normal_sha256="1" * 64), file("a", normal_sha256="2" * 64)),
        (FactValue("up"), FactValue("down")),
        (NumberValue((500,), "50.0", "t"), NumberValue((620,), "62.0", "t")),
        (WordValue(1), WordValue(2)),
        (FileValue(FileType.SYMLINK, 0o777, 0, 0, 0, target="/a"), FileValue(FileType.SYMLINK, 0o777, 0, 0, 0, target="/b")),
        (FactValue("up"), WordValue(1)),
    ],
)
def test_every_kind_of_value(ours: Value, theirs: Value) -> None:
    assert isinstance(only(compared(holding(1, ours), holding(2, ours), holding(3, theirs))), Odd)
    assert isinstance(only(compared(holding(1, ours), holding(2, ours), holding(3, ours))), Agreed)


# What was not read neither agrees nor differs


def gap(reason: Reason = Reason.DENIED, detail: str = "", below: bool = False) -> Unread:
    return Unread(reason, detail, below)


def test_who_was_not_read_is_named_and_takes_no_side() -> None:
    for value, why in (
        (gap(detail="no"), "permission denied: no"),
        (gap(Reason.TIMED_OUT), "timed out"),
        (Disagreement("a", "1", "b", "2"), "two routes gave two answers"),
    ):
        found = compared(holding(1, file("a")), holding(2, file("b")), holding(3, file("a")), holding(4, value))
        assert found.not_seen == (NotSeen("firmware", "/x", name(4), why),)
        assert isinstance(only(found), Odd)


@pytest.mark.parametrize(
    ("unread", "member", "hidden"),
    [
        (reading(WHOLE_ITEM, gap()), "/opt/app/x", True),
        (reading("/opt", gap(below=True)), "/opt/app/x", True),
        (reading("/", gap(below=True)), "/opt/app/x", True),
        (reading("/opt", gap()), "/opt/app/x", False),
        (reading("/", gap()), "/opt/app/x", False),
        (reading("/opts", gap(below=True)), "/opt/app/x", False),
    ],
)
def test_what_lies_in_a_folder_that_was_not_read_is_not_gone(unread: object, member: str, hidden: bool) -> None:
    whole = item(reading(member, file()))
    blind = item(unread)  # type: ignore[arg-type]  # the parameters are readings
    found = compared(sister(1, whole), sister(2, whole), sister(3, blind))
    assert isinstance(only(found), Agreed if hidden else Odd)
    assert bool(found.not_seen) is hidden


def test_an_item_that_was_not_asked_and_a_member_that_only_one_was_read_in() -> None:
    found = compared(sister(1, item(reading("/x", file()))), sister(2, not_asked="a card has none"), sister(3))
    assert found.outcomes == ()
    assert {(each.device, each.why) for each in found.not_seen} == {
        (name(1), "no sister was read in this"),
        (name(2), "a card has none"),
        (name(3), "not asked"),
    }
    assert exit_code(found) == 4


def test_what_moves_or_is_masked_is_counted_and_who_answers_is_each_ones_own() -> None:
    def moving(number: int) -> Sister:
        held = item(reading("/x", WordValue(number)), reading("log", file(str(number))), volatile=("log",))
        return sister(
            number,
            replace(held, moving=(Moving(("/x",), counter=True),)),
            item(reading("host-key", FactValue(f"key {number}")), name=OWN_ITEM),
        )

    found = compared(moving(1), moving(2), moving(3))
    assert (found.outcomes, found.masked) == ((), 2)


def test_a_device_stands_once_in_a_cohort() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        compared(sister(1), sister(1))


# Site facts


def test_its_own_values_are_no_difference_and_what_is_around_them_is() -> None:
    def named(number: int, text: str, **facts: str) -> Sister:
        return holding(number, FactValue(text), **facts)

    first = named(1, "addr 10.0.0.1 gw 10.0.0.9", host="10.0.0.1")
    second = named(2, "addr 10.0.0.2 gw 10.0.0.9", host="10.0.0.2")
    assert isinstance(only(compared(first, second)), Agreed)
    other = named(3, "addr 10.0.0.3 gw 10.6.6.6", host="10.0.0.3")
    assert isinstance(only(compared(first, second, other)), Odd)
    longer = named(3, "addr 10.0.0.31 gw 10.0.0.9", host="10.0.0.3")
    assert isinstance(only(compared(first, second, longer)), Odd), "10.0.0.3 does not stand alone in 10.0.0.31"
    assert isinstance(only(compared(named(1, "a", x=""), named(2, "b", x=""))), NoMajority)


def test_a_calibration_that_the_inventory_states() -> None:
    first = holding(1, NumberValue((12,), "1.2", "mm"), offset="1.2 mm")
    second = holding(2, NumberValue((13,), "1.3", "mm"), offset="1.3")
    assert isinstance(only(compared(first, second)), Agreed)
    third = holding(3, NumberValue((99,), "9.9", "mm"), offset="1.4")
    assert isinstance(only(compared(first, second, third)), Odd)


def test_texts_that_are_kept_are_filled_in_too() -> None:
    kept = {"1": b"name = STS-01\nspeed = 180\n", "2": b"name = STS-02\nspeed = 180\n", "3": b"name = STS-03\nspeed = 240\n"}
    sides = [holding(int(number), file(number, kept=number), crane=f"STS-0{number}") for number in kept]
    found = cohort(sides, kept.get)
    (outcome,) = found.outcomes
    assert isinstance(outcome, Odd)
    assert outcome.odd[0].devices == (name(3),)


# Laws

values = st.sampled_from([file("a"), file("b"), FactValue("a"), WordValue(1), gap(), gap(below=True)])
sides = st.lists(st.dictionaries(st.sampled_from(["/x", "/x/y", "/z", WHOLE_ITEM]), values, max_size=4), min_size=1, max_size=5)


def built(held: list[dict[str, Value]]) -> list[Sister]:
    return [sister(number, item(*(reading(member, value) for member, value in each.items()))) for number, each in enumerate(held)]


@given(sides, st.randoms(use_true_random=False))
def test_the_order_of_the_devices_is_nobodys(held: list[dict[str, Value]], random: object) -> None:
    whole = built(held)
    mixed = list(whole)
    random.shuffle(mixed)  # type: ignore[attr-defined]  # Hypothesis gives a Random
    assert compared(*mixed) == compared(*whole)


@given(sides)
def test_each_device_is_in_one_place_for_each_member(held: list[dict[str, Value]]) -> None:
    found = compared(*built(held))
    places = {(each.item, each.member) for each in (*found.outcomes, *found.not_seen)}
    for place in places:
        named = [each.device for each in found.not_seen if (each.item, each.member) == place]
        for each in found.outcomes:
            if (each.item, each.member) == place:
                groups = {Agreed: lambda o: [o.devices], NoMajority: lambda o: [h.devices for h in o.held]}.get(
                    type(each), lambda o: [o.most.devices, *(h.devices for h in o.odd)]
                )(each)
                named += [device for group in groups for device in group]
        assert sorted(named) == sorted(found.devices), place


@given(st.dictionaries(st.sampled_from(["/x", "/y", "/z"]), values.filter(lambda v: not isinstance(v, Unread)), min_size=1))
def test_those_that_are_the_same_have_no_odd_one_out(held: dict[str, Value]) -> None:
    found = compared(*built([held] * 3))
    assert all(isinstance(each, Agreed) for each in found.outcomes)
    assert exit_code(found) == 0


@given(st.integers(0, 4), st.integers(3, 5))
def test_changing_one_makes_exactly_that_one_odd(which: int, many: int) -> None:
    held: list[dict[str, Value]] = [{"/x": file("a"), "/y": file("a")} for _ in range(many)]
    held[which % many]["/x"] = file("b")
    odd = [each for each in compared(*built(held)).outcomes if isinstance(each, Odd)]
    assert [(each.member, each.odd[0].devices) for each in odd] == [("/x", (name(which % many),))]


# The view, and the devices


def test_gravest_first_and_in_words() -> None:
    gaps = tuple(NotSeen("firmware", f"/{number}", name(4), "timed out") for number in range(SHOWN + 1))
    first = holding(1, file("a")), holding(2, file("b")), holding(3, file("a"))
    split = compared(holding(1, file("a")), holding(2, file("b")))
    text = [line.text for line in cohort_lines("x", replace(compared(*first), not_seen=gaps, masked=3))]
    assert text[1].startswith("ODD ONE OUT  port/STS-02/plc  firmware: /x")
    assert text[3].startswith("  on 2 others file")
    assert "and 1 more: see --json" in text
    assert text[-2] == (
        "1 member on 3 devices: 0 the same on all, 1 with an odd one out, 0 without a majority, 101 not read, 3 masked"
    )
    assert "NO MAJORITY  firmware: /x" in [line.text for line in cohort_lines("x", split)]
    assert any("keeps the text: docs/profiles.md" in line.text for line in cohort_lines("x", split))
    alike = [line.text for line in cohort_lines("x", compared(first[0], first[2]))]
    assert alike[1].startswith("1 member on 2 devices: 1 the same on all")
    assert cohort_document("x", split)["no_majority"][0]["held"][0]["devices"] == ["port/STS-01/plc"]
    assert (exit_code(split), exit_code(compared(*first))) == (4, 3)


def with_cohort(port: Port, *named: str) -> Inventory:
    return Inventory(tuple(replace(device, facts={"cohort": each}) for device, each in zip(port.devices, named, strict=True)))


@pytest.fixture
def port(tmp_path: Path) -> Port:
    cards(tmp_path, "STS-01", "STS-02", "STS-03")
    return port_of(tmp_path, "STS-01", "STS-02", "STS-03")


def test_devices_of_a_cohort_are_read_and_nothing_is_recorded(port: Port) -> None:
    (port.card("STS-02") / "firmware/part-7.bin").write_bytes(b"implant")
    before = port.workspace.log.length()
    found = compare_sisters(sisters("cards", with_cohort(port, "cards", "cards", "cards")), port.collector, 2)
    assert [(each.member, each.odd[0].devices[0].crane) for each in found.outcomes if isinstance(each, Odd)] == [
        ("/firmware/part-7.bin", "STS-02")
    ]
    assert port.workspace.log.length() == before


def test_what_is_no_cohort_is_refused(port: Port) -> None:
    named = with_cohort(port, "cards", "cards", "lonely")
    for word, why in (("others", "no device is of the cohort"), ("lonely", "is alone in the cohort")):
        with pytest.raises(UsageError, match=why):
            sisters(word, named)
    with pytest.raises(UsageError, match="no device is of the cohort"):
        sisters("cards", Inventory(port.devices))
    mixed = Inventory((*named.devices[:1], replace(named.devices[1], profile="other")))
    with pytest.raises(UsageError, match="read with 2 profiles: other, test-card"):
        sisters("cards", mixed)


def test_what_may_be_a_devices_own() -> None:
    device = Device(name(1), ModbusTcpAddress("10.0.0.1"), "p", facts={"cohort": "x", "offset": "1.2"})
    assert own_facts(device) == {"offset": "1.2", "host": "10.0.0.1", "crane": "STS-01", "device": "plc"}
    assert own_facts(replace(device, address=ImageAddress("x"), facts={})) == {"crane": "STS-01", "device": "plc"}


# A first baseline that its sisters bear out


def proposed(port: Port, inventory: Inventory) -> Baseline:
    first = inventory.devices[0]
    seen = partial(borne_out, first, inventory=inventory, collector=port.collector, at_once=2)
    return propose(first, Proposing("commissioning"), port.collector, seen).baseline


def test_a_proposal_says_how_many_sisters_bear_it_out(port: Port) -> None:
    named = with_cohort(port, "cards", "cards", "cards")
    assert proposed(port, named).reason == "commissioning; as most of the 3 devices of the cohort cards are, in 41 members"
    (port.card("STS-02") / "firmware/part-7.bin").write_bytes(b"implant")
    assert proposed(port, named).snapshot.device.crane == "STS-01", "the odd one out is another one"


def test_the_odd_one_out_proposes_nothing(port: Port) -> None:
    named = with_cohort(port, "cards", "cards", "cards")
    (port.card("STS-01") / "firmware/part-7.bin").write_bytes(b"implant")
    (port.card("STS-01") / "firmware/part-8.bin").write_bytes(b"implant")
    why = "not borne out by its sisters: firmware: /firmware/part-7.bin is not as on most, and 1 more"
    with pytest.raises(UsageError, match=why):
        proposed(port, named)
    (port.card("STS-02") / "firmware/part-7.bin").write_bytes(b"another")
    with pytest.raises(UsageError, match="not borne out"):
        proposed(port, named)
    assert port.workspace.baselines.proposed(named.devices[0].name) is None


def test_without_sisters_that_can_be_read_nothing_is_borne_out(port: Port) -> None:
    with pytest.raises(UsageError, match="is of no cohort"):
        proposed(port, Inventory(port.devices))
    for crane in ("STS-02", "STS-03"):
        port.card(crane).rename(port.folder / f"{crane}.away")
    with pytest.raises(UsageError, match="no sister was read in this, and 40 more"):
        proposed(port, with_cohort(port, "cards", "cards", "cards"))
