"""The embedded model, as a user first meets it."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from eval.datasets import Source, load_task, spread
from eval.pair_files import ScoredPair, read_pairs
from eval.protocol import spearman
from similarity.api import compare, compare_pairs
from similarity.config import ComparisonConfig
from similarity.models.loader import EMBEDDED_PATH, load_model
from similarity.models.local import LocalModel
from similarity.models.reference import ReferenceModel

PAIRS = [
    ("A man is playing a guitar.", "Someone plays an instrument."),
    ("Two dogs run through the snow", "A cat sleeps on the sofa"),
    ("The council voted on the budget.", "How do I remove the battery?"),
]
OTHERS = [(f"There are {i} people in the room.", f"It is {i} o'clock already") for i in range(10)]
CONFIG = ComparisonConfig()


@pytest.fixture(scope="module")
def embedded() -> LocalModel:
    model = load_model("embedded")
    assert isinstance(model, LocalModel)
    return model


def test_identical_texts(embedded: LocalModel) -> None:
    text = "A man is playing a guitar."
    result = compare(embedded, text, text)
    assert (result.distance, result.similarity) == (0, 1)


@pytest.mark.longer
def test_a_pair_does_not_depend_on_its_batch(embedded: LocalModel) -> None:
    joined = compare_pairs(embedded, [*OTHERS, *PAIRS], CONFIG)[len(OTHERS) :]
    for pair, together in zip(PAIRS, joined, strict=True):
        alone = compare(embedded, *pair, CONFIG)
        assert together.trajectories == alone.trajectories
        np.testing.assert_allclose(together.log_likelihoods, alone.log_likelihoods, atol=1e-5)
        assert abs(together.distance - alone.distance) < 1e-5


def test_packed_scores_are_the_references(embedded: LocalModel) -> None:
    config = ComparisonConfig.build(n_trajectories=2, max_tokens=6)
    fast = compare_pairs(embedded, PAIRS[:2], config)
    slow = compare_pairs(ReferenceModel(embedded), PAIRS[:2], config)
    for one, other in zip(fast, slow, strict=True):
        assert one.trajectories == other.trajectories
        np.testing.assert_allclose(one.log_likelihoods, other.log_likelihoods, atol=1e-4)


def agreement(model: LocalModel, judged: list[ScoredPair]) -> float:
    """Return Spearman's correlation × 100 with the judgements."""
    scores = compare_pairs(model, [(pair.first, pair.second) for pair in judged], CONFIG)
    return spearman([-score.distance for score in scores], [pair.score for pair in judged])


@pytest.mark.longer
def test_a_paraphrase_is_nearer_than_another_matter(embedded: LocalModel) -> None:
    made = read_pairs(Path(__file__).parents[1] / "eval" / "fixture.tsv")
    assert agreement(embedded, made) > 50


def test_agrees_with_people_on_real_pairs(embedded: LocalModel, sts_data: Path) -> None:
    pairs = spread(load_task("stsb-dev", Source(str(sts_data))), 80)
    assert agreement(embedded, pairs) > 30


def test_the_card_is_of_these_weights() -> None:
    card = (EMBEDDED_PATH / "README.md").read_text(encoding="utf-8")
    weights = (EMBEDDED_PATH / "model.safetensors").read_bytes()
    assert re.findall(r"sha256 of `model.safetensors`: `(\w+)`", card) == [
        hashlib.sha256(weights).hexdigest()
    ]
