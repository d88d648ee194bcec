"""A restore kit holds exactly what was approved and kept, says loudly what it lacks, and a card made from it matches."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.card_port import CARD, Port
from tests.image_fixtures import ext
from tests.record_fixtures import full_disk
from tests.terminal import settled
from verifier.errors import RecordError
from verifier.model.kit import Standing
from verifier.model.words import FileType
from verifier.record.blobs import Blobs
from verifier.record.kit import write_kit
from verifier.settings.profiles import read_profile
from verifier.simulator.station import Station, Unit

DEVICE = "terminal-2/STS-01/card"
GOLDEN = CARD.replace("kind: firmware\n", "kind: firmware\n    golden: {match: ['/firmware/**']}\n").replace(
    "volatile: [/settings/counter]}", "volatile: [/settings/counter], golden: {match: ['/settings/**']}}"
)
NAMED = GOLDEN.replace("files: {paths: [/passwords]}}", "files: {paths: [/passwords]}, golden: {match: [/passwords/shadow]}}")
HOSTILE = b"=cmd|' calc'!A1\x1b[2J\n\xff"


def founded(folder: Path, profile: str) -> Port:
    """A port whose card has a hostile name, a link and an empty file, and is approved with this profile."""
    card = folder / "card"
    for name, content in (
        ("firmware/main.bin", os.urandom(300_000)),
        ("firmware/version", b"FIRMWARE=3.10.8\n"),
        ("firmware/empty", b""),
        ("settings/hoist.conf", b"speed = 180\npassword = hunter2\n"),
        ("settings/counter", b"17\n"),
        ("passwords/shadow", b"root:x\n"),
    ):
        path = card / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "card/firmware/link").symlink_to("../../../etc/passwd")
    (card / "firmware/main.bin").chmod(0o750)
    Path(os.fsdecode(os.fsencode(card) + b"/firmware/" + HOSTILE)).write_bytes(b"hostile")
    port = Port(folder)
    (port.workspace / "profiles").mkdir(parents=True)
    (port.workspace / "profiles/test-card.yaml").write_text(profile)
    (port.workspace / "inventory.yaml").write_text(
        "sites:\n  terminal-2:\n    cranes:\n      STS-01:\n        devices:\n"
        "          card: {profile: test-card, image: {path: ../card}}\n"
    )
    port.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    port.approves(DEVICE)
    return port


@pytest.fixture(scope="module")
def first_whole(tmp_path_factory: pytest.TempPathFactory) -> Port:
    return founded(tmp_path_factory.mktemp("kit") / "whole", NAMED)


@pytest.fixture
def whole(first_whole: Port, tmp_path: Path) -> Port:
    shutil.copytree(first_whole.folder, tmp_path / "port", symlinks=True)
    return Port(tmp_path / "port")


def kit_of(port: Port, code: int) -> tuple[Path, dict[str, Any], str]:
    folder = port.folder / "kit"
    typed = port.types("baseline", "restore-kit", DEVICE, "--output", str(folder))
    assert typed.code == code, typed
    return folder, json.loads((folder / "kit.json").read_text()), typed.err


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def set_up(kit: Path, card: Path) -> None:
    """By the kit alone, as a person would: folders, copies, links, modes, owners."""
    document = json.loads((kit / "kit.json").read_text())
    for each in sorted(document["files"], key=lambda each: str(each["path_hex"])):
        path = Path(os.fsdecode(os.fsencode(card) + bytes.fromhex(each["path_hex"])))
        path.parent.mkdir(parents=True, exist_ok=True)
        match each["file"]["type"]:
            case FileType.DIRECTORY:
                path.mkdir(exist_ok=True)
            case FileType.SYMLINK:
                path.symlink_to(each["file"]["target"])
                continue
            case _:
                shutil.copyfile(kit / each["copy"], path)
        path.chmod(int(each["mode"], 8))


def test_a_card_set_up_from_a_kit_matches_and_with_a_flipped_bit_does_not(whole: Port) -> None:
    kit, document, err = kit_of(whole, 0)
    assert err == ""
    assert document["lacking"] == 0
    assert document["baseline"]["signers"] == ["A. Engineer (engineer)"]
    assert (kit / "baseline.dsse.json").read_bytes() == (whole.workspace / "baselines/terminal-2/STS-01/card.json").read_bytes()
    assert {path.name for path in (kit / "trust").iterdir()} <= {path.name for path in (whole.workspace / "trust").iterdir()}
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=kit, check=True)
    new = whole.folder / "new"
    set_up(kit, new)
    image = ext(whole.folder / "new.img", new)
    found = whole.types("baseline", "verify-spare", DEVICE, "--image", str(image))
    assert found.code == 0, found
    (new / "firmware/version").write_bytes(b"FIRMWARE=3.10.9\n")
    image = ext(whole.folder / "new.img", new)
    assert whole.types("baseline", "verify-spare", DEVICE, "--image", str(image)).code == 3


def test_every_file_is_covered_by_the_sums_and_only_digests_name_files(whole: Port) -> None:
    kit, document, _ = kit_of(whole, 0)
    listed = {line[66:] for line in (kit / "SHA256SUMS").read_text().splitlines()}
    there = {path.relative_to(kit).as_posix() for path in kit.rglob("*") if path.is_file()}
    assert listed == there - {"SHA256SUMS"}
    for path in (kit / "files").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    hexes = {each["path_hex"] for each in document["files"]}
    assert (b"/firmware/" + HOSTILE).hex() in hexes
    for name in ("kit.csv", "README.md", "values.csv", "kit.json"):
        text = (kit / name).read_text()
        assert "\x1b" not in text
        assert not any(line.startswith(("=", "+", "@")) for line in text.splitlines())
    by_path = {each["path"]: each for each in rows(kit / "kit.csv")}
    assert by_path["/firmware/link"]["link_target"] == "../../../etc/passwd"
    assert by_path["/firmware/link"]["standing"] == "no content"
    assert by_path["/firmware/main.bin"]["mode"] == "0750"
    assert by_path["/settings/counter"]["compared"] == "no, it moves by itself"


def test_what_a_visit_brought_is_in_the_kit_of_the_baseline_made_of_it(whole: Port) -> None:
    who = ("--vendor", "Drives Ltd", "--person", "V. Fitter", "--work-order", "WO-17", "--why", "firmware 3.2")
    whole.succeeds("visit", "open", DEVICE, *who, "--expect", f"{DEVICE}#firmware#/firmware/main.bin", "--yes")
    (whole.folder / "card/firmware/main.bin").write_bytes(b"firmware 3.2")
    name = json.loads(whole.succeeds("visit", "list", "--json").out)[0]["visit"]
    assert "/firmware/main.bin, in any way" in whole.succeeds("visit", "close", name, "--yes").out
    whole.succeeds("visit", "approve", name, "--all-matched", "--reason", "as ordered", "--yes")
    kit, _, _ = kit_of(whole, 0)
    assert (kit / "files" / hashlib.sha256(b"firmware 3.2").hexdigest()).read_bytes() == b"firmware 3.2"


def test_a_kit_is_for_nobody_else_on_the_machine(whole: Port) -> None:
    """The password file that the profile names is in it."""
    kit, document, _ = kit_of(whole, 0)
    assert {each["path"] for each in document["files"]} >= {"/passwords/shadow"}
    assert kit.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (kit / "files").iterdir()} == {0o600}


def test_a_flipped_bit_in_the_kit_is_found_by_its_sums(whole: Port) -> None:
    kit, document, _ = kit_of(whole, 0)
    path = kit / next(each["copy"] for each in document["files"] if each["path"] == "/firmware/main.bin")
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(bytes(data))
    assert subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=kit, capture_output=True).returncode == 1


def test_what_is_not_kept_is_said_loudly_and_leaves_with_4(tmp_path: Path) -> None:
    port = founded(tmp_path / "port", GOLDEN)
    kit, document, err = kit_of(port, 4)
    assert "NOT WHOLE: 1 of what the baseline names is not in the kit" in err
    assert "missing: passwords /passwords/shadow" in err
    assert document["lacking"] == 1
    assert rows(kit / "kit.csv")[0]["path"] == "/passwords/shadow"
    assert "THIS KIT IS NOT WHOLE" in (kit / "README.md").read_text()
    shadow = hashlib.sha256(b"root:x\n").hexdigest()
    assert not (kit / "files" / shadow).exists()
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=kit, check=True)


def test_a_redacted_text_is_not_taken_for_the_file(tmp_path: Path) -> None:
    """Before there were golden copies a profile kept only redacted texts: a kit has nothing of them."""
    redacting = CARD.replace(
        "volatile: [/settings/counter]}", "text: {match: ['/settings/*.conf'], redact: ['password = (.*)'], keep: true}}"
    )
    port = founded(tmp_path / "port", redacting)
    kit, document, _ = kit_of(port, 4)
    standing = {each["path"]: each["standing"] for each in document["files"]}
    assert standing["/settings/hoist.conf"] == "missing"
    # a text that was kept as it is is the file itself
    assert standing["/firmware/version"] == "kept"
    assert b"hunter2" not in b"".join(path.read_bytes() for path in kit.rglob("*") if path.is_file())


def test_a_damaged_copy_is_told_and_not_handed_out(whole: Port) -> None:
    digest = hashlib.sha256((whole.folder / "card/firmware/main.bin").read_bytes()).hexdigest()
    path = Blobs(whole.workspace / "blobs").path(digest)
    assert path
    data = bytearray(path.read_bytes())
    data[5] ^= 4
    path.write_bytes(bytes(data))
    kit, _, err = kit_of(whole, 4)
    assert "damaged: firmware /firmware/main.bin" in err
    assert not (kit / "files" / digest).exists()
    assert digest not in {line[:64] for line in (kit / "SHA256SUMS").read_text().splitlines()}


def test_the_kit_is_of_the_baseline_and_not_of_what_the_device_holds_now(whole: Port) -> None:
    approved = (whole.folder / "card/firmware/version").read_bytes()
    (whole.folder / "card/firmware/version").write_bytes(b"FIRMWARE=9\n")
    assert whole.types("check", DEVICE).code == 3
    kit, document, _ = kit_of(whole, 0)
    copy = next(each["copy"] for each in document["files"] if each["path"] == "/firmware/version")
    assert (kit / copy).read_bytes() == approved
    assert hashlib.sha256(b"FIRMWARE=9\n").hexdigest() not in {path.name for path in (kit / "files").iterdir()}


@pytest.mark.parametrize("there", ["a folder with something in it", "a file", "a link"])
def test_nothing_is_written_over(whole: Port, there: str) -> None:
    folder = whole.folder / "kit"
    match there:
        case "a file":
            folder.write_text("mine")
        case "a link":
            (whole.folder / "elsewhere").mkdir()
            folder.symlink_to(whole.folder / "elsewhere")
        case _:
            folder.mkdir()
            (folder / "mine").write_text("mine")
    typed = whole.types("baseline", "restore-kit", DEVICE, "--output", str(folder))
    assert typed.code == (0 if there == "a link" else 2), typed
    if there == "a link":  # an empty folder, named through a link: it is that folder that is filled
        assert (whole.folder / "elsewhere/SHA256SUMS").is_file()
    else:
        assert "nothing was written" in typed.err


def test_a_withdrawn_baseline_gives_no_kit(whole: Port) -> None:
    shown = whole.succeeds("baseline", "withdraw", DEVICE, "--reason", "the firmware is called back", "--yes")
    assert shown.code == 0
    typed = whole.types("baseline", "restore-kit", DEVICE, "--output", str(whole.folder / "kit"))
    assert typed.code == 5
    assert not (whole.folder / "kit").exists()


def test_an_altered_baseline_gives_no_kit(whole: Port) -> None:
    path = whole.workspace / "baselines/terminal-2/STS-01/card.json"
    path.write_bytes(path.read_bytes().replace(b'"payload":"e', b'"payload":"f', 1))
    assert whole.types("baseline", "restore-kit", DEVICE, "--output", str(whole.folder / "kit")).code == 5
    assert not (whole.folder / "kit").exists()


def test_a_full_disk_leaves_no_half_kit(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    digest = blobs.put(bytes(200_000))
    with full_disk(tmp_path / "mnt") as disk, refused_writes(disk):
        with pytest.raises(RecordError, match="the disk is full"):
            write_kit(disk / "kit", blobs, [digest], lambda standing: [("kit.json", bytes(200_000))])
        assert list(disk.iterdir()) == []


@contextmanager
def refused_writes(disk: Path) -> Iterator[None]:
    """Where no small disk could be mounted, what is written as a whole fails as it would there."""
    with pytest.MonkeyPatch.context() as patch:
        if not os.path.ismount(disk):
            write = Path.write_bytes

            def refuse(path: Path, data: bytes) -> int:
                if len(data) > 65536:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return write(path, data)

            patch.setattr(Path, "write_bytes", refuse)
        yield


@pytest.mark.parametrize("digest", ["", "../../secret", "AB" * 32, "ab" * 31, "ab" * 32])
def test_what_has_no_digest_is_missing_and_names_no_file(tmp_path: Path, digest: str) -> None:
    seen: dict[str, Standing] = {}
    (tmp_path / "secret").write_bytes(b"")
    write_kit(tmp_path / "kit", Blobs(tmp_path / "blobs"), [digest], lambda standing: seen.update(standing) or [])
    assert seen == {digest: Standing.MISSING}
    assert list((tmp_path / "kit/files").iterdir()) == []


def test_the_profile_of_these_tests_is_one() -> None:
    assert [item.golden is not None for item in read_profile(NAMED, "x.yaml").items] == [True, True, True]


DRIVE = """\
profile: test-drive
title: Registers of a test drive
version: 1
maturity: simulated
references: [tests/test_restore_kit.py]
gaps: [Stands for no product.]
items:
  - {name: identity, kind: hardware, identification: basic}
  - name: limits
    kind: parameter
    parameters:
      - {name: hoist overload trip, table: holding, address: 100, scale: "0.1", unit: t}
      - {name: what it does not have, table: holding, address: 9000}
  - {name: block, kind: parameter, registers: {table: holding, first: 100, count: 2}}
