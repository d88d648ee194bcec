"""Commands as people type them: what they print, on which of the two outputs, and how they end.

`tests/transcripts/*.txt` are sessions at a terminal. `$` is typed, `<` is answered to a question, `!` came on standard error,
`[3]` is the exit code, `@` is something that happens meanwhile (`HAPPENINGS`), `#` explains. After a change that is meant, run
the tests with CRANE_VERIFY_TRANSCRIPTS=write and read the difference.
"""

from __future__ import annotations

import functools
import io
import json
import os
import re
import shlex
import shutil
import signal
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.terminal import Person, Typed
from verifier.cli.main import COMMANDS, cli, run
from verifier.procedures.audit import audit_log, reports
from verifier.record.workspace import Workspace
from verifier.settings.example import example_inventory
from verifier.simulator.station import Station, Unit

TRANSCRIPTS = Path(__file__).parent / "transcripts"

CARD = """\
profile: test-card
title: A card of a test controller
version: 1
maturity: simulated
references: [tests/test_cli.py]
gaps: [Stands for no product.]
items:
  - {name: firmware, kind: firmware, files: {paths: [/firmware]}}
  - name: settings
    kind: configuration
    files: {paths: [/settings]}
    text: {match: ["/settings/*.conf"], keep: true}
"""
DRIVE = """\
profile: test-drive
title: Registers of a test drive
version: 1
maturity: simulated
references: [tests/test_cli.py]
gaps: [Stands for no product.]
items:
  - {name: identity, kind: hardware, identification: basic}
  - name: limits
    kind: parameter
    criticality: critical
    parameters: [{name: hoist overload trip, table: holding, address: 100, type: u16, scale: "0.1", unit: t}]
"""
INVENTORY = """\
sites:
  terminal-2:
    cranes:
      STS-01:
        devices:
          hoist-drive: {{profile: test-drive, every: 7d, modbus: {{host: 127.0.0.1, port: {port}, unit: 1}}}}
          card: {{profile: test-card, every: 7d, image: {{path: ../card}}}}
"""


@dataclass(frozen=True)
class Desk:
    """A workspace beside a card, a drive and a folder of keys; the commands are typed in the workspace."""

    folder: Path
    drive: Unit

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def types(self, *arguments: str, answers: str = "") -> Typed:
        """Run a command in this process, with outputs that are no terminal."""
        out, err, stdin = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = io.StringIO(answers)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = run(arguments)
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        finally:
            sys.stdin = stdin
        typed = Typed(code, out.getvalue(), err.getvalue())
        assert "Traceback" not in typed.err
        assert "this is a fault of crane-verify" not in typed.err, typed.err
        return typed

    def succeeds(self, *arguments: str, answers: str = "") -> Typed:
        typed = self.types(*arguments, answers=answers)
        assert typed.code == 0, (arguments, typed)
        return typed

    @property
    def person(self) -> Person:
        """The same desk for commands in a process of their own."""
        return Person(self.workspace, self.folder / "keys")


@pytest.fixture(scope="module")
def drive() -> Iterator[Station]:
    with Station({1: Unit()}) as station:
        yield station


