"""Which ATT&CK for ICS technique would leave a drift like this. Data with a version: the numbers change between releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from verifier.compare.profile import ITEM as PROFILE
from verifier.model.drift import Drift
from verifier.model.words import DriftKind, Kind

RELEASE = "ATT&CK for ICS v18.1"
"""The release (2025-11, `ics-attack.json` of mitre-attack/attack-stix-data) in which every id and name below was read.

v19 (April 2026) renumbers some, T0857 among them; its names are not confirmed, so none of them stands here.
"""


class Shows(StrEnum):
    """How far reading a device's state can show the technique."""

    DIRECTLY = "directly"
    BY_ITS_EFFECT = "by its effect"
    IN_PART = "in part"


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique that leaves such a drift. It says nothing of who did it, or whether it was meant ill."""

    id: str
    name: str
    shows: Shows
    audited: bool
    """M0947 Audit, the mitigation this tool carries out, names it (same release)."""
    release: str = RELEASE


@dataclass(frozen=True, slots=True)
class NoTechnique:
    why: str


SYSTEM_FIRMWARE = Technique("T0857", "System Firmware", Shows.DIRECTLY, audited=True)
MODIFY_PROGRAM = Technique("T0889", "Modify Program", Shows.DIRECTLY, audited=True)
MODIFY_PARAMETER = Technique("T0836", "Modify Parameter", Shows.DIRECTLY, audited=True)
VALID_ACCOUNTS = Technique("T0859", "Valid Accounts", Shows.BY_ITS_EFFECT, audited=True)
ROOTKIT = Technique("T0851", "Rootkit", Shows.BY_ITS_EFFECT, audited=True)
ADVERSARY_IN_THE_MIDDLE = Technique("T0830", "Adversary-in-the-Middle", Shows.IN_PART, audited=True)
TRANSIENT_CYBER_ASSET = Technique("T0864", "Transient Cyber Asset", Shows.IN_PART, audited=True)

HOST_KEY = "host-key"
"""The member under which every baseline taken over SSH holds the device's host key."""
BY_KIND: Mapping[Kind, Technique | NoTechnique] = {
    Kind.FIRMWARE: SYSTEM_FIRMWARE,
    Kind.PROGRAM: MODIFY_PROGRAM,
    Kind.PARAMETER: MODIFY_PARAMETER,
    Kind.ACCOUNT: VALID_ACCOUNTS,
    Kind.CONFIGURATION: NoTechnique("no one technique stands for a changed configuration"),
    Kind.NETWORK: NoTechnique("no one technique stands for a changed network setting"),
    Kind.HARDWARE: NoTechnique("no one technique stands for changed hardware"),
}


def technique(drift: Drift) -> Technique | NoTechnique:
    """The technique that would leave this drift, or why none is named."""
    if drift.kind is DriftKind.UNREAD:
        return NoTechnique("nothing was read, so nothing was shown")
    if drift.item == PROFILE:
        return NoTechnique("our own profile differs, not the device")
    if drift.member == HOST_KEY:
        return ADVERSARY_IN_THE_MIDDLE
    if drift.kind is DriftKind.DISAGREEING and drift.item_kind in (Kind.FIRMWARE, Kind.PROGRAM, Kind.CONFIGURATION):
        return ROOTKIT
    if drift.kind is DriftKind.UNEXPECTED and drift.item_kind is Kind.HARDWARE:
        return TRANSIENT_CYBER_ASSET
    return BY_KIND[drift.item_kind]
