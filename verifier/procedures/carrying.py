"""What travels from the log to those outside, and what comes back: requests, cosignatures, time stamps. Files, in any order.

Whatever is sent out is kept first, so that what comes back fits something, and so that the log can never be another one
unnoticed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from verifier.errors import TrustError, UsageError
from verifier.procedures.audit import checkpoint_of
from verifier.procedures.witnessing import against_today, kept_in, origin_of
from verifier.record.log import Log
from verifier.record.workspace import Workspace
from verifier.trust.log.checkpoint import Checkpoint
from verifier.trust.log.note import Note, NoteSignature, read_note
from verifier.trust.log.request import Request, request
from verifier.trust.log.sighting import COSIGNATURE, Claim, Sighting, Stamp, claims, cosigned, own, own_kept, time_stamped
from verifier.trust.log.timestamp import digest_of, signer_number, time_request
from verifier.trust.policy import WITNESS, Policy

DER_SEQUENCE = b"\x30"
REQUEST_VERSION = b"\x02\x01\x01"
"""What a request to a time authority begins with, after its length: version 1. An answer begins with a status."""
KEEP_IT = "keep this file: beside the log as it is today, it shows that the history was rewritten"


@dataclass(frozen=True, slots=True)
class Taken:
    """Something that came back."""

    sighting: Sighting
    new: bool
    """Whether it was not known already."""

    def __str__(self) -> str:
        seen = self.sighting
        word = "cosigned" if seen.how == COSIGNATURE else "time-stamped"
        known = "" if self.new else " (known already)"
        return f"{seen.size} entries, {word} by {seen.by} on {seen.at:%Y-%m-%d %H:%M} UTC{known}"


def request_for(workspace: Workspace, policy: Policy, owner: str, since: int | None = None) -> Request:
    """What to ask a witness: today's checkpoint, going on from the last one that it cosigned, or from `since` entries.

    Raises:
        UsageError: the policy knows no such witness, or there is no checkpoint yet.
        TrustError: the log is not the one that was shown to somebody before.
        RecordError: the disk refused.
    """
    witnesses = sorted({key.owner for key in policy.holders(WITNESS)})
    if owner not in witnesses:
        names = ", ".join(witnesses) or "nobody"
        raise UsageError(
            f"{owner} is no witness of the policy", f"it names {names}; `trust add KEY.pub --role {WITNESS}` adds one"
        )
    signed = _kept_now(workspace, policy)
    seen = _last_seen(workspace.log, policy, owner) if since is None else since
    return request(seen, signed, workspace.log.tree.tiles.reader)


def stamp_request(workspace: Workspace, policy: Policy) -> bytes:
    """What to send to a time authority: DER, over today's checkpoint. Raises as `request_for`."""
    return time_request(_kept_now(workspace, policy))


def take(workspace: Workspace, policy: Policy, data: bytes) -> tuple[Taken, ...]:
    """Take in what came back: a checkpoint with cosignatures, or the response of a time authority. Again is harmless.

    Raises:
        TrustError: it is neither, or it is not for this log, or not by anybody the policy knows. Nothing of it was kept.
        RecordError: the disk refused.
    """
    if data.startswith(b"old "):
        raise TrustError("this is a request, not what came back", "take in what the witness gave for it: NAME.cosigned")
    if data.startswith(DER_SEQUENCE):
        if data[2:5] == REQUEST_VERSION:
            raise TrustError("this is a request, not what came back", "send it to the time authority; its answer is taken in")
        return (_take_stamp(workspace.log, policy, data),)
    return _take_cosigned(workspace.log, policy, data)


def _take_cosigned(log: Log, policy: Policy, data: bytes) -> tuple[Taken, ...]:
    origin, found = origin_of(log), read_note(data)
    mine = own(data, origin, policy)
    _must_be_history(mine.checkpoint, log, policy)
    lines = [each for each in found.signatures if each.name != mine.checkpoint.origin]
    signed = Note(found.text, tuple(each for each in found.signatures if each not in lines)).written()
    claimed = [(each.line().encode(), claim) for each in lines for claim in cosigned(signed, each.line().encode(), policy)]
    if not claimed:
        raise TrustError(
            f"no witness of the policy cosigned it: {_why(lines, policy)}", "`crane-verify trust show` names the witnesses"
        )
    kept = kept_in(log)
    signed = kept.keep(signed)
    before = kept.at(mine.checkpoint.size)
    taken = []
    for line, claim in claimed:
        there = kept.add_cosignature(mine.checkpoint.size, claim.number, line)
        held = cosigned(signed, there, policy)
        taken.append(_taken(held, claim.number, new=there == line and (before is None or line not in before.cosignatures)))
    return tuple(taken)


def _take_stamp(log: Log, policy: Policy, data: bytes) -> Taken:
    digest = digest_of(data)
    kept = next((each for each in kept_in(log).kept() if hashlib.sha256(each.checkpoint).digest() == digest), None)
    if kept is None:
        raise TrustError(
            "the time stamp is for no checkpoint that was sent out from here",
            "take it in at the workspace where `log checkpoint --time-request` was run",
        )
    _must_be_history(own_kept(kept, origin_of(log), policy).checkpoint, log, policy)
    number = signer_number(data, policy.time_authorities)
    if not number:
        raise TrustError(
            "the time stamp is by none of the time authorities that the policy knows",
            "ask one of those, or have the policy name this one: `crane-verify trust show`",
        )
    stamp = Stamp(number, data)
    time_stamped(kept.checkpoint, stamp, policy)
    there = kept_in(log).add_stamp(kept.size, stamp)
    held = time_stamped(kept.checkpoint, Stamp(number, there), policy)
    return _taken(held, number, new=there == data and stamp not in kept.stamps)


def _taken(held: tuple[Claim, ...], number: str, new: bool) -> Taken:
    """What is kept now, which is what came first."""
    for claim in held:
        if claim.number == number:
            return Taken(claim.sighting, new)
    raise TrustError(
        f"something else is kept under the number {number} in log/witnessed", "move that file away, and find out who put it there"
    )


def _must_be_history(checkpoint: Checkpoint, log: Log, policy: Policy) -> None:
    if why := against_today(log, policy)(checkpoint):
        raise TrustError(why, KEEP_IT)


def _why(lines: list[NoteSignature], policy: Policy) -> str:
    """Why none of these lines counts."""
    for line in lines:
        for key in policy.holders(WITNESS):
            if line.name.endswith(f"/{key.public.key_id[:16]}"):
                return f"the key of {key.owner} did not count at the time of the cosignature"
    return f"{lines[0].name} is nobody it knows" if lines else "there is no cosignature"


def _kept_now(workspace: Workspace, policy: Policy) -> bytes:
    """Today's checkpoint as it is to be shown to anybody, kept before it is."""
    return kept_in(workspace.log).keep(checkpoint_of(workspace, policy))


def _last_seen(log: Log, policy: Policy, owner: str) -> int:
    """How many entries a witness has seen, as far as what came back tells."""
    for kept in kept_in(log).kept():
        try:
            found, _ = claims(kept, own_kept(kept, origin_of(log), policy), policy)
        except TrustError:
            continue
        if any((claim.sighting.by, claim.sighting.how) == (owner, COSIGNATURE) for claim in found):
            return kept.size
    return 0
