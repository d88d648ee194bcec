"""Which baseline is in force: never another device's, never an older one, never one out of line."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.trust_fixtures import DEVICE, ENGINEER, NOW, OFFICER, OTHER_DEVICE, POLICY, baseline, sealed_baseline
from verifier.errors import TrustError
from verifier.model.baseline import Baseline
from verifier.trust.baseline_rules import Accepted, Fresh, Stale, current, freshness, succeeds
from verifier.trust.statement import BASELINE
from verifier.trust.verify import Verified, verify


def approved(serial: int = 1, supersedes: str = "", reason: str = "x") -> Verified[Baseline]:
    value = replace(baseline(serial, supersedes), reason=reason)
    return verify(sealed_baseline(ENGINEER, OFFICER, value=value), BASELINE, POLICY, NOW)


FIRST = approved()
SECOND = approved(2, FIRST.sha256)
THIRD = approved(3, SECOND.sha256)


def accepted(found: Verified[Baseline]) -> Accepted:
    return Accepted(found.value.serial, found.sha256)


def test_the_accepted_one_is_in_force() -> None:
    assert FIRST.sha256 == hashlib.sha256(FIRST.envelope).hexdigest()
    assert current(FIRST, DEVICE, accepted(FIRST)) == FIRST.value
    assert current(THIRD, DEVICE, accepted(THIRD)) == THIRD.value


def test_the_next_one_is_in_force() -> None:
    assert current(SECOND, DEVICE, accepted(FIRST)) == SECOND.value


def test_where_nothing_was_accepted_any_serial_begins() -> None:
    assert current(THIRD, DEVICE, None) == THIRD.value


def test_an_older_one_never_comes_back() -> None:
    with pytest.raises(TrustError, match="has serial 1, and 2 was accepted before"):
        current(FIRST, DEVICE, accepted(SECOND))


def test_another_one_of_the_same_serial_is_refused() -> None:
    with pytest.raises(TrustError, match="not the one accepted as serial 2: same serial, other content"):
        current(approved(2, FIRST.sha256, reason="other"), DEVICE, accepted(SECOND))


def test_another_devices_is_refused() -> None:
    with pytest.raises(TrustError, match="of terminal-2/STS-01/hoist-drive, not of terminal-2/STS-02/hoist-drive"):
        current(FIRST, OTHER_DEVICE, None)
    with pytest.raises(TrustError, match="not of terminal-2/STS-02/hoist-drive"):
        succeeds(FIRST, OTHER_DEVICE, None)


def test_one_is_not_skipped() -> None:
    with pytest.raises(TrustError, match="has serial 3; the next one is 2"):
        current(THIRD, DEVICE, accepted(FIRST))
    with pytest.raises(TrustError, match="has serial 2; the next one is 1"):
        succeeds(SECOND, DEVICE, None)
    with pytest.raises(TrustError, match="has serial 2; the next one is 3"):
        succeeds(SECOND, DEVICE, accepted(SECOND))


def test_one_that_replaces_another_is_refused() -> None:
    stray = approved(2, "ab" * 32)
    with pytest.raises(TrustError, match=r"replaces abababababababab\.\.\., and the newest here is"):
        current(stray, DEVICE, accepted(FIRST))
    with pytest.raises(TrustError, match="replaces"):
        succeeds(stray, DEVICE, accepted(FIRST))


def test_the_line_of_succession() -> None:
    assert succeeds(FIRST, DEVICE, None) == FIRST.value
    assert succeeds(SECOND, DEVICE, accepted(FIRST)) == SECOND.value
    assert succeeds(THIRD, DEVICE, accepted(SECOND)) == THIRD.value


def test_one_that_has_run_out_says_so() -> None:
    assert freshness(baseline(), NOW) == Fresh()
    ending = replace(baseline(), not_after=NOW)
    assert freshness(ending, NOW) == Fresh()
    stale = freshness(ending, NOW + timedelta(seconds=1))
    assert stale == Stale(NOW)
    until = "the baseline was approved until 2026-11-22 06:00 UTC and has run out"
    assert str(stale) == f"{until}; until one is approved anew, nothing is called a match"
