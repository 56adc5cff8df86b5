"""Vectors of a model behind a server: the same as of that model in this process."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from similarity.errors import BackendRefusedError, UnsupportedError
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, VectorConfig, fit
from similarity.vectors.scorer import VectorScorer
from tests.similarity.models.fake_server import FakeServer, Load, load
from tests.similarity.vectors.conftest import TOY_CONFIG, cosines, sentences

__all__ = ["load"]

CONFIG = replace(TOY_CONFIG, top_k=4)
TEXTS = sentences(9, seed=1)


def test_they_are_those_of_the_model_in_this_process(load: Load) -> None:
    served = fit(load(server=FakeServer()), sentences(60), CONFIG)
    here = replace(served, model=ToyModel())
    for group in CONFIG.groups:
        # All that is left is the single precision of one and not of the other.
        expected = here.reader.rows(group, TEXTS)
        np.testing.assert_allclose(served.reader.rows(group, TEXTS), expected, atol=1e-5)
    pairs = list(pairwise(TEXTS))
    np.testing.assert_allclose(cosines(served, pairs), cosines(here, pairs), atol=1e-4)
    one, two = (VectorScorer(vectors).explain(pairs[:1], top=1)[0] for vectors in (served, here))
    assert [place.both for place in one.places] == [place.both for place in two.places]


def test_fitted_there_or_here_they_are_the_same(
    load: Load, top_vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(server=FakeServer())
    # A server has noise of its own, so that it would sample other trajectories to read along.
    monkeypatch.setattr(model, "sample", ToyModel().sample)
    served = fit(model, sentences(60), CONFIG)
    assert served.references == top_vectors.references
    pairs = list(pairwise(TEXTS))
    np.testing.assert_allclose(cosines(served, pairs), cosines(top_vectors, pairs), atol=1e-3)


def test_what_a_server_does_not_tell(load: Load) -> None:
    model = load(server=FakeServer())
    with pytest.raises(UnsupportedError, match="whole next-token distributions"):
        fit(model, sentences(60), replace(CONFIG, top_k=0))
    with pytest.raises(UnsupportedError, match="hidden states"):
        fit(model, sentences(60), VectorConfig(n_references=2, reference_tokens=2, top_k=4))
    with pytest.raises(BackendRefusedError, match="lower --top-k"):
        fit(model, sentences(60), replace(CONFIG, top_k=21))
