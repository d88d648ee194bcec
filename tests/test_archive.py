"""The archive reader, held against Python's tarfile, GNU tar and busybox tar, and against archives that nobody honest writes."""

from __future__ import annotations

import hashlib
import io
import math
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trees import build_hard_tree, walk
from verifier.errors import BadReply, DeviceError, OverBound, Truncated
from verifier.model.words import FileType, Reason
from verifier.transport.answer import FileEntry, NotRead
from verifier.transport.archive.header import absolute, header, records
from verifier.transport.archive.reader import read_archive

END = bytes(1024)


def sliced(data: bytes, length: int) -> Iterator[bytes]:
    for at in range(0, len(data), length):
        yield data[at : at + length]


def entries(data: bytes, keep: bool = False, length: int = 1 << 15) -> list[FileEntry | NotRead]:
    return list(read_archive(sliced(data, length), lambda path, size: keep))


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "", **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    for field, value in more.items():
        setattr(info, field, value)
    return info


Format = Literal[0, 1, 2]
FORMATS: tuple[Format, ...] = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def blocks(info: tarfile.TarInfo, content: bytes = b"", form: Format = tarfile.GNU_FORMAT) -> bytes:
    return info.tobuf(form, "utf-8", "surrogateescape") + content + bytes(-len(content) % 512)


def oracle(data: bytes) -> list[FileEntry]:
    """The same archive by tarfile."""
    types = {
        tarfile.DIRTYPE: FileType.DIRECTORY,
        tarfile.SYMTYPE: FileType.SYMLINK,
        tarfile.FIFOTYPE: FileType.FIFO,
        tarfile.CHRTYPE: FileType.CHARACTER,
        tarfile.BLKTYPE: FileType.BLOCK,
    }
    found = []
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        for info in archive:
            path = absolute(info.name.encode("utf-8", "surrogateescape"))
            kind = types.get(info.type, FileType.REGULAR)
            size, digest = 0, ""
            if kind is FileType.REGULAR:
                content = archive.extractfile(info)
                assert content
                body = content.read()
                size, digest = len(body), hashlib.sha256(body).hexdigest()
            if kind in (FileType.CHARACTER, FileType.BLOCK):
                size = info.devmajor << 20 | info.devminor
            target = info.linkname.encode("utf-8", "surrogateescape") if kind is FileType.SYMLINK else b""
            found.append(FileEntry(path, kind, info.mode, info.uid, info.gid, size, math.floor(info.mtime), target, digest))
    return found


