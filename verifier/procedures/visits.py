"""The visits that the record holds, each from its opening to its approval. Nothing is stored beside the record.

A statement that is not signed as the policy of its place asks counts for nothing; `log verify` shows it. Neither does one that
stands a second time, nor a second closing of one visit: the first one counts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from verifier.errors import TrustError, UsageError
from verifier.model.device import DeviceName
from verifier.model.visit import VisitApproved, VisitClosed, VisitOpened
from verifier.procedures.history import History, judged_as
from verifier.record.workspace import Workspace
from verifier.trust.envelope import opened
from verifier.trust.statement import VISIT_APPROVED, VISIT_CLOSED, VISIT_OPENED, StatementKind
from verifier.trust.verify import Verified

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entered(Generic[T]):
    """A statement of the record that counts."""

    sequence: int
    verified: Verified[T]

    @property
    def value(self) -> T:
        return self.verified.value

    @property
    def by(self) -> str:
        """Who signed, with roles."""
        return ", ".join(self.verified.signer_names)


@dataclass(frozen=True, slots=True)
class Visit:
    opened: Entered[VisitOpened]
    closed: Entered[VisitClosed] | None = None
    approved: Entered[VisitApproved] | None = None

    @property
    def name(self) -> str:
        """By its place in the record, so that no two are called the same: `V-2026-0007`."""
        return f"V-{self.opened.value.at:%Y}-{self.opened.sequence:04}"

    @property
    def is_open(self) -> bool:
        return self.closed is None

    def is_overdue(self, now: datetime) -> bool:
        return self.closed is None and now > self.opened.value.overdue_at

    @property
    def countersigned(self) -> tuple[str, ...]:
        """Who signed the closing beside those whom the policy asks for, such as the vendor."""
        signers = self.closed.verified.signers if self.closed else ()
        return tuple(str(signer) for signer in signers if not signer.seat)


def visits(workspace: Workspace, history: History) -> tuple[Visit, ...]:
    """All visits, oldest first. `history` is `audit.past(workspace, trusted)`.

    Raises:
        TrustError: the record is not what it was.
        RecordError: the record cannot be read.
    """
    closed = {each.value.opened: each for each in reversed([*_counting(VISIT_CLOSED, workspace, history)])}
    approved = {each.value.closed: each for each in reversed([*_counting(VISIT_APPROVED, workspace, history)])}
    found = []
    for each in _counting(VISIT_OPENED, workspace, history):
        end = closed.get(each.verified.sha256)
        found.append(Visit(each, end, approved.get(end.verified.sha256) if end else None))
    return tuple(found)


def open_visits(workspace: Workspace, history: History, names: Iterable[DeviceName] | None = None) -> tuple[Visit, ...]:
    """The visits that nobody has closed, to any of these devices or at all. Where there never was one, nothing is read."""
    if workspace.index.newest(VISIT_OPENED.word) is None:
        return ()
    wanted = None if names is None else set(names)
    found = (each for each in visits(workspace, history) if each.is_open)
    return tuple(each for each in found if wanted is None or wanted & set(each.opened.value.devices))


def named_visit(word: str, workspace: Workspace, history: History) -> Visit:
    """The visit of this name; its number alone will do.

    Raises:
        UsageError: there is none.
    """
    for each in visits(workspace, history):
        if word.upper() == each.name or word == str(each.opened.sequence):
            return each
    raise UsageError(f"no visit is called {word!r}", "`crane-verify visit list` shows them")


def _counting(kind: StatementKind[T], workspace: Workspace, history: History) -> Iterator[Entered[T]]:
    """Those of one kind that count, oldest first."""
    seen: set[bytes] = set()
    for row, envelope in reversed([*workspace.index.entries(kind.word)]):
        with contextlib.suppress(TrustError):
            verified = judged_as(kind, envelope, row.sequence, history, row.at)
            payload = opened(envelope).payload
            if payload not in seen:
                seen.add(payload)
                yield Entered(row.sequence, verified)
