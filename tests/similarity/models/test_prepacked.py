"""Products of weights in oneDNN's order, against the layers that they stand for."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from similarity.models import prepacked
from similarity.models.local import LocalModel
from similarity.models.prepacked import Prepacked, PrepackedLinear, can_prepack, prepacked_product
from similarity.models.probes import prepack, probe_ids

Loader = Callable[[str], LocalModel]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(70,), (1, 70), (3, 70), (2, 5, 70), (0, 70)])
@torch.inference_mode()
def test_a_product_is_that_of_the_layer(
    dtype: torch.dtype, bias: bool, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(70, 50, bias=bias, dtype=dtype)
    values = torch.randn(shape, dtype=dtype)
    layer = PrepackedLinear(linear)
    for found in (layer(values), prepacked_product(linear)(values)):
        torch.testing.assert_close(found, linear(values))
    assert torch.equal(layer.weight, linear.weight)
    turned = torch.randn(70, 6, dtype=dtype).t()
    torch.testing.assert_close(layer(turned), linear(turned))


@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_a_copy_is_a_plain_layer(bias: bool) -> None:
    linear = nn.Linear(70, 50, bias=bias)
    layer = PrepackedLinear(linear)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(copied) is nn.Linear
        assert torch.equal(copied.weight, linear.weight)
        assert (copied.bias is None) is (linear.bias is None)
        values = torch.randn(3, 70)
        assert torch.equal(copied(values), linear(values))


@torch.inference_mode()
def test_a_row_has_one_product_whatever_is_beside_it() -> None:
    torch.manual_seed(0)
    product, values = prepacked_product(nn.Linear(576, 192)), torch.randn(320, 576)
    whole = product(values)
    for rows in (2, 19, 40, 319):
        assert torch.equal(product(values[:rows]), whole[:rows])


class Scaled(nn.Linear):
    def forward(self, *values: Tensor) -> Tensor:
        return 2 * super().forward(*values)


def test_only_plain_layers_whose_weights_are_their_own_are_replaced() -> None:
    module = nn.ModuleDict(
        {
            "plain": nn.Linear(4, 4),
            "head": nn.Linear(4, 4),
            "tied": nn.Linear(4, 4),
            "scaled": Scaled(4, 4),
            "table": nn.Embedding(4, 4),
        }
    )
    module["table"].weight = module["tied"].weight
    before = dict(module.items())
    replaced = Prepacked(module, kept=module["head"])
    assert [name for name in before if module[name] is not before[name]] == ["plain"]
    assert isinstance(module["plain"], PrepackedLinear)
    replaced.undo()
    assert dict(module.items()) == before


def test_single_and_half_precision_on_a_cpu_are_prepacked() -> None:
    dtypes = torch.float32, torch.bfloat16, torch.float64
    assert [can_prepack(nn.Linear(2, 2, dtype=dtype)) for dtype in dtypes] == [True, True, False]
    assert not can_prepack(nn.Linear(2, 2, device="meta"))


def test_a_loaded_model_is_prepacked(tiny: Loader) -> None:
    model = tiny("llama")
    layers = [type(part) for part in model.network.module.modules()]
    assert PrepackedLinear in layers
    assert model.network.head is not None
    assert model.network.head.product is not None
    assert ("weights", "in the order of this processor's products") in model.findings


@torch.inference_mode()
def test_products_that_move_numbers_are_not_taken(
    tiny: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny("llama")
    network = model.network
    before = [type(part) for part in network.module.modules()]
    expected = network.read(probe_ids(network))
    product = prepacked._product

    def spoilt(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return product(values, weight, bias) * 1.01

    # The layers are prepacked already, so that the head alone is spoilt: its product is in the
    # logits once more.
    monkeypatch.setattr(network, "head", network.head)
    with monkeypatch.context() as patch:
        patch.setattr(prepacked, "_product", spoilt)
        # Of the network before: what is compared with is read by spoilt layers too.
        patch.setattr(network, "read", lambda _ids: expected)
        assert prepack(network).found == "in their plain order"
    assert [type(part) for part in network.module.modules()] == before
    assert torch.equal(network.read(probe_ids(network)), expected)
