"""Snapshots to compare: short ways to write them, and Hypothesis strategies over all that they may hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from verifier.compare.coverage import coverage, item_results
from verifier.compare.drifts import compare
from verifier.compare.verdict import verdict
from verifier.model.device import DeviceName
from verifier.model.drift import Drift
from verifier.model.report import Coverage
from verifier.model.snapshot import (
    Disagreement,
    Exchange,
    FactValue,
    FileValue,
    ItemSnapshot,
    NotAsked,
    NumberValue,
    Reading,
    Snapshot,
    Unread,
    Value,
    WordValue,
)
from verifier.model.words import Criticality, Evidence, FileType, Kind, Reason, Verdict

WHEN = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
DEVICE = DeviceName("terminal-2", "STS-01", "hoist-controller")


def nothing_kept(_: str) -> None:
    return None


def sha(text: str) -> str:
    """64 hex digits that stand for the hash of a content."""
    return text.encode().hex()[:64].ljust(64, "0")


def file(content: str = "a", **facets: object) -> FileValue:
    value = FileValue(FileType.REGULAR, 0o644, 0, 0, len(content), sha256=sha(content))
    return replace(value, **facets)  # type: ignore[arg-type]  # the caller names fields of FileValue


def reading(member: str, value: Value, evidence: Evidence = Evidence.CONTENT) -> Reading:
    return Reading(member, value, evidence)


def item(*readings: Reading, name: str = "firmware", kind: Kind = Kind.FIRMWARE, **facets: object) -> ItemSnapshot:
    held = ItemSnapshot(name, kind, Criticality.HIGH, tuple(sorted(readings, key=lambda r: r.member)))
    return replace(held, **facets)  # type: ignore[arg-type]  # the caller names fields of ItemSnapshot


def files(**contents: str) -> ItemSnapshot:
    return item(*(reading(f"/{name}", file(content)) for name, content in contents.items()))


def snapshot(*items: ItemSnapshot, not_asked: tuple[NotAsked, ...] = (), **facets: object) -> Snapshot:
    whole = Snapshot(DEVICE, "linux", 1, sha("profile"), WHEN, WHEN, items, not_asked, (), Exchange(sha("t"), 1, 2, 3))
    return replace(whole, **facets)  # type: ignore[arg-type]  # the caller names fields of Snapshot


def drifts(approved: ItemSnapshot, found: ItemSnapshot) -> tuple[Drift, ...]:
    return compare(snapshot(approved), snapshot(found), nothing_kept)


def judged(approved: Snapshot, found: Snapshot) -> tuple[Verdict, Coverage]:
    """The verdict and the coverage, as a check computes them."""
    found_drifts = compare(approved, found, nothing_kept)
    over_all = coverage(item_results(approved, found, found_drifts))
    return verdict(found_drifts, over_all), over_all


digests = st.sampled_from(["a", "b", "c"]).map(sha)
small = st.integers(0, 3)
words = st.lists(st.sampled_from(["up", "down", "mac=1", "mac=2", "eth0", "\x1b[2J", "ü"]), max_size=5).map(" ".join)
versions = st.sampled_from(["", "3.10.8", "03.10.08", "3.9.2", "r7"])

regular_files = st.builds(
    FileValue, st.just(FileType.REGULAR), small, small, small, small, sha256=digests, version=versions, mtime=st.integers(0, 9)
)
other_files = st.builds(
    FileValue, st.sampled_from([t for t in FileType if t is not FileType.REGULAR]), small, small, small, st.just(0), target=words
)
facts = st.builds(FactValue, words, versions)
numbers = st.builds(
    NumberValue, st.tuples(small, small), st.sampled_from(["50.0", "62.0"]), st.sampled_from(["t", ""]), st.booleans()
)
registers = st.builds(WordValue, small)
known = regular_files | other_files | facts | numbers | registers
unreads = st.builds(Unread, st.sampled_from(Reason), st.sampled_from(["", "exception 2"]), st.booleans())
disagreements = st.builds(Disagreement, st.just("sftp"), words, st.just("shell"), words)

members = st.lists(st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/a-b", "/x", "/x/y", "eth0", "wwan0", "*"]), unique=True)


@st.composite
def items(draw: st.DrawFn, values: st.SearchStrategy[Value] = known, name: str = "firmware") -> ItemSnapshot:
    held = [Reading(member, draw(values), draw(st.sampled_from(Evidence))) for member in draw(members)]
    mask = draw(st.sampled_from([(), ("/x",), ("/a/**",), ("wwan?",)]))
    critical = draw(st.sampled_from([(), (("/a", Criticality.CRITICAL),)]))
    return item(*held, name=name, kind=draw(st.sampled_from(Kind)), volatile=mask, critical_members=critical)


@st.composite
def snapshots(draw: st.DrawFn, values: st.SearchStrategy[Value] = known) -> Snapshot:
    names = draw(st.lists(st.sampled_from(["firmware", "program", "interfaces"]), unique=True))
    held = tuple(draw(items(values, name)) for name in names)
    rest = [name for name in ("listeners", "users") if draw(st.booleans())]
    return snapshot(*held, not_asked=tuple(NotAsked(name, "the device is off") for name in rest))