@pytest.fixture
def desk(tmp_path: Path, drive: Station, monkeypatch: pytest.MonkeyPatch) -> Desk:
    unit = drive.units[1]
    unit.holding.update({100: 500})
    unit.objects.update({0: b"Example Drives", 1: b"HD-400", 2: b"V2.10"})
    for name in ("card/firmware", "card/settings", "workspace/profiles", "keys"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "card/firmware/main.bin").write_bytes(bytes(range(256)))
    (tmp_path / "card/settings/hoist.conf").write_text("speed = 180\nbrake = on\n")
    for path in (tmp_path / "card").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.chown(path, 0, 0)
    (tmp_path / "card").chmod(0o755)
    (tmp_path / "workspace/profiles/test-card.yaml").write_text(CARD)
    (tmp_path / "workspace/profiles/test-drive.yaml").write_text(DRIVE)
    (tmp_path / "workspace/inventory.yaml").write_text(INVENTORY.format(port=drive.port))
    monkeypatch.chdir(tmp_path / "workspace")
    monkeypatch.setenv("CRANE_VERIFY_KEY", str(tmp_path / "keys/approver.key"))
    monkeypatch.setenv("CRANE_VERIFY_COLLECTOR_KEY", str(tmp_path / "keys/collector.key"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("CRANE_VERIFY_WORKSPACE", raising=False)
    return Desk(tmp_path, unit)


@pytest.fixture
def enrolled(desk: Desk) -> Desk:
    """With both devices approved."""
    desk.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    desk.succeeds("baseline", "propose", "STS-01", "--reason", "commissioning")
    desk.succeeds("baseline", "approve", "STS-01", "--yes")
    return desk


def test_a_device_that_cannot_be_read_stops_no_other_proposal(desk: Desk) -> None:
    desk.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    (desk.folder / "card").rename(desk.folder / "elsewhere")
    typed = desk.types("baseline", "propose", "STS-01", "--reason", "commissioning", "--json")
    assert typed.code == 4
    assert "a proposal needs a reason" in desk.types("baseline", "propose", "STS-01", "--reason", " ").err
    assert "card: nothing could be read" in typed.err
    drive, card = typed.document
    assert drive["serial"] == 1
    assert card["device"] == "terminal-2/STS-01/card"
    assert "nothing could be read" in card["failed"]
    assert desk.types("baseline", "approve", "hoist-drive", "--yes").code == 0


# Sessions


def vendor_visit(desk: Desk) -> None:
    (desk.folder / "card/settings/hoist.conf").write_text("speed = 240\nbrake = on\n")
    desk.drive.holding[100] = 620


def officer_key(desk: Desk) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(desk.folder / "keys/officer")], check=True)


def class_key(desk: Desk) -> None:
    keys = desk.folder / "keys"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "class")], check=True)
    collector = subprocess.run(["ssh-keygen", "-y", "-f", str(keys / "collector.key")], check=True, capture_output=True)
    (keys / "collector.pub").write_bytes(collector.stdout)


def last_week(desk: Desk) -> None:
    shutil.copytree(desk.workspace / "log", desk.folder / "last-week")


def new_machine_key(desk: Desk) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(desk.folder / "keys/collector-2")], check=True)


def unplugged(desk: Desk) -> None:
    inventory = desk.workspace / "inventory.yaml"
    inventory.write_text(re.sub(r"port: \d+", "port: 1", inventory.read_text()))


def taken_out(desk: Desk) -> None:
    (desk.folder / "evidence/log/entries/000/000/000000002.json").unlink()


def two_sisters(desk: Desk) -> None:
    cards = {"card": "STS-01", "card-2": "STS-02", "card-3": "STS-03"}
    text = "defaults: {facts: {cohort: sts-2019-card}}\nsites:\n  terminal-2:\n    cranes:\n"
    for card, crane in cards.items():
        text += f"      {crane}: {{devices: {{card: {{profile: test-card, image: {{path: ../{card}}}}}}}}}\n"
        if card != "card":
            shutil.copytree(desk.folder / "card", desk.folder / card)
        (desk.folder / card / "settings/name.conf").write_text(f"name = {crane}\n")
        (desk.folder / card / "settings/name.conf").chmod(0o644)
    (desk.workspace / "inventory.yaml").write_text(text)


HAPPENINGS: dict[str, Callable[[Desk], None]] = {
    "a vendor changes the speed and the overload trip": vendor_visit,
    "O. Officer makes a key with ssh-keygen": officer_key,
    "the drive is unplugged": unplugged,
    "this machine gets a new key": new_machine_key,
    "the Class Society makes a key, and hears the collector's by telephone": class_key,
    "somebody keeps a copy of the record as it is": last_week,
    "the cards of two sister cranes are at hand as well": two_sisters,
    "somebody takes a report out of the bundle": taken_out,
}

VARYING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d to (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC", "<time> to <time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?( UTC|Z)?", "<time>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\b[0-9a-f]{64}\b", "<sha256>"),
    (r"\bSHA256:[A-Za-z0-9+/]{43}", "SHA256:<fingerprint>"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r": [\d,]+ bytes$", ": <size>"),
    (r"^read by \S+ with", "read by <machine> with"),
    (r"\bon \d{4}-\d\d-\d\d by\b", "on <day> by"),
    (r"\b(runs|ran) out on \d{4}-\d\d-\d\d", r"\1 out on <day>"),
    (r"\b\d min\b", "0 min"),
    (r'"age": \d+', '"age": <seconds>'),
    (r"\bV-\d{4}-(\d{4,})\b", r"V-<year>-\1"),
    (r"\bcrane-verify/(log|witness)/[0-9a-f]{16,32}\b", r"crane-verify/\1/<name>"),
    (r'"spki": "[^"]+"', '"spki": "<key>"'),
)
"""What is different each time, and what stands for it in a transcript."""


