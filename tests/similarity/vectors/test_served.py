"""Vectors of a model behind a server: the same as of that model in this process."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from similarity.models.base import Ability
from similarity.models.toy import ToyModel
from similarity.vectors import fit
from similarity.vectors.scorer import VectorScorer
from tests.similarity.models.fake_server import FakeServer, Load, load
from tests.similarity.vectors.conftest import TOY_CONFIG, cosines, sentences

__all__ = ["load"]

TEXTS = sentences(9, seed=1)


def test_they_are_those_of_the_model_in_this_process(load: Load) -> None:
    model = load(server=FakeServer())
    if Ability.TOKEN_LOG_PROBS not in model.abilities:
        pytest.skip("the server's backend does not give log-probabilities of chosen tokens yet")
    served = fit(model, sentences(60), TOY_CONFIG)
    here = replace(served, model=ToyModel())
    for name, rows in here.read(TEXTS).items():
        # All that is left is the single precision of one and not of the other.
        np.testing.assert_allclose(served.read(TEXTS)[name], rows, atol=1e-5)
    pairs = list(pairwise(TEXTS))
    np.testing.assert_allclose(cosines(served, pairs), cosines(here, pairs), atol=1e-4)
    one, two = (VectorScorer(vectors).explain(pairs[:1], top=1)[0] for vectors in (served, here))
    assert one.implied is not None
    assert two.implied is not None
    assert [word.word for word in one.implied.both] == [word.word for word in two.implied.both]
