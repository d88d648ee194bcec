"""Public keys, and what somebody must do who signs with the other half.

The algorithms are a closed list and belong to the key, never to the message. `cryptography` is imported when a key is used, not
before. Those who sign are in `trust.signers`, one file for each place where a secret can live.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import textwrap
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, assert_never

from verifier.errors import TrustError

MAKE_A_KEY = "make one with: ssh-keygen -t ed25519 -a 128 -f signing_key"


class Algorithm(StrEnum):
    """The closed list. RFC 8032 for Ed25519."""

    ED25519 = "ed25519"

    @property
    def only_beside_another(self) -> bool:
        """Whether a signature by it counts only together with one of another algorithm by the same person."""
        return False

    @property
    def spki_prefix(self) -> bytes:
        """What a SubjectPublicKeyInfo of this algorithm begins with, so that one key has one writing (RFC 8410, section 4)."""
        match self:
            case Algorithm.ED25519:
                return bytes.fromhex("302a300506032b6570032100")
            case _:
                assert_never(self)

    @property
    def raw_length(self) -> int:
        """Bytes of the bare public key."""
        match self:
            case Algorithm.ED25519:
                return 32
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class PublicKey:
    algorithm: Algorithm
    spki: str
    """SubjectPublicKeyInfo (DER) in base64, one line: a PEM file without its first and last line."""

    def __post_init__(self) -> None:
        try:
            der = binascii.a2b_base64(self.spki, strict_mode=True)
        except (binascii.Error, ValueError) as error:
            raise TrustError("a public key is not base64", "copy the key again from where its owner published it") from error
        fits = (
            der.startswith(self.algorithm.spki_prefix) and len(der) == len(self.algorithm.spki_prefix) + self.algorithm.raw_length
        )
        if not fits or base64.b64encode(der).decode() != self.spki:
            raise TrustError(f"a public key is not a key for {self.algorithm}", MAKE_A_KEY)

    @property
    def der(self) -> bytes:
        return base64.b64decode(self.spki)

    @property
    def raw(self) -> bytes:
        """The bare key, without its wrapping."""
        return self.der[len(self.algorithm.spki_prefix) :]

    @property
    def key_id(self) -> str:
        """SHA-256 of the DER, 64 hex digits: `openssl pkey -pubin -in key.pem -outform der | sha256sum`."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def pem(self) -> str:
        return "-----BEGIN PUBLIC KEY-----\n" + "\n".join(textwrap.wrap(self.spki, 64)) + "\n-----END PUBLIC KEY-----\n"

    @property
    def openssh(self) -> str:
        """As it stands in a `.pub` file, without a comment."""
        return f"ssh-{self.algorithm} {base64.b64encode(self._wire()).decode()}"

    @property
    def fingerprint(self) -> str:
        """For people to compare: what `ssh-keygen -l` prints, `SHA256:...`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self._wire()).digest()).decode().rstrip("=")

    def holds(self, signature: bytes, data: bytes) -> bool:
        """Whether this key's other half made this signature over this data."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        match self.algorithm:
            case Algorithm.ED25519:
                try:
                    Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
                except InvalidSignature:
                    return False
                return True
            case _:
                assert_never(self.algorithm)

    def _wire(self) -> bytes:
        """RFC 4253, section 6.6, and RFC 8709: two strings, each after its length."""
        name = f"ssh-{self.algorithm}".encode()
        return b"".join(len(part).to_bytes(4, "big") + part for part in (name, self.raw))


class Signer(Protocol):
    """Something that signs, wherever its secret lives."""

    @property
    def public(self) -> PublicKey: ...

    @property
    def key_id(self) -> str: ...

    def sign(self, data: bytes) -> bytes:
        """The bare signature over exactly these bytes.

        Raises:
            TrustError: the key cannot be used now.
        """
        ...


def read_public_key(data: bytes) -> PublicKey:
    """A public key as people send it: an OpenSSH `.pub` line or a PEM file.

    A FIDO key (`sk-ssh-ed25519`) is refused: it signs more than the message, so its bare inner key would verify nothing.

    Raises:
        TrustError: neither, or not Ed25519.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key

    text = data.strip()
    openssh = text.startswith(b"ssh-ed25519 ")
    if not openssh and not text.startswith(b"-----BEGIN PUBLIC KEY-----"):
        raise TrustError("this is not the public half of an Ed25519 key", "give the .pub file of: ssh-keygen -t ed25519 -a 128")
    try:
        public = load_ssh_public_key(text) if openssh else load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError("the public key cannot be read", "copy the whole file again; one character may be missing") from error
    if not isinstance(public, Ed25519PublicKey):
        raise TrustError("the public key is not an Ed25519 key", MAKE_A_KEY)
    return PublicKey(Algorithm.ED25519, base64.b64encode(Algorithm.ED25519.spki_prefix + public.public_bytes_raw()).decode())
