"""A port with two cards to read, three people with keys, and a clock that anybody may set; its commands run in this process."""

from __future__ import annotations

import functools
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.terminal import Typed
from verifier.cli import desk
from verifier.cli.main import run
from verifier.model.baseline import Baseline
from verifier.model.device import DeviceName
from verifier.model.report import Report
from verifier.procedures.audit import reports
from verifier.procedures.collector import Collector
from verifier.record.workspace import Workspace
from verifier.trust.signers.file import FileSigner, load_private_key, new_private_key
from verifier.trust.statement import BASELINE
from verifier.trust.verify import claimed

CARD = """\
profile: test-card
title: A card of a test controller
version: 1
maturity: simulated
references: [tests/approval_port.py]
gaps: [Stands for no product.]
items:
  - {name: firmware, kind: firmware, files: {paths: [/firmware]}}
  - name: settings
    kind: configuration
    files: {paths: [/settings]}
    text: {match: ["/settings/*.conf"], keep: true}
"""
INVENTORY = """\
sites:
  terminal-2:
    cranes:
      STS-01: {devices: {card: {profile: test-card, image: {path: ../STS-01}}}}
      STS-02: {devices: {card: {profile: test-card, image: {path: ../STS-02}}}}
      bench: {devices: {panel: {profile: other-card, image: {path: ../bench}}}}
"""
ONE, TWO = DeviceName("terminal-2", "STS-01", "card"), DeviceName("terminal-2", "STS-02", "card")
BEGINNING = datetime(2026, 11, 22, 6, tzinfo=UTC)


class Clock:
    """The wall clock of a machine."""

    def __init__(self) -> None:
        self.time = BEGINNING

    def __call__(self) -> datetime:
        return self.time

    def passes(self, **span: float) -> None:
        self.time += timedelta(**span)


@dataclass(frozen=True)
class Port:
    folder: Path
    clock: Clock
    monkeypatch: pytest.MonkeyPatch

    @property
    def root(self) -> Path:
        return self.folder / "workspace"

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root)

    @property
    def collector(self) -> Collector:
        """This port's machine, as the commands have it."""
        space = self.workspace
        return Collector(space, space.policy(), str, lambda: self.signer("collector.key"), self.clock)

    def key(self, name: str) -> str:
        return str(self.folder / "keys" / name)

    def signer(self, name: str) -> FileSigner:
        return load_private_key(Path(self.key(name)).read_bytes(), str)

    def types(self, *arguments: str, answers: str = "") -> Typed:
        """Run a command in this process, at this port's time, in the folder where its person stands."""
        out, err, stdin = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = io.StringIO(answers)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = run(arguments)
        finally:
            sys.stdin = stdin
        typed = Typed(code, out.getvalue(), err.getvalue())
        assert "this is a fault of crane-verify" not in typed.err, typed.err
        return typed

    def succeeds(self, *arguments: str, answers: str = "") -> Typed:
        typed = self.types(*arguments, answers=answers)
        assert typed.code == 0, (arguments, typed)
        return typed

    def stands_in(self, folder: Path) -> None:
        """The person goes to another machine: no workspace is there."""
        folder.mkdir(parents=True, exist_ok=True)
        self.monkeypatch.chdir(folder)

    def comes_back(self) -> None:
        self.monkeypatch.chdir(self.root)

    def approve(self, *options: str, device: str = "STS-01/card", reason: str = "commissioning") -> str:
        """Propose, approve by one engineer, and give the digest of the approved baseline."""
        self.succeeds("baseline", "propose", device, "--reason", reason, *options)
        assert "in force" in self.succeeds("baseline", "approve", device, "--yes").out
        crane, name = device.split("/")
        accepted = self.workspace.baselines.accepted(DeviceName("terminal-2", crane, name))
        assert accepted
        return accepted.sha256

    def two_people(self, *statements: str) -> None:
        """An engineer and a security officer are needed."""
        name = ("--name", "O. Officer", "--role", "security-officer")
        self.succeeds("trust", "add", f"{self.key('officer')}.pub", *name)
        for statement in statements:
            self.succeeds("trust", "quorum", statement, "engineer=1", "security-officer=1")

    def changes(self, text: str, crane: str = "STS-01") -> None:
        (self.folder / crane / "settings/hoist.conf").write_text(text)

    def baseline(self, device: DeviceName = ONE) -> Baseline:
        envelope = self.workspace.baselines.approved(device)
        assert envelope
        return claimed(envelope, BASELINE)

    def report(self) -> Report:
        """The newest report."""
        return next(reports(self.workspace)).report


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Port:
    return set_up(tmp_path, monkeypatch)


def set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Port:
    """A port in this folder, its person standing in the workspace; for as long as `monkeypatch` holds."""
    clock = Clock()
    port = Port(tmp_path, clock, monkeypatch)
    for crane in ("STS-01", "STS-02"):
        for name in ("firmware", "settings"):
            (tmp_path / crane / name).mkdir(parents=True)
        (tmp_path / crane / "firmware/main.bin").write_bytes(bytes(range(256)))
        port.changes("speed = 180\nbrake = on\n", crane)
    (port.root / "profiles").mkdir(parents=True)
    (port.root / "profiles/test-card.yaml").write_text(CARD)
    (port.root / "profiles/other-card.yaml").write_text(CARD.replace("test-card", "other-card"))
    (port.root / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "keys").mkdir()
    for name in ("officer", "stranger"):
        Path(port.key(name)).write_bytes(new_private_key(None))
        Path(port.key(name)).chmod(0o600)
        Path(port.key(f"{name}.pub")).write_text(port.signer(name).public.pem)
    monkeypatch.chdir(port.root)
    monkeypatch.setenv("CRANE_VERIFY_KEY", port.key("approver.key"))
    monkeypatch.setenv("CRANE_VERIFY_COLLECTOR_KEY", port.key("collector.key"))
    monkeypatch.delenv("CRANE_VERIFY_WORKSPACE", raising=False)
    monkeypatch.setattr(desk, "Collector", functools.partial(Collector, now=clock))
    monkeypatch.setattr(desk, "now", clock)
    port.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    return port
