"""Vectors fitted to made-up text, on the toy model and on a tiny network."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from similarity.arrays import FloatArray
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, VectorConfig, fit
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
    trajectories=1, distributions=1, states=0, n_references=3, reference_tokens=3, projection=4
)
TINY_CONFIG = VectorConfig(
    trajectories=0.5, n_references=3, reference_tokens=3, projection=4, rank=16
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
def top_vectors(toy_model: ToyModel) -> MeaningVectors:
    return fit(toy_model, sentences(60), replace(TOY_CONFIG, top_k=4))


@pytest.fixture(scope="session")
def tiny_llama(tiny: Callable[[str], LocalModel]) -> LocalModel:
    return tiny("llama")


@pytest.fixture(scope="session")
def tiny_vectors(tiny_llama: LocalModel) -> MeaningVectors:
    return fit(tiny_llama, sentences(80), TINY_CONFIG)
