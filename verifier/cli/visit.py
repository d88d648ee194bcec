"""`crane-verify visit`: a vendor comes and goes, and everything that changed meanwhile has a name and an outcome."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import SPAN, json_option, local, print_json, say, table, tell, window_option
from verifier.cli.visit_approving import approve_, ask, is_said
from verifier.cli.watching import watching
from verifier.errors import UsageError
from verifier.model.codec import to_json
from verifier.model.visit import Check, Expectation, NotReached, Side
from verifier.procedures.audit import past
from verifier.procedures.expecting import packaged, typed
from verifier.procedures.history import History
from verifier.procedures.visit import (
    Order,
    close_visit,
    closing,
    forget_closing,
    forget_opening,
    may_be_signed,
    open_visit,
    opening,
)
from verifier.procedures.visits import Visit, named_visit, visits
from verifier.report.finding import age
from verifier.report.visit import closed_document, closed_lines, opened_document, opened_lines, sums
from verifier.settings.checklist import load_checklist

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
PACKAGE = click.Path(path_type=Path, exists=True)
NOT_SIGNED = "nothing was recorded; the devices are read again the next time"


@click.group()
def command() -> None:
    """A vendor's visit: devices are read before and after, and every difference is declared and matched, declared but different,
    undeclared, or declared but absent.

    Nothing is silenced while a visit is open, and nothing is accepted by closing it.

    \b
    Example:
      crane-verify visit open STS-01 --vendor "Drives Ltd" --person "V. Fitter" --work-order WO-17 --why "firmware 3.2" \\
        --package /media/usb/update.zip
      crane-verify visit close V-2026-0007
    """


command.add_command(approve_)


@command.command("open")
@click.argument("words", nargs=-1, required=True, metavar="DEVICE|CRANE|SITE...")
@click.option("--vendor", required=True, help="The company that comes.")
@click.option("--person", "people", multiple=True, required=True, help="Who comes; give it once for each.")
@click.option("--work-order", required=True, help="Under which it is done.")
@click.option("--why", required=True, help="What is to be done, in a sentence.")
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="DEVICE#ITEM#MEMBER[=VALUE]",
    help="What is to change: patterns over items and members; or one member and its value: the SHA-256 of a file, what a report "
    "prints, or `gone`. Without a value it may change in any way.",
)
@click.option(
    "--package",
    "packages",
    type=PACKAGE,
    multiple=True,
    help="The vendor's package: a folder, tar or zip; never unpacked.",
)
@click.option("--package-for", multiple=True, metavar="DEVICE", help="Where the package goes; else all that are asked for files.")
@click.option("--package-under", default="/", show_default=True, help="The folder of the device that is the package's top.")
@click.option("--for", "span", type=SPAN, default="8h", show_default=True, help="After this the visit is overdue.")
@click.option("--checklist", type=FILE, help="YAML file: what no network can see, such as seals and USB sticks.")
@window_option
@desk.key_option
@click.option("--yes", is_flag=True, help="You have read it; do not ask again.")
@click.pass_context
def open_(
    ctx: click.Context,
    /,
    words: tuple[str, ...],
    vendor: str,
    people: tuple[str, ...],
    work_order: str,
    why: str,
    expected: tuple[str, ...],
    packages: tuple[Path, ...],
    package_for: tuple[str, ...],
    package_under: str,
    span: timedelta,
    checklist: Path | None,
    any_hour: bool,
    key: str,
    yes: bool,
) -> None:
    """Read the devices as they are before a visit, and sign who comes, for what, and what is expected to change.

    Stopped before it was signed, the same command goes on with what was read already.

    \b
    Example:
      crane-verify visit open STS-01 --vendor "Drives Ltd" --person "V. Fitter" --work-order WO-17 --why "brake retuned" \\
        --expect "STS-01/hoist-drive#limits#brake delay=0.4 s"
    """
    is_said(("--vendor", vendor), *(("--person", each) for each in people), ("--work-order", work_order), ("--why", why))
    if not span:
        raise UsageError("the visit is overdue before it begins", "give --for a span, such as 8h")
    inventory, collector = desk.inventory(ctx), desk.collector(ctx)
    may_be_signed(collector)
    devices = inventory.select(words)
    changes: list[Expectation] = [each for text in expected for each in typed(text, devices, inventory)]
    into = inventory.select(package_for) if package_for else devices
    if stranger := next((each for each in into if each not in devices), None):
        raise UsageError(f"the visit is not to {stranger.name}, for which a package is", "name it among the devices")
    for package in packages:
        changes += packaged(package, package_under, into, collector)
    order = Order(vendor, people, work_order, why, tuple(dict.fromkeys(changes)), _checks(checklist), span)
    with watching() as progress:
        collector = desk.collector(ctx, progress, any_hour)
        seen = opening(devices, order, collector, _told)
    for line in opened_lines(seen):
        say(line)
    ask(yes, "Sign that the visit begins?", NOT_SIGNED, lambda: forget_opening(seen, collector))
    visit = open_visit(seen, desk.signer(key), collector)
    tell(f"{visit.name} is open until {local(seen.overdue_at)}, entry {visit.opened.sequence} of the record", fg="green")
    tell(f"signed by {visit.opened.by}; next: crane-verify visit close {visit.name}")


@command.command()
@click.argument("name")
@click.option("--countersign", "countersigners", multiple=True, metavar="KEY", help="The vendor's key, as --key.")
@click.option("--checklist", type=FILE, help="YAML file: what no network can see, such as seals and USB sticks.")
@click.option("--new-baseline", is_flag=True, help="Close it although a baseline was approved while it was open.")
@window_option
@desk.key_option
@click.option("--yes", is_flag=True, help="You have read it; do not ask again.")
@click.pass_context
def close(
    ctx: click.Context,
    /,
    name: str,
    countersigners: tuple[str, ...],
    checklist: Path | None,
    new_baseline: bool,
    any_hour: bool,
    key: str,
    yes: bool,
) -> None:
    """Read the devices as they are after the visit, and sign what became of it. What changed stays drift until it is approved.

    Leaves with 0 whatever is found: it is for the next check to say drift.

    \b
    Example:
      crane-verify visit close V-2026-0007 --countersign /media/vendor/fitter.key
    """
    with watching() as progress:
        collector = desk.collector(ctx, progress, any_hour)
        seen = closing(name, _checks(checklist), desk.inventory(ctx), collector, _told, new_baseline)
    tell(f"{seen.visit.name}: {sums(seen.closed)}", bold=True)
    for line in closed_lines(seen.closed):
        say(line)
    ask(yes, "Sign that the visit ended so?", NOT_SIGNED, lambda: forget_closing(seen, collector))
    visit = close_visit(seen, desk.signer(key), [desk.signer(each) for each in countersigners], collector)
    assert visit.closed
    tell(f"{visit.name} is closed, entry {visit.closed.sequence} of the record", fg="green")
    _tell_signers(visit)
    if seen.closed.differences:
        tell(f"next: crane-verify visit approve {visit.name}; until then what changed is drift")


@command.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show a visit: what was declared, what became of it, who signed.

    \b
    Example:
      crane-verify visit show V-2026-0007
    """
    visit = named_visit(name, desk.workspace(ctx), _history(ctx))
    if as_json:
        print_json(_document(visit))
        return
    tell(f"{visit.name}  {_state(visit)}", bold=True)
    tell(f"opened {local(visit.opened.value.at)} by {visit.opened.by}, entry {visit.opened.sequence} of the record")
    for line in opened_lines(visit.opened.value):
        say(line)
    if visit.closed:
        tell(f"closed {local(visit.closed.value.at)}, entry {visit.closed.sequence} of the record: {sums(visit.closed.value)}")
        for line in closed_lines(visit.closed.value):
            say(line)
        _tell_signers(visit)
    if visit.approved:
        approval = visit.approved.value
        counts = f"{len(approval.accepted)} accepted, {len(approval.refused)} refused: {approval.reason}"
        tell(f"approved {local(approval.at)} by {visit.approved.by}, entry {visit.approved.sequence} of the record: {counts}")


