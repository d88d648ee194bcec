"""What a witness is asked, and the rule by which it answers: it never signs two histories."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.record_fixtures import in_child
from tests.servers.tlog import asked as asked_go
from tests.servers.tlog import built
from tests.test_record_tree import covered, files, long_log, write_entries
from tests.trust_fixtures import COLLECTOR, ENGINEER, NOW, STRANGER
from tests.witness_fixtures import CLASS, Outside, asked_of
from verifier.errors import RecordError, TrustError, UsageError
from verifier.procedures.witness import Folder
from verifier.record import witness_memory
from verifier.record.files import write_whole
from verifier.record.log import Log
from verifier.record.witness_memory import WitnessMemory
from verifier.trust.log.cosignature import COSIGNATURE, cosignatures
from verifier.trust.log.note import read_note, verifier_key
from verifier.trust.log.request import LARGEST_REQUEST, Request, read_request
from verifier.trust.log.witness import Remembered, witness_name, witness_of, witnessed


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return long_log(tmp_path / "log", 100)


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "memory", CLASS)


def grown(log: Log, size: int) -> Log:
    """The same log, later."""
    write_entries(log.folder, range(covered(log).size, size))
    log.sign(COLLECTOR)
    return log


def forked(log: Log, to: Path, entry: int) -> Log:
    """The log with an entry rewritten and everything signed again with its real key."""
    shutil.copytree(log.folder / "entries", to / "entries")
    shutil.copy(log.folder / "origin", to / "origin")
    path = to / "entries/000/000" / f"{entry:09}.json"
    assert path.is_file()
    path.write_bytes(b"rewritten")
    fork = Log(to)
    fork.sign(COLLECTOR)
    return fork


def memory_of(log: Log, *sizes: int) -> Remembered:
    """What a witness remembers that saw this log at these sizes."""
    known = Remembered(covered(log).origin, (COLLECTOR.public,))
    for _ in sizes:
        known = witnessed(asked_of(log, known.last.size), known, CLASS, NOW).memory
    return known


# The request


def test_a_request_is_read_as_it_was_written(log: Log) -> None:
    for old in (0, 1, 64, 99, 100):
        asked = asked_of(log, old)
        assert read_request(asked.written()) == asked
        assert asked.written().startswith(b"old %d\n" % old)
    assert asked_of(log, 0).hashes == asked_of(log, 100).hashes == asked_of(log, 101).hashes == ()


def test_what_is_not_a_request_in_its_one_form_is_refused(log: Log) -> None:
    good = asked_of(log, 33).written()
    line = good.split(b"\n")[1]
    for data in (
        b"",
        good[4:],
        good.replace(b"old 33", b"old 033"),
        good.replace(b"old 33", b"OLD 33"),
        good.replace(b"\n\n", b"\n", 1),
        good.replace(line, line[:-4]),
        good.replace(line, line[:-1] + b"*"),
        good.replace(line, (line + b"\n") * 64),
        good.replace(b"old 33", b"old 33 ", 1),
        good.replace(b"old 33\n", "old 33\né\n".encode(), 1),
        good[:-1],
        good + bytes(LARGEST_REQUEST),
        Request(33, (), b"no note").written(),
    ):
        assert data != good
        with pytest.raises(TrustError):
            read_request(data)


# The rule


def test_a_witness_cosigns_what_follows(log: Log) -> None:
    known = memory_of(log)
    assert known.last.size == 0
    seen = witnessed(asked_of(log, 0), known, CLASS, NOW)
    found = cosignatures(read_note(seen.note), (witness_of(CLASS.public),))
    assert [(each.witness.name, each.at) for each in found] == [(witness_name(CLASS.public), NOW)]
    assert witness_name(CLASS.public) == f"crane-verify/witness/{CLASS.public.key_id[:16]}"
    assert (seen.before, seen.checkpoint, seen.memory.last) == (0, covered(log), covered(log))
    later = witnessed(asked_of(grown(log, 150), 100), seen.memory, CLASS, NOW)
    assert (later.before, later.checkpoint.size, later.memory.last) == (100, 150, covered(log))


def test_the_same_checkpoint_is_cosigned_again_whatever_the_request_goes_on_from(log: Log) -> None:
    """The cosignature may have been lost on its way, and then the port asks as before."""
    known = memory_of(log, 100)
    for old in (0, 33, 100):
        assert witnessed(asked_of(log, old), known, CLASS, NOW).memory == known


def test_a_rewritten_history_is_refused(log: Log, tmp_path: Path) -> None:
    known = memory_of(log, 100)
    fork = forked(log, tmp_path / "fork", 21)
    with pytest.raises(TrustError, match=r"the history was rewritten: the first 100 entries"):
        witnessed(asked_of(fork, 100), known, CLASS, NOW)
    for asked in (asked_of(grown(fork, 150), 100), Request(100, (), asked_of(grown(log, 150), 100).checkpoint)):
        with pytest.raises(TrustError, match=r"the history was rewritten: the first 100 entries"):
            witnessed(asked, known, CLASS, NOW)


def test_the_log_of_last_month_is_refused(log: Log, tmp_path: Path) -> None:
    shutil.copytree(log.folder, tmp_path / "last-month")
    known = memory_of(grown(log, 150), 150)
    with pytest.raises(TrustError, match=r"an older checkpoint: it covers 100 entries, and you have signed for 150"):
        witnessed(asked_of(Log(tmp_path / "last-month"), 150), known, CLASS, NOW)


def test_a_request_that_goes_on_from_elsewhere_is_refused_and_says_from_where(log: Log) -> None:
    known = memory_of(log, 100)
    for old in (0, 99, 101):
        with pytest.raises(TrustError, match=f"goes on from {old} entries, and you have signed for 100") as caught:
            witnessed(asked_of(grown(log, 150), old), known, CLASS, NOW)
        assert "--since 100" in caught.value.hint


def test_another_log_or_another_key_is_refused(log: Log, tmp_path: Path) -> None:
    other = long_log(tmp_path / "other", 100)
    with pytest.raises(TrustError, match=f"this is the log {covered(other).origin}, and you witness"):
        witnessed(asked_of(other, 0), memory_of(log), CLASS, NOW)
    with pytest.raises(TrustError, match="not signed by the key of this log that you know"):
        witnessed(asked_of(log, 0), Remembered(covered(log).origin, (STRANGER.public,)), CLASS, NOW)


def test_lines_of_others_are_not_handed_on(log: Log) -> None:
    """A checkpoint goes on with the log's own signature and this witness's, and is remembered without any other's."""
    first = witnessed(asked_of(log, 0), memory_of(log), ENGINEER, NOW)
    seen = witnessed(Request(0, (), first.note), memory_of(log), CLASS, NOW)
    assert [each.name for each in read_note(seen.note).signatures] == [covered(log).origin, witness_name(CLASS.public)]
    assert seen.memory.checkpoint.encode() == log.tree.signed()


