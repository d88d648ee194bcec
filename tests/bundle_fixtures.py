"""A port with a record that somebody outside has seen, and the bundle it hands to its auditor."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from tests.card_port import Port as CardPort
from tests.card_port import founded
from tests.servers.tsa import Authority, authority
from tests.trust_fixtures import COLLECTOR, DEVICE, ENGINEER, NOW, OFFICER, OTHER_DEVICE, baseline, policy_bytes, report
from tests.witness_fixtures import CLASS, Outside, watched_policy
from verifier.model.device import DeviceName
from verifier.model.heartbeat import Heartbeat
from verifier.model.report import BaselineRef, WitnessedRef
from verifier.model.withdrawal import Withdrawal
from verifier.procedures.bundle import Bundled, Choice, write_evidence
from verifier.procedures.witnessing import kept_in, newest_witnessed
from verifier.record.workspace import Workspace
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.log.bare_stamp import without_certificates
from verifier.trust.log.sighting import Stamp
from verifier.trust.log.timestamp import number, time_request
from verifier.trust.policy import Policy, Quorum
from verifier.trust.quorum import Seat
from verifier.trust.roots import Trusted
from verifier.trust.statement import BASELINE, HEARTBEAT, REPORT, WITHDRAWAL, written

DAY = timedelta(days=1)
BEGIN = NOW - 30 * DAY
"""Long before the time authority of the tests stamps anything: it has no clock but the machine's."""


@dataclass
class Port:
    """A workspace whose policy nobody signed, written to directly: what others do with roots is not the matter here."""

    root: Path
    stamps: Authority | None = None

    def __post_init__(self) -> None:
        (self.root / "trust").mkdir(parents=True)
        (self.root / "trust/policy.json").write_bytes(policy_bytes(self.policy))

    @cached_property
    def policy(self) -> Policy:
        policy = watched_policy(authorities=(self.stamps.pinned,) if self.stamps else ())
        return replace(policy, quorums=(*policy.quorums, Quorum(WITHDRAWAL.word, (Seat("engineer", 1),))))

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root)

    @property
    def trusted(self) -> Trusted:
        return self.workspace.trusted()

    def approves(self, device: DeviceName = DEVICE, serial: int = 1, supersedes: str = "", at: datetime = NOW) -> str:
        """A baseline in the record; gives its digest."""
        value = replace(baseline(serial, supersedes, device), proposed=at)
        return self._signed(written(BASELINE, value), ENGINEER, OFFICER)

    def withdraws(self, digest: str, device: DeviceName = DEVICE, at: datetime = NOW) -> str:
        return self._signed(written(WITHDRAWAL, Withdrawal(device, 1, digest, at, "the wrong crane")), ENGINEER)

    def reports(
        self,
        at: datetime,
        named: str = "",
        device: DeviceName = DEVICE,
        witnessed: WitnessedRef | None = None,
        names: bool = True,
        serial: int = 1,
    ) -> str:
        """A report of this time in the record, against this baseline; it names what was witnessed before it."""
        if names and not witnessed:
            witnessed = newest_witnessed(self.workspace.log, self.policy)

        def make(previous: str) -> bytes:
            value = replace(report(previous, device), started=at, ended=at, witnessed=witnessed)
            value = replace(value, baseline=BaselineRef(serial, named, ("A. Engineer (engineer)",)))
            return seal(written(REPORT, value), PAYLOAD_TYPE, (COLLECTOR,))

        return self.workspace.log.append(make).sha256

    def beats(self, at: datetime) -> str:
        def make(previous: str) -> bytes:
            return seal(written(HEARTBEAT, Heartbeat(at, "crane-verify 0.1.0", previous)), PAYLOAD_TYPE, (COLLECTOR,))

        return self.workspace.log.append(make).sha256

    def signs(self) -> None:
        """A checkpoint over all there is."""
        self.workspace.log.sign(COLLECTOR)

    def is_seen(self, at: datetime) -> None:
        """A checkpoint over all there is, which the class society cosigns at this time."""
        self.signs()
        Outside(self.root.with_name("class-society"), CLASS).looks(self.workspace.log, at)

    def is_stamped(self, asking: bool = True) -> None:
        """A checkpoint over all there is, which the time authority stamps now: it has no other clock.

        Without asking for certificates none come, and the stamp is as it stands in the signed data alone.
        """
        assert self.stamps
        self.signs()
        log = self.workspace.log
        kept = kept_in(log).keep(log.tree.signed() or b"")
        response = self.stamps.stamp(time_request(kept))
        response = response if asking else without_certificates(response)
        kept_in(log).add_stamp(log.length(), Stamp(number(self.stamps.pinned), response))

    def bundles(self, folder: Path, *words: str, since: datetime | None = None, until: datetime | None = None) -> Bundled:
        return write_evidence(self.workspace, self.trusted, Choice(words, since, until), folder)

    def _signed(self, payload: bytes, *signers: object) -> str:
        return self.workspace.log.append(lambda _: seal(payload, PAYLOAD_TYPE, signers)).sha256  # type: ignore[arg-type]  # signers of two files


