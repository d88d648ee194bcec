"""From what the reports of a device show, oldest first, to its findings: when each began, if it is still there, its state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from verifier.model.device import DeviceName
from verifier.model.drift import Drift
from verifier.model.finding import Finding, State, Taken
from verifier.model.report import Report
from verifier.model.snapshot import WHOLE_ITEM
from verifier.model.words import DriftKind, Verdict

Place = tuple[str, str]
"""An item and a member of one device."""


def drift_sha256(drift: Drift) -> str:
    """What a drift is, in 64 hex digits: its kind and its differences. Evidence, notes and shown lines are not part of it."""
    said = [drift.kind.value, *([each.what, each.before, each.after] for each in drift.differences)]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Sight:
    """What one report of a device shows, and of what it can tell."""

    sequence: int
    """Its entry of the record."""
    sha256: str
    """Of its envelope."""
    at: datetime
    """When the check ended."""
    drifts: dict[Place, Drift]
    """All that differ. What was not read differs from nothing, and agrees with nothing."""
    unread: tuple[Place, ...]
    tells: bool
    """False: its baseline was not trusted, so nothing was compared."""

    def settles(self, place: Place) -> bool:
        """Was this compared, and is it as approved? What the approved baseline no longer holds, or masks, counts as that."""
        return self.tells and place not in self.drifts and not any(covers(gap, place) for gap in self.unread)

    @property
    def complete(self) -> bool:
        """Can it tell of everything?"""
        return self.tells and not self.unread


def sight(sequence: int, sha256: str, report: Report) -> Sight:
    """What a report shows."""
    drifts: dict[Place, Drift] = {}
    for drift in report.drifts:
        if drift.kind is not DriftKind.UNREAD:
            drifts.setdefault((drift.item, drift.member), drift)
    unread = tuple((drift.item, drift.member) for drift in report.drifts if drift.kind is DriftKind.UNREAD)
    return Sight(sequence, sha256, report.ended, drifts, unread, report.verdict is not Verdict.UNTRUSTED)


def needed(sights: Iterable[Sight]) -> Iterator[Sight]:
    """Of all sights, newest first, as many as tell everything of the findings that are not resolved."""
    newer: list[Sight] = []
    beginning: set[Place] = set()
    for each in sights:
        yield each
        beginning = {place for place in beginning if not each.settles(place)}
        if not any(one.complete for one in newer):
            # whatever a newer one settled is resolved; whatever a complete one did not show is, too
            beginning |= {place for place in each.drifts if not any(one.settles(place) for one in newer)}
            newer.append(each)
        if not beginning and newer[-1].complete:
            return


@dataclass(slots=True)
class _Life:
    sights: list[Sight] = field(default_factory=list)
    resolved: datetime | None = None


def findings_of(device: DeviceName, sights: Iterable[Sight], steps: Sequence[Taken]) -> tuple[Finding, ...]:
    """The findings of one device, in the order of items and members: of each the present life, else the last.

    `sights` and `steps` oldest first.
    """
    lives: dict[Place, _Life] = {}
    for each in sights:
        for place in each.drifts:
            if place not in lives or lives[place].resolved:
                lives[place] = _Life()
            lives[place].sights.append(each)
        for place, life in lives.items():
            if not life.resolved and each.settles(place):
                life.resolved = each.at
    return tuple(_finding(device, place, lives[place], steps) for place in sorted(lives))


def _finding(device: DeviceName, place: Place, life: _Life, steps: Sequence[Taken]) -> Finding:
    first, last = life.sights[0], life.sights[-1]
    drift = last.drifts[place]
    found = Finding(
        device=device,
        item=place[0],
        member=place[1],
        state=State.OPEN,
        since=first.at,
        last=last.at,
        times=len(life.sights),
        first_report=first.sequence,
        last_report=last.sequence,
        drift=drift,
        digest=drift_sha256(drift),
        seen=last.sha256,
        steps=tuple(each for each in steps if (each.step.item, each.step.member) == place),
        resolved=life.resolved,
    )
    of_life = [each for each in found.steps if each.step.report in {sight.sha256 for sight in life.sights}]
    claims = [each for each in of_life if each.step.changed_by and each.step.drift == found.digest]
    found = replace(found, attributed=claims[-1] if claims else None)
    newest = of_life[-1] if of_life else None
    holds = newest is not None and _holds(newest, place, life.sights)
    if life.resolved:
        return replace(found, state=State.RESOLVED)
    if newest is None or not holds:
        return replace(found, changed=newest is not None)
    return replace(found, state=newest.step.state, standing=newest)


def _holds(taken: Taken, of: Place, sights: Sequence[Sight]) -> bool:
    """Is the drift, since the report that was looked at, still the very one that was signed?"""
    looked_at = next(place for place, each in enumerate(sights) if each.sha256 == taken.step.report)
    return all(drift_sha256(each.drifts[of]) == taken.step.drift for each in sights[looked_at:])


def covers(gap: Place, place: Place) -> bool:
    """Does what was not read hold this member, or a folder above it, or the whole item?"""
    if gap[0] != place[0]:
        return False
    below = gap[1] if gap[1].endswith("/") else f"{gap[1]}/"
    return gap[1] in (WHOLE_ITEM, place[1]) or place[1].startswith(below)
