"""Time stamps (RFC 3161): an authority's word that these bytes were there at a time.

What is stamped is a whole signed checkpoint. A stamp never stands for a signature: it says when, not who. Authorities are pinned
by the policy, certificate by certificate; what a stamp brings along is not even read (`bare_stamp`). The certificates must have
been valid when the stamp was made, so that it still holds when they have run out. The one file that knows `rfc3161_client`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from verifier.errors import TrustError
from verifier.trust.log.bare_stamp import without_certificates
from verifier.trust.policy import TimeAuthority

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

LARGEST = 100_000
"""Bytes of a response."""
SHA256 = "2.16.840.1.101.3.4.2.1"
ASK_AGAIN = "make a new request with `crane-verify log checkpoint --time-request`, and have that stamped"
GRANTED = 0


def time_request(data: bytes) -> bytes:
    """What to send to an authority, so that it stamps these bytes: DER, SHA-256, with a nonce, asking for the certificate."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    return TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build().as_bytes()


def number(authority: TimeAuthority) -> str:
    """Tells authorities apart in names of files: the beginning of SHA-256 over the certificate that signs, 16 hex digits."""
    return hashlib.sha256(_der(authority)[0]).hexdigest()[:16]


def digest_of(response: bytes) -> bytes:
    """The SHA-256 of what a response says it stamps, on nobody's word.

    Raises:
        TrustError: it is no response, or stamps nothing.
    """
    return _imprint(_read(response))


def signer_number(response: bytes, authorities: Sequence[TimeAuthority]) -> str:
    """The `number` of the authority that a response says it is by, on nobody's word; empty: of none of these."""
    read = _read(response)
    return next((number(each) for each in authorities if _says_it_is_by(read, _certificates(each)[0])), "")


def stamped(response: bytes, data: bytes, authority: TimeAuthority) -> datetime:
    """When this authority saw these bytes.

    Raises:
        TrustError: the response does not show it. The message says why.
    """
    from rfc3161_client import VerifierBuilder

    read, certificates = _read(response), _certificates(authority)
    name = authority.name
    if not _says_it_is_by(read, certificates[0]):
        raise TrustError(f"the time stamp is not by {name}", "ask the authority that the policy names, or correct the policy")
    if _imprint(read) != hashlib.sha256(data).digest():
        raise TrustError(f"the time stamp by {name} is for other bytes than this checkpoint", ASK_AGAIN)
    builder = VerifierBuilder(tsa_certificate=certificates[0], intermediates=certificates[1:-1], roots=certificates[-1:])
    with _refused(
        f"the time stamp by {name} does not hold: its signature is not right, or its certificates were not at that time"
    ):
        builder.build().verify(read, hashlib.sha256(data).digest())
        return read.tst_info.gen_time.astimezone(UTC)


def _read(response: bytes) -> TimeStampResponse:
    """A response that grants a stamp.

    Raises:
        TrustError: it is none, or the authority refused.
    """
    from rfc3161_client import decode_timestamp_response

    if len(response) > LARGEST:
        raise TrustError(f"a time stamp of {len(response)} bytes is larger than the {LARGEST} allowed", ASK_AGAIN)
    with _refused("this is not the response of a time authority"):
        read = decode_timestamp_response(without_certificates(response))
        status, words = read.status, " ".join(read.status_string)
    if status != GRANTED:
        raise TrustError(f"the time authority refused to stamp: {words or f'status {status}'}", ASK_AGAIN)
    return read


def _imprint(response: TimeStampResponse) -> bytes:
    with _refused("the time stamp cannot be read"):
        imprint = response.tst_info.message_imprint
        algorithm, digest = imprint.hash_algorithm.dotted_string, imprint.message
    if algorithm != SHA256:
        raise TrustError("the time stamp is over another digest than SHA-256", ASK_AGAIN)
    return digest


def _says_it_is_by(response: TimeStampResponse, signer: Certificate) -> bool:
    """Whether the one signature names this certificate.

    The library takes any of the pinned chain for the signer; then the authority's own root, for one, could have signed.
    """
    with _refused("the time stamp cannot be read"):
        infos = response.signed_data.signer_infos
        return len(infos) == 1 and {(info.issuer, info.serial_number) for info in infos} == {
            (signer.issuer, signer.serial_number)
        }


def _certificates(authority: TimeAuthority) -> list[Certificate]:
    from cryptography import x509

    try:
        return [x509.load_der_x509_certificate(each) for each in _der(authority)]
    except ValueError as error:
        raise TrustError(f"a certificate of {authority.name} cannot be read", "correct the policy") from error


def _der(authority: TimeAuthority) -> list[bytes]:
    if not authority.certificates:
        raise TrustError(f"the policy names no certificate of {authority.name}", "correct the policy")
    try:
        return [base64.b64decode(each, validate=True) for each in authority.certificates]
    except ValueError as error:
        raise TrustError(f"a certificate of {authority.name} is not base64", "correct the policy") from error


@contextlib.contextmanager
def _refused(words: str) -> Iterator[None]:
    """The bytes are hostile, and no list says what the two libraries raise over them: `KeyError` among others.

    Their words are for programmers: they stay in the cause.
    """
    try:
        yield
    except Exception as error:
        raise TrustError(words, ASK_AGAIN) from error
