"""zip and tar archives and single files: hostile names, bombs, damage, and what an exported project looks like."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image_fixtures import WHOLE, answers, plain, run, tree
from verifier.errors import BadReply, DeviceError, OverBound, Truncated
from verifier.model.device import ImageAddress
from verifier.model.profile import Bounds
from verifier.model.words import FileType, Reason
from verifier.transport.answer import FileEntry, NotRead, Output
from verifier.transport.offline import packed, tape
from verifier.transport.offline.route import ImageRoute
from verifier.transport.request import ReadFile


def tar_of(path: Path, *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # the mode is chosen at run time
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.type = len(content), kind
            archive.addfile(member, io.BytesIO(content))
    return path


def zip_of(path: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


MAKERS: dict[str, Callable[..., Path]] = {"a.zip": zip_of, "a.tar": tar_of}


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../../x", "a/..", "..", "/../x", "./../x"])
@pytest.mark.parametrize("kind", list(MAKERS))
def test_a_name_that_leads_out_spoils_the_archive(tmp_path: Path, kind: str, name: str) -> None:
    MAKERS[kind](tmp_path / kind, ("good", b"x"), (name, b"x"))
    with pytest.raises(BadReply, match=r"leads elsewhere|outside itself"):
        answers(tmp_path / kind)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a/b", "a/b"), ("a/b", "/a/b"), ("a/b", "./a/b")])
@pytest.mark.parametrize("kind", list(MAKERS))
def test_a_name_that_stands_twice_spoils_the_archive(tmp_path: Path, kind: str, names: tuple[str, str]) -> None:
    """Which of the two the device would use, nobody can tell."""
    MAKERS[kind](tmp_path / kind, *((name, b"x") for name in names))
    with pytest.raises(BadReply, match="twice"):
        answers(tmp_path / kind)


@pytest.mark.parametrize("kind", list(MAKERS))
def test_a_member_below_a_file_spoils_the_archive(tmp_path: Path, kind: str) -> None:
    MAKERS[kind](tmp_path / kind, ("a", b"x"), ("a/b", b"x"))
    with pytest.raises(BadReply, match="no folder"):
        answers(tmp_path / kind)


@pytest.mark.parametrize("kind", list(MAKERS))
def test_names_that_only_look_strange_are_names(tmp_path: Path, kind: str) -> None:
    """Backslashes, drive letters and cases mean nothing here, and no folder is invented on the way."""
    MAKERS[kind](tmp_path / kind, ("C:\\Project\\a", b"1"), ("x/y/..z", b"2"), ("Case", b"3"), ("case", b"4"), ("/abs", b"5"))
    assert set(answers(tmp_path / kind)) == {b"/C:\\Project\\a", b"/x/y/..z", b"/Case", b"/case", b"/abs"}


@pytest.mark.parametrize("kind", list(MAKERS))
def test_an_archive_without_members_is_an_error(tmp_path: Path, kind: str) -> None:
    MAKERS[kind](tmp_path / kind)
    with pytest.raises(BadReply, match=r"opens as an empty|holds none of the kinds"):
        answers(tmp_path / kind)


def test_a_zip_bomb_is_stopped_by_what_it_claims(tmp_path: Path) -> None:
    zip_of(tmp_path / "a.zip", ("bomb", bytes(200 << 20)), ("good", b"x"))
    assert (tmp_path / "a.zip").stat().st_size < 1 << 20
    found = answers(tmp_path / "a.zip", tree(bounds=Bounds(bytes=100 << 20)))
    assert isinstance(found[b"/bomb"], NotRead)
    assert found[b"/bomb"].reason is Reason.BOUND
    assert isinstance(found[b"/good"], FileEntry)


def test_a_zip_bomb_that_claims_little_gives_no_more_than_that(tmp_path: Path) -> None:
    """The size in both headers made small: the stream behind it is cut there and does not match its checksum."""
    data = bytearray(zip_of(tmp_path / "a.zip", ("bomb", bytes(50 << 20))).read_bytes())
    size = struct.pack("<I", 50 << 20)
    assert data.count(size) == 2
    (tmp_path / "a.zip").write_bytes(data.replace(size, struct.pack("<I", 1000)))
    found = answers(tmp_path / "a.zip")
    assert isinstance(found[b"/bomb"], NotRead)
    assert found[b"/bomb"].reason is Reason.BAD_REPLY


def test_members_that_share_their_bytes_count_each_time(tmp_path: Path) -> None:
    """A list of members that all point at one stream: bounded by what they claim together."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m0", bytes(10 << 20))
        first = archive.filelist[0]
        for number in range(1, 50):
            twin = zipfile.ZipInfo("m0")
            for field in (
                "CRC",
                "compress_size",
                "file_size",
                "header_offset",
                "compress_type",
                "external_attr",
                "create_system",
            ):
                setattr(twin, field, getattr(first, field))
            twin.filename = f"m{number}"
            archive.filelist.append(twin)
    found = answers(tmp_path / "a.zip", tree(bounds=Bounds(bytes=100 << 20)))
    assert sum(isinstance(answer, FileEntry) for answer in found.values()) <= 10


