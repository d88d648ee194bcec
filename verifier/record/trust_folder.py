"""The folder `trust/`: the versions of the policy, none of which is ever written over, and the one that waits for signatures.

A change of the root is two files. Both are put into `pending/` first, whole; then the root is given its place, then the policy.
Who finds a pending root that is in its place already has found an installation that was killed, and knows the other half.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import RecordError, TrustError
from verifier.model.policy_record import TrustFile
from verifier.record.files import read_whole, remove, write_new, write_whole
from verifier.record.lock import locked
from verifier.trust.roots.trusted import LARGEST, RESTORE, UNSIGNED, Trusted, read_trust

VERSION = re.compile(r"([1-9][0-9]*)\.(root|targets)\.json")
WAIT = 30.0
"""Seconds to wait for another command that changes the policy."""


@dataclass(frozen=True, slots=True)
class TrustFolder:
    folder: Path
    lock: Path

    @property
    def waiting(self) -> Path:
        """Where a version lies that waits for signatures."""
        return self.folder / "pending"

    def trusted(self) -> Trusted:
        """Who may sign what.

        Raises:
            TrustError: there is no policy, or it is one that nobody should follow.
        """
        files = self.files()
        if not files:
            raise TrustError(
                f"there is no policy in {self.folder}, so nobody is trusted",
                'a new workspace gets it with `crane-verify trust init --name "Your Name"`; if it was there before,'
                " find out who removed it, and restore it from a copy",
            )
        return read_trust(files)

    def files(self) -> tuple[TrustFile, ...]:
        """Every root and the newest policy, or a lone `policy.json` of before there were roots; none: there is no policy."""
        while True:
            before = _versions(self.folder)
            pending = self.pending()
            if before == _versions(self.folder):  # else it was changed meanwhile, and half of each version was seen
                break
        roots = [name for _, name in sorted(before) if name.endswith(".root.json")]
        policies = [name for _, name in sorted(before) if name.endswith(".targets.json")]
        if not before:
            unsigned = _read(self.folder / UNSIGNED)
            return (unsigned,) if unsigned else ()
        found = [*_all(self.folder, roots), *_all(self.folder, policies[-1:])]
        return _with_other_half(tuple(found), pending)

    def pending(self) -> tuple[TrustFile, ...]:
        """The version that waits for signatures: its root, if it has one, then its policy; none: none waits."""
        return in_folder(self.waiting)

    def wait(self, files: Sequence[TrustFile]) -> None:
        """Keep this version, and no other, until it has its signatures.

        Raises:
            RecordError: the disk refused.
        """
        with locked(self.lock, WAIT):
            self._wait(files)

    def install(self, files: Sequence[TrustFile], before: Sequence[TrustFile]) -> None:
        """Put a version in force that has its signatures: a policy, and the root it was made under if that is new.

        `before` is what was in force when it was made.

        Raises:
            RecordError: another version came into force meanwhile, or the disk refused. What is in force then is whole.
        """
        with locked(self.lock, WAIT):
            if tuple(before) != self.files():
                raise RecordError(
                    "another version of the policy came into force meanwhile", "look at it, and make the change anew"
                )
            if len(files) > 1:
                self._wait(files)
            for file in files:
                write_new(self.folder / file.name, file.text.encode())
            remove(self.folder / UNSIGNED)
            self._forget()

    def settle(self) -> None:
        """Finish an installation that was killed, if there is one.

        Raises:
            TrustError: what it left is not a policy that holds.
            RecordError: the disk refused.
        """
        if not self.pending():
            return
        with locked(self.lock, WAIT):
            there = in_folder(self.folder)
            pending = self.pending()
            if not set(pending) & set(there):
                return  # it waits for signatures
            whole = self.files()
            read_trust(whole)
            for file in whole:
                if file not in there:
                    write_new(self.folder / file.name, file.text.encode())
            remove(self.folder / UNSIGNED)
            self._forget()

    def _wait(self, files: Sequence[TrustFile]) -> None:
        kept = {file.name for file in files}
        for _, name in _versions(self.waiting):
            if name not in kept:
                remove(self.waiting / name)
        for file in files:
            write_whole(self.waiting / file.name, file.text.encode())

    def _forget(self) -> None:
        # the root last: while it lies there, the policy beside it does too
        for _, name in sorted(_versions(self.waiting), reverse=True):
            remove(self.waiting / name)
        with contextlib.suppress(OSError):  # somebody put something else there, or it never was
            self.waiting.rmdir()


def in_folder(folder: Path) -> tuple[TrustFile, ...]:
    """The files of metadata in a folder, roots first."""
    return _all(folder, [name for _, name in sorted(_versions(folder), key=lambda each: (".root." not in each[1], each))])


def read_one(path: Path) -> TrustFile:
    """One file of metadata, wherever it lies.

    Raises:
        RecordError: it cannot be read.
    """
    found = _read(path)
    if found is None:
        raise RecordError(f"there is no {path}", "check the path")
    return found


def _versions(folder: Path) -> frozenset[tuple[int, str]]:
    names = [path.name for path in folder.glob("*.json")]
    return frozenset((int(match[1]), name) for name in names if (match := VERSION.fullmatch(name)))


def _all(folder: Path, names: Sequence[str]) -> tuple[TrustFile, ...]:
    found = [_read(folder / name) for name in names]
    return tuple(file for file in found if file is not None)


def _read(path: Path) -> TrustFile | None:
    with contextlib.suppress(OSError):
        if path.stat().st_size > LARGEST:  # on a stranger's stick it may be larger than memory
            raise TrustError(f"{path} is larger than {LARGEST} bytes", RESTORE)
    data = read_whole(path)
    # what is not UTF-8 stays visible as such, and is refused by whoever reads it
    return None if data is None else TrustFile(path.name, data.decode(errors="surrogateescape"))


def _with_other_half(files: tuple[TrustFile, ...], pending: tuple[TrustFile, ...]) -> tuple[TrustFile, ...]:
    """The files, with the policy of an installation that was killed after its root."""
    roots = [file for file in files if file.name.endswith(".root.json")]
    if not roots or roots[-1] not in pending:
        return files
    policies = [file for file in (*files, *pending) if file.name.endswith(".targets.json")]
    return (*roots, *sorted(policies, key=_version)[-1:])


def _version(file: TrustFile) -> int:
    return int(file.name.partition(".")[0])
