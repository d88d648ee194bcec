"""Disk images: what was deleted, cut short, unclean or not understood is never taken for the tree."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import pytest

from tests.image_fixtures import MIB, answers, blank, disk, ext, fat, plain, run, squashfs, tree
from verifier.errors import BadReply, DeviceError, Truncated, Unsupported, UsageError
from verifier.model.device import ImageAddress
from verifier.model.words import FileType
from verifier.transport.answer import NotRead
from verifier.transport.offline.route import ImageRoute
from verifier.transport.offline.source import Medium, Source, medium


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("root") / "fs"
    (top / "boot").mkdir(parents=True)
    for number in range(40):
        (top / "boot" / f"part-{number}.bin").write_bytes(bytes([number]) * (number * 700))
    (top / "boot" / "link").symlink_to("x" * 59)
    (top / "boot" / "longer").symlink_to("y" * 60)
    return top


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, root: Path) -> dict[str, Path]:
    """One image of each kind of file system, 2 MiB or a little more."""
    folder = tmp_path_factory.mktemp("small")
    bare = folder / "bare"
    shutil.copytree(root, bare, symlinks=True)
    for link in ("link", "longer"):
        (bare / "boot" / link).unlink()
    return {
        "ext4": ext(folder / "ext4", root, "ext4", 3 * MIB),
        "ext2": ext(folder / "ext2", root, "ext2", 2 * MIB),
        "fat": fat(folder / "fat", bare, 12, 2 * MIB),
        "squashfs": squashfs(folder / "squashfs", root),
    }


@pytest.mark.parametrize("kind", ["ext4", "ext2", "fat", "squashfs"])
def test_cut_short_anywhere_it_is_an_error_or_unread_and_never_a_smaller_tree(
    small: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    whole = answers(small[kind])
    data = small[kind].read_bytes()
    used = int.from_bytes(data[40:48], "little") if kind == "squashfs" else len(data)
    cuts = [0, 1, 511, 512, 1023, 1024, 1081, 1082, 2048, *range(4096, used, used // 40), used - 512, used - 1]
    for cut in (cut for cut in cuts if cut < used):
        (tmp_path / "card.img").write_bytes(data[:cut])
        try:
            found = answers(tmp_path / "card.img")
        except DeviceError:
            continue
        unread = [path for path, answer in found.items() if isinstance(answer, NotRead)]
        assert unread, cut
        for path, answer in whole.items():
            assert found.get(path) == answer or any(path.startswith(above.rstrip(b"/")) for above in unread), (cut, path)


@pytest.mark.parametrize("kind", ["ext4", "ext2", "fat"])
def test_damage_is_an_error_or_unread_and_never_a_crash(small: dict[str, Path], kind: str, tmp_path: Path) -> None:
    data = small[kind].read_bytes()
    for place in (*range(1024, 1400, 12), *range(0, 512, 20), *range(4096, 40_000, 2043)):
        for value in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
            card = tmp_path / "card"
            card.write_bytes(data[:place] + value + data[place + 4 :])
            try:
                answers(card)
            except (DeviceError, UsageError):
                pass


def test_deleted_files_are_not_members(root: Path, tmp_path: Path) -> None:
    card = ext(tmp_path / "card", root, size=8 * MIB)
    before = set(answers(card))
    run("debugfs", "-w", "-R", "rm /boot/part-7.bin", card)
    assert before - set(answers(card)) == {b"/boot/part-7.bin"}


def test_links_kept_in_the_inode_and_outside(small: dict[str, Path]) -> None:
    found = plain(answers(small["ext4"]))
    assert found[b"/boot/link"].target == b"x" * 59
    assert found[b"/boot/longer"].target == b"y" * 60


@pytest.mark.parametrize("feature", ["inline_data", "encrypt", "casefold"])
def test_a_feature_this_reader_was_not_tried_with_is_refused(root: Path, tmp_path: Path, feature: str) -> None:
    card = ext(tmp_path / "card", root, "ext4", 8 * MIB, "-O", feature)
    with pytest.raises(Unsupported, match="features this reader was not tried with"):
        ImageRoute.open(ImageAddress(str(card)))


def test_an_unclean_file_system_is_noted(small: dict[str, Path], tmp_path: Path) -> None:
    card = Path(shutil.copy(small["ext4"], tmp_path / "card"))
    assert notes(card) == ("read offline: ext4 file system",)
    with card.open("r+b") as file:
        file.seek(1024 + 96)
        features = int.from_bytes(file.read(4), "little")
        file.seek(1024 + 96)
        file.write((features | 4).to_bytes(4, "little"))
    assert "was not unmounted cleanly" in notes(card)[1]
    assert answers(card) == answers(small["ext4"])


def notes(path: Path, partition: int = 0) -> tuple[str, ...]:
    with ImageRoute.open(ImageAddress(str(path), partition)) as route:
        return route.notes


@pytest.mark.parametrize("kind", ["ext4", "fat", "squashfs"])
def test_an_image_that_opens_as_empty_is_an_error(kind: str, tmp_path: Path) -> None:
    (tmp_path / "nothing" / "empty folder").mkdir(parents=True)
    card = tmp_path / "card.img"
    match kind:
        case "ext4":
            ext(card, tmp_path / "nothing", size=4 * MIB)
        case "squashfs":
            squashfs(card, tmp_path / "nothing")
        case _:
            run("mkfs.vfat", "-n", "ONLYLABEL", blank(card, 4 * MIB))
    with pytest.raises(BadReply, match="opens as an empty"):
        ImageRoute.open(ImageAddress(str(card)))


def test_fat_says_that_it_keeps_no_owners(small: dict[str, Path]) -> None:
    assert notes(small["fat"])[1].startswith("FAT keeps no owners and modes")
    assert {entry.mode for entry in plain(answers(small["fat"])).values()} == {0}


def test_several_partitions_have_to_be_named(small: dict[str, Path], tmp_path: Path) -> None:
    card = disk(tmp_path / "card.img", (0x0C, small["fat"]), (0x83, small["ext4"]), (0x82, blank(tmp_path / "swap", MIB)))
    with pytest.raises(UsageError, match="several partitions with files") as caught:
        answers(card)
    for words in (
        "1: Win95 FAT32 (0x0c), 2 MiB, FAT file system",
        "2: Linux (0x83), 3 MiB, ext file system",
        "3: Linux Swap",
        "not read here",
    ):
        assert words in caught.value.hint
    assert answers(card, partition=2) == answers(small["ext4"])
    assert notes(card, 2)[1] == "partition 2 of 3"
    with pytest.raises(Unsupported, match=r"partition 3 .* holds no file system read here"):
        answers(card, partition=3)
    with pytest.raises(UsageError, match="has no partition 4"):
        answers(card, partition=4)


def test_the_only_partition_with_files_needs_no_number(small: dict[str, Path], tmp_path: Path) -> None:
    card = disk(tmp_path / "card", (0x82, blank(tmp_path / "swap", MIB)), (0x83, small["squashfs"]))
    assert answers(card) == answers(small["squashfs"])


def test_no_partition_with_files(tmp_path: Path) -> None:
    card = disk(tmp_path / "card", (0x82, blank(tmp_path / "swap", MIB)))
    with pytest.raises(BadReply, match="no partition with files"):
        answers(card)


def test_a_number_where_there_are_no_partitions(small: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="is a ext file system and has no partition 1"):
        answers(small["ext4"], partition=1)


def test_a_disk_cut_within_its_partition(small: dict[str, Path], tmp_path: Path) -> None:
    whole = disk(tmp_path / "card", (0x83, small["ext4"])).read_bytes()
    for cut in (len(whole) - 4096, 2 * MIB, MIB + 4096, MIB + 100, MIB, 4096, 512):
        (tmp_path / "card").write_bytes(whole[:cut])
        with pytest.raises(DeviceError):
            answers(tmp_path / "card")


def test_logical_partitions_count_from_five(small: dict[str, Path], tmp_path: Path) -> None:
    """An extended partition from sector 2048 with one logical partition in it."""
    inner = 2048 + 2048
    sectors = small["ext4"].stat().st_size // 512
    card = tmp_path / "card"
    with card.open("wb") as file:
        file.seek(446)
        file.write(struct.pack("<B3xB3xII", 0, 0x05, 2048, 2048 + sectors).ljust(64, b"\0") + b"\x55\xaa")
        file.seek(2048 * 512 + 446)
        file.write(struct.pack("<B3xB3xII", 0, 0x83, 2048, sectors).ljust(64, b"\0") + b"\x55\xaa")
        file.seek(inner * 512)
        file.write(small["ext4"].read_bytes())
    assert answers(card, partition=5) == answers(small["ext4"])
    assert answers(card) == answers(small["ext4"])


def test_gpt(small: dict[str, Path], tmp_path: Path) -> None:
    card = blank(tmp_path / "card", 16 * MIB)
    linux = bytes.fromhex("af3dc60f838472478e793d69d8477de4")
    parts = ((2048, small["fat"]), (8192, small["ext4"]))
    table = b"".join(
        struct.pack("<16s16sQQQ72s", linux, bytes([n]) * 16, at, at + 8191, 0, b"") for n, (at, _) in enumerate(parts, 1)
    )
    table = table.ljust(128 * 128, b"\0")
    sectors = 16 * MIB // 512

    def header(check: int) -> bytes:
        start = struct.pack("<8sIIIIQQQQ", b"EFI PART", 0x10000, 92, check, 0, 1, sectors - 1, 34, sectors - 34)
        return start + struct.pack("<16sQIII", b"d" * 16, 2, 128, 128, zlib.crc32(table))

    with card.open("r+b") as file:
        file.seek(446)
        file.write(struct.pack("<B3xB3xII", 0, 0xEE, 1, sectors - 1).ljust(64, b"\0") + b"\x55\xaa")
        file.write(header(zlib.crc32(header(0))).ljust(512, b"\0") + table)
        for at, part in parts:
            file.seek(at * 512)
            file.write(part.read_bytes())
    assert answers(card, partition=1) == answers(small["fat"])
    assert answers(card, partition=2) == answers(small["ext4"])


def test_what_a_file_is_told_by_its_content(small: dict[str, Path], tmp_path: Path) -> None:
    def told(path: Path) -> Medium:
        source = Source.open(str(path))
        try:
            return medium(source)
        finally:
            source.close()

    assert {kind: told(path) for kind, path in small.items()} == {
        "ext4": Medium.EXT,
        "ext2": Medium.EXT,
        "fat": Medium.FAT,
        "squashfs": Medium.SQUASHFS,
    }
    assert told(disk(tmp_path / "card", (0x83, small["ext4"]))) is Medium.PARTITIONED
    (tmp_path / "text").write_bytes(b"BZh is how this text begins\n" * 100)
    assert told(tmp_path / "text") is Medium.OTHER


def test_a_file_of_a_fat_card_is_found_by_the_name_it_has(small: dict[str, Path]) -> None:
    found = answers(small["fat"], tree(b"/boot/part-3.bin"))
    assert found[b"/boot/part-3.bin"].type is FileType.REGULAR  # type: ignore[union-attr]  # an unread one has no type and fails
    assert answers(small["fat"], tree(b"/BOOT/PART-3.BIN")) == {}


def test_truncated_says_how_much_is_missing(small: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "card").write_bytes(small["ext4"].read_bytes()[: 2 * MIB])
    with pytest.raises(Truncated, match="the image ends at 2097152 bytes, the ext file system in it at 3145728"):
        answers(tmp_path / "card")
