"""Several algorithms in one envelope: each key with its own, and ML-DSA-65, which a policy may demand beside another one."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # public, but not in its __all__

from tests.signers import p256, pq
from tests.trust_fixtures import NOW, OFFICER, POLICY, SECOND_ENGINEER, baseline, policy_bytes, sealed_baseline
from verifier.errors import TrustError
from verifier.trust.envelope import add_signature, opened
from verifier.trust.keys import Algorithm
from verifier.trust.log.note import signed
from verifier.trust.policy import Policy, Quorum, TrustedKey, read_policy
from verifier.trust.quorum import Seat
from verifier.trust.signers.file import FileSigner
from verifier.trust.statement import BASELINE
from verifier.trust.verify import signed_by, verify

CARD, ENGINEER_PQ, OFFICER_PQ = p256(1), pq(1), pq(2)
"""The engineer signs with a P-256 card and an ML-DSA-65 file; the officer with an Ed25519 file and one of ML-DSA-65."""

KEYS = (
    TrustedKey("A. Engineer", CARD.public),
    TrustedKey("A. Engineer", ENGINEER_PQ.public),
    *POLICY.keys[1:],
    TrustedKey("O. Officer", OFFICER_PQ.public),
)
BOTH = (Seat("engineer", 1), Seat("security-officer", 1))
PLAIN = replace(POLICY, keys=KEYS)
DEMANDING = replace(PLAIN, quorums=(Quorum("baseline", BOTH, (Algorithm.ML_DSA_65,)), POLICY.quorums[1]))
ALL = (CARD, OFFICER, ENGINEER_PQ, OFFICER_PQ)
FULL = sealed_baseline(*ALL)


def refused(*signers: FileSigner, policy: Policy = DEMANDING) -> str:
    with pytest.raises(TrustError) as caught:
        verify(sealed_baseline(*signers), BASELINE, policy, NOW)
    return str(caught.value)


def test_in_any_order() -> None:
    for order in permutations(ALL):
        found = verify(sealed_baseline(*order), BASELINE, DEMANDING, NOW)
        assert found.value == baseline()
        assert sorted(found.signer_names) == ["A. Engineer (engineer)", "O. Officer (security-officer)"]
        assert found.not_counted == ()


def test_each_needs_both() -> None:
    assert refused(CARD, OFFICER) == (
        "the baseline needs one more engineer and one more security-officer; signed by A. Engineer (engineer), "
        "O. Officer (security-officer); A. Engineer has not signed with ml-dsa-65 as well; "
        "O. Officer has not signed with ml-dsa-65 as well"
    )
    assert refused(CARD, OFFICER, ENGINEER_PQ) == refused(ENGINEER_PQ, CARD, OFFICER)
    assert refused(CARD, OFFICER, OFFICER_PQ).endswith("; A. Engineer has not signed with ml-dsa-65 as well")
    assert "needs one more security-officer" in refused(CARD, OFFICER, ENGINEER_PQ)


def test_ml_dsa_alone_fills_no_seat() -> None:
    alone = "has signed with ml-dsa-65 only, which counts beside an ordinary key"
    for policy in (PLAIN, DEMANDING):
        assert refused(ENGINEER_PQ, OFFICER_PQ, policy=policy) == (
            f"the baseline needs one more engineer and one more security-officer; A. Engineer {alone}; O. Officer {alone}"
        )
    assert refused(ENGINEER_PQ, OFFICER, policy=PLAIN) == (
        f"the baseline needs one more engineer; signed by O. Officer (security-officer); A. Engineer {alone}"
    )


def test_the_second_signature_of_one_is_no_help_to_another() -> None:
    """Each must have signed with both; two halves by two persons are nobody's whole."""
    keys = (*KEYS, TrustedKey("B. Engineer", pq(3).public))
    policy = replace(DEMANDING, keys=keys)
    why = refused(CARD, pq(3), OFFICER, OFFICER_PQ, policy=policy)
    assert "needs one more engineer" in why
    assert "A. Engineer has not signed with ml-dsa-65 as well" in why
    assert "B. Engineer has signed with ml-dsa-65 only" in why
    assert verify(sealed_baseline(SECOND_ENGINEER, pq(3), OFFICER, OFFICER_PQ), BASELINE, policy, NOW)


def test_an_ml_dsa_key_that_has_run_out_does_not_stand_beside() -> None:
    ended = tuple(replace(key, not_after=NOW - timedelta(days=1)) if key.public == ENGINEER_PQ.public else key for key in KEYS)
    why = refused(*ALL, policy=replace(DEMANDING, keys=ended))
    assert "A. Engineer has not signed with ml-dsa-65 as well; signature 3: the key of A. Engineer was valid until" in why


def test_who_must_still_sign_is_said_on_the_way() -> None:
    envelope = sealed_baseline()
    for signer, lacking in (
        (ENGINEER_PQ, "A. Engineer has signed with ml-dsa-65 only, which counts beside an ordinary key"),
        (CARD, ""),
        (OFFICER, "O. Officer has not signed with ml-dsa-65 as well"),
        (OFFICER_PQ, ""),
    ):
        envelope = add_signature(envelope, signer)
        assert "".join(signed_by(envelope, BASELINE, DEMANDING, NOW).lacking) == lacking
    assert signed_by(envelope, BASELINE, DEMANDING, NOW).missing == ()
    assert verify(envelope, BASELINE, DEMANDING, NOW).value == baseline()


def test_a_policy_that_does_not_ask_does_not_mind() -> None:
    assert verify(FULL, BASELINE, PLAIN, NOW).not_counted == ()


