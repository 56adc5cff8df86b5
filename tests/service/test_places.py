"""Short requests are answered beside long ones, however many of these there are."""

import asyncio
import math
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.costs import short_cost
from service.engine.engine import Engine
from service.engine.exceptions import BusyError
from service.engine.limits import check_pairs, check_texts
from service.engine.metrics import Metrics
from service.engine.places import Claim, Places
from service.settings import Settings
from similarity.config import ComparisonConfig
from similarity.law import Law
from similarity.models.base import ScoreRequest, ignore_progress
from similarity.models.toy import ToyModel
from tests.service.servers import PATIENCE, eventually, running

pytestmark = pytest.mark.longer

SIZES = {"n_trajectories": 4, "max_tokens": 4}
SHORT = {"pairs": [["a", "b"]], **SIZES}
# Of more than two thousand tokens each to sample and to score.
LONG = {"rows": [f"text {i}" for i in range(14)], **SIZES}
KINDS = (False, True)


class SlowModel(ToyModel):
    """Takes its time for each call, until it is told to hurry."""

    def __init__(self, seconds=0.05):
        super().__init__()
        self.seconds = seconds
        self.hurry = threading.Event()

    def sample(self, requests, law, on_progress=ignore_progress):
        self.hurry.wait(self.seconds)
        return super().sample(requests, law, on_progress)

    def score(self, requests, law, on_progress=ignore_progress):
        self.hurry.wait(self.seconds)
        return super().score(requests, law, on_progress)


def scoring(token):
    """Return what has a model score one token."""
    request = ScoreRequest(prefix=(token,), continuations=((1,),))
    return lambda model: model.score([request], Law())


@contextmanager
def busy(longs, **settings):
    """Serve a slow model to so many clients with long requests; give the address and those."""
    model = SlowModel()
    # A call for each text.
    opened = running(model, batch_tokens=1, cache_megabytes=0, probe_seconds=100, **settings)
    with opened as url, ThreadPoolExecutor(longs + 1) as pool:
        asked = [pool.submit(post, url, {**LONG, "seed": seed}) for seed in range(longs)]
        try:
            yield url, asked
        finally:
            model.hurry.set()


def post(url, content):
    return httpx.post(f"{url}/v1/similarity", json=content, timeout=PATIENCE)


