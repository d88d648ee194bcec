"""The simulated devices whose answers lie in tests/recordings: one for each built-in profile.

Their files, registers and names are examples, laid out as the sources of the profiles say. They stand for no product, and prove
nothing about one: only that the profile finds and calls by its name what its sources describe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers.linux_device import Capable, Link, Program, Tree, Userland, running_linux, settle_times, write_tree
from verifier.model.device import Address, ImageAddress, ModbusTcpAddress
from verifier.settings.inventory import load_inventory
from verifier.simulator.crane import SimulatedCrane
from verifier.simulator.station import Station, Unit

NET_TCP = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def listening(*sockets: tuple[str, int]) -> str:
    """/proc/net/tcp of a little-endian device: address as the kernel prints it, and port."""
    tail = "00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0"
    return NET_TCP + "".join(f"   {n}: {at}:{port:04X} {tail} {1200 + n} 1\n" for n, (at, port) in enumerate(sockets))


def interface(name: str, place: str, address: str, kind: int = 1, state: str = "up") -> Tree:
    """sysfs of one network interface."""
    folder = f"sys/devices/{place}/net/{name}"
    return {
        f"{folder}/address": f"{address}\n",
        f"{folder}/type": f"{kind}\n",
        f"{folder}/operstate": f"{state}\n",
        f"{folder}/uevent": f"INTERFACE={name}\nIFINDEX=2\n",
    }


def common(hostname: str, machine: str = "") -> Tree:
    """What every simulated Linux device has. `machine` is what the device tree calls it; a PC has none."""
    return {
        "etc/hostname": f"{hostname}\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n",
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nservice:x:1000:1000:maintenance:/home/service:/bin/sh\n",
        "etc/group": "root:x:0:\ndialout:x:20:service\nservice:x:1000:\n",
        "etc/shadow": "root:$6$example$example:20454:0:99999:7:::\nservice:!:20454:0:99999:7:::\n",
        "etc/os-release": 'ID=example\nNAME="Example Linux"\nVERSION_ID="4.2"\n',
        "etc/fstab": "/dev/mmcblk0p2 / ext4 ro 0 1\n",
        "etc/crontab": "17 3 * * * root /usr/bin/rotate\n",
        "etc/network/interfaces": "auto eth0\niface eth0 inet static\n  address 10.20.1.11/24\n  gateway 10.20.1.1\n",
        "etc/init.d/runtime": "#!/bin/sh\nexec /usr/bin/runtime\n",
        "home/service/.profile": "umask 027\n",
        "root/.ash_history": "noise that is not read\n",
        "tmp/scratch": "noise that is not read\n",
        "var/log/messages": "noise that is not read\n",
        "proc/version": "Linux version 5.15.130-rt68 (builder@example) (gcc 11.3.0) #1 SMP PREEMPT_RT\n",
        "proc/cmdline": "console=ttyS0 root=/dev/mmcblk0p2 ro quiet\n",
        "proc/sys/kernel/hostname": f"{hostname}\n",
        "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "proc/mounts": "/dev/mmcblk0p2 / ext4 ro,relatime 0 0\nproc /proc proc rw 0 0\ntmpfs /tmp tmpfs rw,size=64M 0 0\n",
        "proc/modules": "can_raw 20480 0 - Live 0x0000000000000000\ncan 28672 1 can_raw, Live 0x0000000000000000\n",
        "proc/net/route": f"{ROUTES}eth0\t0001140A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth0\t00000000\t0101140A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
        "proc/net/tcp": listening(("00000000", 22)),
        "sys/devices/platform/soc/usb1/idVendor": "1d6b\n",
        "sys/devices/platform/soc/usb1/idProduct": "0002\n",
        **interface("lo", "virtual", "00:00:00:00:00:00", 772, "unknown"),
        **interface("eth0", "platform/soc/2188000.ethernet", "00:00:5e:00:53:11"),
        **interface("can0", "platform/soc/2090000.can", "", 280),
        **({"proc/device-tree/model": f"{machine}\0"} if machine else {}),
    }


RAUC = """\
=== System Info ===
Compatible:  example_controller_v1
Booted from: rootfs.0 (/dev/mmcblk0p2)

