"""`crane-verify probe`: can this device be read, and if not, what to do."""

from __future__ import annotations

from dataclasses import asdict

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json, printable, tell, window_option
from verifier.procedures.probe import Outcome, Step, probe

STYLE = {Outcome.WORKS: "green", Outcome.FAILS: "red", Outcome.NOT_TRIED: "yellow"}


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="DEVICE...")
@window_option
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], any_hour: bool, as_json: bool) -> int:
    """Find out step by step what works: name, port, host key, login, tools, and each item of the profile.

    Nothing is recorded, and no more is read than the first answer of each item. Leaves with 4 when something fails.

    \b
    Example:
      crane-verify probe STS-01/controller
    """
    failed = False
    documents = []
    for device in desk.inventory(ctx).select(words):
        steps = []
        if not as_json:
            tell(str(device.name), bold=True)
        for step in probe(device, desk.collector(ctx, any_hour=any_hour)):
            steps.append(step)
            if not as_json:
                _print(step)
        failed = failed or any(step.outcome is Outcome.FAILS for step in steps)
        documents.append({"device": str(device.name), "steps": [asdict(step) for step in steps]})
    if as_json:
        print_json(documents)
    return 4 if failed else 0


def _print(step: Step) -> None:
    if step.name.startswith("offered-"):
        return  # four long lists of algorithms: they are in the JSON, and a disagreement names them by itself
    words = printable(f"{step.name}: {step.words}" if step.words else step.name)
    click.echo(click.style(f"  {step.outcome:9}", fg=STYLE[step.outcome]) + f"  {words}")
    if step.fix:
        tell(f"             fix: {step.fix}")
