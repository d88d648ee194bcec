"""Files that somebody brought on a stick: one that is larger than memory is told from the right one, and never read."""

from __future__ import annotations

import os

import pytest

from tests.approval_port import Port, port

__all__ = ["port"]


@pytest.mark.parametrize(
    "command",
    [
        "log take {file}",
        "log witness {file}",
        "log witness {port} --log-key {file}",
        "log verify --against {file}",
        "report verify {file}",
        "baseline take {file}",
        "baseline approve {file}",
        "trust add {file} --name Somebody --role engineer",
        "trust rotate --name collector --new {file}",
        "trust sign {file}",
        "trust sign {folder}",
    ],
)
def test_a_file_larger_than_memory_is_refused_at_once(port: Port, command: str) -> None:
    port.approve()
    port.succeeds("check", "STS-01")
    folder = port.folder / "stick"
    folder.mkdir()
    file = folder / ("2.targets.json" if "sign" in command else "huge.approval")
    file.touch()
    os.truncate(file, 1 << 40)
    typed = port.types(*command.format(file=file, folder=folder, port=port.root).split())
    assert typed.code in (2, 5)
    assert f"{file} has more than " in typed.err or f"{file} is larger than " in typed.err
