"""`crane-verify devices`: what stands in the inventory."""

from __future__ import annotations

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json, table
from verifier.model.codec import to_json
from verifier.model.device import where
from verifier.settings.profiles import load_profile


@click.group()
def command() -> None:
    """The devices of the inventory.

    \b
    Example:
      crane-verify devices list
    """


@command.command("list")
@click.argument("words", nargs=-1)
@json_option
@click.pass_context
def list_(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    """List the devices of a site, a crane, or all."""
    devices = desk.inventory(ctx).select(words)
    if as_json:
        print_json([to_json(device.name) | {"profile": device.profile, "address": where(device.address)} for device in devices])
        return
    rows = [(str(d.name), d.profile, f"{d.every.days} d" if d.every else "-", where(d.address)) for d in devices]
    table(("device", "profile", "every", "address"), rows)


@command.command()
@click.argument("word")
@click.pass_context
def show(ctx: click.Context, word: str) -> None:
    """Show one device as the inventory's groups and defaults make it. Secrets are references, never values."""
    device = desk.one_device(ctx, word)
    print_json(
        {
            "name": to_json(device.name),
            "profile": device.profile,
            "every_seconds": int(device.every.total_seconds()) if device.every else None,
            "window": str(device.window) if device.window else None,
            "address": where(device.address),
            "facts": dict(device.facts),
        }
    )


@command.command()
@click.pass_context
def validate(ctx: click.Context) -> None:
    """Check the inventory and every profile it names. Nothing is asked of any device."""
    space = desk.workspace(ctx)
    devices = desk.inventory(ctx).devices
    for name in sorted({device.profile for device in devices}):
        load_profile(name, space.profiles)
    click.echo(f"{len(devices)} devices, all in order")
