"""A port of three devices, each a folder that stands for its memory card; commands are typed in this process, which is quick."""

from __future__ import annotations

import contextlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.terminal import Typed
from verifier.cli.main import run

CARD = """\
profile: test-card
title: A card of a test controller
version: 1
maturity: simulated
references: [tests/card_port.py]
gaps: [Stands for no product.]
items:
  - name: firmware
    kind: firmware
    files: {paths: [/firmware]}
    text: {match: [/firmware/version], keep: true}
    version: "FIRMWARE=(\\\\S+)"
  - {name: settings, kind: configuration, files: {paths: [/settings]}, volatile: [/settings/counter]}
  - {name: passwords, kind: account, files: {paths: [/passwords]}}
"""
INVENTORY = """\
sites:
  terminal-2:
    facts: {supplier: Example Cranes, country of origin: "=HYPERLINK(1)"}
    cranes:
      STS-01:
        devices:
          card: {profile: test-card, facts: {make: Example PLCs, model: PLC-7, serial: "4711"}, image: {path: ../card}}
          spare: {profile: test-card, image: {path: ../spare}}
      STS-02:
        devices:
          card: {profile: test-card, image: {path: ../other}}
"""
WITHOUT_BASELINE = ("terminal-2/STS-01/spare", "terminal-2/STS-02/card")


@dataclass(frozen=True)
class Port:
    folder: Path

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def types(self, *arguments: str) -> Typed:
        """Run a command in this process, with outputs that are no terminal, keys from `folder/keys`."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.setenv("CRANE_VERIFY_KEY", str(self.folder / "keys/approver.key"))
            patch.setenv("CRANE_VERIFY_COLLECTOR_KEY", str(self.folder / "keys/collector.key"))
            patch.setenv("HOME", str(self.folder / "keys"))
            code = run(("--workspace", str(self.workspace), *arguments))
        typed = Typed(code, out.getvalue(), err.getvalue())
        assert "this is a fault of crane-verify" not in typed.err, typed.err
        return typed

    def succeeds(self, *arguments: str) -> Typed:
        typed = self.types(*arguments)
        assert typed.code == 0, (arguments, typed)
        return typed

    def approves(self, device: str, *how: str) -> None:
        """What the device holds now becomes its baseline."""
        self.succeeds("baseline", "propose", device, "--reason", "commissioning", *how)
        self.succeeds("baseline", "approve", device, "--yes")


def founded(folder: Path) -> Port:
    """The port on its first day: one engineer, one collector, and an approved baseline of STS-01/card."""
    for name in ("card", "spare", "other"):
        for file, content in (
            ("firmware/main.bin", b"\0\1\2"),
            ("firmware/version", b"FIRMWARE=3.10.8\n"),
            ("settings/hoist.conf", b"speed = 180\n"),
            ("settings/counter", b"17\n"),
            ("passwords/shadow", b"root:x\n"),
        ):
            path = folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    port = Port(folder)
    (port.workspace / "profiles").mkdir(parents=True)
    (port.workspace / "profiles/test-card.yaml").write_text(CARD)
    (port.workspace / "inventory.yaml").write_text(INVENTORY)
    port.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    port.approves("STS-01/card")
    return port


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> Port:
    return founded(tmp_path_factory.mktemp("port") / "first-day")


@pytest.fixture
def port(first_day: Port, tmp_path: Path) -> Port:
    """A copy of its first day, to do with as one likes."""
    shutil.copytree(first_day.folder, tmp_path / "port", symlinks=True)
    return Port(tmp_path / "port")
