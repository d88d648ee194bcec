"""What people do wrongly on their first day, and what they are told: each message leads on, and none into another refusal."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.terminal import Person, settled
from verifier.cli.main import cli
from verifier.model.snapshot import ItemSnapshot, Reading, Unread
from verifier.model.words import Criticality, Evidence, Kind, Reason
from verifier.procedures.probe import Outcome, answered
from verifier.record.workspace import NOT_KEPT
from verifier.transport.modbus.reply import ExceptionReply

NO_DEVICES = "sites: {}\n"


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return settled(tmp_path, NO_DEVICES)


def card(person: Person) -> None:
    """An inventory with one device: a card."""
    devices = "{card: {profile: offline-image, image: {path: card}}}"
    (person.workspace / "inventory.yaml").write_text(f"sites: {{port: {{cranes: {{STS-01: {{devices: {devices}}}}}}}}}\n")


def officer(person: Person) -> Path:
    """The public half of a second person's key."""
    path = person.keys / "officer"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_suffix(".pub")


def in_trust(person: Person) -> dict[str, bytes]:
    """Every file of the folder that says who may sign what."""
    return {path.name: path.read_bytes() for path in (person.workspace / "trust").rglob("*") if path.is_file()}


def test_a_workspace_without_a_policy_leads_to_one_that_has_it(tmp_path: Path) -> None:
    person = Person(tmp_path / "workspace", tmp_path / "keys")
    person.keys.mkdir()
    person.succeeds("init", str(person.workspace))
    refused = person.types("trust", "show")
    assert refused.code == 5
    assert "crane-verify trust init --name" in refused.err
    again = person.types("init", str(person.workspace))
    assert again.code == 2
    assert f"crane-verify -w {person.workspace} trust init --name" in again.err
    person.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    assert "choose another folder" in person.types("init", str(person.workspace)).err
    person.succeeds("trust", "show")


def test_a_passphrase_is_not_asked_for_where_nobody_can_type_it(tmp_path: Path) -> None:
    person = Person(tmp_path / "workspace", tmp_path / "keys")
    refused = person.types("init", str(person.workspace), "--name", "A. Engineer")
    assert refused.code == 2
    assert "nobody is at the terminal" in refused.err
    assert not (person.keys / "approver.key").exists()


def test_a_role_misspelt_is_refused_and_the_policy_stays(person: Person) -> None:
    before = in_trust(person)
    refused = person.types("trust", "add", str(officer(person)), "--name", "B. Officer", "--role", "security-oficer")
    assert refused.code == 2
    assert "'security-oficer' is not one of" in refused.err
    for seats in ("security-officer=1", "engineer=2"):
        refused = person.types("trust", "quorum", "baseline", seats)
        assert refused.code == 2
        assert "the policy stays as it was" in refused.err
        assert "crane-verify trust add" in refused.err
    assert in_trust(person) == before


def test_a_key_again_gives_its_owner_another_role_and_nobody_else_one(person: Person) -> None:
    public = str(officer(person))
    person.succeeds("trust", "add", public, "--name", "B. Officer", "--role", "technician")
    person.succeeds("trust", "add", public, "--name", "B. Officer", "--role", "security-officer")
    assert "security-officer, technician" in person.succeeds("trust", "show").out
    refused = person.types("trust", "add", public, "--name", "A. Engineer", "--role", "security-officer")
    assert refused.code == 2
    assert "this key is B. Officer's already" in refused.err


def test_who_has_no_key_yet_is_told_how_to_join(person: Person) -> None:
    """A check from cron runs as another user, and a second person has a home of their own."""
    somebody_else = person.keys.with_name("keys-of-the-engineer")
    person.keys.rename(somebody_else)
    person.keys.mkdir()
    card(person)
    (person.workspace / "card").write_text("x")
    refused = person.types("check", "card")
    told = refused.err + refused.out
    assert "there is no key at" in told
    command = told.split("make one: ")[1].split("; then somebody of role root adds it: ")[0]
    add = told.split("; then somebody of role root adds it: crane-verify ")[1].splitlines()[0]
    subprocess.run(["sh", "-c", command.replace("ssh-keygen", "ssh-keygen -q")], check=True)
    theirs = person.environment | {"CRANE_VERIFY_KEY": str(somebody_else / "approver.key")}
    subprocess.run(["sh", "-c", " ".join((*person.argv(), add))], env=theirs, check=True, cwd=Path.cwd())
    assert person.types("check", "card").code == 5  # nothing is approved yet, and the report of that is signed
    assert "2 entries" in person.succeeds("log", "verify").out, "the policy, and the report"