FLIPPED = long_log(Path(tempfile.mkdtemp(prefix="crane-verify-")), 100)
KNOWN = memory_of(FLIPPED, 100)
REQUEST = asked_of(grown(FLIPPED, 300), 100).written()
RIGHT = witnessed(read_request(REQUEST), KNOWN, CLASS, NOW)
shutil.rmtree(FLIPPED.folder)


@settings(max_examples=300, deadline=None)
@given(bit=st.integers(0, len(REQUEST) * 8 - 1))
def test_a_changed_bit_in_a_request_is_refused(bit: int) -> None:
    changed = bytearray(REQUEST)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(TrustError):
        witnessed(read_request(bytes(changed)), KNOWN, CLASS, NOW)


@settings(max_examples=300, deadline=None)
@given(bit=st.integers(0, len(RIGHT.note) * 8 - 1))
def test_a_changed_bit_in_a_cosigned_checkpoint_is_refused_or_nobody_saw_it(bit: int) -> None:
    changed = bytearray(RIGHT.note)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        assert cosignatures(read_note(bytes(changed)), (witness_of(CLASS.public),)) in ((), _right())
    except TrustError:
        return
    if changed.partition(b"\n\n")[0] != RIGHT.note.partition(b"\n\n")[0]:
        assert cosignatures(read_note(bytes(changed)), (witness_of(CLASS.public),)) == ()


def _right() -> object:
    return cosignatures(read_note(RIGHT.note), (witness_of(CLASS.public),))