# Names as tarfile takes them: text that may hold stray bytes. No part is `.` or `..`, and USTAR cannot hold every long name.
part = st.one_of(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.binary(min_size=1, max_size=12).map(lambda raw: raw.translate(None, b"/\0").decode("utf-8", "surrogateescape")),
    st.integers(90, 140).map(lambda length: "n" * length),
).filter(lambda text: text not in ("", ".", ".."))
name = st.lists(part, min_size=1, max_size=4).map(lambda parts: "./" + "/".join(parts))
number = st.one_of(st.integers(0, 0o7777777), st.integers(0, 2**32))


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Any archive that tarfile writes: kinds, formats, long and strange names, large numbers, hard links."""
    form = draw(st.sampled_from(FORMATS))
    data = b""
    files: list[str] = []
    for each in draw(st.lists(name, unique=True, max_size=6)):
        kind = draw(st.sampled_from((b"0", b"\0", b"7", b"1", b"2", b"3", b"4", b"5", b"6")))
        if kind == b"\0" and len(each.encode("utf-8", "surrogateescape")) >= 100:
            kind = b"0"  # tarfile takes an old-style file for a folder where a long name, cut to 100 bytes, ends in a slash
        content = draw(st.binary(max_size=1300)) if kind in b"07\0" else b""
        link = draw(name) if kind == b"2" else ""
        if kind == b"1":
            if not files:
                continue
            link = draw(st.sampled_from(files))
        time_value = draw(st.integers(0, 2**34)) / 4 if form == tarfile.PAX_FORMAT else draw(number)
        info = member(each, kind, len(content), link, mode=draw(st.integers(0, 0o7777)), uid=draw(number), gid=draw(number))
        info.mtime, info.devmajor, info.devminor = time_value, draw(st.integers(0, 4000)), draw(st.integers(0, 0o777777))
        try:
            data += blocks(info, content, form)
        except (ValueError, UnicodeEncodeError):
            continue  # USTAR cannot say it
        if kind in b"07\0":
            files.append(each)
    return data + END


@given(archives(), st.integers(1, 3000))
@settings(max_examples=300, deadline=None)
def test_whatever_tarfile_writes_reads_the_same(data: bytes, length: int) -> None:
    assert entries(data, length=length) == oracle(data)


@given(archives(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_cut_archive_never_ends_well(data: bytes, drawn: st.DataObject) -> None:
    cut = drawn.draw(st.integers(0, len(data) - 1))
    with pytest.raises((Truncated, BadReply)):
        entries(data[:cut])


def test_a_small_archive_cut_at_every_offset_never_ends_well() -> None:
    data = (
        blocks(member("./a", size=3), b"abc")
        + blocks(member("./" + "long/" * 40, tarfile.DIRTYPE))
        + blocks(member("./p" * 60, size=600), b"p" * 600, tarfile.PAX_FORMAT)
        + blocks(member("./l", tarfile.SYMTYPE, link="t" * 150))
        + blocks(member("./h", tarfile.LNKTYPE, link="./a"))
        + END
    )
    assert len(entries(data)) == 5
    for cut in range(len(data)):
        with pytest.raises((Truncated, BadReply)):
            entries(data[:cut])


def test_a_cut_in_the_padding_is_seen_where_the_record_is_known() -> None:
    data = blocks(member("./a")) + bytes(10240 - 512)
    assert len(list(read_archive([data], record=10240))) == 1
    for cut in (1536, 2048, 10239):
        with pytest.raises(Truncated):
            list(read_archive([data[:cut]], record=10240))


def test_a_flipped_bit_in_a_header_never_passes() -> None:
    """Nor one in a content: the digest is another."""
    data = blocks(member("./a", size=3, mtime=1_700_000_000), b"abc") + blocks(member("./b", tarfile.SYMTYPE, link="a")) + END
    honest = entries(data)
    for place in range(3 * 512 * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        offset = place // 8
        if 512 <= offset < 1024:
            assert (entries(bytes(flipped)) == honest) == (offset >= 515)
        elif offset % 512 in range(148, 156):
            continue  # spaces and zeros around the checksum itself mean nothing
        else:
            with pytest.raises(BadReply):
                entries(bytes(flipped))


@given(archives(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_flipped_bit_is_never_an_error_that_is_not_ours(data: bytes, drawn: st.DataObject) -> None:
    place = drawn.draw(st.integers(0, len(data) * 8 - 1))
    flipped = bytearray(data)
    flipped[place // 8] ^= 1 << place % 8
    try:
        entries(bytes(flipped))
    except DeviceError:
        pass


@given(st.one_of(st.binary(max_size=3000), st.binary(max_size=600).map(lambda raw: raw + END)))
@settings(max_examples=100, deadline=None)
def test_garbage_is_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(DeviceError):
        if entries(data) == []:
            raise BadReply("nothing but zeros is an empty archive")


@given(st.binary(min_size=512, max_size=512), st.sampled_from(b"01234567LKxgSVDM\0"))
@settings(max_examples=300, deadline=None)
def test_garbage_with_a_right_checksum_is_an_error_of_ours(raw: bytes, kind: int) -> None:
    block = bytearray(raw)
    block[156] = kind
    try:
        entries(summed(block) + END)
    except DeviceError:
        pass


def summed(block: bytearray) -> bytes:
    """A header with its checksum put right."""
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def patched(info: tarfile.TarInfo, at: int, text: bytes) -> bytes:
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[at : at + len(text)] = text
    return summed(block)


def real_archive(folder: Path, *command: str) -> list[FileEntry | NotRead]:
    done = subprocess.run([*command, "-C", "/", "--", "." + str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return entries(done.stdout)


@pytest.mark.parametrize("form", ["gnu", "oldgnu", "pax", "posix"])
def test_real_gnu_tar(tmp_path: Path, form: str) -> None:
    build_hard_tree(tmp_path / "tree")
    found = real_archive(tmp_path / "tree", "tar", "-c", "-f", "-", f"--format={form}")
    expected = {path: entry for path, entry in walk(tmp_path / "tree").items() if entry.type is not FileType.SOCKET}
    assert {entry.path: entry for entry in found} == expected


def test_real_busybox_tar(tmp_path: Path) -> None:
    """Its owners have 24 bits and its times start in 1970; all else is as Python's walk has it."""
    build_hard_tree(tmp_path / "tree")
    found = real_archive(tmp_path / "tree", "busybox", "tar", "-c", "-f", "-")
    expected = {
        path: FileEntry(path, e.type, e.mode, e.owner & 0xFFFFFF, e.group & 0xFFFFFF, e.size, max(e.mtime, 0), e.target, e.sha256)
        for path, e in walk(tmp_path / "tree").items()
        if e.type is not FileType.SOCKET
    }
    assert {entry.path: entry for entry in found} == expected


