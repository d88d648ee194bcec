"""A log with people outside who look at it, for the tests of witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tests.test_record_tree import covered, long_log
from tests.trust_fixtures import COLLECTOR, NOW, POLICY, signer
from verifier.procedures.witness import Folder, Looking, hand_in
from verifier.record.log import Log
from verifier.record.witness_memory import WitnessMemory
from verifier.trust.log.request import Request, request
from verifier.trust.log.witness import Remembered, Seen, witnessed
from verifier.trust.policy import CHECKPOINT, WITNESS, Policy, Quorum, Role, TimeAuthority, TrustedKey
from verifier.trust.quorum import Seat
from verifier.trust.signers.file import FileSigner

CLASS, INSURER, AUDITOR, SECOND_OF_CLASS = (signer(number) for number in range(20, 24))
OWNERS = ("Class Society", "Insurer", "Auditor")


def watched_policy(needed: int = 0, authorities: Sequence[TimeAuthority] = ()) -> Policy:
    """The usual policy, with three witnesses, one of whom has two keys; `needed` of them, or any one."""
    keys = tuple(
        TrustedKey(owner, key.public)
        for owner, key in (*zip(OWNERS, (CLASS, INSURER, AUDITOR), strict=True), (OWNERS[0], SECOND_OF_CLASS))
    )
    quorum = (Quorum(CHECKPOINT, (Seat(WITNESS, needed),)),) if needed else ()
    return replace(
        POLICY,
        keys=(*POLICY.keys, *keys),
        roles=(*POLICY.roles, Role(WITNESS, OWNERS)),
        quorums=(*POLICY.quorums, *quorum),
        time_authorities=tuple(authorities),
    )


def stolen(policy: Policy, key: FileSigner, since: datetime) -> Policy:
    """The policy, which knows that a key was stolen."""
    keys = (replace(each, compromised_since=since) if each.public == key.public else each for each in policy.keys)
    return replace(policy, keys=tuple(keys))


@dataclass(frozen=True)
class Outside:
    """A witness with a memory in a folder."""

    folder: Path
    key: FileSigner

    def looks(self, log: Log, at: datetime = NOW) -> Seen:
        """It looks at the log's folder and leaves its cosignature there."""
        seen = self.looking(at).at(Folder(log), lambda _: COLLECTOR.public)
        hand_in(seen, self.key, log)
        return seen

    def looking(self, at: datetime = NOW) -> Looking:
        return Looking(WitnessMemory(self.folder), self.key, lambda: at)


def cosigned_directly(log: Log, key: FileSigner, at: datetime = NOW) -> Seen:
    """A cosignature by somebody who remembers nothing, such as a thief."""
    asked = asked_of(log, 0)
    seen = witnessed(asked, Remembered(covered(log).origin, (COLLECTOR.public,)), key, at)
    hand_in(seen, key, log)
    return seen


def asked_of(log: Log, old: int) -> Request:
    return request(old, log.tree.signed() or b"", log.tree.tiles.reader)


def small_log(folder: Path, count: int) -> Log:
    return long_log(folder, count)
