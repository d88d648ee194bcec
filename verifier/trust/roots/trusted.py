"""What a set of files of `trust/` comes to: the policy in force, the roots it hangs on, and what it grew out of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from verifier.errors import TrustError
from verifier.model.codec import parse
from verifier.model.policy_record import TrustFile
from verifier.trust.policy import Policy, read_policy

UNSIGNED = "policy.json"
"""The policy of ports that began before there were roots. Nobody signed it."""
LARGEST = 1_000_000
"""Bytes of one file: some thousand keys."""
RESTORE = "restore trust/ from a copy; until then there is no policy, and nobody is trusted"
OLDER = "find out who put it there; restore the newer one from a copy"


@dataclass(frozen=True, slots=True)
class Trusted:
    """A policy that holds."""

    policy: Policy
    fingerprint: str
    """SHA-256 of `1.root.json`, 64 hex digits: what an auditor writes down once. Empty for a policy that nobody signed."""
    root_version: int
    """Of the newest root; 0: there is none."""
    files: tuple[TrustFile, ...]
    """Every root from the first on, then the one `N.targets.json` in force; or a lone `policy.json`."""


def read_trust(files: Sequence[TrustFile]) -> Trusted:
    """The policy in these files: every root from the first on, and one `N.targets.json`; or a lone `policy.json`.

    That it has run out is no reason to refuse it: `policy.expires` says when, and whoever uses it says so.

    Raises:
        TrustError: a file is missing, altered, of another root, or signed by too few persons.
    """
    if not files:
        raise TrustError("there is no policy, so nobody is trusted", RESTORE)
    if [file.name for file in files] == [UNSIGNED]:
        return Trusted(_unsigned(files[0]), "", 0, tuple(files))
    # only here: python-tuf takes a tenth of a second to import
    from verifier.trust.roots.chain import chained

    chain = chained(files)
    fingerprint = hashlib.sha256(chain.files[0].text.encode()).hexdigest()
    return Trusted(chain.policy, fingerprint, len(chain.files) - 1, chain.files)


def grew_from(newer: Trusted, older: Trusted) -> None:
    """Whether a policy is the same as an older one, or came after it under the same first root.

    Raises:
        TrustError: it is rolled back, of another root, or of a history that parted from the older one's.
    """
    if not older.fingerprint:
        return  # nobody signed the older one: anything may follow on it
    if not newer.fingerprint:
        raise TrustError(
            f"the policy is one that nobody signed, and version {older.policy.version} of a signed one was in force before", OLDER
        )
    if newer.fingerprint != older.fingerprint:
        raise TrustError(
            f"the policy hangs on another first root: {newer.fingerprint[:16]}... instead of {older.fingerprint[:16]}...",
            "compare both with the fingerprint you wrote down when trust began; trust neither before",
        )
    if newer.root_version < older.root_version:
        raise TrustError(f"the root is rolled back: version {newer.root_version}, and it was {older.root_version} before", OLDER)
    if newer.policy.version < older.policy.version:
        raise TrustError(
            f"the policy is rolled back: version {newer.policy.version}, and it was {older.policy.version} before", OLDER
        )
    known = {file.name: _content(file) for file in older.files}
    for file in newer.files:
        if file.name in known and known[file.name] != _content(file):
            raise TrustError(f"there are two different {file.name}, each properly signed", "ask those who signed which one holds")


def file_bytes(file: TrustFile) -> bytes:
    """The bytes of a file.

    Raises:
        TrustError: its text is none that a file can hold.
    """
    try:
        return file.text.encode()
    except UnicodeEncodeError as error:
        raise TrustError(f"{file.name} is not UTF-8", RESTORE) from error


def _unsigned(file: TrustFile) -> Policy:
    policy = read_policy(file_bytes(file))
    if policy.version or policy.expires:
        raise TrustError("trust/policy.json claims a version or an expiry, and nobody signed it", RESTORE)
    return policy


def _content(file: TrustFile) -> Any:
    """What is signed in a file; who signed it may differ from copy to copy."""
    return parse(file.text.encode())["signed"]
