"""The tree over the record: it follows the entries, survives kills and lost tiles, and shows what somebody rewrote."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.record_fixtures import full_disk
from tests.trust_fixtures import COLLECTOR, ENGINEER, OFFICER, POLICY, STRANGER, sealed_baseline, sealed_report
from verifier.errors import RecordError, TrustError
from verifier.procedures.audit import audit_log
from verifier.record.log import Log, NotInTree
from verifier.record.workspace import Workspace
from verifier.trust.keys import PublicKey
from verifier.trust.log.checkpoint import Checkpoint, sign_checkpoint, verified_checkpoint
from verifier.trust.log.leaf import leaf
from verifier.trust.log.merkle import leaf_hash
from verifier.trust.log.proof import proven, read_proof
from verifier.trust.log.tiles import Growth, bundle, unbundled
from verifier.trust.roots import Trusted

KEYS = (COLLECTOR.public,)
UNSIGNED = Trusted(POLICY, "", 0, ())
BEFORE_THE_TREE = Path(__file__).parent / "records" / "before-the-tree"


def filled(folder: Path, count: int, memory: Path | None = None) -> Log:
    log = Log(folder, memory)
    for _ in range(count):
        log.append(sealed_report, COLLECTOR)
    return log


def long_log(folder: Path, count: int) -> Log:
    """A log of many small entries, taken into the tree at once."""
    log = Log(folder)
    write_entries(folder, range(count))
    log.sign(COLLECTOR)
    return log


def write_entries(folder: Path, numbers: range) -> None:
    for number in numbers:
        name = f"{number:09}"
        path = folder / "entries" / name[:3] / name[3:6] / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"entry %d" % number)


def covered(log: Log) -> Checkpoint:
    checkpoint = log.tree.checkpoint(KEYS)
    assert checkpoint
    return checkpoint


def words(log: Log, keys: tuple[PublicKey, ...] = KEYS, older: tuple[Checkpoint, ...] = ()) -> str:
    return "\n".join(str(finding) for finding in log.verify(keys, older, entries=False))


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# What lies where


def test_what_a_signed_append_leaves(tmp_path: Path) -> None:
    log = filled(tmp_path / "log", 2, tmp_path / "memory")
    assert files(log.folder) == [
        ".lock",
        "checkpoint",
        "entries/000/000/000000000.json",
        "entries/000/000/000000001.json",
        "origin",
        "tile/0/000.p/1",
        "tile/0/000.p/2",
        "tile/entries/000.p/1",
        "tile/entries/000.p/2",
    ]
    entries = [leaf(log.read(0)), leaf(log.read(1))]
    assert (log.folder / "tile/entries/000.p/2").read_bytes() == bundle(entries)
    assert (log.folder / "tile/0/000.p/2").read_bytes() == leaf_hash(entries[0]) + leaf_hash(entries[1])
    checkpoint = covered(log)
    assert checkpoint.size == 2
    assert checkpoint.origin == (log.folder / "origin").read_text().strip()
    assert checkpoint.origin.startswith("crane-verify/log/")
    assert (tmp_path / "memory").read_bytes() == (log.folder / "checkpoint").read_bytes()
    assert log.verify(KEYS) == ()


def test_no_two_logs_have_one_name(tmp_path: Path) -> None:
    assert covered(filled(tmp_path / "a", 1)).origin != covered(filled(tmp_path / "b", 1)).origin


def test_entries_without_the_key_wait_for_whoever_has_it(tmp_path: Path) -> None:
    log = filled(tmp_path, 1)
    log.append(lambda _: sealed_baseline(ENGINEER, OFFICER))
    log.append(sealed_report)
    assert (log.length(), log.covered(KEYS)) == (3, 1)
    assert log.verify(KEYS) == ()
    with pytest.raises(TrustError, match="no checkpoint covers entry 2 yet"):
        log.prove(2, KEYS)
    log.append(sealed_report, COLLECTOR)
    assert (log.length(), log.covered(KEYS)) == (4, 4)
    assert log.verify(KEYS) == ()


def test_signing_takes_in_what_waits(tmp_path: Path) -> None:
    log = Log(tmp_path)
    assert log.sign(COLLECTOR).size == 0
    log.append(sealed_report)
    assert log.sign(COLLECTOR).size == 1
    assert log.sign(COLLECTOR) == covered(log)
    assert log.verify(KEYS) == ()


def test_full_tiles_replace_partial_ones(tmp_path: Path) -> None:
    log = long_log(tmp_path, 255)
    log.append(lambda _: b"the 256th", COLLECTOR)
    assert [name for name in files(tmp_path) if name.startswith("tile")] == [
        "tile/0/000",
        "tile/1/000.p/1",
        "tile/entries/000",
    ]
    log.append(lambda _: b"the 257th", COLLECTOR)
    assert words(log) == ""
    # an older checkpoint's partial tile is the beginning of the full one
    assert log.tree.tiles.tile(0, 0, 255) == (tmp_path / "tile/0/000").read_bytes()[: 255 * 32]
    assert log.tree.tiles.entries(0, 255) == [b"" + leaf(b"entry %d" % number) for number in range(255)]


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_every_entry_can_be_proven(tmp_path: Path, count: int) -> None:
    log = long_log(tmp_path, count)
    for sequence in {0, 1, 254, 255, 256, 511, count - 1}:
        if sequence < count:
            proof = log.prove(sequence, KEYS)
            assert len(proof.written()) < 2048
            found = read_proof(proof.written())
            assert proven(found, leaf(log.read(sequence)), KEYS, covered(log).origin) == covered(log)
    with pytest.raises(RecordError, match="has no entry"):
        log.prove(count, KEYS)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=4))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_grown_in_any_steps_it_is_one_tree(tmp_path: Path, steps: list[int]) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    log, total = Log(folder), 0
    for step in steps:
        write_entries(folder, range(total, total + step))
        total += step
        log.sign(COLLECTOR)
    growth = Growth()
    list(growth.grow([leaf(b"entry %d" % number) for number in range(total)]))
    assert covered(log).root == growth.root()
    assert words(log) == ""


# Kills, lost files, full disks


def appended_until_killed(log: Log, at_least: int, after: float) -> int:
    """How many appends with the key a process had acknowledged when it was killed, some seconds after so many of them."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        while True:
            log.append(sealed_report, COLLECTOR)
            os.write(writing, b".")
    os.close(writing)
    with os.fdopen(reading, "rb") as dots:
        acknowledged = len(dots.read(at_least))
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return acknowledged + len(dots.read())


