"""Opening and closing a visit: devices are read before and after, a person is shown what that came to, signs, and it is recorded.

What was read is kept as a draft until it is signed, so that a command that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from verifier.compare.visit import already_drifted, outcomes
from verifier.errors import TrustError, UsageError
from verifier.model.device import Device, DeviceName
from verifier.model.inventory import Inventory
from verifier.model.snapshot import Snapshot
from verifier.model.visit import Check, DeviceDrift, Expectation, InForceThen, NotReached, Side, VisitClosed, VisitOpened
from verifier.procedures.approve import known
from verifier.procedures.approved import approved
from verifier.procedures.audit import past
from verifier.procedures.collector import Collector
from verifier.procedures.enrol import first_reason, readings_of
from verifier.procedures.judging import TOOL
from verifier.procedures.reading import asked, read
from verifier.procedures.visits import Entered, Visit, named_visit, open_visits, visits
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.keys import Signer
from verifier.trust.statement import VISIT_CLOSED, VISIT_OPENED, StatementKind, written
from verifier.trust.verify import Verified, verify

T = TypeVar("T")
KEPT_FOR = timedelta(hours=4)
"""How long what was read waits for a signature. Older, it says too little about when the visit began or ended."""
WHO_MAY = "say who may: crane-verify trust quorum visit technician=1"
Told = Callable[[Side, bool], None]
"""Is told of each device as it was read; True: it was kept from a run that was stopped."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a visit is for."""

    vendor: str
    people: tuple[str, ...]
    work_order: str
    why: str
    expected: tuple[Expectation, ...]
    checklist: tuple[Check, ...]
    span: timedelta


@dataclass(frozen=True, slots=True)
class Closing:
    """What a person is shown before signing that a visit is over."""

    visit: Visit
    closed: VisitClosed
    devices: tuple[Device, ...]
    """Those of the visit that are in the inventory."""


def may_be_signed(collector: Collector) -> None:
    """Whether the policy says who may open and close a visit.

    Raises:
        TrustError: it does not.
    """
    try:
        collector.policy.quorum(VISIT_OPENED.signed_as)
    except TrustError as error:
        raise TrustError(str(error), WHO_MAY) from error


def opening(devices: Sequence[Device], order: Order, collector: Collector, told: Told) -> VisitOpened:
    """Read every device as it is before the visit.

    Raises:
        UsageError: a visit to one of them is open.
        TrustError: the policy does not say who may open one.
        RecordError: the disk refused.
    """
    may_be_signed(collector)
    names = [device.name for device in devices]
    _none_is_open(names, collector)
    since = _last_visit(names, collector)
    sides = _captured(_work("open", names), names, {device.name: device for device in devices}, collector, told, since)
    at = collector.now()
    return VisitOpened(
        order.vendor.strip(),
        tuple(person.strip() for person in order.people),
        order.work_order.strip(),
        order.why.strip(),
        order.expected,
        sides,
        tuple(_in_force(device, collector) for device in devices),
        order.checklist,
        at,
        at + order.span,
        TOOL,
    )


def open_visit(seen: VisitOpened, signer: Signer, collector: Collector) -> Visit:
    """Sign exactly what was seen, and record it.

    Raises:
        UsageError: the policy does not know this key, or a visit to one of these devices was opened meanwhile.
        TrustError: a signature by it is not what the policy asks for.
        RecordError: the disk refused. Then nothing happened, and what was read is kept.
    """
    signed = _signed(VISIT_OPENED, seen, (signer,), seen.at, collector)
    entry = collector.workspace.log.append(lambda _: _still(lambda: _none_is_open(seen.devices, collector), signed))
    forget_opening(seen, collector)
    return Visit(Entered(entry.sequence, signed))


def forget_opening(seen: VisitOpened, collector: Collector) -> None:
    """What was read is not gone on with: it was signed, or somebody looked and did not sign. Raises RecordError."""
    collector.workspace.drafts.drop(_work("open", seen.devices))


