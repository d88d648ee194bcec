"""Keys on a PKCS#11 token: a card, a YubiKey, an HSM. The token signs, and the secret never leaves it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from verifier.errors import CraneVerifyError, TrustError, UsageError
from verifier.model.device import Secret
from verifier.trust.keys import Algorithm, PublicKey, known, public_key
from verifier.trust.signers.uri import MODULES, TokenUri, read_uri

if TYPE_CHECKING:
    from pkcs11 import Session, SignMixin, Token, TokenFlag

P256_CURVE = bytes.fromhex("06082a8648ce3d030107")
"""CKA_EC_PARAMS: the curve by its number (RFC 5480)."""
ED25519_CURVES = (bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519")
"""By its number (RFC 8410), or by its name (PKCS#11 3.0, section 2.3.10); tokens write either."""


@dataclass(frozen=True, slots=True)
class TokenSigner:
    public: PublicKey
    name: str
    """Of the token, for messages."""
    private: SignMixin = field(repr=False)
    pin: Callable[[], str] = field(repr=False)
    every_time: bool
    """The token wants its PIN for each signature anew (CKA_ALWAYS_AUTHENTICATE), as PIV cards do in slot 9c."""

    @property
    def key_id(self) -> str:
        return self.public.key_id

    def sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        from pkcs11 import Mechanism

        again = {"pin": self.pin()} if self.every_time else {}
        with _in_words(self.name):
            match self.public.algorithm:
                case Algorithm.ED25519:
                    signature = self.private.sign(data, mechanism=Mechanism.EDDSA, **again)
                case Algorithm.P256:
                    # the digest is made here: tokens that sign one are many, tokens that make one are fewer
                    both = self.private.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA, **again)
                    signature = encode_dss_signature(int.from_bytes(both[:32], "big"), int.from_bytes(both[32:], "big"))
                case Algorithm.ML_DSA_65:
                    raise TrustError("keys of ml-dsa-65 are not read from tokens", "keep that key in a file")
                case _:
                    assert_never(self.public.algorithm)
        # a token is another program: what it made is looked at before it goes anywhere
        if not self.public.holds(signature, data):
            raise TrustError(
                f"the token {self.name!r} made a signature that does not hold",
                "do the private key and the public one belong together?",
            )
        return signature


def token_signer(uri: str, secret: Callable[[Secret], str]) -> TokenSigner:
    """The key that a `pkcs11:` URI names, on its token, which is opened with its PIN.

    `secret` gives the PIN: from the file that the URI names, else from a person.

    Raises:
        UsageError: the URI is wrong, or there is no such module, token or key, or more than one.
        TrustError: the PIN is wrong or locked, or the key is of an algorithm that does not count.
    """
    wanted = read_uri(uri)
    token = _token(wanted)
    session = _opened(token, wanted, secret)
    with _in_words(token.label):
        private = _private(session, wanted, token.label)
        public = _public(session, private, token.label)
        every_time = _attribute(private, "ALWAYS_AUTHENTICATE") is True
    return TokenSigner(public, token.label, private, lambda: _pin(token, wanted, secret), every_time)


def _token(wanted: TokenUri) -> Token:
    """The one token that fits. Asked anew each time: its flags are those of the moment."""
    try:
        import pkcs11
    except ImportError as error:
        raise UsageError("PKCS#11 tokens need a library that is not installed", "pip install 'crane-verify[hsm]'") from error
    if not Path(wanted.module).is_file():
        raise UsageError(f"there is no PKCS#11 module at {wanted.module}", f"install the token's own; known ones: {MODULES}")
    with _in_words(wanted.module):
        there = list(pkcs11.lib(wanted.module).get_tokens())
    fits = [
        token
        for token in there
        if (wanted.token in ("", token.label) and wanted.serial in ("", _serial(token)))
        and (wanted.manufacturer in ("", token.manufacturer_id) and wanted.model in ("", token.model))
    ]
    if len(fits) == 1:
        return fits[0]
    listed = "; ".join(
        f"{token.label!r} with serial {token.serial.decode('ascii', 'replace').strip()}" for token in fits or there
    )
    if fits:
        raise UsageError(f"{len(fits)} tokens fit the pkcs11: URI: {listed}", "name one: token=NAME or serial=NUMBER")
    raise UsageError(f"no token fits the pkcs11: URI; there is {listed or 'none'}", "plug it in, or correct token= in the URI")


def _serial(token: Token) -> str:
    return token.serial.decode("ascii", "replace").strip()


def _opened(token: Token, wanted: TokenUri, secret: Callable[[Secret], str]) -> Session:
    from pkcs11 import PROTECTED_AUTH, TokenFlag
    from pkcs11.exceptions import PinIncorrect, PinInvalid, PinLenRange, UserAlreadyLoggedIn

    flags = token.flags
    with _in_words(token.label):
        if TokenFlag.LOGIN_REQUIRED not in flags:
            return token.open()
        at_the_reader = TokenFlag.PROTECTED_AUTHENTICATION_PATH in flags
        pin: str | object = PROTECTED_AUTH if at_the_reader else _pin(token, wanted, secret)
        try:
            return token.open(user_pin=pin)
        except UserAlreadyLoggedIn:
            return token.open()
        except (PinIncorrect, PinInvalid, PinLenRange) as error:
            left = tries_left(_token(wanted).flags)
            raise TrustError(f"the PIN of the token {token.label!r} is wrong{left and '; ' + left}", "type it again") from error