def test_killed_at_any_instant_the_tree_verifies_and_is_completed(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", tmp_path / "memory")
    chance = random.Random(2026)
    acknowledged = behind = 0
    for run in range(60):
        acknowledged += appended_until_killed(log, run % 3, chance.uniform(0.0, 0.02))
        assert log.verify(KEYS) == ()
        assert log.length() >= acknowledged
        behind += log.covered(KEYS) < log.length()
        log.clear_partials()
    assert behind > 0, "no kill ever came between an entry and its tree: this test shows nothing"
    assert acknowledged >= 60
    log.append(sealed_report, COLLECTOR)
    assert log.covered(KEYS) == log.length()
    assert log.verify(KEYS) == ()


@pytest.mark.parametrize("count", [3, 256, 300, 513])
def test_lost_tiles_are_made_again_from_the_entries(tmp_path: Path, count: int) -> None:
    log = long_log(tmp_path, count)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path) if name.startswith("tile")}
    for name in before:
        if ".p/" in name:
            (tmp_path / name).write_bytes(b"")
    log.sign(COLLECTOR)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    shutil.rmtree(tmp_path / "tile")
    log.append(lambda _: b"one more", COLLECTOR)
    assert words(log) == ""
    assert log.covered(KEYS) == count + 1


def test_a_partial_tile_that_a_power_cut_took_is_no_finding(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    (tmp_path / "tile/0/000.p/3").write_bytes(b"")
    assert log.verify(KEYS) == ()
    (tmp_path / "tile/0/000.p/3").unlink()
    assert log.verify(KEYS) == ()


def test_a_disk_that_fills_up_after_the_entry_leaves_it_acknowledged(tmp_path: Path) -> None:
    with full_disk(tmp_path / "mnt") as disk:
        log = filled(disk / "log", 1)
        stuffing = disk / "stuffing"
        acknowledged = 1
        with pytest.raises(RecordError, match="the disk is full"):
            for number in range(100):
                stuffing.write_bytes(bytes(min(number * 4096, 40960)))
                log.append(sealed_report, COLLECTOR)
                acknowledged += 1
        assert log.length() == acknowledged
        assert log.verify(KEYS) == ()
        stuffing.unlink()
        log.sign(COLLECTOR)
        assert log.covered(KEYS) == acknowledged


class BrokenSigner:
    """A token that is pulled out."""

    public, key_id = COLLECTOR.public, COLLECTOR.key_id

    def sign(self, data: bytes) -> bytes:
        raise TrustError("the token is gone")


def test_a_key_that_fails_after_the_entry_leaves_it_acknowledged(tmp_path: Path) -> None:
    log = filled(tmp_path, 1)
    assert log.append(sealed_report, BrokenSigner()).sequence == 1
    assert (log.length(), log.covered(KEYS)) == (2, 1)
    assert log.verify(KEYS) == ()
    with pytest.raises(TrustError, match="the token is gone"):
        log.sign(BrokenSigner())
    assert log.sign(COLLECTOR).size == 2
    assert log.sign(BrokenSigner()).size == 2, "where nothing waits, nothing is signed"


def test_an_entry_that_the_tree_needs_and_is_gone_stops_the_writer(tmp_path: Path) -> None:
    log = filled(tmp_path, 1)
    log.append(sealed_report)
    log.append(sealed_report)
    place(log, 1).unlink()
    with pytest.raises(RecordError, match="has no entry 1"):
        log.append(sealed_report, COLLECTOR)
    assert log.length() == 3


# Migration


def test_a_record_from_before_the_tree_still_verifies_and_is_taken_in(tmp_path: Path) -> None:
    shutil.copytree(BEFORE_THE_TREE, tmp_path / "record")
    workspace = Workspace(tmp_path / "record")
    before = {name: (workspace.root / name).read_bytes() for name in files(workspace.root)}
    audit = audit_log(workspace, UNSIGNED)
    assert (audit.entries, audit.covered, audit.findings) == (5, 0, ())
    workspace.log.append(sealed_report, COLLECTOR, POLICY.log_keys())
    audit = audit_log(workspace, UNSIGNED)
    assert (audit.entries, audit.covered, audit.findings) == (6, 6, ())
    assert before.items() <= {name: (workspace.root / name).read_bytes() for name in files(workspace.root)}.items()
    for sequence in range(6):
        workspace.log.prove(sequence, KEYS)


# The insider, without the log's key


def place(log: Log, sequence: int) -> Path:
    return log.folder / "entries" / "000" / "000" / f"{sequence:09}.json"


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    bit %= len(data) * 8
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


@given(
    st.sampled_from(
        ["checkpoint", "origin", "tile/0/000", "tile/entries/000", "tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"]
    ),
    st.integers(0, 2**20),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_in_what_the_tree_is_made_of_is_found(flipping: Log, name: str, bit: int) -> None:
    path = flipping.folder / name
    good = path.read_bytes()
    try:
        flip(path, bit)
        assert flipping.verify(KEYS, entries=False) != ()
    finally:
        path.write_bytes(good)


@pytest.fixture(scope="module")
def flipping(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return long_log(tmp_path_factory.mktemp("flipping") / "log", 300)


def test_whose_signature_counts(tmp_path: Path) -> None:
    log = filled(tmp_path, 2)
    for keys in ((), (STRANGER.public,)):
        assert "signed by no key that may sign for the log" in words(log, keys)
        assert log.covered(keys) == 0
    for keys in ((), (STRANGER.public,)):
        with pytest.raises(TrustError, match="signed by no key"):
            log.append(sealed_report, ENGINEER, keys)
    assert log.length() == 2
    # a new key goes on where the old one stopped
    log.append(sealed_report, ENGINEER, KEYS)
    assert words(log, (ENGINEER.public,)) == ""
    assert log.covered((ENGINEER.public,)) == 3
    log.sign(COLLECTOR, (ENGINEER.public,))
    assert log.covered(KEYS) == 0
    log.sign(COLLECTOR, (ENGINEER.public,), again=True)
    assert log.covered(KEYS) == 3


def test_a_rewritten_entry_is_named(tmp_path: Path) -> None:
    log = filled(tmp_path, 4)
    place(log, 3).write_bytes(sealed_report(hashlib.sha256(log.read(2)).hexdigest(), by=STRANGER))
    assert log.verify(KEYS) == (NotInTree(3),)
    assert "entry 3 is not the one that was taken into the tree" in str(log.verify(KEYS)[0])
    with pytest.raises(TrustError, match="entry 3 of the log is not this one"):
        log.prove(3, KEYS)


def test_entries_cut_off_the_end_are_missed(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    place(log, 2).unlink()
    assert "a checkpoint covers 3 entries and the log has 2: it has lost its end" in words(log)
    with pytest.raises(TrustError, match="lost its end"):
        log.append(sealed_report, COLLECTOR)
    assert log.length() == 2


def test_a_damaged_bundle_is_named_once_and_nothing_is_appended_to_it(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    path = tmp_path / "tile/entries/000.p/3"
    entries = unbundled(path.read_bytes(), 3)
    path.write_bytes(bundle([entries[1], entries[0], entries[2]]))
    assert "the bundles hold other entries than the checkpoint of 3 entries was signed for" in words(log)
    assert "tile 0 of level 0 does not hold the hashes of what is below it" in words(log)
    with pytest.raises(TrustError, match="not the one that its checkpoint"):
        log.append(sealed_report, COLLECTOR)
    path.write_bytes(b"junk")
    assert [str(each) for each in log.verify(KEYS)] == ["a bundle does not hold 3 whole entries"]
    path.unlink()
    assert "is missing" in words(log)


# The insider who has the log's key and the machine: an older checkpoint kept elsewhere shows it


def rewrite(log: Log) -> None:
    place(log, 1).write_bytes(sealed_report(hashlib.sha256(log.read(0)).hexdigest(), by=ENGINEER))


def drop(log: Log) -> None:
    for sequence in range(1, log.length() - 1):
        place(log, sequence).write_bytes(place(log, sequence + 1).read_bytes())
    place(log, log.length() - 1).unlink()


def reorder(log: Log) -> None:
    one, two = log.read(1), log.read(2)
    place(log, 1).write_bytes(two)
    place(log, 2).write_bytes(one)


def fork(log: Log) -> None:
    """Another history from entry 2 on, as long as the real one."""
    for sequence in (2, 3):
        place(log, sequence).write_bytes(sealed_report(hashlib.sha256(log.read(sequence - 1)).hexdigest(), by=ENGINEER))


def cut(log: Log) -> None:
    for sequence in (2, 3):
        place(log, sequence).unlink()


REWRITTEN, CUT = "some were rewritten, dropped or moved", "it has lost its end"
TAMPERS: dict[str, tuple[Callable[[Log], None], str]] = {
    "rewrites one": (rewrite, REWRITTEN),
    "drops one": (drop, CUT),
    "reorders": (reorder, REWRITTEN),
    "forks": (fork, REWRITTEN),
    "restores an older disk": (cut, CUT),
}


@pytest.mark.parametrize(("tamper", "said"), TAMPERS.values(), ids=TAMPERS.keys())
@pytest.mark.parametrize("more", [0, 3])
def test_who_signs_everything_anew_is_shown(tmp_path: Path, tamper: Callable[[Log], None], said: str, more: int) -> None:
    log = filled(tmp_path / "log", 4, tmp_path / "memory")
    elsewhere = covered(log)
    tamper(log)
    (log.folder / "checkpoint").unlink()
    shutil.rmtree(log.folder / "tile")
    forgetful = Log(log.folder)
    forgetful.sign(COLLECTOR)
    for _ in range(more):
        forgetful.append(lambda previous: sealed_report(previous, by=ENGINEER), COLLECTOR)
    assert words(forgetful) == "", "without a checkpoint kept elsewhere, the new history would stand"
    found = words(forgetful, older=(elsewhere,))
    if tamper in (drop, cut) and more:
        assert REWRITTEN in found
    else:
        assert said in found
    # and this machine remembers, for as long as its memory is not altered as well
    assert words(log) == found
    with pytest.raises(TrustError):
        log.append(sealed_report, COLLECTOR)


def test_another_log_in_its_place_is_refused(tmp_path: Path) -> None:
    log = filled(tmp_path / "log", 2, tmp_path / "memory")
    shutil.rmtree(log.folder)
    filled(tmp_path / "log", 3)
    assert "and the older checkpoint is of crane-verify/log/" in words(log)
    with pytest.raises(TrustError, match="and the older checkpoint is of"):
        log.append(sealed_report, COLLECTOR)


def test_a_checkpoint_taken_away_is_missed(tmp_path: Path) -> None:
    log = filled(tmp_path / "log", 2, tmp_path / "memory")
    elsewhere = covered(log)
    (log.folder / "checkpoint").unlink()
    assert words(log) == "the checkpoint of 2 entries is gone"
    with pytest.raises(TrustError, match="is gone") as refused:
        log.append(sealed_report, COLLECTOR)
    assert "copy" in refused.value.hint
    forgetful = Log(log.folder)
    assert words(forgetful) == ""
    assert words(forgetful, older=(elsewhere,)) == "there is no checkpoint, and one of 2 entries was signed"
    shutil.copy(tmp_path / "memory", log.folder / "checkpoint")
    assert log.verify(KEYS) == ()
    (log.folder / "origin").unlink()
    assert "nobody knows which log this is" in words(log)


def test_an_older_checkpoint_put_back_is_missed_and_made_up_for(tmp_path: Path) -> None:
    log = filled(tmp_path / "log", 2, tmp_path / "memory")
    older = (log.folder / "checkpoint").read_bytes()
    log.append(sealed_report, COLLECTOR)
    (log.folder / "checkpoint").write_bytes(older)
    assert "a checkpoint covers 3 entries and the log has 2" in words(log)
    log.append(sealed_report, COLLECTOR)
    assert log.verify(KEYS) == ()
    # but not where an entry that was covered is another one now
    (log.folder / "checkpoint").write_bytes(older)
    place(log, 2).write_bytes(sealed_report())
    with pytest.raises(TrustError, match="rewritten"):
        log.append(sealed_report, COLLECTOR)
    # nor where it is gone
    for sequence in (2, 3):
        place(log, sequence).unlink()
    with pytest.raises(TrustError, match="a checkpoint covers 4 entries and the log has 2"):
        log.append(sealed_report, COLLECTOR)


@pytest.mark.parametrize("sizes", [(1, 2, 3), (255, 256, 257), (256, 290, 299, 300)])
def test_it_grew_out_of_every_older_checkpoint(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    log = long_log(tmp_path, 300)
    origin = covered(log).origin
    older = []
    for size in sizes:
        growth = Growth()
        list(growth.grow([leaf(b"entry %d" % number) for number in range(size)]))
        older.append(Checkpoint(origin, size, growth.root()))
    assert words(log, older=tuple(older)) == ""
    for checkpoint in older:
        forked = Checkpoint(origin, checkpoint.size, bytes(32))
        assert REWRITTEN in words(log, older=(*older, forked))


def test_a_memory_that_cannot_be_read_is_no_memory(tmp_path: Path) -> None:
    log = filled(tmp_path / "log", 2, tmp_path / "memory")
    for junk in (b"", b"junk", b"\xff"):
        (tmp_path / "memory").write_bytes(junk)
        assert log.tree.remembered() is None
        assert log.verify(KEYS) == ()
    (tmp_path / "memory").unlink()
    (tmp_path / "memory").mkdir()
    log.append(sealed_report, COLLECTOR)
    assert log.covered(KEYS) == 3


# What the procedures make of it


def test_the_audit_says_what_is_covered_and_remembers(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.log.append(sealed_report, COLLECTOR)
    old = (tmp_path / "log" / "checkpoint").read_bytes()
    workspace.log.append(sealed_report, COLLECTOR)
    workspace.log.append(sealed_report)
    (tmp_path / ".remembered-checkpoint").unlink()
    audit = audit_log(workspace, UNSIGNED, [old])
    assert (audit.entries, audit.covered, audit.findings) == (3, 2, ())
    assert workspace.log.tree.remembered() == verified_checkpoint((tmp_path / "log" / "checkpoint").read_bytes(), KEYS)
    place(workspace.log, 0).write_bytes(b"junk")
    assert audit_log(workspace, UNSIGNED, tree_only=True).findings == ()
    assert any("entry 0" in finding for finding in audit_log(workspace, UNSIGNED).findings)
    with pytest.raises(TrustError, match="no key that may sign"):
        audit_log(workspace, UNSIGNED, [sign_checkpoint(Checkpoint("x", 1, bytes(32)), STRANGER)])


def test_the_roots_that_a_longer_tree_had_are_made_from_its_bundles(tmp_path: Path) -> None:
    log = long_log(tmp_path / "log", 300)
    found = log.tree.roots(300, (5, 270))
    assert found.keys() == {0, 5, 270, 300}
    entries = log.tree.tiles.entries(0, 256) + log.tree.tiles.entries(1, 44)
    for size in (5, 270, 300):
        growth = Growth()
        assert [tile.width for tile in growth.grow(entries[:size])] == [256] * (size // 256)
        assert found[size] == growth.root()
