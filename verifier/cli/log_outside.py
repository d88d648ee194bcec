"""`crane-verify log checkpoint` and `log take`: what goes out to witnesses and time authorities, and what comes back."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import complain, tell
from verifier.errors import TrustError, UsageError
from verifier.procedures import carrying
from verifier.procedures.audit import checkpoint_of
from verifier.procedures.recording import report_signer
from verifier.record.files import write_whole
from verifier.trust.log.note import LARGEST


@click.command()
@click.option("--sign", is_flag=True, help="Take in the entries that wait, and sign a new one with this machine's key.")
@click.option("--for", "witness", metavar="NAME", help="Write what to ask this witness of the policy: give it on a stick.")
@click.option("--since", type=click.IntRange(0), help="With --for: how many entries that witness says it has seen.")
@click.option("--time-request", is_flag=True, help="Write what to send to a time authority (RFC 3161).")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; needed for a request.")
@click.pass_context
def checkpoint(
    ctx: click.Context, sign: bool, witness: str | None, since: int | None, time_request: bool, output: Path | None
) -> None:
    """Print the newest checkpoint: the log's name, length and root, signed. Keep it elsewhere, for `log verify --against`.

    Or write what somebody outside needs to witness it. No connection is made: carry the file, or send it on with curl:

    \b
      curl -H 'Content-Type: application/timestamp-query' --data-binary @log.tsq URL -o log.tsr

    \b
    Example:
      crane-verify log checkpoint > sts-01.checkpoint
      crane-verify log checkpoint --for "Class Society" --output /media/usb/log.request
      crane-verify log checkpoint --time-request --output log.tsq
    """
    space, policy = desk.workspace(ctx), desk.policy(ctx)
    if witness and time_request:
        raise UsageError("one request at a time", "give --for or --time-request")
    if since is not None and not witness:
        raise UsageError("--since says what a witness has seen", 'name the witness: --for "Class Society"')
    if (witness or time_request) and output is None:
        raise UsageError("a request is a file", "name it with --output")
    if sign:
        signer = report_signer(desk.collector(ctx))
        space.log.sign(signer, policy.log_keys(even_stolen=True), again=True)
    if witness:
        asked = carrying.request_for(space, policy, witness, since)
        data, told = asked.written(), f"goes on from {asked.old} entries; {witness} runs: crane-verify log witness {output}"
    elif time_request:
        data, told = carrying.stamp_request(space, policy), "send it to the time authority; `log checkpoint --help` shows how"
    else:
        data, told = checkpoint_of(space, policy), "keep it elsewhere"
    if output is None:
        click.echo(data.decode(), nl=False)
        return
    write_whole(output.resolve(), data)
    tell(f"{output}: {told}")
    if witness and asked.old == 0:
        told = f"ssh-keygen -y -f {desk.collector_key()} > collector.pub"
        tell(f"the first time they need this log's key too, by another way than this file: {told}")
    if witness or time_request:
        click.echo("then take in what comes back: crane-verify log take FILE")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE...")
@click.pass_context
def take(ctx: click.Context, files: tuple[Path, ...]) -> int:
    """Take in what witnesses and time authorities gave back. In any order; twice is harmless; nothing is believed unverified.

    \b
    Example:
      crane-verify log take /media/usb/log.cosigned log.tsr
    """
    space, policy = desk.workspace(ctx), desk.policy(ctx)
    refused = 0
    for file in files:
        try:
            for each in carrying.take(space, policy, desk.brought(file, LARGEST)):
                tell(f"{file}: {each}")
        except (TrustError, UsageError) as error:
            complain(f"{file} is not taken in: {error}", error.hint)
            refused = error.exit_code
    return refused
