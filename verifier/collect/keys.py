"""Which keys open which account: every file that sshd or dropbear would look into, found through /etc/passwd and sshd_config."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from posixpath import dirname, join, normpath
from typing import Final

from verifier.collect.accounts import User, authorized_keys, logins
from verifier.collect.fact import NOT_UNDERSTOOD, Fact, lines
from verifier.collect.inquiry import Absent, Given, Inquiry
from verifier.errors import OverBound
from verifier.model.member import shown
from verifier.model.profile import Bounds
from verifier.model.snapshot import Unread
from verifier.model.words import FileType, Reason
from verifier.transport.answer import FileEntry, NotRead
from verifier.transport.request import ReadFile

PASSWD: Final = b"/etc/passwd"
SSHD: Final = (b"/etc/ssh/sshd_config", b"/etc/ssh/sshd_config.d")
DEFAULTS: Final = (b".ssh/authorized_keys", b".ssh/authorized_keys2")
"""Where OpenSSH looks when its configuration says nothing (sshd_config(5)); dropbear knows the first."""
DROPBEAR: Final = b"/etc/dropbear/authorized_keys"
"""Where OpenWrt's dropbear looks for root's keys."""

LIMIT: Final = 1 << 20
MOST_USERS: Final = 2000
_AT_ONCE: Final = 200
"""Paths in one request, so that a command line stays short."""
_MOST_MEMBERS: Final = 10_000
"""Where /etc/passwd or sshd_config name a whole folder as a file of keys, the device is not read through for it."""
_LINKS: Final = 8
"""Links followed from one file of keys."""
_LONGEST_PATH: Final = 4096


def authorized(inquiry: Inquiry) -> None:
    """Every authorized key of every user."""
    match inquiry.fetch(ReadFile(PASSWD)):
        case Given(data):
            users = logins(data)
        case Unread() as value:
            inquiry.miss(b"", value)
            return
        case Absent(why):
            inquiry.miss(b"", Unread(Reason.UNSUPPORTED, why))
            return
    if len(users) > MOST_USERS:
        raise OverBound(f"more than {MOST_USERS} users")
    owners = _owners(inquiry, users, (*DEFAULTS, *_configured(inquiry)))
    paths = iter(owners)
    while roots := tuple(islice(paths, _AT_ONCE)):
        links = []
        for answer in inquiry.tree(roots, LIMIT, _bounds(inquiry)):
            match answer:
                case FileEntry(path=path, type=FileType.SYMLINK, target=target) if path in owners:
                    links.append((path, target))
                case _:
                    _file(inquiry, answer, owners)
        for path, target in links:  # not before: one request at a time
            _follow(inquiry, path, target, owners)


def key_files(user: User, patterns: Iterable[bytes]) -> tuple[bytes, ...]:
    """Where sshd looks for a user's keys: `%h` is the home, `%u` the name, a relative path is below the home (sshd_config(5))."""
    tokens = {b"%%": b"%", b"%h": user.home, b"%u": user.name}
    paths = (re.sub(rb"%[%hu]", lambda found: tokens[found[0]], pattern) for pattern in patterns)
    return tuple(dict.fromkeys(path if path.startswith(b"/") else user.home.rstrip(b"/") + b"/" + path for path in paths))


def key_patterns(sshd_config: bytes) -> tuple[bytes, ...]:
    """The values of `AuthorizedKeysFile`, wherever they stand, `Match` blocks included."""
    found: list[bytes] = []
    for line in lines(sshd_config):
        words = [word.strip(b'"') for word in re.split(rb"[\s=]+", line.strip())]
        if words[0].lower() == b"authorizedkeysfile":
            found += (word for word in words[1:] if word.lower() not in (b"", b"none"))
    return tuple(found)


def _configured(inquiry: Inquiry) -> Iterator[bytes]:
    for answer in inquiry.tree(SSHD, LIMIT):
        match answer:
            case FileEntry(content=bytes() as content):
                yield from key_patterns(content)
            case FileEntry():
                pass
            case NotRead(path, why, detail):
                inquiry.miss(path, Unread(why, detail))


