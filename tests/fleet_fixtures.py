"""Cranes with a card each, all approved, a machine that reads them, and a clock that anybody may set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.trust_fixtures import COLLECTOR, ENGINEER, OFFICER, policy_bytes
from tests.trust_fixtures import POLICY as TWO_ROLES
from verifier.model.device import Device, DeviceName, ImageAddress
from verifier.procedures.approve import approve, proposal
from verifier.procedures.collector import Collector
from verifier.procedures.due import due
from verifier.procedures.enrol import Proposing, propose
from verifier.procedures.fleet import Outcome, check_all
from verifier.record.workspace import Workspace
from verifier.trust.policy import Quorum
from verifier.trust.quorum import Seat

CARD = """\
profile: test-card
title: A card of a test controller
version: 1
maturity: simulated
references: [tests/fleet_fixtures.py]
gaps: [Stands for no product.]
items:
  - {name: firmware, kind: firmware, files: {paths: [/firmware]}}
"""
DAY = timedelta(days=1)
POLICY = replace(TWO_ROLES, quorums=(*TWO_ROLES.quorums, Quorum("withdrawal", (Seat("engineer", 1),))))
COMMISSIONING = Proposing("commissioning")


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@dataclass(frozen=True)
class Port:
    folder: Path
    devices: tuple[Device, ...]
    collector: Collector
    clock: Clock

    @property
    def workspace(self) -> Workspace:
        return self.collector.workspace

    def due(self) -> tuple[Device, ...]:
        return due(self.devices, self.workspace, self.collector.policy, self.clock.time)

    def run(self, devices: tuple[Device, ...] | None = None) -> list[Outcome]:
        """What a timer does; `devices`: it found these due a moment ago."""
        return [*check_all(self.due() if devices is None else devices, self.collector, 4, only_due=True)]

    def checks(self) -> dict[DeviceName, int]:
        rows = [row.device for row in self.workspace.index.rows("report")]
        return {device.name: rows.count(device.name) for device in self.devices}

    def enrol(self, device: Device, proposing: Proposing = COMMISSIONING) -> None:
        propose(device, proposing, self.collector)
        approve(device, proposal(device, self.collector), ENGINEER, self.collector)
        approve(device, proposal(device, self.collector), OFFICER, self.collector)

    def card(self, crane: str) -> Path:
        return self.folder / crane


def cards(folder: Path, *cranes: str) -> None:
    """A card for each, with enough on it that reading takes a while."""
    for crane in cranes:
        (folder / crane / "firmware").mkdir(parents=True)
        for number in range(40):
            (folder / crane / f"firmware/part-{number}.bin").write_bytes(bytes(20_000))


def port_of(folder: Path, *cranes: str, profile: str = CARD) -> Port:
    """Cards that are there already, each in a folder of its crane's name; checked every day."""
    workspace = Workspace(folder / "workspace")
    workspace.profiles.mkdir(parents=True)
    workspace.trust.mkdir()
    (workspace.profiles / "test-card.yaml").write_text(profile)
    (workspace.trust / "policy.json").write_bytes(policy_bytes(POLICY))
    clock = Clock()
    collector = Collector(workspace, POLICY, lambda _: "", lambda: COLLECTOR, clock)
    devices = (
        Device(DeviceName("terminal-2", crane, "card"), ImageAddress(str(folder / crane)), "test-card", DAY) for crane in cranes
    )
    port = Port(folder, tuple(devices), collector, clock)
    for device in port.devices:
        port.enrol(device)
    return port
