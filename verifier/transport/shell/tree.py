"""Reading a file tree over a shell: a listing, one streamed archive, the listing again. Three commands, however many files.

Where the profile asks for the device's own hashes there is one more. A file is answered when both listings and the archive's
header say the same of it; anything else about it is `NotRead` with its reason. A name that only one of the programs shows is told
as what it is: they disagree.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.errors import BadReply, OverBound, Truncated, Unsupported
from verifier.model.profile import Proof
from verifier.model.words import FileType, Reason
from verifier.transport.answer import Answer, FileEntry, NotRead
from verifier.transport.archive.header import names_room
from verifier.transport.archive.reader import read_archive
from verifier.transport.request import ReadTree, begin_copy
from verifier.transport.scope import KERNEL, Scope, in_kernel, parent
from verifier.transport.shell import commands
from verifier.transport.shell.contents import Contents
from verifier.transport.shell.difference import difference
from verifier.transport.shell.execution import Execute
from verifier.transport.shell.hash_lines import hash_lines
from verifier.transport.shell.listing import Form, Listed, records
from verifier.transport.shell.run import Lost, ShellRun
from verifier.transport.shell.targets import targets
from verifier.transport.shell.userland import ArchiveTool, Userland

LEFT_OUT = 512
"""Excluded paths that the device's tar is spared; where there are more, those found by wildcards are sent and dropped here."""
HEADER_BYTES = 4096
"""Of an archive for each member beside its content: header, long name, padding."""
SLACK_BYTES = 64 << 20
"""Of an archive for what is sent and dropped here."""
WINDOW = "a window into the kernel, not files: ask for facts instead"


def read_tree(request: ReadTree, execute: Execute, userland: Userland) -> Iterator[Answer]:
    """The answers to a `ReadTree`, each file as soon as the second listing confirms it.

    Raises:
        Unsupported: this device has not the programs it takes; nothing was sent.
        Truncated: a stream ended before its end. What was answered before stands.
        BadReply: what came is not what was asked for.
        OverBound: the time was over in the second listing, or it has no end.
        DeviceError: from the line.
    """
    if userland.listing is Form.NONE:
        raise Unsupported("the device has no find that can be used", "it is read over SFTP where the device offers that")
    if request.proof is not Proof.DEVICE_HASH and userland.archive is ArchiveTool.NONE:
        raise Unsupported("the device has no tar", "it is read over SFTP where the device offers that")
    if request.proof is not Proof.CONTENT and not userland.hash:
        raise Unsupported("the device has no sha256sum", "write `proof: content` for this item in the profile")
    return _Reading(request, execute, userland).answers()


