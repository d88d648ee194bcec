"""Six sister cranes and a vendor who was not equally careful on all of them, on real servers, through the commands as typed."""

from __future__ import annotations

import functools
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.approval_port import Clock, Port
from tests.servers.sisters import CONTROLLER, DRIVE, Sister, inventory, running_sisters
from verifier.cli import desk
from verifier.model.words import Verdict
from verifier.procedures.collector import Collector
from verifier.trust.signers.file import new_private_key

PEOPLE = (
    ("officer", "O. Officer", "security-officer"),
    ("technician", "T. Technician", "technician"),
    ("vendor", "V. Fitter", "vendor"),
    ("class", "Class Society", "witness"),
)
CRANES = tuple(f"STS-{number:02}" for number in range(1, 7))
NEW = {"firmware/controller.bin": b"controller 3.11.0 " * 4000, "firmware/version": b"FIRMWARE=3.11.0\n"}
BIN, VERSION, TRIP = "/firmware/controller.bin", "/firmware/version", "hoist overload trip"
WRONG_FILE, EXTRA_USER = "terminal-2/STS-04/controller", "terminal-2/STS-05/controller"
VISIT = "V-2026-0025"
"""It is named by its place in the record: after 12 baselines, 12 reports and the policy of the first night."""


@pytest.fixture
def sisters(tmp_path: Path) -> Iterator[tuple[Sister, ...]]:
    with running_sisters(tmp_path / "cranes") as sisters:
        yield sisters


@pytest.fixture
def port(tmp_path: Path, sisters: tuple[Sister, ...], monkeypatch: pytest.MonkeyPatch) -> Port:
    """Five people: the engineer signs for the policy; a baseline takes two of them, a visit is the technician's."""
    port = Port(tmp_path, Clock(), monkeypatch)
    (port.root / "profiles").mkdir(parents=True)
    (port.root / "profiles/test-sts-controller.yaml").write_text(CONTROLLER)
    (port.root / "profiles/test-sts-drive.yaml").write_text(DRIVE)
    (port.root / "inventory.yaml").write_text(inventory(sisters))
    (tmp_path / "keys").mkdir()
    monkeypatch.chdir(port.root)
    monkeypatch.setenv("CRANE_VERIFY_KEY", port.key("approver.key"))
    monkeypatch.setenv("CRANE_VERIFY_COLLECTOR_KEY", port.key("collector.key"))
    monkeypatch.delenv("CRANE_VERIFY_WORKSPACE", raising=False)
    monkeypatch.setattr(desk, "Collector", functools.partial(Collector, now=port.clock))
    monkeypatch.setattr(desk, "now", port.clock)
    port.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    for key, name, role in PEOPLE:
        Path(port.key(key)).write_bytes(new_private_key(None))
        Path(port.key(key)).chmod(0o600)
        Path(port.key(f"{key}.pub")).write_text(port.signer(key).public.pem)
        port.succeeds("trust", "add", port.key(f"{key}.pub"), "--name", name, "--role", role)
    port.succeeds("trust", "quorum", "baseline", "engineer=1", "security-officer=1")
    port.succeeds("trust", "quorum", "visit", "technician=1")
    return port


def test_a_vendor_on_six_sister_cranes(port: Port, sisters: tuple[Sister, ...]) -> None:
    assert "12 devices, all in order" in port.succeeds("devices", "validate").out
    sisters_are_alike_before_anybody_approved_anything(port)
    enrolled_by_two_people(port)
    port.clock.passes(hours=16)
    assert night(port, 0) == {}

    port.clock.passes(hours=10)
    visit_begins(port, order(port.folder / "update.zip"))
    vendor_works(sisters)
    port.clock.passes(hours=5)
    visit_ends(port)
    approved_by_two_people(port)

    port.clock.passes(hours=9)
    next_night(port)
    sisters[4].has_users()  # the technician takes the user away
    port.clock.passes(hours=24)
    the_night_after(port)
    auditor_reads(port)


def sisters_are_alike_before_anybody_approved_anything(port: Port) -> None:
    assert "7 members on 6 devices: 7 the same on all, 0 with an odd one out" in port.succeeds("cohort", "sts-2019-plc").out
    assert "3 members on 6 devices: 3 the same on all, 0 with an odd one out" in port.succeeds("cohort", "sts-2019-drive").out


def enrolled_by_two_people(port: Port) -> None:
    port.succeeds("baseline", "propose", "terminal-2", "--reason", "commissioning")
    engineer = port.succeeds("baseline", "approve", "terminal-2", "--yes").out
    assert engineer.count("signed; still needed: security-officer") == 12
    officer = port.succeeds("baseline", "approve", "terminal-2", "--yes", "--key", port.key("officer")).out
    assert officer.count("of the record, signed by A. Engineer (engineer), O. Officer (security-officer)") == 12


