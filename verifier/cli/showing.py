"""Snapshots, baselines and drifts on a terminal."""

from __future__ import annotations

from verifier.cli.output import local, say, table, tell
from verifier.compare.describe import described
from verifier.model.baseline import Baseline
from verifier.model.drift import Drift
from verifier.model.snapshot import Disagreement, Snapshot, Unread
from verifier.report.text import drift_lines


def print_baseline(baseline: Baseline, headline: str) -> None:
    """What a baseline holds, item by item, and what a signer must know: what was not read, not asked, not compared, or moved."""
    tell(headline, bold=True)
    tell(f"reason: {baseline.reason}")
    print_snapshot(baseline.snapshot)
    print_caveats(baseline)


def print_caveats(baseline: Baseline) -> None:
    """What a signer must know beside the values: where they come from, how long it holds and what holds beside it, what is not
    compared, what moved while it was read.
    """
    print_provenance(baseline)
    if baseline.not_after:
        tell(f"valid until {local(baseline.not_after)}")
    if baseline.staged_until:
        beside = f"until {local(baseline.staged_until)} baseline {baseline.serial - 1} is valid beside it"
        tell(f"{beside}: a device as it was before matches as well", fg="yellow")
    for item in baseline.snapshot.items:
        if item.volatile:
            tell(f"not compared in {item.name}: {', '.join(item.volatile)}", fg="yellow")
        for rule in (*(each.told for each in item.moving), *item.rules):
            tell(f"compared by a rule in {item.name}: {rule}", fg="yellow")
    for moved in baseline.moved:
        tell(f"moved between captures: {moved.item} {moved.member}: {'; '.join(moved.seen)}", fg="yellow")


def print_provenance(baseline: Baseline) -> None:
    """Which machine read it, and loudly, if another device was read in this one's place."""
    if baseline.provenance is None:
        return
    tell(f"read by {baseline.provenance.by} with {baseline.provenance.tool}")
    if baseline.provenance.read_from:
        tell(f"NOT READ FROM THIS DEVICE: {baseline.provenance.read_from} was read in its place", fg="red", bold=True)


def print_snapshot(snapshot: Snapshot) -> None:
    """A line for each item, and every member that was not read."""
    tell(f"read {local(snapshot.started)} with profile {snapshot.profile}, version {snapshot.profile_version}")
    rows = []
    for item in snapshot.items:
        unread = sum(isinstance(reading.value, Unread) for reading in item.readings)
        weakest = min((r.evidence for r in item.readings if not isinstance(r.value, Unread)), default=None)
        rows.append(
            (item.name, item.kind, str(len(item.readings) - unread), str(unread or "-"), weakest.word if weakest else "-")
        )
    table(("item", "kind", "read", "not read", "evidence"), rows)
    for item in snapshot.items:
        for reading in item.readings:
            if isinstance(reading.value, Unread):
                tell(f"not read: {item.name} {reading.member}: {described(reading.value)}", fg="yellow")
            elif isinstance(reading.value, Disagreement):
                tell(f"two answers: {item.name} {reading.member}: {described(reading.value)}", fg="yellow")
    for note in snapshot.not_asked:
        tell(f"not asked: {note.item}: {note.why}")
    for line in snapshot.notes:
        tell(f"note: {line}")


def print_members(snapshot: Snapshot) -> None:
    """Every member with its value."""
    for item in snapshot.items:
        tell(f"\n{item.name}", bold=True)
        table(("member", "evidence", "value"), [(r.member, r.evidence.word, described(r.value)) for r in item.readings])


def print_drifts(changes: tuple[Drift, ...]) -> None:
    """Drifts as a report shows them."""
    for line in drift_lines(changes):
        say(line)
