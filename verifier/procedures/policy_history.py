"""Which policies the record has worked under, so that an older one never comes back unnoticed.

The policy in `trust/` is the one in force. Before a run of checks records anything, it stands in the record itself, as an entry;
what was signed is judged later by the policy of its place. An entry is no proof of what it holds: anybody who can write to the
disk can add one. It counts only if its files hold, if they grew out of those of the entry before that counts, and if it is signed
as reports are. Who cannot sign as root gains nothing by adding one.
"""

from __future__ import annotations

import contextlib
import re
from datetime import datetime

from verifier.errors import TrustError
from verifier.model.policy_record import PolicyRecord, TrustFile
from verifier.procedures.collector import Collector
from verifier.procedures.history import Placed, counting
from verifier.procedures.judging import TOOL
from verifier.procedures.recording import report_signer
from verifier.record.workspace import Workspace
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.policy import Policy
from verifier.trust.roots.trusted import UNSIGNED, Trusted, grew_from
from verifier.trust.statement import POLICY, written
from verifier.trust.verify import claimed, verify

_TARGETS = re.compile(r"([1-9][0-9]*)\.targets\.json")


class _Stands(Exception):
    """The policy in force stands in the record already."""


def in_force(workspace: Workspace) -> Trusted:
    """The policy of `trust/`, if it is not behind what the record has worked under.

    Raises:
        TrustError: there is none, it does not hold, it is rolled back, or it hangs on another first root.
        RecordError: the record cannot be read.
    """
    standing = workspace.trusted()
    if any(not _plainly_before(_files(envelope), standing) for _, envelope in workspace.index.entries(POLICY.word)):
        for newest in placed(workspace, standing)[-1:]:
            grew_from(standing, newest.trusted)
    return standing


def placed(workspace: Workspace, standing: Trusted) -> tuple[Placed, ...]:
    """Every policy that the record has worked under, oldest first: each grown out of the one before. `standing` is in `trust/`.

    Raises:
        TrustError: the record is not what it was.
        RecordError: the record cannot be read.
    """
    found: list[Placed] = []
    for row, envelope in reversed([*workspace.index.entries(POLICY.word)]):
        with contextlib.suppress(TrustError):
            found.append(counting(row.sequence, envelope, found[-1].trusted if found else None, standing))
    return tuple(found)


def since(sequence: int, policies: tuple[Placed, ...]) -> datetime | None:
    """From when on the policy at this place of the record was in force; None: no policy was recorded before it.

    The same policy can be recorded again with an earlier time, by whoever has the collector's key. That moves nothing back.
    """
    return max((each.at for each in policies if each.sequence <= sequence), default=None)


def record_policy(collector: Collector) -> None:
    """Put the policy in force into the record, if the newest one there is another.

    Raises:
        UsageError: there is no key to sign with, or the policy does not let it.
        TrustError: the policy is rolled back, or the record does not hold.
        RecordError: the disk refused.
    """
    trusted = in_force(collector.workspace)
    if _is_recorded(trusted, collector.workspace):
        return
    signer = report_signer(collector)

    def make(previous: str) -> bytes:
        if _is_recorded(trusted, collector.workspace):
            raise _Stands
        record = PolicyRecord(collector.now(), trusted.files, TOOL, previous)
        sealed = seal(written(POLICY, record), PAYLOAD_TYPE, (signer,))
        verify(sealed, POLICY, trusted.policy, record.at)
        return sealed

    with contextlib.suppress(_Stands):
        collector.workspace.log.append(make)


def _is_recorded(trusted: Trusted, workspace: Workspace) -> bool:
    """Whether the newest policy of the record that counts is this one, which grew out of all of them."""
    for _, envelope in workspace.index.entries(POLICY.word):
        if _files(envelope) == trusted.files and _signed_under(trusted.policy, envelope):
            return True
        break
    return any(newest.trusted.files == trusted.files for newest in placed(workspace, trusted)[-1:])


def _signed_under(policy: Policy, envelope: bytes) -> bool:
    at = POLICY.at(claimed(envelope, POLICY))
    with contextlib.suppress(TrustError):
        return bool(verify(envelope, POLICY, policy, at, known_by=at))
    return False


def _files(envelope: bytes) -> tuple[TrustFile, ...]:
    """The files in an entry, on nobody's word; none: it cannot be read, so it does not count."""
    with contextlib.suppress(TrustError):
        return claimed(envelope, POLICY).files
    return ()


def _plainly_before(files: tuple[TrustFile, ...], standing: Trusted) -> bool:
    """Whether a look is enough to see that the standing policy grew out of these files, or that they do not count.

    True only where it is so: then no signature of an older policy needs to be verified again.
    """
    *roots, policy = files or (TrustFile("", ""),)
    if files in ((), standing.files) or [file.name for file in files] == [UNSIGNED]:
        return True
    older, newer = (_TARGETS.fullmatch(file.name) for file in (policy, standing.files[-1]))
    same_roots = tuple(roots) == standing.files[:-1][: len(roots)]
    return bool(older and newer and same_roots and int(older[1]) < int(newer[1]))
