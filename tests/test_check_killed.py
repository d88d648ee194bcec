"""Killed as by `kill -9` at a hundred random instants while twenty devices are checked side by side."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.forked import served, starts, types
from tests.terminal import Person
from tests.test_check_faults import CARD, DRIVE, acknowledged, partials
from verifier.model.report import Report
from verifier.procedures.audit import audit_log, reports
from verifier.record.workspace import Workspace
from verifier.simulator.station import Station, Unit

KILLS, PORTS = 100, 10
CARDS, DRIVES = 16, 4
DEVICES = CARDS + DRIVES
INVENTORY = """\
sites:
  terminal-2:
    cranes:
      STS-01:
        devices:
"""
A_CARD = "          card-{number}: {{profile: test-card, every: 7d, image: {{path: {path}}}}}\n"
A_DRIVE = "          drive-{number}: {{profile: test-drive, every: 7d, modbus: {{host: 127.0.0.1, port: {port}, unit: 1}}}}\n"


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, ...]]:
    """Drives that run as long as the module."""

    def serve(told: int) -> None:
        stations = [Station({1: Unit({address: address * 7 for address in range(200)})}) for _ in range(DRIVES)]
        for station in stations:
            station.__enter__()
        os.write(told, " ".join(str(station.port) for station in stations).encode())
        os.close(told)
        signal.pause()

    with served(serve) as told:
        yield tuple(map(int, told.split()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory, where the system has such a folder: what a kill leaves does not hang on the disk, and a run is sooner over."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path_factory.mktemp("killed")
        return
    with TemporaryDirectory(dir="/dev/shm") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def approved(folder: Path, ports: tuple[int, ...]) -> Path:
    """A folder with a workspace of twenty approved devices. One card was changed since: a check ends with 3."""
    folder /= "approved"
    person = Person(folder / "workspace", folder / "keys")
    (person.workspace / "profiles").mkdir(parents=True)
    (person.workspace / "profiles/test-card.yaml").write_text(CARD)
    (person.workspace / "profiles/test-drive.yaml").write_text(DRIVE)
    cards = [card(folder / f"card-{number}") for number in range(CARDS)]
    lines = [A_CARD.format(number=number, path=path) for number, path in enumerate(cards)]
    lines += [A_DRIVE.format(number=number, port=port) for number, port in enumerate(ports)]
    (person.workspace / "inventory.yaml").write_text(INVENTORY + "".join(lines))
    for command in (
        ("trust", "init", "--name", "A. Engineer", "--no-passphrase"),
        ("baseline", "propose", "STS-01", "--reason", "commissioning"),
        ("baseline", "approve", "STS-01", "--yes"),
    ):
        typed = types(person, *command)
        assert typed.code == 0, typed
    (cards[3] / "settings/3.conf").write_text("speed = 240\n")
    return folder


def card(folder: Path) -> Path:
    """What an SD card holds."""
    for name in ("firmware", "settings"):
        (folder / name).mkdir(parents=True)
    (folder / "firmware/main.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "settings/3.conf").write_text("speed = 3\n")
    return folder


def copied(folder: Path, approved: Path) -> Person:
    """Another port like it, whose record begins with the baselines alone."""
    shutil.copytree(approved, folder)
    inventory = folder / "workspace/inventory.yaml"
    inventory.write_text(inventory.read_text().replace(str(approved), str(folder)))
    return Person(folder / "workspace", folder / "keys")


def record(person: Person) -> dict[int, Report]:
    """The reports by number, of a record that holds: every entry, every signature, the tree and its checkpoint."""
    space = Workspace(person.workspace)
    audit = audit_log(space, space.trusted())
    assert audit.findings == ()
    return {each.sequence: each.report for each in reports(space)}


def how_long(person: Person) -> float:
    """Seconds that a check takes which nobody disturbs."""
    began = time.monotonic()
    typed = types(person, "check")
    took = time.monotonic() - began
    assert typed.code == 3, typed
    assert len(record(person)) == DEVICES
    return took


@pytest.mark.timeout(400)
def test_killed_at_a_hundred_instants_nothing_acknowledged_is_lost_and_the_record_holds(approved: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    usual = how_long(copied(approved.with_name("usual"), approved))
    told = ended = 0
    for port in range(PORTS):
        person = copied(approved.with_name(str(port)), approved)
        before = record(person)
        for kill in range(KILLS // PORTS):
            after = chance.uniform(0, usual)
            where = f"seed {seed}, port {port}, kill {kill}, after {after:.4f} of {usual:.4f} s"
            killed = starts(person, "check").killed_after(after)
            assert killed.code in (-signal.SIGKILL, 3), f"{where}: {killed}"
            try:
                there = record(person)
                told += acknowledged(killed, before, there)
            except AssertionError as error:
                raise AssertionError(f"{where}: {error}") from error
            ended += killed.code == 3
            before = there
        again = types(person, "check")
        assert again.code == 3, f"seed {seed}, port {port}: {again}"
        assert f"{DEVICES - 1} match, 1 drift" in again.out, f"seed {seed}, port {port}: {again}"
        assert partials(person) == [], f"seed {seed}, port {port}"
        assert len(record(person)) == len(before) + DEVICES, f"seed {seed}, port {port}"
        shutil.rmtree(approved.with_name(str(port)))
    assert ended < KILLS / 2, "the kills came too late"
    assert told > KILLS, "too few had told of a report before they were killed"
