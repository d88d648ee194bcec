"""Records that earlier versions wrote: they verify, they can be handed to an auditor, and they go on.

`records/before-the-tree` is of before the Merkle tree, `records/before-the-roots` of before the signed policy.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from verifier.procedures.audit import audit_log, past, reports, signed_report
from verifier.procedures.bundle import Choice, write_evidence
from verifier.procedures.examination import examine
from verifier.record.workspace import Workspace

BEFORE_THE_ROOTS = Path(__file__).parent / "records" / "before-the-roots"


def test_a_record_from_before_the_roots_still_verifies_and_is_handed_over(tmp_path: Path) -> None:
    shutil.copytree(BEFORE_THE_ROOTS, tmp_path / "record")
    space = Workspace(tmp_path / "record")
    trusted = space.trusted()
    audit = audit_log(space, trusted)
    assert (audit.entries, audit.covered, audit.findings) == (12, 12, ())
    history = past(space, trusted)
    verdicts = [str(signed_report(found, history).report.verdict) for found in reports(space)]
    assert sorted(verdicts) == ["drift", "drift", *["match"] * 6]
    assert len(space.baselines.devices()) == 4

    write_evidence(space, trusted, Choice(), tmp_path / "bundle")
    found = examine(tmp_path / "bundle")
    assert not found.findings
    assert found.fingerprint == "", "nobody signed its policy, and the auditor is told"


def test_what_somebody_changed_in_an_older_record_is_found(tmp_path: Path) -> None:
    shutil.copytree(BEFORE_THE_ROOTS, tmp_path / "record")
    space = Workspace(tmp_path / "record")
    entry = next(path for path in sorted((space.root / "log/entries").rglob("*.json")) if path.stem.endswith("11"))
    other = entry.with_name(entry.name.replace("11", "10"))
    kept = entry.read_bytes()
    entry.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    assert any("entry 11" in finding for finding in audit_log(space, space.trusted()).findings)
