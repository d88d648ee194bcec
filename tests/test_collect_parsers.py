"""Parsers of facts, against this machine's own tools and on what real devices say."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import fingerprint, key_line, regular
from verifier.collect import accounts, boot, hardware, network, packages, schedule, system
from verifier.collect.fact import Fact, Parser, listing, whole_text
from verifier.transport.request import Command
from verifier.transport.shell import commands

PARSERS: Mapping[str, Parser] = {
    "routes": network.routes,
    "routes6": network.routes6,
    "tcp": network.listeners(b"tcp", "little", network.DEFAULT_EPHEMERAL),
    "udp6": network.listeners(b"udp6", "big", network.DEFAULT_EPHEMERAL),
    "interface names": network.interface_names,
    "users": accounts.users,
    "groups": accounts.groups,
    "keys": lambda data: accounts.authorized_keys(b"root", b"/root/.ssh/authorized_keys", data),
    "os-release": system.os_release,
    "modules": system.modules,
    "mounts": system.mounts,
    "capabilities": system.capabilities,
    "boot words": boot.boot_words,
    "environment": boot.environment,
    "rauc": boot.rauc,
    "dpkg": packages.control,
    "apk": packages.apk,
    "dpkg-query": packages.dpkg_query,
    "rpm": packages.rpm,
    "opkg": packages.opkg_list,
    "apk list": packages.apk_list,
    "interfaces": hardware.interfaces,
    "usb": hardware.usb_devices,
    "usb serial": hardware.usb_serial,
    "crontab": lambda data: schedule.entries(regular(b"/etc/crontab", data)),
    "timers": schedule.timers,
    "whole": whole_text(b"kernel"),
    "listing": listing(b"node", b"present"),
}


def said(parser: Parser, data: bytes | str) -> dict[str, str]:
    return {f.member.decode(): f.text.decode() for f in parser(data.encode() if isinstance(data, str) else data)}


# This machine as the oracle


def run(*argv: str | bytes) -> bytes:
    return subprocess.run(argv, capture_output=True, check=True, timeout=20).stdout


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


@needs("ss")
def test_listeners_are_those_ss_shows() -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as six:
        six.bind(("::1", 0))
        six.listen()
        expected = {line.split()[3].decode() for line in run("ss", "-H", "-l", "-t", "-n").splitlines()}
        found: set[str] = set()
        for protocol in (b"tcp", b"tcp6"):
            parse = network.listeners(protocol, network.byte_order(Path("/proc/net/route").read_bytes()), (32768, 60999))
            found |= {member.removeprefix("tcp ") for member in said(parse, Path("/proc/net", protocol.decode()).read_bytes())}
        assert f"127.0.0.1:{tcp.getsockname()[1]}" in found
        assert f"[::1]:{six.getsockname()[1]}" in found
        assert {address.replace("*:", "0.0.0.0:") for address in expected if "%" not in address} - found == set()


def test_a_bound_udp_socket_is_told_apart_from_an_ephemeral_one() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as passing:
        passing.bind(("127.0.0.1", 0))
        port = passing.getsockname()[1]
        data = Path("/proc/net/udp").read_bytes()
    assert f"udp ephemeral 127.0.0.1:{port}" in said(network.listeners(b"udp", "little", (port, port)), data)
    assert f"udp 127.0.0.1:{port}" in said(network.listeners(b"udp", "little", (port + 1, port + 1)), data)


@needs("ip")
def test_routes_are_those_ip_shows() -> None:
    expected = set()
    for line in run("ip", "-4", "route", "show").decode().splitlines():
        words = line.split()
        expected.add((words[0], words[words.index("dev") + 1], words[words.index("via") + 1] if "via" in words else ""))
    found = set()
    for member, text in said(network.routes, Path("/proc/net/route").read_bytes()).items():
        name, _, interface = member.partition(" dev ")
        via = re.search(r"via=(\S+)", text)
        found.add((name.removesuffix("/32"), interface, via[1] if via else ""))
    assert found == expected


@needs("ip", "busybox")
def test_interfaces_are_those_ip_shows_with_gnu_and_with_busybox_tools() -> None:
    expected = {line.split(b": ")[1].split(b"@")[0].decode() for line in run("ip", "-o", "link").splitlines()}
    argv = commands.argv(Command.LIST_INTERFACES)
    gnu, busybox = said(hardware.interfaces, run(*argv)), said(hardware.interfaces, run("busybox", *argv))
    assert set(gnu) == expected
    assert busybox == gnu
    assert set(said(network.interface_names, Path("/proc/net/dev").read_bytes())) == expected
    assert "type=loopback" in gnu["lo"]


def test_users_groups_and_mounts_of_this_machine() -> None:
    assert said(accounts.users, Path("/etc/passwd").read_bytes())["root"].startswith("uid=0 gid=0 home=/root shell=")
    assert said(accounts.groups, Path("/etc/group").read_bytes())["root"] == "gid=0"
    mounted = said(system.mounts, Path("/proc/mounts").read_bytes())
    assert mounted["/proc"].startswith("proc proc rw")
    assert not any("?" in member for member in mounted)


@needs("dpkg-query")
def test_packages_are_those_dpkg_shows() -> None:
    expected = {}
    for line in run("dpkg-query", "-W", "-f=${Package}:${Architecture}\t${Version}\t${Status}\n").decode().splitlines():
        name, version, status = line.split("\t")
        expected[name] = version if status.endswith(" installed") else f"{version} {status}"
    assert said(packages.control, Path("/var/lib/dpkg/status").read_bytes()) == expected
    listed = said(packages.dpkg_query, run(*commands.argv(Command.DPKG_PACKAGES)))
    assert len(listed) >= len(expected)
    assert "dpkg" in listed


@needs("getcap", "setcap")
def test_file_capabilities_are_told(tmp_path: Path) -> None:
    program = tmp_path / "a program"
    program.write_bytes(b"#!")
    if subprocess.run(["setcap", "cap_net_raw=ep", program], capture_output=True, check=False).returncode:
        pytest.skip("this file system takes no capabilities")
    found = said(system.capabilities, run(*commands.argv(Command.FILE_CAPABILITIES, (bytes(tmp_path),))))
    assert found == {str(program): "cap_net_raw=ep"}


# Parsers, on what real devices say

ROUTES = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0101140A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001140A\t00000000\t0001\t7\t9\t0\t00FFFFFF\t0\t0\t0
ppp0\t08080808\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
*\t0000FEA9\t00000000\t0200\t0\t0\t1024\t0000FFFF\t0\t0\t0
"""
BIG_ENDIAN_ROUTES = ROUTES.replace("0101140A", "0A140101").replace("0001140A", "0A140100").replace("00FFFFFF", "FFFFFF00")


