"""Meaning vectors through a real server, against the model in this process."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, pairwise

import numpy as np
import pytest

from similarity.law import Law
from similarity.models.base import ScoreRequest
from similarity.models.local import LocalModel
from similarity.models.vllm_server.loader import load_server
from similarity.models.vllm_server.model import ServerModel
from similarity.vectors import fit
from tests.similarity.vectors.conftest import TOY_CONFIG, cosines, sentences
from tests.vllm.servers import Server

TEXTS = sentences(20, seed=1)
# What a server lists unless it is started with another --max-logprobs.
MOST = 20


@pytest.fixture(scope="module")
def model(server: Server) -> Iterator[ServerModel]:
    model = load_server(server.url)
    yield model
    model.close()


@pytest.mark.parametrize("k", [1, 5, MOST])
def test_a_server_lists_the_most_probable_tokens(
    model: ServerModel, local: LocalModel, k: int
) -> None:
    # Texts after other texts: what stands there is often not of the most probable.
    ids = [local.encode(text) for text in TEXTS]
    requests = [
        ScoreRequest(prefix=one, continuations=(other[1:], other[:0:-1]))
        for one, other in pairwise(ids)
    ]
    found = chain(*model.top_distributions(requests, Law(), k))
    truth = chain(*local.top_distributions(requests, Law(), k))
    given = chain(*(request.continuations for request in requests))
    left_out = 0
    for mine, expected, tokens in zip(found, truth, given, strict=True):
        # Two tokens within rounding of each other could change places: none of these do.
        np.testing.assert_array_equal(mine.ids, expected.ids)
        np.testing.assert_allclose(mine.log_probs, expected.log_probs, atol=1e-4)
        left_out += int((mine.ids != np.array(tokens)[:, None]).all(axis=1).sum())
    assert left_out > 100


def test_vectors_are_those_of_the_model_in_this_process(
    model: ServerModel, local: LocalModel
) -> None:
    served = fit(model, sentences(120), TOY_CONFIG)
    here = replace(served, model=local)
    pairs = list(pairwise(TEXTS))
    np.testing.assert_allclose(cosines(served, pairs), cosines(here, pairs), atol=1e-3)
    for name, rows in here.read(TEXTS).items():
        np.testing.assert_allclose(served.read(TEXTS)[name], rows, atol=1e-4)
