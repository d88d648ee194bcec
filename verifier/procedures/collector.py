"""The collector: the machine that reads, records and signs, and what it needs to do so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from verifier.collect.progress import Progress
from verifier.errors import UsageError
from verifier.model.device import Device
from verifier.model.profile import Profile
from verifier.model.report import WitnessedRef
from verifier.record.workspace import Workspace
from verifier.settings.profiles import load_profile
from verifier.transport.route import Secrets
from verifier.trust.keys import Signer
from verifier.trust.policy import Policy


def utc_now() -> datetime:
    """The one clock."""
    return datetime.now(UTC)


def no_key() -> Signer:
    raise UsageError("no signing key", "name one with --key, or make one with `crane-verify trust init`")


@dataclass(frozen=True, slots=True)
class Collector:
    workspace: Workspace
    policy: Policy
    secrets: Secrets
    signer: Callable[[], Signer] = no_key
    """Gives the key that signs reports; asked for only when something is to be signed."""
    now: Callable[[], datetime] = utc_now
    progress: Callable[[Progress], None] = lambda _: None
    any_hour: bool = False
    """Read devices outside their window as well, because a person says that the crane stands."""
    witnessed: WitnessedRef | None = None
    """How far the record is witnessed, for the reports of this run."""

    def profile(self, device: Device) -> Profile:
        """What to ask this device: the workspace's own profile, else the built-in one of that name."""
        return load_profile(device.profile, self.workspace.profiles)
