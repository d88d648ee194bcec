"""The policy: whose keys are trusted, who holds which role, and how many of which role a kind of statement needs.

A policy that could be misread does not exist: making one checks it, whether it comes from a file or from code. Where it comes
from, and who signed it, is `trust.roots`'s to say; ports that began before there were roots have it in `trust/policy.json`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from verifier.errors import TrustError
from verifier.model.codec import CodecError, loads
from verifier.trust.keys import Algorithm, PublicKey
from verifier.trust.quorum import Seat, seated
from verifier.trust.statement import BASELINE, FINDING, KINDS, REPORT, VISIT_APPROVED, VISIT_OPENED, WITHDRAWAL

ASK = "ask whoever set up trust for this site"
ROOT, WITNESS = "root", "witness"
"""The role of those who may change the policy, and of those who cosign checkpoints of the log."""
CHANGE, CHECKPOINT = "policy", "checkpoint"
"""What they sign, as a quorum names it. Neither is a statement of the record."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    owner: str
    """The person or service that alone holds the other half: `A. Engineer`."""
    public: PublicKey
    not_before: datetime | None = None
    not_after: datetime | None = None
    """Later signatures do not count; earlier ones still do."""
    compromised_since: datetime | None = None
    """From here on, somebody else may have been signing with it."""

    def refusal(self, at: datetime, known_by: datetime | None = None) -> str:
        """Why a signature of this time does not count, in words; empty: it does.

        `known_by` is when the signature was there at the latest, on the word of witnesses or of a time stamp; None: nobody knows.
        A thief writes whatever time he likes: a key that was ever stolen is good for what was known before, and for nothing else.
        """
        if self.compromised_since and (known_by is None or known_by >= self.compromised_since):
            return f"the key of {self.owner} counts as stolen since {self.compromised_since:%Y-%m-%d %H:%M} UTC"
        if self.not_after and at > self.not_after:
            return f"the key of {self.owner} was valid until {self.not_after:%Y-%m-%d %H:%M} UTC"
        if self.not_before and at < self.not_before:
            return f"the key of {self.owner} is valid from {self.not_before:%Y-%m-%d %H:%M} UTC only"
        return ""


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    members: tuple[str, ...]
    """Owners of keys."""


@dataclass(frozen=True, slots=True)
class Quorum:
    statement: str
    """What is signed: as what statements are (`baseline`, `visit`), or `policy` or `checkpoint`, which are none."""
    seats: tuple[Seat, ...]
    also: tuple[Algorithm, ...] = ()
    """Whoever fills a seat must have signed with keys of these algorithms too, beside an ordinary one."""


@dataclass(frozen=True, slots=True)
class TimeAuthority:
    """Somebody whose time stamps (RFC 3161) are believed."""

    name: str
    certificates: tuple[str, ...]
    """DER in base64: the certificate that signs the stamps, then those above it up to the root."""


@dataclass(frozen=True, slots=True)
class Policy:
    keys: tuple[TrustedKey, ...]
    roles: tuple[Role, ...]
    quorums: tuple[Quorum, ...]
    format: int = 1
    """Of the file. Another number is refused."""
    time_authorities: tuple[TimeAuthority, ...] = ()
    version: int = 0
    """Which version of the signed policy this is; 0: it is of before there were roots, and nobody signed it."""
    expires: datetime | None = None
    """After this it must be signed anew; until then checks go on, and none is called a match."""

    def __post_init__(self) -> None:
        if why := _refusal(self):
            raise TrustError(
                f"the policy is refused: {why}", "`crane-verify trust` changes a policy; until then nothing is trusted"
            )

    def owner(self, key_id: str) -> str:
        """Whose key this is; empty for a stranger's."""
        return next((key.owner for key in self.keys if key.public.key_id == key_id), "")

    def roles_of(self, owner: str) -> frozenset[str]:
        return frozenset(role.name for role in self.roles if owner in role.members)

    def seats(self, statement: str) -> tuple[Seat, ...]:
        """Who must sign this. Raises as `quorum`."""
        return self.quorum(statement).seats

    def quorum(self, statement: str) -> Quorum:
        """Who must sign this, and with what.

        Raises:
            TrustError: the policy does not say. Then nobody can.
        """
        for quorum in self.quorums:
            if quorum.statement == statement:
                return quorum
        raise TrustError(f"the policy does not say who may sign a {statement}", ASK)

    def holders(self, role: str) -> tuple[TrustedKey, ...]:
        """The keys of everybody in a role."""
        return tuple(key for key in self.keys if role in self.roles_of(key.owner))

    def log_keys(self, even_stolen: bool = False) -> tuple[PublicKey, ...]:
        """Whose signature under a checkpoint of the log counts: that of all who may sign reports.

        A checkpoint does not tell when it was signed, so keys that have run out count, and one that was ever stolen does not.
        `even_stolen` is for the writer, who must go on from the last checkpoint there is. Its format knows Ed25519 alone.
        """
        return tuple(
            key.public
            for key in self.keys
            if _signs_reports(key.owner, self)
            and key.public.algorithm is Algorithm.ED25519
            and (even_stolen or not key.compromised_since)
        )


SIGNED = {kind.signed_as for kind in KINDS} | {CHANGE, CHECKPOINT}
"""What a quorum can be for."""


def read_policy(data: bytes) -> Policy:
    """The policy in a file.

    Raises:
        TrustError: the file is not a policy, or the policy is one that nobody should follow.
    """
    try:
        return loads(Policy, data)
    except CodecError as error:
        raise TrustError(f"the policy cannot be read: {error}", "restore trust/policy.json from a copy") from error
    except TrustError as error:
        raise TrustError(f"trust/policy.json: {error}", error.hint) from error