def test_the_message_does_not_choose_the_algorithm() -> None:
    """One algorithm's signature under the id of a key of another is an altered file, not another way to check it."""
    outer = json.loads(FULL)
    for position in range(4):
        for other in range(4):
            altered = copy.deepcopy(outer)
            altered["signatures"][position]["keyid"] = outer["signatures"][other]["keyid"]
            data = json.dumps(altered, separators=(",", ":"), ensure_ascii=False).encode()
            if position == other:
                assert verify(data, BASELINE, DEMANDING, NOW)
                continue
            with pytest.raises(TrustError, match="and names another key"):
                verify(data, BASELINE, DEMANDING, NOW)


@settings(max_examples=150, deadline=None)
@given(bit=st.integers(0, len(FULL) * 8 - 1))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    data = bytearray(FULL)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(TrustError):
        verify(bytes(data), BASELINE, DEMANDING, NOW)


def test_a_policy_of_three_algorithms_is_written_and_read() -> None:
    assert read_policy(policy_bytes(DEMANDING)) == DEMANDING


@pytest.mark.parametrize(
    ("keys", "also", "why"),
    [
        (KEYS, (Algorithm.P256,), "asks for ecdsa-sha2-nistp256 beside another, which stands by itself"),
        (KEYS, (Algorithm.ML_DSA_65,) * 2, "the algorithm for a baseline 'ml-dsa-65' stands twice"),
        (
            (*POLICY.keys, KEYS[1]),
            (Algorithm.ML_DSA_65,),
            "a baseline lacks security-officer; one person fills one seat; O. Officer has no ml-dsa-65 key",
        ),
        (
            (TrustedKey("O. Officer", OFFICER_PQ.public), *KEYS[:2], *POLICY.keys[2:]),
            (),
            "a baseline lacks security-officer; one person fills one seat; O. Officer has no ordinary key",
        ),
        (
            (*POLICY.keys[:2], TrustedKey("collector-1", CARD.public), POLICY.keys[3]),
            (),
            "collector-1 signs reports, and with them the checkpoints of the record, which takes an Ed25519 key",
        ),
    ],
    ids=["one that stands by itself", "twice", "who has no such key", "who has no other key", "a log of another algorithm"],
)
def test_a_quorum_that_cannot_be_met_is_refused(keys: tuple[TrustedKey, ...], also: tuple[Algorithm, ...], why: str) -> None:
    with pytest.raises(TrustError) as caught:
        replace(POLICY, keys=keys, quorums=(Quorum("baseline", BOTH, also), POLICY.quorums[1]))
    assert str(caught.value).endswith(why)


def test_checkpoints_know_ed25519_alone() -> None:
    beside = replace(POLICY, keys=(*POLICY.keys, TrustedKey("collector-1", CARD.public)))
    assert beside.log_keys() == POLICY.log_keys() == (POLICY.keys[2].public,)
    for by in (CARD, ENGINEER_PQ):
        with pytest.raises(TrustError, match=f"checkpoints know Ed25519 alone, and the key here is {by.public.algorithm}"):
            signed("origin\n0\n\n", "origin", by)


# Other people's programs


@pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("jq")), reason="openssl and jq are not installed")
def test_openssl_and_jq_agree_on_an_envelope_with_p256(tmp_path: Path) -> None:
    """As the README tells an auditor to do it."""
    (tmp_path / "envelope.json").write_bytes(FULL)
    (tmp_path / "key.pem").write_text(CARD.public.pem)
    script = """
    set -euo pipefail
    jq -rj .payload envelope.json | base64 -d > payload
    jq -rj ".signatures[$1].sig" envelope.json | base64 -d > sig
    type=$(jq -rj .payloadType envelope.json)
    printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c < payload)" | cat - payload > signed
    openssl dgst -sha256 -verify key.pem -signature sig signed
    """
    said = [
        subprocess.run(["bash", "-c", script, "bash", position], cwd=tmp_path, capture_output=True, text=True, check=False)
        for position in "01"
    ]
    assert [each.returncode for each in said] == [0, 1]
    assert said[0].stdout == "Verified OK\n"


def test_the_library_of_the_dsse_authors_agrees() -> None:
    theirs = TheirEnvelope.from_dict(copy.deepcopy(json.loads(FULL)))
    keys = [
        SSlibKey(CARD.key_id, "ecdsa", "ecdsa-sha2-nistp256", {"public": CARD.public.pem}),
        SSlibKey(OFFICER.key_id, "ed25519", "ed25519", {"public": OFFICER.public.raw.hex()}),
    ]
    assert set(theirs.verify(list(keys), 2)) == {CARD.key_id, OFFICER.key_id}


def test_ml_dsa_signs_the_same_bytes_as_the_others() -> None:
    """TUF's way (TAP 21) would sign a digest of them; ours is FIPS 204 over the encoding itself, and no other program's guess."""
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

    envelope = opened(FULL)
    theirs = MLDSA65PublicKey.from_public_bytes(ENGINEER_PQ.public.raw)
    theirs.verify(envelope.signatures[2].sig, envelope.signed_bytes)
    with pytest.raises(InvalidSignature):
        theirs.verify(envelope.signatures[2].sig, envelope.payload)


def test_three_algorithms_and_a_full_house_fit_the_limits() -> None:
    signatures = len(sealed_baseline(CARD, OFFICER, ENGINEER_PQ)) - len(sealed_baseline())
    assert signatures < 5300  # with base64 and key ids
    crowd = [*ALL, *(pq(number) for number in range(10, 38))]
    assert len(opened(sealed_baseline(*crowd)).signatures) == 32
