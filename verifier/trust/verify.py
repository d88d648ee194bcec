"""The one function that decides whether a statement is trusted, for every kind of statement.

Keys come from the policy alone, the content is parsed after its signatures hold, and what comes back is parsed from the
very bytes that were verified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from verifier.errors import TrustError
from verifier.trust.envelope import ALTERED, Envelope, Signature, opened
from verifier.trust.keys import Algorithm
from verifier.trust.policy import Policy, TrustedKey
from verifier.trust.quorum import Seating, seated
from verifier.trust.statement import StatementKind, read

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Signatory:
    """A person or service of the policy who signed."""

    name: str
    roles: tuple[str, ...]
    seat: str
    """The role filled in the quorum; empty: the signature holds, and is not needed."""
    key_id: str

    def __str__(self) -> str:
        return f"{self.name} ({self.seat or ', '.join(self.roles) or 'no role'})"


@dataclass(frozen=True, slots=True)
class NotCounted:
    """A signature that was looked at and left out."""

    position: int
    """In the envelope, from 1."""
    key_id: str
    why: str

    def __str__(self) -> str:
        return f"signature {self.position}: {self.why}"


@dataclass(frozen=True, slots=True)
class Approvals:
    """How far an envelope is on its way to being approved."""

    signers: tuple[Signatory, ...]
    missing: tuple[str, ...]
    """Roles whose signature is still needed, one entry per seat; none: the quorum is met."""
    not_counted: tuple[NotCounted, ...]
    lacking: tuple[str, ...] = ()
    """Whose signature does not fill a seat because a second one of another algorithm is asked for, in words."""


@dataclass(frozen=True, slots=True)
class Verified(Generic[T]):
    """A statement that the right people signed. Only `verify` makes one."""

    value: T
    signers: tuple[Signatory, ...]
    sha256: str
    """Of the envelope's bytes, 64 hex digits. What `supersedes`, reports and the record name it by."""
    not_counted: tuple[NotCounted, ...]
    envelope: bytes

    @property
    def signed_sha256(self) -> str:
        """Of the payload alone, 64 hex digits: what a person notes down before signing. Signatures do not change it."""
        return hashlib.sha256(opened(self.envelope).payload).hexdigest()

    @property
    def signer_names(self) -> tuple[str, ...]:
        """For people, with roles: `A. Engineer (engineer)`."""
        return tuple(str(signer) for signer in self.signers)


def verify(
    envelope: bytes, kind: StatementKind[T], policy: Policy, at: datetime, known_by: datetime | None = None
) -> Verified[T]:
    """The value in an envelope, if the policy's quorum for this kind of statement signed it.

    `at` is the time at which the keys must have been valid: now, for a baseline about to be used; the best known time of
    signing, for a report of last year. `known_by` is when the envelope was there at the latest, on the word of witnesses or of a
    time stamp (None: nobody knows); it decides over keys that were stolen.

    Raises:
        TrustError: it is not so. The message says what is missing.
    """
    # 1. The envelope is in its one form, and holds the one payload type.
    found = opened(envelope)
    # 2. to 5. in `_approvals`: whose signatures hold, and which of them count.
    approvals = _approvals(found, kind, policy, at, known_by)
    # 6. They fill every seat of the quorum.
    if approvals.missing:
        raise TrustError(_what_is_missing(kind, approvals), "`crane-verify trust show` says who may sign what")
    # 7. Only now is the content parsed: an in-toto statement of exactly this type and version, whose subjects are its items.
    value = read(kind, found.payload)
    # 8. What goes back is that value, and the digest of the bytes it came in.
    return Verified(value, approvals.signers, hashlib.sha256(envelope).hexdigest(), approvals.not_counted, envelope)


def signed_by(envelope: bytes, kind: StatementKind[Any], policy: Policy, at: datetime) -> Approvals:
    """Who has signed so far and who must still, for an envelope on its way from desk to desk.

    Raises:
        TrustError: it is not an envelope, a signature was altered, or the policy has no quorum for this kind.
    """
    return _approvals(opened(envelope), kind, policy, at, None)


