"""Who a device must prove to be: pins, known_hosts files and certificates, with ssh-keygen as the oracle."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.sshd import make_key
from verifier.errors import BadReply, IdentityChanged, IdentityUnknown, UsageError
from verifier.model.device import SshAddress
from verifier.transport.ssh import algorithms, hostkeys
from verifier.transport.ssh.certificate import Certificate
from verifier.transport.ssh.hostkeys import Pins, fingerprint, judge, known, pins_of, public_key

HOST = "plc.crane.example"
NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def lines(folder: Path) -> dict[str, str]:
    """Public key lines by a name of ours."""
    kinds = {"one": "ed25519", "two": "ed25519", "rsa": "rsa", "ec": "ecdsa", "authority": "ed25519", "rsa-authority": "rsa"}
    return {name: make_key(folder / name, kind).with_suffix(".pub").read_text().strip() for name, kind in kinds.items()}


def certificate(folder: Path, key: str, authority: str, *options: str) -> bytes:
    """A certificate over `key`, as the authority's ssh-keygen makes it."""
    subprocess.run(
        ["ssh-keygen", "-q", "-s", folder / authority, "-I", "test", *options, folder / f"{key}.pub"],
        check=True,
        capture_output=True,
    )
    words = (folder / f"{key}-cert.pub").read_text().split()
    return hostkeys.decoded(words[1])


def test_the_fingerprint_is_the_one_ssh_keygen_prints(folder: Path, lines: dict[str, str]) -> None:
    for name in ("one", "rsa", "ec"):
        said = subprocess.run(["ssh-keygen", "-lf", folder / f"{name}.pub"], check=True, capture_output=True, text=True).stdout
        assert fingerprint(public_key(lines[name])) == said.split()[1]


def test_pins_are_fingerprints_or_public_keys(lines: dict[str, str]) -> None:
    one, two = public_key(lines["one"]), public_key(lines["two"])
    pins = pins_of(SshAddress(HOST, "u", host_keys=(lines["one"], fingerprint(two) + "=")))
    for key in (one, two):
        judge(pins, HOST, key, NOW)
    with pytest.raises(IdentityChanged) as caught:
        judge(pins, HOST, public_key(lines["rsa"]), NOW)
    for shown in (fingerprint(one), fingerprint(two), fingerprint(public_key(lines["rsa"]))):
        assert shown in str(caught.value), "pinned and presented fingerprints are told"
    assert caught.value.exit_code == 3


def test_without_a_pin_the_error_says_what_to_write(lines: dict[str, str]) -> None:
    key = public_key(lines["one"])
    with pytest.raises(IdentityUnknown) as caught:
        judge(Pins(), HOST, key, NOW)
    assert fingerprint(key) in str(caught.value)
    assert f'host_keys: ["{fingerprint(key)}"]' in caught.value.hint
    assert caught.value.presented == f"ssh-ed25519 {fingerprint(key)}"


@pytest.mark.parametrize(
    "pin", ["SHA256:short", "MD5:aa:bb", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3M=", "ssh-ed25519", "", "x"]
)
def test_a_pin_that_is_none_is_refused(pin: str) -> None:
    with pytest.raises(UsageError):
        pins_of(SshAddress(HOST, "u", host_keys=(pin,)))


def test_a_pin_whose_name_and_key_differ_is_refused(lines: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        public_key("ssh-rsa " + lines["one"].split()[1])


@pytest.mark.parametrize(
    ("pattern", "host", "port", "hit"),
    [
        (HOST, HOST, 22, True),
        (HOST.upper(), HOST, 22, True),
        (HOST, HOST.upper(), 22, True),
        (HOST, HOST, 2222, False),
        (f"[{HOST}]:2222", HOST, 2222, True),
        (f"[{HOST}]:2222", HOST, 22, False),
        ("*.crane.example", HOST, 22, True),
        ("plc?crane.example", HOST, 22, True),
        ("*.crane.example,!plc.crane.example", HOST, 22, False),
        ("!plc.crane.example,*.crane.example", HOST, 22, False),
        ("other,10.0.0.1," + HOST, HOST, 22, True),
        ("plc", HOST, 22, False),
        ("crane.example", HOST, 22, False),
        ("[plc.crane.example", HOST, 22, False),
    ],
)
def test_names_of_known_hosts(lines: dict[str, str], pattern: str, host: str, port: int, hit: bool) -> None:
    assert bool(known(f"{pattern} {lines['one']}\n".encode(), host, port).keys) is hit


@pytest.mark.parametrize(("host", "port"), [(HOST, 22), (HOST, 2222), ("10.1.2.3", 22), ("fe80::1", 22)])
def test_hashed_names_match_as_ssh_keygen_hashes_them(folder: Path, lines: dict[str, str], host: str, port: int) -> None:
    name = host if port == 22 else f"[{host}]:{port}"
    path = folder / f"known-{port}-{host.replace(':', '_')}"
    path.write_text(f"{name} {lines['one']}\nother {lines['two']}\n")
    subprocess.run(["ssh-keygen", "-H", "-f", path], check=True, capture_output=True)
    assert path.read_bytes().startswith(b"|1|")
    assert known(path.read_bytes(), host, port).keys == {public_key(lines["one"])}
    assert not known(path.read_bytes(), host + "x", port).any


def test_markers_of_known_hosts(lines: dict[str, str]) -> None:
    text = (
        "# a comment\n\n"
        f"@cert-authority *.crane.example {lines['authority']} the port's\n"
        f"@revoked * {lines['two']}\n"
        f"{HOST} {lines['one']}\n"
        "@unknown-marker * ssh-ed25519 AAAA\n"
        "nonsense\n"
        f"{HOST} ssh-ed25519 not-base64!\n"
    )
    pins = known(text.encode(), HOST, 22)
    assert pins == Pins(
        frozenset({public_key(lines["one"])}),
        frozenset(),
        frozenset({public_key(lines["authority"])}),
        frozenset({public_key(lines["two"])}),
    )


def test_a_revoked_key_is_refused_even_when_it_is_pinned(lines: dict[str, str]) -> None:
    address = SshAddress(HOST, "u", host_keys=(lines["two"],))
    pins = pins_of(address, f"@revoked * {lines['two']}\n".encode())
    with pytest.raises(IdentityChanged, match="revoked"):
        judge(pins, HOST, public_key(lines["two"]), NOW)


def test_a_revocation_that_cannot_be_read_stops_everything() -> None:
    with pytest.raises(UsageError, match="line 2"):
        known(b"\n@revoked * ssh-ed25519 !!!\n", HOST, 22)


@given(st.binary(max_size=400))
def test_no_known_hosts_file_crashes(data: bytes) -> None:
    try:
        known(data, HOST, 22)
    except UsageError:
        assert b"@revoked" in data


def test_a_host_certificate_is_accepted_for_its_host_and_time(folder: Path, lines: dict[str, str]) -> None:
    pins = pins_of(SshAddress(HOST, "u", certificate_authorities=(lines["authority"],)))
    for key in ("one", "rsa", "ec"):
        good = certificate(folder, key, "authority", "-h", "-n", f"{HOST},other", "-V", "20200101:20400101")
        judge(pins, HOST, good, NOW)
        judge(pins, "other", good, NOW)
        assert "certificate" in hostkeys.described(good)
        assert fingerprint(public_key(lines[key])) in hostkeys.described(good)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("-n", HOST), "for a user"),
        (("-h", "-n", "another"), "issued for another"),
        (("-h",), "no host at all"),
        (("-h", "-n", HOST, "-V", "20200101:20210101"), "expired on 202"),
        (("-h", "-n", HOST, "-V", "20400101:20410101"), "valid only from"),
    ],
)
def test_a_certificate_that_does_not_hold_says_why(
    folder: Path, lines: dict[str, str], options: tuple[str, ...], says: str
) -> None:
    pins = pins_of(SshAddress(HOST, "u", certificate_authorities=(lines["authority"],)))
    with pytest.raises(IdentityChanged, match=says):
        judge(pins, HOST, certificate(folder, "one", "authority", *options), NOW)


