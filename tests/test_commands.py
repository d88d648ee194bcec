"""The guard of the closed command set: nothing but pure reads leaves, and every byte of a path arrives as it was."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fakes import FakeLinux, FakeRoute, Script
from tests.local_shell import GNU_PATH, LocalShell, busybox_path
from verifier.collect.asking import Asking
from verifier.collect.facts import facts
from verifier.errors import ForbiddenRequest
from verifier.model.profile import Facts, Item, Pace, Topic
from verifier.model.words import Criticality, Kind
from verifier.transport.request import Command, ReadFile, Request
from verifier.transport.shell import commands
from verifier.transport.shell.commands import guard, quoted

STAT_SHOWN = (b"-exec", b"stat", b"-c", commands.STAT, b"{}", b"+")
FIND = (b"find", b"/opt", b"-maxdepth", b"3")
TAR = (b"tar", b"-c", b"-f", b"-")

HOSTILE: tuple[tuple[bytes, ...], ...] = (
    (),
    (b"",),
    (b"sh", b"-c", b"reboot"),
    (b"/bin/sh", b"-c", b"id"),
    (b"reboot",),
    (b"; reboot",),
    (b"cat", b"--", b"/etc/passwd; reboot", b"x"),
    (b"cat", b"/etc/passwd"),
    (b"cat", b"--", b"-"),
    (b"cat", b"--", b"relative"),
    (b"cat", b"--", b"/etc/../dev/watchdog"),
    (b"cat", b"--", b"/etc//passwd"),
    (b"cat", b"--", b"/etc/passwd", b"/etc/shadow"),
    (b"cat", b"--", b"/etc/pass\0wd"),
    (b"cat", b"--", b"/dev/watchdog"),
    (b"cat", b"--", b"/dev"),
    (b"cat", b"--", b"/proc/kmsg"),
    (b"cat", b"--", b"/proc/1/mem"),
    (b"cat", b"--", b"/proc/1/root/dev/watchdog"),
    (b"cat", b"--", b"/proc/self/cwd/dev/ttyS0"),
    (b"cat", b"--", b"/proc/1/task/1/fd/3"),
    (b"cat", b"--", b"/proc/sys/kernel/../../1/root/dev/watchdog"),
    (b"cat", b"--", b"/proc/net/x/y"),
    (b"cat", b"--", b"/sys/kernel/tracing/trace_pipe"),
    (b"cat", b"--", b"/sys/bus/pci/devices/0000:00:00.0/resource0"),
    (b"sha256sum", b"--", b"/proc/self/root/dev/mtd0"),
    (*FIND[:1], b"/", *FIND[2:], b"-type", b"f", b"-exec", b"sha256sum", b"{}", b"+"),
    (*TAR, b"-C", b"/", b"--", b"./"),
    (*TAR, b"-C", b"/", b"--", b"./opt", b"./"),
    (b"sha256sum", b"--", b"/dev/ttyS0"),
    (b"sha256sum", b"-c", b"/tmp/list"),
    (*FIND, b"-delete"),
    (*FIND, b"-exec", b"rm", b"{}", b"+"),
    (*FIND, b"-exec", b"sh", b"-c", b"{}", b";"),
    (*FIND, *STAT_SHOWN, b"-delete"),
    (*FIND, *STAT_SHOWN, b"(", b"-path", b"/x", b"-o", b"-delete", b")", b"-prune"),
    (*FIND, b"-exec", b"stat", b"-c", b"%n", b"{}", b"+"),
    (*FIND, b"-printf", b"%p"),
    (*FIND, b"-fprintf", b"/etc/passwd", commands.PRINTF),
    (*FIND, b"-fls", b"/tmp/x"),
    (*FIND, b"-ok", b"rm", b"{}", b";"),
    (b"find", b"-delete", b"-maxdepth", b"3", *STAT_SHOWN),
    (b"find", b"/opt", b"-delete", b"-maxdepth", b"3", *STAT_SHOWN),
    (b"find", b"/sys", b"-maxdepth", b"3", b"-type", b"f", b"-exec", b"sha256sum", b"{}", b"+"),
    (*TAR, b"-C", b"/", b"--", b"/opt"),
    (*TAR, b"-C", b"/", b"--", b"--to-command=reboot"),
    (*TAR, b"-C", b"/", b"--", b"./opt/../../etc"),
    (*TAR, b"-C", b"/", b"--", b"./proc"),
    (*TAR, b"-C", b"/", b"--"),
    (*TAR, b"-C", b"/", b"./opt"),
    (*TAR, b"-C", b"/tmp", b"--", b"./opt"),
    (*TAR, b"--to-command=reboot", b"-C", b"/", b"--", b"./opt"),
    (*TAR, b"--checkpoint=1", b"--checkpoint-action=exec=reboot", b"-C", b"/", b"--", b"./opt"),
    (*TAR, b"-I", b"reboot", b"-C", b"/", b"--", b"./opt"),
    (*TAR, b"--remove-files", b"-C", b"/", b"--", b"./opt"),
    (*TAR, b"--use-compress-program=sh", b"-C", b"/", b"--", b"./opt"),
    (b"tar", b"-c", b"-f", b"/dev/mtd0", b"-C", b"/", b"--", b"./opt"),
    (b"tar", b"-c", b"-f", b"host:x", b"--rsh-command=reboot", b"-C", b"/", b"--", b"./opt"),
    (b"tar", b"-x", b"-f", b"-", b"-C", b"/", b"--", b"./opt"),
    (b"tar", b"--version", b"--delete"),
    (b"tar", b"--version\nreboot"),
    (b"getcap", b"-r"),
    (b"getcap", b"-r", b"-v"),
    (b"setcap", b"-r", b"/opt"),
    (b"uname", b"-a", b">/etc/passwd"),
    (b"uname", b"-a;reboot"),
    (b"uname", b"-a", b"&&", b"reboot"),
    (b"rpm", b"-qa", b"--eval", b"%(reboot)"),
    (b"rpm", b"-e", b"bash"),
    (b"dpkg-query", b"-W", b"-f=x"),
    (b"opkg", b"remove", b"busybox"),
    (b"rauc", b"install", b"/tmp/x"),
    (b"rauc", b"status", b"mark-good"),
    (b"fw_printenv", b"-l", b"/tmp"),
    (b"fw_setenv", b"bootcmd", b"x"),
    (b"systemctl", b"stop", b"plc"),
    (b"systemctl", b"list-unit-files", b"--type=timer", b"--root=/x"),
    (b"env", b"sh"),
    (b"busybox", b"reboot"),
)


@pytest.mark.parametrize("arguments", HOSTILE, ids=lambda each: repr(b" ".join(each))[:60])
def test_what_is_not_a_pure_read_is_stopped(arguments: tuple[bytes, ...]) -> None:
    with pytest.raises(ForbiddenRequest) as stopped:
        guard(arguments)
    assert stopped.value.hint
    assert str(stopped.value).isprintable()


PART = st.binary(min_size=1, max_size=20).map(lambda part: part.replace(b"/", b"_").replace(b"\0", b"_"))
PATH = st.lists(PART.filter(lambda part: part not in (b".", b"..")), min_size=1, max_size=4).map(
    lambda parts: b"/" + b"/".join(parts)
)
SAFE = PATH.filter(lambda path: not path.startswith((b"/dev", b"/proc", b"/sys")))


def allowed(path: bytes, other: bytes) -> list[tuple[bytes, ...]]:
    return [
        commands.cat(path),
        commands.sha256(path),
        commands.archive((path, other), ()),
        commands.archive((path,), commands.ARCHIVE_GNU),
        commands.list_tree((path, other), 65, (other, path), printf=True),
        commands.list_tree((path,), 0, (), printf=False),
        commands.list_nodes((path, other), 9),
        commands.hash_tree((path,), 64, (other,)),
        commands.hash_tree((path, other), 64, ()),
        commands.argv(Command.FILE_CAPABILITIES, (path, other)),
    ]


@given(SAFE, SAFE)
@settings(max_examples=60, deadline=None)
def test_a_path_may_hold_any_byte(path: bytes, other: bytes) -> None:
    for arguments in allowed(path, other):
        assert guard(arguments).startswith(b"env LC_ALL=C ")


@given(SAFE, SAFE, st.data())
@settings(max_examples=100, deadline=None)
def test_no_argument_can_be_added_anywhere(path: bytes, other: bytes, data: st.DataObject) -> None:
    """But for one more path where paths stand."""
    arguments = data.draw(st.sampled_from(allowed(path, other)))
    place = data.draw(st.integers(0, len(arguments)))
    extra = data.draw(st.sampled_from((b"-delete", b"-exec", b";", b"--to-command=sh", b"|", b"$(reboot)", b"`id`", b"-", b"")))
    with pytest.raises(ForbiddenRequest):
        guard((*arguments[:place], extra, *arguments[place:]))


@given(st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\0", b"")), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_shell_reads_back_what_was_quoted(arguments: list[bytes]) -> None:
    line = b"printf '%s\\000' " + b" ".join(map(quoted, arguments))
    for shell in (("sh", "-c"), ("busybox", "sh", "-c")):
        output = subprocess.run([*shell, line], capture_output=True, check=True).stdout
        assert output == b"".join(argument + b"\0" for argument in arguments)


def as_fish_reads(line: bytes) -> list[bytes]:
    """Words of a line, by fish's rules for quotes (fish-language(1), "Quotes"); bare words are plain here."""
    words, word, quote, at = [], b"", b"", 0
    while at < len(line):
        byte = line[at : at + 1]
        following = line[at + 1 : at + 2]
        at += 1
        if quote and byte == b"\\" and following in (quote, b"\\", b"$" if quote == b'"' else quote):
            word += following
            at += 1
        elif quote:
            quote, word = (b"", word) if byte == quote else (quote, word + byte)
        elif byte in (b"'", b'"'):
            quote = byte
        elif byte == b" ":
            words.append(word)
            word = b""
        else:
            assert re.fullmatch(rb"[A-Za-z0-9_./:=@%+,-]", byte), "it would mean something to the shell"
            word += byte
    assert not quote, "a quote that does not end"
    return [*words, word]


