"""Approvals that travel: signed on laptops without a workspace, brought back in any order, and refused for what they are not."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.approval_port import ONE, Port, port
from tests.trust_fixtures import (
    COLLECTOR,
    ENGINEER,
    NOW,
    OFFICER,
    POLICY,
    SECOND_ENGINEER,
    STRANGER,
    baseline,
    policy_bytes,
    sealed_baseline,
)
from verifier.errors import TrustError, UsageError
from verifier.model.policy_record import TrustFile
from verifier.procedures.approve import InForce, Waiting, approve, proposal
from verifier.procedures.travelling import unpacked
from verifier.settings.inventory import load_inventory
from verifier.trust import travelling
from verifier.trust.envelope import PAYLOAD_TYPE, add_signature, merged, opened, seal
from verifier.trust.policy import Quorum
from verifier.trust.quorum import Seat
from verifier.trust.statement import BASELINE
from verifier.trust.travelling import FORMAT, KeptText, Travelling, read_travelling, travelling_bytes
from verifier.trust.verify import signed_by

__all__ = ["port"]

NAME = "terminal-2+STS-01+card.approval"
OLD, NEW = "speed = 180\nbrake = on\n", "speed = 240\nbrake = on\n"


def both(port: Port, reason: str) -> None:
    """Propose the card, and have it approved by both."""
    port.succeeds("baseline", "propose", "STS-01", "--reason", reason)
    port.succeeds("baseline", "approve", "STS-01", "--yes")
    assert "in force" in port.succeeds("baseline", "approve", "STS-01", "--yes", "--key", port.key("officer")).out


@pytest.fixture
def sent(port: Port) -> Path:
    """An update waits for an engineer and an officer, and lies on a stick."""
    port.two_people("baseline")
    both(port, "commissioning")
    port.changes(NEW)
    port.succeeds("baseline", "propose", "STS-01", "--reason", "update 2.11")
    said = port.succeeds("baseline", "send", "STS-01", "--output", str(port.folder / "stick"))
    assert NAME in said.out
    return port.folder / "stick" / NAME


def laptop(port: Port, sent: Path, name: str) -> Path:
    """A copy of the file on another machine, where the person now stands."""
    port.stands_in(port.folder / name)
    shutil.copy(sent, port.folder / name / NAME)
    return port.folder / name / NAME


def sign(port: Port, sent: Path, name: str, key: str) -> Path:
    file = laptop(port, sent, name)
    port.succeeds("baseline", "approve", NAME, "--yes", "--key", port.key(key))
    port.comes_back()
    return file


# What a person sees where there is no workspace


def test_on_a_laptop_everything_is_shown_as_in_the_workspace(port: Port, sent: Path) -> None:
    at_home = port.types("baseline", "approve", "STS-01", answers="n\n")
    laptop(port, sent, "laptop")
    assert port.types("devices", "list").code == 2, "there is no workspace here"
    away = port.types("baseline", "approve", NAME, answers="n\n")
    assert away.code == at_home.code == 2
    assert away.err == at_home.err
    shown = [line for line in away.out.splitlines() if line in at_home.out.splitlines()]
    assert shown == at_home.out.splitlines(), "all of it, the lines of the text that changed as well"
    assert {"-speed = 180", "+speed = 240"} <= {line.strip() for line in shown}
    assert "signed by nobody yet; still needed: engineer, security-officer" in away.out


def test_the_root_of_the_policy_is_shown_to_be_compared(port: Port, sent: Path) -> None:
    laptop(port, sent, "laptop")
    fingerprint = port.workspace.trusted().fingerprint
    typed = port.types("baseline", "approve", NAME, answers="n\n")
    assert f"root of the policy: {fingerprint}" in typed.out
    assert "compare it with the fingerprint you wrote down" in typed.out


def test_a_no_leaves_the_file_as_it_was(port: Port, sent: Path) -> None:
    file = laptop(port, sent, "laptop")
    before = file.read_bytes()
    for answers in ("n\n", ""):
        assert port.types("baseline", "approve", NAME, answers=answers).code in (1, 2)
    assert port.types("baseline", "approve", NAME, "--yes", "--sha256", "ab" * 32).code == 2
    assert port.types("baseline", "approve", NAME, "--yes", "--key", port.key("stranger")).code == 2
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == [NAME]


def test_a_first_baseline_travels_too(port: Port) -> None:
    port.succeeds("baseline", "propose", "STS-01", "--reason", "commissioning")
    port.succeeds("baseline", "send", "STS-01", "-o", str(port.folder / "stick"))
    file = laptop(port, port.folder / "stick" / NAME, "laptop")
    typed = port.succeeds("baseline", "approve", str(file), answers="y\n")
    assert "the first baseline of this device: everything in it is new" in typed.out
    assert "signed by all who are needed; bring it back: crane-verify baseline take" in typed.out
    again = port.types("baseline", "approve", str(file), "--yes")
    assert again.code == 2
    assert "it has all the signatures it needs" in again.err
    port.comes_back()
    assert "in force, entry " in port.succeeds("baseline", "take", str(file)).out
    assert port.types("check", "STS-01").code == 0


def test_on_top_of_one_that_is_not_trusted_everything_is_shown_as_new(port: Port) -> None:
    port.approve()
    port.succeeds("baseline", "withdraw", "STS-01", "--reason", "recalled", "--yes")
    port.succeeds("baseline", "propose", "STS-01", "--reason", "looked at again")
    port.succeeds("baseline", "send", "STS-01", "-o", str(port.folder / "stick"))
    file = laptop(port, port.folder / "stick" / NAME, "laptop")
    typed = port.succeeds("baseline", "approve", str(file), answers="y\n")
    assert "was withdrawn by A. Engineer (engineer), 2026-11-22 06:00 UTC: recalled" in typed.out
    assert "everything in this one is to be looked at as new" in typed.out
    port.comes_back()
    port.succeeds("baseline", "take", str(file))
    assert port.types("check", "STS-01").code == 0


def test_a_policy_that_ran_out_is_told_before_anybody_signs(port: Port, sent: Path) -> None:
    until = port.workspace.policy().expires
    assert until
    laptop(port, sent, "laptop")
    assert "has run out" not in port.types("baseline", "approve", NAME, answers="n\n").out
    port.clock.time = until
    port.clock.passes(seconds=1)
    assert "the policy was signed until 2027-11-22 06:00 UTC and has run out" in port.types("baseline", "approve", NAME).out


def test_one_digest_is_of_one_proposal(port: Port, sent: Path) -> None:
    typed = port.types("baseline", "approve", str(sent), "STS-01", "--sha256", "ab" * 32)
    assert typed.code == 2
    assert "one digest, and 2 proposals" in typed.err


def test_a_policy_that_nobody_signed_is_told(port: Port, sent: Path) -> None:
    """As in ports that began before policies were signed."""
    unsigned = TrustFile("policy.json", policy_bytes(replace(port.workspace.policy(), version=0, expires=None)).decode())
    assert "the policy in this file is signed by nobody" in carried(port, sent, trust=(unsigned,))


# There and back


def test_from_desk_to_desk(port: Port, sent: Path) -> None:
    """The engineer's laptop, then the officer's, then home."""
    first = sign(port, sent, "engineer", "approver.key")
    second = laptop(port, first, "officer")
    typed = port.succeeds("baseline", "approve", NAME, "--yes", "--key", port.key("officer"))
    assert "signed by A. Engineer (engineer); still needed: security-officer" in typed.out
    assert "signed by all who are needed" in typed.out
    port.comes_back()
    taken = port.succeeds("baseline", "take", str(second))
    assert " of the record, signed by A. Engineer (engineer), O. Officer (security-officer)" in taken.out
    assert port.types("check", "STS-01").code == 0
    assert "none missing" in port.succeeds("log", "verify").out


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("at_once", [True, False])
def test_two_copies_signed_apart_come_together_in_any_order(
    port: Port, sent: Path, order: tuple[int, int], at_once: bool
) -> None:
    copies = (sign(port, sent, "engineer", "approver.key"), sign(port, sent, "officer", "officer"))
    names = [str(copies[place]) for place in order]
    if at_once:
        outs = [port.succeeds("baseline", "take", *names, names[0]).out]
    else:
        outs = [port.succeeds("baseline", "take", name).out for name in names]
        assert "taken, not in force yet; still needed: " in outs[0]
    assert "in force, entry " in outs[-1]
    assert port.types("check", "STS-01").code == 0


def test_one_signs_away_and_the_other_at_home(port: Port, sent: Path) -> None:
    away = sign(port, sent, "officer", "officer")
    assert "still needed: security-officer" in port.succeeds("baseline", "approve", "STS-01", "--yes").out
    assert "in force" in port.succeeds("baseline", "take", str(away)).out


def test_two_who_approve_in_the_same_second_keep_both_signatures(port: Port, sent: Path) -> None:
    device = load_inventory(port.root / "inventory.yaml").select(("STS-01",))[0]
    collector = port.collector
    seen = proposal(device, collector)
    outcomes: list[InForce | Waiting] = []
    people = [
        threading.Thread(target=lambda name=name: outcomes.append(approve(device, seen, port.signer(name), collector)))
        for name in ("approver.key", "officer")
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(type(each).__name__ for each in outcomes) == ["InForce", "Waiting"]
    assert port.types("check", "STS-01").code == 0


# What is not taken, each in its own words


def refused(port: Port, file: Path, code: int, words: str) -> None:
    """Refused, with the file's name, and nothing is changed by it."""
    waiting, length = port.workspace.baselines.proposed(ONE), port.workspace.log.length()
    typed = port.types("baseline", "take", str(file))
    assert typed.code == code, typed
    assert f"crane-verify: {file.name}: " in typed.err
    assert words in typed.err
    assert "hint: " in typed.err
    assert (port.workspace.baselines.proposed(ONE), port.workspace.log.length()) == (waiting, length)


