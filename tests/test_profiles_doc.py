"""docs/profiles.md is run: its commands, on its own profile, against a device like the one it speaks of."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import record_profile
from tests.terminal import Person, settled
from verifier.collect.text import normalised
from verifier.settings.profiles import builtin_names, read_profile
from verifier.simulator.station import Station, Unit

DOC = Path(__file__).parents[1] / "docs/profiles.md"
ADDRESS = "host: 10.20.1.14, port: 502"


def blocks() -> list[tuple[str, str]]:
    """Every fenced block: its language and its text."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", DOC.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def drive() -> Iterator[Station]:
    unit = Unit({200: 2400, 201: 800}, objects={0: b"Example Drives", 1: b"TD-200", 2: b"V1.4"})
    with Station({1: unit}) as station:
        yield station


def test_the_way_from_manual_to_recording_can_be_walked(tmp_path: Path, drive: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    engineer: Person = settled(tmp_path, "sites: {}\n")
    monkeypatch.chdir(engineer.workspace)
    shown = []
    for kind, text in blocks():
        if kind == "yaml" and text.startswith("profile:"):
            Path("profiles/trolley-drive.yaml").write_text(text)
        elif kind == "yaml" and not text.startswith("- name:"):
            Path("inventory.yaml").write_text(text.replace(ADDRESS, f"host: 127.0.0.1, port: {drive.port}"))
        elif kind == "console":
            for line in text.splitlines():
                program, *arguments = shlex.split(line.removeprefix("$ "))
                assert program == "crane-verify"
                typed = engineer.succeeds(*arguments)
                shown += [typed.out] if "--members" in arguments else []
    live, played = (re.findall(r"(?:trolley speed|end stop|ProductCode).*", text) for text in shown)
    assert live == played
    assert "240.0 m/min" in live[-1] + live[-2]
    assert "recording:" in Path("inventory.yaml").read_text()


def examples() -> Iterator[tuple[str, list[bytes]]]:
    """Each item that shows a rule, with the texts below it: two that are the same, and one that is not."""
    held: list[tuple[str, list[bytes]]] = []
    for kind, text in blocks():
        if kind == "yaml" and text.startswith("- name:"):
            held.append((text, []))
        elif held and kind in ("json", "xml", "ini", "properties"):
            held[-1][1].append(text.encode())
    yield from held


def test_its_rules_do_what_it_says() -> None:
    seen = set()
    for written, texts in examples():
        head = "profile: x\ntitle: X\nversion: 1\nmaturity: documented\nitems:\n"
        (item,) = read_profile(head + written, str(DOC)).items
        if item.text is None:
            assert [(rule.counter, rule.within, rule.bits) for rule in item.moving] == [
                (True, None, ()),
                (False, 5, ()),
                (False, None, (0, 7)),
            ]
            continue
        seen |= {rule.name for rule in item.text.normalise}
        one, same, other = (normalised(item.text.normalise, text).text for text in texts)
        assert one == same
        assert one != other
    assert seen == {"json", "xml", "ini", "key-value"}


def test_its_commands_for_a_checkout_are_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (script,) = [text for kind, text in blocks() if kind == "sh"]
    expect, check = script.splitlines()
    assert expect == "python -m tests.record_profile --expect NAME"
    for path in check.split():
        assert not path.startswith("tests/") or (DOC.parents[1] / path).is_file()

    real = record_profile.FOLDER
    monkeypatch.setattr(record_profile, "FOLDER", tmp_path)
    for name in ("modbus-device", "plcnext"):
        assert name in builtin_names()
        (tmp_path / f"{name}.json").write_bytes((real / f"{name}.json").read_bytes())
        record_profile.main(["--expect", name])
        made = (tmp_path / f"{name}{record_profile.EXPECTED}").read_bytes()
        assert made == (real / f"{name}{record_profile.EXPECTED}").read_bytes()
