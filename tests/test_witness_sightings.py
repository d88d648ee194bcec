"""What those outside saw adds up to: counted by authority, held against the log as it is, and against keys that were stolen."""

from __future__ import annotations

import base64
import shutil
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.servers.tsa import Authority, authority
from tests.test_record_tree import covered, files, long_log
from tests.test_witness_rule import forked, grown
from tests.trust_fixtures import COLLECTOR, ENGINEER, NOW, OFFICER, POLICY, STRANGER
from tests.witness_fixtures import AUDITOR, CLASS, INSURER, SECOND_OF_CLASS, Outside, cosigned_directly, stolen, watched_policy
from verifier.errors import RecordError, TrustError
from verifier.procedures.witnessing import is_watched, kept_in, newest_witnessed, reach, sightings, watched
from verifier.record.log import Log
from verifier.record.witnessed import Witnessed
from verifier.trust.keys import Algorithm, PublicKey
from verifier.trust.log.sighting import (
    COSIGNATURE,
    NOWHERE,
    TIME_STAMP,
    Claim,
    Reach,
    Sighting,
    Stamp,
    counted,
    known_by,
    reached,
)
from verifier.trust.log.timestamp import number, stamped, time_request
from verifier.trust.log.witness import witness_name
from verifier.trust.policy import CHECKPOINT, Policy, Quorum, TrustedKey
from verifier.trust.quorum import Seat

DAY = timedelta(days=1)
ANY = watched_policy()
TWO = watched_policy(2)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return long_log(tmp_path / "log", 100)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tsa") / "a")


def stamp(log: Log, tsa: Authority) -> bytes:
    """The log's checkpoint is stamped, and the stamp kept."""
    signed = kept_in(log).keep(log.tree.signed() or b"")
    response = tsa.stamp(time_request(signed))
    kept_in(log).add_stamp(covered(log).size, Stamp(number(tsa.pinned), response))
    return response


def said(log: Log, policy: Policy) -> list[tuple[int, str, int]]:
    """Size, by whom, and on which day after NOW; nothing may be wrong."""
    found, wrong = sightings(log, policy)
    assert wrong == ()
    return [(each.size, each.by, (each.at - NOW).days) for each in found]


def wrong(log: Log, policy: Policy = ANY) -> str:
    found, why = sightings(log, policy)
    assert found == ()
    assert reach(log, policy) == NOWHERE
    return "\n".join(why)


# What counts


def test_nobody_saw_it(log: Log) -> None:
    assert sightings(log, ANY) == ((), ())
    assert reach(log, ANY) == Reach(0, None, ())
    assert known_by((), 0) is None
    assert str(watched(log, ANY)) == "nobody outside has witnessed the history yet: any of its 100 entries could still vanish"
    assert newest_witnessed(log, ANY) is None
    assert (is_watched(ANY), is_watched(POLICY)) == (True, False)
    assert str(watched(Log(log.folder / "empty"), ANY)) == ""


def test_a_cosignature_is_a_sighting(log: Log, tmp_path: Path) -> None:
    Outside(tmp_path / "class", CLASS).looks(log)
    found, why = sightings(grown(log, 114), ANY)
    assert (found, why) == ((Sighting(100, found[0].root, "Class Society", NOW, COSIGNATURE),), ())
    assert reach(log, ANY) == Reach(100, NOW, ("Class Society",), found[0].root)
    assert [known_by(found, sequence) for sequence in (0, 99, 100)] == [NOW, NOW, None]
    assert str(watched(log, ANY)) == (
        "history witnessed up to entry 99 on 2026-11-22 by Class Society; 14 entries since then could still vanish"
    )
    ref = newest_witnessed(log, ANY)
    assert ref
    assert (ref.size, ref.root, ref.at, ref.by) == (100, found[0].root.hex(), NOW, ("Class Society",))


def test_words_for_one_entry_and_for_none(log: Log, tmp_path: Path) -> None:
    Outside(tmp_path / "class", CLASS).looks(log)
    assert str(watched(log, ANY)).endswith("by Class Society; nothing came since then")
    assert str(watched(grown(log, 101), ANY)).endswith("; 1 entry since then could still vanish")


