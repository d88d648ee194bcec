"""Keys in files: what ssh-keygen and openssl make and read, a passphrase that is slow to guess, and everything else refused."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.signers import PQ
from tests.trust_fixtures import ENGINEER
from verifier.errors import TrustError
from verifier.trust.keys import Algorithm, read_public_key
from verifier.trust.signers import pkcs8
from verifier.trust.signers.file import FileSigner, load_private_key, new_private_key, weakness

WORDS = "six blue cranes at night"
algorithms = pytest.mark.parametrize("algorithm", Algorithm)


def never_asked() -> str:
    raise AssertionError("the file is not encrypted")


def keygen(*arguments: str) -> str:
    return subprocess.run(["ssh-keygen", *arguments], check=True, capture_output=True, text=True).stdout


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, check=True, capture_output=True).stdout


@algorithms
def test_a_new_key_signs_and_two_differ(algorithm: Algorithm) -> None:
    made = new_private_key(None, algorithm)
    by = load_private_key(made, never_asked)
    assert by.public.algorithm is algorithm
    assert by.key_id == by.public.key_id
    assert by.public.holds(by.sign(b"content"), b"content")
    assert load_private_key(new_private_key(None, algorithm), never_asked).public != by.public
    assert not weakness(made)


@pytest.fixture(scope="module")
def encrypted() -> Callable[[Algorithm], bytes]:
    """Each made once: they are slow on purpose."""
    made: dict[Algorithm, bytes] = {}

    def make(algorithm: Algorithm) -> bytes:
        return made.setdefault(algorithm, made.get(algorithm) or new_private_key(WORDS, algorithm))

    return make


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ML_DSA_65])
def test_an_encrypted_key_opens_with_its_passphrase_alone(algorithm: Algorithm, encrypted: Callable[[Algorithm], bytes]) -> None:
    made = encrypted(algorithm)
    by = load_private_key(made, lambda: WORDS)
    assert by.public.holds(by.sign(b"x"), b"x")
    assert not weakness(made)
    with pytest.raises(TrustError, match="passphrase does not open"):
        load_private_key(made, lambda: "seven")
    with pytest.raises(TrustError, match="passphrase does not open"):
        load_private_key(made, lambda: "")


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.P256])
def test_an_openssh_key_is_slow_to_guess_and_ssh_keygen_reads_it(
    algorithm: Algorithm, encrypted: Callable[[Algorithm], bytes], tmp_path: Path
) -> None:
    made = encrypted(algorithm)
    body = base64.b64decode(b"".join(made.splitlines()[1:-1]))
    options = body.index(b"bcrypt") + len(b"bcrypt") + 4
    salt = int.from_bytes(body[options : options + 4], "big")
    assert int.from_bytes(body[options + 4 + salt : options + 8 + salt], "big") == 128
    assert b"aes256-ctr" in body
    path = tmp_path / "key"
    path.write_bytes(made)
    path.chmod(0o600)
    assert keygen("-y", "-P", WORDS, "-f", str(path)).strip() == load_private_key(made, lambda: WORDS).public.openssh


def test_a_pem_key_is_slow_to_guess_and_openssl_agrees_on_its_form(
    encrypted: Callable[[Algorithm], bytes], tmp_path: Path
) -> None:
    shown = openssl("asn1parse", given=encrypted(Algorithm.ML_DSA_65)).decode()
    assert "INTEGER           :0927C0" in shown  # 600,000
    for word in ("PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc"):
        assert word in shown
    # openssl 3.0 knows no ML-DSA, so it is shown another key in the same form
    key = ed25519.Ed25519PrivateKey.generate()
    made = pkcs8.encrypted(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), WORDS.encode())
    assert openssl("pkey", "-passin", f"pass:{WORDS}", given=made) == key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def test_the_writer_of_pem_reaches_beyond_short_lengths() -> None:
    """A key of 5 kB, as ML-DSA keys are in their other form, and one of 200 bytes: lengths of two bytes and of one."""
    for size in (1, 16, 120, 200, 5000):
        made = pkcs8.encrypted(bytes(size), b"x", 1000)
        assert b"cons: SEQUENCE" in openssl("asn1parse", given=made)


def test_an_empty_passphrase_is_not_a_passphrase() -> None:
    with pytest.raises(TrustError, match="empty"):
        new_private_key("")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_we_read_the_keys_of_ssh_keygen(kind: str, tmp_path: Path) -> None:
    keygen("-q", "-t", kind, "-a", "1", "-N", "words", "-f", str(tmp_path / "key"))
    by = load_private_key((tmp_path / "key").read_bytes(), lambda: "words")
    assert read_public_key((tmp_path / "key.pub").read_bytes()) == by.public


@pytest.mark.parametrize("how", [["ed25519"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]], ids=["ed25519", "p256"])
def test_we_read_the_keys_of_openssl(how: list[str]) -> None:
    key = openssl("genpkey", "-algorithm", *how)
    assert read_public_key(openssl("pkey", "-pubout", given=key)) == load_private_key(key, never_asked).public


def weak_files() -> dict[str, bytes]:
    key = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    private = load_pem_private_key(key, None)
    return {
        "the library's own": private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "openssl": openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:x", given=key),
        "99,999 rounds": openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "99999", "-passout", "pass:x", given=key),
        "PBES1": openssl("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", "pass:x", given=key),
        "before PKCS#8": openssl("ec", "-aes256", "-passout", "pass:x", given=key),
    }


def test_a_pem_key_that_is_quickly_guessed_is_known_and_openssl_repairs_it(tmp_path: Path) -> None:
    for what, weak in weak_files().items():
        assert "guessed quickly" in weakness(weak), what
        by = load_private_key(weak, lambda: "x")
        (tmp_path / "key").write_bytes(weak)
        good = openssl(
            "pkcs8",
            "-topk8",
            "-v2",
            "aes-256-cbc",
            "-iter",
            "600000",
            "-in",
            str(tmp_path / "key"),
            "-passin",
            "pass:x",
            "-passout",
            "pass:x",
        )
        assert not weakness(good), what
        assert load_private_key(good, lambda: "x").public == by.public


def test_a_pem_key_that_is_slow_or_open_is_left_alone() -> None:
    key = openssl("genpkey", "-algorithm", "ed25519")
    assert not weakness(key)
    assert not weakness(openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "100000", "-passout", "pass:x", given=key))
    assert not weakness(openssl("pkcs8", "-topk8", "-scrypt", "-passout", "pass:x", given=key))
    assert not weakness(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nA\n-----END ENCRYPTED PRIVATE KEY-----\n")


def test_a_cut_count_of_rounds_counts_as_few() -> None:
    whole = pkcs8.encrypted(b"key", b"x", 600_000)
    der = base64.b64decode(b"".join(whole.splitlines()[1:-1]))
    after = der.index(pkcs8._PBKDF2) + len(pkcs8._PBKDF2)
    for end in range(after, after + 21):
        cut = (
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + base64.b64encode(der[:end]) + b"\n-----END ENCRYPTED PRIVATE KEY-----\n"
        )
        assert weakness(cut), end


def test_a_signer_does_not_show_its_secret() -> None:
    assert repr(ENGINEER) == repr(PQ) == "FileSigner()"


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"]
)
def test_what_is_no_private_key_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError, match="holds no private key"):
        load_private_key(data, never_asked)


def test_the_long_form_of_an_ml_dsa_key_is_refused_with_what_to_do() -> None:
    """RFC 9881, section 6, the third form: both the seed and what it grows into."""
    both = pkcs8._der(0x30, pkcs8._der(4, bytes(32)), pkcs8._der(4, bytes(4032)))
    der = pkcs8._der(0x30, b"\2\1\0", pkcs8._der(0x30, bytes.fromhex("0609608648016503040312")), pkcs8._der(4, both))
    with pytest.raises(TrustError, match="no private key that can be read") as caught:
        load_private_key(b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der) + b"\n-----END PRIVATE KEY-----\n", never_asked)
    assert "crane-verify trust key --algorithm ml-dsa-65" in caught.value.hint


def test_a_private_key_of_another_algorithm_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(TrustError, match="on the curve secp384r1; those that count are"):
        load_private_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), never_asked)
    with pytest.raises(TrustError, match="of the kind MLDSA44"):
        FileSigner(mldsa.MLDSA44PrivateKey.generate())  # type: ignore[arg-type]  # what the types forbid, a file can hold


def test_a_library_without_ml_dsa_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        @staticmethod
        def generate() -> None:
            raise UnsupportedAlgorithm("ML-DSA")

    monkeypatch.setattr(mldsa, "MLDSA65PrivateKey", Without)
    with pytest.raises(TrustError, match="built without ml-dsa-65"):
        new_private_key(None, Algorithm.ML_DSA_65)
