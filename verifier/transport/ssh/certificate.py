"""Host certificates: a host key signed by an authority, for names and for a time. Pure.

Source: OpenSSH PROTOCOL.certkeys.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

from verifier.errors import BadReply
from verifier.model.member import shown
from verifier.transport.ssh.algorithms import CERTIFICATE
from verifier.transport.ssh.wire import Reader

KEY_STRINGS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
}
"""How many strings make up a public key of each type, after the type's name."""
_HOST_CERTIFICATE = 2
_SHA2_SIGNATURES = frozenset(KEY_STRINGS) - {"ssh-rsa"} | {"rsa-sha2-256", "rsa-sha2-512"}


def key_type(key: bytes) -> str:
    """The name at the front of a key in wire form: `ssh-ed25519`.

    Raises:
        BadReply: there is none.
    """
    return Reader(key).string().decode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class Certificate:
    """An OpenSSH host or user certificate; nothing of it is proven yet."""

    whole: bytes
    key: bytes
    """The certified key, in wire form."""
    kind: int
    """1: user, 2: host."""
    name: str
    principals: tuple[bytes, ...]
    valid_after: int
    valid_before: int
    """Seconds since 1970; 2**64-1: for ever."""
    critical: bytes
    authority: bytes
    """The key that signed, in wire form."""
    algorithm: str
    """How it signed."""

    @classmethod
    def parse(cls, whole: bytes) -> Certificate:
        """Raises BadReply when it is no certificate of a type we know."""
        reader = Reader(whole)
        base = reader.string().decode("ascii", "replace").removesuffix(CERTIFICATE)
        if base not in KEY_STRINGS:
            raise BadReply(f"a certificate of unknown type {base[:40]!r}")
        reader.string()  # nonce
        parts = [base.encode(), *(reader.string() for _ in range(KEY_STRINGS[base]))]
        key = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        reader.u64()  # serial
        kind = reader.u32()
        name = shown(reader.string())
        principals = reader.strings()
        valid_after, valid_before = reader.u64(), reader.u64()
        critical = reader.string()
        reader.string()  # extensions: none means anything for a host
        reader.string()  # reserved
        authority = reader.string()
        algorithm = Reader(reader.string()).string().decode("ascii", "replace")
        return cls(whole, key, kind, name, principals, valid_after, valid_before, critical, authority, algorithm)

    def fault(self, host: str, now: float) -> str:
        """Why this host certificate does not hold for this host at this time; empty when it does."""
        if self.kind != _HOST_CERTIFICATE:
            return "it is a certificate for a user, not for a host"
        if host.lower().encode() not in {principal.lower() for principal in self.principals}:
            names = ", ".join(shown(principal) for principal in self.principals) or "no host at all"
            return f"it was issued for {names}"
        if now < self.valid_after:
            return f"it is valid only from {_time(self.valid_after)}"
        if now >= self.valid_before:
            return f"it expired on {_time(self.valid_before)}"
        if self.critical:
            return "it carries conditions this tool does not know"
        if self.algorithm not in _SHA2_SIGNATURES:
            return f"it is signed with {self.algorithm[:40]!r}, which is not accepted"
        text = key_type(self.whole).encode() + b" " + base64.b64encode(self.whole)
        try:
            loaded = load_ssh_public_identity(text)
            if not isinstance(loaded, SSHCertificate):
                return "it is no certificate"
            loaded.verify_cert_signature()
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return "its signature does not hold"
        return ""


def _time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "a time beyond every calendar"
