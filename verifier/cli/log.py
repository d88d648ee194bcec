"""`crane-verify log`: the append-only record."""

from __future__ import annotations

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json
from verifier.errors import TrustError
from verifier.procedures.audit import audit_log


@click.group()
def command() -> None:
    """The append-only record of everything that was signed here.

    \b
    Example:
      crane-verify log verify
    """


@command.command()
@json_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Check that no entry is missing, changed or moved, and that each was signed by those the policy names.

    \b
    Example:
      crane-verify log verify
    """
    count, findings = audit_log(desk.workspace(ctx), desk.policy(ctx))
    if as_json:
        print_json({"entries": count, "findings": findings})
    elif not findings:
        click.secho(f"{count} entries, none missing, none changed, every signature holds", fg="green")
        click.echo("That nothing was cut off the end, only a copy kept elsewhere can prove.")
    if findings:
        raise TrustError(
            "the record does not hold:\n  " + "\n  ".join(findings), "keep this folder as it is, and restore from a copy"
        )
