"""Reports to look at: a drive after a vendor's visit, and the same when all is well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tests.compare_values import file, item, reading, sha, snapshot
from verifier.compare.coverage import coverage, item_results
from verifier.compare.drifts import compare
from verifier.compare.notes import limit_notes
from verifier.compare.verdict import verdict
from verifier.model.report import BaselineRef, Coverage, Report
from verifier.model.snapshot import Disagreement, Exchange, FactValue, NotAsked, NumberValue, Snapshot, Unread
from verifier.model.words import Criticality, Evidence, Kind, Reason, Verdict
from verifier.report.signed import SignedReport

APPROVERS = ("R. Mori (engineer)", "A. Okafor (security-officer)")
TEXTS = {
    "k1": b"# sshd_config\nPort 22\nPermitRootLogin no\nPasswordAuthentication no\nUsePAM yes\n",
    "k2": b"# sshd_config\nPort 22\nPermitRootLogin yes\nPasswordAuthentication yes\nUsePAM yes\nAllowTcpForwarding yes\n",
}


def hoist(tonnes: str, raw: int, out: bool = False) -> NumberValue:
    return NumberValue((raw,), tonnes, "t", out_of_limits=out)


def approved() -> Snapshot:
    firmware = item(
        *(reading(f"/opt/controller/lib/lib{n:03}.so", file(str(n))) for n in range(412)),
        reading("/opt/controller/firmware/hoist.bin", file("f" * 900, version="3.10.8")),
        reading("/opt/controller/firmware/trolley.bin", file("t", version="2.1.0")),
        reading("/opt/controller/log/run.log", file("log")),
        reading("/usr/bin/passwd-helper", file("p", mode=0o755)),
        volatile=("/opt/controller/log",),
        criticality=Criticality.CRITICAL,
    )
    limits = item(
        reading("hoist overload trip", hoist("50.0", 500), Evidence.CLAIMED),
        reading("rated load", hoist("40.0", 400), Evidence.CLAIMED),
        reading("slack rope trip", hoist("2.5", 25), Evidence.CLAIMED),
        name="hoist limits",
        kind=Kind.PARAMETER,
        criticality=Criticality.CRITICAL,
    )
    interfaces = item(
        reading("eth0", FactValue("up mac=00:90:e8:12:34:56 driver=macb"), Evidence.CLAIMED),
        reading("lo", FactValue("up mac=00:00:00:00:00:00"), Evidence.CLAIMED),
        name="interfaces",
        kind=Kind.NETWORK,
        criticality=Criticality.CRITICAL,
    )
    settings = item(
        reading("/etc/ssh/sshd_config", file("1", kept="k1", normal_sha256=sha("n1"))),
        reading("/etc/controller/limits.conf", file("2")),
        reading("/etc/ssl/private", file("3")),
        reading("/etc/ssl/private/ca.key", file("3")),
        reading("/etc/ssl/private/device.key", file("4")),
        name="settings",
        kind=Kind.CONFIGURATION,
    )
    users = item(reading("root", FactValue("uid=0 shell=/bin/sh"), Evidence.CLAIMED), name="users", kind=Kind.ACCOUNT)
    return snapshot(firmware, limits, interfaces, settings, users, not_asked=(NotAsked("boot slots", "no RAUC on this device"),))


def after_the_visit() -> Snapshot:
    firmware, limits, interfaces, settings, _ = approved().items
    changed = {
        "/opt/controller/firmware/hoist.bin": reading("/opt/controller/firmware/hoist.bin", file("g" * 912, version="3.9.2")),
        "/opt/controller/firmware/trolley.bin": reading("/opt/controller/firmware/trolley.bin", file("u", version="2.1.0")),
        "/opt/controller/lib/lib007.so": reading(
            "/opt/controller/lib/lib007.so", Disagreement("sftp", "5feceb66ffc8", "sha256sum", "6b86b273ff34")
        ),
        "/opt/controller/lib/lib100.so": reading(
            "/opt/controller/lib/lib100.so", Unread(Reason.UNSTABLE, "size went on growing")
        ),
        "/usr/bin/passwd-helper": reading("/usr/bin/passwd-helper", file("p", mode=0o4755)),
    }
    hooked = reading("/opt/controller/lib/<script>alert(1)</script>\\x1b[2J.so", file("evil"))
    firmware = item(
        *(changed.get(r.member, r) for r in firmware.readings if r.member != "/opt/controller/lib/lib200.so"),
        hooked,
        volatile=firmware.volatile,
        criticality=firmware.criticality,
    )
    limits = replace(
        limits, readings=(reading("hoist overload trip", hoist("62.0", 620, True), Evidence.CLAIMED), *limits.readings[1:])
    )
    modem = reading("wwan0", FactValue("up mac=02:50:f4:00:00:01 driver=qmi_wwan \u202e\x1b[31m"), Evidence.CLAIMED)
    moved = reading("eth0", FactValue("up mac=00:90:e8:12:34:99 driver=macb"), Evidence.CLAIMED)
    interfaces = replace(interfaces, readings=(moved, interfaces.readings[1], modem))
    settings = item(
        reading("/etc/ssh/sshd_config", file("9", kept="k2", normal_sha256=sha("n2"))),
        reading("/etc/controller/limits.conf", file("2", owner=1000)),
        reading("/etc/ssl/private", Unread(Reason.DENIED, "open: EACCES", below=True)),
        name="settings",
        kind=Kind.CONFIGURATION,
    )
    why = NotAsked("users", "the shell was taken away")
    return replace(
        approved(),
        items=(firmware, limits, interfaces, settings),
        not_asked=(NotAsked("boot slots", "no RAUC on this device"), why),
        notes=("legacy algorithm ssh-rsa accepted for this device", "no shell: read over SFTP"),
    )


def report(before: Snapshot, found: Snapshot) -> Report:
    drifts = compare(before, found, TEXTS.get)
    results = item_results(before, found, drifts)
    return Report(
        device=found.device,
        verdict=verdict(drifts, coverage(results)),
        started=datetime(2026, 11, 22, 6, 0, 0, tzinfo=UTC),
        ended=datetime(2026, 11, 22, 6, 0, 12, tzinfo=UTC),
        profile="demo-controller",
        profile_version=1,
        profile_digest=sha("profile"),
        baseline=BaselineRef(3, sha("baseline"), APPROVERS),
        coverage=coverage(results),
        items=results,
        drifts=drifts,
        not_asked=found.not_asked,
        notes=(*found.notes, *limit_notes(found)),
        exchange=Exchange(sha("transcript"), 64, 9_204, 1_730_442),
        tool="crane-verify 0.1.0",
        previous=sha("previous"),
    )


def signed(of: Report, **facets: str) -> SignedReport:
    return SignedReport(of, sha(str(of.device)), 12, ("collector-07",), **facets)


def drifted() -> SignedReport:
    return signed(report(approved(), after_the_visit()))


def matched() -> SignedReport:
    return signed(report(approved(), approved()))


def untrusted() -> SignedReport:
    bare = report(snapshot(), snapshot())
    why = ("the newest baseline is not signed by a security-officer", "ask for the missing signature")
    return signed(
        replace(bare, verdict=Verdict.UNTRUSTED, baseline=BaselineRef(0, "", ()), coverage=Coverage(0, 0), notes=why, previous="")
    )