def night(port: Port, code: int) -> dict[str, str]:
    """What cron runs, twice; gives what is not a match, by device."""
    typed = port.types("check", "--due")
    assert typed.code == code, typed
    lines = (
        line.split() for line in typed.out.splitlines() if line.startswith(("MATCH", "DRIFT", "UNDETERMINED", "NOT TRUSTED"))
    )
    found = {words[1]: words[0] for words in lines}
    assert len(found) == 12
    again = port.succeeds("check", "--due").out
    assert "nothing is due, so nothing was checked: 12 checked within their interval" in again
    return {device: verdict for device, verdict in found.items() if verdict != "MATCH"}


def order(package: Path) -> tuple[str, ...]:
    """What the vendor sent before: the package, and the new overload trip."""
    with zipfile.ZipFile(package, "w") as archive:
        for path, content in NEW.items():
            archive.writestr(path, content)
    who = ("--vendor", "Drives Ltd", "--person", "V. Fitter", "--work-order", "WO-17", "--why", "firmware 3.11.0")
    trips = (each for crane in CRANES for each in ("--expect", f"{crane}/drive#limits#{TRIP}=52.0 t"))
    return ("visit", "open", "terminal-2", *who, "--package", str(package), *trips, "--yes")


def visit_begins(port: Port, opening: tuple[str, ...]) -> None:
    for stranger in ("approver.key", "vendor"):
        refused = port.types(*opening, "--key", port.key(stranger))
        assert refused.code == 5
        assert "needs one more technician" in refused.err
    opened = port.succeeds(*opening, "--key", port.key("technician")).out
    assert opened.count("expected: terminal-2/STS-") == 6 * 3
    assert f"{VISIT} is open until 2026-11-23 16:00 UTC, entry 25 of the record" in opened
    assert "signed by T. Technician (technician)" in opened


def vendor_works(sisters: tuple[Sister, ...]) -> None:
    """Right on three, a wrong file on the fourth, a user more on the fifth, and the sixth forgotten."""
    for sister in sisters[:5]:
        sister.installs(NEW)
        sister.trips_at(52_0)
    sisters[3].holds("firmware/controller.bin", b"controller 3.11.0 beta")
    sisters[4].has_users("remote:x:0:0:remote:/root:/bin/sh")


def visit_ends(port: Port) -> None:
    alone = port.types("visit", "close", VISIT, "--yes", "--key", port.key("vendor"))
    assert alone.code == 5
    assert "needs one more technician" in alone.err
    close = ("visit", "close", VISIT, "--key", port.key("technician"), "--countersign", port.key("vendor"), "--yes")
    said = port.succeeds(*close).out
    assert f"{VISIT}: 1 undeclared, 1 different, 14 matched, 3 absent\n" in said
    assert "signed by T. Technician (technician), V. Fitter (vendor)\n" in said
    for words in (
        "UNDECLARED (1): nobody said that this would change\nterminal-2/STS-05/controller\nusers (account)\n"
        "  high      unexpected user remote (uid=0 gid=0 home=/root shell=/bin/sh gecos=remote)  [content]\n",
        "DECLARED BUT DIFFERENT (1): it was declared, and is not as declared\nterminal-2/STS-04/controller\nfirmware (firmware)\n"
        f"  critical  {BIN} size 72,000 bytes -> 22 bytes; content ",
        "DECLARED AND MATCHED (14): it is as declared\n",
        "newer version 3.10.8 -> 3.11.0",
        "DECLARED BUT ABSENT (3): it was declared, and was not seen to happen\n",
        f"  terminal-2/STS-06/drive#limits#{TRIP}=52.0 t: it is 50.0 t, as before\n",
    ):
        assert words in said, words

    closed = port.succeeds("visit", "show", VISIT, "--json").document["closed"]
    assert closed["countersigned_by"] == ["V. Fitter (vendor)"]
    found = {(named(each["device"]), each["drift"]["member"]): each["outcome"] for each in closed["differences"]}
    right = {(f"terminal-2/{crane}/controller", file): "matched" for crane in CRANES[:5] for file in (BIN, VERSION)}
    trips = {(f"terminal-2/{crane}/drive", TRIP): "matched" for crane in CRANES[:5]}
    assert found == right | trips | {(WRONG_FILE, BIN): "different", (EXTRA_USER, "remote"): "undeclared"}
    absent = {(named(each["expectation"]["device"]), each["expectation"]["member"]) for each in closed["absent"]}
    plc, drive = "terminal-2/STS-06/controller", "terminal-2/STS-06/drive"
    assert absent == {(plc, BIN), (plc, VERSION), (drive, TRIP)}
    assert (closed["before_drift"], closed["untold"]) == ([], [])


def named(device: dict[str, str]) -> str:
    return f"{device['site']}/{device['crane']}/{device['device']}"


