"""A Llama of transformers becomes this package's network where it computes the same, else never."""

from typing import Any

import pytest
import torch
import transformers
from torch import nn

from similarity.models.llama import LlamaNetwork
from similarity.models.native import native
from similarity.models.network import Network
from tests.tiny_models import ARCHITECTURES

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 32,
}
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 3.0}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 3.0}


def made(**settings: Any) -> Any:
    """Return a random Llama in transformers' own class, its weights enlarged."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**(ARCHITECTURES["llama"].to_dict() | settings))
    module = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() == 2:
                weight.mul_(8)
    return module


def ids() -> torch.Tensor:
    return (torch.arange(7, 7 + 2 * 60) * 7919 % 258).reshape(2, 60)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("rope", [None, LLAMA3, YARN, LINEAR])
@torch.inference_mode()
def test_the_same_numbers_from_the_same_tensors(rope: dict[str, Any] | None, tied: bool) -> None:
    settings: dict[str, Any] = {"tie_word_embeddings": tied}
    module = made(**settings) if rope is None else made(rope_parameters=rope, **settings)
    own = native(module)
    assert isinstance(own, LlamaNetwork)
    torch.testing.assert_close(own(ids()).logits, module(ids()).logits, rtol=0, atol=1e-4)
    held = {weight.data_ptr() for weight in module.parameters()}
    assert {weight.data_ptr() for weight in own.parameters()} == held
    assert own.generation_config is module.generation_config
    assert Network(own).branches


@pytest.mark.parametrize(
    "settings",
    [
        {"rope_parameters": DYNAMIC},
        {"attention_bias": True},
        {"mlp_bias": True},
        {"hidden_act": "gelu"},
    ],
)
def test_other_settings_are_left_to_transformers(settings: dict[str, Any]) -> None:
    module = made(**settings)
    assert native(module) is module


def test_other_networks_are_left_to_transformers() -> None:
    module = transformers.AutoModelForCausalLM.from_config(ARCHITECTURES["mistral"]).eval()
    assert native(module) is module


def test_a_layer_that_does_something_else_is_left_to_transformers() -> None:
    class Adapted(nn.Linear):
        pass

    module = made()
    module.model.layers[0].mlp.up_proj = Adapted(32, 64, bias=False)
    assert native(module) is module


def test_a_network_that_computes_something_else_is_left_to_transformers() -> None:
    module = made()
    module.model.layers[0].register_forward_hook(lambda _module, _given, found: found * 1.01)
    assert native(module) is module


def test_weights_that_it_has_no_place_for() -> None:
    module = made()
    module.model.layers[0].self_attn.q_norm = nn.RMSNorm(8)
    assert native(module) is module
