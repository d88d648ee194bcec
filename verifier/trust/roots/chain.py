"""The chain from the first root to the policy in force, checked step by step.

python-tuf checks signatures and thresholds; on top of it persons are counted and not key ids, and every signature must hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tuf.api.metadata import Root, Targets, VerificationResult

from verifier.errors import TrustError
from verifier.model.policy_record import TrustFile
from verifier.trust.policy import Policy
from verifier.trust.roots.form import for_tuf, signed_bytes
from verifier.trust.roots.root import RootTerms, RootVersion, read_root, root_terms
from verifier.trust.roots.targets import TargetsVersion, read_targets
from verifier.trust.roots.trusted import RESTORE

NAME = re.compile(r"([1-9][0-9]{0,5})\.(root|targets)\.json")
MOST_ROOTS = 1000
NOT_SIGNED = "find out where it comes from, and restore the policy in trust/ from a copy"


@dataclass(frozen=True, slots=True)
class Chain:
    policy: Policy
    files: tuple[TrustFile, ...]
    """The roots in order, then the policy."""
    newest: RootVersion
    targets: TargetsVersion


def chained(files: Sequence[TrustFile]) -> Chain:
    """The policy at the end of a chain of roots. Raises as `read_trust`."""
    # 1. The roots from the first on without a gap, and one policy; nothing else.
    roots, (last, version) = _sorted_out(files)
    # 2. Every root is signed as itself and the one before it ask for.
    newest = _newest(roots)
    # 3. The policy is signed as the newest root asks for, and was made under it.
    found = read_targets(last, version)
    _under(found, newest)
    # 4. Both name the same people as root.
    if root_terms(found.policy) != newest.terms:
        raise TrustError(f"{found.name} and {newest.name} do not name the same people as root", RESTORE)
    # 5. It ends when the first of the two ends.
    policy = replace(found.policy, expires=min(found.signed.expires, newest.expires))
    return Chain(policy, (*roots, last), newest, found)


def signed_by(root: Root, terms: RootTerms, role: str, of: RootVersion | TargetsVersion) -> frozenset[str]:
    """The persons of a root whose signature under a file holds, as python-tuf verifies it; the number may fall short."""
    result = _result(root, role, of)
    return terms.owners(result.signed)


def _result(root: Root, role: str, of: RootVersion | TargetsVersion) -> VerificationResult:
    return root.get_verification_result(role, signed_bytes(of.signed), for_tuf(of.signatures))


def _sorted_out(files: Sequence[TrustFile]) -> tuple[tuple[TrustFile, ...], tuple[TrustFile, int]]:
    roots: dict[int, TrustFile] = {}
    policies: dict[int, TrustFile] = {}
    for file in files:
        match = NAME.fullmatch(file.name)
        if match is None:
            raise TrustError(f"{file.name!r} is no file of a signed policy", RESTORE)
        kind = roots if match[2] == "root" else policies
        if int(match[1]) in kind:
            raise TrustError(f"{file.name} stands twice", RESTORE)
        kind[int(match[1])] = file
    if not roots or len(policies) != 1:
        raise TrustError(f"a policy is one N.targets.json and its roots; here are {len(policies)} and {len(roots)}", RESTORE)
    return _without_gap(roots), next((file, version) for version, file in policies.items())


def _without_gap(roots: Mapping[int, TrustFile]) -> tuple[TrustFile, ...]:
    if len(roots) > MOST_ROOTS:
        raise TrustError(f"there are more than {MOST_ROOTS} roots", RESTORE)
    for number in range(1, len(roots) + 1):
        if number not in roots:
            raise TrustError(f"{number}.root.json is missing", RESTORE)
    return tuple(roots[number] for number in sorted(roots))


def _newest(files: Sequence[TrustFile]) -> RootVersion:
    newest = read_root(files[0], 1)
    _step(newest, newest)
    for number, file in enumerate(files[1:], 2):
        after = read_root(file, number)
        _step(after, newest)
        newest = after
    return newest


def _step(root: RootVersion, before: RootVersion) -> None:
    """One link: signed as the root before asks for, and as it asks for itself."""
    payload, signatures = signed_bytes(root.signed), for_tuf(root.signatures)
    previous = None if root is before else before.signed
    result = root.signed.get_root_verification_result(previous, payload, signatures)
    old = before.terms.owners(result.first.signed)
    new = root.terms.owners(result.second.signed)
    if not result.first.verified or len(old) < before.terms.threshold:
        raise TrustError(_short_of_old(root, before, old), NOT_SIGNED)
    if not result.second.verified or len(new) < root.terms.threshold:
        raise TrustError(f"{root.name} is signed by {len(new)} of the {root.terms.threshold} persons it names", NOT_SIGNED)
    _all_hold(root, set(result.signed))


def _short_of_old(root: RootVersion, before: RootVersion, old: frozenset[str]) -> str:
    asked = before.terms.threshold
    if root is before:
        return f"{root.name} is signed by {len(old)} of the {asked} persons it asks for"
    if not old:
        return f"{root.name} is signed by new keys only, and by nobody whom {before.name} names: another root's, or made up"
    lowers = f" lowers the number of signatures from {asked} to {root.terms.threshold}, and"
    return (
        f"{root.name}{lowers if root.terms.threshold < asked else ''} is signed by {len(old)} of the {asked} persons that "
        f"{before.name} asks for"
    )


def _under(targets: TargetsVersion, root: RootVersion) -> None:
    made_under = targets.root_version
    if made_under != root.signed.version:
        why = f"{targets.name} was made under {made_under}.root.json, and the newest root is {root.name}: it is a mix"
        raise TrustError(why, RESTORE)
    result = _result(root.signed, Targets.type, targets)
    persons, asked = root.terms.owners(result.signed), root.terms.threshold
    if not persons:
        raise TrustError(f"{targets.name} is signed by nobody whom {root.name} names: another root's, or made up", NOT_SIGNED)
    if not result.verified or len(persons) < asked:
        raise TrustError(f"{targets.name} is signed by {len(persons)} of the {asked} persons {root.name} asks for", NOT_SIGNED)
    _all_hold(targets, set(result.signed))


def _all_hold(of: RootVersion | TargetsVersion, good: set[str]) -> None:
    """A signature that is not needed must hold all the same: nothing in a file goes unlooked at."""
    if strangers := sorted(set(of.signatures) - good):
        raise TrustError(f"{of.name} carries a signature by {strangers[0][:16]}... that does not hold: it was altered", RESTORE)
