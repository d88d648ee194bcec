"""All devices of a port, and picking some of them by the words a person types."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verifier.errors import UsageError
from verifier.model.device import Device

Path = tuple[str, ...]
"""Where something stands: (site), (site, crane) or (site, crane, device)."""


@dataclass(frozen=True, slots=True)
class Inventory:
    devices: tuple[Device, ...]
    """In the order of the file."""

    def select(self, words: Sequence[str]) -> tuple[Device, ...]:
        """The devices that these words name, each once, in the order of the file. No words: all of them.

        A word is a site, a crane, a device, `crane/device`, `site/crane` or `site/crane/device`.

        Raises:
            UsageError: a word names nothing, or more than one thing.
        """
        if not words:
            return self.devices
        wanted = {name for word in words for name in self._named(word)}
        return tuple(device for device in self.devices if _path(device) in wanted)

    def _named(self, word: str) -> frozenset[Path]:
        """The devices one word stands for."""
        asked = tuple(word.strip("/").split("/"))
        found = sorted(place for place in self._places() if place[-len(asked) :] == asked)
        meant = {place: frozenset(_path(d) for d in self.devices if _path(d)[: len(place)] == place) for place in found}
        if not meant:
            raise UsageError(f"no site, crane or device is called {word!r}", self._hint(word))
        if len(set(meant.values())) > 1:
            # a whole address wins over a shorter one that happens to end alike
            if asked in meant:
                return meant[asked]
            told = ", ".join("/".join(place) for place in found[:8]) + (", ..." if len(found) > 8 else "")
            raise UsageError(f"{word!r} names {len(found)} things: {told}", f"write the one you mean, like {'/'.join(found[0])}")
        return meant[found[0]]

    def _places(self) -> frozenset[Path]:
        return frozenset(_path(device)[:length] for device in self.devices for length in (1, 2, 3))

    def _hint(self, word: str) -> str:
        names = sorted(set(self._spellings()))
        close = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
        if not close:
            folded = {name.casefold(): name for name in names}
            close = [folded[near] for near in difflib.get_close_matches(word.casefold(), folded, n=3, cutoff=0.5)]
        if close:
            return f"did you mean {' or '.join(close)}?"
        return "`crane-verify devices list` shows them" if names else "the inventory holds no device yet"

    def _spellings(self) -> Iterator[str]:
        for place in self._places():
            for start in range(len(place)):
                yield "/".join(place[start:])


def _path(device: Device) -> Path:
    return (device.name.site, device.name.crane, device.name.device)
