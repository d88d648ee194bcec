"""The command `crane-verify`: which module holds which command, and what an error looks like."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

import click

from verifier import __version__
from verifier.errors import CraneVerifyError, RecordError

COMMANDS = {
    "demo": "A simulated crane, the whole story in a minute.",
    "init": "Make a workspace, with commented examples and your first key.",
    "profiles": "What to ask each kind of device: list, show, validate.",
    "devices": "The devices of the inventory: list, show, validate.",
    "inventory": "Supplier, origin and firmware of each device, and what is unknown.",
    "probe": "Can a device be read? Each failure with the fix in words.",
    "capture": "Read a device and show what it holds; unsigned.",
    "baseline": "Propose, show, approve, carry, withdraw and export baselines.",
    "check": "Compare devices with their approved baselines.",
    "finding": "What differs again and again: how old it is, and what was done about it.",
    "status": "The fleet at a glance: verdicts and their age, what is due, what waits.",
    "cohort": "Sister devices compared with each other: the odd one out, without a baseline.",
    "visit": "A vendor comes and goes: what was declared, and what changed.",
    "schedule": "A ready systemd timer or crontab line that checks what is due.",
    "report": "List, show, verify and export signed reports.",
    "log": "Verify the append-only record.",
    "trust": "Who may sign what.",
    "schema": "JSON Schemas of the inventory and profile files, for editors.",
}
"""Command to its line in `--help`. The module of the same name is imported only when the command runs."""


TRACEBACK = "CRANE_VERIFY_TRACEBACK"


class Commands(click.Group):
    """A group whose commands are imported when they are called, so that `--help` answers at once."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"verifier.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="crane-verify")
@click.option(
    "-w",
    "--workspace",
    type=click.Path(file_okay=False),
    envvar="CRANE_VERIFY_WORKSPACE",
    help="Folder that holds inventory.yaml. Default: this folder, or the nearest one above it that does.",
)
@click.pass_context
def cli(ctx: click.Context, workspace: str | None) -> None:
    """Are the controllers of this crane what they should be?

    Reads firmware, programs, configuration and parameters over SSH, Modbus or from an image, and never writes to a device.
    Compares them with the baseline your people signed, and records every check in a signed report.

    \b
    Example:
      crane-verify demo                   see it work, without a crane
      crane-verify check STS-01           check one crane

    \b
    Exit codes: 0 match, 1 our own fault, 2 usage or configuration, 3 drift, 4 could not tell, 5 not trusted.
    """
    ctx.obj = workspace


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code. Errors are a message and a hint, never a traceback."""
    code = run(arguments)
    if any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate()):
        # stopped while devices are being asked: who types Ctrl-C does not wait an hour for them, and a kill loses nothing
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code."""
    try:
        code = cli.main(args=list(arguments) if arguments is not None else None, prog_name="crane-verify", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort as error:
        if isinstance(error.__context__, EOFError):
            complain("nobody is at the terminal to answer", "run it by hand; --yes says that you have read it already")
            return 2
        complain("stopped by you", "nothing half done is left behind: what was recorded before stays recorded")
        return 1
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        complain(*_usage(error))
        return 2
    except CraneVerifyError as error:
        complain(str(error), error.hint)
        return error.exit_code
    except OSError as error:
        wrapped = RecordError(f"{error.filename or 'the system'}: {(error.strerror or str(error)).lower()}")
        complain(str(wrapped), "check the disk, the path and the permissions")
        return wrapped.exit_code
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        complain(
            f"{type(error).__name__}: {error}", f"this is a fault of crane-verify; {TRACEBACK}=1 shows where, for a bug report"
        )
        return 1


def _usage(error: click.ClickException) -> tuple[str, str]:
    """What was typed wrongly, and what to type instead."""
    message, near = error.format_message(), None
    if isinstance(error, click.NoSuchCommand | click.NoSuchOption):
        message, near = error.message, error.possibilities
    context = error.ctx if isinstance(error, click.UsageError) else None
    message = message[:1].lower() + message[1:].rstrip(".")
    if near:
        return message, f"did you mean {' or '.join(near)}?"
    return message, f"`{context.command_path if context else 'crane-verify'} --help` shows how it is used"


def complain(message: str, hint: str) -> None:
    """An error on standard error: what happened, and what to do."""
    # imported here, so that `--help` answers at once
    from verifier.cli import output

    output.complain(message, hint)
