"""Which SSH algorithms we offer a device, and what to tell people when the device has none of them.

Order matters: the first of ours that the device has is used. AES-GCM leads because reading with it is a third faster than with
paramiko's own order. Old algorithms are offered to a device only when the inventory names them for that device, and each one that
comes into use is a line of the report.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.errors import Unsupported, UsageError

KEY_EXCHANGES = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "mlkem768x25519-sha256",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
)
HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr", "aes192-ctr")
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")

LEGACY_KEY_EXCHANGES = ("diffie-hellman-group-exchange-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group1-sha1")
LEGACY_KEYS = ("ssh-rsa",)
LEGACY_CIPHERS = ("aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc")
LEGACY_MACS = ("hmac-sha1",)
LEGACY = LEGACY_KEYS + LEGACY_KEY_EXCHANGES + LEGACY_CIPHERS + LEGACY_MACS
"""Every name that may stand under `legacy:` of a device."""

CERTIFICATE = "-cert-v01@openssh.com"


@dataclass(frozen=True, slots=True)
class Algorithms:
    """What one side has, most wanted first. `user_keys` is empty where a device has not said it."""

    key_exchanges: tuple[str, ...]
    host_keys: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]
    user_keys: tuple[str, ...] = ()


def ours(legacy: tuple[str, ...]) -> Algorithms:
    """What we offer a device whose inventory entry names these old algorithms.

    Raises:
        UsageError: a name is not one of `LEGACY`.
    """
    for name in legacy:
        if name not in LEGACY:
            raise UsageError(f"{name!r} is no old algorithm this tool knows", f"write under legacy: some of {', '.join(LEGACY)}")

    def chosen(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in legacy)

    return Algorithms(
        key_exchanges=KEY_EXCHANGES + chosen(LEGACY_KEY_EXCHANGES),
        host_keys=HOST_KEYS + chosen(LEGACY_KEYS),
        ciphers=CIPHERS + chosen(LEGACY_CIPHERS),
        macs=MACS + chosen(LEGACY_MACS),
        user_keys=HOST_KEYS + chosen(LEGACY_KEYS),
    )


def family(algorithm: str) -> str:
    """The type of key behind a signature algorithm: `ssh-rsa` for `rsa-sha2-512`, without the mark of a certificate."""
    name = algorithm.removesuffix(CERTIFICATE)
    return "ssh-rsa" if name.startswith("rsa-sha2-") else name


def first_common(mine: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    """What a client and a server agree on (RFC 4253, section 7.1); empty when nothing."""
    return next((name for name in mine if name in theirs), "")


def in_use(mine: Algorithms, theirs: Algorithms, user_key: str) -> tuple[str, ...]:
    """The old algorithms that this connection really uses. `user_key` is how our own key signed, or empty."""
    cipher = first_common(mine.ciphers, theirs.ciphers)
    used = (
        first_common(mine.key_exchanges, theirs.key_exchanges),
        first_common(mine.host_keys, theirs.host_keys),
        cipher,
        "" if "gcm" in cipher else first_common(mine.macs, theirs.macs),
        user_key,
    )
    return tuple(dict.fromkeys(name for name in used if name in LEGACY))


def disagreement(mine: Algorithms, theirs: Algorithms) -> Unsupported:
    """Why the two sides cannot talk, and which `legacy:` names would let them."""
    missing: list[str] = []
    names: list[str] = []
    stuck = False
    for what, my, their, old in (
        ("key exchange", mine.key_exchanges, theirs.key_exchanges, LEGACY_KEY_EXCHANGES),
        ("host key", mine.host_keys, theirs.host_keys, LEGACY_KEYS),
        ("cipher", mine.ciphers, theirs.ciphers, LEGACY_CIPHERS),
        ("mac", mine.macs, theirs.macs, LEGACY_MACS),
    ):
        gcm = what == "mac" and "gcm" in first_common(mine.ciphers, theirs.ciphers)
        if gcm or first_common(my, their):
            continue
        missing.append(f"{what}: the device offers only {', '.join(their) or 'nothing'}")
        allowed = first_common(old, their)
        names.append(allowed)
        stuck = stuck or not allowed
    if stuck or not names:
        hint = f"switch on {CIPHERS[0]} or {CIPHERS[2]} with {MACS[2]}, and {KEY_EXCHANGES[0]}, in the device's SSH server"
    else:
        hint = f"if the device cannot be updated, write legacy: [{', '.join(names)}] at this device; the report will say so"
    return Unsupported("no common SSH algorithm; " + "; ".join(missing), hint)
