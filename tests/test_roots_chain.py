"""From the first root to the policy in force: what holds, and each way in which it does not, with its own words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.roots_fixtures import ENDS, ONE, TWO, YEAR, altered, first, following, resigned, with_root
from tests.trust_fixtures import ENGINEER, NOW, OFFICER, POLICY, SECOND_ENGINEER, STRANGER, policy_bytes
from verifier.errors import TrustError
from verifier.model.policy_record import TrustFile
from verifier.trust.policy import TrustedKey
from verifier.trust.roots import Trusted, grew_from, read_trust
from verifier.trust.roots import chain as chain_module

V1 = first(TWO, ENGINEER, OFFICER)
V2 = following(V1, replace(TWO, quorums=TWO.quorums[::-1]), OFFICER, SECOND_ENGINEER)
V3 = following(V2, with_root(TWO, ("A. Engineer", "O. Officer"), 2), ENGINEER, OFFICER)
"""Under a second root."""
ROOT_1, ROOT_2, TARGETS_3 = V3.files


def refused(match: str, *files: TrustFile) -> None:
    with pytest.raises(TrustError, match=match) as caught:
        read_trust(files)
    assert caught.value.hint


def test_a_first_version_is_read() -> None:
    trusted = first()
    assert read_trust(trusted.files) == trusted
    assert read_trust(trusted.files[::-1]) == trusted, "the order of the files is nobody's word"
    assert trusted.policy == replace(ONE, version=1, expires=ENDS)
    assert trusted.root_version == 1
    assert [file.name for file in trusted.files] == ["1.root.json", "1.targets.json"]


def test_a_policy_grows_and_the_root_stays_until_it_changes() -> None:
    assert [file.name for file in V2.files] == ["1.root.json", "2.targets.json"]
    assert [file.name for file in V3.files] == ["1.root.json", "2.root.json", "3.targets.json"]
    assert V1.fingerprint == V2.fingerprint == V3.fingerprint
    assert (V3.policy.version, V3.root_version) == (3, 2)


def test_a_policy_that_nobody_signed_is_still_read() -> None:
    file = TrustFile("policy.json", policy_bytes(POLICY).decode())
    assert read_trust([file]) == Trusted(POLICY, "", 0, (file,))
    for claims in (replace(POLICY, version=3), replace(POLICY, expires=NOW)):
        refused("nobody signed it", TrustFile("policy.json", policy_bytes(claims).decode()))
    refused("is not UTF-8", TrustFile("policy.json", "\udcff"))


def test_an_end_refuses_nobody_and_is_that_of_whichever_ends_first() -> None:
    past = first(expires=NOW - YEAR)
    assert past.policy.expires == NOW - YEAR
    assert following(past, ONE).policy.expires == NOW - YEAR
    renewed = following(past, ONE, expires=ENDS)
    assert (renewed.policy.expires, renewed.root_version) == (ENDS, 2)
    sooner = following(renewed, ONE, expires=NOW)
    assert sooner.policy.expires == NOW


def test_what_needs_no_signed_policy_does_not_wait_for_the_library() -> None:
    """python-tuf takes a tenth of a second to import; `--help` answers at once."""
    program = """
