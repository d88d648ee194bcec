"""Logging in: key files, certificates, ssh-agent, passwords, prompts, several in a row; each configured one once."""

from __future__ import annotations

import os
import secrets as random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.asyncssh_device import Logins, running_asyncssh
from tests.servers.dropbear import account
from tests.servers.sshd import RunningSshd, make_key, no_secrets, running_sshd
from verifier.errors import DeviceError, LoginRefused, UsageError
from verifier.model.device import Agent, Credential, Interactive, KeyFile, Password, Secret, SshAddress, Timeouts
from verifier.transport.ssh.hostkeys import fingerprint, public_key
from verifier.transport.ssh.login import Outcome, log_in
from verifier.transport.ssh.session import connect

PASS = Secret("env", "PASS")


def answering(**values: str) -> Callable[[Secret], str]:
    return lambda secret: values[secret.name]


def methods(address: SshAddress, secrets: Callable[[Secret], str] = no_secrets) -> str:
    session = connect(address, secrets, lambda line: None)
    try:
        return session.methods
    finally:
        session.close()


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def allow(device: RunningSshd, public: str) -> None:
    with open(device.folder / "authorized_keys", "a") as file:
        file.write(public)


# Key files


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_an_encrypted_key_of_each_type(device: RunningSshd, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "key", kind, passphrase="open sesame")
    allow(device, key.with_suffix(".pub").read_text())
    good = device.address(credentials=(KeyFile(str(key), PASS),))
    assert methods(good, answering(PASS="open sesame")) == "publickey"
    with pytest.raises(UsageError, match=r"cannot be used"):
        methods(good, answering(PASS="wrong"))
    with pytest.raises(UsageError) as caught:
        methods(device.address(credentials=(KeyFile(str(key)),)))
    assert "passphrase" in caught.value.hint


def test_a_pem_key_as_old_tools_write_it(device: RunningSshd, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", key], check=True)
    allow(device, key.with_suffix(".pub").read_text())
    assert methods(device.address(credentials=(KeyFile(str(key)),))) == "publickey"


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"]
)
def test_a_key_file_that_is_none(device: RunningSshd, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UsageError, match="cannot be used"):
        methods(device.address(credentials=(KeyFile(str(tmp_path / "key")),)))
    with pytest.raises(UsageError, match="cannot be read"):
        methods(device.address(credentials=(KeyFile(str(tmp_path / "missing")),)))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_can_read_is_not_used(device: RunningSshd, tmp_path: Path, mode: int) -> None:
    key = tmp_path / "key"
    key.write_bytes(Path(device.key_path).read_bytes())
    key.chmod(mode)
    with pytest.raises(UsageError, match="can be read by others") as caught:
        methods(device.address(credentials=(KeyFile(str(key)),)))
    assert caught.value.hint == f"make it yours alone: chmod 600 {key}"
    key.chmod(0o600)
    assert methods(device.address(credentials=(KeyFile(str(key)),))) == "publickey"


def test_a_key_with_its_certificate(tmp_path: Path) -> None:
    authority = make_key(tmp_path / "authority")
    for kind in ("ed25519", "rsa"):
        key = make_key(tmp_path / kind, kind)
        subprocess.run(
            ["ssh-keygen", "-q", "-s", authority, "-I", "verifier", "-n", "root,verifier", key.with_suffix(".pub")], check=True
        )
        config = (f"TrustedUserCAKeys {authority}.pub",)
        with running_sshd(tmp_path / f"sshd-{kind}", config=config) as server:
            bare = KeyFile(str(key))
            certified = KeyFile(str(key), certificate=f"{key}-cert.pub")
            assert methods(server.address(credentials=(certified,))) == "publickey"
            # the certificate lies beside the key, but only what the inventory names is used
            with pytest.raises(LoginRefused):
                methods(server.address(credentials=(bare,)))
            with pytest.raises(UsageError):
                methods(server.address(credentials=(KeyFile(str(key), certificate=str(tmp_path / "no-cert.pub")),)))


# ssh-agent


@contextmanager
def running_agent(*keys: Path) -> Iterator[str]:
    """The socket of an ssh-agent that holds these keys."""
    said = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    values = dict(
        part.split("=", 1) for part in said.replace("\n", "").split(";") if "=" in part and " " not in part.split("=")[0]
    )
    environment = {**os.environ, **values}
    try:
        subprocess.run(["ssh-add", "-q", *keys], check=True, env=environment)
        yield values["SSH_AUTH_SOCK"]
    finally:
        subprocess.run(["ssh-agent", "-k"], check=False, env=environment, capture_output=True)


