"""`crane-verify baseline verify-spare`: is what is to be fitted what was approved for the crane?"""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json, say, window_option
from verifier.cli.watching import watching
from verifier.compare.verdict import exit_code
from verifier.errors import UsageError
from verifier.procedures.spare import spare_card, spare_device, verify_spare
from verifier.report.spare import spare_document, spare_lines


@click.command("verify-spare")
@click.argument("word", metavar="DEVICE")
@click.option("--image", type=click.Path(path_type=Path), help="The spare's card, an image of it, an archive or a folder.")
@click.option("--partition", type=click.IntRange(1, 128), help="Which partition of a card or whole-disk image, counted from 1.")
@click.option("--as", "other", metavar="DEVICE", default="", help="The spare at the bench, by its own name in the inventory.")
@window_option
@json_option
@click.pass_context
def verify_spare_(
    ctx: click.Context,
    /,
    word: str,
    image: Path | None,
    partition: int | None,
    other: str,
    any_hour: bool,
    as_json: bool,
) -> int:
    """Compare a spare device or card with the approved baseline of a device, before it is fitted.

    It is read as a check reads, and it is no check: nothing is signed or recorded, and the device in the crane is not asked.
    Leaves as a check does: 5 not trusted, 3 drift, 4 could not tell, 0 match.

    \b
    Example:
      crane-verify baseline verify-spare STS-01/controller --image /dev/sdb --partition 2
      crane-verify baseline verify-spare STS-01/controller --as bench/controller
    """
    if bool(image) == bool(other):
        raise UsageError("a spare is a card or a device", "give either --image PATH or --as DEVICE")
    if partition and not image:
        raise UsageError("--partition belongs to --image", "give that too, or leave it out")
    device = desk.one_device(ctx, word)
    if image:
        spare = spare_card(device, str(image.absolute()), partition or 0)
    else:
        spare = spare_device(device, desk.one_device(ctx, other))
    with watching() as progress:
        found = verify_spare(device, spare, desk.collector(ctx, progress, any_hour))
    if as_json:
        print_json(spare_document(found.spare, found.report))
    else:
        for line in spare_lines(found.spare, found.report):
            say(line)
    return exit_code([found.report.verdict])
