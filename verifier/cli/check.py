"""`crane-verify check`: the command of every day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from verifier.cli import desk
from verifier.cli.evidence import reach_document
from verifier.cli.lives import Lives
from verifier.cli.output import VERDICT_STYLE, json_option, print_json, say, tell, window_option
from verifier.cli.visiting import documents, tell_open, visits_open
from verifier.cli.watching import watching
from verifier.compare.verdict import exit_code
from verifier.errors import RecordError, UsageError
from verifier.model.device import Device
from verifier.model.words import Verdict
from verifier.procedures.due import due
from verifier.procedures.fleet import Checked, Failed, Outcome, PassedOver, check_all
from verifier.procedures.heartbeat import heartbeat_if_quiet
from verifier.procedures.lost import Lost, lost
from verifier.procedures.reading import is_open
from verifier.procedures.witnessing import Watched, is_watched, watched
from verifier.record.workspace import Workspace
from verifier.report.signed import SignedReport
from verifier.report.text import DRIFTS_SHOWN, Line, drift_lines, headline, text_lines
from verifier.trust.log.sighting import NOWHERE
from verifier.trust.policy import Policy


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
    inventory, space = desk.inventory(ctx), desk.workspace(ctx)
    devices = chosen = inventory.select(words)
    if not devices:
        raise UsageError("the inventory holds no device", "nothing checked is not a match; fill in inventory.yaml")
    if only_due:
        devices = due(chosen, space, desk.policy(ctx), desk.now())
        if not devices and not as_json:
            click.echo(nothing_due(chosen, desk.now()))
        if not devices and (beat := heartbeat_if_quiet(desk.collector(ctx))) and not as_json:
            click.echo(f"nothing was recorded for a day: entry {beat.sequence} says that the record is alive")
    outcomes = []
    unheard: OSError | None = None
    lives = Lives(space)
    with watching() as progress:
        for outcome in check_all(devices, desk.collector(ctx, progress, any_hour), at_once, only_due):
            outcomes.append(outcome)
            if not as_json and not unheard:
                with progress.aside():
                    unheard = _heard(outcome, lives, alone=len(devices) == 1)
    if unheard:
        raise unheard
    gone = lost(inventory, words, space)
    witnessed = _witnessed(space, desk.policy(ctx))
    visiting = visits_open(space, [device.name for device in chosen])
    if as_json:
        print_json(
            [
                *(_document(outcome, lives) for outcome in outcomes),
                *map(_lost_document, gone),
                *map(_witnessed_document, witnessed),
                *documents(visiting),
            ]
        )
    else:
        if len(devices) > 1:
            _print_sum(outcomes)
        for each in gone:
            _print_lost(each)
        for seen in witnessed:
            _print_witnessed(seen)
        tell_open(visiting)
    return code(outcomes, gone)


def code(outcomes: Sequence[Outcome], gone: Sequence[Lost]) -> int:
    """The exit code of a run: our own failures first, since they mean that something was not recorded.

    A device that left the inventory and kept its baseline is one of which we cannot tell. 0 for a run in which nothing was due.
    """
    failures = [outcome.error.exit_code for outcome in outcomes if isinstance(outcome, Failed)]
    if failures:
        return min(failures)
    verdicts = [outcome.report.report.verdict for outcome in outcomes if isinstance(outcome, Checked)]
    verdicts += [Verdict.UNDETERMINED for each in gone if each.baseline_in_place]
    return exit_code(verdicts) if verdicts else 0


def nothing_due(devices: Sequence[Device], now: datetime) -> str:
    """Why a run checks nothing, so that nobody takes it for a match."""
    never = sum(device.every is None for device in devices)
    closed = sum(device.every is not None and not is_open(device, now) for device in devices)
    words = [f"{len(devices) - never - closed} checked within their interval"]
    words += [f"{never} without an interval (`every`)"] if never else []
    words += [f"{closed} outside the hours in which they may be read"] if closed else []
    return f"nothing is due, so nothing was checked: {', '.join(words)}"


def _heard(outcome: Outcome, lives: Lives, alone: bool) -> OSError | None:
    """Print it; gives why nobody reads it, as with `| head`. The other devices are checked and recorded all the same."""
    try:
        _print(outcome, lives, alone)
    except OSError as error:
        return error
    return None


def _print(outcome: Outcome, lives: Lives, alone: bool) -> None:
    match outcome:
        case PassedOver(device, why):
            tell(f"not checked  {device.name}: {why}", dim=True)
        case Failed(device, error):
            tell(f"FAILED  {device.name}: {error}", fg="red", err=True)
            if error.hint:
                tell(f"  hint: {error.hint}", err=True)
        case Checked(_, report) if alone:
            for line in text_lines(report, lives.beside(report)):
                say(line)
        case Checked(_, report):
            say(headline(report))
            if report.report.verdict is not Verdict.MATCH:
                for line in (*drift_lines(report.report.drifts, DRIFTS_SHOWN, lives.beside(report)), *notes(report)):
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
    if over := sum(isinstance(outcome, PassedOver) for outcome in outcomes):
        words.append(f"{over} passed over")
    click.echo(f"{len(outcomes)} devices: {', '.join(words)}")


def _print_lost(gone: Lost) -> None:
    tell(f"NOT IN THE INVENTORY  {gone.device} {gone}", fg="yellow", err=True)
    if gone.hint:
        tell(f"  hint: {gone.hint}", err=True)


def _lost_document(gone: Lost) -> object:
    return {"device": str(gone.device), "not_in_the_inventory": str(gone), "hint": gone.hint}


def _witnessed(space: Workspace, policy: Policy) -> tuple[Watched, ...]:
    """How far the history is witnessed; of one that nobody outside is to witness, nothing is said."""
    if not is_watched(policy):
        return ()
    try:
        return (watched(space.log, policy),)
    except RecordError as error:
        return (Watched(0, NOWHERE, (str(error),)),)


def _print_witnessed(seen: Watched) -> None:
    if words := str(seen):
        tell(words, fg=None if seen.reach.at else "yellow")
    for wrong in seen.wrong:
        tell(f"RECORD  {wrong}", fg="red", err=True)
        tell("  hint: `crane-verify log verify` names all that is wrong; keep the folder `log` as it is", err=True)


def _witnessed_document(seen: Watched) -> object:
    return {"witnessed": {**reach_document(seen.reach), "recorded": seen.entries, "wrong": seen.wrong}}


def _document(outcome: Outcome, lives: Lives) -> object:
    match outcome:
        case Checked(_, report):
            return lives.document(report)
        case PassedOver(device, why):
            return {"device": str(device.name), "not_checked": why}
        case Failed(device, error):
            return {"device": str(device.name), "failed": str(error), "hint": error.hint}
