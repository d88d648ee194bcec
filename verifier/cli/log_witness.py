"""`crane-verify log witness`: for somebody outside the port, on a machine of their own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import assert_never

import click

from verifier.cli import desk
from verifier.cli.output import tell
from verifier.errors import RecordError, TrustError, UsageError
from verifier.procedures.witness import Asking, Folder, Looking, hand_in
from verifier.record.files import write_whole
from verifier.record.log import Log
from verifier.record.witness_memory import WitnessMemory
from verifier.record.workspace import Workspace
from verifier.trust.keys import PublicKey, read_public_key
from verifier.trust.log.checkpoint import Checkpoint
from verifier.trust.log.note import holds, read_note
from verifier.trust.log.request import LARGEST_REQUEST, Request, read_request


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True), metavar="FROM")
@desk.key_option
@click.option("--log-key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The log's key, the first time.")
@click.option("--name-of-log", default="", metavar="NAME", help="Which log it must be: the first line of its checkpoints.")
@click.option("--memory", type=click.Path(path_type=Path, file_okay=False), help="Where you remember what you signed.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write, where it cannot go beside FROM.")
def witness(source: Path, key: str, log_key: Path | None, name_of_log: str, memory: Path | None, output: Path | None) -> None:
    """Cosign a log's newest checkpoint, if it follows on all that you signed before. Run by somebody outside the port.

    FROM is a workspace or its log, perhaps over a share, or a request on a stick. Your memory of what you signed is what keeps
    the port from showing you another history: never delete it, and keep a copy. Your key must be an Ed25519 key.

    \b
    Example:
      crane-verify log witness /mnt/port/workspace --log-key collector.pub
      crane-verify log witness /media/usb/log.request
    """
    asking = _asking(source)
    signer = desk.signer(key)
    given = read_public_key(desk.brought(log_key, desk.LARGEST_KEY)) if log_key else None
    looking = Looking(WitnessMemory(memory or desk.keys_folder() / "witness"), signer, desk.now)
    seen = looking.at(asking, lambda found: given or _shown(found, asking), name_of_log, given)
    grown = f"{seen.checkpoint.size - seen.before} more than you had seen" if seen.before else "the first that you sign"
    tell(f"{seen.checkpoint.origin}: {seen.checkpoint.size} entries, {grown}")
    if isinstance(asking, Folder) and output is None:
        try:
            hand_in(seen, signer, asking.log)
        except RecordError as error:
            again = "name a file with --output, and send that back; to sign the same again is harmless"
            raise RecordError(f"cosigned, but it could not be put beside the log: {error}", again) from error
        tell(f"cosigned as {seen.line.name}; it lies beside the log")
    else:
        place = output or source.with_suffix(".cosigned")
        write_whole(place.resolve(), seen.note)
        tell(f"cosigned as {seen.line.name}: {place}; the port takes it in with `crane-verify log take`")


def _asking(source: Path) -> Asking:
    if not source.is_dir():
        return read_request(desk.brought(source, LARGEST_REQUEST))
    for folder in (source / "log", source):
        if (folder / "checkpoint").is_file():
            return Folder(Log(folder))
    raise UsageError(f"{source} holds no log with a checkpoint", "give a workspace, its folder `log`, or a request file")


def _shown(found: Checkpoint, asking: Asking) -> PublicKey:
    """The key that the workspace itself names, if the person at the terminal knows its fingerprint from elsewhere.

    Raises:
        UsageError: nobody said whose key it is.
    """
    if sys.stdin.isatty():
        for key in _named_there(found, asking):
            tell(f"You see the log {found.origin} for the first time, with {found.size} entries.", err=True)
            tell(f"Its checkpoint is signed with the key {key.fingerprint}.", err=True)
            if click.confirm("Have you heard that fingerprint from a person of the port whom you know?", err=True):
                return key
    raise UsageError(
        f"you see the log {found.origin} for the first time, and nobody said what its key is",
        "have the port send its collector's .pub file by another way, and give it once with --log-key",
    )


def _named_there(found: Checkpoint, asking: Asking) -> list[PublicKey]:
    match asking:
        case Request():
            return []
        case Folder(log):
            try:
                keys = Workspace(log.folder.parent).policy().log_keys()
                return [key for key in keys if holds(read_note(asking.checkpoint), found.origin, (key,))]
            except TrustError:
                return []
        case _:
            assert_never(asking)
