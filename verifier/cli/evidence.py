"""What is known about when something was made and who saw it, as text and as JSON."""

from __future__ import annotations

from verifier.model.codec import time_text
from verifier.procedures.times import Bounds
from verifier.trust.log.sighting import Reach, Sighting


def bounds_document(bounds: Bounds) -> dict[str, object]:
    """Between which moments, on whose word; `null`: on nobody's."""
    return {"not_before": _seen(bounds.not_before), "not_after": _seen(bounds.not_after)}


def reach_document(reach: Reach) -> dict[str, object]:
    """How far the record is witnessed."""
    return {"entries": reach.size, "at": time_text(reach.at) if reach.at else None, "by": reach.by}


def _seen(sighting: Sighting | None) -> dict[str, object] | None:
    if sighting is None:
        return None
    return {"at": time_text(sighting.at), "by": sighting.by, "how": sighting.how, "entries": sighting.size}
