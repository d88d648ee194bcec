"""An insider owns the port's whole machine, its disk and the collector's key, and would have last year's drift never been.

Those outside keep what they have: two witnesses their key and their memory, a time authority its key, the auditor the fingerprint
of the first root and the bundle of last spring. Then the same with one engineer's key besides.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.insider_port import (
    WITNESSES,
    Watched,
    a_year,
    baselines,
    envelopes,
    made_anew,
    numbered,
    reports,
    signed,
    stands_at,
)
from tests.roots_fixtures import altered
from verifier.model.device import DeviceName
from verifier.model.policy_record import TrustFile
from verifier.model.report import Report
from verifier.model.words import Verdict
from verifier.procedures.witnessing import kept_in
from verifier.record.log import entry_path
from verifier.trust.envelope import add_signature, opened
from verifier.trust.log.cosignature import cosign
from verifier.trust.log.note import read_note
from verifier.trust.log.witness import witness_name
from verifier.trust.signers.file import FileSigner, load_private_key
from verifier.trust.statement import POLICY, REPORT, WITHDRAWAL, StatementKind, kind_of

History = list[bytes]
REWRITTEN = "entries are not those that were shown to somebody outside: the history was rewritten"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    """The port with its year, and those outside; and the time when it ends."""
    folder = tmp_path_factory.mktemp("year")
    with pytest.MonkeyPatch.context() as monkeypatch:
        return folder, a_year(folder, monkeypatch)


@pytest.fixture
def port(year: tuple[Path, datetime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """A copy of it all, an hour later. The machine is the insider's."""
    shutil.copytree(year[0], tmp_path / "port")
    return stands_at(tmp_path / "port", year[1] + timedelta(hours=1), monkeypatch)


def refused(port: Watched, words: str, *command: str) -> None:
    typed = port.types(*command)
    assert typed.code == 5, typed
    assert words in typed.err, typed.err


def drift(port: Watched) -> tuple[int, Report]:
    """Last year's."""
    return next((place, each) for place, each in reports(port.log) if each.verdict is Verdict.DRIFT)


def as_if_nothing(report: Report) -> Report:
    """The report that the insider would rather have."""
    items = tuple(replace(item, drifted=0) for item in report.items)
    return replace(report, verdict=Verdict.MATCH, drifts=(), items=items)


def test_the_year_holds_before_anybody_touches_it(port: Watched) -> None:
    typed = port.succeeds("log", "verify", "--against", str(port.outside / "kept.checkpoint"))
    assert "none missing, none changed, every signature holds" in typed.out
    assert "by Class Society and Insurer; 2 entries since then could still vanish" in typed.out
    assert "grew out of the root you know" in port.examined(port.outside / "evidence").out
    assert drift(port)[1].device.crane == "STS-01"
    port.succeeds("check")
    assert port.shows("class").code == 0


# The history: rewritten, and everything that the machine signs signed again


def rewrite(port: Watched, history: History) -> None:
    """The drift becomes a match."""
    place, report = drift(port)
    history[place] = signed(port, as_if_nothing(report))


def drop(port: Watched, history: History) -> None:
    del history[drift(port)[0]]


def reorder(port: Watched, history: History) -> None:
    """The drift changes places with the match after it."""
    place, report = drift(port)
    after = next(number for number, each in reports(port.log) if number > place and each.device == report.device)
    history[place], history[after] = history[after], history[place]


def back_date(port: Watched, history: History) -> None:
    """Today's match stands as of the day of the drift."""
    place, report = drift(port)
    newest = [each for _, each in reports(port.log) if each.device == report.device][-1]
    history[place] = signed(port, replace(newest, started=report.started, ended=report.ended, witnessed=report.witnessed))


def swap(port: Watched, history: History) -> None:
    """The first baselines of the two cranes change places: both are properly signed."""
    one, two = (baselines(port.log, crane)[0][0] for crane in ("STS-01", "STS-02"))
    history[one], history[two] = history[two], history[one]


def hide(kind: StatementKind[Any]) -> Callable[[Watched, History], None]:
    def hidden(port: Watched, history: History) -> None:
        del history[[*numbered(port.log, kind)][-1]]

    return hidden


REWRITING: dict[str, Callable[[Watched, History], None]] = {
    "rewrite": rewrite,
    "drop": drop,
    "reorder": reorder,
    "back-date": back_date,
    "swap": swap,
    "hide a withdrawal": hide(WITHDRAWAL),
    "hide a policy": hide(POLICY),
}


