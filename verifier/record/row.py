"""A row of the index: the few things of an entry that entries are looked for by. No signature is looked at for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.model.codec import CodecError, from_json
from verifier.model.device import DeviceName
from verifier.model.withdrawal import Withdrawal
from verifier.model.words import Verdict
from verifier.trust.envelope import opened
from verifier.trust.statement import BASELINE, FINDING, REPORT, VISIT_APPROVED, VISIT_CLOSED, WITHDRAWAL, predicate_of, read

RESTORE = "restore the folder `log` from a copy, and find out who touched it"
DAMAGED = "`crane-verify log verify` names all that is wrong; keep the folder as it is, and restore from a copy"
FOLLOWS = {VISIT_CLOSED.word: "opened", VISIT_APPROVED.word: "closed"}
"""Which field of a kind names the entry it follows on."""
HIGHEST_SERIAL = 2**63 - 1
"""What the index can hold. A port that approves a baseline every second comes nowhere near it."""


@dataclass(frozen=True, slots=True)
class Row:
    sequence: int
    """Of the entry, from 0."""
    sha256: str
    """Of the envelope, 64 hex digits."""
    kind: str
    """`baseline`, `report`, `withdrawal`, `finding`, `visit-opened`, ...: a word of `KINDS`."""
    device: DeviceName | None
    """None: it is about no device."""
    at: datetime
    """When the statement says that it was made."""
    serial: int = 0
    """Of a baseline, or of the one that is withdrawn."""
    verdict: str = ""
    """Of a report."""
    names: str = ""
    """SHA-256 of another envelope, 64 hex digits: that which a baseline replaces, a withdrawal is of, a visit goes on with."""
    not_after: datetime | None = None
    """Until when a baseline may be used; None: no end was set, or it is none."""


def row_of(sequence: int, envelope: bytes) -> Row:
    """The row of an entry.

    Of what there can be a hundred thousand of, only what stands in the row is read; whoever uses the entry reads it all.

    Raises:
        TrustError: the entry cannot be read. It could be the newest baseline, so nobody may pass over it.
    """
    digest = hashlib.sha256(envelope).hexdigest()
    try:
        payload = opened(envelope).payload
        kind, said = predicate_of(payload)
        if kind is BASELINE:
            baseline: Baseline = read(BASELINE, payload)
            device, before = baseline.snapshot.device, baseline.supersedes
            found = Row(sequence, digest, kind.word, device, baseline.proposed, baseline.serial, "", before, baseline.not_after)
        elif kind is WITHDRAWAL:
            gone: Withdrawal = read(WITHDRAWAL, payload)
            found = Row(sequence, digest, kind.word, gone.device, gone.at, gone.serial, "", gone.baseline)
        else:
            about = from_json(DeviceName, _field(said, "device")) if kind in (REPORT, FINDING) else None
            verdict = from_json(Verdict, _field(said, "verdict")).value if kind is REPORT else ""
            at = from_json(datetime, _field(said, "ended" if kind is REPORT else "at"))
            names = from_json(str, _field(said, FOLLOWS[kind.word])) if kind.word in FOLLOWS else ""
            found = Row(sequence, digest, kind.word, about, at, 0, verdict, names)
        _keepable(found)
    except (TrustError, ValueError) as error:
        raise TrustError(f"entry {sequence} of the log cannot be read: {error}", DAMAGED) from error
    return found


def _field(said: Any, name: str) -> Any:
    if type(said) is not dict or name not in said:
        raise CodecError(f"missing field {name!r}")
    return said[name]


def _keepable(row: Row) -> None:
    """Whether the index can hold it.

    Raises:
        ValueError: a number beyond all bounds, or half a surrogate pair, which is no text.
    """
    if not 0 <= row.serial <= HIGHEST_SERIAL:
        raise CodecError(f"the serial {row.serial} is beyond all bounds")
    for text in (row.names, *((row.device.site, row.device.crane, row.device.device) if row.device else ())):
        text.encode()
