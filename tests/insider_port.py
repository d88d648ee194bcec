"""A port with a year of history, watched by two witnesses and a time authority, and an insider who owns its whole machine."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.approval_port import CARD, Clock, Port
from tests.servers.tsa import Authority, authority
from tests.terminal import Typed
from verifier.cli import desk
from verifier.model.baseline import Baseline
from verifier.model.report import Report
from verifier.procedures.collector import Collector
from verifier.record.log import Log
from verifier.trust.envelope import PAYLOAD_TYPE, opened, seal
from verifier.trust.signers.file import load_private_key, new_private_key
from verifier.trust.statement import BASELINE, REPORT, StatementKind, kind_of, written
from verifier.trust.verify import claimed

INVENTORY = """\
sites:
  terminal-2:
    cranes:
      STS-01: {devices: {card: {profile: test-card, image: {path: ../STS-01}}}}
      STS-02: {devices: {card: {profile: test-card, image: {path: ../STS-02}}}}
"""
GOOD, BAD, UPDATED = "speed = 180\nbrake = on\n", "speed = 180\nbrake = off\n", "speed = 200\nbrake = on\n"
WITNESSES = {"class": "Class Society", "insurer": "Insurer"}


@dataclass(frozen=True)
class Watched(Port):
    """The port's machine is all in `folder`; those outside keep theirs in `outside`."""

    outside: Path

    @property
    def log(self) -> Log:
        return self.workspace.log

    @property
    def fingerprint(self) -> str:
        """Of the first root, as the auditor wrote it down."""
        return (self.outside / "root.txt").read_text()

    @property
    def stamps(self) -> Authority:
        return Authority(self.outside / "tsa", "Example TSA")

    def signs_too(self, device: str) -> None:
        self.succeeds("baseline", "approve", device, "--yes")
        assert "in force" in self.succeeds("baseline", "approve", device, "--yes", "--key", self.key("officer")).out

    def approves(self, device: str, reason: str = "commissioning") -> None:
        """What a card holds now becomes its baseline, signed by two persons."""
        self.succeeds("baseline", "propose", device, "--reason", reason)
        self.signs_too(device)

    def changes_policy(self, *arguments: str) -> None:
        """Signed by both who are root."""
        self.succeeds("trust", *arguments)
        self.succeeds("trust", "sign", "--key", self.key("officer"), "--yes")

    def shows(self, name: str, source: Path | None = None) -> Typed:
        """A witness looks at a log, and keeps its note."""
        keys = ("--key", str(self.outside / f"{name}.key"), "--log-key", str(self.outside / "collector.pub"))
        memory, note = self.outside / f"memory-{name}", self.outside / f"{name}.cosigned"
        place = source or self.root
        return self.types("log", "witness", str(place), *keys, "--memory", str(memory), "--output", str(note))

    def is_seen(self, *names: str) -> None:
        """The witnesses look, and what they gave is taken in."""
        for name in names or WITNESSES:
            typed = self.shows(name)
            assert typed.code == 0, typed
            self.succeeds("log", "take", str(self.outside / f"{name}.cosigned"))

    def is_stamped(self) -> None:
        request, response = self.outside / "log.tsq", self.outside / "log.tsr"
        self.succeeds("log", "checkpoint", "--time-request", "--output", str(request))
        response.write_bytes(self.stamps.stamp(request.read_bytes()))
        self.succeeds("log", "take", str(response))

    def examined(self, bundle: Path) -> Typed:
        """The auditor, who knows the first root."""
        return self.types("report", "verify", str(bundle), "--root", self.fingerprint)


def stands_at(folder: Path, time: datetime, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Somebody at the port's machine, at this time."""
    clock = Clock()
    clock.time = time
    port = Watched(folder / "machine", clock, monkeypatch, folder / "outside")
    monkeypatch.chdir(port.root)
    monkeypatch.setenv("CRANE_VERIFY_KEY", port.key("approver.key"))
    monkeypatch.setenv("CRANE_VERIFY_COLLECTOR_KEY", port.key("collector.key"))
    monkeypatch.delenv("CRANE_VERIFY_WORKSPACE", raising=False)
    monkeypatch.setattr(desk, "Collector", functools.partial(Collector, now=clock))
    monkeypatch.setattr(desk, "now", clock)
    return port


def a_year(folder: Path, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Make the port and its year, which ends now: the time authority has no clock but the machine's. Gives its last moment."""
    machine, outside = folder / "machine", folder / "outside"
    (machine / "workspace/profiles").mkdir(parents=True)
    (machine / "keys").mkdir()
    outside.mkdir()
    port = stands_at(folder, datetime.now(UTC) - timedelta(days=365), monkeypatch)
    for crane in ("STS-01", "STS-02"):
        for name in ("firmware", "settings"):
            (machine / crane / name).mkdir(parents=True)
        (machine / crane / "firmware/main.bin").write_bytes(crane.encode())
        port.changes(GOOD, crane)
    (port.root / "profiles/test-card.yaml").write_text(CARD)
    (port.root / "inventory.yaml").write_text(INVENTORY)
    keys = (port.folder / "keys/officer", port.folder / "keys/second", outside / "class.key", outside / "insurer.key")
    for path in keys:
        path.write_bytes(new_private_key(None))
        path.chmod(0o600)
        path.with_suffix(".pub").write_text(_public(path))
    _policy(port)
    (outside / "collector.pub").write_text(_public(machine / "keys/collector.key"))
    (outside / "root.txt").write_text(port.workspace.trusted().fingerprint)
    begin = port.clock.time
    for crane in ("STS-01/card", "STS-02/card"):
        port.approves(crane)
    _checks(port)
    port.clock.time = begin + timedelta(days=45)
    port.changes(UPDATED, "STS-02")
    port.approves("STS-02/card", "update 7")
    _checks(port)
    port.clock.time = begin + timedelta(days=90)
    port.changes(BAD)
    _checks(port, 3)  # last year's drift
    port.clock.time = begin + timedelta(days=135)
    port.changes(GOOD)
    port.changes_policy("add", port.key("second.pub"), "--name", "B. Engineer", "--role", "engineer")
    _checks(port)
    port.succeeds("log", "bundle", str(outside / "evidence"))
    shutil.copy(port.root / "log/checkpoint", outside / "kept.checkpoint")
    port.clock.time = begin + timedelta(days=180)
    for key in ("approver.key", "officer"):
        reason = ("--reason", "recalled, notice 17") if key == "approver.key" else ()
        port.succeeds("baseline", "withdraw", "STS-02/card", *reason, "--yes", "--key", port.key(key))
    port.changes(GOOD, "STS-02")
    port.approves("STS-02/card", "update 7 taken back")
    _checks(port)
    port.clock.time = begin + timedelta(days=330)
    _checks(port)
    shutil.copytree(port.root, outside / "last-month")
    port.clock.time = datetime.now(UTC)
    _checks(port)
    port.is_stamped()
    port.clock.passes(minutes=1)
    port.succeeds("check")  # nobody has seen this yet
    return port.clock.time


def _public(path: Path) -> str:
    return load_private_key(path.read_bytes(), str).public.pem


def _policy(port: Watched) -> None:
    """Two persons are root, and approve; two authorities witness."""
    port.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase", "--expires", "800d")
    for role in ("security-officer", "root"):
        port.succeeds("trust", "add", port.key("officer.pub"), "--name", "O. Officer", "--role", role)
    for statement in ("baseline", "withdrawal"):
        port.succeeds("trust", "quorum", statement, "engineer=1", "security-officer=1")
    for name, owner in WITNESSES.items():
        port.succeeds("trust", "add", str(port.outside / f"{name}.pub"), "--name", owner, "--role", "witness")
    stamps = authority(port.outside / "tsa")
    chain = port.outside / "chain.pem"
    chain.write_text((stamps.folder / "signer.pem").read_text() + (stamps.folder / "root.pem").read_text())
    port.succeeds("trust", "add", str(chain), "--name", stamps.name, "--role", "time-authority")
    port.succeeds("trust", "quorum", "checkpoint", "witness=2")
    port.changes_policy("quorum", "policy", "root=2")


def _checks(port: Watched, code: int = 0) -> None:
    """Both cranes are checked, and all witnesses look."""
    assert port.types("check").code == code
    port.is_seen()


# What an insider can do


def envelopes(log: Log) -> list[bytes]:
    return [log.read(sequence) for sequence in range(log.length())]


def numbered(log: Log, kind: StatementKind[Any]) -> Iterator[int]:
    """The entries of a kind, oldest first."""
    return (number for number, each in enumerate(envelopes(log)) if kind_of(opened(each).payload) is kind)


def reports(log: Log) -> Iterator[tuple[int, Report]]:
    return ((number, claimed(log.read(number), REPORT)) for number in numbered(log, REPORT))


def baselines(log: Log, crane: str) -> list[tuple[int, Baseline]]:
    found = ((number, claimed(log.read(number), BASELINE)) for number in numbered(log, BASELINE))
    return [each for each in found if each[1].snapshot.device.crane == crane]


def signed(port: Watched, report: Report, key: str = "collector.key") -> bytes:
    return seal(written(REPORT, report), PAYLOAD_TYPE, (port.signer(key),))


def made_anew(port: Watched, history: Sequence[bytes], forget: int | None = None) -> None:
    """The log holds this history and no other. All that the machine's key signs is signed again, in one unbroken chain, with tree
    and checkpoint; what the machine remembers is gone. `forget`: and that anybody outside saw more than so many entries.
    """
    log = port.log
    gone = [log.folder / "entries", log.folder / "tile"]
    if forget is not None:
        gone += [path for path in (log.folder / "witnessed").iterdir() if int(path.name) > forget]
    for folder in gone:
        shutil.rmtree(folder)
    for path in (log.folder / "checkpoint", port.root / ".remembered-checkpoint", port.root / "index.sqlite"):
        path.unlink(missing_ok=True)
    for envelope in history:
        log.append(_again(port, envelope, forget))
    log.sign(port.signer("collector.key"))


def _again(port: Watched, envelope: bytes, forget: int | None) -> Callable[[str], bytes]:
    kind = kind_of(opened(envelope).payload)
    value = claimed(envelope, kind)

    def make(previous: str) -> bytes:
        if kind.signed_as != REPORT.word:
            return envelope
        changed = replace(value, previous=previous)
        if forget is not None and isinstance(changed, Report) and changed.witnessed and changed.witnessed.size > forget:
            changed = replace(changed, witnessed=None)
        return seal(written(kind, changed), PAYLOAD_TYPE, (port.signer("collector.key"),))

    return make