@pytest.mark.parametrize("how", REWRITING)
def test_a_history_made_anew_is_not_the_one_that_was_seen(port: Watched, how: str) -> None:
    """Once with what those outside gave left where it is; then with every trace of them removed."""
    history, kept = envelopes(port.log), ("--against", str(port.outside / "kept.checkpoint"))
    REWRITING[how](port, history)
    assert history != envelopes(port.log)
    made_anew(port, history)
    refused(port, REWRITTEN, "log", "verify")
    assert REWRITTEN in port.types("check").err
    for name in WITNESSES:
        typed = port.shows(name)
        assert typed.code == 5
        assert "the history was rewritten: the first 21 entries are not those you signed for" in typed.err
    refused(port, REWRITTEN, "log", "take", str(port.outside / "insurer.cosigned"))

    made_anew(port, history, forget=0)
    assert "nobody outside has witnessed the history yet: any of its" in port.types("check").out
    # the auditor's checkpoint of last spring is of before the withdrawal; those of the witnesses are not
    words = "entries are not those of the older checkpoint: some were rewritten, dropped or moved"
    kept = kept if how != "hide a withdrawal" else ("--against", str(port.outside / "class.cosigned"))
    refused(port, words, "log", "verify", *kept)
    refused(port, REWRITTEN, "log", "take", str(port.outside / "insurer.cosigned"))


def test_the_bundle_of_a_history_made_anew(port: Watched) -> None:
    """With the traces of those outside it is refused. Without them it says itself what it is worth."""
    history = envelopes(port.log)
    rewrite(port, history)
    made_anew(port, history)
    port.succeeds("log", "bundle", str(port.folder / "one"))
    not_genuine(port, port.folder / "one", REWRITTEN)
    made_anew(port, history, forget=0)
    port.succeeds("log", "bundle", str(port.folder / "two"))
    typed = port.examined(port.folder / "two")
    assert "not proven\n  * that the record never had another history: nobody outside has seen it" in typed.out
    # beside the bundle of last spring it is a lie
    older = port.outside / "evidence/log/checkpoint"
    refused(port, "are not those of the older checkpoint", "log", "verify", "--against", str(older))


def test_an_entry_changed_where_it_lies(port: Watched) -> None:
    """Without the trouble of making the tree anew."""
    place, report = drift(port)
    path = port.log.folder / entry_path(place)
    path.write_bytes(signed(port, as_if_nothing(report)))
    refused(port, f"entry {place} is not the one that was taken into the tree: it was rewritten or moved", "log", "verify")
    path.unlink()
    refused(port, f"entry {place} is missing", "log", "verify")


def test_the_end_is_cut_off(port: Watched) -> None:
    """As if the log had never been longer."""
    made_anew(port, envelopes(port.log)[:15])
    words = "it was shown to somebody outside, and the log covers 15 entries only: it has lost its end"
    refused(port, f"log/witnessed/{21:012}: {words}", "log", "verify")
    assert words.replace("15", "17") in port.types("check").err


def test_what_those_outside_gave_is_removed(port: Watched) -> None:
    """The reports name it, by digests that nobody can make up."""
    shutil.rmtree(port.log.folder / "witnessed")
    refused(port, "names what Class Society and Insurer gave for 5 entries, and", "log", "verify")
    refused(port, "is not in log/witnessed: it was removed, or never was", "log", "verify")
    assert "nobody outside has witnessed the history yet: any of its 25 entries could still vanish" in port.types("check").out


def appended(port: Watched, report: Report) -> int:
    """Into the log, as if a check had made it."""
    entry = port.log.append(lambda previous: signed(port, replace(report, previous=previous)))
    port.log.sign(port.signer("collector.key"))
    return entry.sequence


def newest(port: Watched, crane: str = "STS-01") -> Report:
    return [each for _, each in reports(port.log) if each.device.crane == crane][-1]


def dated(report: Report, at: datetime) -> Report:
    return replace(report, started=at, ended=at)


def test_a_report_is_dated_back(port: Watched) -> None:
    """Made today, of last year: it names what was seen since, or it stands behind others."""
    then = drift(port)[1].ended
    place = appended(port, dated(newest(port), then))
    refused(port, f"entry {place}: claims {then:%Y-%m-%d %H:%M} UTC, and names what", "log", "verify")
    refused(port, "it is back-dated", "report", "verify", str(place))
    place = appended(port, replace(dated(newest(port), port.clock.time), witnessed=None))
    place = appended(port, replace(dated(newest(port), then), witnessed=None))
    words = "the clock of the collector was set back, or the entry is back-dated"
    refused(port, words, "log", "verify")
    typed = port.succeeds("report", "verify", str(place))
    assert "when it was made, only its own clock says: nobody outside has seen it" in typed.out