@given(st.lists(st.text("\\'\" ;$a/", min_size=1).map(str.encode), min_size=1, max_size=3))
@example([b"/opt/x\\'; reboot; '"])
@example([b"/opt/ends with \\", b"; reboot"])
def test_fish_reads_back_what_was_quoted(arguments: list[bytes]) -> None:
    assert as_fish_reads(b" ".join(map(quoted, arguments))) == arguments


@given(st.binary(min_size=1, max_size=60).map(lambda text: text.replace(b"\0", b"").replace(b"/", b"")).filter(bool))
@settings(max_examples=30, deadline=None)
def test_a_name_reaches_the_program_and_not_the_shell(name: bytes) -> None:
    """The whole way: guard, shell, env, program. The file is not there, and cat says so of exactly this name."""
    if name in (b".", b".."):
        return
    path = b"/nowhere/" + name
    done = subprocess.run(["sh", "-c", guard(commands.cat(path))], capture_output=True, env={"PATH": GNU_PATH})
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.count(b"No such file or directory") == 1 + name.count(b"No such file or directory")


@pytest.mark.parametrize("command", Command)
def test_every_command_of_the_set_passes_its_own_guard(command: Command) -> None:
    paths = (b"/usr/bin", b"/opt/a b") if command is Command.FILE_CAPABILITIES else ()
    assert guard(commands.argv(command, paths))