def test_a_copy_of_another_proposal(port: Port, sent: Path) -> None:
    file = sign(port, sent, "engineer", "approver.key")
    port.clock.passes(seconds=1)
    port.succeeds("baseline", "propose", "STS-01", "--reason", "update 2.12")
    refused(port, file, 2, "it is another proposal of terminal-2/STS-01/card than the one that waits here")


def test_a_copy_of_what_is_in_force_already(port: Port, sent: Path) -> None:
    copies = [str(sign(port, sent, "engineer", "approver.key")), str(sign(port, sent, "officer", "officer"))]
    port.succeeds("baseline", "take", *copies)
    refused(port, Path(copies[0]), 2, "baseline 2 of terminal-2/STS-01/card is in force already")


def test_a_copy_that_was_superseded(port: Port, sent: Path) -> None:
    file = sign(port, sent, "engineer", "approver.key")
    for reason in ("update 2.12", "update 2.13"):
        port.clock.passes(seconds=1)
        both(port, reason)
    refused(port, file, 5, "baseline 2 of terminal-2/STS-01/card was superseded: 3 was accepted since")


def test_a_copy_where_nothing_waits(port: Port, sent: Path) -> None:
    port.workspace.baselines.drop_proposal(ONE)
    refused(port, sent, 2, "no proposal of terminal-2/STS-01/card waits here")


