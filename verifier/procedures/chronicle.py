"""The entries of a record judged one after the other, each in the light of those before it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from verifier.model.baseline import Baseline
from verifier.model.device import DeviceName
from verifier.model.report import Report
from verifier.model.withdrawal import Withdrawal
from verifier.model.words import Verdict
from verifier.procedures.history import History, Judged, examined
from verifier.procedures.times import TOLERANCE, Clocks
from verifier.trust.statement import REPORT

SILENT = timedelta(days=8)
"""A port that checks every week leaves no longer gap than this; a heartbeat fills the ones in which nothing is checked."""


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
    device: DeviceName


@dataclass(slots=True)
class Chronicle:
    """What was read so far, as far as later entries depend on it."""

    history: History
    silences: list[Silence] = field(default_factory=list)
    elsewhere: dict[str, int] = field(default_factory=dict)
    """Baselines that reports name and that were not read before them, by digest, and how many reports name each."""
    _clocks: Clocks = field(default_factory=Clocks)
    _baselines: dict[str, _Approved] = field(default_factory=dict)
    _withdrawn: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    _last: tuple[int, datetime] | None = None

    def take(self, sequence: int, envelope: bytes) -> Judged:
        """The next entry that can be read, with everything that is doubtful about it.

        Raises:
            TrustError: nobody the policy names then has signed it.
        """
        found = examined(envelope, sequence, self.history)
        clock = self._clocks.doubt(sequence, found.kind, found.verified)
        self._listen(sequence, found)
        value = found.verified.value
        ground: tuple[str, ...] = ()
        match value:
            case Baseline():
                self._baselines[found.verified.sha256] = _Approved(sequence, value.snapshot.device)
            case Withdrawal():
                self._withdrawn.setdefault(value.baseline, (sequence, value.at))
            case Report():
                ground = self._ground(value)
            case _:
                pass
        return replace(found, doubts=(*found.doubts, *((clock,) if clock else ()), *ground))

    def _ground(self, report: Report) -> tuple[str, ...]:
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
        if named in self._withdrawn and report.started > self._withdrawn[named][1] + TOLERANCE:
            return (f"was compared with a baseline that had been withdrawn in entry {self._withdrawn[named][0]}",)
        return ()

    def _listen(self, sequence: int, found: Judged) -> None:
        if found.kind.signed_as != REPORT.word:
            return
        at = found.kind.at(found.verified.value)
        if self._last and at - self._last[1] > SILENT:
            self.silences.append(Silence(self._last[0], self._last[1], at))
        self._last = (sequence, at)
