"""SoftHSM: a PKCS#11 token made of files, as real as a card to whoever talks to it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "4711"


@dataclass(frozen=True)
class SoftHsm:
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    def uri(self, rest: str, token: str = "port officer") -> str:
        """`rest` follows the token's name: `;object=LABEL`, and perhaps `?...`."""
        between = "&" if "?" in rest else "?"
        return f"pkcs11:token={quote(token)}{rest}{between}module-path={MODULE}"

    def new_token(self, name: str, pin: str | None = PIN) -> None:
        run(self, "softhsm2-util", "--init-token", "--free", "--label", name, "--so-pin", "so-" + PIN, "--pin", pin or PIN)

    def new_key(self, label: str, number: str, kind: str, token: str = "port officer", *more: str) -> None:
        """`kind` as pkcs11-tool says it: `EC:prime256v1`, `EC:edwards25519`."""
        self.tool("--keypairgen", "--key-type", kind, "--label", label, "--id", number, *more, token=token)

    def tool(self, *arguments: str, token: str = "port officer") -> bytes:
        return run(self, "pkcs11-tool", "--module", MODULE, "--token-label", token, "--login", "--pin", PIN, *arguments)


def run(hsm: SoftHsm, *command: str) -> bytes:
    done = subprocess.run(command, env={**os.environ, **hsm.environment}, capture_output=True, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def started(folder: Path) -> SoftHsm:
    (folder / "tokens").mkdir(parents=True)
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    return SoftHsm(folder)