def forget_closing(seen: Closing, collector: Collector) -> None:
    """As `forget_opening`."""
    collector.workspace.drafts.drop(_closing_work(seen.visit))


def closing(
    word: str, checklist: tuple[Check, ...], inventory: Inventory, collector: Collector, told: Told, new_baseline: bool = False
) -> Closing:
    """Read every device of a visit as it is after, and say what became of it.

    `new_baseline`: close it although a device has another baseline now than when it was opened.

    Raises:
        UsageError: it is closed already, or a baseline changed underneath.
        TrustError: the policy does not say who may close it.
        RecordError: the disk refused.
    """
    may_be_signed(collector)
    visit = named_visit(word, collector.workspace, past(collector.workspace, collector.workspace.trusted()))
    _is_open(visit)
    before = visit.opened.value
    here = {device.name: device for device in inventory.devices}
    baselines = tuple(
        _in_force(here[name], collector) if name in here else then
        for name, then in zip(before.devices, before.baselines, strict=True)
    )
    if not new_baseline:
        for then, now in zip(before.baselines, baselines, strict=True):
            _same_baseline(visit, then, now)
    sides = _captured(_closing_work(visit), before.devices, here, collector, told, before.at, golden=True)
    came = tuple(
        outcomes(then, now, before.expected, collector.workspace.kept_text) for then, now in zip(before.sides, sides, strict=True)
    )
    closed = VisitClosed(
        visit.opened.verified.sha256,
        sides,
        baselines,
        tuple(each for one in came for each in one.differences),
        tuple(each for one in came for each in one.absent),
        tuple(each for one in came for each in one.untold),
        tuple(each for side in before.sides if side.device in here for each in _before(here[side.device], side, collector)),
        checklist,
        collector.now(),
        TOOL,
    )
    return Closing(visit, closed, tuple(here[name] for name in before.devices if name in here))


def close_visit(seen: Closing, signer: Signer, countersigners: Sequence[Signer], collector: Collector) -> Visit:
    """Sign exactly what was seen, have it countersigned, and record it.

    Raises:
        UsageError: the policy does not know a key, somebody closed it meanwhile, or a baseline was approved meanwhile.
        TrustError: the signatures are not what the policy asks for.
        RecordError: the disk refused. Then nothing happened, and what was read is kept.
    """
    signed = _signed(VISIT_CLOSED, seen.closed, (signer, *countersigners), seen.closed.at, collector)

    def still_open() -> None:
        workspace = collector.workspace
        _is_open(named_visit(seen.visit.name, workspace, past(workspace, workspace.trusted())))
        for device in seen.devices:
            if _in_force(device, collector) not in seen.closed.baselines:
                raise UsageError(f"the baseline of {device.name} changed while you looked", "look again, then close it")

    entry = collector.workspace.log.append(lambda _: _still(still_open, signed))
    forget_closing(seen, collector)
    return Visit(seen.visit.opened, Entered(entry.sequence, signed))


def _signed(kind: StatementKind[T], value: T, signers: Sequence[Signer], at: datetime, collector: Collector) -> Verified[T]:
    # signed before the log is taken: a person may be asked to touch a token
    for each in signers:
        known(each, collector.policy, collector.now())
    try:
        return verify(seal(written(kind, value), PAYLOAD_TYPE, signers), kind, collector.policy, at)
    except TrustError as error:
        raise TrustError(str(error), "`crane-verify trust show` says who may; --key names the key to sign with") from error


def _still(holds: Callable[[], None], signed: Verified[T]) -> bytes:
    """The envelope, if nobody was quicker. The log is held meanwhile."""
    holds()
    return signed.envelope


def _none_is_open(names: Sequence[DeviceName], collector: Collector) -> None:
    workspace = collector.workspace
    for each in open_visits(workspace, past(workspace, workspace.trusted()), names):
        common = next(name for name in each.opened.value.devices if name in names)
        raise UsageError(
            f"the visit {each.name} to {common} is open since {each.opened.value.at:%Y-%m-%d %H:%M} UTC",
            f"close it first: crane-verify visit close {each.name}",
        )