@command.command("list")
@click.argument("words", nargs=-1, metavar="[DEVICE|CRANE|SITE]...")
@json_option
@click.pass_context
def list_(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    """List visits, newest last. One that was not closed in time is overdue.

    \b
    Example:
      crane-verify visit list STS-01
    """
    found = visits(desk.workspace(ctx), _history(ctx))
    if words:
        names = {device.name for device in desk.inventory(ctx).select(words)}
        found = tuple(each for each in found if names & set(each.opened.value.devices))
    if as_json:
        print_json([_document(each) for each in found])
        return
    if not found:
        tell("no visit is recorded")
        return
    rows = (
        (each.name, _state(each), about.vendor, about.work_order, ", ".join(map(str, about.devices)))
        for each in found
        for about in (each.opened.value,)
    )
    table(("visit", "state", "vendor", "work order", "devices"), rows)


def _state(visit: Visit) -> str:
    if visit.closed and visit.approved:
        approval = visit.approved.value
        of = len(approval.accepted) + len(approval.refused)
        return f"approved {len(approval.accepted)} of {of}: {sums(visit.closed.value)}"
    if visit.closed:
        return f"closed: {sums(visit.closed.value)}"
    if visit.is_overdue(desk.now()):
        return f"OVERDUE by {age(visit.opened.value.overdue_at, desk.now())}"
    return f"open since {local(visit.opened.value.at)}"


def _tell_signers(visit: Visit) -> None:
    assert visit.closed
    tell(f"signed by {visit.closed.by}")
    if not visit.countersigned:
        tell("not countersigned by the vendor", fg="yellow")


def _document(visit: Visit) -> dict[str, object]:
    found: dict[str, object] = {
        "visit": visit.name,
        "state": "approved" if visit.approved else "closed" if visit.closed else "open",
        "overdue": visit.is_overdue(desk.now()),
        "opened": opened_document(visit.opened.value) | {"entry": visit.opened.sequence, "signed_by": visit.opened.by},
    }
    if visit.closed:
        signed: dict[str, object] = {
            "entry": visit.closed.sequence,
            "signed_by": visit.closed.by,
            "countersigned_by": list(visit.countersigned),
        }
        found["closed"] = closed_document(visit.closed.value) | signed
    if visit.approved:
        signed = {"entry": visit.approved.sequence, "signed_by": visit.approved.by}
        found["approved"] = to_json(visit.approved.value) | signed
    return found


def _told(side: Side, kept: bool) -> None:
    if isinstance(side.seen, NotReached):
        tell(f"{side.device}: could not be read: {side.seen.reason}", fg="red", err=True)
    elif kept:
        tell(
            f"{side.device}: read {local(side.seen.ended)} by a run that was stopped; gone on with (a no reads it again)",
            err=True,
        )


def _checks(path: Path | None) -> tuple[Check, ...]:
    return load_checklist(path) if path else ()


def _history(ctx: click.Context) -> History:
    space = desk.workspace(ctx)
    return past(space, space.trusted())
