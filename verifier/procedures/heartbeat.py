"""Signs of life: an entry that says nothing but that the record was alive, so that a silence is one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta

from verifier.model.heartbeat import Heartbeat
from verifier.procedures.collector import Collector
from verifier.procedures.judging import TOOL
from verifier.procedures.policy_history import record_policy
from verifier.procedures.recording import report_signer, take_in
from verifier.record.log import Entry
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.statement import HEARTBEAT, written
from verifier.trust.verify import verify

QUIET = timedelta(hours=24)
"""After so long without an entry, a scheduled run that has nothing to check gives a sign of life."""


class _Alive(Exception):
    """Another run was quicker."""


def heartbeat(collector: Collector) -> Entry:
    """Give a sign of life, and take all that waits into the tree.

    Raises:
        UsageError: there is no key to sign with, or the policy does not let it.
        TrustError: the record is not what was signed before.
        RecordError: the disk refused.
    """
    return _given(collector, lambda: None)


def heartbeat_if_quiet(collector: Collector) -> Entry | None:
    """As `heartbeat`, if the newest entry of the record is older than a day, or dated in the future; None: it is not.

    Of several runs that begin together, one gives it.
    """
    if not _is_quiet(collector):
        return None

    def look_again() -> None:
        if not _is_quiet(collector):
            raise _Alive

    with contextlib.suppress(_Alive):
        return _given(collector, look_again)
    return None


def _is_quiet(collector: Collector) -> bool:
    newest = next(collector.workspace.index.rows(), None)
    return newest is not None and not timedelta(0) <= collector.now() - newest.at <= QUIET


def _given(collector: Collector, before: Callable[[], None]) -> Entry:
    """`before` runs when nobody else can append any more."""
    take_in(collector)
    record_policy(collector)
    signer = report_signer(collector)

    def make(previous: str) -> bytes:
        before()
        beat = Heartbeat(collector.now(), TOOL, previous)
        sealed = seal(written(HEARTBEAT, beat), PAYLOAD_TYPE, (signer,))
        verify(sealed, HEARTBEAT, collector.policy, beat.at)
        return sealed

    entry = collector.workspace.log.append(make)
    take_in(collector)
    return entry