def test_go_opens_a_cosigned_checkpoint(log: Log, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """Its note package knows no cosignatures; it takes the line for a stranger's, and the log's own for what it is."""
    go = built(tmp_path_factory.mktemp("go"))
    seen = witnessed(asked_of(log, 0), memory_of(log), CLASS, NOW)
    (log.folder / "checkpoint").write_bytes(seen.note)
    assert asked_go(go, "log", log.folder, verifier_key(covered(log).origin, COLLECTOR.public)) == f"{covered(log).origin} 100\n"
    assert verifier_key(witness_name(CLASS.public), CLASS.public, COSIGNATURE).startswith(witness_name(CLASS.public))


# The memory


def test_a_witness_goes_on_from_its_memory(log: Log, outside: Outside) -> None:
    outside.looks(log)
    outside.looks(grown(log, 150), NOW + timedelta(days=1))
    known = WitnessMemory(outside.folder).of(covered(log).origin)
    assert known == Remembered(covered(log).origin, (COLLECTOR.public,), (log.tree.signed() or b"").decode())
    assert files(log.folder / "witnessed") == [
        f"000000000100/{CLASS.public.key_id[:16]}.cosignature",
        "000000000100/checkpoint",
        f"000000000150/{CLASS.public.key_id[:16]}.cosignature",
        "000000000150/checkpoint",
    ]


def test_a_folder_with_a_rewritten_or_an_older_log_is_refused(log: Log, outside: Outside, tmp_path: Path) -> None:
    shutil.copytree(log.folder, tmp_path / "last-month")
    outside.looks(grown(log, 150))
    before = files(tmp_path)
    with pytest.raises(TrustError, match="an older checkpoint"):
        outside.looks(Log(tmp_path / "last-month"))
    assert files(tmp_path) == before
    with pytest.raises(TrustError, match="the history was rewritten"):
        outside.looks(forked(log, tmp_path / "fork", 21))


def test_each_log_has_a_memory_of_its_own(log: Log, outside: Outside, tmp_path: Path) -> None:
    outside.looks(log)
    outside.looks(long_log(tmp_path / "other", 10))
    outside.looks(log)


def test_a_log_that_was_never_seen_needs_somebody_who_knows_its_key(log: Log, outside: Outside) -> None:
    def nobody(_: object) -> object:
        raise UsageError("nobody knows its key")

    with pytest.raises(UsageError):
        outside.looking().at(Folder(log), nobody)  # type: ignore[arg-type]  # it never returns
    assert not [path for path in outside.folder.iterdir() if path.suffix == ".json"]
    with pytest.raises(TrustError, match="not signed by the key"):
        outside.looking().at(Folder(log), lambda _: STRANGER.public)
    outside.looks(log)
    outside.looking().at(Folder(log), nobody)  # type: ignore[arg-type]  # it is not asked


def test_another_key_of_a_known_log_is_added(log: Log, outside: Outside) -> None:
    outside.looks(log)
    log.sign(ENGINEER, (COLLECTOR.public,), again=True)
    with pytest.raises(TrustError, match="not signed by the key") as caught:
        outside.looks(log)
    assert "--log-key" in caught.value.hint
    seen = outside.looking().at(Folder(log), lambda _: STRANGER.public, also=ENGINEER.public)
    assert seen.memory.keys == (COLLECTOR.public, ENGINEER.public)
    assert outside.looking().at(Folder(log), lambda _: STRANGER.public, also=ENGINEER.public).memory == seen.memory


def test_the_name_of_the_log_can_be_said(log: Log, outside: Outside) -> None:
    outside.looking().at(Folder(log), lambda _: COLLECTOR.public, expected=covered(log).origin)
    with pytest.raises(TrustError, match="not another"):
        outside.looking().at(Folder(log), lambda _: COLLECTOR.public, expected="another")


def test_a_folder_without_a_checkpoint_is_none(outside: Outside, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no checkpoint"):
        outside.looking().at(Folder(Log(tmp_path / "nothing")), lambda _: COLLECTOR.public)


def test_a_memory_that_cannot_be_read_is_not_taken_for_none(log: Log, outside: Outside) -> None:
    outside.looks(log)
    path = next(path for path in outside.folder.iterdir() if path.suffix == ".json")
    good = path.read_bytes()
    broken = base64.b64encode(covered(log).root).decode()
    for data in (b"", good[:-9], good.replace(broken.encode(), broken[:-4].encode()), good.replace(b"crane-verify/log/", b"x/")):
        assert data != good
        path.write_bytes(data)
        with pytest.raises(TrustError) as caught:
            outside.looks(log)
        assert "two histories" in caught.value.hint
    path.write_bytes(good)
    outside.looks(log)


def test_two_at_one_memory_never_sign_two_histories(log: Log, outside: Outside, tmp_path: Path) -> None:
    """Both look at once: one at the log, one at its fork. Whoever comes second is refused."""
    logs = (log, forked(log, tmp_path / "fork", 21))
    signed: list[Log] = []

    def look(at: Log) -> None:
        try:
            outside.looks(at)
            signed.append(at)
        except TrustError:
            pass

    both = [threading.Thread(target=look, args=(each,)) for each in logs]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert len(signed) == 1


def test_the_memory_is_waited_for(outside: Outside) -> None:
    memory = WitnessMemory(outside.folder)
    with memory.alone(), pytest.raises(RecordError, match="in use"), memory.alone(0.01):
        pass


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_its_memory_a_witness_never_signs_two_histories(
    log: Log, outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Killed before the memory is written, nothing left the house; after it, the fork is refused and the same is signed again."""
    write = write_whole

    def dies(path: Path, data: bytes, mode: int) -> None:
        if when == "after":
            write(path, data, mode=mode)
        os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(witness_memory, "write_whole", dies)
        assert in_child(lambda: str(outside.looks(log).checkpoint.size)) == ""
    assert not (log.folder / "witnessed").exists()
    fork = forked(log, tmp_path / "fork", 21)
    if when == "before":
        assert outside.looks(fork).before == 0
        with pytest.raises(TrustError, match="rewritten"):
            outside.looks(log)
    else:
        with pytest.raises(TrustError, match="rewritten"):
            outside.looks(fork)
        assert outside.looks(log).before == 100
