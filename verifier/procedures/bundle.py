"""An evidence bundle: a plain folder with statements of the record, and all it takes to check them on any machine, years later.

It is laid out as a workspace is, so that the same code verifies it. Every policy and every withdrawal of the record is in it: the
exporter does not choose what an auditor must not miss.
"""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from verifier.errors import TrustError, UsageError
from verifier.model.policy_record import TrustFile
from verifier.model.report import Report
from verifier.procedures.history import History, policy_entries, read_history
from verifier.procedures.lost import named
from verifier.procedures.witnessing import kept_in
from verifier.record.bundle import write_bundle
from verifier.record.files import read_whole
from verifier.record.log import Log, entry_path
from verifier.record.row import Row
from verifier.record.tiles import Tiles
from verifier.record.workspace import Workspace
from verifier.report.by_hand import Enclosed, readme
from verifier.trust.log import merkle
from verifier.trust.log.checkpoint import Checkpoint
from verifier.trust.log.leaf import leaf
from verifier.trust.log.proof import Proof, proven
from verifier.trust.log.sighting import COSIGNATURE, TIME_STAMP
from verifier.trust.log.tiles import HEIGHT, WIDTH, bundle, tile_path, width_at
from verifier.trust.policy import Policy
from verifier.trust.roots import Trusted
from verifier.trust.statement import BASELINE, POLICY, REPORT, VISIT_APPROVED, VISIT_CLOSED, VISIT_OPENED, WITHDRAWAL
from verifier.trust.verify import claimed

SIGN = "sign one with `crane-verify log checkpoint --sign`, on a machine that has the collector's key"
WITNESSED = re.compile(r"checkpoint|[0-9a-f]{16}\.(cosignature|tsr)")
ALWAYS = {POLICY.word, WITHDRAWAL.word}


@dataclass(frozen=True, slots=True)
class Choice:
    """What to put into a bundle."""

    words: tuple[str, ...] = ()
    """Devices, cranes or sites; none: everything."""
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""

    @property
    def scope(self) -> tuple[str, ...]:
        """In words; empty: everything."""
        since = (f"since {self.since:%Y-%m-%d}",) if self.since else ()
        until = (f"before {self.until:%Y-%m-%d}",) if self.until else ()
        return (*self.words, *since, *until)

    def has(self, row: Row) -> bool:
        if row.kind in ALWAYS:
            return True
        return self.has_time(row) and (named(row.device, self.words) if row.device else not self.words)

    def has_time(self, row: Row) -> bool:
        return not ((self.since and row.at < self.since) or (self.until and row.at >= self.until))


@dataclass(frozen=True, slots=True)
class Bundled:
    folder: Path
    kinds: tuple[tuple[str, int], ...]
    """How many statements of which kind are in it."""
    entries: int
    """Of the record, as its checkpoint covers them."""
    waiting: int
    """Chosen, and left out because no checkpoint covers them yet."""


def write_evidence(workspace: Workspace, trusted: Trusted, choice: Choice, folder: Path) -> Bundled:
    """Write the bundle, into a folder that is new or empty.

    Raises:
        UsageError: the words name nothing, or no checkpoint covers what is chosen.
        TrustError: the record does not hold where it matters, so nothing could be proven.
        RecordError: the disk refused, or the folder holds something. No half-written bundle is left.
    """
    log = workspace.log
    history = read_history(log, trusted, policy_entries(log, trusted.policy.log_keys()))
    checkpoint = log.tree.checkpoint(history.everybody.log_keys())
    if checkpoint is None:
        raise UsageError("the record has no checkpoint yet, so nothing in it can be proven", SIGN)
    rows = tuple(reversed(tuple(workspace.index.rows())))
    chosen = _chosen(workspace, rows, choice)
    covered = tuple(row for row in chosen if row.sequence < checkpoint.size)
    if not any(row.kind not in ALWAYS and choice.has(row) for row in covered):
        raise UsageError("no checkpoint covers what was chosen yet, so nothing of it can be proven", SIGN)
    write_bundle(folder, _Evidence(log, history, checkpoint, covered, choice).files())
    kinds = Counter(row.kind for row in covered)
    return Bundled(folder, tuple(sorted(kinds.items())), checkpoint.size, len(chosen) - len(covered))