def busy_port(folder: Path, stamped: bool = True) -> Port:
    """Two devices: two baselines, a withdrawal, six reports, a heartbeat; seen twice, stamped once, and one report since then."""
    port = Port(folder / "workspace", authority(folder / "tsa") if stamped else None)
    one = port.approves(at=BEGIN)
    two = port.approves(OTHER_DEVICE, at=BEGIN)
    port.reports(BEGIN, one)
    port.reports(BEGIN + DAY, two, OTHER_DEVICE)
    port.is_seen(BEGIN + 2 * DAY)
    port.reports(BEGIN + 3 * DAY, one)
    port.withdraws(two, OTHER_DEVICE, BEGIN + 4 * DAY)
    port.reports(BEGIN + 4 * DAY, one)
    port.is_seen(BEGIN + 5 * DAY)
    port.beats(BEGIN + 6 * DAY)
    port.reports(BEGIN + 7 * DAY, one)
    if stamped:
        port.is_stamped()
    port.reports(datetime.now(UTC), one)
    port.signs()
    return port


@dataclass(frozen=True)
class Handed:
    """What an auditor gets from a port whose policy is signed, made with the commands as they are typed."""

    bundle: Path
    fingerprint: str
    port: CardPort

    def copy(self, folder: Path) -> Path:
        """A copy to do with as one likes."""
        shutil.copytree(self.bundle, folder)
        return folder


def handed(folder: Path) -> Handed:
    """Two baselines, one approved with a P-256 key; checks; a later policy; cosigned by a witness, then stamped."""
    port = founded(folder / "port")
    fingerprint = Workspace(port.workspace).trusted().fingerprint
    stamps = authority(folder / "tsa")
    chain = folder / "tsa/chain.pem"
    chain.write_text((folder / "tsa/signer.pem").read_text() + (folder / "tsa/root.pem").read_text())
    witness, second = folder / "class.key", folder / "second.key"
    port.succeeds("trust", "key", str(witness), "--no-passphrase")
    port.succeeds("trust", "key", str(second), "--algorithm", "ecdsa-sha2-nistp256", "--no-passphrase")
    port.succeeds("check", "STS-01/card")
    port.succeeds("trust", "add", f"{witness}.pub", "--name", "Class Society", "--role", "witness")
    port.succeeds("trust", "add", f"{second}.pub", "--name", "B. Engineer", "--role", "engineer")
    port.succeeds("trust", "add", str(chain), "--name", stamps.name, "--role", "time-authority")
    assert port.types("check", "STS-01").code == 5  # the spare was never approved
    log_key = folder / "collector.pub"
    log_key.write_text(Workspace(port.workspace).trusted().policy.log_keys()[0].openssh + "\n")
    looking = ("--key", str(witness), "--log-key", str(log_key), "--memory", str(folder / "memory"))
    port.succeeds("log", "witness", str(port.workspace), *looking)
    port.succeeds("baseline", "propose", "STS-01/spare", "--reason", "commissioning")
    port.succeeds("baseline", "approve", "STS-01/spare", "--yes", "--key", str(second))
    port.succeeds("check", "STS-01")
    request, response = folder / "log.tsq", folder / "log.tsr"
    port.succeeds("log", "checkpoint", "--time-request", "--output", str(request))
    response.write_bytes(stamps.stamp(request.read_bytes()))
    port.succeeds("log", "take", str(response))
    port.succeeds("check", "STS-01/card")
    bundle = folder / "evidence"
    port.succeeds("log", "bundle", str(bundle))
    return Handed(bundle, fingerprint, port)
