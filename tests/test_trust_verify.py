"""Verification: the quorum, and every way of pretending to one."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.trust_fixtures import (
    COLLECTOR,
    ENGINEER,
    NOW,
    OFFICER,
    POLICY,
    SECOND_ENGINEER,
    STRANGER,
    baseline,
    report,
    sealed_baseline,
    sealed_report,
)
from verifier.errors import TrustError
from verifier.trust.envelope import PAYLOAD_TYPE, add_signature, opened, pae, seal
from verifier.trust.policy import Policy, Quorum, Role
from verifier.trust.quorum import Seat
from verifier.trust.signers.file import FileSigner
from verifier.trust.statement import BASELINE, REPORT, written
from verifier.trust.verify import Signatory, claimed, signed_by, verify


def with_signatures(envelope: bytes, *signatures: dict[str, str]) -> bytes:
    outer: dict[str, Any] = json.loads(envelope)
    outer["signatures"] = list(signatures)
    return json.dumps(outer, ensure_ascii=False, separators=(",", ":")).encode()


def signatures(envelope: bytes) -> list[dict[str, str]]:
    found = json.loads(envelope)["signatures"]
    assert isinstance(found, list)
    return found


def signature(by: FileSigner, signed: bytes, key_id: str | None = None) -> dict[str, str]:
    return {"keyid": by.key_id if key_id is None else key_id, "sig": base64.b64encode(by.sign(signed)).decode()}


APPROVED = sealed_baseline(ENGINEER, OFFICER)
PAE = opened(APPROVED).signed_bytes


def refused(envelope: bytes, policy: Policy = POLICY) -> str:
    with pytest.raises(TrustError) as caught:
        verify(envelope, BASELINE, policy, NOW)
    assert caught.value.hint
    return str(caught.value)


def test_approved() -> None:
    found = verify(APPROVED, BASELINE, POLICY, NOW)
    assert found.value == baseline()
    assert found.signers == (
        Signatory("A. Engineer", ("engineer",), "engineer", ENGINEER.key_id),
        Signatory("O. Officer", ("security-officer",), "security-officer", OFFICER.key_id),
    )
    assert found.signer_names == ("A. Engineer (engineer)", "O. Officer (security-officer)")
    assert found.sha256 == hashlib.sha256(APPROVED).hexdigest()
    assert found.envelope == APPROVED
    assert found.not_counted == ()


def test_in_any_order() -> None:
    assert verify(sealed_baseline(OFFICER, ENGINEER), BASELINE, POLICY, NOW).value == baseline()


def test_a_report() -> None:
    assert verify(sealed_report("ab" * 32), REPORT, POLICY, NOW).value == report("ab" * 32)


def test_nobody_signed() -> None:
    assert refused(sealed_baseline()) == (
        "the baseline needs one more engineer and one more security-officer; nobody the policy knows has signed it"
    )


def test_one_signature_removed() -> None:
    first, second = signatures(APPROVED)
    assert refused(with_signatures(APPROVED, first)) == (
        "the baseline needs one more security-officer; signed by A. Engineer (engineer)"
    )
    assert "needs one more engineer; signed by O. Officer" in refused(with_signatures(APPROVED, second))


def test_one_signature_twice() -> None:
    first, _ = signatures(APPROVED)
    assert refused(with_signatures(APPROVED, first, first)) == (
        "the baseline needs one more security-officer; signed by A. Engineer (engineer); "
        "signature 2: A. Engineer has signed already"
    )


def test_one_key_under_two_ids() -> None:
    two = with_signatures(APPROVED, signature(ENGINEER, PAE), signature(ENGINEER, PAE, "officer"))
    assert "signature 2 is by A. Engineer and names another key" in refused(two)
    nameless = with_signatures(APPROVED, signature(ENGINEER, PAE), signature(ENGINEER, PAE, ""))
    assert "A. Engineer has signed already" in refused(nameless)


def test_one_signature_claimed_for_another_person() -> None:
    first, _ = signatures(APPROVED)
    assert "signature 2 is by A. Engineer and names another key" in refused(
        with_signatures(APPROVED, first, {**first, "keyid": OFFICER.key_id})
    )


def test_two_keys_of_one_person_are_one_person() -> None:
    keys = tuple(replace(key, owner="A. Engineer") if key.owner == "B. Engineer" else key for key in POLICY.keys)
    policy = replace(
        POLICY,
        keys=keys,
        roles=(Role("engineer", ("A. Engineer", "O. Officer")), *POLICY.roles[1:]),
        quorums=(Quorum("baseline", (Seat("engineer", 2),)),),
    )
    why = refused(sealed_baseline(ENGINEER, SECOND_ENGINEER), policy)
    assert why.startswith("the baseline needs one more engineer; signed by A. Engineer")
    assert "signature 2: A. Engineer has signed already" in why
    assert verify(APPROVED, BASELINE, policy, NOW)


def test_one_person_in_two_roles_fills_one_seat() -> None:
    both = ("A. Engineer", "O. Officer")
    policy = replace(POLICY, roles=(Role("engineer", both), Role("security-officer", both), POLICY.roles[2]))
    assert "needs one more security-officer; signed by A. Engineer" in refused(sealed_baseline(ENGINEER), policy)
    assert verify(APPROVED, BASELINE, policy, NOW)


def test_the_wrong_role() -> None:
    why = refused(sealed_baseline(ENGINEER, COLLECTOR))
    assert why == "the baseline needs one more security-officer; signed by A. Engineer (engineer), collector-1 (collector)"
    why = refused(sealed_baseline(ENGINEER, SECOND_ENGINEER))
    assert "needs one more security-officer; signed by A. Engineer (engineer), B. Engineer (engineer)" in why


def test_an_engineer_does_not_sign_reports() -> None:
    with pytest.raises(TrustError, match="the report needs one more collector; signed by"):
        verify(sealed_report(by=ENGINEER), REPORT, POLICY, NOW)


def test_a_stranger() -> None:
    why = refused(sealed_baseline(ENGINEER, STRANGER))
    assert "signature 2: it is by nobody the policy knows" in why


def test_a_key_in_the_message_is_no_key() -> None:
    named = with_signatures(APPROVED, {**signature(STRANGER, PAE), "keyid": STRANGER.public.pem.splitlines()[1]})
    assert "nobody the policy knows" in refused(named)


def test_a_strangers_signature_beside_a_quorum_is_listed_and_does_no_harm() -> None:
    found = verify(add_signature(APPROVED, STRANGER), BASELINE, POLICY, NOW)
    assert [str(each) for each in found.not_counted] == ["signature 3: it is by nobody the policy knows"]
    assert found.not_counted[0].key_id == STRANGER.key_id
    assert len(found.signers) == 2


def test_junk_beside_a_quorum_is_listed_and_does_no_harm() -> None:
    junk = with_signatures(APPROVED, {"keyid": "", "sig": "AAAA"}, *signatures(APPROVED))
    assert verify(junk, BASELINE, POLICY, NOW).not_counted[0].position == 1


def test_a_signature_more_than_needed_is_shown() -> None:
    found = verify(sealed_baseline(ENGINEER, OFFICER, COLLECTOR), BASELINE, POLICY, NOW)
    assert found.signers[2] == Signatory("collector-1", ("collector",), "", COLLECTOR.key_id)
    assert found.signer_names[2] == "collector-1 (collector)"


def test_a_trusted_person_without_a_role() -> None:
    policy = replace(POLICY, roles=(Role("engineer", ("B. Engineer",)), *POLICY.roles[1:]))
    assert "signed by A. Engineer (no role), O. Officer" in refused(APPROVED, policy)


def test_key_ids_are_not_needed() -> None:
    nameless = with_signatures(APPROVED, *({"sig": each["sig"]} for each in signatures(APPROVED)))
    assert verify(nameless, BASELINE, POLICY, NOW).signers == verify(APPROVED, BASELINE, POLICY, NOW).signers


def test_a_signature_of_another_payload() -> None:
    other = signatures(sealed_baseline(ENGINEER, OFFICER, value=replace(baseline(), reason="another")))
    assert "signature 1 names A. Engineer and does not fit what was signed" in refused(with_signatures(APPROVED, *other))


def test_a_signature_of_another_payload_type() -> None:
    over_text = pae(opened(APPROVED).payload, "text/plain")
    other = with_signatures(APPROVED, signature(ENGINEER, over_text), signature(OFFICER, over_text))
    assert "does not fit what was signed" in refused(other)


def test_a_signature_over_the_bare_payload() -> None:
    payload = opened(APPROVED).payload
    bare = with_signatures(APPROVED, signature(ENGINEER, payload), signature(OFFICER, payload))
    assert "does not fit what was signed" in refused(bare)


def test_a_signed_report_is_no_baseline() -> None:
    swapped = seal(written(REPORT, report()), PAYLOAD_TYPE, (ENGINEER, OFFICER))
    assert refused(swapped).startswith("this is a report, not a baseline")


def test_a_signed_statement_of_the_next_version() -> None:
    payload = written(BASELINE, baseline()).replace(b"urn:crane-verify:baseline:v1", b"urn:crane-verify:baseline:v2")
    assert "unknown type" in refused(seal(payload, PAYLOAD_TYPE, (ENGINEER, OFFICER)))


def test_a_signed_statement_that_contradicts_itself() -> None:
    payload = written(BASELINE, baseline()).replace(b'"mode":420', b'"mode":2541')
    assert payload != written(BASELINE, baseline())
    assert "subjects" in refused(seal(payload, PAYLOAD_TYPE, (ENGINEER, OFFICER)))


def test_content_is_not_parsed_before_its_signatures_hold() -> None:
    assert "needs one more" in refused(seal(b"{", PAYLOAD_TYPE, (ENGINEER,)))
    assert "not a statement" in refused(seal(b"{", PAYLOAD_TYPE, (ENGINEER, OFFICER)))


def test_a_policy_without_a_quorum_for_this_kind_refuses_everything() -> None:
    policy = replace(POLICY, quorums=POLICY.quorums[1:])
    assert refused(APPROVED, policy) == "the policy does not say who may sign a baseline"
    with pytest.raises(TrustError, match="does not say who may sign"):
        signed_by(APPROVED, BASELINE, policy, NOW)


def test_a_key_out_of_its_time_does_not_count() -> None:
    ended = replace(POLICY, keys=(POLICY.keys[0], replace(POLICY.keys[1], not_after=NOW - timedelta(days=1)), *POLICY.keys[2:]))
    assert "signature 2: the key of O. Officer was valid until 2026-11-21 06:00 UTC" in refused(APPROVED, ended)
    assert verify(APPROVED, BASELINE, ended, NOW - timedelta(days=2))


def test_a_stolen_key_does_not_count() -> None:
    stolen = replace(POLICY, keys=(replace(POLICY.keys[0], compromised_since=NOW), *POLICY.keys[1:]))
    assert "the key of A. Engineer counts as stolen since 2026-11-22 06:00 UTC" in refused(APPROVED, stolen)
    before = NOW - timedelta(seconds=1)
    with pytest.raises(TrustError, match="counts as stolen"):
        verify(APPROVED, BASELINE, stolen, before)
    assert verify(APPROVED, BASELINE, stolen, before, known_by=before)


def test_a_new_key_of_a_person_whose_old_one_was_stolen_counts() -> None:
    policy = replace(
        POLICY,
        keys=(
            replace(POLICY.keys[0], compromised_since=NOW),
            *POLICY.keys[1:3],
            replace(POLICY.keys[3], owner="A. Engineer"),
        ),
        roles=(Role("engineer", ("A. Engineer",)), *POLICY.roles[1:]),
    )
    found = verify(sealed_baseline(ENGINEER, SECOND_ENGINEER, OFFICER), BASELINE, policy, NOW)
    assert found.signers[0].key_id == SECOND_ENGINEER.key_id
    assert "stolen" in found.not_counted[0].why


def test_on_its_way_from_desk_to_desk() -> None:
    nothing = signed_by(sealed_baseline(), BASELINE, POLICY, NOW)
    assert (nothing.signers, nothing.missing) == ((), ("engineer", "security-officer"))
    one = signed_by(sealed_baseline(ENGINEER, STRANGER), BASELINE, POLICY, NOW)
    assert [str(each) for each in one.signers] == ["A. Engineer (engineer)"]
    assert one.missing == ("security-officer",)
    assert [each.position for each in one.not_counted] == [2]
    assert signed_by(APPROVED, BASELINE, POLICY, NOW).missing == ()


def test_what_a_proposal_claims_can_be_shown() -> None:
    assert claimed(sealed_baseline(), BASELINE) == baseline()
    with pytest.raises(TrustError):
        claimed(sealed_report(), BASELINE)
