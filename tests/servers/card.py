"""A card played in memory, for what SoftHSM does not do: it counts wrong PINs and locks, has a key pad, or asks for no PIN."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from pkcs11 import PROTECTED_AUTH, Attribute, Mechanism, ObjectClass, TokenFlag
from pkcs11.exceptions import AttributeTypeInvalid, DeviceRemoved, PinIncorrect, PinLocked

from tests.signers import P256

TRIES = 3


@dataclass
class Key:
    kind: ObjectClass
    label: str = "sign"
    id: bytes = b"\1"
    attributes: dict[Attribute, Any] = field(default_factory=dict)
    card: Card | None = None

    def __getitem__(self, name: Attribute) -> Any:
        if name not in self.attributes:
            raise AttributeTypeInvalid
        return self.attributes[name]

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        assert self.card and mechanism is Mechanism.ECDSA and isinstance(P256.private, EllipticCurvePrivateKey)
        if self.card.pulled:
            raise DeviceRemoved
        r, s = decode_dss_signature(P256.private.sign(data, ECDSA(Prehashed(SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass
class Card:
    label: str = "officer's card"
    serial: bytes = b"0042  "
    manufacturer_id: str = "Card Works"
    model: str = "PIV"
    pin: str = "123456"
    left: int = TRIES
    extra: TokenFlag = TokenFlag.LOGIN_REQUIRED
    point: bytes = b"\4\x41" + P256.public.raw
    pulled: bool = False
    opened_with: list[object] = field(default_factory=list)

    @property
    def flags(self) -> TokenFlag:
        said = {0: TokenFlag.USER_PIN_LOCKED, 1: TokenFlag.USER_PIN_FINAL_TRY, TRIES: TokenFlag(0)}
        return self.extra | said.get(self.left, TokenFlag.USER_PIN_COUNT_LOW)

    def open(self, user_pin: object = None) -> Card:
        self.opened_with.append(user_pin)
        if user_pin not in (None, PROTECTED_AUTH):
            if self.left == 0:
                raise PinLocked
            if user_pin != self.pin:
                self.left -= 1
                raise PinIncorrect
            self.left = TRIES
        return self

    def get_objects(self, attributes: dict[Attribute, Any]) -> Iterator[Key]:
        public = {Attribute.EC_PARAMS: bytes.fromhex("06082a8648ce3d030107"), Attribute.EC_POINT: self.point}
        for key in (Key(ObjectClass.PRIVATE_KEY, card=self), Key(ObjectClass.PUBLIC_KEY, attributes=public)):
            if key.kind is attributes[Attribute.CLASS]:
                yield key


@dataclass
class Reader:
    """What stands in for a module."""

    cards: list[Card]

    def get_tokens(self) -> Iterator[Card]:
        yield from self.cards
