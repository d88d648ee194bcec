"""Secrets behind references. Nothing here keeps, logs or repeats one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from verifier.errors import UsageError
from verifier.model.device import Secret

LIMIT = 64 << 10
"""Bytes a secret's file may have."""


def secret_of(reference: Secret, prompt: Callable[[str], str]) -> str:
    """The secret behind a reference. `prompt` asks a person with these words, without echo.

    Raises:
        UsageError: it cannot be had: not set, not there, readable for others, empty, or nobody to ask.
    """
    match reference.source:
        case "env":
            secret = os.environ.get(reference.name, "")
            if not secret:
                raise UsageError(
                    f"the environment has no {reference.name}", f"set it before the command runs: export {reference.name}=..."
                )
        case "file":
            secret = _of_file(Path(reference.name))
        case "credential":
            secret = _of_file(_credential(reference.name), private=False)
        case "prompt":
            secret = prompt(reference.name or "password")
            if not secret:
                raise UsageError("no secret was typed in", "run the command again, or name a file or variable in the inventory")
        case _:
            raise UsageError(
                f"there is no source of secrets {reference.source!r}", "write env:NAME, file:PATH, credential:NAME or prompt"
            )
    return secret


def _credential(name: str) -> Path:
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        hint = f"run it as a systemd service with LoadCredential={name}:PATH, or use env:, file: or prompt"
        raise UsageError("systemd has given no credentials to this command", hint)
    return Path(folder) / name


def _of_file(path: Path, private: bool = True) -> str:
    """systemd guards its own folder of credentials; any other file must be its owner's alone."""
    try:
        # one open file for the check and the reading, so that it cannot be exchanged between the two
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise UsageError(f"{path} is not a file", "name a file that holds the secret and nothing else")
            if private and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UsageError(f"{path} can be read by others", f"make it yours alone: chmod 600 {path}")
            data = file.read(LIMIT + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"{path} cannot be read: {reason}", "check the path in the inventory and who runs the command"
        ) from error
    if len(data) > LIMIT:
        raise UsageError(f"{path} is larger than {LIMIT >> 10} KiB", "name a file that holds the secret and nothing else")
    try:
        secret = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text", "name a file that holds the secret as UTF-8 text") from error
    secret = secret.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise UsageError(f"{path} is empty", "write the secret into it")
    return secret