def echo(answers: list[str]) -> Callable[[re.Match[str]], str]:
    """Each question with its answer, as a terminal shows what is typed."""
    typed = iter(answers)
    return lambda question: f"{question[0]}{next(typed, '')}\n"


def played(script: str, desk: Desk) -> str:
    """The session played anew: what is typed, answered and explained as in the script, what is printed as it was printed now."""
    lines = []
    blocks = re.split(r"\n\n(?=[$@#])", script.strip())
    for block in blocks:
        said = block.splitlines()
        if said[0].startswith("@ "):
            HAPPENINGS[said[0][2:]](desk)
            lines.append(said[0])
        elif said[0].startswith("# "):
            lines.append("\n".join(line for line in said if line.startswith("# ")))
        else:
            answers = [line[2:] for line in said if line.startswith("< ")]
            program, *arguments = shlex.split(said[0][2:].replace("<folder>", str(desk.folder)))
            assert program == "crane-verify", said[0]
            typed = desk.types(*arguments, answers="".join(f"{answer}\n" for answer in answers))
            out = re.sub(r"\[y/N\]: ", echo(answers), typed.out)
            shown = [said[0], *(f"< {answer}" for answer in answers), *out.rstrip("\n").splitlines()]
            shown += [f"! {line}" for line in typed.err.rstrip("\n").splitlines()]
            lines.append("\n".join((*shown, f"[{typed.code}]")))
    text = "\n\n".join(lines).replace(str(desk.folder), "<folder>")
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE) + "\n"


@pytest.mark.parametrize("name", sorted(path.stem for path in TRANSCRIPTS.glob("*.txt")))
def test_a_session_is_as_written_down(name: str, desk: Desk) -> None:
    file = TRANSCRIPTS / f"{name}.txt"
    script = file.read_text()
    found = played(script, desk)
    if os.environ.get("CRANE_VERIFY_TRANSCRIPTS") == "write":
        file.write_text(found)
    assert found == script


def test_every_command_occurs_in_a_session() -> None:
    """`demo` and proofs have tests of their own; the list of profiles grows, and is compared with the library."""
    typed = "\n".join(path.read_text() for path in TRANSCRIPTS.glob("*.txt"))
    missing = [path for path in command_paths() if not re.search(rf"^\$ crane-verify {' '.join(path)}( |$)", typed, re.MULTILINE)]
    assert missing == [("demo",), ("profiles", "list"), ("log", "prove")]


# Help, names, JSON


def command_paths() -> list[tuple[str, ...]]:
    """Every command and every command of a group."""
    found: list[tuple[str, ...]] = []
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            found += [(name, each) for each in command.list_commands(context)]
        else:
            found.append((name,))
    return found


@pytest.mark.parametrize("path", [(), *((name,) for name in COMMANDS), *command_paths()], ids=" ".join)
def test_help_says_what_it_does_with_an_example(path: tuple[str, ...], desk: Desk) -> None:
    shown = desk.succeeds(*path, "--help")
    assert shown.err == ""
    assert shown.out == desk.succeeds(*path, "-h").out
    assert f"Usage: {' '.join(('crane-verify', *path))}" in shown.out
    examples = shown.out.partition("Example:")[2]
    assert re.search(rf"^ +crane-verify {' '.join(path)}\b", examples, re.MULTILINE)
    assert max(map(len, shown.out.splitlines())) <= 120


JSON_FORMS = (
    ("devices", "list"),
    ("devices", "show", "card"),
    ("profiles", "list"),
    ("profiles", "show", "test-drive"),
    ("schema", "inventory"),
    ("schema", "profile"),
    ("trust", "show"),
    ("capture", "card"),
    ("probe", "STS-01"),
    ("baseline", "show", "card"),
    ("baseline", "propose", "STS-01", "--reason", "update"),
    ("baseline", "diff", "card"),
    ("baseline", "show", "card", "--proposed"),
    ("check",),
    ("check", "card"),
    ("check", "--due"),
    ("report", "list"),
    ("report", "show", "card"),
    ("report", "verify", "card"),
    ("log", "verify"),
)
ALWAYS_JSON = (("schema", "inventory"), ("schema", "profile"))


