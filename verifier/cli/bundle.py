"""`crane-verify log bundle`, and what `report verify` says of a bundle: what was proven, and what was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.evidence import bounds_document, reach_document
from verifier.cli.output import local, print_json, table, tell
from verifier.errors import TrustError, UsageError
from verifier.model.baseline import Baseline
from verifier.model.codec import time_text
from verifier.model.finding import FindingStep
from verifier.model.policy_record import PolicyRecord
from verifier.model.report import Report
from verifier.model.withdrawal import Withdrawal
from verifier.procedures.bundle import SIGN, Choice, write_evidence
from verifier.procedures.examination import ASK_FOR_ANOTHER, Examination, examine
from verifier.procedures.history import Judged
from verifier.trust.log.sighting import COSIGNATURE, Sighting

SHOWN = 20
"""Rows of a list that are shown on a terminal; `--json` gives all."""
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("words", nargs=-1, metavar="[DEVICE|CRANE|SITE]...")
@click.option("--since", type=DAY, help="Only what was made on this day or later: 2026-01-31.")
@click.option("--until", type=DAY, help="Only what was made on this day or earlier.")
@click.pass_context
def command(ctx: click.Context, folder: Path, words: tuple[str, ...], since: datetime | None, until: datetime | None) -> None:
    """Write an evidence bundle: a plain folder that an auditor checks alone, with `report verify FOLDER` or by hand.

    It holds the statements chosen, by default all, with the baselines they rest on, every policy and every withdrawal, proofs
    that they are in the record, and who saw it when. The folder must be new or empty.

    \b
    Example:
      crane-verify log bundle /media/usb/evidence-2026
      crane-verify log bundle evidence STS-01 --since 2026-01-01 --until 2026-12-31
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and is not empty", "name a new folder; nothing was written")
    space = desk.workspace(ctx)
    choice = Choice(words, _utc(since), _utc(until + timedelta(days=1)) if until else None)
    made = write_evidence(space, space.trusted(), choice, folder.resolve())
    tell(f"{folder}: {', '.join(numbered(count, kind) for kind, count in made.kinds)}, out of {made.entries} entries")
    if made.waiting:
        tell(f"{made.waiting} newer ones are left out, since no checkpoint covers them yet: {SIGN}", fg="yellow")
    known = " --root FINGERPRINT" if space.trusted().fingerprint else ""
    tell(f"the auditor runs: crane-verify report verify {folder.name}{known}; README.md in it says how to check it by hand")
    if known:
        tell("the fingerprint they hear from you by another way: `crane-verify trust show` prints it")


def verify_bundle(folder: Path, root: str | None, as_json: bool) -> None:
    """Examine a bundle and say what it comes to.

    Raises:
        TrustError: something in it is not as it must be.
    """
    found = examine(folder, root)
    if as_json:
        print_json(document(found))
    if found.findings:
        listed = "\n  ".join(found.findings[:SHOWN])
        more = f"\n  and {len(found.findings) - SHOWN} more: --json lists them" if len(found.findings) > SHOWN else ""
        raise TrustError(
            f"the bundle does not hold, and nothing in it is proven:\n  {listed}{more}",
            ASK_FOR_ANOTHER,
        )
    if not as_json:
        _print(folder, found)


def _print(folder: Path, found: Examination) -> None:
    count = len(found.statements)
    tell(f"{folder}: {count} signed statements, each in the record and each signed by those whom the policy named", fg="green")
    tell("\nproven", bold=True)
    for line in proven(found):
        tell(f"  * {line}")
    _table(found.statements)
    tell("\nnot proven", bold=True)
    for line in not_proven(found):
        tell(f"  * {line}")
    if not found.root_compared and found.fingerprint:
        tell("\nnext: compare this fingerprint with one from a person of the port whom you know, or give theirs with --root:")
        tell(f"  {found.fingerprint}")


def proven(found: Examination) -> Iterator[str]:
    """What a bundle without findings proves, in words."""
    policy = found.history.standing.policy
    if found.fingerprint:
        root = "the root you know" if found.root_compared else "its first root"
        yield f"the policy, version {policy.version}, grew out of {root}, signed at each step by enough of the people named"
    yield f"the record {found.checkpoint.origin} had {found.checkpoint.size} entries, and its own key signed for exactly these"
    if found.reach.at:
        by = " and ".join(found.reach.by)
        yield f"up to entry {found.reach.size - 1} all of it was there by {local(found.reach.at)}, on the word of {by}"
    for how, sightings in _by_how(found.history.sightings).items():
        who = ", ".join(sorted({each.by for each in sightings}))
        span = f"{local(sightings[0].at)} to {local(sightings[-1].at)}" if len(sightings) > 1 else local(sightings[0].at)
        what = ": each follows on all they had cosigned before" if how == COSIGNATURE else ""
        yield f"{numbered(len(sightings), how)} by {who}, {span}{what}"
    for word, count in Counter(each.kind.word for each in found.statements).items():
        signers = sorted({name for each in found.statements if each.kind.word == word for name in each.verified.signer_names})
        yield f"{numbered(count, word)}, signed by {', '.join(signers)}"