def test_sparse_members_are_not_read_and_what_follows_is(tmp_path: Path) -> None:
    with open(tmp_path / "many holes", "wb") as file:
        for place in range(60):
            file.seek(place * 65536)
            file.write(b"x")
    (tmp_path / "zz").write_bytes(b"after")
    for form in ("gnu", "pax"):
        names = [f".{tmp_path}/many holes", f".{tmp_path}/zz"]
        command = ["tar", "-c", "-S", "-f", "-", f"--format={form}", "-C", "/", *names]
        sparse, after = entries(subprocess.run(command, capture_output=True, check=True).stdout)
        assert isinstance(sparse, NotRead)
        assert sparse.reason is Reason.UNSUPPORTED
        assert isinstance(after, FileEntry)
        assert after.sha256 == hashlib.sha256(b"after").hexdigest()


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_header_of_more_than_eight_gibibytes(form: Format) -> None:
    """The size is read; the content need not be sent to see that it is missing."""
    size = (8 << 30) + 5
    raw = member("./big", size=size).tobuf(form, "utf-8", "surrogateescape")
    asked: list[tuple[bytes, int]] = []

    def keep(path: bytes, length: int) -> bool:
        asked.append((path, length))
        return False

    with pytest.raises(Truncated):
        list(read_archive([raw, b"few bytes"], keep))
    assert asked == [(b"/big", size)]


def test_a_size_in_twelve_octal_digits_as_busybox_writes_it() -> None:
    assert header(patched(member("./big"), 124, b"777777777777")).size == 0o777777777777


def test_content_comes_along_where_it_is_wanted() -> None:
    data = blocks(member("./keep", size=700), b"k" * 700) + blocks(member("./leave", size=2), b"no") + END
    for length in (100, 1 << 15):
        kept, left = read_archive(sliced(data, length), lambda path, size: path == b"/keep" and size == 700)
        assert isinstance(kept, FileEntry)
        assert kept.content == b"k" * 700
        assert isinstance(left, FileEntry)
        assert left.content is None


def test_hard_links_with_their_data_again_and_with_their_size_alone() -> None:
    first = blocks(member("./a", size=600), b"z" * 600)
    digest = hashlib.sha256(b"z" * 600).hexdigest()
    for again in (
        blocks(member("./b", tarfile.LNKTYPE, 600, "./a"), b"z" * 600),
        blocks(member("./b", tarfile.LNKTYPE, 600, "./a")),
        blocks(member("./b", tarfile.LNKTYPE, 0, "./a")),
    ):
        found = entries(first + again + blocks(member("./c", size=1), b"c") + END)
        assert [(e.path, e.sha256, e.size) for e in found[:2] if isinstance(e, FileEntry)] == [
            (b"/a", digest, 600),
            (b"/b", digest, 600),
        ]
        assert len(found) == 3


def test_a_hard_link_to_nothing_is_not_read() -> None:
    (only,) = entries(blocks(member("./b", tarfile.LNKTYPE, link="./a")) + END)
    assert isinstance(only, NotRead)


def test_unknown_kinds_are_not_read_and_what_follows_is() -> None:
    odd, after = entries(blocks(member("./odd", b"Z", 600), b"z" * 600) + blocks(member("./a", size=1), b"a") + END)
    assert isinstance(odd, NotRead)
    assert odd.reason is Reason.UNSUPPORTED
    assert after.path == b"/a"


def pax(text: bytes, kind: bytes = b"x") -> bytes:
    return blocks(member("./PaxHeaders/x", kind, len(text)), text)