def test_each_json_form_is_one_document_and_nothing_else(enrolled: Desk) -> None:
    vendor_visit(enrolled)
    for command in JSON_FORMS:
        option = () if command[:2] in ALWAYS_JSON else ("--json",)
        typed = enrolled.types(*command, *option)
        assert typed.code == (3 if command[0] == "check" and command[-1] != "--due" else 0), (command, typed)
        assert typed.err == "", command
        assert typed.out.endswith(("]\n", "}\n")), command
        json.loads(typed.out)


def test_json_of_a_check_says_what_the_exit_code_says(enrolled: Desk) -> None:
    vendor_visit(enrolled)
    unplugged(enrolled)
    typed = enrolled.types("check", "--json")
    assert typed.code == 3
    assert {each["report"]["verdict"] for each in typed.document} == {"drift", "undetermined"}
    assert {each["exit_code"] for each in typed.document} == {3, 4}


def test_near_names_are_given(enrolled: Desk) -> None:
    for arguments, near in (
        (("chek",), "check"),
        (("baselines",), "baseline"),
        (("baseline", "aprove", "card"), "approve"),
        (("check", "STS-1"), "STS-01"),
        (("check", "hoist-drve"), "hoist-drive"),
        (("check", "terminal2"), "terminal-2"),
        (("capture", "crad"), "card"),
        (("profiles", "show", "plcnet"), "plcnext"),
        (("check", "--jason"), "--json"),
        (("report", "show", "hoist"), "hoist-drive"),
    ):
        typed = enrolled.types(*arguments)
        assert typed.code == 2, (arguments, typed)
        assert typed.out == ""
        assert re.search(rf"hint: .*did you mean .*{re.escape(near)}", typed.err), (arguments, typed.err)


WRONG = (
    ("check", "nobody"),
    ("check", "--at-once", "0"),
    ("check", "--at-once", "many"),
    ("nonsense",),
    ("--nonsense",),
    ("baseline", "propose", "card"),
    ("baseline", "propose", "--reason", "x"),
    ("baseline", "propose", "card", "--reason", "x", "--spacing", "soon"),
    ("baseline", "approve", "card"),
    ("baseline", "diff", "card"),
    ("baseline", "show", "STS-01"),
    ("baseline", "export", "card"),
    ("report", "show", "9999"),
    ("report", "show", "-1"),
    ("report", "show", "card"),
    ("report", "export", "card", "--format", "doc", "-o", "x"),
    ("report", "verify", "inventory.yaml"),
    ("report", "verify", "/nowhere/report.json"),
    ("profiles", "validate", "/nowhere.yaml"),
    ("profiles", "validate", "inventory.yaml"),
    ("profiles", "show", "../../etc/passwd"),
    ("schema", "policy"),
    ("trust", "init", "--name", "B. Engineer"),
    ("trust", "add", "/nowhere.pub", "--name", "B", "--role", "engineer"),
    ("trust", "add", "inventory.yaml", "--name", "B", "--role", "engineer"),
    ("trust", "quorum", "baseline", "engineer"),
    ("trust", "quorum", "baseline", "engineer=0"),
    ("trust", "quorum", "baseline", "engineer=2"),
    ("trust", "quorum", "baseline", "pilot=1"),
    ("trust", "quorum", "visit", "engineer=1"),
    ("init", "."),
    ("capture", "STS-01"),
    ("capture", "card", "-o", "/proc/x.json"),
    ("probe",),
    ("-w", "/nowhere", "check"),
    ("-w", "inventory.yaml", "check"),
)


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_what_is_typed_wrongly_is_told_with_a_hint_and_changes_nothing(arguments: tuple[str, ...], enrolled: Desk) -> None:
    before = {path: path.read_bytes() for path in enrolled.folder.rglob("*") if path.is_file() and path.suffix != ".lock"}
    typed = enrolled.types(*arguments)
    assert typed.code in (1, 2, 5), typed
    assert re.match(r"crane-verify: \S", typed.err), typed.err
    assert "\n  hint: " in typed.err, typed.err
    after = {path: path.read_bytes() for path in enrolled.folder.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert {path for path in after if after[path] != before.get(path)} <= {enrolled.workspace / "index.sqlite"}


# Beginning


def test_what_init_prints_can_be_followed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "fresh").mkdir()
    monkeypatch.chdir(desk.folder / "fresh")
    said = desk.succeeds("init").out
    told = re.findall(r"crane-verify ([^;\n]+)", said)
    assert told == ['trust init --name "Your Name"', "devices validate", "probe DEVICE"]
    assert (desk.folder / "fresh/inventory.yaml").read_text() == example_inventory()
    desk.succeeds(*shlex.split(told[0]), "--no-passphrase")
    desk.succeeds(*shlex.split(told[1]))
    devices = desk.succeeds("devices", "list", "--json").document
    assert devices
    shutil.copy(desk.workspace / "inventory.yaml", desk.folder / "fresh/inventory.yaml")
    for profile in ("test-card", "test-drive"):
        shutil.copy(desk.workspace / f"profiles/{profile}.yaml", desk.folder / f"fresh/profiles/{profile}.yaml")
    assert "2 devices, all in order" in desk.succeeds("devices", "validate").out
    assert "works" in desk.succeeds("probe", "hoist-drive").out
    desk.succeeds("baseline", "propose", "STS-01", "--reason", "commissioning")
    desk.succeeds("baseline", "approve", "STS-01", "--yes")
    assert "2 match" in desk.succeeds("check").out
    again = desk.types("init")
    assert again.code == 2
    assert "is there already" in again.err


