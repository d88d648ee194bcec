"""The commands that may run on a device: all of them, and nothing else. The guard is the last thing before the line.

A command is an argument list. `guard` knows the closed set of shapes (a reading program, fixed options, absolute paths) and
quotes each argument itself, so that no byte of a file name or a profile ever means anything to the device's shell. No shape has a
program, an option or an output that a caller chooses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from verifier.errors import ForbiddenRequest
from verifier.model import member
from verifier.transport.request import Command

ENVIRONMENT = (b"env", b"LC_ALL=C", b"TAR_OPTIONS=", b"QUOTING_STYLE=literal")
"""Messages in one language, and no options that the device's own environment would slip in. `env` is a program, since not every
login shell understands `NAME=value` before a command."""

PRINTF = rb"%y %m %n %U %G %s %T@ %C@ %D %i %p\0%l\0"
"""GNU find: type letter, mode (octal), links, owner, group, size, mtime, ctime, device, inode, path, link target."""

STAT = rb"%f %h %u %g %s %Y %d %i %t %T %z|%n//%N//"
"""stat of coreutils and busybox: raw mode (hex), links, owner, group, size, mtime, device, inode, major and minor (hex), ctime,
path, and path with link target. No path that find prints holds `//`, so it ends one, whatever else is in a name."""

ARCHIVE_GNU = (b"--format=gnu", b"--numeric-owner", b"--quoting-style=escape", b"--blocking-factor=20")
"""Options of GNU tar: long names and all numbers in one known format, names in messages escaped, whole records of 10240 bytes."""
GNU_RECORD, BLOCK = 20 * 512, 512
"""Bytes in whose multiples GNU tar, told so, and every other tar write."""

_USB = (b"idVendor", b"idProduct", b"bcdDevice", b"bDeviceClass", b"bInterfaceClass", b"manufacturer", b"product", b"serial")
_INTERFACE = (b"address", b"type", b"operstate", b"uevent")
_MODEM_NODES = (b"ttyUSB*", b"ttyACM*", b"ttyHS*", b"cdc-wdm*", b"wwan*", b"qcqmi*")
_SHOW_PRINTF = (b"-printf", PRINTF)
_SHOW_STAT = (b"-exec", b"stat", b"-c", STAT, b"{}", b"+")
_NODES = (b"(", b"-type", b"b", b"-o", b"-type", b"c", b")", *_SHOW_STAT)
_HASH = (b"-type", b"f", b"-exec", b"sha256sum", b"{}", b"+")
_SHOW_VALUES = (b"-exec", b"grep", b"-H", b"", b"{}", b"+")


def _names(names: Sequence[bytes], test: bytes = b"-name", before: bytes = b"") -> tuple[bytes, ...]:
    """`( -name a -o -name b )`"""
    parts: list[bytes] = []
    for name in names:
        parts += [b"-o", test, before + name]
    return (b"(", *parts[1:], b")")


_FIXED: dict[Command, tuple[bytes, ...]] = {
    # sysfs says a size of 4096 for a value of six bytes, so an archive cannot carry it: `path:value`, a line each. /sys/devices
    # holds the real folders; following the links of /sys/class/net and /sys/bus/usb makes find report loops and fail.
    Command.LIST_INTERFACES: (
        b"find",
        b"/sys/devices",
        b"-type",
        b"f",
        *_names(_INTERFACE, b"-path", b"*/net/*/"),
        *_SHOW_VALUES,
    ),
    Command.LIST_USB: (b"find", b"/sys/devices", b"-type", b"f", b"-path", b"*/usb[0-9]*", *_names(_USB), *_SHOW_VALUES),
    Command.LIST_MODEM_NODES: (b"find", b"/dev", *_names(_MODEM_NODES)),
    Command.DPKG_PACKAGES: (b"dpkg-query", b"-W", rb"-f=${binary:Package}\t${Version}\t${db:Status-Abbrev}\n"),
    Command.RPM_PACKAGES: (b"rpm", b"-qa"),
    Command.OPKG_PACKAGES: (b"opkg", b"list-installed"),
    Command.APK_PACKAGES: (b"apk", b"info", b"-v"),
    Command.RAUC_STATUS: (b"rauc", b"status", b"--detailed"),
    Command.BOOT_ENVIRONMENT: (b"fw_printenv",),
    Command.MOXA_VERSION: (b"mx-ver",),
    Command.KERNEL: (b"uname", b"-a"),
    # Not list-timers, which counts down.
    Command.SYSTEM_TIMERS: (b"systemctl", b"list-unit-files", b"--type=timer", b"--no-pager", b"--no-legend", b"--plain"),
}


def argv(command: Command, paths: tuple[bytes, ...] = ()) -> tuple[bytes, ...]:
    """The argument list of a command of the closed set.

    Raises:
        ForbiddenRequest: paths for a command that takes none, or none for one that needs them.
    """
    if (command is Command.FILE_CAPABILITIES) != bool(paths):
        raise ForbiddenRequest(
            f"{command} is asked with {len(paths)} paths", "file-capabilities needs folders; the others take none"
        )
    return (b"getcap", b"-r", *paths) if command is Command.FILE_CAPABILITIES else _FIXED[command]


def tar_version() -> tuple[bytes, ...]:
    return (b"tar", b"--version")


def cat(path: bytes) -> tuple[bytes, ...]:
    """The bytes of one file."""
    return (b"cat", b"--", path)


def sha256(path: bytes) -> tuple[bytes, ...]:
    """`<64 hex digits>  <path>`"""
    return (b"sha256sum", b"--", path)


def archive(members: tuple[bytes, ...], options: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """One archive of everything at and below these absolute paths, on standard output. Options: `ARCHIVE_GNU` or none."""
    return (b"tar", b"-c", b"-f", b"-", *options, b"-C", b"/", b"--", *(b"." + path for path in members))


def list_tree(roots: tuple[bytes, ...], depth: int, pruned: tuple[bytes, ...], *, printf: bool) -> tuple[bytes, ...]:
    """Names and metadata at and below the roots, in the form `PRINTF` or `STAT`; a pruned folder itself, but nothing below it."""
    show = _SHOW_PRINTF if printf else _SHOW_STAT
    prune = (*_names([_literal(path) for path in pruned], b"-path"), b"-prune") if pruned else ()
    return (b"find", *roots, b"-maxdepth", b"%d" % depth, *show, *prune)


def list_nodes(roots: tuple[bytes, ...], depth: int) -> tuple[bytes, ...]:
    """Device nodes at and below the roots, in the form `STAT`, since GNU find cannot print their numbers."""
    return (b"find", *roots, b"-maxdepth", b"%d" % depth, *_NODES)


def hash_tree(roots: tuple[bytes, ...], depth: int, pruned: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The device's own SHA-256 of every regular file at and below the roots."""
    prune = (*_names([_literal(path) for path in pruned], b"-path"), b"-prune", b"-o") if pruned else ()
    return (b"find", *roots, b"-maxdepth", b"%d" % depth, *prune, *_HASH)


