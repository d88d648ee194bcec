"""Approving a visit: of what changed, exactly the accepted members become the next baseline's proposal. The rest stays drift."""

from __future__ import annotations

import platform
from collections.abc import Container, Sequence
from dataclasses import dataclass

from verifier.compare.accepted import replaced, with_accepted
from verifier.compare.drifts import compare
from verifier.compare.profile import ITEM as PROFILE
from verifier.errors import TrustError, UsageError
from verifier.model.baseline import Baseline, Provenance
from verifier.model.device import Device
from verifier.model.drift import Drift
from verifier.model.inventory import Inventory
from verifier.model.snapshot import Snapshot
from verifier.model.visit import Outcome, VisitApproved, VisitClosed, VisitDifference, is_told
from verifier.model.words import DriftKind
from verifier.procedures.approve import InForce, Waiting, approve, known, proposal
from verifier.procedures.approved import approved
from verifier.procedures.audit import past
from verifier.procedures.collector import Collector
from verifier.procedures.judging import TOOL
from verifier.procedures.visits import Entered, Visit, named_visit
from verifier.trust.envelope import PAYLOAD_TYPE, opened, seal
from verifier.trust.keys import Signer
from verifier.trust.statement import BASELINE, VISIT_APPROVED, written
from verifier.trust.verify import Verified, claimed, verify

WHO_MAY = "say who may: crane-verify trust quorum visit-approval engineer=1"


@dataclass(frozen=True, slots=True)
class Next:
    """What one device's next baseline would be."""

    device: Device
    before: Verified[Baseline]
    baseline: Baseline
    changes: tuple[Drift, ...]
    """Against the one in force."""


