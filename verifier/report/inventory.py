"""The inventory as people and programs read it: who made what stands on each crane, and how much of that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from verifier.model.device import DeviceName
from verifier.model.origin import WORDS, Origin
from verifier.report.firmware import FirmwareVersion

FIRMWARE = "firmware version"
UNKNOWN = "unknown"
HEAD = ("device", *WORDS.values(), FIRMWARE, "profile")


@dataclass(frozen=True, slots=True)
class Stock:
    """One device, as the inventory and its approved baseline say."""

    device: DeviceName
    profile: str
    origin: Origin
    firmware: FirmwareVersion | None
    """None: unknown."""
    why: str
    """Why the firmware version is unknown; empty: it is not."""
    trusted: bool
    """It has a baseline that can be trusted."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is not known of it, in the words of `HEAD`."""
        return self.origin.unknown if self.firmware else (*self.origin.unknown, FIRMWARE)


def stock_rows(stocks: Sequence[Stock]) -> list[tuple[str, ...]]:
    """A row under `HEAD` for each device; what is not known says so."""
    return [
        (
            each.device.device,
            *((getattr(each.origin, name) or UNKNOWN) for name in WORDS),
            each.firmware.version if each.firmware else UNKNOWN,
            each.profile,
        )
        for each in stocks
    ]


def unknown_counts(stocks: Sequence[Stock]) -> dict[str, int]:
    """Of how many devices each is unknown, all of them named, in the order of `HEAD`."""
    return {words: sum(words in each.unknown for each in stocks) for words in (*WORDS.values(), FIRMWARE)}


def unknown_lines(stocks: Sequence[Stock]) -> list[str]:
    """`7 of 40 devices: country of origin unknown`; one line that says so where nothing is."""
    lines = [
        f"{count} of {len(stocks)} devices: {words} unknown{_why(stocks) if words == FIRMWARE else ''}"
        for words, count in unknown_counts(stocks).items()
        if count
    ]
    return lines or [f"of {len(stocks)} devices nothing of this is unknown"]


def _why(stocks: Sequence[Stock]) -> str:
    untrusted = sum(not each.trusted for each in stocks)
    silent = sum(each.trusted and each.firmware is None for each in stocks)
    reasons = (
        f"{untrusted} without a baseline that can be trusted" if untrusted else "",
        f"{silent} whose baseline holds none" if silent else "",
    )
    return f" ({', '.join(reason for reason in reasons if reason)})"


def stock_document(stocks: Sequence[Stock]) -> dict[str, Any]:
    """For programs: an empty text or a null is unknown, and `unknown` says so."""
    return {"devices": [_device(each) for each in stocks], "unknown": unknown_counts(stocks)}


def _device(of: Stock) -> dict[str, Any]:
    found = of.firmware
    firmware = {"version": found.version, "evidence": found.evidence.word, "source": found.source} if found else None
    return {
        "site": of.device.site,
        "crane": of.device.crane,
        "device": of.device.device,
        **{words.replace(" ", "_"): getattr(of.origin, name) for name, words in WORDS.items()},
        "firmware": firmware,
        "firmware_unknown_because": of.why,
        "profile": of.profile,
        "unknown": list(of.unknown),
    }
