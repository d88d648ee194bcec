"""Registers that move by themselves in a known way: a running-hours counter, a measured value, the live bits of a status word.

A rule is narrower than a mask: the value is still compared, by what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import Final

_EXACT: Final = Context(prec=1200)
"""Enough for the difference of any two doubles."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number as it was read."""

    shown: str
    """In engineering units."""
    raw: tuple[int, ...]
    """Registers or bits."""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Moving:
    """One of `counter`, `within` and `bits`, for the members that it names. No wildcards: each is named."""

    members: tuple[str, ...]
    counter: bool = False
    """It may rise and never falls: a fall is a counter set back, or another device."""
    within: Decimal | None = None
    """It may be so far from the approved value, up and down, in its own unit."""
    bits: tuple[int, ...] = ()
    """Bits of one register that are not compared, 0 being the lowest."""

    @property
    def told(self) -> str:
        """`running hours may rise`, `holding 00104 bits 0, 3 not compared`."""
        if self.counter:
            how = "may rise"
        elif self.within is not None:
            how = f"within {self.within} of the approved value"
        else:
            how = f"bits {', '.join(map(str, self.bits))} not compared"
        return f"{', '.join(self.members)}: {how}"

    def allows(self, approved: Amount, found: Amount) -> bool:
        """Is the move from one to the other the one that the rule is for? Not where they are no numbers, or of other units."""
        if approved.unit != found.unit:
            return False
        if self.bits:
            hidden = sum(1 << bit for bit in self.bits)
            return len(approved.raw) == len(found.raw) == 1 and not (approved.raw[0] ^ found.raw[0]) & ~hidden
        before, after = number(approved.shown), number(found.shown)
        if before is None or after is None:
            return False
        if self.counter:
            return after >= before
        return self.within is not None and abs(_EXACT.subtract(after, before)) <= self.within


def rule_for(rules: tuple[Moving, ...], member: str) -> Moving | None:
    """The rule that names this member."""
    return next((rule for rule in rules if member in rule.members), None)


def number(shown: str) -> Decimal | None:
    """The number that is shown, or None where it is none, or not finite."""
    try:
        value = Decimal(shown)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