def test_a_time_stamp_is_a_sighting(log: Log, tsa: Authority) -> None:
    policy = watched_policy(0, (tsa.pinned,))
    response = stamp(log, tsa)
    found, why = sightings(grown(log, 114), policy)
    at = stamped(response, kept_in(log).at(100).checkpoint, tsa.pinned)  # type: ignore[union-attr]  # it was just kept
    assert (found, why) == ((Sighting(100, found[0].root, "Example TSA", at, TIME_STAMP),), ())
    assert reach(log, policy).by == ("Example TSA",)
    # an authority that the policy does not name saw nothing
    assert sightings(log, ANY) == ((), ())


def test_a_time_stamp_fills_no_seat_of_a_quorum(log: Log, tsa: Authority) -> None:
    """Not even where the authority is called like a witness: who stamps did not look at what was there before."""
    namesake = replace(tsa.pinned, name="Class Society")
    stamp(log, tsa)
    assert reach(log, watched_policy(0, (namesake,))).size == 100
    assert reach(log, watched_policy(1, (namesake,))) == NOWHERE


def test_counted_by_authority_and_not_by_signature(log: Log, tmp_path: Path) -> None:
    Outside(tmp_path / "class", CLASS).looks(log)
    Outside(tmp_path / "class-2", SECOND_OF_CLASS).looks(log)
    assert len(sightings(log, TWO)[0]) == 2
    assert reach(log, TWO) == NOWHERE
    Outside(tmp_path / "insurer", INSURER).looks(log, NOW + DAY)
    assert reach(log, TWO) == Reach(100, NOW + DAY, ("Class Society", "Insurer"), covered(log).root)
    assert reach(log, watched_policy(3)) == NOWHERE


def test_the_reach_is_as_far_as_all_who_are_needed_have_seen(log: Log, tmp_path: Path) -> None:
    """Whoever saw a longer log saw the beginning of it as well."""
    class_, insurer = Outside(tmp_path / "class", CLASS), Outside(tmp_path / "insurer", INSURER)
    class_.looks(log)
    root = covered(log).root
    insurer.looks(grown(log, 150), NOW + DAY)
    assert reach(log, TWO) == Reach(100, NOW + DAY, ("Class Society", "Insurer"), root)
    assert reach(log, ANY).size == 150
    class_.looks(grown(log, 200), NOW + 2 * DAY)
    assert (reach(log, TWO).size, reach(log, TWO).at) == (150, NOW + 2 * DAY)
    assert said(log, TWO) == [(200, "Class Society", 2), (150, "Insurer", 1), (100, "Class Society", 0)]
    assert known_by(sightings(log, TWO)[0], 120) == NOW + DAY


def test_one_key_twice_is_one(log: Log, tmp_path: Path) -> None:
    """The same line under another name, and one key in two places."""
    Outside(tmp_path / "class", CLASS).looks(log)
    place = log.folder / "witnessed/000000000100"
    line = next(place.glob("*.cosignature"))
    (place / "0123456789abcdef.cosignature").write_bytes(line.read_bytes())
    assert reach(log, TWO) == NOWHERE


def test_strangers_saw_nothing(log: Log, tmp_path: Path) -> None:
    Outside(tmp_path / "stranger", STRANGER).looks(log)
    assert sightings(log, ANY) == ((), ())
    # the collector or an engineer is no witness
    for key in (COLLECTOR, ENGINEER):
        cosigned_directly(log, key)
    assert sightings(log, ANY) == ((), ())


def test_a_quorum_may_ask_for_other_roles() -> None:
    policy = replace(ANY, quorums=(*ANY.quorums, Quorum(CHECKPOINT, (Seat("engineer", 1),))))
    assert reached((Sighting(5, b"r", "Class Society", NOW, COSIGNATURE),), policy) == NOWHERE
    assert reached((Sighting(0, b"r", "Class Society", NOW, COSIGNATURE),), ANY) == NOWHERE


# Windows and thefts