def test_a_whole_device_is_hashed_without_the_windows_into_its_kernel() -> None:
    guard(commands.hash_tree((b"/", b"/opt"), 64, (b"/proc", b"/sys", b"/var/log")))
    for pruned in ((), (b"/proc",), (b"/sys", b"/proc"), (b"/var/log", b"/proc", b"/sys")):
        with pytest.raises(ForbiddenRequest):
            guard(commands.hash_tree((b"/opt", b"/"), 64, pruned))


def test_every_file_of_the_kernels_that_facts_ask_for_passes() -> None:
    asked: list[bytes] = []

    def nothing(request: Request) -> Script:
        asked.extend([request.path] if isinstance(request, ReadFile) else [])
        return FakeLinux({})(request)

    for topic in Topic:
        item = Item(topic.value, Kind.NETWORK, Facts(topic), Criticality.NORMAL)
        facts(Asking(FakeRoute(nothing), item, Pace(), lambda _: "", 1, lambda: None), Facts(topic))
    assert len([path for path in asked if path.startswith((b"/proc/", b"/sys/"))]) > 20
    for path in asked:
        guard(commands.cat(path))


def test_paths_go_only_to_the_command_that_takes_them() -> None:
    with pytest.raises(ForbiddenRequest):
        commands.argv(Command.KERNEL, (b"/etc",))
    with pytest.raises(ForbiddenRequest):
        commands.argv(Command.FILE_CAPABILITIES)
    with pytest.raises(ForbiddenRequest):
        guard(commands.argv(Command.FILE_CAPABILITIES, (b"-x",)))


@pytest.mark.parametrize("userland", ["gnu", "busybox"])
@pytest.mark.parametrize(
    "command", [Command.LIST_INTERFACES, Command.LIST_USB, Command.LIST_MODEM_NODES, Command.KERNEL], ids=str
)
def test_commands_that_every_linux_answers(command: Command, userland: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = GNU_PATH if userland == "gnu" else busybox_path(tmp_path_factory.mktemp("userland") / "bin")
    execution = LocalShell(path).execute(commands.argv(command))
    output = b"".join(execution.chunks())
    assert execution.status == 0, execution.errors
    if command is Command.LIST_INTERFACES:
        assert b"/virtual/net/lo/address:00:00:00:00:00:00\n" in output
    if command is Command.KERNEL:
        assert output.startswith(b"Linux ")
    execution.close()


def test_packages_are_told_with_their_state() -> None:
    execution = LocalShell().execute(commands.argv(Command.DPKG_PACKAGES))
    lines = b"".join(execution.chunks()).splitlines()
    execution.close()
    tar = next(line for line in lines if line.startswith(b"tar\t"))
    assert tar.split(b"\t")[2].strip() == b"ii"


def test_options_of_the_devices_environment_do_not_reach_tar() -> None:
    environment = {"PATH": GNU_PATH, "TAR_OPTIONS": "--no-such-option"}
    done = subprocess.run(["sh", "-c", guard(commands.tar_version())], capture_output=True, env=environment)
    assert done.returncode == 0
