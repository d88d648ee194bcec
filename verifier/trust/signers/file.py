"""Private keys in files: OpenSSH's own format, and PEM (PKCS#8) for what OpenSSH does not know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from verifier.errors import TrustError
from verifier.trust.keys import MAKE_A_KEY, Algorithm, PublicKey, known
from verifier.trust.signers import pkcs8

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

    PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | MLDSA65PrivateKey

BCRYPT_ROUNDS = 128
"""About a second per guess of a passphrase."""


@dataclass(frozen=True, slots=True)
class FileSigner:
    """A private key out of a file, held in memory. Neither `repr` nor an error shows it.

    Raises:
        TrustError: when made, if the key is of an algorithm that is not on the list.
    """

    private: PrivateKey = field(repr=False)
    public: PublicKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "public", known(self.private.public_key()))

    @property
    def key_id(self) -> str:
        return self.public.key_id

    def sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256

        if isinstance(self.private, EllipticCurvePrivateKey):
            return self.private.sign(data, ECDSA(SHA256()))
        return self.private.sign(data)


def new_private_key(passphrase: str | None, algorithm: Algorithm = Algorithm.ED25519) -> bytes:
    """A new private key as a file, encrypted when a passphrase is given. None: in the clear, for services.

    Raises:
        TrustError: the passphrase is empty, or this machine cannot make such a key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

    if passphrase == "":
        raise TrustError("the passphrase is empty", "give a passphrase of several words")
    match algorithm:
        case Algorithm.ED25519:
            return _openssh(Ed25519PrivateKey.generate(), passphrase)
        case Algorithm.P256:
            return _openssh(generate_private_key(SECP256R1()), passphrase)
        case Algorithm.ML_DSA_65:
            try:
                return _pem(MLDSA65PrivateKey.generate(), passphrase)
            except UnsupportedAlgorithm as error:
                raise TrustError(
                    f"the cryptography library here was built without {algorithm}", "install the ready-made one from PyPI"
                ) from error
        case _:
            assert_never(algorithm)


def load_private_key(data: bytes, passphrase: Callable[[], str]) -> FileSigner:
    """The signer behind a key file: OpenSSH format, or PEM (PKCS#8). The passphrase is asked for only where the file needs one.

    Raises:
        TrustError: not a private key, not of an algorithm on the list, or the passphrase does not open it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    openssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    load = load_ssh_private_key if openssh else load_pem_private_key
    try:
        try:
            private = load(data, None)
        except TypeError:  # how the library says that it is encrypted
            words = passphrase().encode()
            try:
                private = load(data, words)
            except (ValueError, TypeError) as error:
                raise TrustError(
                    "the passphrase does not open the signing key", "try again; a lost passphrase means a new key"
                ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        # what openssl 3.5 writes by default of ML-DSA is the long form, which the library does not read
        seed = (
            "" if openssh else "; of ML-DSA-65 only the short form (seed) is read: crane-verify trust key --algorithm ml-dsa-65"
        )
        raise TrustError("the signing key's file holds no private key that can be read", MAKE_A_KEY + seed) from error
    return FileSigner(private)  # type: ignore[arg-type]  # of whatever kind it is; FileSigner refuses those that do not count


def weakness(data: bytes) -> str:
    """Why a stolen copy of this key file would soon be opened, in words; empty: it would not, or it has no passphrase at all."""
    if not pkcs8.quickly_guessed(data):
        return ""
    return f"its passphrase is guessed quickly, since each try costs less than {pkcs8.FEWEST:,} rounds of PBKDF2"


def _openssh(private: PrivateKey, passphrase: str | None) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, KeySerializationEncryption, NoEncryption, PrivateFormat

    lock: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        lock = PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(BCRYPT_ROUNDS).build(passphrase.encode())
    return private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, lock)


def _pem(private: PrivateKey, passphrase: str | None) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if passphrase is None:
        return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pkcs8.encrypted(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), passphrase.encode())
