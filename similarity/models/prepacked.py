"""Linear layers of a CPU with their weights in the order in which oneDNN multiplies them.

A product of few rows spends a third of its time or more on bringing the weight into that order,
at every call. Here it is done once, when a network is loaded.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)

Product = Callable[[Tensor], Tensor]

# Rows that the order is chosen for; it is as good as any for one row and for a thousand.
_ROWS = 320
_DTYPES = (torch.float32, torch.bfloat16)


class PrepackedLinear(nn.Module):
    """Takes the place of a linear layer whose weight nothing else holds.

    A copy of it, deep or pickled, is a plain layer again.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        self._weight = _ordered(linear.weight)

    @property
    def weight(self) -> Tensor:
        """Return the weight in its usual order, shape "out in": made anew at each call."""
        dense: Tensor = self._weight.to_dense()
        return dense

    def forward(self, values: Tensor) -> Tensor:
        """Return values, shape "… in", times the weight, shape "… out"."""
        return _product(values, self._weight, self.bias)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to pickle it: as a plain layer of the same weights."""
        return _plain, (self.weight, self.bias)


def can_prepack(module: nn.Module) -> bool:
    """Return whether a network is on a CPU, with weights of a type that oneDNN multiplies."""
    weight = next(module.parameters())
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and weight.device.type == "cpu" and weight.dtype in _DTYPES


def prepacked_product(linear: nn.Linear) -> Product:
    """Return a quicker function for a layer's product; the layer itself stays as it is."""
    weight, bias = _ordered(linear.weight), linear.bias
    return lambda values: _product(values, weight, bias)


class Prepacked:
    """Layers of a network that were replaced, until it is known that this does no harm."""

    def __init__(self, module: nn.Module, kept: nn.Module | None) -> None:
        """Replace all plain linear layers but `kept`, and those whose weight has two holders."""
        self._replaced: list[tuple[nn.Module, str, nn.Module]] = []
        holders = _holders(module)
        for parent in list(module.modules()):
            for name, child in list(parent.named_children()):
                # Subclasses do something else as well.
                if type(child) is nn.Linear and child is not kept and holders[id(child.weight)] < 2:
                    self._replaced.append((parent, name, child))
                    setattr(parent, name, PrepackedLinear(child).eval())

    def undo(self) -> None:
        """Put the layers back."""
        for parent, name, child in self._replaced:
            setattr(parent, name, child)


def _plain(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    out, width = weight.shape
    linear = nn.Linear(width, out, bias is not None, device="meta").eval()
    linear.weight = nn.Parameter(weight)
    if bias is not None:
        linear.bias = nn.Parameter(bias)
    return linear


def _holders(module: nn.Module) -> dict[int, int]:
    """Return how many modules hold each parameter."""
    counts: dict[int, int] = {}
    for part in module.modules():
        for parameter in part._parameters.values():
            counts[id(parameter)] = counts.get(id(parameter), 0) + 1
    return counts


def _ordered(weight: Tensor) -> Tensor:
    ordered: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _ROWS)
    return ordered


def _product(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")
    return product
