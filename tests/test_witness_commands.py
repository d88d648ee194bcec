"""Witnesses and time authorities at the terminal: what goes out, what comes back, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.tsa import BRINGS_ITS_ROOT, Authority, authority
from tests.test_cli import Desk, desk, drive
from tests.test_record_tree import files
from verifier.cli.main import run
from verifier.procedures.audit import reports
from verifier.record.workspace import Workspace
from verifier.trust.log.note import read_note
from verifier.trust.log.request import read_request
from verifier.trust.log.timestamp import time_request

__all__ = ["desk", "drive"]


@pytest.fixture
def port(desk: Desk) -> Desk:
    """A port with a witness, whose card was checked once."""
    desk.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    for name in ("class", "insurer", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(desk.folder / "keys" / name)], check=True)
    collector = subprocess.run(["ssh-keygen", "-y", "-f", desk.folder / "keys/collector.key"], check=True, capture_output=True)
    (desk.folder / "keys/collector.pub").write_bytes(collector.stdout)
    add(desk, "class.pub", "Class Society", "witness")
    desk.succeeds("baseline", "propose", "card", "--reason", "commissioning")
    desk.succeeds("baseline", "approve", "card", "--yes")
    desk.succeeds("check", "card")
    return desk


@pytest.fixture
def tsa(port: Desk) -> Authority:
    """A time authority that the port's policy names."""
    made = authority(port.folder / "tsa")
    (made.folder / "chain.pem").write_bytes((made.folder / "signer.pem").read_bytes() + (made.folder / "root.pem").read_bytes())
    port.succeeds("trust", "add", str(made.folder / "chain.pem"), "--name", made.name, "--role", "time-authority")
    return made


def add(desk: Desk, file: str, name: str, role: str) -> None:
    desk.succeeds("trust", "add", str(desk.folder / "keys" / file), "--name", name, "--role", role)


def as_witness(desk: Desk, name: str = "class") -> list[str]:
    """The options of somebody outside, with a key and a memory of their own."""
    keys = desk.folder / "keys"
    return ["--key", str(keys / name), "--memory", str(desk.folder / f"memory-{name}"), "--log-key", str(keys / "collector.pub")]


def witnessed(desk: Desk, source: Path, name: str = "class", *options: str) -> None:
    desk.succeeds("log", "witness", str(source), *as_witness(desk, name), *options)


def rewritten(desk: Desk, entry: int) -> None:
    """An entry is rewritten, and the whole tree signed again with the real key."""
    log = desk.workspace / "log"
    path = log / "entries/000/000" / f"{entry:09}.json"
    path.write_bytes(path.read_bytes().replace(b'"payload":"', b'"payload": "'))
    shutil.rmtree(log / "tile")
    (log / "checkpoint").unlink()
    (desk.workspace / ".remembered-checkpoint").unlink()
    desk.types("log", "checkpoint", "--sign")
    assert (log / "checkpoint").is_file()


def last_report(desk: Desk) -> object:
    return next(reports(Workspace(desk.workspace))).report.witnessed


def test_a_stick_there_and_back(port: Desk) -> None:
    request, cosigned = port.folder / "stick.request", port.folder / "stick.cosigned"
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    assert last_report(port) is None
    witnessed(port, request)
    port.succeeds("log", "take", str(cosigned))
    assert read_request(request.read_bytes()).old == 0
    assert len(read_note(cosigned.read_bytes()).signatures) == 2
    assert "history witnessed up to entry" in port.succeeds("check", "card").out
    ref = last_report(port)
    assert ref is not None
    # the next request goes on from what came back, whatever else lies there
    junk = port.workspace / "log/witnessed/000000999999/checkpoint"
    junk.parent.mkdir()
    junk.write_bytes(b"junk")
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    assert read_request(request.read_bytes()).old == getattr(ref, "size", None)
    witnessed(port, request)


def test_a_cosignature_lost_on_its_way(port: Desk) -> None:
    """The port asks again from where it believes the witness to be; the witness says from where it must ask."""
    request = port.folder / "stick.request"
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    witnessed(port, request)
    seen = port.succeeds("log", "verify", "--json").document["covered"]
    (port.folder / "stick.cosigned").unlink()
    port.succeeds("check", "card")
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    typed = port.types("log", "witness", str(request), *as_witness(port))
    assert typed.code == 5
    assert f"goes on from 0 entries, and you have signed for {seen}" in typed.err
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--since", str(seen), "--output", str(request))
    witnessed(port, request)


