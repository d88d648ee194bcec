"""Golden copies: the exact bytes, by their digest, over every way of reading; and never a secret by a mere pattern."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.image_fixtures import ext, squashfs
from tests.record_fixtures import full_disk
from tests.servers.sshd import SFTP_ONLY, SSHD, no_secrets, running_sshd
from verifier.collect.golden import PRIVATE
from verifier.collect.snapshot import Collecting, collect
from verifier.errors import RecordError, SettingsError
from verifier.model.device import Address, Device, DeviceName, ImageAddress
from verifier.model.profile import FileTree, Golden, Item, Pace, Profile, Rule, TextRules
from verifier.model.snapshot import FileValue, Snapshot
from verifier.model.words import Criticality, Kind, Maturity
from verifier.record.blobs import BlobCopy, Blobs
from verifier.settings.profiles import read_profile
from verifier.transport.replay import RecordingRoute, ReplayRoute, loads
from verifier.transport.route import connect

LARGE = os.urandom(1 << 20) * 3
FILES = {
    "fw/main.bin": bytes(range(256)) * 300,
    "fw/large.bin": LARGE,
    "fw/empty": b"",
    "fw/plc.conf": b"speed = 180\r\npassword = hunter2\r\n",
    "fw/host.key": b"secret by its name",
    "fw/cert.pem": b"x" * 70_000 + b"-----BEGIN " + PRIVATE + b"\nAAAA\n",
    "fw/other\n\x1b[2J": b"a hostile name",
}
TEXT = TextRules(("/**/plc.conf",), (Rule("line-ends"),), keep=True)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("golden") / "card"
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def item(root: str, golden: Golden | None, **more: object) -> Item:
    fields: dict[str, object] = {"kind": Kind.FIRMWARE, "text": TEXT} | more
    return Item("fw", ask=FileTree((f"{root}/fw",)), criticality=Criticality.HIGH, golden=golden, **fields)  # type: ignore[arg-type] # each test gives fields of the right type


def read(address: Address, blobs: Blobs, wanted: Item) -> Snapshot:
    profile = Profile("p", "P", 1, Maturity.SIMULATED, (wanted,), "d" * 64)
    device = Device(DeviceName("site", "STS-01", "pc"), address, "p")
    with connect(device, Pace(), no_secrets) as route:
        return collect(Collecting(device, profile, lambda: NOON, blobs.put, seed=1, golden=blobs.copy), route)


def kept(blobs: Blobs, *of: str) -> set[str]:
    return {name for name in of or FILES if blobs.find(hashlib.sha256(FILES[name]).hexdigest()) is not None}


@contextmanager
def way(how: str, tree: Path, tmp: Path) -> Iterator[tuple[Address, str]]:
    """The address of the tree, and where in it the files begin."""
    match how:
        case "folder":
            yield ImageAddress(str(tree)), ""
        case "card image":
            yield ImageAddress(str(ext(tmp / "card.img", tree))), ""
        case "squashfs":
            yield ImageAddress(str(squashfs(tmp / "card.squashfs", tree))), ""
        case "tar.gz":
            subprocess.run(["tar", "-czf", tmp / "card.tar.gz", "-C", tree, "fw"], check=True)
            yield ImageAddress(str(tmp / "card.tar.gz")), ""
        case "zip":
            yield ImageAddress(shutil.make_archive(str(tmp / "card"), "zip", tree)), ""
        case "shell" | "sftp":
            with running_sshd(tmp / "sshd", config=SFTP_ONLY if how == "sftp" else ()) as device:
                yield device.address(), str(tree)


@pytest.mark.parametrize("how", ["folder", "card image", "squashfs", "tar.gz", "zip", "shell", "sftp"])
def test_the_exact_bytes_are_kept_and_the_snapshot_is_the_same(how: str, tree: Path, tmp_path: Path) -> None:
    if how in ("shell", "sftp") and not SSHD:
        pytest.skip("needs openssh-server")
    blobs, other = Blobs(tmp_path / "blobs"), Blobs(tmp_path / "other")
    with way(how, tree, tmp_path) as (address, root):
        golden = read(address, blobs, item(root, Golden((f"{root}/fw/**",))))
        plain = read(address, other, item(root, None))
    assert golden.items == plain.items
    wanted = set(FILES) - {"fw/host.key", "fw/cert.pem"}
    assert kept(blobs) == wanted
    assert kept(other) == set()
    assert blobs.clear_partials() == ()
    value = next(r.value for each in golden.items for r in each.readings if r.member.endswith("plc.conf"))
    assert isinstance(value, FileValue)
    assert value.kept not in ("", value.sha256)
    assert blobs.get(value.sha256) == FILES["fw/plc.conf"]


def test_what_is_named_in_full_is_kept_secret_or_not(tree: Path, tmp_path: Path) -> None:
    names = ("/fw/host.key", "/fw/cert.pem", "/fw/plc.conf")
    fields: tuple[dict[str, object], ...] = (
        {},
        {"kind": Kind.ACCOUNT},
        {"text": TextRules(("/fw/*",), redact=("password = (.*)",))},
    )
    for number, more in enumerate(fields):
        blobs = Blobs(tmp_path / str(number))
        read(ImageAddress(str(tree)), blobs, item("", Golden(names), **more))
        assert kept(blobs) == {name[1:] for name in names}


@pytest.mark.parametrize("more", [{"kind": Kind.ACCOUNT}, {"text": TextRules(("/fw/plc.conf",), redact=("password = (.*)",))}])
def test_where_secrets_are_likely_a_pattern_keeps_nothing(tree: Path, tmp_path: Path, more: dict[str, object]) -> None:
    read(ImageAddress(str(tree)), Blobs(tmp_path), item("", Golden(("/fw/**", "/fw")), **more))
    assert kept(Blobs(tmp_path)) == set()


def test_a_file_longer_than_the_limit_and_what_is_over_the_total_are_not_kept(tree: Path, tmp_path: Path) -> None:
    read(ImageAddress(str(tree)), Blobs(tmp_path / "a"), item("", Golden(("/fw/*.bin",), limit=1 << 20)))
    assert kept(Blobs(tmp_path / "a")) == {"fw/main.bin"}
    read(ImageAddress(str(tree)), Blobs(tmp_path / "b"), item("", Golden(("/fw/*.bin",), total=len(LARGE) - 1)))
    assert "fw/large.bin" not in kept(Blobs(tmp_path / "b"))


def test_a_recording_knows_nothing_of_copies(tree: Path, tmp_path: Path) -> None:
    wanted = item("", Golden(("/fw/**",)))
    profile = Profile("p", "P", 1, Maturity.SIMULATED, (wanted,), "d" * 64)
    device = Device(DeviceName("site", "STS-01", "pc"), ImageAddress(str(tree)), "p")
    blobs = Blobs(tmp_path / "blobs")
    work = Collecting(device, profile, lambda: NOON, blobs.put, seed=1, golden=blobs.copy)
    with connect(device, Pace(), no_secrets) as line:
        route = RecordingRoute(line)
        first = collect(work, route)
    with ReplayRoute(loads(route.recording(), "x")) as replay:
        assert collect(work, replay).items == first.items


def test_a_full_disk_is_said_and_leaves_nothing_half(tree: Path, tmp_path: Path) -> None:
    with full_disk(tmp_path / "mnt") as disk:
        blobs = Blobs(disk)
        with pytest.raises(RecordError, match="the disk is full"):
            read(ImageAddress(str(tree)), blobs, item("", Golden(("/fw/large.bin",))))
        assert kept(blobs) == set()
        assert blobs.clear_partials() == ()


# Blobs that come piece by piece


def copied(blobs: Blobs, *pieces: bytes) -> BlobCopy:
    copy = blobs.copy()
    for piece in pieces:
        copy.add(piece)
    return copy


def test_a_copy_is_under_the_digest_of_all_its_pieces(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    copy = copied(blobs, b"a", b"bc")
    assert blobs.find(hashlib.sha256(b"abc").hexdigest()) is None
    copy.done()
    copy.drop()
    assert blobs.get(hashlib.sha256(b"abc").hexdigest()) == b"abc"
    copied(blobs).done()
    assert blobs.get(hashlib.sha256(b"").hexdigest()) == b""
    copied(blobs, b"xyz").drop()
    assert blobs.find(hashlib.sha256(b"xyz").hexdigest()) is None
    assert blobs.clear_partials() == ()


def test_a_copy_that_is_there_is_left_alone_and_a_damaged_one_is_written_again(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"abc")
    path = tmp_path / "sha256" / digest[:2] / digest
    before = path.stat().st_ino
    copied(blobs, b"abc").done()
    assert path.stat().st_ino == before
    path.write_bytes(b"abd")
    copied(blobs, b"abc").done()
    assert blobs.get(digest) == b"abc"


def test_an_exact_copy_is_nothing_for_everybody_on_the_machine_to_read(tmp_path: Path) -> None:
    """It may be a file of password hashes that the profile names in full."""
    copied(Blobs(tmp_path), b"root:$6$").done()
    path = tmp_path / "sha256" / (digest := hashlib.sha256(b"root:$6$").hexdigest())[:2] / digest
    assert path.stat().st_mode & 0o777 == 0o640


# Profiles

HEAD = "profile: x\ntitle: X\nversion: 1\nmaturity: documented\nitems:\n"


def test_a_profile_asks_for_golden_copies() -> None:
    words = "  - {name: fw, kind: firmware, files: {paths: [/fw]}, golden: {match: [/fw/**], limit: 2 MiB, total: 1 GiB}}\n"
    profile = read_profile(HEAD + words, "x.yaml")
    assert profile.items[0].golden == Golden(("/fw/**",), 2 << 20, 1 << 30)
    usual = read_profile(HEAD + words.replace(", limit: 2 MiB, total: 1 GiB", ""), "x.yaml")
    assert usual.items[0].golden == Golden(("/fw/**",))
    without = read_profile(HEAD + "  - {name: fw, kind: firmware, files: {paths: [/fw]}}\n", "x.yaml")
    assert len({profile.digest, usual.digest, without.digest}) == 3


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("{name: a, kind: account, files: {paths: [/etc]}, golden: {match: [/etc/**]}}", "is of kind account"),
        (
            "{name: a, kind: configuration, files: {paths: [/etc]}, text: {match: [/etc/x], redact: ['pw=(.*)']},"
            " golden: {match: ['/etc/?']}}",
            "redacts secrets",
        ),
        ("{name: a, kind: network, facts: routes, golden: {match: [/etc/x]}}", "`golden` is for files"),
        ("{name: a, kind: firmware, files: {paths: [/etc]}, golden: {match: []}}", "match is empty"),
    ],
)
def test_a_profile_that_would_keep_secrets_by_a_pattern_is_refused(words: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        read_profile(f"{HEAD}  - {words}\n", "x.yaml")


def test_an_account_item_names_its_file_in_full() -> None:
    words = "{name: a, kind: account, files: {paths: [/etc/shadow]}, golden: {match: [/etc/shadow]}}"
    assert read_profile(f"{HEAD}  - {words}\n", "x.yaml").items[0].golden == Golden(("/etc/shadow",))
