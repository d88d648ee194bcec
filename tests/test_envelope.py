"""DSSE envelopes: one form, the published examples, other people's programs, and no bit that can be changed unseen."""

from __future__ import annotations

import base64
import copy
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # public, but not in its __all__

from tests.trust_fixtures import (
    COLLECTOR,
    ENGINEER,
    NOW,
    OFFICER,
    POLICY,
    STRANGER,
    baseline,
    sealed_baseline,
    sealed_report,
    signer,
)
from verifier.errors import TrustError
from verifier.trust import envelope as envelopes
from verifier.trust.envelope import PAYLOAD_TYPE, Signature, add_signature, opened, pae, seal
from verifier.trust.signers.file import FileSigner
from verifier.trust.statement import BASELINE, REPORT
from verifier.trust.verify import verify

PAYLOAD = b'{"is this":"a payload?~"}'


def outer(envelope: bytes) -> dict[str, object]:
    found = json.loads(envelope)
    assert isinstance(found, dict)
    return found


def compact(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def test_pae_of_the_published_example() -> None:
    assert pae(b"hello world", "http://example.com/HelloWorld") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("ü".encode(), "") == b"DSSEv1 0  2 \xc3\xbc"


@settings(deadline=None)
@given(payload=st.binary(max_size=200), numbers=st.lists(st.integers(1, 40), unique=True, max_size=4))
def test_what_is_sealed_is_opened(payload: bytes, numbers: list[int]) -> None:
    signers = [signer(number) for number in numbers]
    found = opened(seal(payload, PAYLOAD_TYPE, signers))
    assert found.payload == payload
    assert [each.key_id for each in found.signatures] == [by.key_id for by in signers]
    for by, made in zip(signers, found.signatures, strict=True):
        assert by.public.holds(made.sig, pae(payload, PAYLOAD_TYPE))


def test_signing_in_turn_is_signing_at_once_and_leaves_the_payload_alone() -> None:
    first = seal(PAYLOAD, PAYLOAD_TYPE, (ENGINEER,))
    both = add_signature(first, OFFICER)
    assert both == seal(PAYLOAD, PAYLOAD_TYPE, (ENGINEER, OFFICER))
    assert both.startswith(first.removesuffix(b"]}"))
    assert outer(both)["payload"] == outer(first)["payload"]


def test_an_envelope_in_the_other_alphabet_keeps_it_when_signed_again() -> None:
    payload = b"\xfb\xff\xfe" * 7
    standard = seal(payload, PAYLOAD_TYPE, (ENGINEER,))
    other = outer(standard)
    other["payload"] = base64.urlsafe_b64encode(payload).decode()
    other["signatures"] = [{"sig": base64.urlsafe_b64encode(each.sig).decode()} for each in opened(standard).signatures]
    assert other["payload"] != outer(standard)["payload"]
    found = opened(compact(other))
    assert found.payload == payload
    assert found.signatures == (Signature("", opened(standard).signatures[0].sig),)
    twice = opened(add_signature(compact(other), OFFICER))
    assert twice.payload == payload
    assert outer(add_signature(compact(other), OFFICER))["payload"] == other["payload"]


def test_one_key_signs_once() -> None:
    first = seal(PAYLOAD, PAYLOAD_TYPE, (ENGINEER,))
    with pytest.raises(TrustError, match="has signed this already"):
        add_signature(first, ENGINEER)
    with pytest.raises(TrustError, match="has signed this already"):
        seal(PAYLOAD, PAYLOAD_TYPE, (ENGINEER, ENGINEER))
    nameless = outer(first)
    nameless["signatures"] = [{"sig": base64.b64encode(opened(first).signatures[0].sig).decode()}]
    with pytest.raises(TrustError, match="has signed this already"):
        add_signature(compact(nameless), ENGINEER)


def test_only_statements_are_sealed() -> None:
    with pytest.raises(TrustError, match="holds text/plain, not"):
        seal(PAYLOAD, "text/plain", (ENGINEER,))


def changed(**fields: object) -> bytes:
    return compact({**outer(seal(PAYLOAD, PAYLOAD_TYPE, (ENGINEER,))), **fields})


GOOD = seal(PAYLOAD, PAYLOAD_TYPE, (ENGINEER, OFFICER))
SIG = base64.b64encode(bytes(64)).decode()
REFUSED = {
    "nothing": b"",
    "not JSON": b"{",
    "not an object": b"[]",
    "not UTF-8": GOOD.replace(b"payloadType", b"payload\xff"),
    "deep": b"[" * 100_000,
    "a field more": changed(certificate="MIIB"),
    "a field less": compact({"payload": "", "signatures": []}),
    "another order": compact(dict(reversed(outer(GOOD).items()))),
    "a key twice": GOOD.replace(b'{"payload":', b'{"payload":"","payload":', 1),
    "spaces": json.dumps(outer(GOOD)).encode(),
    "a line end": GOOD + b"\n",
    "an escape": GOOD.replace(b"payloadType", b"payload\\u0054ype"),
    "half a surrogate pair": changed(signatures=[{"keyid": "x", "sig": SIG}]).replace(b'"x"', b'"\\ud800"'),
    "a float": changed(signatures=[1.5]),
    "a huge integer": GOOD.replace(b"[{", b"[" + b"9" * 5000 + b",{", 1),
    "another type": changed(payloadType="application/json"),
    "a type that is no text": changed(payloadType=[PAYLOAD_TYPE]),
    "no payload": changed(payload=None),
    "junk in base64": changed(payload="aGV\tsbG8="),
    "no padding": changed(payload="aGVsbG8"),
    "left-over bits": changed(payload="aGVsbG9="),
    "two alphabets": changed(payload="-_+/"),
    "letters that are none": changed(payload="é"),
    "signatures that are no list": changed(signatures={}),
    "too many signatures": changed(signatures=[{"sig": SIG}] * 33),
    "a signature that is no object": changed(signatures=["x"]),
    "a signature without sig": changed(signatures=[{"keyid": "x"}]),
    "a signature with a certificate": changed(signatures=[{"sig": SIG, "cert": "x"}]),
    "an empty signature": changed(signatures=[{"sig": ""}]),
    "an endless signature": changed(signatures=[{"sig": base64.b64encode(bytes(8193)).decode()}]),
    "a key id that is no text": changed(signatures=[{"keyid": 7, "sig": SIG}]),
    "a long key id": changed(signatures=[{"keyid": "x" * 257, "sig": SIG}]),
    "a key id with an escape sequence": changed(signatures=[{"keyid": "\x1b[2J", "sig": SIG}]),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_refused(data: bytes) -> None:
    with pytest.raises(TrustError) as caught:
        opened(data)
    assert str(caught.value).isprintable()
    assert caught.value.hint


def test_left_over_bits_really_are_a_second_writing_of_the_same_bytes() -> None:
    assert base64.b64decode("aGVsbG9=") == base64.b64decode("aGVsbG8=")


def test_an_envelope_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelopes, "LARGEST", len(GOOD))
    assert opened(GOOD)
    monkeypatch.setattr(envelopes, "LARGEST", len(GOOD) - 1)
    with pytest.raises(TrustError, match="larger than"):
        opened(GOOD)


def test_a_strangers_payload_type_cannot_reach_the_terminal() -> None:
    with pytest.raises(TrustError, match=r"holds \?\[2Jx{76}, not"):
        opened(changed(payloadType="\x1b[2J" + "x" * 500))


APPROVED = sealed_baseline(ENGINEER, OFFICER)


def test_every_single_bit_of_an_approved_baseline() -> None:
    """All of them outside the payload, and every 97th bit inside it; the property below looks at the rest."""
    assert verify(APPROVED, BASELINE, POLICY, NOW).value == baseline()
    start = APPROVED.index(b'"payloadType"')
    bits = [*range(0, start * 8, 97), *range(start * 8, len(APPROVED) * 8)]
    for bit in bits:
        data = bytearray(APPROVED)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TrustError):
            verify(bytes(data), BASELINE, POLICY, NOW)


