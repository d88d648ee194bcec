"""The root: the keys of those who may change the policy, and how many of them it takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, Key, Role, Root

from verifier.errors import TrustError
from verifier.model.codec import from_json, to_json
from verifier.model.policy_record import TrustFile
from verifier.trust.keys import PublicKey
from verifier.trust.policy import CHANGE, ROOT, Policy
from verifier.trust.roots.form import OURS, SPECIFICATION, Signatures, in_one_form, read_file, taken_apart
from verifier.trust.roots.keys import from_tuf, to_tuf
from verifier.trust.roots.trusted import RESTORE

OWNERS = OURS + "owners"
FIX = "`crane-verify trust quorum policy root=1` says how many of role root it takes to change the policy"


@dataclass(frozen=True, slots=True)
class RootKey:
    owner: str
    public: PublicKey


@dataclass(frozen=True, slots=True)
class RootTerms:
    """Who may change the policy."""

    keys: tuple[RootKey, ...]
    """By key id."""
    threshold: int
    """How many persons, which is more than TUF's own reading of it: how many keys."""

    def __post_init__(self) -> None:
        if len(self.key_ids) != len(self.keys):
            raise TrustError("a key stands twice among those who may change the policy", "each person has a key of their own")
        able = {key.owner for key in self.keys}
        if not 1 <= self.threshold <= len(able):
            raise TrustError(f"{self.threshold} must sign a change of the policy, and {len(able)} could", FIX)

    def owners(self, key_ids: Iterable[str]) -> frozenset[str]:
        """The persons behind these keys; strangers are left out."""
        ids = set(key_ids)
        return frozenset(key.owner for key in self.keys if key.public.key_id in ids)

    @property
    def key_ids(self) -> frozenset[str]:
        return frozenset(key.public.key_id for key in self.keys)


@dataclass(frozen=True, slots=True)
class RootVersion:
    """One root as it was read: what it says, and what python-tuf needs to check the next by it."""

    name: str
    terms: RootTerms
    expires: datetime
    signed: Root
    signatures: Signatures


@dataclass(frozen=True, slots=True)
class _Owner:
    key: str
    owner: str


def root_terms(policy: Policy) -> RootTerms:
    """Who may change this policy: those in role root whose key has no end, as the quorum `policy` says.

    TUF knows no key windows. A key that ends, was stolen, or only counts beside another one therefore never stands in a root.

    Raises:
        TrustError: the policy does not say, or asks for more than are able.
    """
    quorum = policy.quorum(CHANGE)
    if [seat.role for seat in quorum.seats] != [ROOT] or quorum.also:
        raise TrustError("a change of the policy must be signed by role root alone, with ordinary keys", FIX)
    held = (key for key in policy.holders(ROOT) if not (key.not_before or key.not_after or key.compromised_since))
    keys = [RootKey(key.owner, key.public) for key in held if not key.public.algorithm.only_beside_another]
    return RootTerms(tuple(sorted(keys, key=lambda key: key.public.key_id)), quorum.seats[0].count)


def root_metadata(terms: RootTerms, version: int, expires: datetime) -> Root:
    """The root as TUF has it. All four top-level roles are held by the same keys."""
    ids = sorted(terms.key_ids)
    keys: dict[str, Key] = {key.public.key_id: to_tuf(key.public) for key in terms.keys}
    roles = {name: Role(list(ids), terms.threshold) for name in TOP_LEVEL_ROLE_NAMES}
    owners = {OWNERS: [to_json(_Owner(key.public.key_id, key.owner)) for key in terms.keys]}
    return Root(version, SPECIFICATION, expires, keys, roles, True, owners)


def read_root(file: TrustFile, version: int) -> RootVersion:
    """A root, on nobody's word yet.

    Raises:
        TrustError: it is none, another version than its name says, or not in its one form.
    """
    signed, signatures = read_file(file)
    if not isinstance(signed, Root) or signed.version != version:
        raise TrustError(f"{file.name} holds no root of version {version}", RESTORE)
    root = signed
    terms = taken_apart(file.name, lambda: _terms(root))
    in_one_form(file, root_metadata(terms, version, root.expires), signatures)
    return RootVersion(file.name, terms, root.expires, root, signatures)


def _terms(root: Root) -> RootTerms:
    owners = from_json(tuple[_Owner, ...], root.unrecognized_fields[OWNERS])
    keys = tuple(RootKey(each.owner, from_tuf(root.keys[each.key])) for each in owners)
    return RootTerms(keys, root.roles[ROOT].threshold)
