"""The folder `trust/`: versions that are never written over, a change that waits, and what a kill leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.roots_fixtures import ENDS, ONE, YEAR, first, following
from tests.trust_fixtures import POLICY, policy_bytes
from verifier.errors import RecordError, TrustError
from verifier.model.policy_record import TrustFile
from verifier.record import trust_folder as module
from verifier.record.trust_folder import TrustFolder, in_folder, read_one
from verifier.record.workspace import Workspace
from verifier.trust.roots import Trusted

V1 = first(ONE)
V2 = following(V1, replace(ONE, quorums=ONE.quorums[::-1]))
V3 = following(V2, ONE, expires=ENDS + YEAR)
"""With a new root."""
UNSIGNED = TrustFile("policy.json", policy_bytes(POLICY).decode())


@pytest.fixture
def folder(tmp_path: Path) -> TrustFolder:
    return Workspace(tmp_path).trust_folder


def new(trusted: Trusted, before: Trusted) -> tuple[TrustFile, ...]:
    """The files that a version added."""
    return tuple(file for file in trusted.files if file not in before.files)


def install(folder: TrustFolder, *versions: Trusted) -> None:
    before: tuple[TrustFile, ...] = folder.files()
    for version in versions:
        folder.install(tuple(file for file in version.files if file not in before), before)
        before = version.files


def there(folder: TrustFolder) -> list[str]:
    return sorted(path.relative_to(folder.folder).as_posix() for path in folder.folder.rglob("*"))


def test_versions_are_kept_and_the_newest_is_in_force(folder: TrustFolder) -> None:
    with pytest.raises(TrustError, match=r"there is no policy in .*trust, so nobody is trusted"):
        folder.trusted()
    for number, version in enumerate((V1, V2, V3), 1):
        install(folder, version)
        assert folder.trusted() == version
        assert folder.files() == version.files
        assert f"{number}.targets.json" in there(folder)
    assert there(folder) == ["1.root.json", "1.targets.json", "2.root.json", "2.targets.json", "3.targets.json"]
    assert in_folder(folder.folder) == (*V3.files[:2], V1.files[1], V2.files[1], V3.files[2])


def test_ten_comes_after_nine(folder: TrustFolder) -> None:
    version = V1
    for _ in range(10):
        install(folder, version)
        version = following(version, ONE, expires=ENDS)
    assert folder.trusted().policy.version == folder.trusted().root_version == 10


def test_no_version_is_written_over(folder: TrustFolder) -> None:
    install(folder, V1)
    other = following(V1, ONE)
    install(folder, V2)
    with pytest.raises(RecordError, match="came into force meanwhile"):
        folder.install(new(other, V1), V1.files)
    assert folder.trusted() == V2


def test_a_policy_of_before_gives_way_to_the_signed_one(folder: TrustFolder) -> None:
    folder.folder.mkdir()
    (folder.folder / "policy.json").write_text(UNSIGNED.text)
    assert folder.files() == (UNSIGNED,)
    folder.install(V1.files, folder.files())
    assert there(folder) == ["1.root.json", "1.targets.json"]
    (folder.folder / "policy.json").write_text(UNSIGNED.text)
    assert folder.trusted() == V1, "what somebody puts beside a signed policy is not looked at"


def test_what_waits_is_one_version_and_changes_nothing_in_force(folder: TrustFolder) -> None:
    install(folder, V1, V2)
    assert folder.pending() == ()
    folder.settle()
    folder.wait(new(V3, V2))
    assert folder.pending() == new(V3, V2)
    assert folder.trusted() == V2
    folder.settle()
    assert folder.pending() == new(V3, V2)
    other = following(V2, ONE)
    folder.wait(new(other, V2))
    assert folder.pending() == new(other, V2), "the root of the other one is gone"
    install(folder, other)
    assert folder.pending() == ()
    assert not folder.waiting.exists()


def test_a_change_that_was_overtaken_waits_in_vain(folder: TrustFolder) -> None:
    install(folder, V1, V2)
    folder.wait(new(V3, V2))
    other = following(V2, replace(ONE, quorums=ONE.quorums[1:]))
    for file in new(other, V2):
        (folder.folder / file.name).write_text(file.text)
    folder.settle()
    assert folder.trusted() == other
    assert folder.pending() == new(V3, V2)


def test_what_else_lies_in_pending_stays(folder: TrustFolder) -> None:
    install(folder, V1)
    folder.wait(new(V2, V1))
    (folder.waiting / "note.txt").write_text("for O. Officer")
    install(folder, V2)
    assert there(folder) == ["1.root.json", "1.targets.json", "2.targets.json", "pending", "pending/note.txt"]


def test_one_file_is_read_wherever_it_lies(folder: TrustFolder, tmp_path: Path) -> None:
    install(folder, V1)
    assert read_one(folder.folder / "1.root.json") == V1.files[0]
    with pytest.raises(RecordError, match="there is no"):
        read_one(tmp_path / "nowhere.json")
    (tmp_path / "odd.json").write_bytes(b"\xff")
    assert read_one(tmp_path / "odd.json").text == "\udcff"


class Killed(BaseException):
    """As `kill -9`: nothing that comes after it is done."""


WRITERS = ("write_new", "write_whole", "remove")


def killed_at(step: int, work: Callable[[], None]) -> bool:
    """Do this, and die before the step of that number touches the disk. Whether it died."""
    steps = iter(range(1000))
    with pytest.MonkeyPatch.context() as patch:
        for name in WRITERS:
            real = getattr(module, name)

            def write(*given: Any, real: Callable[..., None] = real) -> None:
                if next(steps) == step:
                    raise Killed
                real(*given)

            patch.setattr(module, name, write)
        try:
            work()
        except Killed:
            return True
    return False


@pytest.mark.parametrize(("before", "after"), [(V2, V3), (V1, V2)], ids=["with a new root", "without"])
def test_a_kill_at_any_step_leaves_a_version_that_holds(before: Trusted, after: Trusted, tmp_path: Path) -> None:
    died = 0
    for step in range(100):
        folder = Workspace(tmp_path / str(step)).trust_folder
        install(folder, *((V1, V2)[: before.policy.version]))
        if not killed_at(step, lambda folder=folder: install(folder, after)):  # type: ignore[misc]  # mypy knows no default of a lambda
            break
        died += 1
        found = folder.trusted()
        assert found in (before, after), step
        while killed_at(0, folder.settle) and folder.trusted() == found:
            folder.settle()
        assert folder.trusted() == found, step
        if found == before:
            install(folder, after)
        folder.settle()
        assert there(folder) == sorted(file.name for file in {*V1.files, *before.files, *after.files}), step
    assert died >= 2


@pytest.mark.parametrize("step", range(12))
def test_a_kill_while_trust_begins_can_be_begun_again(step: int, folder: TrustFolder) -> None:
    folder.folder.mkdir()
    (folder.folder / "policy.json").write_text(UNSIGNED.text)
    killed_at(step, lambda: folder.install(V1.files, (UNSIGNED,)))
    if folder.files() == (UNSIGNED,):
        folder.install(V1.files, (UNSIGNED,))
    killed_at(step % 3, folder.settle)
    folder.settle()
    assert folder.trusted() == V1
    assert there(folder) == ["1.root.json", "1.targets.json"]


def test_half_an_installation_that_does_not_hold_is_not_finished(folder: TrustFolder) -> None:
    install(folder, V1, V2)
    root, targets = new(V3, V2)
    folder.wait((root, TrustFile(targets.name, targets.text.replace("2028", "2029"))))
    (folder.folder / root.name).write_text(root.text)
    with pytest.raises(TrustError):
        folder.settle()
    assert not (folder.folder / targets.name).exists()


def test_what_is_left_in_pending_brings_nothing_older_back(folder: TrustFolder) -> None:
    install(folder, V1, V2, V3)
    later = following(V3, ONE)
    install(folder, later)
    folder.wait(new(V3, V2))
    assert folder.trusted() == later
    folder.settle()
    assert folder.trusted() == later
    assert folder.pending() == ()


def test_a_reader_sees_whole_versions_while_one_is_installed(folder: TrustFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks at the folder, the other command has finished."""
    install(folder, V1, V2)
    real, looks = module._versions, iter(range(100))

    def look(where: Path) -> frozenset[tuple[int, str]]:
        found = real(where)
        if next(looks) == 0:
            monkeypatch.setattr(module, "_versions", real)
            install(folder, V3)
            monkeypatch.setattr(module, "_versions", look)
        return found

    monkeypatch.setattr(module, "_versions", look)
    assert folder.files() == V3.files


def test_a_file_larger_than_any_is_not_read(folder: TrustFolder) -> None:
    install(folder, V1)
    place = folder.folder / "1.targets.json"
    with place.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(TrustError, match=r"1\.targets\.json is larger than 1000000 bytes"):
        folder.trusted()
