"""Examining an evidence bundle: what it proves, what it does not, and everything in it that is not as it must be.

Nothing but the bundle is read, nothing is written, no clock is asked: times are those of witnesses and time authorities. Only its
tree says what should be in a bundle, so it is held against that: an entry without its proof, a proof without its entry, a policy
or a withdrawal that is not enclosed, a file that belongs to nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verifier.errors import RecordError, TrustError, UsageError
from verifier.model.report import Report
from verifier.procedures.bundle import WITNESSED, hand_files, tile_files, trust_files
from verifier.procedures.chronicle import Chronicle, Silence
from verifier.procedures.history import History, Judged, policy_entries, read_history
from verifier.procedures.witnessing import kept_in
from verifier.record.bundle import Contents, contents
from verifier.record.files import read_whole
from verifier.record.log import entry_path
from verifier.record.workspace import Workspace
from verifier.trust.keys import Algorithm
from verifier.trust.log.checkpoint import Checkpoint
from verifier.trust.log.cosignature import cosignatures
from verifier.trust.log.leaf import leaf
from verifier.trust.log.note import read_note
from verifier.trust.log.proof import proven, read_proof
from verifier.trust.log.sighting import Reach, reached
from verifier.trust.log.tiles import WIDTH
from verifier.trust.log.witness import witness_of
from verifier.trust.policy import WITNESS
from verifier.trust.statement import BASELINE, KINDS, POLICY, WITHDRAWAL

README = "README.md"
ASK_FOR_ANOTHER = "keep it as it is, and ask the port for another; if that is wrong in the same place, ask why"
_ENTRY = re.compile(r"log/entries/\d{3}/\d{3}/(\d{9})\.json")
_PROOF = re.compile(r"proofs/(0|[1-9]\d{0,8})\.tlog-proof")
_KEPT = re.compile(r"log/witnessed/(\d{12})/([^/]+)")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
WORDS = {kind.predicate_type: kind.word for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Examination:
    """What a bundle comes to. With findings, nothing in it is proven."""

    checkpoint: Checkpoint
    history: History
    reach: Reach
    statements: tuple[Judged, ...]
    not_enclosed: tuple[tuple[str, int], ...]
    """How many entries of which kind the tree holds that are not in the bundle."""
    silences: tuple[Silence, ...]
    """Only where all entries are enclosed; else nobody can say."""
    elsewhere: int
    """Reports that were compared with a baseline which is not in the record."""
    root_compared: bool
    """Whether the first root is the one that the auditor knows."""
    findings: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Of the first root; empty: nobody signed the policy."""
        return self.history.standing.fingerprint


def examine(folder: Path, root: str | None = None) -> Examination:
    """Check everything in a bundle. `root` is the fingerprint of the first root, as the auditor knows it; None: they do not.

    Raises:
        UsageError: the folder is no bundle, or the fingerprint is none.
        TrustError: it has no policy that holds, another first root, or no checkpoint: nothing to hold the rest against.
        RecordError: the disk refused.
    """
    there = contents(folder)
    if not {"log/checkpoint", "log/origin"} & set(there.files):
        raise UsageError(f"{folder} is no evidence bundle: it has no log/checkpoint", "write one with `crane-verify log bundle`")
    if there.others:
        raise TrustError(
            f"the bundle holds what is no plain file: {', '.join(there.others[:5])}", "nothing was read; ask for it anew"
        )
    workspace = Workspace(folder)
    try:
        trusted = workspace.trusted()
    except TrustError as error:
        raise TrustError(f"the bundle does not hold, and nothing in it is proven: {error}", ASK_FOR_ANOTHER) from error
    compared = _compared(trusted.fingerprint, root)
    log = workspace.log
    history = read_history(log, trusted, policy_entries(log, trusted.policy.log_keys()))
    try:
        checkpoint = log.tree.checkpoint(history.everybody.log_keys())
    except TrustError as error:
        raise TrustError(f"the bundle does not hold, and nothing in it is proven: {error}", ASK_FOR_ANOTHER) from error
    if checkpoint is None:
        raise TrustError("the bundle has no checkpoint, so nothing in it can be proven", "ask for it anew")
    return _Examining(folder, workspace, history, checkpoint, there).all(compared)


