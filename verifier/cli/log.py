"""`crane-verify log`: the append-only record."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli import bundle, desk, log_outside, log_witness
from verifier.cli.evidence import reach_document
from verifier.cli.output import complain, json_option, print_json, tell
from verifier.compare.verdict import exit_code
from verifier.errors import TrustError
from verifier.model.words import Verdict
from verifier.procedures.audit import audit_log
from verifier.procedures.heartbeat import heartbeat
from verifier.procedures.witnessing import Watched
from verifier.record.files import write_whole
from verifier.trust.log.note import LARGEST

SILENCES_SHOWN = 3
RESTORE = "keep this folder as it is, and restore from a copy"
NO_COPY = (
    "nothing was altered, and no copy mends it: a revoked key signed this, and nobody outside had seen it before the theft;"
    " what is to count again is signed anew: crane-verify baseline propose DEVICE --reason ..."
)


@click.group()
def command() -> None:
    """The append-only record of everything that was signed here: a Merkle log in the C2SP formats.

    \b
    Example:
      crane-verify log verify
      crane-verify log checkpoint > /media/usb/checkpoint
      crane-verify log verify --against /media/usb/checkpoint
    """


@command.command()
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="An older checkpoint that was kept elsewhere: show that the record grew out of it.",
)
@click.option("--tree", "tree_only", is_flag=True, help="Only the tree and its checkpoint: a million entries in seconds.")
@json_option
@click.pass_context
def verify(ctx: click.Context, against: tuple[Path, ...], tree_only: bool, as_json: bool) -> int:
    """Check that no entry is missing, changed or moved, and that each was signed by those the policy names.

    Leaves with 5 if the record does not hold, and with 4 if all that is wrong is that a key in it was stolen.

    \b
    Example:
      crane-verify log verify
    """
    space = desk.workspace(ctx)
    audit = audit_log(space, space.trusted(), [desk.brought(path, LARGEST) for path in against], tree_only)
    if as_json:
        print_json(
            {
                "entries": audit.entries,
                "covered": audit.covered,
                "findings": audit.findings,
                "witnessed": reach_document(audit.reach),
                "silences": [str(each) for each in audit.silences],
            }
        )
    elif not audit.findings:
        checked = "the tree holds" if tree_only else "none missing, none changed, every signature holds"
        click.secho(f"{audit.entries} entries, {checked}", fg="green")
        if audit.covered < audit.entries:
            waiting = audit.entries - audit.covered
            click.echo(f"{waiting} of them wait for the checkpoint that the next check signs, or `log checkpoint --sign`.")
        tell(str(Watched(audit.entries, audit.reach, ())))
        if not against and audit.reach.at is None:
            click.echo("That its own key did not sign another history, only a checkpoint kept elsewhere can show: --against.")
        for silence in audit.silences[-SILENCES_SHOWN:]:
            tell(f"note: {silence}")
        if len(audit.silences) > SILENCES_SHOWN:
            click.echo(f"note: {len(audit.silences) - SILENCES_SHOWN} more before them; --json lists them")
        if audit.elsewhere:
            click.echo(f"note: {audit.elsewhere} reports name a baseline that is not in the record before them")
    listed = "\n  ".join(audit.findings)
    if audit.findings and all(map(_is_theft, audit.findings)):
        complain(f"the record holds, and some of it proves nothing any more:\n  {listed}", NO_COPY)
        return exit_code((Verdict.UNDETERMINED,))
    if audit.findings:
        raise TrustError(f"the record does not hold:\n  {listed}", RESTORE)
    return 0


def _is_theft(finding: str) -> bool:
    """Whether an entry is as it was written, and does not count any more: a key it rests on was revoked as stolen."""
    return "counts as stolen" in finding


@command.command()
@click.argument("sequence", type=click.IntRange(0), metavar="NUMBER")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write: NAME.tlog-proof.")
@click.pass_context
def prove(ctx: click.Context, sequence: int, output: Path) -> None:
    """Write a proof that an entry is in the log (C2SP tlog-proof), which needs no log to be checked.

    \b
    Example:
      crane-verify log prove 17 --output 17.tlog-proof
    """
    proof = desk.workspace(ctx).log.prove(sequence, desk.policy(ctx).log_keys())
    write_whole(output.resolve(), proof.written())
    click.echo(f"{output}: entry {sequence}, {len(proof.hashes)} hashes, {len(proof.written())} bytes")


@command.command("heartbeat")
@click.pass_context
def heartbeat_(ctx: click.Context) -> None:
    """Sign an entry that says only that the record is alive, and a checkpoint over it, so that a silence is one.

    `check --due` does so by itself where nothing is due and nothing was recorded for a day.

    \b
    Example:
      crane-verify log heartbeat
    """
    entry = heartbeat(desk.collector(ctx))
    click.echo(f"entry {entry.sequence} says that the record is alive")


command.add_command(log_outside.checkpoint)
command.add_command(log_outside.take)
command.add_command(log_witness.witness)
command.add_command(bundle.command, "bundle")
