"""Notes, checkpoints, cosignatures, proofs: one form each, and no bit that may be changed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trust_fixtures import COLLECTOR, ENGINEER, NOW, OFFICER, STRANGER, baseline, sealed_baseline, sealed_report
from verifier.errors import TrustError
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.keys import Algorithm, PublicKey
from verifier.trust.log.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint, verified_checkpoint
from verifier.trust.log.cosignature import Cosigned, Witness, cosign, cosignatures
from verifier.trust.log.leaf import leaf
from verifier.trust.log.merkle import EMPTY_ROOT, inclusion_proof, leaf_hash, root, whole
from verifier.trust.log.note import (
    ED25519,
    LARGEST,
    Note,
    NoteSignature,
    holds,
    key_id,
    read_note,
    signed,
    strict_number,
    verifier_key,
)
from verifier.trust.log.proof import LARGEST as LARGEST_PROOF
from verifier.trust.log.proof import Proof, proven, read_proof

# the example of Go's golang.org/x/mod/sumdb/note
NEUMANN_KEY = PublicKey(
    Algorithm.ED25519,
    base64.b64encode(
        Algorithm.ED25519.spki_prefix + base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
    ).decode(),
)
NEUMANN = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
# the example of tlog-cosignature
BEHIND_THE_SOFA = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"  # noqa: E501
).encode()

ORIGIN = "crane-verify/log/00112233445566778899aabbccddeeff"
ENTRIES = [b"entry %d\n" % number for number in range(100)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
WITNESSES = (Witness("class.example/w1", ENGINEER.public), Witness("insurer.example/w2", OFFICER.public))


def read(level: int, index: int) -> bytes:
    return whole(LEAVES[index << level : (index + 1) << level])


CHECKPOINT = Checkpoint(ORIGIN, 100, root(100, read))
SIGNED = sign_checkpoint(CHECKPOINT, COLLECTOR)
NOTE = read_note(SIGNED)
COSIGNED = Note(NOTE.text, (*NOTE.signatures, cosign(NOTE, WITNESSES[0].name, ENGINEER, NOW))).written()
PROOF = Proof(21, inclusion_proof(21, 100, read), COSIGNED)


def note(text: str) -> bytes:
    return text.encode()


def test_the_well_known_note() -> None:
    found = read_note(NEUMANN)
    assert holds(found, "PeterNeumann", [NEUMANN_KEY])
    assert verifier_key("PeterNeumann", NEUMANN_KEY) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert not holds(found, "PeterNeumann", [COLLECTOR.public])
    assert not holds(found, "Neumann", [NEUMANN_KEY])
    assert found.written() == NEUMANN


def test_the_well_known_checkpoint() -> None:
    found = read_note(BEHIND_THE_SOFA)
    checkpoint = read_checkpoint(found)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text == found.text
    assert found.written() == BEHIND_THE_SOFA
    assert [each.name for each in found.signatures] == ["example.com/behind-the-sofa", "witness.example.com/w1"]
    assert int.from_bytes(found.signatures[1].sig[:8], "big") == 1679315147
    assert cosignatures(found, WITNESSES) == ()


MALFORMED_NOTES = {
    "no signature": b"a\n\n",
    "no blank line": "a\n— x AAAAAAA=\n".encode(),
    "no line break at the end": NEUMANN[:-1],
    "a hyphen for the dash": NEUMANN.replace("—".encode(), b"-"),
    "a control character": b"\t" + NEUMANN,
    "a carriage return": NEUMANN.replace(b"\n", b"\r\n"),
    "not UTF-8": b"\xff" + NEUMANN,
    "a name with plus": note("a\n\n— x+y AAAAAAA=\n"),
    "a name with a wide space": note("a\n\n— x\u3000y AAAAAAA=\n"),
    "no name": note("a\n\n—  AAAAAAA=\n"),
    "four bytes": note("a\n\n— x AAAAAA==\n"),
    "not base64": note("a\n\n— x AAAA!AA=\n"),
    "bits left over": note("a\n\n— x AAAAAAB=\n"),
    "nothing to decode": note("a\n\n— x\n"),
    "too many": note("a\n\n" + "— x AAAAAAA=\n" * 101),
    "too large": b"a" * LARGEST + NEUMANN,
    "empty": b"",
}


@pytest.mark.parametrize("data", MALFORMED_NOTES.values(), ids=MALFORMED_NOTES.keys())
def test_what_is_not_a_note_in_its_one_form_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError):
        read_note(data)


def test_sixteen_signatures_are_not_too_many() -> None:
    assert len(read_note(note("a\n\n" + "— x AAAAAAA=\n" * 16)).signatures) == 16


def test_a_text_that_cannot_stand_in_a_note_is_not_signed() -> None:
    for text, name in (("a", "x"), ("a\n", "x y"), ("a\r\n", "x")):
        with pytest.raises(TrustError):
            signed(text, name, COLLECTOR)
    assert holds(signed("a\n\nb\n", "x", COLLECTOR), "x", [COLLECTOR.public])


def test_a_known_key_that_does_not_hold_refuses_the_note_even_beside_one_that_does() -> None:
    one, two = signed("a\n", "x", COLLECTOR), signed("b\n", "x", ENGINEER)
    both = Note("a\n", (*one.signatures, *two.signatures))
    assert holds(both, "x", [COLLECTOR.public])
    with pytest.raises(TrustError, match="does not fit"):
        holds(both, "x", [COLLECTOR.public, ENGINEER.public])


def test_two_keys_of_one_number_are_both_tried() -> None:
    """Four bytes are no protection; a key whose number is another's must not get in its way."""
    line = NoteSignature("x", key_id("x", ED25519, COLLECTOR.public), COLLECTOR.sign(b"a\n"))
    assert holds(Note("a\n", (line,)), "x", [COLLECTOR.public, COLLECTOR.public])


