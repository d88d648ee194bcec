"""The README's chapter on auditing, and the README in a bundle, followed word for word in an empty environment."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bundle_fixtures import Handed, Port, busy_port, handed
from tests.card_port import founded
from tests.servers import node
from tests.servers.tsa import BRINGS_ITS_ROOT, NAMES_ITS_ROOT, SIGNS_WITH_ITS_ROOT, authority
from tests.trust_fixtures import COLLECTOR
from verifier.procedures.witnessing import newest_witnessed
from verifier.report.by_hand import Enclosed, readme
from verifier.trust.log.checkpoint import Checkpoint, sign_checkpoint

README = Path(__file__).parent.parent / "README.md"
TOOLS = ("bash", "openssl", "jq", "xxd")
PATH = "/usr/bin:/bin"
PASSED = "PASSED\n"


@pytest.fixture(scope="module")
def given_out(tmp_path_factory: pytest.TempPathFactory) -> Handed:
    if missing := [tool for tool in TOOLS if not shutil.which(tool, path=PATH)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return handed(tmp_path_factory.mktemp("handed"))


@pytest.fixture
def desk(given_out: Handed, tmp_path: Path) -> Path:
    """The auditor's clean laptop: a folder with the bundle, and the fingerprint that came another way."""
    given_out.copy(tmp_path / "evidence")
    (tmp_path / "root.txt").write_text(f"{given_out.fingerprint}\n")
    return tmp_path


