"""`crane-verify devices`: what stands in the inventory."""

from __future__ import annotations

import click

from verifier.cli import desk
from verifier.cli.output import json_option, print_json, table
from verifier.errors import SettingsError, UsageError
from verifier.model.codec import to_json
from verifier.model.device import Address, SshAddress, where
from verifier.settings.profiles import load_profile


@click.group()
def command() -> None:
    """The devices of the inventory.

    \b
    Example:
      crane-verify devices list
    """


@command.command("list")
@click.argument("words", nargs=-1, metavar="[DEVICE|CRANE|SITE]...")
@json_option
@click.pass_context
def list_(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    """List the devices of a site, a crane, or all.

    \b
    Example:
      crane-verify devices list STS-01
    """
    devices = desk.inventory(ctx).select(words)
    if as_json:
        print_json([to_json(device.name) | {"profile": device.profile, "address": where(device.address)} for device in devices])
        return
    rows = [(str(d.name), d.profile, f"{d.every.days} d" if d.every else "-", where(d.address)) for d in devices]
    table(("device", "profile", "every", "address"), rows)


@command.command()
@click.argument("word", metavar="DEVICE")
@json_option
@click.pass_context
def show(ctx: click.Context, word: str, as_json: bool) -> None:
    """Show one device as the inventory's groups and defaults make it. Secrets are references, never values.

    \b
    Example:
      crane-verify devices show STS-01/controller
    """
    device = desk.one_device(ctx, word)
    if as_json:
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
        return
    rows = [
        ("device", str(device.name)),
        ("profile", device.profile),
        ("address", where(device.address)),
        ("checked every", f"{device.every.total_seconds() / 86400:g} d" if device.every else "-"),
        ("may be read", str(device.window) if device.window else "at any time"),
        *device.facts.items(),
    ]
    table(("what", "as the inventory says"), rows)


@command.command()
@click.pass_context
def validate(ctx: click.Context) -> None:
    """Check the inventory and every profile it names. Nothing is asked of any device.

    \b
    Example:
      crane-verify devices validate
    """
    space = desk.workspace(ctx)
    devices = desk.inventory(ctx).devices
    for name, device in {device.profile: device for device in reversed(devices)}.items():
        try:
            load_profile(name, space.profiles)
        except SettingsError:
            raise  # it names its own file and line
        except UsageError as error:
            raise UsageError(f"{space.inventory}: {device.name}: {error}", error.hint) from error
    for device in devices:
        if why := _no_login(device.address):
            hint = "write under credentials: a key, agent, password or interactive"
            raise UsageError(f"{space.inventory}: {device.name}: {why}", hint)
    click.echo(f"{len(devices)} devices, all in order")


def _no_login(address: Address) -> str:
    """The host that an address says no login for; empty: none."""
    match address:
        case SshAddress(host=host, credentials=()):
            return f"no credentials for {host}"
        case SshAddress(jump=SshAddress() as jump):
            return _no_login(jump)
        case _:
            return ""
