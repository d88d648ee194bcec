"""`crane-verify schedule`: a ready timer or crontab line for `check --due`, with this workspace's and this program's paths."""

from __future__ import annotations

import pwd
import re
import sys
from datetime import timedelta
from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import SPAN, tell
from verifier.errors import UsageError
from verifier.model.device import Device
from verifier.model.inventory import Inventory
from verifier.report.schedule import SERVICE, TIMER, Job, Rate, crontab, needs_devices, never_open, service, timer

UNITS = "/etc/systemd/system"
PROGRAM = "crane-verify"
NO_FILE = ("agent", "pkcs11:")
"""How a key begins that is no file (`desk.signer`)."""
ACCOUNT = r"[A-Za-z_][A-Za-z0-9_.-]*|[0-9]+"


@click.command()
@click.option("--systemd", "form", flag_value="systemd", default="systemd", help="A service and its timer. The default.")
@click.option("--cron", "form", flag_value="cron", help="A line for a crontab.")
@click.option("--every", type=SPAN, default="15m", show_default=True, help="How often to look what is due: 5m, 15m, 1h, 24h.")
@click.option("--user", help="The account that runs it. Default: the owner of the workspace.")
@click.pass_context
def command(ctx: click.Context, form: str, every: timedelta, user: str | None) -> None:
    """Print a systemd service and timer, or a crontab line, that checks what is due in this workspace. Nothing is installed.

    It can run at any rate: `check --due` asks only devices whose interval has passed and whose window is open.

    \b
    Example:
      crane-verify schedule --every 15m
      crane-verify schedule --cron --every 1h
    """
    space, inventory = desk.workspace(ctx).root.resolve(), desk.inventory(ctx)
    rate = _rate(every)
    job = Job(
        program=_program(),
        workspace=space,
        user=_account(user or _owner(space)),
        collector_key=_collector_key(),
        device_nodes=needs_devices(inventory.devices),
    )
    if form == "cron":
        click.echo(f"# into the crontab of {job.user}: crontab -u {job.user} -e")
        click.echo(crontab(job, rate), nl=False)
    else:
        click.echo(f"# {UNITS}/{SERVICE}\n{service(job)}\n# {UNITS}/{TIMER}\n{timer(rate)}", nl=False)
        click.echo(f"\n# then: systemctl daemon-reload && systemctl enable --now {TIMER}")
    _warn(job, inventory, rate)


def _rate(every: timedelta) -> Rate:
    minutes, rest = divmod(every, timedelta(minutes=1))
    if rest:
        raise UsageError(f"a timer cannot run every {every.total_seconds():g} seconds", "give whole minutes, such as 15m")
    return Rate(minutes)


def _program() -> tuple[str, ...]:
    """How this very program is started from anywhere."""
    typed, beside = Path(sys.argv[0]), Path(sys.executable).with_name(PROGRAM)
    for path in (typed if typed.name == PROGRAM else beside, beside):
        if path.is_file():
            return (str(path.absolute()),)
    return (str(Path(sys.executable).absolute()), "-m", "verifier")


def _collector_key() -> str:
    """As a run elsewhere would name it: a path is made absolute, an agent's or a token's key has none."""
    named = desk.collector_key()
    return named if named.startswith(NO_FILE) else str(Path(named).absolute())


def _owner(folder: Path) -> str:
    owner = folder.stat().st_uid
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:  # an account of another machine, as on a shared disk
        return str(owner)


def _account(name: str) -> str:
    if not re.fullmatch(ACCOUNT, name):
        raise UsageError(f"{name!r} is no name of an account", "name the account that owns the workspace, such as crane-verify")
    return name


def _warn(job: Job, inventory: Inventory, rate: Rate) -> None:
    """What the timer will not do, said to whoever installs it."""
    if job.user in ("root", "0"):
        _tell("it would run as root: give the workspace and the key to an account of its own, or name one with --user")
    if job.collector_key.startswith("agent"):
        _tell("reports are signed with a key in an ssh-agent, and a timer has none: make a key file for this machine")
    elif not job.collector_key.startswith(NO_FILE) and not Path(job.collector_key).is_file():
        _tell(f"there is no key at {job.collector_key} yet, and reports are signed with it")
    unasked = [device for device in inventory.devices if device.every is None]
    if unasked:
        _tell(f"never due, since they have no interval (`every`): {_names(unasked)}")
    shut = [device for device in inventory.devices if never_open(device, rate)]
    if shut:
        _tell(f"their window is closed whenever it runs, so run it more often: {_names(shut)}")


def _names(devices: list[Device]) -> str:
    named = ", ".join(str(device.name) for device in devices[:8])
    return named if len(devices) <= 8 else f"{named} and {len(devices) - 8} more"


def _tell(text: str) -> None:
    tell(f"note: {text}", fg="yellow", err=True)
