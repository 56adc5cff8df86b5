from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from similarity.errors import ConfigError, InputError
from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest
from similarity.models.loader import LoadOptions, load_model
from similarity.models.toy import ToyModel

AB = ToyModel(b"ab", prior=0.5, end=0.25)


def test_closed_form() -> None:
    # Three balls of a, one of b, half a ball each before: 3.5 of 5, then 4.5 of 6.
    log_probs = np.exp(AB.step_log_probs(AB.encode("aaab"), Law()))
    np.testing.assert_allclose(log_probs, [0.75 * 3.5 / 5, 0.75 * 1.5 / 5, 0.25])
    (scored,) = AB.score([ScoreRequest(prefix=(0, 0, 0, 1), continuations=((0, 0, 2),))], Law())
    np.testing.assert_allclose(
        scored[0], np.log([0.75 * 3.5 / 5, 0.75 * 4.5 / 6, 0.25]), rtol=1e-12
    )


def test_trajectories_come_with_their_probabilities() -> None:
    request = SampleRequest(prefix=AB.encode("aab"), n=4000, max_tokens=2, key=9)
    (sampled,) = AB.sample([request], Law())
    every = [(2,), *product((0, 1), (0, 1, 2))]
    (scores,) = AB.score([ScoreRequest(prefix=request.prefix, continuations=tuple(every))], Law())
    probs = np.array([np.exp(row.sum()) for row in scores])
    assert probs.sum() == pytest.approx(1.0)
    counts = [sum(c.token_ids == ids for c in sampled) for ids in every]
    assert chisquare(counts, probs * 4000).pvalue > 0.001


def test_sampling_gives_the_log_probs_that_scoring_does() -> None:
    toy = ToyModel()
    request = SampleRequest(prefix=toy.encode("a red car"), n=10, max_tokens=12, key=3)
    law = Law(temperature=0.7, top_k=20)
    (sampled,) = toy.sample([request], law)
    ids = tuple(c.token_ids for c in sampled)
    (scored,) = toy.score([ScoreRequest(prefix=request.prefix, continuations=ids)], law)
    for continuation, row in zip(sampled, scored, strict=True):
        assert continuation.log_probs is not None
        np.testing.assert_allclose(continuation.log_probs, row)


def test_continuations_end_in_the_end_of_sequence_or_at_the_limit() -> None:
    request = SampleRequest(prefix=AB.encode("ab"), n=200, max_tokens=5, key=1)
    (sampled,) = AB.sample([request], Law())
    for continuation in sampled:
        ids = continuation.token_ids
        assert 1 <= len(ids) <= 5
        assert AB.end_ids.isdisjoint(ids[:-1])
        assert ids[-1] in AB.end_ids or len(ids) == 5


def test_text_survives() -> None:
    toy = ToyModel()
    assert toy.decode(toy.encode("Grüße, 犬\0")) == "Grüße, 犬\0"
    assert AB.decode((0, 1, 2)) == "ab"
    with pytest.raises(InputError, match="outside the alphabet"):
        AB.encode("abc")


@pytest.mark.parametrize(
    "options", [LoadOptions(device="cuda"), LoadOptions(dtype="bfloat16")], ids=["device", "dtype"]
)
def test_what_it_does_not_use_is_refused(options: LoadOptions) -> None:
    """It computed on the processor, and nobody was told."""
    with pytest.raises(ConfigError, match="'toy' computes on the processor .*, got device"):
        load_model("toy", options)
    assert load_model("toy", LoadOptions(device="cpu", dtype="fastest")).info.name == "toy"
