"""Continuations after shared prefixes have the states of plain readings."""

from pathlib import Path

import pytest
import torch

from similarity.models import continuing
from similarity.models.continuing import states_after
from similarity.models.network import Network
from similarity.models.packaged import load_llama
from tests.tiny_models import save_tiny_model

PREFIXES = [(0, 60, 61, 62), (0, 80), (0, 90, 91, 92, 93, 94)]
CONTINUATIONS = [[(5,), (7, 8, 9, 10, 11)], [(30, 31, 32)], [(40,), (41,), (42, 43), (44, 45, 46)]]


@pytest.mark.parametrize("most_tokens", [1, 9, 768])
@torch.inference_mode()
def test_states_are_those_of_plain_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_tokens: int
) -> None:
    monkeypatch.setitem(continuing.ROW_TOKENS, "cpu", most_tokens)
    network = Network(load_llama(save_tiny_model("llama", tmp_path), "float32")[0])
    found = states_after(network, PREFIXES, CONTINUATIONS)
    plain = []
    for prefix, some in zip(PREFIXES, CONTINUATIONS, strict=True):
        for continuation in some:
            ids = torch.tensor([[*prefix, *continuation]])
            states = network.states(ids, torch.ones_like(ids))[0]
            plain.append(states[len(prefix) - 1 : -1])
    torch.testing.assert_close(found, torch.cat(plain), rtol=0, atol=1e-4)
