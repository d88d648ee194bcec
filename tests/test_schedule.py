"""`schedule`: units that systemd accepts and a line that cron accepts, with this workspace's paths in them, rightly quoted."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.card_port import Port, first_day, port
from tests.trust_fixtures import DEVICE
from verifier.errors import UsageError
from verifier.model.device import Device, ImageAddress, ModbusSerialAddress, ModbusTcpAddress, Window
from verifier.report.schedule import Job, Rate, crontab, needs_devices, never_open, service, timer

__all__ = ["first_day", "port"]
"""Fixtures that pytest finds here by their names."""
JOB = Job(("/usr/bin/crane-verify",), Path("/srv/cranes"), "crane", "/etc/crane-verify/collector.key")
HOSTILE = "a port's \"cranes\" %h $HOME \\ ü;#'"
"""All in one name of a folder: both quotes, specifier, variable, escape, comment."""
RATES = tuple(n for n in range(1, 1441) if (n < 60 and 60 % n == 0) or (n % 60 == 0 and 1440 % n == 0))


def units(text: str, folder: Path) -> tuple[Path, Path]:
    """The two files that the text says how to call, written below a folder."""
    service_text, timer_text = re.split(r"^# /etc/systemd/system/\S+\n", text, flags=re.MULTILINE)[1:]
    paths = folder / "crane-verify.service", folder / "crane-verify.timer"
    for path, content in zip(paths, (service_text, timer_text), strict=True):
        path.write_text(content)
    return paths


def accepted(*paths: Path) -> None:
    """systemd accepts these units, without a word."""
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if any(path.name in line or str(path) in line for path in paths)]
    assert (done.returncode, complaints) == (0, []), done.stderr


def setting(text: str, name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)
    return str(value)


def words_of(value: str) -> list[str]:
    """Quoted words as systemd reads them (systemd.syntax(7)), specifiers and variables undone; a bare one is refused."""
    found = []
    for match in re.finditer(r'\s*"((?:[^"\\]|\\.)*)"', value):
        text = re.sub(r"\\(.)", r"\1", match[1])
        assert not re.search(r"(?<!%)(?:%%)*%(?!%)", text), "a bare specifier"
        found.append(text.replace("%%", "%"))
    assert re.fullmatch(r'(?:\s*"(?:[^"\\]|\\.)*")+', value), value
    return found


def command_of(line: str) -> str:
    """What cron hands to the shell of a line with five fields: up to the first bare %, escaped ones undone (crontab(5))."""
    command = line.split(maxsplit=5)[5]
    assert not re.search(r"(?<!\\)%", command)
    return command.replace("\\%", "%")


# As it is typed


def test_systemd_accepts_the_units_and_they_name_this_workspace(port: Port, tmp_path: Path) -> None:
    typed = port.succeeds("schedule")
    paths = units(typed.out, tmp_path)
    accepted(*paths)
    text = paths[0].read_text()
    program, *rest = words_of(setting(text, "ExecStart").replace("$$", "$"))
    assert rest[-4:] == ["--workspace", str(port.workspace), "check", "--due"]
    assert os.access(program, os.X_OK)
    assert words_of(setting(text, "ReadWritePaths")) == [str(port.workspace)]
    assert words_of(setting(text, "Environment")) == [f"CRANE_VERIFY_COLLECTOR_KEY={port.folder}/keys/collector.key"]
    assert setting(text, "NoNewPrivileges") == "true"
    assert setting(text, "ProtectSystem") == "strict"
    assert setting(text, "#LoadCredential")
    assert setting(text, "PrivateTmp") == ("false" if str(port.folder).startswith("/tmp/") else "true"), (
        "it would hide the workspace"
    )
    assert setting(paths[1].read_text(), "Persistent") == "true"
    assert "it can be run at any rate" in typed.out


def test_a_workspace_with_every_awkward_character_is_quoted_for_systemd(port: Port, tmp_path: Path) -> None:
    awkward = Port(port.folder.rename(port.folder.with_name(HOSTILE)))
    text = units(awkward.succeeds("schedule").out, tmp_path)[0].read_text()
    accepted(tmp_path / "crane-verify.service")
    assert words_of(setting(text, "ExecStart").replace("$$", "$"))[-3] == str(awkward.workspace)
    assert "$$HOME" in setting(text, "ExecStart")
    assert words_of(setting(text, "ReadWritePaths")) == [str(awkward.workspace)]


def test_what_cron_runs_is_the_check_of_this_workspace(port: Port, tmp_path: Path) -> None:
    awkward = Port(port.folder.rename(port.folder.with_name(HOSTILE.replace("\\", ""))))
    inventory = awkward.workspace / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("sites:", "defaults: {every: 1d}\nsites:", 1))
    typed = awkward.succeeds("schedule", "--cron")
    table = tmp_path / "crontab"
    table.write_text(typed.out)
    checked = subprocess.run(["crontab", "-n", table], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    (line,) = (each for each in typed.out.splitlines() if not each.startswith("#"))
    assert line.startswith("*/15 * * * * ")
    # cron would give it to /bin/sh; the system's log is another folder here
    (tmp_path / "bin").mkdir()
    log = tmp_path / "bin/logger"
    log.write_text(f"#!/bin/sh\nexec cat >{shlex.quote(str(tmp_path / 'log'))}\n")
    log.chmod(0o755)
    paths = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run(["/bin/sh", "-c", command_of(line)], env=paths, cwd=Path.cwd(), check=True, timeout=100)
    assert "terminal-2/STS-01/card" in (tmp_path / "log").read_text()
    assert "MATCH" in awkward.succeeds("report", "show", "STS-01/card").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--every", "90s"), "whole minutes"),
        (("--every", "0m"), "take 5m, 15m"),
        (("--every", "7m"), "take 5m, 15m"),
        (("--every", "90m"), "take 5m, 15m"),
        (("--every", "48h"), "take 5m, 15m"),
        (("--every", "often"), "is not a span of time"),
        (("--user", "a b"), "name the account"),
        (("--user", "x\nExecStartPre=/bin/rm"), "name the account"),
    ],
    ids=str,
)
def test_what_no_timer_can_do_is_refused_with_the_way_out(port: Port, arguments: tuple[str, ...], says: str) -> None:
    for form in ("--systemd", "--cron"):
        typed = port.types("schedule", form, *arguments)
        assert (typed.code, typed.out) == (2, "")
        assert says in typed.err


def test_what_the_timer_will_not_do_is_told(port: Port) -> None:
    said = port.succeeds("schedule", "--user", "crane").err
    assert "never due, since they have no interval (`every`): terminal-2/STS-01/card, " in said
    assert "root" not in said
    inventory = port.workspace / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("sites:", 'defaults: {every: 1d, window: "08:05-08:10"}\nsites:', 1))
    (port.folder / "keys/collector.key").unlink()
    said = port.succeeds("schedule", "--user", "root").err
    assert "it would run as root" in said
    assert "their window is closed whenever it runs, so run it more often: terminal-2/STS-01/card, " in said
    assert f"there is no key at {port.folder}/keys/collector.key yet" in said
    assert "window" not in port.succeeds("schedule", "--every", "5m", "--user", "crane").err


def test_the_account_is_the_owner_of_the_workspace(port: Port) -> None:
    os.chown(port.workspace, 54321, -1)
    assert setting(port.succeeds("schedule").out, "User") == "54321", "an account that this machine does not know"
    os.chown(port.workspace, 1, -1)
    typed = port.succeeds("schedule", "--cron")
    assert "crontab -u daemon -e" in typed.out
    assert "root" not in typed.err


def test_a_key_that_is_no_file_keeps_its_name(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.cli import desk

    for named, warned in (("pkcs11:token=port;object=collector", False), ("agent:SHA256:abc", True)):
        monkeypatch.setattr(desk, "collector_key", lambda named=named: named)
        typed = port.succeeds("schedule")
        assert f'Environment="CRANE_VERIFY_COLLECTOR_KEY={named}"' in typed.out
        assert ("an ssh-agent, and a timer has none" in typed.err) == warned


def test_the_program_is_named_however_it_was_started(port: Port, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "crane-verify"
    program.write_text("#!/bin/sh\n")
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert words_of(setting(port.succeeds("schedule").out, "ExecStart"))[0] == str(program)
    monkeypatch.setattr(sys, "argv", ["/somewhere/pytest"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    assert words_of(setting(port.succeeds("schedule").out, "ExecStart"))[0] == str(program), "the one beside the interpreter"
    program.unlink()
    assert words_of(setting(port.succeeds("schedule").out, "ExecStart"))[:3] == [str(tmp_path / "python3"), "-m", "verifier"]


# Rates, quoting, windows


def test_the_rates_are_those_that_divide_an_hour_or_a_day() -> None:
    def possible(minutes: int) -> bool:
        try:
            return Rate(minutes).minutes == minutes
        except UsageError:
            return False

    assert tuple(filter(possible, range(-1, 3000))) == RATES


@pytest.mark.parametrize("minutes", RATES)
def test_systemd_runs_at_the_times_we_say(minutes: int) -> None:
    rate = Rate(minutes)
    since = datetime(2026, 11, 22, tzinfo=UTC) - timedelta(seconds=1)
    count = min(len(rate.times), 30)
    told = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations", str(count), "--base-time", f"{since:%Y-%m-%d %H:%M:%S}", rate.calendar],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "UTC"},
    ).stdout
    found = re.findall(r"(?:Next elapse|Iter\. #\d+|Iteration #\d+): \w+ 2026-11-22 (\d\d):(\d\d):00", told)
    assert tuple(time(int(hour), int(minute)) for hour, minute in found) == rate.times[:count]
    minute, hour = rate.cron.split()[:2]
    assert [at for at in rate.times if _cron(minute, at.minute) and _cron(hour, at.hour)] == list(rate.times)
    every = [time(at // 60, at % 60) for at in range(1440)]
    assert sum(_cron(minute, at.minute) and _cron(hour, at.hour) for at in every) == len(rate.times)


def _cron(field: str, value: int) -> bool:
    if field.startswith("*"):
        return value % int(field.partition("/")[2] or 1) == 0
    return value == int(field)


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp", "Zs"), include_characters=" %$\"'"), min_size=1))
def test_any_printable_path_comes_out_of_both_as_it_went_in(name: str) -> None:
    job = replace(JOB, workspace=Path("/srv") / name.replace("/", "_"))
    text = service(job)
    assert words_of(setting(text, "ReadWritePaths")) == [str(job.workspace)]
    assert [each.replace("$$", "$") for each in words_of(setting(text, "ExecStart"))] == list(job.argv)
    if "\\" in name:
        with pytest.raises(UsageError, match="backslash"):
            crontab(job, Rate(15))
        return
    *_, line = crontab(job, Rate(15)).splitlines()
    key, *argv = shlex.split(command_of(line))
    assert argv == [*job.argv, "2>&1", "|", "logger", "-t", "crane-verify"]
    assert key == f"CRANE_VERIFY_COLLECTOR_KEY={job.collector_key}"


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\u202e"])
def test_a_path_that_would_end_the_line_is_refused(character: str) -> None:
    job = replace(JOB, workspace=Path(f"/srv/a{character}b"))
    with pytest.raises(UsageError, match="no timer can carry"):
        service(job)
    with pytest.raises(UsageError, match="no timer can carry"):
        crontab(job, Rate(15))


def test_a_program_with_a_dollar_in_its_path_is_refused() -> None:
    with pytest.raises(UsageError, match="no program with a"):
        service(replace(JOB, program=("/opt/$x/crane-verify",)))


def test_device_nodes_stay_open_only_where_the_inventory_needs_them() -> None:
    line = Device(DEVICE, ModbusSerialAddress("/dev/ttyUSB0", 1), "p")
    slot = Device(DEVICE, ImageAddress("/dev/mmcblk0"), "p")
    others = [Device(DEVICE, ImageAddress("/srv/card.img"), "p"), Device(DEVICE, ModbusTcpAddress("10.0.0.1"), "p")]
    assert needs_devices([*others, line])
    assert needs_devices([*others, slot])
    assert not needs_devices(others)
    assert "PrivateDevices=true" in service(JOB)
    open_nodes = service(replace(JOB, device_nodes=True))
    assert "PrivateDevices" not in open_nodes
    assert "ProtectClock" not in open_nodes, "it would close them too"


def test_a_workspace_elsewhere_has_a_tmp_of_its_own() -> None:
    assert "PrivateTmp=true" in service(JOB)
    assert "PrivateTmp=false" in service(replace(JOB, workspace=Path("/var/tmp/x")))
    assert timer(Rate(15)).count("OnCalendar=") == 1


@given(st.times(), st.times(), st.sampled_from(RATES))
def test_a_window_is_never_open_only_if_no_run_falls_into_it(opens: time, closes: time, minutes: int) -> None:
    device = Device(DEVICE, ImageAddress("card"), "p", every=timedelta(days=7), window=Window(opens, closes))
    hits = [at for at in Rate(minutes).times if Window(opens, closes).holds(at)]
    assert never_open(device, Rate(minutes)) == (not hits)
    assert not never_open(replace(device, every=None), Rate(minutes))
    assert not never_open(replace(device, window=None), Rate(minutes))
