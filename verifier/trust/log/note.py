"""Signed notes (C2SP signed-note): a text for people and programs, and signature lines below it.

A note is read in its one form or refused. What a line below it is worth, only a key from elsewhere can say: lines by keys that
are not known are passed over, as the format demands; a line that claims a known key and does not hold refuses the whole note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from verifier.errors import TrustError
from verifier.trust.keys import MAKE_A_KEY, Algorithm, PublicKey, Signer

ED25519 = 0x01
LARGEST = 1_000_000
"""Bytes of a note."""
MOST_SIGNATURES = 100
DASH = "— "
_CONTROL = re.compile(r"[\0-\t\v-\x1f]")
ALTERED = "fetch it again from where it was signed"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    name: str
    """Of the key."""
    key_id: bytes
    """Four bytes that tell keys of one name apart. They protect nothing."""
    sig: bytes

    def line(self) -> str:
        return f"{DASH}{self.name} {base64.b64encode(self.key_id + self.sig).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    text: str
    """What is signed, with its last line break."""
    signatures: tuple[NoteSignature, ...]

    def written(self) -> bytes:
        return (self.text + "\n" + "".join(each.line() for each in self.signatures)).encode()


def key_id(name: str, kind: int, public: PublicKey) -> bytes:
    """The key's four bytes: the beginning of SHA-256 over name, line break, type of signature, bare public key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public.raw).digest()[:4]


def verifier_key(name: str, public: PublicKey, kind: int = ED25519) -> str:
    """The key as other programs want it: `NAME+HEX+BASE64`."""
    return f"{name}+{key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public.raw).decode()}"


def signed(text: str, name: str, signer: Signer) -> Note:
    """A note with one signature.

    Raises:
        TrustError: the text or the name cannot stand in a note, or the key cannot be used, or is not Ed25519.
    """
    if signer.public.algorithm is not Algorithm.ED25519:
        raise TrustError(f"checkpoints know Ed25519 alone, and the key here is {signer.public.algorithm}", MAKE_A_KEY)
    signature = NoteSignature(name, key_id(name, ED25519, signer.public), signer.sign(text.encode()))
    return read_note(Note(text, (signature,)).written())


def read_note(data: bytes) -> Note:
    """A note as it came. Nothing in it is believed yet.

    Raises:
        TrustError: it is not a note in its one form.
    """
    if len(data) > LARGEST:
        raise TrustError(f"a signed note of {len(data)} bytes is larger than the {LARGEST} allowed", ALTERED)
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise TrustError("a signed note is not UTF-8", ALTERED) from error
    if _CONTROL.search(whole):
        raise TrustError("a signed note holds control characters", ALTERED)
    text, blank, below = whole.rpartition("\n\n")
    lines = below.split("\n")
    if not blank or lines.pop() or not 0 < len(lines) <= MOST_SIGNATURES:
        raise TrustError("this is not a signed note: a text, an empty line, and lines of signatures", ALTERED)
    return Note(text + "\n", tuple(_signature(line) for line in lines))


def holds(note: Note, name: str, keys: Iterable[PublicKey]) -> bool:
    """Whether one of these keys, under this name, signed the note as it stands.

    Raises:
        TrustError: a line claims one of the keys, and does not hold.
    """
    known = [(key_id(name, ED25519, key), key) for key in keys]
    found = False
    for line in note.signatures:
        candidates = [key for number, key in known if (name, number) == (line.name, line.key_id)]
        if candidates:
            if not any(key.holds(line.sig, note.text.encode()) for key in candidates):
                raise TrustError(f"the signature of {name} does not fit the text above it", ALTERED)
            found = True
    return found


def strict_base64(text: str) -> bytes:
    """Base64 in its one form.

    Raises:
        TrustError: it is not.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise TrustError(f"{text[:60]!r} is not base64", ALTERED) from error
    if base64.b64encode(data).decode() != text:
        raise TrustError(f"{text[:60]!r} is not base64 in its one form", ALTERED)
    return data


def strict_number(text: str) -> int:
    """A decimal number from 0 up to 2^63 - 1, without leading zeroes.

    Raises:
        TrustError: it is not.
    """
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else -1
    if str(number) != text or number >= 2**63:
        raise TrustError(f"{text[:60]!r} is not a number as it must be written", ALTERED)
    return number


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    if not line.startswith(DASH) or not name or "+" in name or any(character.isspace() for character in name):
        raise TrustError(f"{line[:60]!r} is not a line of a signature", ALTERED)
    data = strict_base64(encoded)
    if len(data) < 5:
        raise TrustError(f"{line[:60]!r} holds no signature", ALTERED)
    return NoteSignature(name, data[:4], data[4:])
