"""Who fills which seat: a quorum such as one engineer and one security officer, where one person fills one seat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seat:
    role: str
    count: int
    """How many persons of this role must sign; 1 or more."""


@dataclass(frozen=True, slots=True)
class Seating:
    filled: tuple[tuple[str, str], ...]
    """Person and role, each person once, in the order of the seats."""
    empty: tuple[str, ...]
    """The role of every seat nobody fills; none: the quorum is met."""


def seated(seats: tuple[Seat, ...], roles: Mapping[str, frozenset[str]]) -> Seating:
    """The best seating of these persons, given the roles each holds: a largest bipartite matching.

    A person who holds two roles takes the one that others cannot, so that whether a quorum is met never depends on an order.
    """
    chairs = [seat.role for seat in seats for _ in range(seat.count)]
    sitting: dict[int, str] = {}

    def moves_to(person: str, tried: set[int]) -> bool:
        """Seat this person, asking those who sit already to move on to another of their roles (an augmenting path)."""
        for chair, role in enumerate(chairs):
            if role not in roles[person] or chair in tried:
                continue
            tried.add(chair)
            if chair not in sitting or moves_to(sitting[chair], tried):
                sitting[chair] = person
                return True
        return False

    for person in sorted(roles):
        moves_to(person, set())
    filled = tuple((sitting[chair], role) for chair, role in enumerate(chairs) if chair in sitting)
    return Seating(filled, tuple(role for chair, role in enumerate(chairs) if chair not in sitting))
