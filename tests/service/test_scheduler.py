"""Micro-batching: joined, fair, independent of who else asks, and cancelled at once."""

import threading
import time

import pytest

from service.units import Client, Unit
from similarity.errors import BackendRefusedError, BackendUnavailableError
from similarity.law import Law
from similarity.models.base import SampleRequest
from similarity.models.toy import ToyModel
from tests.service.models import POISON, FaultyModel


def unit(text, cost=1, law=None, key=None):
    request = SampleRequest(prefix=tuple(text.encode()), n=1, max_tokens=1, key=0)
    return Unit(request, law or Law(), (key,) if key else (), cost)


def hold(model, scheduler):
    """Have the model's thread in a call that does not end, so that lines form."""
    model.free.clear()
    first = unit("hold")
    scheduler.submit(Client(), [first])
    model.entered.acquire()
    model.sampled.clear()
    return first


def test_requests_that_wait_are_joined_in_one_call(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    units = [unit(f"text {i}") for i in range(10)]
    for one in units:
        scheduler.submit(Client(), [one])
    model.free.set()
    for one in units:
        assert len(one.future.result(5)) == 1
    assert model.sampled == [10]


def test_a_call_keeps_to_the_token_budget_and_a_larger_unit_goes_alone(shared):
    model = FaultyModel()
    scheduler = shared(model, batch_tokens=100).scheduler
    hold(model, scheduler)
    units = [unit(f"text {i}", cost) for i, cost in enumerate([60, 60, 40, 500])]
    scheduler.submit(Client(), units)
    model.free.set()
    for one in units:
        one.future.result(5)
    assert model.sampled == [1, 2, 1]


def test_a_short_line_does_not_wait_for_a_long_one(shared):
    model = FaultyModel()
    scheduler = shared(model, batch_tokens=10).scheduler
    hold(model, scheduler)
    long = [unit(f"long {i}", 5) for i in range(100)]
    short = [unit(f"short {i}", 5) for i in range(2)]
    scheduler.submit(Client(), long)
    scheduler.submit(Client(), short)
    finished_long = []
    for one in long:
        one.future.add_done_callback(lambda _: finished_long.append(1))
    at_end = []
    short[-1].future.add_done_callback(lambda _: at_end.append(len(finished_long)))
    model.free.set()
    for one in long:
        one.future.result(5)
    assert at_end[0] <= 4


def test_a_client_that_comes_late_does_not_starve_one_that_was_served_much(shared):
    model = FaultyModel()
    scheduler = shared(model, batch_tokens=10).scheduler
    hold(model, scheduler)
    old = Client()
    scheduler.submit(old, [unit(f"old {i}", 10) for i in range(20)])
    model.free.set()
    for one in old.submitted:
        one.future.result(5)
    hold(model, scheduler)
    more = [unit(f"more {i}", 10) for i in range(2)]
    scheduler.submit(old, more)
    done = []
    more[-1].future.add_done_callback(lambda _: done.append("old"))
    newcomers = []
    for i in range(30):
        one = unit(f"new {i}", 10)
        one.future.add_done_callback(lambda _: done.append("new"))
        newcomers.append(one)
    scheduler.submit(Client(), newcomers)
    model.free.set()
    for one in [*more, *newcomers]:
        one.future.result(5)
    assert done.index("old") < 25


def test_different_laws_are_not_joined(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    units = [unit("a"), unit("b", law=Law(temperature=2.0)), unit("c")]
    for one in units:
        scheduler.submit(Client(), [one])
    model.free.set()
    for one in units:
        one.future.result(5)
    assert sorted(model.sampled) == [1, 2]


def test_a_failing_request_does_not_fail_its_neighbours(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    good, bad = [unit(f"good {i}") for i in range(3)], unit(f"some {POISON}")
    for one in [good[0], bad, *good[1:]]:
        scheduler.submit(Client(), [one])
    model.free.set()
    for one in good:
        assert one.future.result(5)
    with pytest.raises(RuntimeError, match="nobody foresaw"):
        bad.future.result(5)


def test_a_dead_backend_is_asked_once_for_all(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    units = [unit(f"text {i}") for i in range(8)]
    for one in units:
        scheduler.submit(Client(), [one])
    model.dead = True
    model.free.set()
    for one in units:
        with pytest.raises(BackendUnavailableError):
            one.future.result(5)
    assert model.sampled == [8]


def test_cancelling_frees_the_line_at_once_and_leaves_the_others(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    held = hold(model, scheduler)
    gone, stays = Client(), Client()
    lost, kept = [unit("lost 1"), unit("lost 2")], unit("kept")
    scheduler.submit(gone, lost)
    scheduler.submit(stays, [kept])
    scheduler.cancel(gone, KeyError("gone"))
    for one in lost:
        with pytest.raises(KeyError):
            one.future.result(0)
    assert scheduler.waiting() == 1
    late = unit("late")
    scheduler.submit(gone, [late])
    assert isinstance(late.future.exception(0), KeyError)
    model.free.set()
    assert kept.future.result(5)
    assert held.future.result(5)
    assert model.sampled == [1]


def test_cancelling_frees_who_waits_for_the_running_call(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    held = hold(model, scheduler)
    scheduler.cancel_all(KeyError("down"))
    assert isinstance(held.future.exception(0), KeyError)


def test_the_same_unit_of_two_requests_is_computed_once(shared):
    model = FaultyModel()
    scheduler = shared(model, cache_bytes=100_000).scheduler
    hold(model, scheduler)
    twins = [unit("twin", key=b"twin") for _ in range(2)]
    for one in twins:
        scheduler.submit(Client(), [one])
    model.free.set()
    assert twins[0].future.result(5) == twins[1].future.result(5)
    assert model.sampled == [1]
    later = unit("twin", key=b"twin")
    scheduler.submit(Client(), [later])
    later.future.result(5)
    assert model.sampled == [1]


def test_closing_frees_everyone(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    waits = unit("waits")
    scheduler.submit(Client(), [waits])
    closing = threading.Thread(target=scheduler.close, args=(5,))
    closing.start()
    assert isinstance(waits.future.exception(5), BackendUnavailableError)
    model.free.set()
    closing.join(5)
    late = unit("late")
    scheduler.submit(Client(), [late])
    assert isinstance(late.future.exception(1), BackendUnavailableError)


def test_a_call_for_which_nobody_waits_any_more_is_ended(shared):
    class Patient(FaultyModel):
        """Works on until it is told that it need not."""

        def sample(self, requests, law, advance):
            self.entered.release()
            while True:
                advance(0)
                time.sleep(0.01)

    model = Patient()
    scheduler = shared(model).scheduler
    client, waits = Client(), unit("waits")
    scheduler.submit(client, [waits])
    model.entered.acquire()
    scheduler.cancel(client, KeyError("gone"))
    late = unit("late")
    model.sample = ToyModel().sample
    scheduler.submit(Client(), [late])
    assert late.future.result(5)


def test_what_a_backend_refuses_one_client_is_not_refused_to_others(shared):
    class Choosy(FaultyModel):
        def sample(self, requests, law, advance):
            if any(POISON in self.decode(request.prefix) for request in requests):
                raise BackendRefusedError("not this")
            return super().sample(requests, law, advance)

    model = Choosy()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    good, bad = unit("good"), unit(POISON)
    scheduler.submit(Client(), [good])
    scheduler.submit(Client(), [bad])
    model.free.set()
    assert good.future.result(5)
    with pytest.raises(BackendRefusedError):
        bad.future.result(5)


def test_a_call_goes_on_for_the_twin_of_a_unit_that_was_cancelled(shared):
    class Slow(FaultyModel):
        def sample(self, requests, law, advance):
            self.sampled.append(len(requests))
            self.entered.release()
            self.free.wait()
            advance(0)
            return ToyModel().sample(requests, law)

    model = Slow()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    gone, stays = Client(), Client()
    first, twin = unit("twin", key=b"twin"), unit("twin", key=b"twin")
    scheduler.submit(gone, [first])
    scheduler.submit(stays, [twin])
    model.free.set()
    model.free.clear()
    model.entered.acquire()
    scheduler.cancel(gone, KeyError("gone"))
    model.free.set()
    assert twin.future.result(5)
    assert model.sampled == [1]
