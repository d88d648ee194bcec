"""tuf-js and @sigstore/core beside ours: installed with npm into a folder of their own, in the versions of the lock file."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).with_name("npm")
QUIETLY = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
INSTALL = ("npm", "ci", *QUIETLY, "--fetch-retries=1", "--fetch-timeout=30000")


def installed() -> None:
    """Make sure that the packages are there; skips, and says why, where they are not and cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("NOT CHECKED by tuf-js and @sigstore/core: nodejs and npm are not installed")
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_there():
            return
        try:
            done = subprocess.run(INSTALL, cwd=FOLDER, capture_output=True, text=True, timeout=100, check=False)
            why = done.stderr.strip()[:300] if done.returncode else ""
        except subprocess.TimeoutExpired:
            why = "no answer in 100 seconds"
        if why:
            pytest.skip(f"NOT CHECKED by tuf-js and @sigstore/core: npm could not install them: {why}")


def _is_there() -> bool:
    """Whether what npm says it installed is what the lock file asks for."""
    note = FOLDER / "node_modules/.package-lock.json"
    if not note.is_file():
        return False
    wanted, found = (json.loads(file.read_bytes())["packages"] for file in (FOLDER / "package-lock.json", note))
    needed = {name: each["version"] for name, each in wanted.items() if name and "optional" not in each}
    return all(found.get(name, {}).get("version") == version for name, version in needed.items())


def read(*arguments: object) -> Any:
    """What they read in our files.

    Raises:
        subprocess.CalledProcessError: they refuse.
    """
    command = ["node", str(FOLDER / "read.cjs"), *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)
