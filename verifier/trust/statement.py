"""Statements: our values as in-toto Statements v1, which is what people and collectors sign.

Each item is a subject, `site/crane/device#item`, with the digest of its readings; the value itself is the predicate. Reading back
checks that both say the same. A new kind of statement is one `StatementKind` and its place in `KINDS`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.model.codec import CodecError, from_json, parse, to_json
from verifier.model.device import DeviceName
from verifier.model.finding import STEPS, FindingStep, State
from verifier.model.heartbeat import Heartbeat
from verifier.model.manifest import manifest_sha256
from verifier.model.policy_record import PolicyRecord
from verifier.model.report import Report
from verifier.model.visit import VisitApproved, VisitClosed, VisitOpened
from verifier.model.withdrawal import Withdrawal
from verifier.model.words import Verdict
from verifier.trust.visit_rules import approved_refusal, closed_refusal, opened_refusal, side_subjects

T = TypeVar("T")

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
NOT_OURS = "it was not made by crane-verify; do not use it"
NOTHING_READ = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
"""The manifest of no readings: SHA-256 of `[]`. The digest of a device that was not asked at all."""

Subject = tuple[str, str]
"""What a statement is about, by name, and the SHA-256 of it."""


@dataclass(frozen=True, slots=True)
class StatementKind(Generic[T]):
    word: str
    """How people name it: `baseline`."""
    signed_as: str
    """The quorum of the policy that signs it. What a collector says by itself is signed as its reports are."""
    predicate_type: str
    value: type[T]
    subjects: Callable[[T], tuple[Subject, ...]]
    refusal: Callable[[T], str]
    """Why a value makes no sense as a statement, in words; empty: it does."""
    previous: Callable[[T], tuple[str, ...]]
    """The entry of the record it says was the newest before it; nothing for kinds that name none."""
    at: Callable[[T], datetime]
    """When it says that it was made: a claim."""


def _item_subjects(device: DeviceName, items: Iterable[Subject]) -> tuple[Subject, ...]:
    # a statement must have a subject; that of a check which never came to asking is the device itself
    return tuple((f"{device}#{item}", digest) for item, digest in items) or ((str(device), NOTHING_READ),)


def _baseline_subjects(baseline: Baseline) -> tuple[Subject, ...]:
    items = baseline.snapshot.items
    return _item_subjects(baseline.snapshot.device, ((item.name, manifest_sha256(item)) for item in items))


def _baseline_refusal(baseline: Baseline) -> str:
    items = baseline.snapshot.items
    if not any(item.readings for item in items):
        return "the baseline holds no reading at all"
    if baseline.serial < 1:
        return f"the baseline's serial is {baseline.serial}; they begin with 1"
    if (baseline.serial == 1) != (baseline.supersedes == ""):
        return f"the baseline has serial {baseline.serial} and supersedes {baseline.supersedes or 'nothing'}"
    for item in items:
        if twice := _twice(reading.member for reading in item.readings):
            return f"the member {twice} stands twice in {item.name}"
    return _items_refusal(item.name for item in items)


def _report_subjects(report: Report) -> tuple[Subject, ...]:
    return _item_subjects(report.device, ((item.name, item.manifest_sha256) for item in report.items))


def _report_refusal(report: Report) -> str:
    if report.verdict is Verdict.MATCH and not any(item.read for item in report.items):
        return "the report says match and read nothing"
    return _items_refusal(item.name for item in report.items)


def _withdrawal_refusal(withdrawal: Withdrawal) -> str:
    return "" if withdrawal.reason.strip() else "the withdrawal gives no reason"


def _finding_refusal(step: FindingStep) -> str:
    if step.state not in STEPS:
        return f"nobody signs that a finding is {step.state}"
    if not step.reason.strip():
        return "the step gives no reason"
    if step.state is not State.INVESTIGATING and not step.ticket.strip():
        return f"what is {step.state} names no ticket"
    return ""


def _policy_subjects(record: PolicyRecord) -> tuple[Subject, ...]:
    return tuple((f"trust/{file.name}", hashlib.sha256(file.text.encode()).hexdigest()) for file in record.files)


def _policy_refusal(record: PolicyRecord) -> str:
    if not record.files:
        return "the policy's record holds no file"
    twice = _twice(file.name for file in record.files)
    return f"the file {twice} stands twice" if twice else ""


BASELINE = StatementKind(
    word="baseline",
    signed_as="baseline",
    predicate_type="urn:crane-verify:baseline:v1",
    value=Baseline,
    subjects=_baseline_subjects,
    refusal=_baseline_refusal,
    previous=lambda _: (),
    at=lambda baseline: baseline.proposed,
)
REPORT = StatementKind(
    word="report",
    signed_as="report",
    predicate_type="urn:crane-verify:report:v1",
    value=Report,
    subjects=_report_subjects,
    refusal=_report_refusal,
    previous=lambda report: (report.previous,),
    at=lambda report: report.ended,
)
WITHDRAWAL = StatementKind(
    word="withdrawal",
    signed_as="withdrawal",
    predicate_type="urn:crane-verify:approval-withdrawal:v1",
    value=Withdrawal,
    subjects=lambda withdrawal: ((str(withdrawal.device), withdrawal.baseline),),
    refusal=_withdrawal_refusal,
    previous=lambda _: (),
    at=lambda withdrawal: withdrawal.at,
)
FINDING = StatementKind(
    word="finding",
    signed_as="finding",
    predicate_type="urn:crane-verify:finding:v1",
    value=FindingStep,
    subjects=lambda step: ((f"{step.device}#{step.item}#{step.member}", step.drift),),
    refusal=_finding_refusal,
    previous=lambda _: (),
    at=lambda step: step.at,
)
VISIT_OPENED = StatementKind(
    word="visit-opened",
    signed_as="visit",
    predicate_type="urn:crane-verify:visit-opened:v1",
    value=VisitOpened,
    subjects=lambda visit: side_subjects(visit.sides, NOTHING_READ),
    refusal=opened_refusal,
    previous=lambda _: (),
    at=lambda visit: visit.at,
)
VISIT_CLOSED = StatementKind(
    word="visit-closed",
    signed_as="visit",
    predicate_type="urn:crane-verify:visit-closed:v1",
    value=VisitClosed,
    subjects=lambda visit: (("visit", visit.opened), *side_subjects(visit.sides, NOTHING_READ)),
    refusal=closed_refusal,
    previous=lambda _: (),
    at=lambda visit: visit.at,
)
VISIT_APPROVED = StatementKind(
    word="visit-approved",
    signed_as="visit-approval",
    predicate_type="urn:crane-verify:visit-approved:v1",
    value=VisitApproved,
    subjects=lambda visit: (("visit", visit.closed),),
    refusal=approved_refusal,
    previous=lambda _: (),
    at=lambda visit: visit.at,
)
VISITS: tuple[StatementKind[Any], ...] = (VISIT_OPENED, VISIT_CLOSED, VISIT_APPROVED)
POLICY = StatementKind(
    word="policy",
    signed_as="report",
    predicate_type="urn:crane-verify:policy:v1",
    value=PolicyRecord,
    subjects=_policy_subjects,
    refusal=_policy_refusal,
    previous=lambda record: (record.previous,),
    at=lambda record: record.at,
)
HEARTBEAT = StatementKind(
    word="heartbeat",
    signed_as="report",
    predicate_type="urn:crane-verify:heartbeat:v1",
    value=Heartbeat,
    subjects=lambda heartbeat: (("record", heartbeat.previous or NOTHING_READ),),
    refusal=lambda _: "",
    previous=lambda heartbeat: (heartbeat.previous,),
    at=lambda heartbeat: heartbeat.at,
)

KINDS: tuple[StatementKind[Any], ...] = (BASELINE, REPORT, WITHDRAWAL, FINDING, *VISITS, POLICY, HEARTBEAT)


def written(kind: StatementKind[T], value: T) -> bytes:
    """The payload of an envelope: written once, here.

    Raises:
        TrustError: the value makes no sense as a statement, such as a baseline that holds nothing.
    """
    _refuse(kind, value)
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": _subjects(kind, value),
        "predicateType": kind.predicate_type,
        "predicate": to_json(value),
    }
    return json.dumps(statement, ensure_ascii=False, separators=(",", ":")).encode()


def read(kind: StatementKind[T], payload: bytes) -> T:
    """The value in a payload that is claimed to be of this kind. Signatures are not looked at here: `verify` does that first.

    Raises:
        TrustError: it is another kind, or another version, or its subjects and its predicate do not say the same.
    """
    statement = _statement(payload)
    if statement["predicateType"] != kind.predicate_type:
        raise TrustError(_other_type(kind, statement["predicateType"]), f"give a {kind.word} made by a matching crane-verify")
    try:
        value = from_json(kind.value, statement["predicate"])
        subjects = _subjects(kind, value)
    except ValueError as error:  # also text that no reader can hold, such as half a surrogate pair
        raise TrustError(f"the {kind.word} cannot be read: {error}", "a newer crane-verify may have written it") from error
    _refuse(kind, value)
    if statement["subject"] != subjects:
        raise TrustError(f"the subjects of the {kind.word} are not the items it holds", NOT_OURS)
    return value


def kind_of(payload: bytes) -> StatementKind[Any]:
    """Which kind a payload claims to be.

    Raises:
        TrustError: it is no statement, or of no kind this version knows.
    """
    return predicate_of(payload)[0]


def predicate_of(payload: bytes) -> tuple[StatementKind[Any], Any]:
    """Which kind a payload claims to be, and its predicate as it came, not yet checked to be one: for who sorts many of them.

    Raises:
        TrustError: as `kind_of`.
    """
    statement = _statement(payload)
    stated = statement["predicateType"]
    for kind in KINDS:
        if stated == kind.predicate_type:
            return kind, statement["predicate"]
    raise TrustError(f"a statement of the unknown type {str(stated)[:80]!r}", "a newer crane-verify may know it")


def _statement(payload: bytes) -> dict[str, Any]:
    try:
        statement = parse(payload)
    except CodecError as error:
        raise TrustError(f"the signed content is not a statement: {error}", NOT_OURS) from error
    if type(statement) is not dict or statement.keys() != {"_type", "subject", "predicateType", "predicate"}:
        raise TrustError("the signed content is not an in-toto statement", NOT_OURS)
    if statement["_type"] != STATEMENT_TYPE:
        raise TrustError(f"the statement is not of type {STATEMENT_TYPE}", "it was not made by this version of crane-verify")
    return statement


def _other_type(kind: StatementKind[Any], stated: Any) -> str:
    known = [f"a {each.word}" for each in KINDS if each.predicate_type == stated]
    return f"this is {known[0] if known else 'a statement of an unknown type'}, not a {kind.word} ({kind.predicate_type})"


def _subjects(kind: StatementKind[T], value: T) -> list[Any]:
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in kind.subjects(value)]


def _refuse(kind: StatementKind[T], value: T) -> None:
    if why := kind.refusal(value):
        raise TrustError(why, f"such a {kind.word} is neither signed nor believed")


def _items_refusal(names: Iterable[str]) -> str:
    # two names that look the same to a person would be two subjects to a program
    twice = _twice(unicodedata.normalize("NFC", name).casefold() for name in names)
    return f"two items are called {twice}" if twice else ""


def _twice(names: Iterable[str]) -> str:
    """A name that occurs more than once, printable; empty: none does."""
    return next((repr(name) for name, count in Counter(names).items() if count > 1), "")
