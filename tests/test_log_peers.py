"""Other people's code agrees: Go's sumdb reads our log and refuses a doctored one; openssl checks a checkpoint by hand."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.tlog import asked, built
from tests.test_record_tree import KEYS, covered, flip, long_log
from tests.trust_fixtures import COLLECTOR, ENGINEER
from verifier.record.log import Log
from verifier.trust.log.leaf import leaf
from verifier.trust.log.merkle import consistency_proof, root
from verifier.trust.log.note import verifier_key

SIZES = (1, 2, 255, 256, 257, 700)


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return long_log(tmp_path_factory.mktemp("log"), 700)


def vkey(log: Log) -> str:
    return verifier_key(covered(log).origin, COLLECTOR.public)


def text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@pytest.mark.parametrize("size", SIZES)
def test_go_reads_the_log(go: Path, tmp_path: Path, size: int) -> None:
    """Its note package opens the checkpoint; bundles and tiles give the hashes that its tlog package makes of the entries."""
    log = long_log(tmp_path, size)
    assert asked(go, "log", tmp_path, vkey(log)) == f"{covered(log).origin} {size}\n"


def test_go_makes_our_proofs(go: Path, log: Log) -> None:
    for index in (0, 1, 255, 256, 511, 512, 698, 699):
        ours = log.prove(index, KEYS).hashes
        assert asked(go, "prove", log.folder, vkey(log), index).split() == [text(each) for each in ours]
    for old in (1, 2, 255, 256, 257, 512, 699, 700):
        ours = consistency_proof(old, 700, log.tree.tiles.reader(700))
        assert asked(go, "grew", log.folder, vkey(log), old).split() == [text(each) for each in ours]


def test_go_accepts_our_proofs_and_refuses_doctored_ones(go: Path, log: Log, tmp_path: Path) -> None:
    entry = text(leaf(log.read(256)))
    path = tmp_path / "256.tlog-proof"
    good = log.prove(256, KEYS).written()
    path.write_bytes(good)
    asked(go, "entry", path, vkey(log), entry)
    lines = good.decode().split("\n")
    moved = good.replace(b"index 256", b"index 257")
    shorter = "\n".join((*lines[:2], *lines[3:])).encode()
    swapped = "\n".join((*lines[:2], lines[3], lines[2], *lines[4:])).encode()
    other_size = good.replace(b"\n700\n", b"\n701\n")
    for doctored in (moved, shorter, swapped, other_size):
        assert doctored != good
        path.write_bytes(doctored)
        with pytest.raises(subprocess.CalledProcessError):
            asked(go, "entry", path, vkey(log), entry)
    path.write_bytes(good)
    for arguments in ((vkey(log), text(b"another")), (verifier_key(covered(log).origin, ENGINEER.public), entry)):
        with pytest.raises(subprocess.CalledProcessError):
            asked(go, "entry", path, *arguments)


def test_go_accepts_that_our_log_grew_and_refuses_a_doctored_proof(go: Path, log: Log) -> None:
    read = log.tree.tiles.reader(700)
    new = text(covered(log).root)
    for old in (1, 255, 256, 300, 699):
        before = text(root(old, read))
        proof = [text(each) for each in consistency_proof(old, 700, read)]
        asked(go, "consistent", old, before, 700, new, *proof)
        for doctored in (
            (old, new, 700, new, *proof),
            (old, before, 700, before, *proof),
            (old, before, 700, new, *proof[1:]),
            (old, before, 700, new, *proof, new),
            (old + 1, before, 700, new, *proof),
        ):
            with pytest.raises(subprocess.CalledProcessError):
                asked(go, "consistent", *doctored)


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/001"])
def test_go_refuses_what_we_refuse(go: Path, log: Log, tmp_path: Path, name: str) -> None:
    shutil.copytree(log.folder, tmp_path / "copy")
    copy = Log(tmp_path / "copy")
    flip(copy.folder / name, 12345)
    assert copy.verify(KEYS, entries=False) != ()
    with pytest.raises(subprocess.CalledProcessError):
        asked(go, "log", copy.folder, vkey(log))


BY_HAND = """
set -eu
# the text is all above the last empty line; the signature is the last 64 of its 68 bytes
sed '/^$/,$d' checkpoint >text
sed -n 's/^— [^ ]* //p' checkpoint | base64 -d | tail -c 64 >signature
openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in text -sigfile signature
# the entry is a line with the envelope's digest, and the leaf is its hash after a zero byte
test "$(sed -n 1p text)" = "$(cat origin)"
digest=$(sha256sum entries/000/000/000000000.json | cut -d' ' -f1)
tail -c +3 tile/entries/000.p/1 | grep -q " $digest$"
test "$({ printf '\\000'; tail -c +3 tile/entries/000.p/1; } | openssl dgst -sha256 -binary | base64)" = "$(sed -n 3p text)"
"""


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_openssl_and_base64_check_a_log_of_one_entry_by_hand(tmp_path: Path) -> None:
    log = long_log(tmp_path, 1)
    (tmp_path / "key.pem").write_text(COLLECTOR.public.pem)

    def by_hand() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", "-c", BY_HAND], cwd=tmp_path, capture_output=True, text=True)

    done = by_hand()
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    signed = (tmp_path / "checkpoint").read_bytes()
    (tmp_path / "checkpoint").write_bytes(signed.replace(b"\n1\n", b"\n2\n"))
    assert by_hand().returncode != 0
    (tmp_path / "checkpoint").write_bytes(signed)
    assert by_hand().returncode == 0
    log.folder.joinpath("entries/000/000/000000000.json").write_bytes(b"another")
    assert by_hand().returncode != 0
