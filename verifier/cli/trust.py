"""`crane-verify trust`: whose signatures count, and for what."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from verifier.cli import desk
from verifier.cli.output import SPAN, json_option, local, print_json, table, tell
from verifier.cli.trust_change import add, quorum, renew, revoke, rotate
from verifier.cli.trust_key import key
from verifier.cli.trust_sign import sign, still_needed
from verifier.errors import UsageError
from verifier.model.codec import to_json
from verifier.procedures.policy_history import in_force
from verifier.procedures.trusting import begin, waiting
from verifier.record.files import write_new
from verifier.trust.keys import Algorithm, Signer
from verifier.trust.policy import Policy, TrustedKey
from verifier.trust.policy_words import authority_words, needs, window_words
from verifier.trust.roots.draft import Draft
from verifier.trust.roots.trusted import Trusted
from verifier.trust.signers.file import load_private_key, new_private_key

SOON = timedelta(days=30)
"""Before its end, a policy is said to be ending."""


@click.group()
def command() -> None:
    """Who may sign what.

    \b
    Example:
      crane-verify trust init --name "A. Engineer"
      crane-verify trust show
    """


for each in (add, quorum, rotate, revoke, sign, renew, key):
    command.add_command(each)


@command.command()
@click.option("--name", required=True, help="Who approves baselines: your name, as it should stand in reports.")
@click.option("--no-passphrase", is_flag=True, help="Leave your key unencrypted; for tests and training.")
@click.option("--expires", type=SPAN, default="365d", show_default=True, help="When the policy must have been signed anew.")
@click.pass_context
def init(ctx: click.Context, name: str, no_passphrase: bool, expires: timedelta) -> None:
    """Begin with one person and this machine: a key for each, and a policy that names both, signed by that person.

    In a workspace that has an unsigned policy from before, that one is signed as it is.

    \b
    Example:
      crane-verify trust init --name "A. Engineer"
    """
    space = desk.workspace(ctx)
    if space.trust_folder.files() and space.trusted().fingerprint:
        raise UsageError(f"{space.trust} holds a policy already", "`crane-verify trust show` shows it; nothing was changed")
    person = ensure_key(desk.person_key(), None if no_passphrase else "your signing key")
    machine = ensure_key(desk.collector_key(), None)
    trusted = begin(space, name, person, machine.public, desk.now() + expires).trusted
    tell(f"{name} approves baselines with {desk.person_key()}")
    if trusted.policy.owner(machine.key_id):
        tell(f"this machine signs reports with {desk.collector_key()}")
    tell(f"who may sign what stands in {space.trust}, signed by {name}, valid until {_end(trusted.policy)}")
    tell(f"fingerprint of its root: {trusted.fingerprint}")
    tell("write the fingerprint down and give it to your auditor: it tells this policy from any other")


@command.command()
@json_option
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Show whose keys are trusted, who holds which role, what each kind of statement needs, and what waits for signatures.

    \b
    Example:
      crane-verify trust show
    """
    space = desk.workspace(ctx)
    found = in_force(space)
    draft = waiting(space, found) if found.fingerprint else None
    if as_json:
        print_json(_document(found, draft))
        return
    _print_standing(found)
    policy = found.policy
    table(("who", "roles", "key"), [(key.owner, _roles(policy, key.owner), _key(key)) for key in policy.keys])
    for each in policy.quorums:
        tell(needs(each))
    for authority in policy.time_authorities:
        tell(f"the time of {authority.name} is believed: {authority_words(authority)}")
    if draft:
        tell(f"version {draft.policy.version} waits for signatures: {still_needed(draft)}")
        tell("read and sign it: crane-verify trust sign")


def ensure_key(named: str, passphrase_for: str | None) -> Signer:
    """The key of that name, made first if it is a file that is not there. `passphrase_for` says what needs one; None: nothing."""
    path = Path(named)
    if not desk.elsewhere(named) and not path.exists():
        passphrase = None
        if passphrase_for:
            if not sys.stdin.isatty():
                raise UsageError(
                    f"a passphrase for {passphrase_for}: nobody is at the terminal to type it",
                    "run it by hand; --no-passphrase is for tests and training",
                )
            passphrase = click.prompt(f"Passphrase for {passphrase_for}", hide_input=True, confirmation_prompt=True, err=True)
        write_new(path, new_private_key(passphrase), mode=0o600)
        return load_private_key(path.read_bytes(), lambda: str(passphrase))
    return desk.signer(named)


def _print_standing(found: Trusted) -> None:
    """Which version it is, on what it hangs, and how long it holds."""
    if not found.fingerprint or found.policy.expires is None:
        tell("nobody has signed this policy, and anybody could have written it", fg="yellow")
        tell('if it is as it should be, sign it: crane-verify trust init --name "Your Name"')
        return
    tell(f"version {found.policy.version}, valid until {_end(found.policy)}, under root {found.root_version}")
    tell(f"fingerprint of the first root: {found.fingerprint}")
    left = found.policy.expires - desk.now()
    if left < timedelta():
        tell("it has run out: until it is renewed no check ends in a match: crane-verify trust renew", fg="red")
    elif left < SOON:
        tell(f"it runs out in {left.days} days: crane-verify trust renew", fg="yellow")


def _document(found: Trusted, draft: Draft | None) -> dict[str, Any]:
    pending = None
    if draft:
        missing = [{"count": each.count, "among": [name for name, _ in each.among]} for each in draft.missing]
        pending = {"version": draft.policy.version, "signed": list(draft.signed), "missing": missing}
    return {
        "fingerprint": found.fingerprint,
        "root_version": found.root_version,
        "policy": to_json(found.policy),
        "pending": pending,
    }


def _end(policy: Policy) -> str:
    return local(policy.expires) if policy.expires else "nobody said when"


def _roles(policy: Policy, owner: str) -> str:
    return ", ".join(sorted(policy.roles_of(owner)))


def _key(key: TrustedKey) -> str:
    kind = "" if key.public.algorithm is Algorithm.ED25519 else str(key.public.algorithm)
    return ", ".join(filter(None, (key.public.fingerprint, kind, window_words(key))))
