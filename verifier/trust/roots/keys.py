"""Our keys as TUF has them, and back. The key id is our own: SHA-256 of the DER (the TUF specification, 4.2, leaves it free)."""

from __future__ import annotations

import base64
from typing import Any

from securesystemslib.signer import Key, SSlibKey  # type: ignore[attr-defined]  # public, but not in its __all__

from verifier.errors import TrustError
from verifier.trust.keys import Algorithm, PublicKey

FORMS: dict[Algorithm, tuple[str, str]] = {
    Algorithm.ED25519: ("ed25519", "ed25519"),
    Algorithm.P256: ("ecdsa", "ecdsa-sha2-nistp256"),
    Algorithm.ML_DSA_65: ("ml-dsa", "ml-dsa-65/1"),
}
"""Key type and scheme, as securesystemslib names them (`signer/_constants.py`).

ML-DSA is that of TUF's TAP 21, which signs a hash of the message and not the message. Our ML-DSA signatures stand in envelopes
alone; in metadata there are only the keys.
"""


def to_tuf(key: PublicKey) -> SSlibKey:
    """A key as it stands in metadata. An Ed25519 key is bare and in hex digits, any other one is PEM."""
    keytype, scheme = FORMS[key.algorithm]
    public = key.raw.hex() if key.algorithm is Algorithm.ED25519 else key.pem
    return SSlibKey(key.key_id, keytype, scheme, {"public": public})


def from_tuf(key: Key) -> PublicKey:
    """The key in metadata.

    Raises:
        TrustError: it is of no kind we know, or no key at all.
    """
    for algorithm, form in FORMS.items():
        if form == (key.keytype, key.scheme):
            return PublicKey(algorithm, _spki(algorithm, key.keyval["public"]))
    raise TrustError(f"a key of the unknown kind {key.keytype}/{key.scheme}", "a newer crane-verify may know it")


def _spki(algorithm: Algorithm, public: Any) -> str:
    """Whatever is wrong with it, the key made of it says."""
    text = str(public)
    if algorithm is not Algorithm.ED25519:
        return "".join(line for line in text.splitlines() if not line.startswith("-----"))
    try:
        return base64.b64encode(algorithm.spki_prefix + bytes.fromhex(text)).decode()
    except ValueError:
        return text
