"""What `--key` may name, and what is said of a key file that is not safe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.signers import EACH
from tests.test_signers_file import openssl
from verifier.cli import desk
from verifier.errors import TrustError, UsageError
from verifier.trust.keys import Algorithm, read_public_key
from verifier.trust.signers.file import load_private_key, new_private_key


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("agent", True),
        ("agent:SHA256:abc", True),
        ("agent:me@laptop", True),
        ("pkcs11:token=a?module-path=/x", True),
        ("./agent", False),
        ("agents.key", False),
        ("PKCS11:", False),
        ("/home/me/pkcs11:", False),
    ],
)
def test_what_names_a_key_that_is_in_no_file(named: str, found: bool) -> None:
    assert desk.elsewhere(named) is found


def typed(*arguments: str, key: str | None) -> str:
    @click.command()
    @desk.key_option
    def command(key: str) -> None:
        click.echo(key)

    done = CliRunner(env={"CRANE_VERIFY_KEY": key, "XDG_CONFIG_HOME": "/keys"}).invoke(command, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def test_the_key_is_the_one_named_else_the_one_of_the_environment_else_the_one_init_made() -> None:
    assert typed("--key", "agent:a", key="/mine") == "agent:a"
    assert typed(key="/mine") == "/mine"
    assert typed(key="agent") == "agent"
    assert typed(key=None) == "/keys/crane-verify/approver.key"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_file_of_each_algorithm(algorithm: Algorithm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key"
    path.write_bytes(new_private_key(None, algorithm))
    path.chmod(0o600)
    for named in (path, str(path)):
        by = desk.signer(named)
        assert by.public.algorithm is algorithm
        assert by.public.holds(by.sign(b"x"), b"x")
    assert capsys.readouterr().err == ""
    assert {each.public.algorithm for each in EACH} == set(Algorithm)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no key at") as caught:
        desk.signer(str(tmp_path / "key"))
    assert "ssh-keygen" in caught.value.hint


def test_a_file_whose_passphrase_is_guessed_quickly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It still signs: whoever stands at a crane at night must not be stopped by it. The command in the warning repairs it."""
    monkeypatch.setattr(desk, "ask", lambda _: "words")
    weak, good = tmp_path / "key", tmp_path / "NEW_FILE"
    key = openssl("genpkey", "-algorithm", "ed25519")
    weak.write_bytes(openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:words", given=key))
    weak.chmod(0o600)
    public = desk.signer(weak).public
    said = capsys.readouterr().err
    assert "is not safe if stolen: its passphrase is guessed quickly" in said
    repair = said.partition("repair it: ")[2].split()
    subprocess.run([*repair, "-passin", "pass:words", "-passout", "pass:words"], cwd=tmp_path, check=True)
    good.chmod(0o600)
    assert desk.signer(good).public == public
    assert capsys.readouterr().err == ""


def test_a_passphrase_is_typed_twice_and_never_shown(tmp_path: Path) -> None:
    """At a real terminal; the key opens with it, and both files are there with the rights they need."""
    path = tmp_path / "officer.key"
    command = [sys.executable, "-m", "verifier", "trust", "key", str(path), "--algorithm", "ml-dsa-65"]
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.execv(sys.executable, command)
        finally:
            os._exit(127)
    shown = b""
    for words in (b"six blue cranes\n", b"six blue cranes\n"):
        while not shown.endswith(b": "):
            shown += os.read(terminal, 1000)
        os.write(terminal, words)
        shown += b"\n"
    while chunk := _read(terminal):
        shown += chunk
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown
    os.close(terminal)
    assert b"Passphrase for officer.key" in shown
    assert b"cranes" not in shown
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
    by = load_private_key(path.read_bytes(), lambda: "six blue cranes")
    assert read_public_key((tmp_path / "officer.key.pub").read_bytes()) == by.public
    with pytest.raises(TrustError, match="passphrase does not open"):
        load_private_key(path.read_bytes(), lambda: "")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1000)
    except OSError:  # how Linux says that the other end has closed
        return b""


def test_a_public_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("another's")
    command = [sys.executable, "-m", "verifier", "trust", "key", str(tmp_path / "key"), "--no-passphrase"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "key.pub is there already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["key.pub"]
