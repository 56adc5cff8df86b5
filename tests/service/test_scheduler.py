"""Micro-batching: joined, fair, independent of who else asks, and cancelled at once."""

import itertools
import random
import threading
import time
from types import SimpleNamespace

import pytest

from service.engine.cache import Cache
from service.engine.exceptions import LostError
from service.engine.health import Health
from service.engine.line import Line
from service.engine.metrics import Metrics
from service.engine.pace import Pace
from service.engine.scheduler import Scheduler
from service.engine.work import AbandonedError, Batch, RequestQueue, StatesRequest, WorkItem
from similarity.errors import BackendRefusedError, BackendUnavailableError
from similarity.law import Law
from similarity.models.base import SampleRequest
from similarity.models.loader import load_model
from similarity.models.pauses import LEAST_TOKENS
from similarity.models.toy import ToyModel
from tests.service.models import POISON, FaultyModel
from tests.service.servers import eventually


@pytest.fixture(scope="module")
def embedded():
    """Return the model in the package."""
    return load_model("embedded")


def item(text, cost=1, law=None, key=None, steps=1):
    request = SampleRequest(prefix=tuple(text.encode()), n=1, max_tokens=steps, key=0)
    return WorkItem(request, law or Law(), (key,) if key else (), cost)


def hold(model, scheduler):
    """Have the model's thread in a call that does not end, so that lines form."""
    model.free.clear()
    first = item("hold")
    scheduler.submit(RequestQueue(), [first])
    model.entered.acquire()
    model.sampled.clear()
    return first


