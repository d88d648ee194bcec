"""The baseline that a new one replaces. One that is not trusted any more can be replaced too, or nobody could put it right."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.model.device import Device
from verifier.procedures.approved import newest
from verifier.procedures.collector import Collector
from verifier.trust.baseline_rules import Accepted
from verifier.trust.verify import Verified


@dataclass(frozen=True, slots=True)
class Predecessor:
    accepted: Accepted | None
    """What the new one follows on; None: it is the first."""
    trusted: Verified[Baseline] | None
    """What it may be compared with; None: nothing that anybody may rely on."""
    doubt: str = ""
    """Why the one that was accepted is not trusted today: a key that ran out, a quorum that asks for more."""


def predecessor(device: Device, collector: Collector) -> Predecessor:
    """What comes before a new baseline of this device.

    Raises:
        TrustError: what lies in its place is not what this record accepted.
    """
    try:
        found = newest(device, collector)
    except TrustError as error:
        baselines = collector.workspace.baselines
        accepted, envelope = baselines.accepted(device.name), baselines.approved(device.name)
        if accepted is None or envelope is None or hashlib.sha256(envelope).hexdigest() != accepted.sha256:
            raise
        return Predecessor(accepted, None, str(error))
    return Predecessor(Accepted(found.value.serial, found.sha256) if found else None, found)
