"""A line that breaks, stalls or drips at any place: what was not read is unread. Never changed, never missing, never a match."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.servers.dropbear import running_dropbear
from tests.servers.modbus import LibmodbusServer, libmodbus_program, libmodbus_server
from tests.servers.relay import relay
from tests.servers.sshd import SFTP_ONLY, RunningSshd, no_secrets, running_sshd
from tests.trust_fixtures import POLICY
from verifier.compare.coverage import coverage, item_results
from verifier.compare.drifts import compare
from verifier.compare.verdict import verdict
from verifier.model.device import Address, Device, DeviceName, ModbusTcpAddress, SshAddress, Timeouts
from verifier.model.profile import (
    Bounds,
    Facts,
    FileTree,
    Item,
    NumberType,
    Pace,
    Parameter,
    Parameters,
    Profile,
    Proof,
    Registers,
    ServerId,
    TextRules,
    Topic,
)
from verifier.model.report import Coverage
from verifier.model.snapshot import Reading, Snapshot, Unread
from verifier.model.words import Criticality, DriftKind, Kind, Maturity, Reason, Table, Verdict
from verifier.procedures.collector import Collector
from verifier.procedures.reading import read
from verifier.record.workspace import Workspace

__all__ = ["libmodbus_program", "libmodbus_server"]

NAME = DeviceName("terminal-2", "STS-01", "controller")
PATIENT = Timeouts(connect=5, login=10, silence=10, overall=60)
SHORT = Timeouts(connect=5, login=0.6, silence=0.4, overall=60)
BUSY_LINE = Timeouts(connect=5, login=1, silence=5, overall=1)


def profile(*items: Item) -> Profile:
    title = "What is read over a line that is cut"
    return Profile("cut", title, 1, Maturity.SIMULATED, items, "d" * 64)


def tree(name: str, folder: Path, proof: Proof = Proof.CONTENT) -> Item:
    text = TextRules(match=(f"{folder}/*.conf",), keep=True)
    ask = FileTree(paths=(str(folder),), proof=proof)
    return Item(name, Kind.CONFIGURATION, ask, Criticality.NORMAL, text=text, bounds=Bounds())


@dataclass(frozen=True)
class Bench:
    """A device, what it is asked, and how it is reached through a port of the test's."""

    profile: Profile
    address: Callable[[int, Timeouts], Address]
    port: int
    workspace: Path

    def read(self, port: int, timeouts: Timeouts) -> Snapshot:
        """As `check` reads it."""
        collector = Collector(Workspace(self.workspace), POLICY, no_secrets)
        return read(Device(NAME, self.address(port, timeouts), self.profile.name), self.profile, collector)

    def whole(self) -> Snapshot:
        """What an undisturbed device tells. Two readings tell the same, or no cut could be judged."""
        first, second = (self.read(self.port, PATIENT) for _ in range(2))
        assert compare(first, second, no_text) == ()
        assert not any(isinstance(reading.value, Unread) for reading in readings(first).values())
        return first


def no_text(_: str) -> None:
    """Nothing is kept of what is only compared."""


def readings(snapshot: Snapshot) -> dict[tuple[str, str], Reading]:
    return {(item.name, reading.member): reading for item in snapshot.items for reading in item.readings}


def judged(whole: Snapshot, found: Snapshot) -> Coverage:
    """What holds for every line that failed; gives how much was compared all the same."""
    drifts = compare(whole, found, no_text)
    covered = coverage(item_results(whole, found, drifts))
    known, got = readings(whole), readings(found)
    for place, reading in got.items():
        assert isinstance(reading.value, Unread) or reading.value == known[place].value, f"read, and wrong: {place} {reading}"
    assert {drift.kind for drift in drifts} <= {DriftKind.UNREAD}, drifts
    complete = got.keys() == known.keys() and not any(isinstance(reading.value, Unread) for reading in got.values())
    assert verdict(drifts, covered) is (Verdict.MATCH if complete else Verdict.UNDETERMINED)
    assert complete or (drifts and covered.compared < covered.expected)
    return covered


def reasons(snapshot: Snapshot) -> set[Reason]:
    return {reading.value.reason for reading in readings(snapshot).values() if isinstance(reading.value, Unread)}


