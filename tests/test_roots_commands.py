"""The trust commands: a change carried on a stick between two desks, an old policy signed, an end that comes near."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.signers import PQ
from tests.terminal import Typed
from tests.test_roots_change import authority
from tests.trust_fixtures import COLLECTOR, POLICY, policy_bytes
from verifier.cli import desk
from verifier.cli.main import run
from verifier.record.workspace import Workspace
from verifier.trust.policy import Policy, policy_for_one

OFFICER_IS = ("--name", "O. Officer", "--role")


@dataclass(frozen=True)
class At:
    """Somebody at a desk, who types in this process."""

    folder: Path
    key: Path
    patch: pytest.MonkeyPatch
    captured: pytest.CaptureFixture[str]

    @property
    def space(self) -> Workspace:
        return Workspace(self.folder)

    def types(self, *arguments: str) -> Typed:
        self.patch.setenv("CRANE_VERIFY_KEY", str(self.key))
        self.patch.setenv("CRANE_VERIFY_COLLECTOR_KEY", str(self.key.with_name("collector.key")))
        self.captured.readouterr()
        code = run(("-w", str(self.folder), *arguments))
        said = self.captured.readouterr()
        return Typed(code, said.out, said.err)

    def succeeds(self, *arguments: str) -> str:
        typed = self.types(*arguments)
        assert typed.code == 0, typed
        return typed.out

    def refused(self, why: str, *arguments: str) -> Typed:
        typed = self.types(*arguments)
        assert typed.code in (2, 5), typed
        assert why in typed.err, typed
        assert "hint: " in typed.err
        return typed

    def public(self, name: str) -> str:
        """The public half of a new key beside this person's."""
        path = self.key.with_name(name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        return f"{path}.pub"


@pytest.fixture
def engineer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> At:
    """With a workspace in which they are root."""
    found = At(tmp_path / "port", tmp_path / "keys/approver.key", monkeypatch, capsys)
    found.folder.mkdir()
    found.key.parent.mkdir()
    (found.folder / "inventory.yaml").write_text("sites: {}\n")
    found.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    return found


def officer_of(engineer: At) -> At:
    """A second person of role root, with a copy of the workspace: two must sign from now on."""
    public = engineer.public("officer")
    engineer.succeeds("trust", "add", public, *OFFICER_IS, "root")
    engineer.succeeds("trust", "quorum", "policy", "root=2")
    engineer.succeeds("trust", "sign", "--yes", "--key", str(engineer.key.with_name("officer")))
    laptop = engineer.folder.with_name("laptop")
    shutil.copytree(engineer.folder, laptop)
    return At(laptop, engineer.key.with_name("officer"), engineer.patch, engineer.captured)


def carried(source: Path, stick: Path) -> Path:
    return shutil.copytree(source, stick, dirs_exist_ok=True)


def test_a_change_travels_on_a_stick(engineer: At, tmp_path: Path) -> None:
    officer = officer_of(engineer)
    assert "still needed: 1 of O. Officer" in engineer.succeeds("trust", "renew", "--expires", "800d")
    stick = carried(engineer.space.trust_folder.waiting, tmp_path / "stick")
    said = officer.succeeds("trust", "sign", str(stick), "--yes")
    assert "signed by A. Engineer" in said
    assert "in force: version 4 of the policy, signed by A. Engineer, O. Officer" in said
    assert "in force: version 4" in engineer.succeeds("trust", "sign", str(stick)), (
        "it has all its signatures: no key is asked for"
    )
    assert engineer.space.trusted() == officer.space.trusted()
    assert not engineer.space.trust_folder.waiting.exists()
    engineer.refused("does not follow on version 4", "trust", "sign", str(stick))


def test_signatures_that_were_given_apart_are_put_together(engineer: At, tmp_path: Path) -> None:
    officer = officer_of(engineer)
    public = engineer.public("third")
    engineer.succeeds("trust", "add", public, "--name", "T. Third", "--role", "root")
    engineer.succeeds("trust", "sign", "--yes", "--key", str(officer.key))
    engineer.succeeds("trust", "quorum", "policy", "root=3")
    stick = carried(engineer.space.trust_folder.waiting, tmp_path / "stick")
    shutil.rmtree(officer.folder)
    shutil.copytree(engineer.folder, officer.folder)
    shutil.rmtree(officer.space.trust_folder.waiting)
    said = officer.succeeds("trust", "sign", str(stick), "--yes")
    assert "signed by A. Engineer, O. Officer; still needed: 1 of T. Third" in said
    engineer.succeeds("trust", "sign", "--yes", "--key", str(engineer.key.with_name("third")))
    assert "in force: version 5" in engineer.succeeds("trust", "sign", str(stick))


def test_one_file_of_two_is_not_enough(engineer: At, tmp_path: Path) -> None:
    officer_of(engineer)
    engineer.succeeds("trust", "renew")
    stick = carried(engineer.space.trust_folder.waiting, tmp_path / "stick")
    shutil.rmtree(engineer.space.trust_folder.waiting)
    (targets,) = stick.glob("*.targets.json")
    engineer.refused("give the folder that holds both", "trust", "sign", str(targets))
    (tmp_path / "empty").mkdir()
    engineer.refused("there is no change of the policy in", "trust", "sign", str(tmp_path / "empty"))


def test_one_file_travels_alone(engineer: At, tmp_path: Path) -> None:
    officer = officer_of(engineer)
    until = ("--valid-until", "2027-01-01")
    engineer.succeeds("trust", "add", engineer.public("vendor"), "--name", "V. Vendor", "--role", "vendor", *until)
    (waiting,) = engineer.space.trust_folder.waiting.iterdir()
    file = Path(shutil.copy(waiting, tmp_path / waiting.name))
    assert "in force: version 4" in officer.succeeds("trust", "sign", str(file), "--yes")
    assert "until 2027-01-01 00:00 UTC" in officer.succeeds("trust", "show")
    assert "in force: version 4" in engineer.succeeds("trust", "sign", str(file))


def test_a_change_that_waits_and_is_damaged_is_named_and_gives_way(engineer: At) -> None:
    officer_of(engineer)
    engineer.succeeds("trust", "add", engineer.public("vendor"), "--name", "V. Vendor", "--role", "vendor")
    (waiting,) = engineer.space.trust_folder.waiting.iterdir()
    waiting.write_text(waiting.read_text()[:-9])
    engineer.refused("4.targets.json cannot be read", "trust", "sign")
    assert "still needed" in engineer.succeeds("trust", "add", engineer.public("other"), "--name", "W", "--role", "vendor")


def test_a_root_key_is_rotated_with_the_old_and_the_new(engineer: At) -> None:
    public = engineer.public("second")
    said = engineer.succeeds("trust", "rotate", "--name", "A. Engineer", "--new", public)
    assert "signed by A. Engineer; still needed: 1 of A. Engineer" in said
    new = str(engineer.key.with_name("second"))
    assert "in force: version 2" in engineer.succeeds("trust", "sign", "--yes", "--key", new)
    assert engineer.space.trusted().root_version == 2
    engineer.refused("is not that of anybody who may change the policy", "trust", "renew")
    engineer.succeeds("trust", "renew", "--key", new)


def test_a_key_the_policy_does_not_know_changes_nothing(engineer: At) -> None:
    before = engineer.space.trusted()
    engineer.public("stranger")
    engineer.refused("not that of anybody", "trust", "renew", "--key", str(engineer.key.with_name("stranger")))
    assert engineer.space.trusted() == before


def test_a_stolen_key_is_revoked_once_its_successor_is_there(engineer: At) -> None:
    old = engineer.space.policy().log_keys()[0].fingerprint
    engineer.refused("nobody could sign a report", "trust", "revoke", old, "--compromised-since", "2026-11-20T14:00")
    engineer.succeeds("trust", "add", engineer.public("collector-2"), "--name", "collector-2", "--role", "collector")
    said = engineer.succeeds("trust", "revoke", old, "--compromised-since", "2026-11-20T14:00+02:00")
    assert "stolen since 2026-11-20 12:00 UTC" in said
    assert len(engineer.space.policy().log_keys()) == 1


def test_a_theft_that_is_still_to_come_is_a_slip_of_the_pen(engineer: At) -> None:
    key = engineer.public("officer")
    engineer.succeeds("trust", "add", key, *OFFICER_IS, "security-officer")
    before = engineer.space.trusted()
    engineer.refused("is still to come", "trust", "revoke", "O. Officer", "--compromised-since", "2099-01-01")
    assert engineer.space.trusted() == before


def test_a_signature_of_a_second_algorithm_can_be_demanded(engineer: At, tmp_path: Path) -> None:
    (tmp_path / "pq.pem").write_text(PQ.public.pem)
    engineer.refused("lacks engineer", "trust", "quorum", "baseline", "engineer=1", "--also", "ml-dsa-65")
    engineer.succeeds("trust", "add", str(tmp_path / "pq.pem"), "--name", "A. Engineer", "--role", "engineer")
    said = engineer.succeeds("trust", "quorum", "baseline", "engineer=1", "--also", "ml-dsa-65")
    assert "a baseline needs 1 engineer, each with ml-dsa-65 as well" in said
    assert "ml-dsa-65" in engineer.succeeds("trust", "show")


def test_a_time_authority_is_added_by_its_chain(engineer: At, tmp_path: Path) -> None:
    chain = str(authority(tmp_path))
    late = ("--valid-until", "2027-01-01")
    engineer.refused("ends with its certificates", "trust", "add", chain, "--name", "TSA", "--role", "time-authority", *late)
    engineer.refused("is not a time", "trust", "add", chain, "--name", "TSA", "--role", "vendor", "--valid-until", "soon")
    assert "the time of TSA is believed" in engineer.succeeds("trust", "add", chain, "--name", "TSA", "--role", "time-authority")
    assert "the time of TSA is believed" in engineer.succeeds("trust", "show")
    assert len(engineer.space.policy().time_authorities[0].certificates) == 2


def test_an_end_that_comes_near_is_said(engineer: At) -> None:
    begun = datetime.now(UTC)
    for days, told in ((300, "valid until"), (340, "it runs out in 24 days: crane-verify trust renew"), (366, "it has run out")):
        engineer.patch.setattr(desk, "now", lambda days=days: begun + timedelta(days=days))
        said = engineer.succeeds("trust", "show")
        assert told in said
        assert ("trust renew" in said) == (days > 300)
    engineer.succeeds("trust", "renew")
    assert "trust renew" not in engineer.succeeds("trust", "show")


# A policy of before


def of_before(engineer: At, policy: Policy) -> None:
    shutil.rmtree(engineer.space.trust)
    engineer.space.trust.mkdir()
    (engineer.space.trust / "policy.json").write_bytes(policy_bytes(policy))


def test_a_policy_of_before_is_signed_as_it_is(engineer: At) -> None:
    known = engineer.space.policy()
    of_then = tuple(quorum for quorum in known.quorums if quorum.statement in ("baseline", "report"))
    old = Policy(known.keys, known.roles[:2], of_then)
    of_before(engineer, old)
    assert "nobody has signed this policy" in engineer.succeeds("trust", "show")
    engineer.refused("of before policies were signed", "trust", "renew")
    engineer.refused("does not know the key", "trust", "init", "--name", "B. Engineer")
    assert "fingerprint of its root: " in engineer.succeeds("trust", "init", "--name", "A. Engineer")
    assert sorted(path.name for path in engineer.space.trust.iterdir()) == ["1.root.json", "1.targets.json"]
    signed = engineer.space.policy()
    assert signed.keys == old.keys
    assert [quorum.statement for quorum in signed.quorums] == ["baseline", "report", "withdrawal", "policy"]
    assert signed.roles_of("A. Engineer") == {"engineer", "root"}


def test_a_policy_of_before_is_not_signed_by_a_stranger(engineer: At) -> None:
    of_before(engineer, POLICY)
    engineer.refused("it does not know it", "trust", "init", "--name", "A. Engineer")
    assert [path.name for path in engineer.space.trust.iterdir()] == ["policy.json"]


def test_another_collectors_machine_is_not_said_to_sign(engineer: At) -> None:
    (own,) = engineer.space.policy().holders("engineer")
    old = policy_for_one("A. Engineer", own.public, COLLECTOR.public)
    of_before(engineer, Policy(old.keys, old.roles[:2], old.quorums[:1]))
    assert "this machine signs" not in engineer.succeeds("trust", "init", "--name", "A. Engineer")


# What a kill leaves, and what goes back


def test_an_installation_that_was_killed_is_finished_by_the_next_command(engineer: At) -> None:
    engineer.succeeds("trust", "renew")
    trust, pending = engineer.space.trust, engineer.space.trust_folder.waiting
    whole = {path.name: path.read_bytes() for path in trust.iterdir()}
    pending.mkdir()
    shutil.copy(trust / "2.root.json", pending)
    shutil.move(trust / "2.targets.json", pending)
    assert engineer.space.policy().version == 2
    engineer.refused("no change of the policy waits", "trust", "sign")
    assert {path.name: path.read_bytes() for path in trust.iterdir()} == whole


def test_json_says_what_waits(engineer: At) -> None:
    officer_of(engineer)
    engineer.succeeds("trust", "renew")
    shown = json.loads(engineer.succeeds("trust", "show", "--json"))
    assert shown["fingerprint"] == engineer.space.trusted().fingerprint
    assert shown["pending"] == {
        "version": 4,
        "signed": ["A. Engineer"],
        "missing": [{"count": 1, "among": ["O. Officer"]}],
    }
