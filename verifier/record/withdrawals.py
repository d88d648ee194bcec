"""Withdrawals on disk: one that waits for signatures lies beside the proposals, one that counts is an entry of the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from verifier.model.device import DeviceName
from verifier.model.withdrawal import Withdrawal
from verifier.record.files import read_whole, remove, write_whole
from verifier.record.index import Index
from verifier.record.log import Entry, Log
from verifier.record.names import device_path
from verifier.trust.statement import WITHDRAWAL
from verifier.trust.verify import Verified


@dataclass(frozen=True, slots=True)
class Withdrawals:
    proposals: Path
    log: Log
    index: Index

    def waiting(self, device: DeviceName) -> bytes | None:
        """The withdrawal that waits for signatures; None: none does."""
        return read_whole(self.path(device))

    def lay_down(self, device: DeviceName, envelope: bytes) -> None:
        """Put one where its signers find it, in place of an earlier one.

        Raises:
            RecordError: the disk refused.
        """
        write_whole(self.path(device), envelope)

    def drop(self, device: DeviceName) -> None:
        """Forget the one that waits, if there is one."""
        remove(self.path(device))

    def record(self, withdrawal: Verified[Withdrawal]) -> Entry:
        """Put it into the log. From here on the baseline it names is refused.

        Raises:
            RecordError: the disk refused. Then nothing happened.
        """
        entry = self.log.append(lambda _: withdrawal.envelope)
        self.drop(withdrawal.value.device)
        return entry

    def claims(self, device: DeviceName) -> Iterator[tuple[int, bytes]]:
        """Every entry that claims to withdraw a baseline of this device, newest first: its number, its envelope.

        Anybody who can write to the disk can put one there: `trust.verify` comes next, always.

        Raises:
            TrustError: the log is not what it was.
        """
        for row, envelope in self.index.entries(WITHDRAWAL.word, device):
            yield row.sequence, envelope

    def path(self, device: DeviceName) -> Path:
        # never `.json`, which a device called `card.withdrawal` would have for its proposal
        return device_path(self.proposals, device, ".withdrawal")
