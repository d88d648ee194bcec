"""`crane-verify finding`: what differs again and again, how old it is, and what was done about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, assert_never

import click

from verifier.cli import desk
from verifier.cli.output import SPAN, json_option, local, print_json, say, table, tell, window_option
from verifier.cli.watching import watching
from verifier.compare.plain import counted
from verifier.errors import UsageError
from verifier.model.finding import Finding, Said, State, Taken
from verifier.procedures.accept import Accepting, accept, accepting
from verifier.procedures.audit import past
from verifier.procedures.findings import findings, named
from verifier.procedures.history import History
from verifier.procedures.steps import may_be_taken, recorded_step, signed_step
from verifier.report.finding import age, attribution, document, standing, taken_words
from verifier.report.phrase import phrase
from verifier.report.text import drift_lines

Command = TypeVar("Command", bound=Callable[..., object])
WORDS = {State.INVESTIGATING: "being investigated", State.REJECTED: "rejected"}


@click.group()
def command() -> None:
    """One drift that is seen night after night is one finding, with an age: open, investigating, accepted, rejected, resolved.

    Nothing opens or closes one but what checks see: it is resolved when a check sees it matching. Every step a person takes is
    signed and stands in the record.

    \b
    Example:
      crane-verify finding list
      crane-verify finding investigate 3f2a91c0 --reason "asked the vendor"
      crane-verify finding accept 3f2a91c0 --reason "brake pads changed" --ticket T-4711
    """


def _signing(command: Command) -> Command:
    """The options of every step."""
    for option in (
        click.option("--yes", is_flag=True, help="You have read it; do not ask again."),
        desk.key_option,
        click.option("--changed-by", default="", help="Who changed it, as far as you know: a claim, signed as such."),
        click.option("--reason", required=True, help="Why, in a sentence; it is signed."),
    ):
        command = option(command)
    return command


@command.command("list")
@click.argument("words", nargs=-1, metavar="[DEVICE|CRANE|SITE]...")
@click.option("--all", "resolved", is_flag=True, help="Those that were seen matching as well; reads every report.")
@click.option("--new", type=SPAN, help="Only those that began within this time, for a nightly mail: 24h.")
@json_option
@click.pass_context
def list_(ctx: click.Context, words: tuple[str, ...], resolved: bool, new: timedelta | None, as_json: bool) -> None:
    """List findings, gravest first.

    \b
    Example:
      crane-verify finding list STS-01
      crane-verify finding list --new 24h
    """
    names = [device.name for device in desk.inventory(ctx).select(words)] if words else None
    found, now = findings(desk.workspace(ctx), _history(ctx), names, resolved), desk.now()
    older = [each for each in found if new is not None and now - each.since > new]
    found = tuple(each for each in found if each not in older)
    if as_json:
        print_json([document(each) for each in found])
        return
    if older and not found:
        tell(f"no finding is new; {counted(len(older), 'finding')} began before that")
        return
    if not found:
        tell("no findings" if resolved else "no finding is open; --all shows those that were seen matching as well")
        return
    rows = (
        (each.name, age(each.since, now), str(each.times), each.criticality, standing(each, now), str(each.device), _what(each))
        for each in found
    )
    table(("id", "since", "seen", "matters", "state", "device", "what"), rows)
    if older:
        tell(f"and {counted(len(older), 'finding')} that began before that")


def _what(finding: Finding) -> str:
    return f"{finding.item}: {phrase(finding.drift)}"


@command.command()
@click.argument("word", metavar="ID")
@json_option
@click.pass_context
def show(ctx: click.Context, word: str, as_json: bool) -> None:
    """Show a finding with all that was done about it. The beginning of its id is enough.

    \b
    Example:
      crane-verify finding show 3f2a91c0
    """
    (found,) = _named(ctx, (word,), resolved=True)
    if as_json:
        print_json(document(found))
        return
    _print(found)
    if following := _next(found):
        tell(f"next: {following}")


@command.command()
@click.argument("word", metavar="ID")
@click.option("--ticket", default="", help="Under which it is worked on.")
@_signing
@click.pass_context
def investigate(ctx: click.Context, /, word: str, **said: Any) -> None:
    """Sign that somebody is looking into it.

    \b
    Example:
      crane-verify finding investigate 3f2a91c0 --reason "asked the vendor" --ticket T-4711
    """
    _step(ctx, word, State.INVESTIGATING, **said)


@command.command()
@click.argument("word", metavar="ID")
@click.option("--ticket", required=True, help="Under which it is put back.")
@_signing
@click.pass_context
def reject(ctx: click.Context, /, word: str, **said: Any) -> None:
    """Sign that it is not wanted and must be put back as the baseline has it. It is drift until a check sees that.

    \b
    Example:
      crane-verify finding reject 3f2a91c0 --reason "no work order covers it" --ticket T-4712
    """
    _step(ctx, word, State.REJECTED, **said)
    tell("put it back as the approved baseline has it; the finding is resolved when a check sees it matching")


@command.command("accept")
@click.argument("words", nargs=-1, required=True, metavar="ID...")
@click.option("--ticket", required=True, help="Under which the change was made.")
@window_option
@_signing
@click.pass_context
def accept_(
    ctx: click.Context, /, words: tuple[str, ...], ticket: str, reason: str, changed_by: str, key: str, yes: bool, any_hour: bool
) -> None:
    """Read the device again, propose exactly these members over the baseline in force, and sign that they are wanted.

    Nothing else of the baseline changes, and it is drift until the proposal is approved (`baseline approve`).

    \b
    Example:
      crane-verify finding accept 3f2a91c0 77b0e1d4 --reason "brake pads changed" --ticket T-4711
    """
    _is_said(("--reason", reason), ("--ticket", ticket))
    chosen = _named(ctx, words)
    may_be_taken(desk.collector(ctx))
    for name in dict.fromkeys(each.device for each in chosen):
        device = desk.one_device(ctx, str(name))
        of_device = findings(desk.workspace(ctx), _history(ctx), (name,))
        with watching() as progress:
            collector = desk.collector(ctx, progress, any_hour)
            mine = [each for each in chosen if each.device == name]
            seen = accepting(device, mine, of_device, Said(reason, ticket, changed_by), collector)
        _print_accepting(seen)
        _print_words(reason, ticket, changed_by)
        _ask(yes, f"Accept {len(seen.chosen)} of {name}?")
        for taken in accept(seen, desk.signer(key), collector):
            _tell(taken)
        tell(f"proposed as serial {seen.baseline.serial}, and drift until that is approved", fg="yellow")
        tell(f"next: crane-verify baseline approve {name}")


def _step(ctx: click.Context, word: str, state: State, reason: str, ticket: str, changed_by: str, key: str, yes: bool) -> None:
    _is_said(("--reason", reason), *((("--ticket", ticket),) if state is State.REJECTED else ()))
    collector = desk.collector(ctx)
    may_be_taken(collector)
    (found,) = _named(ctx, (word,))
    _print(found)
    _print_words(reason, ticket, changed_by)
    _ask(yes, f"Sign that it is {WORDS[state]}?")
    _tell(recorded_step(signed_step(found, state, Said(reason, ticket, changed_by), desk.signer(key), collector), collector))


def _is_said(*options: tuple[str, str]) -> None:
    for option, text in options:
        if not text.strip():
            raise UsageError(f"{option} is empty", "say it in a few words; it is signed")


def _print_words(reason: str, ticket: str, changed_by: str) -> None:
    tell(f"reason: {reason}" + (f"; ticket: {ticket}" if ticket else ""))
    if changed_by:
        tell(f"changed by, as you say: {changed_by}")


def _ask(yes: bool, question: str) -> None:
    if not yes and not click.confirm(question):
        raise UsageError("not signed", "the finding stands as it was")


def _tell(taken: Taken) -> None:
    tell(f"{taken.step.item}: {taken.step.member}: {taken_words(taken)}; entry {taken.sequence} of the record", fg="green")


def _print(finding: Finding) -> None:
    now = desk.now()
    tell(f"{finding.name}  {finding.device}: {standing(finding, now)}", bold=True)
    tell(f"since {local(finding.since)} ({age(finding.since, now)}), seen {_times(finding)}, last {local(finding.last)}")
    tell(f"reports {finding.first_report} to {finding.last_report}; id {finding.id}", dim=True)
    for line in drift_lines((finding.drift,)):
        say(line)
    tell(f"changed by: {attribution(finding)}")
    for each in finding.steps:
        tell(f"{local(each.step.at)}  {taken_words(each)}: {each.step.reason}  (entry {each.sequence})")


def _next(finding: Finding) -> str:
    match finding.state:
        case State.OPEN | State.INVESTIGATING:
            return (
                f"crane-verify finding accept {finding.name}, if it is wanted; crane-verify finding reject {finding.name}, if not"
            )
        case State.ACCEPTED:
            device = finding.device
            return f"crane-verify baseline approve {device}, unless that is done; then crane-verify check {device}"
        case State.REJECTED:
            return f"put it back as the approved baseline has it; then crane-verify check {finding.device}"
        case State.RESOLVED:
            return ""
        case _:
            assert_never(finding.state)


def _times(finding: Finding) -> str:
    return "once" if finding.times == 1 else f"{finding.times} times"


def _print_accepting(seen: Accepting) -> None:
    before = seen.before.value
    tell(f"{seen.device.name}: accepting {', '.join(each.name for each in seen.chosen)}", bold=True)
    tell(f"serial {before.serial} -> {seen.baseline.serial}; read again, and still what was seen; nothing else changes:")
    for line in drift_lines(seen.changes):
        say(line)
    if seen.beside:
        tell(f"with what was accepted before and waits: {', '.join(each.name for each in seen.beside)}", fg="yellow")
    if seen.signed:
        tell(f"it replaces a proposal that {', '.join(seen.signed)} had signed; they must sign again", fg="yellow")


def _named(ctx: click.Context, words: tuple[str, ...], resolved: bool = False) -> tuple[Finding, ...]:
    return named(words, desk.workspace(ctx), _history(ctx), resolved=resolved)


def _history(ctx: click.Context) -> History:
    space = desk.workspace(ctx)
    return past(space, space.trusted())
