"""`crane-verify baseline export --approved-list`: the list of approved hardware, firmware and software of a site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from verifier.cli import desk
from verifier.cli.output import tell
from verifier.compare.plain import counted
from verifier.compare.verdict import exit_code
from verifier.errors import UsageError
from verifier.model.approved_list import ApprovedDevice, ApprovedList, NotApproved
from verifier.procedures.approved_list import approved_list, verdicts
from verifier.record.files import write_whole
from verifier.report.approved_list import csv_list, json_list
from verifier.report.cyclonedx import cyclonedx_list

F = TypeVar("F", bound=Callable[..., Any])

FORMS: Mapping[str, Callable[[ApprovedList], str]] = {"csv": csv_list, "json": json_list, "cyclonedx": cyclonedx_list}
SUFFIXES = {".cdx.json": "cyclonedx", ".json": "json", ".csv": "csv"}
"""The form that a file of this name is expected to hold; the first that fits."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the list is to be written."""

    form: str | None
    """One of `FORMS`; None: what the file's name ends in, else CSV."""
    by_item: bool
    marking: str


def approved_list_options(command: F) -> F:
    """The options of the list, as the arguments `as_list`, `form`, `by_item` and `marking`."""
    for option in (
        click.option("--marking", default="", help="With --approved-list: words your rules want on it, carried by every line."),
        click.option("--items", "by_item", is_flag=True, help="With --approved-list: a line for each item, not for each file."),
        click.option(
            "--format", "form", type=click.Choice([*FORMS]), help="With --approved-list. Default: what FILE ends in, else csv."
        ),
        click.option(
            "--approved-list",
            "as_list",
            is_flag=True,
            help="Write the list of approved hardware, firmware and software of these devices.",
        ),
    ):
        command = option(command)
    return command


def write_approved_list(ctx: click.Context, words: tuple[str, ...], wanted: Wanted, output: Path) -> int:
    """Write the list and tell what is not in it; gives the exit code, the gravest device's as after a check."""
    inventory = desk.inventory(ctx)
    if not inventory.select(words):
        raise UsageError("the inventory holds no device", "nothing listed is no approved list; fill in inventory.yaml")
    found = approved_list(inventory, words, desk.collector(ctx), wanted.by_item, wanted.marking)
    form = wanted.form or next((form for suffix, form in SUFFIXES.items() if output.name.endswith(suffix)), "csv")
    write_whole(output.resolve(), FORMS[form](found).encode())
    lines = sum(len(each.components) for each in found.devices if isinstance(each, ApprovedDevice))
    tell(f"{output}: {counted(len(found.devices), 'device')}, {counted(lines, 'component')}")
    for each in found.devices:
        match each:
            case NotApproved(device=device, why=why, hint=hint):
                tell(f"NOT APPROVED  {device}: {why}", fg="yellow", err=True)
                if hint:
                    tell(f"  hint: {hint}", err=True)
            case ApprovedDevice(device=device, notes=notes):
                for note in notes:
                    tell(f"{device}: {note}", fg="yellow", err=True)
    return exit_code(verdicts(found))
