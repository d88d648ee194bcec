"""Evidence bundles: what is in one, what it proves and what not; nothing in it can be taken, added, swapped or altered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bundle_fixtures import BEGIN, DAY, Handed, Port, busy_port, handed
from tests.record_fixtures import full_disk, read_only_disk
from tests.trust_fixtures import DEVICE, OTHER_DEVICE
from verifier.cli.bundle import document
from verifier.cli.main import run
from verifier.errors import CraneVerifyError, RecordError, TrustError, UsageError
from verifier.procedures.examination import Examination, examine
from verifier.record.bundle import contents, write_bundle

HAND = ("README.md",)
"""What is for hands only, and not looked at."""


@pytest.fixture(scope="module")
def given_out(tmp_path_factory: pytest.TempPathFactory) -> Handed:
    return handed(tmp_path_factory.mktemp("handed"))


@pytest.fixture
def bundle(given_out: Handed, tmp_path: Path) -> Path:
    return given_out.copy(tmp_path / "bundle")


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Port:
    return busy_port(tmp_path_factory.mktemp("busy"))


def entry(number: int) -> str:
    return f"log/entries/000/000/{number:09}.json"


def proof(number: int) -> str:
    return f"proofs/{number}.tlog-proof"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out + err


# What it says


def test_a_good_bundle_proves_what_it_says_and_says_what_not(
    bundle: Path, given_out: Handed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # no workspace, no inventory, no key
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    code, words = said(capsys, "report", "verify", str(bundle))
    assert code == 0
    for expected in (
        "10 signed statements, each in the record and each signed by those whom the policy named",
        "grew out of its first root",
        "had 10 entries",
        "up to entry 8 all of it was there by",
        "by Class Society",
        "on the word of Example TSA",
        "2 baselines, signed by A. Engineer (engineer), B. Engineer (engineer)",
        "not proven",
        "that the first root is this port's: its fingerprint was not compared",
        "that nothing after entry 8 was changed or left out",
        "that a device told the truth",
        "next: compare this fingerprint with one from a person of the port whom you know, or give theirs with --root:",
        f"  {given_out.fingerprint}\n",
    ):
        assert expected in words, expected
    code, words = said(capsys, "report", "verify", str(bundle), "--root", given_out.fingerprint)
    assert code == 0
    assert "grew out of the root you know" in words
    assert "not compared" not in words
    assert "next:" not in words


@pytest.mark.parametrize("written", ["{0}", "sha256:{0}", "SHA256:{0}", "{0[0]}{0[1]}:{1}"])
def test_a_fingerprint_may_be_typed_as_people_do(bundle: Path, given_out: Handed, written: str) -> None:
    assert examine(bundle, written.format(given_out.fingerprint, given_out.fingerprint[2:])).root_compared


def test_another_root_is_refused(bundle: Path, busy: Port, tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="and you know another one"):
        examine(bundle, "ab" * 32)
    for typed in ("abc", ""):  # such as "$(cat a-file-that-is-not-there)"
        with pytest.raises(UsageError, match="is no fingerprint"):
            examine(bundle, typed)
    busy.bundles(tmp_path / "unsigned")
    with pytest.raises(TrustError, match="nobody signed the policy"):
        examine(tmp_path / "unsigned", "ab" * 32)


def test_json_has_every_statement_with_its_bounds(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(("report", "verify", str(bundle), "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["holds"]
    assert [each["number"] for each in found["statements"]] == list(range(10))
    last = found["statements"][9]
    assert last["not_before"]["by"] == "Example TSA"
    assert last["not_after"] is None
    assert last["signers"] == ["collector (collector)"]
    (bundle / entry(9)).unlink()
    assert run(("report", "verify", str(bundle), "--json")) == 5
    found = json.loads(capsys.readouterr().out)
    assert (found["holds"], found["proven"]) == (False, [])


def test_a_bundle_of_a_policy_that_nobody_signed_says_so(busy: Port, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    busy.bundles(tmp_path / "bundle")
    code, words = said(capsys, "report", "verify", str(tmp_path / "bundle"))
    assert code == 0
    assert "nobody signed trust/policy.json, which is believed as it stands" in words
    assert "days of silence after entry 8, from 2026-10-30 to " in words
    assert "next:" not in words


def test_what_nobody_saw_is_said_not_to_be_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = Port(tmp_path / "workspace")
    port.reports(BEGIN, port.approves(at=BEGIN))
    port.reports(BEGIN + DAY, "ab" * 32)
    port.signs()
    port.bundles(tmp_path / "bundle")
    code, words = said(capsys, "report", "verify", str(tmp_path / "bundle"))
    assert code == 0
    assert "nobody outside has seen it, so times are the collector's own word" in words
    assert "what 1 reports were compared with" in words


def test_long_lists_are_cut_for_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = Port(tmp_path / "workspace")
    for hour in range(30):
        port.reports(BEGIN + timedelta(hours=hour))
    port.signs()
    port.bundles(tmp_path / "bundle")
    code, words = said(capsys, "report", "verify", str(tmp_path / "bundle"))
    assert code == 0
    assert "the newest 20 of 30" in words
    for number in range(25):
        (tmp_path / "bundle" / proof(number)).unlink()
    code, words = said(capsys, "report", "verify", str(tmp_path / "bundle"))
    assert code == 5
    assert "and 30 more: --json lists them" in words


# Without a clock, without writing, without anything else


NO_CLOCK = """
import datetime, logging, sys, time  # logging asks once, when it is imported
def refuse(*_, **__): raise AssertionError("somebody asked for the time")
class NoClock(datetime.datetime):
    now = utcnow = today = refuse
