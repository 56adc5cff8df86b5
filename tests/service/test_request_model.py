"""One request's view of the shared model."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from service.engine.request_model import RequestModel
from similarity.api import compare_pairs
from similarity.config import ComparisonConfig
from similarity.models.base import ignore_progress
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.vectors import fit
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences

CONFIG = ComparisonConfig.build(n_trajectories=4, max_tokens=6)
TOKENS_OF_TEXT = 4 * 6


def test_answers_do_not_depend_on_who_else_asks(shared):
    texts = [f"text number {i} of some length {'x' * i}" for i in range(12)]
    pairs = [(texts[i], texts[(i * 5 + 1) % 12]) for i in range(12)]
    alone = compare_pairs(ToyModel(), pairs, CONFIG)
    together = shared(ToyModel(), batch_tokens=300, cache_bytes=50_000)
    with ThreadPoolExecutor(12) as pool:
        jobs = [
            pool.submit(compare_pairs, RequestModel(together), [pair], CONFIG) for pair in pairs * 3
        ]
        results = [job.result(20)[0] for job in jobs]
    for mine, theirs in zip(results, alone * 3, strict=True):
        assert mine.trajectories == theirs.trajectories
        assert mine.distance == pytest.approx(theirs.distance, abs=1e-5)
        np.testing.assert_allclose(mine.log_likelihoods, theirs.log_likelihoods, atol=1e-5)


def test_usage_counts_tokens_and_what_the_cache_knew(shared):
    together = shared(ToyModel(), cache_bytes=1_000_000)
    first, again = RequestModel(together), RequestModel(together)
    compare_pairs(first, [("one text", "another")], CONFIG)
    compare_pairs(again, [("one text", "another")], CONFIG)
    assert first.usage.cached_tokens == 0
    assert 0 < first.usage.sampled_tokens <= 2 * TOKENS_OF_TEXT
    assert (again.usage.sampled_tokens, again.usage.scored_tokens) == (
        first.usage.sampled_tokens,
        first.usage.scored_tokens,
    )
    assert again.usage.cached_tokens == again.usage.sampled_tokens + again.usage.scored_tokens
    assert (first.usage.computed, again.usage.computed) == (1, 0)
    more = RequestModel(together)
    assert more.usage.computed == 0
    compare_pairs(more, [("one text", "a third")], CONFIG)
    assert 0.5 < more.usage.computed < 1


def test_a_request_that_is_cancelled_stops_between_two_pairs(shared):
    model = RequestModel(shared(ToyModel()))
    compared = []

    def progress(stage, count):
        if stage == "comparing":
            model.cancel(KeyError("the client went away"))
        on_progress = model.progress(stage, count)

        def advance_and_count(finished):
            compared.append(stage == "comparing")
            on_progress(finished)

        return advance_and_count

    with pytest.raises(KeyError, match="went away"):
        TrajectoryScorer(model, CONFIG).matrix(["a", "b", "c"], None, progress)
    assert sum(compared) == 1


@pytest.mark.parametrize(
    "read_all",
    [RequestModel.encode_all, lambda model, texts: model.feature_tokens(texts, None)],
    ids=["encode_all", "feature_tokens"],
)
def test_a_request_that_is_cancelled_stops_between_texts_that_are_tokenized(shared, read_all):
    """Else its thread, with all its texts, stays for as long as tokenizing takes."""
    read = []

    class Counting(ToyModel):
        def encode(self, text):
            read.append(text)
            if len(read) == 5:
                model.cancel(KeyError("the client went away"))
            return super().encode(text)

    toy = Counting()
    together = replace(shared(toy), vectors=Tokens(toy))
    model = RequestModel(together)
    with pytest.raises(KeyError):
        read_all(model, [f"text {i}" for i in range(500)])
    assert len(read) < 50


class Tokens:
    """Stands in for meaning vectors: counts the tokens of texts."""

    def __init__(self, model):
        self.tokens = lambda texts: [len(ids) for ids in model.encode_all(texts)]


class Changing(ToyModel):
    """Scores otherwise while it is another model, which is found after a while."""

    other = False
    found = 0

    def changes(self):
        return self.found

    def score(self, requests, law, on_progress=ignore_progress):
        rows = super().score(requests, law, on_progress)
        return [[one - self.other for one in row] for row in rows]

    def encode(self, text):
        return super().encode(text.swapcase() if self.other else text)


def vectors_of(model, request_model):
    return request_model.embed(["one text", "another"])


def numbers_of(model, request_model):
    found = compare_pairs(request_model, [("one text", "another")], CONFIG)
    return np.asarray(found[0].log_likelihoods)


@pytest.mark.parametrize("numbers", [vectors_of, numbers_of])
def test_what_another_model_computed_before_it_was_found_is_not_used_again(shared, numbers):
    """A wrong number was kept, and given after the right model was back."""
    model = Changing()
    vectors = fit(model, sentences(60), TOY_CONFIG)
    together = shared(model, cache_bytes=1_000_000, vectors=vectors)
    right = numbers(model, RequestModel(shared(model, vectors=vectors)))
    model.other = True
    wrong = numbers(model, RequestModel(together))
    assert not np.allclose(wrong, right)
    model.other, model.found = False, 1
    np.testing.assert_allclose(numbers(model, RequestModel(together)), right, atol=1e-6)
    again = RequestModel(together)
    numbers(model, again)
    assert again.usage.computed == 0
