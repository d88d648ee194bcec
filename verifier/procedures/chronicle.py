"""The entries of a record judged one after the other, each in the light of those before it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from verifier.model.baseline import Baseline
from verifier.model.device import DeviceName
from verifier.model.report import Report
from verifier.model.withdrawal import Withdrawal
from verifier.model.words import Verdict
from verifier.procedures.history import History, Judged, examined
from verifier.procedures.times import TOLERANCE, Clocks
from verifier.trust.log.sighting import known_by
from verifier.trust.statement import REPORT
from verifier.trust.verify import Verified

SILENT = timedelta(days=8)
"""A port that checks every week leaves no longer gap than this; a heartbeat fills the ones in which nothing is checked."""
UNDER_WAY = timedelta(hours=5)
"""So long before it asks the device a check may have chosen what to compare with: it waits for the others on its line."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which the record says nothing. Nobody need have done wrong; what happened then is not in it."""

    after: int
    """The entry before it."""
    begin: datetime
    end: datetime

    def __str__(self) -> str:
        days = (self.end - self.begin).days
        return f"{days} days of silence after entry {self.after}, from {self.begin:%Y-%m-%d} to {self.end:%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class _Approved:
    sequence: int
    sha256: str
    device: DeviceName
    serial: int
    supersedes: str


@dataclass(frozen=True, slots=True)
class _Replaced:
    by: _Approved
    until: datetime | None
    """So long it was valid beside that one; None: not at all."""
    place: int
    """Among the replacements."""


