"""When things break while a crane is checked: kills, disks, two at once, broken files. Nothing is lost or called a match."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.forked import served, starts, types
from tests.terminal import Person, Typed
from verifier.model.report import Report
from verifier.procedures.audit import audit_log, reports
from verifier.record.workspace import Workspace
from verifier.settings.inventory import load_inventory
from verifier.simulator.station import Station, Unit
from verifier.trust.envelope import add_signature
from verifier.trust.signers.file import load_private_key, new_private_key

CARD = """\
profile: test-card
title: A card of a test controller
version: 1
maturity: simulated
references: [tests/test_check_faults.py]
gaps: [Stands for no product.]
items:
  - {name: firmware, kind: firmware, files: {paths: [/firmware]}}
  - name: settings
    kind: configuration
    files: {paths: [/settings]}
    text: {match: ["/settings/*.conf"], keep: true}
"""
DRIVE = """\
profile: test-drive
title: Registers of a test drive
version: 1
maturity: simulated
references: [tests/test_check_faults.py]
gaps: [Stands for no product.]
items:
  - name: limits
    kind: parameter
    criticality: critical
    parameters: [{name: hoist overload trip, table: holding, address: 100, type: u16, scale: "0.1", unit: t}]
  - {name: block, kind: configuration, registers: {table: holding, first: 0, count: 200}}
"""
INVENTORY = """\
sites:
  terminal-2:
    cranes:
      STS-01:
        devices:
          hoist-drive: {{profile: test-drive, every: 7d, modbus: {{host: 127.0.0.1, port: {hoist}, unit: 1}}}}
          gantry-drive: {{profile: test-drive, every: 7d, modbus: {{host: 127.0.0.1, port: {gantry}, unit: 1}}}}
          card: {{profile: test-card, every: 7d, image: {{path: {card}}}}}
"""
DEVICES = ("hoist-drive", "gantry-drive", "card")


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Two drives that run as long as the module."""

    def serve(told: int) -> None:
        stations = [Station({1: Unit({address: address * 7 for address in range(200)})}) for _ in range(2)]
        for station in stations:
            station.__enter__()
        os.write(told, struct.pack(">2H", *(station.port for station in stations)).hex().encode())
        os.close(told)
        signal.pause()

    with served(serve) as told:
        hoist, gantry = struct.unpack(">2H", bytes.fromhex(told))
        yield hoist, gantry


def card(folder: Path) -> Path:
    """What an SD card holds."""
    for name in ("firmware", "settings"):
        (folder / name).mkdir(parents=True)
    (folder / "firmware/main.bin").write_bytes(bytes(range(256)) * 400)
    for number in range(12):
        (folder / f"settings/{number}.conf").write_text(f"speed = {number}\n")
    return folder


def enrolled(folder: Path, workspace: Path, ports: tuple[int, int]) -> Person:
    """A person at a workspace with three approved devices. The card was changed since: a check ends with 3."""
    person = Person(workspace, folder / "keys")
    hoist, gantry = ports
    held = card(folder / "card")
    (workspace / "profiles").mkdir(parents=True, exist_ok=True)
    (workspace / "profiles/test-card.yaml").write_text(CARD)
    (workspace / "profiles/test-drive.yaml").write_text(DRIVE)
    (workspace / "inventory.yaml").write_text(INVENTORY.format(hoist=hoist, gantry=gantry, card=held))
    for command in (
        ("trust", "init", "--name", "A. Engineer", "--no-passphrase"),
        ("baseline", "propose", "STS-01", "--reason", "commissioning"),
        ("baseline", "approve", "STS-01", "--yes"),
    ):
        typed = types(person, *command)
        assert typed.code == 0, typed
    (held / "settings/3.conf").write_text("speed = 240\n")
    return person


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory, ports: tuple[int, int]) -> Path:
    """A folder with all this in it, to be copied."""
    folder = tmp_path_factory.mktemp("approved")
    enrolled(folder, folder / "workspace", ports)
    return folder


@pytest.fixture
def person(tmp_path: Path, approved: Path) -> Person:
    """As `enrolled`, a copy for each test."""
    shutil.copytree(approved, tmp_path, dirs_exist_ok=True)
    inventory = tmp_path / "workspace/inventory.yaml"
    inventory.write_text(inventory.read_text().replace(str(approved), str(tmp_path)))
    return Person(tmp_path / "workspace", tmp_path / "keys")