def test_a_certificate_of_another_authority_or_revoked_is_refused(folder: Path, lines: dict[str, str]) -> None:
    good = certificate(folder, "one", "authority", "-h", "-n", HOST)
    pins = pins_of(SshAddress(HOST, "u", certificate_authorities=(lines["two"],)))
    with pytest.raises(IdentityChanged, match="no pinned authority"):
        judge(pins, HOST, good, NOW)
    for revoked in ("authority", "one"):
        pins = Pins(authorities=frozenset({public_key(lines["authority"])}), revoked=frozenset({public_key(lines[revoked])}))
        with pytest.raises(IdentityChanged):
            judge(pins, HOST, good, NOW)


def test_an_authority_that_signs_with_sha1_is_refused(folder: Path, lines: dict[str, str]) -> None:
    pins = pins_of(SshAddress(HOST, "u", certificate_authorities=(lines["rsa-authority"],)))
    judge(pins, HOST, certificate(folder, "one", "rsa-authority", "-h", "-n", HOST, "-t", "rsa-sha2-512"), NOW)
    old = certificate(folder, "one", "rsa-authority", "-h", "-n", HOST, "-t", "ssh-rsa")
    with pytest.raises(IdentityChanged, match="'ssh-rsa'"):
        judge(pins, HOST, old, NOW)


def test_the_pinned_key_inside_a_certificate_of_a_stranger_is_still_the_pinned_key(folder: Path, lines: dict[str, str]) -> None:
    judge(pins_of(SshAddress(HOST, "u", host_keys=(lines["one"],))), HOST, certificate(folder, "one", "authority", "-h"), NOW)


def test_any_flipped_bit_of_a_certificate_is_refused(folder: Path, lines: dict[str, str]) -> None:
    pins = pins_of(SshAddress(HOST, "u", certificate_authorities=(lines["authority"],)))
    good = certificate(folder, "one", "authority", "-h", "-n", HOST)
    judge(pins, HOST, good, NOW)
    for at in range(len(good)):
        for bit in (1, 128):
            bad = bytearray(good)
            bad[at] ^= bit
            with pytest.raises((IdentityChanged, BadReply)):
                judge(pins, HOST, bytes(bad), NOW)


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_certificate_parser(data: bytes) -> None:
    head = b"ssh-ed25519-cert-v01@openssh.com"
    for whole in (data, len(head).to_bytes(4, "big") + head + data):
        with pytest.raises(BadReply):
            Certificate.parse(whole)


def test_pinned_types_are_asked_for_first(lines: dict[str, str]) -> None:
    mine = algorithms.ours(()).host_keys
    pins = pins_of(SshAddress(HOST, "u", host_keys=(lines["rsa"], lines["ec"])))
    assert pins.order(mine)[:3] == ("ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    assert set(pins.order(mine)) == set(mine)
    assert not any("cert" in name for name in pins.order(mine))
    with_authority = replace(pins, authorities=frozenset({public_key(lines["authority"])}))
    assert with_authority.order(mine)[0] == "ssh-ed25519-cert-v01@openssh.com"


def test_judging_is_quick(lines: dict[str, str]) -> None:
    text = "".join(f"host{number} {lines['one']}\n" for number in range(2000)).encode()
    began = time.perf_counter()
    known(text, HOST, 22)
    assert time.perf_counter() - began < 1
