"""From what was found to a report: the verdict, the coverage, and everything the verdict rests on."""

from __future__ import annotations

import hashlib

from verifier import __version__
from verifier.collect.connection import CONNECTION
from verifier.compare.coverage import coverage, item_results
from verifier.compare.events import events
from verifier.compare.notes import empty_notes, evidence_notes, limit_notes, normalising_notes
from verifier.compare.verdict import verdict
from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.model.device import Device
from verifier.model.profile import Profile
from verifier.model.report import BaselineRef, Coverage, Report
from verifier.model.snapshot import Exchange, Snapshot
from verifier.model.words import Verdict
from verifier.procedures.collector import Collector
from verifier.procedures.comparing import Compared
from verifier.procedures.running import ran_before, running
from verifier.trust.baseline_rules import Stale, freshness
from verifier.trust.policy import Policy

TOOL = f"crane-verify {__version__}"
NOTHING_ASKED = Exchange(hashlib.sha256(b"").hexdigest(), 0, 0, 0)


def judged(compared: Compared, found: Snapshot, collector: Collector, spare: bool = False) -> Report:
    """The report of a check that got as far as asking the device.

    With `spare` another one was read in its place, of which earlier reports say nothing: no run goes on from one to the other.
    """
    baseline, drifts = compared.baseline, compared.drifts
    approved = baseline.value.snapshot
    run_out = (*_age(baseline.value, found), *_policy_age(collector.policy, found))
    items = item_results(approved, found, drifts)
    covered = coverage(items)
    runs = None if spare else running(found)
    seen = events(ran_before(found.device, collector), runs) if runs else ()
    return Report(
        device=found.device,
        # who a device is says nothing of what it holds: a check that compared only that agrees with nothing
        verdict=_held_back(verdict(drifts, coverage(item for item in items if item.name != CONNECTION)), run_out),
        started=found.started,
        ended=found.ended,
        profile=found.profile,
        profile_version=found.profile_version,
        profile_digest=found.profile_digest,
        baseline=BaselineRef(baseline.value.serial, baseline.sha256, baseline.signer_names),
        coverage=covered,
        items=items,
        drifts=drifts,
        not_asked=found.not_asked,
        notes=(
            *run_out,
            *compared.notes,
            *(f"since the check before: {event}" for event in seen),
            *_origin(baseline.value, collector),
            *found.notes,
            *limit_notes(found),
            *evidence_notes(approved, found),
            *normalising_notes(approved, found),
            *empty_notes(approved, found),
        ),
        exchange=found.exchange,
        tool=TOOL,
        previous="",
        running=runs,
        events=seen,
    )


def refused(device: Device, profile: Profile, error: TrustError, collector: Collector) -> Report:
    """The report of a check that stopped at the baseline. The device was not asked."""
    now = collector.now()
    return Report(
        device=device.name,
        verdict=Verdict.UNTRUSTED,
        started=now,
        ended=now,
        profile=profile.name,
        profile_version=profile.version,
        profile_digest=profile.digest,
        baseline=BaselineRef(0, "", ()),
        coverage=Coverage(0, 0),
        items=(),
        drifts=(),
        not_asked=(),
        notes=(str(error), *((error.hint,) if error.hint else ())),
        exchange=NOTHING_ASKED,
        tool=TOOL,
        previous="",
    )


def _held_back(reached: Verdict, run_out: tuple[str, ...]) -> Verdict:
    """Drift is drift, whatever ran out. But who is kept from new approvals and policies must not be told that all is well."""
    return Verdict.UNDETERMINED if reached is Verdict.MATCH and run_out else reached


def _policy_age(policy: Policy, found: Snapshot) -> tuple[str, ...]:
    if policy.expires is None or found.started <= policy.expires:
        return ()
    until = f"the policy was signed until {policy.expires:%Y-%m-%d %H:%M} UTC and has run out"
    return (f"{until}; until it is signed anew (`crane-verify trust renew`), nothing is called a match",)


def _age(baseline: Baseline, found: Snapshot) -> tuple[str, ...]:
    age = freshness(baseline, found.started)
    return (str(age),) if isinstance(age, Stale) else ()


def _origin(baseline: Baseline, collector: Collector) -> tuple[str, ...]:
    """Only this record can tell an older baseline from the newest. Where it was never approved here, that must be said."""
    if collector.workspace.baselines.accepted(baseline.snapshot.device):
        return ()
    return (
        f"baseline {baseline.serial} came from elsewhere, never approved in this record, which cannot tell older from newest",
    )