def test_requests_that_wait_are_joined_in_one_call(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    items = [item(f"text {i}") for i in range(10)]
    for one in items:
        scheduler.submit(RequestQueue(), [one])
    model.free.set()
    for one in items:
        assert len(one.future.result(5)) == 1
    assert model.sampled == [10]


def test_a_call_keeps_to_the_token_budget_and_a_larger_item_goes_alone(shared):
    model = FaultyModel()
    scheduler = shared(model, batch_tokens=100).scheduler
    hold(model, scheduler)
    items = [item(f"text {i}", cost) for i, cost in enumerate([60, 60, 40, 500])]
    scheduler.submit(RequestQueue(), items)
    model.free.set()
    for one in items:
        one.future.result(5)
    assert model.sampled == [1, 2, 1]


def test_a_short_line_does_not_wait_for_a_long_one(shared):
    model = FaultyModel()
    scheduler = shared(model, batch_tokens=10).scheduler
    hold(model, scheduler)
    long = [item(f"long {i}", 5) for i in range(100)]
    short = [item(f"short {i}", 5) for i in range(2)]
    scheduler.submit(RequestQueue(), long)
    scheduler.submit(RequestQueue(), short)
    finished_long = []
    for one in long:
        one.future.add_done_callback(lambda _: finished_long.append(1))
    at_end = []
    short[-1].future.add_done_callback(lambda _: at_end.append(len(finished_long)))
    model.free.set()
    for one in long:
        one.future.result(5)
    assert at_end[0] <= 4


def test_a_client_that_comes_late_does_not_starve_one_that_was_served_much(shared, monkeypatch):
    # Calls take no time here, so that the newcomers would end within their lead.
    monkeypatch.setattr("service.engine.line.LEAD_CALLS", 0)
    model = FaultyModel()
    scheduler = shared(model, batch_tokens=10).scheduler
    hold(model, scheduler)
    old = RequestQueue()
    scheduler.submit(old, [item(f"old {i}", 10) for i in range(20)])
    model.free.set()
    for one in old.submitted:
        one.future.result(5)
    hold(model, scheduler)
    more = [item(f"more {i}", 10) for i in range(2)]
    scheduler.submit(old, more)
    done = []
    more[-1].future.add_done_callback(lambda _: done.append("old"))
    newcomers = []
    for i in range(30):
        one = item(f"new {i}", 10)
        one.future.add_done_callback(lambda _: done.append("new"))
        newcomers.append(one)
    scheduler.submit(RequestQueue(), newcomers)
    model.free.set()
    for one in [*more, *newcomers]:
        one.future.result(5)
    assert done.index("old") < 25


@pytest.mark.parametrize("at_once", [True, False], ids=["all at once", "one after the other"])
def test_a_request_that_was_served_is_served_again_while_new_ones_come(
    shared, monkeypatch, at_once
):
    """New ones began with the least served, which was one of them each time."""
    # Each look at the clock takes a second, so that all calls take as long.
    clock = SimpleNamespace(monotonic=itertools.count().__next__)
    monkeypatch.setattr("service.engine.pace.time", clock)
    # The lead of new ones is then about a call's time: of the whole lead, 40 seconds here, the
    # old one gets its share after many more.
    monkeypatch.setattr("service.engine.line.LEAD_CALLS", 0.1)
    model = FaultyModel()
    scheduler = shared(model, batch_tokens=10).scheduler
    hold(model, scheduler)
    old, count = RequestQueue(), 5
    answered, met, done = [], [], threading.Event()

    def comes(_=None):
        if len(answered) < 300 and not done.is_set():
            one = item("new", 10)
            one.future.add_done_callback(answered.append)
            one.future.add_done_callback(comes)
            scheduler.submit(RequestQueue(), [one])

    def goes_on(_=None):
        met.append(len(answered))
        if len(met) > count:
            done.set()
        elif not at_once:
            scheduler.submit(old, items(1))

    def items(number):
        found = [item(f"old {i}", 10) for i in range(number)]
        for one in found:
            one.future.add_done_callback(goes_on)
        return found

    if at_once:
        met.append(0)
        scheduler.submit(old, items(count))
    else:
        goes_on()
    for _ in range(4):
        comes()
    model.free.set()
    assert done.wait(20)
    # Of five that ask at any time it gets a fifth.
    assert met[-1] < 10 * count


def test_different_laws_are_not_joined(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    items = [item("a"), item("b", law=Law(temperature=2.0)), item("c")]
    for one in items:
        scheduler.submit(RequestQueue(), [one])
    model.free.set()
    for one in items:
        one.future.result(5)
    assert sorted(model.sampled) == [1, 2]


def test_an_item_of_few_steps_does_not_wait_for_the_steps_of_another(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    items = [item("a", steps=10), item("b", steps=20), item("c", steps=21), item("d", steps=128)]
    for one in items:
        scheduler.submit(RequestQueue(), [one])
    model.free.set()
    for one in items:
        one.future.result(5)
    assert model.sampled == [2, 1, 1]


def test_who_took_the_time_has_to_wait_whatever_the_tokens_were():
    line = Line(Pace(0.125, 10_000))
    slow, quick = RequestQueue(), RequestQueue()
    for queue, tokens, seconds in ((slow, 10, 4.0), (quick, 1_000, 1.0)):
        queue.waiting.append(item("first", tokens))
        line.add(queue)
        line.take().charge(seconds)
        queue.waiting.append(item("second", tokens))
    for queue in (slow, quick):
        line.add(queue)
    assert next(queue for queue, _ in line.take()) is quick


def test_the_time_of_a_call_is_shared_by_tokens_as_it_goes_on():
    batch, few, many = Batch(), RequestQueue(), RequestQueue()
    batch.add(few, item("few", 9))
    batch.add(many, item("many", 29))
    batch.charge(1.0)
    batch.charge(2.0)
    assert (few.served, many.served) == pytest.approx((0.5, 1.5))


def test_a_failing_request_does_not_fail_its_neighbours(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    good, bad = [item(f"good {i}") for i in range(3)], item(f"some {POISON}")
    for one in [good[0], bad, *good[1:]]:
        scheduler.submit(RequestQueue(), [one])
    model.free.set()
    for one in good:
        assert one.future.result(5)
    with pytest.raises(RuntimeError, match="nobody foresaw"):
        bad.future.result(5)


def test_a_dead_backend_is_asked_once_for_all(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    items = [item(f"text {i}") for i in range(8)]
    for one in items:
        scheduler.submit(RequestQueue(), [one])
    model.dead = True
    model.free.set()
    for one in items:
        with pytest.raises(BackendUnavailableError):
            one.future.result(5)
    assert model.sampled == [8]


def test_cancelling_frees_the_line_at_once_and_leaves_the_others(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    held = hold(model, scheduler)
    gone, stays = RequestQueue(), RequestQueue()
    lost, kept = [item("lost 1"), item("lost 2")], item("kept")
    scheduler.submit(gone, lost)
    scheduler.submit(stays, [kept])
    scheduler.cancel(gone, KeyError("gone"))
    for one in lost:
        with pytest.raises(KeyError):
            one.future.result(0)
    assert scheduler.waiting() == 1
    late = item("late")
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


def test_the_same_item_of_two_requests_is_computed_once(shared):
    model = FaultyModel()
    scheduler = shared(model, cache_bytes=100_000).scheduler
    hold(model, scheduler)
    twins = [item("twin", key=b"twin") for _ in range(2)]
    for one in twins:
        scheduler.submit(RequestQueue(), [one])
    model.free.set()
    assert twins[0].future.result(5) == twins[1].future.result(5)
    assert model.sampled == [1]
    later = item("twin", key=b"twin")
    scheduler.submit(RequestQueue(), [later])
    later.future.result(5)
    assert model.sampled == [1]


def test_closing_frees_everyone(shared):
    model = FaultyModel()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    waits = item("waits")
    scheduler.submit(RequestQueue(), [waits])
    closing = threading.Thread(target=scheduler.close, args=(5,))
    closing.start()
    assert isinstance(waits.future.exception(5), BackendUnavailableError)
    model.free.set()
    closing.join(5)
    late = item("late")
    scheduler.submit(RequestQueue(), [late])
    assert isinstance(late.future.exception(1), BackendUnavailableError)


def test_a_call_for_which_nobody_waits_any_more_is_ended(shared):
    class Patient(FaultyModel):
        """Works on until it learns that it need not."""

        def sample(self, requests, law, on_progress):
            self.entered.release()
            while True:
                on_progress(0)
                time.sleep(0.01)

    model = Patient()
    scheduler = shared(model).scheduler
    queue, waits = RequestQueue(), item("waits")
    scheduler.submit(queue, [waits])
    model.entered.acquire()
    scheduler.cancel(queue, KeyError("gone"))
    late = item("late")
    model.sample = ToyModel().sample
    scheduler.submit(RequestQueue(), [late])
    assert late.future.result(5)


def test_what_a_backend_refuses_one_client_is_not_refused_to_others(shared):
    class Choosy(FaultyModel):
        def sample(self, requests, law, on_progress):
            if any(POISON in self.decode(request.prefix) for request in requests):
                raise BackendRefusedError("not this")
            return super().sample(requests, law, on_progress)

    model = Choosy()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    good, bad = item("good"), item(POISON)
    scheduler.submit(RequestQueue(), [good])
    scheduler.submit(RequestQueue(), [bad])
    model.free.set()
    assert good.future.result(5)
    with pytest.raises(BackendRefusedError):
        bad.future.result(5)


def test_a_call_goes_on_for_the_twin_of_an_item_that_was_cancelled(shared):
    class Slow(FaultyModel):
        def sample(self, requests, law, on_progress):
            self.sampled.append(len(requests))
            self.entered.release()
            self.free.wait()
            on_progress(0)
            return ToyModel().sample(requests, law)

    model = Slow()
    scheduler = shared(model).scheduler
    hold(model, scheduler)
    gone, stays = RequestQueue(), RequestQueue()
    first, twin = item("twin", key=b"twin"), item("twin", key=b"twin")
    scheduler.submit(gone, [first])
    scheduler.submit(stays, [twin])
    model.free.set()
    model.free.clear()
    model.entered.acquire()
    scheduler.cancel(gone, KeyError("gone"))
    model.free.set()
    assert twin.future.result(5)
    assert model.sampled == [1]


class SteppingModel(ToyModel):
    """Takes steps with whoever wants to be let in, until it has been let on."""

    def __init__(self):
        super().__init__()
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.log = []

    def sample(self, requests, law, on_progress=lambda _: None):
        name = bytes(requests[0].prefix).decode()
        self.log.append(f"{name} begins")
        if name == "wrong":
            raise BackendRefusedError("this one is wrong")
        if name.startswith("long"):
            self.began.set()
            while not self.go_on.wait(0.001):
                on_progress(0)
        self.log.append(f"{name} ends")
        return super().sample(requests, law, on_progress)


@pytest.fixture
def pace():
    """Return a pace at which there is a turn after each step."""
    return Pace(1e-9, 10_000)


@pytest.fixture
def stepping(pace):
    """Return a model of long calls, its scheduler, which lends at each step, and its health."""
    model = SteppingModel()
    health = Health(Metrics(), fresh_seconds=10, stall_seconds=10)
    cache = Cache(0)
    scheduler = Scheduler(model, pace=pace, cache=cache, observer=health)
    yield model, scheduler, health
    model.go_on.set()
    scheduler.close(patience=5)


def test_a_short_request_is_answered_between_two_steps_of_a_long_call(stepping):
    model, scheduler, health = stepping
    long, short = item("long", cost=1_000), item("short")
    scheduler.submit(RequestQueue(), [long])
    assert model.began.wait(5)
    scheduler.submit(RequestQueue(), [short])
    assert len(short.future.result(5)) == 1
    assert not long.future.done()
    assert health.busy
    model.go_on.set()
    assert len(long.future.result(5)) == 1
    assert model.log == ["long begins", "short begins", "short ends", "long ends"]


@pytest.mark.parametrize("given_up", [False, True])
def test_of_long_calls_whose_pace_is_unknown_none_is_made_inside_another(stepping, pace, given_up):
    """Short deadlines gave them all up before their pace was known, and cheap requests too."""
    model, scheduler, _ = stepping
    if given_up:
        gone = RequestQueue()
        scheduler.submit(gone, [item("long gone", cost=1_000)])
        assert model.began.wait(5)
        model.began.clear()
        scheduler.cancel(gone, KeyError("given up"))
        assert eventually(lambda: pace.expected("sample", 1, 1_000) > 0)
        model.log.clear()
    scheduler.submit(RequestQueue(), [item("long", cost=1_000)])
    assert model.began.wait(5)
    longer, short = item("long too", cost=9_500), item("short")
    with scheduler._changed:
        scheduler.submit(RequestQueue(), [longer])
        scheduler.submit(RequestQueue(), [short])
    assert len(short.future.result(5)) == 1
    assert model.log == ["long begins", "short begins", "short ends"]
    model.go_on.set()
    assert len(longer.future.result(5)) == 1


def test_between_its_steps_nobody_gets_more_than_a_long_call_has_had(stepping):
    model, scheduler, _ = stepping
    queue, other = RequestQueue(), RequestQueue(served=2_000)
    long, later = item("long", cost=1_000), item("later")
    scheduler.submit(queue, [long, item("long too", cost=1_000_000)])
    assert model.began.wait(5)
    scheduler.submit(other, [later])
    time.sleep(0.1)
    assert model.log == ["long begins"]
    model.go_on.set()
    assert len(later.future.result(5)) == 1


def test_a_call_is_not_held_up_between_its_steps_by_a_longer_one(stepping, pace, monkeypatch):
    for tokens in (1, 100, 10_000):
        pace.note("sample", 1, tokens, tokens * 1.0)
    # How quick the calls of this test are says nothing.
    monkeypatch.setattr(pace, "note", lambda *_: None)
    model, scheduler, _ = stepping
    outer, longer, shorter = item("long", 100), item("longer", 1_000), item("short", 10)
    scheduler.submit(RequestQueue(), [outer])
    assert model.began.wait(5)
    scheduler.submit(RequestQueue(), [longer])
    scheduler.submit(RequestQueue(), [shorter])
    assert len(shorter.future.result(5)) == 1
    # It takes steps after which the longer one could be let in.
    time.sleep(0.05)
    model.go_on.set()
    assert len(longer.future.result(5)) == 1
    begun = [entry for entry in model.log if entry.endswith("begins")]
    assert begun == ["long begins", "short begins", "longer begins"]
    assert model.log.index("long ends") < model.log.index("longer begins")


def test_what_fails_between_two_steps_leaves_the_long_call_alone(stepping):
    model, scheduler, _ = stepping
    long = item("long", cost=1_000)
    scheduler.submit(RequestQueue(), [long])
    assert model.began.wait(5)
    wrong = item("wrong")
    scheduler.submit(RequestQueue(), [wrong])
    with pytest.raises(BackendRefusedError, match="this one is wrong"):
        wrong.future.result(5)
    model.go_on.set()
    assert len(long.future.result(5)) == 1


def test_everything_is_cancelled_that_is_under_way_one_inside_the_other(stepping):
    model, scheduler, _ = stepping
    outer, inner = item("long", cost=1_000), item("long inside")
    scheduler.submit(RequestQueue(), [outer])
    assert model.began.wait(5)
    model.began.clear()
    scheduler.submit(RequestQueue(), [inner])
    assert model.began.wait(5)
    scheduler.cancel_all(BackendUnavailableError("gone"))
    for one in (outer, inner):
        with pytest.raises(BackendUnavailableError):
            one.future.result(5)
    later = item("short")
    scheduler.submit(RequestQueue(), [later])
    assert len(later.future.result(5)) == 1


@pytest.mark.parametrize("shows", [True, False])
def test_a_call_that_begins_inside_another_is_no_sign_that_the_model_goes_on(pace, shows):
    """A new request made a server that hung seem at work: it had been silent for a moment."""
    model, now = SteppingModel(), [0.0]
    model.zero_is_progress = shows
    health = Health(Metrics(), fresh_seconds=99, stall_seconds=10, clock=lambda: now[0])
    health.succeeded()
    scheduler = Scheduler(model, pace=pace, cache=Cache(0), observer=health)
    try:
        scheduler.submit(RequestQueue(), [item("long", cost=1_000)])
        assert model.began.wait(5)
        model.began.clear()
        time.sleep(0.3)
        now[0] += 8
        scheduler.submit(RequestQueue(), [item("long inside")])
        assert model.began.wait(5)
        now[0] += 3
        assert eventually(lambda: (scheduler.silent < 0.2) == shows, 1)
        assert eventually(lambda: health.status().ready == shows, 1)
    finally:
        model.go_on.set()
        scheduler.close(patience=5)


def test_time_lent_to_others_is_not_taken_for_a_call_that_hangs():
    now = [0.0]
    health = Health(Metrics(), fresh_seconds=1, stall_seconds=10, clock=lambda: now[0])
    health.call_began()
    for _ in range(4):
        health.call_began()
        now[0] += 5
        health.call_ended("sample", 1, 1, None)
        now[0] += 2
        assert health.status().ready
    now[0] += 5
    assert not health.status().ready


def test_a_fault_in_choosing_a_batch_fails_those_that_wait_and_not_the_service(
    shared, monkeypatch, caplog
):
    """Else the thread ends, and all requests from then on wait for ever."""
    scheduler = shared(ToyModel()).scheduler
    good = Pace.tokens
    monkeypatch.setattr(Pace, "tokens", lambda *_: 1 / 0)
    failed = item("first")
    scheduler.submit(RequestQueue(), [failed])
    with pytest.raises(ZeroDivisionError):
        failed.future.result(5)
    monkeypatch.setattr(Pace, "tokens", good)
    answered = item("second")
    scheduler.submit(RequestQueue(), [answered])
    assert len(answered.future.result(5)) == 1
    assert "the scheduler failed in choosing a batch" in caplog.text


class Panic(BaseException):
    """What a tokenizer in Rust raises; it is no `Exception`."""


@pytest.mark.parametrize("depth", ["alone", "joined", "between two steps"])
def test_what_is_no_plain_error_fails_its_own_items_and_nothing_else(
    stepping, monkeypatch, depth, caplog
):
    """Else its request waits for ever, or the thread of all requests ends."""
    model, scheduler, _ = stepping
    sample = model.sample

    def panic(requests, law, on_progress):
        if any(request.prefix == tuple(b"panic") for request in requests):
            raise Panic
        return sample(requests, law, on_progress)

    monkeypatch.setattr(model, "sample", panic)
    others = []
    if depth == "between two steps":
        others.append(item("long", cost=1_000))
        scheduler.submit(RequestQueue(), others)
        assert model.began.wait(5)
    lost = item("panic")
    with scheduler._changed:
        scheduler.submit(RequestQueue(), [lost])
        if depth == "joined":
            others.append(item("other"))
            scheduler.submit(RequestQueue(), [others[-1]])
    with pytest.raises(LostError):
        lost.future.result(5)
    model.go_on.set()
    for one in [*others, item("later")]:
        if one not in others:
            scheduler.submit(RequestQueue(), [one])
        assert len(one.future.result(5)) == 1


def test_the_end_of_another_call_is_not_taken_for_the_end_of_this_one(stepping, monkeypatch):
    """A long call that was given up took with it the one that was made between its steps."""
    model, scheduler, _ = stepping
    outer_progress, sample = [], model.sample
    gone, long, inner = RequestQueue(), item("long", cost=1_000), item("inner")

    def leaky(requests, law, on_progress):
        if requests[0].prefix == tuple(b"inner"):
            scheduler.cancel(gone, KeyError("gone"))
            outer_progress[0](0)
        outer_progress.append(on_progress)
        return sample(requests, law, on_progress)

    monkeypatch.setattr(model, "sample", leaky)
    scheduler.submit(gone, [long])
    assert model.began.wait(5)
    scheduler.submit(RequestQueue(), [inner])
    with pytest.raises(LostError):
        inner.future.result(5)


def test_a_batch_that_ends_without_its_answers_fails_them_and_is_logged(
    shared, monkeypatch, caplog
):
    scheduler = shared(ToyModel()).scheduler
    with monkeypatch.context() as patched:
        patched.setattr(scheduler, "_serve", lambda batch: None)
        lost = item("first")
        scheduler.submit(RequestQueue(), [lost])
        with pytest.raises(LostError, match="by a fault of the service"):
            lost.future.result(5)
    assert "a batch ended without all of its answers" in caplog.text
    later = item("second")
    scheduler.submit(RequestQueue(), [later])
    assert len(later.future.result(5)) == 1


class NestingModel(ToyModel):
    """Steps as often as a text says, and fails, panics or goes on as it says."""

    def sample(self, requests, law, on_progress=lambda _: None):
        for request in requests:
            steps, kind, *_ = bytes(request.prefix).decode().split()
            for _ in range(int(steps)):
                time.sleep(0.0005)
                on_progress(0)
            if kind == "fails":
                raise BackendRefusedError("this one is wrong")
            if kind == "panics":
                raise Panic
        return super().sample(requests, law, on_progress)


@pytest.mark.parametrize("seed", range(4))
def test_however_calls_are_nested_and_given_up_every_item_is_answered_or_failed(seed):
    rng = random.Random(seed)
    health = Health(Metrics(), fresh_seconds=10, stall_seconds=10)
    pace = Pace(1e-9, 10_000)
    scheduler = Scheduler(NestingModel(), pace=pace, cache=Cache(0), observer=health)
    queues, items, kinds = [], [], []
    for number in range(60):
        kind = rng.choice(["goes"] * 4 + ["fails", "panics", "gone"])
        one = item(f"{rng.choice([0, 1, 5, 20])} {kind} {number}", cost=rng.randint(1, 500))
        queues.append(RequestQueue())
        scheduler.submit(queues[-1], [one])
        items.append(one)
        kinds.append(kind)
        if kind == "gone":
            left = rng.randrange(len(queues))
            scheduler.cancel(queues[left], KeyError("gone"))
            kinds[left] = "gone"
        time.sleep(rng.random() * 0.002)
    for one, kind in zip(items, kinds, strict=True):
        error = one.future.exception(20)
        if kind == "goes":
            assert error is None
        elif kind in ("fails", "panics"):
            assert isinstance(error, BackendRefusedError if kind == "fails" else LostError)
    scheduler.close(patience=5)


def test_states_are_read_to_the_end_though_the_call_around_them_is_given_up(
    embedded, pace, monkeypatch
):
    """Its pause was called in their reading, ended it, and nobody was told."""
    health = Health(Metrics(), fresh_seconds=10, stall_seconds=10)
    scheduler = Scheduler(embedded, pace=pace, cache=Cache(0), observer=health)
    leaves, stays, read = RequestQueue(), RequestQueue(), embedded.hidden_states

    def left_meanwhile(prefixes, on_progress):
        scheduler.cancel(leaves, KeyError("gone"))
        return read(prefixes, on_progress)

    monkeypatch.setattr(embedded, "hidden_states", left_meanwhile)
    request = SampleRequest(prefix=embedded.encode("A dog"), n=4, max_tokens=40, key=0)
    sampled = WorkItem(request, Law(), (), 1_000)
    ids = embedded.encode("The rain falls on the town. " * 60)[:400]
    assert len(ids) > LEAST_TOKENS
    states = WorkItem(StatesRequest(ids), Law(), (), len(ids))
    with scheduler._changed:
        scheduler.submit(leaves, [sampled])
        scheduler.submit(stays, [states])
    assert states.future.result(20)[0].shape[0] == len(ids)
    assert isinstance(sampled.future.exception(0), KeyError)
    scheduler.close(patience=5)


def test_a_reading_of_states_for_which_nobody_waits_any_more_is_ended(embedded, pace, monkeypatch):
    health = Health(Metrics(), fresh_seconds=10, stall_seconds=10)
    scheduler = Scheduler(embedded, pace=pace, cache=Cache(0), observer=health)
    queue, ended, read = RequestQueue(), threading.Event(), embedded.hidden_states

    def left_meanwhile(prefixes, on_progress):
        scheduler.cancel(queue, KeyError("gone"))
        try:
            return read(prefixes, on_progress)
        except AbandonedError:
            ended.set()
            raise

    monkeypatch.setattr(embedded, "hidden_states", left_meanwhile)
    ids = embedded.encode("The rain falls on the town. " * 60)[:400]
    scheduler.submit(queue, [WorkItem(StatesRequest(ids), Law(), (), len(ids))])
    assert ended.wait(20)
    scheduler.close(patience=5)
