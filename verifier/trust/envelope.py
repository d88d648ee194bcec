"""DSSE envelopes (version 1.0.2): bytes, their type, and signatures over both. The payload is written once and never again.

What we write has one form, and what we read must be in it: compact JSON, the three fields and no other, base64 with its padding.
So no bit of a file lies outside what is checked. Both base64 alphabets are read, as DSSE asks.
"""

from __future__ import annotations

import base64
import binascii
import json
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from verifier.errors import TrustError
from verifier.model.codec import CodecError, parse
from verifier.trust.keys import Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""The one payload type there is: an in-toto statement."""

LARGEST = 256 << 20
"""Bytes of an envelope."""
MOST_SIGNATURES = 32
LONGEST_SIGNATURE = 8 << 10
"""Bytes; ML-DSA-65 takes 3,309."""
LONGEST_KEY_ID = 256

ALTERED = "it was altered or damaged after signing; fetch it again from where it was approved"
_TO_STANDARD = str.maketrans("-_", "+/")
_TO_URL_SAFE = str.maketrans("+/", "-_")


@dataclass(frozen=True, slots=True)
class Signature:
    key_id: str
    """A hint which key to try first, written by whoever signed; empty: none given."""
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]

    @property
    def signed_bytes(self) -> bytes:
        """What every signature is over."""
        return pae(self.payload, self.payload_type)


def pae(payload: bytes, payload_type: str) -> bytes:
    """The pre-authentication encoding (DSSE protocol, section "Signature Definition")."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, payload_type: str, signers: Sequence[Signer]) -> bytes:
    """An envelope around these bytes. Without signers it is a proposal, which nobody has approved.

    Raises:
        TrustError: the type is not `PAYLOAD_TYPE`, one key is to sign twice, or a key cannot be used.
    """
    envelope = _compact({"payload": base64.b64encode(payload).decode(), "payloadType": payload_type, "signatures": []})
    opened(envelope)
    for signer in signers:
        envelope = add_signature(envelope, signer)
    return envelope


def add_signature(envelope: bytes, signer: Signer) -> bytes:
    """The same envelope with one more signature; the payload stays byte for byte what it was.

    Raises:
        TrustError: it is not an envelope, this key has signed it, or the key cannot be used.
    """
    before = opened(envelope)
    signed = before.signed_bytes
    if any(each.key_id == signer.key_id or signer.public.holds(each.sig, signed) for each in before.signatures):
        raise TrustError(f"the key {signer.public.fingerprint} has signed this already", "another person's signature is needed")
    added = Signature(signer.key_id, signer.sign(signed))
    text = envelope.decode()
    return (text.removesuffix("]}") + ("," if before.signatures else "") + _signature_text(added) + "]}").encode()


def merged(envelopes: Sequence[bytes]) -> bytes:
    """One envelope with the signatures of several copies: those of the first one in their order, then what the others add.

    Whose signatures they are is not looked at here; one key's second signature over the same is left out.

    Raises:
        TrustError: one is not an envelope, they do not hold the same payload byte for byte, or the signatures are too many.
    """
    found = [opened(each) for each in envelopes]
    if len({each.payload for each in found}) != 1:
        raise TrustError("these are not copies of one envelope: what was signed differs", "merge copies of the same proposal")
    signatures: dict[str | bytes, Signature] = {}
    for each in (signature for envelope in found for signature in envelope.signatures):
        signatures.setdefault(each.key_id or each.sig, each)
    texts = ",".join(_signature_text(each) for each in signatures.values())
    together = seal(found[0].payload, PAYLOAD_TYPE, ()).removesuffix(b"]}") + f"{texts}]}}".encode()
    opened(together)
    return together


def opened(envelope: bytes) -> Envelope:
    """What an envelope holds. Nothing is believed yet: `verify` does that.

    Raises:
        TrustError: it is not an envelope in its one form.
    """
    if len(envelope) > LARGEST:
        raise TrustError(f"an envelope of {len(envelope)} bytes is larger than the {LARGEST} allowed", ALTERED)
    try:
        outer = parse(envelope)
    except (CodecError, ValueError) as error:
        raise TrustError(f"this is not a signed envelope: {error}", ALTERED) from error
    if type(outer) is not dict or list(outer) != ["payload", "payloadType", "signatures"]:
        raise TrustError(
            "this is not a signed envelope: it must hold payload, payloadType and signatures in this order, and nothing else",
            ALTERED,
        )
    if outer["payloadType"] != PAYLOAD_TYPE:
        raise TrustError(
            f"the envelope holds {_shown(outer['payloadType'])}, not {PAYLOAD_TYPE}", "this is not a file of crane-verify"
        )
    signatures = outer["signatures"]
    if type(signatures) is not list or len(signatures) > MOST_SIGNATURES:
        raise TrustError(f"the envelope's signatures are not a list of at most {MOST_SIGNATURES}", ALTERED)
    found = Envelope(_bytes(outer["payload"], "payload"), PAYLOAD_TYPE, tuple(_signature(each) for each in signatures))
    if _compact(outer) != envelope:
        raise TrustError("the envelope is not written as it was: spaces or escapes differ", ALTERED)
    return found


def _signature(data: Any) -> Signature:
    if type(data) is not dict or not {"sig"} <= data.keys() <= {"sig", "keyid"}:
        raise TrustError("a signature of the envelope must hold sig, may hold keyid, and nothing else", ALTERED)
    key_id = data.get("keyid", "")
    if type(key_id) is not str or len(key_id) > LONGEST_KEY_ID or not key_id.isprintable():
        raise TrustError("a key id in the envelope is not a short text", ALTERED)
    sig = _bytes(data["sig"], "signature")
    if not 0 < len(sig) <= LONGEST_SIGNATURE:
        raise TrustError(f"a signature of {len(sig)} bytes", ALTERED)
    return Signature(key_id, sig)


def _bytes(text: Any, what: str) -> bytes:
    """Strict base64 of one alphabet or the other: no stray character, no missing padding, no bits left over."""
    if type(text) is not str:
        raise TrustError(f"the envelope's {what} is not text", ALTERED)
    url_safe = "-" in text or "_" in text
    try:
        data = binascii.a2b_base64(text.translate(_TO_STANDARD) if url_safe else text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise TrustError(f"the envelope's {what} is not base64", ALTERED) from error
    again = base64.b64encode(data).decode()
    if text != (again.translate(_TO_URL_SAFE) if url_safe else again):
        raise TrustError(f"the envelope's {what} is not base64 in its one form", ALTERED)
    return data


def _signature_text(signature: Signature) -> str:
    return _compact({"keyid": signature.key_id, "sig": base64.b64encode(signature.sig).decode()}).decode()


def _compact(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _shown(data: Any) -> str:
    """A stranger's text, cut short and without control characters."""
    text = data if type(data) is str else "something else"
    return "".join(c if c in string.printable[:95] else "?" for c in text[:80])
