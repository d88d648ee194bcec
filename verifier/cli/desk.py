"""Where a command stands: the workspace it works in, the keys of the person or machine at it, and how it asks for a secret."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from verifier.collect.progress import Progress
from verifier.errors import RecordError, UsageError
from verifier.model.device import Device, Secret
from verifier.model.inventory import Inventory
from verifier.procedures.collector import Collector, utc_now
from verifier.procedures.policy_history import in_force
from verifier.record.files import refusals
from verifier.record.workspace import Workspace
from verifier.settings.inventory import load_inventory
from verifier.settings.secrets import secret_of
from verifier.trust.keys import Signer
from verifier.trust.policy import Policy
from verifier.trust.signers.file import load_private_key, weakness

INVENTORY = "inventory.yaml"
LARGEST_KEY = 1_000_000
"""Bytes of a file with a public key, or with the certificates of a time authority."""
Command = TypeVar("Command", bound=Callable[..., object])
now = utc_now


def keys_folder() -> Path:
    """Where a person's and this machine's signing keys live: outside the workspace, which is shared."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "crane-verify"


def collector_key() -> str:
    """The key that signs reports on this machine, as `signer` takes it."""
    return os.environ.get("CRANE_VERIFY_COLLECTOR_KEY") or str(keys_folder() / "collector.key")


def person_key() -> str:
    """The key with which the person at this machine approves, as `signer` takes it."""
    return os.environ.get("CRANE_VERIFY_KEY") or str(keys_folder() / "approver.key")


def elsewhere(named: str) -> bool:
    """Whether this names a key that is in no file: `agent`, `agent:...`, `pkcs11:...`. Name a file so called `./agent`."""
    return named == "agent" or named.startswith(("agent:", "pkcs11:"))


def key_option(command: Command) -> Command:
    """`--key`: with which key the person at this machine signs. The command gets `key: str`, and gives it to `signer`."""
    return click.option(
        "--key",
        metavar="NAMED",
        callback=lambda _ctx, _option, named: named or person_key(),
        help="Your signing key: a file, `agent` or `agent:COMMENT` for an ssh-agent, a `pkcs11:` URI for a token. "
        "Default: CRANE_VERIFY_KEY, or the one `init` made.",
    )(command)


def workspace(ctx: click.Context) -> Workspace:
    """The workspace named with `-w`, else the nearest one.

    Raises:
        UsageError: there is none.
    """
    named = ctx.find_root().obj
    here = Path(named) if named else Path.cwd()
    for folder in (here,) if named else (here, *here.resolve().parents):
        if (folder / INVENTORY).is_file():
            return Workspace(folder)
    raise UsageError(f"no {INVENTORY} in {here}", "make a workspace with `crane-verify init`, or name one with --workspace")


def inventory(ctx: click.Context) -> Inventory:
    """The devices of the workspace."""
    return load_inventory(workspace(ctx).root / INVENTORY)


def one_device(ctx: click.Context, word: str) -> Device:
    """The one device a word stands for.

    Raises:
        UsageError: none, or more than one.
    """
    found = inventory(ctx).select((word,))
    if len(found) != 1:
        names = ", ".join(str(device.name) for device in found[:8])
        raise UsageError(f"{word} stands for {len(found)} devices", f"name one of them: {names}")
    return found[0]


def policy(ctx: click.Context) -> Policy:
    """Who may sign what, as the workspace says, if that is not behind what its record has worked under."""
    return in_force(workspace(ctx)).policy


def unwatched(_: Progress) -> None:
    """Nobody watches."""


def collector(ctx: click.Context, progress: Callable[[Progress], None] = unwatched, any_hour: bool = False) -> Collector:
    """This machine as a collector in this workspace."""
    space = workspace(ctx)
    # on a read-only disk a baseline can still be shown, and whatever must be written will say so itself
    with contextlib.suppress(RecordError):
        space.clear_partials()
    return Collector(
        workspace=space,
        policy=policy(ctx),
        secrets=secret,
        signer=lambda: signer(collector_key()),
        progress=progress,
        any_hour=any_hour,
    )


def brought(path: Path, largest: int) -> bytes:
    """The bytes of a file that somebody brought. No more of it is read than such a file can have: it may be a stranger's.

    Raises:
        UsageError: it has more.
        RecordError: it cannot be read.
    """
    with refusals("read", path), path.open("rb") as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise UsageError(f"{path} has more than {largest:,} bytes, and is not what is asked for", "name the right file")
    return data


def signer(named: str | Path) -> Signer:
    """The key somebody named, ready to sign. What is named is taken, and nothing in its place.

    A file, whose passphrase is asked for where it has one; `agent`, `agent:SHA256:...` or `agent:COMMENT` for an ssh-agent; a
    `pkcs11:` URI (RFC 7512) for a token. A `Path` is always a file.

    Raises:
        UsageError: there is no such file, agent or token, or it is not clear which key is meant.
        TrustError: it holds no key that counts, or the passphrase or PIN is wrong.
    """
    if isinstance(named, str) and elsewhere(named):
        kind, _, rest = named.partition(":")
        if kind == "agent":
            from verifier.trust.signers.agent import agent_signer

            return agent_signer(rest)
        from verifier.trust.signers.token import token_signer

        return token_signer(named, secret)
    path = Path(named)
    if not path.is_file():
        raise UsageError(f"there is no key at {path}", _how_to_get(path))
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        click.echo(f"warning: {path} can be read by others, who can sign in your place: chmod 600 {path}", err=True)
    data = path.read_bytes()
    if why := weakness(data):
        slow = "openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000"
        click.echo(f"warning: {path} is not safe if stolen: {why}; repair it: {slow} -in {path} -out NEW_FILE", err=True)
    return load_private_key(data, lambda: str(ask(f"Passphrase of {path.name}")))


def _how_to_get(path: Path) -> str:
    """What to do where a key is missing: a second person, or a second machine, joins a policy that is there."""
    if str(path) == collector_key():
        make, who = f"ssh-keygen -t ed25519 -N '' -f {path}", '--name "this machine" --role collector'
    else:
        make, who = f"ssh-keygen -t ed25519 -a 128 -f {path}", '--name "Your Name" --role engineer'
    named = "" if str(path) == collector_key() else "name yours with --key, or "
    add = f"crane-verify trust add {path}.pub {who}"
    return f"{named}make one: mkdir -p {path.parent} && {make}; then somebody of role root adds it: {add}"


def secret(reference: Secret) -> str:
    """The secret behind a reference of the inventory."""
    return secret_of(reference, lambda words: ask(words or "Password"))


def ask(words: str) -> str:
    """Ask the person at the terminal, without showing what is typed.

    Raises:
        UsageError: nobody is there to answer.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            f"{words}: nobody is at the terminal to answer",
            "run it by hand, or say where it is: env:NAME or file:PATH in the inventory, pin-source=file:/PATH in a pkcs11: URI",
        )
    return str(click.prompt(words, hide_input=True, default="", show_default=False, err=True))


def new_passphrase(what: str) -> str:
    """A passphrase for a new key, typed twice.

    Raises:
        UsageError: nobody is there to type it.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            f"a passphrase for {what}: nobody is at the terminal to type it",
            "run it by hand; --no-passphrase is for tests and training",
        )
    return str(click.prompt(f"Passphrase for {what}", hide_input=True, confirmation_prompt=True, err=True))
