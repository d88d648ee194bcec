"""Watching devices being read: bars on a terminal, silence where nobody watches."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

from verifier.collect.progress import Progress


@contextlib.contextmanager
def watching() -> Iterator[Callable[[Progress], None]]:
    """Gives what the collector calls as it goes on; may be called from several threads."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    # imported here: a quarter of our start-up time, and needed by nobody who pipes our output
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import (
        Progress as Bars,
    )

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    lock = threading.Lock()
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:

        def show(progress: Progress) -> None:
            name = str(progress.device)
            megabytes = f", {progress.received / 1e6:.1f} MB" if progress.received >= 100_000 else ""
            with lock:
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=progress.of)
                words = f"{name} {progress.item} ({progress.answers}{megabytes})" if progress.item else name
                bars.update(tasks[name], completed=progress.number - bool(progress.item), total=progress.of, description=words)

        yield show
