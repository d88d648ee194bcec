"""squashfs: what the library does today that we rest on, and what a damaged or hostile image may not do to us."""

from __future__ import annotations

import importlib
import io
import lzma
import os
import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.image_fixtures import answers, plain, squashfs, tree
from verifier.errors import BadReply, DeviceError, Truncated, Unsupported
from verifier.model.device import ImageAddress
from verifier.model.words import Reason
from verifier.transport.answer import FileEntry, NotRead
from verifier.transport.offline import squashfs as reader
from verifier.transport.offline.route import ImageRoute


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("root") / "fs"
    (top / "etc").mkdir(parents=True)
    for number in range(300):
        (top / "etc" / f"setting-{number}").write_bytes(os.urandom(number))
    (top / "big").write_bytes(os.urandom(300_000))
    with (top / "holes").open("wb") as file:
        file.write(b"start")
        file.seek(1 << 20)
        file.write(b"end")
    (top / "only-hole").touch()
    os.truncate(top / "only-hole", 400_000)
    (top / os.fsdecode(b"name\xff")).write_bytes(b"not UTF-8")
    return top


def test_a_name_that_is_not_utf8_blinds_the_library_and_not_us(root: Path, tmp_path: Path) -> None:
    """The reason for going round its own scan. When this fails, the library has learned it, and the detour may go."""
    library: Any = importlib.import_module("PySquashfsImage")
    image = squashfs(tmp_path / "rootfs", root)
    with pytest.raises(UnicodeDecodeError):
        library.SquashFsImage.from_file(str(image))
    assert plain(answers(image))[b"/name\xff"].size == 9


@pytest.mark.parametrize(
    "name", ["_read_super", "_read_uids_guids", "_read_fragment_table", "_opendir", "_read_inode", "iter_file", "_read_metadata"]
)
def test_the_parts_of_the_library_that_we_rest_on_are_there(name: str) -> None:
    library: Any = importlib.import_module("PySquashfsImage")
    assert callable(getattr(library.SquashFsImage, name))


def test_zstd_without_its_module_is_refused_and_not_empty(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = squashfs(tmp_path / "rootfs", root, "zstd")

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(reader.importlib, "import_module", missing)  # type: ignore[attr-defined]  # the module's own name for it
    with pytest.raises(Unsupported, match="zstd, and the Python module for it is not installed") as caught:
        ImageRoute.open(ImageAddress(str(image)))
    assert "pip install zstandard" in caught.value.hint


@pytest.mark.parametrize("compression", ["lzo", "lz4"])
def test_compressions_nobody_has_tried_here_are_refused(root: Path, tmp_path: Path, compression: str) -> None:
    image = squashfs(tmp_path / "rootfs", root, compression)
    with pytest.raises(Unsupported, match=f"compressed with {compression}, not read here"):
        ImageRoute.open(ImageAddress(str(image)))


@pytest.mark.parametrize("compression", ["gzip", "xz"])
def test_damage_anywhere_is_an_error_or_unread_or_another_digest(root: Path, tmp_path: Path, compression: str) -> None:
    image = squashfs(tmp_path / "rootfs", root, compression)
    data, whole = image.read_bytes(), answers(image)
    chance = random.Random(7)
    outcomes = set()
    for _ in range(100):
        damaged = bytearray(data)
        place = chance.choice((chance.randrange(96), chance.randrange(len(data))))
        damaged[place] ^= 1 << chance.randrange(8)
        (tmp_path / "damaged.sqfs").write_bytes(damaged)
        try:
            found = answers(tmp_path / "damaged.sqfs")
        except DeviceError:
            outcomes.add("error")
            continue
        unread = [path for path, answer in found.items() if isinstance(answer, NotRead)]
        outcomes.add("unread" if unread else "same" if found == whole else "other")
    assert {"error", "unread"} <= outcomes


def test_cut_short_it_says_so(root: Path, tmp_path: Path) -> None:
    data = squashfs(tmp_path / "rootfs", root).read_bytes()
    used = int.from_bytes(data[40:48], "little")
    (tmp_path / "rootfs").write_bytes(data[: used - 1])
    with pytest.raises(Truncated, match=f"the image ends at {used - 1} bytes, the squashfs file system in it at {used}"):
        answers(tmp_path / "rootfs")
    (tmp_path / "rootfs").write_bytes(data[:used])
    assert len(answers(tmp_path / "rootfs")) > 300


def test_a_block_that_expands_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zlib.compress(bytes(64 << 20))
    with pytest.raises(ValueError, match="a block of more than 131072 bytes"):
        reader._Gzip().uncompress(bomb, len(bomb), 131072)
    bomb = lzma.compress(bytes(64 << 20), lzma.FORMAT_XZ, preset=0)
    with pytest.raises(ValueError, match="a block of more than 131072 bytes"):
        reader._Xz().uncompress(bomb, len(bomb), 131072)
    for whole in (zlib.compress(b"x" * 1000), lzma.compress(b"x" * 1000, lzma.FORMAT_XZ)):
        expand = reader._Gzip() if whole[0] == 0x78 else reader._Xz()
        assert expand.uncompress(whole, len(whole), 131072) == b"x" * 1000
        with pytest.raises(ValueError, match="ends before its end"):
            expand.uncompress(whole[:-1], len(whole) - 1, 131072)


def test_an_xz_block_that_asks_for_too_much_memory_is_refused() -> None:
    wide = lzma.compress(b"x", lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 27}])
    with pytest.raises(lzma.LZMAError):
        reader._Xz().uncompress(wide, len(wide), 131072)


