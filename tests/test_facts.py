"""Topics of a running system: which sources answer them, and what is said when they do not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from tests.fakes import FakeLinux, FakeRoute, Script, fingerprint, key_line
from verifier.collect.asking import Asking, Outcome
from verifier.collect.facts import TOPICS, facts
from verifier.errors import BadReply, OverBound
from verifier.model.profile import Bounds, Facts, Item, Pace, TextRules, Topic
from verifier.model.snapshot import WHOLE_ITEM, FactValue, NotAsked, Reading, Unread
from verifier.model.words import Criticality, Evidence, FileType, Kind, Reason
from verifier.transport.answer import FileEntry, NotRead
from verifier.transport.request import Command, ReadFile, ReadTree, Request, Run


def asked(topic: Topic, device: Callable[[Request], Script], **more: object) -> Outcome:
    """One topic asked of a device we play. `more` goes to the route, but `item` to the item."""
    changes = more.pop("item", {})
    assert isinstance(changes, dict)
    item = Item(topic.value, Kind.NETWORK, Facts(topic), Criticality.NORMAL, **changes)
    route = FakeRoute(device, **more)  # type: ignore[arg-type] # each test gives fields of the right type
    asking = Asking(route, item, Pace(), lambda data: hashlib.sha256(data).hexdigest(), 1, lambda: None)
    return facts(asking, Facts(topic))


def texts(outcome: Outcome) -> dict[str, str]:
    """Members with their text; of what is unread its reason in angle brackets."""
    assert not isinstance(outcome, NotAsked), outcome
    found = {}
    for reading in outcome:
        match reading.value:
            case FactValue(text):
                found[reading.member] = text
            case Unread(reason, _, below):
                found[reading.member] = f"<{reason.value}{', below' if below else ''}>"
            case other:
                raise AssertionError(other)
    return found


def only(outcome: Outcome) -> Reading:
    assert not isinstance(outcome, NotAsked)
    (reading,) = outcome
    return reading


def test_every_topic_has_its_sources() -> None:
    assert set(TOPICS) == set(Topic)


DEBIAN = {
    b"/proc/version": b"Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org) #1 SMP\n",
    b"/proc/sys/kernel/hostname": b"crane-pc\n",
    b"/etc/os-release": b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\n',
    b"/proc/cmdline": b"root=/dev/sda1 ro quiet\n",
    b"/sys/class/dmi/id/product_name": b"Box PC 627E\n",
    b"/etc/passwd": b"root:x:0:0:root:/root:/bin/bash\nservice:x:1000:1000::/home/service:/bin/sh\n",
}
BUSYBOX = {
    b"/proc/version": b"Linux version 5.15.130-rt (gcc 11) #1 SMP PREEMPT_RT\n",
    b"/etc/hostname": b"plc\n",
    b"/proc/device-tree/model": b"WAGO PFC200\0",
    b"/proc/net/dev": b"Inter-| Receive\n face |bytes\n    lo: 1 2\n  eth0: 3 4\n wwan0: 5 6\n",
}


def test_the_system_of_a_debian_pc() -> None:
    found = texts(asked(Topic.SYSTEM, FakeLinux(DEBIAN)))
    assert found == {
        "kernel": "Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org) #1 SMP",
        "hostname": "crane-pc",
        "os-release/PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)",
        "os-release/VERSION_ID": "12",
        "command line": "root=/dev/sda1 ro quiet",
        "dmi/product_name": "Box PC 627E",
    }


def test_the_system_of_a_busybox_controller() -> None:
    found = texts(asked(Topic.SYSTEM, FakeLinux(BUSYBOX)))
    assert found["hostname"] == "plc"
    assert found["device-tree/model"] == "WAGO PFC200"


def test_evidence_says_whether_bytes_were_read_or_the_kernel_spoke() -> None:
    outcome = asked(Topic.SYSTEM, FakeLinux(DEBIAN))
    assert not isinstance(outcome, NotAsked)
    found = {reading.member: reading.evidence for reading in outcome}
    assert found["kernel"] is Evidence.CLAIMED
    assert found["os-release/VERSION_ID"] is Evidence.CONTENT


@pytest.mark.parametrize("topic", Topic)
def test_a_device_that_has_none_of_the_sources_is_unread_not_empty(topic: Topic) -> None:
    outcome = asked(topic, FakeLinux({}))
    if topic is Topic.SCHEDULE:  # no crontab in a tree that was read is an answer
        assert outcome == ()
        return
    reading = only(outcome)
    assert reading.member == WHOLE_ITEM
    assert isinstance(reading.value, Unread)
    assert reading.value.reason is Reason.UNSUPPORTED


@pytest.mark.parametrize("topic", [t for t in Topic if t not in (Topic.SCHEDULE, Topic.AUTHORIZED_KEYS)])
def test_a_route_that_can_ask_nothing_of_it_says_so(topic: Topic) -> None:
    outcome = asked(topic, FakeLinux({}), cannot=lambda _: "this is a Modbus line")
    assert outcome == NotAsked(topic.value, "this is a Modbus line")


@pytest.mark.parametrize("topic", [Topic.INTERFACES, Topic.ROUTES, Topic.LISTENERS, Topic.MODULES, Topic.MOUNTS, Topic.USB])
def test_a_card_in_a_reader_has_no_running_system(topic: Topic) -> None:
    stale = {b"/proc/net/dev": b" eth0: 1\n", b"/proc/modules": b"", b"/proc/net/route": b"Iface\n", b"/proc/mounts": b""}
    outcome = asked(topic, FakeLinux(stale), evidence=Evidence.OFFLINE_MEDIA)
    assert isinstance(outcome, NotAsked)
    assert "off" in outcome.why


def test_users_of_a_card_are_offline_evidence() -> None:
    outcome = asked(Topic.USERS, FakeLinux(DEBIAN), evidence=Evidence.OFFLINE_MEDIA)
    assert not isinstance(outcome, NotAsked)
    assert {reading.evidence for reading in outcome} == {Evidence.OFFLINE_MEDIA}


def test_without_commands_interfaces_are_told_by_name() -> None:
    no_shell = asked(Topic.INTERFACES, FakeLinux(BUSYBOX), cannot=lambda r: "no shell" if isinstance(r, Run) else "")
    assert texts(no_shell) == {"lo": "present", "eth0": "present", "wwan0": "present"}


@pytest.mark.parametrize("status", [1, 2, 255])
def test_a_command_that_fails_is_unread_and_nothing_stands_in_for_it(status: int) -> None:
    reading = only(asked(Topic.INTERFACES, FakeLinux(BUSYBOX, {Command.LIST_INTERFACES: status})))
    assert isinstance(reading.value, Unread)
    assert reading.member == WHOLE_ITEM
    assert f"exit status {status}" in reading.value.detail


SERIAL_PORTS = b'usbserinfo:1.0 driver:2.0\n0: module:option name:"GSM modem" vendor:2c7c path:usb-1\n'


def test_a_modem_shows_in_interfaces_nodes_and_serial_ports() -> None:
    device = FakeLinux(
        {**BUSYBOX, b"/proc/tty/driver/usbserial": SERIAL_PORTS},
        {Command.LIST_MODEM_NODES: b"/dev/ttyUSB0\n/dev/cdc-wdm0\n"},
    )
    assert texts(asked(Topic.MODEMS, device)) == {
        "interface/wwan0": "present",
        "node/dev/ttyUSB0": "present",
        "node/dev/cdc-wdm0": "present",
        "usbserial/ttyUSB0": 'module:option name:"GSM modem" vendor:2c7c',
    }


def test_a_source_that_may_not_be_read_leaves_its_members_unread() -> None:
    device = FakeLinux({**BUSYBOX, b"/proc/tty/driver/usbserial": Reason.DENIED}, {Command.LIST_MODEM_NODES: b""})
    assert texts(asked(Topic.MODEMS, device)) == {"interface/wwan0": "present", "usbserial": "<permission denied, below>"}


def test_a_source_that_fails_is_not_replaced_by_one_that_words_things_differently() -> None:
    device = FakeLinux(BUSYBOX, {Command.LIST_MODEM_NODES: b"/dev/ttyUSB0\n", Command.LIST_INTERFACES: 1})
    assert texts(asked(Topic.MODEMS, device)) == {"interface": "<refused by the device, below>", "node/dev/ttyUSB0": "present"}


@pytest.mark.parametrize("protocol", [b"tcp", b"tcp6", b"udp", b"udp6"])
def test_one_kind_of_listener_that_cannot_be_read_leaves_all_of_them_unread(protocol: bytes) -> None:
    row = b"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
    files = {b"/proc/net/" + name: row for name in (b"tcp", b"tcp6", b"udp", b"udp6")}
    reading = only(asked(Topic.LISTENERS, FakeLinux({**files, b"/proc/net/" + protocol: Reason.DENIED})))
    assert (reading.member, type(reading.value)) == (WHOLE_ITEM, Unread)


KEYS = b"/home/service/.ssh/authorized_keys"
ROOT_KEYS = b"/root/.ssh/authorized_keys"


def test_a_kernel_that_cannot_load_modules_says_so() -> None:
    assert texts(asked(Topic.MODULES, FakeLinux(BUSYBOX))) == {"none": "the kernel cannot load modules"}
    loaded = FakeLinux({**BUSYBOX, b"/proc/modules": b"can 28672 1 can_raw, Live 0x0\n"})
    assert texts(asked(Topic.MODULES, loaded)) == {"can": "loaded"}


def test_keys_of_all_users() -> None:
    device = FakeLinux({**DEBIAN, KEYS: key_line(b"one").encode(), ROOT_KEYS: key_line(b"two").encode()})
    found = texts(asked(Topic.AUTHORIZED_KEYS, device))
    assert set(found) == {f"service/{fingerprint(b'one')}", f"root/{fingerprint(b'two')}"}


def test_keys_where_sshd_was_told_to_look() -> None:
    config = b'Match Group x\n  AuthorizedKeysFile .ssh/authorized_keys /etc/keys/%u.pub "none"\n'
    device = FakeLinux({**DEBIAN, b"/etc/ssh/sshd_config": config, b"/etc/keys/root.pub": key_line(b"hidden").encode()})
    assert set(texts(asked(Topic.AUTHORIZED_KEYS, device))) == {f"root/{fingerprint(b'hidden')}"}


def link_to(path: bytes, target: bytes) -> FileEntry:
    return FileEntry(path, FileType.SYMLINK, 0o777, 0, 0, 0, 0, target)


@pytest.mark.parametrize("target", [b"/tmp/k", b"../../tmp/k", b"//tmp/./k", b"/tmp/further"])
def test_a_linked_key_file_is_told_and_followed(target: bytes) -> None:
    links = (link_to(ROOT_KEYS, target), link_to(b"/tmp/further", b"k"))
    files = {**DEBIAN, b"/tmp/k": key_line(b"k").encode()}
    found = texts(asked(Topic.AUTHORIZED_KEYS, FakeLinux(files, entries=links)))
    assert found == {
        "root/link /root/.ssh/authorized_keys": f"link={target.decode()}",
        f"root/{fingerprint(b'k')}": "type=ssh-ed25519 file=/root/.ssh/authorized_keys comment=me@desk",
    }


def test_what_a_users_link_leads_to_is_never_opened_by_name() -> None:
    """A user may lay his file of keys as a link to /dev/watchdog: who opens that starts it, and it restarts the controller."""
    asked_for: list[Request] = []

    def device(request: Request) -> Script:
        asked_for.append(request)
        node = FileEntry(b"/dev/watchdog", FileType.CHARACTER, 0o600, 0, 0, 10 << 20 | 130, 0)
        return FakeLinux(DEBIAN, entries=(link_to(KEYS, b"/dev/watchdog"), node))(request)

    found = texts(asked(Topic.AUTHORIZED_KEYS, device))
    assert found["service/link " + KEYS.decode()] == "link=/dev/watchdog"
    assert found[KEYS.decode()] == "not understood: no file of keys"
    assert [each.path for each in asked_for if isinstance(each, ReadFile)] == [b"/etc/passwd"]


def test_links_in_a_circle_end() -> None:
    found = texts(asked(Topic.AUTHORIZED_KEYS, FakeLinux(DEBIAN, entries=(link_to(ROOT_KEYS, ROOT_KEYS),))))
    assert found["root"] == "<cannot be asked over this route, below>"


@pytest.mark.parametrize("home", [b"/root/../root", b"/root\0", b"/" + b"a" * 5000])
def test_a_home_that_cannot_be_asked_for_leaves_its_user_unread(home: bytes) -> None:
    passwd = b"root:x:0:0:root:" + home + b":/bin/bash\nservice:x:1000:1000::/home//./service/:/bin/sh\n"
    device = FakeLinux({**DEBIAN, b"/etc/passwd": passwd, KEYS: key_line(b"one").encode()})
    assert texts(asked(Topic.AUTHORIZED_KEYS, device)) == {
        "root": "<cannot be asked over this route, below>",
        f"service/{fingerprint(b'one')}": f"type=ssh-ed25519 file={KEYS.decode()} comment=me@desk",
    }


def test_a_folder_named_as_a_file_of_keys_is_not_read_through() -> None:
    bounds: list[Bounds] = []

    def device(request: Request) -> Script:
        if isinstance(request, ReadTree) and b"/" in request.roots:
            bounds.append(request.bounds)
        return FakeLinux({**DEBIAN, b"/etc/ssh/sshd_config": b"AuthorizedKeysFile /\n"})(request)

    asked(Topic.AUTHORIZED_KEYS, device)
    assert bounds and all(each.members <= 10_000 and each.bytes <= 200 << 20 for each in bounds)


def test_keys_that_may_not_be_read_leave_their_user_unread_and_no_other() -> None:
    device = FakeLinux({**DEBIAN, ROOT_KEYS: Reason.DENIED, KEYS: key_line(b"one").encode()})
    found = texts(asked(Topic.AUTHORIZED_KEYS, device))
    assert found["root"] == "<permission denied, below>"
    assert f"service/{fingerprint(b'one')}" in found


def test_keys_in_a_file_too_long_are_unread() -> None:
    long = FileEntry(ROOT_KEYS, FileType.REGULAR, 0o600, 0, 0, 9 << 20, 0, sha256="0" * 64)
    found = texts(asked(Topic.AUTHORIZED_KEYS, FakeLinux(DEBIAN, entries=(long,))))
    assert found == {"root": "<over the profile's bound, below>"}


def test_schedules_of_files_and_timers() -> None:
    device = FakeLinux(
        {
            b"/etc/cron.d/backup": b"0 3 * * * root /usr/bin/backup\n",
            b"/var/spool/cron/crontabs/root": b"@reboot /tmp/.x\n",
            b"/etc/cron.daily/rotate": b"#!/bin/sh\n",
            b"/etc/systemd/system/evil.timer": b"[Timer]\nOnBootSec=1\n",
            b"/etc/systemd/system/ssh.service": b"[Service]\n",
            b"/etc/crontab": Reason.DENIED,
        },
        {Command.SYSTEM_TIMERS: b"apt-daily.timer enabled enabled\nold.timer static -\nolder.timer static\n"},
    )
    digest = hashlib.sha256(b"[Timer]\nOnBootSec=1\n").hexdigest()
    found = texts(asked(Topic.SCHEDULE, device))
    assert found.pop("/etc/cron.daily/rotate").startswith("mode=0644 owner=0 sha256=")
    assert found == {
        "/etc/cron.d/backup/0 3 * * *": "root /usr/bin/backup",
        "/var/spool/cron/crontabs/root/@reboot": "/tmp/.x",
        "/etc/systemd/system/evil.timer": f"mode=0644 owner=0 sha256={digest}",
        "/etc/crontab": "<permission denied, below>",
        "timer/apt-daily.timer": "state=enabled preset=enabled",
        "timer/old.timer": "state=static",
        "timer/older.timer": "state=static",
    }


def test_listeners_over_all_protocols() -> None:
    row = b"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
    udp = row.replace(b" 0A ", b" 07 ").replace(b":0016", b":A000")
    found = texts(asked(Topic.LISTENERS, FakeLinux({b"/proc/net/tcp": row * 2, b"/proc/net/udp": udp})))
    assert found == {"tcp 0.0.0.0:22": "uid=0", "tcp 0.0.0.0:22 (2)": "uid=0", "udp ephemeral 0.0.0.0:40960": "uid=0"}


def test_packages_carry_their_version_so_that_a_downgrade_is_named() -> None:
    status = b"Package: openssl\nStatus: install ok installed\nArchitecture: armhf\nVersion: 3.0.15\n\n"
    reading = only(asked(Topic.PACKAGES, FakeLinux({b"/usr/lib/opkg/status": status})))
    assert reading.member == "openssl:armhf"
    assert reading.value == FactValue("3.0.15", "3.0.15")


def test_the_version_of_a_moxa_is_found_by_the_profiles_pattern() -> None:
    device = FakeLinux({}, {Command.MOXA_VERSION: b"UC-8112A-ME-T-LX version 1.4 Build 21012817\n"})
    reading = only(asked(Topic.MOXA_VERSION, device, item={"version": r"version (\S+)"}))
    assert reading.value == FactValue("UC-8112A-ME-T-LX version 1.4 Build 21012817", "1.4")


def test_names_a_device_chose_are_harmless_and_unique() -> None:
    device = FakeLinux(
        {b"/etc/passwd": b"*:x:0:0::/:/bin/sh\n\x1b[2J:x:0:0::/:\na:x:0:0::/:\na:x:0:0::/:\na (2):x:0:0::/:\n:x:1:1::/:\n"}
    )
    found = texts(asked(Topic.USERS, device))
    assert len(found) == 6
    assert WHOLE_ITEM not in found
    assert all(member.isprintable() for member in found)
    assert {"\\x2a", "\\x1b[2J", "a", "a (2)", "(no name)"} < set(found)


def test_a_long_line_is_cut_but_no_change_in_it_is_lost() -> None:
    one, other = (only(asked(Topic.SYSTEM, FakeLinux({b"/proc/version": b"x" * 5000 + end}))).value for end in (b"a", b"b"))
    assert isinstance(one, FactValue)
    assert len(one.text) < 2200
    assert one != other


def test_too_many_lines_are_over_the_bound() -> None:
    device = FakeLinux({b"/etc/group": b"".join(b"g%d:x:1:\n" % n for n in range(11))})
    with pytest.raises(OverBound, match="more than 10"):
        asked(Topic.GROUPS, device, item={"bounds": Bounds(members=10)})


def test_secrets_in_facts_are_redacted_by_the_profile_and_their_change_still_shows() -> None:
    rules = TextRules(("environment/**",), redact=(r"key=(\w+)",))
    one, other = (
        texts(asked(Topic.BOOT_SLOTS, FakeLinux({}, {Command.BOOT_ENVIRONMENT: b"bootargs=key=" + key}), item={"text": rules}))
        for key in (b"hunter2", b"hunter3")
    )
    assert "hunter" not in str(one) + str(other)
    assert one != other
    assert one["environment/bootargs"].startswith("key=[redacted] sha256:")


def test_an_answer_about_another_path_is_no_answer() -> None:
    def lying(request: Request) -> Script:
        return [NotRead(b"/etc/shadow", Reason.DENIED)]

    with pytest.raises(BadReply, match="not asked for"):
        asked(Topic.SCHEDULE, lying)
