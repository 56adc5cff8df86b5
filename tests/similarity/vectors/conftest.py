"""Vectors fitted to made-up text, on the toy model and on a tiny network."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from similarity.arrays import FloatArray
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, ProfileConfig, TrigramsConfig, VectorConfig, fit
from similarity.vectors.scorer import VectorScorer

WORDS = [
    "a",
    "the",
    "red",
    "blue",
    "old",
    "car",
    "sea",
    "bird",
    "man",
    "house",
    "sings",
    "runs",
    "sleeps",
    "over",
    "under",
]

TOY_CONFIG = VectorConfig(
    groups=(ProfileConfig(tokens=64, shrinkage=0.5), TrigramsConfig(weight=0.5, width=128))
)
TINY_CONFIG = VectorConfig(
    groups=(ProfileConfig(shrinkage=0.5), TrigramsConfig(weight=0.5, width=64, names=2.0))
)


def sentences(number: int, seed: int = 0) -> list[str]:
    """Return sentences of common words."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(3, 8))) for _ in range(number)]


def cosines(vectors: MeaningVectors, pairs: Sequence[tuple[str, str]]) -> FloatArray:
    """Return the cosine of each pair's vectors, shape "pair"."""
    return np.array([1 - score.distance for score in VectorScorer(vectors).score(pairs)])


@pytest.fixture(scope="session")
def toy_vectors(toy_model: ToyModel) -> MeaningVectors:
    return fit(toy_model, sentences(60), TOY_CONFIG)


@pytest.fixture(scope="session")
def tiny_llama(tiny: Callable[[str], LocalModel]) -> LocalModel:
    return tiny("llama")


@pytest.fixture(scope="session")
def tiny_vectors(tiny_llama: LocalModel) -> MeaningVectors:
    return fit(tiny_llama, sentences(80), TINY_CONFIG)
