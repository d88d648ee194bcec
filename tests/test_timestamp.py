"""Time stamps: OpenSSL makes and checks what we believe, and nothing else is believed."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rfc3161_client import decode_timestamp_response

from tests.servers.tsa import BRINGS_ITS_ROOT, NAMES_ITS_ROOT, Authority, authority, openssl
from tests.trust_fixtures import COLLECTOR
from verifier.errors import TrustError
from verifier.trust.log.bare_stamp import without_certificates
from verifier.trust.log.checkpoint import Checkpoint, sign_checkpoint
from verifier.trust.log.timestamp import LARGEST, digest_of, number, signer_number, stamped, time_request
from verifier.trust.policy import TimeAuthority

SIGNED = sign_checkpoint(Checkpoint("crane-verify/log/00112233445566778899aabbccddeeff", 120, bytes(range(32))), COLLECTOR)
OTHER = sign_checkpoint(Checkpoint("crane-verify/log/00112233445566778899aabbccddeeff", 121, bytes(range(32))), COLLECTOR)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tsa") / "a")


@pytest.fixture(scope="module")
def token(tsa: Authority) -> bytes:
    return tsa.stamp(time_request(SIGNED))


def test_a_stamp_says_when_the_authority_saw_these_bytes(tsa: Authority, token: bytes) -> None:
    at = stamped(token, SIGNED, tsa.pinned)
    assert at.tzinfo is UTC
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert digest_of(token) == hashlib.sha256(SIGNED).digest()
    assert signer_number(token, (tsa.pinned,)) == number(tsa.pinned)
    assert len(token) < 2000


def test_openssl_reads_our_request_and_accepts_what_we_accept(tsa: Authority, token: bytes, tmp_path: Path) -> None:
    request, response, data = tmp_path / "a.tsq", tmp_path / "a.tsr", tmp_path / "checkpoint"
    request.write_bytes(time_request(SIGNED))
    said = openssl("ts", "-query", "-in", request, "-text")
    assert "Hash Algorithm: sha256" in said
    assert "Certificate required: yes" in said
    assert "Nonce: 0x" in said
    response.write_bytes(token)
    data.write_bytes(SIGNED)
    assert tsa.checks(response, data, stamped(token, SIGNED, tsa.pinned))
    data.write_bytes(OTHER)
    assert not tsa.checks(response, data)


def test_a_stamp_over_another_checkpoint_is_refused(tsa: Authority, token: bytes) -> None:
    with pytest.raises(TrustError, match="is for other bytes than this checkpoint"):
        stamped(token, OTHER, tsa.pinned)


def test_the_stamp_of_one_authority_is_refused_for_another(tsa: Authority, token: bytes, tmp_path: Path) -> None:
    """Even where both have one root's name, or the other is called the same."""
    other = authority(tmp_path / "b")
    with pytest.raises(TrustError, match="is not by Example TSA"):
        stamped(token, SIGNED, other.pinned)
    assert signer_number(token, (other.pinned,)) == ""
    mixed = TimeAuthority("mixed", (other.pinned.certificates[0], tsa.pinned.certificates[1]))
    with pytest.raises(TrustError, match="is not by mixed"):
        stamped(token, SIGNED, mixed)
    for pinned in (tsa.pinned.certificates[:1], (tsa.pinned.certificates[0], other.pinned.certificates[1])):
        with pytest.raises(TrustError, match="does not hold"):
            stamped(token, SIGNED, TimeAuthority("without its root", pinned))


def test_the_authoritys_own_root_cannot_sign_in_its_place(tmp_path: Path) -> None:
    """A response without certificates is checked against all that are pinned; only the first of them may have signed."""
    tsa = authority(tmp_path / "c", root_may_stamp=True)
    config, query, forged = tmp_path / "root.cnf", tmp_path / "a.tsq", tmp_path / "a.tsr"
    config.write_text((tsa.folder / "ts.cnf").read_text().replace("signer.", "root."))
    (tmp_path / "checkpoint").write_bytes(SIGNED)
    openssl("ts", "-query", "-data", tmp_path / "checkpoint", "-sha256", "-out", query)
    openssl("ts", "-reply", "-config", config, "-queryfile", query, "-out", forged)
    with pytest.raises(TrustError, match="not by"):
        stamped(forged.read_bytes(), SIGNED, tsa.pinned)
    stamped(tsa.stamp(query.read_bytes()), SIGNED, tsa.pinned)


