"""Built-in profiles read a card of their kind of device, with the device off: what they find, call it and keep."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from verifier.collect.snapshot import Collecting, collect
from verifier.model.device import Device, DeviceName, ImageAddress
from verifier.model.snapshot import FileValue, Snapshot, Unread
from verifier.settings.profiles import load_profile
from verifier.transport.offline.route import ImageRoute

COMMON = {
    "bin/sh": "program",
    "boot/kernel": "kernel",
    "etc/os-release": "ID=example\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nmaint:$6$hunter2$abc:1:1::/home/maint:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/shadow": "root:$6$hunter2$abc:19000:0:::::\n",
    "etc/ssh/sshd_config": "PermitRootLogin no\n",
    "etc/ssh/ssh_host_ed25519_key": "hunter2",
    "home/maint/.ssh/authorized_keys": "ssh-ed25519 AAAA maint\n",
    "root/.bash_history": "hunter2",
    "var/log/messages": "noise",
    "tmp/x": "noise",
}
CARDS = {
    "linux-controller": {"opt/crane/app": "program"},
    "plcnext": {
        "etc/plcnext/arpversion": "Arpversion: 23.6.0.37\n",
        "etc/device_data/identity": "hunter2",
        "opt/plcnext/projects/PCWE/Io/Arp.Io.AxlC/a.tic": "program",
        "opt/plcnext/config/System/Um/um.config": "settings",
        "opt/plcnext/Security/store": "hunter2",
        "opt/plcnext/logs/Output.log": "noise",
        "media/rfs/ro/usr/lib/libplc.so": "firmware",
        "media/rfs/rw/upperdir/usr/lib/libplc.so": "shadowing firmware",
        "media/rfs/rw/upperdir/etc/shadow": "root:$6$hunter2$abc:::::::\n",
    },
    "wago-pfc": {
        "etc/REVISIONS": "FIRMWARE=03.10.08(99)\n",
        "etc/specific/rtsversion": "3\n",
        "etc/specific/wwan.conf": "state=enabled\napn=port\npin=hunter2\n",
        "etc/specific/snmp_user.conf": "hunter2",
        "etc/rauc/ca.cert.pem": "certificate",
        "home/codesys_root/DEFAULT.PRG": "program",
        "var/lib/aide/aide.db": "db",
    },
    "moxa-gateway": {
        "etc/moxa-configs/net.json": "{}",
        "etc/mx-security/level": "2",
        "etc/fw_env.config": "/dev/mtd1\n",
        "var/lib/integrit/known.cdb": "db",
    },
    "codesys-linux": {"var/opt/runtime/PlcLogic/Application/Application.app": "program"},
    "linux-crane-pc": {
        "opt/cms/cms": "program",
        "var/lib/dpkg/status": "Package: cms\nStatus: install ok installed\nVersion: 4.4\n",
    },
    "offline-image": {"SDCARD.INI": "[System]\nFunctionOfCard=0\npassword=hunter2\n", "dev/hidden": "program"},
}


@pytest.fixture(params=sorted(CARDS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(card: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (card / path).parent.mkdir(parents=True, exist_ok=True)
        (card / path).write_text(text)


def read(name: str, card: Path) -> tuple[Snapshot, dict[str, bytes]]:
    """What the profile finds on the card, and the texts it keeps."""
    kept: dict[str, bytes] = {}

    def keep(text: bytes) -> str:
        digest = hashlib.sha256(text).hexdigest()
        kept[digest] = text
        return digest

    address = ImageAddress(str(card))
    device = Device(DeviceName("t1", "STS-01", "card"), address, name)
    work = Collecting(device, load_profile(name), lambda: datetime(2026, 11, 22, tzinfo=UTC), keep)
    with ImageRoute.open(address) as route:
        return collect(work, route), kept


def files_of(snapshot: Snapshot) -> dict[str, dict[str, FileValue]]:
    """Regular files by item."""
    return {
        item.name: {r.member: r.value for r in item.readings if isinstance(r.value, FileValue) and r.value.sha256}
        for item in snapshot.items
    }


@pytest.fixture
def card(name: str, tmp_path: Path) -> Path:
    write(tmp_path / "card", COMMON | CARDS[name])
    return tmp_path / "card"


def test_everything_on_the_card_is_read_and_no_secret_is_kept(name: str, card: Path) -> None:
    snapshot, kept = read(name, card)
    assert not [(i.name, r) for i in snapshot.items for r in i.readings if isinstance(r.value, Unread)]
    found = {member for files in files_of(snapshot).values() for member in files}
    silent = ["/var/log", "/var/lib/dpkg", "/tmp"]
    if name != "offline-image":
        silent += ["/root/.bash_history", "/etc/ssh/ssh_host_ed25519_key", "/etc/device_data", "/opt/plcnext/logs"]
    if name == "plcnext":
        silent += ["/bin", "/boot"]  # the merged view, of which both layers are read
    wanted = {f"/{path}" for path in COMMON | CARDS[name] if not f"/{path}".startswith(tuple(silent))}
    assert found == wanted
    assert kept
    assert not [text for text in kept.values() if b"hunter2" in text]


def test_reading_twice_gives_the_same(name: str, card: Path) -> None:
    first, second = read(name, card)[0], read(name, card)[0]
    assert first.items == second.items
    assert first.profile_digest == second.profile_digest == load_profile(name).digest


def test_what_makes_each_kind_of_device_its_own_has_an_item_of_its_own(name: str, card: Path) -> None:
    found = files_of(read(name, card)[0])
    match name:
        case "plcnext":
            assert set(found["overlay"]) == {"/media/rfs/rw/upperdir/usr/lib/libplc.so", "/media/rfs/rw/upperdir/etc/shadow"}
            assert set(found["firmware"]) == {"/media/rfs/ro/usr/lib/libplc.so"}
            assert found["firmware version"]["/etc/plcnext/arpversion"].version == "23.6.0.37"
        case "wago-pfc":
            assert found["versions"]["/etc/REVISIONS"].version == "03.10.08(99)"
            assert "/etc/specific/wwan.conf" in found["remote access"]
            assert set(found["program"]) == {"/home/codesys_root/DEFAULT.PRG"}
        case "moxa-gateway":
            assert set(found["hardening"]) == {"/etc/mx-security/level"}
        case "codesys-linux":
            assert "/var/opt/runtime/PlcLogic/Application/Application.app" in found["system files"]
        case "offline-image":
            assert found["content"]["/SDCARD.INI"].kept
        case _:
            assert "/bin/sh" in found["system files"]


def test_a_link_to_the_program_is_compared_by_its_target(tmp_path: Path) -> None:
    card = tmp_path / "card"
    write(card, COMMON | CARDS["wago-pfc"])
    (card / "home/codesys").symlink_to("/media/sd")
    program = next(item for item in read("wago-pfc", card)[0].items if item.name == "program")
    targets = {r.member: r.value.target for r in program.readings if isinstance(r.value, FileValue) and r.value.target}
    assert targets == {"/home/codesys": "/media/sd"}
