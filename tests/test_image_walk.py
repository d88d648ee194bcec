"""What is asked of a volume and what is answered: roots, links on the way, exclusions, kept content, bounds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image_fixtures import answers, ext, plain, run, squashfs, tree
from verifier.errors import BadReply, Unsupported, UsageError
from verifier.model.device import ImageAddress
from verifier.model.profile import Bounds, IdentificationLevel
from verifier.model.words import FileType, Reason, Table
from verifier.transport.answer import FileEntry, NotRead, Output
from verifier.transport.offline.route import ImageRoute
from verifier.transport.offline.volume import Lost, Node
from verifier.transport.offline.walk import Walk
from verifier.transport.request import (
    Command,
    ReadFifo,
    ReadFile,
    ReadIdentification,
    ReadRecords,
    ReadServerId,
    ReadTable,
    Run,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small root file system."""
    top = tmp_path_factory.mktemp("root") / "fs"
    for path, text in {
        "etc/passwd": "root:x:0:0\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "etc/ssh/sshd_config": "Port 22\n",
        "usr/lib/os-release": "NAME=crane\n",
        "usr/bin/tool": "#!/bin/sh\n",
        "home/codesys_root/DEFAULT.PRG": "program",
        "var/log/messages": "noise",
        "var/lib/state": "s" * 3000,
    }.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    (top / "proc").mkdir()
    (top / "etc/os-release").symlink_to("../usr/lib/os-release")
    (top / "bin").symlink_to("usr/bin")
    (top / "home/codesys").symlink_to("/home/codesys_root")
    (top / "etc/up").symlink_to("../../../../../../etc/passwd")
    (top / "etc/loop").symlink_to("loop")
    (top / "etc/out").symlink_to("/etc/no-such-file")
    (top / "etc/folder").symlink_to("ssh")
    return top


