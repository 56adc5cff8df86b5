"""Many clients for a while: no answer is wrong, none but 200 and 429, and memory stays."""

import asyncio
import itertools
import random
import time
from collections import Counter

import httpx
import psutil
import pytest

from similarity import ComparisonConfig, compare_pairs, load_model
from similarity.models.loader import EMBEDDED_PATH
from similarity.models.toy import ToyModel
from tests.service.models import FaultyModel
from tests.service.servers import ServeProcess, eventually, running

SMALL = {"n_trajectories": 3, "max_tokens": 5}
TEXTS = [f"text number {i} about {word}" for i, word in enumerate("abcdefghijklmnop")]


def expected_distances(model, texts, settings):
    pairs = list(itertools.combinations(texts, 2))
    found = compare_pairs(model, pairs, ComparisonConfig.build(**settings))
    return {pair: one.distance for pair, one in zip(pairs, found, strict=True)}


async def hammer(url, clients, seconds, expected, settings, during=None):
    """Have clients ask for random pairs; return the statuses, and the answers that are wrong."""
    statuses, wrong = Counter(), []
    end = time.monotonic() + seconds
    pairs = list(expected)

    async def ask(http, chance):
        while time.monotonic() < end:
            chosen = chance.sample(pairs, chance.randint(1, 3))
            body = {"pairs": [list(pair) for pair in chosen], **settings}
            answer = await http.post("/v1/similarity", json=body)
            statuses[answer.status_code] += 1
            if answer.status_code == 200:
                got = [result["distance"] for result in answer.json()["results"]]
                wanted = [expected[pair] for pair in chosen]
                wrong.extend(p for p in zip(got, wanted, strict=True) if abs(p[0] - p[1]) > 1e-5)
            else:
                assert "retry-after" in answer.headers
                await asyncio.sleep(0.1)

    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as http:
        tasks = [ask(http, random.Random(i)) for i in range(clients)]
        await asyncio.gather(*tasks, *([during] if during else []))
    return statuses, wrong


def test_forty_clients_get_right_answers_through_a_short_queue():
    expected = expected_distances(ToyModel(), TEXTS, SMALL)
    with running(ToyModel(), max_active=8, max_queued=8, cache_megabytes=0.02) as url:
        statuses, wrong = asyncio.run(hammer(url, 40, 3, expected, SMALL))
    assert wrong == []
    assert set(statuses) <= {200, 429}
    # How many is a matter of the machine; each has been compared.
    assert statuses[200] > 0


@pytest.mark.longer
def test_a_backend_killed_and_revived_under_load_gives_503_and_then_right_answers():
    model = FaultyModel()
    expected = expected_distances(ToyModel(), TEXTS, SMALL)

    async def kill_and_revive():
        await asyncio.sleep(1)
        model.dead = True
        await asyncio.sleep(1)
        model.dead = False

    with running(model, probe_seconds=0.1, cache_megabytes=0) as url:
        statuses, wrong = asyncio.run(hammer(url, 20, 4, expected, SMALL, kill_and_revive()))
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        after, wrong_after = asyncio.run(hammer(url, 4, 0.5, expected, SMALL))
    assert wrong == wrong_after == []
    assert set(statuses) == {200, 503}
    assert set(after) == {200}


@pytest.mark.slow
@pytest.mark.skipif(not EMBEDDED_PATH.is_dir(), reason="needs the embedded model")
def test_two_hundred_clients_for_a_minute_on_the_embedded_model():
    settings = {"n_trajectories": 5, "max_tokens": 8}
    expected = expected_distances(load_model("embedded"), TEXTS, settings)
    options = ("--max-active", "64", "--max-queued", "64", "--cache-megabytes", "1")
    with ServeProcess("--model", "embedded", "--log-level", "warning", *options) as serve:
        process = psutil.Process(serve.process.pid)
        asyncio.run(hammer(serve.url, 200, 15, expected, settings))
        warm = process.memory_info().rss
        statuses, wrong = asyncio.run(hammer(serve.url, 200, 60, expected, settings))
        end = process.memory_info().rss
        print(f"\n{dict(statuses)}; memory {warm / 2**20:.0f} MiB warm, {end / 2**20:.0f} at end")
        code, errors = serve.stop()
    assert code == 0
    assert errors.count("\n") <= 3, errors
    assert wrong == []
    assert set(statuses) <= {200, 429}
    assert end < 1.1 * warm
