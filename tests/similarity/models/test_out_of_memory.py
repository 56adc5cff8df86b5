"""Where memory is out for many texts together, fewer are read together, and nothing is given up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest
from similarity.models.local import LocalModel
from tests.tiny_models import ARCHITECTURES

Loader = Callable[[str], LocalModel]
architectures = pytest.mark.parametrize("architecture", ARCHITECTURES)
TEXTS = ("one two three", "six ten eight", "a dog is here", "hello", "zzz", "a cat", "the sea", "a")


@contextmanager
def room_for(model: LocalModel, tokens: int) -> Iterator[list[int]]:
    """Let a network read so many tokens at once; give a list of what was too many for it."""
    refused: list[int] = []

    def check(_module: Any, given: tuple[torch.Tensor, ...]) -> None:
        if given[0].numel() > tokens:
            refused.append(given[0].numel())
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    embedding: Any = model.network.module.get_input_embeddings()  # type: ignore[operator]
    hook = embedding.register_forward_pre_hook(check)
    yield refused
    hook.remove()


def powers(model: LocalModel) -> tuple[Any, ...]:
    """Return all that checks may take back of a network."""
    network = model.network
    return (
        network.packs,
        network.pads,
        network.caches,
        network.pads_state,
        network.pack_window,
        network.step_window,
    )


@architectures
def test_trajectories_are_those_of_much_memory(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    requests = [
        SampleRequest(prefix=model.encode(text), n=6, max_tokens=4, key=i)
        for i, text in enumerate(TEXTS)
    ]
    before = powers(model)
    with room_for(model, 20) as refused:
        little = model.sample(requests, Law())
    assert refused
    assert powers(model) == before
    for one, other in zip(little, model.sample(requests, Law()), strict=True):
        assert [found.token_ids for found in one] == [found.token_ids for found in other]
        for row, expected in zip(one, other, strict=True):
            np.testing.assert_allclose(row.log_probs, expected.log_probs, atol=1e-4)


@architectures
def test_scores_are_those_of_much_memory(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    continuations = tuple(model.encode(f" {text}")[1:] for text in TEXTS)
    requests = [
        ScoreRequest(prefix=model.encode(text), continuations=continuations) for text in TEXTS
    ]
    before = powers(model)
    with room_for(model, 30) as refused:
        little = model.score(requests, Law())
    assert refused
    assert powers(model) == before
    for one, other in zip(little, model.score(requests, Law()), strict=True):
        for row, expected in zip(one, other, strict=True):
            np.testing.assert_allclose(row, expected, atol=1e-4)


@architectures
def test_states_are_those_of_much_memory(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    prefixes = [model.encode(f"four five {text}") for text in TEXTS]
    before = powers(model)
    with room_for(model, 26) as refused:
        little = model.next_states(prefixes)
    assert bool(refused) == model.network.pads
    assert powers(model) == before
    np.testing.assert_allclose(little, model.next_states(prefixes), atol=1e-4)


def test_where_there_is_no_memory_for_one_text_that_is_said(tiny: Loader) -> None:
    model = tiny("llama")
    prefix = model.encode("one two three")
    one = SampleRequest(prefix=prefix, n=2, max_tokens=3, key=0)
    other = ScoreRequest(prefix=prefix, continuations=((1, 2, 3), (4, 5)))
    calls: list[Callable[[], Any]] = [
        lambda: model.sample([one], Law()),
        lambda: model.score([other], Law()),
        lambda: model.next_states([prefix, prefix[:-1]]),
    ]
    with room_for(model, 2):
        for call in calls:
            with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
                call()