@pytest.fixture(scope="module", params=["folder", "tar", "zip", "ext4", "squashfs"])
def image(request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in each kind of source."""
    made = tmp_path_factory.mktemp("image") / "made"
    match request.param:
        case "tar":
            run("tar", "-C", root, "-czf", made, ".")
        case "zip":
            run("zip", "-qry", made.with_suffix(".zip"), ".", cwd=root)
            return made.with_suffix(".zip")
        case "ext4":
            ext(made, root, size=8 << 20)
        case "squashfs":
            squashfs(made, root)
        case _:
            return root
    return made


def asked(path: Path, request: ReadFile) -> object:
    with ImageRoute.open(ImageAddress(str(path))) as route:
        (answer,) = route.ask(request)
        return answer


def test_only_what_is_below_the_roots_each_path_once(image: Path) -> None:
    found = plain(
        answers(image, tree(b"/etc/ssh", b"/etc/ssh/sshd_config", b"/etc//./ssh/", b"/usr/bin/tool", b"/no/such/place"))
    )
    assert set(found) == {b"/etc/ssh", b"/etc/ssh/sshd_config", b"/usr/bin/tool"}


def test_a_root_that_is_a_link_is_the_link(image: Path) -> None:
    found = plain(answers(image, tree(b"/bin", b"/home/codesys")))
    assert {path: entry.target for path, entry in found.items()} == {b"/bin": b"usr/bin", b"/home/codesys": b"/home/codesys_root"}


def test_a_link_on_the_way_leads_within_the_image(image: Path) -> None:
    found = plain(answers(image, tree(b"/bin/tool", b"/home/codesys/DEFAULT.PRG", b"/etc/folder/sshd_config")))
    assert {path: entry.size for path, entry in found.items()} == {
        b"/bin/tool": 10,
        b"/home/codesys/DEFAULT.PRG": 7,
        b"/etc/folder/sshd_config": 8,
    }


def test_a_way_through_a_file_or_in_a_circle(image: Path) -> None:
    found = answers(image, tree(b"/etc/passwd/x", b"/etc/out/x", b"/etc/loop/x"))
    assert found == {b"/etc/loop/x": NotRead(b"/etc/loop/x", Reason.REFUSED, "more than 40 links on the way", below=True)}


def test_two_dots_in_a_root_are_refused(image: Path) -> None:
    with pytest.raises(UsageError, match=r"/etc/\.\./x holds"):
        answers(image, tree(b"/etc/../x"))


def test_what_is_excluded_is_not_answered_nor_anything_below(image: Path) -> None:
    found = answers(image, tree(exclude=("/var/log", "/etc/**", "**/codesys*", "/lost+found")))
    assert b"/var/lib/state" in found
    assert not any(path.startswith((b"/var/log", b"/etc/", b"/home/codesys")) for path in found)
    assert answers(image, tree(b"/var/log/messages", exclude=("/var/l?g",))) == {}


def test_content_comes_along_where_it_is_wanted_and_short(image: Path) -> None:
    found = plain(answers(image, tree(b"/etc", b"/var", keep=("/etc/*", "/var/lib/**"), keep_limit=100)))
    kept = {path: entry.content for path, entry in found.items() if entry.content is not None}
    assert kept == {b"/etc/passwd": b"root:x:0:0\n", b"/etc/hosts": b"127.0.0.1 localhost\n"}
    found = plain(answers(image, tree(b"/var", keep=("/var/lib/**",), keep_limit=3000)))
    assert found[b"/var/lib/state"].content == b"s" * 3000


def test_one_file_with_links_followed(image: Path) -> None:
    assert asked(image, ReadFile(b"/etc/os-release")) == Output(b"NAME=crane\n")
    assert asked(image, ReadFile(b"/etc/up")) == Output(b"root:x:0:0\n")
    assert asked(image, ReadFile(b"/bin/tool")) == Output(b"#!/bin/sh\n")
    assert asked(image, ReadFile(b"/etc/out")) == NotRead(b"/etc/out", Reason.REFUSED, "no such file")
    assert asked(image, ReadFile(b"/etc/ssh")) == NotRead(b"/etc/ssh", Reason.REFUSED, "a directory, not a file")
    assert asked(image, ReadFile(b"/etc/loop")) == NotRead(b"/etc/loop", Reason.REFUSED, "more than 40 links on the way")
    assert asked(image, ReadFile(b"/var/lib/state", 3000)) == Output(b"s" * 3000)
    assert asked(image, ReadFile(b"/var/lib/state", 2999)) == NotRead(b"/var/lib/state", Reason.BOUND, "more than 2999 bytes")


def test_more_members_than_the_profile_allows(image: Path) -> None:
    """What was read stands; the folders that were not read to their end say so, up to the root."""
    whole = answers(image, tree(b"/etc", b"/usr", b"/var"))
    for members in range(1, len(whole)):
        found = answers(image, tree(b"/etc", b"/usr", b"/var", bounds=Bounds(members=members)))
        unread = {path: answer for path, answer in found.items() if isinstance(answer, NotRead)}
        assert all(answer.reason is Reason.BOUND for answer in unread.values())
        assert len(found) - len(unread) <= members
        roots = [path for path in (b"/etc", b"/usr", b"/var") if path in unread]
        assert roots, members
        for path, answer in whole.items():
            above = [folder for folder in unread if path == folder or path.startswith(folder + b"/")]
            assert found.get(path) == answer or above, (members, path)


def test_more_bytes_than_the_profile_allows(image: Path) -> None:
    found = answers(image, tree(b"/etc", b"/var", bounds=Bounds(bytes=100)))
    state = found[b"/var/lib/state"]
    assert isinstance(state, NotRead)
    assert state.reason is Reason.BOUND
    assert state.detail.startswith("3000 bytes, with ")
    assert isinstance(found[b"/etc/passwd"], FileEntry)


def test_deeper_than_the_profile_allows(image: Path) -> None:
    found = answers(image, tree(b"/etc", bounds=Bounds(depth=0)))
    assert found[b"/etc/ssh"] == NotRead(b"/etc/ssh", Reason.BOUND, "deeper than 0 folders", below=True)
    assert isinstance(found[b"/etc/passwd"], FileEntry)


def test_longer_than_the_profile_allows(image: Path) -> None:
    found = answers(image, tree(b"/etc", b"/usr", bounds=Bounds(seconds=0)))
    assert {path: answer.reason for path, answer in found.items() if isinstance(answer, NotRead) and answer.below} == {
        b"/etc": Reason.BOUND,
        b"/usr": Reason.BOUND,
    }


def test_what_needs_the_running_device(image: Path) -> None:
    with ImageRoute.open(ImageAddress(str(image))) as route:
        assert route.can(tree()) == ""
        assert route.can(ReadFile(b"/etc/passwd")) == ""
        for request in (
            ReadFile(b"/proc/modules"),
            ReadFile(b"/sys/class/net"),
            Run(Command.LIST_USB),
            ReadTable(Table.HOLDING, 0, 1),
            ReadIdentification(IdentificationLevel.BASIC),
            ReadServerId(),
            ReadRecords(1, 0, 1),
            ReadFifo(0),
        ):
            assert route.can(request) == "needs the running device"
            with pytest.raises(Unsupported):
                list(route.ask(request))


class Odd:
    """A volume that lists what it is told to."""

    title = "odd volume"
    threads = 1
    notes: tuple[str, ...] = ()
    root = Node(FileType.DIRECTORY, 0o755, 0, 0, 0, 0, None)

    def __init__(
        self, *listing: tuple[bytes, Node | Lost], error: Exception | None = None, content: tuple[bytes, ...] = ()
    ) -> None:
        self._listing, self._error, self._content = listing, error, content

    def children(self, folder: Node) -> Iterator[tuple[bytes, Node | Lost]]:
        yield from self._listing
        if self._error:
            raise self._error

    def content(self, file: Node) -> Iterator[bytes]:
        yield from self._content


FILE = Node(FileType.REGULAR, 0, 0, 0, 3, 0, None)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b"])
def test_names_that_cannot_be(name: bytes) -> None:
    found = list(Walk(Odd((b"a", FILE), (name, FILE), content=(b"abc",)), tree()).answers())
    assert isinstance(found[0], FileEntry)
    assert isinstance(found[1], NotRead)
    assert (found[1].path, found[1].reason, found[1].below) == (b"/", Reason.BAD_REPLY, True)


def test_a_name_listed_twice() -> None:
    found = list(Walk(Odd((b"a", FILE), (b"a", FILE), content=(b"abc",)), tree()).answers())
    assert found[1] == NotRead(b"/", Reason.BAD_REPLY, "it lists 'a' twice", below=True)


def test_content_that_is_not_as_long_as_it_claims() -> None:
    for content, reason in (((b"ab",), Reason.TRUNCATED), ((b"ab", b"cd"), Reason.BAD_REPLY), ((), Reason.TRUNCATED)):
        found = list(Walk(Odd((b"a", FILE), content=content), tree()).answers())
        assert isinstance(found[0], NotRead)
        assert found[0].reason is reason


def test_a_claim_of_64_tebibytes_costs_nothing() -> None:
    huge = Node(FileType.REGULAR, 0, 0, 0, 1 << 46, 0, None)
    found = list(Walk(Odd((b"a", huge), content=(b"abc",)), tree()).answers())
    assert isinstance(found[0], NotRead)
    assert found[0].reason is Reason.BOUND


def test_a_listing_that_breaks_is_not_a_shorter_one() -> None:
    found = list(Walk(Odd((b"a", FILE), error=BadReply("it broke"), content=(b"abc",)), tree()).answers())
    assert found[1] == NotRead(b"/", Reason.BAD_REPLY, "it broke", below=True)


def test_a_member_whose_inode_is_broken() -> None:
    found = list(Walk(Odd((b"a", Lost(Reason.BAD_REPLY, "no inode"))), tree()).answers())
    assert found[0] == NotRead(b"/a", Reason.BAD_REPLY, "no inode", below=True)
    assert isinstance(found[1], FileEntry)


MEASURED = """
import sys
from pathlib import Path
from tests.image_fixtures import answers, tree
found = answers(Path(sys.argv[1]), tree(exclude=("/lost+found",)))
assert all(type(a).__name__ == "FileEntry" for a in found.values())
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(len(found), int(peak.split()[1]) // 1024)
"""


def test_memory_stays_flat_whatever_the_size_of_the_files(tmp_path: Path) -> None:
    """250 MiB of files, most of it in holes, in every kind of source: under 150 MiB of memory."""
    top = tmp_path / "tree"
    top.mkdir()
    with (top / "firmware.bin").open("wb") as file:
        file.write(os.urandom(8 << 20))
        file.truncate(250 << 20)
    ext(tmp_path / "card", top, size=300 << 20)
    squashfs(tmp_path / "rootfs", top, "gzip", "-b", "1M", "-Xcompression-level", "1")
    run("tar", "-C", top, "--use-compress-program=gzip -1", "-cf", tmp_path / "a.tgz", ".")
    run("zip", "-qr1", tmp_path / "a.zip", "firmware.bin", cwd=top)
    for path in (top, tmp_path / "card", tmp_path / "rootfs", tmp_path / "a.tgz", tmp_path / "a.zip"):
        done = subprocess.run([sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        members, peak = map(int, done.stdout.split())
        assert members in (1, 2)
        assert peak < 150, path
    shutil.rmtree(tmp_path)
