"""The command as a person types it: a process of its own, with keys and settings of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Typed:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Person:
    """Somebody at a desk: a workspace, and a folder for their keys."""

    workspace: Path
    keys: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "COVERAGE_PROCESS_START")}
        return kept | {
            "HOME": str(self.keys),
            "CRANE_VERIFY_KEY": str(self.keys / "approver.key"),
            "CRANE_VERIFY_COLLECTOR_KEY": str(self.keys / "collector.key"),
        }

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "verifier", "--workspace", str(self.workspace), *arguments]

    def types(self, *arguments: str, answers: str = "") -> Typed:
        """Run a command to its end."""
        done = subprocess.run(
            self.argv(*arguments), input=answers, capture_output=True, text=True, env=self.environment, timeout=100, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Typed(done.returncode, done.stdout, done.stderr)

    def succeeds(self, *arguments: str, answers: str = "") -> Typed:
        """Run a command that must end with 0."""
        typed = self.types(*arguments, answers=answers)
        assert typed.code == 0, f"{arguments}: {typed}"
        return typed


def settled(folder: Path, inventory: str, **profiles: str) -> Person:
    """A person with a workspace: an inventory, own profiles by name, one engineer's key and one collector's."""
    person = Person(folder / "workspace", folder / "keys")
    (person.workspace / "profiles").mkdir(parents=True)
    person.keys.mkdir()
    (person.workspace / "inventory.yaml").write_text(inventory)
    for name, text in profiles.items():
        (person.workspace / "profiles" / f"{name}.yaml").write_text(text)
    person.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    return person