def test_counters_of_routes_are_left_out() -> None:
    found = said(network.routes, ROUTES)
    assert found["default dev eth0"] == "via=10.20.1.1 metric=100"
    assert found["10.20.1.0/24 dev eth0"] == "metric=0"
    assert found["8.8.8.8/32 dev ppp0"] == "metric=0"
    assert said(network.routes, ROUTES.replace("\t7\t9\t", "\t8\t1\t")) == found


def test_routes_that_reject_are_told() -> None:
    assert said(network.routes, ROUTES)["169.254.0.0/16 dev *"] == "metric=1024 unreachable down"


def test_a_big_endian_device_is_known_by_its_netmasks() -> None:
    rows = BIG_ENDIAN_ROUTES.splitlines()[:3]
    found = said(network.routes, "\n".join(rows))
    assert found == {"default dev eth0": "via=10.20.1.1 metric=100", "10.20.1.0/24 dev eth0": "metric=0"}
    assert network.byte_order("\n".join(rows).encode()) == "big"
    tcp = "   0: 0A14010B:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0\n"
    assert "tcp 10.20.1.11:22" in said(network.listeners(b"tcp", "big", (1, 0)), tcp)


def test_ipv6_routes() -> None:
    zero = "0" * 32
    data = (
        f"fd000000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001     eth0\n"
        f"{zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n"
        f"fd000000000000000000000000000002 80 {zero} 00 {zero} 00000000 00000003 00000000 80200001     eth0\n"
        f"fd000000000000000000000000000009 80 {zero} 00 {zero} 00000000 00000003 00000000 01000001     eth0\n"
    )
    assert said(network.routes6, data) == {
        "fd00::/64 dev eth0": "metric=256",
        "default6 dev eth0": "via=fd00::1 metric=1024",
        "fd00::2/128 dev eth0": "metric=0 local",
    }


def test_only_listening_sockets_are_told_with_their_user() -> None:
    row = "   {}: {}:{} 00000000:0000 {} 00000000:00000000 00:00000000 00000000 {:>5}        0 1201 1\n"
    data = "  sl  local_address\n"
    data += row.format(0, "00000000", "0016", "0A", 0) + row.format(1, "0100007F", "01F6", "0A", 1000)
    data += row.format(2, "0100007F", "C001", "01", 0)
    assert said(network.listeners(b"tcp", "little", (1, 0)), data) == {"tcp 0.0.0.0:22": "uid=0", "tcp 127.0.0.1:502": "uid=1000"}
    six = row.format(0, "00000000000000000000000001000000", "0016", "0A", 0)
    assert said(network.listeners(b"tcp6", "little", (1, 0)), six) == {"tcp [::1]:22": "uid=0"}


