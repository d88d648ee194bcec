"""File trees: from answers to readings, with text normalised, redacted and searched for a version on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from verifier.collect import text
from verifier.collect.asking import Asking, Outcome
from verifier.collect.form.form import NotOfForm
from verifier.collect.golden import GoldenCopies
from verifier.collect.printable import escaped, printable
from verifier.errors import BadReply
from verifier.model.member import shown
from verifier.model.pattern import matches
from verifier.model.profile import FileTree, Item
from verifier.model.snapshot import Disagreement, FileValue, Reading, Unread, Value
from verifier.model.words import Evidence, FileType, Reason
from verifier.transport.answer import FileEntry, NotRead
from verifier.transport.request import CopyTree, ReadTree

VERSION_LIMIT = 1 << 20
"""Bytes of a member that is searched for a version where the item has no rules for text."""

_LARGEST = 1 << 63
"""Sizes and times are less than this, as in every file system."""


def tree(asking: Asking, ask: FileTree) -> Outcome:
    """Every file and folder of the item.

    Raises:
        DeviceError: the answer is not whole; then nothing of it is kept, so that what was not reached does not look missing.
    """
    request = tree_request(asking.item, ask)
    if cannot := asking.cannot(request):
        return cannot
    return tuple(_reading(asking, answer) for answer in tree_answers(asking, _copying(asking, request)))


def _copying(asking: Asking, request: ReadTree) -> ReadTree:
    """The same request, whose exact contents are kept on the way where the profile asks for it. The snapshot is no other."""
    if asking.golden is None or asking.item.golden is None:
        return request
    copies = GoldenCopies(asking.item, asking.item.golden, asking.golden)
    return CopyTree(request.roots, request.exclude, request.proof, request.keep, request.keep_limit, request.bounds, copies)


def tree_request(item: Item, ask: FileTree) -> ReadTree:
    """One request for the whole item, however many files it has."""
    keep, limit = (item.text.match, item.text.limit) if item.text else ((), 0)
    if item.version and not item.text:
        keep, limit = ("**",), VERSION_LIMIT
    roots = tuple(path.encode("utf-8", "surrogateescape") for path in ask.paths)
    return ReadTree(roots, ask.exclude, ask.proof, keep, limit, item.bounds)


def tree_answers(asking: Asking, request: ReadTree) -> Iterator[FileEntry | NotRead]:
    """The answers to a tree, each of a path that was asked for.

    Raises:
        DeviceError: as `Route.ask`; BadReply when an answer is not of this tree.
    """
    roots = tuple(root.rstrip(b"/") for root in request.roots)
    for answer in asking.ask(request):
        match answer:
            case FileEntry(path=path) | NotRead(path=path):
                if not _within(roots, path):
                    raise BadReply(f"an answer about {printable(path, 200)}, which was not asked for")
                yield answer
            case _:
                raise BadReply(f"an answer of another kind: {type(answer).__name__}")


def _within(roots: tuple[bytes, ...], path: bytes) -> bool:
    if b".." in path.split(b"/"):
        return False
    plain = path.rstrip(b"/")
    return any(plain == root or plain.startswith(root + b"/") for root in roots)


def _reading(asking: Asking, answer: FileEntry | NotRead) -> Reading:
    match answer:
        case NotRead(path, why, detail, below):
            return Reading(shown(path), Unread(why, escaped(detail), below), Evidence.CLAIMED)
        case FileEntry():
            value, evidence = _value(asking, answer)
            return Reading(shown(answer.path), value, evidence)


def _value(asking: Asking, entry: FileEntry) -> tuple[Value, Evidence]:
    numbers = (entry.mode, entry.owner, entry.group, entry.size)
    if any(not 0 <= number < _LARGEST for number in numbers) or entry.mode > 0o7777 or abs(entry.mtime) >= _LARGEST:
        return Unread(Reason.BAD_REPLY, "numbers no file can have"), Evidence.CLAIMED
    route = asking.route.evidence
    if entry.type is not FileType.REGULAR:
        return _file(entry, "", _NO_TEXT), route
    read = entry.sha256
    if entry.content is not None:
        read = hashlib.sha256(entry.content).hexdigest()
        if entry.sha256 not in ("", read):
            return Unread(Reason.BAD_REPLY, "the content is not what was hashed"), Evidence.CLAIMED
    if read and entry.device_sha256 and read != entry.device_sha256:
        # what the device says its hash is may hold anything
        claimed = escaped(entry.device_sha256, 100)
        return Disagreement("content read out", read, "hash computed on the device", claimed), route
    if not read and not entry.device_sha256:
        return Unread(Reason.BAD_REPLY, "neither content nor a hash came back"), Evidence.CLAIMED
    value = _file(entry, read or escaped(entry.device_sha256, 100), _text(asking, entry))
    if read and entry.device_sha256:
        return value, max(route, Evidence.CROSS_CHECKED)
    return value, route if read else Evidence.DEVICE_HASH


@dataclass(frozen=True, slots=True)
class _AboutText:
    normal: str = ""
    """Digest of the normalised text."""
    kept: str = ""
    """Digest of what is kept."""
    version: str = ""
    masked: int = 0
    not_normal: str = ""


_NO_TEXT = _AboutText()


def _file(entry: FileEntry, sha256: str, text: _AboutText) -> FileValue:
    return FileValue(
        entry.type,
        entry.mode,
        entry.owner,
        entry.group,
        entry.size,
        printable(entry.target, 4096),
        sha256,
        text.normal,
        text.kept,
        text.version,
        entry.mtime,
        text.masked,
        text.not_normal,
    )


def _text(asking: Asking, entry: FileEntry) -> _AboutText:
    item, content, member = asking.item, entry.content, shown(entry.path)
    rules = item.text if item.text and matches(item.text.match, member) else None
    steps = tuple(rule for rule in rules.normalise if not rule.only or matches(rule.only, member)) if rules else ()
    limit = item.text.limit if item.text else VERSION_LIMIT
    if content is None or (why := text.no_text(content, limit)):
        why = f"not read out whole: longer than {limit:,} bytes, or hashed on the device" if content is None else why
        return _AboutText(not_normal=why if steps else "")
    version = text.version(item.version, content) if item.version else ""
    if rules is None:
        return _AboutText(version=version)
    try:
        normal = text.normalised(steps, content)
    except NotOfForm as error:
        return _AboutText(version=version, not_normal=str(error))
    digest = hashlib.sha256(normal.text).hexdigest() if steps else ""
    kept = asking.keep(text.redacted(rules.redact, normal.text)) if rules.keep else ""
    return _AboutText(digest, kept, version, normal.masked)
