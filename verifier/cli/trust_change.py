"""`crane-verify trust add|quorum|rotate|revoke|renew`: changes of the policy, each signed by those who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import MOMENT, SPAN, local, tell
from verifier.cli.trust_sign import tell_outcome
from verifier.errors import TrustError, UsageError
from verifier.procedures.trusting import change, to_change
from verifier.trust.authority import read_authority
from verifier.trust.keys import Algorithm, read_public_key
from verifier.trust.policy import SIGNED, Policy, Quorum, TrustedKey
from verifier.trust.policy_change import ROLES, revoked, rotated, with_authority, with_key, with_quorum
from verifier.trust.policy_words import changes
from verifier.trust.quorum import Seat

AUTHORITY = "time-authority"
BESIDE = [str(each) for each in Algorithm if each.only_beside_another]
Edit = Callable[[Policy], Policy]


@click.command()
@click.argument("public", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="PUB")
@click.option("--name", required=True, help="Whose key this is.")
@click.option(
    "--role",
    required=True,
    type=click.Choice((*ROLES, AUTHORITY)),
    help="What they may sign as; `trust quorum` says what is needed. A time-authority is given by a PEM chain of certificates.",
)
@click.option("--valid-until", type=MOMENT, help="When the key ends by itself: 2027-03-01. Earlier signatures still count then.")
@desk.key_option
@click.pass_context
def add(ctx: click.Context, public: Path, name: str, role: str, valid_until: datetime | None, key: str) -> None:
    """Add somebody's public key (a .pub file, or PEM) and their role. The same key again gives its owner one more role.

    \b
    Example:
      ssh-keygen -t ed25519 -a 128 -f officer
      crane-verify trust add officer.pub --name "B. Officer" --role security-officer
      crane-verify trust add tsa-chain.pem --name "Example TSA" --role time-authority
    """
    data = desk.brought(public, desk.LARGEST_KEY)

    def edit(before: Policy) -> Policy:
        if role == AUTHORITY:
            if valid_until:
                raise UsageError("a time authority ends with its certificates", "leave --valid-until out")
            return with_authority(before, read_authority(name, data))
        return with_key(before, TrustedKey(name, read_public_key(data), not_after=valid_until), role)

    _changed(ctx, edit, key)


@click.command()
@click.argument("statement", type=click.Choice(sorted(SIGNED)))
@click.argument("seats", nargs=-1, required=True, metavar="ROLE=COUNT...")
@click.option("--also", multiple=True, type=click.Choice(BESIDE), help="Each signer signs with a key of this algorithm as well.")
@desk.key_option
@click.pass_context
def quorum(ctx: click.Context, statement: str, seats: tuple[str, ...], also: tuple[str, ...], key: str) -> None:
    """Say how many of which role a statement needs; `policy` is a change of this policy, `checkpoint` what a witness signs.

    Baselines in force that have not what is needed now are not trusted from then on: propose and approve them anew.

    \b
    Example:
      crane-verify trust quorum baseline engineer=1 security-officer=1
    """
    needed = Quorum(statement, tuple(_seat(text) for text in seats), tuple(Algorithm(each) for each in also))
    _changed(ctx, lambda before: with_quorum(before, needed), key)


@click.command()
@click.option("--name", required=True, help="Whose key is replaced.")
@click.option(
    "--new", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="The new key's .pub file."
)
@desk.key_option
@click.pass_context
def rotate(ctx: click.Context, name: str, new: Path, key: str) -> None:
    """Give somebody, or this machine, a new key; the old one ends now, and what it signed before still counts.

    The key of somebody in role root is replaced with signatures of the old one and the new one: `trust sign --key NEW` after it.

    \b
    Example:
      crane-verify trust rotate --name collector --new collector-2.pub
    """
    now, public = desk.now(), read_public_key(desk.brought(new, desk.LARGEST_KEY))
    _changed(ctx, lambda before: rotated(before, name, public, now), key)


@click.command()
@click.argument("named", metavar="FINGERPRINT|NAME")
@click.option("--compromised-since", type=MOMENT, help="It was stolen: only what was known before still counts.")
@desk.key_option
@click.pass_context
def revoke(ctx: click.Context, named: str, compromised_since: datetime | None, key: str) -> None:
    """End a key, or all keys of somebody. What was signed before still counts, unless the key was stolen.

    \b
    Example:
      crane-verify trust revoke "V. Vendor"
      crane-verify trust revoke SHA256:... --compromised-since 2026-11-20T14:00
    """
    now = desk.now()
    if compromised_since and compromised_since > now:
        raise UsageError(
            f"{local(compromised_since)} is still to come",
            "say when it was stolen, in UTC: no signature counts that nobody outside saw before then",
        )
    _changed(ctx, lambda before: revoked(before, named, now, compromised_since), key)


@click.command()
@click.option("--expires", type=SPAN, default="365d", show_default=True, help="When it must have been signed anew, from now.")
@desk.key_option
@click.pass_context
def renew(ctx: click.Context, expires: timedelta, key: str) -> None:
    """Sign the policy as it is for another year.

    \b
    Example:
      crane-verify trust renew
    """
    _changed(ctx, lambda before: before, key, desk.now() + expires)


def _changed(ctx: click.Context, edit: Edit, key: str, expires: datetime | None = None) -> None:
    """Show what a change comes to, sign it, and say what became of it."""
    space = desk.workspace(ctx)
    before = to_change(space)
    after = _allowed(lambda: edit(before.policy))
    lines = changes(before.policy, after)
    if not lines and expires is None:
        raise UsageError("nothing would change", "`crane-verify trust show` shows what is in force")
    for line in lines:
        tell(line)
    outcome = change(space, before, after, desk.signer(key), expires)
    tell_outcome(outcome, space)


def _allowed(edit: Callable[[], Policy]) -> Policy:
    """The changed policy.

    Raises:
        UsageError: it would be one that nobody should follow; the one in force stays.
    """
    try:
        return edit()
    except TrustError as error:
        why = str(error).removeprefix("the policy is refused: ")
        hint = "`crane-verify trust show` says who holds which role; `crane-verify trust add` gives a role to somebody"
        raise UsageError(f"the policy stays as it was: {why}", hint if why != str(error) else error.hint) from error


def _seat(text: str) -> Seat:
    role, _, count = text.partition("=")
    if not role or not count.isdigit():
        raise UsageError(f"{text!r} is no seat", "write a role and how many: security-officer=1")
    return Seat(role, int(count))
