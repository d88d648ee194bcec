"""`crane-verify baseline restore-kit`: what it takes to set a device up anew, and loudly what of it is not there."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import tell
from verifier.compare.plain import counted
from verifier.errors import UsageError
from verifier.model.kit import KitFile, Standing
from verifier.procedures.restore_kit import restore_kit

SHOWN = 20
"""Of what is lacking, on a terminal; kit.csv has all."""


@click.command("restore-kit")
@click.argument("word", metavar="DEVICE")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write: a new one, or empty.")
@click.pass_context
def restore_kit_(ctx: click.Context, word: str, output: Path) -> int:
    """Write what it takes to set a device up anew as approved: golden copies, where each goes, values to set by hand.

    Exact copies are there as far as the profile asks for them (`golden:`) and they were kept when the baseline was proposed.
    Nothing is written to a device. Leaves with 4 when anything that the baseline names is missing, else 0.

    \b
    Example:
      crane-verify baseline restore-kit STS-01/controller --output /media/usb/controller-kit
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} is there and is not empty", "name a new folder; nothing was written")
    device = desk.one_device(ctx, word)
    kit = restore_kit(device, output.resolve(), desk.collector(ctx))
    kept = sum(each.standing is Standing.KEPT for each in kit.files)
    tell(f"{output}: baseline {kit.serial} of {kit.device}, signed by {', '.join(kit.signers)}")
    values = counted(len(kit.values), "value")
    tell(f"{counted(kept, 'file')} kept, {values} to set or see by hand; README.md in it says what to do")
    for note in kit.notes:
        tell(f"note: {note}", fg="yellow")
    for unasked in kit.not_asked:
        tell(f"the baseline says nothing of {unasked.item}: {unasked.why}", fg="yellow")
    lacking = kit.lacking
    if not lacking:
        tell("whole: every content that the baseline names is in it", fg="green")
        return 0
    tell(f"NOT WHOLE: {len(lacking)} of what the baseline names is not in the kit", fg="red", bold=True, err=True)
    for each in lacking[:SHOWN]:
        name = each.path if isinstance(each, KitFile) else each.member
        tell(f"  {each.standing}: {each.item} {name}", fg="red", err=True)
    if len(lacking) > SHOWN:
        tell(f"  and {len(lacking) - SHOWN} more: kit.csv lists them first", fg="red", err=True)
    tell(
        "  hint: name them under `golden:` in the profile, and propose the next baseline; see docs/profiles.md, part 8", err=True
    )
    return 4
