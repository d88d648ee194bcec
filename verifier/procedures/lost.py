"""Devices that somebody approved and that no check reaches any more, because they left the inventory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.model.device import DeviceName
from verifier.model.inventory import Inventory
from verifier.record.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Lost:
    device: DeviceName
    baseline_in_place: bool
    """False: its baseline was taken away too, as for a device that went out of service."""

    def __str__(self) -> str:
        words = "has an approved baseline and is not in the inventory, so it was not checked"
        return words if self.baseline_in_place else "was approved once; it is not in the inventory, and its baseline is gone too"

    @property
    def hint(self) -> str:
        if not self.baseline_in_place:
            return ""
        return f"put it back; if it went out of service, take away baselines/{self.device}.json as well"


def lost(inventory: Inventory, words: Sequence[str], workspace: Workspace) -> tuple[Lost, ...]:
    """Of the devices that these words would name: those the record knows a baseline of, and the inventory not. No words: all.

    Raises:
        TrustError: the record is not what it was.
    """
    here = {device.name for device in inventory.devices}
    gone = (name for name in workspace.baselines.devices() if name not in here and named(name, words))
    return tuple(Lost(name, workspace.baselines.approved_path(name).exists()) for name in gone)


def named(name: DeviceName, words: Sequence[str]) -> bool:
    """Whether one of these words stands for the device, its crane or its site; no words stand for all."""
    whole = (name.site, name.crane, name.device)
    asked = [tuple(word.strip("/").split("/")) for word in words]
    return not asked or any(whole[:length][-len(each) :] == each for each in asked for length in (1, 2, 3))
