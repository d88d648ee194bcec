"""Private keys in files."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verifier.errors import TrustError
from verifier.trust.keys import MAKE_A_KEY, Algorithm, PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BCRYPT_ROUNDS = 128
"""About a second per guess of a passphrase. PKCS#8 as `cryptography` writes it takes 2,048 rounds of PBKDF2: far too few."""


@dataclass(frozen=True, slots=True)
class FileSigner:
    """A private key out of a file, held in memory. Neither `repr` nor an error shows it."""

    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        raw = self.private.public_key().public_bytes_raw()
        return PublicKey(Algorithm.ED25519, base64.b64encode(Algorithm.ED25519.spki_prefix + raw).decode())

    @property
    def key_id(self) -> str:
        return self.public.key_id

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)


def new_private_key(passphrase: str | None) -> bytes:
    """A new Ed25519 private key as an OpenSSH file; encrypted when a passphrase is given. None: in the clear, for services.

    Raises:
        TrustError: the passphrase is empty.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, KeySerializationEncryption, NoEncryption, PrivateFormat

    if passphrase == "":
        raise TrustError("the passphrase is empty", "give a passphrase of several words")
    lock: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        lock = PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(BCRYPT_ROUNDS).build(passphrase.encode())
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, lock)


def load_private_key(data: bytes, passphrase: Callable[[], str]) -> FileSigner:
    """The signer behind a key file: OpenSSH format, or PEM (PKCS#8). The passphrase is asked for only where the file needs one.

    Raises:
        TrustError: not a private key, not Ed25519, or the passphrase does not open it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in data else load_pem_private_key
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
        raise TrustError("the signing key's file holds no private key that can be read", MAKE_A_KEY) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise TrustError("the signing key is not an Ed25519 key", MAKE_A_KEY)
    return FileSigner(private)
