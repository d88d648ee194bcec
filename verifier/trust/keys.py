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
    """The closed list."""

    ED25519 = "ed25519"
    """RFC 8032. Services and people; the only one that checkpoints and witnesses know."""
    P256 = "ecdsa-sha2-nistp256"
    """FIPS 186-5, over SHA-256, the signature in DER. For people with tokens, and where FIPS is asked for."""
    ML_DSA_65 = "ml-dsa-65"
    """FIPS 204, the pure form, without context. It stands beside another signature, for the day on which those can be forged."""

    @property
    def only_beside_another(self) -> bool:
        """Whether a signature by it counts only together with one of another algorithm by the same person."""
        return self is Algorithm.ML_DSA_65

    @property
    def spki_prefix(self) -> bytes:
        """What a SubjectPublicKeyInfo of this algorithm begins with, so that one key has one writing.

        RFC 8410, section 4; RFC 5480, section 2, with the named curve and the uncompressed point; RFC 9881, section 4.
        """
        match self:
            case Algorithm.ED25519:
                return bytes.fromhex("302a300506032b6570032100")
            case Algorithm.P256:
                return bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
            case Algorithm.ML_DSA_65:
                return bytes.fromhex("308207b2300b0609608648016503040312038207a100")
            case _:
                assert_never(self)

    @property
    def raw_length(self) -> int:
        """Bytes of the bare public key; of P-256, with the 4 that says "uncompressed" before x and y."""
        match self:
            case Algorithm.ED25519:
                return 32
            case Algorithm.P256:
                return 65
            case Algorithm.ML_DSA_65:
                return 1952
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
        prefix, length = self.algorithm.spki_prefix, self.algorithm.raw_length
        fits = der.startswith(prefix) and len(der) == len(prefix) + length and base64.b64encode(der).decode() == self.spki
        if not fits or (self.algorithm is Algorithm.P256 and not _on_the_curve(der[len(prefix) :])):
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
        """As it stands in a `.pub` file, without a comment; empty for ML-DSA, of which OpenSSH knows nothing."""
        wire = self._wire()
        return f"{_ssh_name(self.algorithm)} {base64.b64encode(wire).decode()}" if wire else ""

    @property
    def published(self) -> str:
        """The text of the file that its owner gives to others: an OpenSSH line, or PEM where there is none."""
        return f"{self.openssh}\n" if self.openssh else self.pem

    @property
    def fingerprint(self) -> str:
        """For people to compare: what `ssh-keygen -l` prints, `SHA256:...`. Of an ML-DSA key, the key id so written."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self._wire() or self.der).digest()).decode().rstrip("=")

    def holds(self, signature: bytes, data: bytes) -> bool:
        """Whether this key's other half made this signature over this data.

        Raises:
            TrustError: this machine cannot tell, since its `cryptography` does not know the algorithm.
        """
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

        try:
            match self.algorithm:
                case Algorithm.ED25519:
                    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

                    Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
                case Algorithm.P256:
                    return _ecdsa_holds(self.raw, signature, data)
                case Algorithm.ML_DSA_65:
                    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

                    MLDSA65PublicKey.from_public_bytes(self.raw).verify(signature, data)
                case _:
                    assert_never(self.algorithm)
        except InvalidSignature:
            return False
        except UnsupportedAlgorithm as error:
            raise TrustError(
                f"{self.algorithm} signatures cannot be checked here: the cryptography library was built without them",
                "install the ready-made one: pip install --only-binary cryptography --force-reinstall cryptography",
            ) from error
        return True

    def _wire(self) -> bytes:
        """Strings, each after its length: RFC 4253, section 6.6; RFC 8709; RFC 5656, section 3.1. Empty: OpenSSH has no form."""
        parts: tuple[bytes, ...]
        match self.algorithm:
            case Algorithm.ED25519:
                parts = (b"ssh-ed25519", self.raw)
            case Algorithm.P256:
                parts = (b"ecdsa-sha2-nistp256", b"nistp256", self.raw)
            case Algorithm.ML_DSA_65:
                parts = ()
            case _:
                assert_never(self.algorithm)
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Signer(Protocol):
    """Something that signs, wherever its secret lives."""

    @property
    def public(self) -> PublicKey: ...

    @property
    def key_id(self) -> str: ...

    def sign(self, data: bytes) -> bytes:
        """The bare signature over exactly these bytes, in the form that `PublicKey.holds` takes.

        Raises:
            TrustError: the key cannot be used now.
        """
        ...


def public_key(algorithm: Algorithm, raw: bytes) -> PublicKey:
    """The key with these bare bytes.

    Raises:
        TrustError: they are not such a key.
    """
    return PublicKey(algorithm, base64.b64encode(algorithm.spki_prefix + raw).decode())


def known(public: object) -> PublicKey:
    """The key that `cryptography` loaded, in its one writing.

    Raises:
        TrustError: it is of an algorithm that is not on the list.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    match public:
        case Ed25519PublicKey():
            return public_key(Algorithm.ED25519, public.public_bytes_raw())
        case EllipticCurvePublicKey() if isinstance(public.curve, SECP256R1):
            return public_key(Algorithm.P256, public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        case MLDSA65PublicKey():
            return public_key(Algorithm.ML_DSA_65, public.public_bytes_raw())
        case EllipticCurvePublicKey():
            what = f"on the curve {public.curve.name}"
        case _:
            what = f"of the kind {type(public).__name__.removesuffix('PublicKey').strip('_')}"
    raise TrustError(f"the key is {what}; those that count are {_LIST}", MAKE_A_KEY)


def read_public_key(data: bytes) -> PublicKey:
    """A public key as people send it: an OpenSSH `.pub` line or a PEM file.

    A FIDO key (`sk-ssh-ed25519`) is refused: it signs more than the message, so its bare inner key would verify nothing.

    Raises:
        TrustError: neither, or of an algorithm that is not on the list.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key

    text = data.strip()
    word = text.partition(b" ")[0]
    openssh = word in (b"ssh-ed25519", b"ecdsa-sha2-nistp256")
    if not openssh and not text.startswith(b"-----BEGIN PUBLIC KEY-----"):
        raise TrustError(*_no_public_key(text, word))
    try:
        public = load_ssh_public_key(text) if openssh else load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError("the public key cannot be read", "copy the whole file again; one character may be missing") from error
    return known(public)


_LIST = "Ed25519, ECDSA P-256 and, beside one of them, ML-DSA-65"


def _ssh_name(algorithm: Algorithm) -> str:
    return "ssh-ed25519" if algorithm is Algorithm.ED25519 else algorithm.value


def _no_public_key(text: bytes, word: bytes) -> tuple[str, str]:
    """What was given in place of a public key, and what to give."""
    if b"PRIVATE KEY-----" in text:
        return "this is a private key, which never leaves its owner", "give the public half: the file with .pub at the end"
    if word.startswith(b"sk-"):
        return (
            "this is a FIDO key, which signs more than it is given, so that nobody could check its signature here",
            f"give a key in a file, an ssh-agent or a PKCS#11 token; {MAKE_A_KEY}",
        )
    if b"-cert-v0" in word:
        return "this is an SSH certificate, not a key", "give the .pub file without -cert in its name"
    if word.startswith((b"ssh-", b"ecdsa-")) and word.decode("ascii", "replace").isprintable():
        return f"this is a key of the kind {word.decode('ascii', 'replace')[:40]}; those that count are {_LIST}", MAKE_A_KEY
    return f"this is not the public half of a key; those that count are {_LIST}", f"give the .pub file; {MAKE_A_KEY}"


def _on_the_curve(point: bytes) -> bool:
    """Whether this is a point of P-256 written as 4, x, y. Nobody can hold the other half of a point beside the curve."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except ValueError:
        return False
    return point[0] == 4


def _ecdsa_holds(point: bytes, signature: bytes, data: bytes) -> bool:
    """ECDSA over SHA-256, where the signature is the one DER of its two numbers.

    Whoever sees a signature (r, s) can write (r, n - s), which holds as well: it takes no key. Both are accepted, because every
    token and OpenSSL make one as often as the other, and because nothing is gained by it: the same person said the same thing,
    fills the same one seat, and two such signatures are one. What a file is called by is the digest of the bytes that came into
    the record, and those do not change. Whoever alters a copy has a file that the record does not know.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point).verify(signature, data, ECDSA(SHA256()))
        return encode_dss_signature(*decode_dss_signature(signature)) == signature
    except (ValueError, InvalidSignature):
        return False
