"""The demo's baselines: approved once, verified for ever, by us and by hand; and the demo's crane is still what they say."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers.sshd import no_secrets
from verifier.collect.snapshot import Collecting, collect
from verifier.compare.coverage import coverage, item_results
from verifier.compare.drifts import compare
from verifier.compare.verdict import verdict
from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.model.device import Device, DeviceName
from verifier.model.drift import Drift
from verifier.model.snapshot import Snapshot
from verifier.model.words import Verdict
from verifier.settings.inventory import load_inventory
from verifier.settings.profiles import load_profile
from verifier.simulator.crane import SimulatedCrane
from verifier.transport.route import connect
from verifier.trust.baseline_rules import current
from verifier.trust.policy import read_policy
from verifier.trust.statement import BASELINE
from verifier.trust.verify import Verified, verify

FOLDER = Path(__file__).parents[1] / "baselines"
FILES = tuple(sorted(FOLDER.glob("*/*/*.json")))
POLICY = read_policy((FOLDER / "policy.json").read_bytes())
THEN, LATER = datetime(2026, 11, 23, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)
DEVICES = ("anemometer", "controller", "gateway", "hoist-drive")


def approved(path: Path, at: datetime = THEN) -> Verified[Baseline]:
    return verify(path.read_bytes(), BASELINE, POLICY, at)


def of(device: str) -> Snapshot:
    return approved(FOLDER / f"demo-terminal/STS-01/{device}.json").value.snapshot


# For ever


def test_the_baselines_of_the_first_demo_crane_are_here() -> None:
    here = {path.relative_to(FOLDER).as_posix() for path in FILES}
    assert here >= {f"demo-terminal/STS-01/{device}.json" for device in DEVICES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("at", [THEN, LATER], ids=["then", "later"])
def test_a_baseline_verifies_then_and_in_a_hundred_years(path: Path, at: datetime) -> None:
    found = approved(path, at)
    assert found.signer_names == ("A. Engineer (engineer)",)
    assert not found.not_counted
    assert found.value.serial == 1
    assert current(found, DeviceName(*path.relative_to(FOLDER).with_suffix("").parts), None) is found.value
    assert any(item.readings for item in found.value.snapshot.items)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_another_file_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        altered = bytearray(whole)
        altered[place] ^= 1
        with pytest.raises(TrustError):
            verify(bytes(altered), BASELINE, POLICY, THEN)


def test_only_public_halves_are_kept_here() -> None:
    for path in FOLDER.rglob("*"):
        assert path.is_dir() or b"PRIVATE KEY" not in path.read_bytes(), path


# By hand


def commands() -> str:
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", (FOLDER / "README.md").read_text(), re.DOTALL | re.MULTILINE))


def by_hand(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-eu", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("device", DEVICES)
def test_the_commands_of_the_readme_check_one_by_hand(device: str) -> None:
    script = commands()
    assert script.count("file=") == 1
    done = by_hand(script.replace("STS-01/controller", f"STS-01/{device}"), FOLDER)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Signature Verified Successfully"
    assert lines[1] == '{"statement":"baseline","seats":[{"role":"engineer","count":1}]}'
    assert lines[3] == f"{lines[2]}  -"
    assert f'"device": "{device}"' in done.stdout
    if device == "controller":
        firmware = next(item for item in of(device).items if item.name == "firmware")
        digests = [line.split()[0] for line in lines if re.fullmatch(r"[0-9a-f]{64}(  -)?", line)][2:]
        assert digests[0] == digests[1]
        assert f"sha256='{digests[2]}'" in repr(next(each for each in firmware.readings if each.member.endswith("/main.fw")))


def test_by_hand_too_an_altered_file_does_not_verify(tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", f"{FOLDER}/.", tmp_path], check=True)
    file = tmp_path / "demo-terminal/STS-01/controller.json"
    whole = file.read_bytes()
    at = len(whole) // 2
    file.write_bytes(whole[:at] + (b"A" if whole[at : at + 1] != b"A" else b"B") + whole[at + 1 :])
    done = by_hand(commands(), tmp_path)
    assert done.returncode != 0
    assert "Successfully" not in done.stdout


# Against the crane of today


@pytest.fixture
def crane(tmp_path: Path) -> Iterator[SimulatedCrane]:
    before = os.umask(0o022)
    try:
        with SimulatedCrane(tmp_path / "crane") as running:
            yield running
    finally:
        os.umask(before)


def read(crane: SimulatedCrane, folder: Path) -> dict[str, Snapshot]:
    """What the crane's devices hold now."""
    inventory = folder / "inventory.yaml"
    inventory.write_text(crane.inventory())
    return {device.name.device: _read(device) for device in load_inventory(inventory).devices}


def _read(device: Device) -> Snapshot:
    profile = load_profile(device.profile)
    with connect(device, profile.pace, no_secrets) as route:
        return collect(Collecting(device, profile, lambda: THEN, lambda _: ""), route)


def without_connection(snapshot: Snapshot) -> Snapshot:
    """Each demo makes its controller a new host key, which is drift, and rightly so: another controller answers."""
    return replace(snapshot, items=tuple(item for item in snapshot.items if item.name != "connection"))


def judged(device: str, found: Snapshot) -> tuple[Verdict, tuple[Drift, ...]]:
    before, now = without_connection(of(device)), without_connection(found)
    drifts = compare(before, now, lambda _: None)
    return verdict(drifts, coverage(item_results(before, now, drifts))), drifts


def test_the_crane_of_today_is_the_one_that_was_approved(crane: SimulatedCrane, tmp_path: Path) -> None:
    found = read(crane, tmp_path)
    assert set(found) == set(DEVICES)
    for device, snapshot in found.items():
        assert judged(device, snapshot) == (Verdict.MATCH, ()), device
    whole = compare(of("controller"), found["controller"], lambda _: None)
    assert {drift.item for drift in whole} == {"connection"}
    assert "host-key" in {drift.member for drift in whole}


def test_the_vendor_visit_is_drift(crane: SimulatedCrane, tmp_path: Path) -> None:
    crane.vendor_visit()
    outcomes = {device: judged(device, snapshot) for device, snapshot in read(crane, tmp_path).items()}
    assert {device: outcome for device, (outcome, _) in outcomes.items()} == {
        "anemometer": Verdict.MATCH,
        "controller": Verdict.DRIFT,
        "gateway": Verdict.MATCH,
        "hoist-drive": Verdict.DRIFT,
    }
    controller = [f"{drift.kind} {drift.item}: {drift.member}" for drift in outcomes["controller"][1]]
    assert sorted(controller) == ["changed firmware: /opt/controller/firmware/main.fw", "unexpected interfaces: wwan0"]
    (trip,) = outcomes["hoist-drive"][1]
    assert (trip.member, trip.differences[0].before, trip.differences[0].after) == ("hoist overload trip", "50.0 t", "62.0 t")
