"""The main job from end to end, on real parts, through the commands as they are typed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.crane import Crane, running_crane
from tests.terminal import Person, settled


@pytest.fixture
def crane(tmp_path: Path) -> Iterator[Crane]:
    with running_crane(tmp_path / "crane") as crane:
        yield crane


@pytest.fixture
def engineer(tmp_path: Path, crane: Crane) -> Person:
    return settled(tmp_path, crane.inventory, **crane.profiles)


def enrol(engineer: Person) -> None:
    engineer.succeeds("baseline", "propose", "STS-01", "--reason", "commissioning")
    engineer.succeeds("baseline", "approve", "STS-01", "--yes")


def test_the_main_job(engineer: Person, crane: Crane) -> None:
    engineer.succeeds("devices", "validate")
    probed = engineer.succeeds("probe", "STS-01", "--json").document
    assert {step["outcome"] for device in probed for step in device["steps"]} == {"works"}

    enrol(engineer)
    night = engineer.succeeds("check")
    assert "4 devices: 4 match" in night.out

    crane.vendor_visit()
    morning = engineer.types("check")
    assert morning.code == 3
    assert "4 devices: 4 drift" in morning.out
    for words in (
        "hoist overload trip 50.0 t -> 62.0 t",
        "firmware downgrade 3.10.8 -> 3.09.2",
        "loader mode 0644 -> 4755",
        "extra.so",
        "gone.conf",
        "-speed = 180",
        "+speed = 240",
    ):
        assert words in morning.out, words
    assert "secret" not in morning.out
    assert "[cross-checked]" in morning.out
    assert "[offline-media]" in morning.out

    for device in ("controller", "gateway", "drive", "card"):
        assert engineer.succeeds("report", "verify", f"STS-01/{device}").out.startswith("genuine")
    kept = engineer.workspace.parent / "kept-elsewhere"
    kept.write_text(engineer.succeeds("log", "checkpoint").out)
    audited = engineer.succeeds("log", "verify", "--against", str(kept), "--json").document
    # four approvals, the policy and eight reports, all under a checkpoint of this machine
    assert (audited["entries"], audited["covered"], audited["findings"]) == (13, 13, [])
    proof = engineer.workspace.parent / "entry-11.tlog-proof"
    assert "entry 11, 4 hashes" in engineer.succeeds("log", "prove", "11", "-o", str(proof)).out
    assert kept.read_text() in proof.read_text()
    engineer.succeeds("baseline", "propose", "drive", "--reason", "as it is now")
    engineer.succeeds("baseline", "approve", "drive", "--yes")
    waiting = engineer.succeeds("log", "verify").out
    assert "14 entries, none missing" in waiting
    assert "1 of them wait" in waiting
    assert engineer.succeeds("log", "checkpoint", "--sign").out.splitlines()[1] == "14"
    assert "14 entries, the tree holds" in engineer.succeeds("log", "verify", "--tree").out
    page = engineer.workspace / "report.html"
    engineer.succeeds("report", "export", "STS-01/controller", "-o", str(page))
    assert "extra.so" in page.read_text()


def test_a_record_that_somebody_rewrote_takes_no_report_and_says_so(engineer: Person, crane: Crane) -> None:
    enrol(engineer)
    assert "no checkpoint yet" in engineer.types("log", "checkpoint").err
    engineer.succeeds("check")
    bundle = engineer.workspace / "log/tile/entries/000.p/9"
    altered = bytearray(bundle.read_bytes())
    altered[-2] ^= 1
    bundle.write_bytes(altered)
    verified = engineer.types("log", "verify")
    assert verified.code == 5
    assert "the bundles hold other entries than the checkpoint of 9 entries was signed for" in verified.err
    assert "entry 8 is not the one that was taken into the tree" in verified.err
    assert engineer.types("check", "drive").code == 5


def test_openssh_and_dropbear_tell_the_same_of_the_same_tree(engineer: Person, crane: Crane) -> None:
    (one,) = engineer.succeeds("capture", "controller", "--json").document["items"][1:2]
    over_openssh = {each["member"]: each["value"] for each in one["readings"]}
    (two,) = engineer.succeeds("capture", "gateway", "--json").document["items"][1:2]
    over_dropbear = {each["member"]: each["value"] for each in two["readings"]}
    assert over_openssh == over_dropbear
    firmware = crane.tree / "firmware/controller.bin"
    assert over_openssh[str(firmware)]["sha256"] == hashlib.sha256(firmware.read_bytes()).hexdigest()


def test_a_baseline_that_is_not_trusted_ends_with_5_before_any_connection(engineer: Person, crane: Crane) -> None:
    enrol(engineer)
    file = engineer.workspace / "baselines/terminal-2/STS-01/controller.json"
    approved = file.read_bytes()
    connections = (crane.sshd.folder / "sshd.log").read_text().count("Connection from")

    for place in (0, len(approved) // 2, len(approved) - 3):
        altered = bytearray(approved)
        altered[place] ^= 1
        file.write_bytes(altered)
        assert engineer.types("check", "controller").code == 5
    other = engineer.workspace / "baselines/terminal-2/STS-01/gateway.json"
    file.write_bytes(other.read_bytes())
    swapped = engineer.types("check", "controller")
    assert swapped.code == 5
    assert "is of terminal-2/STS-01/gateway" in swapped.out
    file.unlink()
    gone = engineer.types("check", "controller")
    assert gone.code == 5
    assert "is gone" in gone.out

    assert (crane.sshd.folder / "sshd.log").read_text().count("Connection from") == connections
    file.write_bytes(approved)
    assert engineer.types("check", "controller").code == 0


def test_an_older_baseline_never_comes_back(engineer: Person, crane: Crane) -> None:
    enrol(engineer)
    file = engineer.workspace / "baselines/terminal-2/STS-01/controller.json"
    first = file.read_bytes()
    crane.vendor_visit()
    engineer.succeeds("baseline", "propose", "controller", "--reason", "update, work order 4712")
    shown = engineer.succeeds("baseline", "diff", "controller")
    assert "firmware downgrade" in shown.out
    refused = engineer.types("baseline", "approve", "controller", answers="n\n")
    assert refused.code == 2
    assert engineer.types("check", "controller").code == 3
    engineer.succeeds("baseline", "approve", "controller", answers="y\ny\ny\ny\n")
    assert engineer.types("check", "controller").code == 0
    file.write_bytes(first)
    rolled_back = engineer.types("check", "controller")
    assert rolled_back.code == 5
    assert "serial 1" in rolled_back.out


def test_a_dead_device_is_undetermined_and_stops_no_other(engineer: Person, crane: Crane) -> None:
    enrol(engineer)
    crane.sshd.signal(9)
    typed = engineer.types("check", "STS-01")
    assert typed.code == 4
    assert "1 undetermined" in typed.out
    assert "3 match" in typed.out


def test_a_changed_host_key_is_drift(engineer: Person, crane: Crane) -> None:
    enrol(engineer)
    inventory = engineer.workspace / "inventory.yaml"
    pinned, other = crane.sshd.host_key_fingerprint, crane.dropbear.host_key_fingerprint
    # the device at this address shows another key than the inventory pins
    inventory.write_text(inventory.read_text().replace(pinned, other, 1))
    typed = engineer.types("check", "controller")
    assert typed.code in (3, 4)
    assert pinned in typed.out


def test_nobody_unknown_can_approve(engineer: Person, tmp_path: Path) -> None:
    engineer.succeeds("baseline", "propose", "drive", "--reason", "commissioning")
    stranger = Person(engineer.workspace, tmp_path / "stranger")
    stranger.keys.mkdir()
    from verifier.trust.signers.file import new_private_key

    (stranger.keys / "approver.key").write_bytes(new_private_key(None))
    typed = stranger.types("baseline", "approve", "drive", "--yes")
    assert typed.code == 2
    assert "does not know this key" in typed.err
    assert engineer.types("check", "drive").code == 5
