"""A time authority as a port takes it up: its chain of certificates, from a PEM file."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING

from verifier.errors import TrustError
from verifier.trust.policy import TimeAuthority

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CHAIN = "ask the authority for its chain in PEM: the certificate that signs its stamps first, then those above it up to the root"


def read_authority(name: str, pem: bytes) -> TimeAuthority:
    """The authority whose chain this is.

    Raises:
        TrustError: it is no chain of certificates in order, or the first one is not for time stamps (RFC 3161, section 2.3).
    """
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificates

    try:
        chain = load_pem_x509_certificates(pem)
    except ValueError as error:
        raise TrustError("the file holds no chain of certificates", CHAIN) from error
    for lower, upper in itertools.pairwise(chain):
        if lower.issuer != upper.subject:
            raise TrustError("the certificates are not in the order in which one signed the other", CHAIN)
    if not _for_stamps(chain[0]):
        raise TrustError("the first certificate of the chain is not one for time stamps", CHAIN)
    return TimeAuthority(name, tuple(base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in chain))


def _for_stamps(certificate: Certificate) -> bool:
    from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usage = certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value
    except (ExtensionNotFound, ValueError):
        return False
    return list(usage) == [ExtendedKeyUsageOID.TIME_STAMPING]
