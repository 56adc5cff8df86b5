"""The exponential race on a GPU in one pass over the scores: torch alone takes some thirty."""

import logging
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from similarity.noise import MIX_MULTIPLIERS, MIX_SHIFTS

logger = logging.getLogger(__name__)

Kernel = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]

_FIRST, _SECOND, _THIRD = MIX_SHIFTS
_MIX = f"""
    bits ^= bits >> {_FIRST};
    bits *= {MIX_MULTIPLIERS[0]}u;
    bits ^= bits >> {_SECOND};
    bits *= {MIX_MULTIPLIERS[1]}u;
    bits ^= bits >> {_THIRD};
"""
# Numbers of 32 bits go through as the bits of a float, as all that is given has one type. The
# definition is `similarity.noise.exponential`.
_CODE = f"""
template <typename T>
void race(T score, T top, T low, T high, T token, T& weight, T& rate) {{
    unsigned int bits = __float_as_uint(token) + __float_as_uint(low);
    {_MIX}
    bits ^= __float_as_uint(high);
    {_MIX}
    float uniform = ((float)(bits >> 9) + 0.5f) * {2.0**-23!r}f;
    weight = expf(score - top);
    rate = weight / -logf(uniform);
}}
"""


def weights_and_rates(
    scores: Tensor, top: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor] | None:
    """Return e^(score − top), and that over each token's unit exponential.

    None where there is no kernel for that.

    Parameters
    ----------
    scores
        Shape "row token", single precision.
    top
        Shape "row 1".
    low, high
        The halves of each row's noise key, shape "row 1", as int32.
    """
    kernel = _kernel() if scores.device.type == "cuda" else None
    if kernel is None:
        return None
    tokens = torch.arange(scores.shape[-1], dtype=torch.int32, device=scores.device)
    weights, rates = kernel(
        scores, top, *(part.view(torch.float32) for part in (low, high, tokens))
    )
    return weights, rates


@cache
def _kernel() -> Kernel | None:
    """Return the kernel, compiled by CUDA's runtime compiler at its first call."""
    try:
        make = torch.cuda.jiterator._create_multi_output_jit_fn
        kernel: Kernel = make(_CODE, num_outputs=2)
        one = torch.zeros(1, 1, device="cuda")
        kernel(one, one, one, one, one)
    except Exception as error:  # a build of torch, or a machine, without that compiler
        logger.info("the race is run in single steps: %s", error)
        return None
    return kernel
