"""Of two servers one comes to have another model: none of its numbers is used, or kept.

It is the second, as the first request of a call goes to the first.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from similarity import Law
from similarity.errors import ModelChangedError
from similarity.models.base import SampleRequest, TokenIds
from similarity.models.toy import ToyModel
from tests.similarity.models.fake_pooling_server import FakePoolingServer
from tests.similarity.models.fake_seeing_server import SeeingServer
from tests.similarity.models.fake_server import QUICK, Answer, FakeServer, Load, scoring
from tests.similarity.models.test_vllm_images import image
from tests.similarity.models.test_vllm_precision import NOISE, Moving, all_moved, scores_moved

pytestmark = pytest.mark.longer

# Many requests, so that both servers have some of each call.
SMALL = replace(QUICK, request_tokens=20)
PREFIXES: list[TokenIds] = [ToyModel().encode(f"a red car {i}") for i in range(12)]
SAMPLES = [SampleRequest(prefix=ids, n=3, max_tokens=4, key=1) for ids in PREFIXES]
# By how much all log-probabilities move: less than rounding may move one.
BY = 0.2


def chosen(model: Any) -> Any:
    return model.next_log_probs(PREFIXES, range(200))


def scores(model: Any) -> Any:
    return np.concatenate([row for rows in model.score(scoring(), Law()) for row in rows])


def listed(model: Any) -> Any:
    found = model.top_distributions(scoring(), Law(), 3)
    return np.concatenate([np.ravel(top.log_probs) for rows in found for top in rows])


def samples(model: Any) -> Any:
    found = model.sample(SAMPLES, Law())
    return np.concatenate([one.log_probs for rows in found for one in rows])


def images_of(model: Any) -> list[TokenIds]:
    return [model.encode_image(image(seed), "a ", " b") for seed in range(4)]


def chosen_after_images(model: Any) -> Any:
    return model.next_log_probs(images_of(model), range(30))


def scores_after_images(model: Any) -> Any:
    requests = [replace(scoring()[0], prefix=prefix) for prefix in images_of(model)]
    return np.concatenate([row for rows in model.score(requests, Law()) for row in rows])


def samples_after_images(model: Any) -> Any:
    some = [replace(SAMPLES[0], prefix=prefix) for prefix in images_of(model)]
    found = model.sample(some, Law())
    return np.array([token for rows in found for one in rows for token in one.token_ids])


def states(model: Any) -> Any:
    return model.next_states(PREFIXES)


def another(server: Any) -> None:
    # By this the last token of the probe moves less than one token may by rounding.
    server.model = ToyModel(prior=0.03)


def moved(server: Any) -> None:
    server.edit = all_moved(BY)


def other_states(server: Any) -> None:
    server.seed = 1


OF_TEXTS = [chosen, scores, listed, samples]
OF_IMAGES = [chosen_after_images, scores_after_images, samples_after_images]
CASES = [
    *((FakeServer, reading, change) for reading in OF_TEXTS for change in (another, moved)),
    *((SeeingServer, reading, another) for reading in OF_IMAGES),
    (FakePoolingServer, states, other_states),
]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(("kind", "reading", "change"), CASES)
def test_numbers_of_the_changed_one_are_not_used(
    load: Load,
    kind: Callable[[], FakeServer],
    reading: Callable[[Any], Any],
    change: Callable[[FakeServer], None],
    restarted: bool,
) -> None:
    """Of chosen tokens and after images, a probe went to one of the servers only."""
    truth = reading(load(server=kind()))
    servers = {name: kind() for name in "ab"}
    model = load(SMALL, **servers)
    if restarted:
        servers["b"].down = True
        reading(model)
        servers["b"].down = False
    change(servers["b"])
    for _ in range(3):
        np.testing.assert_allclose(reading(model), truth, atol=1e-5)
    assert [one.url for one in model._pool.roster.serving()] == ["http://a:8000"]
    assert model.changes() >= 1


@pytest.mark.parametrize("change", [another, moved])
def test_it_returns_only_with_the_old_model(
    load: Load, change: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    """It came back by its health each time, failed a request, and all that was kept was lost."""
    servers = {name: FakeServer() for name in "ab"}
    model = load(SMALL, **servers)
    change(servers["b"])
    while not model.changes():
        chosen(model)
    changes, left_out = model.changes(), model._pool.replicas[1]
    while left_out.failures < 5:
        chosen(model)
    assert model.changes() == changes
    servers["b"].model, servers["b"].edit = ToyModel(), lambda _body, _answer: None
    while left_out.failures:
        chosen(model)
    assert "in use again: http://b:8000 computes as at loading" in caplog.text


def test_chosen_tokens_alone_that_move_are_found_where_one_leaves_a_doubt(load: Load) -> None:
    """As where something between changes them, and no scores."""
    of_scores, of_all = scores_moved(-BY), all_moved(BY)

    def edit(body: Answer, answer: Answer) -> None:
        of_all(body, answer)
        of_scores(body, answer)

    servers = {name: FakeServer() for name in "ab"}
    model = load(SMALL, **servers)
    servers["b"].edit = edit
    np.testing.assert_allclose(
        chosen(model), ToyModel().next_log_probs(PREFIXES, range(200)), atol=1e-5
    )
    servers["a"].edit = edit
    with pytest.raises(ModelChangedError, match="chosen tokens other .* over 16 tokens"):
        chosen(model)


def test_the_only_one_is_probed_after_each_answer(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)

    def change(body: Answer, _answer: Answer) -> None:
        if "logprob_token_ids" in body:
            server.edit = all_moved(BY)

    server.edit = change
    with pytest.raises(ModelChangedError, match="gives other scores than before"):
        chosen(model)


def test_answers_share_probes_and_a_failure(load: Load) -> None:
    """Each would wait for the same again, one after the other."""
    server = FakeServer()
    model = load(SMALL, server=server)
    chosen(model)
    asked = sum("logprob_token_ids" in body for body in server.bodies)
    probes = len(server.bodies) - asked
    assert asked >= 2 * len(PREFIXES) > probes
    server.edit = all_moved(1.0)
    server.bodies.clear()
    with pytest.raises(ModelChangedError):
        chosen(model)
    assert sum("logprob_token_ids" not in body for body in server.bodies) <= probes


@pytest.mark.parametrize("seed", range(3))
def test_right_servers_whose_numbers_move_stay_in_use(load: Load, seed: int) -> None:
    servers = {name: FakeServer(Moving(seed + 10 * i, NOISE)) for i, name in enumerate("ab")}
    model = load(SMALL, **servers)
    for _ in range(5):
        chosen(model)
    assert len(model._pool.roster.serving()) == 2
    assert not model.changes()
