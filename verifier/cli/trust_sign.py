"""`crane-verify trust sign`, and how every change of the policy ends: in force, or waiting for somebody's signature."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import local, tell
from verifier.errors import UsageError
from verifier.model.policy_record import TrustFile
from verifier.procedures.trusting import InForce, Waiting, brought, to_change
from verifier.procedures.trusting import sign as add_signature
from verifier.record.files import write_whole
from verifier.record.trust_folder import in_folder, read_one
from verifier.record.workspace import Workspace
from verifier.trust.policy import Policy
from verifier.trust.policy_words import changes
from verifier.trust.roots.draft import Draft


@click.command()
@click.argument("place", required=False, type=click.Path(path_type=Path, exists=True))
@desk.key_option
@click.option("--yes", is_flag=True, help="You have read what changes; do not ask.")
@click.pass_context
def sign(ctx: click.Context, place: Path | None, key: str, yes: bool) -> None:
    """Sign the change of the policy that waits: here, or in PLACE, a folder or file that somebody brought.

    Shows what changes first. Your signature goes into PLACE as well, so that it can be carried back or on. Elsewhere it needs a
    copy of the workspace, whose policy it follows on; what comes back is named here in the same way.

    \b
    Example:
      crane-verify trust sign
      crane-verify trust sign /media/usb/pending --key agent
    """
    space = desk.workspace(ctx)
    before = to_change(space)
    draft = brought(space, before, _files(place))
    tell(f"version {draft.policy.version} of the policy, valid until {_end(draft.policy)}", bold=True)
    tell(f"signed by {', '.join(draft.signed) or 'nobody yet'}")
    for line in changes(before.policy, draft.policy) or ("nothing changes",):
        tell(line)
    if draft.missing and not yes and not click.confirm("Sign this?"):
        raise UsageError("not signed", "the change waits; nothing was changed")
    outcome = add_signature(space, before, draft, lambda: desk.signer(key))
    if place:
        _write_back(outcome, place, space)
    tell_outcome(outcome, space, place)


def tell_outcome(outcome: InForce | Waiting, space: Workspace, place: Path | None = None) -> None:
    """What became of a change."""
    match outcome:
        case InForce(trusted, signed):
            tell(f"in force: version {trusted.policy.version} of the policy, signed by {', '.join(signed)}", fg="green")
        case Waiting(draft):
            tell(f"signed by {', '.join(draft.signed)}; still needed: {still_needed(draft)}", fg="yellow")
            folder = place or space.trust_folder.waiting
            tell("they read and sign it here: crane-verify trust sign")
            tell(f"or take {folder} to a copy of this workspace, sign it there by its name, and name it here when it is back")


def still_needed(draft: Draft) -> str:
    """`1 of O. Officer (SHA256:...), M. Manager (SHA256:...)`, for each root that asks for more"""
    return "; ".join(
        f"{each.count} of {', '.join(f'{name} ({key.fingerprint})' for name, key in each.among)}" for each in draft.missing
    )


def _files(place: Path | None) -> tuple[TrustFile, ...]:
    if place is None:
        return ()
    found = in_folder(place) if place.is_dir() else (read_one(place),)
    if not found:
        raise UsageError(f"there is no change of the policy in {place}", "it is N.targets.json, beside N.root.json if need be")
    return found


def _write_back(outcome: InForce | Waiting, place: Path, space: Workspace) -> None:
    folder = place if place.is_dir() else place.parent
    if folder.resolve().is_relative_to(space.trust.resolve()):
        return
    match outcome:
        case InForce(trusted):
            files: tuple[TrustFile, ...] = trusted.files
        case Waiting(draft):
            files = draft.files
    for file in files:
        if (folder / file.name).is_file():
            write_whole(folder / file.name, file.text.encode())


def _end(policy: Policy) -> str:
    return local(policy.expires) if policy.expires else "nobody said when"