def _pin(token: Token, wanted: TokenUri, secret: Callable[[Secret], str]) -> str:
    from pkcs11 import TokenFlag

    if TokenFlag.USER_PIN_LOCKED in token.flags:
        raise TrustError(*_locked(token.label))
    left = tries_left(token.flags)
    if not wanted.pin_file:
        return secret(Secret("prompt", f"PIN of {token.label}{left and f' ({left})'}"))
    if TokenFlag.USER_PIN_FINAL_TRY in token.flags:
        # a file that is wrong is wrong each time; the last try belongs to a person
        raise TrustError(f"the token {token.label!r} is not tried with the PIN in {wanted.pin_file}: {left}", "type it by hand")
    return secret(Secret("file", wanted.pin_file))


def tries_left(flags: TokenFlag) -> str:
    """What a token says of wrong PINs before, in words; empty: nothing. It tells no number."""
    from pkcs11 import TokenFlag

    if TokenFlag.USER_PIN_LOCKED in flags:
        return "it is locked now"
    if TokenFlag.USER_PIN_FINAL_TRY in flags:
        return "one try is left before it locks"
    if TokenFlag.USER_PIN_COUNT_LOW in flags:
        return "a wrong one was given before, and too many lock it"
    return ""


def _private(session: Session, wanted: TokenUri, name: str) -> Any:
    """The one private key that fits: what its class can do, the library puts together when it is read."""
    from pkcs11 import Attribute, ObjectClass

    keys: list[Any] = list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
    fits = [key for key in keys if wanted.object in ("", key.label) and wanted.id in (b"", key.id)]
    if len(fits) == 1:
        return fits[0]
    listed = "; ".join(sorted(f"{key.label!r} with id {key.id.hex()}" for key in fits or keys)) or "none"
    if fits:
        raise UsageError(
            f"the token {name!r} holds {len(fits)} private keys that fit the pkcs11: URI: {listed}",
            "name one: object=LABEL or id=%XX",
        )
    raise UsageError(f"the token {name!r} holds no such private key; it holds {listed}", "correct object= or id= in the URI")


def _public(session: Session, private: Any, name: str) -> PublicKey:
    """The other half: the token's public key of the same id, or that of its certificate."""
    from cryptography.x509 import load_der_x509_certificate
    from pkcs11 import Attribute, ObjectClass

    same: dict[Attribute, Any] = {Attribute.ID: private.id}
    for key in session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, **same}):
        curve, point = (bytes(_attribute(key, each) or b"") for each in ("EC_PARAMS", "EC_POINT"))
        algorithm = _algorithm(curve)
        # an OCTET STRING around the point (PKCS#11 2.40, section 2.3.3); some tokens write it bare
        bare = point[2:] if point[:2] == bytes((4, algorithm.raw_length)) else point
        return public_key(algorithm, bare)
    for certificate in session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE, **same}):
        return known(load_der_x509_certificate(bytes(_attribute(certificate, "VALUE") or b"")).public_key())
    raise UsageError(
        f"the token {name!r} holds the private key alone, without a public key or certificate of the same id",
        "write the public key or its certificate onto the token, with the same id: pkcs11-tool --write-object",
    )


def _algorithm(curve: bytes) -> Algorithm:
    if curve == P256_CURVE:
        return Algorithm.P256
    if curve in ED25519_CURVES:
        return Algorithm.ED25519
    raise TrustError(
        "the key on the token is neither Ed25519 nor ECDSA P-256", "make one: pkcs11-tool --keypairgen --key-type EC:prime256v1"
    )


def _attribute(thing: Any, name: str) -> Any:
    """An attribute; None where the token does not have it, or does not know what it is."""
    from pkcs11 import Attribute
    from pkcs11.exceptions import AttributeTypeInvalid

    try:
        return thing[Attribute[name]]
    except AttributeTypeInvalid:
        return None


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    """What the library raises, said for people."""
    from pkcs11.exceptions import PKCS11Error

    try:
        yield
    except CraneVerifyError:
        raise
    except PKCS11Error as error:
        raise TrustError(*said(error, name)) from error


def said(error: Exception, name: str) -> tuple[str, str]:
    """A token's refusal: what happened, and what to do next. `name` is that of the token or its module."""
    from pkcs11 import exceptions

    match error:
        case exceptions.PinLocked():
            return _locked(name)
        case exceptions.PinIncorrect():
            return f"the PIN of the token {name!r} is wrong", "type it again"
        case exceptions.PinExpired():
            return f"the PIN of the token {name!r} has run out", "set a new one with the token's own program"
        case exceptions.UserPinNotInitialized():
            return f"the token {name!r} has no PIN yet", "set one: pkcs11-tool --login --login-type so --init-pin"
        case exceptions.TokenNotPresent() | exceptions.DeviceRemoved() | exceptions.SessionHandleInvalid():
            return f"the token {name!r} was pulled out", "plug it in and run the command again"
        case exceptions.MechanismInvalid() | exceptions.FunctionNotSupported():
            return f"the token {name!r} cannot sign in this way", "use an ECDSA P-256 key: every PIV card knows it"
        case _:
            return (
                f"the token {name!r} refused: {type(error).__name__} {error}".rstrip(),
                "look at it with: pkcs11-tool --list-token-slots --module MODULE",
            )


def _locked(name: str) -> tuple[str, str]:
    return f"the PIN of the token {name!r} is locked", "unlock it with the PUK or the security officer's PIN"