def approved_by_two_people(port: Port) -> None:
    approve = ("visit", "approve", VISIT, "--all-matched", "--reason", "as ordered", "--yes")
    refused = port.types(*approve, "--key", port.key("officer"))
    assert refused.code == 5
    assert "needs one more engineer" in refused.err
    engineer = port.succeeds(*approve).out
    assert f"{VISIT}: 14 accepted, 2 refused\n" in engineer
    assert engineer.count("proposed and signed; still needed: one more security-officer") == 10
    assert "in force" not in engineer
    officer = port.succeeds("baseline", "approve", "terminal-2", "--yes", "--key", port.key("officer")).out
    assert "nothing is proposed for 2 other devices\n" in officer
    assert officer.count(f"reason: accepted of visit {VISIT}: as ordered, WO-17\n") == 10
    assert officer.count(": serial 2, proposed 2026-11-23 13:00 UTC\n") == 10
    assert officer.count("of the record, signed by A. Engineer (engineer), O. Officer (security-officer)") == 10
    assert "approved 14 of 16: 1 undeclared, 1 different, 14 matched, 3 absent" in port.succeeds("visit", "list").out


def next_night(port: Port) -> None:
    """What was refused is drift; what was forgotten still matches its baseline, and its sisters tell."""
    assert night(port, 3) == {WRONG_FILE: "DRIFT", EXTRA_USER: "DRIFT"}
    wrong, user = findings(port)
    assert wrong["age"] == user["age"] == "0 minutes"
    odd = port.types("cohort", "sts-2019-plc")
    assert odd.code == 3
    for who in (
        "STS-04/controller  firmware: " + BIN,
        "STS-05/controller  users: remote",
        "STS-06/controller  firmware: " + VERSION,
    ):
        assert f"ODD ONE OUT  terminal-2/{who}\n" in odd.out
    assert "here 50.0 t\n  on 5 others 52.0 t" in port.types("cohort", "sts-2019-drive").out
    reject = ("finding", "reject", user["id"], "--reason", "nobody ordered it", "--ticket", "T-4712", "--yes")
    assert "users: remote: rejected, T-4712, A. Engineer" in port.succeeds(*reject).out


def the_night_after(port: Port) -> None:
    """The user is gone, so that its finding is over; the wrong file is still there, and is the same finding as before."""
    assert night(port, 3) == {WRONG_FILE: "DRIFT"}
    (wrong,) = findings(port)
    assert (wrong["age"], wrong["times"], wrong["state"]) == ("1 day", "2", "open")
    shown = port.types("check", WRONG_FILE)
    assert f"{wrong['id']}  since 1 day; open\n" in shown.out
    assert "resolved 0 minutes ago" in port.succeeds("finding", "list", "--all").out
    state = port.types("status")
    assert state.code == 3
    assert "12 devices: 1 drift, 11 match; findings: 1 open\n" in state.out


def findings(port: Port) -> list[dict[str, str]]:
    """The rows of `finding list`: the wrong file first, then the user."""
    names = ("id", "age", "times", "criticality", "state", "device")
    lines = port.succeeds("finding", "list").out.splitlines()[1:]
    return [dict(zip(names, (cell.strip() for cell in line.split("  ") if cell.strip()), strict=False)) for line in lines]


def auditor_reads(port: Port) -> None:
    log_key = port.folder / "collector.pub"
    log_key.write_text(port.signer("collector.key").public.pem)
    fingerprint = port.succeeds("trust", "show", "--json").document["fingerprint"]
    entries = port.succeeds("log", "verify", "--json").document["entries"]
    looking = ("--key", port.key("class"), "--log-key", str(log_key), "--memory", str(port.folder / "memory"))
    assert f"{entries} entries, the first that you sign" in port.succeeds("log", "witness", str(port.root), *looking).out
    bundle = port.folder / "evidence"
    written = port.succeeds("log", "bundle", str(bundle)).out
    kinds = "22 baselines, 1 finding, 1 policy, 37 reports, 1 visit-approved, 1 visit-closed, 1 visit-opened"
    assert f"{kinds}, out of {entries} entries" in written

    port.stands_in(port.folder / "laptop")
    assert port.types("report", "verify", str(bundle), "--root", "0" * 64).code == 5
    verified = port.succeeds("report", "verify", str(bundle), "--root", fingerprint).out
    for proven in (
        "grew out of the root you know, signed at each step by enough of the people named",
        "* 22 baselines, signed by A. Engineer (engineer), O. Officer (security-officer)",
        "* 1 visit-opened, signed by T. Technician (technician)",
        "* 1 visit-closed, signed by T. Technician (technician), V. Fitter (vendor)",
        "* 1 visit-approved, signed by A. Engineer (engineer)",
        "* 1 finding, signed by A. Engineer (engineer)",
        f"up to entry {entries - 1} all of it was there by 2026-11-24 22:00 UTC, on the word of Class Society",
    ):
        assert proven in verified, proven
    document = port.succeeds("report", "verify", str(bundle), "--root", fingerprint, "--json").document
    assert Counter(each["says"] for each in document["statements"] if each["kind"] == "report") == {
        Verdict.MATCH: 12 + 10 + 11,
        Verdict.DRIFT: 0 + 2 + 2,
    }