def record(person: Person) -> dict[int, Report]:
    """The reports of the record by number, after making sure that it holds."""
    space = Workspace(person.workspace)
    audit = audit_log(space, space.trusted())
    assert audit.findings == ()
    found = {each.sequence: each.report for each in reports(space)}
    assert set(found) == set(range(4, audit.entries)), "the policy, three baselines, then reports only"
    return found


def acknowledged(printed: Typed, before: dict[int, Report], after: dict[int, Report]) -> int:
    """Every report that was printed is in the record as it was printed; gives how many were."""
    new = {number: report for number, report in after.items() if number not in before}
    assert {number: after[number] for number in before} == before, "what was recorded stays"
    told = 0
    if printed.out.startswith("["):
        try:
            documents = json.loads(printed.out)
        except ValueError:
            return 0  # cut off: whoever reads it has nothing
        for each in documents:
            assert after[each["record"]["sequence"]].drifts == new[each["record"]["sequence"]].drifts
            told += 1
        return told
    for verdict, device in re.findall(r"^(MATCH|DRIFT) +(\S+)", printed.out, re.MULTILINE):
        assert any(str(each.device) == device and each.verdict == verdict.lower() for each in new.values()), (verdict, device)
        told += 1
    for number in re.findall(r"(?:report show|, entry) (\d+)", printed.out):
        assert int(number) in new
    return told


def partials(person: Person) -> list[Path]:
    return sorted(person.workspace.rglob("*.partial"))


# Kills


def test_killed_at_any_instant_no_report_is_lost_or_half_there(person: Person) -> None:
    began = time.monotonic()
    assert types(person, "check").code == 3
    usual = time.monotonic() - began
    chance = random.Random(1)
    told = ended = 0
    for round_ in range(25):
        before = record(person)
        how = (("check", "--at-once", "1"), ("check", "--json"), ("check",))[round_ % 3]
        spoken = round_ % 3 == 0
        killed = starts(person, *how).killed_after(chance.uniform(0, usual / 3 if spoken else usual), spoken)
        assert killed.code in (-signal.SIGKILL, 3)
        ended += killed.code == 3
        told += acknowledged(killed, before, record(person))
        if round_ % 4 == 3:
            again = types(person, "check")
            assert again.code == 3, again
            assert "2 match, 1 drift" in again.out
            assert partials(person) == []
    assert ended < 15, "the kills came too late"
    assert len(record(person)) > 3 * 6
    assert told >= 9, "those that were killed after their first word had told of a report"


def test_a_real_process_killed(person: Person) -> None:
    """Not a fork: the command as it stands in a crontab."""
    chance = random.Random(2)
    for _ in range(3):
        before = record(person)
        with subprocess.Popen(person.argv("check"), stdout=subprocess.PIPE, env=person.environment, text=True) as process:
            time.sleep(chance.uniform(0.4, 1.0))
            process.kill()
            out, _ = process.communicate()
        acknowledged(Typed(0, out, ""), before, record(person))
    assert types(person, "check").code == 3
    assert partials(person) == []


def test_killed_while_approving_a_baseline_is_in_force_or_waits(person: Person) -> None:
    """And whichever it is, the next approval and the next check work."""
    chance = random.Random(3)
    for serial in range(2, 10):
        assert types(person, "baseline", "propose", "card", "--reason", f"update {serial}").code == 0
        starts(person, "baseline", "approve", "card", "--yes").killed_after(chance.uniform(0, 0.05))
        space = Workspace(person.workspace)
        assert audit_log(space, space.trusted()).findings == ()
        shown = types(person, "baseline", "show", "card")
        in_force = f"serial {serial}" in shown.out
        assert in_force or f"serial {serial - 1}" in shown.out, shown
        again = types(person, "baseline", "approve", "card", "--yes")
        assert again.code == (2 if in_force else 0), again
        assert types(person, "check", "card").code == 0


