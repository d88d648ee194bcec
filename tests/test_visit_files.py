"""What somebody brings to a visit: the vendor's package, read and never unpacked; the checklist; and drafts that were left."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.compare_values import DEVICE, files, snapshot
from tests.visit_values import OFF
from verifier.errors import SettingsError
from verifier.model.device import DeviceName
from verifier.model.visit import Check, Side
from verifier.record.drafts import Drafts
from verifier.settings import package as packages
from verifier.settings.checklist import load_checklist
from verifier.settings.package import PackageFile, read_package

CONTENTS = {"app/main.bin": b"firmware 3.2", "app/read me.txt": b"", "caf\u00e9": b"x"}
FILES = tuple(PackageFile(name, hashlib.sha256(CONTENTS[name]).hexdigest()) for name in sorted(CONTENTS))
LINK = PackageFile("current", "app")


def folder(path: Path) -> Path:
    for name, data in CONTENTS.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    (path / "current").symlink_to("app")
    return path


def tar(path: Path, mode: str = "w:gz", **more: bytes) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # any of its modes
        for name, data in (CONTENTS | more).items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        entry = tarfile.TarInfo("current")
        entry.type, entry.linkname = tarfile.SYMTYPE, "app"
        archive.addfile(entry)
    return path


def zipped(path: Path, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("app")
        for name, data in (CONTENTS | more).items():
            archive.writestr(name, data)
        link = zipfile.ZipInfo("current")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "app")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        read_package(path)
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def test_a_package_is_the_same_however_it_is_packed(tmp_path: Path) -> None:
    wanted = tuple(sorted((*FILES, LINK), key=lambda each: each.path))
    found = [
        read_package(folder(tmp_path / "folder")),
        read_package(tar(tmp_path / "a.tgz")),
        read_package(tar(tmp_path / "a.tar", "w:")),
        read_package(tar(tmp_path / "a.txz", "w:xz")),
        read_package(zipped(tmp_path / "a.zip")),
    ]
    assert [each.files for each in found] == [wanted] * 5
    assert found[1].sha256 == hashlib.sha256((tmp_path / "a.tgz").read_bytes()).hexdigest()
    assert found[0] == read_package(folder(tmp_path / "copy"))
    (tmp_path / "copy/caf\u00e9").write_bytes(b"y")
    assert found[0].sha256 != read_package(tmp_path / "copy").sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "a.tgz", "a.txz", "a.zip", "copy", "folder"]


def test_a_hard_link_has_the_content_of_its_file(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:") as archive:
        entry = tarfile.TarInfo("one")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
        entry = tarfile.TarInfo("two")
        entry.type, entry.linkname = tarfile.LNKTYPE, "one"
        archive.addfile(entry)
    one, two = read_package(tmp_path / "a.tar").files
    assert one.value == two.value == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../b", "a\\b"])
def test_what_would_lie_outside_is_refused(tmp_path: Path, name: str) -> None:
    assert "lies outside" in refusal(zipped(tmp_path / "a.zip", **{name: b""}))
    with tarfile.open(tmp_path / "a.tar", "w:") as archive:
        archive.addfile(tarfile.TarInfo(name))
    assert "lies outside" in refusal(tmp_path / "a.tar")


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:") as archive:
        for name in ("a", "./a"):
            archive.addfile(tarfile.TarInfo(name))
    assert "holds a twice" in refusal(tmp_path / "a.tar")


def test_a_name_that_is_no_text_has_its_printable_form(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (Path(os.fsdecode(os.fsencode(tmp_path / "folder") + b"/\xff\n"))).write_bytes(b"")
    assert [each.path for each in read_package(tmp_path / "folder").files] == ["\\xff\\x0a"]


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no file" in refusal(tmp_path / "empty")
    (tmp_path / "text").write_text("hello")
    assert "neither a folder nor" in refusal(tmp_path / "text")
    assert "cannot be read" in refusal(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "empty/pipe")
    assert "holds no file" in refusal(tmp_path / "empty")


@pytest.mark.parametrize("make", [tar, zipped])
def test_a_damaged_archive_is_refused_or_declares_less(tmp_path: Path, make: object) -> None:
    whole = (tar(tmp_path / "a") if make is tar else zipped(tmp_path / "a")).read_bytes()
    for at in range(0, len(whole), 7):
        (tmp_path / "b").write_bytes(whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :])
        try:
            read_package(tmp_path / "b")
        except SettingsError as error:
            assert error.hint  # some bytes, such as times, change nothing
        (tmp_path / "b").write_bytes(whole[:at])
        assert set(declared(tmp_path / "b")) <= {*FILES, LINK}


def declared(path: Path) -> tuple[PackageFile, ...]:
    """What is cut declares less, and never anything else."""
    try:
        return read_package(path).files
    except SettingsError:
        return ()


def test_a_package_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MOST_BYTES", 1 << 20)
    for path in (tar(tmp_path / "a.tgz", bomb=bytes(2 << 20)), zipped(tmp_path / "a.zip", bomb=bytes(2 << 20))):
        assert path.stat().st_size < 20_000
        assert "unpacked" in refusal(path)
    monkeypatch.setattr(packages, "MOST_FILES", 2)
    assert "more than 2 files" in refusal(folder(tmp_path / "folder"))


# The checklist


def test_a_checklist(tmp_path: Path) -> None:
    (tmp_path / "door.jpg").write_bytes(b"photo")
    path = tmp_path / "list.yaml"
    path.write_text(
        "checks:\n  - {question: Seals whole?, answer: all eight}\n"
        "  - {question: USB sticks?, answer: one, note: taken away, photos: [door.jpg]}\n"
    )
    assert load_checklist(path) == (
        Check("Seals whole?", "all eight"),
        Check("USB sticks?", "one", "taken away", (hashlib.sha256(b"photo").hexdigest(),)),
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("checks: []\n", 1),
        ("checks:\n  - {question: Seals?, answer: yes}\n", 2),
        ("checks:\n  - {question: Seals?}\n", 2),
        ("checks:\n  - {question: Seals?, answer: all, photo: [x]}\n", 2),
        ("checks:\n  - {question: Seals?, answer: all, photos: [missing.jpg]}\n", 0),
        ("checks:\n  - {question: Seals?, answer: all, photos: [.]}\n", 0),
        ("", 0),
    ],
)
def test_a_checklist_is_read_strictly(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_checklist(path)
    assert caught.value.line in (line, 1)


def test_a_photo_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(f"checks:\n  - {{question: Seals?, answer: all, photos: [{'x' * 300}]}}\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_checklist(path)


# Drafts


def test_a_draft_is_there_until_it_is_dropped(tmp_path: Path) -> None:
    drafts, side = Drafts(tmp_path / "drafts/visits"), Side(DEVICE, snapshot(files(a="1")))
    assert drafts.side("open-1", DEVICE) is None
    drafts.drop("open-1")
    drafts.keep("open-1", side)
    drafts.keep("open-1", Side(DeviceName("a", "b", "c"), OFF))
    assert drafts.side("open-1", DEVICE) == side
    assert drafts.side("open-2", DEVICE) is None
    drafts.drop("open-1")
    assert drafts.side("open-1", DEVICE) is None
    assert list((tmp_path / "drafts/visits").iterdir()) == []


def test_a_draft_that_is_damaged_or_of_another_device_is_none(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    drafts.keep("open-1", Side(DEVICE, OFF))
    (path,) = tmp_path.rglob("*.json")
    whole = path.read_bytes()
    for data in (b"", whole[:-2], whole.replace(b"hoist-controller", b"another")):
        path.write_bytes(data)
        assert drafts.side("open-1", DEVICE) is None
    path.write_bytes(whole)
    assert drafts.side("open-1", DEVICE) == Side(DEVICE, OFF)
    (path.parent / "somebody's.txt").write_text("not ours")
    drafts.drop("open-1")
    assert (path.parent / "somebody's.txt").exists()