def test_a_copy_sent_under_another_root(port: Port, sent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(port.workspace.trusted(), fingerprint="ab" * 32)
    monkeypatch.setattr("verifier.record.workspace.Workspace.trusted", lambda _: other)
    refused(port, sent, 5, "it was sent under another root, ")


def test_a_signature_that_does_not_hold(port: Port, sent: Path) -> None:
    file = sign(port, sent, "engineer", "approver.key")
    value = read_travelling(file.read_bytes())
    genuine = opened(value.proposal.encode())
    another = base64.b64encode(port.signer("stranger").sign(genuine.signed_bytes)).decode()
    forged = value.proposal.replace(base64.b64encode(genuine.signatures[0].sig).decode(), another)
    file.write_bytes(travelling_bytes(replace(value, proposal=forged)))
    refused(port, file, 5, "signature 1 names A. Engineer and does not fit what was signed")


def test_a_strangers_signature(port: Port, sent: Path) -> None:
    value = read_travelling(sent.read_bytes())
    envelope = add_signature(value.proposal.encode(), port.signer("stranger"))
    sent.write_bytes(travelling_bytes(replace(value, proposal=envelope.decode())))
    refused(port, sent, 5, "signature 1: it is by nobody the policy knows, so it does not count")


def test_one_refused_file_keeps_the_others_out(port: Port, sent: Path) -> None:
    good = sign(port, sent, "engineer", "approver.key")
    bad = port.folder / "stick/bad.approval"
    bad.write_bytes(sent.read_bytes() + b" ")
    assert port.types("baseline", "take", str(good), str(bad)).code == 5
    assert not opened(port.workspace.baselines.proposed(ONE) or b"").signatures
    assert "still needed: security-officer" in port.succeeds("baseline", "take", str(good)).out


def test_what_is_no_approval_is_told(port: Port) -> None:
    inventory = port.root / "inventory.yaml"
    refused(port, inventory, 5, "this is not an approval on its way")
    assert port.types("baseline", "approve", "nowhere.approval").code == 2


def test_a_file_larger_than_any_is_not_read(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.cli.approving.LARGEST", 10)
    typed = port.types("baseline", "take", "inventory.yaml")
    assert typed.code == 2
    assert "inventory.yaml has more than 10 bytes, and is not what is asked for" in typed.err


def test_what_is_sent_overwrites_nothing_that_a_link_on_the_stick_points_at(port: Port, sent: Path) -> None:
    mine = port.folder / "authorized_keys"
    mine.write_text("mine")
    sent.unlink()
    sent.symlink_to(mine)
    port.succeeds("baseline", "send", "STS-01", "--output", str(sent.parent))
    assert mine.read_text() == "mine"
    assert not sent.is_symlink()
    assert read_travelling(sent.read_bytes()).format == FORMAT


def test_no_text_in_a_file_looks_like_a_line_of_ours(port: Port) -> None:
    """Whoever is shown a made-up policy must not read the fingerprint they know above it."""
    fake = f"update\nroot of the policy: {'ab' * 32}"
    port.two_people("baseline")
    port.succeeds("baseline", "propose", "STS-01", "--reason", fake)
    port.succeeds("baseline", "send", "STS-01", "--output", str(port.folder / "stick"))
    shown = port.types("baseline", "approve", str(port.folder / "stick" / NAME), answers="n\n").out
    assert len([line for line in shown.splitlines() if line.startswith("root of the policy")]) == 1
    assert f"reason: update\\nroot of the policy: {'ab' * 32}" in shown


# What is swapped on the way


def carried(port: Port, sent: Path, **changes: object) -> str:
    """What a laptop says of a file in which something was swapped."""
    value = replace(read_travelling(sent.read_bytes()), **changes)  # type: ignore[arg-type]  # any field
    sent.write_bytes(travelling_bytes(value))
    typed = port.types("baseline", "approve", str(sent), answers="n\n")
    assert typed.code in (2, 5), typed
    return typed.out + typed.err


def test_another_devices_baseline_in_the_place_of_the_one_it_replaces(port: Port, sent: Path) -> None:
    port.succeeds("baseline", "propose", "STS-02", "--reason", "commissioning")
    other = port.workspace.baselines.proposed(replace(ONE, crane="STS-02"))
    assert other
    said = carried(port, sent, replaces=other.decode())
    assert "the file proposes a baseline of terminal-2/STS-01/card in place of one of terminal-2/STS-02/card" in said


def test_another_baseline_of_the_device_in_its_place(port: Port, sent: Path) -> None:
    waiting = port.workspace.baselines.proposed(ONE)
    assert waiting
    assert "has serial 2; the next one is 3" in carried(port, sent, replaces=waiting.decode())


def test_one_it_replaces_that_nobody_signed(port: Port, sent: Path) -> None:
    value = read_travelling(sent.read_bytes())
    bare = seal(opened(value.replaces.encode()).payload, PAYLOAD_TYPE, ()).decode()
    assert "it was proposed on top of another baseline" in carried(port, sent, replaces=bare)


def test_one_it_replaces_whose_signers_are_not_trusted_any_more(port: Port, sent: Path) -> None:
    """By the policy that travels: a quorum grew stricter since. Then all of it is shown as new."""
    seats = (Seat("engineer", 1), Seat("security-officer", 1), Seat("collector", 1))
    stricter = replace(port.workspace.policy(), quorums=(Quorum("baseline", seats),), version=0, expires=None)
    file = TrustFile("policy.json", policy_bytes(stricter).decode())
    said = carried(port, sent, trust=(file,))
    assert "is not trusted (the baseline needs one more collector; signed by A. Engineer (engineer), O. Officer" in said
    left_out = carried(port, sent, replaces="", doubt="")
    assert "is not trusted (it does not travel with the proposal); everything in this one is to be looked at as new" in left_out


def test_a_swapped_text_is_found_out(port: Port, sent: Path) -> None:
    value = read_travelling(sent.read_bytes())
    first, *others = value.texts or (KeptText("00" * 32, b"nothing"),)
    assert "a text in the approval is not the one it is named after" in carried(
        port, sent, texts=(replace(first, content=b"speed = 180\n# nothing to see\n"), *others)
    )


def test_a_proposal_of_another_kind_is_refused(port: Port, sent: Path) -> None:
    port.types("check", "STS-01")
    report = port.workspace.log.read(port.workspace.log.length() - 1)
    assert "this is a report, not a baseline" in carried(port, sent, proposal=report.decode())


# The file


VALUE = Travelling(FORMAT, sealed_baseline().decode(), (TrustFile("policy.json", policy_bytes(POLICY).decode()),))


def test_a_file_has_one_form() -> None:
    data = travelling_bytes(VALUE)
    assert read_travelling(data) == VALUE
    assert data.endswith(b"}\n")
    assert set(json.loads(data)) == {"format", "proposal", "trust"}
    for other in (data.strip(), b" " + data, data.replace(b'","', b'", "', 1), data.replace(b'"trust"', b'"doubt":"","trust"')):
        with pytest.raises(TrustError):
            read_travelling(other)
    with pytest.raises(TrustError, match="not 'crane-verify approval 1'"):
        read_travelling(travelling_bytes(replace(VALUE, format="crane-verify approval 2")))
    with pytest.raises(TrustError, match="not an approval on its way"):
        read_travelling(b'{"format":1.5}')


def test_a_file_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(travelling, "LARGEST", 10)
    with pytest.raises(TrustError, match="is larger than the 10 allowed"):
        read_travelling(travelling_bytes(VALUE))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_changed_bit_of_a_file_is_refused_or_changes_no_signed_word(data: st.DataObject) -> None:
    whole = bytearray(travelling_bytes(replace(VALUE, proposal=sealed_baseline(ENGINEER).decode())))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = unpacked(bytes(whole), NOW)
    except (TrustError, UsageError):
        return
    # the file's own frame and the policy are nobody's signed word here; what is to be signed is
    assert found.seen.baseline == baseline()


# Merging


SIGNERS = (ENGINEER, OFFICER, SECOND_ENGINEER, COLLECTOR, STRANGER)


@given(st.lists(st.sets(st.sampled_from(range(len(SIGNERS)))), min_size=1, max_size=6), st.randoms())
@settings(max_examples=60, deadline=None)
def test_any_order_of_merges_gives_the_same_approvals(copies: list[set[int]], random: object) -> None:
    envelopes = [sealed_baseline(*(SIGNERS[each] for each in sorted(copy))) for copy in copies]
    shuffled = list(envelopes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives random.Random
    one, other = merged(envelopes), shuffled[0]
    for each in shuffled[1:]:
        other = merged((other, each))
    first, second = (signed_by(each, BASELINE, POLICY, NOW) for each in (one, other))
    assert {str(each) for each in first.signers} == {str(each) for each in second.signers}
    assert first.missing == second.missing
    assert set(opened(one).signatures) == set(opened(other).signatures)
    assert len(opened(one).signatures) == len(set(itertools.chain(*copies)))
    assert opened(one).payload == opened(envelopes[0]).payload
    assert merged((one, one)) == one


def test_copies_of_two_things_are_not_merged() -> None:
    with pytest.raises(TrustError, match="not copies of one envelope"):
        merged((sealed_baseline(), sealed_baseline(value=replace(baseline(), reason="another"))))


def test_after_an_interruption_what_was_signed_is_passed_over(port: Port, sent: Path) -> None:
    file = laptop(port, sent, "laptop")
    shutil.copy(file, file.with_name("another.approval"))
    port.succeeds("baseline", "approve", NAME, "--yes")
    again = port.succeeds("baseline", "approve", NAME, "another.approval", "--members", "--yes")
    assert "you have signed this one already" in again.out
    assert "still needed: security-officer; another.approval goes on to them" in again.out
    assert "/settings/hoist.conf" in again.out, "the members are shown as well"
