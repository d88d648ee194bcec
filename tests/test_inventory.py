"""inventory.yaml: groups and defaults, every field, every refusal with its line, and picking devices by words."""

from __future__ import annotations

import re
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.errors import SettingsError, UsageError
from verifier.model.device import (
    Address,
    Agent,
    Device,
    DeviceName,
    ImageAddress,
    Interactive,
    KeyFile,
    ModbusSerialAddress,
    ModbusTcpAddress,
    Password,
    RecordingAddress,
    Secret,
    SshAddress,
    Timeouts,
    TlsTrust,
    Window,
)
from verifier.model.inventory import Inventory
from verifier.settings.example import example_inventory
from verifier.settings.inventory import load_inventory, read_inventory

PIN = "SHA256:" + "A" * 43
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


def one(device: str, crane: str = "") -> Device:
    """The only device of an inventory, from the keys of that device."""
    text = f"sites:\n  t1:\n    cranes:\n      STS-01:\n        devices:\n          plc: {{profile: plcnext, {device}}}\n{crane}"
    (found,) = read_inventory(text, "/port/inventory.yaml").devices
    return found


def refused(text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        read_inventory(text, "inventory.yaml")
    return caught.value


def refused_device(device: str) -> SettingsError:
    return refused(
        f"sites:\n  t1:\n    cranes:\n      STS-01:\n        devices:\n          plc: {{profile: plcnext, {device}}}\n"
    )


def test_the_example_shows_every_kind_of_device_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(example_inventory())
    devices = load_inventory(path).devices
    assert {type(device.address) for device in devices} == {SshAddress, ModbusTcpAddress, ModbusSerialAddress, ImageAddress}
    by_name = {str(device.name): device for device in devices}
    assert len(by_name) == len(devices) == 10
    plc = by_name["terminal-2/STS-01/controller"]
    assert isinstance(plc.address, SshAddress)
    assert plc.address.host == "10.20.1.11"
    assert plc.address.jump
    assert plc.address.jump.host == "bastion.terminal-2.example"
    assert plc.address.credentials == (KeyFile(str(tmp_path / "keys/verify"), Secret("env", "VERIFY_KEY_PASSPHRASE")),)
    assert plc.facts["make"] == "Example Cranes"
    assert plc.facts["serial"] == "4711"
    assert plc.every == timedelta(days=7)
    older = by_name["terminal-2/STS-02/controller"].address
    assert isinstance(older, SshAddress)
    assert (older.legacy, older.host) == (("ssh-rsa",), "10.20.2.11"), "one field is the crane's own, the rest is the group's"
    assert by_name["terminal-2/STS-01/hoist-drive"].every == timedelta(days=1)
    assert by_name["terminal-2/STS-02/crane-pc"].window is None, "null takes a default away"
    assert by_name["terminal-2/RTG-07/controller-card"].address == ImageAddress(str(tmp_path / "images/RTG-07.img"), 2)


EVERYTHING: list[tuple[str, Address]] = [
    (
        f'ssh: {{host: plc.example, user: verify, port: 2222, host_keys: ["{PIN}", "{KEY} a comment"], known_hosts: known, '
        f'certificate_authorities: ["{KEY}"], legacy: [ssh-rsa, diffie-hellman-group14-sha1], '
        "timeouts: {connect: 500ms, login: 1m, silence: 10s, overall: 2h}, "
        "credentials: [{key: keys/id, passphrase: file:pw, certificate: keys/id-cert.pub}, {agent: any}, "
        f'{{agent: "{PIN}"}}, {{password: credential:plc}}, {{interactive: [env:PW, prompt, "prompt:code"]}}], '
        "jump: {host: 10.0.0.1, user: hop, jump: {host: 10.0.0.2, user: hop}}}",
        SshAddress(
            host="plc.example",
            user="verify",
            port=2222,
            host_keys=(PIN, KEY),
            known_hosts="/port/known",
            certificate_authorities=(KEY,),
            credentials=(
                KeyFile("/port/keys/id", Secret("file", "/port/pw"), "/port/keys/id-cert.pub"),
                Agent(),
                Agent(PIN),
                Password(Secret("credential", "plc")),
                Interactive((Secret("env", "PW"), Secret("prompt"), Secret("prompt", "code"))),
            ),
            jump=SshAddress("10.0.0.1", "hop", jump=SshAddress("10.0.0.2", "hop")),
            legacy=("ssh-rsa", "diffie-hellman-group14-sha1"),
            timeouts=Timeouts(0.5, 60.0, 10.0, 7200.0),
        ),
    ),
    ("modbus: {host: 10.0.0.3}", ModbusTcpAddress("10.0.0.3")),
    ("modbus: {host: 10.0.0.3, rtu: true, unit: 7, port: 4001}", ModbusTcpAddress("10.0.0.3", 4001, 7, rtu=True)),
    (
        'modbus: {host: "2001:DB8::5", unit: 0, tls: {server_name: plc.example, authority: ca.pem, '
        f'pin: "{"AB:" * 31}ab", certificate: c.pem, key: k.pem}}}}',
        ModbusTcpAddress("2001:db8::5", 802, 0, TlsTrust("plc.example", "/port/ca.pem", "ab" * 32, "/port/c.pem", "/port/k.pem")),
    ),
    ("serial: {path: /dev/ttyUSB0, unit: 3}", ModbusSerialAddress("/dev/ttyUSB0", 3)),
    (
        "serial: {path: COM3, unit: 3, baud: 9600, parity: none, stop_bits: 2, timeouts: {silence: 1s}}",
        ModbusSerialAddress("COM3", 3, 9600, "N", 2, Timeouts(silence=1.0)),
    ),
    ("image: {path: ../card.img, partition: 2}", ImageAddress("/port/../card.img", 2)),
    ("recording: {path: /recordings/plc.json}", RecordingAddress("/recordings/plc.json")),
]


@pytest.mark.parametrize(("written", "address"), EVERYTHING)
def test_every_field_of_an_address_can_be_written(written: str, address: Address) -> None:
    assert one(written).address == address


def test_modbus_keeps_its_own_silence_when_other_timeouts_are_given() -> None:
    address = one("modbus: {host: 10.0.0.3, timeouts: {connect: 1s}}").address
    assert isinstance(address, ModbusTcpAddress)
    assert address.timeouts == Timeouts(connect=1.0, silence=3.0)


def test_interval_window_and_facts() -> None:
    device = one('recording: {path: x}, every: 12h, window: "22:00-05:00", facts: {make: A, country of origin: B}')
    assert device.every == timedelta(hours=12)
    assert device.window == Window(time(22), time(5))
    assert device.facts == {"make": "A", "country of origin": "B"}
    assert device.name == DeviceName("t1", "STS-01", "plc")


LAYERS = """\
defaults: {every: 30d, facts: {make: default, model: default}, ssh: {user: default, port: 1, timeouts: {connect: 1s, login: 1s}}}
groups:
  sts:
    every: 7d
    ssh: {port: 3, jump: {host: 10.9.9.9, user: group}}
    devices:
      plc: {profile: plcnext, ssh: {host: "{address}", port: 4}}
      pc: {profile: linux-crane-pc, ssh: {host: "10.1.{number}.3"}}
      drive: {profile: abb-acs880, modbus: {host: "10.1.{number}.4", unit: "{number}"}}
sites:
  t1:
    facts: {model: site}
    ssh: {port: 2, user: site}
    cranes:
      STS-01: {group: sts, values: {address: 10.1.1.2, number: 1}}
      STS-02:
        group: sts
        facts: {serial: "2"}
        values: {address: 10.1.2.2, number: 2}
        devices:
          plc: {every: null, ssh: {jump: null, timeouts: {login: 5s}}}
          pc: null
          anemometer: {profile: modbus-device, modbus: {host: 10.1.2.9}}
"""


def test_what_is_written_nearest_to_the_device_wins_key_by_key() -> None:
    inventory = read_inventory(LAYERS, "inventory.yaml")
    names = [f"{d.name.crane}/{d.name.device}" for d in inventory.devices]
    assert names == ["STS-01/plc", "STS-01/pc", "STS-01/drive", "STS-02/plc", "STS-02/drive", "STS-02/anemometer"]
    plc, pc, drive, second, second_drive, _ = inventory.devices
    assert isinstance(plc.address, SshAddress)
    assert isinstance(pc.address, SshAddress)
    assert isinstance(second.address, SshAddress)
    assert (plc.address.user, plc.address.port, plc.every) == ("site", 4, timedelta(days=7))
    assert (pc.address.port, pc.address.host) == (3, "10.1.1.3")
    assert plc.address.timeouts == Timeouts(connect=1.0, login=1.0)
    assert plc.facts == {"make": "default", "model": "site"}
    assert plc.address.jump == SshAddress("10.9.9.9", "group")
    assert second.address.jump is None
    assert second.every is None
    assert second.address.timeouts == Timeouts(connect=1.0, login=5.0), "one time is the crane's own, the other the default"
    assert second.facts == {"make": "default", "model": "site", "serial": "2"}
    assert drive.address == ModbusTcpAddress("10.1.1.4", unit=1), "defaults for SSH do not reach a Modbus device"
    assert second_drive.address == ModbusTcpAddress("10.1.2.4", unit=2), "a placeholder alone keeps its number a number"


def test_site_crane_and_device_are_values_too_and_braces_can_be_written() -> None:
    address = one('recording: {path: "{site}/{crane}/{device}-{{x}}.json"}').address
    assert address == RecordingAddress("/port/t1/STS-01/plc-{x}.json")


def test_sister_cranes_may_number_their_networks_alike_behind_their_own_jump_hosts() -> None:
    text = """\
groups:
  sts: {devices: {plc: {profile: plcnext, ssh: {host: 192.168.0.2, user: v, jump: {host: "{hop}", user: v}}}}}
sites: {t1: {cranes: {STS-01: {group: sts, values: {hop: 10.0.0.1}}, STS-02: {group: sts, values: {hop: 10.0.0.2}}}}}
"""
    assert len(read_inventory(text, "inventory.yaml").devices) == 2
    error = refused(text.replace("10.0.0.2", "10.0.0.1"))
    assert "t1/STS-02/plc has the address of t1/STS-01/plc (line 3): 192.168.0.2 port 22 through 10.0.0.1 port 22" in str(error)


def test_two_ways_to_write_one_file_are_one_file() -> None:
    one, two = "one: {profile: p, image: {path: a/card.img}}", "two: {profile: p, image: {path: %s}}"
    text = f"sites: {{t1: {{cranes: {{STS-01: {{devices: {{{one}, {two}}}}}}}}}}}"
    for path in ("a/card.img", "./a/card.img", "a/../a/card.img"):
        assert "t1/STS-01/two has the address of t1/STS-01/one" in str(refused(text % path)), path
    assert len(read_inventory(text % "b/card.img", "inventory.yaml").devices) == 2


def test_an_empty_inventory_is_an_inventory() -> None:
    assert read_inventory("sites: {}", "inventory.yaml") == Inventory(())
    assert read_inventory("sites: {t1: {cranes: {STS-01: {}, STS-02: null}}, t2: null}", "inventory.yaml") == Inventory(())


SSH = "host: 10.0.0.1, user: v"
WRONG_DEVICES = [
    (f"ssh: {{{SSH}, prot: 22}}", "unknown key `prot`", "did you mean `port`?"),
    (f"ssh: {{{SSH}, xyzzy: 22}}", "unknown key `xyzzy`", "known here: host, user, port"),
    (f"profil: x, ssh: {{{SSH}}}", "unknown key `profil`", "did you mean `profile`?"),
    (f'ssh: {{{SSH}, port: "22"}}', 'port must be a whole number, not "22"', "leave the quotes out"),
    (f"ssh: {{{SSH}, port: 70000}}", "port is 70000, which is out of range", "at most 65535"),
    (f"ssh: {{{SSH}, port: 0}}", "port is 0, which is out of range", "at least 1"),
    ("ssh: {host: 10.0.0.1}", "`user` is missing in `ssh` of plc", "add `user: ...`"),
    ("ssh: {user: v}", "`host` is missing in `ssh` of plc", "add `host: ...`"),
    (f"ssh: {{{SSH}, jump: {{user: v}}}}", "`host` is missing in `jump` of plc", "add `host: ...`"),
    ("ssh: 10.0.0.1", 'ssh must hold keys and values, not "10.0.0.1"', "below `ssh:`"),
    ("ssh: {host: 10, user: v}", "host: must be text", "10.1.2.3"),
    ("ssh: {host: verify@10.0.0.1, user: v}", "is not a host name or address", "user have keys of their own"),
    ("ssh: {host: 10.0.0.1:22, user: v}", "is not a host name or address", "port and user"),
    ("ssh: {host: 10.0.0.256, user: v}", "is not a host name or address", "port and user"),
    (f"ssh: {{{SSH}, host_keys: {PIN}}}", "host_keys must be a list", "host_keys: [...]"),
    (f'ssh: {{{SSH}, host_keys: ["{PIN}", "SHA256:short"]}}', "host_keys[2]: not a whole fingerprint", "ssh-keyscan"),
    (f"ssh: {{{SSH}, host_keys: [ssh-ed25519]}}", "not a public key", "ssh-ed25519 AAAA"),
    (f'ssh: {{{SSH}, host_keys: ["{KEY[:-3]}"]}}', "cut or mistyped", "copy the whole line"),
    (f'ssh: {{{SSH}, host_keys: ["ssh-rsa {KEY.split()[1]}"]}}', "type and content differ", "copy the whole line"),
    (f'ssh: {{{SSH}, certificate_authorities: ["{PIN}"]}}', "certificate_authorities[1]: not a public key", "AAAA"),
    (f"ssh: {{{SSH}, legacy: [SSH RSA]}}", "not the name of an algorithm", "diffie-hellman-group14-sha1"),
    (f"ssh: {{{SSH}, timeouts: {{connect: 10}}}}", "connect: must be text", "10s"),
    (f"ssh: {{{SSH}, timeouts: {{connect: 10 s}}}}", "is not a duration", "its unit"),
    (f"ssh: {{{SSH}, timeouts: {{connect: 0s}}}}", "out of range", "more than nothing"),
    (
        f"ssh: {{{SSH}, credentials: [{{}}]}}",
        "one way to log in is wanted, and none of them written",
        "key, agent, password or interactive",
    ),
    (f"ssh: {{{SSH}, credentials: [{{key: k, agent: any}}]}}", "both key and agent", "its own entry"),
    (f"ssh: {{{SSH}, credentials: [{{agent: any, passphrase: prompt}}]}}", "belong to a key", "add `key`"),
    (f"ssh: {{{SSH}, credentials: [{{agent: mine}}]}}", "not a key of the agent", "ssh-add -l"),
    (f"ssh: {{{SSH}, credentials: [{{interactive: []}}]}}", "interactive is empty", "at least one"),
    ("modbus: {host: 10.0.0.1, unit: 256}", "unit is 256", "at most 255"),
    ("modbus: {host: 10.0.0.1, rtu: true, unit: 0}", "unit 0 is broadcast", "1 to 247"),
    ("modbus: {host: 10.0.0.1, rtu: yes please}", 'rtu must be true or false, not "yes please"', "without quotes"),
    ("modbus: {host: 10.0.0.1, tls: {}}", "nothing tells the device from another one", "authority"),
    ("modbus: {host: 10.0.0.1, tls: {pin: abc}}", "not a SHA-256 of a certificate", "openssl x509"),
    ("modbus: {host: 10.0.0.1, tls: {authority: a, key: b}}", "go together", "both, or neither"),
    ("serial: {path: /dev/ttyS0, unit: 248}", "unit is 248", "at most 247"),
    ("serial: {path: /dev/ttyS0, unit: 1, parity: evn}", 'parity cannot be "evn"', "did you mean even?"),
    ("serial: {path: /dev/ttyS0, unit: 1, parity: E}", 'parity cannot be "E"', "write even, odd or none"),
    ('image: {path: ""}', "path: is not a path", "from the inventory's folder"),
    ("image: {path: a, partition: -1}", "partition is -1", "at least 0"),
    (f'window: "22-5", ssh: {{{SSH}}}', "is not a window", "22:00-05:00"),
    (f'window: "22:00-22:00", ssh: {{{SSH}}}', "closes when it opens", "leave `window` out"),
    (f"every: 7, ssh: {{{SSH}}}", "every: must be text", "7d"),
    (f"every: 7 days, ssh: {{{SSH}}}", "is not a duration", "7d"),
    (f"facts: {{serial: 4711}}, ssh: {{{SSH}}}", "serial: must be text", "write it like"),
    (f"facts: {{Make: A}}, ssh: {{{SSH}}}", "cannot be the name of a fact", "small letters"),
    (
        f"ssh: {{{SSH}}}, modbus: {{host: 10.0.0.1}}",
        "plc has ssh and modbus, which are two ways to reach it",
        "`ssh: null` takes one away",
    ),
    ("every: 7d", "plc cannot be reached", "write one of ssh, modbus"),
]


@pytest.mark.parametrize(("device", "message", "hint"), WRONG_DEVICES)
def test_a_wrong_device_is_refused_with_line_and_fix(device: str, message: str, hint: str) -> None:
    error = refused_device(device)
    assert error.line == 6
    assert message in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    "device",
    [
        f"ssh: {{{SSH}, credentials: [{{password: hunter2}}]}}",
        f"ssh: {{{SSH}, credentials: [{{password: 4711}}]}}",
        f'ssh: {{{SSH}, credentials: [{{password: "env:hunter 2"}}]}}',
        f'ssh: {{{SSH}, credentials: [{{password: "prompt:hunter\\u0007"}}]}}',
        f"ssh: {{{SSH}, credentials: [{{key: k, passphrase: hunter2}}]}}",
        f"ssh: {{{SSH}, credentials: [{{interactive: [prompt, hunter2]}}]}}",
        f"ssh: {{{SSH}, credentials: [{{password: [hunter2]}}]}}",
        f"ssh: {{{SSH}, credentials: [{{password: no}}]}}",
        f'ssh: {{{SSH}, credentials: [{{key: "-----BEGIN OPENSSH PRIVATE KEY-----hunter2"}}]}}',
    ],
)
def test_a_literal_secret_is_refused_and_not_repeated(device: str) -> None:
    error = refused_device(device)
    told = str(error) + error.hint
    assert error.line == 6
    assert "hunter" not in told
    assert "4711" not in told
    assert re.search(r"itself may not stand|something other than text", told)