def test_a_checkpoint_is_signed_and_verified() -> None:
    keys = [ENGINEER.public, COLLECTOR.public]
    assert verified_checkpoint(SIGNED, keys, ORIGIN) == CHECKPOINT
    assert verified_checkpoint(COSIGNED, keys) == CHECKPOINT
    with pytest.raises(TrustError, match="no key that may sign"):
        verified_checkpoint(SIGNED, [STRANGER.public], ORIGIN)
    with pytest.raises(TrustError, match="no key that may sign"):
        verified_checkpoint(SIGNED, [], ORIGIN)
    with pytest.raises(TrustError, match="is of the log"):
        verified_checkpoint(SIGNED, keys, "another")
    with pytest.raises(TrustError, match="is not base64"):
        sign_checkpoint(Checkpoint("two words", 0, EMPTY_ROOT), COLLECTOR)


ROOT_TEXT = base64.b64encode(CHECKPOINT.root).decode()
MALFORMED_CHECKPOINTS = {
    "two lines": f"{ORIGIN}\n100\n",
    "an empty origin": f"\n100\n{ROOT_TEXT}\n",
    "an empty extension": f"{ORIGIN}\n100\n{ROOT_TEXT}\n\nx\n",
    "a leading zero": f"{ORIGIN}\n0100\n{ROOT_TEXT}\n",
    "a sign": f"{ORIGIN}\n+100\n{ROOT_TEXT}\n",
    "other digits": f"{ORIGIN}\n١٠٠\n{ROOT_TEXT}\n",
    "a size beyond all": f"{ORIGIN}\n{2**63}\n{ROOT_TEXT}\n",
    "a size of many digits": f"{ORIGIN}\n{'9' * 5000}\n{ROOT_TEXT}\n",
    "a short root": f"{ORIGIN}\n100\n{base64.b64encode(bytes(31)).decode()}\n",
    "an empty tree with a root": f"{ORIGIN}\n0\n{ROOT_TEXT}\n",
    "a root that is not base64": f"{ORIGIN}\n100\n{ROOT_TEXT[:-2]}!=\n",
}


