"""`crane-verify demo`: a crane that is not there, and the real commands run against it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from verifier.errors import CraneVerifyError, UsageError
from verifier.record.files import write_new


@click.command()
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep the workspace in this new folder.")
@click.option("--pause", type=float, default=0.0, help="Seconds to wait between the steps, for showing it to people.")
def command(keep: Path | None, pause: float) -> None:
    """A simulated ship-to-shore crane on this machine: enrol it, approve it, check it, let a vendor change it, check again.

    Takes some seconds, needs no crane and no network, and leaves nothing behind but the HTML report.

    \b
    Example:
      crane-verify demo
    """
    if keep and keep.exists():
        raise UsageError(f"{keep} is there already", "name a folder that does not exist yet")
    folder = (keep or Path(tempfile.mkdtemp(prefix="crane-verify-demo-"))).resolve()
    workspace = folder / "workspace"
    try:
        with _keys_in(folder / "keys"):
            _story(folder, workspace, pause)
    finally:
        if not keep:
            for each in (workspace, folder / "keys", folder / "crane"):
                shutil.rmtree(each, ignore_errors=True)


def _story(folder: Path, workspace: Path, pause: float) -> None:
    # imported here: the demo's servers are needed by no other command
    from verifier.simulator.crane import SimulatedCrane

    with SimulatedCrane(folder / "crane") as crane:
        write_new(workspace / "inventory.yaml", crane.inventory().encode())
        steps = _Steps(workspace, pause)
        steps.say("A ship-to-shore crane with a controller (SSH), a hoist drive, and a gateway with a wind gauge (Modbus).")
        steps.run(0, "devices", "list")
        steps.say("Trust begins with one engineer's key, and a key of this machine.")
        steps.run(0, "trust", "init", "--name", "A. Engineer", "--no-passphrase")
        steps.say("Commissioning is over. What the crane holds now is proposed as its baseline, and the engineer signs it.")
        steps.run(0, "baseline", "propose", "STS-01", "--reason", "commissioning, work order 4711")
        steps.run(0, "baseline", "approve", "STS-01", "--yes")
        steps.say("The nightly check.")
        steps.run(0, "check", "STS-01")
        steps.say("A vendor comes and goes. Nobody wrote down what was done.")
        crane.vendor_visit()
        steps.run(3, "check", "STS-01")
        steps.say("The auditor, later: is this report what was written that night, and is the record whole?")
        steps.run(0, "report", "verify", "STS-01/hoist-drive")
        steps.run(0, "log", "verify")
        page = folder / "report.html"
        steps.run(0, "report", "export", "STS-01", "--format", "html", "--output", str(page))
        steps.say(f"Open the report in a browser: {page}")


class _Steps:
    """Runs commands as a person would type them, and stops the demo when one ends otherwise than it should."""

    def __init__(self, workspace: Path, pause: float) -> None:
        self._workspace, self._pause = workspace, pause

    def say(self, words: str) -> None:
        time.sleep(self._pause)
        click.secho(f"\n# {words}", fg="cyan")

    def run(self, expected: int, *arguments: str) -> None:
        from verifier.cli.main import run

        click.secho(f"\n$ crane-verify {shlex.join(arguments)}", bold=True)
        found = run(("--workspace", str(self._workspace), *arguments))
        if expected:
            click.secho(f"(exit code {found})", dim=True)
        if found != expected:
            raise CraneVerifyError(f"the demo expected exit code {expected} and got {found}", "this is a fault of crane-verify")


@contextlib.contextmanager
def _keys_in(folder: Path) -> Iterator[None]:
    """Keys of the demo's own, so that a real key is neither used nor made."""
    before = dict(os.environ)
    os.environ["CRANE_VERIFY_KEY"] = str(folder / "engineer.key")
    os.environ["CRANE_VERIFY_COLLECTOR_KEY"] = str(folder / "collector.key")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
