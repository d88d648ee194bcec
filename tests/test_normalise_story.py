"""Noise, from three captures to a check that is quiet about it and about nothing else."""

from __future__ import annotations

import pytest

from tests.approval_port import Port, port
from verifier.compare.mask_yaml import mask_yaml
from verifier.compare.volatility import proposed_masks
from verifier.model.profile import Rule
from verifier.procedures.enrol import capture
from verifier.settings.inventory import load_inventory

__all__ = ["port"]

SETTINGS = "speed = 240\nuptime = {}\n"
PLAIN = 'text: {match: ["/settings/*.conf"], keep: true}'


def test_what_moves_is_proposed_pasted_signed_and_then_quiet(port: Port) -> None:
    profile = port.root / "profiles/test-card.yaml"
    (device,) = load_inventory(port.root / "inventory.yaml").select(("STS-01/card",))
    snapshots = []
    for uptime in (3, 70, 911):
        port.changes(SETTINGS.format(uptime))
        snapshots.append(capture(device, port.collector))
    (found,) = proposed_masks(snapshots, port.workspace.kept_text)
    assert found.mask == Rule("key-value", only=("/settings/hoist.conf",), mask=("uptime",))
    assert [each.was for each in found.seen] == ["uptime 3", "uptime 70", "uptime 911"]

    step = mask_yaml((found,))[-1].strip()
    written = profile.read_text()
    assert PLAIN in written
    profile.write_text(written.replace(PLAIN, f"{PLAIN[:-1]}, normalise: [{step.removeprefix('- ')}]}}"))
    port.approve()
    assert (
        "compared by a rule in settings: key-value of /settings/hoist.conf without uptime"
        in port.succeeds("baseline", "show", "STS-01/card").out
    )
    port.changes(SETTINGS.format(4000))
    quiet = port.types("check", "STS-01/card")
    assert quiet.code == 0
    assert "1 place in texts not compared" in port.succeeds("report", "show", "STS-01/card").out
    port.changes(SETTINGS.format(4000).replace("240", "400"))
    assert port.types("check", "STS-01/card").code == 3
    port.changes(SETTINGS.format(4000))

    profile.write_text(profile.read_text().replace('mask: ["uptime"]', 'mask: ["uptime", "speed"]'))
    wider = port.types("check", "STS-01/card")
    assert wider.code == 3
    assert "text rules of settings" in wider.out + port.types("report", "show", "STS-01/card").out


def test_a_proposal_of_several_captures_shows_what_to_paste(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    uptimes = iter((70, 911))
    monkeypatch.setattr("verifier.procedures.enrol.time.sleep", lambda _: port.changes(SETTINGS.format(next(uptimes))))
    port.changes(SETTINGS.format(3))
    told = port.succeeds("baseline", "propose", "STS-01/card", "--reason", "uptime moves", "--captures", "3").out
    assert "paste what you agree with into the profile" in told
    assert 'key-value: {only: ["/settings/hoist.conf"], mask: ["uptime"]}' in told
    assert "uptime 3, uptime 70, uptime 911" in told or "uptime 911" in told
