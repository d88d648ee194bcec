"""Trusting: how a policy begins, changes, and comes into force once those who may change it have signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from verifier.errors import TrustError, UsageError
from verifier.model.policy_record import TrustFile
from verifier.procedures.policy_history import in_force
from verifier.record.workspace import Workspace
from verifier.trust.keys import PublicKey, Signer
from verifier.trust.policy import Policy, policy_for_one
from verifier.trust.policy_change import signed_for_one
from verifier.trust.roots.draft import Draft, completed, first_draft, merged, next_draft, read_draft, with_signature
from verifier.trust.roots.trusted import Trusted

GIVE_UP = "sign it with `crane-verify trust sign`, or give it up: remove trust/pending"


@dataclass(frozen=True, slots=True)
class InForce:
    trusted: Trusted
    signed: tuple[str, ...]
    """By whom."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Kept in `trust/pending` until it has its signatures."""

    draft: Draft


def begin(workspace: Workspace, name: str, person: Signer, machine: PublicKey, expires: datetime) -> InForce:
    """The first version: one person, and this machine. A policy of before there were roots becomes the first version as it is.

    Raises:
        UsageError: there is a signed policy already, or the old one does not know this person by this key.
        TrustError: the old one is one that nobody should follow.
    """
    files = workspace.trust_folder.files()
    policy = policy_for_one(name, person.public, machine)
    if files:
        before = workspace.trusted()
        if before.fingerprint:
            raise UsageError(
                f"{workspace.trust} holds a policy already", "`crane-verify trust show` shows it; nothing was changed"
            )
        policy = signed_for_one(_known(before.policy, name, person), name)
    draft = with_signature(first_draft(policy, expires), person)
    return _installed(workspace, draft, files)


def change(
    workspace: Workspace, before: Trusted, policy: Policy, signer: Signer, expires: datetime | None = None
) -> InForce | Waiting:
    """Sign the next version. It comes into force at once where no other signature is needed, and waits otherwise.

    Raises:
        UsageError: another change waits, this key may not change the policy, or nobody could change it after this.
    """
    if waiting(workspace, before):
        raise UsageError("another change of the policy waits for signatures", GIVE_UP)
    try:
        draft = next_draft(before, policy, expires)
    except TrustError as error:
        raise UsageError(f"the policy stays as it was: {error}", error.hint) from error
    return _kept(workspace, with_signature(draft, signer), before)


def to_change(workspace: Workspace) -> Trusted:
    """The signed policy that is to be changed; an installation that was killed is finished first.

    Raises:
        UsageError: nobody has signed it yet.
        TrustError: there is none, it is one that nobody should follow, or older than one that the record has worked under.
    """
    workspace.trust_folder.settle()
    trusted = in_force(workspace)
    if not trusted.fingerprint:
        raise UsageError(
            "this policy is of before policies were signed, and anybody could have written it",
            'look at it with `crane-verify trust show`, then sign it: crane-verify trust init --name "Your Name"',
        )
    return trusted


def waiting(workspace: Workspace, before: Trusted) -> Draft | None:
    """The change that waits for signatures; None: none does that could still come into force."""
    try:
        files = workspace.trust_folder.pending()
        return read_draft(before, files) if files else None
    except TrustError:
        return None  # overtaken by another version, or damaged: nobody can sign it any more


def brought(workspace: Workspace, before: Trusted, files: Sequence[TrustFile]) -> Draft:
    """What waits for signatures: that which was brought, with the signatures of the copy that lies here.

    `files` is empty where nothing was brought.

    Raises:
        UsageError: nothing waits, or something else waits here.
        TrustError: what was brought is not the next version, or was altered.
    """
    here = waiting(workspace, before)
    if not files:
        if here is None:
            lying = workspace.trust_folder.pending()
            if lying:
                read_draft(before, lying)  # says what is wrong with it
            raise UsageError("no change of the policy waits for signatures", "`crane-verify trust show` shows what is in force")
        return here
    draft = read_draft(before, files)
    return merged(draft, here) if here else draft


def sign(workspace: Workspace, before: Trusted, draft: Draft, signer: Callable[[], Signer]) -> InForce | Waiting:
    """Add a signature to the change that was seen. One that has all it needs comes into force as it is.

    Raises:
        UsageError: the key's signature is not asked for, or is there already.
    """
    return _kept(workspace, with_signature(draft, signer()) if draft.missing else draft, before)


def _kept(workspace: Workspace, draft: Draft, before: Trusted) -> InForce | Waiting:
    if draft.missing:
        workspace.trust_folder.wait(draft.files)
        return Waiting(draft)
    return _installed(workspace, draft, before.files)


def _installed(workspace: Workspace, draft: Draft, before: Sequence[TrustFile]) -> InForce:
    trusted = completed(draft)
    workspace.trust_folder.install(draft.files, before)
    return InForce(trusted, draft.signed)


def _known(policy: Policy, name: str, person: Signer) -> Policy:
    """The old policy, if it knows this person by this key."""
    owner = policy.owner(person.key_id)
    if owner != name:
        who = f"it is {owner}'s" if owner else "it does not know it"
        raise UsageError(
            f"trust/policy.json does not know the key {person.public.fingerprint} as {name}'s: {who}",
            "`crane-verify trust show` names those it knows; one of them signs it, with their own key and name",
        )
    return policy