def test_an_approval_killed_after_its_last_signature_can_be_finished(person: Person) -> None:
    """It was stuck: signed by all, in force nowhere, and another signature of the same person refused."""
    space = Workspace(person.workspace)
    device = load_inventory(space.inventory).select(("card",))[0]
    assert types(person, "baseline", "propose", "card", "--reason", "update").code == 0
    waiting = space.baselines.proposed(device.name)
    assert waiting
    signer = load_private_key((person.keys / "approver.key").read_bytes(), str)
    space.baselines.propose(device.name, add_signature(waiting, signer))
    shown = types(person, "baseline", "show", "card", "--proposed")
    assert "still needed: nobody" in shown.out
    typed = types(person, "baseline", "approve", "card", "--yes")
    assert typed.code == 0, typed
    assert "in force" in typed.out
    assert types(person, "check", "card").code == 0


# Disks


class Disk:
    """A small disk that can be filled, freed and made read-only. Needs the right to mount."""

    def __init__(self, where: Path, kilobytes: int) -> None:
        self.where = where
        where.mkdir()
        self._mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(where))

    def fill(self, free: int) -> None:
        """Leave so many blocks of 4 KiB."""
        with (self.where / "other people's data").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError as error:
                assert error.errno == errno.ENOSPC
            filler.truncate(max(0, filler.tell() - 4096 * free))

    def free(self) -> None:
        (self.where / "other people's data").unlink()

    def read_only(self, whether: bool) -> None:
        self._mount("-o", f"remount,{'ro' if whether else 'rw'}", str(self.where))

    def close(self) -> None:
        subprocess.run(["umount", str(self.where)], check=True)

    def _mount(self, *arguments: str) -> None:
        subprocess.run(["mount", *arguments], check=True)


def may_mount() -> bool:
    """Has this process CAP_SYS_ADMIN (bit 21)?"""
    status = Path("/proc/self/status")
    if not status.exists():
        return False
    held = re.search(r"^CapEff:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
    return bool(held and int(held[1], 16) >> 21 & 1)


needs_mount = pytest.mark.skipif(not may_mount(), reason="needs root with the right to mount")


@contextmanager
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk", 1024)
    try:
        yield disk
    finally:
        disk.close()


@needs_mount
def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path, ports: tuple[int, int]) -> None:
    with small_disk(tmp_path) as disk:
        person = enrolled(tmp_path, disk.where / "workspace", ports)
        codes = []
        for free in (0, 1, 2, 3, 4, 6, 8, 200):
            before = record(person)
            disk.fill(free)
            typed = types(person, "check", "--at-once", "1")
            codes.append(typed.code)
            acknowledged(typed, before, record(person))
            if typed.code == 1:
                assert "the disk is full" in typed.err
                assert "hint: free some space" in typed.err
                assert partials(person) == []
            else:
                assert typed.code == 3, typed
                assert len(record(person)) == len(before) + 3
            disk.free()
        assert codes[0] == 1
        assert codes[-1] == 3
        assert types(person, "log", "verify").code == 0
        assert "2 match, 1 drift" in types(person, "check").out


@needs_mount
def test_a_read_only_disk_is_told_and_can_still_be_audited(tmp_path: Path, ports: tuple[int, int]) -> None:
    with small_disk(tmp_path) as disk:
        person = enrolled(tmp_path, disk.where / "workspace", ports)
        assert types(person, "check").code == 3
        before = record(person)
        (person.workspace / "log/partial/.left.0123456789abcdef.partial").write_text("what a killed run left")
        disk.read_only(True)
        typed = types(person, "check")
        assert typed.code == 1
        assert "the disk is read-only" in typed.err
        assert "hint: mount it writable" in typed.err
        assert types(person, "baseline", "propose", "card", "--reason", "update").code == 1
        for looking in (
            ("log", "verify"),
            ("report", "list"),
            ("report", "show", "card"),
            ("report", "verify", "card"),
            ("report", "export", "STS-01", "-o", str(tmp_path / "page.html")),
            ("baseline", "show", "card"),
            ("devices", "list"),
            ("trust", "show"),
        ):
            looked = types(person, *looking)
            assert looked.code == 0, (looking, looked)
        assert record(person) == before
        disk.read_only(False)
        assert types(person, "check").code == 3
        assert partials(person) == []


