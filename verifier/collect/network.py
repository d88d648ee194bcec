"""What the kernel says of its network: routes and bound sockets, decoded from /proc/net.

Counters, inodes and reference counts move by themselves and are left out. IPv4 addresses stand in these files in the byte order
of the device's processor (`fib_trie.c` and `tcp_ipv4.c` of Linux print them with %08X); IPv6 routes in network order.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Literal

from verifier.collect.fact import Fact, Parser, garbage, lines, pairs

ByteOrder = Literal["little", "big"]

_UP, _GATEWAY, _REJECT = 0x0001, 0x0002, 0x0200
_CACHE, _LOCAL = 0x01000000, 0x80000000
_HEX8 = re.compile(rb"[0-9A-Fa-f]{8}")
_HEX32 = re.compile(rb"[0-9A-Fa-f]{32}")
_TCP_LISTEN, _UDP_UNCONNECTED = 0x0A, 0x07
DEFAULT_EPHEMERAL = (32768, 60999)
"""Ports Linux gives to sockets that did not ask for one, where /proc/sys/net/ipv4/ip_local_port_range cannot be read."""


def byte_order(route_file: bytes) -> ByteOrder:
    """The device's byte order, as its IPv4 netmasks in /proc/net/route show it; little-endian where they say nothing."""
    for line in lines(route_file):
        fields = line.split()
        if len(fields) >= 8 and _HEX8.fullmatch(fields[7]):
            mask = int(fields[7], 16)
            if _contiguous(mask) and not _contiguous(int.from_bytes(mask.to_bytes(4, "little"), "big")):
                return "big"
            if not _contiguous(mask):
                return "little"
    return "little"


def _contiguous(mask: int) -> bool:
    """Is it a netmask, ones before zeros?"""
    rest = ~mask & 0xFFFFFFFF
    return rest & (rest + 1) == 0


def routes(data: bytes) -> Iterator[Fact]:
    """/proc/net/route: `default dev eth0` is `via=10.0.0.1 metric=0`. The main table only; policy rules are not in that file."""
    order = byte_order(data)
    for line in lines(data):
        fields = line.split()
        if fields[0] == b"Iface":
            continue
        if len(fields) < 8 or not all(_HEX8.fullmatch(fields[n]) for n in (1, 2, 7)):
            yield garbage(line)
            continue
        try:
            flags, metric = int(fields[3], 16), int(fields[6])
        except ValueError:
            yield garbage(line)
            continue
        destination, mask = _ipv4(fields[1], order), int.from_bytes(_ipv4(fields[7], order).packed, "big")
        network = f"{destination}/{mask.bit_count()}" if _contiguous(mask) else f"{destination} mask {_ipv4(fields[7], order)}"
        name = "default" if network == "0.0.0.0/0" else network
        via = str(_ipv4(fields[2], order)) if flags & _GATEWAY else ""
        yield _route(name, fields[0], via, metric, flags)


def routes6(data: bytes) -> Iterator[Fact]:
    """/proc/net/ipv6_route. Cached clones are left out; the machine's own addresses are `local`."""
    for line in lines(data):
        fields = line.split()
        if len(fields) != 10 or not all(_HEX32.fullmatch(fields[n]) for n in (0, 2, 4)):
            yield garbage(line)
            continue
        try:
            length, metric, flags = int(fields[1], 16), int(fields[5], 16), int(fields[8], 16)
            network = f"{_ipv6(fields[0])}/{length}"
        except ValueError:
            yield garbage(line)
            continue
        if flags & _CACHE:
            continue
        via = str(_ipv6(fields[4])) if flags & _GATEWAY else ""
        yield _route("default6" if network == "::/0" else network, fields[9], via, metric, flags)


def _route(name: str, interface: bytes, via: str, metric: int, flags: int) -> Fact:
    words = [pairs((b"via", via.encode()), (b"metric", str(metric).encode()))]
    words += [word for bit, word in ((_REJECT, b"unreachable"), (_LOCAL, b"local")) if flags & bit]
    if not flags & _UP:
        words.append(b"down")
    return Fact(f"{name} dev ".encode() + interface, b" ".join(words))


def listeners(protocol: bytes, order: ByteOrder, ephemeral: tuple[int, int]) -> Parser:
    """A parser for /proc/net/{tcp,tcp6,udp,udp6}: listening TCP sockets, and UDP sockets that anybody may send to.

    A UDP socket on a port of the ephemeral range comes and goes with every question a program asks, and may also be a service.
    It is named `udp ephemeral 0.0.0.0:45123`, so that a profile can mask those, and only those, where everybody sees it.
    """
    udp = protocol.startswith(b"udp")
    state = _UDP_UNCONNECTED if udp else _TCP_LISTEN

    def parse(data: bytes) -> Iterator[Fact]:
        for line in lines(data):
            fields = line.split()
            if fields[0] == b"sl":
                continue
            try:
                if int(fields[3], 16) != state:
                    continue
                (address, port), uid = _socket(fields[1], order), int(fields[7])
            except (ValueError, IndexError):
                yield garbage(line)
                continue
            passing = b" ephemeral" if udp and ephemeral[0] <= port <= ephemeral[1] else b""
            shown = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
            yield Fact(protocol.removesuffix(b"6") + passing + b" " + shown.encode(), b"uid=%d" % uid)

    return parse


def port_range(data: bytes) -> tuple[int, int]:
    """/proc/sys/net/ipv4/ip_local_port_range: first and last ephemeral port."""
    words = data.split()
    if len(words) == 2 and all(re.fullmatch(rb"[0-9]{1,5}", word) for word in words):
        return int(words[0]), int(words[1])
    return DEFAULT_EPHEMERAL


def interface_names(data: bytes) -> Iterator[Fact]:
    """/proc/net/dev: the names alone, since everything else in it counts."""
    for line in lines(data):
        name, colon, _ = line.partition(b":")
        if colon:
            yield Fact(name.strip(), b"present")
        elif b"|" not in line:
            yield garbage(line)


def cellular(facts: Iterable[Fact]) -> Iterator[Fact]:
    """Of interfaces, those that modems make: `wwan0`, `ppp0`, `usb0`, `rmnet0`, and `wwx...`, `enx...` (named by address)."""
    for fact in facts:
        if re.match(rb"wwan|wwp|wwx|ppp|usb|rmnet|hso|enx", fact.member):
            yield Fact(b"interface/" + fact.member, fact.text)


def _socket(field: bytes, order: ByteOrder) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    address, _, port = field.partition(b":")
    number = int(port, 16)
    if not 0 <= number <= 0xFFFF:
        raise ValueError("no port")
    if _HEX8.fullmatch(address):
        return _ipv4(address, order), number
    if _HEX32.fullmatch(address):
        words = (int(address[at : at + 8], 16).to_bytes(4, order) for at in range(0, 32, 8))
        return ipaddress.IPv6Address(b"".join(words)), number
    raise ValueError("no address")


def _ipv4(field: bytes, order: ByteOrder) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(field, 16).to_bytes(4, order))


def _ipv6(field: bytes) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(bytes.fromhex(field.decode("ascii")))