def test_over_a_share(port: Desk) -> None:
    witnessed(port, port.workspace)
    assert "by Class Society; 1 entry since then" in port.succeeds("check", "card").out
    witnessed(port, port.workspace / "log")
    assert "by Class Society" in port.succeeds("log", "verify").out
    assert port.types("log", "witness", str(port.folder), *as_witness(port)).code == 2


def test_over_a_share_that_may_only_be_read(port: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (port.workspace / "log/witnessed").write_text("in the way")
    typed = port.types("log", "witness", str(port.workspace), *as_witness(port))
    assert typed.code == 1
    assert "cosigned, but it could not be put beside the log" in typed.err
    assert "--output" in typed.err
    (port.workspace / "log/witnessed").unlink()
    output = port.folder / "cosigned"
    witnessed(port, port.workspace, "class", "--output", str(output))
    assert not (port.workspace / "log/witnessed").exists()
    port.succeeds("log", "take", str(output))


def test_the_first_time_somebody_at_the_terminal_compares_the_fingerprint(port: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    options = as_witness(port)[:-2]

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def at_the_terminal(answer: str, source: Path) -> tuple[int, str]:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        try:
            return run(("log", "witness", str(source), *options)), err.getvalue()
        finally:
            monkeypatch.undo()

    code, said = at_the_terminal("n\n", port.workspace)
    fingerprint = subprocess.run(
        ["ssh-keygen", "-l", "-f", port.folder / "keys/collector.pub"], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    assert code == 2
    assert f"signed with the key {fingerprint}" in said
    assert at_the_terminal("y\n", port.workspace)[0] == 0
    # on a stick there is nobody to name a key
    shutil.rmtree(port.folder / "memory-class")
    port_request = port.folder / "stick.request"
    port.succeeds("--workspace", str(port.workspace), "log", "checkpoint", "--for", "Class Society", "-o", str(port_request))
    assert at_the_terminal("y\n", port_request)[0] == 2
    # nor beside a log without a policy
    shutil.copytree(port.workspace / "log", port.folder / "log-alone/log")
    assert at_the_terminal("y\n", port.folder / "log-alone")[0] == 2


def test_requests_need_a_file_and_one_addressee(port: Desk) -> None:
    for options in (
        ("--for", "Class Society", "--time-request", "-o", "x"),
        ("--since", "1"),
        ("--time-request",),
        ("--for", "Class Society"),
        ("--for", "nobody", "-o", "x"),
    ):
        assert port.types("log", "checkpoint", *options).code == 2
    port.succeeds("log", "checkpoint", "--output", str(port.folder / "checkpoint"))
    assert (port.folder / "checkpoint").read_bytes() == (port.workspace / "log/checkpoint").read_bytes()
    assert not (port.workspace / "log/witnessed").exists()


def test_a_time_stamp_there_and_back(port: Desk, tsa: Authority) -> None:
    query, response = port.folder / "log.tsq", port.folder / "log.tsr"
    port.succeeds("log", "checkpoint", "--time-request", "--output", str(query))
    response.write_bytes(tsa.stamp(query.read_bytes()))
    assert "time-stamped by Example TSA" in port.succeeds("log", "take", str(response)).out
    assert "(known already)" in port.succeeds("log", "take", str(response)).out
    # another stamp over the same: the first one stays
    before = {path: path.read_bytes() for path in (port.workspace / "log/witnessed").rglob("*.tsr")}
    response.write_bytes(tsa.stamp(query.read_bytes()))
    assert "(known already)" in port.succeeds("log", "take", str(response)).out
    assert {path: path.read_bytes() for path in (port.workspace / "log/witnessed").rglob("*.tsr")} == before
    # what lies in the record is what openssl checks
    (place,) = (port.workspace / "log/witnessed").iterdir()
    assert tsa.checks(next(place.glob("*.tsr")), place / "checkpoint")
    assert "by Example TSA" in port.succeeds("check", "card").out


def test_a_stamp_with_more_certificates_than_one_is_taken_as_it_came(port: Desk, tsa: Authority) -> None:
    query, response = port.folder / "log.tsq", port.folder / "log.tsr"
    port.succeeds("log", "checkpoint", "--time-request", "--output", str(query))
    response.write_bytes(replace(tsa, extra=BRINGS_ITS_ROOT).stamp(query.read_bytes()))
    assert "time-stamped by Example TSA" in port.succeeds("log", "take", str(response)).out
    (kept,) = (port.workspace / "log/witnessed").rglob("*.tsr")
    assert kept.read_bytes() == response.read_bytes()
    response.write_bytes(response.read_bytes()[:-1])
    typed = port.types("log", "take", str(response))
    assert typed.code == 5
    assert "this is not the response of a time authority" in typed.err
    assert not re.search(r"ASN|Error|element|location", typed.err)


def test_the_checkpoint_that_was_sent_out_first_is_sent_out_again(port: Desk, tsa: Authority) -> None:
    query = port.folder / "log.tsq"
    port.succeeds("log", "checkpoint", "--time-request", "--output", str(query))
    (kept,) = (port.workspace / "log/witnessed").rglob("checkpoint")
    request = port.folder / "stick.request"
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    assert read_request(request.read_bytes()).checkpoint == kept.read_bytes()


def test_in_any_order_and_what_is_refused_stops_nothing(port: Desk, tsa: Authority) -> None:
    """A stamp of an older checkpoint comes after a cosignature of a newer one; between them lies junk."""
    query, response, junk = port.folder / "a.tsq", port.folder / "a.tsr", port.folder / "junk"
    port.succeeds("log", "checkpoint", "--time-request", "--output", str(query))
    response.write_bytes(tsa.stamp(query.read_bytes()))
    port.succeeds("check", "card")
    request = port.folder / "b.request"
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    witnessed(port, request)
    junk.write_bytes(b"\x30junk")
    typed = port.types("log", "take", str(port.folder / "b.cosigned"), str(junk), str(request), str(query), str(response))
    assert typed.code == 5
    assert "cosigned by Class Society" in typed.out
    assert "time-stamped by Example TSA" in typed.out
    assert "not the response of a time authority" in typed.err
    assert typed.err.count("this is a request, not what came back") == 2


def test_strangers_are_refused(port: Desk, tsa: Authority) -> None:
    request, query, response = port.folder / "a.request", port.folder / "a.tsq", port.folder / "a.tsr"
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    port.succeeds("log", "checkpoint", "--time-request", "--output", str(query))
    kept = files(port.workspace / "log/witnessed")
    witnessed(port, request, "stranger")
    typed = port.types("log", "take", str(port.folder / "a.cosigned"))
    assert typed.code == 5
    assert "no witness of the policy cosigned it: crane-verify/witness/" in typed.err
    assert "is nobody it knows" in typed.err
    plain = port.folder / "checkpoint"
    shutil.copy(port.workspace / "log/checkpoint", plain)
    assert "there is no cosignature" in port.types("log", "take", str(plain)).err
    other = authority(port.folder / "other-tsa")
    response.write_bytes(other.stamp(query.read_bytes()))
    assert "by none of the time authorities" in port.types("log", "take", str(response)).err
    response.write_bytes(tsa.stamp(time_request(b"something else")))
    assert "for no checkpoint that was sent out from here" in port.types("log", "take", str(response)).err
    assert files(port.workspace / "log/witnessed") == kept


def test_a_witness_whose_key_was_stolen_is_not_taken_in(port: Desk) -> None:
    request = port.folder / "a.request"
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    witnessed(port, request)
    port.succeeds("trust", "revoke", "Class Society", "--compromised-since", "2026-01-01")
    typed = port.types("log", "take", str(port.folder / "a.cosigned"))
    assert "the key of Class Society did not count at the time of the cosignature" in typed.err


def test_something_else_under_a_witnesss_number_is_told(port: Desk) -> None:
    witnessed(port, port.workspace, "stranger")
    request = port.folder / "a.request"
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    witnessed(port, request)
    (place,) = (port.workspace / "log/witnessed").iterdir()
    (strangers,) = place.glob("*.cosignature")
    number = read_note((port.folder / "a.cosigned").read_bytes()).signatures[-1].name.rpartition("/")[2]
    strangers.rename(place / f"{number}.cosignature")
    typed = port.types("log", "take", str(port.folder / "a.cosigned"))
    assert f"something else is kept under the number {number}" in typed.err


def test_a_rewritten_history_is_refused_by_the_witness_and_shown_by_the_record(port: Desk) -> None:
    """The insider has the disk and the key. The witness refuses; what lies in the record shows it, and so does the stick."""
    request = port.folder / "a.request"
    port.succeeds("log", "checkpoint", "--for", "Class Society", "--output", str(request))
    witnessed(port, request)
    port.succeeds("log", "take", str(port.folder / "a.cosigned"))
    rewritten(port, 0)
    typed = port.types("log", "witness", str(port.workspace), *as_witness(port))
    assert typed.code == 5
    assert "the history was rewritten" in typed.err
    assert "not those that were shown to somebody outside: the history was rewritten" in port.types("log", "verify").err
    typed = port.types("check", "card")
    assert "RECORD  log/witnessed/" in typed.err
    assert "the history was rewritten" in typed.err
    found = port.types("check", "card", "--json").document[-1]["witnessed"]
    assert found["entries"] == 0
    assert "rewritten" in found["wrong"][0]
    # the insider removes what was kept; the stick is still there
    shutil.rmtree(port.workspace / "log/witnessed")
    typed = port.types("log", "take", str(port.folder / "a.cosigned"))
    assert typed.code == 5
    assert "the history was rewritten" in typed.err
    assert "keep this file" in typed.err
    assert not (port.workspace / "log/witnessed").exists()


def test_after_a_rewriting_no_other_checkpoint_of_the_same_size_goes_out(port: Desk, tsa: Authority) -> None:
    query = port.folder / "a.tsq"
    port.succeeds("log", "checkpoint", "--time-request", "--output", str(query))
    response = port.folder / "a.tsr"
    response.write_bytes(tsa.stamp(query.read_bytes()))
    rewritten(port, 0)
    typed = port.types("log", "checkpoint", "--time-request", "--output", str(query))
    assert typed.code == 5
    assert "another checkpoint of" in typed.err
    assert "the history was rewritten" in port.types("log", "take", str(response)).err


def test_a_run_says_in_json_how_far_it_is_witnessed(port: Desk) -> None:
    found = port.succeeds("check", "card", "--json").document[-1]["witnessed"]
    assert (found["entries"], found["at"], found["by"], found["wrong"]) == (0, None, [], [])
    witnessed(port, port.workspace)
    found = port.succeeds("check", "card", "--json").document[-1]["witnessed"]
    assert (found["recorded"] - found["entries"], found["by"]) == (1, ["Class Society"])
    assert found["at"].endswith("Z")


def test_what_cannot_be_read_is_said_and_loses_no_outcome(port: Desk) -> None:
    (port.workspace / "log/witnessed/000000000001/checkpoint").mkdir(parents=True)
    typed = port.succeeds("check", "card", "--json")
    assert "cannot read" in typed.document[-1]["witnessed"]["wrong"][0]
    assert typed.document[0]["report"]["verdict"] == "match"


def test_a_port_without_witnesses_notices_nothing(desk: Desk) -> None:
    desk.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    desk.succeeds("baseline", "propose", "card", "--reason", "commissioning")
    desk.succeeds("baseline", "approve", "card", "--yes")
    assert not re.search(r"witnessed|nobody outside", desk.succeeds("check", "card").out)
    assert "witnessed" not in json.dumps(desk.succeeds("check", "card", "--json").document)
    typed = desk.types("log", "checkpoint", "--for", "Class Society", "--output", "x")
    assert "trust add KEY.pub --role witness" in typed.err


def test_two_witnesses_where_the_policy_asks_for_two(port: Desk) -> None:
    add(port, "insurer.pub", "Insurer", "witness")
    port.succeeds("trust", "quorum", "checkpoint", "witness=2")
    witnessed(port, port.workspace)
    assert "nobody outside has witnessed the history yet" in port.succeeds("check", "card").out
    witnessed(port, port.workspace, "insurer")
    assert "by Class Society and Insurer" in port.succeeds("check", "card").out


def test_the_log_can_be_named(port: Desk) -> None:
    origin = (port.workspace / "log/origin").read_text().strip()
    witnessed(port, port.workspace, "class", "--name-of-log", origin)
    typed = port.types("log", "witness", str(port.workspace), *as_witness(port), "--name-of-log", "another")
    assert (typed.code, "not another" in typed.err) == (5, True)


def test_base64_of_a_cosignature_is_seventy_six_bytes(port: Desk) -> None:
    """Key number, time, Ed25519 signature, as the format says."""
    witnessed(port, port.workspace)
    (line,) = (port.workspace / "log/witnessed").rglob("*.cosignature")
    assert len(base64.b64decode(line.read_text().split()[2])) == 4 + 8 + 64
