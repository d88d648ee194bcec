"""Baselines on disk: proposed, accepted, superseded, and never back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.record_fixtures import in_child, read_only_disk
from tests.trust_fixtures import (
    DEVICE,
    ENGINEER,
    NOW,
    OFFICER,
    OTHER_DEVICE,
    POLICY,
    baseline,
    sealed_baseline,
    sealed_report,
)
from verifier.errors import RecordError, TrustError
from verifier.model.baseline import Baseline
from verifier.model.device import DeviceName
from verifier.record import baselines as baselines_module
from verifier.record.baselines import Baselines
from verifier.record.log import Log
from verifier.record.workspace import Workspace
from verifier.trust.baseline_rules import Accepted, current
from verifier.trust.statement import BASELINE
from verifier.trust.verify import Verified, verify


def approved(serial: int = 1, supersedes: str = "", device: DeviceName = DEVICE) -> Verified[Baseline]:
    return verify(sealed_baseline(ENGINEER, OFFICER, value=baseline(serial, supersedes, device)), BASELINE, POLICY, NOW)


FIRST = approved()
SECOND = approved(2, FIRST.sha256)


def store(root: Path) -> Baselines:
    return Workspace(root).baselines


def test_a_proposal_waits_and_can_be_dropped(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    assert baselines.proposed(DEVICE) is None
    path = baselines.propose(DEVICE, sealed_baseline())
    assert path == tmp_path / "proposed" / "terminal-2" / "STS-01" / "hoist-drive.json"
    assert path.read_bytes() == baselines.proposed(DEVICE) == sealed_baseline()
    baselines.propose(DEVICE, sealed_baseline(ENGINEER))
    assert baselines.proposed(DEVICE) == sealed_baseline(ENGINEER)
    assert baselines.approved(DEVICE) is None
    baselines.drop_proposal(DEVICE)
    baselines.drop_proposal(DEVICE)
    assert baselines.proposed(DEVICE) is None


def test_an_accepted_one_is_in_its_place_in_the_log_and_remembered(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    assert baselines.accepted(DEVICE) is None
    baselines.propose(DEVICE, FIRST.envelope)
    entry = baselines.accept(FIRST)
    assert (tmp_path / "baselines" / "terminal-2" / "STS-01" / "hoist-drive.json").read_bytes() == FIRST.envelope
    assert baselines.approved(DEVICE) == FIRST.envelope == baselines.log.read(entry.sequence)
    assert baselines.accepted(DEVICE) == Accepted(1, FIRST.sha256)
    assert baselines.proposed(DEVICE) is None
    assert baselines.accepted(OTHER_DEVICE) is None


def test_one_follows_on_the_other(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    baselines.log.append(sealed_report)
    baselines.accept(approved(device=OTHER_DEVICE))
    baselines.accept(SECOND)
    assert baselines.approved(DEVICE) == SECOND.envelope
    assert baselines.accepted(DEVICE) == Accepted(2, SECOND.sha256)
    assert baselines.log.verify() == ()


@pytest.mark.parametrize("again", [FIRST, SECOND, approved(2, "ab" * 32), approved(4, SECOND.sha256)])
def test_what_does_not_follow_is_not_accepted(tmp_path: Path, again: Verified[Baseline]) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    baselines.accept(SECOND)
    baselines.propose(DEVICE, b"another proposal")
    with pytest.raises(TrustError):
        baselines.accept(again)
    assert baselines.log.length() == 2
    assert baselines.approved(DEVICE) == SECOND.envelope
    assert baselines.proposed(DEVICE) == b"another proposal"


def test_one_from_elsewhere_is_taken_up_whatever_its_serial_and_only_where_there_is_none(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    assert baselines.take_up(SECOND).sequence == 0
    assert baselines.accepted(DEVICE) == Accepted(2, SECOND.sha256)
    with pytest.raises(TrustError, match=r"baseline 2 of .* was accepted here meanwhile"):
        baselines.take_up(FIRST)
    assert baselines.take_up(approved(device=OTHER_DEVICE)).sequence == 1


def test_two_accepted_at_once_are_not_both_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    real = Log.append

    def append(log: Log, make: Callable[[str], bytes]) -> object:
        monkeypatch.undo()
        baselines.accept(SECOND)
        return real(log, make)

    monkeypatch.setattr(Log, "append", append)
    with pytest.raises(TrustError, match="has serial 2; the next one is 3"):
        baselines.accept(approved(2, FIRST.sha256))
    assert baselines.log.length() == 2


def test_an_older_one_put_back_is_noticed(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    baselines.accept(SECOND)
    baselines.approved_path(DEVICE).write_bytes(FIRST.envelope)
    found = baselines.approved(DEVICE)
    assert found == FIRST.envelope
    with pytest.raises(TrustError, match="has serial 1, and 2 was accepted before"):
        current(verify(found, BASELINE, POLICY, NOW), DEVICE, baselines.accepted(DEVICE))


def test_it_is_noticed_without_the_memory_too(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    baselines.accept(SECOND)
    for broken in (b"", b"{", b'{"length":-1.5}'):
        (tmp_path / "index.sqlite").write_bytes(broken)
        assert store(tmp_path).accepted(DEVICE) == Accepted(2, SECOND.sha256)
    (tmp_path / "index.sqlite").unlink()
    assert store(tmp_path).accepted(DEVICE) == Accepted(2, SECOND.sha256)


def test_an_approved_one_that_is_gone_is_noticed(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    baselines.approved_path(DEVICE).unlink()
    with pytest.raises(TrustError, match="is gone; entry 0 of the log holds it"):
        baselines.approved(DEVICE)


def test_a_log_that_lost_its_end_is_noticed(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    baselines.accept(SECOND)
    assert baselines.accepted(DEVICE)
    (tmp_path / "log" / "entries" / "000" / "000" / "000000001.json").unlink()
    with pytest.raises(TrustError, match="the log has 1 entries and had 2: it has lost its end"):
        baselines.accepted(DEVICE)
    with pytest.raises(TrustError, match="lost its end"):
        baselines.approved(DEVICE)


def test_a_log_whose_end_was_rewritten_is_noticed(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    assert baselines.accepted(DEVICE)
    (tmp_path / "log" / "entries" / "000" / "000" / "000000000.json").write_bytes(sealed_report())
    with pytest.raises(TrustError, match="entry 0 of the log is not the one that was there"):
        baselines.accepted(DEVICE)


def test_a_log_that_cannot_be_read_is_not_trusted(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    baselines.log.append(lambda _: b"hello")
    with pytest.raises(TrustError, match="entry 1 of the log cannot be read"):
        baselines.accepted(DEVICE)


def test_only_new_entries_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    for _ in range(5):
        baselines.log.append(sealed_report)
    assert baselines.accepted(DEVICE)
    read: list[int] = []
    real = Log.read

    def reading(log: Log, sequence: int) -> bytes:
        read.append(sequence)
        return real(log, sequence)

    monkeypatch.setattr(Log, "read", reading)
    assert baselines.accepted(DEVICE) == Accepted(1, FIRST.sha256)
    assert read == [5]
    baselines.log.append(sealed_report)
    read.clear()
    assert baselines.accepted(DEVICE) == Accepted(1, FIRST.sha256)
    assert read == [5, 6]


def test_an_older_serial_later_in_the_log_changes_nothing(tmp_path: Path) -> None:
    baselines = store(tmp_path)
    baselines.accept(FIRST)
    baselines.accept(SECOND)
    baselines.log.append(lambda _: FIRST.envelope)
    assert baselines.accepted(DEVICE) == Accepted(2, SECOND.sha256)


def test_a_read_only_workspace_is_read_all_the_same(tmp_path: Path) -> None:
    store(tmp_path / "source").accept(FIRST)
    (tmp_path / "source" / "index.sqlite").unlink(missing_ok=True)
    with read_only_disk(tmp_path / "mnt", tmp_path / "source") as disk:
        assert store(disk).approved(DEVICE) == FIRST.envelope
        assert store(disk).accepted(DEVICE) == Accepted(1, FIRST.sha256)


def test_an_accept_that_was_killed_is_read_from_a_read_only_disk_too(tmp_path: Path) -> None:
    source = store(tmp_path / "source")
    source.accept(FIRST)
    source.propose(DEVICE, SECOND.envelope)
    source.log.append(lambda _: SECOND.envelope)
    with read_only_disk(tmp_path / "mnt", tmp_path / "source") as disk:
        assert store(disk).approved(DEVICE) == SECOND.envelope
    assert source.proposed(DEVICE) == SECOND.envelope


STEPS = ((Baselines, "propose"), (Log, "append"), (baselines_module, "write_whole"), (Baselines, "drop_proposal"))


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("owner", "name"), STEPS)
def test_killed_while_accepting(tmp_path: Path, owner: object, name: str, before: bool) -> None:
    """At every step, before and after: the old one is in force, or the new one is; never neither, and never a refusal."""
    baselines = store(tmp_path)
    baselines.accept(FIRST)

    def child() -> str:
        real = getattr(owner, name)

        def killed(*arguments: object) -> None:
            if not before:
                real(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        pytest.MonkeyPatch().setattr(owner, name, killed)
        store(tmp_path).accept(SECOND)
        return "accepted"

    assert in_child(child) == ""
    again = store(tmp_path)
    found = again.approved(DEVICE)
    assert found in (FIRST.envelope, SECOND.envelope)
    assert current(verify(found, BASELINE, POLICY, NOW), DEVICE, again.accepted(DEVICE))
    if again.log.length() == 1:
        assert found == FIRST.envelope
        again.accept(SECOND)
    assert again.approved(DEVICE) == SECOND.envelope == again.approved_path(DEVICE).read_bytes()
    assert again.proposed(DEVICE) is None
    assert again.log.length() == 2


@pytest.mark.parametrize(
    "name",
    [
        DeviceName("..", "STS-01", "x"),
        DeviceName("a", "", "x"),
        DeviceName("a", "b/c", "x"),
        DeviceName("a", "b", ".accepted"),
        DeviceName("a", "b", "x\0"),
        DeviceName("a", "b", "x "),
        DeviceName("a", "b", "c:d"),
        DeviceName("a", "b", "x" * 201),
        DeviceName("a\\b", "b", "x"),
    ],
)
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: DeviceName) -> None:
    with pytest.raises(RecordError, match=r"cannot be the name of a file|too long") as caught:
        store(tmp_path).propose(name, b"x")
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []
