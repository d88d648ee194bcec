"""What was asked, on both sides: a profile that changed since it was approved is drift, since it could hide any other."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.model.drift import Difference, Drift
from verifier.model.snapshot import ItemSnapshot, Snapshot
from verifier.model.words import Criticality, DriftKind, Evidence, Kind

ITEM = "profile"
"""The item under which these drifts stand. No profile may name an item of its own so."""


def profile_drifts(approved: Snapshot, found: Snapshot) -> Iterator[Drift]:
    """Drifts of the profile as a whole (member `digest`) and of what each item left out or called less critical."""
    whole = _differing(
        ("profile", approved.profile, found.profile),
        ("version", str(approved.profile_version), str(found.profile_version)),
        ("digest", approved.profile_digest, found.profile_digest),
    )
    if whole:
        yield _drift("digest", whole, "asked by another profile than the approved one; approve a new baseline")
    before = {item.name: item for item in approved.items}
    for item in found.items:
        if item.name in before:
            yield from _item(before[item.name], item)
            if approved.profile_digest != found.profile_digest:  # older baselines do not hold the words of their rules
                yield from _rules(before[item.name], item)


def _item(approved: ItemSnapshot, found: ItemSnapshot) -> Iterator[Drift]:
    name = approved.name
    if approved.volatile != found.volatile:
        mask = Difference("volatile mask", _listed(approved.volatile), _listed(found.volatile))
        wider = [pattern for pattern in found.volatile if pattern not in approved.volatile]
        note = f"the mask was widened by {_listed(tuple(wider))}" if wider else "the mask is not the approved one"
        yield _drift(f"volatile mask of {name}", (mask,), f"{note}; the approved mask was applied")
    weight = _differing(
        ("kind", approved.kind.value, found.kind.value),
        ("criticality", approved.criticality.value, found.criticality.value),
        ("critical members", *_levels(approved, found)),
    )
    if weight:
        yield _drift(f"criticality of {name}", weight, "the approved kind and criticality were applied")


def _rules(approved: ItemSnapshot, found: ItemSnapshot) -> Iterator[Drift]:
    """Rules for registers and texts. Of texts the words are compared."""
    before, after = tuple(rule.told for rule in approved.moving), tuple(rule.told for rule in found.moving)
    if before != after:
        rules = Difference("register rules", _listed(before), _listed(after))
        yield _drift(f"register rules of {approved.name}", (rules,), f"{_more(before, after)}; the approved ones were applied")
    if approved.rules != found.rules:
        rules = Difference("text rules", _listed(approved.rules), _listed(found.rules))
        why = f"{_more(approved.rules, found.rules)}; texts were normalised by the ones of now"
        yield _drift(f"text rules of {approved.name}", (rules,), why)


def _more(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    added = tuple(rule for rule in after if rule not in before)
    return f"rules were added: {_listed(added)}" if added else "the rules are not the approved ones"


def _drift(member: str, differences: tuple[Difference, ...], note: str) -> Drift:
    # the digest is computed here, over the profile's own meaning: nothing of it is the device's word
    return Drift(DriftKind.CHANGED, ITEM, Kind.CONFIGURATION, Criticality.CRITICAL, member, Evidence.CONTENT, differences, note)


def _differing(*facets: tuple[str, str, str]) -> tuple[Difference, ...]:
    return tuple(Difference(what, before, after) for what, before, after in facets if before != after)


def _levels(approved: ItemSnapshot, found: ItemSnapshot) -> tuple[str, str]:
    """Members whose own criticality is not the approved one. Only of those that both sides read: what was not read has none."""
    before, after = dict(approved.critical_members), dict(found.critical_members)
    if before == after:
        return "", ""
    both = {r.member for r in approved.readings} & {r.member for r in found.readings}
    differing = [m for m in sorted(both & (before.keys() | after.keys())) if before.get(m) is not after.get(m)]
    return _own(before, differing), _own(after, differing)


def _own(levels: dict[str, Criticality], members: list[str]) -> str:
    return _listed(tuple(f"{member}: {levels[member].value}" for member in members if member in levels))


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "(none)"
