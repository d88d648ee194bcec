"""Keeping to a pace, on a clock of ours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verifier.model.profile import Pace
from verifier.transport.throttle import Throttle


class Clock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def test_without_a_pace_nobody_sleeps() -> None:
    clock = Clock()
    throttle = Throttle(Pace(), clock, clock.sleep)
    for _ in range(100):
        throttle.request()
        throttle.received(1 << 30)
    assert clock.now == 1000.0
    assert not throttle.paced
    assert throttle.window(5) == 5


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 3), min_size=1, max_size=30))
def test_requests_keep_their_distance_and_no_more(rate: float, pauses: list[float]) -> None:
    clock = Clock()
    throttle = Throttle(Pace(requests_per_second=rate), clock, clock.sleep)
    before = None
    for pause in pauses:
        clock.now += pause
        ready = clock.now
        throttle.request()
        if before is None:
            assert clock.now == ready
        else:
            assert clock.now >= before + 1 / rate - 1e-6
            assert clock.now <= max(ready, before + 1 / rate) + 1e-6
        before = clock.now
    assert throttle.paced


@given(st.integers(1, 10_000_000), st.lists(st.integers(1, 5_000_000), min_size=1, max_size=30))
def test_bytes_are_paid_for(rate: int, pieces: list[int]) -> None:
    clock = Clock()
    throttle = Throttle(Pace(bytes_per_second=rate), clock, clock.sleep)
    for piece in pieces:
        throttle.received(piece)
    assert abs((clock.now - 1000.0) - sum(pieces) / rate) < 1e-3 * max(1, sum(pieces) / rate)
    assert 32 << 10 <= throttle.window(2 << 20) <= max(32 << 10, min(rate, 2 << 20))
