"""`crane-verify baseline`: from what a device holds to what the right people have approved."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from verifier.cli import desk
from verifier.cli.approved_list import Wanted, approved_list_options, write_approved_list
from verifier.cli.approving import approve_, print_changes, send_, take_, withdraw_
from verifier.cli.output import SPAN, complain, json_option, print_json, tell, window_option
from verifier.cli.restore_kit import restore_kit_
from verifier.cli.showing import print_baseline, print_members
from verifier.cli.spare import verify_spare_
from verifier.cli.watching import watching
from verifier.compare.mask_yaml import mask_yaml
from verifier.errors import CraneVerifyError, UsageError
from verifier.model.codec import to_json
from verifier.procedures.approve import Proposal, proposal, signers_waiting
from verifier.procedures.approved import approved
from verifier.procedures.cohort import borne_out
from verifier.procedures.enrol import Proposing, propose
from verifier.record.files import write_whole


@click.group()
def command() -> None:
    """What a device should be: proposed from what was read, signed by the people the policy names.

    \b
    Example:
      crane-verify baseline propose STS-01/hoist-drive --reason "commissioned, work order 4711"
      crane-verify baseline approve STS-01/hoist-drive
    """


for _each in (approve_, send_, take_, withdraw_, restore_kit_, verify_spare_):
    command.add_command(_each)


@command.command("propose")
@click.argument("words", nargs=-1, required=True, metavar="DEVICE|CRANE|SITE...")
@click.option("--reason", required=True, help="Why this is how it should be: commissioning, work order, visit.")
@click.option("--captures", type=click.IntRange(1, 100), default=1, help="Read the device so many times; what moves is shown.")
@click.option("--spacing", type=SPAN, default="60s", help="Time between captures: 90s, 15m, 12h.")
@click.option("--valid-for", type=SPAN, help="After this the baseline is shown as run out: 365d. Default: no end.")
@click.option("--staged-for", type=SPAN, help="So long the baseline it replaces stays valid beside it, for an update: 14d.")
@click.option(
    "--read-from", "source", metavar="DEVICE", default="", help="Read this device in its place: a bench unit, a sister crane."
)
@click.option(
    "--from-cohort", "borne", is_flag=True, help="Only if it is what most of its sister devices are, which are read as well."
)
@window_option
@json_option
@click.pass_context
def propose_(
    ctx: click.Context, /, words: tuple[str, ...], source: str, borne: bool, any_hour: bool, as_json: bool, **how: Any
) -> int:
    """Read devices and lay down proposals to be signed. Nothing is approved by this.

    A device that cannot be read is told, and stops no other.

    \b
    Example:
      crane-verify baseline propose STS-01 --reason "commissioning, work order 4711"
      crane-verify baseline propose STS-01/drive --reason "update 2.11" --read-from bench/drive --staged-for 14d
    """
    proposing = Proposing(**how, read_from=desk.one_device(ctx, source) if source else None)
    if source and borne:
        raise UsageError("--from-cohort is for what was read of the device itself", "leave --read-from away")
    if not proposing.reason.strip():
        raise UsageError("a proposal needs a reason", 'say why with --reason "commissioning, work order 4711"')
    documents: list[object] = []
    failures: list[CraneVerifyError] = []
    inventory = desk.inventory(ctx)
    for device in inventory.select(words):
        try:
            signed = signers_waiting(device, desk.collector(ctx))
            with watching() as progress:
                collector = desk.collector(ctx, progress, any_hour)
                sisters = partial(borne_out, device, inventory=inventory, collector=collector, at_once=16)
                proposed = propose(device, proposing, collector, sisters) if borne else propose(device, proposing, collector)
        except CraneVerifyError as error:
            complain(str(error), error.hint)
            documents.append({"device": str(device.name), "failed": str(error), "hint": error.hint})
            failures.append(error)
            continue
        if signed:
            tell(f"it replaces a proposal that {', '.join(signed)} had signed; they must sign again", fg="yellow", err=True)
        baseline, masks = proposed.baseline, mask_yaml(proposed.masks)
        documents.append(to_json(baseline))
        if not as_json:
            print_baseline(baseline, f"{device.name}: proposed as serial {baseline.serial}")
            if masks:
                tell("what moved between the captures; to compare it no more, paste what you agree with into the profile:")
            for line in masks:
                tell(f"  {line}")
            tell(f"next: crane-verify baseline approve {device.name}\n")
    if as_json:
        print_json(documents)
    return failures[0].exit_code if failures else 0


@command.command()
@click.argument("word", metavar="DEVICE")
@click.option("--members", is_flag=True, help="Every member with its value.")
@click.option("--proposed", is_flag=True, help="The proposal that waits, not the approved baseline.")
@json_option
@click.pass_context
def show(ctx: click.Context, word: str, members: bool, proposed: bool, as_json: bool) -> None:
    """Show the approved baseline of a device, its signatures checked, or the proposal that waits.

    \b
    Example:
      crane-verify baseline show STS-01/controller --proposed
    """
    device, collector = desk.one_device(ctx, word), desk.collector(ctx)
    if proposed:
        seen = proposal(device, collector)
        baseline, by = seen.baseline, f"proposed, not in force; {_signatures(seen)}"
        signed = seen.sha256
    else:
        verified = approved(device, collector)
        baseline, by = verified.value, f"approved by {', '.join(verified.signer_names)}; sha256 {verified.sha256}"
        signed = verified.signed_sha256
    if as_json:
        print_json(to_json(baseline))
        return
    print_baseline(baseline, f"{device.name}: serial {baseline.serial}, {by}")
    tell(f"sha256 of what is signed: {signed}")
    if members:
        print_members(baseline.snapshot)


@command.command()
@click.argument("word", metavar="DEVICE")
@json_option
@click.pass_context
def diff(ctx: click.Context, word: str, as_json: bool) -> None:
    """Show what approving the waiting proposal would change, against the baseline in force.

    \b
    Example:
      crane-verify baseline diff STS-01/controller
    """
    seen = proposal(desk.one_device(ctx, word), desk.collector(ctx))
    if as_json:
        print_json([to_json(change) for change in seen.changes])
        return
    print_changes(seen)
    tell(f"to sign just this: crane-verify baseline approve {seen.baseline.snapshot.device} --sha256 {seen.sha256}")


@command.command("export")
@click.argument("words", nargs=-1, metavar="DEVICE|CRANE|SITE...")
@approved_list_options
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.pass_context
def export_(ctx: click.Context, /, words: tuple[str, ...], as_list: bool, output: Path, **how: Any) -> int:
    """Write the approved baseline's signed envelope to a file, byte for byte.

    With --approved-list: what the baselines of these devices approve, line by line; of all devices where none is named.

    \b
    Example:
      crane-verify baseline export STS-01/controller --output controller.dsse.json
      crane-verify baseline export terminal-2 --approved-list --output approved.csv
    """
    if as_list:
        return write_approved_list(ctx, words, Wanted(**how), output)
    if any(how.values()):
        raise UsageError("--format, --items and --marking belong to --approved-list", "give that too; an envelope has one form")
    if len(words) != 1:
        raise UsageError("an envelope is one device's", "name one device, or give --approved-list for the list over several")
    verified = approved(desk.one_device(ctx, words[0]), desk.collector(ctx))
    write_whole(output.resolve(), verified.envelope)
    tell(f"{output}: serial {verified.value.serial}, sha256 {verified.sha256}")
    return 0


def _signatures(seen: Proposal) -> str:
    signers = ", ".join(str(signer) for signer in seen.approvals.signers) or "nobody yet"
    return f"signed by {signers}; still needed: {', '.join(seen.approvals.missing) or 'nobody'}"
