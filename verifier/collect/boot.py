"""From which slot a device started, and what its boot loader was told."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.collect.fact import NOT_UNDERSTOOD, Fact, lines

_BOOT_WORD = re.compile(rb"(?:root|rootfstype|rauc\.slot|ubi\.mtd|androidboot\.slot_suffix)=.*")
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_SECTION = re.compile(rb"=== (.+) ===")
_SLOT = re.compile(rb"[^\[\]]{0,8}\[([^\[\]]+)\] *\((.*)\)")
_MARK = re.compile(rb"[:=]")


def boot_words(data: bytes) -> Iterator[Fact]:
    """/proc/cmdline: the words that say what was booted: `booted/root` is `/dev/mmcblk0p2`."""
    for word in data.split():
        if _BOOT_WORD.fullmatch(word):
            name, _, value = word.partition(b"=")
            yield Fact(b"booted/" + name, value or b"empty")


def environment(data: bytes) -> Iterator[Fact]:
    """The boot loader's variables as `fw_printenv` prints them: `environment/bootcmd`."""
    for line in lines(data):
        name, equals, value = line.partition(b"=")
        if equals:
            yield Fact(b"environment/" + name.strip(), value.strip() or b"empty")
        else:
            yield Fact(b"environment/? " + line.strip(), NOT_UNDERSTOOD)


def rauc(data: bytes) -> Iterator[Fact]:
    """`rauc status --detailed`, as people read it: `rauc/rootfs.1/slot status/checksum/sha256` is the digest of the image.

    Where a line belongs is told by its indentation below the heading of a section or a slot.
    """
    heading = b""
    above: list[tuple[int, bytes]] = []
    for raw in lines(_COLOUR.sub(b"", data)):
        line = raw.expandtabs().strip()
        depth = len(raw.expandtabs()) - len(raw.expandtabs().lstrip())
        if section := _SECTION.fullmatch(line):
            heading, above = section[1], []
            continue
        if slot := _SLOT.fullmatch(line):
            heading, above = slot[1], []
            yield Fact(b"rauc/" + heading, slot[2])
            continue
        while above and above[-1][0] >= depth:
            above.pop()
        mark = _MARK.search(line)
        path = b"/".join((b"rauc", heading, *(name for _, name in above)))
        if not mark:
            yield Fact(path + b"/? " + line, NOT_UNDERSTOOD)
            continue
        name, value = line[: mark.start()].strip(), line[mark.end() :].strip()
        if value:
            yield Fact(path + b"/" + name, value)
        else:
            above.append((depth, name))
