"""How large a call may be, from how long calls took."""

import random
import threading
import time

import httpx
import pytest

from service.engine.pace import LEAST_TOKENS, UNKNOWN, Pace
from service.engine.request_model import RequestModel
from similarity.law import Law
from similarity.models.base import SampleRequest
from similarity.models.toy import ToyModel
from tests.service.servers import eventually, running

MOST = 16_384


def after(calls, seconds_of):
    """Return how many tokens a call may have after some random calls of a model."""
    pace, chance = Pace(0.125, MOST), random.Random(0)
    for _ in range(calls):
        tokens = chance.randint(100, pace.tokens("sample"))
        steps = chance.choice([1, 20, 128])
        noise = chance.uniform(0.8, 1.25)
        pace.note("sample", steps, tokens, noise * seconds_of(steps, tokens))
    return pace.tokens("sample")


def test_the_part_that_grows_with_the_tokens_is_bounded():
    found = after(200, lambda steps, tokens: 0.001 * steps + 0.000_1 * tokens)
    assert found == pytest.approx(1_250, rel=0.3)


def test_a_server_whose_calls_take_their_time_gets_large_calls_all_the_same():
    assert after(200, lambda _steps, _tokens: 0.7) == MOST
    assert after(200, lambda steps, tokens: 0.02 * steps + 0.000_001 * tokens) > 0.9 * MOST


def test_a_fast_model_gets_all_and_a_slow_one_the_least():
    assert after(50, lambda _steps, tokens: 1e-6 * tokens) == MOST
    assert after(50, lambda _steps, tokens: 1e-2 * tokens) == LEAST_TOKENS


def test_it_follows_a_model_that_becomes_slower():
    pace = Pace(0.125, MOST)
    for seconds in [1e-5] * 50 + [1e-3] * 100:
        for tokens in (300, 900):
            pace.note("score", 1, tokens, seconds * tokens)
    assert pace.tokens("score") == LEAST_TOKENS


def test_calls_that_are_all_alike_are_taken_for_their_tokens_cost():
    pace = Pace(0.125, MOST)
    for _ in range(50):
        pace.note("embed", 1, 500, 0.25)
    assert pace.tokens("embed") == LEAST_TOKENS
    assert pace.tokens("sample") == 4 * LEAST_TOKENS


def test_a_call_that_was_given_up_has_taken_so_long_at_least():
    """While all calls of a stage were given up, each was expected to take no time at all."""
    pace = Pace(0.125, MOST)
    pace.note_given_up("sample", 60, 1_000, 0.1)
    assert pace.expected("sample", 60, 1_000) == 0
    pace.note_given_up("sample", 60, 1_000, 2.0)
    assert pace.expected("sample", 60, 1_000) == pytest.approx(2.0)
    pace.note_given_up("sample", 60, 1_000, 1.0)
    assert pace.expected("sample", 60, 1_000) == pytest.approx(2.0)
    assert pace.tokens("sample") == LEAST_TOKENS


def test_what_is_unknown_is_expected_by_the_call_under_way(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("service.engine.pace.time.monotonic", lambda: now[0])
    pace = Pace(0.125, MOST)
    turn = pace.begin("sample", 60, 1_000)
    now[0] += 0.5
    assert pace.expected("sample", 60, 500) == pytest.approx(UNKNOWN * 0.25)
    assert pace.expected("sample", 5, 20) < turn.left
    assert pace.expected("embed", 1, 20) == 0

    def others():
        now[0] += 3.0
        assert turn.total == 0.5

    turn.lend(others)
    assert (turn.total, turn.seconds) == (0.5, 0)
    pace.end("sample")
    assert pace.expected("sample", 60, 500) == 0


class TimedModel(ToyModel):
    """Takes time for its steps and its tokens, and keeps count."""

    STEP, TOKEN = 0.000_5, 0.000_05

    def __init__(self):
        super().__init__()
        self.calls = []

    def sample(self, requests, law, on_progress=lambda _: None):
        tokens = sum(len(r.prefix) + r.n * r.max_tokens for r in requests)
        self._take_time(max(r.max_tokens for r in requests), tokens)
        return super().sample(requests, law, on_progress)

    def score(self, requests, law, on_progress=lambda _: None):
        tokens = sum(len(r.prefix) + sum(map(len, r.continuations)) for r in requests)
        self._take_time(1, tokens)
        return super().score(requests, law, on_progress)

    def _take_time(self, steps, tokens):
        self.calls.append(tokens)
        time.sleep(self.STEP * steps + self.TOKEN * tokens)


@pytest.mark.longer
def test_beside_a_heavy_client_a_cheap_one_waits_for_few_short_calls():
    model = TimedModel()
    heavy = {"rows": [f"text {i}" for i in range(4)], "n_trajectories": 100, "max_tokens": 16}
    with running(model, cache_megabytes=0, probe_seconds=1_000) as url:

        def ask(**body):
            return httpx.post(f"{url}/v1/similarity", json=body, timeout=60)

        for i in range(10):
            assert ask(pairs=[[f"warm {i}", "up"]]).status_code == 200
        thread = threading.Thread(target=lambda: ask(**heavy))
        before = len(model.calls)
        thread.start()
        waits = []
        assert eventually(lambda: len(model.calls) > before + 2)
        while thread.is_alive():
            begun = len(model.calls)
            assert ask(pairs=[[f"cheap {begun}", "other"]]).status_code == 200
            waits.append(len(model.calls) - begun)
        thread.join()
    # Those being made when its two stages begin, its own two or three, and few of the other's.
    assert len(waits) >= 3
    assert sorted(waits)[len(waits) // 2] <= 8
    settled = sorted(model.calls[before + 5 :])
    assert TimedModel.TOKEN * settled[int(0.9 * len(settled))] < 2 * 0.125


def test_trajectories_sampled_in_parts_are_those_sampled_at_once(shared):
    request = SampleRequest(prefix=(65, 66, 67), n=100, max_tokens=32, key=7, start=3)
    (whole,) = ToyModel().sample([request], Law())
    model = RequestModel(shared(ToyModel(), batch_tokens=700))
    (parts,) = model.sample([request], Law())
    assert [c.token_ids for c in parts] == [c.token_ids for c in whole]


def test_calls_without_tokens_have_a_pace_too():
    """Of features that are read of the text itself: 0 was divided by 0."""
    pace = Pace(0.125, MOST)
    for seconds in (0.01, 0.03):
        pace.note("embed", 1, 0, seconds)
    assert 0.01 <= pace.expected("embed", 1, 0) <= 0.03
    assert LEAST_TOKENS <= pace.tokens("embed") <= MOST
