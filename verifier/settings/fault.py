"""What is wrong at one place of a file, and how all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from verifier.errors import SettingsError

SHOWN = 20
"""Faults told in one error; the rest is counted."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    line: int
    """From 1; 0 means the whole file."""
    column: int
    message: str
    hint: str = ""


def refusal(path: str, faults: Iterable[Fault]) -> SettingsError:
    """One error for all faults of a file, in the order of its lines, each told once.

    The error's own line and column are those of the first; every further fault is a line of the message, with its fix.
    """
    told = sorted(set(faults))
    if not told:
        raise ValueError("a refusal without a fault")
    first, others = told[0], told[1:]
    if not others:
        return SettingsError(path, first.line, first.message, first.hint, first.column)
    message = "\n".join([_with_fix(first), *(f"{_place(path, one)}: {_with_fix(one)}" for one in others[: SHOWN - 1])])
    if len(told) > SHOWN:
        message += f"\n{path}: and {len(told) - SHOWN} more"
    hint = f"{len(told)} places are to be corrected; each line says how"
    return SettingsError(path, first.line, message, hint, first.column)


def _with_fix(fault: Fault) -> str:
    return f"{fault.message} ({fault.hint})" if fault.hint else fault.message


def _place(path: str, fault: Fault) -> str:
    return f"{path}:{fault.line}" if fault.line else path
