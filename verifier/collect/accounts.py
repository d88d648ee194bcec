"""Who may log in: users, groups and the keys that open their doors."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from verifier.collect.fact import NOT_UNDERSTOOD, Fact, garbage, lines, pairs

_KEY_TYPE = re.compile(rb"(?:ssh|ecdsa|sk-ssh|sk-ecdsa|rsa)-[A-Za-z0-9@.-]+")


@dataclass(frozen=True, slots=True)
class User:
    name: bytes
    home: bytes


def users(data: bytes) -> Iterator[Fact]:
    """/etc/passwd: `root` is `uid=0 gid=0 home=/root shell=/bin/sh gecos=root`.

    A password hash that stands here is never shown; its digest is, so that a change shows. An empty password is said, and so is
    an account that is locked here: with an `x` in that place it would be opened by /etc/shadow.
    """
    for line in lines(data):
        fields = line.split(b":")
        if len(fields) != 7:
            yield garbage(line)
            continue
        name, password, uid, gid, gecos, home, shell = fields
        text = pairs((b"uid", uid), (b"gid", gid), (b"home", home), (b"shell", shell), (b"gecos", gecos))
        yield Fact(name, b" ".join(part for part in (text, _password(password)) if part))


def _password(field: bytes) -> bytes:
    if field == b"":
        return b"password=none"
    if field == b"x":
        return b""
    if field in (b"*", b"!", b"!!", b"!*", b"*LK*", b"NP"):
        return b"password=locked"
    return b"password=sha256:" + hashlib.sha256(field).hexdigest().encode()


def groups(data: bytes) -> Iterator[Fact]:
    """/etc/group: `dialout` is `gid=20 members=crane,service`. The order of the members has no meaning.

    A group's password lets others become its members, so it is told as in /etc/passwd; to have none is what is usual here.
    """
    for line in lines(data):
        fields = line.split(b":")
        if len(fields) != 4:
            yield garbage(line)
            continue
        name, password, gid, members = fields
        text = pairs((b"gid", gid), (b"members", b",".join(sorted(m for m in members.split(b",") if m))))
        closed = password in (b"", b"x", b"*", b"!")
        yield Fact(name, text if closed else text + b" " + _password(password))


def logins(data: bytes) -> tuple[User, ...]:
    """Users and home folders of /etc/passwd, as far as they can be read from it."""
    found = []
    for line in lines(data):
        fields = line.split(b":")
        if len(fields) == 7 and fields[0] and fields[5].startswith(b"/"):
            found.append(User(fields[0], fields[5].rstrip(b"/") or b"/"))
    return tuple(found)


def authorized_keys(user: bytes, path: bytes, data: bytes) -> Iterator[Fact]:
    """A file of authorized keys: `root/SHA256:...` is `type=ssh-ed25519 file=... comment=... options=...`.

    The name of a member begins with its user, so that an unreadable file of one user says nothing of another's keys.
    """
    for line in lines(data):
        text = line.strip()
        if text.startswith(b"#"):
            continue
        options, words = _split(text)
        blob = _blob(words[1]) if len(words) > 1 and _KEY_TYPE.fullmatch(words[0]) else b""
        if not blob:
            yield Fact(user + b"/? " + text, NOT_UNDERSTOOD + b" in " + path)
            continue
        digest = base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=")
        comment = b" ".join(words[2:])
        text = pairs((b"type", words[0]), (b"file", path), (b"comment", comment), (b"options", options))
        yield Fact(user + b"/SHA256:" + digest, text)


def _split(line: bytes) -> tuple[bytes, list[bytes]]:
    """Options, if the line begins with any, and the words after them. Blanks within double quotes belong to an option."""
    words = line.split()
    if words and _KEY_TYPE.fullmatch(words[0]):
        return b"", words
    quoted = False
    for at, byte in enumerate(line):
        if byte == 0x22 and line[at - 1 : at] != b"\\":
            quoted = not quoted
        elif byte in b" \t" and not quoted:
            return line[:at], line[at:].split()
    return line, []


def _blob(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
