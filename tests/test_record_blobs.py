"""Blobs: what comes out is what went in, or an error."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.record_fixtures import full_disk
from verifier.errors import RecordError, TrustError
from verifier.record.blobs import Blobs
from verifier.transport.transcript import Transcript


@settings(max_examples=30, deadline=None)
@given(contents=st.lists(st.binary(max_size=50), max_size=5))
def test_what_is_kept_is_found(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    digests = [blobs.put(content) for content in contents]
    assert digests == [hashlib.sha256(content).hexdigest() for content in contents]
    assert [blobs.get(digest) for digest in digests] == contents


def test_where_it_lies(tmp_path: Path) -> None:
    digest = Blobs(tmp_path).put(b"abc")
    assert (tmp_path / "sha256" / "ba" / digest).read_bytes() == b"abc"
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_keeping_it_twice_writes_it_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    path = tmp_path / "sha256" / "ba" / blobs.put(b"abc")
    before = path.stat()
    blobs.put(b"abc")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_transcript_is_found_under_the_digest_of_its_report(tmp_path: Path) -> None:
    transcript = Transcript()
    transcript.add("read holding 0 10")
    assert Blobs(tmp_path).put(transcript.text()) == transcript.exchange().transcript_sha256


def test_an_altered_blob_is_refused_and_mended_by_keeping_it_again(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"abc")
    (tmp_path / "sha256" / "ba" / digest).write_bytes(b"abd")
    with pytest.raises(TrustError, match="was altered"):
        blobs.get(digest)
    with pytest.raises(TrustError, match="was altered"):
        blobs.find(digest)
    blobs.put(b"abc")
    assert blobs.get(digest) == b"abc"


@pytest.mark.parametrize("digest", ["ab" * 32, "", "AB" * 32, "../" * 10, "ba/../../secret", "ab" * 31])
def test_what_is_not_kept_is_not_found(tmp_path: Path, digest: str) -> None:
    (tmp_path / "secret").write_bytes(b"")
    assert Blobs(tmp_path / "blobs").find(digest) is None
    with pytest.raises(RecordError, match="nothing is kept under"):
        Blobs(tmp_path / "blobs").get(digest)


def test_a_full_disk(tmp_path: Path) -> None:
    with full_disk(tmp_path / "mnt") as disk:
        blobs = Blobs(disk)
        digest = blobs.put(b"abc")
        with pytest.raises(RecordError, match="the disk is full"):
            blobs.put(bytes(100_000))
        assert blobs.get(digest) == b"abc"
        assert blobs.clear_partials() == ()


def test_left_overs_are_cleared(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    blobs.put(b"abc")
    left = tmp_path / "partial" / ".abc.0011223344556677.partial"
    left.write_bytes(b"ab")
    assert blobs.clear_partials() == (left,)
