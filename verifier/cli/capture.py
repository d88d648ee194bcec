"""`crane-verify capture`: what a device holds now, unsigned."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json, tell, window_option
from verifier.cli.showing import print_members, print_snapshot
from verifier.cli.watching import watching
from verifier.model.codec import dumps, to_json
from verifier.model.snapshot import Snapshot
from verifier.procedures.enrol import capture, first_reason, readings_of
from verifier.record.files import PRIVATE, write_whole


@click.command()
@click.argument("word", metavar="DEVICE")
@click.option("--members", is_flag=True, help="Every member with its value.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the snapshot as JSON to this file.")
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every answer of the device to this file, to be played back later: for a profile of a new kind of device. "
    "It holds whole texts, secrets among them, before anything is redacted: look through it before you send it.",
)
@window_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, /, word: str, members: bool, output: Path | None, record: Path | None, any_hour: bool, as_json: bool
) -> int:
    """Read a device and show what it holds. Nothing is signed, compared or added to the record.

    Leaves with 4 when nothing could be read.

    \b
    Example:
      crane-verify capture STS-01/controller --members
    """
    device = desk.one_device(ctx, word)
    recordings: list[bytes] = []
    with watching() as progress:
        snapshot = capture(device, desk.collector(ctx, progress, any_hour), recordings.append if record else None)
    if record and recordings:
        write_whole(record.resolve(), recordings[0] + b"\n", PRIVATE)
        tell(f"{record}: every answer of {device.name}, secrets among them; look through it before you send it", err=True)
    if output:
        write_whole(output.resolve(), dumps(snapshot) + b"\n")
    if as_json:
        print_json(to_json(snapshot))
    else:
        _print(snapshot, members)
    return 0 if readings_of(snapshot) else 4


def _print(snapshot: Snapshot, members: bool) -> None:
    tell(str(snapshot.device), bold=True)
    if not readings_of(snapshot):
        tell(f"nothing could be read: {first_reason(snapshot)}", fg="yellow")
        tell(f"next: crane-verify probe {snapshot.device}")
        return
    print_snapshot(snapshot)
    if members:
        print_members(snapshot)