def test_a_workspace_is_found_from_below(enrolled: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (enrolled.workspace / "some/folder").mkdir(parents=True)
    monkeypatch.chdir(enrolled.workspace / "some/folder")
    assert "card" in enrolled.succeeds("devices", "list").out
    monkeypatch.chdir(enrolled.folder)
    assert enrolled.types("devices", "list").code == 2
    assert "card" in enrolled.succeeds("-w", "workspace", "devices", "list").out
    monkeypatch.setenv("CRANE_VERIFY_WORKSPACE", str(enrolled.workspace))
    assert "card" in enrolled.succeeds("devices", "list").out


# Two people


def test_two_people_are_needed_where_the_policy_says_so(desk: Desk) -> None:
    desk.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    officer_key(desk)
    officer = str(desk.folder / "keys/officer")
    desk.succeeds("trust", "add", f"{officer}.pub", "--name", "O. Officer", "--role", "security-officer")
    desk.succeeds("trust", "quorum", "baseline", "engineer=1", "security-officer=1")
    desk.succeeds("baseline", "propose", "card", "--reason", "commissioning")

    first = desk.succeeds("baseline", "approve", "card", "--yes")
    assert "signed; still needed: security-officer" in first.out
    assert desk.types("check", "card").code == 5
    twice = desk.types("baseline", "approve", "card", "--yes")
    assert twice.code == 5
    assert "has signed this already" in twice.err
    assert desk.types("check", "card").code == 5

    second = desk.succeeds("baseline", "approve", "card", "--yes", "--key", officer)
    assert "in force" in second.out
    assert "A. Engineer (engineer)" in second.out
    assert "O. Officer (security-officer)" in second.out
    assert desk.succeeds("check", "card").code == 0
    assert "none missing" in desk.succeeds("log", "verify").out


def test_a_second_key_of_the_same_person_fills_no_second_seat(desk: Desk) -> None:
    desk.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    officer_key(desk)
    second = str(desk.folder / "keys/officer")
    desk.succeeds("trust", "add", f"{second}.pub", "--name", "A. Engineer", "--role", "security-officer")
    typed = desk.types("trust", "quorum", "baseline", "engineer=1", "security-officer=1")
    assert typed.code == 2
    assert "one person fills one seat" in typed.err
    assert "a baseline needs 1 engineer\n" in desk.succeeds("trust", "show").out


def test_the_order_of_signatures_does_not_matter_and_a_stranger_fills_no_seat(desk: Desk) -> None:
    desk.succeeds("trust", "init", "--name", "A. Engineer", "--no-passphrase")
    officer_key(desk)
    officer, stranger = str(desk.folder / "keys/officer"), str(desk.folder / "keys/stranger")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    desk.succeeds("trust", "add", f"{officer}.pub", "--name", "O. Officer", "--role", "security-officer")
    desk.succeeds("trust", "quorum", "baseline", "engineer=1", "security-officer=1")
    desk.succeeds("baseline", "propose", "card", "--reason", "commissioning")
    desk.succeeds("baseline", "approve", "card", "--yes", "--key", officer)
    assert desk.types("baseline", "approve", "card", "--yes", "--key", stranger).code == 2
    assert "in force" in desk.succeeds("baseline", "approve", "card", "--yes").out


def test_a_no_signs_nothing(enrolled: Desk) -> None:
    vendor_visit(enrolled)
    enrolled.succeeds("baseline", "propose", "card", "--reason", "update")
    for answers in ("n\n", "", "maybe\nn\n"):
        typed = enrolled.types("baseline", "approve", "card", answers=answers)
        assert typed.code in (1, 2), typed
        assert "signed by nobody yet" in enrolled.succeeds("baseline", "show", "card", "--proposed").out
    assert enrolled.types("check", "card").code == 3


# What a device says


EVIL = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m\r\n\u2028"


def test_nothing_a_device_says_reaches_the_terminal_raw(enrolled: Desk) -> None:
    """A file's name and text and a drive's own name that would move the cursor, retitle the window or turn the text round."""
    settings_folder = enrolled.folder / "card/settings"
    name = EVIL.replace("/", "_")
    (settings_folder / f"{name}.conf").write_text(f"{EVIL} = 1\n")
    (settings_folder / "hoist.conf").write_text(f"speed = {EVIL}\n")
    (settings_folder / "link").symlink_to(EVIL)
    enrolled.drive.objects[0] = EVIL.encode()
    printed = []
    for command in (
        ("check",),
        ("check", "card"),
        ("check", "--json"),
        ("report", "show", "card"),
        ("report", "show", "card", "--json"),
        ("report", "show", "hoist-drive"),
        ("report", "list"),
        ("capture", "card", "--members"),
        ("capture", "card", "--json"),
        ("capture", "hoist-drive", "--members"),
        ("baseline", "propose", "STS-01", "--reason", "update"),
        ("baseline", "diff", "card"),
        ("baseline", "diff", "card", "--json"),
        ("baseline", "diff", "hoist-drive"),
        ("baseline", "show", "card", "--proposed", "--members"),
        ("probe", "STS-01"),
        ("probe", "STS-01", "--json"),
    ):
        typed = enrolled.types(*command)
        assert typed.code in (0, 3, 4), (command, typed)
        printed.append(typed.out + typed.err)
    for text in printed:
        assert {c for c in text if not c.isprintable()} <= {"\n"}, text
    assert "gnp.exe" in "".join(printed), "it was shown, escaped"


def test_there_is_no_colour_where_there_is_no_terminal(enrolled: Desk) -> None:
    vendor_visit(enrolled)
    for command in (("check",), ("report", "show", "card"), ("probe", "card"), ("trust", "show"), ("--help",)):
        out = enrolled.types(*command).out
        assert "\x1b" not in out
        assert "\\x1b" not in out, "and none that was escaped"


@given(reason=st.text(max_size=40), name=st.text(max_size=20))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words_of_a_person_are_taken_or_refused(enrolled: Desk, reason: str, name: str) -> None:
    """A reason, and a name of a device."""
    proposed = enrolled.types("baseline", "propose", "card", "--reason", reason)
    assert proposed.code in (0, 2)
    assert {c for c in proposed.out + proposed.err if not c.isprintable()} <= {"\n"}
    typed = enrolled.types("check", "--", name)
    assert typed.code in (0, 2)
    assert {c for c in typed.out + typed.err if not c.isprintable()} <= {"\n"}


# Anything at all


SUBCOMMANDS = ("list", "show", "validate", "propose", "diff", "export", "verify", "card", "hoist-drive", "STS-01")
OPTIONS = ("--json", "--due", "--help", "--members", "-o", "--reason", "--", "--at-once", "-w")
OTHERS = ("", "0", "-1", ".", "inventory.yaml", "\x1b[2J")
WORDS = st.sampled_from((*COMMANDS, *SUBCOMMANDS, *OPTIONS, *OTHERS))


@given(st.lists(st.one_of(WORDS, st.text(alphabet=string.printable, max_size=6)), max_size=5))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_arguments_end_in_words(enrolled: Desk, arguments: list[str]) -> None:
    if "demo" in arguments or "init" in arguments:
        return  # one takes seconds, the other makes files; both have tests of their own
    typed = enrolled.types(*arguments)
    assert typed.code in (0, 1, 2, 3, 4, 5)
    assert typed.code == 0 or typed.out + typed.err
    assert {c for c in typed.out + typed.err if not c.isprintable()} <= {"\n"}


SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=10), st.sampled_from(["test-card", "7d", "127.0.0.1", "../card"])
)
KEY = st.one_of(
    st.sampled_from(["sites", "cranes", "devices", "profile", "image", "path", "modbus", "host", "every", "defaults", "groups"]),
    st.text(max_size=6),
)
TREE = st.recursive(
    SCALAR, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEY, inner, max_size=4)), max_leaves=20
)