def test_what_a_report_names_cannot_be_guessed_ahead(port: Watched) -> None:
    """The second at which a witness will look can be; what it will sign cannot."""
    named, tomorrow = newest(port).witnessed, (port.clock.time + DAY).replace(microsecond=0)
    assert named
    assert len(named.rests_on) == 2
    guessed = replace(named, at=tomorrow, rests_on=())
    place = appended(port, replace(newest(port), witnessed=guessed))
    port.clock.time = tomorrow
    port.is_seen()
    typed = port.succeeds("report", "verify", str(place), "--json")
    assert typed.document["not_before"] is None
    # what was given for another time than the one it names is no word for that
    place = appended(port, replace(newest(port), witnessed=replace(named, at=tomorrow)))
    assert port.succeeds("report", "verify", str(place), "--json").document["not_before"] is None
    appended(port, replace(newest(port), witnessed=replace(guessed, rests_on=("ab" * 32,))))
    refused(port, "and abababababababab... is not in log/witnessed: it was removed, or never was", "log", "verify")


def test_what_nobody_has_seen_yet_can_still_be_rewritten_and_every_answer_says_so(port: Watched) -> None:
    made_anew(port, envelopes(port.log)[:21])
    port.succeeds("log", "verify")
    assert "by Class Society and Insurer; 2 entries since then could still vanish" in port.succeeds("check").out
    port.succeeds("log", "bundle", str(port.folder / "bundle"))
    typed = port.examined(port.folder / "bundle")
    assert "  * that nothing after entry 20 was changed or left out: nobody outside has seen that yet" in typed.out


# A fork, a freeze, an old disk


