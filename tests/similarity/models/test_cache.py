from collections.abc import Callable

import pytest
import torch
from transformers import DynamicCache

from similarity.models.cache import ROOM, RoomyLayer, new_cache
from similarity.models.local import LocalModel


@pytest.fixture(scope="module")
def config(tiny: Callable[[str], LocalModel]) -> object:
    return tiny("llama").network.module.config


def states(rows: int, positions: int) -> tuple[torch.Tensor, torch.Tensor]:
    keys = torch.arange(rows * 2 * positions * 3, dtype=torch.float32)
    return keys.view(rows, 2, positions, 3), -keys.view(rows, 2, positions, 3)


@pytest.mark.parametrize("steps", [1, ROOM, ROOM + 5])
def test_it_holds_what_transformers_own_cache_holds(config: object, steps: int) -> None:
    mine, theirs = new_cache(config), DynamicCache(config=config)
    assert all(isinstance(layer, RoomyLayer) for layer in mine.layers)
    chosen = torch.tensor([1, 0, 1])
    for cache in (mine, theirs):
        cache.update(*states(2, 4), 0)
        cache.reorder_cache(chosen)
        for step in range(steps):
            keys, values = (part + step for part in states(3, 1))
            cache.update(keys, values, 0)
    for name in ("keys", "values"):
        kept, expected = (getattr(cache.layers[0], name) for cache in (mine, theirs))
        assert torch.equal(kept, expected)
    assert mine.get_seq_length() == theirs.get_seq_length() == 4 + steps


def test_rows_that_were_dropped_are_not_written_over(config: object) -> None:
    cache = new_cache(config)
    whole, _ = cache.update(*states(2, 4), 0)
    before = whole.clone()
    cache.reorder_cache(torch.tensor([1]))
    cache.update(*states(1, 1), 0)
    assert torch.equal(whole, before)


def test_a_step_copies_nothing_of_the_past(config: object) -> None:
    cache = new_cache(config)
    first, _ = cache.update(*states(2, 4), 0)
    second, _ = cache.update(*states(2, 1), 0)
    assert first.data_ptr() == second.data_ptr()