@pytest.mark.parametrize("text", MALFORMED_CHECKPOINTS.values(), ids=MALFORMED_CHECKPOINTS.keys())
def test_what_is_not_a_checkpoint_in_its_one_form_is_refused(text: str) -> None:
    with pytest.raises(TrustError):
        read_checkpoint(signed(text, ORIGIN, COLLECTOR))


def test_an_extension_is_kept_and_signed() -> None:
    extended = Checkpoint(ORIGIN, 100, CHECKPOINT.root, ("time 5",))
    assert verified_checkpoint(sign_checkpoint(extended, COLLECTOR), [COLLECTOR.public]) == extended
    assert strict_number(str(2**63 - 1)) == 2**63 - 1


def test_cosignatures() -> None:
    later = NOW + timedelta(days=1)
    lines = [
        cosign(NOTE, witness.name, key, at) for witness, key, at in zip(WITNESSES, (ENGINEER, OFFICER), (NOW, later), strict=True)
    ]
    found = read_note(Note(NOTE.text, (*NOTE.signatures, *lines)).written())
    assert cosignatures(found, WITNESSES) == (Cosigned(WITNESSES[0], NOW), Cosigned(WITNESSES[1], later))
    assert cosignatures(found, WITNESSES[1:]) == (Cosigned(WITNESSES[1], later),)
    assert cosignatures(found, (Witness("another.example", ENGINEER.public),)) == ()
    assert verified_checkpoint(found.written(), [COLLECTOR.public]) == CHECKPOINT
    # what was cosigned is the text with the time, and no other text
    assert ENGINEER.public.holds(lines[0].sig[8:], f"cosignature/v1\ntime {int(NOW.timestamp())}\n{CHECKPOINT.text}".encode())
    other = Note(Checkpoint(ORIGIN, 99, CHECKPOINT.root).text, tuple(lines))
    with pytest.raises(TrustError, match=r"cosignature of class\.example/w1 does not fit"):
        cosignatures(other, WITNESSES)
    with pytest.raises(TrustError):
        cosign(read_note(NEUMANN), "w", ENGINEER, NOW)


def test_a_cosignature_of_no_time_is_refused() -> None:
    number = key_id(WITNESSES[0].name, 4, ENGINEER.public)
    for sig in (b"", bytes(71), bytes(73), b"\xff" * 8 + bytes(64)):
        found = Note(NOTE.text, (NoteSignature(WITNESSES[0].name, number, sig),))
        with pytest.raises(TrustError, match="does not fit"):
            cosignatures(found, WITNESSES)


def test_a_proof_shows_its_entry_and_no_other() -> None:
    found = read_proof(PROOF.written())
    assert found == PROOF
    assert len(PROOF.written()) < 2048
    assert PROOF.written().startswith(b"c2sp.org/tlog-proof@v1\nindex 21\n")
    assert proven(found, ENTRIES[21], [COLLECTOR.public], ORIGIN) == CHECKPOINT
    with pytest.raises(TrustError, match="is not this one"):
        proven(found, ENTRIES[22], [COLLECTOR.public], ORIGIN)
    with pytest.raises(TrustError, match="no key that may sign"):
        proven(found, ENTRIES[21], [STRANGER.public], ORIGIN)


def test_a_proof_may_carry_what_nobody_signed() -> None:
    extra = Proof(0, (), SIGNED, b"unsigned")
    assert read_proof(extra.written()) == extra
    assert extra.written().startswith(b"c2sp.org/tlog-proof@v1\nextra dW5zaWduZWQ=\nindex 0\n\n")