def trust_files(history: History) -> tuple[TrustFile, ...]:
    """Every version of every file of `trust/` that the record knows, by name."""
    found = {file.name: file for placed in history.placed for file in placed.trusted.files}
    found |= {file.name: file for file in history.standing.files}
    return tuple(found[name] for name in sorted(found))


def hand_files(policy: Policy) -> Iterator[tuple[str, bytes]]:
    """Keys and certificates of a policy as openssl wants them, each named by the SHA-256 of its DER, and whose they are.

    After the certificate that stamps come those above it, up to the root, since a stamp may name them without bringing them.
    """
    owners = []
    for key in sorted(policy.keys, key=lambda key: key.public.key_id):
        roles = ",".join(sorted(policy.roles_of(key.owner))) or "-"
        owners.append(f"{key.public.key_id} {key.public.algorithm} {roles} {key.owner}\n")
        yield f"keys/{key.public.key_id}.pem", key.public.pem.encode()
    yield "keys/owners.txt", "".join(owners).encode()
    stampers = {hashlib.sha256(base64.b64decode(each.certificates[0])).hexdigest(): each for each in policy.time_authorities}
    for digest, authority in stampers.items():
        yield f"time/{digest}.pem", "".join(map(_pem, authority.certificates)).encode()
    if stampers:
        names = sorted(f"{digest} {authority.name}\n" for digest, authority in stampers.items())
        yield "time/authorities.txt", "".join(names).encode()


def _pem(certificate: str) -> str:
    return "\n".join(("-----BEGIN CERTIFICATE-----", *textwrap.wrap(certificate, 64), "-----END CERTIFICATE-----", ""))