class _Reading:
    """One request on its way. Paths move from `listed` to the answers; what failed waits in `unread`."""

    def __init__(self, request: ReadTree, execute: Execute, userland: Userland) -> None:
        self.request, self.userland = request, userland
        self.scope = Scope(request)
        self.run = ShellRun(execute, request.bounds)
        self.contents = Contents(request, self.scope)
        self.listed: dict[bytes, bytes] = {}
        self.unread: dict[bytes, NotRead] = {}
        self.absent: set[bytes] = set()
        self.left_out: list[bytes] = []
        """The uppermost excluded paths that exist, as far as the listing showed them."""
        self.oversize: list[bytes] = []
        self.digests: dict[bytes, bytes] = {}
        self.device_digests: dict[bytes, bytes] = {}
        self.nodes: dict[bytes, int] = {}
        self.unlisted: set[bytes] = set()
        """In the archive, but not in the first listing."""

    def answers(self) -> Iterator[Answer]:
        for root in self.scope.kernel_roots:
            yield NotRead(root, Reason.UNSUPPORTED, WINDOW, below=True)
        if not self.scope.roots:
            return
        try:
            self.first_listing()
            self.weigh()
            if self.request.proof is not Proof.DEVICE_HASH:
                self.archive()
            if self.request.proof is not Proof.CONTENT:
                self.hashes()
            if self.request.proof is Proof.DEVICE_HASH:
                self.node_numbers()
        except (OverBound, Lost) as error:
            reason = Reason.BOUND if isinstance(error, OverBound) else Reason.REFUSED
            for root in self.scope.roots:
                if root not in self.absent:
                    yield NotRead(root, reason, str(error), below=True)
            return
        if self.listed:
            yield from self.confirmed()
        yield from self.unread.values()

    def not_read(self, path: bytes, reason: Reason, detail: str, *, below: bool = False) -> None:
        self.unread[path] = NotRead(path, reason, detail, below)
        self.listed.pop(path, None)

    def parsed(self, record: bytes) -> Listed:
        return self.userland.listing.parsed(record)

    def is_folder(self, path: bytes) -> bool:
        return self.parsed(self.listed[path]).type is FileType.DIRECTORY

    def listing(self) -> tuple[bytes, ...]:
        # One deeper than allowed, so that we see where there is more.
        depth = self.request.bounds.depth + 1
        return commands.list_tree(self.scope.roots, depth, self.scope.pruned, printf=self.userland.listing is Form.PRINTF)

    # What there is

    def first_listing(self) -> None:
        """Fills `listed`."""
        too_deep: set[bytes] = set()
        held, room = 0, names_room(self.request.bounds.members)
        with self.run.started(self.listing()) as running:
            for path, record in records(self.userland.listing, running.chunks()):
                self.scope.check(path)
                if self.scope.excludes(path):
                    if (len(self.left_out) < LEFT_OUT or path in KERNEL) and not self.scope.excludes(parent(path)):
                        self.left_out.append(path)
                elif self.scope.whole and in_kernel(path):
                    if path in KERNEL:
                        self.unread[path] = NotRead(path, Reason.UNSUPPORTED, WINDOW, below=True)
                elif self.scope.too_deep(path):
                    if (above := parent(path)) not in too_deep:
                        too_deep.add(above)
                        held += len(above)
                else:
                    self.listed.setdefault(path, record)
                    held += len(path) + len(record)
                    if len(self.listed) > self.request.bounds.members:
                        raise OverBound(f"more than {self.request.bounds.members} members")
                if held > room:
                    raise OverBound(f"names and metadata of {len(self.listed)} members that take more than {room} bytes")
            complaints = running.complaints(escaped=self.userland.listing is Form.PRINTF)
        for complaint in complaints:
            if not complaint.gone:
                self.not_read(complaint.path, complaint.reason, complaint.words, below=True)
            elif complaint.path in self.scope.roots and complaint.path not in self.listed:
                self.absent.add(complaint.path)
        for path in too_deep:
            self.not_read(path, Reason.BOUND, f"more than {self.request.bounds.depth} folders deep", below=True)
        for root in self.scope.roots:
            if root not in self.listed and root not in self.unread and root not in self.absent:
                self.not_read(root, Reason.REFUSED, "find neither listed it nor said why", below=True)

    def weigh(self) -> None:
        """Is it too much? Known before a byte of it crosses the line."""
        limit = self.request.bounds.bytes
        total = 0
        counted: set[bytes] = set()
        for path, record in self.listed.items():
            listed = self.parsed(record)
            if listed.type is not FileType.REGULAR:
                continue
            if listed.size > limit:
                self.oversize.append(path)
                continue
            if listed.links > 1:
                self.contents.linked(path, listed)
                if listed.inode in counted:
                    continue
                counted.add(listed.inode)
            total += listed.size
        for path in self.oversize:
            self.not_read(path, Reason.BOUND, f"larger than the {limit} bytes that the profile allows for all")
        if total > limit:
            raise OverBound(f"{total} bytes, and the profile allows {limit}")

    # What is in it

    def archive(self) -> None:
        """Fills `digests` and `contents`, and moves to `unread` what the archive and the listing do not agree on."""
        roots = tuple(root for root in self.scope.roots if root in self.listed)
        windows = frozenset(KERNEL if self.scope.whole else ())  # also where the listing does not show them
        must = windows | frozenset(self.oversize[:LEFT_OUT])
        exact = frozenset(self.left_out) & frozenset(self.scope.pruned)
        every = frozenset(self.left_out) if len(self.left_out) < LEFT_OUT else exact
        wanted = targets(roots, self.listed, self.is_folder, (every | must, exact | must, must, windows))
        if wanted is None:
            raise Lost("too many exceptions for one command line")
        if not wanted:
            return
        gnu = self.userland.archive is ArchiveTool.GNU
        most = self.request.bounds.bytes + SLACK_BYTES + HEADER_BYTES * len(self.listed)
        with self.run.started(commands.archive(wanted, commands.ARCHIVE_GNU if gnu else ())) as running:
            members = read_archive(
                running.chunks(most),
                self.contents.wants,
                len(self.listed) + self.request.bounds.members,
                commands.GNU_RECORD if gnu else commands.BLOCK,
                copy=lambda path, size: begin_copy(self.request, path, size),
            )
            try:
                for member in members:
                    self.archived(member)
            except Truncated as error:
                words = running.last_words()
                raise Truncated(f"{error}; tar said: {words}" if words else str(error), error.hint) from error
            complaints = running.complaints(escaped=gnu)
        for complaint in complaints:
            if (record := self.listed.get(complaint.path)) is None:
                continue
            kind = self.parsed(record).type
            if kind is FileType.REGULAR or (kind is FileType.DIRECTORY and complaint.reason is not Reason.UNSTABLE):
                self.not_read(complaint.path, complaint.reason, complaint.words, below=kind is FileType.DIRECTORY)

    def archived(self, member: FileEntry | NotRead) -> None:
        path = member.path
        record = self.listed.get(path)
        if record is None:
            if path not in self.unread and not self.scope.excludes(path) and not self.scope.too_deep(path):
                self.unlisted.add(path)
            return
        if isinstance(member, NotRead):
            self.not_read(path, member.reason, member.detail)
            return
        listed = self.parsed(record)
        if words := difference(member, listed, self.userland.archive):
            self.not_read(path, Reason.UNSTABLE, words)
        elif member.type is FileType.REGULAR:
            if self.contents.take(path, member.content):
                self.digests[path] = bytes.fromhex(member.sha256)
            else:
                self.not_read(path, Reason.BOUND, "too much text in one item; keep less, or make two items of it")
        elif member.size:
            self.nodes[path] = member.size

    def hashes(self) -> None:
        """Fills `device_digests`."""
        expected = [path for path, record in self.listed.items() if self.parsed(record).type is FileType.REGULAR]
        if not expected:
            return
        pruned = (*self.scope.pruned, *self.oversize[:20])
        with self.run.started(commands.hash_tree(self.scope.roots, self.request.bounds.depth, pruned)) as running:
            for path, digest in hash_lines(running.chunks(), expected):
                if self.device_digests.setdefault(path, digest) != digest:
                    self.not_read(path, Reason.BAD_REPLY, "sha256sum gave two digests for it")
            # Whether a file has its hash is seen file by file, so it is no matter what sha256sum says beside.
            complaints = running.complaints(escaped=False, strict=False)
        for complaint in complaints:
            if complaint.path in self.listed and complaint.path not in self.device_digests:
                self.not_read(complaint.path, complaint.reason, complaint.words)

    def node_numbers(self) -> None:
        """Fills `nodes`, where the listing has none of them."""
        if all(self.parsed(record).device is not None for record in self.listed.values()):
            return
        with self.run.started(commands.list_nodes(self.scope.roots, self.request.bounds.depth)) as running:
            for path, record in records(Form.STAT, running.chunks()):
                if path in self.listed and (number := Form.STAT.parsed(record).device) is not None:
                    self.nodes[path] = number

    # Whether it is still so

    def confirmed(self) -> Iterator[Answer]:
        """Everything that the second listing says the same of; then what it does not."""
        answered: set[bytes] = set()
        appeared = 0
        with self.run.started(self.listing()) as running:
            for path, record in records(self.userland.listing, running.chunks()):
                self.scope.check(path)
                if path in self.unread or path in answered or self.scope.excludes(path):
                    continue
                if (self.scope.whole and in_kernel(path)) or self.scope.too_deep(path):
                    continue
                if self.scope.overlapping:
                    answered.add(path)
                self.unlisted.discard(path)
                before = self.listed.pop(path, None)
                if before is None:
                    appeared += 1
                    if appeared > self.request.bounds.members:
                        raise OverBound(f"more than {self.request.bounds.members} names appeared while the tree was read")
                    yield NotRead(path, Reason.UNSTABLE, "appeared while the tree was read")
                elif before == record or self.unmoved(before, record):
                    yield self.answer(path, self.parsed(before))
                else:
                    yield NotRead(path, Reason.UNSTABLE, "changed while the tree was read")
            try:
                running.complaints(escaped=self.userland.listing is Form.PRINTF)
            except Lost as error:
                raise BadReply(f"the second listing failed: {error}", "read it again") from error
        for path in self.listed:
            yield NotRead(path, Reason.VANISHED, "no longer there, or no longer shown, when the tree had been read")
        for path in self.unlisted:
            yield NotRead(path, Reason.UNSTABLE, "in the archive, but in neither listing: tar and find disagree")

    def unmoved(self, before: bytes, after: bytes) -> bool:
        """Folders, nodes and pipes change their times as they are used; files and links do not."""
        first, second = self.parsed(before), self.parsed(after)
        moving = first.type not in (FileType.REGULAR, FileType.SYMLINK)
        return moving and first.identity() == second.identity()

    def answer(self, path: bytes, listed: Listed) -> Answer:
        if listed.type is None:
            return NotRead(path, Reason.UNSUPPORTED, "a kind of file that we do not know")
        size, digest, device_digest = 0, b"", b""
        if listed.type is FileType.REGULAR:
            size = listed.size
            if self.request.proof is not Proof.DEVICE_HASH and not (digest := self.digests.pop(path, b"")):
                return NotRead(path, Reason.REFUSED, "listed, but not in the archive")
            if self.request.proof is not Proof.CONTENT and not (device_digest := self.device_digests.pop(path, b"")):
                return NotRead(path, Reason.REFUSED, "listed, but the device gave no hash for it")
        elif listed.type in (FileType.CHARACTER, FileType.BLOCK):
            number = self.nodes.get(path, listed.device)
            if number is None:
                return NotRead(path, Reason.REFUSED, "listed, but the device did not tell its numbers")
            size = number
        return FileEntry(
            path,
            listed.type,
            listed.mode,
            listed.owner,
            listed.group,
            size,
            listed.mtime,
            listed.target if listed.type is FileType.SYMLINK else b"",
            digest.hex(),
            device_digest.hex(),
            self.contents.give(path, size) if digest else None,
        )