@given(tree=TREE, cut=st.integers(0, 400), raw=st.binary(max_size=30))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_inventory_is_taken_or_told_with_its_place(enrolled: Desk, tree: object, cut: int, raw: bytes) -> None:
    file = enrolled.workspace / "inventory.yaml"
    good = file.read_bytes()
    try:
        for data in (json.dumps({"sites": tree}).encode(), json.dumps(tree).encode(), good[:cut], good[:cut] + raw + good[cut:]):
            file.write_bytes(data)
            typed = enrolled.types("devices", "list")
            assert typed.code in (0, 2), typed
            assert typed.code == 0 or "inventory.yaml" in typed.err
            assert {c for c in typed.out + typed.err if not c.isprintable()} <= {"\n"}
            assert enrolled.types("check", "--due").code in (0, 2, 3, 4, 5)
    finally:
        file.write_bytes(good)


# Pipes and signals: processes of their own


def test_a_reader_that_goes_away_is_no_fault_and_stops_no_check(enrolled: Desk) -> None:
    vendor_visit(enrolled)
    space = Workspace(enrolled.workspace)
    for command in (("check", "--at-once", "1"), ("report", "show", "card"), ("profiles", "list"), ("--help",)):
        before = len(list(reports(space)))
        reading, writing = os.pipe()
        os.close(reading)
        with subprocess.Popen(
            enrolled.person.argv(*command), stdout=writing, stderr=subprocess.PIPE, env=enrolled.person.environment, text=True
        ) as process:
            os.close(writing)
            _, err = process.communicate(timeout=30)
        assert err == "", command
        assert process.returncode == 1, command
        if command[0] == "check":
            assert len(list(reports(space))) == before + 2, "the second device was checked although nobody read of the first"
    assert audit_log(space, space.trusted()).findings == ()


