"""What holds for every pair of snapshots."""

from __future__ import annotations

from dataclasses import fields, replace

from hypothesis import assume, given
from hypothesis import strategies as st

from tests import compare_values as make
from verifier.compare.coverage import coverage, item_results
from verifier.compare.drifts import compare
from verifier.compare.items import GRAVEST_FIRST
from verifier.compare.walk import ANY_DEPTH
from verifier.model.drift import Drift
from verifier.model.pattern import matches
from verifier.model.report import Coverage
from verifier.model.snapshot import (
    WHOLE_ITEM,
    Disagreement,
    FactValue,
    FileValue,
    ItemSnapshot,
    NumberValue,
    Reading,
    Snapshot,
    Unread,
    Value,
)
from verifier.model.words import DriftKind, Evidence, FileType, Reason, Verdict

anything = make.known | make.unreads | make.disagreements


def unmasked(item: ItemSnapshot) -> list[Reading]:
    return [r for r in item.readings if not matches(item.volatile, r.member) or r.member == WHOLE_ITEM]


def with_reading(snapshot: Snapshot, item: ItemSnapshot, member: str, value: Value, evidence: Evidence) -> Snapshot:
    others = [r for r in item.readings if r.member != member]
    held = tuple(sorted([*others, Reading(member, value, evidence)], key=lambda r: r.member))
    return replace(snapshot, items=tuple(replace(i, readings=held) if i is item else i for i in snapshot.items))


def ways(drifts: tuple[Drift, ...]) -> set[tuple[str, str, str]]:
    return {(d.kind, d.item, d.member) for d in drifts}


@given(make.snapshots())
def test_nothing_differs_from_itself(one: Snapshot) -> None:
    assert compare(one, one, make.nothing_kept) == ()
    expected = sum(len(unmasked(item)) for item in one.items)
    assert make.judged(one, one) == (
        Verdict.MATCH if expected else Verdict.UNDETERMINED,
        Coverage(expected, expected),
    )


@given(make.snapshots(anything))
def test_what_was_not_read_never_matches_even_itself(one: Snapshot) -> None:
    held = [r for item in one.items for r in unmasked(item) if not isinstance(r.value, Disagreement)]
    unread = [r for r in held if isinstance(r.value, Unread)]
    for item in one.items:  # a mask over a folder is none over what is in it
        masked = [r for r in item.readings if r not in unmasked(item)]
        deep = [r for r in masked if isinstance(r.value, Unread) and r.value.below]
        unread += [r for r in deep if not matches(item.volatile, r.member + ANY_DEPTH)]
    drifts = compare(one, one, make.nothing_kept)
    assert sum(d.kind is DriftKind.UNREAD for d in drifts) == len(unread)
    assert {d.kind for d in drifts} <= {DriftKind.UNREAD, DriftKind.DISAGREEING}
    if unread:
        assert make.judged(one, one)[0] is not Verdict.MATCH


@given(make.snapshots(), st.data())
def test_reading_less_is_never_a_match_and_never_a_change(one: Snapshot, data: st.DataObject) -> None:
    readable = [item for item in one.items if unmasked(item)]
    assume(readable)
    item = data.draw(st.sampled_from(readable))
    member = data.draw(st.sampled_from([r.member for r in unmasked(item)] + [WHOLE_ITEM, "/a/new"]))
    assume(member == WHOLE_ITEM or not matches(item.volatile, member))
    less = with_reading(one, item, member, data.draw(make.unreads), Evidence.CONTENT)
    drifts = compare(one, less, make.nothing_kept)
    assert {d.kind for d in drifts} == {DriftKind.UNREAD}
    verdict, coverage = make.judged(one, less)
    assert verdict is Verdict.UNDETERMINED
    assert coverage.compared < coverage.expected


@given(make.items(), st.data())
def test_a_read_cut_anywhere_is_one_unread_line(item: ItemSnapshot, data: st.DataObject) -> None:
    whole = [r for r in item.readings if r.member != WHOLE_ITEM]
    kept = whole[: data.draw(st.integers(0, len(whole)))]
    cut = replace(item, readings=(Reading(WHOLE_ITEM, Unread(Reason.TRUNCATED), Evidence.CONTENT), *kept))
    drifts = make.drifts(replace(item, readings=tuple(whole)), cut)
    assert [(d.kind, d.member) for d in drifts] == [(DriftKind.UNREAD, WHOLE_ITEM)]


def oracle(approved: Snapshot, found: Snapshot) -> set[tuple[str, str, str]]:
    """The same comparison, written the slow way: for snapshots whose readings all have one evidence and no gaps."""
    out: set[tuple[str, str, str]] = set()
    mine = {item.name: item for item in approved.items}
    theirs = {item.name: item for item in found.items}
    for name in mine.keys() & theirs.keys():
        mask = mine[name].volatile
        before = {r.member: r.value for r in mine[name].readings if r.member == WHOLE_ITEM or not matches(mask, r.member)}
        after = {r.member: r.value for r in theirs[name].readings if r.member == WHOLE_ITEM or not matches(mask, r.member)}
        out |= {(DriftKind.MISSING, name, m) for m in before.keys() - after.keys()}
        out |= {(DriftKind.UNEXPECTED, name, m) for m in after.keys() - before.keys()}
        out |= {(DriftKind.CHANGED, name, m) for m in before.keys() & after.keys() if facets(before[m]) != facets(after[m])}
    for name in mine.keys() - theirs.keys():
        out.add((DriftKind.UNREAD, name, WHOLE_ITEM))
    for name in theirs.keys() - mine.keys():
        out |= {(DriftKind.UNEXPECTED, name, r.member) for r in theirs[name].readings}
    return out