def spread(total: int, many: int) -> list[int]:
    """Offsets from the first byte to the last, with those at both ends."""
    return [0, 1, *(total * step // many for step in range(1, many)), total - 1]


Breaking = Callable[[int, int], AbstractContextManager[int]]
"""From a port and an offset to the port of a relay that fails there."""


def cut(port: int, offset: int) -> AbstractContextManager[int]:
    return relay(port, cut_after=offset, reset=bool(offset % 2))


def silenced(port: int, offset: int) -> AbstractContextManager[int]:
    return relay(port, silent_after=offset)


def dripping(port: int, offset: int) -> AbstractContextManager[int]:
    return relay(port, drip_after=offset)


def every_offset(bench: Bench, breaking: Breaking, timeouts: Timeouts, many: int) -> list[Coverage]:
    """Break the line at so many offsets over the whole session. The reasons are those of a line, not of a device that says no."""
    whole = bench.whole()
    total = whole.exchange.bytes_received
    outcomes = []
    for offset in spread(total, many):
        with breaking(bench.port, offset) as port:
            found = bench.read(port, timeouts)
        outcomes.append(judged(whole, found))
        assert reasons(found) <= {Reason.TRUNCATED, Reason.TIMED_OUT, Reason.UNREACHABLE, Reason.BAD_REPLY}, reasons(found)
    assert outcomes[0].compared == 0
    assert sum(each.compared < each.expected for each in outcomes) > len(outcomes) * 0.7, "the breaks did not break"
    return outcomes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Firmware in large files, settings in small ones."""
    root = tmp_path_factory.mktemp("device")
    (root / "firmware").mkdir()
    (root / "settings").mkdir()
    for size in (500_000, 60_000, 0):
        (root / f"firmware/{size}.bin").write_bytes(os.urandom(size))
    for number in range(30):
        (root / f"settings/{number}.conf").write_text(f"speed = {number}\n" * number)
    (root / "settings/link").symlink_to("0.conf")
    return root


def over_ssh(device: RunningSshd, asked: Profile, workspace: Path) -> Bench:
    def address(port: int, timeouts: Timeouts) -> SshAddress:
        return device.address(port=port, timeouts=timeouts)

    return Bench(asked, address, device.port, workspace)


@pytest.fixture(scope="module")
def openssh(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Bench]:
    asked = profile(
        tree("firmware", folder / "firmware", Proof.CROSS_CHECKED),
        tree("settings", folder / "settings"),
        Item("modules", Kind.HARDWARE, Facts(Topic.MODULES), Criticality.NORMAL),
        Item("packages", Kind.FIRMWARE, Facts(Topic.PACKAGES), Criticality.NORMAL),
    )
    with running_sshd(tmp_path_factory.mktemp("sshd")) as device:
        yield over_ssh(device, asked, tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Bench]:
    asked = profile(
        tree("firmware", folder / "firmware"),
        tree("settings", folder / "settings"),
        Item("modules", Kind.HARDWARE, Facts(Topic.MODULES), Criticality.NORMAL),
    )
    with running_sshd(tmp_path_factory.mktemp("sftp"), config=SFTP_ONLY) as device:
        yield over_ssh(device, asked, tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def dropbear(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Bench]:
    asked = profile(
        tree("firmware", folder / "firmware", Proof.DEVICE_HASH),
        tree("settings", folder / "settings"),
        Item("modules", Kind.HARDWARE, Facts(Topic.MODULES), Criticality.NORMAL),
    )
    with running_dropbear() as device:
        yield over_ssh(device, asked, tmp_path_factory.mktemp("workspace"))


@pytest.fixture
def modbus(tmp_path: Path, libmodbus_server: LibmodbusServer) -> Bench:
    limits = (
        Parameter("hoist overload trip", Table.HOLDING, 100),
        Parameter("gantry position", Table.INPUT, 200, NumberType.U32),
    )
    asked = profile(
        Item("server", Kind.HARDWARE, ServerId(), Criticality.NORMAL),
        Item("limits", Kind.PARAMETER, Parameters(limits), Criticality.CRITICAL),
        Item("block", Kind.CONFIGURATION, Registers(Table.HOLDING, 1000, 700), Criticality.NORMAL),
        Item("coils", Kind.CONFIGURATION, Registers(Table.COIL, 0, 300), Criticality.CRITICAL),
    )

    def address(port: int, timeouts: Timeouts) -> ModbusTcpAddress:
        return ModbusTcpAddress("127.0.0.1", port, timeouts=replace(timeouts, silence=min(timeouts.silence, 1.0)))

    return Bench(asked, address, libmodbus_server.port, tmp_path)


def partly(outcomes: list[Coverage]) -> bool:
    """Did some break come after something was read, and before all was?"""
    return any(0 < each.compared < each.expected for each in outcomes)


# Cuts


def test_openssh_cut_at_many_offsets(openssh: Bench) -> None:
    assert partly(every_offset(openssh, cut, PATIENT, 40))


def test_dropbear_with_busybox_cut_at_many_offsets(dropbear: Bench) -> None:
    assert partly(every_offset(dropbear, cut, PATIENT, 40))


def test_sftp_cut_at_many_offsets(sftp: Bench) -> None:
    assert partly(every_offset(sftp, cut, PATIENT, 40))


def test_modbus_cut_at_many_offsets(modbus: Bench) -> None:
    """One try for most offsets, and for some as many as a device usually gets."""
    hasty = replace(modbus, profile=replace(modbus.profile, pace=Pace(tries=1)))
    assert partly(every_offset(hasty, cut, PATIENT, 40))
    assert partly(every_offset(modbus, cut, PATIENT, 4))


# Silence


def test_ssh_silent_from_many_offsets_on(openssh: Bench, sftp: Bench) -> None:
    for bench in (openssh, sftp):
        assert partly(every_offset(bench, silenced, SHORT, 3))


def test_modbus_silent_from_many_offsets_on(modbus: Bench) -> None:
    twice = replace(modbus, profile=replace(modbus.profile, pace=Pace(tries=2)))
    assert partly(every_offset(twice, silenced, replace(SHORT, silence=0.05), 6))


# Drips


def test_a_drip_ends_with_the_time_of_the_session(dropbear: Bench, modbus: Bench) -> None:
    for bench in (dropbear, modbus):
        whole = bench.whole()
        for part in (0.3, 0.6):
            with dripping(bench.port, int(whole.exchange.bytes_received * part)) as port:
                covered = judged(whole, bench.read(port, BUSY_LINE))
            assert covered.compared < covered.expected
