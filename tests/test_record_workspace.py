"""The workspace: where each thing lies, one run per device, and what killed runs leave."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.trust_fixtures import DEVICE, OTHER_DEVICE, POLICY, policy_bytes, sealed_report
from verifier.errors import RecordError, TrustError
from verifier.record.workspace import NOT_KEPT, Workspace


def test_where_each_thing_lies(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert workspace.inventory == tmp_path / "inventory.yaml"
    assert workspace.profiles == tmp_path / "profiles"
    assert workspace.trust_folder.folder == workspace.trust == tmp_path / "trust"
    assert workspace.log.folder == tmp_path / "log"
    assert workspace.blobs.folder == tmp_path / "blobs"
    assert workspace.baselines.folder == tmp_path / "baselines"
    assert workspace.baselines.log == workspace.log
    assert list(tmp_path.iterdir()) == []


def test_the_policy_is_kept(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(TrustError, match="nobody is trusted"):
        workspace.policy()
    workspace.trust.mkdir()
    (workspace.trust / "policy.json").write_bytes(policy_bytes(POLICY))
    assert workspace.policy() == POLICY
    (workspace.trust / "policy.json").write_bytes(b"{}")
    with pytest.raises(TrustError, match="policy cannot be read"):
        workspace.policy()


def test_two_runs_never_meet_on_one_device(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with (
        workspace.device_lock(DEVICE, 0),
        workspace.device_lock(OTHER_DEVICE, 0),
        pytest.raises(RecordError, match=r"hoist-drive\.lock is in use by process"),
        workspace.device_lock(DEVICE, 0.05),
    ):
        pytest.fail("two at once")
    with workspace.device_lock(DEVICE):
        pass


def test_kept_texts(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    digest = workspace.blobs.put(b"speed = 5\n")
    assert workspace.kept_text(digest) == b"speed = 5\n"
    assert workspace.kept_text("ab" * 32) is None
    (tmp_path / "blobs" / "sha256" / digest[:2] / digest).write_bytes(b"speed = 6\n")
    assert workspace.kept_text(digest) is None


def test_left_overs_everywhere_are_cleared(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "trust/pending").mkdir(parents=True)
    workspace.blobs.put(b"x")
    workspace.log.append(sealed_report)
    workspace.baselines.propose(DEVICE, b"x")
    folders = ["", "trust", "trust/pending", "baselines", "proposed/terminal-2/STS-01", "log/partial", "blobs/partial"]
    (tmp_path / "baselines").mkdir()
    left = [tmp_path / folder / ".file.0123456789abcdef.partial" for folder in folders]
    for path in left:
        path.write_bytes(b"half")
    kept = sorted(path for path in tmp_path.rglob("*") if path not in left)
    assert set(workspace.clear_partials()) == set(left)
    assert sorted(tmp_path.rglob("*")) == kept
    assert workspace.clear_partials() == ()


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_git_leaves_out_what_is_no_part_of_a_workspace(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / ".gitignore").write_text(NOT_KEPT)
    with workspace.device_lock(DEVICE):
        workspace.log.append(sealed_report)
    (tmp_path / "log" / "partial" / ".x.0123.partial").write_bytes(b"")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shown = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--short", "-uall"], check=True, capture_output=True, text=True
    ).stdout
    assert shown.splitlines() == ["?? .gitignore", "?? log/entries/000/000/000000000.json"]