def not_proven(found: Examination) -> Iterator[str]:
    """What it leaves open, in words."""
    if not found.fingerprint:
        yield "who the people of the policy are: nobody signed trust/policy.json, which is believed as it stands"
    elif not found.root_compared:
        yield "that the first root is this port's: its fingerprint was not compared"
    if not found.reach.at:
        yield "that the record never had another history: nobody outside has seen it, so times are the collector's own word"
    elif found.reach.size < found.checkpoint.size:
        yield f"that nothing after entry {found.reach.size - 1} was changed or left out: nobody outside has seen that yet"
    if found.not_enclosed:
        kinds = ", ".join(numbered(count, word) for word, count in found.not_enclosed)
        yield f"what is in the entries that are not enclosed: {kinds}; they may be about these devices, too"
    if found.elsewhere:
        yield f"what {found.elsewhere} reports were compared with: their baselines were never in this record"
    for silence in found.silences[-3:]:
        yield f"what happened in {silence}"
    yield "that a device told the truth, or what it did between two checks"


def numbered(count: int, word: str) -> str:
    """`1 policy`, `2 policies`."""
    if count == 1:
        return f"1 {word}"
    return f"{count} {word.removesuffix('y')}ies" if word.endswith("y") else f"{count} {word}s"


def _by_how(sightings: Sequence[Sighting]) -> dict[str, list[Sighting]]:
    found: dict[str, list[Sighting]] = {}
    for each in sightings:
        found.setdefault(each.how, []).append(each)
    return found


def _table(statements: Sequence[Judged]) -> None:
    shown = statements[-SHOWN:]
    tell("")
    if len(statements) > len(shown):
        tell(f"the newest {len(shown)} of {len(statements)}; --json lists all")
    rows = [
        (str(each.sequence), each.kind.word, *_about(each), local(each.kind.at(each.verified.value)), *_moments(each))
        for each in shown
    ]
    table(("number", "kind", "about", "says", "its own time", "not before", "not after"), rows)


def _moments(entry: Judged) -> tuple[str, str]:
    bounds = entry.bounds
    return (
        local(bounds.not_before.at) if bounds.not_before else "-",
        f"{local(bounds.not_after.at)} ({bounds.not_after.by})" if bounds.not_after else "-",
    )


def _about(entry: Judged) -> tuple[str, str]:
    """Which device, and what it says in a word."""
    match entry.verified.value:
        case Report() as report:
            return str(report.device), str(report.verdict)
        case Baseline() as baseline:
            return str(baseline.snapshot.device), f"serial {baseline.serial}"
        case Withdrawal() as withdrawal:
            return str(withdrawal.device), f"serial {withdrawal.serial} withdrawn"
        case FindingStep() as step:
            return str(step.device), f"{step.state}: {step.item}: {step.member}"
        case PolicyRecord() as record:
            return "-", record.files[-1].name
        case _:
            return "-", "-"


def document(found: Examination) -> dict[str, object]:
    """The examination as JSON has it."""
    return {
        "holds": not found.findings,
        "findings": found.findings,
        "record": found.checkpoint.origin,
        "entries": found.checkpoint.size,
        "root": found.checkpoint.root.hex(),
        "first_root": found.fingerprint or None,
        "first_root_compared": found.root_compared,
        "policy_version": found.history.standing.policy.version,
        "witnessed": reach_document(found.reach),
        "proven": [] if found.findings else list(proven(found)),
        "not_proven": list(not_proven(found)),
        "not_enclosed": dict(found.not_enclosed),
        "statements": [_statement(each) for each in found.statements],
    }


def _statement(entry: Judged) -> dict[str, object]:
    device, says = _about(entry)
    return {
        "number": entry.sequence,
        "kind": entry.kind.word,
        "device": None if device == "-" else device,
        "says": None if says == "-" else says,
        "sha256": entry.verified.sha256,
        "signers": entry.verified.signer_names,
        "claims": time_text(entry.kind.at(entry.verified.value)),
        **bounds_document(entry.bounds),
    }


def _utc(day: datetime | None) -> datetime | None:
    return day.replace(tzinfo=UTC) if day else None
