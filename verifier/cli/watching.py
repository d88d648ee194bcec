"""Watching devices being read: a bar for each on a terminal, silence where nobody watches."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from verifier.collect.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars


class Watch(Protocol):
    """Called as devices are read, from their threads."""

    def __call__(self, progress: Progress) -> None: ...

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Take the bars away while something is printed."""
        ...


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
    """What the collector calls as it goes on; on a terminal it draws bars on standard error while this is open."""
    if not sys.stderr.isatty():
        yield _Nobody()
        return
    # imported here: much of our start-up time, and needed by nobody who pipes our output
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bars:
        yield _Somebody(bars)


class _Nobody:
    def __call__(self, progress: Progress) -> None:
        pass

    def aside(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class _Somebody:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        name = str(progress.device)
        with self._lock:
            known = [task.id for task in self._bars.tasks if task.fields["device"] == name]
            if not progress.item:
                for task in known:
                    self._bars.remove_task(task)
                return
            task = known[0] if known else self._bars.add_task(name, total=progress.of, device=name)
            self._bars.update(task, completed=progress.number - 1, total=progress.of, description=_words(name, progress))

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()


def _words(name: str, progress: Progress) -> str:
    megabytes = f", {progress.received / 1e6:.1f} MB" if progress.received >= 100_000 else ""
    return f"{name}: {progress.item} ({progress.answers} answers{megabytes})"
