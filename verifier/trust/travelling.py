"""An approval on its way: one file with all a person needs to see what they sign, where there is no workspace and no record.

The file itself is signed by nobody. What it carries is: the proposal and the baseline it replaces are envelopes, the policy
hangs on its root, and each text is named by its digest. Whoever swaps one of them is found out, but for the policy as a whole:
its first root is what a person compares.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from verifier.errors import TrustError
from verifier.model.codec import CodecError, dumps, loads
from verifier.model.policy_record import TrustFile
from verifier.trust.envelope import LARGEST as LARGEST_ENVELOPE

FORMAT = "crane-verify approval 1"
LARGEST = 2 * LARGEST_ENVELOPE + (64 << 20)
"""Bytes of a file."""
AGAIN = "send it again: crane-verify baseline send DEVICE"


@dataclass(frozen=True, slots=True)
class KeptText:
    """A redacted text of which the lines that differ are shown."""

    sha256: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Travelling:
    format: str
    proposal: str
    """The proposal's envelope, with the signatures it has so far."""
    trust: tuple[TrustFile, ...]
    """The policy it is to be signed under."""
    replaces: str = ""
    """The envelope of the baseline it replaces; empty: there is none, or none that is trusted."""
    doubt: str = ""
    """Why the one it replaces is not trusted, in the words of whoever sent it."""
    texts: tuple[KeptText, ...] = ()


def travelling_bytes(value: Travelling) -> bytes:
    """The file, in its one form: one line."""
    return dumps(value) + b"\n"


def read_travelling(data: bytes) -> Travelling:
    """What a file holds. Nothing in it is believed yet, but that its texts are those it names.

    Raises:
        TrustError: it is no such file, in another form than we write, too large, or one of its texts was altered.
    """
    if len(data) > LARGEST:
        raise TrustError(f"an approval of {len(data)} bytes is larger than the {LARGEST} allowed", AGAIN)
    try:
        value = loads(Travelling, data)
        again = travelling_bytes(value)
    except (CodecError, ValueError) as error:
        raise TrustError(f"this is not an approval on its way: {error}", AGAIN) from error
    if value.format != FORMAT:
        raise TrustError(f"this is not {FORMAT!r}", "a newer crane-verify may have written it")
    if again != data:
        raise TrustError("the approval is not written as it was: spaces, escapes or empty fields differ", AGAIN)
    for each in value.texts:
        if hashlib.sha256(each.content).hexdigest() != each.sha256:
            raise TrustError("a text in the approval is not the one it is named after: it was altered", AGAIN)
    return value
