"""How a network makes logits of its last states, found by trying.

Between the last layer's state h and the logits there may be a factor (Granite, Cohere) or a soft
cap (Gemma). Where logits are an affine map of h they can be made at the places that count alone,
and h stands for the whole distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from similarity.arrays import Rows
from similarity.models.prepacked import Product


@dataclass(frozen=True, eq=False)
class Head:
    """Logits are `scale` · (W h + b).

    Parameters
    ----------
    linear
        Holds W, shape "vocabulary width", and b or None.
    body
        What gives h without the logits, of transformers' base models; None if it gives another.
    product
        Does what `linear` does, quicker; None is itself.
    """

    linear: nn.Linear
    scale: float
    body: nn.Module | None
    product: Product | None = None

    def logits(self, states: Tensor) -> Tensor:
        """Return logits, shape "… token", of states "… width"."""
        # Some bodies give states in single precision whatever the head's is.
        logits: Tensor = (self.product or self.linear)(states.to(self.linear.weight.dtype))
        return logits if self.scale == 1 else logits * self.scale

    def arrays(self) -> tuple[Rows, Rows | None]:
        """Return W, shape "vocabulary width", and b, both times the factor; read only.

        Where they need no change they are the network's own memory.
        """
        bias = self.linear.bias
        return self._array(self.linear.weight), None if bias is None else self._array(bias)

    def _array(self, weights: Tensor) -> Rows:
        single = weights.detach().float()
        found: Rows = (single if self.scale == 1 else single * self.scale).cpu().numpy()
        found.flags.writeable = False
        return found


def find_head(
    module: Any, read: Callable[[Any], Any], agree: Callable[[Tensor, Tensor], bool]
) -> Head | None:
    """Return the head of a network of transformers, or None if its logits are not affine in h.

    Parameters
    ----------
    read
        Runs a module, the network or its body, on some ids.
    agree
        Returns whether two tensors of logits are the same but for rounding.
    """
    linear = module.get_output_embeddings()
    if not isinstance(linear, nn.Linear):
        return None
    states, logits = captured(module, linear, read)
    plain = linear(states)
    # Least squares: the one factor that could lead from these to those.
    factor = float((plain * logits).sum() / (plain * plain).sum())
    scale = 1.0 if agree(plain, logits) else factor
    if not agree(plain * scale, logits):
        return None
    return Head(linear, scale, _body(module, linear, read, agree, logits, scale))


def captured(module: Any, linear: nn.Linear, read: Callable[[Any], Any]) -> tuple[Tensor, Tensor]:
    """Return the states that the head is given in one reading, and its logits."""
    inputs: list[Tensor] = []
    hook = linear.register_forward_pre_hook(lambda _module, given: inputs.append(given[0]))
    try:
        logits: Tensor = read(module).logits
    finally:
        hook.remove()
    return inputs[-1], logits


def _body(
    module: Any,
    linear: nn.Linear,
    read: Callable[[Any], Any],
    agree: Callable[[Tensor, Tensor], bool],
    logits: Tensor,
    scale: float,
) -> nn.Module | None:
    body: nn.Module = module.base_model
    if body is module:
        return None
    states = read(body)[0].to(linear.weight.dtype)
    fits = states.shape[-1] == linear.in_features
    return body if fits and agree(linear(states) * scale, logits) else None
