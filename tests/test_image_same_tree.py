"""One tree, in every kind of folder, archive and image: the same members, metadata and digests as Python's own walk."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.image_fixtures import answers, disk, ext, fat, plain, run, squashfs, tree, truth
from tests.trees import FIRMWARE, build_hard_tree
from verifier.errors import Unsupported
from verifier.model.device import ImageAddress
from verifier.model.words import Evidence, FileType
from verifier.transport.answer import FileEntry
from verifier.transport.offline.route import ImageRoute


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hard") / "tree"
    build_hard_tree(root)
    return root


def timeless(found: dict[bytes, FileEntry]) -> dict[bytes, FileEntry]:
    return {path: replace(entry, mtime=0) for path, entry in found.items()}


def without(found: dict[bytes, FileEntry], *types: FileType) -> dict[bytes, FileEntry]:
    return {path: entry for path, entry in found.items() if entry.type not in types}


def test_a_folder_times_included(hard: Path) -> None:
    found = answers(hard, tree())
    assert found == truth(hard)
    assert len(found) > 100
    if all(blob.exists() for blob in FIRMWARE):
        assert b"/firmware/" + FIRMWARE[0].name.encode() in found


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4"])
def test_ext(hard: Path, tmp_path: Path, kind: str) -> None:
    image = ext(tmp_path / "card", hard, kind, 48 << 20, "-I", "256")
    found = answers(image)
    assert plain(found) == timeless(truth(hard))
    for path, entry in truth(hard).items():
        if path != b"/" and 0 <= entry.mtime < 1 << 31:
            assert found[path] == entry


@pytest.mark.parametrize(
    "options", [("-b", "1024"), ("-b", "2048"), ("-O", "^extent,^64bit"), ("-O", "^has_journal"), ("-I", "128")]
)
def test_ext4_in_other_layouts(hard: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    """The longest link of the tree fits blocks of 4 KiB only."""
    root = tmp_path / "tree"
    shutil.copytree(hard / "links", root, symlinks=True)
    (root / "very long").unlink()
    shutil.copytree(hard / "sizes", root / "sizes")
    run("mkfs.ext4", "-q", *options, "-d", root, tmp_path / "card", "24M")
    assert plain(answers(tmp_path / "card"))[b"/good"].target == b"first"
    assert without(plain(answers(tmp_path / "card")), FileType.DIRECTORY) == without(timeless(truth(root)), FileType.DIRECTORY)


@pytest.mark.parametrize("compression", ["gzip", "xz"])
def test_squashfs(hard: Path, tmp_path: Path, compression: str) -> None:
    assert plain(answers(squashfs(tmp_path / "rootfs", hard, compression))) == timeless(truth(hard))


def test_squashfs_with_other_blocks(hard: Path, tmp_path: Path) -> None:
    for name, options in (
        ("small", ("-b", "4K")),
        ("large", ("-b", "1M")),
        ("bare", ("-noI", "-noD", "-noF")),
        ("whole", ("-no-fragments",)),
    ):
        assert plain(answers(squashfs(tmp_path / name, hard, "gzip", *options))) == timeless(truth(hard)), name


def test_squashfs_zstd_is_read_or_refused_and_never_empty(hard: Path, tmp_path: Path) -> None:
    image = squashfs(tmp_path / "rootfs", hard, "zstd")
    if importlib.util.find_spec("zstandard"):
        assert plain(answers(image)) == timeless(truth(hard))
    else:
        with pytest.raises(Unsupported, match="compressed with zstd, and the Python module for it is not installed"):
            answers(image)


@pytest.mark.parametrize("form", ["gnu", "pax"])
@pytest.mark.parametrize(("flag", "name"), [("", "a.tar"), ("-z", "a.tar.gz"), ("-j", "a.tar.bz2"), ("-J", "a.tar.xz")])
def test_tar(hard: Path, tmp_path: Path, form: str, flag: str, name: str) -> None:
    """tar leaves sockets out."""
    options = [flag] if flag else []
    run("tar", "-C", hard, f"--format={form}", "--exclude=./socket", *options, "-cf", tmp_path / name, ".")
    assert answers(tmp_path / name, tree()) == without(truth(hard), FileType.SOCKET)


def test_tar_ustar_and_old(hard: Path, tmp_path: Path) -> None:
    """What fits into the oldest headers: names of 100 bytes, owners of 7 octal digits. No folder entries are invented."""
    for form in ("ustar", "v7"):
        run("tar", "-C", hard, f"--format={form}", "-cf", tmp_path / form, "sizes", "links/first", "links/second", "links/good")
        expected = {
            path: entry
            for path, entry in truth(hard).items()
            if path.startswith((b"/sizes", b"/links/first", b"/links/second", b"/links/good"))
        }
        assert answers(tmp_path / form, tree()) == expected


def test_zip(hard: Path, tmp_path: Path) -> None:
    """zip keeps neither owners nor special files, and not its own top."""
    run("zip", "-qry", tmp_path / "a.zip", *(each.name for each in hard.iterdir() if each.is_dir()), cwd=hard)
    expected = {
        path: replace(entry, owner=0, group=0)
        for path, entry in timeless(truth(hard)).items()
        if path.count(b"/") > 1 or entry.type is FileType.DIRECTORY
    }
    del expected[b"/"]
    assert plain(answers(tmp_path / "a.zip")) == expected


@pytest.mark.parametrize(("bits", "size"), [(12, 12 << 20), (16, 20 << 20), (32, 40 << 20)])
def test_fat(hard: Path, tmp_path: Path, bits: int, size: int) -> None:
    """Names and contents; FAT has nothing else. Label, tables and deleted files are not members."""
    root = tmp_path / "tree"
    shutil.copytree(hard / "sizes", root / "Sizes")
    (root / "UPPER.TXT").write_bytes(b"upper")
    (root / "lower.txt").write_bytes(b"lower")
    (root / "Mixed Case, long name and Ünïcode.cfg").write_bytes(b"long")
    (root / "$MBR").write_bytes(b"a file that is only called so")
    (root / "X (Volume Label Entry)").write_bytes(b"")
    (root / "gone.bin").write_bytes(b"deleted below")
    (root / "Empty").mkdir()
    image = fat(tmp_path / "card", root, bits, size)
    run("mdel", "-i", image, "::/gone.bin")
    (root / "gone.bin").unlink()
    expected = {path: replace(entry, mode=0, owner=0, group=0) for path, entry in timeless(truth(root)).items()}
    assert plain(answers(image)) == expected


def test_each_partition_of_a_disk(hard: Path, tmp_path: Path) -> None:
    boot, root = tmp_path / "boot", tmp_path / "root"
    boot.mkdir()
    (boot / "kernel.bin").write_bytes(os.urandom(5000))
    shutil.copytree(hard / "links", root, symlinks=True)
    card = disk(
        tmp_path / "card",
        (0x0C, fat(tmp_path / "b", boot)),
        (0x83, ext(tmp_path / "r", root, size=8 << 20)),
        (0x83, squashfs(tmp_path / "s", root)),
    )
    assert list(plain(answers(card, partition=1))) == [b"/kernel.bin", b"/"]
    for number in (2, 3):
        assert without(plain(answers(card, partition=number)), FileType.DIRECTORY) == without(
            timeless(truth(root)), FileType.DIRECTORY
        )


def test_an_image_is_offline_media_and_says_how_it_was_read(hard: Path, tmp_path: Path) -> None:
    run("tar", "-C", hard, "-cf", tmp_path / "a.tar", "sizes")
    with ImageRoute.open(ImageAddress(str(tmp_path / "a.tar"))) as route:
        assert route.evidence is Evidence.OFFLINE_MEDIA
        assert route.notes == ("read offline: tar archive",)
        assert route.facts == ()
        list(route.ask(tree(b"/sizes", exclude=("/sizes/0",))))
        assert route.transcript.lines == ["open tar archive", "read-tree /sizes exclude=/sizes/0"]
        assert route.transcript.bytes_received > 5 << 20
