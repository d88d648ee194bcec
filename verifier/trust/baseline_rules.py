"""Which baseline is the one in force: right device, never an older one, an unbroken line of succession. All pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.model.device import DeviceName
from verifier.model.withdrawal import Withdrawal
from verifier.trust.verify import Verified

NEVER_BACK = "put the newest approved baseline back; to return to an older state, approve it anew with the next serial"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The newest baseline of a device that was ever accepted here."""

    serial: int
    sha256: str
    """Of its envelope."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """The baseline has not run out."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The baseline has run out. It is still compared with, drift is drift, and nothing is called a match."""

    since: datetime

    def __str__(self) -> str:
        until = f"the baseline was approved until {self.since:%Y-%m-%d %H:%M} UTC and has run out"
        return f"{until}; until one is approved anew, nothing is called a match"


Freshness = Fresh | Stale


def current(baseline: Verified[Baseline], device: DeviceName, accepted: Accepted | None) -> Baseline:
    """The baseline, if it is this device's and the one in force.

    `accepted` is what was last accepted for the device; None: nothing yet, and then any serial begins the line.

    Raises:
        TrustError: another device's, an older one, another with the same serial, or one that does not follow.
    """
    _of_device(baseline.value, device)
    if accepted is None:
        return baseline.value
    serial = baseline.value.serial
    if serial < accepted.serial:
        raise TrustError(f"the baseline of {device} has serial {serial}, and {accepted.serial} was accepted before", NEVER_BACK)
    if serial == accepted.serial and baseline.sha256 != accepted.sha256:
        raise TrustError(
            f"the baseline of {device} is not the one accepted as serial {serial}: same serial, other content", NEVER_BACK
        )
    if serial > accepted.serial:
        return succeeds(baseline, device, accepted)
    return baseline.value


def succeeds(baseline: Verified[Baseline], device: DeviceName, accepted: Accepted | None) -> Baseline:
    """The baseline, if it may become the next one: the next serial, naming by digest the one it replaces.

    Raises:
        TrustError: another device's, or it does not follow on the newest.
    """
    follows(baseline.value, device, accepted)
    return baseline.value


def follows(new: Baseline, device: DeviceName, accepted: Accepted | None) -> None:
    """As `succeeds`, of a proposal nobody has signed yet: what a person is shown and signs must already be this device's next.

    Raises:
        TrustError: as `succeeds`.
    """
    _of_device(new, device)
    newest = accepted or Accepted(0, "")
    if new.serial != newest.serial + 1:
        raise TrustError(
            f"the baseline of {device} has serial {new.serial}; the next one is {newest.serial + 1}",
            "propose it again on top of the newest approved one",
        )
    if new.supersedes != newest.sha256:
        raise TrustError(
            f"the baseline of {device} replaces {new.supersedes[:16]}..., and the newest here is {newest.sha256[:16]}...",
            "it was proposed on top of another baseline; propose it again on top of the newest approved one",
        )


def not_withdrawn(baseline: Verified[Baseline], withdrawals: Iterable[Verified[Withdrawal]]) -> None:
    """Whether its approval still stands. An approval that was taken back never comes back, whatever file is put in its place.

    Raises:
        TrustError: one of these withdrawals names it: who withdrew it, when, and why.
    """
    device = baseline.value.snapshot.device
    for withdrawal in withdrawals:
        if (withdrawal.value.device, withdrawal.value.baseline) == (device, baseline.sha256):
            by, at = ", ".join(withdrawal.signer_names), f"{withdrawal.value.at:%Y-%m-%d %H:%M} UTC"
            raise TrustError(
                f"baseline {baseline.value.serial} of {device} was withdrawn by {by}, {at}: {withdrawal.value.reason}",
                f"propose and approve a new one: crane-verify baseline propose {device} --reason ...",
            )


def overlapping(baseline: Baseline, at: datetime) -> bool:
    """Whether the baseline it replaces is valid beside it at this time. One that has run out keeps nothing beside it."""
    running = baseline.staged_until is not None and at <= baseline.staged_until
    return running and isinstance(freshness(baseline, at), Fresh)


def freshness(baseline: Baseline, at: datetime) -> Freshness:
    """Whether it has run out. That never stops a check: a stale comparison is worth more than none, and says so."""
    if baseline.not_after is not None and at > baseline.not_after:
        return Stale(baseline.not_after)
    return Fresh()


def _of_device(baseline: Baseline, device: DeviceName) -> None:
    if baseline.snapshot.device != device:
        raise TrustError(
            f"the baseline is of {baseline.snapshot.device}, not of {device}",
            "put the baseline of this device back in its place; two may have been swapped",
        )
