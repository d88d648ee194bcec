"""A version of the policy on its way to its signatures: made from the one in force, signed by one person after another.

It is one file, `N.targets.json`, or two where the root changes as well. They travel as they are; signatures do not change what is
signed, so copies signed at different desks are put together again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tuf.api.metadata import Root, Targets

from verifier.errors import TrustError, UsageError
from verifier.model.policy_record import TrustFile
from verifier.trust.keys import PublicKey, Signer
from verifier.trust.policy import Policy
from verifier.trust.roots.chain import NAME, Chain, chained, signed_by
from verifier.trust.roots.form import Signatures, Signed, file_text, signed_bytes
from verifier.trust.roots.root import RootTerms, RootVersion, read_root, root_metadata, root_terms
from verifier.trust.roots.targets import TargetsVersion, read_targets, targets_metadata
from verifier.trust.roots.trusted import Trusted, read_trust

NOT_NEXT = "make the change anew from the policy in force"


@dataclass(frozen=True, slots=True)
class Missing:
    """Signatures that a draft still needs."""

    count: int
    """How many persons more."""
    among: tuple[tuple[str, PublicKey], ...]
    """Who could: name and key."""


@dataclass(frozen=True, slots=True)
class Draft:
    before: tuple[TrustFile, ...]
    """The files in force; none: this is the first version."""
    files: tuple[TrustFile, ...]
    """`N.root.json` where the root changes, then `N.targets.json`."""
    policy: Policy
    """As it will be in force."""
    signed: tuple[str, ...]
    """Who has signed so far."""
    missing: tuple[Missing, ...]
    """None: it is complete."""


def first_draft(policy: Policy, expires: datetime) -> Draft:
    """Version 1 of a policy, to be signed by those it names as root.

    Raises:
        TrustError: it names none, or fewer than it asks for.
    """
    terms, until = root_terms(policy), expires.replace(microsecond=0)
    named = replace(policy, version=1, expires=until)
    return _draft((), _file(root_metadata(terms, 1, until)), _file(targets_metadata(named, 1)))


def next_draft(before: Trusted, policy: Policy, expires: datetime | None = None) -> Draft:
    """The next version: what the policy is to become, until then if given, else until the one in force ends.

    There is a new root only where its keys, its threshold or its end change.

    Raises:
        TrustError: nobody could change the policy after this.
    """
    chain = chained(before.files)
    terms, number = root_terms(policy), chain.newest.signed.version
    root: tuple[TrustFile, ...] = ()
    if terms != chain.newest.terms or expires is not None:
        number += 1
        root = (_file(root_metadata(terms, number, (expires or chain.newest.expires).replace(microsecond=0))),)
    until = (expires or chain.targets.signed.expires).replace(microsecond=0)
    named = replace(policy, version=chain.policy.version + 1, expires=until)
    return _draft(before.files, *root, _file(targets_metadata(named, number)))


def read_draft(before: Trusted | None, files: Sequence[TrustFile]) -> Draft:
    """A draft that lay somewhere, on the way.

    Raises:
        TrustError: it is not the next version after the one in force, was altered, or a signature in it does not hold.
    """
    return _draft(before.files if before and before.fingerprint else (), *files)


def with_signature(draft: Draft, signer: Signer) -> Draft:
    """The draft with one person's signature more, wherever theirs is asked for.

    Raises:
        UsageError: it is not asked for, or is there already.
    """
    parts = _parts(draft.before, draft.files)
    wanted = [(part, terms) for part, terms in parts.asked if any(signer.key_id in each.key_ids for each in terms)]
    if not wanted:
        raise UsageError(
            f"the key {signer.public.fingerprint} is not that of anybody who may change the policy",
            "`crane-verify trust show` names them; --key says which key to use",
        )
    todo = {part.name for part, _ in wanted if signer.key_id not in part.signatures}
    if not todo:
        raise UsageError(f"the key {signer.public.fingerprint} has signed this already", "another person's signature is needed")
    files = []
    for part, _ in parts.asked:
        signatures = dict(part.signatures)
        if part.name in todo:
            signatures[signer.key_id] = signer.sign(signed_bytes(part.signed))
        files.append(_file(part.signed, signatures))
    return _draft(draft.before, *files)


def merged(draft: Draft, other: Draft) -> Draft:
    """One draft with the signatures of both copies.

    Raises:
        UsageError: they do not say the same.
    """
    files = []
    mine, theirs = _parts(draft.before, draft.files).asked, _parts(other.before, other.files).asked
    if [part.name for part, _ in mine] != [part.name for part, _ in theirs]:
        raise UsageError("two different changes of the policy wait under one number", "look at both; give one up")
    for (part, _), (copy, _) in zip(mine, theirs, strict=True):
        if signed_bytes(part.signed) != signed_bytes(copy.signed):
            raise UsageError(f"there are two different {part.name}", "look at both with `crane-verify trust sign`; give one up")
        files.append(_file(part.signed, {**copy.signatures, **part.signatures}))
    return _draft(draft.before, *files)


def completed(draft: Draft) -> Trusted:
    """The draft in force.

    Raises:
        TrustError: it does not have the signatures it needs.
    """
    return read_trust((*draft.before[:-1], *draft.files))


@dataclass(frozen=True, slots=True)
class _Parts:
    """A draft, read."""

    chain: Chain | None
    root: RootVersion | None
    targets: TargetsVersion

    @property
    def terms(self) -> RootTerms:
        """Of those who sign the policy: the root it will hang on."""
        newest = self.root or (self.chain and self.chain.newest)
        assert newest, "a first version has a root of its own"
        return newest.terms

    @property
    def asked(self) -> tuple[tuple[RootVersion | TargetsVersion, tuple[RootTerms, ...]], ...]:
        """Each file, and who must sign it: a new root, those of the old one as well."""
        if self.root is None:
            return ((self.targets, (self.terms,)),)
        old = (self.chain.newest.terms,) if self.chain else ()
        return ((self.root, (*old, self.root.terms)), (self.targets, (self.terms,)))


def _parts(before: tuple[TrustFile, ...], files: Sequence[TrustFile]) -> _Parts:
    chain = chained(before) if before else None
    version, number = (chain.policy.version, chain.newest.signed.version) if chain else (0, 0)
    named = {match[2]: file for file in files if (match := NAME.fullmatch(file.name))}
    expected = {"root": f"{number + 1}.root.json", "targets": f"{version + 1}.targets.json"}
    if not files or len(named) != len(files) or any(file.name != expected[kind] for kind, file in named.items()):
        names = " and ".join(file.name for file in files) or "nothing"
        raise TrustError(f"{names} does not follow on version {version} of the policy, which is in force here", NOT_NEXT)
    if "targets" not in named:
        raise TrustError(f"{expected['targets']} is missing beside {expected['root']}", "give the folder that holds both")
    root = read_root(named["root"], number + 1) if "root" in named else None
    if root is None and chain is None:
        raise TrustError(f"{expected['root']} is missing beside {expected['targets']}", "give the folder that holds both")
    found = _Parts(chain, root, read_targets(named["targets"], version + 1))
    _belong_together(found, number)
    return found


def _belong_together(parts: _Parts, number: int) -> None:
    made_under, targets = parts.targets.root_version, parts.targets
    if made_under != number + (parts.root is not None):
        raise TrustError(
            f"{targets.name} belongs to {made_under}.root.json, which is not here",
            "give the folder that holds both files of a change",
        )
    if root_terms(targets.policy) != parts.terms:
        raise TrustError(f"{targets.name} and its root do not name the same people as root", NOT_NEXT)


def _draft(before: tuple[TrustFile, ...], *files: TrustFile) -> Draft:
    parts = _parts(before, files)
    signed: set[str] = set()
    missing: dict[Missing, None] = {}
    for part, asked in parts.asked:
        _no_stranger(part, asked)
        for terms in asked:
            role = Root.type if isinstance(part, RootVersion) else Targets.type
            # a delegator that asks python-tuf for exactly these keys: the old root's, or the new one's
            persons = signed_by(root_metadata(terms, 1, part.signed.expires), terms, role, part)
            signed |= persons
            if len(persons) < terms.threshold:
                able = tuple((key.owner, key.public) for key in terms.keys if key.owner not in persons)
                missing[Missing(terms.threshold - len(persons), able)] = None
    ends = [part.signed.expires for part, _ in parts.asked] + (
        [parts.chain.newest.expires] if parts.chain and not parts.root else []
    )
    policy = replace(parts.targets.policy, expires=min(ends))
    return Draft(before, tuple(files), policy, tuple(sorted(signed)), tuple(missing))


def _no_stranger(part: RootVersion | TargetsVersion, asked: tuple[RootTerms, ...]) -> None:
    """Every signature in it is by somebody who is asked, and holds."""
    good = {key.public.key_id: key.public for terms in asked for key in terms.keys}
    payload = signed_bytes(part.signed)
    for key_id, signature in part.signatures.items():
        if key_id not in good or not good[key_id].holds(signature, payload):
            raise TrustError(
                f"{part.name} carries a signature by {key_id[:16]}... that does not hold", "it was altered on its way"
            )


def _file(signed: Signed, signatures: Signatures | None = None) -> TrustFile:
    return TrustFile(f"{signed.version}.{signed.type}.json", file_text(signed, signatures or {}))