def test_a_compressed_tar_that_expands_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "Bounds", lambda: Bounds(bytes=20 << 20))
    tar_of(tmp_path / "a.tar.gz", ("bomb", bytes(64 << 20)), mode="w:gz")
    with pytest.raises(OverBound, match="expands to more than"):
        answers(tmp_path / "a.tar.gz")
    (tmp_path / "zeros.gz").write_bytes(gzip.compress(bytes(64 << 20)))
    started = time.monotonic()
    with pytest.raises(BadReply, match="zeros without end"):
        answers(tmp_path / "zeros.gz")
    assert time.monotonic() - started < 5


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "Bounds", lambda: Bounds(members=5))
    monkeypatch.setattr(packed, "Bounds", lambda: Bounds(members=5))
    members = [(f"f{number}", b"") for number in range(6)]
    for kind, make in MAKERS.items():
        make(tmp_path / kind, *members)
        with pytest.raises(OverBound, match="more than 5 members"):
            answers(tmp_path / kind)
        (tmp_path / kind).unlink()
        make(tmp_path / kind, *members[:5])
        assert len(answers(tmp_path / kind)) == 5


def test_a_list_of_members_too_long_to_hold_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zip_of(tmp_path / "a.zip", *((f"f{number}", b"") for number in range(100)))
    monkeypatch.setattr(packed, "_DIRECTORY_LIMIT", 1000)
    with pytest.raises(OverBound, match="more members than can be listed"):
        answers(tmp_path / "a.zip")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_cut_anywhere_is_an_error(tmp_path: Path, mode: str) -> None:
    path = tmp_path / f"a.tar{mode[1:].replace(':', '.')}"
    tar_of(path, *((f"file-{number}", bytes([number]) * 700) for number in range(20)), mode=mode)
    data = path.read_bytes()
    end = 20 * 1536 + 1023 if mode == "w" else len(data)
    for cut in (*range(0, end, end // 60), end - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(DeviceError):
            answers(path)


def test_a_tar_cut_within_its_end_marker_is_truncated(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", ("file", b"x"))
    path.write_bytes(path.read_bytes()[:1536])
    with pytest.raises(Truncated):
        answers(path)


def test_a_zip_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    data = zip_of(tmp_path / "a.zip", *((f"file-{number}", bytes([number]) * 700) for number in range(20))).read_bytes()
    for cut in (*range(0, len(data), 37), len(data) - 1):
        (tmp_path / "a.zip").write_bytes(data[:cut])
        with pytest.raises(DeviceError):
            answers(tmp_path / "a.zip")


def test_a_flipped_bit_in_a_zip_member_is_unread_and_never_changed(tmp_path: Path) -> None:
    """zip carries a checksum: a damaged member is damage, not drift."""
    data = zip_of(tmp_path / "a.zip", ("file", bytes(range(256)) * 20), method=zipfile.ZIP_STORED).read_bytes()
    for place in range(40, 5000, 97):
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        (tmp_path / "a.zip").write_bytes(damaged)
        found = answers(tmp_path / "a.zip")
        assert found[b"/file"] == NotRead(b"/file", Reason.BAD_REPLY, "damaged in the archive: Bad CRC-32 for file 'file'")


def test_what_zip_can_hold_that_is_not_read_here(tmp_path: Path) -> None:
    zip_of(tmp_path / "a.zip", ("file", b"x" * 1000), method=zipfile.ZIP_BZIP2)
    found = answers(tmp_path / "a.zip")
    assert found[b"/file"] == NotRead(b"/file", Reason.UNSUPPORTED, "compressed by method 12, not read here")
    (tmp_path / "plain").write_bytes(b"secret")
    run("zip", "-qP", "word", "b.zip", "plain", cwd=tmp_path)
    assert answers(tmp_path / "b.zip")[b"/plain"] == NotRead(b"/plain", Reason.UNSUPPORTED, "encrypted in the archive")


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, target in (("short", b"../x\xff"), ("endless", b"y" * 5000)):
            link = zipfile.ZipInfo(name)
            link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, target)
    found = answers(tmp_path / "a.zip")
    assert isinstance(found[b"/short"], FileEntry)
    assert (found[b"/short"].type, found[b"/short"].target) == (FileType.SYMLINK, b"../x\xff")
    assert found[b"/endless"] == NotRead(b"/endless", Reason.BAD_REPLY, "a link of 5000 bytes", below=True)


def test_names_of_a_zip_are_the_bytes_it_holds(tmp_path: Path) -> None:
    """With and without the UTF-8 flag, and bytes that are neither."""
    (tmp_path / "tree").mkdir()
    for name in (b"Gr\xc3\xbc\xc3\x9fe", b"latin\xe9"):
        with open(bytes(tmp_path / "tree") + b"/" + name, "wb") as file:
            file.write(b"x")
    run("zip", "-qr", "../a.zip", ".", cwd=tmp_path / "tree")
    zip_of(tmp_path / "b.zip", ("Grüße", b"x"))
    assert set(answers(tmp_path / "a.zip")) == {b"/Gr\xc3\xbc\xc3\x9fe", b"/latin\xe9"}
    assert set(answers(tmp_path / "b.zip")) == {b"/Gr\xc3\xbc\xc3\x9fe"}


def test_content_of_hard_links_in_a_tar_is_kept_for_each(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(b"shared")
    (tmp_path / "tree" / "b").hardlink_to(tmp_path / "tree" / "a")
    (tmp_path / "tree" / "same").write_bytes(b"shared")
    run("tar", "-C", tmp_path / "tree", "-czf", tmp_path / "a.tgz", ".")
    found = plain(answers(tmp_path / "a.tgz", tree(keep=("/**",))))
    assert {path: entry.content for path, entry in found.items() if path != b"/"} == {
        b"/a": b"shared",
        b"/b": b"shared",
        b"/same": b"shared",
    }
    with ImageRoute.open(ImageAddress(str(tmp_path / "a.tgz"))) as route:
        assert list(route.ask(ReadFile(b"/b"))) == [Output(b"shared")]


def test_a_tar_that_is_swapped_between_two_questions(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", ("file", b"before"))
    with ImageRoute.open(ImageAddress(str(path))) as route:
        with path.open("r+b") as file:
            file.seek(512)
            file.write(b"after!")
        with pytest.raises(BadReply, match="changed while being read"):
            list(route.ask(tree(keep=("/**",))))


def test_sparse_members_of_a_tar_are_said_to_be_unread(tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    run("tar", "-C", tmp_path, "-Scf", tmp_path / "a.tar", "holes")
    found = answers(tmp_path / "a.tar")
    assert isinstance(found[b"/holes"], NotRead)
    assert found[b"/holes"].reason is Reason.UNSUPPORTED


@pytest.mark.parametrize("name", ["Hoist.project", "Crane.tizip", "backup.arc"])
def test_an_exported_project_that_is_a_zip_is_its_members(tmp_path: Path, name: str) -> None:
    zip_of(tmp_path / name, ("POU/Main.st", b"program"))
    assert set(answers(tmp_path / name)) == {b"/POU/Main.st"}


def test_any_other_file_is_its_own_member(tmp_path: Path) -> None:
    (tmp_path / "Hoist Drive.dcparamsbak").write_bytes(b"\x00parameters" * 1000)
    found = plain(answers(tmp_path / "Hoist Drive.dcparamsbak", tree(keep=("/*",))))
    assert list(found) == [b"/Hoist Drive.dcparamsbak"]
    entry = found[b"/Hoist Drive.dcparamsbak"]
    assert (entry.type, entry.size, entry.mode) == (FileType.REGULAR, 11_000, 0)
    assert entry.content == b"\x00parameters" * 1000
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        (tmp_path / "parameters.bin").write_bytes(pack(b"no archive inside"))
        assert list(answers(tmp_path / "parameters.bin")) == [b"/parameters.bin"]


@pytest.mark.parametrize(
    "name", ["card.img", "card.IMG", "a.tar", "rootfs.squashfs", "a.tar.zst", "card.img.gz", "a.zip", "a.tgz"]
)
def test_a_file_whose_name_promises_a_tree_and_that_holds_none_is_an_error(tmp_path: Path, name: str) -> None:
    content = b"no tree in here" * 1000
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(BadReply, match="holds none of the kinds read here"):
        answers(tmp_path / name)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "project").touch()
    with pytest.raises(BadReply, match="is an empty file"):
        answers(tmp_path / "project")


def test_damage_in_a_compressed_file_is_an_error_even_without_a_telling_name(tmp_path: Path) -> None:
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        data = bytearray(pack(tar_of(tmp_path / "a.tar", ("file", b"x" * 5000)).read_bytes()))
        data[len(data) // 2] ^= 0xFF
        (tmp_path / "backup").write_bytes(data)
        with pytest.raises(DeviceError):
            answers(tmp_path / "backup", WHOLE)


def test_archives_put_together_by_their_compression(tmp_path: Path) -> None:
    """`cat a.xz b.xz` is one stream to every unpacker."""
    data = tar_of(tmp_path / "a.tar", ("file", b"x" * 5000)).read_bytes()
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        (tmp_path / "backup").write_bytes(pack(data[:3000]) + pack(data[3000:]))
        assert plain(answers(tmp_path / "backup"))[b"/file"].size == 5000
