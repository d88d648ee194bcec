"""Profile files: the built-in library, what extends what, digests over meaning, and every refusal with its line."""

from __future__ import annotations

import re
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.errors import SettingsError, UsageError
from verifier.model import codec
from verifier.model.pattern import matches
from verifier.model.profile import (
    Bounds,
    BusyWhen,
    Facts,
    Fifo,
    FileRecords,
    FileTree,
    Identification,
    IdentificationLevel,
    Item,
    NumberType,
    Pace,
    Parameter,
    Parameters,
    Profile,
    Proof,
    Registers,
    Rule,
    ServerId,
    TextRules,
    Topic,
    WordOrder,
)
from verifier.model.words import Criticality, Kind, Maturity, Table
from verifier.settings.item import USUAL
from verifier.settings.profiles import builtin_names, digest_of, load_profile, load_profile_file, profile_names, read_profile

HEAD = "profile: p\ntitle: A device\nversion: 1\nmaturity: documented\n"
WANTED = {
    "linux-controller",
    "plcnext",
    "wago-pfc",
    "moxa-gateway",
    "codesys-linux",
    "linux-crane-pc",
    "modbus-device",
    "schneider-m340-m580",
    "abb-acs880",
    "yaskawa-a1000",
    "offline-image",
}
LINUX = ("linux-controller", "plcnext", "wago-pfc", "moxa-gateway", "codesys-linux", "linux-crane-pc")
NAMES = builtin_names()


def source(name: str) -> str:
    return (files("verifier.profiles") / f"{name}.yaml").read_text()


def item(written: str, name: str = "x") -> Item:
    """The only item of a profile, from its keys."""
    (found,) = read_profile(f"{HEAD}items:\n  - {{name: {name}, {written}}}\n", "p.yaml").items
    return found


