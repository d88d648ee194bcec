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
        ("critical members", _levels(approved), _levels(found)),
    )
    if weight:
        yield _drift(f"criticality of {name}", weight, "the approved kind and criticality were applied")


def _drift(member: str, differences: tuple[Difference, ...], note: str) -> Drift:
    # the digest is computed here, over the profile's own meaning: nothing of it is the device's word
    return Drift(DriftKind.CHANGED, ITEM, Kind.CONFIGURATION, Criticality.CRITICAL, member, Evidence.CONTENT, differences, note)


def _differing(*facets: tuple[str, str, str]) -> tuple[Difference, ...]:
    return tuple(Difference(what, before, after) for what, before, after in facets if before != after)


def _levels(item: ItemSnapshot) -> str:
    return _listed(tuple(f"{member}: {level.value}" for member, level in item.critical_members))


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "(none)"
