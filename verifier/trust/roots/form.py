"""The one form of a file of metadata: JSON, one space of indent, sorted keys, ASCII, a line end; signatures sorted by key id.

A file is read by python-tuf, taken apart into our value, and refused unless writing that value again gives the same bytes. So
there is no bit in it that nobody looks at.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from securesystemslib.signer import Signature  # type: ignore[attr-defined]  # public, but not in its __all__
from tuf.api.metadata import Root, Targets
from tuf.api.serialization import DeserializationError, SerializationError
from tuf.api.serialization.json import CanonicalJSONSerializer, JSONDeserializer

from verifier.errors import TrustError
from verifier.model.codec import CodecError, parse
from verifier.model.policy_record import TrustFile
from verifier.trust.roots.trusted import LARGEST, RESTORE, file_bytes

T = TypeVar("T")

SPECIFICATION = "1.0.31"
"""The version of the TUF specification we write. It stays, whatever the library's own becomes: files keep their bytes."""
OURS = "x-crane-verify-"
"""What the names of our own signed fields begin with."""

Signed = Root | Targets
Signatures = dict[str, bytes]
"""Key id to the bare signature."""


def read_file(file: TrustFile) -> tuple[Signed, Signatures]:
    """What python-tuf reads in a file, on nobody's word.

    Raises:
        TrustError: it is too large, no JSON that two readers would agree on, or no root or targets metadata.
    """
    data = file_bytes(file)
    if len(data) > LARGEST:
        raise TrustError(f"{file.name} is larger than {LARGEST} bytes", RESTORE)
    try:
        parse(data)
        found = JSONDeserializer().deserialize(data)
        signatures = {key_id: bytes.fromhex(each.signature) for key_id, each in found.signatures.items()}
    except (CodecError, DeserializationError, ValueError, TypeError, AttributeError) as error:
        raise TrustError(f"{file.name} cannot be read: {_reason(error)}", RESTORE) from error
    if not isinstance(found.signed, Root | Targets):
        raise TrustError(f"{file.name} is neither a root nor the policy", RESTORE)
    return found.signed, signatures


def in_one_form(file: TrustFile, signed: Signed, signatures: Signatures) -> None:
    """Refuse a file that is not exactly what we would write for what was read in it.

    Raises:
        TrustError: it is not.
    """
    if file_text(signed, signatures) != file.text:
        raise TrustError(f"{file.name} is not written as crane-verify writes it: it was altered", RESTORE)


def file_text(signed: Signed, signatures: Signatures) -> str:
    """A file of metadata."""
    listed = [{"keyid": key_id, "sig": signatures[key_id].hex()} for key_id in sorted(signatures)]
    return json.dumps({"signatures": listed, "signed": signed.to_dict()}, indent=1, sort_keys=True) + "\n"


def signed_bytes(signed: Signed) -> bytes:
    """What is signed: OLPC canonical JSON, as TUF has it.

    Raises:
        TrustError: a text in it cannot be written, such as half a surrogate pair.
    """
    try:
        return CanonicalJSONSerializer().serialize(signed)
    except SerializationError as error:
        raise TrustError("a text of the policy cannot be written as UTF-8", "spell names without it") from error


def for_tuf(signatures: Signatures) -> dict[str, Signature]:
    return {key_id: Signature(key_id, signature.hex()) for key_id, signature in signatures.items()}


def taken_apart(name: str, take: Callable[[], T]) -> T:
    """Our value out of python-tuf's.

    Raises:
        TrustError: it does not have what ours has.
    """
    try:
        return take()
    except TrustError as error:
        raise TrustError(f"{name}: {error}", RESTORE) from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TrustError(f"{name} cannot be read: {_reason(error)}", RESTORE) from error


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return f"it lacks {cause}" if isinstance(cause, KeyError) else str(cause)[:200]
