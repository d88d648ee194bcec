"""What is built in and plugged in: network interfaces, USB devices and the nodes that modems make, as sysfs shows them.

The commands print values of sysfs as `path:value`, a line each (`transport.shell.commands`). Where a device hangs is told by
the path of its real folder below /sys/devices, which stays the same over restarts as long as it is plugged in at one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from verifier.collect.fact import Fact, garbage, lines, pairs

_INTERFACE = re.compile(rb"/sys/devices/(.+?)/net/([^/]+)/(address|type|operstate|uevent):(.*)", re.DOTALL)
_PORT = re.compile(rb"(/sys/devices/.+?)/usb([0-9]+)(?:/.*)?", re.DOTALL)
_NODE = re.compile(rb"[0-9]+-([0-9.]+)")
_USB_VALUE = re.compile(
    rb"(/sys/devices/.+?)/(idVendor|idProduct|bcdDevice|bDeviceClass|bInterfaceClass|manufacturer|product|serial):(.*)", re.DOTALL
)

LINK_TYPES: Mapping[bytes, bytes] = {
    b"1": b"ethernet",
    b"280": b"can",
    b"512": b"ppp",
    b"519": b"rawip",
    b"65534": b"none",
    b"772": b"loopback",
    b"776": b"sit",
    b"778": b"gre",
}
"""ARPHRD_ numbers of Linux (include/uapi/linux/if_arp.h) that controllers have; others are shown as numbers."""


def interfaces(data: bytes) -> Iterator[Fact]:
    """`eth0` is `state=up type=ethernet mac=00:11:22:33:44:55 at=pci0000:00/0000:00:19.0`.

    The kernel makes up another address for many virtual interfaces at each start; such (locally administered) ones are left out.
    """
    found: dict[tuple[bytes, bytes], dict[bytes, bytes]] = {}
    for line in lines(data):
        match = _INTERFACE.fullmatch(line)
        if not match:
            yield garbage(line)
            continue
        place, name, attribute, value = match.groups()
        values = found.setdefault((name, place), {})
        if attribute != b"uevent":
            values[attribute] = value.strip()
        elif value.startswith(b"DEVTYPE="):
            values[b"kind"] = value.removeprefix(b"DEVTYPE=").strip()
    for (name, place), values in found.items():
        kind = values.get(b"type", b"")
        mac = b"" if place == b"virtual" and _made_up(values.get(b"address", b"")) else values.get(b"address", b"")
        yield Fact(
            name,
            pairs(
                (b"state", values.get(b"operstate", b"")),
                (b"type", LINK_TYPES.get(kind, kind)),
                (b"kind", values.get(b"kind", b"")),
                (b"mac", mac),
                (b"at", place),
            ),
        )


def _made_up(mac: bytes) -> bool:
    return re.fullmatch(rb"[0-9a-f][2367abef](?::[0-9a-f]{2})+|(?:00:)+00", mac) is not None


def usb_devices(data: bytes) -> Iterator[Fact]:
    """`0000:00:14.0/1-1.2` is `id=2c7c:0125 class=ef interfaces=ff,ff product=... manufacturer=... serial=...`.

    A member is named by its controller, the bus of that controller (counted from 1, since the kernel's own numbers depend on
    which controller starts first) and the ports on the way.
    """
    devices: dict[bytes, dict[bytes, bytes]] = {}
    interface_classes: dict[bytes, list[bytes]] = {}
    for line in lines(data):
        match = _USB_VALUE.fullmatch(line)
        if not match or not _PORT.fullmatch(match[1]):
            yield garbage(line)
            continue
        folder, attribute, value = match.groups()
        if attribute == b"bInterfaceClass":
            interface_classes.setdefault(folder.rpartition(b"/")[0], []).append(value.strip())
        else:
            devices.setdefault(folder, {})[attribute] = value.strip()
    ranks = _ranks(devices)
    for folder, values in devices.items():
        identity = values.get(b"idVendor", b"????") + b":" + values.get(b"idProduct", b"????")
        text = pairs(
            (b"id", identity),
            (b"version", values.get(b"bcdDevice", b"")),
            (b"class", values.get(b"bDeviceClass", b"")),
            (b"interfaces", b",".join(sorted(interface_classes.get(folder, [])))),
            (b"manufacturer", values.get(b"manufacturer", b"")),
            (b"product", values.get(b"product", b"")),
            (b"serial", values.get(b"serial", b"")),
        )
        yield Fact(_port(folder, ranks), text)


def _ranks(folders: Mapping[bytes, object]) -> Mapping[tuple[bytes, bytes], int]:
    """Of each bus of each controller, which one of that controller's it is."""
    buses: dict[bytes, set[bytes]] = {}
    for folder in folders:
        if match := _PORT.fullmatch(folder):
            buses.setdefault(match[1], set()).add(match[2])
    ordered = {controller: sorted(numbers, key=lambda n: (len(n), n)) for controller, numbers in buses.items()}
    return {(controller, number): at for controller, numbers in ordered.items() for at, number in enumerate(numbers, 1)}


def _port(folder: bytes, ranks: Mapping[tuple[bytes, bytes], int]) -> bytes:
    match = _PORT.fullmatch(folder)
    if not match:
        return folder
    name = b"%b/%d" % (match[1].rpartition(b"/")[2], ranks[match[1], match[2]])
    node = _NODE.fullmatch(folder.rpartition(b"/")[2])
    return name + b"-" + node[1] if node else name


def usb_serial(data: bytes) -> Iterator[Fact]:
    """/proc/tty/driver/usbserial: `usbserial/ttyUSB0` is `module:option name:"GSM modem (1-port)" vendor:2c7c ...`."""
    for line in lines(data):
        number, colon, rest = line.strip().partition(b":")
        if number == b"usbserinfo":
            continue
        if not colon or not number.isdigit():
            yield Fact(b"usbserial/? " + line.strip(), b"not understood")
            continue
        yield Fact(b"usbserial/ttyUSB" + number, rest.partition(b" path:")[0].strip())
