"""That a visit is open, said beside what is checked or shown. It silences nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verifier.cli import desk
from verifier.cli.output import local, tell
from verifier.errors import RecordError, TrustError
from verifier.model.device import DeviceName
from verifier.procedures.audit import past
from verifier.procedures.visits import Visit, open_visits
from verifier.record.workspace import Workspace
from verifier.report.finding import age
from verifier.trust.statement import VISIT_OPENED


def visits_open(workspace: Workspace, names: Iterable[DeviceName]) -> tuple[Visit, ...]:
    """The open visits to these devices. Where the record does not hold, that is told, and what is checked stands."""
    try:
        if workspace.index.newest(VISIT_OPENED.word) is None:
            return ()
        return open_visits(workspace, past(workspace, workspace.trusted()), names)
    except (TrustError, RecordError) as error:
        tell(f"whether a visit is open cannot be told: {error}", fg="yellow", err=True)
        return ()


def tell_open(found: Sequence[Visit]) -> None:
    """A line for each: who is there since when, and whether it should be over."""
    for visit in found:
        opened, now = visit.opened.value, desk.now()
        late = f"; OVERDUE by {age(opened.overdue_at, now)}: crane-verify visit close {visit.name}"
        words = f"visit {visit.name} is open since {local(opened.at)}: {opened.vendor}, {opened.work_order}"
        tell(f"{words}{late if visit.is_overdue(now) else ''}", fg="yellow")


def documents(found: Sequence[Visit]) -> list[dict[str, object]]:
    """The same as JSON has it."""
    return [
        {
            "visit_open": visit.name,
            "devices": [str(name) for name in visit.opened.value.devices],
            "since": local(visit.opened.value.at),
            "overdue": visit.is_overdue(desk.now()),
        }
        for visit in found
    ]