def refused(text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        read_profile(text, "p.yaml")
    return caught.value


# The library


def test_the_library_holds_every_kind_of_device_that_was_asked_for() -> None:
    assert set(NAMES) >= WANTED
    assert profile_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_profile_is_whole_and_honest(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.references
    assert profile.gaps, "nothing is confirmed so fully that nothing is left out"
    assert profile.maturity in (Maturity.DOCUMENTED, Maturity.SIMULATED), "no profile was tried on a real crane"
    assert re.fullmatch(r"[0-9a-f]{64}", profile.digest)
    assert codec.loads(Profile, codec.dumps(profile)) == profile


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_profile_says_in_comments_why_its_items_are_there(name: str) -> None:
    lines = source(name).splitlines()
    assert lines[0].startswith("# ")
    assert sum(line.lstrip().startswith("#") for line in lines) >= 1 + (not name.startswith("demo-"))


def test_no_register_is_read_but_those_the_sources_confirm() -> None:
    asked = {
        (name, one.ask.table, one.ask.first, one.ask.count)
        for name in WANTED
        for one in load_profile(name).items
        if isinstance(one.ask, Registers)
    }
    assert asked == {("yaskawa-a1000", Table.HOLDING, 0x34, 2)}
    for name in WANTED:
        assert not [one for one in load_profile(name).items if isinstance(one.ask, Parameters | FileRecords | Fifo)]
        assert load_profile(name).busy_when is None, "which register says that a crane works is the port's to know"


@pytest.mark.parametrize("name", LINUX)
def test_linux_profiles_share_the_facts_where_modems_and_intruders_show(name: str) -> None:
    profile = load_profile(name)
    topics = {one.ask.topic: one for one in profile.items if isinstance(one.ask, Facts)}
    assert set(topics) >= {
        Topic.INTERFACES,
        Topic.MODEMS,
        Topic.ROUTES,
        Topic.LISTENERS,
        Topic.USERS,
        Topic.AUTHORIZED_KEYS,
        Topic.MODULES,
    }
    for topic in (Topic.INTERFACES, Topic.MODEMS, Topic.AUTHORIZED_KEYS):
        assert topics[topic].criticality is Criticality.CRITICAL


SECRET_FILES = (
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssl/private/x.key",
    "/etc/wpa_supplicant.conf",
    "/etc/wireguard/wg0.conf",
    "/etc/device_data/key.pem",
    "/etc/specific/snmp_user.conf",
    "/opt/plcnext/Security/x.key",
    "/media/rfs/rw/upperdir/etc/shadow",
    "/root/.ssh/id_ed25519",
)


@pytest.mark.parametrize("name", sorted(WANTED))
@pytest.mark.parametrize("member", SECRET_FILES)
def test_no_file_of_secrets_is_kept_as_text(name: str, member: str) -> None:
    for one in load_profile(name).items:
        assert not (one.text and one.text.keep and matches(one.text.match, member)), one.name


@pytest.mark.parametrize("name", LINUX)
def test_host_keys_are_never_read(name: str) -> None:
    for one in load_profile(name).items:
        if isinstance(one.ask, FileTree) and matches(one.ask.paths, "/etc/ssh/ssh_host_rsa_key"):
            assert matches(one.ask.exclude, "/etc/ssh/ssh_host_rsa_key") or matches(one.ask.exclude, "/etc"), one.name


def owners(profile: Profile, member: str) -> list[str]:
    """The items that read a file."""
    found = []
    for one in profile.items:
        if isinstance(one.ask, FileTree):
            below = any(path == "/" or member == path or member.startswith(path + "/") for path in one.ask.paths)
            if below and not matches(one.ask.exclude, member):
                found.append(one.name)
    return found


@pytest.mark.parametrize(
    ("name", "member", "item_names"),
    [
        ("linux-controller", "/usr/bin/x", ["system files"]),
        ("linux-controller", "/new/x", ["system files"]),
        ("linux-controller", "/etc/ld.so.preload", ["configuration"]),
        ("linux-controller", "/etc/shadow", ["password hashes"]),
        ("linux-controller", "/home/a/.ssh/authorized_keys", ["home folders"]),
        ("linux-controller", "/proc/kcore", []),
        ("linux-controller", "/var/log/messages", []),
        ("plcnext", "/media/rfs/rw/upperdir/usr/bin/x", ["overlay"]),
        ("plcnext", "/media/rfs/ro/usr/bin/x", ["firmware"]),
        ("plcnext", "/opt/plcnext/projects/PCWE/Io/Arp.Io.AxlC/a.tic", ["project"]),
        ("plcnext", "/opt/plcnext/config/System/Um/x", ["runtime configuration"]),
        ("plcnext", "/opt/plcnext/logs/Output.log", []),
        ("plcnext", "/etc/plcnext/arpversion", ["configuration", "firmware version"]),
        ("plcnext", "/etc/device_data/x", []),
        ("plcnext", "/etc/shadow", ["password hashes"]),
        ("wago-pfc", "/etc/REVISIONS", ["versions"]),
        ("wago-pfc", "/etc/specific/rtsversion", ["versions"]),
        ("wago-pfc", "/etc/specific/wwan.conf", ["remote access"]),
        ("wago-pfc", "/etc/rauc/ca.cert.pem", ["update trust"]),
        ("wago-pfc", "/home/codesys/DEFAULT.PRG", ["program"]),
        ("wago-pfc", "/home/codesys_root/x", ["program"]),
        ("wago-pfc", "/home/other/x", ["home folders"]),
        ("wago-pfc", "/var/lib/aide/aide.db", ["own integrity database"]),
        ("moxa-gateway", "/etc/mx-security/x", ["hardening"]),
        ("moxa-gateway", "/etc/moxa-configs/a.json", ["gateway configuration"]),
        ("moxa-gateway", "/etc/hosts", ["configuration"]),
        ("codesys-linux", "/var/lib/x/PlcLogic/Application.app", ["system files"]),
        ("codesys-linux", "/var/log/x", []),
        ("offline-image", "/SDCARD.INI", ["content"]),
        ("offline-image", "/dev/hidden", ["content"]),
    ],
)
def test_where_a_file_belongs(name: str, member: str, item_names: list[str]) -> None:
    assert owners(load_profile(name), member) == item_names


def redacted(patterns: tuple[str, ...], line: str) -> str:
    """As the collector does: each group, or the whole match."""
    for pattern in patterns:
        found = re.search(pattern, line)
        if found:
            start, end = found.span(1) if found.re.groups else found.span()
            line = line[:start] + "*" + line[end:]
    return line


@pytest.mark.parametrize("name", (*LINUX, "offline-image"))
@pytest.mark.parametrize(
    "line",
    [
        "password=hunter2",
        "  wpa_passphrase = hunter2",
        'psk="hunter2"',
        "wpa-psk hunter2",
        "rocommunity: hunter2",
        "PIN=hunter2",
        "<Password>hunter2</Password>",
        '<ppp:secret type="x">hunter2</ppp:secret>',
        "root:$6$hunter2$abc:19000:0:::::",
        "admin:$y$j9T$hunter2:1:",
        "admin:abhunter2wxyz:1000:1000::/home/admin:/bin/sh",
    ],
)
def test_secrets_in_kept_text_are_redacted(name: str, line: str) -> None:
    kept = [one.text for one in load_profile(name).items if one.text and one.text.keep and one.text.redact]
    assert kept
    for rules in kept:
        assert "hunter2" not in redacted(rules.redact, line)


def test_redaction_leaves_ordinary_settings_readable() -> None:
    (rules,) = [one.text for one in load_profile("linux-controller").items if one.text]
    for line in ("PasswordAuthentication no", "root:x:0:0:root:/root:/bin/sh", "nameserver 10.0.0.1", "spin = 3", "auto eth0"):
        assert redacted(rules.redact, line) == line


@pytest.mark.parametrize(
    ("name", "line", "version"),
    [("wago-pfc", "FIRMWARE=03.10.08(99)", "03.10.08(99)"), ("plcnext", "Arpversion: 23.6.0.37", "23.6.0.37")],
)
def test_versions_are_found(name: str, line: str, version: str) -> None:
    (pattern,) = [one.version for one in load_profile(name).items if one.version]
    found = re.search(pattern, line)
    assert found
    assert found[1] == version


# What an item may be


EVERY_ASK = [
    (
        "kind: firmware, files: {paths: [/etc/REVISIONS, /a b], exclude: ['/etc/**/*.bak'], proof: cross-checked}",
        FileTree(("/etc/REVISIONS", "/a b"), ("/etc/**/*.bak",), Proof.CROSS_CHECKED),
    ),
    ("kind: network, facts: boot-slots", Facts(Topic.BOOT_SLOTS)),
    ("kind: configuration, registers: {table: input, first: 65535, count: 1}", Registers(Table.INPUT, 65535, 1)),
    ("kind: hardware, identification: extended", Identification(IdentificationLevel.EXTENDED)),
    ("kind: hardware, server_id: true", ServerId()),
    ("kind: program, file_records: {file: 4, first: 0, count: 100}", FileRecords(4, 0, 100)),
    ("kind: configuration, fifo: {address: 4096}", Fifo(4096)),
    (
        "kind: parameter, parameters: [{name: hoist overload trip, table: holding, address: 0x64, type: s32, "
        'word_order: low-first, scale: "0.1", unit: t, low: 0, high: "65.5", criticality: critical, reference: page 4}]',
        Parameters(
            (
                Parameter(
                    "hoist overload trip",
                    Table.HOLDING,
                    100,
                    NumberType.S32,
                    0,
                    WordOrder.LOW_FIRST,
                    Decimal("0.1"),
                    "t",
                    Decimal(0),
                    Decimal("65.5"),
                    Criticality.CRITICAL,
                    "page 4",
                ),
            )
        ),
    ),
    (
        "kind: parameter, parameters: [{name: a, table: coil, address: 0, type: bit}, "
        "{name: b, table: input, address: 1, type: text, length: 8}]",
        Parameters((Parameter("a", Table.COIL, 0, NumberType.BIT), Parameter("b", Table.INPUT, 1, NumberType.TEXT, 8))),
    ),
]


@pytest.mark.parametrize(("written", "ask"), EVERY_ASK)
def test_every_ask_can_be_written(written: str, ask: object) -> None:
    assert item(written).ask == ask


def test_every_other_key_of_an_item() -> None:
    found = item(
        'kind: firmware, criticality: low, files: {paths: [/a]}, version: "V=(\\\\S+)", volatile: [/a/log], reference: manual, '
        "text: {match: ['/a/**'], normalise: [line-ends, trailing-space, sort-lines, {drop-lines: '^#'}, {drop-match: 'at .*'}], "
        "redact: ['pw=(.+)'], keep: true, limit: 1MiB}, bounds: {members: 1000, bytes: 2GiB, depth: 10, seconds: 600}"
    )
    rules = (Rule("line-ends"), Rule("trailing-space"), Rule("sort-lines"), Rule("drop-lines", "^#"), Rule("drop-match", "at .*"))
    assert found == Item(
        "x",
        Kind.FIRMWARE,
        FileTree(("/a",)),
        Criticality.LOW,
        ("/a/log",),
        TextRules(("/a/**",), rules, ("pw=(.+)",), True, 1 << 20),
        r"V=(\S+)",
        Bounds(1000, 2 << 30, 10, 600.0),
        "manual",
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_criticality_comes_from_the_kind_where_it_is_not_written(kind: Kind) -> None:
    assert item(f"kind: {kind.value}, facts: system").criticality is USUAL[kind]


def test_pace_and_busy() -> None:
    text = HEAD + (
        'pace: {requests_per_second: "0.5", bytes_per_second: 5MB, registers_per_request: 60, bits_per_request: 100, tries: 1}\n'
        "busy_when: {table: coil, address: 5, values: [1]}\nitems: [{name: x, kind: hardware, server_id: true}]\n"
    )
    profile = read_profile(text, "p.yaml")
    assert profile.pace == Pace(0.5, 5_000_000, 60, 100, 1)
    assert profile.busy_when == BusyWhen(Table.COIL, 5, (1,))


FACT = "kind: network, facts: routes"
TREE = "kind: firmware, files: {paths: [/a]}"
NUMBER = "table: holding, address: 1"
WRONG_ITEMS = [
    ("kind: firmware", "the item `x` asks nothing", "exactly one of files, facts"),
    (f"{FACT}, server_id: true", "the item `x` asks facts and server_id", "an item of its own"),
    ("kind: firmwear, facts: system", 'kind cannot be "firmwear"', "did you mean firmware?"),
    ("facts: system", "`kind` is missing in `items[1]`", "add `kind: ...`"),
    ("kind: network, facts: interface", 'facts cannot be "interface"', "did you mean interfaces?"),
    (f"{FACT}, weight: high", "unknown key `weight`", "known here: name, kind, criticality"),
    (f"{FACT}, critcality: high", "unknown key `critcality`", "did you mean `criticality`?"),
    ("kind: hardware, server_id: false", "server_id cannot be false", "write True"),
    (f"{FACT}, text: {{match: [a]}}", "`text` is for files", "ask for `files`"),
    ("kind: firmware, files: {paths: []}", "paths is empty", "at least one"),
    ("kind: firmware, files: {paths: /a}", 'paths must be a list, not "/a"', "paths: [...]"),
    ("kind: firmware, files: {paths: [etc]}", 'paths[1]: "etc" does not begin with /', "whole path"),
    ("kind: firmware, files: {paths: [/a/../b]}", "not in its plain form", "leave out"),
    ("kind: firmware, files: {paths: [/a/]}", "not in its plain form", "trailing"),
    ("kind: firmware, files: {paths: ['/a/*']}", "holds a wildcard", "`exclude`"),
    ("kind: firmware, files: {paths: ['/a\\b']}", "not the printable form of a path", "backslash"),
    ('kind: firmware, files: {paths: ["/a\\nb"]}', "not the printable form of a path", "xNN"),
    ("kind: firmware, files: {paths: [/a], exclude: ['']}", "an empty pattern", "**"),
    ("kind: firmware, files: {paths: [/a], proof: hash}", 'proof cannot be "hash"', "device-hash"),
    (f"{TREE}, version: '('", "not a regular expression", "Python's `re`"),
    (f"{TREE}, version: 'V=.+'", "needs exactly one group", "round brackets"),
    (f"{TREE}, version: '(a)(b)'", "needs exactly one group", "round brackets"),
    (f"{TREE}, text: {{match: [/a], redact: ['a*']}}", "fits any text", "what must be there"),
    (f"{TREE}, text: {{match: [/a], redact: ['{'a' * 501}']}}", "more than 500 characters", "split it"),
    (f"{TREE}, text: {{match: [/a], normalise: [sort]}}", "normalise[1]: not a step of normalising", "sort-lines"),
    (f"{TREE}, text: {{match: [/a], normalise: [{{drop-lines: '['}}]}}", "not a regular expression", "Python's `re`"),
    (f"{TREE}, text: {{match: []}}", "match is empty", "at least one"),
    (f"{TREE}, bounds: {{bytes: 0}}", "nothing could be read with 0 bytes", "at least 1"),
    (f"{TREE}, bounds: {{bytes: 2 gigabytes}}", "is not a number of bytes", "2GiB"),
    (f"{TREE}, bounds: {{depth: 0}}", "depth is 0", "at least 1"),
    (
        "kind: configuration, registers: {table: holdings, first: 0, count: 1}",
        'table cannot be "holdings"',
        "did you mean holding?",
    ),
    ("kind: configuration, registers: {table: holding, first: 65535, count: 2}", "goes past address 65535", "0 to 65535"),
    ("kind: configuration, registers: {table: holding, first: 40001}", "`count` is missing in `registers`", "add"),
    ("kind: program, file_records: {file: 1, first: 9999, count: 2}", "goes past record 9999", "0 to 9999"),
    ("kind: parameter, parameters: []", "parameters is empty", "at least one"),
    ("kind: parameter, parameters: [{name: a, table: holding, address: 65536}]", "address is 65536", "at most 65535"),
    (
        "kind: parameter, parameters: [{name: a, table: holding, address: 65535, type: u32}]",
        "goes past address 65535",
        "0 to 65535",
    ),
    (
        f"kind: parameter, parameters: [{{name: a, {NUMBER}, type: bit}}]",
        "bit cannot stand in the table holding",
        "coil and discrete",
    ),
    ("kind: parameter, parameters: [{name: a, table: coil, address: 1}]", "u16 cannot stand in the table coil", "hold bits"),
    (f"kind: parameter, parameters: [{{name: a, {NUMBER}, type: text}}]", "`length` belongs to type text", "how many registers"),
    (f"kind: parameter, parameters: [{{name: a, {NUMBER}, length: 2}}]", "`length` belongs to type text", "remove `length`"),
    (
        f"kind: parameter, parameters: [{{name: a, {NUMBER}, scale: 0.1}}]",
        "0.1 would be read as a decimal number",
        'put it in quotes: "0.1"',
    ),
    (f'kind: parameter, parameters: [{{name: a, {NUMBER}, scale: "0,1"}}]', '"0,1" is not a decimal number', 'like "0.1"'),
    (f"kind: parameter, parameters: [{{name: a, {NUMBER}, scale: 0}}]", "a scale of 0", '"0.1"'),
    (f'kind: parameter, parameters: [{{name: a, {NUMBER}, low: "2", high: "1.5"}}]', "low 2 is above high 1.5", "exchange"),
    (
        f"kind: parameter, parameters: [{{name: a, {NUMBER}, type: text, length: 2, scale: 2}}]",
        "no scale and no limits",
        "remove",
    ),
    (
        f"kind: parameter, parameters: [{{name: a, {NUMBER}}}, {{name: A, {NUMBER}}}]",
        "a second parameter `A` in `x`",
        "its own name",
    ),
    (f"kind: parameter, parameters: [{{name: '*', {NUMBER}}}]", "cannot be a name here", "letters, digits"),
]


@pytest.mark.parametrize(("written", "message", "hint"), WRONG_ITEMS)
def test_a_wrong_item_is_refused_with_line_and_fix(written: str, message: str, hint: str) -> None:
    error = refused(f"{HEAD}items:\n  - {{name: x, {written}}}\n")
    assert error.line == 6
    assert message in str(error)
    assert hint in error.hint


WRONG_FILES = [
    ("", 1, "the file must hold keys and values, not nothing", "examples"),
    (HEAD, 1, "a profile that asks nothing", "at least one item"),
    (f"{HEAD}items: []\n", 5, "a profile that asks nothing", "at least one item"),
    (HEAD.replace("title: A device\n", "") + f"items: [{{name: x, {FACT}}}]", 1, "`title` is missing", "add `title: ...`"),
    (HEAD.replace("version: 1", "version: 0") + f"items: [{{name: x, {FACT}}}]", 3, "version is 0", "at least 1"),
    (HEAD.replace("version: 1", "version: 1.0"), 3, "1.0 would be read as a decimal number", "quotes"),
    (
        HEAD.replace("documented", "tested") + f"items: [{{name: x, {FACT}}}]",
        4,
        'maturity cannot be "tested"',
        "did you mean field-tested?",
    ),
    (HEAD.replace("profile: p", "profile: a/b") + f"items: [{{name: x, {FACT}}}]", 1, "cannot be a name", "letters, digits"),
    (f"{HEAD}items:\n  - {{name: x, {FACT}}}\n  - {{name: X, {FACT}}}\n", 7, "a second item `X`", "its own name"),
    (f"{HEAD}items:\n  - {{name: connection, {FACT}}}\n", 6, "the tool adds by itself", "another name"),
    (f"{HEAD}items:\n  - {{name: Connection, {FACT}}}\n", 6, "the tool adds by itself", "another name"),
    (f"{HEAD}items:\n  - {{name: profile, {FACT}}}\n", 6, "the tool adds by itself", "another name"),
    (f"{HEAD}without: [x]\nitems: [{{name: x, {FACT}}}]\n", 5, "`without` has nothing to leave out from", "extends"),
    (f"{HEAD}extends: plcnxt\n", 5, "there is no profile 'plcnxt'", "did you mean plcnext?"),
    (f"{HEAD}extends: modbus-device\nwithout: [identiti]\n", 6, "modbus-device has no item `identiti`", "did you mean identity?"),
    (f"{HEAD}extends: modbus-device\nwithout: [identity]\n", 1, "a profile that asks nothing", "at least one item"),
    (
        f"{HEAD}pace: {{requests_per_second: 0}}\nitems: [{{name: x, {FACT}}}]\n",
        5,
        "requests_per_second is out of range",
        "more than 0",
    ),
    (
        f"{HEAD}pace: {{registers_per_request: 126}}\nitems: [{{name: x, {FACT}}}]\n",
        5,
        "registers_per_request is 126",
        "at most 125",
    ),
    (f"{HEAD}busy_when: {{table: coil, address: 1, values: [2]}}\nitems: [{{name: x, {FACT}}}]\n", 5, "a coil is 0 or 1", "[1]"),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), WRONG_FILES)
def test_a_wrong_file_is_refused_with_line_and_fix(text: str, line: int, message: str, hint: str) -> None:
    error = refused(text)
    assert message in str(error)
    assert error.line == line, str(error)
    assert hint in error.hint


def test_all_faults_of_a_file_come_in_one_error() -> None:
    error = refused(f"{HEAD}itms: []\nitems:\n  - {{name: x, kind: firmwear}}\n  - {{name: w, {FACT}, volatile: 5}}\n")
    assert [line.split()[0] for line in str(error).splitlines()] == ["p.yaml:5:", "p.yaml:7:", "p.yaml:8:"]


# One profile over another


def test_an_extending_profile_replaces_items_in_their_place_adds_its_own_and_may_leave_some_out() -> None:
    base = load_profile("linux-controller")
    text = (
        f"{HEAD}extends: linux-controller\nwithout: [mounts]\nreferences: [mine]\npace: {{tries: 1}}\n"
        f"items:\n  - {{name: users, kind: account, criticality: low, facts: users}}\n  - {{name: new, {TREE}}}\n"
    )
    profile = read_profile(text, "p.yaml")
    names = [one.name for one in profile.items]
    assert names == [one.name for one in base.items if one.name != "mounts"] + ["new"]
    assert profile.items[names.index("users")].criticality is Criticality.LOW
    assert profile.references == (*base.references, "mine")
    assert profile.gaps == base.gaps
    assert profile.pace == Pace(base.pace.requests_per_second, base.pace.bytes_per_second, 125, 2000, 1)
    assert profile.digest != base.digest


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "profiles"
    folder.mkdir()
    return folder


def write(own: Path, name: str, body: str) -> None:
    (own / f"{name}.yaml").write_text(HEAD.replace("profile: p", f"profile: {name}") + body)


def test_a_ports_own_profile_wins_and_may_rest_on_the_built_in_one_of_its_name(own: Path) -> None:
    write(own, "plcnext", f"extends: plcnext\nitems: [{{name: new, {TREE}}}]\n")
    mine, theirs = load_profile("plcnext", own), load_profile("plcnext")
    assert mine.items == (*theirs.items, mine.items[-1])
    assert mine.title == "A device"
    write(own, "linux-controller", f"items: [{{name: only, {FACT}}}]\n")
    assert load_profile("wago-pfc", own) == load_profile("wago-pfc"), "nothing built in rests on a port's own files"
    write(own, "ours", f"extends: linux-controller\nitems: [{{name: new, {TREE}}}]\n")
    assert [one.name for one in load_profile("ours", own).items] == ["only", "new"]
    assert set(profile_names(own)) == {*NAMES, "ours"}


def test_profiles_that_extend_each_other_in_a_ring_are_refused(own: Path) -> None:
    write(own, "a", "extends: b\n")
    write(own, "b", "extends: a\n")
    with pytest.raises(SettingsError, match=r"in a ring.*a extends b extends a") as caught:
        load_profile("a", own)
    assert caught.value.line == 5
    write(own, "self", "extends: self\n")
    with pytest.raises(SettingsError, match=r"there is no profile 'self'"):
        load_profile("self", own)


def test_a_fault_below_is_told_in_the_file_where_it_stands(own: Path) -> None:
    write(own, "below", "items: [{name: x, kind: wrong, facts: users}]\n")
    write(own, "above", "extends: below\n")
    with pytest.raises(SettingsError) as caught:
        load_profile("above", own)
    assert caught.value.path == str(own / "below.yaml")


@pytest.mark.parametrize("name", ["none", "../plcnext", "", "/etc/passwd", "a b", "plcnext.yaml"])
def test_a_profile_that_is_not_there(name: str, own: Path) -> None:
    with pytest.raises(UsageError, match="there is no profile") as caught:
        load_profile(name, own)
    assert "crane-verify profiles" in caught.value.hint or "did you mean" in caught.value.hint


def test_a_file_can_be_tried_before_it_stands_in_its_place(own: Path, tmp_path: Path) -> None:
    write(own, "base", f"items: [{{name: x, {FACT}}}]\n")
    draft = tmp_path / "draft.yaml"
    draft.write_text(f"{HEAD}extends: base\n")
    assert load_profile_file(draft, own).name == "p"
    draft.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_profile_file(draft, own)


def test_a_file_and_its_profile_have_one_name(own: Path) -> None:
    (own / "other.yaml").write_text(f"{HEAD}items: [{{name: x, {FACT}}}]\n")
    with pytest.raises(SettingsError, match="the file is called other and its profile p"):
        load_profile("other", own)


# Digests


def test_a_digest_is_over_the_meaning_not_over_comments_quotes_or_the_order_of_keys() -> None:
    one = read_profile(f"{HEAD}items:\n  - {{name: x, kind: network, facts: routes}}\n", "p.yaml")
    other = """\
# why
maturity: documented
profile: 'p'
title: "A device"
version: 0x1
items:
  # why
  - facts: routes
    kind: network
    criticality: high
    name: x
"""
    two = read_profile(other, "q.yaml")
    assert one == two
    assert one.digest == digest_of(one)


BODY = (
    "gaps: [g]\nreferences: [r]\npace: {tries: 2}\nbusy_when: {table: coil, address: 5, values: [1]}\n"
    "items:\n  - {name: x, kind: firmware, files: {paths: [/a], exclude: [/a/b]}, volatile: [/a/c], "
    "bounds: {depth: 9, seconds: 60}, text: {match: [/a/d], normalise: [line-ends], redact: [pw]}, version: 'v(1)'}\n"
    '  - {name: w, kind: parameter, parameters: [{name: z, table: holding, address: 7, scale: "0.1", low: 3, high: 8}]}\n'
)
CHANGES = [
    ("tries: 2", "tries: 3"),
    ("address: 5", "address: 6"),
    ("values: [1]", "values: [0]"),
    ("[/a]", "[/aa]"),
    ("/a/b", "/a/bb"),
    ("/a/c", "/a/**"),
    ("depth: 9", "depth: 10"),
    ("seconds: 60", "seconds: 61"),
    ("/a/d", "/a/e"),
    ("line-ends", "sort-lines"),
    ("[pw]", "[pw, pin]"),
    ("v(1)", "v(2)"),
    ("kind: firmware", "kind: program"),
    ("address: 7", "address: 8"),
    ('"0.1"', '"0.01"'),
    ("low: 3", "low: 2"),
    ("high: 8", "high: 9"),
    ("name: x", "name: xx"),
    ("gaps: [g]", "gaps: [h]"),
    ("version: 1", "version: 2"),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_digest_changes_with_every_change_of_meaning(before: str, after: str) -> None:
    text = HEAD + BODY
    assert before in text
    assert read_profile(text, "p.yaml").digest != read_profile(text.replace(before, after, 1), "p.yaml").digest


def test_a_digest_changes_when_what_is_extended_changes(own: Path) -> None:
    write(own, "base", f"items: [{{name: x, {TREE}, volatile: [/a/b]}}]\n")
    write(own, "top", f"extends: base\nitems: [{{name: w, {FACT}}}]\n")
    before = load_profile("top", own)
    write(own, "base", f"items: [{{name: x, {TREE}, volatile: [/a/**]}}]\n")
    assert load_profile("top", own).digest != before.digest


# Any text


@given(st.text(max_size=200))
def test_any_text_is_a_profile_or_refused(text: str) -> None:
    try:
        read_profile(text, "p.yaml")
    except SettingsError:
        pass


WORDS = sorted(set(re.findall(r"[A-Za-z0-9_./*\"-]+", HEAD + BODY)))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_profile_with_words_exchanged_loads_or_is_refused(data: st.DataObject) -> None:
    pieces = re.split(r"([A-Za-z0-9_./*\"-]+)", HEAD + BODY)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(pieces) - 1))
        pieces[at] = data.draw(st.sampled_from([*WORDS, "", "{}", "[]", "null", ": ", "(", "99999", "linux-controller"]))
    try:
        profile = read_profile("".join(pieces), "p.yaml")
    except SettingsError as error:
        assert str(error).startswith("p.yaml")
        return
    assert codec.loads(Profile, codec.dumps(profile)) == profile