def policy_for_one(name: str, public_key: PublicKey, collector_key: PublicKey) -> Policy:
    """A small port: one engineer approves baselines, one machine signs reports. Both may use the same key."""
    service = name if collector_key == public_key else "collector"
    keys = {key: TrustedKey(owner, key) for owner, key in ((service, collector_key), (name, public_key))}
    return Policy(
        keys=tuple(keys.values()),
        roles=(Role("engineer", (name,)), Role("collector", (service,)), Role(ROOT, (name,))),
        quorums=(
            Quorum(BASELINE.word, (Seat("engineer", 1),)),
            Quorum(WITHDRAWAL.word, (Seat("engineer", 1),)),
            Quorum(FINDING.word, (Seat("engineer", 1),)),
            Quorum(VISIT_OPENED.signed_as, (Seat("engineer", 1),)),
            Quorum(VISIT_APPROVED.signed_as, (Seat("engineer", 1),)),
            Quorum(REPORT.word, (Seat("collector", 1),)),
            Quorum(CHANGE, (Seat(ROOT, 1),)),
        ),
    )


def _refusal(policy: Policy) -> str:
    """The first rule a policy breaks, in words; empty: none."""
    owners = {key.owner for key in policy.keys}
    roles = {role.name for role in policy.roles}
    if policy.format != 1:
        return f"its format is {policy.format}, and this version reads 1"
    if not policy.quorums:
        return "it names no quorum"
    return (
        _said_twice("key", (key.public.spki for key in policy.keys))
        or _look_alike("person", owners)
        or _said_twice("role", (role.name for role in policy.roles))
        or _said_twice("quorum", (quorum.statement for quorum in policy.quorums))
        or _unknown("kind of statement", {quorum.statement for quorum in policy.quorums}, SIGNED)
        or _said_twice("time authority", (authority.name for authority in policy.time_authorities))
        or "".join(_role_refusal(role, owners) for role in policy.roles)
        or next(filter(None, (_quorum_refusal(quorum, policy, roles) for quorum in policy.quorums)), "")
        or next(filter(None, (_log_refusal(owner, policy) for owner in sorted(owners))), "")
    )


def _signs_reports(owner: str, policy: Policy) -> bool:
    roles = {seat.role for quorum in policy.quorums if quorum.statement == REPORT.word for seat in quorum.seats}
    return not roles.isdisjoint(policy.roles_of(owner))


def _log_refusal(owner: str, policy: Policy) -> str:
    """Whoever signs reports signs the log's checkpoints too, and those know one algorithm."""
    algorithms = {key.public.algorithm for key in policy.keys if key.owner == owner}
    if not _signs_reports(owner, policy) or Algorithm.ED25519 in algorithms:
        return ""
    return f"{owner} signs reports, and with them the checkpoints of the record, which takes an Ed25519 key"


def _role_refusal(role: Role, owners: set[str]) -> str:
    return _said_twice(f"member of {role.name}", role.members) or _unknown("person", set(role.members), owners)


def _quorum_refusal(quorum: Quorum, policy: Policy, roles: set[str]) -> str:
    if not quorum.seats:
        return f"the quorum for a {quorum.statement} is empty"
    for seat in quorum.seats:
        if seat.count < 1:
            return f"the quorum for a {quorum.statement} asks for {seat.count} of {seat.role}"
    if why := _said_twice(f"seat for a {quorum.statement}", (seat.role for seat in quorum.seats)):
        return why
    if why := _unknown("role", {seat.role for seat in quorum.seats}, roles):
        return why
    if odd := [algorithm for algorithm in quorum.also if not algorithm.only_beside_another]:
        return f"the quorum for a {quorum.statement} asks for {odd[0]} beside another, which stands by itself"
    if why := _said_twice(f"algorithm for a {quorum.statement}", (each.value for each in quorum.also)):
        return why
    # whoever leaves a quorum that cannot be met finds out on the night it is needed
    lacking = {owner: _lacking_key(owner, quorum, policy) for owner in sorted({key.owner for key in policy.keys})}
    able = {owner: policy.roles_of(owner) for owner, key in lacking.items() if not key}
    if empty := seated(quorum.seats, able).empty:
        keys = "".join(
            f"; {owner} has no {key} key" for owner, key in lacking.items() if key and policy.roles_of(owner) & {*empty}
        )
        return f"even with every signature a {quorum.statement} lacks {' and '.join(empty)}; one person fills one seat{keys}"
    return ""


def _lacking_key(owner: str, quorum: Quorum, policy: Policy) -> str:
    """What kind of key somebody still needs to fill a seat: one that counts by itself, or one to stand beside it; empty: none."""
    algorithms = {key.public.algorithm for key in policy.keys if key.owner == owner}
    if all(each.only_beside_another for each in algorithms):
        return "ordinary"
    return next((each.value for each in quorum.also if each not in algorithms), "")


def _said_twice(what: str, names: Iterable[str]) -> str:
    twice = [name for name, count in Counter(names).items() if count > 1]
    return f"the {what} {twice[0]!r} stands twice" if twice else ""


def _look_alike(what: str, names: Iterable[str]) -> str:
    """Two spellings that read as one name would let one person fill two seats unseen."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        if not name.strip() or not name.isprintable():
            return f"a {what} is called {name!r}"
        plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        if plain in seen:
            return f"{seen[plain]!r} and {name!r} are too alike to be two names"
        seen[plain] = name
    return ""


def _unknown(what: str, named: set[str], known: set[str]) -> str:
    strangers = sorted(named - known)
    return f"{strangers[0]!r} is no {what} it knows" if strangers else ""
