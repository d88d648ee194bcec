"""Modbus/TCP Security: who the device is, proven before anything is asked.

Source: MODBUS/TCP Security Protocol Specification (v21, 2018).
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl

from verifier.errors import IdentityChanged, IdentityUnknown, TimedOut, Truncated, UsageError
from verifier.model.device import TlsTrust
from verifier.transport.modbus.line import tls_broken
from verifier.transport.route import LineFact


def secured(connection: socket.socket, trust: TlsTrust, host: str) -> tuple[ssl.SSLSocket, tuple[LineFact, ...]]:
    """TLS over a fresh connection, its handshake done and its certificate accepted; and what became known by that.

    With an authority the certificate must be signed by it and be for the host's name; with a pin it must be that very one;
    with both, both.

    Raises:
        IdentityChanged: it is not the device we know. Nothing was asked.
        IdentityUnknown: neither authority nor pin is given; `presented` is the certificate's SHA-256.
        LoginRefused: the device does not accept our certificate.
        TimedOut, Truncated: the handshake did not end.
        UsageError: a certificate file of ours cannot be used.
    """
    context = _context(trust)
    name = trust.server_name or host
    try:
        line = context.wrap_socket(connection, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        raise IdentityChanged(
            f"the certificate of {host} is not accepted: {error.verify_message.rstrip('.')}",
            f"if the device got a new certificate, have it confirmed first; the name asked for was {name}",
            "",
        ) from error
    except TimeoutError as error:
        raise TimedOut(f"{host} does not end the TLS handshake", "does this port speak TLS? plain Modbus is port 502") from error
    except ssl.SSLError as error:
        raise tls_broken(error) from error
    except OSError as error:
        raise Truncated(f"{host} broke off the TLS handshake", "does this port speak TLS? plain Modbus is port 502") from error
    presented = hashlib.sha256(line.getpeercert(binary_form=True) or b"").hexdigest()
    pin = trust.pin.lower().removeprefix("sha256:").replace(":", "")
    if pin and not hmac.compare_digest(pin.encode(), presented.encode()):
        line.close()
        raise IdentityChanged(
            f"the certificate of {host} is not the pinned one: it is {presented}",
            "do not go on before someone at the device has confirmed the new one; then pin it in the inventory",
            presented,
        )
    if not pin and not trust.authority:
        line.close()
        raise IdentityUnknown(
            f"no certificate is pinned for {host}; it shows {presented}",
            "compare it with the device's own display, then write it as `pin` into the inventory",
            presented,
        )
    return line, (LineFact("certificate", f"sha256:{presented}"), LineFact("tls version", line.version() or "unknown"))


def _context(trust: TlsTrust) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if trust.authority:
            context.load_verify_locations(trust.authority)
        else:
            # the pin decides, or nothing does and the certificate is only shown; either way before a question is sent
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if trust.certificate:
            context.load_cert_chain(trust.certificate, trust.key or None, _no_passphrase)
    except OSError as error:
        # ssl.SSLError is an OSError and does not name the file
        files = ", ".join(each for each in (trust.authority, trust.certificate, trust.key) if each)
        raise UsageError(
            f"a certificate file cannot be used ({files}): {error}", "PEM files are needed; keys without passphrase"
        ) from error
    return context


def _no_passphrase() -> str:
    # without this the library would ask on the terminal, in the middle of a check by night
    return ""
