"""`crane-verify status`: the fleet at a glance, told from the record; no device is asked."""

from __future__ import annotations

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json, say
from verifier.errors import UsageError
from verifier.procedures.status import status
from verifier.report.status import exit_code, status_document, status_lines


@click.command()
@click.argument("words", nargs=-1, metavar="[DEVICE|CRANE|SITE]...")
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> int:
    """Show where each device stands, gravest first: verdict, its age, coverage, next check, findings, baseline. Asks no device.

    A match older than the device's interval is stale, and no match. Leaves with the gravest of what is shown, as `check` does:
    5 not trusted, 3 drift, 4 not known (stale, never checked, not all read), 0 match.

    \b
    Example:
      crane-verify status
      crane-verify status STS-01 --json
    """
    inventory = desk.inventory(ctx)
    if not inventory.select(words):
        raise UsageError("the inventory holds no device", "nothing checked is not a match; fill in inventory.yaml")
    found = status(inventory, words, desk.collector(ctx))
    if as_json:
        print_json(status_document(found))
    else:
        for line in status_lines(found):
            say(line)
    return exit_code(found.devices)