def test_an_account_that_is_no_longer_locked_in_passwd_shows() -> None:
    """`*` lets nobody in; `x` lets in whoever has a password in /etc/shadow, which is not read."""
    locked, opened = (said(accounts.users, f"svc:{field}:1:1::/:/bin/sh")["svc"] for field in ("*", "x"))
    assert locked == opened + " password=locked"


def test_a_groups_password_is_told_by_its_digest() -> None:
    assert said(accounts.groups, "wheel:x:10:")["wheel"] == said(accounts.groups, "wheel::10:")["wheel"] == "gid=10"
    assert said(accounts.groups, "wheel:$6$secret:10:")["wheel"].startswith("gid=10 password=sha256:")


def test_a_password_hash_in_passwd_is_never_shown_but_its_change_is() -> None:
    one, other = (said(accounts.users, f"root:{h}:0:0:root:/root:/bin/sh\n")["root"] for h in ("$6$salt$aaa", "$6$salt$bbb"))
    assert "$6$" not in one
    assert one != other
    assert said(accounts.users, "svc::1:1::/:/bin/sh")["svc"].endswith("password=none")


def test_the_order_of_group_members_has_no_meaning() -> None:
    assert (
        said(accounts.groups, "dialout:x:20:b,a\n")
        == said(accounts.groups, "dialout:x:20:a,b\n")
        == {"dialout": "gid=20 members=a,b"}
    )


def test_options_of_a_key_may_hold_blanks_and_quotes() -> None:
    before = 'command="/bin/a \\"b c\\" d",no-pty '
    parse: Parser = PARSERS["keys"]
    found = said(parse, "# comment\n" + key_line(b"blob", before) + key_line(b"other", comment=""))
    path = "file=/root/.ssh/authorized_keys"
    assert found == {
        f"root/{fingerprint(b'blob')}": f"type=ssh-ed25519 {path} comment=me@desk options={before.strip()}",
        f"root/{fingerprint(b'other')}": f"type=ssh-ed25519 {path}",
    }


def test_modules_without_their_counters() -> None:
    data = "can_raw 20480 2 - Live 0x0000000000000000\nevil 16384 0 - Live 0xffffffffc0000000 (OE)\nwhat\n"
    assert said(system.modules, data) == {"can_raw": "loaded", "evil": "loaded taint=OE", "? what": "not understood"}


def test_mounts_show_overlays_and_leave_out_what_memory_decides() -> None:
    data = (
        "overlay / overlay rw,lowerdir=/media/rfs/ro,upperdir=/media/rfs/rw/upperdir 0 0\n"
        "tmpfs /run tmpfs rw,nosuid,size=811932k,nr_inodes=819200,mode=755 0 0\n"
        "/dev/sda1 /media/usb\\040stick vfat rw 0 0\n"
    )
    assert said(system.mounts, data) == {
        "/": "overlay overlay rw,lowerdir=/media/rfs/ro,upperdir=/media/rfs/rw/upperdir",
        "/run": "tmpfs tmpfs rw,nosuid,mode=755",
        "/media/usb stick": "/dev/sda1 vfat rw",
    }


SYS_USB = "/sys/devices/pci0000:00/0000:00:14.0/usb{}"


def usb(bus: int) -> str:
    root = SYS_USB.format(bus)
    return (
        f"{root}/idVendor:1d6b\n{root}/idProduct:0002\n{root}/bDeviceClass:09\n"
        f"{root}/{bus}-1/{bus}-1.2/idVendor:2c7c\n{root}/{bus}-1/{bus}-1.2/idProduct:0125\n"
        f"{root}/{bus}-1/{bus}-1.2/product:EC25: LTE\n{root}/{bus}-1/{bus}-1.2/bDeviceClass:ef\n"
        f"{root}/{bus}-1/{bus}-1.2/{bus}-1.2:1.1/bInterfaceClass:ff\n{root}/{bus}-1/{bus}-1.2/{bus}-1.2:1.0/bInterfaceClass:02\n"
    )


def test_a_usb_device_is_named_by_where_it_is_plugged_in() -> None:
    found = said(hardware.usb_devices, usb(1))
    assert found == {
        "0000:00:14.0/1": "id=1d6b:0002 class=09",
        "0000:00:14.0/1-1.2": "id=2c7c:0125 class=ef interfaces=02,ff product=EC25: LTE",
    }


def test_the_kernels_numbers_of_usb_buses_do_not_matter() -> None:
    assert said(hardware.usb_devices, usb(3)) == said(hardware.usb_devices, usb(1))