def test_a_literal_secret_among_the_values_of_a_crane_is_not_repeated() -> None:
    text = LAYERS.replace("port: 4}", 'credentials: [{password: "{pw}"}]}').replace("number: 1}", "number: 1, pw: hunter2}")
    error = refused(text)
    assert "a secret itself may not stand in the inventory" in str(error)
    assert "hunter2" not in str(error)


WRONG_FILES = [
    ("", 1, "the file must hold keys and values, not nothing", "examples"),
    ("[]", 1, "must hold keys and values, not a list", "examples"),
    ('"{a}"', 1, "must hold keys and values", "examples"),
    ("defaults: {}", 0, "no `sites`", "sites:"),
    ("site: {}\nsites: {}", 1, "unknown key `site`", "did you mean `sites`?"),
    ("sites:\n  t1: 5", 2, "t1 must hold keys and values, not the number 5", "below `t1:`"),
    ("sites:\n  t1:\n    cranes: '{x}'", 3, "cranes must hold keys and values", "below `cranes:`"),
    ("sites:\n  t 1: {}", 2, '"t 1" cannot be a name', "letters, digits"),
    ("sites:\n  .t1: {}", 2, "cannot be a name", "begin with a letter or digit"),
    ("sites:\n  ../t1: {}", 2, "cannot be a name", "letters, digits"),
    (f"sites:\n  {'a' * 65}: {{}}", 2, "cannot be a name", "at most 64"),
    ("sites:\n  1: {}", 2, "the key 1 is not text", '"1"'),
    ("sites:\n  T1: {}\n  t1: {}", 3, "`t1` differs from `T1` (line 2) only in capitals", "another name"),
    ("sites:\n  t1:\n    cranes:\n      a: {}\n      A: {}", 5, "`A` differs from `a` (line 4)", "another name"),
    ("sites:\n  t1: {}\n  t1: {}", 3, "the key `t1` is written twice, first in line 2", "keep one"),
    (LAYERS.replace("group: sts, ", "group: stz, "), 15, "there is no group `stz`", "did you mean sts?"),
    (LAYERS.replace("address: 10.1.1.2, ", ""), 7, "crane STS-01 gives no value for {address}", "`address: ...`"),
    (LAYERS.replace("number: 1}", "number: 1, nunber: 2}"), 15, "no device of STS-01 uses the value `nunber`", "remove it"),
    (LAYERS.replace("number: 1}", "number: 1, site: x}"), 15, "`site` is given already", "another name"),
    (LAYERS.replace("number: 1}", "number: }"), 15, "the value `number` is empty", "write it"),
    (LAYERS.replace("number: 1}", "number: [1]}"), 15, "number: must be text or a whole number", "quotes"),
    (LAYERS.replace("number: 1}", "number: 300}"), 8, 'host: "10.1.300.3" is not a host name', "unit is 300"),
    (LAYERS.replace("number: 1}", "Number: 1}"), 15, "cannot be the name of a value", "small letters"),
    (LAYERS.replace("pc: null", "pcc: null"), 22, "STS-02 takes away pcc, which its group does not have", "did you mean pc?"),
    (LAYERS.replace("port: 4}", 'known_hosts: "{address"}'), 7, "a lone { in a text", "{{"),
    (LAYERS.replace("anemometer:", "PLC:"), 23, "`PLC` differs from `plc`", "another name"),
    (LAYERS.replace("{profile: modbus-device, ", "{"), 23, "`profile` is missing for anemometer", "add `profile: ...`"),
    (LAYERS.replace("10.1.2.9}", "10.1.2.4, unit: 2}"), 23, "t1/STS-02/anemometer has the address of t1/STS-02/drive", "once"),
    (LAYERS.replace("number: 2}", "number: 1}"), 16, "t1/STS-02/drive has the address of t1/STS-01/drive (line 15)", "once"),
    (LAYERS.replace("every: 30d", "evry: 30d"), 1, "unknown key `evry`", "did you mean `every`?"),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), WRONG_FILES)
