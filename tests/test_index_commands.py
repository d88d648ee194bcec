"""Every reading command says the same with the index and without it."""

from __future__ import annotations

import os

import pytest

from tests.forked import types
from tests.terminal import Person
from tests.test_check_faults import CARD, card

INVENTORY = """\
sites:
  terminal-2:
    cranes:
      STS-01:
        devices:
          card: {{profile: test-card, every: 7d, image: {{path: {folder}/card}}}}
          spare: {{profile: test-card, image: {{path: {folder}/spare}}}}
"""
READING = (
    ("report", "list"),
    ("report", "list", "STS-01", "--json"),
    ("report", "list", "spare"),
    ("report", "show", "card"),
    ("report", "show", "6"),
    ("report", "verify", "card"),
    ("baseline", "show", "card"),
    ("baseline", "show", "spare", "--proposed"),
    ("baseline", "diff", "spare"),
    ("trust", "show"),
    ("inventory",),
    ("devices", "list"),
    ("log", "verify"),
    ("log", "verify", "--tree", "--json"),
    ("log", "checkpoint"),
    ("check", "--due"),
)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A workspace with two devices: two baselines of the first, checks of both, a proposal that waits."""
    folder = tmp_path_factory.mktemp("port")
    found = Person(folder / "workspace", folder / "keys")
    (found.workspace / "profiles").mkdir(parents=True)
    (found.workspace / "profiles/test-card.yaml").write_text(CARD)
    (found.workspace / "inventory.yaml").write_text(INVENTORY.format(folder=folder))
    held = card(folder / "card")
    card(folder / "spare")
    for command, code in (
        (("trust", "init", "--name", "A. Engineer", "--no-passphrase"), 0),
        (("baseline", "propose", "STS-01", "--reason", "commissioning"), 0),
        (("baseline", "approve", "STS-01", "--yes"), 0),
        (("check",), 0),
    ):
        assert types(found, *command).code == code
    (held / "settings/3.conf").write_text("speed = 240\n")
    for command, code in (
        (("check",), 3),
        (("baseline", "propose", "STS-01", "--reason", "update"), 0),
        (("baseline", "approve", "card", "--yes"), 0),
        (("check",), 0),
    ):
        assert types(found, *command).code == code
    return found


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_deleting_the_index_changes_no_answer(person: Person, command: tuple[str, ...]) -> None:
    index = person.workspace / "index.sqlite"
    first = types(person, *command)
    assert first.code == 0, first
    assert types(person, *command) == first
    index.unlink(missing_ok=True)
    assert types(person, *command) == first
    index.write_bytes(os.urandom(5000))
    assert types(person, *command) == first


def test_reports_of_several_devices_are_listed_newest_first(person: Person) -> None:
    listed = types(person, "report", "list", "--json").document
    numbers = [each["number"] for each in listed]
    assert numbers == sorted(numbers, reverse=True)
    assert {each["device"] for each in listed} == {"terminal-2/STS-01/card", "terminal-2/STS-01/spare"}
    assert (person.workspace / "index.sqlite").is_file()