def test_a_witnesss_key_counts_within_its_window(log: Log, tmp_path: Path) -> None:
    Outside(tmp_path / "class", CLASS).looks(log)

    def within(**window: object) -> Policy:
        keys = (replace(key, **window) if key.public == CLASS.public else key for key in ANY.keys)  # type: ignore[arg-type]  # by name
        return replace(ANY, keys=tuple(keys))

    assert said(log, within(not_before=NOW - DAY, not_after=NOW + DAY)) == [(100, "Class Society", 0)]
    assert said(log, within(not_before=NOW + DAY)) == []
    assert said(log, within(not_after=NOW - DAY)) == []


def test_a_stolen_witnesss_key_counts_only_with_somebody_elses_word_from_before(log: Log, tmp_path: Path) -> None:
    """The thief writes whatever time he likes; and what somebody else saw does not become older by it."""
    thief = cosigned_directly(log, CLASS, NOW - DAY)
    policy = stolen(ANY, CLASS, NOW + 3 * DAY)
    assert thief.checkpoint.size == 100
    assert said(log, policy) == []
    insurer = Outside(tmp_path / "insurer", INSURER)
    insurer.looks(log, NOW + 4 * DAY)
    assert said(log, policy) == [(100, "Insurer", 4)]
    Outside(tmp_path / "auditor", AUDITOR).looks(grown(log, 150), NOW + 2 * DAY)
    assert sorted(said(log, policy)) == [(100, "Class Society", 2), (100, "Insurer", 4), (150, "Auditor", 2)]
    assert said(log, stolen(ANY, CLASS, NOW - 2 * DAY)) == [(150, "Auditor", 2), (100, "Insurer", 4)]


def test_two_stolen_keys_do_not_speak_for_each_other(log: Log) -> None:
    for key in (CLASS, INSURER):
        cosigned_directly(log, key)
    assert said(log, stolen(stolen(ANY, CLASS, NOW + DAY), INSURER, NOW + DAY)) == []


def test_what_was_seen_before_the_logs_key_was_stolen_is_still_history(log: Log, tmp_path: Path) -> None:
    outside = Outside(tmp_path / "class", CLASS)
    outside.looks(log)
    outside.looks(grown(log, 150), NOW + 2 * DAY)
    policy = stolen(ANY, COLLECTOR, NOW + DAY)
    assert policy.log_keys() == ()
    assert said(log, policy) == [(100, "Class Society", 0)]
    assert reach(log, policy).size == 100


def test_a_checkpoint_that_a_good_key_signed_too_counts_after_the_theft(log: Log, tmp_path: Path) -> None:
    """A new collector signs below the old one's name; one of both keys is enough."""
    both = watched_policy()
    roles = tuple(replace(r, members=(*r.members, "O. Officer")) if r.name == "collector" else r for r in both.roles)
    policy = stolen(replace(both, roles=roles), COLLECTOR, NOW - DAY)
    Outside(tmp_path / "class", CLASS).looks(log)
    assert said(log, policy) == []
    log.sign(OFFICER, (COLLECTOR.public,), again=True)
    own = log.tree.signed() or b""
    line = own.rpartition(b"\n\n")[2]
    path = log.folder / "witnessed/000000000100/checkpoint"
    path.write_bytes(path.read_bytes() + line)
    assert said(log, policy) == [(100, "Class Society", 0)]


# Against the log as it is


def test_a_rewritten_history_is_shown_by_what_a_witness_saw(log: Log, tmp_path: Path) -> None:
    """Entry 21 rewritten, everything signed again with the real key, the witness's folder left where it was."""
    Outside(tmp_path / "class", CLASS).looks(log)
    for size in (100, 150):
        fork = grown(forked(log, tmp_path / f"fork-{size}", 21), size)
        shutil.copytree(log.folder / "witnessed", fork.folder / "witnessed")
        assert wrong(fork) == (
            "log/witnessed/000000000100: the first 100 entries are not those that were shown to somebody outside:"
            " the history was rewritten"
        )
        assert watched(fork, ANY).wrong == sightings(fork, ANY)[1]


