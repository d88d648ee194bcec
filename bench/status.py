"""`status` over 1,000 devices and 100,000 reports, beside `devices list`, which only reads the inventory: about 2 s more."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.pairs import pairs
from verifier import __version__
from verifier.model.baseline import Baseline
from verifier.model.device import DeviceName
from verifier.model.drift import Difference, Drift
from verifier.model.manifest import manifest_sha256
from verifier.model.report import BaselineRef, Coverage, ItemResult, Report
from verifier.model.snapshot import Exchange, FileValue, ItemSnapshot, Reading, Snapshot
from verifier.model.words import Criticality, DriftKind, Evidence, FileType, Kind, Verdict
from verifier.record.log import entry_path
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.keys import Signer
from verifier.trust.signers.file import load_private_key
from verifier.trust.statement import BASELINE, REPORT, written

DEVICES, NIGHTS = 1000, 100
DRIFTING, SILENT = 50, 7
"""Every so manieth device drifts in the last nights, or has none in the last one."""


def run() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        desk.types("trust", "init", "--name", "A. Engineer", "--no-passphrase")
        desk.fill()
        started = datetime.now(UTC)
        desk.types("status")
        yield f"the index made of {DEVICES * (NIGHTS + 1):,} entries, once: {(datetime.now(UTC) - started).total_seconds():.1f} s"
        timed = pairs(lambda: desk.types("status"), lambda: desk.types("devices", "list"), runs=5)
        yield timed.line(f"status of {DEVICES:,} devices and {DEVICES * NIGHTS:,} reports beside devices list", "about 2 s more")
        due = pairs(lambda: desk.types("check", "--due", "STS-0001"), lambda: desk.types("devices", "list"), runs=3)
        yield due.line("check --due of one of them, with nothing due, beside devices list", "1.0x to 1.5x")


class Desk:
    def __init__(self, folder: Path) -> None:
        self.workspace, self.keys = folder / "workspace", folder / "keys"
        (self.workspace / "log").mkdir(parents=True)
        self.keys.mkdir()
        card = "{profile: offline-image, every: 7d, image: {path: ../%s}}"
        lines = [f"      {name.crane}: {{devices: {{card: {card % name.crane}}}}}" for name in names()]
        (self.workspace / "inventory.yaml").write_text("\n".join(["sites:", "  port:", "    cranes:", *lines, ""]))

    def types(self, *arguments: str) -> None:
        keys = {"CRANE_VERIFY_KEY": "approver.key", "CRANE_VERIFY_COLLECTOR_KEY": "collector.key"}
        env = {**os.environ, **{name: str(self.keys / file) for name, file in keys.items()}}
        command = [sys.executable, "-m", "verifier", "-w", str(self.workspace), *arguments]
        done = subprocess.run(command, capture_output=True, env=env, check=False)
        assert done.returncode in (0, 3, 4), done.stderr.decode()

    def fill(self) -> None:
        """A hundred nights, as they would have been recorded; written without waiting for the disk."""
        engineer, collector = (
            load_private_key((self.keys / name).read_bytes(), str) for name in ("approver.key", "collector.key")
        )
        before, sequence = "", 0

        def append(envelope: bytes) -> None:
            nonlocal before, sequence
            path = self.workspace / "log" / entry_path(sequence)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(envelope)
            before, sequence = hashlib.sha256(envelope).hexdigest(), sequence + 1

        now = datetime.now(UTC).replace(microsecond=0)
        baselines: dict[DeviceName, str] = {}
        for name in names():
            envelope = sealed_baseline(name, now - timedelta(days=NIGHTS), engineer)
            append(envelope)
            baselines[name] = before
        for night in range(NIGHTS, 0, -1):
            for number, name in enumerate(names()):
                drifts = night < 20 and number % DRIFTING == 0
                if night > 1 or number % SILENT:
                    found = report(name, now - timedelta(days=night), baselines[name], before, drifts)
                    append(seal(written(REPORT, found), PAYLOAD_TYPE, (collector,)))


VALUE = FileValue(FileType.REGULAR, 0o644, 0, 0, 4096, sha256="ab" * 32)
READINGS = tuple(Reading(f"/part-{number:02}", VALUE, Evidence.CONTENT) for number in range(25))
ITEMS = tuple(ItemSnapshot(f"item {number}", Kind.FIRMWARE, Criticality.HIGH, READINGS) for number in range(8))
"""Eight items of 25 files."""
RESULTS = tuple(
    ItemResult(item.name, item.kind, item.criticality, 25, 25, 0, 0, 0, Evidence.CONTENT, manifest_sha256(item)) for item in ITEMS
)


def names() -> list[DeviceName]:
    return [DeviceName("port", f"STS-{number:04}", "card") for number in range(DEVICES)]


def snapshot(name: DeviceName, at: datetime) -> Snapshot:
    return Snapshot(
        name, "offline-image", 1, "cd" * 32, at, at, ITEMS, (), ("read offline: folder",), Exchange("ef" * 32, 1, 1, 1)
    )


def sealed_baseline(name: DeviceName, at: datetime, engineer: Signer) -> bytes:
    until = at + timedelta(days=730)
    baseline = Baseline(snapshot(name, at), 1, "", at, until, "commissioning", 1, ())
    return seal(written(BASELINE, baseline), PAYLOAD_TYPE, (engineer,))


def report(name: DeviceName, at: datetime, baseline: str, before: str, drifts: bool) -> Report:
    found = snapshot(name, at)
    differences = (Difference("sha256", "ab" * 32, "cd" * 32),)
    drift = Drift(DriftKind.CHANGED, "item 0", Kind.FIRMWARE, Criticality.HIGH, "/part-00", Evidence.CONTENT, differences)
    same = Report(
        device=name,
        verdict=Verdict.MATCH,
        started=at,
        ended=at,
        profile=found.profile,
        profile_version=1,
        profile_digest=found.profile_digest,
        baseline=BaselineRef(1, baseline, ("A. Engineer (engineer)",)),
        coverage=Coverage(200, 200),
        items=RESULTS,
        drifts=(),
        not_asked=(),
        notes=found.notes,
        exchange=found.exchange,
        tool=f"crane-verify {__version__}",
        previous=before,
    )
    return replace(same, verdict=Verdict.DRIFT, drifts=(drift,)) if drifts else same
