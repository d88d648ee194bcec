"""Public keys: three algorithms, one writing per key, signatures in their one form, and everything else refused."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.signers import EACH, P256, PQ, openssl_says
from tests.trust_fixtures import ENGINEER, OFFICER
from verifier.errors import TrustError
from verifier.trust.keys import Algorithm, PublicKey, known, public_key, read_public_key
from verifier.trust.signers.file import FileSigner

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""n of P-256 (FIPS 186-5, SP 800-186)."""
FIELD = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
DATA = b"DSSEv1 4 type 7 content"

each = pytest.mark.parametrize("by", EACH, ids=[by.public.algorithm for by in EACH])


@each
def test_only_its_own_public_half_agrees(by: FileSigner) -> None:
    signature = by.sign(DATA)
    assert by.public.holds(signature, DATA)
    assert not by.public.holds(signature, DATA + b" ")
    assert not by.public.holds(signature[:-1], DATA)
    assert not by.public.holds(signature + b"\0", DATA)
    assert not by.public.holds(b"", DATA)
    assert [other.public.holds(signature, DATA) for other in EACH] == [other is by for other in EACH]
    assert not ENGINEER.public.holds(signature, DATA)


SIGNED = {by.public.algorithm: by.sign(DATA) for by in EACH}


@each
@settings(max_examples=150, deadline=None)
@given(bit=st.integers(0, 3309 * 8 - 1))
def test_a_flipped_bit_is_refused(by: FileSigner, bit: int) -> None:
    signature = bytearray(SIGNED[by.public.algorithm])
    bit %= len(signature) * 8
    signature[bit // 8] ^= 1 << bit % 8
    assert not by.public.holds(bytes(signature), DATA)


@settings(max_examples=150, deadline=None)
@given(start=st.integers(0, 80), length=st.integers(0, 8), new=st.binary(max_size=8))
def test_any_other_change_of_an_ecdsa_signature_is_refused_too(start: int, length: int, new: bytes) -> None:
    good = SIGNED[Algorithm.P256]
    altered = good[:start] + new + good[start + length :]
    assert P256.public.holds(altered, DATA) == (altered == good)


def other_writings(signature: bytes) -> dict[str, bytes]:
    """The same two numbers, as BER or a careless program may write them."""
    r, s = decode_dss_signature(signature)
    body = signature[2:]
    length = signature[3]
    return {
        "long length": bytes((0x30, 0x81, len(body))) + body,
        "no fixed length": b"\x30\x80" + body + b"\0\0",
        "a zero more": bytes((0x30, len(body) + 1, 2, length + 1, 0)) + body[2:],
        "something behind": signature + b"\0",
        "something inside": bytes((0x30, len(body) + 2)) + body + b"\x05\0",
        "PKCS#11": r.to_bytes(32, "big") + s.to_bytes(32, "big"),
        "r beyond n": encode_dss_signature(r + ORDER, s),
        "s beyond n": encode_dss_signature(r, s + ORDER),
        "zero": encode_dss_signature(0, 0),
    }


@pytest.mark.parametrize("what", other_writings(SIGNED[Algorithm.P256]))
def test_an_ecdsa_signature_has_one_writing(what: str) -> None:
    assert not P256.public.holds(other_writings(SIGNED[Algorithm.P256])[what], DATA)


def test_the_other_half_of_an_ecdsa_signature_holds_as_well() -> None:
    """Known, and harmless for us: `keys._ecdsa_holds` says why. This test is here so that it does not change unnoticed."""
    r, s = decode_dss_signature(SIGNED[Algorithm.P256])
    assert P256.public.holds(encode_dss_signature(r, ORDER - s), DATA)
    assert not P256.public.holds(encode_dss_signature(ORDER - r, s), DATA)


@pytest.mark.parametrize("by", [ENGINEER, P256], ids=["ed25519", "p256"])
def test_openssl_agrees(by: FileSigner, tmp_path: Path) -> None:
    assert openssl_says(by.public, by.sign(DATA), DATA, tmp_path)
    assert not openssl_says(by.public, by.sign(DATA), DATA + b"x", tmp_path)


def test_ml_dsa_has_no_context() -> None:
    """FIPS 204, section 5.2: a signature for another context is another signature."""
    assert isinstance(PQ.private, mldsa.MLDSA65PrivateKey)
    assert PQ.public.holds(PQ.private.sign(DATA, b""), DATA)
    assert not PQ.public.holds(PQ.private.sign(DATA, b"tuf"), DATA)


def test_only_ml_dsa_counts_only_beside_another() -> None:
    assert [each for each in Algorithm if each.only_beside_another] == [Algorithm.ML_DSA_65]


def test_a_library_without_ml_dsa_is_not_a_wrong_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        @staticmethod
        def from_public_bytes(data: bytes) -> None:
            raise UnsupportedAlgorithm("ML-DSA")

    signature = PQ.sign(DATA)
    monkeypatch.setattr(mldsa, "MLDSA65PublicKey", Without)
    with pytest.raises(TrustError, match="cannot be checked here") as caught:
        PQ.public.holds(signature, DATA)
    assert "pip install" in caught.value.hint


# One writing


@each
def test_a_key_in_every_form_is_one_key(by: FileSigner) -> None:
    found = by.public
    assert read_public_key(found.published.encode()) == found
    assert read_public_key(found.pem.encode()) == found
    assert read_public_key(b"\n" + found.pem.encode().replace(b"\n", b"\r\n") + b"\n") == found
    assert public_key(found.algorithm, found.raw) == found
    assert known(load_pem_public_key(found.pem.encode())) == found
    assert found.key_id == hashlib.sha256(found.der).hexdigest()
    if found.openssh:
        assert read_public_key(f"{found.openssh} a comment\n".encode()) == found


def test_a_compressed_point_is_the_same_key() -> None:
    public = P256.private.public_key()
    assert isinstance(public, EllipticCurvePublicKey)
    short = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    der = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + short
    pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"
    assert read_public_key(pem) == P256.public
    with pytest.raises(TrustError):
        PublicKey(Algorithm.P256, base64.b64encode(der).decode())


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_ssh_keygen_prints_our_line_and_our_fingerprint(kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "a comment", "-f", path], check=True)
    line = (tmp_path / "key.pub").read_text()
    found = read_public_key(line.encode())
    assert line == f"{found.openssh} a comment\n"
    listed = subprocess.run(["ssh-keygen", "-l", "-f", path + ".pub"], check=True, capture_output=True, text=True).stdout
    assert listed.split()[1] == found.fingerprint