def test_a_signing_key_that_others_can_read_is_named(person: Person) -> None:
    card(person)
    (person.workspace / "card").write_text("x")
    assert "can be read by others" not in person.types("check", "card").err
    (person.keys / "collector.key").chmod(0o644)
    assert f"chmod 600 {person.keys / 'collector.key'}" in person.types("check", "card").err


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_git_does_not_take_the_keys_and_cards_that_the_example_names(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text(NOT_KEPT)
    kept = tmp_path / "baselines" / "port" / "STS-01" / "keys" / "images.json"
    for path in (tmp_path / "keys" / "verify", tmp_path / "images" / "RTG-07.img", kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    shown = subprocess.run(["git", "-C", tmp_path, "status", "-s", "-uall"], check=True, capture_output=True, text=True).stdout
    assert shown.splitlines() == ["?? .gitignore", f"?? {kept.relative_to(tmp_path)}"]


def test_a_proposal_that_waits_is_not_proposed_anew(person: Person) -> None:
    card(person)
    (person.workspace / "card").write_text("x")
    person.succeeds("trust", "add", str(officer(person)), "--name", "B. Officer", "--role", "security-officer")
    person.succeeds("trust", "quorum", "baseline", "engineer=1", "security-officer=1")
    assert "baseline propose" in person.types("check", "card").out
    person.succeeds("baseline", "propose", "card", "--reason", "first")
    person.succeeds("baseline", "approve", "card", "--yes")
    waits = person.types("check", "card").out
    assert "waits to be signed: crane-verify baseline approve port/STS-01/card" in waits
    assert "baseline propose" not in waits


def test_a_profile_misspelt_and_a_login_forgotten_name_the_device(person: Person) -> None:
    inventory = person.workspace / "inventory.yaml"
    device = "sites: {port: {cranes: {STS-01: {devices: {plc: {profile: PROFILE, ssh: {host: 127.0.0.1, user: verify}}}}}}}\n"
    for profile, told in (
        ("linux-controler", "there is no profile 'linux-controler'"),
        ("linux-controller", "no credentials for"),
    ):
        inventory.write_text(device.replace("PROFILE", profile))
        refused = person.types("devices", "validate")
        assert refused.code == 2
        assert f"{inventory}: port/STS-01/plc: {told}" in refused.err


def test_a_probe_names_only_the_steps_that_its_route_has(person: Person) -> None:
    card(person)
    missing = person.types("probe", "card")
    assert missing.code == 4
    assert "fails      image: no image" in missing.out
    assert "login" not in missing.out
    (person.workspace / "card").write_text("x")
    assert "works      image\n" in person.succeeds("probe", "card").out


@pytest.mark.parametrize(("code", "told"), [(11, "check the unit id"), (10, "check the unit id"), (2, "ask its manual")])
def test_a_wrong_unit_id_behind_a_gateway_is_told_from_a_register_that_is_not_there(code: int, told: str) -> None:
    unread = Unread(Reason.REFUSED, str(ExceptionReply(code)))
    step = answered(ItemSnapshot("limits", Kind.PARAMETER, Criticality.HIGH, (Reading("limit", unread, Evidence.CLAIMED),)))
    assert step.outcome is Outcome.FAILS
    assert told in step.fix


def test_a_report_is_written_as_its_file_is_called_and_only_the_envelope_is_verified(person: Person, tmp_path: Path) -> None:
    card(person)
    person.types("check", "card")
    begins = {
        "a.html": "<!doctype",
        "a.json": "{",
        "a.csv": "site,",
        "a.xml": "<?xml",
        "a.txt": "NOT TRUSTED",
        "a.dsse.json": "{",
    }
    for name, start in begins.items():
        person.succeeds("report", "export", "card", "--output", str(tmp_path / name))
        assert (tmp_path / name).read_text().startswith(start), name
        if name != "a.dsse.json":
            refused = person.types("report", "verify", str(tmp_path / name))
            assert refused.code == 5
            assert "carries no signature" in refused.err
    assert "genuine" in person.succeeds("report", "verify", str(tmp_path / "a.dsse.json")).out
    person.succeeds("report", "export", "card", "--format", "csv", "--output", str(tmp_path / "b.html"))
    assert (tmp_path / "b.html").read_text().startswith("site,")


def test_a_damaged_entry_of_the_record_is_named_where_reports_are_listed(person: Person) -> None:
    card(person)
    for _ in range(2):
        person.types("check", "card")
    person.succeeds("report", "list")
    (entry,) = (person.workspace / "log").rglob("000000001.json")
    entry.write_bytes(entry.read_bytes()[:-9])
    refused = person.types("report", "list")
    assert refused.code == 5
    assert "entry 1 of the log cannot be read" in refused.err
    assert "crane-verify log verify" in refused.err


def test_every_command_has_an_example_in_its_help() -> None:
    def commands(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command
            yield (*words, name), command
            if isinstance(command, click.Group):
                yield from commands(command, (*words, name))

    assert isinstance(cli, click.Group)
    without = [words for words, command in commands(cli, ()) if "Example:" not in (command.help or "")]
    assert without == []


def test_a_device_is_shown_to_people_and_to_programs(person: Person) -> None:
    card(person)
    assert "offline-image" in person.succeeds("devices", "show", "card").out
    assert person.succeeds("devices", "show", "card", "--json").document["profile"] == "offline-image"