def silent_station() -> tuple[int, subprocess.Popen[bytes]]:
    """A drive that takes calls and never answers."""
    program = "import socket,sys,time;s=socket.create_server(('127.0.0.1',0));print(s.getsockname()[1],flush=True);time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout
    return int(process.stdout.readline()), process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_check_that_is_stopped_leaves_at_once_and_nothing_half_done(enrolled: Desk, number: signal.Signals) -> None:
    port, station = silent_station()
    inventory = enrolled.workspace / "inventory.yaml"
    inventory.write_text(
        re.sub(r"port: \d+", f"port: {port}", inventory.read_text()).replace("unit: 1}", "unit: 1, timeouts: {silence: 60s}}")
    )
    try:
        with subprocess.Popen(
            enrolled.person.argv("check"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=enrolled.person.environment,
            text=True,
            # tests that run in the background of a shell have Ctrl-C ignored, and who types it at a terminal has not
            preexec_fn=functools.partial(signal.signal, number, signal.SIG_DFL),  # one thread, before exec
        ) as process:
            assert process.stdout
            assert process.stdout.readline().startswith("MATCH  terminal-2/STS-01/card")
            began = time.monotonic()
            process.send_signal(number)
            _, err = process.communicate(timeout=20)
            assert time.monotonic() - began < 3
    finally:
        station.kill()
        station.communicate()
    assert "Traceback" not in err
    if number is signal.SIGINT:
        assert process.returncode == 1
        assert "stopped by you" in err
    else:
        assert process.returncode == -number
    space = Workspace(enrolled.workspace)
    assert [str(each.report.device) for each in reports(space)] == ["terminal-2/STS-01/card"]
    assert audit_log(space, space.trusted()).findings == ()
    assert list(enrolled.workspace.rglob("*.partial")) == []
