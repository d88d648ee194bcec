"""A workspace: the folder that holds everything of one port (design, section 5), and where in it each thing lies."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import TrustError
from verifier.model.device import DeviceName
from verifier.record.baselines import Baselines
from verifier.record.blobs import Blobs
from verifier.record.drafts import Drafts
from verifier.record.files import clear_partials
from verifier.record.index import Index
from verifier.record.lock import locked
from verifier.record.log import Log
from verifier.record.names import device_path
from verifier.record.trust_folder import TrustFolder
from verifier.trust.policy import Policy
from verifier.trust.roots.trusted import Trusted

DEVICE_WAIT = 30.0
"""Seconds to wait for another run that is asking the same device."""

NOT_KEPT = ".locks/\n.lock\n*.partial\n.remembered-checkpoint\n/index.sqlite*\n/drafts/\n/keys/\n/images/\n"
"""For the workspace's `.gitignore`: what lies in it and is no part of it, what a machine remembers for itself, and the folders
for secrets and cards that the example inventory names."""


@dataclass(frozen=True, slots=True)
class Workspace:
    root: Path

    @property
    def inventory(self) -> Path:
        return self.root / "inventory.yaml"

    @property
    def profiles(self) -> Path:
        return self.root / "profiles"

    @property
    def trust(self) -> Path:
        return self.root / "trust"

    @property
    def trust_folder(self) -> TrustFolder:
        return TrustFolder(self.trust, self.root / ".locks/trust.lock")

    @property
    def log(self) -> Log:
        return Log(self.root / "log", self.root / ".remembered-checkpoint")

    @property
    def blobs(self) -> Blobs:
        return Blobs(self.root / "blobs")

    @property
    def index(self) -> Index:
        return Index(self.root / "index.sqlite", self.log)

    @property
    def baselines(self) -> Baselines:
        return Baselines(self.root / "baselines", self.root / "proposed", self.log, self.index)

    @property
    def drafts(self) -> Drafts:
        """What was read for visits that nobody has signed yet."""
        return Drafts(self.root / "drafts/visits")

    def trusted(self) -> Trusted:
        """The policy in force, the root it hangs on, and their files.

        Raises:
            TrustError: there is no policy, or it is one that nobody should follow.
        """
        return self.trust_folder.trusted()

    def policy(self) -> Policy:
        """Who may sign what. Raises as `trusted`."""
        return self.trusted().policy

    def kept_text(self, digest: str) -> bytes | None:
        """The redacted text kept under a digest, for diffs; None: it is not here, or no longer what it was, and is not shown."""
        with contextlib.suppress(TrustError):
            return self.blobs.find(digest)
        return None

    def device_lock(self, name: DeviceName, wait_seconds: float = DEVICE_WAIT) -> AbstractContextManager[None]:
        """Be alone with a device: two runs never ask one device at the same time.

        Raises:
            RecordError: another run held it all the while, and which.
        """
        return locked(device_path(self.root / ".locks", name, ".lock"), wait_seconds)

    def check_lock(self, name: DeviceName, wait_seconds: float = DEVICE_WAIT) -> AbstractContextManager[None]:
        """Be alone in checking a device, from the look whether it is due until its report is recorded.

        Raises:
            InUse: another run held it all the while, and which.
        """
        return locked(device_path(self.root / ".locks/checks", name, ".lock"), wait_seconds)

    @contextlib.contextmanager
    def line_lock(self, line: str, wait_seconds: float) -> Iterator[None]:
        """Be alone on a line that several devices share (`model.device.shared_line`); an empty one is nobody's to share.

        Raises:
            RecordError: another run held it all the while, and which.
        """
        if not line:
            yield
            return
        with locked(self.root / ".locks/lines" / f"{hashlib.sha256(line.encode()).hexdigest()}.lock", wait_seconds):
            yield

    def clear_partials(self) -> tuple[Path, ...]:
        """Remove what killed runs left half written, and nothing that is being written now. Gives what was removed."""
        trees = [self.root / "baselines", self.root / "proposed", self.root / "drafts"]
        inner = (path for tree in trees for path in sorted(tree.rglob("*/")))
        folders = [self.root, self.trust, self.trust_folder.waiting, *trees, *inner]
        left = [path for folder in folders for path in clear_partials(folder)]
        return (*left, *self.log.clear_partials(), *self.blobs.clear_partials())
