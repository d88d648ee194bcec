"""`crane-verify profiles`: what each kind of device is asked."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json, table, tell
from verifier.compare.plain import counted
from verifier.errors import UsageError
from verifier.model.codec import to_json
from verifier.model.profile import (
    Ask,
    Facts,
    Fifo,
    FileRecords,
    FileTree,
    Identification,
    Parameters,
    Profile,
    Registers,
    ServerId,
)
from verifier.settings.profiles import load_profile, load_profile_file, profile_names


@click.group()
def command() -> None:
    """What to ask each kind of device.

    \b
    Example:
      crane-verify profiles show wago-pfc
    """


@command.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the built-in profiles and the workspace's own.

    \b
    Example:
      crane-verify profiles list
    """
    found = [load_profile(name, _own(ctx)) for name in profile_names(_own(ctx))]
    if as_json:
        print_json(
            [{"name": p.name, "title": p.title, "version": p.version, "maturity": p.maturity, "sha256": p.digest} for p in found]
        )
        return
    table(("profile", "maturity", "items", "title"), [(p.name, p.maturity, str(len(p.items)), p.title) for p in found])


@command.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show what a profile asks, what it leaves out and why, and where its facts come from.

    \b
    Example:
      crane-verify profiles show wago-pfc
    """
    profile = load_profile(name, _own(ctx))
    if as_json:
        print_json(to_json(profile))
        return
    _print(profile)


@command.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_context
def validate(ctx: click.Context, files: tuple[Path, ...]) -> None:
    """Check profile files before they are used. Each error names the file, the line and the fix.

    \b
    Example:
      crane-verify profiles validate profiles/our-drive.yaml
    """
    for path in files:
        profile = load_profile_file(path, _own(ctx))
        tell(f"{path}: {profile.name}, {counted(len(profile.items), 'item')}, in order")


def _own(ctx: click.Context) -> Path | None:
    """The workspace's own profiles; None outside a workspace, where the built-in ones can still be read."""
    try:
        return desk.workspace(ctx).profiles
    except UsageError:
        return None


def _print(profile: Profile) -> None:
    tell(f"{profile.name}: {profile.title}", bold=True)
    tell(f"version {profile.version}, {profile.maturity}, sha256 {profile.digest}\n")
    table(
        ("item", "kind", "criticality", "asks for"),
        [(item.name, item.kind, item.criticality, asks_for(item.ask)) for item in profile.items],
    )
    for title, lines in (("left out, because no source confirms it", profile.gaps), ("sources", profile.references)):
        if lines:
            tell(f"\n{title}:")
            for line in lines:
                tell(f"  {line}")


def asks_for(ask: Ask) -> str:
    """What an item asks, in a few words."""
    match ask:
        case FileTree(paths=paths, proof=proof):
            return f"{' '.join(paths)} ({proof})"
        case Facts(topic=topic):
            return f"the system's {topic}"
        case Parameters(parameters=parameters):
            return ", ".join(parameter.name for parameter in parameters)
        case Registers(table=which, first=first, count=count):
            return f"{which} {first} to {first + count - 1}"
        case Identification(level=level):
            return f"device identification, {level}"
        case ServerId():
            return "server id"
        case FileRecords(file=file, first=first, count=count):
            return f"records {first} to {first + count - 1} of file {file}"
        case Fifo(address=address):
            return f"FIFO queue {address}"