@dataclass(slots=True)
class Chronicle:
    """What was read so far, as far as later entries depend on it."""

    history: History
    silences: list[Silence] = field(default_factory=list)
    elsewhere: dict[str, int] = field(default_factory=dict)
    """Baselines that reports name and that were not read before them, by digest, and how many reports name each."""
    _clocks: Clocks = field(default_factory=Clocks)
    _baselines: dict[str, _Approved] = field(default_factory=dict)
    _newest: dict[DeviceName, _Approved] = field(default_factory=dict)
    """The highest serial of each device."""
    _replaced: dict[str, _Replaced] = field(default_factory=dict)
    _replacements: list[int] = field(default_factory=list)
    """The entries that replaced a baseline, in order."""
    _dated: dict[tuple[str, ...], list[datetime]] = field(default_factory=dict)
    """For each replacement, by each collector: when its first entry after that was made, so that it was there by then."""
    _withdrawn: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    _last: tuple[int, datetime] | None = None

    def take(self, sequence: int, envelope: bytes) -> Judged:
        """The next entry that can be read, with everything that is doubtful about it.

        Raises:
            TrustError: nobody the policy names then has signed it.
        """
        found = examined(envelope, sequence, self.history)
        clock = self._clocks.doubt(sequence, found.kind, found.verified)
        late = self._late(sequence, found)
        self._listen(sequence, found)
        value = found.verified.value
        ground: tuple[str, ...] = ()
        match value:
            case Baseline():
                ground = self._succeeds(sequence, value, found.verified.sha256)
            case Withdrawal():
                self._withdrawn.setdefault(value.baseline, (sequence, value.at))
            case Report():
                ground = self._ground(value, _signers(found.verified))
            case _:
                pass
        return replace(found, doubts=(*found.doubts, *((clock,) if clock else ()), *late, *ground))

    def _late(self, sequence: int, found: Judged) -> tuple[str, ...]:
        """Whose key had come to its end before what they signed came into the record, where nothing comes in that does not count.

        Else whoever has an ended key still, and can write to the disk, dates back what he signs.
        """
        if found.kind.signed_as == REPORT.word or self._last is None:
            return ()
        policies = (self.history.policy_at(sequence)[0], self.history.policy_after(sequence))
        doubts = []
        for signer in found.verified.signers:
            mine = [key for policy in policies for key in policy.keys if key.public.key_id == signer.key_id]
            ends = [key.not_after for key in mine if key.not_after]
            if signer.seat and mine and len(ends) == len(mine) and max(ends) < self._last[1] - TOLERANCE:
                doubts.append(
                    f"was put into the record after entry {self._last[0]} of {self._last[1]:%Y-%m-%d %H:%M} UTC, when the key of "
                    f"{signer.name} had ended, on {max(ends):%Y-%m-%d %H:%M} UTC: it is back-dated"
                )
        return tuple(doubts)

    def _succeeds(self, sequence: int, baseline: Baseline, sha256: str) -> tuple[str, ...]:
        """What is wrong with a baseline's place in its line. In a bundle the ones between may not be enclosed."""
        new = _Approved(sequence, sha256, baseline.snapshot.device, baseline.serial, baseline.supersedes)
        newest = self._newest.get(new.device)
        self._baselines.setdefault(sha256, new)
        if newest and new.serial <= newest.serial:
            return (
                f"is baseline {new.serial} of {new.device} once more, and entry {newest.sequence} holds baseline {newest.serial}:"
                " an older state was put back past those who approve",
            )
        self._newest[new.device] = new
        if newest is None:
            return ()
        ends = [each for each in (baseline.staged_until, baseline.not_after) if each]
        staged = baseline.staged_until and new.supersedes == newest.sha256
        self._replaces(newest, _Replaced(new, min(ends) if staged else None, len(self._replacements)))
        if new.serial == newest.serial + 1 and new.supersedes != newest.sha256:
            return (
                f"is baseline {new.serial} of {new.device}, and replaces another one than baseline {newest.serial} in entry "
                f"{newest.sequence}: they are of two histories",
            )
        return ()

    def _replaces(self, older: _Approved, by: _Replaced) -> None:
        self._replacements.append(by.by.sequence)
        self._replaced[older.sha256] = by
        # only the newest may have one beside it
        before = self._replaced.get(older.supersedes)
        if before and before.until:
            self._replaced[older.supersedes] = replace(by, until=None)

    def _ground(self, report: Report, signers: tuple[str, ...]) -> tuple[str, ...]:
        """What is wrong with the baseline that a report was compared with."""
        named = report.baseline.sha256
        if not named or report.verdict is Verdict.UNTRUSTED:
            return ()
        if named not in self._baselines:
            self.elsewhere[named] = self.elsewhere.get(named, 0) + 1
            return ()
        baseline = self._baselines[named]
        if baseline.device != report.device:
            return (
                f"is of {report.device}, and was compared with the baseline of {baseline.device} in entry {baseline.sequence}",
            )
        if baseline.serial != report.baseline.serial:
            return (
                f"says that it was compared with baseline {report.baseline.serial}, and entry {baseline.sequence}"
                f" that it names is baseline {baseline.serial}",
            )
        if named in self._withdrawn and report.started > self._withdrawn[named][1] + TOLERANCE:
            return (f"was compared with a baseline that had been withdrawn in entry {self._withdrawn[named][0]}",)
        replaced = self._replaced.get(named)
        if replaced and self._was_over(replaced, report.started - UNDER_WAY, signers):
            beside = f", beside which it was valid until {replaced.until:%Y-%m-%d %H:%M} UTC" if replaced.until else ""
            return (
                f"was compared with baseline {baseline.serial}, which baseline {replaced.by.serial} in entry "
                f"{replaced.by.sequence} had replaced{beside}: the machine was put back to an older state",
            )
        return ()

    def _was_over(self, replaced: _Replaced, at: datetime, signers: tuple[str, ...]) -> bool:
        """Whether a baseline was not to be compared with any more at this time, by this collector's clock or of those outside."""
        dates = self._dated.get(signers, [])[replaced.place : replaced.place + 1]
        seen = known_by(self.history.sightings, replaced.by.sequence)
        there = min([*dates, *([seen] if seen else [])], default=None)
        return there is not None and at > max(there, replaced.until or there)

    def _listen(self, sequence: int, found: Judged) -> None:
        if found.kind.signed_as != REPORT.word:
            return
        at = found.kind.at(found.verified.value)
        dates = self._dated.setdefault(_signers(found.verified), [])
        dates += [at] * (len(self._replacements) - len(dates))
        if self._last and at - self._last[1] > SILENT:
            self.silences.append(Silence(self._last[0], self._last[1], at))
        self._last = (sequence, at)


def _signers(verified: Verified[Any]) -> tuple[str, ...]:
    return tuple(signer.key_id for signer in verified.signers)
