"""`crane-verify check`: the command of every day."""

from __future__ import annotations

import click

from verifier.cli import desk
from verifier.cli.output import VERDICT_STYLE, json_option, print_json, say, window_option
from verifier.cli.watching import watching
from verifier.compare.verdict import exit_code
from verifier.errors import UsageError
from verifier.model.words import Verdict
from verifier.procedures.due import due
from verifier.procedures.fleet import Checked, Failed, Outcome, check_all
from verifier.report.machine import document
from verifier.report.signed import SignedReport
from verifier.report.text import DRIFTS_SHOWN, Line, drift_lines, headline, text_lines


@click.command()
@click.argument("words", nargs=-1, metavar="[DEVICE|CRANE|SITE]...")
@click.option("--due", "only_due", is_flag=True, help="Only devices whose interval has passed and whose window is open.")
@click.option("--at-once", type=click.IntRange(1, 512), default=16, show_default=True, help="Devices asked side by side.")
@window_option
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], only_due: bool, at_once: int, any_hour: bool, as_json: bool) -> int:
    """Compare devices with their approved baselines. Every check leaves a signed report in the record.

    Leaves with the gravest outcome: 5 not trusted, 3 drift, 4 could not tell, 0 match; 1 if a report could not be recorded.

    \b
    Example:
      crane-verify check STS-01
      crane-verify check --due
    """
    devices = desk.inventory(ctx).select(words)
    if not devices:
        raise UsageError("the inventory holds no device", "nothing checked is not a match; fill in inventory.yaml")
    if only_due:
        devices = due(devices, desk.workspace(ctx), desk.now())
        if not devices:
            _nothing_due(as_json)
            return 0
    outcomes = []
    with watching() as progress:
        for outcome in check_all(devices, desk.collector(ctx, progress, any_hour), at_once):
            outcomes.append(outcome)
            if not as_json:
                with progress.aside():
                    _print(outcome, alone=len(devices) == 1)
    if as_json:
        print_json([_document(outcome) for outcome in outcomes])
    elif len(devices) > 1:
        _print_sum(outcomes)
    return code(outcomes)


def code(outcomes: list[Outcome]) -> int:
    """The exit code of a run: our own failures first, since they mean that something was not recorded."""
    failures = [outcome.error.exit_code for outcome in outcomes if isinstance(outcome, Failed)]
    if failures:
        return min(failures)
    return exit_code(outcome.report.report.verdict for outcome in outcomes if isinstance(outcome, Checked))


def _nothing_due(as_json: bool) -> None:
    if as_json:
        print_json([])
    else:
        click.echo("nothing is due")


def _print(outcome: Outcome, alone: bool) -> None:
    match outcome:
        case Failed(device, error):
            click.secho(f"FAILED  {device.name}: {error}", fg="red", err=True)
            if error.hint:
                click.echo(f"  hint: {error.hint}", err=True)
        case Checked(_, report) if alone:
            for line in text_lines(report):
                say(line)
        case Checked(_, report):
            say(headline(report))
            if report.report.verdict is not Verdict.MATCH:
                for line in (*drift_lines(report.report.drifts, DRIFTS_SHOWN), *notes(report)):
                    say(line)
                click.echo(f"  the whole report: crane-verify report show {report.sequence}\n")


def notes(report: SignedReport) -> tuple[Line, ...]:
    """Where nothing was compared, the notes say why."""
    shown = report.report.notes if report.report.verdict is Verdict.UNTRUSTED else ()
    return tuple(Line(f"  {note}") for note in shown)


def _print_sum(outcomes: list[Outcome]) -> None:
    counts = dict.fromkeys(Verdict, 0)
    for outcome in outcomes:
        if isinstance(outcome, Checked):
            counts[outcome.report.report.verdict] += 1
    failed = sum(isinstance(outcome, Failed) for outcome in outcomes)
    words = [click.style(f"{count} {verdict}", fg=VERDICT_STYLE[verdict]) for verdict, count in counts.items() if count]
    if failed:
        words.append(click.style(f"{failed} not recorded", fg="red"))
    click.echo(f"{len(outcomes)} devices: {', '.join(words)}")


def _document(outcome: Outcome) -> object:
    match outcome:
        case Checked(_, report):
            return document(report)
        case Failed(device, error):
            return {"device": str(device.name), "failed": str(error), "hint": error.hint}