def test_a_stamp_dated_before_its_certificate_is_refused(tmp_path: Path) -> None:
    early = authority(tmp_path / "early", begins=timedelta(hours=1))
    with pytest.raises(TrustError, match="does not hold"):
        stamped(early.stamp(time_request(SIGNED)), SIGNED, early.pinned)


def test_a_stamp_made_after_its_certificate_ran_out_is_refused(tmp_path: Path) -> None:
    late = authority(tmp_path / "late", begins=timedelta(days=-1), ends=timedelta(minutes=-1))
    with pytest.raises(TrustError, match="does not hold"):
        stamped(late.stamp(time_request(SIGNED)), SIGNED, late.pinned)


def test_a_stamp_still_holds_when_its_certificate_has_run_out(tmp_path: Path) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=2)
    short = authority(tmp_path / "short", ends=timedelta(seconds=2))
    token = short.stamp(time_request(SIGNED))
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 1.1)
    at = stamped(token, SIGNED, short.pinned)
    assert at < datetime.now(UTC)
    response, data = tmp_path / "a.tsr", tmp_path / "checkpoint"
    response.write_bytes(token)
    data.write_bytes(SIGNED)
    assert not short.checks(response, data)
    assert short.checks(response, data, at)


def test_a_certificate_that_is_not_for_stamping_is_refused(tmp_path: Path, tsa: Authority, token: bytes) -> None:
    wrong = authority(tmp_path / "wrong", may_stamp=False)
    pinned = TimeAuthority("wrong", (*wrong.pinned.certificates[:1], *tsa.pinned.certificates[1:]))
    with pytest.raises(TrustError, match="is not by wrong"):
        stamped(token, SIGNED, pinned)


def test_a_refusal_is_told_in_the_authoritys_words(tsa: Authority) -> None:
    refused = tsa.stamp(b"\x30\x03\x02\x01\x01")
    with pytest.raises(TrustError, match="the time authority refused to stamp"):
        stamped(refused, SIGNED, tsa.pinned)


@pytest.mark.parametrize("data", [b"", b"\x30", b"hello", b"\x30\x80\x00\x00", bytes(100)])
def test_what_is_no_response_is_refused(tsa: Authority, data: bytes) -> None:
    for read in (digest_of, lambda each: stamped(each, SIGNED, tsa.pinned)):
        with pytest.raises(TrustError, match="not the response of a time authority"):
            read(data)


def test_a_response_may_not_be_large(token: bytes) -> None:
    with pytest.raises(TrustError, match="larger than"):
        digest_of(token + bytes(LARGEST))


def test_only_sha256(tsa: Authority, tmp_path: Path) -> None:
    data, query = tmp_path / "checkpoint", tmp_path / "a.tsq"
    data.write_bytes(SIGNED)
    openssl("ts", "-query", "-data", data, "-sha512", "-cert", "-out", query)
    with pytest.raises(TrustError, match="another digest than SHA-256"):
        stamped(tsa.stamp(query.read_bytes()), SIGNED, tsa.pinned)


@pytest.mark.parametrize(
    ("certificates", "words"), [((), "names no certificate"), (("!",), "is not base64"), (("AAAA",), "cannot be read")]
)
def test_a_policy_with_broken_certificates_believes_nobody(token: bytes, certificates: tuple[str, ...], words: str) -> None:
    with pytest.raises(TrustError, match=words):
        stamped(token, SIGNED, TimeAuthority("broken", certificates))


def without_asking(tsa: Authority, folder: Path) -> bytes:
    """A request that does not ask for certificates, as openssl writes it."""
    (folder / "checkpoint").write_bytes(SIGNED)
    openssl("ts", "-query", "-data", folder / "checkpoint", "-sha256", "-out", folder / "a.tsq")
    return (folder / "a.tsq").read_bytes()


@pytest.fixture(scope="module")
def unsorted(tsa: Authority) -> bytes:
    return replace(tsa, extra=BRINGS_ITS_ROOT).stamp(time_request(SIGNED))


@pytest.mark.parametrize("extra", ["", BRINGS_ITS_ROOT, NAMES_ITS_ROOT])
@pytest.mark.parametrize("asked", [True, False])
def test_whatever_certificates_a_stamp_brings_it_holds_by_the_pinned_ones(
    tsa: Authority, tmp_path: Path, extra: str, asked: bool
) -> None:
    token = replace(tsa, extra=extra).stamp(time_request(SIGNED) if asked else without_asking(tsa, tmp_path))
    brought = [each in token for each in map(base64.b64decode, tsa.pinned.certificates)]
    assert brought == [asked, asked and extra != ""]
    assert abs(datetime.now(UTC) - stamped(token, SIGNED, tsa.pinned)) < timedelta(minutes=1)
    assert digest_of(token) == hashlib.sha256(SIGNED).digest()
    assert signer_number(token, (tsa.pinned,)) == number(tsa.pinned)
    with pytest.raises(TrustError, match="is for other bytes"):
        stamped(token, OTHER, tsa.pinned)


