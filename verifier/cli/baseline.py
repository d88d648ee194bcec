"""`crane-verify baseline`: from what a device holds to what the right people have approved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from verifier.cli import desk
from verifier.cli.approved_list import Wanted, approved_list_options, write_approved_list
from verifier.cli.output import SPAN, complain, json_option, local, print_json, printable, tell, window_option
from verifier.cli.showing import print_baseline, print_caveats, print_drifts, print_members
from verifier.cli.watching import watching
from verifier.errors import CraneVerifyError, UsageError
from verifier.model.codec import to_json
from verifier.procedures.approve import InForce, Proposal, Waiting, approve, proposal, signers_waiting
from verifier.procedures.approved import approved
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


@command.command("propose")
@click.argument("words", nargs=-1, required=True, metavar="DEVICE|CRANE|SITE...")
@click.option("--reason", required=True, help="Why this is how it should be: commissioning, work order, visit.")
@click.option("--captures", type=click.IntRange(1, 100), default=1, help="Read the device so many times; what moves is shown.")
@click.option("--spacing", type=SPAN, default="60s", help="Time between captures: 90s, 15m, 12h.")
@click.option("--valid-for", type=SPAN, help="After this the baseline is shown as run out: 365d. Default: no end.")
@window_option
@json_option
@click.pass_context
def propose_(ctx: click.Context, /, words: tuple[str, ...], any_hour: bool, as_json: bool, **how: Any) -> int:
    """Read devices and lay down proposals to be signed. Nothing is approved by this.

    A device that cannot be read is told, and stops no other.

    \b
    Example:
      crane-verify baseline propose STS-01 --reason "commissioning, work order 4711"
    """
    proposing = Proposing(**how)
    documents: list[object] = []
    failures: list[CraneVerifyError] = []
    for device in desk.inventory(ctx).select(words):
        try:
            signed = signers_waiting(device, desk.collector(ctx))
            with watching() as progress:
                baseline = propose(device, proposing, desk.collector(ctx, progress, any_hour))
        except CraneVerifyError as error:
            complain(str(error), error.hint)
            documents.append({"device": str(device.name), "failed": str(error), "hint": error.hint})
            failures.append(error)
            continue
        if signed:
            tell(f"it replaces a proposal that {', '.join(signed)} had signed; they must sign again", fg="yellow", err=True)
        documents.append(to_json(baseline))
        if not as_json:
            print_baseline(baseline, f"{device.name}: proposed as serial {baseline.serial}")
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
    else:
        verified = approved(device, collector)
        baseline, by = verified.value, f"approved by {', '.join(verified.signer_names)}; sha256 {verified.sha256}"
    if as_json:
        print_json(to_json(baseline))
        return
    print_baseline(baseline, f"{device.name}: serial {baseline.serial}, {by}")
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
    _print_changes(seen)
    tell(f"to sign just this: crane-verify baseline approve {seen.baseline.snapshot.device} --sha256 {seen.sha256}")


@command.command("approve")
@click.argument("words", nargs=-1, required=True, metavar="DEVICE|CRANE|SITE...")
@desk.key_option
@click.option("--yes", is_flag=True, help="You have read `baseline diff`; do not ask again, item by item.")
@click.option("--sha256", "expected", default="", help="Sign only the proposal with this digest, as `baseline diff` printed it.")
@click.pass_context
def approve_(ctx: click.Context, words: tuple[str, ...], key: str, yes: bool, expected: str) -> None:
    """Sign proposals with your key. Asks about each item that would change against the baseline it replaces.

    \b
    Example:
      crane-verify baseline approve STS-01/controller
    """
    signer = None
    devices = desk.inventory(ctx).select(words)
    if expected and len(devices) != 1:
        raise UsageError(f"one digest, and {len(devices)} proposals", "name the one device whose proposal it is")
    for device in devices:
        collector = desk.collector(ctx)
        seen = proposal(device, collector)
        if expected and expected.lower() != seen.sha256:
            raise UsageError(
                f"the proposal of {device.name} is another one: sha256 {seen.sha256}",
                "it was replaced; read `baseline diff` again",
            )
        tell(f"{device.name}: serial {seen.baseline.serial}, proposed {local(seen.baseline.proposed)}", bold=True)
        tell(f"reason: {seen.baseline.reason}")
        tell(f"sha256 of what is signed: {seen.sha256}")
        if not yes:
            _ask_about(seen)
        elif seen.before.trusted:
            _print_changes(seen)
        signer = signer or desk.signer(key)
        match approve(device, seen, signer, collector):
            case InForce(baseline, entry):
                tell(f"in force, entry {entry} of the record, signed by {', '.join(baseline.signer_names)}\n", fg="green")
            case Waiting(approvals):
                tell(f"signed; still needed: {', '.join(approvals.missing)}\n", fg="yellow")


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
    if any(how.values()) or len(words) != 1:
        raise UsageError("an envelope is one device's", "name one device, or give --approved-list for the list over several")
    verified = approved(desk.one_device(ctx, words[0]), desk.collector(ctx))
    write_whole(output.resolve(), verified.envelope)
    tell(f"{output}: serial {verified.value.serial}, sha256 {verified.sha256}")
    return 0


def _ask_about(seen: Proposal) -> None:
    if seen.before.trusted is None:
        print_baseline(seen.baseline, _all_new(seen))
        if not click.confirm("Is this how the device should be?"):
            raise UsageError("not approved", "the proposal stays; propose again when the device is as it should be")
        return
    print_caveats(seen.baseline)
    if not seen.changes:
        tell("nothing changes against the baseline in force")
    for item in dict.fromkeys(change.item for change in seen.changes):
        changes = tuple(change for change in seen.changes if change.item == item)
        print_drifts(changes)
        if not click.confirm(printable(f"Approve {len(changes)} change(s) in {item}?")):
            raise UsageError(f"not approved: {item}", "the proposal stays; nothing was signed")


def _print_changes(seen: Proposal) -> None:
    if seen.before.trusted is None:
        print_baseline(seen.baseline, _all_new(seen))
    elif not seen.changes:
        tell(f"nothing changes against serial {seen.before.trusted.value.serial}")
    else:
        tell(f"serial {seen.before.trusted.value.serial} -> {seen.baseline.serial}")
        print_drifts(seen.changes)


def _all_new(seen: Proposal) -> str:
    if seen.before.doubt:
        return f"the baseline it replaces is not trusted ({seen.before.doubt}); everything in this one is to be looked at as new"
    return "the first baseline of this device: everything in it is new"


def _signatures(seen: Proposal) -> str:
    signers = ", ".join(str(signer) for signer in seen.approvals.signers) or "nobody yet"
    return f"signed by {signers}; still needed: {', '.join(seen.approvals.missing) or 'nobody'}"
