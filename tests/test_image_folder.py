"""A folder is read without following, blocking, changing or believing anything in it."""

from __future__ import annotations

import gc
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.image_fixtures import answers, plain, tree, truth
from verifier.errors import BadReply, Refused, Unreachable, UsageError
from verifier.model.device import ImageAddress
from verifier.model.profile import Bounds
from verifier.model.words import FileType, Reason
from verifier.transport.answer import FileEntry, NotRead
from verifier.transport.offline.folder import Folder
from verifier.transport.offline.route import ImageRoute
from verifier.transport.offline.volume import Lost, LostError, Node
from verifier.transport.offline.walk import Walk


@contextmanager
def ordinary_user() -> Iterator[None]:
    """root may read everything; then these tests run as `nobody`."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A folder every user can reach."""
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_uid == os.geteuid() and above != Path("/"):
            above.chmod(above.stat().st_mode | stat.S_IXOTH | stat.S_IXGRP)
    root = tmp_path / "card"
    root.mkdir()
    root.chmod(0o755)
    (root / "file").write_bytes(b"content")
    answers(root)  # loads all that is imported late, which `nobody` may not be able to read
    return root


def test_what_may_not_be_read_is_said_and_the_rest_is_read(card: Path) -> None:
    (card / "secret").write_bytes(b"x")
    (card / "secret").chmod(0)
    (card / "closed").mkdir()
    (card / "closed" / "inside").write_bytes(b"x")
    (card / "closed").chmod(0)
    (card / "listed").mkdir()
    (card / "listed" / "inside").write_bytes(b"x")
    (card / "listed").chmod(0o444)
    with ordinary_user():
        found = answers(card)
    assert found[b"/secret"] == NotRead(b"/secret", Reason.DENIED, "Permission denied")
    assert found[b"/closed"] == NotRead(b"/closed", Reason.DENIED, "Permission denied", below=True)
    assert found[b"/listed/inside"] == NotRead(b"/listed/inside", Reason.DENIED, "Permission denied", below=True)
    assert isinstance(found[b"/file"], FileEntry)
    assert isinstance(found[b"/"], FileEntry)


def test_a_folder_that_may_not_be_opened_at_all(card: Path) -> None:
    card.chmod(0)
    with ordinary_user(), pytest.raises(Refused, match="may not be read"):
        ImageRoute.open(ImageAddress(str(card)))


def test_a_missing_path_and_a_path_that_is_no_file() -> None:
    with pytest.raises(Unreachable, match="no image /nowhere/card: No such file or directory"):
        ImageRoute.open(ImageAddress("/nowhere/card"))
    with pytest.raises(BadReply, match="is not a file, folder or card"):
        ImageRoute.open(ImageAddress("/dev/null"))


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "card" / "lost+found").mkdir(parents=True)
    with pytest.raises(BadReply, match="opens as an empty folder"):
        ImageRoute.open(ImageAddress(str(tmp_path / "card")))


def test_a_folder_has_no_partitions(card: Path) -> None:
    with pytest.raises(UsageError, match="has no partition 2"):
        ImageRoute.open(ImageAddress(str(card), 2))


def test_a_fifo_does_not_block_and_is_not_opened(card: Path) -> None:
    os.mkfifo(card / "fifo")
    found: list[object] = []
    reading = threading.Thread(target=lambda: found.append(answers(card)), daemon=True)
    reading.start()
    reading.join(10)
    assert not reading.is_alive()
    assert isinstance(found[0], dict)
    assert found[0][b"/fifo"].type is FileType.FIFO


def test_links_are_named_and_never_followed(card: Path) -> None:
    (card / "out").symlink_to("/etc")
    (card / "round").symlink_to(".")
    found = answers(card)
    assert set(found) == {b"/", b"/file", b"/out", b"/round"}
    assert replace(plain(found)[b"/out"], owner=0, group=0) == FileEntry(b"/out", FileType.SYMLINK, 0o777, 0, 0, 0, 0, b"/etc")


def meddled(card: Path, when: str, act: object, monkeypatch: pytest.MonkeyPatch) -> dict[bytes, FileEntry | NotRead]:
    """What is answered when something happens between our own calls of `os.<when>`."""
    real = getattr(os, when)
    done: list[bool] = []

    def call(*args: object, **kwargs: object) -> object:
        result = real(*args, **kwargs)
        if not done and (when != "open" or args[0] == b"file"):
            done.append(True)
            assert callable(act)
            act()
        return result

    volume = Folder(str(card))
    walk = Walk(volume, tree())
    monkeypatch.setattr(os, when, call)
    try:
        return {answer.path: answer for answer in walk.answers() if isinstance(answer, (FileEntry, NotRead))}
    finally:
        monkeypatch.undo()
        volume.close()
        assert done


