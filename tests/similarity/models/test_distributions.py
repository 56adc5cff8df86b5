from collections.abc import Callable

import numpy as np
import pytest
import torch

from similarity.errors import UnsupportedError
from similarity.law import Law
from similarity.models.base import LanguageModel, ScoreRequest, TokenIds
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from tests.tiny_models import ARCHITECTURES

REQUESTS = [
    ScoreRequest(prefix=(5, 6, 7), continuations=((8, 9, 10, 11), (12,), (8, 9))),
    ScoreRequest(prefix=(20,), continuations=((8, 9, 10, 11), (30, 31))),
]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("law", [Law(), Law(temperature=0.7, top_k=20)])
def test_distributions_hold_what_scoring_says(
    tiny: Callable[[str], LocalModel], architecture: str, law: Law
) -> None:
    check_distributions(tiny(architecture), law)


def test_distributions_of_the_closed_form(toy_model: ToyModel) -> None:
    check_distributions(toy_model, Law())


def check_distributions(model: LanguageModel, law: Law) -> None:
    found = model.distributions(REQUESTS, law)
    scores = model.score(REQUESTS, law)
    for request, of_request, scored in zip(REQUESTS, found, scores, strict=True):
        for tokens, rows, log_probs in zip(request.continuations, of_request, scored, strict=True):
            assert rows.shape == (len(tokens), model.vocab_size)
            np.testing.assert_allclose(np.exp(rows.astype(float)).sum(-1), 1, atol=1e-5)
            np.testing.assert_allclose(rows[range(len(tokens)), tokens], log_probs, atol=2e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_hidden_states_do_not_depend_on_the_batch(
    tiny: Callable[[str], LocalModel], architecture: str
) -> None:
    model = tiny(architecture)
    prefixes: list[TokenIds] = [(5, 6, 7, 8, 9), (20,), (11, 12, 13)]
    for prefix, states in zip(prefixes, model.hidden_states(prefixes), strict=True):
        with torch.inference_mode():
            alone = model.network.module(torch.tensor([prefix]), output_hidden_states=True)
        np.testing.assert_allclose(states, alone.hidden_states[-1][0].numpy(), atol=1e-4)


def test_a_model_without_them_says_so(toy_model: ToyModel) -> None:
    with pytest.raises(UnsupportedError, match="give a model that is a network"):
        toy_model.hidden_states([(1, 2)])
