"""Secrets stand elsewhere: found by their references, refused when others could read them, never repeated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verifier.errors import UsageError
from verifier.model.device import Secret
from verifier.settings.secrets import secret_of


def nobody(words: str) -> str:
    raise AssertionError(f"a person was asked for {words}")


def refused(reference: Secret) -> UsageError:
    with pytest.raises(UsageError) as caught:
        secret_of(reference, nobody)
    assert "hunter2" not in str(caught.value) + caught.value.hint
    return caught.value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_bytes(b"hunter2\n")
    return path


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLC_PASSWORD", "hunter2")
    assert secret_of(Secret("env", "PLC_PASSWORD"), nobody) == "hunter2"
    monkeypatch.delenv("PLC_PASSWORD")
    assert "export PLC_PASSWORD=" in refused(Secret("env", "PLC_PASSWORD")).hint


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b" hunter2 \n\n", " hunter2 \n"),
        ("é".encode(), "é"),
    ],
)
def test_from_a_file_without_its_last_line_end(file: Path, data: bytes, secret: str) -> None:
    file.write_bytes(data)
    assert secret_of(Secret("file", str(file)), nobody) == secret


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644])
def test_a_file_that_others_can_reach_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    error = refused(Secret("file", str(file)))
    assert "can be read by others" in str(error)
    assert error.hint == f"make it yours alone: chmod 600 {file}"


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff", "is not text"), (b"x" * 70_000, "is larger than 64 KiB")],
)
def test_a_file_that_holds_no_secret_is_refused(file: Path, data: bytes, message: str) -> None:
    file.write_bytes(data)
    assert message in str(refused(Secret("file", str(file))))


def test_a_file_that_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    assert "no such file" in str(refused(Secret("file", str(tmp_path / "none"))))
    assert "cannot be read" in str(refused(Secret("file", str(tmp_path))))
    assert "is not a file" in str(refused(Secret("file", "/dev/null")))


def test_from_systemd(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert "LoadCredential=secret:PATH" in refused(Secret("credential", "secret")).hint
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent))
    file.chmod(0o440)  # as systemd does for services with a user of their own
    assert secret_of(Secret("credential", "secret"), nobody) == "hunter2"
    assert "no such file" in str(refused(Secret("credential", "none")))


def test_from_a_person() -> None:
    asked: list[str] = []

    def person(words: str) -> str:
        asked.append(words)
        return "hunter2"

    assert secret_of(Secret("prompt", "one-time code"), person) == "hunter2"
    assert secret_of(Secret("prompt"), person) == "hunter2"
    assert asked == ["one-time code", "password"]
    with pytest.raises(UsageError, match="no secret was typed in"):
        secret_of(Secret("prompt"), lambda _: "")


def test_a_source_nobody_knows() -> None:
    assert "no source of secrets 'vault'" in str(refused(Secret("vault", "x")))
