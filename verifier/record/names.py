"""From the name of a device to a path below a folder, and never out of it."""

from __future__ import annotations

from pathlib import Path

from verifier.errors import RecordError
from verifier.model.device import DeviceName

LONGEST = 200
"""Bytes of one part of a path; file systems allow 255, and a suffix comes on top."""


def device_path(folder: Path, device: DeviceName, suffix: str) -> Path:
    """`<folder>/<site>/<crane>/<device><suffix>`.

    Raises:
        RecordError: a part of the name cannot be a file name, such as `..`.
    """
    for part in (device.site, device.crane, device.device):
        if not part.isprintable() or part.strip() != part or part[:1] in ("", ".") or set(part) & set('/\\:*?"<>|'):
            raise RecordError(f"{part!r} cannot be the name of a file", "rename it in inventory.yaml: letters, digits, - and _")
        if len(part.encode()) > LONGEST:
            raise RecordError(f"the name {part[:20]!r}... is too long for a file", f"keep names under {LONGEST} characters")
    return folder / device.site / device.crane / f"{device.device}{suffix}"