def test_a_wrong_file_is_refused_with_line_and_fix(text: str, line: int, message: str, hint: str) -> None:
    error = refused(text)
    assert message in str(error)
    assert error.line == line, str(error)
    assert hint in error.hint or hint in str(error)


def test_an_unused_group_is_checked_too() -> None:
    error = refused("groups:\n  g:\n    devices:\n      plc: {profile: x, ssh: {hots: a}}\nsites: {}")
    assert (error.line, error.hint) == (4, "did you mean `host`?")


def test_a_fault_in_a_group_is_told_once_however_many_cranes_have_it() -> None:
    group = "groups:\n  sts: {devices: {plc: {profile: plcnext, ssh: {host: '10.0.0.{number}'}}}}\n"
    cranes = ", ".join(f"STS-{n}: {{group: sts, values: {{number: {n}}}}}" for n in range(1, 9))
    error = refused(f"{group}sites: {{t1: {{cranes: {{{cranes}}}}}}}")
    assert str(error) == "inventory.yaml:2: `user` is missing in `ssh` of plc"


def test_all_faults_of_a_file_come_in_one_error() -> None:
    text = LAYERS.replace("every: 30d", "evry: 30d").replace("every: 7d", "every: 7").replace("pc: null", "pc: {ssh: {prot: 1}}")
    told = str(refused(text)).splitlines()
    assert [line.split()[0] for line in told] == ["inventory.yaml:1:", "inventory.yaml:4:", "inventory.yaml:22:"]


