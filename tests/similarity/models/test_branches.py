"""Rows that share a trunk read what rows with copies of it do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import DynamicCache

from similarity.models import branches
from similarity.models.branches import Branches
from similarity.models.local import LocalModel
from similarity.models.network import Network
from similarity.models.packaged import load_llama
from tests.tiny_models import save_tiny_model

# Rows of unequal number, out of order, one trunk without any; then as many of each, in order.
CHOSEN = [[2, 0, 0, 2, 2, 0], [0, 0, 1, 1, 2, 2]]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder: Path = save_tiny_model("llama", tmp_path_factory.mktemp("llama"))
    return Network(load_llama(folder, "float32")[0])


def ids(rows: int, length: int, start: int = 7) -> torch.Tensor:
    return (torch.arange(start, start + rows * length) * 7919 % 258).reshape(rows, length)


def read(network: Network, chosen: list[int], padding: int, more: int) -> list[torch.Tensor]:
    """Read trunks, let rows go on from them, drop some and go on with the others."""
    mask = torch.ones(3, 9, dtype=torch.long)
    mask[0, :padding] = 0
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    logits, cache = network.start(ids(3, 9), mask if padding else None, positions)
    rows, found = torch.tensor(chosen), [logits]
    for kept, count in ((rows, more), (torch.tensor([5, 1, 2]), 1), (torch.tensor([0, 2]), 2)):
        network.select(cache, kept)
        mask = torch.cat([mask[kept], torch.ones(len(kept), count, dtype=torch.long)], -1)
        given = (mask.cumsum(-1) - 1)[:, -count:]
        tokens = ids(len(kept), count, start=99)
        found.append(network.step(tokens, mask if padding else None, given, cache))
    return found


@pytest.mark.parametrize("most_scores", [0, 1 << 13])
@pytest.mark.parametrize("more", [1, 4])
@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("chosen", CHOSEN)
@torch.inference_mode()
def test_rows_go_on_as_with_copies(
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    chosen: list[int],
    padding: int,
    more: int,
    most_scores: int,
) -> None:
    monkeypatch.setattr(branches, "_MOST_SCORES", most_scores)
    assert network.branches
    assert isinstance(network.new_cache(), Branches)
    found = read(network, chosen, padding, more)
    monkeypatch.setattr(network, "new_cache", DynamicCache)
    for one, other in zip(found, read(network, chosen, padding, more), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_a_state_that_rows_went_on_from_stays(network: Network) -> None:
    _, cache = network.start(ids(1, 6), None, torch.arange(6)[None])
    positions = torch.tensor([[6]]).expand(3, -1)
    first = network.step(ids(3, 1), None, positions, network.copies(cache, 3))
    network.step(ids(2, 1, start=40), None, positions[:2], network.copies(cache, 2))
    again = network.step(ids(3, 1), None, positions, network.copies(cache, 3))
    assert torch.equal(first, again)
    assert cache.get_seq_length() == 6


@torch.inference_mode()
def test_states_at_some_places_are_those_of_a_whole_reading(network: Network) -> None:
    assert network.head is not None
    rows, places = torch.tensor([2, 0, 0, 1]), torch.tensor([0, 8, 3, 3])
    states = network.states_at(ids(3, 9), None, None, rows, places)
    assert states is not None
    logits = torch.cat(list(network.logits_in_parts(states)))
    torch.testing.assert_close(logits, network.read(ids(3, 9))[rows, places], rtol=0, atol=1e-4)


@pytest.mark.parametrize("architecture", ["gpt2", "mamba"])
def test_other_networks_have_none(tiny: Callable[[str], LocalModel], architecture: str) -> None:
    assert not tiny(architecture).network.branches
