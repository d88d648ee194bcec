"""`crane-verify cohort`: sister devices compared with each other; no baseline is needed."""

from __future__ import annotations

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json, say, window_option
from verifier.cli.watching import watching
from verifier.procedures.cohort import compare_sisters, sisters
from verifier.report.cohort import cohort_document, cohort_lines, exit_code


@click.command()
@click.argument("name", metavar="COHORT")
@click.option("--at-once", type=click.IntRange(1, 512), default=16, show_default=True, help="Devices asked side by side.")
@window_option
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, at_once: int, any_hour: bool, as_json: bool) -> int:
    """Read the devices of a cohort (`facts: {cohort: ...}` in the inventory) and name the odd ones out. Nothing is recorded.

    The facts of each device, its crane and its address may be its own; around them everything is compared.

    Leaves with 3 where one is the odd one out, 4 where there is no majority or not all was read, 0 where all agree.

    \b
    Example:
      crane-verify cohort sts-2019-plc
    """
    inventory = desk.inventory(ctx)
    devices = sisters(name, inventory)
    with watching() as progress:
        found = compare_sisters(devices, desk.collector(ctx, progress, any_hour), at_once)
    if as_json:
        print_json(cohort_document(name, found))
    else:
        for line in cohort_lines(name, found):
            say(line)
    return exit_code(found)
