"""Signed policies, made as people make them, for the tests of the roots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.trust_fixtures import COLLECTOR, ENGINEER, NOW, OFFICER, SECOND_ENGINEER
from verifier.model.policy_record import TrustFile
from verifier.trust.keys import Signer
from verifier.trust.policy import CHANGE, ROOT, Policy, Quorum, Role, TrustedKey, policy_for_one
from verifier.trust.quorum import Seat
from verifier.trust.roots.draft import Draft, completed, first_draft, next_draft, with_signature
from verifier.trust.roots.form import file_text, read_file, signed_bytes
from verifier.trust.roots.trusted import Trusted

YEAR = timedelta(days=365)
ENDS = NOW + YEAR
ONE = policy_for_one("A. Engineer", ENGINEER.public, COLLECTOR.public)
"""A port of one person, who is also root."""


def with_root(policy: Policy, members: tuple[str, ...], count: int, *keys: TrustedKey) -> Policy:
    """The policy with others in role root, so many of whom must sign a change."""
    roles = tuple(role for role in policy.roles if role.name != ROOT)
    quorums = tuple(quorum for quorum in policy.quorums if quorum.statement != CHANGE)
    return replace(
        policy,
        keys=(*policy.keys, *keys),
        roles=(*roles, Role(ROOT, members)),
        quorums=(*quorums, Quorum(CHANGE, (Seat(ROOT, count),))),
    )


TWO = with_root(
    ONE,
    ("A. Engineer", "O. Officer", "B. Engineer"),
    2,
    TrustedKey("O. Officer", OFFICER.public),
    TrustedKey("B. Engineer", SECOND_ENGINEER.public),
)
"""Three people, two of whom must sign a change."""


def signed(draft: Draft, *signers: Signer) -> Draft:
    for signer in signers:
        draft = with_signature(draft, signer)
    return draft


def first(policy: Policy = ONE, *signers: Signer, expires: datetime = ENDS) -> Trusted:
    """Version 1 of a policy."""
    return completed(signed(first_draft(policy, expires), *(signers or (ENGINEER,))))


def following(before: Trusted, policy: Policy, *signers: Signer, expires: datetime | None = None) -> Trusted:
    """The version after one."""
    return completed(signed(next_draft(before, policy, expires), *(signers or (ENGINEER,))))


def altered(file: TrustFile, change: Callable[[Any], None], *signers: Signer) -> TrustFile:
    """A file whose signed part somebody changed, signed anew by these, and written as files are written."""
    document = json.loads(file.text)
    change(document["signed"])
    document["signatures"] = []
    unsigned = TrustFile(file.name, json.dumps(document, indent=1, sort_keys=True) + "\n")
    found, _ = read_file(unsigned)
    payload = signed_bytes(found)
    return TrustFile(file.name, file_text(found, {signer.key_id: signer.sign(payload) for signer in signers}))


def resigned(file: TrustFile, *signers: Signer) -> TrustFile:
    """The same content under other signatures."""
    return altered(file, lambda _: None, *signers)
