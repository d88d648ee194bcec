"""Nothing stands in a visit that its people did not see: read at another moment or elsewhere, or laid in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.approval_port import ONE, Port, port
from tests.visit_port import WHO, installs, opens, package, recorded, refused
from verifier.model.device import Device
from verifier.model.visit import Outcome
from verifier.procedures import visit_approval
from verifier.procedures.approve import Proposal
from verifier.procedures.approve import proposal as real_proposal
from verifier.procedures.collector import Collector
from verifier.procedures.visit_approval import approve_visit, approving
from verifier.record.drafts import Drafts
from verifier.settings.inventory import load_inventory
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.statement import BASELINE, written

__all__ = ["port"]


@pytest.fixture
def begun(port: Port) -> Port:
    port.approve()
    port.succeeds(*opens("--package", str(package(port))))
    return port


def test_what_changed_after_a_no_is_in_the_closing(begun: Port) -> None:
    """A technician looks, says no, and the vendor goes on working: what is signed later is how it is then."""
    port = begun
    assert "read again the next time" in port.types("visit", "close", "1", answers="n\n").err
    installs(port)
    port.clock.passes(minutes=20)
    typed = port.succeeds("visit", "close", "1", "--yes")
    assert "gone on with" not in typed.err
    assert "1 matched" in typed.out


def test_what_changed_after_somebody_stopped_at_the_question_is_in_the_closing(begun: Port) -> None:
    """Who leaves at the question has seen it and has not signed, and the vendor goes on working."""
    port = begun
    assert "nobody is at the terminal" in port.types("visit", "close", "1", answers="").err
    installs(port)
    typed = port.succeeds("visit", "close", "1", "--yes")
    assert "gone on with" not in typed.err
    assert "1 matched" in typed.out
    assert "next: crane-verify visit approve V-2026-0001" in typed.out


def test_a_visit_that_says_too_little_is_refused_before_anything_is_read(port: Port) -> None:
    port.approve()
    said = dict(zip(WHO[::2], WHO[1::2], strict=True))
    for option in ("--vendor", "--person", "--work-order", "--why"):
        words = [word for pair in (said | {option: " "}).items() for word in pair]
        typed = port.types("visit", "open", "STS-01", *words, "--yes")
        assert (typed.code, typed.out) == (2, "")
        assert f"{option} is empty" in typed.err
    assert "overdue before it begins" in port.types("visit", "open", "STS-01", *WHO, "--for", "0h", "--yes").err


def test_what_changed_after_a_no_is_in_the_opening(port: Port) -> None:
    port.approve()
    assert "read again the next time" in port.types("visit", "open", "STS-01", *WHO, answers="n\n").err
    installs(port)
    port.clock.passes(minutes=20)
    assert "gone on with" not in port.succeeds(*opens()).err
    assert "nothing changed" in port.succeeds("visit", "close", recorded(port)[0].name, "--yes").out


@pytest.mark.parametrize("changed", ["address", "profile"])
def test_what_was_read_otherwise_is_not_gone_on_with(begun: Port, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    """A run that was stopped had read the wrong card, or with a profile that was put right since."""
    port = begun
    with monkeypatch.context() as patch:
        patch.setattr(Drafts, "drop", lambda *_: None)  # stopped before it signed
        assert port.types("visit", "close", "1", answers="n\n").code == 2
        assert "gone on with" in port.types("visit", "close", "1", answers="").err
    if changed == "address":
        path, old, new = port.root / "inventory.yaml", "../STS-01}", "../STS-02}"
    else:
        path, old, new = port.root / "profiles/test-card.yaml", "version: 1", "version: 2"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert "gone on with" not in port.types("visit", "close", "1", answers="").err


def test_what_was_there_before_a_visit_is_not_accepted_with_what_it_did(port: Port) -> None:
    """Somebody had made the file setuid; then the vendor brings the very bytes that were declared."""
    port.approve()
    file = port.folder / "STS-01/firmware/main.bin"
    file.chmod(0o4755)
    port.succeeds(*opens("--package", str(package(port))))
    installs(port)
    file.chmod(0o4755)
    port.succeeds("visit", "close", "1", "--yes")
    (visit,) = recorded(port)
    assert visit.closed
    (difference,) = visit.closed.value.differences
    assert difference.outcome is Outcome.MATCHED
    approve = ("visit", "approve", "1", "--reason", "as ordered", "--yes")
    said = refused(port, *approve, "--all-matched")
    assert "was not as approved before the visit either" in said
    assert difference.name in said
    assert not port.workspace.baselines.proposed(ONE)
    assert "setuid" in port.succeeds(*approve, "--all-matched", "--accept", difference.name).out


def test_a_proposal_laid_in_its_place_is_not_signed_unseen(begun: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    port = begun
    installs(port)
    port.succeeds("visit", "close", "1", "--yes")
    seen = approving("1", (), True, "as ordered", load_inventory(port.workspace.inventory), port.collector)
    other = seal(written(BASELINE, replace(seen.next[0].baseline, reason="another's work")), PAYLOAD_TYPE, ())

    def exchanged(device: Device, collector: Collector) -> Proposal:
        port.workspace.baselines.propose(device.name, other)
        return real_proposal(device, collector)

    monkeypatch.setattr(visit_approval, "proposal", exchanged)
    done = approve_visit(seen, port.signer("approver.key"), port.collector)
    assert [outcome for _, outcome in done.baselines] == [None]
    assert port.baseline().serial == 1
    assert port.workspace.baselines.proposed(ONE) == other


def test_a_digest_in_capitals_is_the_same_digest(port: Port) -> None:
    port.approve()
    digest = "3F" * 32
    port.succeeds(*opens("--expect", f"STS-01#firmware#/firmware/main.bin={digest}", "--expect", "STS-01#settings#/x=GONE"))
    (visit,) = recorded(port)
    assert [each.value for each in visit.opened.value.expected] == [digest.lower(), "GONE"]
