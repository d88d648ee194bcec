"""The README is run: its commands work in the order in which they stand, and its demo says what the demo says."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from verifier.cli.main import run
from verifier.settings.profiles import read_profile
from verifier.simulator.crane import SimulatedCrane

README = Path(__file__).parent.parent / "README.md"


def blocks(kind: str) -> list[str]:
    """The fenced blocks of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def outcome(*arguments: str) -> tuple[int, str]:
    """A command's exit code and all it prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(arguments)
    return code, said.getvalue()


@pytest.fixture
def crane(tmp_path: Path) -> Iterator[SimulatedCrane]:
    with SimulatedCrane(tmp_path / "crane") as crane:
        yield crane


def test_its_commands_work_in_their_order(tmp_path: Path, crane: SimulatedCrane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CRANE_VERIFY_KEY", raising=False)
    monkeypatch.delenv("CRANE_VERIFY_COLLECTOR_KEY", raising=False)
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    ran = 0
    for line in "".join(blocks("console")).splitlines():
        arguments = shlex.split(line.removeprefix("$ "))
        if arguments[0] == "cd":
            os.chdir(arguments[1])
            continue
        if arguments[1:3] == ["profiles", "validate"]:
            Path(arguments[3]).write_text(blocks("yaml")[0])
        assert arguments[0] == "crane-verify"
        code, said = outcome(*arguments[1:])
        assert code == 0, f"{line}\n{said}"
        ran += 1
        if arguments[1:3] == ["profiles", "list"]:
            Path("inventory.yaml").write_text(crane.inventory())
    assert ran > 10


def test_its_demo_is_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = outcome("demo")
    assert code == 0
    real = said.splitlines()
    for paragraph in blocks("demo")[0].strip().split("\n\n"):
        lines = paragraph.splitlines()
        for line in lines:
            assert line in real, line
        for before, after in itertools.pairwise(lines):
            # the devices of a crane are read side by side, so only what belongs to one of them has an order
            if not after.startswith("DRIFT"):
                assert real.index(before) < real.index(after)


def test_its_profile_is_one() -> None:
    assert len(read_profile(blocks("yaml")[0], "README.md").items) == 2


def test_its_exit_codes_are_those_of_the_code() -> None:
    from verifier.compare.verdict import exit_code
    from verifier.errors import CraneVerifyError, RecordError, TrustError, UsageError
    from verifier.model.words import Verdict

    said = {int(code): words for code, words in re.findall(r"^\| (\d) \| ([a-z ,']+)", README.read_text(), re.MULTILINE)}
    assert sorted(said) == [0, 1, 2, 3, 4, 5]
    assert [exit_code([verdict]) for verdict in Verdict] == [0, 3, 4, 5]
    assert (CraneVerifyError.exit_code, RecordError.exit_code, UsageError.exit_code, TrustError.exit_code) == (1, 1, 2, 5)