@given(st.text(max_size=200))
def test_any_text_is_an_inventory_or_refused(text: str) -> None:
    try:
        assert isinstance(read_inventory(text, "inventory.yaml"), Inventory)
    except SettingsError:
        pass


WORDS = sorted(set(re.findall(r"[A-Za-z0-9_.{}\"-]+", example_inventory())))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_an_inventory_with_words_exchanged_loads_or_is_refused(data: st.DataObject) -> None:
    lines = [line for line in LAYERS.splitlines() if not line.lstrip().startswith("#")]
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(lines) - 1))
        pieces = re.split(r"([A-Za-z0-9_.{}\"-]+)", lines[number])
        at = data.draw(st.integers(0, len(pieces) - 1))
        pieces[at] = data.draw(st.sampled_from([*WORDS, "", "{}", "[]", "null", ": ", "0", "{site}"]))
        lines[number] = "".join(pieces)
    try:
        for device in read_inventory("\n".join(lines), "inventory.yaml").devices:
            assert device.profile
    except SettingsError as error:
        assert str(error).startswith("inventory.yaml")


def port(*names: str) -> Inventory:
    devices = (Device(DeviceName(*name.split("/")), RecordingAddress("x"), "p") for name in names)
    return Inventory(tuple(devices))


PORT = port("t1/STS-01/plc", "t1/STS-01/drive", "t1/STS-02/plc", "t2/STS-01/plc", "t2/RTG-01/gateway", "t2/RTG-01/RTG-01")


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ([], [0, 1, 2, 3, 4, 5]),
        (["t1"], [0, 1, 2]),
        (["STS-02"], [2]),
        (["drive"], [1]),
        (["STS-02/plc"], [2]),
        (["t1/STS-01"], [0, 1]),
        (["t2/STS-01/plc"], [3]),
        (["gateway", "t1"], [0, 1, 2, 4]),
        (["drive", "STS-02", "drive"], [1, 2]),
        (["t2/"], [3, 4, 5]),
        (["RTG-01/RTG-01"], [5]),
    ],
)
def test_words_pick_devices_in_the_order_of_the_file(words: list[str], numbers: list[int]) -> None:
    assert PORT.select(words) == tuple(PORT.devices[n] for n in numbers)


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("plc", "'plc' names 3 things: t1/STS-01/plc, t1/STS-02/plc, t2/STS-01/plc", "like t1/STS-01/plc"),
        ("STS-01", "'STS-01' names 2 things: t1/STS-01, t2/STS-01", "like t1/STS-01"),
        ("STS-01/plc", "names 2 things: t1/STS-01/plc, t2/STS-01/plc", "like t1/STS-01/plc"),
        ("RTG-01", "names 2 things: t2/RTG-01, t2/RTG-01/RTG-01", "like t2/RTG-01"),
        ("STS-03", "no site, crane or device is called 'STS-03'", "STS-0"),
        ("gatway", "no site, crane or device is called 'gatway'", "did you mean gateway"),
        ("sts-02", "no site, crane or device is called 'sts-02'", "STS-02"),
        ("xyzzy", "no site, crane or device is called 'xyzzy'", "crane-verify devices"),
        ("", "no site, crane or device is called ''", "crane-verify devices"),
        ("t1/STS-01/plc/x", "no site, crane or device", "t1/STS-01/plc"),
    ],
)
def test_a_word_for_nothing_or_for_several_things_is_refused(word: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        PORT.select([word])
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_an_empty_inventory_says_so() -> None:
    with pytest.raises(UsageError) as caught:
        Inventory(()).select(["STS-01"])
    assert caught.value.hint == "the inventory holds no device yet"
    assert Inventory(()).select([]) == ()


@given(
    st.lists(st.builds("/".join, st.tuples(*[st.sampled_from("abc")] * 3)), unique=True),
    st.lists(st.sampled_from("abc"), max_size=2),
)
def test_a_whole_address_always_names_its_device_and_a_selection_keeps_the_order(names: list[str], words: list[str]) -> None:
    inventory = port(*names)
    for device in inventory.devices:
        assert inventory.select([str(device.name)]) == (device,)
    try:
        chosen = inventory.select(words)
    except UsageError:
        return
    assert list(chosen) == [d for d in inventory.devices if d in chosen]
