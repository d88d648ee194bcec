"""`pkcs11:` URIs (RFC 7512): which key on which token, and through which module it is reached.

    pkcs11:token=NAME;object=LABEL?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/crane-verify/pin

What is not understood is refused: an attribute passed over would be a narrower choice made wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

from verifier.errors import UsageError

FORM = "write pkcs11:token=NAME;object=LABEL?module-path=/path/to/module.so"
MODULES = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so (cards), libykcs11.so (YubiKey), /usr/lib/softhsm/libsofthsm2.so (SoftHSM)"


@dataclass(frozen=True, slots=True)
class TokenUri:
    """Empty: it does not matter."""

    module: str
    """Path of the vendor's library."""
    token: str = ""
    serial: str = ""
    manufacturer: str = ""
    model: str = ""
    object: str = ""
    """Label of the key."""
    id: bytes = b""
    """Of the key, as its token numbers it."""
    pin_file: str = ""
    """Where the PIN stands; empty: a person is asked."""


def read_uri(text: str) -> TokenUri:
    """What a URI names.

    Raises:
        UsageError: it is not such a URI, or says what we do not know or must not read.
    """
    path, _, query = text.removeprefix("pkcs11:").partition("?")
    named = _attributes(path, ";", ("token", "serial", "manufacturer", "model", "object", "id", "type"))
    how = _attributes(query, "&", ("module-path", "pin-source"))
    if named.pop("type", b"private") != b"private":
        raise UsageError("the pkcs11: URI names something that is no private key", "leave type= out, or write type=private")
    module = _text(how, "module-path")
    if not PurePosixPath(module).is_absolute():
        raise UsageError("the pkcs11: URI does not say where the token's module is", f"{FORM}; known ones: {MODULES}")
    return TokenUri(
        module=module,
        pin_file=_file(_text(how, "pin-source")),
        id=named.pop("id", b""),
        **{name: _text(named, name) for name in named},
    )


def _attributes(text: str, between: str, known: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in filter(None, text.split(between)):
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise UsageError(
                "the pkcs11: URI holds a PIN, which every list of processes and every history of a shell would show",
                "leave pin-value= out, and it is asked for; or write pin-source=file:/path. Change the PIN: it has been seen",
            )
        if name not in known or not equals:
            raise UsageError(f"the pkcs11: URI says {name!r}, which is not known here", f"known are {', '.join(known)}; {FORM}")
        if name in found:
            raise UsageError(f"the pkcs11: URI says {name} twice", FORM)
        found[name] = unquote_to_bytes(value)
    return found


def _text(found: dict[str, bytes], name: str) -> str:
    try:
        return found.get(name, b"").decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"the pkcs11: URI's {name} is not text", "write %XX only for the bytes of UTF-8") from error


def _file(source: str) -> str:
    """RFC 7512, section 2.4: a path, or a `file:` URI. A command to run (`|...`) is refused."""
    path = source.removeprefix("file:").removeprefix("//")
    if path and not PurePosixPath(path).is_absolute():
        raise UsageError(f"the pkcs11: URI's pin-source {source!r} is no file", "write pin-source=file:/path")
    return path
