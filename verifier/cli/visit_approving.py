"""`crane-verify visit approve`: of what a visit changed, exactly the accepted members become the next baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import click

from verifier.cli import desk
from verifier.cli.output import say, tell
from verifier.compare.plain import counted
from verifier.errors import UsageError
from verifier.model.device import Device
from verifier.procedures.approve import InForce, Waiting
from verifier.procedures.visit_approval import approve_visit, approving
from verifier.report.phrase import phrase
from verifier.report.text import drift_lines


@click.command("approve")
@click.argument("name")
@click.option("--accept", "ids", multiple=True, metavar="ID", help="The id of a difference, as `visit show` has it.")
@click.option("--all-matched", is_flag=True, help="Accept all that were declared and matched.")
@click.option("--none", "nothing", is_flag=True, help="Accept nothing: all of it is to be put back.")
@click.option("--reason", required=True, help="Why, in a sentence; it is signed.")
@desk.key_option
@click.option("--yes", is_flag=True, help="You have read it; do not ask again.")
@click.pass_context
def approve_(
    ctx: click.Context, /, name: str, ids: tuple[str, ...], all_matched: bool, nothing: bool, reason: str, key: str, yes: bool
) -> None:
    """Accept some of what a visit changed, and refuse the rest. Exactly the accepted members become the next baselines.

    They are proposed over the baselines in force, and signed with the same key where it may. What is refused stays drift.

    \b
    Example:
      crane-verify visit approve V-2026-0007 --all-matched --reason "as ordered"
      crane-verify visit approve V-2026-0007 --accept 3f2a91c0 --reason "the second file was agreed by telephone"
    """
    if nothing == (all_matched or bool(ids)):
        raise UsageError("it is not clear what to accept", "give --accept ID, --all-matched or both; or --none")
    collector = desk.collector(ctx)
    seen = approving(name, ids, all_matched, reason, desk.inventory(ctx), collector)
    tell(f"{seen.visit.name}: {len(seen.accepted)} accepted, {len(seen.refused)} refused", bold=True)
    for each in seen.accepted:
        tell(f"accepted {each.name}  {each.device}: {each.drift.item}: {phrase(each.drift)} ({each.outcome})")
    for each in seen.refused:
        tell(f"refused  {each.name}  {each.device}: {each.drift.item}: {phrase(each.drift)} ({each.outcome})", fg="yellow")
    for following in seen.next:
        serial = following.baseline.serial
        tell(f"{following.device.name}: serial {serial - 1} -> {serial}; nothing else changes:")
        for line in drift_lines(following.changes):
            say(line)
    tell(f"reason: {reason}")
    ask(yes, "Sign exactly that?", "nothing was recorded or proposed")
    done = approve_visit(seen, desk.signer(key), collector)
    taken = f"{len(seen.accepted)} of {counted(len(seen.accepted) + len(seen.refused), 'change')} approved"
    tell(f"{seen.visit.name}: {taken}, entry {done.entry} of the record", fg="green")
    for device, outcome in done.baselines:
        _tell_baseline(device, outcome)
    if seen.refused:
        tell(f"{len(seen.refused)} refused: drift until they are put back", fg="yellow")


def ask(yes: bool, question: str, left: str, forget: Callable[[], None] = lambda: None) -> None:
    """Ask, where nobody said yes before. At a no, raises `UsageError` after it forgot.

    Who stops at the question has seen it and has not agreed either: that is forgotten as well.
    """
    try:
        agreed = yes or click.confirm(question)
    except click.Abort:
        forget()
        raise
    if not agreed:
        forget()
        raise UsageError("not signed", left)


def is_said(*options: tuple[str, str]) -> None:
    """Before anything is read: what is signed says who comes, and for what. Raises `UsageError`."""
    for option, text in options:
        if not text.strip():
            raise UsageError(f"{option} is empty", "say it in a few words; it is signed")


def _tell_baseline(device: Device, outcome: InForce | Waiting | None) -> None:
    match outcome:
        case InForce(baseline, entry):
            by = ", ".join(baseline.signer_names)
            tell(
                f"{device.name}: serial {baseline.value.serial} is in force, entry {entry} of the record, signed by {by}",
                fg="green",
            )
        case Waiting(approvals):
            needed = " and ".join(f"one more {role}" for role in approvals.missing)
            tell(
                f"{device.name}: proposed and signed; still needed: {needed}: crane-verify baseline approve {device.name}",
                fg="yellow",
            )
        case None:
            tell(f"{device.name}: proposed, and waits: crane-verify baseline approve {device.name}", fg="yellow")
        case _:
            assert_never(outcome)
