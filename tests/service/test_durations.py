"""Retry-After is what a refused client will see."""

import asyncio
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.durations import WINDOW, Durations


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Simulated:
    """The obvious simulation: those that are worked on share one processor.

    So all that are inside have ended after the sum of their work.
    """

    def __init__(self, places, room):
        self.clock = Clock()
        self.durations = Durations(self.clock)
        self.places, self.room = places, room
        self.inside = []  # of each the seconds of work left, and what ends it
        self.ended = 0

    @property
    def active(self):
        return min(self.places, len(self.inside))

    def arrive(self, seconds):
        """Take a request; return what a refused one is told and the truth, None if it is taken."""
        if len(self.inside) >= self.places + self.room:
            told = self.durations.expected(self.active, len(self.inside) - self.active)
            return told, sum(work for work, _ in self.inside)
        leave = ExitStack()
        leave.enter_context(self.durations.request())
        self.inside.append([seconds, leave])
        return None

    def go_on(self, seconds):
        while self.inside:
            share = 1 / self.active
            step = min(seconds, min(work for work, _ in self.inside[: self.places]) / share)
            self.clock.now += step
            seconds -= step
            for one in self.inside[: self.places]:
                one[0] -= step * share
            for one in [one for one in self.inside[: self.places] if one[0] < 1e-9]:
                self.inside.remove(one)
                one[1].close()
                self.ended += 1
            if seconds <= 0:
                return
        self.clock.now += seconds


def test_nothing_known_is_a_second():
    assert Durations().expected(0, 50) == 1.0


def one_after_another(durations, clock, seconds):
    for took in seconds:
        with durations.request():
            clock.now += took


def test_it_is_the_time_to_end_all_that_is_inside():
    clock = Clock()
    durations = Durations(clock)
    one_after_another(durations, clock, [0.5] * 101)
    assert durations.expected(0, 192) == pytest.approx(96, rel=0.02)
    with durations.request():
        clock.now += 500  # it has not ended since: the rate is lower
        assert durations.expected(1, 191) > 900


@pytest.mark.parametrize("ended", [1, 50, 3 * WINDOW])
@pytest.mark.parametrize("idle", [0.0, 15.0, 86_400.0])
def test_idle_time_does_not_count(idle, ended):
    clock = Clock()
    durations = Durations(clock)
    one_after_another(durations, clock, [0.5] * ended)
    clock.now += idle
    assert durations.expected(0, 192) == pytest.approx(96)
    with durations.request():
        clock.now += 0.25
        assert durations.expected(1, 191) == pytest.approx(96, rel=0.02)


def test_before_any_has_ended_those_under_way_may_take_as_long_again():
    clock = Clock()
    durations = Durations(clock)
    with ExitStack() as inside:
        for _ in range(12):
            inside.enter_context(durations.request())
        clock.now += 20
        # Four may end at 40 s, the others in two more rounds of 40 s.
        assert durations.expected(4, 8) == pytest.approx(100)


def test_it_is_no_shorter_than_the_slowest_lately_time_outs_included():
    clock = Clock()
    durations = Durations(clock)
    with ExitStack() as late:
        for _ in range(5):
            late.enter_context(durations.request())
        clock.now += 22
    one_after_another(durations, clock, [0.1] * 95)
    assert durations.expected(1, 0) == 22.0


def test_requests_that_fail_or_are_left_have_ended_too():
    clock = Clock()
    durations = Durations(clock)
    for _ in range(10):
        leave = ExitStack()
        leave.enter_context(durations.request())
        clock.now += 2
        error = asyncio.CancelledError()
        leave.__exit__(type(error), error, None)
    clock.now += 1000
    assert durations.expected(0, 10) == pytest.approx(20)


@given(
    seed=st.integers(0, 10**6),
    places=st.integers(1, 16),
    room=st.integers(0, 32),
    idle=st.sampled_from([0.0, 1.0, 60.0, 100_000.0]),
    mean=st.sampled_from([0.01, 1.0, 30.0]),
)
def test_it_is_true_within_a_factor_at_any_load_and_after_any_idle_time(
    seed, places, room, idle, mean
):
    random = np.random.default_rng(seed)
    simulated = Simulated(places, room)
    for _ in range(8):
        # A rush of more than fits, or what one client after another sends.
        between = mean * random.choice([0.0, 0.1, 1.0, 3.0])
        for _ in range(2 * (places + room)):
            refused = simulated.arrive(mean * random.uniform(0.5, 1.5))
            if refused and simulated.ended > places + room:
                told, truth = refused
                assert truth / 3 < told < 3 * truth + mean
            simulated.go_on(random.exponential(between) if between else 0.0)
        simulated.go_on(mean * 1.5 * (places + room) + idle)
