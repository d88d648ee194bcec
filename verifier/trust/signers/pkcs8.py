"""Encrypted private keys in PEM (PKCS#8, PBES2 of RFC 8018), written as `openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000` does.

Only for keys that OpenSSH has no format for. `cryptography` reads this form and cannot write it: it always takes 2,048 rounds.
"""

from __future__ import annotations

import base64
import binascii
import os
import textwrap

ROUNDS = 600_000
"""Of PBKDF2 with HMAC-SHA256: about a tenth of a second per guess of a passphrase."""
FEWEST = 100_000
"""Below this many, a stolen file is quickly opened."""

_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("300c06082a864886f70d02090500")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")
_SEQUENCE, _OCTETS, _INTEGER = 0x30, 0x04, 0x02


def encrypted(key: bytes, passphrase: bytes, rounds: int = ROUNDS) -> bytes:
    """An `ENCRYPTED PRIVATE KEY` in PEM around the DER of a PKCS#8 key."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
    from cryptography.hazmat.primitives.padding import PKCS7

    salt, start = os.urandom(16), os.urandom(16)
    lock = Cipher(algorithms.AES256(PBKDF2HMAC(SHA256(), 32, salt, rounds).derive(passphrase)), modes.CBC(start)).encryptor()
    pad = PKCS7(128).padder()
    locked = lock.update(pad.update(key) + pad.finalize()) + lock.finalize()
    derivation = _der(_SEQUENCE, _PBKDF2, _der(_SEQUENCE, _der(_OCTETS, salt), _integer(rounds), _HMAC_SHA256))
    cipher = _der(_SEQUENCE, _AES_256_CBC, _der(_OCTETS, start))
    method = _der(_SEQUENCE, _PBES2, _der(_SEQUENCE, derivation, cipher))
    text = base64.b64encode(_der(_SEQUENCE, method, _der(_OCTETS, locked))).decode()
    lines = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", *textwrap.wrap(text, 64), "-----END ENCRYPTED PRIVATE KEY-----", ""]
    return "\n".join(lines).encode()


def quickly_guessed(pem: bytes) -> bool:
    """Whether trying a passphrase of this PEM file takes too short a time: few rounds of PBKDF2, or a scheme older than it.

    False for a file without a passphrase, and for what is no PEM.
    """
    if b"Proc-Type: 4,ENCRYPTED" in pem:
        return True  # one round of MD5
    _, begun, rest = pem.partition(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    try:
        der = base64.b64decode(rest.partition(b"-----")[0])
    except binascii.Error:
        return False
    if not begun:
        return False
    _, found, parameters = der.partition(_PBKDF2)
    if not found:
        return _PBES2 not in der  # with it, it is scrypt, which is slow
    return _rounds(parameters) < FEWEST


def _rounds(parameters: bytes) -> int:
    """The number after the salt, in `SEQUENCE { OCTET STRING, INTEGER, ...`; all of them are short."""
    salt = 2 + 2 + parameters[3] if len(parameters) > 3 else len(parameters)
    number = parameters[salt : salt + 2]
    if len(number) < 2 or number[0] != _INTEGER:
        return 0
    return int.from_bytes(parameters[salt + 2 : salt + 2 + number[1]], "big")


def _der(tag: int, *parts: bytes) -> bytes:
    """One value after its tag and length (X.690, section 8.1); none here reaches 64 KiB."""
    body = b"".join(parts)
    length = len(body)
    if length < 128:
        return bytes((tag, length)) + body
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 128 | size)) + length.to_bytes(size, "big") + body


def _integer(number: int) -> bytes:
    """One more bit than it has, so that its first one is 0: it is positive."""
    return _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