def test_one_history_for_one_witness_and_another_for_the_other(port: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(port.folder, port.folder.with_name("twin"))
    other = replace(port, folder=port.folder.with_name("twin"))
    port.succeeds("check", "STS-01")
    port.is_seen("class")
    monkeypatch.chdir(other.root)
    appended(other, replace(newest(other), drifts=(), witnessed=None))
    other.is_seen("insurer")
    notes = {name: (port.outside / f"{name}.cosigned").read_bytes() for name in WITNESSES}
    # both look at both
    for machine, name, shown in ((other, "class", "insurer"), (port, "insurer", "class")):
        monkeypatch.chdir(machine.root)
        typed = machine.shows(name)
        assert typed.code == 5
        assert "the history was rewritten: the first 24 entries are not those you signed for" in typed.err
        # who asks for two witnesses, takes neither branch for witnessed
        assert "history witnessed up to entry 20 on" in machine.succeeds("log", "verify").out
        (port.folder / "note").write_bytes(notes[name])
        refused(machine, REWRITTEN, "log", "take", str(port.folder / "note"))
        words = "the first 24 entries are not those of the older checkpoint: some were rewritten, dropped or moved"
        refused(machine, words, "log", "verify", "--against", str(port.folder / "note"))
        (port.folder / "note").write_bytes(notes[shown])
        machine.succeeds("log", "verify", "--against", str(port.folder / "note"))


def test_the_auditor_is_shown_another_history(port: Watched) -> None:
    """Forked after last spring, with what those outside gave before left: it grew out of that bundle. The witnesses know more."""
    history = envelopes(port.log)
    hide(WITHDRAWAL)(port, history)
    made_anew(port, history, forget=13)
    port.succeeds("log", "verify", "--against", str(port.outside / "evidence/log/checkpoint"))
    port.succeeds("log", "bundle", str(port.folder / "bundle"))
    typed = port.examined(port.folder / "bundle")
    assert "  * that nothing after entry 12 was changed or left out: nobody outside has seen that yet" in typed.out
    note = ("--against", str(port.outside / "class.cosigned"))
    refused(port, "are not those of the older checkpoint", "log", "verify", *note)


def test_a_history_that_forked_names_what_came_after(port: Watched) -> None:
    """Only what those outside gave since then is removed: the reports were not all signed again, or not well enough."""
    history = envelopes(port.log)
    hide(WITHDRAWAL)(port, history)
    made_anew(port, history)
    for size in (17, 19, 21):
        shutil.rmtree(port.log.folder / f"witnessed/{size:012}")
    refused(port, "names a witnessed checkpoint of 17 entries that this record never had", "log", "verify")


def put_back(port: Watched) -> None:
    shutil.rmtree(port.root)
    shutil.copytree(port.outside / "last-month", port.root)
    port.monkeypatch.chdir(port.root)


def test_last_months_disk_is_put_back_and_goes_on(port: Watched) -> None:
    """With all that the machine remembers. It holds by itself; those outside remember more."""
    put_back(port)
    port.succeeds("log", "verify")
    typed = port.shows("class")
    assert typed.code == 5
    assert "this is an older checkpoint: it covers 19 entries, and you have signed for 21" in typed.err
    words = "it was shown to somebody outside, and the log covers 19 entries only: it has lost its end"
    refused(port, words, "log", "take", str(port.outside / "class.cosigned"))
    port.succeeds("check")
    typed = port.shows("class")
    assert typed.code == 5
    assert "the history was rewritten: the first 21 entries are not those you signed for" in typed.err
    refused(port, REWRITTEN, "log", "take", str(port.outside / "class.cosigned"))
    typed = port.succeeds("log", "verify")
    assert "history witnessed up to entry 18 on" in typed.out
    assert "35 days of silence after entry 18" in typed.out


def test_the_newest_entries_are_held_back(port: Watched) -> None:
    """Whoever looks is shown the record of last month, day after day."""
    (port.outside / "now").write_text(port.succeeds("log", "checkpoint").out)
    put_back(port)
    port.succeeds("log", "bundle", str(port.folder / "bundle"))
    typed = port.examined(port.folder / "bundle")
    last = [each for _, each in reports(port.log)][-1].ended
    assert f"up to entry 18 all of it was there by {last:%Y-%m-%d}" in typed.out
    refused(port, "it has lost its end", "log", "verify", "--against", str(port.outside / "now"))
    # a witness that has seen no more signs again, and says that it was shown nothing new
    shutil.rmtree(port.outside / "memory-class")
    assert "19 entries, the first that you sign" in port.shows("class").out
    assert "19 entries, 0 more than you had seen" in port.shows("class").out


# Baselines


def put_in_place(port: Watched, crane: str, place: int) -> None:
    """An approved baseline of the log, where the one in force lies."""
    path = port.workspace.baselines.approved_path(DeviceName("terminal-2", crane, "card"))
    path.write_bytes(port.log.read(place))


def test_two_cranes_baselines_are_swapped(port: Watched) -> None:
    one, two = (baselines(port.log, crane)[-1][0] for crane in ("STS-01", "STS-02"))
    put_in_place(port, "STS-01", two)
    put_in_place(port, "STS-02", one)
    typed = port.types("check")
    assert typed.code == 5
    assert "the baseline is of terminal-2/STS-02/card, not of terminal-2/STS-01/card" in typed.out
    assert "the baseline is of terminal-2/STS-01/card, not of terminal-2/STS-02/card" in typed.out
    # a report that says it was compared all the same; and one whose baseline nobody knows
    found = {each.device.crane: each for _, each in reports(port.log) if each.verdict is Verdict.MATCH}
    place = appended(port, replace(found["STS-01"], baseline=found["STS-02"].baseline))
    words = f"is of terminal-2/STS-01/card, and was compared with the baseline of terminal-2/STS-02/card in entry {two}"
    refused(port, f"entry {place}: {words}", "log", "verify")
    old = found["STS-02"].baseline
    place = appended(port, replace(found["STS-02"], baseline=replace(old, serial=old.serial + 1)))
    refused(
        port,
        f"entry {place}: says that it was compared with baseline 4, and entry {two} that it names is baseline 3",
        "log",
        "verify",
    )


def test_a_report_names_a_baseline_that_nobody_knows(port: Watched) -> None:
    appended(port, replace(newest(port), baseline=replace(newest(port).baseline, sha256="ab" * 32)))
    assert "note: 1 reports name a baseline that is not in the record before them" in port.succeeds("log", "verify").out
    port.succeeds("log", "bundle", str(port.folder / "bundle"))
    words = "  * what 1 reports were compared with: their baselines were never in this record"
    assert words in port.examined(port.folder / "bundle").out


def doctored_index(port: Watched, *entries: int) -> None:
    """The index forgets some entries, and is whole otherwise."""
    port.succeeds("report", "list")
    with closing(sqlite3.connect(port.root / "index.sqlite")) as database, database:
        for each in entries:
            assert database.execute("DELETE FROM entry WHERE sequence = ?", (each,)).rowcount == 1


def test_a_baseline_is_rolled_back(port: Watched) -> None:
    """Not past what this machine remembers, and where it was made to forget, not past the record."""
    first, second, third = (place for place, _ in baselines(port.log, "STS-02"))
    put_in_place(port, "STS-02", first)
    typed = port.types("check", "STS-02")
    assert typed.code == 5
    assert "the baseline of terminal-2/STS-02/card has serial 1, and 3 was accepted before" in typed.out
    doctored_index(port, second, third)
    port.succeeds("check", "STS-02")
    place = port.log.length() - 1
    words = f"entry {place}: was compared with baseline 1, which baseline 2 in entry {second} had replaced"
    refused(port, f"{words}: the machine was put back to an older state", "log", "verify")
    port.succeeds("log", "bundle", str(port.folder / "one"))
    words_of_one = f"entry {second} is the baseline that a report was compared with, and is not enclosed"
    not_genuine(port, port.folder / "one", words_of_one)
    # the index is made again, and knows them again
    (port.root / "index.sqlite").unlink()
    port.succeeds("log", "bundle", str(port.folder / "two"))
    not_genuine(port, port.folder / "two", words)
    assert port.types("check", "STS-02").code == 5


def test_a_withdrawn_baseline_comes_back(port: Watched) -> None:
    _, second, third = (place for place, _ in baselines(port.log, "STS-02"))
    (withdrawn,) = numbered(port.log, WITHDRAWAL)
    put_in_place(port, "STS-02", second)
    typed = port.types("check", "STS-02")
    assert typed.code == 5
    assert "baseline 2 of terminal-2/STS-02/card was withdrawn by A. Engineer (engineer), O. Officer" in typed.out
    doctored_index(port, withdrawn, third)
    assert port.types("check", "STS-02").code == 3
    place = port.log.length() - 1
    words = f"entry {place}: was compared with a baseline that had been withdrawn in entry {withdrawn}"
    refused(port, words, "log", "verify")


def test_an_older_approval_is_recorded_once_more(port: Watched) -> None:
    """As the newest entry: it is properly signed, and was in force once."""
    first, *_, third = (place for place, _ in baselines(port.log, "STS-02"))
    place = port.log.append(lambda _: port.log.read(first)).sequence
    words = f"entry {place}: is baseline 1 of terminal-2/STS-02/card once more, and entry {third} holds baseline 3"
    refused(port, words, "log", "verify")
    put_in_place(port, "STS-02", first)
    assert "has serial 1, and 3 was accepted before" in port.types("check", "STS-02").out


# Who may sign what


def policy_files(port: Watched) -> tuple[Path, Path]:
    """The newest root, the newest policy."""
    root, targets = (
        max(port.root.glob(f"trust/*.{kind}.json"), key=lambda path: int(path.name.partition(".")[0]))
        for kind in ("root", "targets")
    )
    return root, targets


def lowered(document: Any) -> None:
    """One engineer is enough for a baseline."""
    quorum = next(each for each in document["x-crane-verify-quorums"] if each["statement"] == "baseline")
    quorum["seats"] = [{"count": 1, "role": "engineer"}]
    role = next(each for each in document["delegations"]["roles"] if each["name"] == "security-officer")
    role["paths"] = [path for path in role["paths"] if path != "baseline/*"]


def lowered_next(document: Any) -> None:
    lowered(document)
    document["version"] += 1


def forged(path: Path, change: Callable[[Any], None], *signers: FileSigner, name: str = "") -> None:
    """A file of the policy as the insider would rather have it, signed by these."""
    file = altered(TrustFile(name or path.name, path.read_text()), change, *signers)
    path.with_name(file.name).write_text(file.text)


def no_command_follows(port: Watched, words: str) -> None:
    for command in (("check",), ("log", "verify"), ("trust", "show"), ("report", "show", "STS-01/card")):
        refused(port, words, *command)


def test_a_quorum_is_lowered(port: Watched) -> None:
    """In the file as it is, without signatures, with the collector's, and as the next version."""
    _, targets = policy_files(port)
    before = targets.read_text()
    targets.write_text(before.replace('"role": "security-officer"', '"role": "engineer"', 1))
    assert targets.read_text() != before
    refused(port, "11.targets.json", "check")
    for signers in ((), (port.signer("collector.key"),)):
        targets.write_text(before)
        forged(targets, lowered, *signers)
        no_command_follows(port, "11.targets.json is signed by nobody whom 3.root.json names: another root's, or made up")
        targets.write_text(before)
        forged(targets, lowered_next, *signers, name="12.targets.json")
        no_command_follows(port, "12.targets.json is signed by nobody whom 3.root.json names")
        (port.root / "trust/12.targets.json").unlink()
    port.succeeds("check")


def test_an_older_policy_is_put_back(port: Watched) -> None:
    """With the tracks covered that the index has of it."""
    for number in (11, 10):
        (port.root / f"trust/{number}.targets.json").unlink()
    (port.root / "trust/3.root.json").unlink()
    no_check = "the root is rolled back: version 2, and it was 3 before"
    refused(port, no_check, "check")
    doctored = [*numbered(port.log, POLICY)]
    with closing(sqlite3.connect(port.root / "index.sqlite")) as database, database:
        database.executemany("DELETE FROM entry WHERE sequence = ?", [(each,) for each in doctored])
    refused(port, no_check, "log", "verify")
    # a check that knows of no newer one works under it, and the record shows that
    port.succeeds("check")
    place = port.log.length() - 3
    refused(port, f"entry {place}: the policy in it does not hold: the root is rolled back: version 2", "log", "verify")


def test_only_the_newest_policy_is_taken_away(port: Watched) -> None:
    (port.root / "trust/11.targets.json").unlink()
    words = "the policy is rolled back: version 10, and it was 11 before"
    for command in (("check",), ("log", "verify"), ("trust", "show")):
        refused(port, words, *command)


def test_what_lies_in_pending_changes_nothing(port: Watched) -> None:
    """An older version, and a made-up one beside the root in force, which looks like an installation that was killed."""
    root, targets = policy_files(port)
    pending = port.root / "trust/pending"
    pending.mkdir()
    for name in ("3.root.json", "9.targets.json", "10.targets.json"):
        shutil.copy(port.root / "trust" / name, pending / name)
    assert "version 11" in port.succeeds("trust", "show").out
    port.succeeds("check")
    shutil.copy(targets, pending / "11.targets.json")
    forged(pending / "11.targets.json", lowered_next, port.signer("collector.key"), name="12.targets.json")
    refused(port, f"12.targets.json is signed by nobody whom {root.name} names", "check")


def own_root(port: Watched) -> None:
    """A policy of the insider's own: the same names, one person enough."""
    shutil.rmtree(port.root / "trust")
    key = port.folder / "keys/own.key"
    port.succeeds("trust", "key", str(key), "--no-passphrase")
    port.monkeypatch.setenv("CRANE_VERIFY_KEY", str(key))
    port.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")


def test_the_insider_has_a_root_of_their_own(port: Watched) -> None:
    history = [each for place, each in enumerate(envelopes(port.log)) if place not in set(numbered(port.log, POLICY))]
    fingerprint = port.fingerprint
    own_root(port)
    refused(port, "the policy hangs on another first root", "check")
    refused(port, "the policy hangs on another first root", "log", "verify")
    # so every policy of the record must go, and every baseline be approved anew
    made_anew(port, [each for each in history if kind_of(opened(each).payload) is REPORT], forget=0)
    shutil.rmtree(port.root / "baselines")
    port.succeeds("baseline", "propose", "STS-01", "--reason", "as it was")
    port.succeeds("baseline", "approve", "STS-01", "--yes")
    port.succeeds("check", "STS-01")
    port.succeeds("log", "verify")
    port.succeeds("log", "bundle", str(port.folder / "bundle"))
    typed = port.types("report", "verify", str(port.folder / "bundle"), "--root", fingerprint)
    assert typed.code == 5
    assert "and you know another one" in typed.err
    assert "the fingerprint was not compared" not in typed.out
    assert port.shows("class").code == 5


# Those outside


def gave(port: Watched, name: str) -> tuple[str, str]:
    """Name of a witness, and of the file of its line."""
    public = load_private_key((port.outside / f"{name}.key").read_bytes(), str).public
    return witness_name(public), f"{public.key_id[:16]}.cosignature"


def shown_now(port: Watched) -> Path:
    """Where what is given for today's checkpoint goes."""
    kept_in(port.log).keep(port.log.tree.signed() or b"")
    return port.log.folder / f"witnessed/{port.log.length():012}"


def test_a_witnesss_line_is_forged(port: Watched) -> None:
    place = shown_now(port)
    name, file = gave(port, "class")
    # the line it gave for another checkpoint
    shutil.copy(place.with_name(f"{21:012}") / file, place / file)
    words = f"log/witnessed/{23:012}: the cosignature of {name} does not fit the checkpoint"
    refused(port, words, "log", "verify")
    typed = port.types("check")
    assert words in typed.err
    assert "history witnessed up to entry 20" in typed.out
    # one by the machine's own key, in its name: it is nobody's
    line = cosign(read_note((place / "checkpoint").read_bytes()), name, port.signer("collector.key"), port.clock.time)
    (place / file).write_bytes(line.line().encode())
    typed = port.succeeds("log", "verify")
    assert "history witnessed up to entry 20" in typed.out
    port.succeeds("log", "bundle", str(port.folder / "bundle"))
    typed = port.examined(port.folder / "bundle")
    assert typed.code == 5
    assert f"{file} is not a cosignature by Class Society, as its name says" in typed.err
    (port.folder / "note").write_bytes((place / "checkpoint").read_bytes() + line.line().encode())
    refused(port, "no witness of the policy cosigned it", "log", "take", str(port.folder / "note"))


def test_one_authority_is_not_two(port: Watched) -> None:
    """The insider can bring one witness to sign, and not the other."""
    port.is_seen("class")
    assert "history witnessed up to entry 20" in port.succeeds("check").out


def test_a_stamp_of_another_checkpoint_is_used_again(port: Watched) -> None:
    place = shown_now(port)
    (stamp,) = place.with_name(f"{21:012}").glob("*.tsr")
    shutil.copy(stamp, place / stamp.name)
    words = f"log/witnessed/{23:012}: the time stamp by Example TSA is for other bytes than this checkpoint"
    refused(port, words, "log", "verify")
    assert words in port.types("check").err
    history = envelopes(port.log)
    rewrite(port, history)
    made_anew(port, history, forget=0)
    refused(port, "the time stamp is for no checkpoint that was sent out from here", "log", "take", str(port.outside / "log.tsr"))


# Bundles


@pytest.fixture
def bundle(port: Watched) -> Path:
    """Of everything, as the insider's machine writes it."""
    port.succeeds("log", "bundle", str(port.folder / "bundle"))
    return port.folder / "bundle"


def lose(bundle: Path, sequence: int) -> None:
    (bundle / "log" / entry_path(sequence)).unlink()
    (bundle / f"proofs/{sequence}.tlog-proof").unlink()


def not_genuine(port: Watched, bundle: Path, words: str) -> None:
    typed = port.examined(bundle)
    assert typed.code == 5, typed
    assert words in typed.err


def test_a_report_is_left_out_of_a_bundle(port: Watched, bundle: Path) -> None:
    """Which a bundle may do, since not everybody need see everything. It is never hidden that it does."""
    place, _ = drift(port)
    (bundle / "log" / entry_path(place)).unlink()
    not_genuine(port, bundle, f"proofs/{place}.tlog-proof is there, and entry {place} is missing")
    (bundle / f"proofs/{place}.tlog-proof").unlink()
    typed = port.examined(bundle)
    assert typed.code == 0
    assert "  * what is in the entries that are not enclosed: 1 report; they may be about these devices, too" in typed.out
    port.succeeds("log", "bundle", str(port.folder / "crane"), "STS-01")
    assert "not enclosed: 3 baselines, 8 reports;" in port.examined(port.folder / "crane").out
    lose(port.folder / "crane", place)
    assert "not enclosed: 3 baselines, 9 reports;" in port.examined(port.folder / "crane").out


def test_a_withdrawal_and_a_policy_are_never_left_out_of_a_bundle(port: Watched, bundle: Path) -> None:
    (withdrawn,) = numbered(port.log, WITHDRAWAL)
    *_, policy = numbered(port.log, POLICY)
    lose(bundle, withdrawn)
    not_genuine(port, bundle, f"entry {withdrawn} is a withdrawal, and is not enclosed: a bundle holds all of them")
    lose(bundle, policy)
    not_genuine(port, bundle, f"entry {policy} is a policy, and is not enclosed: a bundle holds all of them")


def test_a_bundle_is_doctored(port: Watched, bundle: Path) -> None:
    place, report = drift(port)
    after = next(number for number, each in reports(port.log) if number > place and each.device == report.device)
    one, two = (bundle / "log" / entry_path(each) for each in (place, after))
    before = one.read_bytes(), two.read_bytes()
    one.write_bytes(before[1])
    two.write_bytes(before[0])
    not_genuine(port, bundle, f"entry {place} is not the one that the tree holds: it was altered or exchanged")
    one.write_bytes(signed(port, as_if_nothing(report)))
    two.write_bytes(before[1])
    not_genuine(port, bundle, f"entry {place} is not the one that the tree holds: it was altered or exchanged")
    one.write_bytes(before[0])
    proofs = bundle / "proofs"
    proofs.rename(port.folder / "proofs")
    not_genuine(port, bundle, f"proofs/{place}.tlog-proof is missing")
    (port.folder / "proofs").rename(proofs)
    shutil.rmtree(bundle / "log/witnessed")
    not_genuine(port, bundle, "carries a checkpoint that stands nowhere else in the bundle")


def test_a_bundle_with_another_policy(port: Watched, bundle: Path) -> None:
    """The insider's own; and the right one, an older version of it."""
    fingerprint = port.fingerprint
    own_root(port)
    trust = bundle / "trust"
    trust.rename(port.folder / "trust")
    shutil.copytree(port.root / "trust", trust)
    not_genuine(port, bundle, "and you know another one")
    typed = port.types("report", "verify", str(bundle))
    assert typed.code == 5
    shutil.rmtree(trust)
    (port.folder / "trust").rename(trust)
    assert fingerprint in port.types("report", "verify", str(bundle)).out
    (trust / "11.targets.json").unlink()
    not_genuine(port, bundle, "the policy is rolled back: version 10, and it was 11 before")


# The machine, and one engineer's key


def approved_alone(port: Watched) -> bytes:
    """What the card holds now, approved by one."""
    port.changes("speed = 999\n")
    port.succeeds("baseline", "propose", "STS-01", "--reason", "nothing to see")
    assert "still needed: security-officer" in port.succeeds("baseline", "approve", "STS-01", "--yes").out
    envelope = port.workspace.baselines.proposed(DeviceName("terminal-2", "STS-01", "card"))
    assert envelope
    return envelope


@pytest.mark.parametrize("also", ["", "collector.key"])
def test_one_engineer_is_not_two_persons(port: Watched, also: str) -> None:
    """Nor with the machine's key beside it. Put into the record and in place of the baseline all the same."""
    envelope = approved_alone(port)
    if also:
        envelope = add_signature(envelope, port.signer(also))
    place = port.log.append(lambda _: envelope).sequence
    path = port.workspace.baselines.approved_path(DeviceName("terminal-2", "STS-01", "card"))
    path.write_bytes(envelope)
    words = "the baseline needs one more security-officer; signed by A. Engineer (engineer)"
    typed = port.types("check", "STS-01")
    assert (typed.code, words in typed.out) == (5, True)
    refused(port, f"entry {place}: {words}", "log", "verify")


def test_one_of_two_who_are_root_changes_nothing(port: Watched) -> None:
    engineer, officer = port.signer("approver.key"), port.signer("officer")
    root, targets = policy_files(port)
    out = port.succeeds("trust", "quorum", "baseline", "engineer=1").out
    assert "O. Officer" in out
    assert "version 12 waits for signatures: 1 of O. Officer" in port.succeeds("trust", "show").out
    assert port.workspace.trusted().policy.version == 11
    shutil.rmtree(port.root / "trust/pending")
    forged(targets, lowered_next, engineer, name="12.targets.json")
    no_command_follows(port, "12.targets.json is signed by 1 of the 2 persons 3.root.json asks for")
    forged(targets, lowered_next, engineer, port.signer("collector.key"), name="12.targets.json")
    refused(port, "12.targets.json is signed by 1 of the 2 persons 3.root.json asks for", "check")
    (port.root / "trust/12.targets.json").unlink()

    def alone(document: Any) -> None:
        document["version"] += 1
        for role in document["roles"].values():
            role["threshold"] = 1

    forged(root, alone, engineer, name="4.root.json")
    no_command_follows(port, "4.root.json lowers the number of signatures from 2 to 1, and is signed by 1 of the 2 persons")
    assert officer.public != engineer.public


def test_one_engineer_withdraws_nothing_and_takes_no_withdrawal_back(port: Watched) -> None:
    typed = port.succeeds("baseline", "withdraw", "STS-01", "--reason", "nothing to see", "--yes")
    assert "still needed: security-officer; until then the baseline stays in force" in typed.out
    port.succeeds("check", "STS-01")
    waiting = port.workspace.baselines.withdrawals.waiting(DeviceName("terminal-2", "STS-01", "card"))
    assert waiting
    place = port.log.append(lambda _: waiting).sequence
    port.succeeds("check", "STS-01")
    refused(port, f"entry {place}: the withdrawal needs one more security-officer", "log", "verify")
