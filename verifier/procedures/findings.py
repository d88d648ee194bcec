"""Findings: what the signed reports of a device show again and again, and the signed steps that people took on it.

Nothing is stored: deriving twice gives the same, and what the record holds cannot be lost. A report or a step that is not signed
as the policy of its place asks counts for nothing; `log verify` shows it. Neither does one that stands a second time: whoever can
write to the disk could bring back an old match, or an old consent.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from verifier.compare.finding import Sight, findings_of, needed, sight
from verifier.compare.items import GRAVEST_FIRST
from verifier.errors import TrustError, UsageError
from verifier.model.device import DeviceName
from verifier.model.finding import SHOWN, Finding, State, Taken
from verifier.procedures.history import History, judged_as
from verifier.record.workspace import Workspace
from verifier.trust.envelope import opened
from verifier.trust.statement import FINDING, REPORT


def findings(
    workspace: Workspace, history: History, names: Iterable[DeviceName] | None = None, resolved: bool = False
) -> tuple[Finding, ...]:
    """The findings of these devices, or of all that were ever checked; gravest first, then oldest first.

    `history` is `audit.past(workspace, trusted)`. Without `resolved`, those that were seen matching are left out, and no more
    reports are read than that takes: of a device whose newest report is a match, one.

    Raises:
        TrustError: the record is not what it was.
        RecordError: the record cannot be read.
    """
    devices = workspace.index.devices(REPORT.word) if names is None else tuple(dict.fromkeys(names))
    found = [each for device in devices for each in _of(device, workspace, history, resolved)]
    return tuple(
        sorted(found, key=lambda each: (GRAVEST_FIRST.index(each.criticality), each.since, each.device, each.item, each.member))
    )


def named(words: Sequence[str], workspace: Workspace, history: History, resolved: bool = False) -> tuple[Finding, ...]:
    """The finding that each of these words is the beginning of the id of. `resolved`: one that was seen matching will do as well.

    Raises:
        UsageError: one is the beginning of none, or of more than one.
        TrustError: as `findings`.
    """
    known = findings(workspace, history)
    if resolved and not all(_begin_with(word, known) for word in words):
        known = findings(workspace, history, resolved=True)
    return tuple(dict.fromkeys(_named(word, known) for word in words))


def _begin_with(word: str, known: Sequence[Finding]) -> list[Finding]:
    return [each for each in known if word and each.id.startswith(word.lower())]


def _named(word: str, known: Sequence[Finding]) -> Finding:
    found = _begin_with(word, known)
    if not found:
        raise UsageError(
            f"no finding {word!r} is known here, or it is resolved",
            "`crane-verify finding list` shows them; --all also the resolved ones",
        )
    if len(found) > 1:
        longer = next(digits for digits in range(SHOWN, 65) if len({each.id[:digits] for each in found}) == len(found))
        raise UsageError(
            f"{word} stands for {len(found)} findings", f"give more digits: {', '.join(each.id[:longer] for each in found[:8])}"
        )
    return found[0]


def _of(device: DeviceName, workspace: Workspace, history: History, resolved: bool) -> tuple[Finding, ...]:
    newest_first = _sights(device, workspace, history)
    sights = [*(newest_first if resolved else needed(newest_first))]
    if not any(each.drifts for each in sights):
        return ()
    found = findings_of(device, sights[::-1], _steps(device, workspace, history))
    return tuple(each for each in found if resolved or each.state is not State.RESOLVED)


def _sights(device: DeviceName, workspace: Workspace, history: History) -> Iterator[Sight]:
    """What the reports of a device show that count, newest first."""
    index, log = workspace.index, workspace.log
    at_one_time: dict[datetime, list[int]] = {}
    for row in index.rows(REPORT.word, device):
        at_one_time.setdefault(row.at, []).append(row.sequence)
    for row, envelope in index.entries(REPORT.word, device):
        with contextlib.suppress(TrustError):
            verified = judged_as(REPORT, envelope, row.sequence, history, row.at)
            before = hashlib.sha256(log.read(row.sequence - 1)).hexdigest() if row.sequence else ""
            earlier = [sequence for sequence in at_one_time.get(row.at, ()) if sequence < row.sequence]
            again = any(_payload(log.read(sequence)) == _payload(envelope) for sequence in earlier)
            if verified.value.previous == before and not again:
                yield sight(row.sequence, verified.sha256, verified.value)


def _payload(envelope: bytes) -> bytes:
    return opened(envelope).payload


def _steps(device: DeviceName, workspace: Workspace, history: History) -> tuple[Taken, ...]:
    """The steps on a device's findings that count, oldest first."""
    taken: dict[bytes, Taken] = {}
    for row, envelope in reversed([*workspace.index.entries(FINDING.word, device)]):
        with contextlib.suppress(TrustError):
            verified = judged_as(FINDING, envelope, row.sequence, history, row.at)
            taken.setdefault(
                _payload(envelope), Taken(row.sequence, verified.value, tuple(signer.name for signer in verified.signers))
            )
    return tuple(taken.values())
