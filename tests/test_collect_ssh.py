"""A running system read over real SSH servers: GNU tools, a busybox userland and SFTP alone say the same of this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers.dropbear import BUSYBOX, DROPBEAR, running_dropbear
from tests.servers.sshd import SFTP_ONLY, SSHD, no_secrets, running_sshd
from verifier.collect.connection import CONNECTION
from verifier.collect.snapshot import Collecting, collect
from verifier.model.device import Device, DeviceName, SshAddress, Timeouts
from verifier.model.profile import Facts, Item, Pace, Profile, Topic
from verifier.model.snapshot import WHOLE_ITEM, FactValue, Reading, Snapshot, Unread
from verifier.model.words import Criticality, Kind, Maturity
from verifier.transport.ssh.route import SshRoute

needs_sshd = pytest.mark.skipif(not SSHD, reason="needs openssh-server")
needs_dropbear = pytest.mark.skipif(not (DROPBEAR and BUSYBOX and SSHD), reason="needs dropbear, busybox and openssh-server")

STEADY = [
    Topic.SYSTEM,
    Topic.INTERFACES,
    Topic.ROUTES,
    Topic.MODULES,
    Topic.PACKAGES,
    Topic.USB,
    Topic.MODEMS,
    Topic.SCHEDULE,
    Topic.BOOT_SLOTS,
]
"""Topics that other tests on this machine do not change meanwhile."""


def snapshot(address: SshAddress, *topics: Topic) -> Snapshot:
    items = tuple(Item(topic.value, Kind.NETWORK, Facts(topic), Criticality.NORMAL) for topic in topics)
    profile = Profile("p", "P", 1, Maturity.SIMULATED, items, "d" * 64)
    device = Device(DeviceName("site", "STS-01", "pc"), address, "p")
    with SshRoute.open(address, Pace(), no_secrets) as route:
        work = Collecting(device, profile, lambda: datetime.now(UTC), lambda data: hashlib.sha256(data).hexdigest())
        return collect(work, route)


def items(found: Snapshot) -> dict[str, tuple[Reading, ...]]:
    return {item.name: item.readings for item in found.items if item.name != CONNECTION}


@pytest.fixture(scope="module")
def by_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as device:
        yield snapshot(device.address(), *STEADY)


@needs_sshd
def test_everything_a_debian_has_is_told(by_sshd: Snapshot) -> None:
    found = items(by_sshd)
    assert not any(isinstance(reading.value, Unread) for topic in found for reading in found[topic] if topic != "boot-slots")
    texts = {reading.member: reading.value for reading in found["system"]}
    assert texts["kernel"] == FactValue(" ".join(Path("/proc/version").read_text().split()))
    names = subprocess.run(["ls", "/sys/class/net"], capture_output=True, text=True, check=True).stdout.split()
    assert [reading.member for reading in found["interfaces"]] == sorted(names)
    if shutil.which("dpkg-query"):
        assert any(reading.member.startswith("dpkg:") for reading in found["packages"])


@needs_sshd
def test_the_connection_is_told_first(by_sshd: Snapshot) -> None:
    assert by_sshd.items[0].name == CONNECTION
    assert {"host-key", "server-version", "cipher"} <= {reading.member for reading in by_sshd.items[0].readings}


@needs_dropbear
def test_busybox_says_the_same_as_gnu(by_sshd: Snapshot) -> None:
    with running_dropbear() as device:
        found = items(snapshot(device.address(), *STEADY))
    expected = items(by_sshd)
    for topic in STEADY:
        timers = [reading for reading in expected[topic] if reading.member.startswith("timer")]  # busybox knows no systemd
        assert found[topic] == tuple(reading for reading in expected[topic] if reading not in timers)


@needs_sshd
def test_sftp_alone_says_the_same_where_files_tell_it(by_sshd: Snapshot, tmp_path: Path) -> None:
    with running_sshd(tmp_path, config=SFTP_ONLY) as device:
        found = snapshot(device.address(), *STEADY)
    said, expected = items(found), items(by_sshd)
    for topic in (Topic.SYSTEM, Topic.ROUTES, Topic.MODULES, Topic.PACKAGES):
        assert said[topic] == expected[topic]
    assert [r.member for r in said["interfaces"]] == [r.member for r in expected["interfaces"]]
    assert [each.item for each in found.not_asked] == ["usb"]
    assert any("no shell" in note for note in found.notes)


@needs_dropbear
def test_the_key_that_logs_us_in_is_among_the_authorized_keys() -> None:
    with running_dropbear() as device:
        found = items(snapshot(device.address(), Topic.AUTHORIZED_KEYS))["authorized-keys"]
        listed = subprocess.run(["ssh-keygen", "-l", "-f", device.key_path], capture_output=True, text=True, check=True).stdout
    assert f"{device.user}/{listed.split()[1]}" in [reading.member for reading in found]


@needs_dropbear
def test_an_account_that_may_not_read_them_leaves_roots_keys_unread() -> None:
    with running_dropbear(uid=54321) as device:
        found = items(snapshot(device.address(), Topic.AUTHORIZED_KEYS))["authorized-keys"]
    unread = [reading.member for reading in found if isinstance(reading.value, Unread)]
    assert "root" in unread or WHOLE_ITEM in unread


@needs_dropbear
def test_a_users_link_to_a_pipe_neither_opens_it_nor_holds_us_up() -> None:
    """A pipe stands for whatever it is an act to open: the watchdog, a serial port, the kernel's log."""
    with running_dropbear() as device:
        pipe = device.folder / "pipe"
        os.mkfifo(pipe)
        (device.folder / ".ssh" / "authorized_keys2").symlink_to(pipe)
        with pytest.raises(OSError, match="No such device"):
            os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)  # nobody has it open to read
        start = time.monotonic()
        found = items(snapshot(device.address(timeouts=Timeouts(silence=5)), Topic.AUTHORIZED_KEYS))["authorized-keys"]
        assert time.monotonic() - start < 4
        listed = subprocess.run(["ssh-keygen", "-l", "-f", device.key_path], capture_output=True, text=True, check=True).stdout
    told = {reading.member: reading.value for reading in found}
    assert f"{device.user}/{listed.split()[1]}" in told
    assert told[f"{device.user}/link {device.folder}/.ssh/authorized_keys2"] == FactValue(f"link={pipe}")
    assert told[f"{device.folder}/.ssh/authorized_keys2"] == FactValue("not understood: no file of keys")