def test_a_disk_that_fills_at_any_write_loses_nothing(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place at which a write can be refused, one after the other, until none is refused any more."""
    write = os.write
    for allowed in range(100):
        left = [allowed]

        def writes(descriptor: int, data: bytes, left: list[int] = left) -> int:
            if os.path.realpath(f"/proc/self/fd/{descriptor}").startswith(str(person.workspace)):
                left[0] -= 1
                if left[0] < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data)

        before = record(person)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", writes)
            typed = types(person, "check", "--at-once", "1")
        acknowledged(typed, before, record(person))
        assert partials(person) == []
        if typed.code != 1:
            break
        assert "the disk is full" in typed.err
    assert typed.code == 3
    assert allowed >= 6, "a report and a transcript for each of three devices"


# Two at once


class Counting(Station):
    """A drive that takes its time and notes how many ask it at once."""

    def __init__(self) -> None:
        super().__init__({1: Unit({address: address * 7 for address in range(200)})})
        self.open = self.most = self.connections = 0
        self._lock = threading.Lock()

    def _serve(self, line: socket.socket, stopping: threading.Event) -> None:
        with self._lock:
            self.open += 1
            self.connections += 1
            self.most = max(self.most, self.open)
        try:
            time.sleep(0.4)
            super()._serve(line, stopping)
        finally:
            with self._lock:
                self.open -= 1


def test_two_checks_at_once_wait_for_each_other(tmp_path: Path, ports: tuple[int, int]) -> None:
    person = enrolled(tmp_path, tmp_path / "workspace", ports)
    hoist = Counting()
    with hoist:
        inventory = person.workspace / "inventory.yaml"
        inventory.write_text(inventory.read_text().replace(f"port: {ports[0]},", f"port: {hoist.port},"))
        before = record(person)
        running = [
            subprocess.Popen(
                person.argv("check", "STS-01"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=person.environment, text=True
            )
            for _ in range(3)
        ]
        ended = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [3, 3, 3], ended
    assert [err for _, err in ended] == ["", "", ""]
    after = record(person)
    for out, _ in ended:
        assert "2 match, 1 drift" in out
        acknowledged(Typed(3, out, ""), before, after)
    assert len(after) == len(before) + 9
    assert (hoist.connections, hoist.most) == (3, 1)


# Broken files


def test_a_broken_inventory_is_told_with_its_line(person: Person) -> None:
    inventory = person.workspace / "inventory.yaml"
    good = inventory.read_text()
    for wrong, line in (
        (good.replace("{profile: test-card,", "{profil: test-card,"), 8),
        (good.replace("          card:", "          hoist-drive:"), 8),
        (good.replace("cranes:", "cranes: ["), 3),
        (good.replace("every: 7d, image", "every: 7 days, image"), 8),
        (good.replace("sites:", "site:"), 1),
    ):
        inventory.write_text(wrong)
        for command in (("check",), ("check", "--due"), ("devices", "validate"), ("capture", "card")):
            typed = types(person, *command)
            assert typed.code == 2, typed
            assert re.search(rf"inventory\.yaml:{line}:", typed.err) or line == 3, typed.err
            assert re.search(r"inventory\.yaml:\d+:", typed.err)
            assert typed.out == ""


def test_a_broken_profile_is_told_with_its_line_and_stops_no_other_device(person: Person) -> None:
    before = record(person)
    (person.workspace / "profiles/test-card.yaml").write_text(CARD.replace("text: {match:", "txt: {match:"))
    typed = types(person, "check")
    assert typed.code == 2
    assert "profiles/test-card.yaml:12: " in typed.err
    assert "FAILED  terminal-2/STS-01/card" in typed.err
    assert "2 match, 1 not recorded" in typed.out
    assert len(record(person)) == len(before) + 2


def test_a_profile_that_is_gone_is_named(person: Person) -> None:
    (person.workspace / "profiles/test-card.yaml").unlink()
    typed = types(person, "check", "card")
    assert typed.code == 2
    assert "there is no profile 'test-card'" in typed.err


@pytest.mark.parametrize(
    "policy",
    ["", "{", "[]", '{"format": 1}', None, "\xff", '{"format":1,"keys":[],"roles":[],"quorums":[]}', '{"a": 1, "a": 2}'],
    ids=repr,
)
@pytest.mark.parametrize("name", ["1.root.json", "1.targets.json", "policy.json"])
def test_a_broken_policy_trusts_nobody(person: Person, name: str, policy: str | None) -> None:
    assert types(person, "check").code == 3
    before = record(person)
    file = person.workspace / f"trust/{name}"
    aside = {path: path.read_bytes() for path in (person.workspace / "trust").iterdir()}
    for path in aside if name == "policy.json" else [file]:
        path.unlink()
    if policy is not None:
        file.write_text(policy, encoding="latin-1")
    for command in (("check",), ("log", "verify"), ("report", "verify", "4"), ("baseline", "show", "card")):
        typed = types(person, *command)
        assert typed.code == 5, (command, typed)
        assert "policy" in typed.err
        assert "hint:" in typed.err
    file.unlink(missing_ok=True)
    for path, data in aside.items():
        path.write_bytes(data)
    assert record(person) == before


@pytest.mark.parametrize("name", ["1.root.json", "1.targets.json"])
def test_a_policy_with_any_byte_changed_is_refused_in_words(person: Person, name: str) -> None:
    (person.workspace / "inventory.yaml").write_text(
        re.sub(r".*(hoist|gantry)-drive:.*\n", "", (person.workspace / "inventory.yaml").read_text())
    )
    file = person.workspace / f"trust/{name}"
    good = file.read_bytes()
    for place in range(0, len(good), max(1, len(good) // 20)):
        altered = bytearray(good)
        altered[place] ^= 1
        file.write_bytes(altered)
        typed = types(person, "check", "card")
        assert typed.code == 5, typed
        assert "policy" in typed.err, typed
    file.write_bytes(good)


def test_a_collector_key_the_policy_does_not_know_signs_nothing(person: Person) -> None:
    """Else a report would be called recorded that no auditor could ever verify."""
    before = record(person)
    (person.keys / "collector.key").write_bytes(new_private_key(None))
    typed = types(person, "check")
    assert typed.code in (2, 5)
    assert "does not know" in typed.err
    assert "hint:" in typed.err
    assert record(person) == before


@pytest.mark.parametrize("key", [None, b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_without_a_collector_key_nothing_is_recorded_and_it_says_so(person: Person, key: bytes | None) -> None:
    before = record(person)
    (person.keys / "collector.key").unlink()
    if key is not None:
        (person.keys / "collector.key").write_bytes(key)
    typed = types(person, "check")
    assert typed.code in (2, 5)
    assert typed.err.count("hint:") >= 1
    assert record(person) == before


# Nothing to check


@pytest.mark.parametrize("sites", ["{}", "{t: {}}", "{t: {cranes: {}}}", "{t: {cranes: {STS-01: {}}}}", "", "null"])
def test_an_empty_inventory_is_no_match(person: Person, sites: str) -> None:
    (person.workspace / "inventory.yaml").write_text(f"sites: {sites}\n")
    for command in (("check",), ("check", "--due"), ("check", "--json")):
        typed = types(person, *command)
        assert typed.code == 2, (command, typed)
        assert "inventory" in typed.err


def test_an_interval_nobody_has_is_told(person: Person) -> None:
    """Nothing is due, and nobody shall take that for a match."""
    inventory = person.workspace / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("every: 7d, ", ""))
    typed = types(person, "check", "--due")
    assert "nothing was checked" in typed.out
    assert "3 without an interval" in typed.out
    assert "MATCH" not in typed.out


def test_a_device_that_holds_nothing_cannot_be_proposed_and_is_no_match(person: Person, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "card")
    (tmp_path / "card").mkdir()
    typed = types(person, "baseline", "propose", "card", "--reason", "nothing")
    assert typed.code != 0 or "not read" in typed.out
    checked = types(person, "check", "card")
    assert checked.code in (3, 4)


def test_an_approved_baseline_of_nothing_is_no_match(person: Person) -> None:
    """The profile asks for something the device does not have, and somebody signs that."""
    (person.workspace / "profiles/test-card.yaml").write_text(
        CARD[: CARD.index("items:")] + "items:\n  - {name: other, kind: firmware, files: {paths: [/elsewhere]}}\n"
    )
    typed = types(person, "baseline", "propose", "card", "--reason", "nothing")
    if typed.code == 0:
        types(person, "baseline", "approve", "card", "--yes")
    assert types(person, "check", "card").code != 0