def tile_files(tiles: Tiles, size: int) -> Iterator[tuple[str, bytes]]:
    """The tiles and bundles of a tree of this size."""
    for index in range(-(-size // WIDTH)):
        width = width_at(0, index, size)
        yield f"log/{tile_path('entries', index, width)}", bundle(tiles.entries(index, width))
    level = 0
    while size >> HEIGHT * level:
        for index in range(-(-(size >> HEIGHT * level) // WIDTH)):
            width = width_at(level, index, size)
            yield f"log/{tile_path(level, index, width)}", tiles.tile(level, index, width)
        level += 1


def _chosen(workspace: Workspace, rows: Sequence[Row], choice: Choice) -> tuple[Row, ...]:
    """What is chosen, with the baselines that the chosen reports rest on.

    Raises:
        UsageError: nothing is.
    """
    if not any(row.device and named(row.device, choice.words) for row in rows):
        words = " and ".join(choice.words) or "any device"
        raise UsageError(f"the record says nothing about {words}", "`crane-verify report list` shows what it holds")
    wanted = {row.sequence: row for row in rows if choice.has(row)}
    wanted |= {row.sequence: row for row in _of_visits(workspace, rows, choice)}
    if all(row.kind in ALWAYS for row in wanted.values()):
        raise UsageError(f"the record says nothing about {' '.join(choice.scope)}", "choose another time: --since, --until")
    baselines = {row.sha256: row for row in rows if row.kind == BASELINE.word}
    for row in [row for row in wanted.values() if row.kind == REPORT.word]:
        report: Report = claimed(workspace.log.read(row.sequence), REPORT)
        if rests_on := baselines.get(report.baseline.sha256):
            wanted[rests_on.sequence] = rests_on
    return tuple(wanted[sequence] for sequence in sorted(wanted))


def _of_visits(workspace: Workspace, rows: Sequence[Row], choice: Choice) -> Iterator[Row]:
    """The visits to a chosen device, each whole where any of its entries is of the chosen time."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.kind == VISIT_OPENED.word:
            devices = claimed(workspace.log.read(row.sequence), VISIT_OPENED).devices
            if not choice.words or any(named(device, choice.words) for device in devices):
                found[row.sha256] = [row]
        elif row.kind in (VISIT_CLOSED.word, VISIT_APPROVED.word) and row.names in found:
            found[row.names].append(row)
            found[row.sha256] = found[row.names]
    for visit in found.values():
        if any(choice.has_time(row) for row in visit):
            yield from visit


@dataclass(frozen=True, slots=True)
class _Evidence:
    log: Log
    history: History
    checkpoint: Checkpoint
    rows: Sequence[Row]
    choice: Choice

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Everything the bundle holds, by path and content."""
        yield "log/origin", f"{self.checkpoint.origin}\n".encode()
        yield "log/checkpoint", self.log.tree.signed() or b""
        yield from tile_files(self.log.tree.tiles, self.checkpoint.size)
        yield from self._witnessed()
        under: dict[int, int] = {}
        for row in self.rows:
            envelope = self.log.read(row.sequence)
            proof, under[row.sequence] = self._proof(row.sequence, envelope)
            yield f"log/{entry_path(row.sequence)}", envelope
            yield f"proofs/{row.sequence}.tlog-proof", proof.written()
        for file in trust_files(self.history):
            yield f"trust/{file.name}", file.text.encode()
        yield from hand_files(self.history.everybody)
        yield "README.md", self._readme(under).encode()

    def _witnessed(self) -> Iterator[tuple[str, bytes]]:
        witnessed = kept_in(self.log)
        for size in sorted(witnessed.sizes()):
            folder = witnessed.folder / f"{size:012}"
            for path in sorted(folder.iterdir()):
                if WITNESSED.fullmatch(path.name):
                    yield f"log/witnessed/{folder.name}/{path.name}", read_whole(path) or b""

    def _proof(self, sequence: int, envelope: bytes) -> tuple[Proof, int]:
        """Under the first checkpoint that somebody saw with the entry in it, so that by hand, too, one step leads to the next."""
        seen = next((each for each in self.history.sightings if each.size > sequence), None)
        kept = kept_in(self.log).at(seen.size) if seen else None
        size = kept.size if kept else self.checkpoint.size
        note = b"".join((kept.checkpoint, *kept.cosignatures)) if kept else self.log.tree.signed() or b""
        hashes = merkle.inclusion_proof(sequence, size, self.log.tree.tiles.reader(self.checkpoint.size))
        proof = Proof(sequence, hashes, note)
        try:
            proven(proof, leaf(envelope), self.history.everybody.log_keys(), self.checkpoint.origin)
        except TrustError as error:
            raise TrustError(
                f"entry {sequence} cannot be proven: {error}",
                "`crane-verify log verify` says what is wrong; hand over a copy of the whole workspace instead",
            ) from error
        return proof, size

    def _readme(self, under: dict[int, int]) -> str:
        reports = [row.sequence for row in self.rows if row.kind == REPORT.word]
        newest_first = (*reversed(reports), *(row.sequence for row in self.rows))

        def seen(how: str) -> int:
            sizes = {each.size for each in self.history.sightings if each.how == how}
            return next((sequence for sequence in newest_first if under[sequence] in sizes), -1)

        cosigned, stamped = seen(COSIGNATURE), seen(TIME_STAMP)
        return readme(
            Enclosed(
                origin=self.checkpoint.origin,
                entries=self.checkpoint.size,
                enclosed=len(self.rows),
                example=next((each for each in (cosigned, stamped) if each >= 0), newest_first[0]),
                cosigned=cosigned,
                stamped=stamped,
                fingerprint=self.history.standing.fingerprint,
                scope=self.choice.scope,
            )
        )