def _last_visit(names: Sequence[DeviceName], collector: Collector) -> datetime | None:
    """When anything was last said of a visit to one of these devices: what was read before that is of before another visit."""
    workspace = collector.workspace
    found = (each for each in visits(workspace, past(workspace, workspace.trusted())) if {*names} & {*each.opened.value.devices})
    times = (end.value.at for each in found for end in (each.opened, each.closed) if end)
    return max(times, default=None)


def _is_open(visit: Visit) -> None:
    if visit.closed:
        raise UsageError(
            f"the visit {visit.name} was closed {visit.closed.value.at:%Y-%m-%d %H:%M} UTC by {visit.closed.by}",
            f"look at it: crane-verify visit show {visit.name}; what changed since is another visit, or a finding",
        )


def _same_baseline(visit: Visit, then: InForceThen, now: InForceThen) -> None:
    if then != now:
        raise UsageError(
            f"{then.device} has {_called(now)} now, and had {_called(then)} when {visit.name} was opened",
            f"if that is meant, close it with --new-baseline; if not: crane-verify baseline withdraw {then.device}",
        )


def _called(baseline: InForceThen) -> str:
    return f"baseline {baseline.serial} ({baseline.sha256[:8]})" if baseline.sha256 else "no baseline in force"


def _captured(
    work: str,
    names: Sequence[DeviceName],
    here: dict[DeviceName, Device],
    collector: Collector,
    told: Told,
    since: datetime | None,
    golden: bool = False,
) -> tuple[Side, ...]:
    """`golden`: what is read may become the next baseline."""
    return tuple(_side(work, name, here.get(name), collector, told, since, golden) for name in names)


def _side(
    work: str,
    name: DeviceName,
    device: Device | None,
    collector: Collector,
    told: Told,
    since: datetime | None,
    golden: bool,
) -> Side:
    """One device, as it was kept from a run that was stopped, else as it is read now. What was not reached is tried again."""
    drafts = collector.workspace.drafts
    kept = drafts.side(work, name)
    if kept and isinstance(kept.seen, Snapshot) and _may_go_on(kept.seen, device, collector, since):
        told(kept, True)
        return kept
    if device is None:
        side = Side(name, NotReached("it is not in the inventory any more", collector.now()))
    else:
        # what is read after may become the next baseline, and then its exact bytes are wanted for a restore kit
        found = read(device, collector.profile(device), collector, golden=golden)
        side = Side(name, found if readings_of(found) else NotReached(first_reason(found), found.ended))
        if isinstance(side.seen, Snapshot):
            drafts.keep(work, side)
    told(side, False)
    return side


def _may_go_on(kept: Snapshot, device: Device | None, collector: Collector, since: datetime | None) -> bool:
    """Whether it is of this visit, and of this device as the inventory and its profile have it now."""
    if device and (kept.profile_digest != collector.profile(device).digest or asked(device) not in kept.notes):
        return False
    return timedelta(0) <= collector.now() - kept.ended <= KEPT_FOR and (since is None or kept.started >= since)


def _work(kind: str, names: Sequence[DeviceName]) -> str:
    return f"{kind}-{hashlib.sha256(' '.join(sorted(map(str, names))).encode()).hexdigest()[:32]}"


def _closing_work(visit: Visit) -> str:
    return f"close-{visit.opened.verified.sha256[:32]}"


def _in_force(device: Device, collector: Collector) -> InForceThen:
    with suppress(TrustError):
        found = approved(device, collector)
        return InForceThen(device.name, found.value.serial, found.sha256)
    return InForceThen(device.name, 0, "")


def _before(device: Device, side: Side, collector: Collector) -> Iterator[DeviceDrift]:
    with suppress(TrustError):
        yield from already_drifted(approved(device, collector).value.snapshot, side, collector.workspace.kept_text)
