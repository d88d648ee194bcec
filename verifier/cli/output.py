"""How a command speaks: lines for people, one JSON document with `--json`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from verifier.compare.plain import plain
from verifier.model.words import Verdict
from verifier.report.machine import json_text
from verifier.report.text import Line, Style

F = TypeVar("F", bound=Callable[..., Any])

LONGEST = 20_000
"""Characters of one line or cell that are shown."""
VERDICT_STYLE: dict[Verdict, str] = {
    Verdict.MATCH: "green",
    Verdict.DRIFT: "red",
    Verdict.UNDETERMINED: "yellow",
    Verdict.UNTRUSTED: "magenta",
}
LINE_STYLE: dict[Style, dict[str, Any]] = {
    Style.PLAIN: {},
    Style.TITLE: {"bold": True},
    Style.GOOD: {"fg": "green", "bold": True},
    Style.BAD: {"fg": "red"},
    Style.DOUBT: {"fg": "yellow"},
    Style.FAINT: {"dim": True},
    Style.ADDED: {"fg": "green"},
    Style.REMOVED: {"fg": "red"},
}


def say(line: Line) -> None:
    """A line of a report, in colour where the terminal has it."""
    click.secho(line.text, **LINE_STYLE[line.style])


def json_option(command: F) -> F:
    """`--json` on a command, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(command)


def window_option(command: F) -> F:
    """`--outside-window` on a command that reads devices, as the argument `any_hour`."""
    words = "Read at this hour although the inventory's window is closed; you know that the crane stands."
    return click.option("--outside-window", "any_hour", is_flag=True, help=words)(command)


def complain(message: str, hint: str) -> None:
    """An error on standard error: what happened, and what to do. Some list what they found, a line each."""
    for line in f"crane-verify: {message}".split("\n"):
        tell(line, err=True)
    if hint:
        tell(f"  hint: {hint}", err=True)


def print_json(document: Any) -> None:
    """One JSON document on standard output, keys in their own order."""
    click.echo(json_text(document), nl=False)


def tell(text: str, **style: Any) -> None:
    """A line that may quote a device, a file or a person: nothing in it moves the cursor, turns the text round, or looks like
    another line of ours. An empty line may go before it and after it.
    """
    click.secho(printable(text), **style)


def printable(text: str) -> str:
    """The text as `plain` has it, but for one line break before and one after it."""
    before, after = text[:1] == "\n", text[1:][-1:] == "\n"
    return "\n" * before + plain(text[before : len(text) - after], LONGEST) + "\n" * after


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their longest cell; the last one runs free."""
    lines = [tuple(head), *(tuple(plain(cell, LONGEST) for cell in row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head) - 1)]
    for number, line in enumerate(lines):
        text = "  ".join([cell.ljust(width) for cell, width in zip(line, widths, strict=False)] + [line[-1]]).rstrip()
        click.echo(click.style(text, bold=True) if number == 0 else text)


def local(moment: datetime) -> str:
    """A time for people: `2026-11-22 06:00 UTC`."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


class Span(click.ParamType[timedelta]):
    """`90s`, `15m`, `12h` or `365d` as a span of time."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
        if isinstance(value, timedelta):
            return value
        if value[-1:] not in units or not value[:-1].isdigit():
            self.fail(f"{value!r} is not a span of time; write 90s, 15m, 12h or 365d", param, ctx)
        return timedelta(seconds=int(value[:-1]) * units[value[-1]])


SPAN = Span()


class Moment(click.ParamType[datetime]):
    """`2026-11-22`, or `2026-11-22T06:00`, with seconds if need be: a time in UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"{value!r} is not a time; write 2026-11-22 or 2026-11-22T06:00, in UTC", param, ctx)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


MOMENT = Moment()