datetime.datetime = NoClock
time.time = time.time_ns = time.localtime = refuse
from verifier.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def test_no_clock_is_asked_and_nothing_else_is_there(bundle: Path, given_out: Handed, tmp_path: Path) -> None:
    """Whatever year the auditor's laptop thinks it is. An empty environment, a folder that holds nothing."""
    (tmp_path / "empty").mkdir()
    arguments = [sys.executable, "-c", NO_CLOCK, "report", "verify", str(bundle), "--root", given_out.fingerprint]
    path = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(arguments, cwd=tmp_path / "empty", env=path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert "10 signed statements" in done.stdout
    assert [*(tmp_path / "empty").iterdir()] == []


def test_the_clock_that_is_not_asked_would_be_noticed() -> None:
    asking = NO_CLOCK.rpartition("from verifier.cli")[0] + "from verifier.procedures.collector import utc_now\nutc_now()"
    done = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "somebody asked for the time" in done.stderr


def test_a_read_only_bundle_is_examined_and_left_as_it_is(bundle: Path, tmp_path: Path) -> None:
    def state() -> list[tuple[str, int]]:
        return sorted((str(path), path.stat().st_mtime_ns) for path in bundle.rglob("*"))

    before = state()
    with read_only_disk(tmp_path / "stick", bundle) as stick:
        assert examine(stick).findings == ()
    assert state() == before


# What is chosen


def numbers(found: Examination) -> list[int]:
    return [each.sequence for each in found.statements]


def test_chosen_reports_bring_what_they_rest_on(busy: Port, tmp_path: Path) -> None:
    made = busy.bundles(tmp_path / "bundle", "STS-01", since=BEGIN + 6 * DAY, until=BEGIN + 8 * DAY)
    assert (made.entries, made.waiting) == (10, 0)
    found = examine(tmp_path / "bundle")
    assert found.findings == ()
    # the baseline is older, and the withdrawal is another crane's; the report since then is too new, the heartbeat is of no crane
    assert numbers(found) == [0, 5, 8]
    assert dict(found.not_enclosed) == {"baseline": 1, "heartbeat": 1, "report": 5}
    assert found.silences == ()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (("STS-02",), [1, 3, 5]),
        (("terminal-2/STS-01", "STS-02"), [0, 1, 2, 3, 4, 5, 6, 8, 9]),
        ((str(DEVICE),), [0, 2, 4, 5, 6, 8, 9]),
    ],
)
def test_devices_cranes_and_sites(busy: Port, tmp_path: Path, words: tuple[str, ...], expected: list[int]) -> None:
    busy.bundles(tmp_path / "bundle", *words)
    assert numbers(examine(tmp_path / "bundle")) == expected