def test_last_months_log_is_shown_by_what_a_witness_saw(log: Log, tmp_path: Path) -> None:
    shutil.copytree(log.folder, tmp_path / "last-month")
    Outside(tmp_path / "class", CLASS).looks(grown(log, 150))
    shutil.copytree(log.folder / "witnessed", tmp_path / "last-month/witnessed")
    assert "the log covers 100 entries only: it has lost its end" in wrong(Log(tmp_path / "last-month"))


def test_a_log_without_its_checkpoint_or_name_has_no_witnesses(log: Log, tmp_path: Path) -> None:
    Outside(tmp_path / "class", CLASS).looks(log)
    (log.folder / "checkpoint").rename(tmp_path / "checkpoint")
    assert "the log has no checkpoint any more" in wrong(log)
    shutil.copy(tmp_path / "checkpoint", log.folder / "checkpoint")
    (log.folder / "origin").unlink()
    assert "origin is gone" in wrong(log)


def test_a_checkpoint_of_another_log_shows_nothing(log: Log, tmp_path: Path) -> None:
    other = long_log(tmp_path / "other", 100)
    Outside(tmp_path / "class", CLASS).looks(other)
    shutil.copytree(other.folder / "witnessed", log.folder / "witnessed")
    assert f"is of the log {covered(other).origin}, not of {covered(log).origin}" in wrong(log)


def test_a_checkpoint_under_another_size_shows_nothing(log: Log, tmp_path: Path) -> None:
    Outside(tmp_path / "class", CLASS).looks(log)
    (log.folder / "witnessed/000000000100").rename(log.folder / "witnessed/000000000099")
    assert "000000000099: the checkpoint there covers 100 entries" in wrong(log)


def test_a_cosignature_or_a_stamp_that_does_not_hold_is_told(log: Log, tmp_path: Path, tsa: Authority) -> None:
    policy = watched_policy(0, (tsa.pinned,))
    Outside(tmp_path / "class", CLASS).looks(log)
    place = log.folder / "witnessed/000000000100"
    line = place / f"{CLASS.public.key_id[:16]}.cosignature"
    name, _, text = line.read_text().rpartition(" ")
    line.write_text(f"{name} {text[:-9]}AAAAAA==\n")
    (place / f"{number(tsa.pinned)}.tsr").write_bytes(b"no stamp")
    why = wrong(log, policy)
    assert "is not base64 in its one form" in why or "does not fit the checkpoint" in why
    assert "not the response of a time authority" in why


def test_tiles_that_a_power_cut_took_do_not_look_like_a_rewritten_history(log: Log, tmp_path: Path) -> None:
    Outside(tmp_path / "class", CLASS).looks(log)
    shutil.rmtree(grown(log, 150).folder / "tile/0")
    assert said(log, ANY) == [(100, "Class Society", 0)]
    shutil.rmtree(log.folder / "tile/entries")
    assert "whether the log grew out of it cannot be seen" in wrong(log)