def _literal(path: bytes) -> bytes:
    """A path as find's `-path` takes it, with no wildcard left in it."""
    return re.sub(rb"([*?\[\]\\])", rb"\\\1", path)


def _shape(*parts: bytes) -> bytes:
    """A regular expression over an argument list joined by NUL."""
    return rb"\x00".join(parts)


def _exactly(arguments: tuple[bytes, ...]) -> bytes:
    return _shape(*map(re.escape, arguments))


# A path part is not empty and is not `.` or `..`; a path ends without a slash.
_PART = rb"(?!\.{1,2}[/\x00])[^/\x00]+"
_PATH = rb"/(?:%b(?:/%b)*)?" % (_PART, _PART)
# Reading may be an act: a watchdog starts to run, a serial port takes bytes meant for another, the kernel's log is used up. So of
# the kernel's files only those that we ask for; /proc/1/root alone leads to all the others by another name.
_KERNEL_FILES = (
    rb"/proc/(?:version|cmdline|modules|mounts|net/[a-z0-9_]+|tty/driver/usbserial|sys/(?:kernel|net)/[^\x00]+|device-tree/[a-z-]+)"
    rb"|/sys/class/dmi/id/[a-z_]+"
)
_FILE = rb"(?:(?=(?:%b)\x00)|(?!/(?:dev|proc|sys)[/\x00]))%b" % (_KERNEL_FILES, _PATH)
# Folders of the kernel's are not files: tar and sha256sum would wait on them, or set something off.
_TREE = rb"(?!/(?:proc|sys)[/\x00])%b" % _PATH
_ROOTS = rb"%b(?:\x00%b)*" % (_TREE, _TREE)
# What opens files is never sent over the whole of a device, where those folders are.
_BELOW = rb"(?!/\x00)%b" % _TREE
_ROOTS_BELOW = rb"%b(?:\x00%b)*" % (_BELOW, _BELOW)
_MEMBERS = rb"\.%b(?:\x00\.%b)*" % (_BELOW, _BELOW)
_PRUNE = rb"\(\x00-path\x00/[^\x00]*(?:\x00-o\x00-path\x00/[^\x00]*)*\x00\)\x00-prune"
_PRUNE_KERNEL = rb"\(\x00-path\x00/proc\x00-o\x00-path\x00/sys(?:\x00-o\x00-path\x00/[^\x00]*)*\x00\)\x00-prune"
_FIND = _shape(rb"find", _ROOTS, rb"-maxdepth", rb"[0-9]{1,4}")
_FIND_BELOW = _shape(rb"find", _ROOTS_BELOW, rb"-maxdepth", rb"[0-9]{1,4}")
_SHOW = rb"(?:%b|%b)" % (_exactly(_SHOW_PRINTF), _exactly(_SHOW_STAT))