def facets(value: Value) -> object:
    match value:
        case FileValue():
            return replace(value, mtime=0, version="") if value.type is FileType.REGULAR else replace(value, mtime=0)
        case NumberValue():
            return (NumberValue, value.raw)
        case FactValue():
            return (FactValue, value.text)
        case _:
            return value


def plainly(snapshot: Snapshot) -> Snapshot:
    """The snapshot with one evidence, and no versions: what they add is told apart in examples."""
    held = []
    for item in snapshot.items:
        readings = [replace(r, evidence=Evidence.CONTENT) for r in item.readings]
        readings = [replace(r, value=replace(r.value, version="")) if isinstance(r.value, FileValue) else r for r in readings]
        held.append(replace(item, readings=tuple(readings)))
    return replace(snapshot, items=tuple(held))


@given(make.snapshots().map(plainly), make.snapshots().map(plainly))
def test_the_comparison_finds_what_a_slow_one_finds(approved: Snapshot, found: Snapshot) -> None:
    drifts = compare(approved, found, make.nothing_kept)
    assert ways(tuple(d for d in drifts if d.item != "profile")) == oracle(approved, found)


@given(make.items(), make.items())
def test_swapping_the_sides_swaps_missing_and_unexpected(one: ItemSnapshot, other: ItemSnapshot) -> None:
    other = replace(other, volatile=one.volatile)
    there, back = make.drifts(one, other), make.drifts(other, one)

    def of(drifts: tuple[Drift, ...], kind: DriftKind) -> set[str]:
        return {d.member for d in drifts if d.kind is kind and d.item != "profile"}

    assert of(there, DriftKind.MISSING) == of(back, DriftKind.UNEXPECTED)
    assert of(there, DriftKind.UNEXPECTED) == of(back, DriftKind.MISSING)
    assert of(there, DriftKind.CHANGED) == of(back, DriftKind.CHANGED)


FACETS = [f.name for f in fields(FileValue) if f.name not in ("mtime", "kept", "version", "masked", "not_normal")]


@given(make.regular_files, st.sampled_from(FACETS), st.data())
def test_any_facet_of_a_file_that_changes_is_drift(value: FileValue, facet: str, data: st.DataObject) -> None:
    value = replace(value, normal_sha256=make.sha("n")) if facet == "normal_sha256" else value
    other: object
    match facet:
        case "type":
            other = FileType.FIFO
        case "target":
            other = "/elsewhere"
        case "sha256" | "normal_sha256":
            other = make.sha("z")
        case _:
            other = getattr(value, facet) + 1
    changed = replace(value, **{facet: other})  # type: ignore[arg-type]  # one field of FileValue and a value that fits it
    (drift,) = make.drifts(make.item(make.reading("/f", value)), make.item(make.reading("/f", changed)))
    assert (drift.kind, drift.member) == (DriftKind.CHANGED, "/f")
    assert drift.differences
    assert all(d.before != d.after for d in drift.differences)


@given(make.known, make.known)
def test_two_values_are_equal_one_way_exactly_when_they_are_the_other_way(one: Value, other: Value) -> None:
    there = make.drifts(make.item(make.reading("/f", one)), make.item(make.reading("/f", other)))
    back = make.drifts(make.item(make.reading("/f", other)), make.item(make.reading("/f", one)))
    assert bool(there) == bool(back)
    assert [d.kind for d in there] == [d.kind for d in back]


@given(make.snapshots(anything), make.snapshots(anything))
def test_the_numbers_add_up(approved: Snapshot, found: Snapshot) -> None:
    drifts = compare(approved, found, make.nothing_kept)
    results = item_results(approved, found, drifts)
    assert {r.name for r in results} == {i.name for i in (*approved.items, *found.items)}
    for result in results:
        assert 0 <= result.unread <= result.expected
        assert result.masked <= result.read
        held = next((i for i in approved.items if i.name == result.name), None)
        assert result.expected >= (len(unmasked(held)) if held else 0)
    over_all = coverage(results)
    assert over_all.compared <= over_all.expected
    unread = [d for d in drifts if d.kind is DriftKind.UNREAD]
    assert bool(unread) == (over_all.compared < over_all.expected)
    assert sum(r.drifted for r in results) == sum(d.kind is not DriftKind.UNREAD and d.item != "profile" for d in drifts)


@given(make.snapshots(anything), make.snapshots(anything))
def test_the_gravest_comes_first_and_nothing_unprintable_comes_at_all(approved: Snapshot, found: Snapshot) -> None:
    drifts = compare(approved, found, make.nothing_kept)
    grave = [GRAVEST_FIRST.index(d.criticality) for d in drifts]
    assert grave == sorted(grave)
    for drift in drifts:
        texts = [drift.note, *drift.diff, *(t for d in drift.differences for t in (d.what, d.before, d.after))]
        assert all(text.isprintable() for text in texts)