@pytest.mark.parametrize("how", [["ed25519"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]], ids=["ed25519", "p256"])
def test_we_read_the_keys_of_openssl_and_agree_on_the_key_id(how: list[str]) -> None:
    key = subprocess.run(["openssl", "genpkey", "-algorithm", *how], check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=key, check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "der"], input=key, check=True, capture_output=True).stdout
    found = read_public_key(public)
    assert found.pem == public.decode()
    assert found.key_id == hashlib.sha256(der).hexdigest()


def test_key_ids_and_fingerprints_tell_keys_apart() -> None:
    keys = [by.public for by in (*EACH, ENGINEER, OFFICER)]
    assert len({key.key_id for key in keys}) == len({key.fingerprint for key in keys}) == len(keys)
    assert PQ.public.openssh == ""
    assert PQ.public.fingerprint == "SHA256:" + base64.b64encode(bytes.fromhex(PQ.public.key_id)).decode().rstrip("=")


def altered_spkis(key: PublicKey) -> list[str]:
    good, der = key.spki, key.der
    return [
        "",
        "é",
        good[:-1],
        good + "=",
        good + "\n",
        "A" + good,
        base64.b64encode(der + b"\0").decode(),
        base64.b64encode(der[:-1]).decode(),
        base64.b64encode(bytes([0x31]) + der[1:]).decode(),
    ]


@each
@pytest.mark.parametrize("which", range(9))
def test_a_key_has_one_writing(by: FileSigner, which: int) -> None:
    with pytest.raises(TrustError):
        PublicKey(by.public.algorithm, altered_spkis(by.public)[which])


