"""`crane-verify report`: what the checks found, signed."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.bundle import verify_bundle
from verifier.cli.evidence import bounds_document
from verifier.cli.lives import Lives
from verifier.cli.output import json_option, local, print_json, say, table, tell
from verifier.errors import TrustError, UsageError
from verifier.model.device import Device, DeviceName
from verifier.model.report import Report
from verifier.procedures.audit import Found, past, report_at, reports, signed_report, verified_report
from verifier.procedures.due import is_stale
from verifier.procedures.history import History, examined
from verifier.record.files import write_whole
from verifier.report.html import fleet_view
from verifier.report.signed import NotReported, SignedReport
from verifier.report.text import text_lines
from verifier.report.views import VIEWS
from verifier.report.words import coverage
from verifier.trust.envelope import LARGEST
from verifier.trust.verify import Verified

ENVELOPE = ".dsse.json"
LOOK = "`crane-verify log verify` says what else is wrong; keep the folder as it is"
NOT_GENUINE = "not genuine"
"""What stands in place of a verdict that nobody trusted has signed."""


@click.group()
def command() -> None:
    """Signed reports of past checks. A report is named by its number, or by a device for its newest one.

    \b
    Example:
      crane-verify report list STS-01
      crane-verify report show STS-01/controller
      crane-verify report export 17 --format html --output report.html
    """


@command.command("list")
@click.argument("words", nargs=-1, metavar="[DEVICE|CRANE|SITE]...")
@click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="Newest so many.")
@json_option
@click.pass_context
def list_(ctx: click.Context, words: tuple[str, ...], most: int, as_json: bool) -> None:
    """List reports, newest first, each with its verdict if its signatures hold.

    \b
    Example:
      crane-verify report list STS-01
    """
    space, history, now = desk.workspace(ctx), _history(ctx), desk.now()
    inventory = desk.inventory(ctx)
    known = {device.name: device for device in inventory.devices}
    names = [device.name for device in inventory.select(words)] if words else []
    newest: set[DeviceName] = set()
    rows = []
    for each in islice(reports(space, *names), most):
        report = each.report
        device = known.get(report.device) if report.device not in newest else None
        standing = _standing(each, device, history, now)
        if standing != NOT_GENUINE:
            newest.add(report.device)
        rows.append((str(each.sequence), local(report.ended), str(report.device), standing, coverage(report.coverage)))
    if as_json:
        print_json([{"number": int(number), "device": name, "verdict": standing} for number, _, name, standing, _ in rows])
        return
    table(("number", "ended", "device", "verdict", "coverage"), rows)


def _standing(found: Found, device: Device | None, history: History, now: datetime) -> str:
    """The verdict in a word. `device`, where this is its newest report: then it may be stale."""
    try:
        report = signed_report(found, history).report
    except TrustError:
        return NOT_GENUINE
    return f"{report.verdict}, stale" if device and is_stale(report, device, now) else str(report.verdict)


@command.command()
@click.argument("which")
@json_option
@click.pass_context
def show(ctx: click.Context, which: str, as_json: bool) -> None:
    """Show a report, its signatures checked.

    \b
    Example:
      crane-verify report show STS-01/controller
    """
    found = signed_report(_one(ctx, which), _history(ctx))
    lives = Lives(desk.workspace(ctx), resolved=True)
    if as_json:
        print_json(lives.document(found))
        return
    for line in text_lines(found, lives.beside(found)):
        say(line)


@command.command()
@click.argument("which", metavar="NUMBER|DEVICE|FILE|BUNDLE")
@click.option("--root", metavar="FINGERPRINT", help="Of the first root, as you know it. For a bundle.")
@json_option
@click.pass_context
def verify(ctx: click.Context, which: str, root: str | None, as_json: bool) -> None:
    """Check a report of the record, or an exported envelope: its signatures, and what is known of when it was made.

    Or check a whole evidence bundle (`log bundle`), a folder: it needs no workspace, no network and no clock, and nothing is
    written. What was proven is said in words, and what was not.

    Leaves with 5 if something does not hold.

    \b
    Example:
      crane-verify report verify 17
      crane-verify report verify report.dsse.json
      crane-verify report verify /media/usb/evidence-2026 --root 3f9a...
    """
    # a number is an entry of the record, whatever lies in this folder
    if not which.isdigit() and Path(which).is_dir():
        verify_bundle(Path(which), root, as_json)
    elif root is not None:
        raise UsageError("--root is for a bundle", f"{which} is judged by the policy of the workspace")
    elif not which.isdigit() and Path(which).is_file():
        _verify_file(ctx, Path(which), as_json)
    else:
        try:
            desk.workspace(ctx)
        except UsageError as error:
            hint = (
                "name a bundle's folder, as `crane-verify log bundle` wrote it; a report's number or device needs the workspace"
            )
            raise UsageError(f"there is no file or folder {which}, and {error}", hint) from error
        _verify_entry(ctx, which, as_json)


def _verify_entry(ctx: click.Context, which: str, as_json: bool) -> None:
    found, history = _one(ctx, which), _history(ctx)
    entry = examined(found.envelope, found.sequence, history)
    if entry.doubts:
        raise TrustError(f"the signatures of entry {entry.sequence} hold, and it {'; it '.join(entry.doubts)}", LOOK)
    if as_json:
        print_json(_verified_document(entry.verified) | {"sequence": entry.sequence, **bounds_document(entry.bounds)})
        return
    _tell_verified(entry.verified)
    tell(str(entry.bounds))
    if history.faults:
        tell("the record around it does not hold: `crane-verify log verify` says why", fg="yellow")
    tell("This proves who signed, and that nothing was changed since; not that the device told the truth.")


def _verify_file(ctx: click.Context, path: Path, as_json: bool) -> None:
    envelope = desk.brought(path, LARGEST)
    if b'"payloadType"' not in envelope:
        raise TrustError(
            f"{path} carries no signature: it is a view of a report, or something else",
            "write the signed one: crane-verify report export NUMBER --output report.dsse.json",
        )
    verified = verified_report(envelope, desk.policy(ctx))
    if as_json:
        print_json(_verified_document(verified))
        return
    _tell_verified(verified)
    tell("This proves who signed, and that nothing was changed since; not when, and not that the device told the truth.")


def _verified_document(verified: Verified[Report]) -> dict[str, object]:
    report = verified.value
    return {"device": str(report.device), "verdict": report.verdict, "sha256": verified.sha256, "signers": verified.signer_names}


def _tell_verified(verified: Verified[Report]) -> None:
    report = verified.value
    tell(f"genuine: {report.device}, {report.verdict}, {local(report.ended)}", fg="green")
    tell(f"signed by {', '.join(verified.signer_names)}, sha256 {verified.sha256}")


@command.command()
@click.argument("which")
@click.option(
    "--format", "named", type=click.Choice(["envelope", *VIEWS]), help="Default: what the file's name ends in; else html."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.pass_context
def export(ctx: click.Context, which: str, named: str | None, output: Path) -> None:
    """Write a report to a file: a view for people or programs, or the signed envelope itself.

    A crane or a site gives one HTML page over all its devices' newest reports, each with its own page beside it.

    \b
    Example:
      crane-verify report export 17 --output report.csv
      crane-verify report export 17 --output report.dsse.json
      crane-verify report export STS-01 --output report.html
    """
    view = named or view_for(output.name)
    if view == "html" and _is_group(ctx, which):
        _export_group(ctx, which, output)
        return
    found = _one(ctx, which)
    if view == "envelope":
        _write(output, found.envelope)
        return
    _write(output, VIEWS[view].render(signed_report(found, _history(ctx))).encode())


def view_for(name: str) -> str:
    """The view that a file of this name is expected to hold; the signed envelope ends in `.dsse.json`."""
    if name.endswith(ENVELOPE):
        return "envelope"
    return next((view for view in VIEWS if name.endswith(VIEWS[view].suffix)), "html")


def _export_group(ctx: click.Context, which: str, output: Path) -> None:
    history, space = _history(ctx), desk.workspace(ctx)
    signed: list[SignedReport] = []
    without: list[NotReported] = []
    stale: set[DeviceName] = set()
    for device in desk.inventory(ctx).select((which,)):
        newest = next(reports(space, device.name), None)
        if newest is None:
            without.append(NotReported(str(device.name), "never checked"))
            continue
        signed.append(signed_report(newest, history))
        if is_stale(newest.report, device, desk.now()):
            stale.add(device.name)
    for each in signed:
        _write(output.with_name(page_of(each.report.device)), VIEWS["html"].render(each).encode(), quiet=True)
    _write(output, fleet_view(signed, which, without, lambda each: page_of(each.report.device), stale).encode())


def page_of(device: DeviceName) -> str:
    """The file name of a device's own page."""
    return f"{device.file_stem}.html"


def _one(ctx: click.Context, which: str) -> Found:
    space = desk.workspace(ctx)
    if which.isdigit():
        return report_at(int(which), space)
    device = desk.one_device(ctx, which)
    newest = next(reports(space, device.name), None)
    if newest is None:
        raise UsageError(f"{device.name} was never checked", f"check it with `crane-verify check {device.name}`")
    return newest


def _history(ctx: click.Context) -> History:
    """By what the reports of the record are judged."""
    space = desk.workspace(ctx)
    return past(space, space.trusted())


def _is_group(ctx: click.Context, which: str) -> bool:
    return not which.isdigit() and len(desk.inventory(ctx).select((which,))) > 1


def _write(output: Path, data: bytes, quiet: bool = False) -> None:
    write_whole(output.resolve(), data)
    if not quiet:
        tell(f"{output}: {len(data):,} bytes")