@settings(max_examples=300, deadline=None)
@given(bit=st.integers(0, len(APPROVED) * 8 - 1))
def test_any_flipped_bit_of_an_approved_baseline_is_refused(bit: int) -> None:
    data = bytearray(APPROVED)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(TrustError):
        verify(bytes(data), BASELINE, POLICY, NOW)


@settings(max_examples=200, deadline=None)
@given(start=st.integers(0, len(APPROVED)), length=st.integers(0, 40), new=st.binary(max_size=40))
def test_any_other_change_is_refused_too(start: int, length: int, new: bytes) -> None:
    data = APPROVED[:start] + new + APPROVED[start + length :]
    if data == APPROVED:
        assert verify(data, BASELINE, POLICY, NOW)
        return
    with pytest.raises(TrustError):
        verify(data, BASELINE, POLICY, NOW)


def openssl_verifies(envelope: bytes, by: FileSigner, folder: Path, position: int) -> bool:
    """As the README tells an auditor to do it: with jq, base64 and openssl."""
    (folder / "envelope.json").write_bytes(envelope)
    (folder / "key.pem").write_text(by.public.pem)
    script = f"""
    set -euo pipefail
    jq -rj .payload envelope.json | base64 -d > payload
    jq -rj '.signatures[{position}].sig' envelope.json | base64 -d > sig
    type=$(jq -rj .payloadType envelope.json)
    printf 'DSSEv1 %d %s %d ' "${{#type}}" "$type" "$(wc -c < payload)" | cat - payload > signed
    openssl pkeyutl -verify -rawin -pubin -inkey key.pem -in signed -sigfile sig
    """
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 or "Verification Failure" in done.stdout + done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("jq")), reason="openssl and jq are not installed")
def test_openssl_and_jq_agree(tmp_path: Path) -> None:
    assert openssl_verifies(APPROVED, ENGINEER, tmp_path, 0)
    assert openssl_verifies(APPROVED, OFFICER, tmp_path, 1)
    assert not openssl_verifies(APPROVED, OFFICER, tmp_path, 0)
    assert not openssl_verifies(APPROVED, STRANGER, tmp_path, 0)
    payload = outer(APPROVED)["payload"]
    assert isinstance(payload, str)
    assert not openssl_verifies(changed(payload="A" + payload[1:]), ENGINEER, tmp_path, 0)
    assert openssl_verifies(sealed_report(), COLLECTOR, tmp_path, 0)
    assert verify(sealed_report(), REPORT, POLICY, NOW)


def test_the_library_of_the_dsse_authors_agrees() -> None:
    theirs = TheirEnvelope.from_dict(copy.deepcopy(outer(APPROVED)))
    assert theirs.pae() == opened(APPROVED).signed_bytes
    keys = [SSlibKey(each.key_id, "ed25519", "ed25519", {"public": each.public.raw.hex()}) for each in (ENGINEER, OFFICER)]
    assert set(theirs.verify(list(keys), 2)) == {ENGINEER.key_id, OFFICER.key_id}
