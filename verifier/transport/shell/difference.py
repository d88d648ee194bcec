"""What an archive and a listing do not agree on about one name."""

from __future__ import annotations

from verifier.model.member import shown
from verifier.model.words import FileType
from verifier.transport.answer import FileEntry
from verifier.transport.shell.listing import Listed
from verifier.transport.shell.userland import ArchiveTool


def difference(member: FileEntry, listed: Listed, tool: ArchiveTool) -> str:
    """In words; empty when they agree."""
    owner, group, mtime = listed.owner, listed.group, listed.mtime
    if tool is ArchiveTool.BUSYBOX:
        # It writes the low eight octal digits of owner and group, and no time before 1970.
        owner, group, mtime = owner & 0o77777777, group & 0o77777777, max(mtime, 0)
    pairs: list[tuple[str, object, object]] = [
        ("type", listed.type, member.type),
        ("mode", oct(listed.mode), oct(member.mode)),
        ("owner", owner, member.owner),
        ("group", group, member.group),
    ]
    if member.type is FileType.REGULAR:
        pairs += [("size", listed.size, member.size), ("time", mtime, member.mtime)]
    elif member.type is FileType.SYMLINK:
        pairs.append(("target", shown(listed.target), shown(member.target)))
    words = (f"{name} {first} in the listing, {second} in the archive" for name, first, second in pairs if first != second)
    return "; ".join(words)
