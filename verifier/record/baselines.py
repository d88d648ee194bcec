"""Baselines on disk: proposals on their way to approval, the approved one of each device, and their history in the log."""

from __future__ import annotations

import contextlib
import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import RecordError, TrustError
from verifier.model.baseline import Baseline
from verifier.model.device import DeviceName
from verifier.record.files import read_whole, remove, write_whole
from verifier.record.index import Index
from verifier.record.lock import locked
from verifier.record.log import Entry, Log
from verifier.record.names import device_path
from verifier.record.withdrawals import Withdrawals
from verifier.trust.baseline_rules import Accepted, succeeds
from verifier.trust.verify import Verified

SIGNING_WAIT = 60.0
"""Seconds to wait for another person whose signature is being laid down; that takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Baselines:
    folder: Path
    proposals: Path
    log: Log
    index: Index

    def alone(self, device: DeviceName, wait_seconds: float = SIGNING_WAIT) -> AbstractContextManager[None]:
        """Be alone with what waits for signatures of this device: two who sign in the same second keep both signatures.

        Raises:
            RecordError: another held it all the while, and which.
        """
        return locked(device_path(self.proposals.parent / ".locks/proposed", device, ".lock"), wait_seconds)

    @property
    def withdrawals(self) -> Withdrawals:
        return Withdrawals(self.proposals, self.log, self.index)

    def propose(self, device: DeviceName, envelope: bytes) -> Path:
        """Put a proposal where its signers find it, replacing an earlier one; gives the path.

        Raises:
            RecordError: the disk refused.
        """
        path = self.proposed_path(device)
        write_whole(path, envelope)
        return path

    def proposed(self, device: DeviceName) -> bytes | None:
        """The proposal that waits for signatures; None: none does."""
        return read_whole(self.proposed_path(device))

    def drop_proposal(self, device: DeviceName) -> None:
        """Forget the proposal, if there is one."""
        remove(self.proposed_path(device))

    def approved(self, device: DeviceName) -> bytes | None:
        """The envelope of the newest approved baseline; None: none was ever approved. `trust.verify` comes next, always.

        Raises:
            TrustError: the log says that one was accepted, and its file is gone; or the log is not what it was.
            RecordError: the disk refused.
        """
        accepted = self.index.highest(device)
        proposal = self.proposed(device)
        if accepted and proposal is not None and _sha256(proposal) == accepted.sha256:
            # `accept` was killed after the log had it; a disk that cannot be written to does not undo that
            with contextlib.suppress(RecordError):
                self._settle(device, proposal)
            return proposal
        data = read_whole(self.approved_path(device))
        if accepted and data is None:
            raise TrustError(
                f"the approved baseline of {device} is gone; entry {accepted.sequence} of the log holds it",
                f"find out who removed {self.approved_path(device)}, and copy that entry back to it",
            )
        return data

    def accepted(self, device: DeviceName) -> Accepted | None:
        """Serial and digest of the newest baseline ever accepted, for `trust.baseline_rules`; None: none was."""
        found = self.index.highest(device)
        return Accepted(found.serial, found.sha256) if found else None

    def entry(self, sha256: str) -> tuple[int, bytes] | None:
        """The entry of the log with this digest, its number and its envelope; None: there is none.

        Raises:
            TrustError: the log is not what it was.
        """
        return self.index.entry(sha256)

    def devices(self) -> tuple[DeviceName, ...]:
        """Every device of which a baseline was ever accepted, sorted.

        Raises:
            TrustError: the log is not what it was.
        """
        return self.index.approved()

    def accept(self, baseline: Verified[Baseline]) -> Entry:
        """Make a verified baseline the one in force: into the log first, then into its place. Gives its entry.

        Raises:
            TrustError: it does not follow on the newest accepted one; looked at again while nobody else can accept one.
            RecordError: the disk refused. Then either nothing happened, or the next `approved` completes it.
        """
        device = baseline.value.snapshot.device
        succeeds(baseline, device, self.accepted(device))
        if self.proposed(device) != baseline.envelope:
            self.propose(device, baseline.envelope)

        def make(_: str) -> bytes:
            succeeds(baseline, device, self.accepted(device))
            return baseline.envelope

        entry = self.log.append(make)
        self._settle(device, baseline.envelope)
        return entry

    def take_up(self, baseline: Verified[Baseline]) -> Entry:
        """Put a verified baseline that came from elsewhere into the log as it is, so that this record knows it from any other.

        Raises:
            TrustError: the log holds one of this device.
            RecordError: the disk refused. Then nothing happened.
        """
        device = baseline.value.snapshot.device

        def make(_: str) -> bytes:
            if known := self.accepted(device):
                raise TrustError(f"baseline {known.serial} of {device} was accepted here meanwhile", "look at it again")
            return baseline.envelope

        return self.log.append(make)

    def approved_path(self, device: DeviceName) -> Path:
        return device_path(self.folder, device, ".json")

    def proposed_path(self, device: DeviceName) -> Path:
        return device_path(self.proposals, device, ".json")

    def _settle(self, device: DeviceName, envelope: bytes) -> None:
        write_whole(self.approved_path(device), envelope)
        self.drop_proposal(device)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