import sys
from verifier.cli.main import run
import verifier.procedures.check, verifier.trust.verify, verifier.record.workspace
run(["--help"])
sys.exit(bool({"tuf", "securesystemslib"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


# What is missing, and what does not belong


def test_nothing_is_no_policy() -> None:
    refused("there is no policy")


@pytest.mark.parametrize(
    "name", ["0.root.json", "01.root.json", "1.snapshot.json", "../1.root.json", "1.root.json\n", "policy.json"]
)
def test_a_file_that_is_none_of_ours_is_refused(name: str) -> None:
    refused("is no file of a signed policy", *V1.files, TrustFile(name, "{}"))


def test_each_file_stands_once_and_none_is_missing() -> None:
    refused("1.root.json stands twice", ROOT_1, *V1.files)
    refused(r"here are 0 and 1", ROOT_1)
    refused(r"here are 1 and 0", TARGETS_3)
    refused(r"here are 2 and 1", *V1.files, V2.files[1])
    refused("1.root.json is missing", ROOT_2, TARGETS_3)
    refused("2.root.json is missing", ROOT_1, TrustFile("3.root.json", ROOT_2.text), TARGETS_3)


def test_so_many_roots_are_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_module, "MOST_ROOTS", 1)
    refused("more than 1 roots", *V3.files)


def test_a_file_is_of_the_version_and_kind_its_name_says() -> None:
    refused("2.targets.json holds no policy of version 2", ROOT_1, TrustFile("2.targets.json", V1.files[1].text))
    refused("1.targets.json holds no policy of version 1", ROOT_1, TrustFile("1.targets.json", ROOT_1.text))
    refused("1.root.json holds no root of version 1", TrustFile("1.root.json", V1.files[1].text), V1.files[1])
    refused("2.root.json holds no root of version 2", ROOT_1, TrustFile("2.root.json", ROOT_1.text), TARGETS_3)


# Signatures, counted in persons


def test_too_few_signatures_under_the_first_root_or_the_policy() -> None:
    refused("1.root.json is signed by 1 of the 2 persons it asks for", resigned(ROOT_1, ENGINEER), V1.files[1])
    refused("1.root.json is signed by 0 of the 2", resigned(ROOT_1), V1.files[1])
    refused("1.targets.json is signed by 1 of the 2 persons 1.root.json asks for", ROOT_1, resigned(V1.files[1], OFFICER))
    refused("1.targets.json is signed by nobody whom 1.root.json names", ROOT_1, resigned(V1.files[1], STRANGER))


def test_a_root_needs_those_of_the_one_before() -> None:
    """The missing signature of an officer."""
    refused(
        "2.root.json is signed by 1 of the 2 persons that 1.root.json asks for", ROOT_1, resigned(ROOT_2, ENGINEER), TARGETS_3
    )


def test_a_root_by_new_keys_only_is_another_roots() -> None:
    robbers = with_root(ONE, ("Z. Robber",), 1, TrustedKey("Z. Robber", STRANGER.public))
    taken = first(robbers, STRANGER)
    taken = following(taken, robbers, STRANGER, expires=ENDS + YEAR)
    refused("2.root.json is signed by new keys only, and by nobody whom 1.root.json names", ROOT_1, *taken.files[1:])


def test_a_lower_threshold_needs_the_old_one() -> None:
    lower = following(V1, with_root(TWO, ("A. Engineer", "O. Officer"), 1), ENGINEER, OFFICER)
    assert lower.root_version == 2
    alone = resigned(lower.files[1], ENGINEER)
    refused(
        "2.root.json lowers the number of signatures from 2 to 1, and is signed by 1 of the 2 persons that 1.root.json asks for",
        ROOT_1,
        alone,
        lower.files[2],
    )


def test_a_new_root_is_signed_by_its_own_people_too() -> None:
    joined = with_root(TWO, ("O. Officer", "Z. New"), 2, TrustedKey("Z. New", STRANGER.public))
    new = following(V1, joined, ENGINEER, OFFICER, STRANGER)
    refused(
        "2.root.json is signed by 1 of the 2 persons it names",
        ROOT_1,
        resigned(new.files[1], ENGINEER, OFFICER),
        new.files[2],
    )


def test_a_signature_that_is_not_needed_must_hold_all_the_same() -> None:
    refused("carries a signature by .* that does not hold", ROOT_1, resigned(V1.files[1], ENGINEER, OFFICER, STRANGER))
    refused("carries a signature by .* that does not hold", resigned(ROOT_1, ENGINEER, OFFICER, STRANGER), V1.files[1])


def test_one_persons_two_keys_are_one_person() -> None:
    """python-tuf counts two keys, and is content."""
    doubled = with_root(ONE, ("A. Engineer", "O. Officer"), 2, TrustedKey("O. Officer", OFFICER.public))
    doubled = replace(doubled, keys=(*doubled.keys, TrustedKey("A. Engineer", SECOND_ENGINEER.public)))
    trusted = first(doubled, ENGINEER, OFFICER)
    root, targets = trusted.files
    refused("1.root.json is signed by 1 of the 2", resigned(root, ENGINEER, SECOND_ENGINEER), targets)
    refused("1.targets.json is signed by 1 of the 2", root, resigned(targets, ENGINEER, SECOND_ENGINEER))


def rewritten(file: TrustFile, document: Any) -> TrustFile:
    return TrustFile(file.name, json.dumps(document, indent=1, sort_keys=True) + "\n")


def _one_key_under_two_ids(signed: Any) -> None:
    (key_id,) = signed["keys"]
    signed["keys"]["ab" * 32] = signed["keys"][key_id]
    for role in signed["roles"].values():
        role.update(keyids=sorted([key_id, "ab" * 32]), threshold=2)
    signed["x-crane-verify-owners"].append({"key": "ab" * 32, "owner": "B. Engineer"})


def _threshold(number: int) -> Callable[[Any], None]:
    def change(signed: Any) -> None:
        signed["roles"]["root"]["threshold"] = number

    return change


def test_one_key_under_two_ids_fills_no_two_seats() -> None:
    """Trap 1: both libraries count ids."""
    root, targets = first().files
    doctored = altered(root, _one_key_under_two_ids, ENGINEER)
    document = json.loads(doctored.text)
    document["signatures"].append({"keyid": "ab" * 32, "sig": document["signatures"][0]["sig"]})
    document["signatures"].sort(key=lambda each: each["keyid"])
    refused("a key stands twice among those who may change the policy", rewritten(root, document), targets)


def test_one_key_of_two_owners_makes_no_second_person() -> None:
    """In a root that was replaced since, nothing else holds its owners against the policy."""

    def two_owners(signed: Any) -> None:
        (owner,) = signed["x-crane-verify-owners"]
        signed["x-crane-verify-owners"].append({**owner, "owner": "B. Engineer"})

    root, targets = first().files
    refused("a key stands twice among those who may change the policy", altered(root, two_owners, ENGINEER), targets)


@pytest.mark.parametrize("number", [0, -1])
def test_a_threshold_below_one_is_refused(number: int) -> None:
    root, targets = first().files
    document = json.loads(root.text)
    _threshold(number)(document["signed"])
    refused(
        "1.root.json cannot be read: threshold",
        TrustFile(root.name, json.dumps(document, indent=1, sort_keys=True) + "\n"),
        targets,
    )


def test_a_threshold_that_nobody_can_reach_is_refused() -> None:
    root, targets = first().files
    refused("2 must sign a change of the policy, and 1 could", altered(root, _threshold(2), ENGINEER), targets)


# Chains that were mixed up


def test_a_policy_under_another_version_of_the_root_is_a_mix() -> None:
    refused("3.targets.json was made under 2.root.json, and the newest root is 1.root.json", ROOT_1, TARGETS_3)
    refused("2.targets.json was made under 1.root.json, and the newest root is 2.root.json", ROOT_1, ROOT_2, V2.files[1])


def test_a_policy_of_another_port_is_refused() -> None:
    other = first(ONE, ENGINEER)
    refused("1.targets.json is signed by 1 of the 2", ROOT_1, other.files[1])
    stranger = with_root(ONE, ("Z. Robber",), 1, TrustedKey("Z. Robber", STRANGER.public))
    refused("signed by nobody whom 1.root.json names", ROOT_1, first(stranger, STRANGER).files[1])


def test_a_policy_names_the_same_people_as_its_root() -> None:
    fewer = first(with_root(TWO, ("A. Engineer", "O. Officer"), 2), ENGINEER, OFFICER)
    refused("1.targets.json and 1.root.json do not name the same people", ROOT_1, fewer.files[1])


# The form of a file


def test_a_file_has_one_writing() -> None:
    root, targets = V1.files
    compact = json.dumps(json.loads(root.text), sort_keys=True)
    for text in (compact, root.text + " ", root.text.replace("\n", "\r\n"), root.text.upper()):
        with pytest.raises(TrustError):
            read_trust([TrustFile(root.name, text), targets])
    refused("1.root.json is not written as", TrustFile(root.name, compact), targets)


def test_what_two_readers_could_read_differently_is_refused() -> None:
    root, targets = V1.files
    twice = root.text.replace('"version": 1,', '"version": 2,\n  "version": 1,')
    refused("a key stands twice", TrustFile(root.name, twice), targets)
    refused("is not an integer", TrustFile(root.name, root.text.replace('"version": 1', '"version": 1.0')), targets)
    refused("is not UTF-8", TrustFile(root.name, root.text + "\udcff"), targets)
    refused("larger than", TrustFile(root.name, root.text + " " * 1_000_000), targets)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"signed": {}, "signatures": []}', '{"signed": 1, "signatures": 1}'])
def test_what_is_no_metadata_is_refused(text: str) -> None:
    refused("1.root.json cannot be read", TrustFile("1.root.json", text), V1.files[1])


def test_other_metadata_of_tuf_is_refused() -> None:
    snapshot = {"_type": "snapshot", "expires": "2027-01-01T00:00:00Z", "meta": {}, "spec_version": "1.0.31", "version": 1}
    text = json.dumps({"signatures": [], "signed": snapshot})
    refused("neither a root nor the policy", TrustFile("1.root.json", text), V1.files[1])


def _drop(*path: str) -> Callable[[Any], None]:
    def change(signed: Any) -> None:
        for part in path[:-1]:
            signed = signed[part]
        del signed[path[-1]]

    return change


def _put(value: Any, *path: str) -> Callable[[Any], None]:
    def change(signed: Any) -> None:
        for part in path[:-1]:
            signed = signed[part]
        signed[path[-1]] = value

    return change


ROOTS = {
    "an owner unnamed": (_drop("x-crane-verify-owners"), "it lacks 'x-crane-verify-owners'"),
    "a field of nobody's": (_put(1, "x-other"), "not written as"),
    "an owner of no key": (_put([{"key": "ab", "owner": "A"}], "x-crane-verify-owners"), "it lacks 'ab'"),
    "an owner who is none": (_put("A", "x-crane-verify-owners"), "must be a list"),
    "another version of TUF": (_put("1.0.30", "spec_version"), "not written as"),
}
POLICIES = {
    "no delegation": (_drop("delegations"), "it lacks"),
    "no quorum": (_put([], "x-crane-verify-quorums"), "names no quorum"),
    "a field unknown": (_put(1, "x-crane-verify-other"), "unknown field 'other'"),
    "a field missing": (_drop("x-crane-verify-roles"), "missing field 'roles'"),
    "a target": (_put({"a": {"length": 1, "hashes": {"sha256": "ab"}}}, "targets"), "not written as"),
    "a wider delegation": (
        lambda signed: signed["delegations"]["roles"][0].update(paths=["*"]),
        "not written as",
    ),
    "a key of no kind we know": (
        lambda signed: next(iter(signed["delegations"]["keys"].values())).update(keytype="rsa", scheme="rsassa-pss-sha256"),
        "a key of the unknown kind rsa/rsassa-pss-sha256",
    ),
    "a key that is none": (
        lambda signed: next(iter(signed["delegations"]["keys"].values()))["keyval"].update(public="xyz"),
        "a public key is not base64",
    ),
    "a root that is none": (_put("1", "x-crane-verify-root"), "must be int"),
}


@pytest.mark.parametrize(("change", "why"), ROOTS.values(), ids=ROOTS.keys())
def test_a_root_that_says_something_else_is_refused_even_when_it_is_signed(change: Callable[[Any], None], why: str) -> None:
    root, targets = first().files
    refused(why, altered(root, change, ENGINEER), targets)


@pytest.mark.parametrize(("change", "why"), POLICIES.values(), ids=POLICIES.keys())
def test_a_policy_that_says_something_else_is_refused_even_when_it_is_signed(change: Callable[[Any], None], why: str) -> None:
    root, targets = first().files
    refused(why, root, altered(targets, change, ENGINEER))


@given(st.sampled_from(V3.files), st.data())
@settings(max_examples=300, deadline=None)
def test_any_bit_flipped_is_refused(file: TrustFile, data: st.DataObject) -> None:
    raw = bytearray(file.text.encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    flipped = TrustFile(file.name, raw.decode(errors="surrogateescape"))
    with pytest.raises(TrustError):
        read_trust([flipped if each is file else each for each in V3.files])


@given(st.sampled_from(V3.files), st.binary(max_size=40), st.integers(0, 3000))
@example(ROOT_1, b"", 0)
@settings(max_examples=100, deadline=None)
def test_any_cut_or_insertion_is_refused(file: TrustFile, put: bytes, place: int) -> None:
    raw = file.text.encode()
    text = (raw[:place] + put + raw[place + 1 :]).decode(errors="surrogateescape")
    if text != file.text:
        with pytest.raises(TrustError):
            read_trust([TrustFile(file.name, text) if each is file else each for each in V3.files])


# What grew out of what


def test_a_newer_version_grew_out_of_an_older_one() -> None:
    for older, newer in ((V1, V1), (V1, V2), (V1, V3), (V2, V3)):
        grew_from(newer, older)
    unsigned = read_trust([TrustFile("policy.json", policy_bytes(POLICY).decode())])
    grew_from(unsigned, unsigned)
    grew_from(V1, unsigned)


def not_grown(match: str, newer: Trusted, older: Trusted) -> None:
    with pytest.raises(TrustError, match=match) as caught:
        grew_from(newer, older)
    assert caught.value.hint


def test_what_went_back_is_told_from_what_is_anothers() -> None:
    unsigned = read_trust([TrustFile("policy.json", policy_bytes(POLICY).decode())])
    not_grown("version 1 of a signed one was in force before", unsigned, V1)
    not_grown("hangs on another first root", first(), V1)
    not_grown("the root is rolled back: version 1, and it was 2 before", V2, V3)
    not_grown("the policy is rolled back: version 1, and it was 2 before", V1, V2)


def test_two_histories_are_told_from_one() -> None:
    other_2 = following(V1, replace(TWO, quorums=TWO.quorums[1:]), ENGINEER, OFFICER)
    not_grown("two different 2.targets.json", other_2, V2)
    other_3 = following(other_2, with_root(TWO, ("A. Engineer", "O. Officer", "B. Engineer"), 1), ENGINEER, OFFICER)
    not_grown("two different 2.root.json", following(other_3, with_root(TWO, ("O. Officer",), 1), OFFICER), V3)


def test_the_same_version_signed_by_others_is_the_same() -> None:
    root, targets = V1.files
    copy = read_trust([root, resigned(targets, OFFICER, SECOND_ENGINEER)])
    grew_from(copy, V1)
    grew_from(V2, copy)
