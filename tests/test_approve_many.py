"""Approving the baselines of several devices at once, of which some have nothing to sign."""

from __future__ import annotations

from tests.approval_port import Port, port

__all__ = ["port"]


def proposed(port: Port, *devices: str) -> None:
    port.two_people("baseline")
    for device in devices:
        port.succeeds("baseline", "propose", device, "--reason", "commissioning")


def test_what_has_no_proposal_keeps_nobody_from_signing_the_others(port: Port) -> None:
    proposed(port, "STS-02/card")
    signed = port.succeeds("baseline", "approve", "STS-01", "STS-02", "--yes").out
    assert signed.startswith("nothing is proposed for 1 other device\n\nterminal-2/STS-02/card: serial 1")
    assert "signed; still needed: security-officer" in signed
    stick = port.folder / "stick"
    assert (
        "nothing is proposed for 1 other device\n" in port.succeeds("baseline", "send", "STS-01", "STS-02", "-o", str(stick)).out
    )
    assert [each.name for each in stick.iterdir()] == ["terminal-2+STS-02+card.approval"]
    done = port.succeeds("baseline", "approve", "STS-01", "STS-02", "--yes", "--key", port.key("officer")).out
    assert done.count("in force") == 1


def test_where_nothing_waits_at_all_it_is_refused(port: Port) -> None:
    for command in (("approve", "--yes"), ("send", "-o", str(port.folder / "stick"))):
        typed = port.types("baseline", command[0], "STS-01", "STS-02", *command[1:])
        assert typed.code == 2
        assert "no baseline of these 2 devices waits for approval" in typed.err
    assert "no baseline of terminal-2/STS-01/card waits" in port.types("baseline", "approve", "STS-01/card", "--yes").err


def test_who_was_interrupted_goes_on_with_the_others(port: Port) -> None:
    proposed(port, "STS-01/card", "STS-02/card")
    port.succeeds("baseline", "approve", "STS-01/card", "--yes")
    again = port.succeeds("baseline", "approve", "STS-01", "STS-02", "--yes").out
    assert again.count("you have signed this one already") == 1
    assert again.count("signed; still needed: security-officer") == 1
    # alone it is refused, as ever
    alone = port.types("baseline", "approve", "STS-01/card", "--yes")
    assert alone.code == 5
    assert "has signed this already" in alone.err
