"""Which sources answer which topic. Files first, since they can be read without a shell; a command where no file tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from verifier.collect import accounts, boot, hardware, keys, network, packages, schedule, system
from verifier.collect.asking import Asking, Outcome
from verifier.collect.fact import Parser, listing, whole_text
from verifier.collect.inquiry import Given, Inquiry, file, output
from verifier.model.profile import Facts, Topic
from verifier.model.snapshot import BOOT_ID, Unread
from verifier.transport.answer import NotRead
from verifier.transport.request import Command, ReadFile

SCHEDULE_LIMIT: Final = 1 << 20
"""Bytes of a crontab or timer; a longer one is told by its digest."""
CAPABLE: Final = (b"/bin", b"/sbin", b"/lib", b"/usr", b"/opt", b"/home", b"/root", b"/srv", b"/etc")
"""Where programs with file capabilities are looked for. Not `/`, which would walk /proc and take minutes."""
MACHINE: Final = (
    *((b"/proc/device-tree/" + name, b"device-tree/" + name) for name in (b"model", b"serial-number")),
    *(
        (b"/sys/class/dmi/id/" + name, b"dmi/" + name)
        for name in (b"sys_vendor", b"product_name", b"product_version", b"board_name", b"bios_version")
    ),
)
"""What names the machine: the device tree on most controllers, DMI on crane PCs."""


def facts(asking: Asking, ask: Facts) -> Outcome:
    """What a running system says of one topic.

    Raises:
        DeviceError: the line is in doubt, or more was said than the bounds allow; then nothing of it is kept.
    """
    inquiry = Inquiry(asking)
    TOPICS[ask.topic](inquiry)
    return inquiry.outcome()


def _system(inquiry: Inquiry) -> None:
    kernel = whole_text(b"kernel")
    inquiry.take(file(b"/proc/version", kernel), output(Command.KERNEL, kernel), prefix=b"kernel")
    hostname = whole_text(b"hostname")
    inquiry.take(file(b"/proc/sys/kernel/hostname", hostname), file(b"/etc/hostname", hostname), prefix=b"hostname")
    release = (file(path, system.os_release) for path in (b"/etc/os-release", b"/usr/lib/os-release"))
    inquiry.take(*release, prefix=b"os-release")
    inquiry.take(file(b"/proc/cmdline", whole_text(b"command line")), prefix=b"command line")
    for path, member in MACHINE:
        inquiry.take(file(path, whole_text(member)), prefix=member)


def _interfaces(inquiry: Inquiry) -> None:
    inquiry.take(output(Command.LIST_INTERFACES, hardware.interfaces), file(b"/proc/net/dev", network.interface_names))


def _routes(inquiry: Inquiry) -> None:
    inquiry.take(file(b"/proc/net/route", network.routes))
    inquiry.take(file(b"/proc/net/ipv6_route", network.routes6))


def _listeners(inquiry: Inquiry) -> None:
    order = network.byte_order(_data(inquiry, b"/proc/net/route"))
    ephemeral = network.port_range(_data(inquiry, b"/proc/sys/net/ipv4/ip_local_port_range"))
    for protocol in (b"tcp", b"tcp6", b"udp", b"udp6"):
        inquiry.take(file(b"/proc/net/" + protocol, network.listeners(protocol, order, ephemeral)))


def _data(inquiry: Inquiry, path: bytes) -> bytes:
    """A file that only helps to understand another; empty when it cannot be had."""
    match inquiry.fetch(ReadFile(path)):
        case Given(data):
            return data
        case _:
            return b""


def _schedule(inquiry: Inquiry) -> None:
    roots = (*schedule.CRONTABS, *schedule.SCRIPTS, *schedule.TIMERS)
    for answer in inquiry.tree(roots, SCHEDULE_LIMIT):
        match answer:
            case NotRead(path, why, detail):
                inquiry.miss(path, Unread(why, detail))
            case entry:
                inquiry.add(schedule.entries(entry), inquiry.asking.route.evidence)
    inquiry.take(output(Command.SYSTEM_TIMERS, schedule.timers), prefix=b"timer")


def _modules(inquiry: Inquiry) -> None:
    """A kernel that cannot load modules has no /proc/modules. Where its /proc is there, that is an answer."""
    inquiry.take(file(b"/proc/modules", system.modules), file(b"/proc/version", system.no_modules))


def _packages(inquiry: Inquiry) -> None:
    inquiry.take(
        file(b"/var/lib/dpkg/status", packages.control),
        file(b"/usr/lib/opkg/status", packages.control),
        file(b"/var/lib/opkg/status", packages.control),
        file(b"/lib/apk/db/installed", packages.apk),
        output(Command.RPM_PACKAGES, packages.rpm),
        output(Command.DPKG_PACKAGES, packages.dpkg_query),
        output(Command.OPKG_PACKAGES, packages.opkg_list),
        output(Command.APK_PACKAGES, packages.apk_list),
    )


def _modems(inquiry: Inquiry) -> None:
    inquiry.take(
        output(Command.LIST_INTERFACES, lambda data: network.cellular(hardware.interfaces(data))),
        file(b"/proc/net/dev", lambda data: network.cellular(network.interface_names(data))),
        prefix=b"interface",
    )
    inquiry.take(output(Command.LIST_MODEM_NODES, listing(b"node", b"present")), prefix=b"node")
    inquiry.take(file(b"/proc/tty/driver/usbserial", hardware.usb_serial), prefix=b"usbserial")


def _boot_slots(inquiry: Inquiry) -> None:
    inquiry.take(file(b"/proc/cmdline", boot.boot_words), prefix=b"booted")
    inquiry.take(output(Command.RAUC_STATUS, boot.rauc), prefix=b"rauc")
    inquiry.take(output(Command.BOOT_ENVIRONMENT, boot.environment), prefix=b"environment")


def _run(inquiry: Inquiry) -> None:
    inquiry.take(file(b"/proc/sys/kernel/random/boot_id", whole_text(BOOT_ID.encode())))


def _capabilities(inquiry: Inquiry) -> None:
    inquiry.take(output(Command.FILE_CAPABILITIES, system.capabilities, CAPABLE))


def _from(path: bytes, parse: Parser) -> Callable[[Inquiry], None]:
    return lambda inquiry: inquiry.take(file(path, parse))


TOPICS: Final[Mapping[Topic, Callable[[Inquiry], None]]] = {
    Topic.SYSTEM: _system,
    Topic.INTERFACES: _interfaces,
    Topic.ROUTES: _routes,
    Topic.LISTENERS: _listeners,
    Topic.USERS: _from(b"/etc/passwd", accounts.users),
    Topic.GROUPS: _from(b"/etc/group", accounts.groups),
    Topic.AUTHORIZED_KEYS: keys.authorized,
    Topic.SCHEDULE: _schedule,
    Topic.MODULES: _modules,
    Topic.PACKAGES: _packages,
    Topic.USB: lambda inquiry: inquiry.take(output(Command.LIST_USB, hardware.usb_devices)),
    Topic.MODEMS: _modems,
    Topic.MOUNTS: _from(b"/proc/mounts", system.mounts),
    Topic.BOOT_SLOTS: _boot_slots,
    Topic.RUN: _run,
    Topic.CAPABILITIES: _capabilities,
    Topic.MOXA_VERSION: lambda inquiry: inquiry.take(output(Command.MOXA_VERSION, whole_text(b"version"))),
}
"""Every topic of the model, which a test holds."""