def test_left_over_bits_are_no_second_writing() -> None:
    good = ENGINEER.public.spki
    assert good.endswith("=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = good[:-2] + letters[letters.index(good[-2]) ^ 1] + "="
    assert base64.b64decode(twin) == base64.b64decode(good)
    with pytest.raises(TrustError):
        PublicKey(Algorithm.ED25519, twin)


SMALL = (5, 0x459243B9AA581806FE913BCE99817ADE11CA503C64D9A3C533415C083248FBCC)
"""A point whose x is so small that it has a second writing in 32 bytes, beyond the field."""


def points() -> dict[str, bytes]:
    good = P256.public.raw
    return {
        "beside the curve": good[:-1] + bytes([good[-1] ^ 1]),
        "hybrid": bytes([6 + good[-1] % 2]) + good[1:],
        "zero": b"\4" + bytes(64),
        "x beyond the field": b"\4" + (SMALL[0] + FIELD).to_bytes(32, "big") + SMALL[1].to_bytes(32, "big"),
        "no 4": b"\0" + good[1:],
    }


@pytest.mark.parametrize("what", points())
def test_a_p256_key_is_a_point_on_the_curve(what: str) -> None:
    with pytest.raises(TrustError, match="not a key for ecdsa-sha2-nistp256"):
        public_key(Algorithm.P256, points()[what])


def test_the_small_point_is_on_the_curve() -> None:
    x, y = (number.to_bytes(32, "big") for number in SMALL)
    assert public_key(Algorithm.P256, b"\4" + x + y).raw == b"\4" + x + y


def test_a_key_of_one_algorithm_is_no_key_of_another() -> None:
    for algorithm in Algorithm:
        for by in EACH:
            if by.public.algorithm is not algorithm:
                with pytest.raises(TrustError, match=f"not a key for {algorithm}"):
                    PublicKey(algorithm, by.public.spki)


# What is no key of ours


def sk_line() -> bytes:
    wire = [b"sk-ssh-ed25519@openssh.com", ENGINEER.public.raw, b"ssh:"]
    return b"sk-ssh-ed25519@openssh.com " + base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in wire))


@dataclass(frozen=True)
class Wrong:
    data: bytes
    words: str
    hint: str = "ssh-keygen -t ed25519"


def spki(public: Any) -> bytes:
    data = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert isinstance(data, bytes)
    return data


RSA = rsa.generate_private_key(65537, 2048).public_key()
P384 = ec.generate_private_key(ec.SECP384R1()).public_key()
WRONG = {
    "nothing": Wrong(b"", "not the public half of a key", ".pub"),
    "noise": Wrong(b"\xff\xfe", "not the public half of a key", ".pub"),
    "FIDO": Wrong(sk_line(), "this is a FIDO key, which signs more than it is given"),
    "RSA line": Wrong(
        RSA.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH), "of the kind ssh-rsa; those that count are Ed25519"
    ),
    "RSA": Wrong(spki(RSA), "of the kind RSA; those that count are Ed25519"),
    "P-384 line": Wrong(P384.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH), "of the kind ecdsa-sha2-nistp384"),
    "P-384": Wrong(spki(P384), "on the curve secp384r1"),
    "another curve": Wrong(spki(ec.generate_private_key(ec.SECP256K1()).public_key()), "on the curve secp256k1"),
    "Ed448": Wrong(spki(ed448.Ed448PrivateKey.generate().public_key()), "of the kind Ed448"),
    "ML-DSA-44": Wrong(spki(mldsa.MLDSA44PrivateKey.generate().public_key()), "of the kind MLDSA44"),
    "certificate": Wrong(b"ssh-ed25519-cert-v01@openssh.com AAAA", "an SSH certificate, not a key", "without -cert"),
    "private": Wrong(b"-----BEGIN OPENSSH PRIVATE KEY-----\n", "a private key, which never leaves its owner", ".pub at the end"),
    "cut": Wrong(b"ssh-ed25519 AAAA", "cannot be read", "copy the whole file again"),
    "junk": Wrong(b"ssh-ed25519 !!!!", "cannot be read", "copy the whole file again"),
    "another name": Wrong(P256.public.openssh.replace("ecdsa-sha2-nistp256", "ssh-ed25519").encode(), "cannot be read", "copy"),
    "no DER": Wrong(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read", "copy"),
    "escape sequence": Wrong(b"ssh-\x1b[2J AAAA", "not the public half of a key", ".pub"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_public_key_is_refused_in_words(wrong: Wrong) -> None:
    with pytest.raises(TrustError, match=wrong.words) as caught:
        read_public_key(wrong.data)
    assert wrong.hint in caught.value.hint
    assert str(caught.value).isprintable()


def test_p256_points_of_the_library_are_ours() -> None:
    private = ec.generate_private_key(SECP256R1())
    assert FileSigner(private).public.raw == private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