def test_the_newest_end_is_enough_for_the_reach(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(tmp_path / "class", CLASS)
    for size in (100, 110, 120):
        outside.looks(grown(log, size))
    looked: list[int] = []
    at = Witnessed.at

    def look(kept: Witnessed, size: int) -> object:
        looked.append(size)
        return at(kept, size)

    monkeypatch.setattr(Witnessed, "at", look)
    assert reach(log, ANY).size == 120
    assert looked == [120]
    assert reach(log, TWO) == NOWHERE
    assert looked == [120, 120, 110, 100]


# What is kept


def test_the_first_checkpoint_that_was_shown_is_kept(log: Log) -> None:
    kept = kept_in(log)
    first = log.tree.signed() or b""
    assert kept.keep(first) == first
    log.sign(ENGINEER, (COLLECTOR.public,), again=True)
    assert kept.keep(log.tree.signed() or b"") == first != log.tree.signed()
    found = kept.at(100)
    assert found
    assert found.checkpoint == first
    assert kept.at(99) is None


def test_another_checkpoint_of_a_size_that_was_shown_is_refused(log: Log, tmp_path: Path) -> None:
    kept = kept_in(log)
    kept.keep(log.tree.signed() or b"")
    before = (log.folder / "witnessed/000000000100/checkpoint").read_bytes()
    with pytest.raises(TrustError, match="another checkpoint of 100 entries was shown to witnesses before"):
        kept.keep(forked(log, tmp_path / "fork", 21).tree.signed() or b"")
    assert (log.folder / "witnessed/000000000100/checkpoint").read_bytes() == before


def test_what_is_kept_is_never_replaced(log: Log, tsa: Authority) -> None:
    kept = kept_in(log)
    kept.keep(log.tree.signed() or b"")
    assert kept.add_cosignature(100, "0" * 16, b"one") == kept.add_cosignature(100, "0" * 16, b"two") == b"one"
    assert kept.add_stamp(100, Stamp("1" * 16, b"one")) == kept.add_stamp(100, Stamp("1" * 16, b"two")) == b"one"
    assert files(kept.folder) == [
        f"000000000100/{'0' * 16}.cosignature",
        f"000000000100/{'1' * 16}.tsr",
        "000000000100/checkpoint",
    ]


def test_whoever_was_quicker_was_first(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = kept_in(log)
    path = kept.folder / "000000000100" / f"{'0' * 16}.cosignature"

    def quicker(_: Path, data: bytes, staging: Path) -> None:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"theirs")
        raise RecordError("it is there already")

    monkeypatch.setattr("verifier.record.witnessed.write_new", quicker)
    assert kept.add_cosignature(100, "0" * 16, b"ours") == b"theirs"
    path.unlink()
    path.parent.rmdir()

    def full(_: Path, data: bytes, staging: Path) -> None:
        raise RecordError("the disk is full")

    monkeypatch.setattr("verifier.record.witnessed.write_new", full)
    with pytest.raises(RecordError, match="full"):
        kept.add_cosignature(100, "0" * 16, b"ours")


def test_a_disk_that_refuses_is_told(log: Log) -> None:
    (log.folder / "witnessed").write_bytes(b"a file")
    with pytest.raises(RecordError):
        kept_in(log).keep(log.tree.signed() or b"")
    assert kept_in(log).sizes() == []


def test_what_lies_around_is_passed_over(log: Log, tmp_path: Path) -> None:
    Outside(tmp_path / "class", CLASS).looks(log)
    place = log.folder / "witnessed"
    (place / "000000000050").mkdir()
    (place / "notes.txt").write_text("hello")
    (place / "000000000100/readme").write_text("hello")
    assert said(log, ANY) == [(100, "Class Society", 0)]


def test_a_report_is_signed_even_where_what_was_seen_cannot_be_read(log: Log) -> None:
    (log.folder / "witnessed/000000000100/checkpoint").mkdir(parents=True)
    assert newest_witnessed(log, ANY) is None
    with pytest.raises(RecordError):
        reach(log, ANY)


def test_a_witness_signs_with_ed25519(log: Log) -> None:
    der = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    other = PublicKey(Algorithm.P256, base64.b64encode(der).decode())
    with pytest.raises(TrustError, match="a witness signs with an Ed25519 key"):
        witness_name(other)
    # a policy that names one all the same: it saw nothing, and is in nobody's way
    Outside(log.folder.parent / "class", CLASS).looks(log)
    assert said(log, replace(ANY, keys=(*ANY.keys, TrustedKey("Class Society", other)))) == [(100, "Class Society", 0)]


def test_many_sightings_are_counted_in_no_time() -> None:
    """An hourly look for a year, by one of the two who are needed: no work that grows with the square of it."""
    claims = [Claim(Sighting(size, b"r", "Insurer", NOW + size * DAY / 24, COSIGNATURE), "0") for size in range(1, 8761)]
    claims += [replace(claim, stolen=NOW, sighting=replace(claim.sighting, by="Class Society")) for claim in claims]
    begun = time.perf_counter()
    found = counted(claims)
    assert len(found) == 8760
    assert reached(found, TWO) == NOWHERE
    assert reached(found, ANY).size == 8760
    assert time.perf_counter() - begun < 2
