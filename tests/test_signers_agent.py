"""Keys in a real ssh-agent: which one is meant, what it signs, and no falling back to anything else."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.ssh_agent import SshAgent, ssh_agent
from tests.signers import ED, P256, openssl_says
from tests.trust_fixtures import NOW, OFFICER, POLICY, baseline, sealed_baseline
from verifier.cli import desk
from verifier.errors import TrustError, UsageError
from verifier.transport.ssh.agent import HeldKey
from verifier.trust.envelope import add_signature
from verifier.trust.keys import read_public_key
from verifier.trust.policy import Policy, TrustedKey
from verifier.trust.signers.agent import AgentSigner, agent_signer
from verifier.trust.statement import BASELINE
from verifier.trust.verify import verify

pytestmark = pytest.mark.skipif(not shutil.which("ssh-agent"), reason="openssh-client is not installed")
DATA = b"DSSEv1 4 type 7 content"


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[SshAgent]:
    with tempfile.TemporaryDirectory() as folder, ssh_agent(Path(folder)) as running:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(running.socket))
        yield running


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_an_agent_signs_and_openssl_agrees(kind: str, agent: SshAgent, tmp_path: Path) -> None:
    public = read_public_key(agent.add("key", "-t", kind))
    by = agent_signer()
    assert by.public == public
    assert by.key_id == public.key_id
    for number in range(20):  # the numbers of an ECDSA signature are now and then short, or begin with a bit that is set
        data = DATA + bytes([number])
        assert public.holds(by.sign(data), data)
    assert openssl_says(public, by.sign(DATA), DATA, tmp_path)
    assert not openssl_says(public, by.sign(DATA + b"!"), DATA, tmp_path)


def test_an_approval_by_an_agent_counts(agent: SshAgent) -> None:
    agent.add("key", "-t", "ecdsa")
    by = agent_signer("key")
    keys = tuple(TrustedKey(key.owner, by.public) if key.owner == "A. Engineer" else key for key in POLICY.keys)
    signed = add_signature(sealed_baseline(OFFICER), by)
    assert verify(signed, BASELINE, Policy(keys, POLICY.roles, POLICY.quorums), NOW).value == baseline()


def test_the_one_that_is_named_is_taken(agent: SshAgent) -> None:
    login = read_public_key(agent.add("login", "-t", "ed25519", comment="me@laptop"))
    signing = read_public_key(agent.add("signing", "-t", "ecdsa", comment="crane signing"))
    agent.add("old", "-t", "rsa", comment="old")
    assert agent_signer(signing.fingerprint).public == signing
    assert agent_signer(login.fingerprint + "=").public == login
    assert agent_signer("crane signing").public == signing
    assert desk.signer("agent:me@laptop").public == login
    with pytest.raises(UsageError, match=r"2 keys that could be meant: SHA256:.* 'me@laptop'; SHA256:.* 'crane signing'") as two:
        agent_signer()
    assert "--key agent:SHA256:" in two.value.hint
    with pytest.raises(UsageError, match="holds no key 'another'; it holds SHA256:") as none:
        agent_signer("another")
    assert "ssh-add" in none.value.hint
    with pytest.raises(UsageError, match="holds no key 'SHA256:AAAA'"):
        agent_signer("SHA256:AAAA")
    with pytest.raises(TrustError, match="the key 'old' of the ssh-agent cannot sign here: this is a key of the kind ssh-rsa"):
        agent_signer("old")


def test_two_keys_of_one_comment_are_not_guessed_between(agent: SshAgent) -> None:
    agent.add("one", "-t", "ed25519", comment="same\x1b[2J")
    agent.add("two", "-t", "ed25519", comment="same\x1b[2J")
    with pytest.raises(UsageError, match="holds 2 keys that could be meant") as caught:
        agent_signer("same\x1b[2J")
    assert str(caught.value).isprintable()


def test_an_agent_with_nothing_that_signs_here(agent: SshAgent) -> None:
    with pytest.raises(UsageError, match="holds no key that can sign here"):
        agent_signer()
    agent.add("old", "-t", "rsa")
    with pytest.raises(UsageError, match="holds no key that can sign here"):
        agent_signer()
    with pytest.raises(UsageError, match="it holds none that can sign here"):
        agent_signer("mine")


def test_no_agent_and_no_falling_back_to_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CRANE_VERIFY_KEY", str(tmp_path / "approver.key"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent").write_text("a file of that name")
    for where in ("", str(tmp_path / "nowhere")):
        monkeypatch.setenv("SSH_AUTH_SOCK", where)
        with pytest.raises(UsageError, match="no ssh-agent can be reached") as caught:
            desk.signer("agent")
        assert "ssh-agent" in caught.value.hint
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(UsageError, match="no ssh-agent can be reached"):
        desk.signer("agent:mine")
    with pytest.raises(TrustError, match="holds no private key"):
        desk.signer(Path("agent"))
    with pytest.raises(TrustError, match="holds no private key"):
        desk.signer("./agent")


def test_an_agent_that_says_no(agent: SshAgent) -> None:
    agent.add("key", "-t", "ed25519")
    by = agent_signer()
    agent.ssh_add("-d", str(agent.folder / "key"))
    with pytest.raises(UsageError, match="no longer holds the key"):
        by.sign(DATA)


def test_an_agent_that_breaks_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It answers the first question with something else than keys."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/agent")
        server.listen()

        def play() -> None:
            for _ in range(2):
                peer, _ = server.accept()
                with peer:
                    if peer.recv(100):
                        peer.sendall(b"\0\0\0\1\5")

        player = threading.Thread(target=play)
        player.start()
        monkeypatch.setenv("SSH_AUTH_SOCK", f"{folder}/agent")
        with pytest.raises(UsageError, match="the ssh-agent does not do it: could not get keys from ssh-agent"):
            agent_signer()
        player.join(10)


def test_what_an_agent_signs_is_looked_at() -> None:
    def writing(*parts: bytes) -> bytes:
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    lies = (
        b"",
        b"\0",
        writing(b"ssh-ed25519"),
        writing(b"ssh-ed25519", bytes(64)),
        writing(b"x", writing(b"\1", b"\1")),
        b"\xff" * 9,
    )
    for by in (ED, P256):
        for lie in lies:
            with pytest.raises(TrustError, match="made a signature that does not hold"):
                AgentSigner(by.public, lambda _, lie=lie: lie).sign(DATA)  # type: ignore[misc]  # bound at once, on purpose


def test_a_blob_that_is_no_key_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    held = tuple(HeldKey(blob, "odd") for blob in (b"", b"\0\0\0\xff", b"\0\0\0\1\x1b"))
    monkeypatch.setattr("verifier.trust.signers.agent.held_keys", lambda: held)
    with pytest.raises(UsageError, match="holds no key that can sign here"):
        agent_signer()


def test_the_whole_first_day_with_an_agent(agent: SshAgent, tmp_path: Path) -> None:
    """Trust begins with the agent's key, and nobody writes a file in its place."""
    public = read_public_key(agent.add("key", "-t", "ed25519"))
    environment = {
        **os.environ,
        "CRANE_VERIFY_KEY": "agent:key",
        "CRANE_VERIFY_COLLECTOR_KEY": str(tmp_path / "keys/collector.key"),
    }

    def types(*arguments: str) -> str:
        command = [sys.executable, "-m", "verifier", *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "approves baselines with agent:key" in types("init", "cranes", "--name", "A. Engineer")
    assert public.fingerprint in types("-w", "cranes", "trust", "show")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cranes", "keys"]
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["collector.key"]