@dataclass(frozen=True, slots=True)
class Approving:
    """What a person is shown before signing."""

    visit: Visit
    closed: Entered[VisitClosed]
    accepted: tuple[VisitDifference, ...]
    refused: tuple[VisitDifference, ...]
    next: tuple[Next, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Approved:
    visit: Visit
    entry: int
    baselines: tuple[tuple[Device, InForce | Waiting | None], ...]
    """What became of each proposal; None: it waits, since this key fills no seat for baselines, or another took its place."""


def approving(
    word: str, ids: Sequence[str], all_matched: bool, reason: str, inventory: Inventory, collector: Collector
) -> Approving:
    """What approving exactly these differences would do. `ids` are beginnings of their ids.

    Raises:
        UsageError: it is not closed, was approved, an id stands for none or several, what it stands for cannot be accepted, a
            baseline changed underneath, or another proposal waits.
        TrustError: the policy does not say who may.
    """
    try:
        collector.policy.quorum(VISIT_APPROVED.signed_as)
    except TrustError as error:
        raise TrustError(str(error), WHO_MAY) from error
    visit = _approvable(word, collector)
    closed = visit.closed
    assert closed
    differences = closed.value.differences
    wanted = {_named(each, differences).id for each in ids}
    if all_matched:
        wanted |= _matched(closed.value, wanted)
    accepted = tuple(each for each in differences if each.id in wanted)
    here = {device.name: device for device in inventory.devices}
    following: list[Next] = []
    for name in dict.fromkeys(each.device for each in accepted):
        if name not in here:
            raise UsageError(f"{name} is not in the inventory any more", "put it back, or accept nothing of it")
        mine = [each for each in accepted if each.device == name]
        following += _next(here[name], mine, visit, closed.value, reason, collector)
    refused = tuple(each for each in differences if each.id not in wanted)
    return Approving(visit, closed, accepted, refused, tuple(following), reason)


def approve_visit(seen: Approving, signer: Signer, collector: Collector) -> Approved:
    """Lay down exactly the proposals that were seen, record the signed approval, and sign the proposals where this key may.

    Killed in between, the same command goes on with it: a proposal of the same members is laid down anew.

    Raises:
        UsageError: the policy does not know this key, or something was approved or proposed meanwhile.
        TrustError: a signature by it is not what the policy asks for. Then nothing was laid down.
        RecordError: the disk refused.
    """
    known(signer, collector.policy, collector.now())
    value = VisitApproved(
        seen.closed.verified.sha256,
        tuple(each.id for each in seen.accepted),
        tuple(each.id for each in seen.refused),
        seen.reason.strip(),
        collector.now(),
    )
    try:
        signed = verify(seal(written(VISIT_APPROVED, value), PAYLOAD_TYPE, (signer,)), VISIT_APPROVED, collector.policy, value.at)
    except TrustError as error:
        raise TrustError(str(error), f"an approval carries one signature; {WHO_MAY}") from error
    _approvable(seen.visit.name, collector)
    for each in seen.next:
        with collector.workspace.baselines.alone(each.device.name):
            if approved(each.device, collector).sha256 != each.before.sha256:
                raise _changed(each.device, seen.visit)
            _none_waits(each.device, each.before, each.baseline.snapshot, collector)
            collector.workspace.baselines.propose(each.device.name, seal(written(BASELINE, each.baseline), PAYLOAD_TYPE, ()))

    def envelope(_: str) -> bytes:
        _approvable(seen.visit.name, collector)
        return signed.envelope

    entry = collector.workspace.log.append(envelope)
    return Approved(seen.visit, entry.sequence, tuple((each.device, _signed(each, signer, collector)) for each in seen.next))


def _signed(following: Next, signer: Signer, collector: Collector) -> InForce | Waiting | None:
    seats = {seat.role for seat in collector.policy.seats(BASELINE.signed_as)}
    if seats.isdisjoint(collector.policy.roles_of(collector.policy.owner(signer.key_id))):
        return None
    waiting = proposal(following.device, collector)
    if opened(waiting.envelope).payload != written(BASELINE, following.baseline):
        return None  # somebody proposed another one since, which nobody has seen here
    return approve(following.device, waiting, signer, collector)


def _approvable(word: str, collector: Collector) -> Visit:
    workspace = collector.workspace
    visit = named_visit(word, workspace, past(workspace, workspace.trusted()))
    if visit.closed is None:
        raise UsageError(f"the visit {visit.name} is open", f"close it first: crane-verify visit close {visit.name}")
    if visit.approved:
        raise UsageError(
            f"the visit {visit.name} was approved {visit.approved.value.at:%Y-%m-%d %H:%M} UTC by {visit.approved.by}",
            "what is still drift is a finding: crane-verify finding accept",
        )
    return visit


def _named(word: str, differences: Sequence[VisitDifference]) -> VisitDifference:
    found = [each for each in differences if word and each.id.startswith(word.lower())]
    if not found:
        raise UsageError(f"no difference of this visit is called {word!r}", "`crane-verify visit show` names them")
    if len(found) > 1:
        raise UsageError(f"{word!r} stands for {len(found)} differences of this visit", "give more digits of it")
    return found[0]


def _matched(closed: VisitClosed, named: Container[str]) -> set[str]:
    """All that were declared and matched.

    Raises:
        UsageError: one of them was not as approved before the visit either, so that accepting it accepts what the visit did not
            do, and nobody named it.
    """
    matched = [each for each in closed.differences if each.outcome is Outcome.MATCHED]
    before = {(each.device, each.drift.item, each.drift.member) for each in closed.before_drift if is_told(each.drift)}
    for each in matched:
        drift = each.drift
        if each.id not in named and (each.device, drift.item, drift.member) in before:
            raise UsageError(
                f"{each.name} ({each.device}: {drift.item}: {drift.member}) was not as approved before the visit either",
                f"look at it, and name it if all of it is meant: --accept {each.name}; else name each of the others",
            )
    return {each.id for each in matched}


def _next(
    device: Device,
    accepted: Sequence[VisitDifference],
    visit: Visit,
    closed: VisitClosed,
    reason: str,
    collector: Collector,
) -> tuple[Next, ...]:
    """None: of what was accepted, nothing differs from the baseline in force."""
    before = approved(device, collector)
    if before.sha256 not in {each.sha256 for each in closed.baselines if each.device == device.name}:
        raise _changed(device, visit)
    found = next(side.seen for side in closed.sides if side.device == device.name)
    assert isinstance(found, Snapshot)
    for each in accepted:
        _acceptable(each, before.value.snapshot, found)
    drifts = compare(before.value.snapshot, found, collector.workspace.kept_text)
    places = {(each.drift.item, each.drift.member) for each in accepted} & {(each.item, each.member) for each in drifts}
    if not places:
        return ()
    opened = visit.opened.value
    note = f"read after {visit.name} {found.started:%Y-%m-%d %H:%M} UTC, transcript {found.exchange.transcript_sha256[:16]}"
    snapshot = with_accepted(before.value.snapshot, found, places, note)
    _none_waits(device, before, snapshot, collector)
    baseline = Baseline(
        snapshot=snapshot,
        serial=before.value.serial + 1,
        supersedes=before.sha256,
        proposed=collector.now(),
        not_after=before.value.not_after,
        reason=f"accepted of visit {visit.name}: {reason.strip()}, {opened.work_order}",
        captures=1,
        moved=(),
        provenance=Provenance(platform.node(), TOOL),
    )
    changes = compare(before.value.snapshot, snapshot, collector.workspace.kept_text)
    return (Next(device, before, baseline, tuple(each for each in changes if (each.item, each.member) in places)),)


def _acceptable(difference: VisitDifference, approved_one: Snapshot, found: Snapshot) -> None:
    drift = difference.drift
    what = f"{difference.name} ({drift.item}: {drift.member})"
    if drift.kind is DriftKind.DISAGREEING:
        raise UsageError(f"{what}: two routes give two answers, and nobody can say which one to accept", "find out why first")
    known_items = {item.name for item in approved_one.items} & {item.name for item in found.items}
    if drift.item == PROFILE or approved_one.profile_digest != found.profile_digest or drift.item not in known_items:
        raise UsageError(
            f"{what}: it is read by another profile than the approved one, or is of an item that the baseline does not hold",
            f"propose a whole baseline: crane-verify baseline propose {difference.device}",
        )


def _changed(device: Device, visit: Visit) -> UsageError:
    return UsageError(
        f"the baseline of {device.name} is not the one any more that was in force when {visit.name} was closed",
        f"check it, and accept what still differs: crane-verify check {device.name}; crane-verify finding accept ...",
    )


def _none_waits(device: Device, before: Verified[Baseline], snapshot: Snapshot, collector: Collector) -> None:
    """Nobody's work is thrown away unasked. One of the same members is what a killed run left."""
    baselines = collector.workspace.baselines
    envelope = baselines.proposed(device.name)
    if envelope is None:
        return
    waiting = claimed(envelope, BASELINE)
    if waiting.supersedes == before.sha256 and replaced(waiting.snapshot, snapshot):
        raise UsageError(
            f"another proposal of {device.name} waits",
            f"look at it (crane-verify baseline diff {device.name}) and approve it first; to give it up, remove "
            f"{baselines.proposed_path(device.name)}",
        )
