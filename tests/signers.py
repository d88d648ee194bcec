"""One signer of each algorithm, and openssl to ask whether it agrees."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from tests.trust_fixtures import signer
from verifier.trust.keys import Algorithm, PublicKey
from verifier.trust.signers.file import FileSigner


def p256(number: int) -> FileSigner:
    """The same key every time."""
    return FileSigner(derive_private_key(0xC0FFEE + number, SECP256R1()))


def pq(number: int) -> FileSigner:
    """The same ML-DSA-65 key every time."""
    return FileSigner(MLDSA65PrivateKey.from_seed_bytes(bytes([number]) * 32))


ED, P256, PQ = signer(41), p256(0), pq(41)
EACH = (ED, P256, PQ)


def openssl_says(key: PublicKey, signature: bytes, data: bytes, folder: Path) -> bool:
    """Whether openssl, which on Debian 12 knows no ML-DSA, takes the signature."""
    for name, content in (("key.pem", key.pem.encode()), ("sig", signature), ("data", data)):
        (folder / name).write_bytes(content)
    if key.algorithm is Algorithm.P256:
        command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "sig", "data"]
    else:
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pem", "-sigfile", "sig", "-in", "data"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    failed = "Verification Failure" in done.stdout + done.stderr or "Verification failure" in done.stdout + done.stderr
    assert failed == (done.returncode != 0), done.stdout + done.stderr
    return done.returncode == 0
