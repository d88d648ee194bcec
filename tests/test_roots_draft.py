"""A version on its way to its signatures: made, carried about, signed by one after another, put together, in force."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.roots_fixtures import ENDS, ONE, TWO, YEAR, altered, first, following, signed, with_root
from tests.signers import P256, PQ
from tests.trust_fixtures import COLLECTOR, ENGINEER, NOW, OFFICER, POLICY, SECOND_ENGINEER, STRANGER
from verifier.errors import TrustError, UsageError
from verifier.model.policy_record import TrustFile
from verifier.trust.keys import Algorithm
from verifier.trust.policy import CHANGE, ROOT, Policy, Quorum, Role, TimeAuthority, TrustedKey
from verifier.trust.quorum import Seat
from verifier.trust.roots.draft import completed, first_draft, merged, next_draft, read_draft, with_signature
from verifier.trust.roots.keys import FORMS, from_tuf, to_tuf
from verifier.trust.roots.targets import targets_metadata
from verifier.trust.statement import BASELINE, REPORT, WITHDRAWAL

V1 = first(TWO, ENGINEER, OFFICER)
CHANGED = replace(TWO, quorums=TWO.quorums[::-1])
NEW_ROOT = with_root(TWO, ("O. Officer", "Z. New"), 2, TrustedKey("Z. New", STRANGER.public))


def names(*files: TrustFile) -> list[str]:
    return [file.name for file in files]


def test_signatures_come_one_after_another() -> None:
    draft = first_draft(TWO, ENDS)
    assert draft.signed == ()
    (missing,) = draft.missing
    assert missing.count == 2
    assert {name for name, _ in missing.among} == {"A. Engineer", "O. Officer", "B. Engineer"}
    draft = with_signature(draft, OFFICER)
    assert draft.signed == ("O. Officer",)
    assert [(each.count, {name for name, _ in each.among}) for each in draft.missing] == [(1, {"A. Engineer", "B. Engineer"})]
    with pytest.raises(TrustError, match="signed by 1 of the 2"):
        completed(draft)
    draft = with_signature(draft, ENGINEER)
    assert draft.missing == ()
    assert completed(draft).policy == draft.policy == replace(TWO, version=1, expires=ENDS)


def test_a_new_root_asks_the_old_people_and_the_new() -> None:
    draft = next_draft(V1, NEW_ROOT)
    assert names(*draft.files) == ["2.root.json", "2.targets.json"]
    old, new = draft.missing
    assert {name for name, _ in old.among} == {"A. Engineer", "O. Officer", "B. Engineer"}
    assert {name for name, _ in new.among} == {"O. Officer", "Z. New"}
    draft = signed(draft, STRANGER, OFFICER)
    assert [(each.count, {name for name, _ in each.among}) for each in draft.missing] == [(1, {"A. Engineer", "B. Engineer"})]
    trusted = completed(signed(draft, SECOND_ENGINEER))
    assert trusted.root_version == 2
    assert trusted.policy.roles_of("Z. New") == {ROOT}


def test_a_root_changes_only_with_its_keys_its_threshold_or_its_end() -> None:
    assert names(*next_draft(V1, CHANGED).files) == ["2.targets.json"]
    assert names(*next_draft(V1, with_root(TWO, ("O. Officer", "A. Engineer"), 2)).files) == ["2.root.json", "2.targets.json"]
    assert names(*next_draft(V1, with_root(TWO, ("A. Engineer", "O. Officer", "B. Engineer"), 1)).files)[0] == "2.root.json"
    assert names(*next_draft(V1, V1.policy, ENDS + YEAR).files)[0] == "2.root.json"
    assert next_draft(V1, V1.policy, ENDS + YEAR).policy.expires == ENDS + YEAR


def test_who_is_not_asked_does_not_sign_and_nobody_signs_twice() -> None:
    draft = first_draft(TWO, ENDS)
    with pytest.raises(UsageError, match="not that of anybody who may change the policy"):
        with_signature(draft, STRANGER)
    with pytest.raises(UsageError, match="has signed this already"):
        signed(draft, ENGINEER, ENGINEER)


def test_copies_signed_at_different_desks_are_put_together() -> None:
    draft = next_draft(V1, NEW_ROOT)
    one, other = signed(draft, ENGINEER, OFFICER), signed(draft, STRANGER)
    assert one.missing
    assert other.missing
    both = merged(one, other)
    assert merged(other, one) == both
    assert both.missing == ()
    assert completed(both).policy.version == 2


def test_two_changes_under_one_number_are_not_mixed() -> None:
    with pytest.raises(UsageError, match="two different changes"):
        merged(next_draft(V1, NEW_ROOT), next_draft(V1, CHANGED))
    with pytest.raises(UsageError, match=r"two different 2\.targets\.json"):
        merged(next_draft(V1, CHANGED), next_draft(V1, TWO))


def test_a_draft_is_read_where_it_lay() -> None:
    draft = signed(next_draft(V1, NEW_ROOT), ENGINEER)
    assert read_draft(V1, draft.files) == draft
    assert read_draft(V1, draft.files[::-1]).missing == draft.missing
    assert read_draft(None, first_draft(TWO, ENDS).files) == first_draft(TWO, ENDS)


def test_what_does_not_follow_is_refused() -> None:
    draft = next_draft(V1, NEW_ROOT)
    v2 = following(V1, CHANGED, ENGINEER, OFFICER)
    for before, files, why in (
        (v2, draft.files, "does not follow on version 2 of the policy"),
        (None, draft.files, "does not follow on version 0"),
        (V1, (), "nothing does not follow"),
        (V1, (*draft.files, draft.files[0]), "does not follow"),
        (V1, (TrustFile("policy.json", "{}"),), "policy.json does not follow"),
        (V1, draft.files[:1], r"2\.targets\.json is missing beside 2\.root\.json"),
        (V1, draft.files[1:], r"2\.targets\.json belongs to 2\.root\.json, which is not here"),
        (None, first_draft(TWO, ENDS).files[1:], r"1\.root\.json is missing beside"),
        (V1, (draft.files[0], next_draft(V1, CHANGED).files[0]), r"belongs to 1\.root\.json"),
    ):
        with pytest.raises(TrustError, match=why):
            read_draft(before, files)


def test_a_draft_altered_on_its_way_is_refused() -> None:
    draft = next_draft(V1, CHANGED)
    with pytest.raises(TrustError, match=r"carries a signature by .* that does not hold"):
        read_draft(V1, [altered(draft.files[0], lambda _: None, STRANGER)])
    good = signed(draft, ENGINEER).files[0]
    other = signed(next_draft(V1, TWO), ENGINEER).files[0]
    signature = good.text.split('"sig": "')[1][:128]
    with pytest.raises(TrustError, match="that does not hold"):
        read_draft(V1, [TrustFile(good.name, good.text.replace(signature, other.text.split('"sig": "')[1][:128]))])
    one = with_root(TWO, ("A. Engineer", "O. Officer"), 2)
    mixed = (next_draft(V1, NEW_ROOT).files[0], next_draft(V1, one).files[1])
    with pytest.raises(TrustError, match="do not name the same people as root"):
        read_draft(V1, mixed)


# What can be no root


def quorum(*seats: Seat, also: tuple[Algorithm, ...] = ()) -> Policy:
    keys = (*ONE.keys, TrustedKey("A. Engineer", PQ.public))
    return replace(ONE, keys=keys, quorums=(*ONE.quorums[:-1], Quorum(CHANGE, seats, also)))


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (POLICY, "does not say who may sign a policy"),
        (quorum(Seat("engineer", 1)), "signed by role root alone"),
        (quorum(Seat(ROOT, 1), Seat("collector", 1)), "signed by role root alone"),
        (quorum(Seat(ROOT, 1), also=(Algorithm.ML_DSA_65,)), "with ordinary keys"),
        (replace(ONE, keys=tuple(replace(key, not_after=NOW) for key in ONE.keys)), "1 must sign .* and 0 could"),
        (replace(ONE, keys=tuple(replace(key, not_before=NOW) for key in ONE.keys)), "and 0 could"),
        (replace(ONE, keys=tuple(replace(key, compromised_since=NOW) for key in ONE.keys)), "and 0 could"),
        (replace(ONE, time_authorities=(TimeAuthority("\ud800", ()),)), "cannot be written as UTF-8"),
        (replace(ONE, roles=(*ONE.roles, Role("targets", ()))), "'targets' cannot be the name of a role"),
        (replace(ONE, roles=(*ONE.roles, Role("Big Boss", ()))), "'Big Boss' cannot be the name of a role"),
    ],
)
def test_a_policy_that_nobody_could_change_is_not_signed(policy: Policy, why: str) -> None:
    with pytest.raises(TrustError, match=why):
        first_draft(policy, ENDS)


def test_a_policy_without_version_and_end_is_not_made_into_metadata() -> None:
    for policy in (ONE, replace(ONE, version=1), replace(ONE, expires=NOW)):
        with pytest.raises(TrustError, match="has no version and no end"):
            targets_metadata(policy, 1)


# Every policy, there and back


def test_each_algorithm_has_its_form() -> None:
    assert set(FORMS) == set(Algorithm)
    for signer in (ENGINEER, P256, PQ):
        there = to_tuf(signer.public)
        assert there.keyid == signer.key_id
        assert from_tuf(there) == signer.public


def test_a_p256_key_changes_the_policy() -> None:
    token = with_root(ONE, ("T. Token",), 1, TrustedKey("T. Token", P256.public))
    assert first(token, P256).policy.owner(P256.key_id) == "T. Token"


def test_a_role_whose_members_lost_their_keys_is_trusted_with_nothing() -> None:
    """A reader that knows no key windows must not take a key that ended for a good one."""
    ended = replace(ONE, keys=(replace(ONE.keys[0], not_after=NOW), *ONE.keys[1:]))
    trusted = first(ended)
    assert trusted.policy == replace(ended, version=1, expires=ENDS)
    assert '"keyids": [],\n     "name": "collector"' in trusted.files[1].text


PEOPLE = ("Ä. Ünïcode", "B. Engineer", 'C. O\'Officer "the 2nd"', "d\\e", "service")
KEYS = (ENGINEER, OFFICER, COLLECTOR, SECOND_ENGINEER, STRANGER, P256, PQ)
times = st.none() | st.datetimes(min_value=NOW.replace(tzinfo=None)).map(lambda at: at.replace(tzinfo=NOW.tzinfo))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies that can be signed with ENGINEER's key: any owners, roles, windows, quorums."""
    owners = draw(st.lists(st.sampled_from(PEOPLE), min_size=len(KEYS), max_size=len(KEYS)))
    held = zip(owners, KEYS, strict=True)
    keys = [TrustedKey(owner, signer.public, draw(times), draw(times), draw(times)) for owner, signer in held]
    keys[0] = TrustedKey(owners[0], ENGINEER.public)
    people = sorted(set(owners))
    members = st.lists(st.sampled_from(people), unique=True, min_size=1).map(tuple)
    every = st.sampled_from(["engineer", "security-officer", "technician", "vendor", "witness"])
    names = draw(st.lists(every, unique=True))
    roles = [Role(name, draw(members)) for name in names]
    quorums = [
        Quorum(statement, (Seat(draw(st.sampled_from(names)), 1),))
        for statement in (sorted(draw(st.sets(st.sampled_from([BASELINE.word, REPORT.word])))) if names else ())
    ]
    if "engineer" in names and owners[-1] == owners[0]:
        roles = [Role(role.name, (owners[0],)) if role.name == "engineer" else role for role in roles]
        quorums.append(Quorum(WITHDRAWAL.word, (Seat("engineer", 1),), (Algorithm.ML_DSA_65,)))
    authorities = tuple(TimeAuthority(name, ("AAAA", "BBBB")) for name in draw(st.sets(st.sampled_from(["TSA 1", "TSA 2"]))))
    try:
        return Policy(
            tuple(draw(st.permutations(keys))),
            tuple(draw(st.permutations([*roles, Role(ROOT, (owners[0],))]))),
            tuple(draw(st.permutations([*quorums, Quorum(CHANGE, (Seat(ROOT, 1),))]))),
            time_authorities=authorities,
        )
    except TrustError:
        reject()  # a policy that could not be met, such as reports by somebody without an Ed25519 key


@given(policies(), policies())
@settings(max_examples=25, deadline=None)
def test_every_policy_comes_back_from_its_files(policy: Policy, after: Policy) -> None:
    trusted = first(policy)
    assert trusted.policy == replace(policy, version=1, expires=ENDS)
    second = following(trusted, after)
    assert second.policy == replace(after, version=2, expires=ENDS)
    assert all(file.text.isascii() for file in second.files)