def test_words_that_name_nothing(busy: Port, tmp_path: Path) -> None:
    for words, since, why in (
        (("STS-09",), None, "says nothing about STS-09"),
        (("STS-02",), BEGIN + 9 * DAY, "says nothing about STS-02 since"),
    ):
        with pytest.raises(UsageError, match=why):
            busy.bundles(tmp_path / "bundle", *words, since=since)
    assert not (tmp_path / "bundle").exists()


def test_what_no_checkpoint_covers_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = Port(tmp_path / "workspace")
    (port.root / "inventory.yaml").write_text("")
    digest = port.approves(at=BEGIN)
    with pytest.raises(UsageError, match="no checkpoint yet") as raised:
        port.bundles(tmp_path / "bundle")
    assert "log checkpoint --sign" in raised.value.hint
    port.signs()
    port.reports(BEGIN, digest)
    port.reports(BEGIN, digest, OTHER_DEVICE)
    with pytest.raises(UsageError, match="no checkpoint covers what was chosen"):
        port.bundles(tmp_path / "bundle", "STS-02")
    code, words = said(capsys, "-w", str(port.root), "log", "bundle", str(tmp_path / "bundle"), "--until", "2099-12-31")
    assert code == 0, words
    assert "1 baseline, out of 1 entries" in words
    assert "2 newer ones are left out, since no checkpoint covers them yet: sign one with" in words
    assert examine(tmp_path / "bundle").findings == ()