HEADER = "c2sp.org/tlog-proof@v1\n"
MALFORMED_PROOFS = {
    "empty": b"",
    "no checkpoint": f"{HEADER}index 1\n".encode(),
    "no index": HEADER.encode() + b"\nx",
    "another version": PROOF.written().replace(b"@v1", b"@v2"),
    "a leading zero": PROOF.written().replace(b"index 21", b"index 021"),
    "an index without a number": PROOF.written().replace(b"index 21", b"index"),
    "an empty extra": f"{HEADER}extra \nindex 1\n\nx".encode(),
    "an extra only": f"{HEADER}extra eA==\n\nx".encode(),
    "a short hash": f"{HEADER}index 1\neA==\n\nx".encode(),
    "too many hashes": f"{HEADER}index 1\n".encode() + f"{ROOT_TEXT}\n".encode() * 64 + b"\nx",
    "letters of others": PROOF.written().replace(b"index", "ındex".encode()),
    "too large": PROOF.written() + b"x" * LARGEST_PROOF,
}


@pytest.mark.parametrize("data", MALFORMED_PROOFS.values(), ids=MALFORMED_PROOFS.keys())
def test_what_is_not_a_proof_in_its_one_form_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError):
        read_proof(data)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(st.integers(0, len(SIGNED) * 8 - 1))
@settings(max_examples=400, deadline=None)
def test_a_flipped_bit_in_a_checkpoint_is_refused(bit: int) -> None:
    with pytest.raises(TrustError):
        verified_checkpoint(flipped(SIGNED, bit), [COLLECTOR.public], ORIGIN)


@given(st.integers(0, len(COSIGNED) * 8 - 1))
@settings(max_examples=400, deadline=None)
def test_a_flipped_bit_in_a_cosigned_checkpoint_is_refused_or_loses_a_witness(bit: int) -> None:
    """Nothing else is ever claimed: a witness more, another time, another checkpoint."""
    data = flipped(COSIGNED, bit)
    try:
        assert verified_checkpoint(data, [COLLECTOR.public], ORIGIN) == CHECKPOINT
        assert cosignatures(read_note(data), WITNESSES) == ()
    except TrustError:
        pass


@given(st.integers(0, len(PROOF.written()) * 8 - 1))
@settings(max_examples=400, deadline=None)
def test_a_flipped_bit_in_a_proof_is_refused_or_changes_nothing(bit: int) -> None:
    try:
        found = read_proof(flipped(PROOF.written(), bit))
        assert proven(found, ENTRIES[21], [COLLECTOR.public], ORIGIN) == CHECKPOINT
        assert (found.index, found.hashes) == (PROOF.index, PROOF.hashes)
    except TrustError:
        pass


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_anything_else_is_refused_with_words(data: bytes) -> None:
    for attempt in (read_note, read_proof):
        with pytest.raises(TrustError):
            attempt(data)


def test_the_line_of_an_envelope() -> None:
    envelope = sealed_report()
    line = leaf(envelope)
    kind, size, digest = line.decode().removesuffix("\n").split(" ")
    assert kind == "urn:crane-verify:report:v1"
    assert int(size) == len(envelope)
    assert len(digest) == 64
    assert leaf(sealed_baseline(ENGINEER, OFFICER)).startswith(b"urn:crane-verify:baseline:v1 ")
    assert baseline().serial == 1
    for other in (b"hello", b"", seal(b"[]", PAYLOAD_TYPE, ()), seal(b'{"predicateType":"two words"}', PAYLOAD_TYPE, ())):
        assert leaf(other).startswith(b"unknown ")
    newer = seal(b'{"predicateType":"urn:crane-verify:heartbeat:v1"}', PAYLOAD_TYPE, ())
    assert leaf(newer).startswith(b"urn:crane-verify:heartbeat:v1 ")


def test_times_are_whole_seconds() -> None:
    moment = datetime(2026, 11, 22, 6, 0, 0, 999_999, tzinfo=UTC)
    line = cosign(NOTE, "w", ENGINEER, moment)
    (found,) = cosignatures(Note(NOTE.text, (line,)), (Witness("w", ENGINEER.public),))
    assert found.at == NOW