def claimed(envelope: bytes, kind: StatementKind[T]) -> T:
    """What an envelope says, on nobody's word: for showing a proposal to the person who is to sign it, and for nothing else.

    Raises:
        TrustError: it is not a statement of this kind.
    """
    return read(kind, opened(envelope).payload)


def _approvals(
    envelope: Envelope, kind: StatementKind[Any], policy: Policy, at: datetime, known_by: datetime | None
) -> Approvals:
    # 2. The policy says who may sign this kind of statement. If not, nobody may.
    quorum = policy.quorum(kind.signed_as)
    counted: dict[str, TrustedKey] = {}
    beside: dict[str, set[Algorithm]] = {}
    not_counted = []
    signed = envelope.signed_bytes
    for position, signature in enumerate(envelope.signatures, 1):
        # 3. Every signature is tried with every key of the policy, and with no other.
        key = _author(signature, position, signed, policy)
        # 4. Strangers, keys that are not valid at this time, and second signatures of one person do not count.
        why = key.refusal(at, known_by) if key else "it is by nobody the policy knows"
        if key and not why and key.public.algorithm.only_beside_another:
            beside.setdefault(key.owner, set()).add(key.public.algorithm)
            continue
        if key and key.owner in counted:
            why = why or f"{key.owner} has signed already"
        if key is None or why:
            not_counted.append(NotCounted(position, signature.key_id, why))
        else:
            counted[key.owner] = key
    # 5. One person fills one seat, in a role the policy gives, having signed with all that the quorum asks for.
    able = {owner: policy.roles_of(owner) for owner in counted if set(quorum.also) <= beside.get(owner, set())}
    seating = seated(quorum.seats, able)
    lacking = (
        *(f"{owner} has not signed with {' and '.join(quorum.also)} as well" for owner in counted if owner not in able),
        *(
            f"{owner} has signed with {' and '.join(found)} only, which counts beside an ordinary key"
            for owner, found in beside.items()
            if owner not in counted
        ),
    )
    return Approvals(_signatories(counted, seating, policy), seating.empty, tuple(not_counted), lacking)


def _author(signature: Signature, position: int, signed: bytes, policy: Policy) -> TrustedKey | None:
    """Whose signature this is; None: nobody's whom the policy knows.

    The key id is a hint, and only orders the tries. It is not protected, so one that lies is a sign that the file was altered: a
    signature that holds for another key than it says, or does not hold for the trusted key it names, stops everything.
    """
    for key in sorted(policy.keys, key=lambda key: key.public.key_id != signature.key_id):
        if key.public.holds(signature.sig, signed):
            if signature.key_id in ("", key.public.key_id):
                return key
            raise TrustError(f"signature {position} is by {key.owner} and names another key", ALTERED)
    if owner := policy.owner(signature.key_id):
        raise TrustError(f"signature {position} names {owner} and does not fit what was signed", ALTERED)
    return None


def _signatories(counted: Mapping[str, TrustedKey], seating: Seating, policy: Policy) -> tuple[Signatory, ...]:
    seats = dict(seating.filled)
    return tuple(
        Signatory(owner, tuple(sorted(policy.roles_of(owner))), seats.get(owner, ""), key.public.key_id)
        for owner, key in counted.items()
    )


def _what_is_missing(kind: StatementKind[Any], approvals: Approvals) -> str:
    """`the baseline needs one more security-officer; signed by A. Engineer (engineer)`."""
    needs = " and ".join(f"one more {role}" for role in approvals.missing)
    signers = ", ".join(str(signer) for signer in approvals.signers)
    signed = (f"signed by {signers}",) if signers else ()
    if not signers and not approvals.lacking:
        signed = ("nobody the policy knows has signed it",)
    why_not = (*approvals.lacking, *(str(each) for each in approvals.not_counted))
    return "; ".join((f"the {kind.word} needs {needs}", *signed, *why_not))
