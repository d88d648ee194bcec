"""`crane-verify trust key`: a key pair in files, for whoever has no ssh-keygen, and for algorithms that it does not know."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import tell
from verifier.errors import UsageError
from verifier.record.files import write_new
from verifier.trust.keys import Algorithm
from verifier.trust.signers.file import load_private_key, new_private_key


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--algorithm",
    type=click.Choice([each.value for each in Algorithm]),
    default=Algorithm.ED25519.value,
    show_default=True,
    help="ml-dsa-65 counts only beside another signature of yours, where the policy asks for it.",
)
@click.option("--no-passphrase", is_flag=True, help="Leave the key unencrypted; for machines, tests and training.")
def key(file: Path, algorithm: str, no_passphrase: bool) -> None:
    """Make a key pair: FILE, which never leaves you, and FILE.pub, which you give to others.

    \b
    Example:
      crane-verify trust key officer.key
      crane-verify trust key officer-pq.key --algorithm ml-dsa-65
    """
    public_file = file.with_name(f"{file.name}.pub")
    for path in (file, public_file):
        if path.exists():
            raise UsageError(f"{path} is there already", "nothing was changed; name another file: a key is never written over")
    passphrase = None if no_passphrase else desk.new_passphrase(file.name)
    private = new_private_key(passphrase, Algorithm(algorithm))
    write_new(file.absolute(), private, mode=0o600)
    public = load_private_key(private, lambda: str(passphrase)).public
    write_new(public_file.absolute(), public.published.encode())
    tell(f"{file}: your key; it never leaves you, and there is no other copy")
    tell(f"{public_file}: its public half, {public.fingerprint}")
    add = f'crane-verify trust add {public_file} --name "Your Name" --role engineer'
    tell(f"next, in the workspace, by somebody of role root: {add}")
    if public.algorithm.only_beside_another:
        tell(f"a signature by {algorithm} counts only beside one by another key of yours")
