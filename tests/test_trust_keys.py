"""Keys: one writing per key, files that ssh-keygen and openssl understand, and everything else refused."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.trust_fixtures import ENGINEER, OFFICER
from verifier.errors import TrustError
from verifier.trust.keys import Algorithm, PublicKey, read_public_key
from verifier.trust.signers.file import load_private_key, new_private_key

WORDS = "six blue cranes at night"


def never_asked() -> str:
    raise AssertionError("the file is not encrypted")


def keygen(*arguments: str) -> str:
    return subprocess.run(["ssh-keygen", *arguments], check=True, capture_output=True, text=True).stdout


def test_a_new_key_signs_and_only_its_own_public_half_agrees() -> None:
    signer = load_private_key(new_private_key(None), never_asked)
    signature = signer.sign(b"content")
    assert signer.public.holds(signature, b"content")
    assert not signer.public.holds(signature, b"Content")
    assert not signer.public.holds(signature[:-1] + bytes([signature[-1] ^ 1]), b"content")
    assert not signer.public.holds(b"", b"content")
    assert not ENGINEER.public.holds(signature, b"content")


def test_two_new_keys_differ() -> None:
    assert new_private_key(None) != new_private_key(None)


@pytest.fixture(scope="module")
def encrypted() -> bytes:
    """Made once: it is slow on purpose."""
    return new_private_key(WORDS)


def test_an_encrypted_key_opens_with_its_passphrase_alone(encrypted: bytes) -> None:
    assert b"BEGIN OPENSSH PRIVATE KEY" in encrypted
    assert load_private_key(encrypted, lambda: WORDS).sign(b"x")
    with pytest.raises(TrustError, match="passphrase does not open"):
        load_private_key(encrypted, lambda: "seven")
    with pytest.raises(TrustError, match="passphrase does not open"):
        load_private_key(encrypted, lambda: "")


def test_an_encrypted_key_is_slow_to_guess(encrypted: bytes) -> None:
    body = base64.b64decode(b"".join(encrypted.splitlines()[1:-1]))
    options = body.index(b"bcrypt") + len(b"bcrypt") + 4
    salt = int.from_bytes(body[options : options + 4], "big")
    rounds = int.from_bytes(body[options + 4 + salt : options + 8 + salt], "big")
    assert rounds == 128
    assert b"aes256-ctr" in body


def test_an_empty_passphrase_is_not_a_passphrase() -> None:
    with pytest.raises(TrustError, match="empty"):
        new_private_key("")


def test_ssh_keygen_reads_our_key_and_prints_our_fingerprint(tmp_path: Path, encrypted: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(encrypted)
    path.chmod(0o600)
    signer = load_private_key(encrypted, lambda: WORDS)
    assert keygen("-y", "-P", WORDS, "-f", str(path)).strip() == signer.public.openssh
    (tmp_path / "key.pub").write_text(signer.public.openssh + " comment\n")
    assert keygen("-l", "-f", str(tmp_path / "key.pub")).split()[1] == signer.public.fingerprint


def test_we_read_the_keys_of_ssh_keygen(tmp_path: Path) -> None:
    keygen("-q", "-t", "ed25519", "-a", "1", "-N", "words", "-f", str(tmp_path / "key"))
    signer = load_private_key((tmp_path / "key").read_bytes(), lambda: "words")
    assert read_public_key((tmp_path / "key.pub").read_bytes()) == signer.public


def test_we_read_the_keys_of_openssl_and_agree_on_the_key_id(tmp_path: Path) -> None:
    key = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=key, check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "der"], input=key, check=True, capture_output=True).stdout
    signer = load_private_key(key, never_asked)
    assert read_public_key(public) == signer.public
    assert signer.public.pem == public.decode()
    assert signer.key_id == signer.public.key_id == hashlib.sha256(der).hexdigest()


def test_a_signer_does_not_show_its_secret() -> None:
    assert "object at" not in repr(ENGINEER)
    assert ENGINEER.private.private_bytes_raw().hex() not in repr(ENGINEER)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"]
)
def test_what_is_no_private_key_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError, match="holds no private key"):
        load_private_key(data, never_asked)


def test_a_private_key_of_another_algorithm_is_refused() -> None:
    key = generate_private_key(SECP256R1())
    with pytest.raises(TrustError, match="not an Ed25519 key"):
        load_private_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), never_asked)


def test_public_keys_of_other_algorithms_are_refused() -> None:
    public = generate_private_key(SECP256R1()).public_key()
    with pytest.raises(TrustError, match="not an Ed25519 key"):
        read_public_key(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(TrustError, match="not the public half of an Ed25519 key"):
        read_public_key(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))


def test_a_fido_key_is_refused_rather_than_taken_for_its_bare_inner_key() -> None:
    wire = [b"sk-ssh-ed25519@openssh.com", ENGINEER.public.raw, b"ssh:"]
    blob = base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in wire))
    with pytest.raises(TrustError, match="not the public half of an Ed25519 key"):
        read_public_key(b"sk-ssh-ed25519@openssh.com " + blob)


@pytest.mark.parametrize(
    "data",
    [b"", b"ssh-ed25519 !!!!", b"ssh-ed25519 AAAA", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"\xff\xfe"],
)
def test_what_is_no_public_key_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError):
        read_public_key(data)


def altered_spkis() -> list[str]:
    good = ENGINEER.public.spki
    return [
        "",
        "é",
        good[:-1],
        good + "=",
        good + "\n",
        "A" + good,
        base64.b64encode(ENGINEER.public.der + b"\0").decode(),
        base64.b64encode(ENGINEER.public.der[:-1]).decode(),
        base64.b64encode(bytes([0x31]) + ENGINEER.public.der[1:]).decode(),
    ]


@pytest.mark.parametrize("spki", altered_spkis())
def test_a_key_has_one_writing(spki: str) -> None:
    with pytest.raises(TrustError):
        PublicKey(Algorithm.ED25519, spki)


def test_left_over_bits_are_no_second_writing() -> None:
    good = ENGINEER.public.spki
    assert good.endswith("=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = good[:-2] + letters[letters.index(good[-2]) ^ 1] + "="
    assert base64.b64decode(twin) == base64.b64decode(good)
    with pytest.raises(TrustError):
        PublicKey(Algorithm.ED25519, twin)


def test_key_ids_and_fingerprints_tell_keys_apart() -> None:
    assert len({ENGINEER.key_id, OFFICER.key_id}) == 2
    assert len({ENGINEER.public.fingerprint, OFFICER.public.fingerprint}) == 2
