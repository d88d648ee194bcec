"""A policy, and what changes from one to the next, in words for the person who is to sign it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime

from verifier.trust.policy import CHANGE, Policy, Quorum, TimeAuthority, TrustedKey


def changes(before: Policy | None, after: Policy) -> tuple[str, ...]:
    """Every difference that has a meaning, one line each; none: both say the same. `before` None: everything is new."""
    return tuple(
        line
        for old, new in zip(_said(before) if before else ({}, {}, {}, {}, {}), _said(after), strict=True)
        for line in _differences(old, new)
    )


def needs(quorum: Quorum) -> str:
    """`a baseline needs 1 engineer and 1 security-officer`"""
    return f"{what_for(quorum.statement)} needs {quorum_words(quorum)}"


def quorum_words(quorum: Quorum) -> str:
    """`1 engineer and 1 security-officer, each with ml-dsa-65 as well`"""
    also = f", each with {' and '.join(quorum.also)} as well" if quorum.also else ""
    return " and ".join(f"{seat.count} {seat.role}" for seat in quorum.seats) + also


def window_words(key: TrustedKey) -> str:
    """From when to when a key counts; empty: always."""
    words = []
    if key.not_before:
        words.append(f"from {_time(key.not_before)}")
    if key.not_after:
        words.append(f"until {_time(key.not_after)}")
    if key.compromised_since:
        words.append(f"stolen since {_time(key.compromised_since)}")
    return ", ".join(words)


def authority_words(authority: TimeAuthority) -> str:
    """By what an authority can be recognised: the SHA-256 of the certificate that signs its stamps, and of those above it."""
    digests = (hashlib.sha256(base64.b64decode(each)).hexdigest() for each in authority.certificates)
    return f"certificate {', under '.join(digests)}"


def _said(policy: Policy) -> tuple[Mapping[str, str], ...]:
    """All that a policy says, by the thing it says it of: keys, who holds which role, quorums, authorities, its end."""
    return (
        {key.public.key_id: _key_words(key) for key in policy.keys},
        {f"{owner} {role.name}": f"{owner} is {role.name}" for role in policy.roles for owner in role.members},
        {quorum.statement: needs(quorum) for quorum in policy.quorums},
        {each.name: f"the time of {each.name} is believed: {authority_words(each)}" for each in policy.time_authorities},
        {"": f"it is valid until {policy.expires:%Y-%m-%d %H:%M} UTC"} if policy.expires else {},
    )


def what_for(statement: str) -> str:
    """What a quorum is for: `a baseline`, `a change of the policy`."""
    return "a change of the policy" if statement == CHANGE else f"a {statement}"


def _key_words(key: TrustedKey) -> str:
    window = window_words(key)
    return f"{key.owner} has the {key.public.algorithm} key {key.public.fingerprint}{f', {window}' if window else ''}"


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name, words in before.items():
        if name not in after:
            yield f"no longer: {words}"
    for name, words in after.items():
        if name not in before:
            yield words
        elif before[name] != words:
            yield f"{words}; before: {before[name]}"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
