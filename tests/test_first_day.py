"""What people do wrongly on their first day, and what they are told: each message leads on, and none into another refusal."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.terminal import Person, settled
from verifier.record.workspace import NOT_KEPT

NO_DEVICES = "sites: {}\n"


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return settled(tmp_path, NO_DEVICES)


def officer(person: Person) -> Path:
    """The public half of a second person's key."""
    path = person.keys / "officer"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_suffix(".pub")


def test_a_workspace_without_a_policy_leads_to_one_that_has_it(tmp_path: Path) -> None:
    person = Person(tmp_path / "workspace", tmp_path / "keys")
    person.keys.mkdir()
    person.succeeds("init", str(person.workspace))
    refused = person.types("trust", "show")
    assert refused.code == 5
    assert "crane-verify trust init --name" in refused.err
    again = person.types("init", str(person.workspace))
    assert again.code == 2
    assert "crane-verify trust init --name" in again.err
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
    before = (person.workspace / "trust" / "policy.json").read_bytes()
    refused = person.types("trust", "add", str(officer(person)), "--name", "B. Officer", "--role", "security-oficer")
    assert refused.code == 2
    assert "'security-oficer' is not one of" in refused.err
    for seats in ("security-officer=1", "engineer=2"):
        refused = person.types("trust", "quorum", "baseline", seats)
        assert refused.code == 2
        assert "the policy stays as it was" in refused.err
        assert "crane-verify trust add" in refused.err
    assert (person.workspace / "trust" / "policy.json").read_bytes() == before


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
    shutil.rmtree(person.keys)
    person.keys.mkdir()
    (person.workspace / "inventory.yaml").write_text(
        "sites: {port: {cranes: {STS-01: {devices: {card: {profile: offline-image, image: {path: card}}}}}}}\n"
    )
    (person.workspace / "card").write_text("x")
    refused = person.types("check", "card")
    told = refused.err + refused.out
    assert "there is no key at" in told
    command = told.split("make one: ")[1].split("; then add it: ")[0]
    add = told.split("; then add it: crane-verify ")[1].splitlines()[0]
    subprocess.run(["sh", "-c", command.replace("ssh-keygen", "ssh-keygen -q")], check=True)
    subprocess.run(["sh", "-c", " ".join((*person.argv(), add))], env=person.environment, check=True, cwd=Path.cwd())
    assert person.types("check", "card").code == 5  # nothing is approved yet, and the report of that is signed
    assert "1 entries" in person.succeeds("log", "verify").out


def test_a_signing_key_that_others_can_read_is_named(person: Person) -> None:
    test_card = "sites: {port: {cranes: {STS-01: {devices: {card: {profile: offline-image, image: {path: card}}}}}}}\n"
    (person.workspace / "inventory.yaml").write_text(test_card)
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
