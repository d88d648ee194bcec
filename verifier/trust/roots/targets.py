"""The policy as TUF has it: a delegated role for each of its roles, and what TUF has no word for as signed fields of our own."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import datetime

from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, DelegatedRole, Delegations, Targets

from verifier.errors import TrustError
from verifier.model.codec import from_json, to_json
from verifier.model.policy_record import TrustFile
from verifier.trust.policy import ROOT, Policy, Quorum, Role, TimeAuthority, TrustedKey
from verifier.trust.roots.form import OURS, SPECIFICATION, Signatures, in_one_form, read_file, taken_apart
from verifier.trust.roots.keys import from_tuf, to_tuf
from verifier.trust.roots.trusted import RESTORE


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What TUF does not know of a key."""

    key: str
    """Its id."""
    owner: str
    not_before: datetime | None = None
    not_after: datetime | None = None
    compromised_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """Our own fields: the policy, but for the keys themselves, its version and its expiry."""

    root: int
    """The version of the root it was made under: an older one beside it, or a newer, is a mix."""
    keys: tuple[KeyTerms, ...]
    roles: tuple[Role, ...]
    quorums: tuple[Quorum, ...]
    format: int
    time_authorities: tuple[TimeAuthority, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetsVersion:
    """The policy as it was read."""

    name: str
    policy: Policy
    """Its expiry is that of this file alone."""
    root_version: int
    signed: Targets
    signatures: Signatures


def targets_metadata(policy: Policy, root_version: int) -> Targets:
    """The policy as TUF has it.

    Raises:
        TrustError: a role has a name that TUF keeps for itself, or the policy has no version or no end.
    """
    if policy.version < 1 or policy.expires is None:
        raise TrustError("the policy has no version and no end, so it cannot be signed", RESTORE)
    fields = {OURS + name.replace("_", "-"): value for name, value in to_json(_terms(policy, root_version)).items()}
    keys = {key.public.key_id: to_tuf(key.public) for key in policy.keys}
    roles = {role.name: _delegated(role, policy) for role in policy.roles if role.name != ROOT}
    return Targets(policy.version, SPECIFICATION, policy.expires, {}, Delegations(dict(keys), roles), fields)


def read_targets(file: TrustFile, version: int) -> TargetsVersion:
    """The policy in a file, on nobody's word yet.

    Raises:
        TrustError: it is none, another version than its name says, or not in its one form.
    """
    signed, signatures = read_file(file)
    if not isinstance(signed, Targets) or signed.version != version:
        raise TrustError(f"{file.name} holds no policy of version {version}", RESTORE)
    targets = signed
    policy, root_version = taken_apart(file.name, lambda: _policy(targets))
    in_one_form(file, targets_metadata(policy, root_version), signatures)
    return TargetsVersion(file.name, policy, root_version, targets, signatures)


def _terms(policy: Policy, root_version: int) -> Terms:
    keys = tuple(
        KeyTerms(key.public.key_id, key.owner, key.not_before, key.not_after, key.compromised_since) for key in policy.keys
    )
    return Terms(root_version, keys, policy.roles, policy.quorums, policy.format, policy.time_authorities)


def _delegated(role: Role, policy: Policy) -> DelegatedRole:
    """A role as a TUF client sees it: the keys of its members that have no end, for what their signature is asked for.

    A reader that knows no key windows must not take a key that ended for a good one.
    """
    if role.name in TOP_LEVEL_ROLE_NAMES or not re.fullmatch(r"[a-z][a-z0-9-]*", role.name):
        raise TrustError(f"{role.name!r} cannot be the name of a role", "small letters, digits and -; TUF keeps some for itself")
    seats = {quorum.statement: seat for quorum in policy.quorums for seat in quorum.seats if seat.role == role.name}
    able = {key.public.key_id for key in policy.holders(role.name) if not (key.not_after or key.compromised_since)}
    threshold = max((seat.count for seat in seats.values()), default=1)
    return DelegatedRole(role.name, sorted(able), threshold, False, [f"{statement}/*" for statement in sorted(seats)])


def _policy(targets: Targets) -> tuple[Policy, int]:
    fields = {name.removeprefix(OURS).replace("-", "_"): value for name, value in targets.unrecognized_fields.items()}
    terms = from_json(Terms, fields)
    found = targets.delegations.keys if targets.delegations else {}
    keys = tuple(
        TrustedKey(each.owner, from_tuf(found[each.key]), each.not_before, each.not_after, each.compromised_since)
        for each in terms.keys
    )
    policy = Policy(keys, terms.roles, terms.quorums, terms.format, terms.time_authorities)
    return dataclasses.replace(policy, version=targets.version, expires=targets.expires), terms.root
