"""The policy: what it refuses to be, and who fills which seat."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trust_fixtures import COLLECTOR, ENGINEER, NOW, OFFICER, POLICY, STRANGER, policy_bytes, sealed_baseline, sealed_report
from verifier.errors import TrustError
from verifier.trust.policy import Policy, Quorum, Role, TrustedKey, policy_for_one, read_policy
from verifier.trust.quorum import Seat, seated
from verifier.trust.statement import BASELINE, REPORT
from verifier.trust.verify import verify


def test_a_policy_comes_back_from_its_file() -> None:
    assert read_policy(policy_bytes(POLICY)) == POLICY
    dated = replace(
        POLICY, keys=(replace(POLICY.keys[0], not_before=NOW, not_after=NOW, compromised_since=NOW), *POLICY.keys[1:])
    )
    assert read_policy(policy_bytes(dated)) == dated


def roles(*given: Role) -> Policy:
    return replace(POLICY, roles=given)


def quorums(*given: Quorum) -> Policy:
    return replace(POLICY, quorums=given)


def key(owner: str, public: TrustedKey = POLICY.keys[0]) -> TrustedKey:
    return replace(public, owner=owner)


def stranger(owner: str) -> TrustedKey:
    return TrustedKey(owner, STRANGER.public)


ENGINEERS, OFFICERS, COLLECTORS = POLICY.roles
REFUSED = {
    "no quorum": (lambda: quorums(), "names no quorum"),
    "another format": (lambda: replace(POLICY, format=2), "format is 2"),
    "an empty quorum": (lambda: quorums(Quorum("baseline", ())), "the quorum for a baseline is empty"),
    "a quorum of 0": (lambda: quorums(Quorum("baseline", (Seat("engineer", 0),))), "asks for 0 of engineer"),
    "a quorum of -1": (lambda: quorums(Quorum("baseline", (Seat("engineer", 1), Seat("collector", -1)))), "asks for -1"),
    "a quorum twice": (lambda: quorums(*POLICY.quorums, POLICY.quorums[0]), "the quorum 'baseline' stands twice"),
    "a seat twice": (
        lambda: quorums(Quorum("baseline", (Seat("engineer", 1), Seat("engineer", 1)))),
        "'engineer' stands twice",
    ),
    "a quorum for nothing known": (
        lambda: quorums(Quorum("basline", (Seat("engineer", 1),))),
        "'basline' is no kind of statement",
    ),
    "a seat of no role": (lambda: quorums(Quorum("baseline", (Seat("pilot", 1),))), "'pilot' is no role"),
    "more seats than people": (lambda: quorums(Quorum("baseline", (Seat("engineer", 3),))), "even with every signature"),
    "one person for two seats": (
        lambda: roles(Role("engineer", ("A. Engineer",)), Role("security-officer", ("A. Engineer",)), COLLECTORS),
        "one person fills one seat",
    ),
    "an unknown member": (lambda: roles(Role("engineer", ("A. Enginer",)), OFFICERS, COLLECTORS), "'A. Enginer' is no person"),
    "a member twice": (
        lambda: roles(Role("engineer", ("A. Engineer", "A. Engineer")), OFFICERS, COLLECTORS),
        "the member of engineer 'A. Engineer' stands twice",
    ),
    "a role twice": (lambda: roles(ENGINEERS, OFFICERS, COLLECTORS, OFFICERS), "the role 'security-officer' stands twice"),
    "one key for two people": (lambda: replace(POLICY, keys=(*POLICY.keys, key("Z. Engineer"))), "the key .* stands twice"),
    "one key twice for one": (lambda: replace(POLICY, keys=(*POLICY.keys, POLICY.keys[0])), "the key .* stands twice"),
    "two names that look alike": (
        lambda: replace(POLICY, keys=(*POLICY.keys, stranger("a.  ENGINEER"))),
        "too alike",
    ),
    "two names that differ in composition": (
        lambda: replace(POLICY, keys=(*POLICY.keys, stranger("Ångström"), key("A\u030angstro\u0308m", POLICY.keys[3]))),
        "twice|too alike",
    ),
    "a nameless owner": (lambda: replace(POLICY, keys=(*POLICY.keys, stranger(" "))), "a person is called ' '"),
    "an owner who moves the cursor": (lambda: replace(POLICY, keys=(*POLICY.keys, stranger("a\x1b[2J"))), "a person is called"),
}


@pytest.mark.parametrize(("make", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_a_policy_that_could_be_misread_cannot_exist(make: object, why: str) -> None:
    assert callable(make)
    with pytest.raises(TrustError, match=why) as caught:
        make()
    assert "the policy is refused" in str(caught.value)


def test_a_refused_policy_is_refused_in_a_file_too() -> None:
    data = policy_bytes(POLICY).replace(b'"count":1', b'"count":0', 1)
    with pytest.raises(TrustError, match="asks for 0"):
        read_policy(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", policy_bytes(POLICY)[:-9], policy_bytes(POLICY).replace(b'{"keys"', b'{"keys":[],"keys"', 1)],
)
def test_what_is_no_policy_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError, match="policy cannot be read"):
        read_policy(data)


def test_a_key_of_the_file_is_checked_like_any_other() -> None:
    data = policy_bytes(POLICY).replace(ENGINEER.public.spki.encode(), b"AAAA")
    with pytest.raises(TrustError, match="public key"):
        read_policy(data)


def test_a_port_of_one_person_notices_nothing() -> None:
    policy = policy_for_one("A. Engineer", ENGINEER.public, COLLECTOR.public)
    assert verify(sealed_baseline(ENGINEER), BASELINE, policy, NOW).signer_names == ("A. Engineer (engineer)",)
    assert verify(sealed_report(), REPORT, policy, NOW).signer_names == ("collector (collector)",)
    with pytest.raises(TrustError):
        verify(sealed_baseline(COLLECTOR), BASELINE, policy, NOW)
    with pytest.raises(TrustError):
        verify(sealed_report(by=ENGINEER), REPORT, policy, NOW)


def test_one_key_may_do_for_both() -> None:
    policy = policy_for_one("A. Engineer", ENGINEER.public, ENGINEER.public)
    assert len(policy.keys) == 1
    assert verify(sealed_baseline(ENGINEER), BASELINE, policy, NOW).signer_names == ("A. Engineer (engineer)",)
    assert verify(sealed_report(by=ENGINEER), REPORT, policy, NOW).signer_names == ("A. Engineer (collector)",)


def test_the_policy_knows_whose_key_it_is() -> None:
    assert POLICY.owner(OFFICER.key_id) == "O. Officer"
    assert POLICY.owner(STRANGER.key_id) == POLICY.owner("") == ""


def test_a_key_counts_in_its_time() -> None:
    day = timedelta(days=1)
    dated = TrustedKey("A", ENGINEER.public, not_before=NOW - day, not_after=NOW + day)
    assert dated.refusal(NOW) == dated.refusal(NOW - day) == dated.refusal(NOW + day) == ""
    assert "valid from 2026-11-21" in dated.refusal(NOW - 2 * day)
    assert "valid until 2026-11-23" in dated.refusal(NOW + 2 * day)
    stolen = replace(dated, compromised_since=NOW)
    assert stolen.refusal(NOW - day, known_by=NOW - timedelta(seconds=1)) == ""
    assert "stolen since 2026-11-22 06:00 UTC" in stolen.refusal(NOW - day, known_by=NOW)
    assert "stolen" in stolen.refusal(NOW - day), "a thief writes whatever date he likes"


ROLES = ("engineer", "officer", "vendor")
PEOPLE = st.dictionaries(st.sampled_from("abcde"), st.frozensets(st.sampled_from(ROLES)), max_size=5)
SEATS = st.lists(st.sampled_from(ROLES), min_size=1, max_size=4).map(
    lambda names: tuple(Seat(name, names.count(name)) for name in sorted(set(names)))
)


def most_filled(chairs: list[str], people: Mapping[str, frozenset[str]]) -> int:
    """By trying every way to sit."""
    sitters: list[str | None] = [*people, *[None] * len(chairs)]
    return max(
        sum(person is not None and role in people[person] for person, role in zip(way, chairs, strict=True))
        for way in itertools.permutations(sitters, len(chairs))
    )


@settings(deadline=None)
@given(seats=SEATS, people=PEOPLE)
def test_as_many_seats_are_filled_as_can_be(seats: tuple[Seat, ...], people: dict[str, frozenset[str]]) -> None:
    chairs = [seat.role for seat in seats for _ in range(seat.count)]
    seating = seated(seats, people)
    assert len(seating.filled) == most_filled(chairs, people)
    assert sorted([role for _, role in seating.filled] + list(seating.empty)) == sorted(chairs)
    assert len({person for person, _ in seating.filled}) == len(seating.filled)
    assert all(role in people[person] for person, role in seating.filled)


def test_who_could_take_two_seats_makes_room() -> None:
    people = {"a": frozenset({"engineer", "officer"}), "b": frozenset({"engineer"})}
    assert seated((Seat("engineer", 1), Seat("officer", 1)), people).filled == (("b", "engineer"), ("a", "officer"))


def test_whose_checkpoints_count() -> None:
    """Those who may sign reports, run out or not; a key that was ever stolen never, since a checkpoint does not say when."""
    engineer, officer, collector, *others = POLICY.keys
    assert POLICY.log_keys() == (COLLECTOR.public,)
    expired = replace(POLICY, keys=(engineer, officer, replace(collector, not_after=NOW), *others))
    assert expired.log_keys() == (COLLECTOR.public,)
    stolen = replace(POLICY, keys=(engineer, officer, replace(collector, compromised_since=NOW), *others))
    assert stolen.log_keys() == ()
    assert stolen.log_keys(even_stolen=True) == (COLLECTOR.public,)
    assert quorums(POLICY.quorums[0]).log_keys() == ()