def inside(url):
    """Return how many requests are worked on or wait, by the metrics."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    names = ("trajsim_active_requests ", "trajsim_queued_requests ")
    return sum(float(line.split()[1]) for line in lines if line.startswith(names))


def test_a_short_request_is_answered_while_more_long_ones_than_there_are_places_run():
    with busy(6, max_active=4) as (url, longs):
        assert eventually(lambda: inside(url) == 6)
        assert post(url, SHORT).status_code == 200
        assert not any(long.done() for long in longs)
    assert [long.result().status_code for long in longs] == [200] * 6


def test_to_find_tokens_is_short_where_to_read_the_same_texts_is_long():
    """It waited for the places of long requests, by whose throughput it could never end in time."""
    texts = [f"text {i}" for i in range(200)]
    assert check_texts(texts, Settings(model="toy")) > short_cost(Settings(model="toy"), None)
    with busy(6, max_active=4) as (url, longs):
        assert eventually(lambda: inside(url) == 6)
        found = httpx.post(f"{url}/tokenize", json={"inputs": texts}, timeout=PATIENCE)
        assert found.status_code == 200
        assert not any(long.done() for long in longs)


def test_a_queue_full_of_long_requests_takes_short_ones_and_refuses_long_ones():
    with busy(6, max_active=4, max_queued=4) as (url, longs):
        assert eventually(lambda: inside(url) == 6)
        refused = post(url, LONG)
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "queue_full"
        assert (
            "as many long requests as it takes at once: 3 worked on, 3 waiting; send it again "
            "later, or send less"
        ) in refused.json()["error"]["message"]
        assert int(refused.headers["retry-after"]) >= 1
        with ThreadPoolExecutor(2) as pool:
            short = pool.map(lambda seed: post(url, {**SHORT, "seed": seed}), range(2))
            assert [answer.status_code for answer in short] == [200, 200]
        assert not any(long.done() for long in longs)
    assert [long.result().status_code for long in longs] == [200] * 6


@pytest.mark.parametrize(
    ("active", "queued", "long_active", "long_queued"),
    [
        (1, 0, 1, 0),
        (1, 2, 1, 2),
        (2, 0, 1, 0),
        (2, 1, 1, 1),
        (2, 2, 1, 1),
        (4, 4, 3, 3),
        (64, 128, 48, 96),
    ],
)
def test_long_requests_have_three_quarters_of_the_places(active, queued, long_active, long_queued):
    """A place that is the only one is for all."""

    async def run():
        free = threading.Event()
        settings = Settings(model="toy", max_active=active, max_queued=queued)
        engine = Engine(ToyModel(), settings, Metrics())

        async def fill(cost):
            """Return those that were taken until one was refused, and the refusal."""
            taken = []
            while True:
                one = asyncio.ensure_future(engine.run(lambda _: free.wait(PATIENCE), cost))
                await asyncio.sleep(0)
                if one.done():
                    return taken, one.exception()
                taken.append(one)

        try:
            # So it is known that they take no time.
            for cost in (1e6, 0):
                await engine.run(scoring(0), cost)
            longs, refusal = await fill(1e6)
            assert (engine.active, engine.queued) == (long_active, long_queued)
            assert isinstance(refusal, BusyError)
            assert f"{long_active} worked on, {long_queued} waiting" in str(refusal)
            shorts, refusal = await fill(0)
            assert (engine.active, engine.queued) == (active, queued)
            assert f" requests as it takes at once: {active} worked on, {queued}" in str(refusal)
            free.set()
            await asyncio.gather(*longs, *shorts)
            assert (engine.active, engine.queued) == (0, 0)
        finally:
            free.set()
            engine.close()

    asyncio.run(run())


def test_a_pair_by_the_preset_of_the_service_is_short_and_by_paper_beside_vectors_long():
    settings = Settings(model="toy")
    with_vectors, without = (
        short_cost(settings, ("profile", "examples")),
        short_cost(settings, None),
    )
    sentences = [f"{i} " + "word " * 12 for i in range(35)]
    assert check_texts(sentences, settings) <= with_vectors
    assert check_texts(sentences * 2 + ["many " * 2_000], settings) > with_vectors
    pair = check_pairs([("a" * 7_000, "b" * 7_000)], ComparisonConfig(), settings)
    assert with_vectors < pair <= without
    assert check_pairs([("a", "b"), ("c", "d")], ComparisonConfig(), settings) > without
    assert short_cost(Settings(model="toy", preset="paper"), ("profile", "examples")) == without


def test_retry_after_is_that_of_requests_of_the_same_kind():
    """A client with a short request was told what the long ones take."""

    async def run():
        free = threading.Event()
        settings = Settings(model="toy", max_active=4, max_queued=0)
        engine = Engine(ToyModel(), settings, Metrics())
        try:
            for _ in range(20):
                await engine.run(lambda _: time.sleep(0.01), 0)
                await engine.run(lambda _: time.sleep(0.2), 1e6)
            held = [
                asyncio.ensure_future(engine.run(lambda _: free.wait(PATIENCE), cost))
                for cost in (1e6, 1e6, 1e6, 0)
            ]
            await asyncio.sleep(0)
            waits = []
            for cost in (0, 1e6):
                with pytest.raises(BusyError) as refusal:
                    await engine.run(lambda _: None, cost)
                waits.append(refusal.value.retry_after)
            free.set()
            await asyncio.gather(*held)
            return waits
        finally:
            free.set()
            engine.close()

    short, long = asyncio.run(run())
    assert short < 0.2 <= long


def test_what_the_cache_knew_says_nothing_of_how_long_requests_take():
    async def run():
        settings = Settings(model="toy", deadline_seconds=8, probe_seconds=100)
        engine = Engine(SlowModel(1), settings, Metrics())
        try:
            for _ in range(200):
                await engine.run(scoring(1), 1e6)
            burst = [
                asyncio.ensure_future(engine.run(scoring(token), 1e6)) for token in range(2, 42)
            ]
            await asyncio.sleep(0)
            begun = engine.active
            engine.model.hurry.set()
            await asyncio.gather(*burst)
            return begun
        finally:
            engine.model.hurry.set()
            engine.close()

    # The first took a second at least, and of 6 seconds no more are given away.
    assert 1 <= asyncio.run(run()) <= 6


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Watched:
    """Requests that come, go on and are given up at random; it looks at all places at each turn."""

    def __init__(self, active, queued, seconds):
        self.clock, self.seconds = Clock(), seconds
        self.places = Places(active, queued, 0, 10, self.clock)
        self.most = (active, queued)
        self.inside, self.begun = {}, {kind: [] for kind in KINDS}
        self.came = {kind: [] for kind in KINDS}

    def come(self, number, long):
        """Have a request come."""
        end = asyncio.Event()
        claim = Claim(float(long), self.clock.now + self.seconds)
        self.inside[number] = (asyncio.ensure_future(self.request(number, claim, end)), claim, end)

    async def request(self, number, claim, end):
        if not self.places.takes(claim):
            return
        long = self.places.is_long(claim.cost)
        self.came[long].append(number)
        async with self.places.place(claim):
            self.begun[long].append(number)
            await end.wait()

    def check(self):
        """Assert that no bound is passed, and that nobody waits who may begin."""
        active, queued = self.places.active(), self.places.queued()
        assert active <= self.most[0]
        assert queued <= self.most[1]
        waiting = sum(self.places.queued([kind]) for kind in KINDS)
        assert waiting == queued == len(self.inside) - active
        for kind in KINDS:
            costs = self.places._throughput[kind].costs
            assert len(costs) == self.places.active([kind])
            if self.places.queued([kind]) and self.seconds == math.inf:
                assert not self.places._active.takes(kind)
            if self.places.queued([kind]) and not costs:
                assert self.places.active() == self.most[0]


@given(
    seed=st.integers(0, 10**6),
    active=st.integers(1, 9),
    queued=st.integers(0, 9),
    turns=st.sampled_from([1, 3]),
    seconds=st.sampled_from([math.inf, 5.0]),
)
def test_whoever_is_given_up_at_whatever_moment_no_place_is_lost(
    seed, active, queued, turns, seconds
):
    random = np.random.default_rng(seed)

    async def run():
        watched = Watched(active, queued, seconds)
        for number in range(120):
            watched.clock.now += random.exponential(0.3)
            for one in range(random.integers(3)):
                watched.come((number, one), bool(random.integers(2)))
            for one in list(watched.inside):
                task, _long, end = watched.inside[one]
                # Both at once: it is given up at the moment in which another leaves it a place.
                if random.random() < 0.2:
                    end.set()
                if random.random() < 0.2:
                    task.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            for one in [one for one, (task, *_) in watched.inside.items() if task.done()]:
                with suppress(asyncio.CancelledError):
                    watched.inside.pop(one)[0].result()
            if turns == 3:
                watched.check()
        for _, _, end in watched.inside.values():
            end.set()
        await asyncio.gather(
            *(task for task, *_ in watched.inside.values()), return_exceptions=True
        )
        assert (watched.places.active(), watched.places.queued()) == (0, 0)
        assert not watched.places._waiting
        # With one turn, one that has waited may go on a turn after one that begins at once.
        for kind in KINDS if (turns, seconds) == (3, math.inf) else ():
            # In the order in which they came, but for those that were given up.
            assert watched.begun[kind] == [
                one for one in watched.came[kind] if one in set(watched.begun[kind])
            ]

    asyncio.run(run())


class Processor:
    """The obvious simulation: those that are worked on have equal shares of one processor."""

    STEP = 0.05

    def __init__(self, deadline):
        self.clock, self.deadline = Clock(), deadline
        self.places = Places(64, 1_000, 0, deadline / 3, self.clock)
        # Of each that is worked on: the seconds that it needs yet, and the end of its work.
        self.left = {}
        self.answered = Counter()
        self.random = np.random.default_rng(1)

    async def run(self, clients, seconds):
        """Let clients ask for so long.

        Each is its name, the seconds that a request needs, and which part is not known before.
        """
        asked = [asyncio.ensure_future(self.ask(*client)) for client in clients]
        until = self.clock.now + seconds
        while self.clock.now < until:
            for _ in range(4):
                await asyncio.sleep(0)
            self.clock.now += self.STEP
            share = self.STEP / max(1, len(self.left))
            for end, left in list(self.left.items()):
                self.left[end] = left - share
                if left <= share and not end.done():
                    end.set_result(None)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    async def ask(self, name, need, computed=1.0):
        """Ask again and again, as a client does that gives up at no time-out."""
        while True:
            needs = need * self.random.uniform(0.7, 1.3)
            one = asyncio.ensure_future(self.request(needs, computed))
            end = self.clock.now + self.deadline
            try:
                while not one.done() and self.clock.now < end:
                    await asyncio.sleep(0)
            finally:
                one.cancel()
            with suppress(asyncio.CancelledError):
                await one
                self.answered[name] += 1

    async def request(self, need, computed=1.0):
        end = asyncio.get_running_loop().create_future()
        claim = Claim(1_000 * need, self.clock.now + self.deadline, lambda: computed)
        async with self.places.place(claim):
            # What is known takes hardly any time.
            self.left[end] = max(computed, 0.01) * need
            try:
                await end
            finally:
                del self.left[end]


@pytest.mark.parametrize("need", [0.5, 2, 4])
def test_where_there_is_more_work_than_time_about_as_much_is_answered_as_can_be(need):
    """Equal shares of all that came made all of them late together, for ever."""
    processor = Processor(deadline=10)
    asyncio.run(processor.run([("all", need)] * 40, 200))
    assert processor.answered["all"] > 0.5 * 200 / need


def test_requests_that_can_never_end_in_time_do_not_keep_out_others():
    processor = Processor(deadline=10)
    asyncio.run(processor.run([("never", 50)] * 8 + [("often", 1)] * 2, 200))
    assert processor.answered["never"] == 0
    assert processor.answered["often"] > 20


def test_a_request_that_needs_more_than_most_ends_beside_them():
    processor = Processor(deadline=10)
    asyncio.run(processor.run([("more", 2)] + [("most", 0.2)] * 2, 200))
    assert processor.answered["more"] >= 5
    assert processor.answered["most"] > 100


def test_a_new_service_answers_from_the_first_deadline_on():
    """Nothing was known of how long requests take, so all began at once, and all were late."""
    processor = Processor(deadline=10)
    asyncio.run(processor.run([("all", 2)] * 40, 10))
    assert processor.answered["all"] >= 3


@pytest.mark.parametrize("computed", [0, 0.05, 0.2, 0.5])
def test_answers_that_are_kept_do_not_let_in_a_burst_of_new_requests(computed):
    """They were taken for as much work as new ones, so the burst began at once, and was late."""
    processor = Processor(deadline=10)

    async def run():
        await processor.run([("known", 2, computed)] * 8, 30)
        await processor.run([("new", 2)] * 40, 10)

    asyncio.run(run())
    assert processor.answered["known"] > 10
    assert processor.answered["new"] >= 3


@pytest.mark.parametrize("computed", [0, 0.05, 0.2])
def test_beside_answers_that_are_kept_new_requests_are_not_all_late(computed):
    processor = Processor(deadline=10)
    asyncio.run(processor.run([("known", 2, computed)] * 4 + [("new", 2)] * 20, 200))
    assert processor.answered["new"] > 30


def test_a_request_that_needs_a_little_more_is_not_overtaken_until_it_is_late():
    processor = Processor(deadline=10)
    asyncio.run(processor.run([("less", 1.3)] * 10 + [("more", 1.6)] * 4, 200))
    assert processor.answered["less"] > 40
    assert processor.answered["more"] > 15


def test_who_was_held_back_begins_at_once_when_the_one_before_it_is_given_up():
    """It waited until another request ended, though nobody had a better claim than it."""

    async def run():
        processor = Processor(deadline=10)

        async def begin(need):
            request = asyncio.ensure_future(processor.request(need))
            await asyncio.sleep(0)
            return request

        async def work(seconds):
            await processor.run([], seconds)

        first = await begin(1)
        await work(1.2)
        assert first.done()
        # Beside the one that is worked on, the second is late, and the third is not.
        others = [await begin(need) for need in (5, 5, 1)]
        assert len(processor.left) == 1
        others[1].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(processor.left) == 2
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run(run())