_SHAPES = (
    *map(_exactly, _FIXED.values()),
    *map(_exactly, (tar_version(), cat(b"/dev/null"), sha256(b"/dev/null"))),
    *(_exactly((b"find", b"/proc/self", b"-maxdepth", b"0", *show)) for show in (_SHOW_PRINTF, _SHOW_STAT)),
    _shape(rb"getcap", rb"-r", _ROOTS),
    _shape(rb"cat", rb"--", _FILE),
    _shape(rb"sha256sum", rb"--", _FILE),
    _shape(rb"tar\x00-c\x00-f\x00-", rb"(?:%b\x00)?-C" % _exactly(ARCHIVE_GNU), rb"/", rb"--", _MEMBERS),
    _shape(_FIND, rb"%b(?:\x00%b)?" % (_SHOW, _PRUNE)),
    _shape(_FIND_BELOW, rb"(?:%b\x00-o\x00)?%b" % (_PRUNE, _exactly(_HASH))),
    _shape(_FIND, _PRUNE_KERNEL, rb"-o", _exactly(_HASH)),
    _shape(_FIND, _exactly(_NODES)),
)
_ALLOWED = re.compile(rb"(?:%b)\x00" % rb"|".join(_SHAPES), re.DOTALL)
_SPECIAL = re.compile(rb"'|\\(?=['\\]|\Z)")
_PLAIN = re.compile(rb"[A-Za-z0-9_./:=@%+,-]+")


def guard(arguments: tuple[bytes, ...]) -> bytes:
    """The command line for an argument list of an allowed shape, as bytes for the device's shell. Nothing leaves by another way.

    Raises:
        ForbiddenRequest: it is not one of the shapes of this module.
    """
    if any(b"\0" in argument for argument in arguments) or not _ALLOWED.fullmatch(b"\0".join((*arguments, b""))):
        words = " ".join(member.shown(argument)[:200] for argument in arguments[:20])
        raise ForbiddenRequest(
            f"not a reading command of the closed set: {words}", "nothing was sent; the profile cannot ask this"
        )
    return b" ".join(map(quoted, (*ENVIRONMENT, *arguments)))


def quoted(argument: bytes) -> bytes:
    """One argument as a POSIX shell reads it back, byte for byte.

    In fish a backslash before a quote, or before another one, means something even between single quotes: then a name would end
    where it likes, and what follows would be a command. So such a backslash stands between double quotes, where both agree.
    """
    if _PLAIN.fullmatch(argument):
        return argument
    return b"'" + _SPECIAL.sub(lambda found: b"'\"'\"'" if found[0] == b"'" else b"'\"\\\\\"'", argument) + b"'"
