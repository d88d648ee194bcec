"""The approved list as a CycloneDX 1.6 bill of materials (JSON; cyclonedx.org/docs/1.6/json): a device holds its components.

The same list gives the same bytes. Its serial number is made from its content, and no time of writing stands in it.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, assert_never
from urllib.parse import quote

from verifier import __version__
from verifier.model.approved_list import ApprovedDevice, ApprovedList, Component, NotApproved, Standing
from verifier.model.codec import time_text
from verifier.model.origin import Origin
from verifier.model.words import Kind
from verifier.report.approved_list import ABOUT, standing
from verifier.report.machine import json_text

Node = dict[str, Any]
SPACE = uuid.UUID("5f2f5f0e-8c1f-5d0b-9a3e-3d6f1c1b7a10")
"""The name space of the serial numbers (RFC 9562, section 5.5): any fixed one will do, and this one is ours."""
LONGEST_VERSION = 1024
"""Characters that the schema lets a version have."""
OWN = "crane-verify:"
"""Before the name of each property of ours."""


def cyclonedx_list(of: ApprovedList) -> str:
    """The bill of materials as text, valid against the official schema."""
    body = _body(of)
    named = uuid.uuid5(SPACE, json.dumps(body))
    head = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{named}",
        "version": 1,
    }
    return json_text({**head, **body})


def _body(of: ApprovedList) -> Node:
    about = _properties(("about", ABOUT), ("marking", of.marking))
    whole = {"type": "platform", "bom-ref": "list", "name": ", ".join(of.of) or "all sites", "properties": about}
    tool = {"type": "application", "name": "crane-verify", "version": __version__}
    gaps = [_ref(device) for device in of.devices if _has_gap(device)]
    rest = [_ref(device) for device in of.devices if not _has_gap(device)]
    aggregates = (("incomplete", gaps), ("unknown", rest))
    return {
        "metadata": {"tools": {"components": [tool]}, "component": whole},
        "components": [_device(device) for device in of.devices],
        # nobody can say that all of a device is listed: a profile asks for what it names
        "compositions": [{"aggregate": aggregate, "assemblies": refs} for aggregate, refs in aggregates if refs],
    }


def _has_gap(device: ApprovedDevice | NotApproved) -> bool:
    """Is there something in it of which we know that it is not listed?"""
    known = (Standing.APPROVED, Standing.NOT_COMPARED)
    return isinstance(device, NotApproved) or any(component.standing not in known for component in device.components)


def _device(device: ApprovedDevice | NotApproved) -> Node:
    node: Node = {"type": "device", "bom-ref": _ref(device), **_makers(device.origin), "name": str(device.device)}
    origin = device.origin
    stated = (
        *(("make", origin.make), ("model", origin.model), ("serial-number", origin.serial)),
        *(("country-of-origin", origin.country), ("profile", device.profile), ("standing", standing(device))),
    )
    match device:
        case NotApproved():
            node["properties"] = _properties(*stated, ("why", device.why), ("hint", device.hint))
        case ApprovedDevice():
            node["components"] = [_component(component, _ref(device)) for component in device.components]
            node["properties"] = _properties(
                *stated,
                ("baseline:serial", str(device.serial)),
                ("baseline:sha256", device.sha256),
                ("baseline:proposed", time_text(device.proposed)),
                ("baseline:approved-until", time_text(device.not_after) if device.not_after else ""),
                *(("baseline:approved-by", name) for name in device.approved_by),
                *(("note", note) for note in device.notes),
            )
        case _:
            assert_never(device)
    return node


def _makers(origin: Origin) -> Node:
    named = (("supplier", origin.supplier), ("manufacturer", origin.make))
    return {role: {"name": name} for role, name in named if name}


def _component(of: Component, device: str) -> Node:
    node: Node = {**_type(of.kind), "bom-ref": f"{device}#{quote(of.item, safe='')}#{quote(of.name, safe='/')}", "name": of.name}
    if 0 < len(of.version) <= LONGEST_VERSION:
        node["version"] = of.version
    if of.sha256:
        node["hashes"] = [{"alg": "SHA-256", "content": of.sha256}]
    node["properties"] = _properties(
        ("item", of.item),
        ("kind", of.kind or ""),
        ("version", of.version if len(of.version) > LONGEST_VERSION else ""),
        ("what", of.what),
        ("standing", of.standing),
        ("evidence", of.evidence.word if of.evidence is not None else ""),
        ("normalised-sha256", of.normalised_sha256),
        ("readings-sha256", of.readings_sha256),
    )
    return node


def _type(kind: Kind | None) -> Node:
    """What CycloneDX calls a component of this kind."""
    match kind:
        case Kind.HARDWARE:
            return {"type": "device"}
        case Kind.FIRMWARE:
            return {"type": "firmware"}
        case Kind.PROGRAM:
            return {"type": "application"}
        case Kind.CONFIGURATION:
            return {"type": "data", "data": [{"type": "configuration"}]}
        case _:
            return {"type": "data", "data": [{"type": "other"}]}


def _properties(*named: tuple[str, str]) -> list[Node]:
    """What is known; what is not has no property."""
    return [{"name": f"{OWN}{name}", "value": str(value)} for name, value in named if value]


def _ref(device: ApprovedDevice | NotApproved) -> str:
    """The device, and the serial of the baseline, since two may be valid beside each other."""
    named = quote(str(device.device), safe="/")
    return named if isinstance(device, NotApproved) else f"{named}@{device.serial}"
