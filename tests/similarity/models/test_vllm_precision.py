"""Right servers whose numbers move from call to call are taken, and are told from wrong ones."""

from collections.abc import Callable

import numpy as np
import pytest

from similarity.arrays import LogProbs
from similarity.errors import BackendRefusedError, ModelChangedError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import SampleRequest, TokenIds
from similarity.models.gaps import TOLERANCE, Gap
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.identity import OTHER_SCORES
from tests.similarity.models.fake_server import Answer, FakeServer, Load, scoring

# Two calls with independent normal noise of this size are TOLERANCE apart on average.
NOISE = TOLERANCE * np.sqrt(np.pi) / 2
GRID = 0.125
LOADS = 6
# A gap of the order of rounding, though more than is allowed.
SMALL = 0.2
# Within what is allowed of the short probe, and not of the long one.
DOUBTFUL = 0.11
PRECISION = "if it is rounding that moves .* take another dtype, or no quantization; else "


class Moving(ToyModel):
    """The toy with noise on its logits, new in each call, and perhaps rounded to a grid."""

    def __init__(self, seed: int, noise: float, grid: float = 0.0) -> None:
        super().__init__()
        self._random = np.random.default_rng(seed)
        self._noise, self._grid = noise, grid

    def step_log_probs(self, context: TokenIds, law: Law) -> LogProbs:
        logits = super().step_log_probs(context, law)
        logits = logits + self._random.normal(scale=self._noise, size=logits.size)
        if self._grid:
            logits = np.round(logits / self._grid) * self._grid
        moved: LogProbs = logits - np.logaddexp.reduce(logits)
        return moved


@pytest.mark.longer
@pytest.mark.parametrize(
    ("noise", "grid"), [(NOISE, 0.0), (0.03, 0.0), (NOISE, GRID), (0.025, GRID)]
)
def test_a_right_server_whose_numbers_move_is_taken(load: Load, noise: float, grid: float) -> None:
    """One of four to four of five were refused, each for a cause that was not there."""
    for seed in range(LOADS):
        model = load(server=FakeServer(Moving(seed, noise, grid)))
        model.score(scoring(), Law())
        model.sample([SampleRequest(prefix=(65, 66), n=8, max_tokens=8, key=seed)], Law())
        model.next_log_probs([(65,), (66,)], [1, 2, 3])


def scores_moved(by: float) -> Callable[[Answer, Answer], None]:
    """Return a fault: each score moved."""

    def edit(body: Answer, answer: Answer) -> None:
        if body.get("prompt_logprobs") is None:
            return
        for choice in answer["choices"]:
            for place in choice["prompt_logprobs"][1:]:
                for listed in place.values():
                    listed["logprob"] -= by

    return edit


def all_moved(by: float) -> Callable[[Answer, Answer], None]:
    """Return a fault: each log-probability moved."""
    of_scores = scores_moved(by)

    def edit(body: Answer, answer: Answer) -> None:
        of_scores(body, answer)
        for choice in answer["choices"]:
            if (listed := choice.get("logprobs")) is not None:
                listed["token_logprobs"] = [value - by for value in listed["token_logprobs"]]
                for place in listed["top_logprobs"]:
                    place.update({name: value - by for name, value in place.items()})

    return edit


def test_a_small_change_is_first_put_down_to_precision(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    server.edit = scores_moved(SMALL)
    said = f"^http://server:8000 gives other scores than before .*{PRECISION}serve the old model"
    with pytest.raises(ModelChangedError, match=said) as caught:
        model.score(scoring(), Law())
    assert caught.value.change == OTHER_SCORES
    server.edit = scores_moved(1.0)
    with pytest.raises(ModelChangedError, match="^http://server:8000 has another model") as caught:
        model.score(scoring(), Law())
    assert "dtype" not in str(caught.value)
    assert caught.value.change == "has another model"


def test_a_change_within_the_noise_of_a_few_tokens_is_found_by_more(load: Load) -> None:
    """Such a gap of the short probe may be noise; of the long one it is not."""
    server = FakeServer()
    model = load(server=server)
    server.edit = scores_moved(DOUBTFUL)
    probe = len(model.identity.probe.continuation)
    assert Gap(DOUBTFUL, probe).is_rounding
    with pytest.raises(ModelChangedError, match="differ by 0.11 nats per token over 9. tokens"):
        model.score(scoring(), Law())
    server.edit = scores_moved(TOLERANCE - 0.01)
    before = len(server.bodies)
    model.score(scoring(), Law())
    # Nothing more is requested where there is no doubt.
    assert len(server.bodies) == before + 1


def test_two_servers_are_compared_by_the_long_probe(load: Load) -> None:
    moved = FakeServer()
    moved.edit = all_moved(DOUBTFUL)
    with pytest.raises(BackendRefusedError, match="serves another model than"):
        load(a=FakeServer(), b=moved)


def test_what_moves_a_little_at_loading_is_first_put_down_to_precision(load: Load) -> None:
    server = FakeServer()
    server.edit = scores_moved(SMALL)
    # What is chosen is not moved.
    with pytest.raises(WrongAnswerError, match=PRECISION):
        load(server=server)
    server.gives_chosen = False
    said = f"sampled tokens other log-probabilities .*{PRECISION}start it with --generation-config"
    with pytest.raises(WrongAnswerError, match=said):
        load(server=server)


@pytest.mark.longer
@pytest.mark.parametrize("seed", range(3))
def test_what_is_wrong_is_found_under_noise(load: Load, seed: int) -> None:
    """Noise as large as is allowed hides neither another model nor scores that are stale."""
    server = FakeServer(Moving(seed, NOISE))
    model = load(server=server)
    server.model = ToyModel(prior=0.5)
    with pytest.raises(ModelChangedError, match="another model than before"):
        model.score(scoring(), Law())
    with pytest.raises(BackendRefusedError, match="serves another model than"):
        load(a=FakeServer(Moving(seed, NOISE)), b=FakeServer(ToyModel(prior=0.5)))


def test_the_first_tokens_of_a_stale_cache_are_found_under_noise(load: Load) -> None:
    """One continuation of eight is scored as after another prefix."""
    server = FakeServer(Moving(1, NOISE))

    def edit(body: Answer, answer: Answer) -> None:
        if body.get("prompt_logprobs") is None or len(answer["choices"]) < 9:
            return
        for place in answer["choices"][3]["prompt_logprobs"][-8:]:
            for listed in place.values():
                listed["logprob"] -= 1.0 + 0.1 * len(server.bodies)

    server.edit = edit
    with pytest.raises(WrongAnswerError, match="are not the same: .* --no-enable-prefix-caching"):
        load(server=server)
