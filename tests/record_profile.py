"""Makes a recording of a simulated device, and the snapshot that is expected of it.

    python -m tests.record_profile wago-pfc          record the simulated device of this profile anew; no name: all of them
    python -m tests.record_profile --expect NAME     only the expected snapshot, from a recording that is there

A recording that came from elsewhere (`crane-verify capture --record`) is put into tests/recordings as NAME.json, and
`--expect` does the rest. Look at what git shows has changed before you commit it: that is the test.
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.servers.sshd import no_secrets
from verifier.collect.snapshot import Collecting, collect
from verifier.model.codec import parse, to_json
from verifier.model.device import Address, Device, DeviceName, RecordingAddress
from verifier.model.snapshot import Snapshot
from verifier.settings.profiles import load_profile
from verifier.transport.replay import SEED, Recording, RecordingRoute, ReplayRoute, loads
from verifier.transport.route import connect

FOLDER = Path(__file__).parent / "recordings"
EXPECTED = ".expected.json"
WIDTH = 330
"""Wide enough for a file with its digest."""
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def recorded_profiles() -> tuple[str, ...]:
    """Of which profiles there is a recording."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json") if not path.name.endswith(EXPECTED)))


def recording(profile: str) -> Recording:
    path = FOLDER / f"{profile}.json"
    return loads(path.read_bytes(), path.name)


def work(profile: str, address: Address) -> Collecting:
    """Reading a device at a time that stands still; kept texts are named by their digest and not kept."""
    device = Device(DeviceName("recordings", profile, "device"), address, profile)
    return Collecting(device, load_profile(profile), lambda: NOON, lambda text: hashlib.sha256(text).hexdigest(), seed=SEED)


def replayed(profile: str, played: Recording) -> Snapshot:
    """What is collected from a recording."""
    with ReplayRoute(played) as route:
        return collect(work(profile, RecordingAddress(f"{profile}.json")), route)


def record(profile: str, address: Address) -> bytes:
    """All that a device answers to its profile."""
    asked = work(profile, address)
    with connect(asked.device, asked.profile.pace, no_secrets) as line:
        route = RecordingRoute(line)
        collect(asked, route)
        return route.recording()


def laid_out(document: Any, depth: int = 0) -> str:
    """JSON as people compare it: whatever fits stands on one line."""
    short = json.dumps(document, ensure_ascii=False)
    if not isinstance(document, dict | list) or len(short) + depth <= WIDTH:
        return short
    pad = " " * (depth + 1)
    if isinstance(document, list):
        inner = (pad + laid_out(each, depth + 1) for each in document)
        return "[\n" + ",\n".join(inner) + "\n" + " " * depth + "]"
    inner = (f"{pad}{json.dumps(name)}: {laid_out(each, depth + 1)}" for name, each in document.items())
    return "{\n" + ",\n".join(inner) + "\n" + " " * depth + "}"


def main(arguments: list[str]) -> None:
    from tests.recorded_devices import DEVICES

    only_expect = arguments[:1] == ["--expect"]
    for profile in arguments[only_expect:] or DEVICES:
        if not only_expect:
            with DEVICES[profile]() as address:
                (FOLDER / f"{profile}.json").write_text(laid_out(parse(record(profile, address))) + "\n")
        expected = replayed(profile, recording(profile))
        (FOLDER / f"{profile}{EXPECTED}").write_text(laid_out(to_json(expected)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