def chapter(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def scripts(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def typed(script: str, folder: Path, path: str = PATH) -> subprocess.CompletedProcess[str]:
    """A block as it is pasted, with nothing in the environment but where programs are."""
    command = ["env", "-i", f"PATH={path}", "bash", "-c", script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def steps(evidence: Path) -> list[str]:
    found = scripts((evidence / "README.md").read_text())
    assert all(step.endswith("echo PASSED\nCHECK\n") for step in found)
    return found


def outcomes(evidence: Path, only: set[int] | None = None) -> list[bool]:
    """Which of the steps passed. A step that did not must say so in both ways."""
    found = []
    for step in (step for number, step in enumerate(steps(evidence)) if only is None or number in only):
        done = typed(step, evidence)
        assert (done.returncode == 0) == done.stdout.endswith(PASSED), done
        found.append(done.returncode == 0)
    return found


def in_step(evidence: Path, number: int, entry: int) -> str:
    """A step, with the number of another entry put in."""
    step = steps(evidence)[number]
    assert step.startswith("N=")
    return re.sub(r"\AN=\d+", f"N={entry}", step)


# The README's chapter


def test_the_chapter_is_followed_word_for_word(desk: Path, given_out: Handed) -> None:
    ours, by_hand = scripts(chapter(README.read_text(), "Auditing"))
    done = typed(ours, desk, f"{Path(sys.executable).parent}:{PATH}")
    assert done.returncode == 0, done
    assert "10 signed statements" in done.stdout
    assert "grew out of the root you know" in done.stdout
    done = typed(by_hand, desk)
    assert done.returncode == 0, done
    assert done.stdout.endswith("ALL PASSED\n")
    assert done.stdout.count("\nPASSED\n") == 6


@pytest.mark.parametrize("what", ["root", "note", "readme", "entry"])
def test_the_chapter_refuses(desk: Path, what: str) -> None:
    match what:
        case "root":
            (desk / "root.txt").write_text("ab" * 32 + "\n")
        case "note":
            (desk / "root.txt").unlink()
        case "readme":
            (desk / "evidence/README.md").write_text("# Nothing to do\n")
        case _:
            number = steps(desk / "evidence")[1].partition(" ")[0].removeprefix("N=")
            (path,) = (desk / "evidence/log/entries").rglob(f"*{number}.json")
            flip(path, 900)
    ours, by_hand = scripts(chapter(README.read_text(), "Auditing"))
    done = typed(by_hand, desk)
    assert done.returncode != 0
    assert "ALL PASSED" not in done.stdout
    if what != "readme":  # which our command does not read
        assert typed(ours, desk, f"{Path(sys.executable).parent}:{PATH}").returncode != 0


# The README in the bundle


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_all_steps_pass_on_a_good_bundle(desk: Path) -> None:
    assert outcomes(desk / "evidence") == [True] * 6


def test_every_statement_can_be_checked_by_hand(desk: Path) -> None:
    """The approval with a P-256 key, reports, policies: whatever number is put in."""
    for entry in (1, 6, 9):
        for number in (1, 2, 3):
            done = typed(in_step(desk / "evidence", number, entry), desk / "evidence")
            assert done.stdout.endswith(PASSED), (entry, number, done)
    signed = typed(in_step(desk / "evidence", 1, 6), desk / "evidence").stdout
    assert re.search(r"signed by [0-9a-f]{64} ecdsa-sha2-nistp256 engineer B. Engineer", signed)


def test_a_step_that_does_not_apply_does_not_pass(desk: Path) -> None:
    """Entry 9 came after everybody had looked."""
    for number in (4, 5):
        assert typed(in_step(desk / "evidence", number, 9), desk / "evidence").returncode != 0


def test_a_number_that_is_not_there_does_not_pass(desk: Path) -> None:
    for number in (1, 2, 3, 4, 5):
        done = typed(in_step(desk / "evidence", number, 99), desk / "evidence")
        assert (done.returncode != 0, PASSED in done.stdout) == (True, False)


@pytest.mark.parametrize("stamped", [True, False])
def test_a_bundle_without_roots_and_without_anybody_outside(tmp_path: Path, stamped: bool) -> None:
    port = busy_port(tmp_path) if stamped else Port(tmp_path / "workspace")
    if not stamped:
        port.approves()
        port.signs()
    port.bundles(tmp_path / "evidence")
    text = (tmp_path / "evidence/README.md").read_text()
    assert "**nobody signed that file**" in text
    assert outcomes(tmp_path / "evidence") == [True] * (6 if stamped else 4)
    assert ("No witness cosigned" in text, "No time authority stamped" in text) == (not stamped, not stamped)
    flip(tmp_path / "evidence/keys/owners.txt", 10)
    assert not outcomes(tmp_path / "evidence")[0]


@pytest.mark.parametrize(
    ("extra", "asking", "holds"),
    [
        ("", True, True),
        ("", False, True),
        (BRINGS_ITS_ROOT, True, True),
        (NAMES_ITS_ROOT, True, True),
        (NAMES_ITS_ROOT, False, True),
        (SIGNS_WITH_ITS_ROOT, True, False),
        (SIGNS_WITH_ITS_ROOT, False, False),
    ],
)
def test_a_stamp_is_checked_by_hand_whatever_certificates_it_brings(
    tmp_path: Path, extra: str, asking: bool, holds: bool
) -> None:
    """By hand and with our command alike: only the pinned certificate may have signed."""
    stamps = replace(authority(tmp_path / "tsa", root_may_stamp=True), extra=extra)
    port = Port(tmp_path / "workspace", stamps)
    port.approves()
    port.is_stamped(asking)
    port.bundles(tmp_path / "evidence")
    (ours,) = port.root.glob("log/witnessed/*/*.tsr")
    (theirs,) = (tmp_path / "evidence").glob("log/witnessed/*/*.tsr")
    assert theirs.read_bytes() == ours.read_bytes()
    if asking:
        assert theirs.read_bytes() == (tmp_path / "tsa/response.tsr").read_bytes()
    assert bool(newest_witnessed(port.workspace.log, port.policy)) == holds
    text = (tmp_path / "evidence/README.md").read_text()
    if not holds:
        # its README leaves the step out, since the stamp counts for nothing; so that of another bundle is typed
        assert "No time authority stamped" in text
        text = readme(Enclosed("another", 1, 1, example=0, cosigned=-1, stamped=0, fingerprint="", scope=()))
    (step,) = (each for each in scripts(text) if "openssl ts -verify" in each)
    done = typed(step, tmp_path / "evidence")
    assert (done.returncode == 0, done.stdout.endswith(PASSED)) == (holds, holds), done


def test_a_policy_with_an_ml_dsa_key_can_be_checked_with_an_openssl_that_cannot_read_it(tmp_path: Path) -> None:
    port, key = founded(tmp_path / "port"), tmp_path / "pq.key"
    for _ in range(8):
        port.succeeds("trust", "renew")
    port.succeeds("check", "STS-01/card")
    port.succeeds("trust", "key", str(key), "--algorithm", "ml-dsa-65", "--no-passphrase")
    port.succeeds("trust", "add", f"{key}.pub", "--name", "A. Engineer", "--role", "engineer")
    port.succeeds("check", "STS-01/card")
    port.succeeds("log", "bundle", str(tmp_path / "evidence"))
    evidence = tmp_path / "evidence"
    assert " ml-dsa-65 " in (evidence / "keys/owners.txt").read_text()
    # as the shell sorts them, the newest policy is not the last one
    assert {"10.targets.json", "9.targets.json"} <= {path.name for path in (evidence / "trust").iterdir()}
    assert outcomes(evidence, {0, 1, 2, 3}) == [True] * 4
    pem = key_of(evidence, "collector")
    pem.write_text(f"a line above it\n{pem.read_text()}")
    assert outcomes(evidence, {0}) == [False]


def key_of(evidence: Path, owner: str) -> Path:
    for line in (evidence / "keys/owners.txt").read_text().splitlines():
        if line.endswith(f" {owner}"):
            return evidence / f"keys/{line.split()[0]}.pem"
    raise AssertionError(owner)


def replaced(path: Path, before: bytes, after: bytes) -> None:
    data = path.read_bytes()
    assert before in data, path
    path.write_bytes(data.replace(before, after, 1))


def entry_of(evidence: Path, step: int) -> int:
    return int(steps(evidence)[step].partition(" ")[0].removeprefix("N="))


def envelope(evidence: Path, number: int) -> Path:
    (path,) = (evidence / "log/entries").rglob(f"{number:09}.json")
    return path


def resigned(evidence: Path) -> None:
    """The insider: another root, signed with the log's own key, in the entry's proof."""
    proof = evidence / f"proofs/{entry_of(evidence, 2)}.tlog-proof"
    above, _, note = proof.read_bytes().partition(b"\n\n")
    origin, size = note.decode().split("\n")[:2]
    proof.write_bytes(above + b"\n\n" + sign_checkpoint(Checkpoint(origin, int(size), bytes(32)), COLLECTOR))


DOCTORED: dict[str, tuple[Callable[[Path], None], set[int]]] = {
    "a root is altered": (lambda e: replaced(e / "trust/1.root.json", b"A. Engineer", b"B. Engineer"), {0}),
    "the policy is altered": (lambda e: replaced(e / "trust/4.targets.json", b"B. Engineer", b"C. Engineer"), {0}),
    "a signature of the policy is gone": (lambda e: replaced(e / "trust/4.targets.json", b'"sig": "', b'"sig": "00'), {0}),
    "there is no root": (lambda e: (e / "trust/1.root.json").unlink(), {0}),
    "there is no policy": (lambda e: lost(e, "trust/*targets*"), {0}),
    "a threshold of none": (lambda e: replaced(e / "trust/1.root.json", b'"threshold": 1', b'"threshold": 0'), {0}),
    "a key is exchanged": (lambda e: copied(key_of(e, "Class Society"), key_of(e, "collector")), {0, 1, 3}),
    "a stranger's key under a good name": (lambda e: stranger(e), {0, 1, 3}),
    "the envelope is altered": (lambda e: flip(envelope(e, entry_of(e, 1)), 900), {1, 2}),
    "the envelope is another's": (lambda e: copied(envelope(e, 2), envelope(e, entry_of(e, 2))), {2}),
    "the signature is gone": (lambda e: replaced(envelope(e, entry_of(e, 1)), b'"sig":"', b'"sig":"A'), {1, 2}),
    "there is no signature": (lambda e: unsigned(e), {1, 2}),
    "a hash of the proof is altered": (lambda e: flip(e / f"proofs/{entry_of(e, 2)}.tlog-proof", 40), {2}),
    "the proof is another's": (
        lambda e: copied(e / "proofs/2.tlog-proof", e / f"proofs/{entry_of(e, 2)}.tlog-proof"),
        {2},
    ),
    "the root is altered and signed by somebody else": (resigned, {2, 3, 4}),
    "the record is another one": (lambda e: replaced(e / "log/origin", b"log/", b"lag/"), {3}),
    "the record has no name": (lambda e: (e / "log/origin").unlink(), {1, 2, 3, 4, 5}),
    "the stamp is altered": (lambda e: flip(next(e.glob("log/witnessed/*/*.tsr")), -40), {5}),
    "the stamp is of another checkpoint": (lambda e: other_stamp(e), {5}),
    "the certificate is gone": (lambda e: next(e.glob("time/*.pem")).unlink(), {5}),
}


def lost(evidence: Path, pattern: str) -> None:
    for path in evidence.glob(pattern):
        path.unlink()


def copied(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())


def stranger(evidence: Path) -> None:
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", evidence / "x"], check=True)
    subprocess.run(["openssl", "pkey", "-in", evidence / "x", "-pubout", "-out", key_of(evidence, "collector")], check=True)


def unsigned(evidence: Path) -> None:
    path = envelope(evidence, entry_of(evidence, 1))
    document = json.loads(path.read_bytes())
    document["signatures"] = []
    path.write_text(json.dumps(document, separators=(",", ":")))


def other_stamp(evidence: Path) -> None:
    """The stamp with another checkpoint under it, which is what is proven."""
    (stamp,) = evidence.glob("log/witnessed/*/*.tsr")
    checkpoint = stamp.with_name("checkpoint")
    checkpoint.write_bytes(checkpoint.read_bytes() + b"\n")


@pytest.mark.parametrize("how", DOCTORED)
def test_each_step_refuses_what_is_doctored(desk: Path, how: str) -> None:
    doctor, refusing = DOCTORED[how]
    doctor(desk / "evidence")
    assert not any(outcomes(desk / "evidence", refusing))


# Other people's code


def test_sigstore_core_checks_the_envelopes_of_a_bundle(desk: Path) -> None:
    node.installed()
    evidence = desk / "evidence"
    number = entry_of(evidence, 1)
    statement = node.read("envelope", envelope(evidence, number), key_of(evidence, "collector"))
    assert statement["predicateType"] == "urn:crane-verify:report:v1"
    assert node.read("envelope", envelope(evidence, 6), key_of(evidence, "B. Engineer"))["predicate"]["serial"] == 1
    with pytest.raises(subprocess.CalledProcessError):
        node.read("envelope", envelope(evidence, number), key_of(evidence, "Class Society"))
    flip(envelope(evidence, number), 900)
    with pytest.raises(subprocess.CalledProcessError):
        node.read("envelope", envelope(evidence, number), key_of(evidence, "collector"))
