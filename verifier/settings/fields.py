"""The kinds of value that stand in settings files: names, durations, sizes, decimals, hosts, keys, references to secrets.

Each turns the text of a file into a value, or raises `ValueError(message, hint)`.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from verifier.model import member
from verifier.model.device import Secret, Window
from verifier.model.profile import Rule

LONGEST = 1000
"""Characters of any one text."""
LONGEST_EXPRESSION = 500

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_STEPS = ("line-ends", "trailing-space", "sort-lines")
_STEPS_WITH_PATTERN = ("drop-lines", "drop-match")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BYTES = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_KEY_TYPES = re.compile(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com)")


def _text(value: object, example: str) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text", f"write it like {example}")
    if len(value) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    return value


def _line(value: object) -> str:
    text = _text(value, '"some words"')
    if not text.strip():
        raise ValueError("is empty", "write something, or leave the key out")
    if not text.isprintable():
        raise ValueError("holds a line break or a control character", "keep it on one line")
    return text


def _name(value: object) -> str:
    text = _text(value, "STS-01")
    if not re.fullmatch(NAME, text) or len(text) > 64:
        raise ValueError(
            f'"{text[:64]}" cannot be a name, which is also the name of a folder',
            "use letters, digits, `-`, `_` and `.`, begin with a letter or digit, at most 64 characters",
        )
    return text


def _label(value: object) -> str:
    text = _text(value, "hoist overload trip")
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9 ._()/+-]{0,78}[A-Za-z0-9.)+])?", text):
        raise ValueError(
            f'"{text[:64]}" cannot be a name here',
            "use letters, digits, spaces and . _ ( ) / + -, begin with a letter or digit, at most 80 characters",
        )
    return text


def _step(value: object) -> Rule:
    """`line-ends`, or `{drop-lines: "^# generated"}`."""
    if isinstance(value, str) and value in _STEPS:
        return Rule(value)
    if isinstance(value, dict) and len(value) == 1 and (name := next(iter(value))) in _STEPS_WITH_PATTERN:
        return Rule(name, _expression(value[name]))
    raise ValueError(
        "not a step of normalising",
        f'write {", ".join(_STEPS)}, {{drop-lines: "^# generated"}} or {{drop-match: "generated at .*"}}',
    )


def _value_name(value: object) -> str:
    text = _text(value, "plc_address")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise ValueError(f'"{text[:64]}" cannot be the name of a value', "use small letters, digits and `_`, as in plc_address")
    return text


def _given(value: object) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be text or a whole number", "put it in quotes")
    return value


def _fact_name(value: object) -> str:
    text = _text(value, "make")
    if not re.fullmatch(r"[a-z][a-z0-9 _-]{0,63}", text):
        raise ValueError(f'"{text[:64]}" cannot be the name of a fact', "use small letters, as in make, model, serial, supplier")
    return text


def _duration(value: object) -> timedelta:
    text = _text(value, "7d, 12h, 30m or 10s")
    found = re.fullmatch(r"([0-9]{1,6})(ms|s|m|h|d|w)", text)
    if not found:
        raise ValueError(f'"{text[:20]}" is not a duration', "write a number and its unit, like 7d, 12h, 30m, 10s or 500ms")
    length = timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    if not timedelta(0) < length <= timedelta(days=3660):
        raise ValueError(f"{text} is out of range", "write more than nothing and at most ten years")
    return length


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = _text(value, "5MB or 2GiB")
    found = re.fullmatch(r"([0-9]{1,15}) ?([kKMG]?i?B|)", text)
    if not found or found[2] not in _BYTES:
        raise ValueError(f'"{text[:20]}" is not a number of bytes', "write a whole number and its unit, like 5MB, 512KiB or 2GiB")
    if int(found[1]) < 1:
        raise ValueError("nothing could be read with 0 bytes", "write at least 1, or leave the key out")
    return int(found[1]) * _BYTES[found[2]]


def _decimal(value: object) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    text = _text(value, '"0.1", in quotes')
    if not re.fullmatch(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", text):
        raise ValueError(f'"{text[:30]}" is not a decimal number', 'write digits and one point, in quotes, like "0.1"')
    return Decimal(text)


def _expression(value: object) -> str:
    text = _text(value, '"^# generated"')
    if len(text) > LONGEST_EXPRESSION:
        raise ValueError(f"a regular expression of more than {LONGEST_EXPRESSION} characters", "split it into several")
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"not a regular expression: {error}", "see Python's `re`; inside double quotes every backslash is doubled"
        ) from error
    if re.search(text, "\0"):
        raise ValueError("a regular expression that fits any text", "say what must be there, like ^# generated")
    return text


def _version_expression(value: object) -> str:
    text = _expression(value)
    if re.compile(text).groups != 1:
        raise ValueError(
            "a version pattern needs exactly one group", 'put the version itself in round brackets, like "FIRMWARE=(\\\\S+)"'
        )
    return text


def _device_path(value: object) -> str:
    text = _text(value, "/etc")
    if not text.startswith("/"):
        raise ValueError(f'"{text[:60]}" does not begin with /', "write the whole path, as it stands on the device")
    if any(part in (".", "..") for part in text.split("/")) or "//" in text or (text != "/" and text.endswith("/")):
        raise ValueError(f'"{text[:60]}" is not in its plain form', "leave out `.`, `..`, double and trailing slashes")
    if "*" in text or "?" in text:
        raise ValueError(f'"{text[:60]}" holds a wildcard', "name the folder above it, and use `exclude` for what is not wanted")
    return _printable(text)


def _pattern(value: object) -> str:
    text = _text(value, '"/var/log/**"')
    if not text:
        raise ValueError("an empty pattern", 'write a path, with `*` for names and `**` for folders, like "/etc/**/*.bak"')
    return _printable(text)


def _printable(text: str) -> str:
    """Paths stand here as they stand in reports, so that bytes that nobody can type have one way to be written."""
    try:
        member.raw(text)
    except ValueError:
        text = "\n"
    if not text.isprintable():
        raise ValueError(
            "not the printable form of a path", "write a backslash as \\\\ and other bytes as \\xNN, in single quotes"
        )
    return text


def _file_path(value: object) -> str:
    text = _text(value, "keys/verify")
    if "PRIVATE KEY" in text:
        raise ValueError("a private key itself may not stand here", "put the key in a file, chmod 600, and write its path")
    if not text or not text.isprintable():
        raise ValueError("is not a path", "write the path of a file, from the inventory's folder")
    return text


def _host(value: object) -> str:
    text = _text(value, "10.1.2.3 or plc.sts-01.example")
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
    text = _text(value, '"SHA256:..."').strip()
    if text.startswith("SHA256:"):
        if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", text):
            raise ValueError(
                "not a whole fingerprint", "43 characters follow SHA256:, as `ssh-keyscan HOST | ssh-keygen -lf -` shows them"
            )
        return text
    return _public_key(text)


def _public_key(value: object) -> str:
    text = _text(value, '"ssh-ed25519 AAAA..."').strip()
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
    text = _text(value, '"SHA256:..."')
    if text == "any":
        return ""
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", text):
        raise ValueError("not a key of the agent", 'write any, or the fingerprint that `ssh-add -l` shows, like "SHA256:..."')
    return text


def _algorithm(value: object) -> str:
    text = _text(value, "ssh-rsa")
    if not re.fullmatch(r"[a-z0-9][a-z0-9@._-]{2,63}", text):
        raise ValueError(
            f'"{text[:60]}" is not the name of an algorithm', "write it as SSH does, like diffie-hellman-group14-sha1"
        )
    return text


def _certificate_pin(value: object) -> str:
    text = _text(value, "64 hex digits").replace(":", "").lower()
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


def _window(value: object) -> Window:
    text = _text(value, '"22:00-05:00"')
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9]) ?- ?([01][0-9]|2[0-3]):([0-5][0-9])", text)
    if not found:
        raise ValueError(f'"{text[:20]}" is not a window', 'write two times of the day in quotes, like "22:00-05:00"')
    opens, closes = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    if opens == closes:
        raise ValueError("a window that closes when it opens", "leave `window` out if the device may be read at any time")
    return Window(opens, closes)


def _as(read: Callable[[object], Any], **schema: Any) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(read), WithJsonSchema(schema)


Line = Annotated[str, *_as(_line, type="string", minLength=1)]
Name = Annotated[str, *_as(_name, type="string", pattern=f"^{NAME}$", maxLength=64)]
Label = Annotated[str, *_as(_label, type="string", pattern="^[A-Za-z0-9]", maxLength=80)]
NormaliseStep = Annotated[
    Rule,
    *_as(
        _step,
        oneOf=[
            {"enum": list(_STEPS)},
            *(
                {"type": "object", "properties": {name: {"type": "string"}}, "required": [name], "additionalProperties": False}
                for name in _STEPS_WITH_PATTERN
            ),
        ],
    ),
]
ValueName = Annotated[str, *_as(_value_name, type="string", pattern="^[a-z][a-z0-9_]*$")]
Given = Annotated[str | int, *_as(_given, type=["string", "integer"])]
FactName = Annotated[str, *_as(_fact_name, type="string", pattern="^[a-z][a-z0-9 _-]*$")]
Duration = Annotated[timedelta, *_as(_duration, type="string", pattern="^[0-9]+(ms|s|m|h|d|w)$", examples=["7d", "12h", "10s"])]
Size = Annotated[
    int, *_as(_size, type=["string", "integer"], pattern="^[0-9]+ ?([kKMG]?i?B)?$", minimum=1, examples=["5MB", "2GiB"])
]
DecimalText = Annotated[Decimal, *_as(_decimal, type=["string", "integer"], pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["0.1"])]
Expression = Annotated[str, *_as(_expression, type="string", format="regex", maxLength=LONGEST_EXPRESSION)]
VersionExpression = Annotated[str, *_as(_version_expression, type="string", format="regex", maxLength=LONGEST_EXPRESSION)]
DevicePath = Annotated[str, *_as(_device_path, type="string", pattern="^/")]
MemberPattern = Annotated[str, *_as(_pattern, type="string", minLength=1)]
FilePath = Annotated[str, *_as(_file_path, type="string", minLength=1)]
Host = Annotated[str, *_as(_host, type="string", minLength=1)]
HostKey = Annotated[str, *_as(_host_key, type="string", pattern="^(SHA256:|ssh-|ecdsa-|sk-)")]
PublicKey = Annotated[str, *_as(_public_key, type="string", pattern="^(ssh-|ecdsa-|sk-)")]
AgentKey = Annotated[str, *_as(_fingerprint, type="string", pattern="^(any|SHA256:.*)$")]
Algorithm = Annotated[str, *_as(_algorithm, type="string")]
CertificatePin = Annotated[str, *_as(_certificate_pin, type="string")]
SecretReference = Annotated[Secret, *_as(_secret, type="string", pattern="^(env:|file:|credential:|prompt$|prompt:)")]
Hours = Annotated[Window, *_as(_window, type="string", pattern="^[0-9]{2}:[0-9]{2} ?- ?[0-9]{2}:[0-9]{2}$")]