"""


def test_registers_are_a_table_of_values_to_set_by_hand(tmp_path: Path) -> None:
    with Station({1: Unit({100: 500, 101: 7}, objects={0: b"Example Drives", 1: b"TD-200", 2: b"V1.4"})}) as drive:
        at = f"modbus: {{host: 127.0.0.1, port: {drive.port}, unit: 1}}"
        inventory = f"sites: {{t: {{cranes: {{STS-01: {{devices: {{drive: {{profile: test-drive, {at}}}}}}}}}}}}}\n"
        person = settled(tmp_path, inventory, **{"test-drive": DRIVE})
        person.succeeds("baseline", "propose", "drive", "--reason", "commissioning")
        person.succeeds("baseline", "approve", "drive", "--yes")
    kit = tmp_path / "kit"
    typed = person.types("baseline", "restore-kit", "drive", "-o", str(kit))
    assert typed.code == 4
    assert "not read: limits what it does not have" in typed.err
    values = {each["member"]: each for each in rows(kit / "values.csv")}
    trip = values["hoist overload trip"]
    assert (trip["value"], trip["registers"], trip["address"], trip["how"]) == ("50.0 t", "500", "holding 100", "set by hand")
    assert values["holding 00101"]["registers"] == "7"
    assert {each["how"] for each in values.values() if each["item"] == "identity"} == {"see that it is so"}
    assert rows(kit / "kit.csv")[0]["standing"] == "not read"
    assert json.loads((kit / "kit.json").read_text())["not_read"][0]["member"] == "what it does not have"

    profile = person.workspace / "profiles/test-drive.yaml"
    profile.write_text(DRIVE.replace("version: 1", "version: 2"))
    typed = person.types("baseline", "restore-kit", "drive", "-o", str(tmp_path / "later"))
    assert "addresses of parameters are not told" in typed.out
    assert {each["address"] for each in rows(tmp_path / "later/values.csv")} == {""}
    profile.unlink()
    typed = person.types("baseline", "restore-kit", "drive", "-o", str(tmp_path / "last"))
    assert "addresses of parameters are not told" in typed.out