@pytest.mark.parametrize(
    ("offset", "value"),
    [(12, (1 << 21).to_bytes(4, "little")), (12, bytes(4)), (22, b"\x0c\x00"), (32, b"\xff" * 8), (28, b"\x03\x00")],
)
def test_a_super_block_that_makes_no_sense(root: Path, tmp_path: Path, offset: int, value: bytes) -> None:
    data = squashfs(tmp_path / "rootfs", root).read_bytes()
    (tmp_path / "rootfs").write_bytes(data[:offset] + value + data[offset + len(value) :])
    with pytest.raises(BadReply, match="squashfs file system cannot be opened"):
        answers(tmp_path / "rootfs")


def test_a_file_that_claims_more_than_there_is(root: Path, tmp_path: Path) -> None:
    """The size in an inode raised: the blocks behind it do not give so many bytes."""
    image = squashfs(tmp_path / "rootfs", root, "gzip", "-noI", "-no-fragments")
    data = image.read_bytes()
    size = (300_000).to_bytes(4, "little")
    assert data.count(size) == 1
    image.write_bytes(data.replace(size, (300_000 + 50_000).to_bytes(4, "little")))
    found = answers(image, tree(b"/big"))
    assert isinstance(found[b"/big"], NotRead)
    assert found[b"/big"].reason in (Reason.TRUNCATED, Reason.BAD_REPLY)


def test_metadata_without_end_is_refused() -> None:
    image = reader._Image.__new__(reader._Image)
    with pytest.raises(ValueError, match="bytes of metadata at once"):
        image._read_metadata({}, 0, 0, 1 << 30)
    recent = reader._Recent()
    for block in range(10_000):
        recent[block] = {}
    assert len(recent) == reader._REMEMBERED


def test_folders_inside_folders_do_not_add_up_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing takes twenty times its bytes in memory, and an image of a few bytes may hold a folder that holds itself."""
    top = tmp_path / "fs"
    for path in ("a/b/c/d", "a/b2"):
        (top / path).mkdir(parents=True)
        (top / path / "file").write_bytes(b"f")
    image = squashfs(tmp_path / "rootfs", top)
    everything = plain(answers(image))
    assert {b"/a/b/c/d/file", b"/a/b2/file"} <= everything.keys()
    monkeypatch.setattr(reader, "_LISTINGS", 100)
    found = answers(image)
    unread = [each for each in found.values() if isinstance(each, NotRead)]
    assert [(each.reason, each.below) for each in unread] == [(Reason.BOUND, True)]
    assert unread[0].path.startswith(b"/a/b/")
    assert isinstance(found[b"/a/b2/file"], FileEntry), "what is closed counts no more"


def test_the_same_from_a_stream_of_bytes(root: Path, tmp_path: Path) -> None:
    """Nothing is taken from the name or the place of the file."""
    image = squashfs(tmp_path / "rootfs", root)
    copy = tmp_path / "no ending"
    copy.write_bytes(io.BytesIO(image.read_bytes()).getvalue())
    assert answers(copy) == answers(image)
    assert isinstance(answers(copy)[b"/etc"], FileEntry)