=== Slot States ===
o [rootfs.1] (/dev/mmcblk0p3, ext4, inactive)
        bootname: system1
        slot status:
            checksum:
                sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
                size=268435456
            installed:
                timestamp=2026-01-01T00:00:00Z
                count=1
x [rootfs.0] (/dev/mmcblk0p2, ext4, booted)
        bootname: system0
        slot status:
            checksum:
                sha256=e258d248fda94c63753607f7c4494ee0fcbe92f1a76bfdac795c9d84101eb317
                size=268435456
            installed:
                timestamp=2026-01-01T00:00:00Z
                count=1
"""

PLCNEXT: Tree = {
    **common("example-plcnext", "Example PLCnext controller"),
    "etc/plcnext/arpversion": "Arpversion: 23.6.0.37\nGIT Commit Hash: 0123456789abcdef\nBuild Job: example\n",
    "etc/device_data/identity": "a device certificate, which is not read\n",
    "usr/bin/rauc": Program(RAUC),
    "opt/plcnext/projects/PCWE/Io/Arp.Io.AxlC/example.tic": "<io/>\n",
    "opt/plcnext/projects/PCWE/Services/OpcUA/PCWE.opcua.config": "<opcua/>\n",
    "opt/plcnext/projects/Default/Plc/Plm/Plm.config": "<plm/>\n",
    "opt/plcnext/config/System/Um/um.config": "<users/>\n",
    "opt/plcnext/config/System/Scm/scm.config": "<services/>\n",
    "opt/plcnext/Security/TrustStores/example.pem": "an example certificate\n",
    "opt/plcnext/appshome/example.app": "an app\n",
    "opt/plcnext/logs/Output.log": "noise that is not read\n",
    "media/rfs/ro/usr/lib/libplc.so": "firmware as delivered\n",
    "media/rfs/ro/etc/hosts": "127.0.0.1 localhost\n",
    "media/rfs/rw/upperdir/etc/hosts": "127.0.0.1 localhost\n10.20.1.11 example-plcnext\n",
}

WAGO: Tree = {
    **common("example-pfc", "Example PFC controller"),
    "etc/REVISIONS": "FIRMWARE=03.10.08(99)\n",
    "etc/REVISIONS_CDS3": "CODESYS=3.5.16.0\n",
    "etc/specific/rtsversion": "3\n",
    "etc/specific/network-interfaces.xml": "<interfaces><iface><name>br0</name></iface></interfaces>\n",
    "etc/specific/host.conf": "hostname=example-pfc\n",
    "etc/specific/snmp_user.conf": "an example that is kept by its hash alone\n",
    "etc/firewall/iptables/example.xml": "<firewall><policy>drop</policy></firewall>\n",
    "etc/rauc/system.conf": "[system]\ncompatible=example_pfc\n[keyring]\npath=/etc/rauc/ca.cert.pem\n",
    "etc/rauc/ca.cert.pem": "an example certificate\n",
    "etc/rts3s.cfg": "[SysFile]\nFilePath.1=/home/codesys3\n",
    "etc/codesys3.d/example.cfg": "[CmpApp]\nApplication.1=Application\n",
    "etc/lighttpd/lighttpd.conf": "server.port = 443\n",
    "etc/aide.conf": "/ sha256+p+u+g+n+l\n",
    "var/lib/aide/aide.db": "an example database\n",
    "home/codesys": Link("/home/codesys_root"),
    "home/codesys_root/DEFAULT.PRG": "an example program\n",
    "home/codesys_root/DEFAULT.CHK": "1234\n",
    "home/codesys3/PlcLogic/Application/Application.app": "an example boot application\n",
    "home/codesys3/PlcLogic/Application/Application.crc": "5678\n",
    "usr/bin/rauc": Program(RAUC),
}

MOXA: Tree = {
    **common("example-gateway", "Example serial gateway"),
    "etc/moxa-configs/example.json": '{"serial-ports": 8}\n',
    "etc/fw_env.config": "/dev/mtd1 0x0000 0x20000\n",
    "etc/mx-security/level": "2\n",
    "etc/ssh/sshd_config": "PermitRootLogin prohibit-password\n",
    "var/lib/integrit/known.cdb": "an example database\n",
    "usr/bin/mx-ver": Program("EXAMPLE-GATEWAY version 3.2 Build 26010100\n"),
    "usr/bin/fw_printenv": Program("bootcmd=run boot_mmc\nbootdelay=0\n"),
}

CODESYS: Tree = {
    **common("example-softplc", "Example soft PLC"),
    "opt/codesys/bin/codesyscontrol.bin": "an example runtime\n",
    "etc/CODESYSControl.cfg": "[CmpApp]\nApplication.1=Application\n",
    "var/opt/codesys/PlcLogic/Application/Application.app": "an example boot application\n",
    "var/opt/codesys/PlcLogic/Application/Application.crc": "5678\n",
    "proc/net/tcp": listening(("00000000", 22), ("00000000", 11740)),
}

CRANE_PC: Tree = {
    **common("example-cms"),
    "opt/cms/bin/cms": "an example crane management program\n",
    "opt/cms/bin/ping": Capable("an example program that may send raw packets\n"),
    "etc/systemd/system/cms.service": "[Service]\nExecStart=/opt/cms/bin/cms\n",
    "etc/ssh/sshd_config": "PasswordAuthentication no\n",
    "var/lib/dpkg/status": "Package: cms\nStatus: install ok installed\nArchitecture: amd64\nVersion: 4.4-3\n\n"
    "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:9.2p1-2\n\n",
    "usr/bin/systemctl": Program("apt-daily.timer enabled enabled\ncms-backup.timer enabled enabled\n"),
    "proc/net/tcp": listening(("00000000", 22), ("0100007F", 5432)),
    "sys/class/dmi/id/product_name": "Example Box PC\n",
    "sys/class/dmi/id/bios_version": "1.07\n",
}

CARD: Tree = {
    "SDCARD.INI": "[System]\nFunctionOfCard=0\n",
    "Firmware/example.gza": "an example firmware\n",
    "UserData/DEFAULT.PRG": "an example program\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "var/log/messages": "noise that is not read\n",
}

Source = Callable[[], AbstractContextManager[Address]]
"""Starts a device and says where it is."""


def _linux(tree: Tree, userland: Userland) -> Source:
    @contextmanager
    def running() -> Iterator[Address]:
        with running_linux(tree, userland) as device:
            yield device.address()

    return running


def _modbus(unit: Unit) -> Source:
    @contextmanager
    def running() -> Iterator[Address]:
        with Station({1: unit}) as station:
            yield ModbusTcpAddress("127.0.0.1", station.port)

    return running


def _demo(name: str) -> Source:
    @contextmanager
    def running() -> Iterator[Address]:
        with TemporaryDirectory() as folder, SimulatedCrane(Path(folder)) as crane:
            settle_times(Path(folder))
            inventory = Path(folder, "inventory.yaml")
            inventory.write_text(crane.inventory())
            (device,) = load_inventory(inventory).select((name,))
            yield device.address

    return running


@contextmanager
def _card() -> Iterator[Address]:
    with TemporaryDirectory() as folder:
        card = Path(folder, "card")
        card.mkdir()
        write_tree(card, CARD)
        settle_times(card)
        yield ImageAddress(str(card))


DEVICES: dict[str, Source] = {
    "abb-acs880": _modbus(Unit(objects={0: b"ABB", 1: b"EXAMPLE ADAPTER", 2: b"V1.00"})),
    "codesys-linux": _linux(CODESYS, Userland.BUSYBOX),
    "demo-anemometer": _demo("anemometer"),
    "demo-controller": _demo("controller"),
    "demo-gateway": _demo("gateway"),
    "demo-hoist-drive": _demo("hoist-drive"),
    "linux-controller": _linux(common("example-controller", "Example controller"), Userland.BUSYBOX),
    "linux-crane-pc": _linux(CRANE_PC, Userland.GNU),
    "modbus-device": _modbus(Unit(objects={0: b"Example Devices", 1: b"IO-8", 2: b"V1.2"})),
    "moxa-gateway": _linux(MOXA, Userland.GNU),
    "offline-image": _card,
    "plcnext": _linux(PLCNEXT, Userland.BUSYBOX),
    "schneider-m340-m580": _modbus(Unit(objects={0: b"Schneider Electric", 1: b"BMX NOE 0100", 2: b"V2.00"})),
    "wago-pfc": _linux(WAGO, Userland.BUSYBOX),
    "yaskawa-a1000": _modbus(Unit({0x34: 0x4558, 0x35: 0x0001})),
}
