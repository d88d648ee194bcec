"""A systemd service and timer, or a crontab line, that ask `check --due` again and again. Pure; what they say is quoted here.

systemd.syntax(7), systemd.service(5), systemd.exec(5) and systemd.time(7) of systemd 252; crontab(5).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path

from verifier.errors import UsageError
from verifier.model.device import Device, ImageAddress, ModbusSerialAddress

ANY_RATE = "check --due asks only devices whose interval has passed and whose window is open: it can be run at any rate."
AT_ONCE = "Two runs never ask one device at the same time, so a run may go on while the next one starts."
HOUR = 60
DAY = 24 * HOUR
SERVICE, TIMER = "crane-verify.service", "crane-verify.timer"
NODES = "# device nodes stay open for the inventory's serial lines or cards; the account must be in their group, such as dialout"
HIDDEN_BY_PRIVATE_TMP = ("/tmp", "/var/tmp")


@dataclass(frozen=True, slots=True)
class Rate:
    """How often, in a way both cron and systemd can say: so many minutes that divide an hour, or hours that divide a day."""

    minutes: int

    def __post_init__(self) -> None:
        whole = HOUR if self.minutes < HOUR else DAY
        if self.minutes < 1 or whole % self.minutes or (self.minutes >= HOUR and self.minutes % HOUR):
            raise UsageError(
                f"a timer cannot run every {self.minutes} minutes, evenly over the day",
                "take 5m, 15m, 30m, 1h, 6h, 24h or another part of an hour or a day; how often a device is checked is `every`",
            )

    @property
    def calendar(self) -> str:
        """As an OnCalendar of systemd, local time: `*-*-* *:0/15:00`."""
        if self.minutes < HOUR:
            return f"*-*-* *:0/{self.minutes}:00"
        if self.minutes == HOUR:
            return "*-*-* *:00:00"
        return "*-*-* 00:00:00" if self.minutes == DAY else f"*-*-* 0/{self.minutes // HOUR}:00:00"

    @property
    def cron(self) -> str:
        """As the five fields of a crontab line, local time."""
        if self.minutes < HOUR:
            return "* * * * *" if self.minutes == 1 else f"*/{self.minutes} * * * *"
        if self.minutes == HOUR:
            return "0 * * * *"
        return "0 0 * * *" if self.minutes == DAY else f"0 */{self.minutes // HOUR} * * *"

    @property
    def times(self) -> tuple[time, ...]:
        """The times of the day at which it runs."""
        return tuple(time(at // HOUR, at % HOUR) for at in range(0, DAY, self.minutes))


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run, where, and as whom."""

    program: tuple[str, ...]
    """The executable's absolute path, and what stands before the command."""
    workspace: Path
    """Absolute."""
    user: str
    collector_key: str
    """The key that signs reports: an absolute path, or what else names one."""
    device_nodes: bool = False
    """Some device is reached over a device node of this machine (`needs_devices`)."""

    @property
    def argv(self) -> tuple[str, ...]:
        return (*self.program, "--workspace", str(self.workspace), "check", "--due")

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.program[0], str(self.workspace), self.collector_key)


def service(job: Job) -> str:
    """The text of the service.

    Raises:
        UsageError: a path holds what a unit file cannot carry.
    """
    _carried(job.paths)
    if "$" in job.program[0]:
        raise UsageError(f"systemd starts no program with a $ in its path: {job.program[0]}", "install it elsewhere")
    lines = [
        "[Unit]",
        "Description=Check the crane devices that are due",
        "Wants=network-online.target",
        "After=network-online.target",
        "# a run that finds drift (3), could not tell (4) or trusts no baseline (5) fails the unit, and somebody can be told:",
        "#OnFailure=tell-the-engineer@%n.service",
        "",
        "[Service]",
        "Type=oneshot",
        f"# {ANY_RATE}",
        f"# {AT_ONCE}",
        f"ExecStart={' '.join(map(_argument, job.argv))}",
        f"User={job.user}",
        f"Environment={_quoted(f'CRANE_VERIFY_COLLECTOR_KEY={job.collector_key}')}",
        "# Secrets that the inventory names as credential:NAME, kept where only root reads them:",
        "#LoadCredential=crane-pc-password:/etc/crane-verify/crane-pc-password",
        "",
        "# It reads devices over the network and writes to its workspace, and may do nothing else.",
        "NoNewPrivileges=true",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        f"ReadWritePaths={_quoted(str(job.workspace))}",
        "ProtectHome=read-only",
        f"PrivateTmp={'false' if any(map(_in_tmp, job.paths)) else 'true'}",
        *((NODES,) if job.device_nodes else ("PrivateDevices=true", "ProtectClock=true")),
        "ProtectKernelTunables=true",
        "ProtectKernelModules=true",
        "ProtectKernelLogs=true",
        "ProtectControlGroups=true",
        "ProtectHostname=true",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "RestrictNamespaces=true",
        "RestrictRealtime=true",
        "RestrictSUIDSGID=true",
        "LockPersonality=true",
        "SystemCallArchitectures=native",
    ]
    return "\n".join(lines) + "\n"


def timer(rate: Rate) -> str:
    """The text of the timer."""
    lines = [
        "[Unit]",
        "Description=Check the crane devices that are due, again and again",
        "",
        "[Timer]",
        f"OnCalendar={rate.calendar}",
        "# after the machine was off it runs at once, and once",
        "Persistent=true",
        f"Unit={SERVICE}",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def crontab(job: Job, rate: Rate) -> str:
    """Comments and one line for the crontab of `job.user`; what a run says goes to the system's log.

    Raises:
        UsageError: a path holds what a crontab cannot carry.
    """
    _carried(job.paths)
    if any("\\" in path for path in job.paths):
        raise UsageError("a crontab cannot carry a backslash in a path", "take --systemd, or rename the folder")
    command = f"CRANE_VERIFY_COLLECTOR_KEY={shlex.quote(job.collector_key)} {shlex.join(job.argv)}"
    # an unescaped % is the end of the line to cron, inside quotes too (crontab(5))
    line = f"{rate.cron} {command} 2>&1 | logger -t crane-verify".replace("%", "\\%")
    return f"# {ANY_RATE}\n# {AT_ONCE}\n{line}\n"


def never_open(device: Device, rate: Rate) -> bool:
    """Is the device's window closed whenever the timer runs, so that it would never be checked?"""
    window = device.window
    return device.every is not None and window is not None and not any(window.holds(at) for at in rate.times)


def needs_devices(devices: Sequence[Device]) -> bool:
    """Is any of them reached over a device node of this machine: a serial line, or a card in its slot?"""
    return any(_on_a_node(device) for device in devices)


def _on_a_node(device: Device) -> bool:
    match device.address:
        case ModbusSerialAddress():
            return True
        case ImageAddress(path=path):
            return Path(path).is_relative_to("/dev")
        case _:
            return False


def _carried(paths: Sequence[str]) -> None:
    for path in paths:
        if not path.isprintable():
            raise UsageError(f"a path holds a character that no timer can carry: {path!r}", "rename the folder")


def _in_tmp(path: str) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in HIDDEN_BY_PRIVATE_TMP)


def _quoted(text: str) -> str:
    """A word of a unit file: quoted, and without a specifier (systemd.syntax(7), systemd.unit(5))."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _argument(text: str) -> str:
    """A word of ExecStart, in which a variable would be filled in too (systemd.service(5), command lines)."""
    return _quoted(text).replace("$", "$$")
