"""Who a device must prove to be: pinned host keys, known_hosts files, host certificates. Pure; nothing is read or sent here.

Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

from verifier.errors import IdentityChanged, IdentityUnknown, UsageError
from verifier.model.device import SshAddress
from verifier.transport.ssh.algorithms import CERTIFICATE, family
from verifier.transport.ssh.certificate import KEY_STRINGS, Certificate, key_type


@dataclass(frozen=True, slots=True)
class Pins:
    """What is acceptable. Keys are in wire form (the bytes behind the base64 of a public key line)."""

    keys: frozenset[bytes] = frozenset()
    fingerprints: frozenset[str] = frozenset()
    authorities: frozenset[bytes] = frozenset()
    revoked: frozenset[bytes] = frozenset()

    @property
    def any(self) -> bool:
        """Is anything at all acceptable?"""
        return bool(self.keys or self.fingerprints or self.authorities)

    def order(self, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        """The host key algorithms to offer: certificates where an authority is pinned, then pinned types, then the others."""
        pinned = {key_type(key) for key in self.keys}
        first = tuple(name for name in algorithms if family(name) in pinned)
        plain = first + tuple(name for name in algorithms if name not in first)
        certified = tuple(name + CERTIFICATE for name in algorithms if name != "ssh-rsa") if self.authorities else ()
        return certified + plain


def fingerprint(key: bytes) -> str:
    """`SHA256:...` of a key in wire form, as ssh-keygen prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def described(key: bytes) -> str:
    """How a key is shown to people: `ssh-ed25519 SHA256:...`; of a certificate, the key inside it."""
    if key_type(key).endswith(CERTIFICATE):
        certificate = Certificate.parse(key)
        return f"{key_type(certificate.key)} {fingerprint(certificate.key)} (certificate)"
    return f"{key_type(key)} {fingerprint(key)}"


def pins_of(address: SshAddress, known_hosts: bytes = b"") -> Pins:
    """All that the inventory entry and its known_hosts file accept for this host.

    Raises:
        UsageError: a pin is neither a fingerprint nor a public key.
    """
    found = known(known_hosts, address.host, address.port)
    prints = {_trimmed(pin) for pin in address.host_keys if pin.startswith("SHA256:")}
    keys = {public_key(pin) for pin in address.host_keys if not pin.startswith("SHA256:")}
    authorities = {public_key(line) for line in address.certificate_authorities}
    return Pins(found.keys | keys, found.fingerprints | prints, found.authorities | authorities, found.revoked)


def public_key(line: str) -> bytes:
    """The wire form of a public key line: `ssh-ed25519 AAAA... comment`.

    Raises:
        UsageError: it is no public key of a type we know.
    """
    words = line.split()
    key = decoded(words[1]) if len(words) >= 2 else b""
    if not key or words[0] not in KEY_STRINGS or not key.startswith(len(words[0]).to_bytes(4, "big") + words[0].encode()):
        raise UsageError(
            f"{line[:60]!r} is no host key",
            "write a fingerprint (SHA256:...) or a public key line (ssh-ed25519 AAAA...), as `ssh-keyscan HOST` prints it",
        )
    return key


def known(known_hosts: bytes, host: str, port: int) -> Pins:
    """What an OpenSSH known_hosts file says of this host: plain, wildcard and hashed names, `[host]:port`, both markers.

    A line that cannot be read pins nothing, as with OpenSSH.

    Raises:
        UsageError: a `@revoked` line cannot be read: then nobody knows which key it forbids.
    """
    name = host.lower() if port == 22 else f"[{host.lower()}]:{port}"
    keys: set[bytes] = set()
    authorities: set[bytes] = set()
    revoked: set[bytes] = set()
    for number, line in enumerate(known_hosts.decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#"):
            key = b""
        else:
            key = decoded(words[2])
        if not key:
            if marker == "@revoked":
                raise UsageError(f"line {number} of known_hosts revokes a key but cannot be read", "correct or remove the line")
            continue
        if not _names(words[0], name):
            continue
        match marker:
            case "":
                keys.add(key)
            case "@cert-authority":
                authorities.add(key)
            case "@revoked":
                revoked.add(key)
    return Pins(frozenset(keys), frozenset(), frozenset(authorities), frozenset(revoked))


def decoded(text: str) -> bytes:
    """The bytes behind base64; empty when it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _trimmed(pin: str) -> str:
    pin = pin.rstrip("=")
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", pin):
        raise UsageError(
            f"{pin[:60]!r} is no host key fingerprint", "it is SHA256: and 43 characters, as `ssh-keygen -lf` prints it"
        )
    return pin


def _names(field: str, name: str) -> bool:
    if field.startswith("|"):
        parts = field.split("|")
        if len(parts) != 4 or parts[1] != "1":
            return False
        digest = hmac.new(decoded(parts[2]), name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(digest, decoded(parts[3]))
    hit = False
    for pattern in field.lower().split(","):
        wanted = re.escape(pattern.lstrip("!")).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(wanted, name):
            if pattern.startswith("!"):
                return False
            hit = True
    return hit


def judge(pins: Pins, host: str, presented: bytes, now: float) -> None:
    """Accept the key or certificate a device has proven to hold, or say why not. `now` is in seconds since 1970.

    Raises:
        IdentityUnknown: nothing is pinned for this device.
        IdentityChanged: it is not what is pinned, or it is revoked.
        BadReply: it is not even a key.
    """
    faults = ""
    key = presented
    label = described(presented)
    if key_type(presented).endswith(CERTIFICATE):
        certificate = Certificate.parse(presented)
        key = certificate.key
        if certificate.authority in pins.authorities and certificate.authority not in pins.revoked:
            faults = certificate.fault(host, now)
            if not faults and key not in pins.revoked:
                return
        else:
            faults = f"it is signed by {fingerprint(certificate.authority)}, which is no pinned authority"
    if key in pins.revoked or presented in pins.revoked:
        raise IdentityChanged(
            f"the host key of {host} is marked as revoked: {label}", "find out why it was revoked before anything else", label
        )
    if key in pins.keys or fingerprint(key) in pins.fingerprints:
        return
    if not pins.any:
        raise IdentityUnknown(
            f"no host key is pinned for {host}; the device shows {label}; nothing was sent to it",
            f'compare it with the device\'s screen or papers, then write at this device:  host_keys: ["{fingerprint(key)}"]',
            label,
        )
    expected = sorted({*pins.fingerprints, *(described(pin) for pin in pins.keys)})
    expected += [f"a certificate of {fingerprint(authority)}" for authority in sorted(pins.authorities)]
    because = f" ({faults})" if faults else ""
    raise IdentityChanged(
        f"the host key of {host} is not the pinned one: pinned {' or '.join(expected)}, the device shows {label}{because};"
        " no credential was sent",
        "another device answers at this address, or its key was replaced: find out which, on site, before you pin the new key",
        label,
    )