@pytest.mark.parametrize(
    "data",
    [
        blocks(member("../etc/passwd")),
        blocks(member("./a/../b")),
        blocks(member("./a/..")),
        blocks(member("./a//b")),
        blocks(member("./a//", tarfile.DIRTYPE)),
        blocks(member("././a")),
        blocks(member("//a")),
        blocks(member("./a")) * 2,
        blocks(member("./a")) + blocks(member("a")),
        blocks(member("./a")) + bytes(512) + blocks(member("./b")),
        blocks(member("./a")) + END + b"x" * 512,
        blocks(member("./a")) + bytes(2 << 20),
        blocks(member("long", b"L", 1 << 17), b"l" * (1 << 17)) + blocks(member("./a")),
        blocks(member("x", b"x", 1 << 40)),
        blocks(member("", b"0")),
        blocks(member("long", b"L", 0)) * 20,
        blocks(member("long", b"L", 4), b"./x\0"),
        pax(b"12 path=./a\n"[:-1]) + blocks(member("./a")),
        pax(b"99 path=./a\n") + blocks(member("./a")),
        pax(b"0 path=./a\n") + blocks(member("./a")),
        pax(b"-1 path=./a\n") + blocks(member("./a")),
        pax(b"no pax at all") + blocks(member("./a")),
        pax(b"13 path=./a\0b\n") + blocks(member("./a")),
        pax(b"14 path=../abc\n"[0:0] + b"15 path=../abc\n") + blocks(member("./a")),
        pax(b"11 size=-5\n") + blocks(member("./a")),
        pax(b"12 size=1_0\n") + blocks(member("./a")),
        pax(b"25 size=9999999999999999\n"[0:0] + b"28 size=99999999999999999999\n") + blocks(member("./a")),
        pax(b"13 mtime=nan\n") + blocks(member("./a")),
        patched(member("./a"), 124, b"1_0"),
        patched(member("./a"), 124, b"-0000000001\0"),
        patched(member("./a"), 124, b"0x1\0"),
        patched(member("./a"), 124, b"\xff" * 12),
        patched(member("./a"), 124, b"\x80" + b"\x7f" * 11),
        patched(member("./a"), 108, b"\x90" + b"\0" * 7),
    ],
)
def test_what_no_honest_tar_writes_is_a_bad_reply(data: bytes) -> None:
    with pytest.raises(BadReply):
        entries(data + END)


def test_too_many_members() -> None:
    data = b"".join(blocks(member(f"./{n}")) for n in range(11)) + END
    with pytest.raises(OverBound):
        list(read_archive([data], members=10))


def test_long_names_do_not_fill_the_memory() -> None:
    """Each could be one an honest tar writes; together they would be gigabytes."""

    def flood() -> Iterator[bytes]:
        for number in range(1000):
            assert number < 400, "names are taken without end"
            yield blocks(member(f"./{number}/" + "n" * 4000))

    with pytest.raises(OverBound, match="names"):
        list(read_archive(flood(), members=1000))


def test_global_pax_records_hold_until_taken_back() -> None:
    data = pax(b"12 uid=4711\n", b"g") + blocks(member("./a")) + pax(b"7 uid=\n") + blocks(member("./b"))
    data += blocks(member("./c")) + END
    assert [e.owner for e in entries(data) if isinstance(e, FileEntry)] == [4711, 0, 4711]


def test_pax_times_are_rounded_towards_the_past() -> None:
    def mtime(text: bytes) -> int:
        record = b"%d mtime=%b\n" % (len(text) + 10, text)
        (entry,) = entries(pax(record) + blocks(member("./a")) + END)
        assert isinstance(entry, FileEntry)
        return entry.mtime

    assert [mtime(t) for t in (b"10.9", b"-1.5", b"-2.0", b"170000")] == [10, -2, -2, 170000]


@given(st.dictionaries(st.sampled_from([b"path", b"uid", b"x.y"]), st.binary(max_size=150), max_size=3))
def test_pax_records_survive_a_round_trip(wanted: dict[bytes, bytes]) -> None:
    payload = b""
    for key, value in wanted.items():
        length = len(key) + len(value) + 3
        total = length + len(str(length))
        total = length + len(str(total))
        payload += b"%d %b=%b\n" % (total, key, value)
    assert records(payload) == wanted


def many(count: int, size: int) -> bytes:
    body = blocks(member("./x", size=size), b"c" * size)[512:]
    names = (f"./opt/plcnext/projects/PCWE/dir{n // 50}/file{n}.bin" for n in range(count))
    return b"".join(member(name, size=size, mtime=1_700_000_000 + n).tobuf() + body for n, name in enumerate(names)) + END


def test_a_large_file_is_never_held_whole() -> None:
    """64 MiB out of one chunk sent again and again, in less than 2 MiB of memory of our own."""
    import tracemalloc

    chunk = bytes(1 << 18)
    size = 256 * len(chunk)

    def stream() -> Iterator[bytes]:
        yield member("./large", size=size).tobuf()
        for _ in range(256):
            yield chunk
        yield END

    tracemalloc.start()
    (entry,) = read_archive(stream())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(entry, FileEntry)
    assert entry.size == size
    assert peak < 2 << 20


def test_a_folder_as_tars_before_posix_wrote_it() -> None:
    (folder,) = entries(patched(member("./d/", tarfile.AREGTYPE), 257, bytes(8)) + END)
    assert isinstance(folder, FileEntry)
    assert (folder.path, folder.type) == (b"/d", FileType.DIRECTORY)