def test_a_file_that_grows_while_being_read(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = meddled(card, "read", lambda: (card / "file").open("ab").write(b"more"), monkeypatch)
    assert isinstance(found[b"/file"], NotRead)
    assert found[b"/file"].reason in (Reason.UNSTABLE, Reason.BAD_REPLY)


def test_a_file_that_changes_and_keeps_its_size(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = meddled(card, "read", lambda: (card / "file").write_bytes(b"CONTENT"), monkeypatch)
    assert found[b"/file"] == NotRead(b"/file", Reason.UNSTABLE, "changed while being read")


def test_a_file_that_is_cut_while_being_read(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = meddled(card, "open", lambda: os.truncate(card / "file", 3), monkeypatch)
    assert isinstance(found[b"/file"], NotRead)
    assert found[b"/file"].reason is Reason.UNSTABLE


def test_a_file_that_is_swapped_for_another_before_it_is_opened(card: Path) -> None:
    volume = Folder(str(card))
    ((name, node),) = volume.children(volume.root)
    (card / "other").write_bytes(b"CONTENT")
    (card / "other").rename(card / "file")
    assert isinstance(node, Node)
    with pytest.raises(Exception, match="replaced or changed"):
        list(volume.content(node))
    (card / "file").unlink()
    (card / "file").symlink_to("/etc/passwd")
    with pytest.raises(Exception, match="Too many levels of symbolic links"):
        list(volume.content(node))
    assert name == b"file"


def test_a_file_that_vanishes(card: Path) -> None:
    (card / "other").write_bytes(b"x")
    volume = Folder(str(card))
    listing = volume.children(volume.root)
    first, node = next(listing)
    for each in (b"file", b"other"):
        (card / os.fsdecode(each)).unlink()
    assert list(listing) == [({b"file": b"other", b"other": b"file"}[first], Lost(Reason.VANISHED, "No such file or directory"))]
    assert isinstance(node, Node)
    with pytest.raises(LostError) as caught:
        list(volume.content(node))
    assert caught.value.lost.reason is Reason.VANISHED


def test_a_listing_that_changes_while_it_is_read(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = meddled(card, "scandir", lambda: (card / "new").write_bytes(b""), monkeypatch)
    assert found == {b"/": NotRead(b"/", Reason.UNSTABLE, "its list of names changed while being read", below=True)}


def test_reading_leaves_no_trace(card: Path) -> None:
    os.utime(card / "file", (1, 1))
    os.utime(card, (1, 1))
    answers(card)
    assert (card / "file").stat().st_atime == 1
    assert card.stat().st_atime == 1


def open_files() -> int:
    gc.collect()  # what earlier tests left behind is not counted as open before, and closed meanwhile
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_file_stays_open(card: Path) -> None:
    for folder in range(30):
        (card / f"d{folder}" / "e").mkdir(parents=True)
        (card / f"d{folder}" / "e" / "f").write_bytes(b"x")
    before = open_files()
    answers(card, tree(b"/d1/e", b"/d2/none", b"/d3"))
    with ImageRoute.open(ImageAddress(str(card))) as route:
        next(iter(route.ask(tree())))
    assert open_files() == before


def test_large_files_are_read_side_by_side_and_dropped_when_nobody_waits(card: Path) -> None:
    """Files of holes, each a second of hashing; the answers are the same as one after the other."""
    for number in range(8):
        (card / f"large-{number}").touch()
        os.truncate(card / f"large-{number}", (1 << 30) + number)
    before = open_files()
    started = time.monotonic()
    with ImageRoute.open(ImageAddress(str(card))) as route:
        asking = route.ask(tree())
        next(asking)
        asking.close()  # type: ignore[attr-defined]  # a generator, as `yield` makes it
    assert time.monotonic() - started < 8 * 0.7
    assert open_files() == before
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_many_large_files_come_out_right(card: Path) -> None:
    for number in range(12):
        (card / f"large-{number}").write_bytes(bytes([number]) * ((1 << 20) + number))
    assert answers(card, tree(keep=("/large-3",), keep_limit=2 << 20)) == {
        path: replace(entry, content=bytes([3]) * ((1 << 20) + 3)) if path == b"/large-3" else entry
        for path, entry in truth(card).items()
    }
    found = answers(card, tree(bounds=Bounds(bytes=5 << 20)))
    assert sum(isinstance(answer, NotRead) for answer in found.values()) == 8
