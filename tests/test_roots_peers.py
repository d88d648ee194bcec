"""Other people's code reads our roots and policies: tuf-js, jq with openssl, and python-tuf used as anybody else would."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Targets

from tests.roots_fixtures import ENDS, ONE, TWO, altered, first, following, resigned, with_root
from tests.servers import node
from tests.signers import P256, PQ
from tests.trust_fixtures import ENGINEER, OFFICER, SECOND_ENGINEER, STRANGER, sealed_baseline
from verifier.trust.policy import TrustedKey
from verifier.trust.quorum import Seat
from verifier.trust.roots import Trusted
from verifier.trust.roots.form import file_text, signed_bytes
from verifier.trust.signers.file import FileSigner

KEYS = (
    TrustedKey("T. Token", P256.public),
    TrustedKey("A. Engineer", PQ.public),
    TrustedKey("B. Engineer", SECOND_ENGINEER.public),
)
V1 = first(TWO, ENGINEER, OFFICER)
V2 = following(V1, replace(TWO, quorums=TWO.quorums[::-1]), OFFICER, SECOND_ENGINEER)
V3 = following(V2, with_root(ONE, ("A. Engineer", "T. Token"), 2, *KEYS), ENGINEER, SECOND_ENGINEER, P256)
"""Another root; keys of every algorithm, one of P-256 among those who sign."""


def written(trusted: Trusted, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for file in trusted.files:
        (folder / file.name).write_text(file.text)
    return folder


# python-tuf


def test_python_tuf_agrees(tmp_path: Path) -> None:
    """As its documentation does it, without anything of ours."""
    folder = written(V3, tmp_path)
    roots = [Metadata[Root].from_file(str(folder / f"{number}.root.json")) for number in (1, 2)]
    roots[0].signed.verify_delegate("root", roots[0].signed_bytes, roots[0].signatures)
    for delegator in roots:
        delegator.signed.verify_delegate("root", roots[1].signed_bytes, roots[1].signatures)
    targets = Metadata[Targets].from_file(str(folder / "3.targets.json"))
    roots[1].signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
    assert targets.signed.delegations
    assert targets.signed.delegations.roles
    assert set(targets.signed.delegations.roles) == {"engineer", "collector"}
    assert roots[1].signed.expires == targets.signed.expires == ENDS
    with pytest.raises(UnsignedMetadataError):
        roots[0].signed.verify_delegate("targets", targets.signed_bytes, {})


# tuf-js and @sigstore/core


@pytest.fixture(scope="module")
def npm() -> Iterator[None]:
    node.installed()
    yield


def refused(why: str, *arguments: object) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        node.read(*arguments)
    assert why in caught.value.stderr


def test_tuf_js_walks_the_chain_and_reads_the_delegations(npm: None, tmp_path: Path) -> None:
    assert node.read("policy", written(V2, tmp_path / "2"))["root"] == 1
    assert node.read("policy", written(V3, tmp_path / "3")) == {
        "root": 2,
        "version": 3,
        "roles": {
            "engineer": {
                "keys": sorted([ENGINEER.key_id, PQ.key_id]),
                "threshold": 1,
                "paths": [f"{each}/*" for each in sorted(q.statement for q in ONE.quorums if q.seats == (Seat("engineer", 1),))],
            },
            "collector": {"keys": [key.public.key_id for key in ONE.holders("collector")], "threshold": 1, "paths": ["report/*"]},
        },
    }


def test_tuf_js_takes_the_word_of_a_delegated_role(npm: None, tmp_path: Path) -> None:
    folder = written(V3, tmp_path / "trust")
    statement = Targets(1, "1.0.31", ENDS)
    for signer in (ENGINEER, OFFICER):
        (tmp_path / "said.json").write_text(file_text(statement, {signer.key_id: signer.sign(signed_bytes(statement))}))
        if signer is ENGINEER:
            assert node.read("policy", folder, "engineer", tmp_path / "said.json")["version"] == 3
        else:
            refused("engineer was signed by 0/1 keys", "policy", folder, "engineer", tmp_path / "said.json")


def test_tuf_js_refuses_what_was_doctored(npm: None, tmp_path: Path) -> None:
    root, root_2, targets = V3.files
    lowered = altered(root_2, lambda signed: signed["roles"]["targets"].update(threshold=1))
    for file in (resigned(root_2, STRANGER), resigned(targets, ENGINEER), resigned(targets, STRANGER)):
        folder = written(replace(V3, files=tuple(file if each.name == file.name else each for each in V3.files)), tmp_path)
        refused("was signed by", "policy", folder)
    document = json.loads(lowered.text) | {"signatures": json.loads(root_2.text)["signatures"]}
    written(V3, tmp_path)
    (tmp_path / root_2.name).write_text(json.dumps(document))
    refused("root was signed by 0/2 keys", "policy", tmp_path)
    (tmp_path / root_2.name).write_text(root.text)
    refused("Expected version 2, got 1", "policy", tmp_path)


def test_sigstore_core_reads_an_envelope(npm: None, tmp_path: Path) -> None:
    envelope, key = tmp_path / "baseline.json", tmp_path / "key.pem"
    envelope.write_bytes(sealed_baseline(ENGINEER, P256))
    for signer in (ENGINEER, P256):
        key.write_text(signer.public.pem)
        assert node.read("envelope", envelope, key)["predicateType"] == "urn:crane-verify:baseline:v1"
    key.write_text(STRANGER.public.pem)
    refused("no signature holds", "envelope", envelope, key)
    key.write_text(ENGINEER.public.pem)
    document = json.loads(envelope.read_bytes())
    document["payloadType"] += "x"
    envelope.write_text(json.dumps(document))
    refused("no signature holds", "envelope", envelope, key)


# jq and openssl

BY_HAND = """
set -eu
jq -cSj .signed "$1" | $3 >signed
jq -r --arg id "$2" '.signatures[] | select(.keyid == $id) | .sig' "$1" | xxd -r -p >sig
if grep -q MFkw key.pem; then
  openssl dgst -sha256 -verify key.pem -signature sig signed
else
  openssl pkeyutl -verify -rawin -pubin -inkey key.pem -sigfile sig -in signed
fi
"""
LINE_ENDS = r"sed s/\\n/\n/g"
"""PEM keys have line ends, which TUF signs as they are and jq writes as two characters."""


@pytest.mark.skipif(not all(map(shutil.which, ("jq", "openssl", "xxd"))), reason="jq, openssl or xxd is not installed")
@pytest.mark.parametrize(
    ("trusted", "signer", "through"),
    [(V2, OFFICER, "cat"), (V3, ENGINEER, LINE_ENDS), (V3, P256, LINE_ENDS)],
    ids=["ed25519 keys", "PEM keys", "by a P-256 key"],
)
def test_jq_and_openssl_check_a_signature(trusted: Trusted, signer: FileSigner, through: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(signer.public.pem)
    folder = written(trusted, tmp_path)
    for name in [file.name for file in trusted.files][-2:]:
        command = ["sh", "-c", BY_HAND, "sh", name, signer.key_id, through]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        assert "Verified OK" in done.stdout or "Signature Verified Successfully" in done.stdout
        file = folder / name
        file.write_text(file.read_text().replace('"version": ', '"version": 1'))
        assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode != 0
