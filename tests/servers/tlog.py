"""Go's transparency log as a program beside ours, built from Debian's packages without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("tlog_peer.go")
LIBRARIES = Path("/usr/share/gocode")


def built(folder: Path) -> Path:
    """The program, built into a folder; skips where Go or its library is missing."""
    if not shutil.which("go") or not (LIBRARIES / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("golang-go and golang-golang-x-mod-dev are not installed")
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": str(LIBRARIES),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    program = folder / "tlog_peer"
    subprocess.run(["go", "build", "-o", program, SOURCE], check=True, env=environment)
    return program


def asked(program: Path, *arguments: object) -> str:
    """What the program says.

    Raises:
        subprocess.CalledProcessError: it refuses.
    """
    done = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True)
    return done.stdout
