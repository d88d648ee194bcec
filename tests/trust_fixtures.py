"""People with keys, a policy, a baseline and a report, for the tests of trust and record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.model.baseline import Baseline
from verifier.model.codec import dumps
from verifier.model.device import DeviceName
from verifier.model.drift import Difference, Drift
from verifier.model.manifest import manifest_sha256
from verifier.model.report import BaselineRef, Coverage, ItemResult, Report
from verifier.model.snapshot import (
    Exchange,
    FactValue,
    FileValue,
    ItemSnapshot,
    NotAsked,
    NumberValue,
    Reading,
    Snapshot,
    Unread,
    WordValue,
)
from verifier.model.words import Criticality, DriftKind, Evidence, FileType, Kind, Reason, Verdict
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.policy import Policy, Quorum, Role, TrustedKey
from verifier.trust.quorum import Seat
from verifier.trust.signers.file import FileSigner
from verifier.trust.statement import BASELINE, REPORT, written

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
DEVICE = DeviceName("terminal-2", "STS-01", "hoist-drive")
OTHER_DEVICE = DeviceName("terminal-2", "STS-02", "hoist-drive")


def signer(number: int) -> FileSigner:
    """The same key every time."""
    return FileSigner(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


ENGINEER, OFFICER, COLLECTOR, SECOND_ENGINEER, STRANGER = (signer(number) for number in range(1, 6))

POLICY = Policy(
    keys=(
        TrustedKey("A. Engineer", ENGINEER.public),
        TrustedKey("O. Officer", OFFICER.public),
        TrustedKey("collector-1", COLLECTOR.public),
        TrustedKey("B. Engineer", SECOND_ENGINEER.public),
    ),
    roles=(
        Role("engineer", ("A. Engineer", "B. Engineer")),
        Role("security-officer", ("O. Officer",)),
        Role("collector", ("collector-1",)),
    ),
    quorums=(
        Quorum(BASELINE.word, (Seat("engineer", 1), Seat("security-officer", 1))),
        Quorum(REPORT.word, (Seat("collector", 1),)),
    ),
)


def items() -> tuple[ItemSnapshot, ...]:
    firmware = FileValue(FileType.REGULAR, 0o644, 0, 0, 3, sha256="ab" * 32, version="3.10.8", mtime=1_700_000_000)
    return (
        ItemSnapshot(
            "firmware",
            Kind.FIRMWARE,
            Criticality.CRITICAL,
            (
                Reading("boot.bin", firmware, Evidence.CONTENT),
                Reading("naïve\\x0aname", Unread(Reason.DENIED, "no"), Evidence.CONTENT),
            ),
        ),
        ItemSnapshot(
            "limits",
            Kind.PARAMETER,
            Criticality.HIGH,
            (
                Reading("hoist overload trip", NumberValue((500,), "50.0", "t"), Evidence.CLAIMED),
                Reading("ident", FactValue("ACS880"), Evidence.CLAIMED),
                Reading("word 7", WordValue(65535), Evidence.CLAIMED),
            ),
            volatile=("word *",),
        ),
    )


def snapshot(device: DeviceName = DEVICE) -> Snapshot:
    return Snapshot(
        device,
        "abb-acs880",
        3,
        "cd" * 32,
        NOW,
        NOW,
        items(),
        (NotAsked("sockets", "an SD card has none"),),
        ("legacy algorithm ssh-rsa",),
        Exchange("ef" * 32, 12, 340, 5600),
    )


def baseline(serial: int = 1, supersedes: str = "", device: DeviceName = DEVICE) -> Baseline:
    return Baseline(snapshot(device), serial, supersedes, NOW, None, "commissioning", 2, ())


def report(previous: str = "", device: DeviceName = DEVICE) -> Report:
    found = snapshot(device)
    drift = Drift(
        DriftKind.CHANGED,
        "limits",
        Kind.PARAMETER,
        Criticality.HIGH,
        "hoist overload trip",
        Evidence.CLAIMED,
        (Difference("value", "50.0 t", "62.0 t"),),
    )
    return Report(
        device=device,
        verdict=Verdict.DRIFT,
        started=NOW,
        ended=NOW,
        profile=found.profile,
        profile_version=found.profile_version,
        profile_digest=found.profile_digest,
        baseline=BaselineRef(1, "12" * 32, ("A. Engineer (engineer)",)),
        coverage=Coverage(4, 5),
        items=tuple(
            ItemResult(item.name, item.kind, item.criticality, 3, 2, 1, 1, 0, item.readings[-1].evidence, manifest_sha256(item))
            for item in found.items
        ),
        drifts=(drift,),
        not_asked=found.not_asked,
        notes=found.notes,
        exchange=found.exchange,
        tool="crane-verify 0.1.0",
        previous=previous,
    )


def nothing_read(previous: str = "") -> Report:
    """A check that stopped before it asked anything."""
    return replace(report(previous), verdict=Verdict.UNTRUSTED, items=(), drifts=(), coverage=Coverage(0, 0))


def sealed_baseline(*signers: FileSigner, value: Baseline | None = None) -> bytes:
    return seal(written(BASELINE, value or baseline()), PAYLOAD_TYPE, signers)


def sealed_report(previous: str = "", by: FileSigner = COLLECTOR) -> bytes:
    return seal(written(REPORT, report(previous)), PAYLOAD_TYPE, (by,))


def policy_bytes(policy: Policy) -> bytes:
    """A policy as it stood in its file before there were roots."""
    return dumps(policy) + b"\n"
