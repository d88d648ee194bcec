"""The baseline in force for a device: signed by those the policy names, of this device, and never an older one."""

from __future__ import annotations

from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.model.device import Device
from verifier.procedures.collector import Collector
from verifier.trust.baseline_rules import current
from verifier.trust.statement import BASELINE
from verifier.trust.verify import Verified, verify


def approved(device: Device, collector: Collector) -> Verified[Baseline]:
    """The baseline to compare with. Everything about it is checked here, before any connection is made.

    Raises:
        TrustError: there is none, or it is unsigned, altered, wrongly signed, another device's, or older than one
            accepted before.
    """
    found = newest(device, collector)
    if found is None:
        hint = f"propose one with `crane-verify baseline propose {device.name}`, and have it approved"
        if collector.workspace.baselines.proposed(device.name) is not None:
            hint = f"one is proposed and waits to be signed: crane-verify baseline approve {device.name}"
        raise TrustError(f"{device.name} has no approved baseline", hint)
    return found


def newest(device: Device, collector: Collector) -> Verified[Baseline] | None:
    """As `approved`; None: no baseline of this device was ever approved here."""
    baselines = collector.workspace.baselines
    envelope = baselines.approved(device.name)
    if envelope is None:
        return None
    verified = verify(envelope, BASELINE, collector.policy, collector.now())
    current(verified, device.name, baselines.accepted(device.name))
    return verified
