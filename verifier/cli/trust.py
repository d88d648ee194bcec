"""`crane-verify trust`: whose signatures count, and for what."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json, table, tell
from verifier.errors import TrustError, UsageError
from verifier.model.codec import to_json
from verifier.record.files import write_new
from verifier.trust.keys import Signer, read_public_key
from verifier.trust.policy import Policy, Quorum, Role, TrustedKey, policy_for_one
from verifier.trust.quorum import Seat
from verifier.trust.signers.file import load_private_key, new_private_key

ROLES = ("engineer", "security-officer", "technician", "vendor", "collector")
"""A role with a slip of the pen in it would be a role that no quorum asks for."""


@click.group()
def command() -> None:
    """Who may sign what.

    \b
    Example:
      crane-verify trust init --name "A. Engineer"
      crane-verify trust show
    """


@command.command()
@click.option("--name", required=True, help="Who approves baselines: your name, as it should stand in reports.")
@click.option("--no-passphrase", is_flag=True, help="Leave your key unencrypted; for tests and training.")
@click.pass_context
def init(ctx: click.Context, name: str, no_passphrase: bool) -> None:
    """Begin with one person and this machine: a key for each, and a policy that names both.

    \b
    Example:
      crane-verify trust init --name "A. Engineer"
    """
    space = desk.workspace(ctx)
    if space.policy_path.exists():
        raise UsageError(f"{space.policy_path} is there already", "`crane-verify trust show` shows it; nothing was changed")
    person = ensure_key(desk.person_key(), None if no_passphrase else "your signing key")
    machine = ensure_key(desk.collector_key(), None)
    space.write_policy(policy_for_one(name, person.public, machine.public))
    tell(f"{name} approves baselines with {desk.person_key()}")
    tell(f"this machine signs reports with {desk.collector_key()}")
    tell(f"who may sign what stands in {space.policy_path}; keep that file under your eyes")


@command.command()
@click.argument("public_key", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", required=True, help="Whose key this is.")
@click.option(
    "--role", required=True, type=click.Choice(ROLES), help="What they may sign as; `trust quorum` says what is needed."
)
@click.pass_context
def add(ctx: click.Context, public_key: Path, name: str, role: str) -> None:
    """Add a person's public key (a .pub file) and their role. The same key again gives its owner one more role.

    The role must not be filled by the same person's second key.

    \b
    Example:
      ssh-keygen -t ed25519 -a 128 -f officer
      crane-verify trust add officer.pub --name "B. Officer" --role security-officer
    """
    before = desk.policy(ctx)
    key = TrustedKey(name, read_public_key(public_key.read_bytes()))
    owner = before.owner(key.public.key_id)
    if owner and owner != name:
        raise UsageError(f"this key is {owner}'s already", "a key belongs to one person: ask for the .pub file of another one")
    desk.workspace(ctx).write_policy(_allowed(lambda: with_member(before, key, role)))
    tell(f"{name} is {role} with the key {key.public.fingerprint}")


@command.command()
@click.argument("statement", type=click.Choice(["baseline", "report"]))
@click.argument("seats", nargs=-1, required=True, metavar="ROLE=COUNT...")
@click.pass_context
def quorum(ctx: click.Context, statement: str, seats: tuple[str, ...]) -> None:
    """Say how many of which role a statement needs.

    \b
    Example:
      crane-verify trust quorum baseline engineer=1 security-officer=1
    """
    before = desk.policy(ctx)
    needed = Quorum(statement, tuple(_seat(text) for text in seats))
    others = tuple(each for each in before.quorums if each.statement != statement)
    desk.workspace(ctx).write_policy(_allowed(lambda: Policy(before.keys, before.roles, (*others, needed))))
    tell(f"a {statement} needs {' and '.join(seats)}")


@command.command()
@json_option
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Show whose keys are trusted, who holds which role, and what each kind of statement needs.

    \b
    Example:
      crane-verify trust show
    """
    found = desk.policy(ctx)
    if as_json:
        print_json(to_json(found))
        return
    rows = [(key.owner, ", ".join(sorted(found.roles_of(key.owner))), key.public.fingerprint) for key in found.keys]
    table(("who", "roles", "key"), rows)
    for each in found.quorums:
        tell(f"a {each.statement} needs {' and '.join(f'{seat.count} {seat.role}' for seat in each.seats)}")


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


def with_member(before: Policy, key: TrustedKey, role: str) -> Policy:
    """The policy with a key, one more if it is new, and its owner in a role."""
    roles = {each.name: each.members for each in before.roles}
    members = roles.get(role, ())
    roles[role] = members if key.owner in members else (*members, key.owner)
    keys = before.keys if before.owner(key.public.key_id) else (*before.keys, key)
    return Policy(keys, tuple(Role(name, members) for name, members in roles.items()), before.quorums)


def _allowed(change: Callable[[], Policy]) -> Policy:
    """The changed policy.

    Raises:
        UsageError: it would be one that nobody should follow; the one in force stays.
    """
    try:
        return change()
    except TrustError as error:
        why = str(error).removeprefix("the policy is refused: ")
        raise UsageError(
            f"the policy stays as it was: {why}",
            "`crane-verify trust show` says who holds which role; `crane-verify trust add` gives a role to somebody",
        ) from error


def _seat(text: str) -> Seat:
    role, _, count = text.partition("=")
    if not role or not count.isdigit():
        raise UsageError(f"{text!r} is no seat", "write a role and how many: security-officer=1")
    return Seat(role, int(count))
