"""Kinds of value that say where a device is and who is who: hosts, keys, pins, references to secrets."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import Annotated

from verifier.model.device import Secret
from verifier.settings.fields import LONGEST, as_field, text_of

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_KEY_TYPES = re.compile(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com)")


def _file_path(value: object) -> str:
    text = text_of(value, "keys/verify")
    if "PRIVATE KEY" in text:
        raise ValueError("a private key itself may not stand here", "put the key in a file, chmod 600, and write its path")
    if not text or not text.isprintable():
        raise ValueError("is not a path", "write the path of a file, from the inventory's folder")
    return text


def _host(value: object) -> str:
    text = text_of(value, "10.1.2.3 or plc.sts-01.example")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    if re.fullmatch(r"[0-9.]+", text) or not _HOST.fullmatch(text):
        raise ValueError(
            f'"{text[:60]}" is not a host name or address', "write only the name or address; port and user have keys of their own"
        )
    return text


def _host_key(value: object) -> str:
    text = text_of(value, '"SHA256:..."').strip()
    if text.startswith("SHA256:"):
        if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", text):
            raise ValueError(
                "not a whole fingerprint", "43 characters follow SHA256:, as `ssh-keyscan HOST | ssh-keygen -lf -` shows them"
            )
        return text
    return _public_key(text)


def _public_key(value: object) -> str:
    text = text_of(value, '"ssh-ed25519 AAAA..."').strip()
    words = text.split()
    if len(words) < 2 or not _KEY_TYPES.fullmatch(words[0]):
        raise ValueError("not a public key", "write its type and its base64 text, like ssh-ed25519 AAAA...")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error as error:
        raise ValueError("a public key that is cut or mistyped", "copy the whole line again") from error
    head = len(words[0]).to_bytes(4, "big") + words[0].encode()
    if not blob.startswith(head) or len(blob) <= len(head) + 4:
        raise ValueError("a public key whose type and content differ", "copy the whole line again")
    return f"{words[0]} {words[1]}"


def _fingerprint(value: object) -> str:
    text = text_of(value, '"SHA256:..."')
    if text == "any":
        return ""
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", text):
        raise ValueError("not a key of the agent", 'write any, or the fingerprint that `ssh-add -l` shows, like "SHA256:..."')
    return text


def _algorithm(value: object) -> str:
    text = text_of(value, "ssh-rsa")
    if not re.fullmatch(r"[a-z0-9][a-z0-9@._-]{2,63}", text):
        raise ValueError(
            f'"{text[:60]}" is not the name of an algorithm', "write it as SSH does, like diffie-hellman-group14-sha1"
        )
    return text


def _certificate_pin(value: object) -> str:
    text = text_of(value, "64 hex digits").replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError(
            "not a SHA-256 of a certificate", "64 hex digits, as `openssl x509 -fingerprint -sha256` shows them, in quotes"
        )
    return text


def _secret(value: object) -> Secret:
    """Only references. The text itself is never repeated: it may be the secret."""
    source, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    fits = {
        "env": re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name),
        "file": name and name.isprintable() and len(name) < LONGEST,
        "credential": re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name),
        "prompt": name.isprintable() and len(name) < 200,
    }
    if not fits.get(source):
        raise ValueError(
            "a secret itself may not stand in the inventory",
            "say where it is: env:NAME, file:PATH, credential:NAME (systemd) or prompt; if this was a real secret, change it",
        )
    return Secret(source, name)


FilePath = Annotated[str, *as_field(_file_path, type="string", minLength=1)]
Host = Annotated[str, *as_field(_host, type="string", minLength=1)]
HostKey = Annotated[str, *as_field(_host_key, type="string", pattern="^(SHA256:|ssh-|ecdsa-|sk-)")]
PublicKey = Annotated[str, *as_field(_public_key, type="string", pattern="^(ssh-|ecdsa-|sk-)")]
AgentKey = Annotated[str, *as_field(_fingerprint, type="string", pattern="^(any|SHA256:.*)$")]
Algorithm = Annotated[str, *as_field(_algorithm, type="string")]
CertificatePin = Annotated[str, *as_field(_certificate_pin, type="string")]
SecretReference = Annotated[Secret, *as_field(_secret, type="string", pattern="^(env:|file:|credential:|prompt$|prompt:)")]
