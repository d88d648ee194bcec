"""One drift in the words of a crane engineer: `hoist overload trip 50.0 t -> 62.0 t`, `unexpected interface wwan0`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from verifier.model.drift import Difference, Drift
from verifier.model.snapshot import WHOLE_ITEM
from verifier.model.words import DriftKind

NOUNS: Mapping[str, str] = {
    "interfaces": "interface",
    "routes": "route",
    "listeners": "listener",
    "users": "user",
    "groups": "group",
    "authorized-keys": "login key",
    "authorized keys": "login key",
    "modules": "kernel module",
    "kernel modules": "kernel module",
    "packages": "package",
    "usb": "USB device",
    "usb devices": "USB device",
    "modems": "modem",
    "mounts": "mount",
}
"""What one member of an item of this name is called. Other items: nothing, the member's name says it."""

DIGESTS = {"sha256": "content", "normalised sha256": "normalised content", "digest": "content"}


def phrase(drift: Drift) -> str:
    """What happened to which member, on one line. Its note, its evidence and its diff stand beside it."""
    match drift.kind:
        case DriftKind.CHANGED:
            return f"{_noun_and_member(drift)} {'; '.join(changes(drift))}"
        case DriftKind.MISSING:
            return f"missing {_named(drift)}"
        case DriftKind.UNEXPECTED:
            return f"unexpected {_named(drift)}"
        case DriftKind.UNREAD:
            return f"not read: {_noun_and_member(drift)}"
        case DriftKind.DISAGREEING:
            return f"two answers for {_noun_and_member(drift)}: {'; '.join(changes(drift))}"
        case _:
            assert_never(drift.kind)


def member(drift: Drift) -> str:
    """The member's name, or words where the drift stands for more than one."""
    if drift.member != WHOLE_ITEM:
        return drift.member
    return f"{'several members' if drift.differences else 'all'} of {drift.item}"


def noun(drift: Drift) -> str:
    """What kind of thing the member is, where its item says so; else empty."""
    return "" if drift.member == WHOLE_ITEM else NOUNS.get(drift.item.casefold(), "")


def changes(drift: Drift) -> tuple[str, ...]:
    """Each difference in words: `mode 0644 -> 4755 (setuid)`."""
    arrow = "<>" if drift.kind is DriftKind.DISAGREEING else "->"
    return tuple(_change(difference, arrow) for difference in drift.differences)


def short(difference: Difference) -> Difference:
    """The difference as people read it: digests cut to twelve digits, and no word where the values speak for themselves."""
    if difference.what in DIGESTS:
        return Difference(DIGESTS[difference.what], difference.before[:12], difference.after[:12])
    what = "" if difference.what in ("value", "text", "answers") else difference.what
    return Difference(what, difference.before, difference.after)


def _change(difference: Difference, arrow: str) -> str:
    of = short(difference)
    if of.before and of.after:
        words = f"{of.before} {arrow} {of.after}"
    else:
        words = f"no longer {of.before}" if of.before else f"now also {of.after}"
    return f"{of.what} {words}".strip()


def _noun_and_member(drift: Drift) -> str:
    return f"{noun(drift)} {member(drift)}".strip()


def _named(drift: Drift) -> str:
    description = "; ".join(d.before or d.after for d in drift.differences)
    words = _noun_and_member(drift)
    return f"{words} ({description})" if description else words