def test_addresses_the_kernel_makes_up_are_left_out() -> None:
    def interface(place: str, mac: str) -> str:
        return f"/sys/devices/{place}/net/x0/address:{mac}\n/sys/devices/{place}/net/x0/operstate:down\n"

    assert said(hardware.interfaces, interface("virtual", "02:0a:9a:38:8b:30")) == {"x0": "state=down at=virtual"}
    assert (
        said(hardware.interfaces, interface("virtual", "00:0a:9a:38:8b:30"))["x0"]
        == "state=down mac=00:0a:9a:38:8b:30 at=virtual"
    )
    assert "mac=02:" in said(hardware.interfaces, interface("platform/soc/usb1/1-1", "02:0a:9a:38:8b:30"))["x0"]


RAUC = """\
=== System Info ===
Compatible:  axcf2152_v1
Booted from: rootfs.0 (/dev/mmcblk0p2)

=== Slot States ===
\x1b[1mo [rootfs.1]\x1b[0m (/dev/mmcblk0p3, ext4, inactive)
        bootname: system1
        slot status:
            checksum:
                sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
                size=268435456
            installed:
                count=3
            status: ok
x [rootfs.0] (/dev/mmcblk0p2, ext4, booted)
        boot status: good
"""


def test_rauc_slots_keep_their_place() -> None:
    found = said(boot.rauc, RAUC)
    assert found["rauc/rootfs.1"] == "/dev/mmcblk0p3, ext4, inactive"
    assert found["rauc/rootfs.1/slot status/checksum/sha256"].startswith("5891")
    assert found["rauc/rootfs.1/slot status/installed/count"] == "3"
    assert found["rauc/rootfs.1/slot status/status"] == "ok"
    assert found["rauc/rootfs.0/boot status"] == "good"
    assert found["rauc/System Info/Booted from"] == "rootfs.0 (/dev/mmcblk0p2)"


def test_package_lists_of_commands() -> None:
    assert said(packages.rpm, "busybox-extra-1.35.0-4.armv7hl\n") == {"busybox-extra:armv7hl": "1.35.0-4"}
    assert said(packages.opkg_list, "busybox - 1.35.0-4\n") == {"busybox": "1.35.0-4"}
    assert said(packages.apk_list, "busybox-extras-1.36.1-r5\n") == {"busybox-extras": "1.36.1-r5"}
    assert said(packages.apk, "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:armv7\n\n") == {"musl:armv7": "1.2.4-r2"}
    assert said(packages.dpkg_query, "adduser\t3.134\tii \nold\t1\trc \n") == {"adduser": "3.134", "old": "1 status=rc"}


def test_crontabs_say_when_and_what() -> None:
    table = "SHELL=/bin/sh\n# m h\n17 * * * * root cd / && run\n@reboot root /opt/x\n5 4 * *\n"
    found = said(PARSERS["crontab"], table)
    assert found == {
        "/etc/crontab/SHELL": "/bin/sh",
        "/etc/crontab/17 * * * *": "root cd / && run",
        "/etc/crontab/@reboot": "root /opt/x",
        "/etc/crontab/? 5 4 * *": "not understood",
    }


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.binary(max_size=400))
def test_no_parser_breaks_on_what_a_device_sends(name: str, data: bytes) -> None:
    for fact in PARSERS[name](data):
        assert isinstance(fact, Fact)


WORDS = [
    "eth0",
    "00000000",
    "0A",
    ":",
    "/",
    "\t",
    " ",
    "\n",
    "\n\n",
    "=",
    "-",
    "root",
    "x",
    "[a] (b)",
    "usb1",
    "99999999999999999999",
]
WORDS += [
    "/sys/devices/a/usb1/1-1/idVendor:",
    "/sys/devices/a/net/b/uevent:",
    "Package: a",
    "P:a",
    '"',
    "ssh-rsa AAAA",
    "0" * 32,
    "FF",
]


@pytest.mark.parametrize("name", PARSERS)
@given(words=st.lists(st.sampled_from(WORDS), max_size=30))
def test_no_parser_breaks_on_what_almost_looks_right(name: str, words: list[str]) -> None:
    for fact in PARSERS[name](("".join(words)).encode()):
        assert isinstance(fact, Fact)


@pytest.mark.parametrize("name", PARSERS)
def test_no_parser_can_be_kept_busy_by_one_long_line(name: str) -> None:
    for piece in (b" ", b"a ", b":", b"=", b'"', b"/net/a", b"[(", b"\\"):
        list(PARSERS[name](b"a" + piece * 100_000 + b"b"))
