"""What starts by itself: crontabs, the scripts of run-parts folders, systemd timers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from verifier.collect.fact import Fact, garbage, lines, pairs
from verifier.model.words import FileType
from verifier.transport.answer import FileEntry

CRONTABS = (b"/etc/crontab", b"/etc/cron.d", b"/etc/crontabs", b"/var/spool/cron", b"/etc/anacrontab")
SCRIPTS = (b"/etc/cron.hourly", b"/etc/cron.daily", b"/etc/cron.weekly", b"/etc/cron.monthly", b"/etc/periodic")
TIMERS = (b"/etc/systemd/system", b"/run/systemd/system", b"/usr/local/lib/systemd/system")
"""Where a site puts timers. Those of the distribution are told by `systemctl list-unit-files`, not read one by one."""

_VARIABLE = re.compile(rb"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)


def entries(entry: FileEntry) -> Iterator[Fact]:
    """The facts in one file of those folders. Members begin with the file's path and a slash."""
    if entry.type is FileType.DIRECTORY:
        return
    if _below(entry.path, CRONTABS) and entry.content is not None and b"/atjobs/" not in entry.path:
        yield from _crontab(entry.path, entry.content)
    elif not _below(entry.path, TIMERS) or entry.path.endswith(b".timer") or b".timer.d/" in entry.path:
        yield Fact(entry.path, _said(entry))


def _crontab(path: bytes, data: bytes) -> Iterator[Fact]:
    """`/etc/cron.d/backup/0 3 * * *` is `root /usr/bin/backup`: the time names the line, the rest is what is done."""
    fields = 3 if path == b"/etc/anacrontab" else 5
    for line in lines(data):
        text = line.strip()
        if text.startswith(b"#"):
            continue
        if variable := _VARIABLE.fullmatch(text):
            yield Fact(path + b"/" + variable[1], variable[2] or b"empty")
            continue
        words = text.split(None, 1 if text.startswith(b"@") else fields)
        if len(words) < (2 if text.startswith(b"@") else fields + 1):
            yield Fact(path + b"/" + garbage(text).member, garbage(text).text)
            continue
        yield Fact(path + b"/" + b" ".join(words[:-1]), words[-1])


def _said(entry: FileEntry) -> bytes:
    match entry.type:
        case FileType.SYMLINK:
            return pairs((b"link", entry.target))
        case FileType.REGULAR:
            digest = hashlib.sha256(entry.content).hexdigest() if entry.content is not None else entry.sha256
            return pairs((b"mode", b"%04o" % entry.mode), (b"owner", b"%d" % entry.owner), (b"sha256", digest.encode()))
        case other:
            return other.value.encode()


def timers(data: bytes) -> Iterator[Fact]:
    """`systemctl list-unit-files` lines: `timer/apt.timer` is `state=enabled preset=enabled`; not every one has a preset."""
    for line in lines(data):
        words = line.split()
        if len(words) not in (2, 3):
            yield Fact(b"timer/? " + line.strip(), garbage(line).text)
            continue
        yield Fact(b"timer/" + words[0], pairs((b"state", words[1]), (b"preset", b"".join(words[2:]).strip(b"-"))))


def _below(path: bytes, roots: tuple[bytes, ...]) -> bool:
    return any(path == root or path.startswith(root + b"/") for root in roots)