def _compared(fingerprint: str, root: str | None) -> bool:
    """Whether the first root was compared with the one the auditor knows.

    Raises:
        UsageError: what the auditor gave is no fingerprint.
        TrustError: it is another one.
    """
    if root is None:
        return False
    known = root.lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if not _FINGERPRINT.fullmatch(known):
        raise UsageError(f"{root!r} is no fingerprint", "it has 64 hex digits: what `crane-verify trust show` calls first root")
    if not fingerprint:
        raise TrustError("nobody signed the policy in this bundle, so it has no root to compare", "ask for one that has roots")
    if known != fingerprint:
        raise TrustError(
            f"the first root of the bundle is {fingerprint}, and you know another one",
            "it is of another port, or made up; ask whoever gave you the bundle, and believe nothing in it",
        )
    return True


@dataclass(slots=True)
class _Examining:
    folder: Path
    workspace: Workspace
    history: History
    checkpoint: Checkpoint
    there: Contents
    findings: list[str] = field(default_factory=list)

    def all(self, root_compared: bool) -> Examination:
        log = self.workspace.log
        keys = self.history.everybody.log_keys()
        self.findings += log.tree.findings(keys, ())
        self.findings += self.history.faults
        enclosed = [int(match[1]) for name in self.there.files if (match := _ENTRY.fullmatch(name))]
        chronicle = Chronicle(self.history)
        statements: list[Judged] = []
        not_enclosed: Counter[str] = Counter()
        baselines: dict[str, int] = {}
        here = set(enclosed)
        for sequence, line in self._leaves():
            said, _, digest = line.decode(errors="replace").rstrip("\n").split(" ", 2)
            word = WORDS.get(said, "unknown")
            if sequence in here:
                statements += self._statement(sequence, line, chronicle)
                continue
            not_enclosed[word] += 1
            if word == BASELINE.word:
                baselines[digest] = sequence
            if word in (POLICY.word, WITHDRAWAL.word):
                self.findings.append(f"entry {sequence} is a {word}, and is not enclosed: a bundle holds all of them")
        self.findings += (
            f"entry {each} is enclosed, and no checkpoint covers it" for each in enclosed if each >= self.checkpoint.size
        )
        self._baselines(statements, baselines)
        self._files(enclosed)
        return Examination(
            self.checkpoint,
            self.history,
            reached(self.history.sightings, self.history.everybody),
            tuple(statements),
            tuple(sorted(not_enclosed.items())),
            () if not_enclosed else tuple(chronicle.silences),
            sum(count for digest, count in chronicle.elsewhere.items() if digest not in baselines),
            root_compared,
            tuple(dict.fromkeys(self.findings)),
        )

    def _leaves(self) -> Iterator[tuple[int, bytes]]:
        """The tree's entries, as far as they can be read; what cannot is among the findings about the tree."""
        for first in range(0, self.checkpoint.size, WIDTH):
            try:
                lines = self.workspace.log.tree.tiles.entries(first // WIDTH, min(WIDTH, self.checkpoint.size - first))
            except TrustError as error:
                self.findings.append(str(error))
                return
            for place, line in enumerate(lines):
                if line.count(b" ") == 2:
                    yield first + place, line

    def _statement(self, sequence: int, line: bytes, chronicle: Chronicle) -> Iterator[Judged]:
        envelope = self.workspace.log.read(sequence)
        if leaf(envelope) != line:
            self.findings.append(f"entry {sequence} is not the one that the tree holds: it was altered or exchanged")
            return
        try:
            found = chronicle.take(sequence, envelope)
            self._proof(sequence, line)
        except (TrustError, RecordError) as error:
            self.findings.append(f"entry {sequence}: {error}")
            return
        self.findings += (f"entry {sequence}: {doubt}" for doubt in found.doubts)
        yield found

    def _proof(self, sequence: int, line: bytes) -> None:
        """Whether the entry's proof shows it, under a checkpoint of this very tree.

        Raises:
            TrustError: it does not.
        """
        name = f"proofs/{sequence}.tlog-proof"
        data = read_whole(self.folder / name)
        if data is None:
            raise TrustError(f"{name} is missing")
        proof = read_proof(data)
        under = proven(proof, line, self.history.everybody.log_keys(), self.checkpoint.origin)
        if proof.index != sequence or self.history.root_at(under.size) != under.root:
            raise TrustError(f"{name} is of another place, or of another tree")
        # a note is read with every line below it that nobody here knows, so they must be those of the bundle
        notes = [self.workspace.log.tree.signed() or b""]
        if kept := kept_in(self.workspace.log).at(under.size):
            notes.append(b"".join((kept.checkpoint, *kept.cosignatures)))
        if proof.checkpoint not in notes or proof.extra:
            raise TrustError(f"{name} carries a checkpoint that stands nowhere else in the bundle")

    def _baselines(self, statements: Sequence[Judged], baselines: dict[str, int]) -> None:
        """What reports rest on must be there: it was in the record, so it could have been enclosed."""
        for digest in _named(statements):
            if digest in baselines:
                self.findings.append(
                    f"entry {baselines[digest]} is the baseline that a report was compared with, and is not enclosed"
                )

    def _files(self, enclosed: Iterable[int]) -> None:
        """Whether each file is one that belongs into the bundle, and every one that does is there."""
        expected: dict[str, bytes | None] = dict.fromkeys(("log/origin", "log/checkpoint", README))
        try:
            expected |= dict.fromkeys(name for name, _ in tile_files(self.workspace.log.tree.tiles, self.checkpoint.size))
        except TrustError as error:
            self.findings.append(str(error))
            expected |= dict.fromkeys(name for name in self.there.files if name.startswith("log/tile/"))
        expected |= {f"trust/{file.name}": file.text.encode("utf-8", "surrogateescape") for file in trust_files(self.history)}
        expected |= dict(hand_files(self.history.everybody))
        for sequence in enclosed:
            expected |= dict.fromkeys((f"log/{entry_path(sequence)}", f"proofs/{sequence}.tlog-proof"))
        expected |= dict.fromkeys(self._kept())
        here = set(self.there.files)
        self.findings += (f"{name} is missing" for name in sorted(expected.keys() - here))
        self.findings += (self._extra(name) for name in sorted(here - expected.keys()))
        for name, data in expected.items():
            if data is not None and name in here and read_whole(self.folder / name) != data:
                self.findings.append(f"{name} is not what the policy says: it was altered or exchanged")

    def _extra(self, name: str) -> str:
        if match := _PROOF.fullmatch(name):
            return f"{name} is there, and entry {match[1]} is missing"
        return f"{name} does not belong into the bundle"

    def _kept(self) -> Iterator[str]:
        """What of those outside is there. A line that is named after a witness of the policy must be theirs."""
        witnesses = {
            key.public.key_id[:16]: key
            for key in self.history.everybody.holders(WITNESS)
            if key.public.algorithm is Algorithm.ED25519
        }
        for name in self.there.files:
            match = _KEPT.fullmatch(name)
            if not match or not WITNESSED.fullmatch(match[2]):
                continue
            yield name
            checkpoint = f"log/witnessed/{match[1]}/checkpoint"
            if checkpoint not in self.there.files:
                self.findings.append(f"{checkpoint} is missing")
                continue
            key = witnesses.get(match[2].removesuffix(".cosignature"))
            if key is None or not match[2].endswith(".cosignature"):
                continue
            try:
                note = read_note((self.folder / checkpoint).read_bytes() + (self.folder / name).read_bytes())
                if len(cosignatures(note, (witness_of(key.public),))) != 1:
                    self.findings.append(f"{name} is not a cosignature by {key.owner}, as its name says")
            except TrustError as error:
                self.findings.append(f"{name}: {error}")


def _named(statements: Iterable[Judged]) -> dict[str, None]:
    """The baselines that reports name, by digest."""
    return dict.fromkeys(each.verified.value.baseline.sha256 for each in statements if isinstance(each.verified.value, Report))
