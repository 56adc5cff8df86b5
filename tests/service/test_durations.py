"""Retry-After is what a refused client will see."""

import pytest

from service.engine.durations import Durations


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_nothing_known_is_a_second():
    assert Durations().expected(50) == 1.0


def test_it_is_the_time_to_end_all_that_is_inside():
    clock = Clock()
    durations = Durations(clock)
    for _ in range(101):  # two requests a second
        durations.add(0.5)
        clock.now += 0.5
    assert durations.expected(192) == pytest.approx(96, rel=0.02)
    clock.now += 500  # none has ended since: the rate is lower
    assert durations.expected(192) > 900


def test_it_is_no_shorter_than_the_slowest_lately_time_outs_included():
    clock = Clock()
    durations = Durations(clock)
    for number in range(100):
        durations.add(22.0 if number % 20 == 0 else 0.1)
        clock.now += 0.01
    assert durations.expected(1) == 22.0