def test_the_agent_offers_all_its_keys_or_the_one_named(
    device: RunningSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger, friend = make_key(tmp_path / "stranger"), make_key(tmp_path / "friend", "rsa")
    allow(device, friend.with_suffix(".pub").read_text())
    prints = [fingerprint(public_key(key.with_suffix(".pub").read_text())) for key in (stranger, friend)]
    with running_agent(stranger, friend) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        assert methods(device.address(credentials=(Agent(),))) == "publickey"
        assert methods(device.address(credentials=(Agent(prints[1]),))) == "publickey"
        with pytest.raises(LoginRefused, match=r"ssh-agent key SHA256"):
            methods(device.address(credentials=(Agent(prints[0]),)))
        with pytest.raises(UsageError, match="no ssh-agent"):
            methods(device.address(credentials=(Agent("SHA256:" + "A" * 43),)))
    for gone in (str(tmp_path / "gone"), ""):
        monkeypatch.setenv("SSH_AUTH_SOCK", gone)
        with pytest.raises(UsageError, match="no ssh-agent"):
            methods(device.address(credentials=(Agent(),)))


# Passwords and prompts


def test_a_password_once_and_never_by_another_way(tmp_path: Path) -> None:
    with running_asyncssh(tmp_path, Logins(password="right")) as server:
        address = SshAddress("127.0.0.1", "u", server.port, (server.host_key_fingerprint,), credentials=(Password(PASS),))
        assert methods(address, answering(PASS="right")) == "password"
        server.attempts.clear()
        with pytest.raises(LoginRefused, match="tried: password; the device allows: password") as caught:
            methods(address, answering(PASS="wrong"))
        assert server.attempts == ["begin", "password"]
        assert "wrong" not in str(caught.value)


def test_a_password_is_not_turned_into_answers(tmp_path: Path) -> None:
    with running_asyncssh(tmp_path, Logins(prompts=((("Password: ", "right"),),))) as server:
        address = SshAddress("127.0.0.1", "u", server.port, (server.host_key_fingerprint,), credentials=(Password(PASS),))
        with pytest.raises(LoginRefused, match="keyboard-interactive"):
            methods(address, answering(PASS="right"))
        assert "keyboard-interactive" not in server.attempts


def test_several_prompts_in_several_rounds(tmp_path: Path) -> None:
    prompts = ((("Password: ", "p"), ("Crane: ", "c")), (("Token\x1b[2J: ", "t"),))
    with running_asyncssh(tmp_path, Logins(prompts=prompts)) as server:

        def address(*names: str) -> SshAddress:
            answers = Interactive(tuple(Secret("env", name) for name in names))
            return SshAddress("127.0.0.1", "u", server.port, (server.host_key_fingerprint,), credentials=(answers,))

        values = answering(P="p", C="c", T="t", X="x")
        assert methods(address("P", "C", "T"), values) == "keyboard-interactive"
        with pytest.raises(LoginRefused, match="keyboard-interactive answers"):
            methods(address("P", "C", "X"), values)
        with pytest.raises(LoginRefused, match="more than there are answers") as caught:
            methods(address("P", "C"), values)
        assert "\x1b" not in str(caught.value)
        assert "Token" in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a user, which takes root")
def test_key_then_prompt_as_a_real_server_asks_for_both() -> None:
    user = f"crane{random.token_hex(5)}"
    config = (
        "KbdInteractiveAuthentication yes",
        "AuthenticationMethods publickey,keyboard-interactive",
        "UsePAM yes",
    )
    account("useradd", "--no-log-init", "--no-create-home", "--shell", "/bin/sh", user)
    try:
        subprocess.run(["chpasswd"], input=f"{user}:right\n", text=True, check=True)
        with tempfile.TemporaryDirectory(dir="/tmp") as name, running_sshd(Path(name), config=config) as server:
            Path(name).chmod(0o755)  # sshd reads the user's keys as the user
            key, prompt = KeyFile(server.key_path), Interactive((PASS,))

            def tried(*credentials: Credential, password: str = "right") -> str:
                address = server.address(user=user, credentials=credentials, timeouts=Timeouts(login=10))
                return methods(address, answering(PASS=password))

            assert tried(key, prompt) == "publickey+keyboard-interactive"
            with pytest.raises(LoginRefused, match=r"accepted publickey .* asks for one more of: keyboard-interactive"):
                tried(key)
            with pytest.raises(LoginRefused):
                tried(key, prompt, password="wrong")
            with pytest.raises(LoginRefused, match="the device allows: publickey"):
                tried(prompt)
    finally:
        account("userdel", "--force", user)


def test_two_keys_where_the_server_wants_two(tmp_path: Path) -> None:
    second = make_key(tmp_path / "second")
    config = ("AuthenticationMethods publickey,publickey",)
    with running_sshd(tmp_path / "sshd", config=config, authorized=second.with_suffix(".pub").read_text()) as server:
        first = KeyFile(server.key_path)
        assert methods(server.address(credentials=(first, KeyFile(str(second))))) == "publickey+publickey"
        with pytest.raises(LoginRefused, match="asks for one more"):
            methods(server.address(credentials=(first,)))


def test_nothing_is_read_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*args: object) -> str:
        raise AssertionError("asked a person")

    monkeypatch.setattr("builtins.input", asked)
    monkeypatch.setattr("getpass.getpass", asked)
    with running_asyncssh(tmp_path, Logins(prompts=((("?", "a"),),))) as server:
        address = SshAddress("127.0.0.1", "u", server.port, (server.host_key_fingerprint,), credentials=(Interactive(()),))
        with pytest.raises(LoginRefused):
            methods(address)


def test_a_server_that_hangs_up_after_too_many_tries(tmp_path: Path) -> None:
    strangers = tuple(KeyFile(str(make_key(tmp_path / f"key{number}"))) for number in range(4))
    with running_sshd(tmp_path / "sshd", config=("MaxAuthTries 2",)) as server, pytest.raises(DeviceError):
        methods(server.address(credentials=strangers))


# The order, without a network


def test_credentials_go_in_their_order_each_once() -> None:
    one, two = KeyFile("/one"), Password(PASS)
    seen: list[Credential] = []

    def offer(credential: Credential) -> Iterator[Outcome]:
        seen.append(credential)
        yield Outcome(accepted=credential is two, allowed=("publickey", "password"))

    assert log_in("u", "h", (one, two, one), offer) == "password"
    assert seen == [one, two]


def test_a_method_the_device_ruled_out_is_not_sent() -> None:
    seen: list[Credential] = []

    def offer(credential: Credential) -> Iterator[Outcome]:
        seen.append(credential)
        yield Outcome(allowed=("publickey",))

    with pytest.raises(LoginRefused, match="not sent: the device does not allow password"):
        log_in("u", "h", (KeyFile("/one"), Password(PASS)), offer)
    assert seen == [KeyFile("/one")]