def test_these_certificates_are_unsorted_and_a_strict_reader_refuses_them(tsa: Authority, unsorted: bytes) -> None:
    with pytest.raises(ValueError, match="InvalidSetOrdering"):
        decode_timestamp_response(unsorted)
    bare = without_certificates(unsorted)
    assert decode_timestamp_response(bare).signed_data.certificates == set()
    assert without_certificates(bare) == bare
    for certificate in map(base64.b64decode, tsa.pinned.certificates):
        assert certificate in unsorted
        assert certificate not in bare


def test_where_certificates_are_in_order_nothing_but_them_is_left_out(token: bytes) -> None:
    whole, bare = decode_timestamp_response(token), decode_timestamp_response(without_certificates(token))
    (one,), (other,) = whole.signed_data.signer_infos, bare.signed_data.signer_infos
    assert (one.issuer, one.serial_number, one.version) == (other.issuer, other.serial_number, other.version)
    assert (whole.tst_info.gen_time, whole.tst_info.nonce) == (bare.tst_info.gen_time, bare.tst_info.nonce)
    assert len(whole.signed_data.certificates) == 1


def test_a_small_element_keeps_its_short_length() -> None:
    token = bytes.fromhex("300e 3000 300a 0600 a006 3004 0200 a000")
    assert without_certificates(token) == bytes.fromhex("300c 3000 3008 0600 a004 3002 0200")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "30",
        "3080 0000",
        "3002 0500 00",
        "3003 0500",
        "3082 ffff 0500",
        "0402 0500",
        "3000",
        "3006 3000 3000 3000",
        "3004 3000 3000",
        "3008 3000 3004 0600 3000",
        "300a 3000 3006 0600 a002 0400",
    ],
)
def test_what_is_built_otherwise_is_refused_in_our_words(tsa: Authority, data: str) -> None:
    with pytest.raises(ValueError, match=r"element|values to unpack"):
        without_certificates(bytes.fromhex(data))
    with pytest.raises(TrustError) as refused:
        digest_of(bytes.fromhex(data))
    assert str(refused.value) == "this is not the response of a time authority"


def test_a_refusal_has_no_words_of_a_library(tsa: Authority, token: bytes) -> None:
    """Where the bytes cannot be read, and where what they say does not hold."""
    broken = token.replace(bytes.fromhex("020101"), bytes.fromhex("020201"), 1)
    altered = token[:-1] + bytes((token[-1] ^ 1,))
    for data, words in (
        (token[: len(token) // 2], "this is not the response of a time authority"),
        (broken, "the time stamp cannot be read"),
        (
            altered,
            "the time stamp by Example TSA does not hold: its signature is not right, or its certificates were not at that time",
        ),
    ):
        with pytest.raises(TrustError) as refused:
            stamped(data, SIGNED, tsa.pinned)
        assert str(refused.value) == words


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_bit_is_refused_or_changes_nothing(tsa: Authority, token: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(token) * 8 - 1))
    changed = bytearray(token)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        at = stamped(bytes(changed), SIGNED, tsa.pinned)
    except TrustError:
        return
    assert at == stamped(token, SIGNED, tsa.pinned)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_bit_in_the_certificates_is_refused_or_changes_nothing(
    tsa: Authority, unsorted: bytes, data: st.DataObject
) -> None:
    first, second = (base64.b64decode(each) for each in tsa.pinned.certificates)
    begin, end = unsorted.index(first) - 4, unsorted.index(second) + len(second)  # 4: the tag and length of the list
    bit = data.draw(st.integers(begin * 8, end * 8 - 1))
    changed = bytearray(unsorted)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        at = stamped(bytes(changed), SIGNED, tsa.pinned)
    except TrustError:
        return
    assert at == stamped(unsorted, SIGNED, tsa.pinned)
    assert digest_of(bytes(changed)) == hashlib.sha256(SIGNED).digest()
    assert signer_number(bytes(changed), (tsa.pinned,)) == number(tsa.pinned)
