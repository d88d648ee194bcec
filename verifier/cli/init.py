"""`crane-verify init`: a workspace to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.errors import UsageError
from verifier.record.files import write_new
from verifier.record.workspace import NOT_KEPT, Workspace
from verifier.settings.example import example_inventory

OWN_PROFILES = """\
Your own device profiles, one YAML file each. They win over the built-in ones of the same name.

  crane-verify profiles list              what is built in
  crane-verify profiles show wago-pfc     what one asks
  crane-verify profiles validate FILE     check one of yours
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--name", default="", help="Your name, as it should stand in reports. Makes your key and this machine's as well.")
@click.option("--no-passphrase", is_flag=True, help="Leave your key unencrypted; for tests and training.")
@click.pass_context
def command(ctx: click.Context, folder: Path, name: str, no_passphrase: bool) -> None:
    """Make a workspace: a commented inventory to fill in, a folder for your profiles, and who may sign what.

    \b
    Example:
      crane-verify init cranes --name "A. Engineer"
    """
    space = Workspace(folder.resolve())
    if space.inventory.exists():
        hint = "nothing was changed; choose another folder"
        if not space.trust_folder.files():
            there = "" if space.root == Path.cwd() else f" -w {folder}"
            hint = f'nothing was changed; what it lacks is a key: crane-verify{there} trust init --name "Your Name"'
        raise UsageError(f"{space.inventory} is there already", hint)
    write_new(space.inventory, example_inventory().encode())
    for path, text in ((space.root / ".gitignore", NOT_KEPT), (space.profiles / "README", OWN_PROFILES)):
        if not path.exists():
            write_new(path, text.encode())
    click.echo(f"{space.inventory}: fill in your cranes; the comments say how")
    if name:
        from verifier.cli.trust import init as trust_init

        ctx.find_root().obj = str(space.root)
        ctx.invoke(trust_init, name=name, no_passphrase=no_passphrase)
    else:
        click.echo('next: crane-verify trust init --name "Your Name"')
    there = "" if space.root == Path.cwd() else f", in {space.root}"
    click.echo(f"then{there}: crane-verify devices validate; crane-verify probe DEVICE")
