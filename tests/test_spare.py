"""A spare is compared with the baseline before it is fitted; a flipped bit is found, and the record does not learn of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.card_port import Port, first_day, port
from tests.image_fixtures import disk, ext
from tests.servers.sshd import SSHD, running_sshd

__all__ = ["first_day", "port"]

CARD = "terminal-2/STS-01/card"


def entries(port: Port) -> set[str]:
    return {str(path) for path in (port.workspace / "log").rglob("*") if path.is_file()}


def flip(port: Port) -> None:
    """One bit of the spare's firmware; its size, mode and time are as before."""
    path = port.folder / "spare/firmware/main.bin"
    data = bytearray(path.read_bytes())
    data[1] ^= 1
    path.write_bytes(bytes(data))


def folder(port: Port) -> Path:
    return port.folder / "spare"


def image(port: Port) -> Path:
    return ext(port.folder / "spare.img", folder(port))


def whole_card(port: Port) -> Path:
    return disk(port.folder / "whole.img", (0x83, image(port)))


def archive(port: Port) -> Path:
    path = port.folder / "spare.tar.gz"
    subprocess.run(["tar", "-czf", path, "-C", folder(port), "."], check=True)
    return path


@pytest.mark.parametrize("made", [folder, image, whole_card, archive])
def test_a_spare_card_matches_and_with_a_flipped_bit_does_not(port: Port, made: Callable[[Port], Path]) -> None:
    shutil.rmtree(folder(port))
    shutil.copytree(port.folder / "card", folder(port))
    before = entries(port)
    found = port.types("baseline", "verify-spare", CARD, "--image", str(made(port)))
    assert found.code == 0, found
    assert found.out.startswith(f"NOT A CHECK of {CARD}: a spare was read")
    assert "\nMATCH  spare: image " in found.out
    flip(port)
    found = port.types("baseline", "verify-spare", CARD, "--image", str(made(port)))
    assert found.code == 3
    assert "\nDRIFT  spare: image " in found.out
    assert "/firmware/main.bin" in found.out
    assert "do not fit it" in found.out
    assert entries(port) == before
    assert port.succeeds("report", "list", "--json").document == []
    assert "never" in port.types("status").out


def test_another_device_of_the_inventory_is_a_spare(port: Port) -> None:
    assert port.types("baseline", "verify-spare", CARD, "--as", "spare").code == 0
    flip(port)
    found = port.types("baseline", "verify-spare", CARD, "--as", "spare", "--json")
    assert found.code == 3
    assert found.document["not_a_check_of"] == CARD
    assert found.document["spare"].startswith("terminal-2/STS-01/spare (image ")
    assert found.document["recorded"] is False
    assert [drift["member"] for drift in found.document["drifts"]] == ["/firmware/main.bin"]
    assert "report" not in found.document


def test_what_could_not_be_read_is_no_match(port: Port) -> None:
    (port.folder / "spare/settings/hoist.conf").unlink()
    (port.folder / "spare/settings/hoist.conf").mkdir()
    assert port.types("baseline", "verify-spare", CARD, "--as", "spare").code == 3
    found = port.types("baseline", "verify-spare", CARD, "--image", str(port.folder / "nothing"))
    assert found.code == 4
    assert "COULD NOT TELL" in found.out


def test_a_baseline_that_cannot_be_trusted_is_none(port: Port) -> None:
    found = port.types("baseline", "verify-spare", "STS-02/card", "--image", str(port.folder / "spare"))
    assert found.code == 5
    assert "NOT TRUSTED" in found.out
    assert "has no approved baseline" in found.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "a spare is a card or a device"),
        (("--image", "x", "--as", "spare"), "a spare is a card or a device"),
        (("--as", "spare", "--partition", "1"), "--partition belongs to --image"),
        (("--as", CARD), "is no spare of itself"),
    ],
)
def test_what_is_no_spare(port: Port, words: tuple[str, ...], why: str) -> None:
    found = port.types("baseline", "verify-spare", CARD, *words)
    assert found.code == 2
    assert why in found.err


def test_the_spare_has_the_profile_of_the_device(port: Port) -> None:
    inventory = port.workspace / "inventory.yaml"
    text = inventory.read_text()
    inventory.write_text(text.replace("spare: {profile: test-card,", "spare: {profile: offline-image,"))
    found = port.types("baseline", "verify-spare", CARD, "--as", "spare")
    assert found.code == 2
    assert "only a device of the same profile" in found.err


def test_a_hostile_name_on_a_spare_moves_no_cursor(port: Port) -> None:
    (port.folder / "spare/firmware/\x1b[2Jmatch\n\u202e").write_bytes(b"x")
    found = port.types("baseline", "verify-spare", CARD, "--as", "spare")
    assert found.code == 3
    assert "\x1b" not in found.out
    assert "\u202e" not in found.out
    assert "\\x1b[2Jmatch\\x0a" in found.out


@pytest.mark.skipif(not SSHD, reason="needs openssh-server")
def test_a_spare_at_the_bench_over_ssh_has_a_key_of_its_own(port: Port) -> None:
    """The crane's device and the spare are two servers with two host keys: the line is not compared, the files are."""
    profile = port.workspace / "profiles/test-card.yaml"
    system = port.folder / "system"
    (system / "firmware").mkdir(parents=True)
    (system / "firmware/main.bin").write_bytes(b"\0\1\2")
    profile.write_text(
        "profile: test-card\ntitle: T\nversion: 2\nmaturity: simulated\nreferences: [x]\ngaps: [x]\nitems:\n"
        f"  - {{name: firmware, kind: firmware, files: {{paths: [{system}/firmware]}}}}\n"
    )

    with running_sshd(port.folder / "one") as one, running_sshd(port.folder / "two") as two:
        lines = [
            f"{name}: {{profile: test-card, ssh: {{host: 127.0.0.1, port: {at.port}, user: {at.address().user},"
            f" host_keys: ['{at.address().host_keys[0]}'], credentials: [{{key: {at.address().credentials[0].path}}}]}}}}"  # type: ignore[union-attr] # the fixture's credential is a key file
            for name, at in (("card", one), ("spare", two))
        ]
        devices = "\n          ".join(lines)
        (port.workspace / "inventory.yaml").write_text(
            f"sites:\n  terminal-2:\n    cranes:\n      STS-01:\n        devices:\n          {devices}\n"
        )
        port.approves(CARD)
        before = entries(port)
        assert port.types("baseline", "verify-spare", CARD, "--as", "spare").code == 0
        (system / "firmware/main.bin").write_bytes(b"\0\1\3")
        assert port.types("baseline", "verify-spare", CARD, "--as", "spare").code == 3
        assert entries(port) == before
