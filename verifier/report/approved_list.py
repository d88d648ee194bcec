"""The approved list as CSV and JSON. Pure views; the story is `procedures.approved_list`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, assert_never

from verifier.model.approved_list import ApprovedDevice, ApprovedList, Component, NotApproved, Standing
from verifier.model.codec import time_text, to_json
from verifier.model.device import DeviceName
from verifier.model.origin import Origin
from verifier.report.machine import json_text
from verifier.report.spreadsheet import cell

ABOUT = (
    "The hardware, firmware and software of these devices that signed baselines approve, for a list such as 33 CFR 101.650(b)(1)"
    " asks for. It is evidence for such a list: it holds what the named profiles read, and no statement that a rule is met."
    " Supplier, make, model, serial number and country of origin are the inventory's word (evidence: stated), signed by nobody."
)
NOT_APPROVED = "no approved baseline"
"""The standing of a device that is in the list with a reason in place of its components."""
LONGEST = 32_000
"""Characters of a cell; a spreadsheet holds 32,767."""
HEAD = (
    *("site", "crane", "device", "supplier", "make", "model", "serial_number", "country_of_origin", "profile"),
    *("standing", "kind", "item", "name", "version", "what", "sha256", "normalised_sha256", "readings_sha256", "evidence"),
    *("baseline_serial", "baseline_sha256", "proposed", "approved_until", "approved_by", "note", "marking"),
)


def csv_list(of: ApprovedList) -> str:
    """A line for each component (RFC 4180), and one for each device of which nothing is approved."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEAD)
    for row in rows(of):
        writer.writerow(cell(text, LONGEST) for text in row)
    return out.getvalue()


def rows(of: ApprovedList) -> Iterator[tuple[str, ...]]:
    """The cells of each line under `HEAD`, as they are, before a spreadsheet is thought of."""
    for device in of.devices:
        where = (*_where(device.device, device.origin), device.profile)
        match device:
            case NotApproved():
                note = f"{device.why}; {device.hint}" if device.hint else device.why
                yield (*where, standing(device), *[""] * (len(HEAD) - len(where) - 3), note, of.marking)
            case ApprovedDevice():
                baseline = (
                    *(str(device.serial), device.sha256, time_text(device.proposed)),
                    *(time_text(device.not_after) if device.not_after else "", "; ".join(device.approved_by)),
                    *("; ".join(device.notes), of.marking),
                )
                # a device without a component has a line all the same: its note says why
                nothing = (standing(device), *[""] * 9)
                for cells in map(_component, device.components) if device.components else (nothing,):
                    yield (*where, *cells, *baseline)
            case _:
                assert_never(device)


def standing(device: ApprovedDevice | NotApproved) -> str:
    """How a device as a whole stands."""
    match device:
        case NotApproved():
            return NOT_APPROVED
        case ApprovedDevice(run_out=run_out):
            return Standing.RUN_OUT if run_out else Standing.APPROVED
        case _:
            assert_never(device)


def _where(device: DeviceName, origin: Origin) -> tuple[str, ...]:
    named = (device.site, device.crane, device.device)
    return (*named, origin.supplier, origin.make, origin.model, origin.serial, origin.country)


def _component(of: Component) -> tuple[str, ...]:
    digests = (of.sha256, of.normalised_sha256, of.readings_sha256)
    evidence = of.evidence.word if of.evidence is not None else ""
    return (of.standing.value, of.kind or "", of.item, of.name, of.version, of.what, *digests, evidence)


def list_document(of: ApprovedList) -> dict[str, Any]:
    """The list as the codec writes it, with what it is and is not."""
    return {"about": ABOUT, **to_json(of)}


def json_list(of: ApprovedList) -> str:
    """`list_document` as text. The same list gives the same bytes: no time of writing stands in it."""
    return json_text(list_document(of))
