"""The report as JSON for other programs."""

from __future__ import annotations

import json
from typing import Any

from verifier.compare.technique import Technique, technique
from verifier.compare.verdict import exit_code
from verifier.model.codec import to_json
from verifier.report import words
from verifier.report.phrase import phrase
from verifier.report.signed import SignedReport


def document(signed: SignedReport) -> dict[str, Any]:
    """The report as the codec writes it, where its signed original stands, and each drift in words, in the order of `drifts`."""
    report = signed.report
    return {
        **({"marking": signed.marking} if signed.marking else {}),
        "report": to_json(report),
        "record": {"sequence": signed.sequence, "sha256": signed.sha256, "signers": list(signed.signers)},
        "exit_code": exit_code([report.verdict]),
        "headline": f"{words.said(report).headline}: {words.coverage(report.coverage)}",
        "drifts_in_words": [phrase(drift) for drift in report.drifts],
        "techniques": [_technique(technique(drift)) for drift in report.drifts],
        "verify": list(words.how_to_verify(signed)),
    }


def json_view(signed: SignedReport) -> str:
    """`document` as text. It is a view: what was signed is the envelope in the record, byte for byte."""
    return json_text(document(signed))


def json_text(of: Any) -> str:
    r"""JSON for a terminal or a file: readable, and with every control character and bidi override escaped (`\u202e`)."""
    text = json.dumps(of, indent=2, ensure_ascii=False) + "\n"
    # between its strings JSON holds nothing unprintable but line ends, so what is escaped here stood inside a string
    return "\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n"))


def _escaped(line: str) -> str:
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _technique(of: object) -> dict[str, str] | None:
    return {"id": of.id, "name": of.name, "release": of.release} if isinstance(of, Technique) else None
