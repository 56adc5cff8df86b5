"""How long requests take is known from those that ended, whatever runs beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.throughput import LEAST_COMPUTED, Throughput


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


def one_after_another(throughput, clock, requests, seconds_of_cost, *, answered=True):
    for cost in requests:
        work = throughput.begin(cost)
        clock.now += cost * seconds_of_cost
        throughput.end(work, answered=answered)


def test_before_any_has_ended_nothing_is_known():
    throughput = Throughput(10, Clock())
    throughput.begin(5)
    assert throughput.seconds(100) == 0
    assert throughput.costs == [5]


@given(
    costs=st.lists(st.floats(1, 1_000), min_size=1, max_size=20),
    pace=st.floats(0.001, 1),
    idle=st.floats(0, 1_000),
)
def test_one_after_another_they_take_what_they_took(costs, pace, idle):
    clock = Clock()
    throughput = Throughput(10, clock)
    for cost in costs:
        clock.now += idle
        one_after_another(throughput, clock, [cost], pace)
    assert throughput.seconds(7) == pytest.approx(7 * pace)


@given(seed=st.integers(0, 10**6), together=st.integers(1, 20))
def test_many_at_once_take_what_the_processor_took_for_all(seed, together):
    random = np.random.default_rng(seed)
    clock = Clock()
    throughput = Throughput(50, clock)
    for _ in range(20):
        costs = random.uniform(1, 3, together)
        begun = [throughput.begin(cost) for cost in costs]
        clock.now += costs.sum() * 0.1
        for work in begun:
            throughput.end(work, answered=True)
    assert throughput.seconds(1) == pytest.approx(0.1, rel=1e-6)


def test_another_pace_is_learnt_in_some_fading_times():
    clock = Clock()
    throughput = Throughput(10, clock)
    one_after_another(throughput, clock, [1] * 100, 0.1)
    one_after_another(throughput, clock, [1] * 60, 1)
    assert throughput.seconds(1) == pytest.approx(1, rel=0.1)


def test_those_that_are_not_answered_count_half_so_that_fewer_begin_the_next_time():
    clock = Clock()
    throughput = Throughput(1_000, clock)
    begun = [throughput.begin(1) for _ in range(10)]
    clock.now += 10
    for work in begun:
        throughput.end(work, answered=False)
    assert throughput.seconds(1) == pytest.approx(2, rel=0.02)


def test_a_request_that_is_given_up_at_once_says_nothing():
    clock = Clock()
    throughput = Throughput(1_000, clock)
    one_after_another(throughput, clock, [1], 2)
    for _ in range(100):
        one_after_another(throughput, clock, [5], 0.00001, answered=False)
    assert throughput.seconds(1) == pytest.approx(2, rel=0.01)


@given(computed=st.floats(LEAST_COMPUTED, 1), known=st.floats(0, LEAST_COMPUTED, exclude_max=True))
def test_what_was_known_before_is_not_taken_for_work(computed, known):
    clock = Clock()
    throughput = Throughput(10, clock)

    def work(cost, part, seconds):
        begun = throughput.begin(cost, lambda: part)
        clock.now += seconds
        throughput.end(begun, answered=True)

    for _ in range(50):
        work(100, known, 0.001)
    assert not throughput.known
    work(100, computed, 3)
    for _ in range(50):
        work(100, known, 0.001)
    assert throughput.seconds(1) == pytest.approx(3 / (100 * computed))


def test_those_beside_it_for_which_nothing_is_computed_have_no_share_of_its_time():
    clock = Clock()
    throughput = Throughput(1e6, clock)
    beside = [throughput.begin(100, lambda: 0.0) for _ in range(9)]
    clock.now += 5
    begun = throughput.begin(100)
    clock.now += 2
    throughput.end(begun, answered=True)
    for one in beside:
        throughput.end(one, answered=True)
    assert throughput.seconds(100) == pytest.approx(2, rel=1e-3)