def _bounds(inquiry: Inquiry) -> Bounds:
    usual = inquiry.asking.item.bounds
    return replace(usual, members=min(usual.members, _MOST_MEMBERS), bytes=min(usual.bytes, _AT_ONCE * LIMIT))


def _owners(inquiry: Inquiry, users: Iterable[User], patterns: Iterable[bytes]) -> Mapping[bytes, list[bytes]]:
    """Which users' keys stand in which file."""
    found: dict[bytes, list[bytes]] = {}
    patterns = tuple(patterns)
    for user in users:
        for named in key_files(user, patterns):
            if path := _plain(named):
                found.setdefault(path, []).append(user.name)
            else:
                inquiry.miss(user.name, Unread(Reason.UNSUPPORTED, f"no path we can ask for: {shown(named[:200])}"))
    found.setdefault(DROPBEAR, []).append(b"root")
    return found


def _plain(path: bytes) -> bytes:
    """An absolute path without `//` and `/./`, as it can be asked for; empty where it cannot. The device chose it."""
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if b".." in parts or b"\0" in path or len(path) > _LONGEST_PATH:
        return b""
    return b"/" + b"/".join(parts)


def _file(inquiry: Inquiry, answer: FileEntry | NotRead, owners: Mapping[bytes, list[bytes]]) -> None:
    evidence = inquiry.asking.route.evidence
    match answer:
        case NotRead(path, why, detail):
            _miss(inquiry, path, Unread(why, detail), owners)
        case FileEntry(path=path, type=FileType.REGULAR, content=bytes() as content):
            for user in owners.get(path, ()):
                inquiry.add(authorized_keys(user, path, content), evidence)
        case FileEntry(path=path, type=FileType.REGULAR):
            _miss(inquiry, path, Unread(Reason.BOUND, f"more than {LIMIT} bytes"), owners)
        case FileEntry(path=path):
            inquiry.add([Fact(path, NOT_UNDERSTOOD + b": no file of keys")], evidence)


def _follow(inquiry: Inquiry, path: bytes, target: bytes, owners: Mapping[bytes, list[bytes]]) -> None:
    """A link is a fact of its own, and what it leads to is read too, since sshd reads that.

    Each link is followed here, by name, and never by a program that opens whatever is at its end: anybody with an account on the
    device may lay one to its watchdog, its serial port or a pipe, and opening those is an act.
    """
    inquiry.add([Fact(user + b"/link " + path, b"link=" + target) for user in owners[path]], inquiry.asking.route.evidence)
    place = path
    for _ in range(_LINKS):
        place = normpath(join(dirname(place), target))
        place = b"/" + place.lstrip(b"/")
        if not _plain(place):
            _miss(inquiry, path, Unread(Reason.UNSUPPORTED, f"its link leads to {shown(target[:200])}"), owners)
            return
        there = [each for each in inquiry.tree((place,), LIMIT, _bounds(inquiry)) if each.path == place]
        match there:
            case [FileEntry(type=FileType.SYMLINK, target=further)]:
                target = further
            case [FileEntry(type=FileType.REGULAR, content=bytes() as content)]:
                for user in owners[path]:
                    inquiry.add(authorized_keys(user, path, content), inquiry.asking.route.evidence)
                return
            case [FileEntry(type=FileType.REGULAR)]:
                _miss(inquiry, path, Unread(Reason.BOUND, f"more than {LIMIT} bytes"), owners)
                return
            case [FileEntry()]:
                inquiry.add([Fact(path, NOT_UNDERSTOOD + b": no file of keys")], inquiry.asking.route.evidence)
                return
            case [NotRead(_, why, detail)]:
                _miss(inquiry, path, Unread(why, detail), owners)
                return
            case _:
                return  # it leads nowhere, as the fact says
    _miss(inquiry, path, Unread(Reason.UNSUPPORTED, f"more than {_LINKS} links one after the other"), owners)


def _miss(inquiry: Inquiry, path: bytes, value: Unread, owners: Mapping[bytes, list[bytes]]) -> None:
    """An unreadable file, or a folder above some, leaves the keys of its users unread."""
    users = {user for owned, names in owners.items() if owned == path or owned.startswith(path + b"/") for user in names}
    for user in sorted(users):
        inquiry.miss(user, value)
    if not users:
        inquiry.miss(path, value)
