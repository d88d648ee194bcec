"""A tar archive as it arrives, member by member, hashed on the way. Nothing is held whole in memory and nothing is extracted.

Reads what GNU tar, busybox tar and Python's tarfile write: ustar, GNU long names and base-256 numbers, pax records. It is there
because `tarfile` costs more than the hashing on a tree of small files; tests hold the two to the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from verifier.errors import BadReply, OverBound
from verifier.model.words import FileType, Reason
from verifier.transport.answer import FileEntry, NotRead
from verifier.transport.archive.header import BLOCK, ZERO_BLOCK, Header, absolute, extended, header, names_room, records
from verifier.transport.archive.stream import ArchiveStream
from verifier.transport.request import Copy, dropping

EXTENSIONS = 16
"""Headers of headers before one member; honest tars write at most four."""
MEMBERS = 1_000_000

Keep = Callable[[bytes, int], bool]
"""Whether the content of this path, with so many bytes, comes along in its entry."""
Begin = Callable[[bytes, int], Copy | None]
"""Where the content of this path, with so many bytes, goes while it is read."""


def nothing(_path: bytes, _size: int) -> bool:
    """Keep no content."""
    return False


def nowhere(_path: bytes, _size: int) -> Copy | None:
    """Copy no content."""
    return None


def read_archive(
    chunks: Iterable[bytes], keep: Keep = nothing, members: int = MEMBERS, record: int = BLOCK, copy: Begin = nowhere
) -> Iterator[FileEntry | NotRead]:
    """Every member of an archive, with the SHA-256 of its content, in the archive's order, each path once.

    Paths are absolute: `./opt/x` is `/opt/x`. A hard link is answered as the file it is, but its content stands in its first
    name's entry alone. Sparse members and kinds we do not know are `NotRead`. `record` is the multiple of bytes the whole archive
    must have, where the tar that wrote it is known.

    Raises:
        Truncated: the stream ended before the two zero blocks that end an archive.
        BadReply: it is not an archive, or one that an honest tar does not write.
        OverBound: more than `members` members, or names that take more room than theirs do.
    """
    stream = ArchiveStream(chunks)
    seen: dict[bytes, bytes | FileEntry] = {}
    common: dict[bytes, bytes] = {}
    room = names_room(members)
    while True:
        block = stream.take(BLOCK)
        if block == ZERO_BLOCK:
            stream.finish(record)
            return
        head = header(block)
        if head.kind in b"xgXLK":
            head, pax = _whole(stream, head, common)
        else:
            head, pax = (extended(head, common) if common else head), common
        path = absolute(head.name)
        if path in seen:
            raise BadReply("a path stands in the archive twice", "read it again; no honest tar does this")
        if len(seen) >= members:
            raise OverBound(f"more than {members} members in the archive")
        room -= len(path) + len(head.link)
        if room < 0:
            raise OverBound(f"the names in the archive take more than {names_room(members)} bytes")
        answer: FileEntry | NotRead
        if head.kind == b"S" or (pax and any(keyword.startswith(b"GNU.sparse.") for keyword in pax)):
            answer = NotRead(path, Reason.UNSUPPORTED, "stored as a sparse file")
            stream.skip_sparse(head)
        elif head.kind == b"1":
            answer = _hard_link(stream, head, path, seen, keep, copy)
        elif (kind := head.type) is None:
            answer = NotRead(path, Reason.UNSUPPORTED, f"archive member of kind {head.kind!r}")
            stream.content(head.stored, False)
        elif kind is FileType.REGULAR:
            answer = _regular(stream, head, path, keep, copy)
        else:
            target = head.link if kind is FileType.SYMLINK else b""
            answer = FileEntry(path, kind, head.mode, head.owner, head.group, head.device, head.mtime, target)
        seen[path] = _short(answer)
        yield answer


def _short(answer: FileEntry | NotRead) -> bytes | FileEntry:
    """What a later hard link must know of a member: 8 bytes of size and 32 of digest for files; nothing for what was not read."""
    if isinstance(answer, NotRead):
        return b""
    if answer.type is FileType.REGULAR:
        return answer.size.to_bytes(8, "big") + bytes.fromhex(answer.sha256)
    return answer


def _whole(stream: ArchiveStream, head: Header, common: dict[bytes, bytes]) -> tuple[Header, dict[bytes, bytes]]:
    """The member's own header with all that stood in the headers before it, and its pax records."""
    pax: dict[bytes, bytes] = {}
    name = link = b""
    for _ in range(EXTENSIONS):
        match head.kind:
            case b"x" | b"X":
                pax |= records(stream.payload(head.size))
            case b"g":
                common |= records(stream.payload(head.size))
            case b"L":
                name = stream.payload(head.size).partition(b"\0")[0]
            case b"K":
                link = stream.payload(head.size).partition(b"\0")[0]
            case _:
                break
        block = stream.take(BLOCK)
        if block == ZERO_BLOCK:
            raise BadReply("the archive ends between a long name and its member")
        head = header(block)
    else:
        raise BadReply("the archive holds headers of headers without end")
    pax = common | pax
    head = head._replace(name=name or head.name, link=link or head.link)
    return extended(head, pax), pax


def _regular(stream: ArchiveStream, head: Header, path: bytes, keep: Keep, copy: Begin) -> FileEntry:
    copying = copy(path, head.size)
    with dropping(copying):
        digest, content = stream.content(head.size, keep(path, head.size), copying)
        if copying:
            copying.done()
    return FileEntry(path, FileType.REGULAR, head.mode, head.owner, head.group, head.size, head.mtime, b"", digest, "", content)


def _hard_link(
    stream: ArchiveStream, head: Header, path: bytes, seen: dict[bytes, bytes | FileEntry], keep: Keep, copy: Begin
) -> FileEntry | NotRead:
    """Some tars write the content again with each link, some only its size, GNU and busybox neither."""
    if head.size and not stream.at_header():
        return _regular(stream, head, path, keep, copy)
    first = seen.get(absolute(head.link), b"")
    if isinstance(first, FileEntry):
        return replace(first, path=path)
    if not first:
        return NotRead(path, Reason.BAD_REPLY, "a hard link to something that is not in the archive")
    size = int.from_bytes(first[:8], "big")
    return FileEntry(path, FileType.REGULAR, head.mode, head.owner, head.group, size, head.mtime, b"", first[8:].hex())