def test_an_entry_that_is_not_in_the_tree_stops_the_export(busy: Port, tmp_path: Path) -> None:
    shutil.copytree(busy.root, tmp_path / "workspace")
    port = Port.__new__(Port)
    port.root, port.stamps = tmp_path / "workspace", busy.stamps
    path = port.root / entry(9)
    path.write_bytes((port.root / entry(8)).read_bytes())
    with pytest.raises(TrustError, match="entry 9"):
        port.bundles(tmp_path / "bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["workspace"]


# Writing


def test_only_a_new_or_empty_folder_is_written_to(busy: Port, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    busy.bundles(tmp_path / "empty")
    assert examine(tmp_path / "empty").findings == ()
    for taken in (tmp_path / "empty", tmp_path / "empty/README.md"):
        with pytest.raises(RecordError, match="is there already"):
            busy.bundles(taken)
        (busy.root / "inventory.yaml").write_text("")
        code, words = said(capsys, "-w", str(busy.root), "log", "bundle", str(taken))
        assert (code, "name a new folder" in words) == (2, True)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RecordError, match="is there already"):
        busy.bundles(tmp_path / "link")


def test_a_full_disk_leaves_nothing_that_could_be_taken_for_a_bundle(busy: Port, tmp_path: Path) -> None:
    with full_disk(tmp_path / "stick") as stick:
        (stick / "filler").write_bytes(bytes(40_000))
        with pytest.raises(RecordError, match="the disk is full"):
            busy.bundles(stick / "bundle")
        assert [path.name for path in stick.iterdir()] == ["filler"]


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    left = tmp_path / ".bundle.partial"
    left.mkdir()
    (left / "half").write_bytes(b"half")

    def files() -> Any:
        yield "log/one", b"1"
        assert not (tmp_path / "bundle").exists()
        assert (left / "log/one").is_file()
        yield "two", b"2"

    write_bundle(tmp_path / "bundle", files())
    assert contents(tmp_path / "bundle").files == ("log/one", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_what_is_no_plain_file_is_not_followed(bundle: Path, tmp_path: Path) -> None:
    (bundle / "log/entries/link").symlink_to("/etc")
    os.mkfifo(bundle / "pipe")
    (bundle / os.fsdecode(b"n\xffme")).write_bytes(b"")
    found = contents(bundle)
    assert found.others == ("log/entries/link", "pipe")
    assert "n\\xffme" in found.files
    with pytest.raises(TrustError, match="what is no plain file: log/entries/link, pipe"):
        examine(bundle)
    with pytest.raises(UsageError, match="is no evidence bundle"):
        examine(tmp_path)
    with pytest.raises(RecordError, match="cannot read"):
        contents(tmp_path / "nothing")


def test_folders_a_thousand_deep_are_looked_through(bundle: Path) -> None:
    """As deep as a path can be named, which is deeper than Python calls itself."""
    folders = [bundle]
    try:
        for _ in range(1500):
            folders.append(folders[-1] / "d")
            folders[-1].mkdir()
        (folders[-1] / "extra").write_bytes(b"")
        assert f"{'d/' * 1500}extra" in contents(bundle).files
        assert any(each.endswith("d/extra does not belong into the bundle") for each in examine(bundle).findings)
    finally:
        (folders[-1] / "extra").unlink()
        for folder in reversed(folders[1:]):
            folder.rmdir()


# Doctored


def lose(*names: str) -> Callable[[Path], None]:
    def doctor(bundle: Path) -> None:
        for name in names:
            (bundle / name).unlink()

    return doctor


def swap(one: str, two: str) -> Callable[[Path], None]:
    def doctor(bundle: Path) -> None:
        a, b = (bundle / one).read_bytes(), (bundle / two).read_bytes()
        assert a != b
        (bundle / one).write_bytes(b)
        (bundle / two).write_bytes(a)

    return doctor


def put(name: str, data: bytes) -> Callable[[Path], None]:
    def doctor(bundle: Path) -> None:
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_bytes(data)

    return doctor


def alter(pattern: str, before: bytes, after: bytes) -> Callable[[Path], None]:
    def doctor(bundle: Path) -> None:
        path = next(iter(sorted(bundle.glob(pattern))))
        data = path.read_bytes()
        assert before in data
        path.write_bytes(data.replace(before, after, 1))

    return doctor


def move(pattern: str, name: str) -> Callable[[Path], None]:
    def doctor(bundle: Path) -> None:
        (path,) = bundle.glob(pattern)
        path.rename(path.with_name(name))

    return doctor


DOCTORED: dict[str, tuple[Callable[[Path], None], str]] = {
    "an entry is gone": (lose(entry(9)), "proofs/9.tlog-proof is there, and entry 9 is missing"),
    "a proof is gone": (lose(proof(9)), "proofs/9.tlog-proof is missing"),
    "a policy is gone": (lose(entry(1), proof(1)), "entry 1 is a policy, and is not enclosed: a bundle holds all of them"),
    "a baseline is gone": (lose(entry(0), proof(0)), "entry 0 is the baseline that a report was compared with, and is not"),
    "two entries are swapped": (swap(entry(5), entry(7)), "entry 5 is not the one that the tree holds"),
    "two proofs are swapped": (swap(proof(5), proof(7)), "entry 5: "),
    "an envelope is altered": (alter(entry(9), b"payloadType", b"PayloadType"), "entry 9 is not the one that the tree holds"),
    "a file too many": (put("log/tile/9/000", b"x"), "log/tile/9/000 does not belong into the bundle"),
    "an entry too many": (put(entry(10), b"{}"), "entry 10 is enclosed, and no checkpoint covers it"),
    "a proof too many": (put(proof(10), b""), "proofs/10.tlog-proof is there, and entry 10 is missing"),
    "a bundle of entries is altered": (alter("log/tile/entries/*/*", b":report:", b":Report:"), "the bundles hold other entries"),
    "a bundle of entries is cut": (alter("log/tile/entries/*/*", b"urn:crane", b"urn:"), "does not hold 10 whole entries"),
    "a tile is gone": (lose("log/tile/0/000.p/10"), "log/tile/0/000.p/10 is missing"),
    "all entries of the tree are gone": (lose("log/tile/entries/000.p/10"), "log/tile/entries/000.p/10 is missing"),
    "a cosignature is altered": (
        alter("log/witnessed/*/*.cosignature", b"witness/", b"witnezz/"),
        "is not a cosignature by Class Society",
    ),
    "a cosignature is junk": (alter("log/witnessed/*/*.cosignature", b"\n", b""), "this is not a signed note"),
    "a cosigned checkpoint is gone": (
        lambda bundle: next(iter(sorted(bundle.glob("log/witnessed/*/checkpoint")))).unlink(),
        "/checkpoint is missing",
    ),
    "a kept checkpoint is of another size": (move("log/witnessed/*6", "000000000005"), "log/witnessed/000000000005: "),
    "a time stamp is altered": (alter("log/witnessed/*/*.tsr", b"signer", b"Signer"), "the time stamp"),
    "a key is altered": (alter("keys/*.pem", b"PUBLIC", b"PRIVATE"), "is not what the policy says"),
    "a name is altered": (alter("keys/owners.txt", b"Engineer", b"Enginear"), "keys/owners.txt is not what the policy says"),
    "a certificate is gone": (lambda bundle: next(bundle.glob("time/*.pem")).unlink(), ".pem is missing"),
    "an older policy is altered": (alter("trust/1.targets.json", b"2", b"3"), "trust/1.targets.json is not what the policy says"),
    "an older policy is gone": (lose("trust/1.targets.json"), "trust/1.targets.json is missing"),
}


@pytest.mark.parametrize("how", DOCTORED)
def test_whatever_is_doctored_is_named(bundle: Path, how: str) -> None:
    doctor, words = DOCTORED[how]
    doctor(bundle)
    assert words in "\n".join(examine(bundle).findings)


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no checkpoint": (lose("log/checkpoint"), "has no checkpoint"),
    "no origin": (lose("log/origin"), "origin"),
    "another origin": (alter("log/origin", b"crane", b"crana"), "is of the log"),
    "the checkpoint is altered": (alter("log/checkpoint", b"\n10\n", b"\n11\n"), "does not fit"),
    "no policy": (lambda bundle: shutil.rmtree(bundle / "trust"), "there is no policy"),
    "a root is altered": (alter("trust/1.root.json", b"A. Engineer", b"B. Engineer"), "1.root.json"),
    "the policy is put back to its first version": (lose("trust/4.targets.json"), "rolled back"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_without_something_to_hold_it_against_nothing_is_examined(bundle: Path, how: str) -> None:
    doctor, words = REFUSED[how]
    doctor(bundle)
    with pytest.raises(TrustError, match=words):
        if findings := examine(bundle).findings:
            raise TrustError("\n".join(findings))


def test_two_bundles_cannot_be_mixed(bundle: Path, busy: Port, tmp_path: Path) -> None:
    busy.bundles(tmp_path / "other")
    for name in (entry(2), proof(2)):
        shutil.copy(tmp_path / "other" / name, bundle / name)
    found = "\n".join(examine(bundle).findings)
    assert "entry 2 is not the one that the tree holds" in found


# Every bit


def claims(bundle: Path) -> Any:
    """What a bundle says to whoever asks; or that it does not hold."""
    try:
        found = examine(bundle)
    except CraneVerifyError as error:
        assert error.exit_code in (2, 5), error
        return None
    return None if found.findings else document(found)


@pytest.fixture(scope="module")
def all_claims(given_out: Handed) -> Any:
    found = claims(given_out.bundle)
    assert found is not None
    return found


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data())
def test_any_flipped_bit_is_refused_or_changes_nothing_that_is_claimed(
    given_out: Handed, all_claims: Any, data: st.DataObject
) -> None:
    names = [name for name in contents(given_out.bundle).files if name not in HAND]
    kinds = sorted({(name.split("/")[0], Path(name).suffix) for name in names})
    kind = data.draw(st.sampled_from(kinds))
    name = data.draw(st.sampled_from([each for each in names if (each.split("/")[0], Path(each).suffix) == kind]))
    path = given_out.bundle / name
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) * 8 - 1))
    flipped = bytearray(before)
    flipped[place // 8] ^= 1 << place % 8
    path.write_bytes(flipped)
    try:
        assert claims(given_out.bundle) in (None, all_claims)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("path", ["trust/1.root.json", "log/checkpoint"])
def test_an_auditor_is_not_told_to_mend_the_ports_policy(bundle: Path, capsys: pytest.CaptureFixture[str], path: str) -> None:
    found = bundle / path
    found.write_bytes(found.read_bytes().replace(b"a", b"b"))
    code, words = said(capsys, "report", "verify", str(bundle))
    assert code == 5
    assert "the bundle does not hold" in words
    assert "ask the port for another" in words
